//! What a provider says when it fails, in all shapes it is said in, and what that means.
//!
//! Pure. The provider's words are kept, cleaned and cut; keys are taken out by the caller, who knows them.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use crate::domain::text;
use crate::llm::Error;
use crate::net::{self, Class};

/// The longest message kept of an error, in characters.
const MESSAGE_CHARS_MAX: usize = 600;

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The key is refused.
    Authentication,
    /// The conversation does not fit.
    TooLong,
    /// Too many requests for now.
    RateLimited,
    /// The account is used up; waiting does not help.
    Quota,
    /// It may go away by itself.
    Transient,
    /// It will not.
    Refused,
    /// Nothing came for this long.
    TimedOut(Duration),
    /// Our side is set up wrongly.
    Config,
}

/// One failed try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    pub(super) kind: Kind,
    /// The HTTP status, or a number in the error that stands for one.
    pub(super) status: Option<u16>,
    /// The provider's words, one line.
    pub(super) message: String,
    /// How long it asks to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// How many tokens the model holds, where the error tells.
    pub(super) context_tokens: Option<u64>,
}

impl Failure {
    /// A failure in our own words.
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, status: None, message: message.into(), retry_after: None, context_tokens: None }
    }

    /// A response with an error status: the body in any shape, `retry_after` from its headers.
    pub(super) fn of_response(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        let mut words = Words::default();
        match serde_json::from_str::<Value>(text) {
            Ok(value) => words.read(&value, 0),
            Err(_) => words.message = readable(text),
        }
        if words.message.is_empty() {
            let reason = StatusCode::from_u16(status).ok().and_then(|known| known.canonical_reason());
            words.message = reason.map_or_else(|| "no reason given".to_owned(), str::to_owned);
        }
        words.status = Some(status);
        words.retry_after = retry_after.or(words.retry_after);
        let mut failure = words.judge();
        failure.message = format!("{} (HTTP {status})", failure.message);
        failure
    }

    /// An error within a stream that began well.
    pub(super) fn of_event(value: &Value) -> Self {
        let mut words = Words::default();
        words.read(value, 0);
        if words.kind == "no_stream" {
            words.message =
                format!("{} (in place of an answer; does the provider's `base_url` lead to its API?)", readable(&words.message));
        }
        if words.message.is_empty() {
            "the provider reported an error without a reason".clone_into(&mut words.message);
        }
        words.judge()
    }

    /// Whether trying again may help.
    pub(super) fn class(&self) -> Class {
        match self.kind {
            Kind::RateLimited | Kind::Transient => Class::Transient,
            _ => Class::Permanent,
        }
    }

    /// What the caller is told when there is no further try.
    pub(super) fn into_error(self, note: &str) -> Error {
        let message = format!("{}{note}", self.message);
        match self.kind {
            Kind::Authentication => Error::Authentication(message),
            Kind::TooLong => Error::TooLong(message),
            Kind::RateLimited | Kind::Quota => Error::RateLimited { message, retry_after: self.retry_after },
            Kind::Transient => Error::Unavailable(message),
            Kind::Refused => Error::Refused(message),
            Kind::TimedOut(limit) => Error::TimedOut(limit),
            Kind::Config => Error::Config(message),
        }
    }

    /// What the caller is told when text was shown already.
    pub(super) fn into_broken(self) -> Error {
        match self.kind {
            Kind::TimedOut(limit) => Error::TimedOut(limit),
            _ => Error::Broken(self.message),
        }
    }
}

impl From<net::Failure> for Failure {
    fn from(failure: net::Failure) -> Self {
        let (kind, said) = match failure.reason {
            net::Reason::Setup => (Kind::Config, "the request could not be made"),
            net::Reason::Connect => (Kind::Transient, "no connection"),
            net::Reason::Lost => (Kind::Transient, "the connection was lost"),
            net::Reason::Refused => (Kind::Refused, "the address is not reached"),
            net::Reason::Garbled => (Kind::Refused, "the response could not be decoded"),
        };
        Self::new(kind, format!("{said}: {}", tidy(&failure.message)))
    }
}

/// What an error body says.
#[derive(Debug, Default)]
struct Words {
    message: String,
    code: String,
    kind: String,
    status: Option<u16>,
    retry_after: Option<Duration>,
    context_tokens: Option<u64>,
}

/// How deep an error is searched for its words.
const DEPTH_MAX: usize = 6;

/// Where the words may be, the likeliest first.
const MESSAGE_KEYS: &[&str] = &["message", "detail", "msg", "error_description", "errors", "description", "reason", "title"];

