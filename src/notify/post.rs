//! One POST, and what its answer means for a notice. What the channels behind HTTP share.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use crate::domain::clock::{Clock, Instant};
use crate::domain::text::{clean_line, ellipsis};
use crate::net::{self, Failure, Reason};
use crate::notify::{OptionsError, SendError};

/// The most that is read of an answer, in bytes; receipts and error texts are short.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The longest reason that is told, in characters.
const REASON_CHARS_MAX: usize = 300;

/// The longest id of a receipt, in characters.
const RECEIPT_CHARS_MAX: usize = 200;

/// The longest wait that a service may ask for, in seconds: a day.
const WAIT_SECONDS_MAX: u64 = 24 * 60 * 60;

/// The shortest secret that is looked for in texts; shorter ones would mask ordinary words.
const SECRET_BYTES_MIN: usize = 6;

/// Takes secrets and receivers out of texts that come from outside.
#[derive(Clone, Default)]
pub(super) struct Censor {
    words: Vec<(String, String)>,
}

impl Censor {
    /// Hides these secrets.
    pub(super) fn of<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let secrets = Self::worth_hiding(secrets.into_iter().map(str::to_owned).collect());
        Self { words: secrets.into_iter().map(|secret| (secret, "••••".to_owned())).collect() }
    }

    /// The secrets that are long enough to be looked for, the longest first: one may hold another.
    pub(super) fn worth_hiding(mut secrets: Vec<String>) -> Vec<String> {
        secrets.retain(|secret| secret.len() >= SECRET_BYTES_MIN);
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        secrets
    }

    /// Hides `receiver` too: `shown` stands in its place.
    pub(super) fn with_receiver(mut self, receiver: &str, shown: &str) -> Self {
        if receiver.len() >= SECRET_BYTES_MIN {
            self.words.push((receiver.to_owned(), shown.to_owned()));
        }
        self
    }

    /// `text` for people: one clean, short line without anything hidden.
    pub(super) fn hide(&self, text: &str) -> String {
        let line = self.words.iter().fold(clean_line(text), |line, (word, shown)| line.replace(word.as_str(), shown));
        ellipsis(&line, REASON_CHARS_MAX).into_owned()
    }
}

/// What is posted.
pub(super) enum Content {
    /// A JSON document.
    Json(Vec<u8>),
    /// Fields of a form.
    Form(Vec<(&'static str, String)>),
}

/// A request.
pub(super) struct Post {
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) login: Option<(String, String)>,
    pub(super) content: Content,
}

/// What came back: at least the head.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// As much of the body as came, up to a limit.
    pub(super) body: String,
}

/// Sends requests, one try each.
#[derive(Clone)]
pub(super) struct Http {
    net: net::Client,
    clock: Arc<dyn Clock>,
    timeout: Duration,
}

