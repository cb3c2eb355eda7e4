//! Requests to the program's API: one try each, and what became of it.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::clock::Instant;
use crate::domain::text::{clean_line, ellipsis};
use crate::net::{self, Reason};
use crate::remote::address::Address;

/// The longest answer that is read: 64 MiB, as a frame of the feed.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Characters of a reason.
const REASON_CHARS_MAX: usize = 300;

/// Why a request came to nothing. Each is one line, fit for a screen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It did not reach the program.
    #[error("{0}")]
    Unreached(String),
    /// It may have reached the program; no (whole) answer came.
    #[error("{0}")]
    Lost(String),
    /// The program does not let us in.
    #[error("{0}")]
    Refused(String),
    /// The program answered that it did not do it.
    #[error("{reason}")]
    Answered {
        /// The status.
        status: u16,
        /// Why.
        reason: String,
        /// After how long it may be tried again, where the program says so.
        retry_after: Option<Duration>,
    },
}

/// The program's API. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    client: net::Client,
    address: Address,
    token: Option<SecretString>,
}

impl Api {
    /// The API of the program at `address`. Proxies are not used.
    pub fn new(address: Address, token: Option<SecretString>) -> Self {
        let client = net::Client::new(net::Options { proxy: Some("off".to_owned()), ..net::Options::default() });
        Self { client, address, token }
    }

    /// Where the program is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// That we are not let in, in one line, and what to try.
    pub fn refused(&self, reason: &str) -> String {
        let hint = if self.token.is_none() { "; `--token-env NAME` shows a token" } else { "" };
        format!("{} does not let us in: {reason}{hint}", self.address)
    }

    /// What shows who we are; marked so that it is in no log.
    ///
    /// # Errors
    /// When the token cannot stand in a header.
    pub fn authorization(&self) -> Result<Option<HeaderValue>, Error> {
        let Some(token) = &self.token else { return Ok(None) };
        let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
        let mut value = value.map_err(|_| Error::Refused("the token holds characters that no token has".to_owned()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Gets what is at `route`.
    ///
    /// # Errors
    /// When there is no such answer within `limit`.
    pub async fn get<T: DeserializeOwned>(&self, route: &str, limit: Duration) -> Result<T, Error> {
        read(&self.exchange(Method::GET, route, None, limit).await?)
    }

    /// Posts `body` and reads the answer.
    ///
    /// # Errors
    /// When there is no such answer within `limit`.
    pub async fn ask<T: DeserializeOwned>(&self, route: &str, body: &impl Serialize, limit: Duration) -> Result<T, Error> {
        read(&self.exchange(Method::POST, route, Some(json(body)?), limit).await?)
    }

    /// Posts `body`; what is answered does not matter where the status is good.
    ///
    /// # Errors
    /// When it was not taken within `limit`, or that is not known.
    pub async fn post(&self, route: &str, body: &impl Serialize, limit: Duration) -> Result<(), Error> {
        self.exchange(Method::POST, route, Some(json(body)?), limit).await.map(drop)
    }

    async fn exchange(&self, method: Method, route: &str, body: Option<Vec<u8>>, limit: Duration) -> Result<Bytes, Error> {
        let exchange = async {
            let response = self.send(method, route, body).await?;
            let status = response.status();
            let headers = response.headers().clone();
            let body = collect(response).await?;
            if status.is_success() { Ok(body) } else { Err(refusal(status, &headers, &body)) }
        };
        let late = || Error::Lost(format!("no answer within {} s", limit.as_secs()));
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(late()))
    }

    async fn send(&self, method: Method, route: &str, body: Option<Vec<u8>>) -> Result<net::Response, Error> {
        let url = self.address.http(route);
        let inner = self.client.inner(&url).await.map_err(|error| Error::Unreached(error.to_string()))?;
        let mut request = inner.request(method, &url);
        if let Some(value) = self.authorization()? {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = body {
            request = request.header(http::header::CONTENT_TYPE, "application/json").body(body);
        }
        let request = request.build().map_err(|error| Error::Unreached(error.without_url().to_string()))?;
        self.client.execute(request).await.map_err(|failure| match failure.reason {
            Reason::Connect | Reason::Setup | Reason::Refused => Error::Unreached(last_cause(&failure.message)),
            Reason::Lost | Reason::Garbled => Error::Lost(last_cause(&failure.message)),
        })
    }
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map_err(|error| Error::Unreached(error.to_string()))
}

async fn collect(response: net::Response) -> Result<Bytes, Error> {
    let mut parts = net::body(response);
    let mut whole = Vec::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|failure| Error::Lost(last_cause(&failure.message)))?;
        if whole.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(Error::Lost(format!("the answer is longer than {} MiB", ANSWER_BYTES_MAX >> 20)));
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.into())
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Answered {
        status: 200,
        reason: format!("the answer is not understood; is another version running there? {}", line(&error.to_string())),
        retry_after: None,
    })
}

/// What a status that is not good means.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let problem: Option<Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")).and_then(Value::as_str);
    let reason = match (detail, status) {
        (Some(detail), _) => line(detail),
        (None, StatusCode::UNAUTHORIZED) => "the token is missing or wrong".to_owned(),
        (None, StatusCode::NOT_FOUND) => "there is no such route; is this a wakeful, and as new as this one?".to_owned(),
        (None, status) => format!("the server answered {status}"),
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Refused(reason),
        status => {
            // A date is of no use without the server's clock; the delay is.
            let retry_after = net::retry_after(headers, Instant::default());
            Error::Answered { status: status.as_u16(), reason, retry_after }
        }
    }
}

/// The last of a chain of causes, which says it best in few words: `connection refused`.
///
/// What rustls says of a certificate names its error only; that is put into words.
pub(super) fn last_cause(chain: &str) -> String {
    if chain.contains("UnknownIssuer") {
        return "its certificate is of an authority that is not trusted here (SSL_CERT_FILE can name your own)".to_owned();
    }
    if chain.contains("invalid peer certificate") || chain.contains("CaUsedAsEndEntity") {
        return line(&format!("its certificate is not good: {}", chain.rsplit(": ").next().unwrap_or(chain)));
    }
    let last = chain.rsplit(": ").next().unwrap_or(chain);
    let last = last.split(" (os error").next().unwrap_or(last);
    let mut chars = last.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_lowercase).collect();
    line(&(first + chars.as_str()))
}

/// Text from there, on one line that is not too long.
pub(super) fn line(text: &str) -> String {
    ellipsis(&clean_line(text), REASON_CHARS_MAX).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cause_is_said_in_few_words() {
        assert_eq!(last_cause("error sending request: tcp connect error: Connection refused (os error 111)"), "connection refused");
        let unknown = last_cause("client error (Connect): invalid peer certificate: UnknownIssuer");
        assert!(unknown.contains("SSL_CERT_FILE"), "{unknown}");
        let authority = last_cause("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))");
        assert!(authority.starts_with("its certificate is not good"), "{authority}");
    }
}
