//! One question to a service that answers in JSON: a search engine, a weather service. Its address is the owner's.

use std::time::Duration;

use futures::StreamExt;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::text::{clean_line, ellipsis};
use crate::net::{self, Reason};

/// The largest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The most characters that are told of what a service says.
const SAID_CHARS_MAX: usize = 200;

/// Why there is no answer. No variant holds an address or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// No connection, or none in time.
    #[error("{service} cannot be reached: {reason}; is `{key}` right, and is it up?")]
    Down { service: &'static str, key: &'static str, reason: String },
    /// It took too long.
    #[error("{service} gave no answer within {} s", limit.as_secs())]
    TimedOut { service: &'static str, limit: Duration },
    /// It does not take the key.
    #[error("{service} refuses the key ({code}); check `{key}`")]
    Key { service: &'static str, key: &'static str, code: u16 },
    /// It wants to be left alone.
    #[error("{service} says that it was asked too often (429); try again later")]
    TooOften { service: &'static str },
    /// Another status.
    #[error("{service} answers {code}{said}")]
    Status { service: &'static str, code: u16, said: String },
    /// No JSON, or not of the expected shape.
    #[error("{service} answers something else than expected ({reason}); is `{key}` the address of its API?")]
    Garbled { service: &'static str, key: &'static str, reason: String },
}

/// Asks one service.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) net: net::Client,
    /// Its name, for people.
    pub(super) service: &'static str,
    /// The key of the config that holds its address.
    pub(super) url_key: &'static str,
    /// The key of the config that holds its key.
    pub(super) key_key: &'static str,
    pub(super) timeout: Duration,
}

/// What is asked.
pub(super) struct Question {
    pub(super) url: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    /// Posted where it is there.
    pub(super) body: Option<Value>,
}

impl Api {
    /// Asks, and reads the answer as `T`.
    pub(super) async fn ask<T: DeserializeOwned>(&self, question: Question) -> Result<T, Error> {
        let asked = tokio::time::timeout(self.timeout, self.talk(question)).await;
        let (code, body) = asked.map_err(|_| Error::TimedOut { service: self.service, limit: self.timeout })??;
        match code {
            200..=299 => serde_json::from_slice(&body).map_err(|error| self.garbled(&error.to_string())),
            401 | 403 => Err(Error::Key { service: self.service, key: self.key_key, code }),
            429 => Err(Error::TooOften { service: self.service }),
            _ => Err(Error::Status { service: self.service, code, said: said(&body) }),
        }
    }

    async fn talk(&self, question: Question) -> Result<(u16, Vec<u8>), Error> {
        let Question { url, query, mut headers, body } = question;
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let down = |reason: String| Error::Down { service: self.service, key: self.url_key, reason: short(&reason) };
        let inner = self.net.inner(&url).await.map_err(|error| down(error.to_string()))?;
        let builder = match body {
            None => inner.get(&url),
            Some(body) => inner.post(&url).header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.to_string()),
        };
        let request = builder.headers(headers).query(&query).build().map_err(|error| down(error.without_url().to_string()))?;
        let response = self.net.execute(request).await.map_err(|failure| down(failure.message))?;
        let code = response.status().as_u16();
        if (300..400).contains(&code) {
            return Err(self.garbled("it redirects; give its final address"));
        }
        let mut bytes = Vec::new();
        let mut parts = net::body(response);
        while let Some(part) = parts.next().await {
            let part = part.map_err(|failure| match failure.reason {
                Reason::Garbled => self.garbled(&failure.message),
                _ => down(failure.message),
            })?;
            if bytes.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(self.garbled("its answer is larger than 2 MiB"));
            }
            bytes.extend_from_slice(&part);
        }
        Ok((code, bytes))
    }

    fn garbled(&self, reason: &str) -> Error {
        Error::Garbled { service: self.service, key: self.url_key, reason: short(reason) }
    }
}

fn short(text: &str) -> String {
    ellipsis(&clean_line(text), SAID_CHARS_MAX).into_owned()
}

/// What a failed answer says, where it is JSON with a message: `: Parameter 'q' is missing`.
fn said(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let texts = ["/reason", "/message", "/detail", "/error", "/error/message", "/error/detail", "/detail/error"];
    let text = texts.iter().find_map(|pointer| value.pointer(pointer).and_then(Value::as_str)).unwrap_or_default();
    if text.trim().is_empty() { String::new() } else { format!(": {}", short(text)) }
}