impl Words {
    fn read(&mut self, value: &Value, depth: usize) {
        match value {
            Value::String(text) => self.say(text, depth),
            Value::Array(list) => {
                let mut all = Vec::new();
                for item in list.iter().take(5).filter(|_| depth < DEPTH_MAX) {
                    self.message.clear();
                    self.read(item, depth + 1);
                    all.push(std::mem::take(&mut self.message));
                }
                all.retain(|text| !text.is_empty());
                self.message = all.join("; ");
            }
            Value::Object(object) if depth < DEPTH_MAX => {
                self.marks(object);
                if let Some(inner) = object.get("error").filter(|inner| !inner.is_null() && !inner.is_boolean()) {
                    self.read(inner, depth + 1);
                }
                for key in MESSAGE_KEYS {
                    if self.message.is_empty()
                        && let Some(inner) = object.get(*key).filter(|inner| !inner.is_null())
                    {
                        self.read(inner, depth + 1);
                    }
                }
                self.extras(object, depth);
                if self.message.is_empty() && depth == 0 {
                    self.message = tidy(&value.to_string());
                }
            }
            Value::Null | Value::Bool(_) => {}
            other => self.message = tidy(&other.to_string()),
        }
    }

    /// Words in a string, which may hold JSON again.
    fn say(&mut self, text: &str, depth: usize) {
        let text = text.trim();
        if depth < DEPTH_MAX
            && text.starts_with('{')
            && let Ok(inner @ Value::Object(_)) = serde_json::from_str(text)
        {
            return self.read(&inner, depth + 1);
        }
        self.message = if self.kind == "no_stream" { text.to_owned() } else { tidy(text) };
    }

    /// Codes, types and numbers beside the words.
    fn marks(&mut self, object: &serde_json::Map<String, Value>) {
        for key in ["code", "status", "status_code", "statusCode"] {
            match object.get(key) {
                Some(Value::Number(number)) => self.status = status(number.as_u64()).or(self.status),
                Some(Value::String(text)) => {
                    self.status = status(text.parse().ok()).or(self.status);
                    if self.code.is_empty() {
                        self.code = text.to_lowercase();
                    }
                }
                _ => {}
            }
        }
        if let Some(Value::String(kind)) = object.get("type") {
            self.kind = kind.to_lowercase();
        }
        if let Some(tokens) = object.get("n_ctx").and_then(Value::as_u64) {
            self.context_tokens = Some(tokens);
        }
    }

    /// What some providers put beside the message: where it is wrong, the upstream's own words, the wait.
    fn extras(&mut self, object: &serde_json::Map<String, Value>, depth: usize) {
        if let (Some(place), false) = (object.get("loc").and_then(Value::as_array), self.message.is_empty()) {
            let place: Vec<_> = place.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect();
            self.message = format!("{}: {}", place.join("."), self.message);
        }
        if let Some(raw) = object.get("metadata").and_then(|meta| meta.get("raw")).and_then(Value::as_str) {
            let mut inner = Self::default();
            inner.say(raw, depth + 1);
            self.message = format!("{}: {}", self.message, inner.message);
            if self.code.is_empty() {
                self.code = inner.code;
            }
        }
        if let Some(details) = object.get("details").and_then(Value::as_array) {
            let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str());
            self.retry_after = delay.and_then(span).or(self.retry_after);
        }
    }

    fn judge(self) -> Failure {
        let message = tidy(&self.message);
        let lower = message.to_lowercase();
        let retry_after = self.retry_after.or_else(|| asked_in_words(&lower));
        let kind = self.kind_of(&lower, retry_after.is_some());
        let message = if kind == Kind::Refused && self.status == Some(404) && !lower.contains("model") {
            format!("{message}; does the provider's `base_url` end with the API's version, such as `/v1`?")
        } else if kind == Kind::Refused && lower.contains("does not support tools") {
            format!("{message}; set `tools = false` for this provider, or take another model")
        } else {
            message
        };
        Failure { kind, status: self.status, message, retry_after, context_tokens: self.context_tokens }
    }

    fn kind_of(&self, lower: &str, wait_known: bool) -> Kind {
        let named = |names: &[&str]| names.iter().any(|name| self.code == *name || self.kind == *name);
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
        if named(TOO_LONG_NAMES) || (!matches!(self.status, Some(401..=404)) && says(TOO_LONG_PHRASES)) {
            return Kind::TooLong;
        }
        if named(&["insufficient_quota", "insufficient_credits", "billing_hard_limit_reached"]) {
            return Kind::Quota;
        }
        match self.status {
            Some(401 | 403) => Kind::Authentication,
            Some(402) => Kind::Quota,
            Some(413) => Kind::TooLong,
            Some(429) if says(QUOTA_PHRASES) && !wait_known => Kind::Quota,
            Some(429) => Kind::RateLimited,
            Some(status) if Class::of_status(status) == Class::Transient => Kind::Transient,
            Some(400..) => Kind::Refused,
            _ if named(&["authentication_error", "invalid_api_key", "permission_error", "unauthenticated"]) => Kind::Authentication,
            _ if named(&["rate_limit_exceeded", "rate_limit_error", "too_many_requests", "resource_exhausted"]) => Kind::RateLimited,
            _ if named(TRANSIENT_NAMES) || says(TRANSIENT_PHRASES) => Kind::Transient,
            _ => Kind::Refused,
        }
    }
}

