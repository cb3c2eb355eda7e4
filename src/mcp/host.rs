//! What servers may ask of us: roots, a use of the model (sampling), a person's input (elicitation).
//!
//! One answer for all the ways that such a request comes: from a server with a handshake as a request of its own, from
//! one without as a round of a call. Requests and results are the JSON of the protocol. A person (or a rule) has the last
//! word on everything but the roots.

mod form;
pub(super) mod sampling;

use std::path::PathBuf;
use std::sync::Arc;

use rmcp::model::{ErrorCode, ErrorData};
use serde_json::{Value, json};

use crate::domain::ids::ServerName;
use crate::domain::question::{Ask, Reply};
use crate::domain::text::{clean, clean_line, ellipsis};
use crate::mcp::desk::{About, Desk, Rules};
use crate::mcp::keep::Keep;

pub use sampling::{SampleAnswer, SampleCall, SampleMessage, SampleRequest, SampleTool, Sampler};

/// The longest message of a server to a person, in characters.
const MESSAGE_CHARS_MAX: usize = 4_000;

/// The longest address a person is asked to open, in bytes.
const URL_BYTES_MAX: usize = 8_192;

/// A person said no (MCP 2025-11-25, sampling: "user rejected").
const REJECTED: ErrorCode = ErrorCode(-1);

/// Our side of every connection. Cheap to clone.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) desk: Desk,
    pub(super) sampler: Option<Arc<dyn Sampler>>,
    /// Folders that servers are told of.
    pub(super) roots: Arc<[PathBuf]>,
    /// Where results go that are too long or no text.
    pub(super) keep: Keep,
}

impl Host {
    /// Declines everything and records nothing.
    pub(super) fn silent() -> Self {
        Self { desk: Desk::unrecorded(Rules::default()), sampler: None, roots: Arc::default(), keep: Keep::default() }
    }

    /// Answers the request `method` of `server`.
    pub(super) async fn answer(&self, server: &ServerName, about: About, method: &str, params: &Value) -> Result<Value, ErrorData> {
        match method {
            "roots/list" => Ok(self.roots()),
            "elicitation/create" => self.elicit(server, about, params).await,
            "sampling/createMessage" => self.sample(server, about, params).await,
            _ => Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("there is no `{}` here", clean_line(method)), None)),
        }
    }

    fn roots(&self) -> Value {
        let root = |folder: &PathBuf| json!({"uri": file_uri(folder), "name": folder.file_name().map(|name| name.to_string_lossy())});
        json!({"roots": self.roots.iter().map(root).collect::<Vec<_>>()})
    }

    async fn elicit(&self, server: &ServerName, about: About, params: &Value) -> Result<Value, ErrorData> {
        let message = ellipsis(clean(text(params, "message")).trim(), MESSAGE_CHARS_MAX).into_owned();
        let ask = match params.get("mode").and_then(Value::as_str).unwrap_or("form") {
            "form" => Ask::Form { message, fields: form::fields(params.get("requestedSchema")).map_err(invalid)? },
            "url" => Ask::Url { message, url: address(text(params, "url")).map_err(invalid)? },
            other => return Err(invalid(format!("the elicitation mode `{}` is not known", clean_line(other)))),
        };
        let has_form = matches!(ask, Ask::Form { .. });
        Ok(match self.desk.ask(server, about, ask).await {
            Reply::Accept { values } if has_form => json!({"action": "accept", "content": values}),
            Reply::Accept { .. } => json!({"action": "accept"}),
            Reply::Decline => json!({"action": "decline"}),
            Reply::Cancel => json!({"action": "cancel"}),
        })
    }

    async fn sample(&self, server: &ServerName, about: About, params: &Value) -> Result<Value, ErrorData> {
        let Some(sampler) = &self.sampler else {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "there is no model here".to_owned(), None));
        };
        let request = sampling::request(params).map_err(invalid)?;
        let ask = request.shown(sampler.model());
        if self.desk.ask(server, about, ask).await.action() != Reply::yes().action() {
            return Err(ErrorData::new(REJECTED, "the user rejected the sampling request".to_owned(), None));
        }
        let answer = sampler.sample(request).await;
        answer
            .map(|answer| sampling::result(&answer))
            .map_err(|problem| ErrorData::new(ErrorCode::INTERNAL_ERROR, clean_line(&problem), None))
    }
}

fn text<'a>(params: &'a Value, key: &str) -> &'a str {
    params.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn invalid(problem: impl Into<String>) -> ErrorData {
    ErrorData::new(ErrorCode::INVALID_PARAMS, problem.into(), None)
}

/// An address that a person may be asked to open.
fn address(url: &str) -> Result<String, String> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    let is_plain = url.chars().all(|ch| ch.is_ascii_graphic());
    if is_web && is_plain && url.len() <= URL_BYTES_MAX {
        Ok(url.to_owned())
    } else {
        Err("`url` must be an http or https address in ASCII".to_owned())
    }
}

/// A folder as a `file:` URI (RFC 8089).
fn file_uri(folder: &std::path::Path) -> String {
    let mut uri = "file://".to_owned();
    for byte in folder.to_string_lossy().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::testing::MemoryRecorder;
    use crate::mcp::desk::{Answering, Rules};

    fn host(rules: Rules) -> Host {
        let desk = Desk::new(Arc::new(MemoryRecorder::default()), Answering::Rules(rules));
        Host { desk, sampler: None, roots: vec![PathBuf::from("/a b/ü")].into(), keep: Keep::default() }
    }

    async fn ask(host: &Host, method: &str, params: Value) -> Result<Value, ErrorData> {
        host.answer(&"s".into(), About::default(), method, &params).await
    }

    #[tokio::test]
    async fn roots_are_uris_and_unknown_methods_are_refused() {
        let host = host(Rules::default());
        assert_eq!(ask(&host, "roots/list", json!({})).await.unwrap()["roots"][0]["uri"], "file:///a%20b/%C3%BC");
        assert_eq!(ask(&host, "x/y", json!({})).await.unwrap_err().code, ErrorCode::METHOD_NOT_FOUND);
        assert_eq!(ask(&host, "sampling/createMessage", json!({})).await.unwrap_err().code, ErrorCode::METHOD_NOT_FOUND);
    }

    #[tokio::test]
    async fn forms_are_filled_and_strange_addresses_refused() {
        let host = host(Rules { fill_forms: true, ..Rules::default() });
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "default": 3}}, "required": ["n"]});
        let form = ask(&host, "elicitation/create", json!({"message": "m", "requestedSchema": schema})).await.unwrap();
        assert_eq!(form, json!({"action": "accept", "content": {"n": 3}}));
        let url = |url: &str| json!({"mode": "url", "message": "m", "url": url, "elicitationId": "1"});
        assert_eq!(ask(&host, "elicitation/create", url("https://x/")).await.unwrap(), json!({"action": "decline"}));
        for strange in ["javascript:alert(1)", "file:///etc/passwd", "https://x/\u{1b}[31m", "https://ex\u{430}mple.com"] {
            assert_eq!(ask(&host, "elicitation/create", url(strange)).await.unwrap_err().code, ErrorCode::INVALID_PARAMS, "{strange}");
        }
    }
}