impl Http {
    pub(super) fn new(net: net::Client, clock: Arc<dyn Clock>, timeout: Duration) -> Self {
        Self { net, clock, timeout }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Posts, and waits for the answer. Once the status is here the outcome is known, even where the rest is lost.
    pub(super) async fn post(&self, post: Post, censor: &Censor) -> Result<Answer, SendError> {
        let down = |reason: &str| SendError::Down { reason: censor.hide(reason) };
        let inner = self.net.inner(&post.url).await.map_err(|error| match error {
            net::Error::Refused(refusal) => SendError::Rejected { reason: censor.hide(&not_reached(&refusal.to_string())) },
            error => down(&error.to_string()),
        })?;
        let mut builder = inner.post(&post.url).timeout(self.timeout).headers(post.headers);
        if let Some((user, password)) = post.login {
            builder = builder.basic_auth(user, Some(password));
        }
        builder = match post.content {
            Content::Json(bytes) => builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(bytes),
            Content::Form(fields) => builder.form(&fields),
        };
        // The error names the address, and addresses may hold secrets.
        let request = builder.build().map_err(|error| down(&error.without_url().to_string()))?;
        let asked = request.url().clone();
        let response = self.net.execute(request).await.map_err(|failure| of_failure(&failure, censor))?;
        if *response.url() != asked {
            // On the way a POST may have become a GET without a body, so an answer from there says nothing.
            return Err(SendError::Rejected { reason: "the server sends us on to another address; give its final address".to_owned() });
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut bytes = Vec::new();
        let mut body = net::body(response);
        while let Some(Ok(part)) = body.next().await {
            let room = ANSWER_BYTES_MAX - bytes.len();
            bytes.extend_from_slice(&part[..part.len().min(room)]);
            if bytes.len() == ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok(Answer { status, headers, body: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// When `answer` wants us back, if it says so; at most a day ahead.
    pub(super) fn retry_at(&self, answer: &Answer) -> Option<Instant> {
        let now = self.clock.now();
        let wait = net::retry_after(&answer.headers, now)?.min(Duration::from_secs(WAIT_SECONDS_MAX));
        Some(now.plus(wait))
    }

    /// What an answer that is no success means.
    pub(super) fn refusal(&self, answer: &Answer, censor: &Censor) -> SendError {
        let reason = censor.hide(&answer.told());
        match answer.status {
            401 | 403 | 407 => SendError::Auth { reason },
            429 => SendError::RateLimited { retry_at: self.retry_at(answer) },
            503 => match self.retry_at(answer) {
                Some(at) => SendError::RateLimited { retry_at: Some(at) },
                None => SendError::Down { reason },
            },
            // A gateway that lost the answer of the server behind it.
            502 | 504 | 520..=527 => SendError::Unknown { reason },
            300..=399 => SendError::Rejected { reason: format!("{reason}; give the final address") },
            status if net::Class::of_status(status) == net::Class::Transient => SendError::Down { reason },
            _ => SendError::Rejected { reason },
        }
    }
}

/// What the address guard's no means.
fn not_reached(refusal: &str) -> String {
    format!("nothing is posted there: {refusal}")
}

fn of_failure(failure: &Failure, censor: &Censor) -> SendError {
    let reason = censor.hide(&failure.message);
    match failure.reason {
        Reason::Setup | Reason::Connect => SendError::Down { reason },
        Reason::Refused => SendError::Rejected { reason: censor.hide(&not_reached(&failure.message)) },
        Reason::Lost | Reason::Garbled => SendError::Unknown { reason },
    }
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON, if it is.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// What the receiver calls the notice: the first of these keys that holds a text.
    pub(super) fn id(&self, keys: &[&str]) -> Option<String> {
        let json = self.json()?;
        let text = keys.iter().find_map(|key| json.get(key)?.as_str())?;
        Some(ellipsis(&clean_line(text), RECEIPT_CHARS_MAX).into_owned()).filter(|id| !id.is_empty())
    }

    /// Status and message, for people.
    pub(super) fn told(&self) -> String {
        let json = self.json();
        let said = ["message", "error", "detail", "title", "error_description"].iter().find_map(|key| json.as_ref()?.get(key)?.as_str());
        match said {
            Some(text) => format!("HTTP {}: {text}", self.status),
            None => format!("HTTP {}", self.status),
        }
    }
}

/// Checks the address of a service: `http://` or `https://`, a host, no password, no query. Without a `/` at its end.
pub(super) fn check_base(key: &str, text: &str) -> Result<String, OptionsError> {
    let base = text.trim().trim_end_matches('/');
    let wrong = |why: &str| OptionsError::new(key, why);
    check_url(base).map_err(wrong)?;
    if base.contains(['?', '#', '@']) {
        return Err(wrong("must hold no password and no query"));
    }
    Ok(base.to_owned())
}

/// Whether `text` is an address that can be posted to; otherwise what is wrong.
pub(super) fn check_url(text: &str) -> Result<(), &'static str> {
    let uri: http::Uri = text.trim().parse().map_err(|_| "is no URL")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err("must begin with `http://` or `https://` and name a host");
    }
    Ok(())
}

/// Whether what is sent to `url` can be read on the way: plain HTTP to another machine.
pub(super) fn is_open(url: &str) -> bool {
    let Ok(uri) = url.trim().parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let local = host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    uri.scheme_str() == Some("http") && !local
}

#[cfg(test)]
mod tests;
