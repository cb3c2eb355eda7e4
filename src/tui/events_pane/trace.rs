//! Raw messages to and from a server: how one reads on a line, and the whole of it.

use serde_json::Value;

use crate::domain::event::McpEvent;
use crate::domain::text::clean_line;
use crate::tui::events_pane::describe::Parts;
use crate::tui::panels::resources::size;
use crate::tui::theme::{Icon, Key};

/// A message of more bytes is not looked into for its line.
const PARSED_BYTES_MAX: usize = 1 << 20;

/// The bytes that a message holds in memory.
pub(super) fn bytes(data: &McpEvent) -> usize {
    match data.details.get("message") {
        Some(Value::String(text)) => text.len(),
        Some(other) => other.to_string().len(),
        None => 0,
    }
}

fn parsed(data: &McpEvent) -> Option<Value> {
    match data.details.get("message") {
        Some(Value::String(text)) if text.len() <= PARSED_BYTES_MAX => serde_json::from_str(text).ok(),
        Some(Value::String(_)) | None => None,
        Some(other) => Some(other.clone()),
    }
}

/// `tools/call #12`, `result #12`, `error #12 -32601 Method not found`.
fn what(message: Option<&Value>) -> String {
    let Some(message) = message else { return "no JSON".to_owned() };
    if let Some(batch) = message.as_array() {
        return format!("batch of {}", batch.len());
    }
    let id = match message.get("id") {
        Some(Value::String(id)) => format!(" #{id}"),
        Some(Value::Null) | None => String::new(),
        Some(id) => format!(" #{id}"),
    };
    if let Some(method) = message.get("method").and_then(Value::as_str) {
        return format!("{method}{id}");
    }
    match message.get("error") {
        Some(error) => {
            let code = error.get("code").map(|code| format!(" {code}")).unwrap_or_default();
            let text = error.get("message").and_then(Value::as_str).unwrap_or_default();
            format!("error{id}{code} {text}")
        }
        None => format!("result{id}"),
    }
}

fn line(data: &McpEvent, message: Option<&Value>) -> String {
    let direction = data.details.get("direction").and_then(Value::as_str).unwrap_or("?");
    format!("{direction} {}: {}", data.service_name, what(message))
}

/// How it reads in the pane.
pub(super) fn describe(data: &McpEvent) -> Parts {
    let bytes = u64::try_from(bytes(data)).unwrap_or(u64::MAX);
    let message = parsed(data);
    let failed = message.as_ref().is_some_and(|message| message.get("error").is_some());
    let key = if failed { Key::StatusWarn } else { Key::EventMcp };
    (Icon::Server, key, "trace", format!("{} · {}", line(data, message.as_ref()), size(bytes)), None)
}

/// A title, and the whole message, pretty where it is JSON.
pub(in crate::tui) fn whole(data: &McpEvent) -> (String, String) {
    let message = parsed(data);
    let pretty = message.as_ref().and_then(|message| serde_json::to_string_pretty(message).ok());
    let text = || data.details.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    (clean_line(&line(data, message.as_ref())), pretty.unwrap_or_else(text))
}