const TOO_LONG_NAMES: &[&str] = &[
    "context_length_exceeded",
    "exceed_context_size_error",
    "context_window_exceeded",
    "contextwindowexceedederror",
    "string_above_max_length",
];

/// How servers say that a conversation does not fit, lower case.
const TOO_LONG_PHRASES: &[&str] = &[
    "context length",
    "context size",
    "context window",
    "maximum context",
    "context_length_exceeded",
    "context the overflows",
    "context overflow",
    "prompt is too long",
    "prompt too long",
    "prompt length",
    "input is too long",
    "input too long",
    "too many tokens",
    "exceeds the maximum number of tokens",
    "reduce the length of the messages",
    "reduce your message size",
    "request too large",
    "input length and `max_tokens` exceed",
];

/// How servers say that the money is gone.
const QUOTA_PHRASES: &[&str] = &["current quota", "billing", "insufficient credit", "insufficient balance", "out of credits"];

const TRANSIENT_NAMES: &[&str] = &[
    "server_error",
    "internal_error",
    "internalservererror",
    "internal_server_error",
    "api_error",
    "overloaded_error",
    "overloaded",
    "timeout",
    "timeout_error",
    "service_unavailable",
    "unavailable_error",
    "unavailable",
];

const TRANSIENT_PHRASES: &[&str] = &[
    "overloaded",
    "temporar",
    "try again",
    "timed out",
    "timeout",
    "unavailable",
    "internal error",
    "internal server error",
    "server error",
    "loading model",
    "bad gateway",
];

fn status(number: Option<u64>) -> Option<u16> {
    number.and_then(|number| u16::try_from(number).ok()).filter(|number| (400..600).contains(number))
}

fn tidy(text: &str) -> String {
    text::ellipsis(&text::clean_line(text), MESSAGE_CHARS_MAX).into_owned()
}

/// Plain text as it is; of an HTML page its title, else its words.
fn readable(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        return tidy(text);
    }
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|at| {
        let start = at + lower[at..].find('>')? + 1;
        let end = start + lower[start..].find("</title")?;
        Some(tidy(&text[start..end]))
    });
    match title.filter(|title| !title.is_empty()) {
        Some(title) => format!("{title} (a web page)"),
        None => tidy(&without_tags(text)),
    }
}

fn without_tags(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for ch in text.chars() {
        match ch {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                out.push(' ');
            }
            ch if !inside => out.push(ch),
            _ => {}
        }
    }
    out
}

/// The wait that a message asks for in words: `try again in 1.2s`, `retry in 350ms`, `try again in 1m30s`.
fn asked_in_words(lower: &str) -> Option<Duration> {
    let at = ["try again in ", "retry in ", "retry after "].iter().find_map(|words| lower.find(words).map(|at| at + words.len()))?;
    let rest = &lower[at..];
    let end = rest.find(|ch: char| !(ch.is_ascii_alphanumeric() || ch == '.')).unwrap_or(rest.len());
    let first = rest[..end].trim_end_matches('.');
    if first.chars().all(|ch| ch.is_ascii_digit() || ch == '.') {
        let unit = rest[end..].trim_start();
        let unit = ["ms", "millisecond", "s", "minute", "m"].iter().find(|name| unit.starts_with(*name))?;
        return span(&format!(
            "{first}{}",
            if unit.starts_with("milli") {
                "ms"
            } else if *unit == "minute" {
                "m"
            } else {
                unit
            }
        ));
    }
    span(first)
}

/// `12s`, `1.5s`, `350ms`, `1m30s`, `2h`.
fn span(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|ch: char| !(ch.is_ascii_digit() || ch == '.'))?;
        let number: f64 = rest[..digits].parse().ok()?;
        let tail = &rest[digits..];
        let unit = tail.find(|ch: char| ch.is_ascii_digit()).unwrap_or(tail.len());
        total += match &tail[..unit] {
            "ms" => number / 1_000.0,
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3_600.0,
            _ => return None,
        };
        rest = &tail[unit..];
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(total).ok() }
}

#[cfg(test)]
mod tests;
