//! What a tool gives back, as text for the model. Pure.
//!
//! Blocks of a kind nobody knows, and results with a part that is wrong, are salvaged block by block.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents, ServerResult};
use serde_json::Value;

use crate::domain::text::{clean, clean_line};
use crate::tools::ToolOutcome;

/// The outcome that an answer to `tools/call` holds.
///
/// # Errors
/// When the answer is none, in words.
pub(super) fn outcome(result: ServerResult) -> Result<ToolOutcome, String> {
    match result {
        ServerResult::CallToolResult(result) => Ok(from_typed(result)),
        ServerResult::CustomResult(result) => from_raw(&result.0),
        ServerResult::EmptyResult(_) | ServerResult::TaskAckResult(_) => Ok(ToolOutcome::default()),
        ServerResult::InputRequiredResult(_) => Err("the server asks for input first, which is not supported yet".to_owned()),
        ServerResult::CreateTaskResult(_) | ServerResult::GetTaskResult(_) => {
            Err("the server made a task of the call, which is not supported yet".to_owned())
        }
        other => from_raw(&serde_json::to_value(&other).unwrap_or_default()),
    }
}

fn from_typed(result: CallToolResult) -> ToolOutcome {
    let parts = result.content.iter().map(block);
    assemble(parts, result.structured_content, result.is_error.unwrap_or(false))
}

fn from_raw(result: &Value) -> Result<ToolOutcome, String> {
    let Some(object) = result.as_object() else { return Err("the server's result is no JSON object".to_owned()) };
    let parts: Vec<String> = match object.get("content") {
        Some(Value::Array(blocks)) => blocks.iter().map(raw_block).collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(other) => vec![raw_block(other)],
    };
    let structured = object.get("structuredContent").cloned();
    if parts.is_empty() && structured.is_none() && !object.contains_key("content") {
        return Err("the server's result has no content".to_owned());
    }
    let is_error = matches!(object.get("isError"), Some(Value::Bool(true)));
    Ok(assemble(parts.into_iter(), structured, is_error))
}

fn assemble(parts: impl Iterator<Item = String>, structured: Option<Value>, is_error: bool) -> ToolOutcome {
    let mut text = parts.collect::<Vec<_>>().join("\n");
    if text.is_empty()
        && let Some(value) = &structured
    {
        text = serde_json::to_string_pretty(value).unwrap_or_default();
    }
    let text = match clean(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(cleaned) => cleaned,
    };
    ToolOutcome { text, structured, is_error }
}

fn block(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => media("image", &image.mime_type, &image.data),
        ContentBlock::Audio(audio) => media("audio", &audio.mime_type, &audio.data),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => format!("[resource {}]\n{text}", clean_line(uri)),
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                media(&format!("resource {}", clean_line(uri)), mime_type.as_deref().unwrap_or("application/octet-stream"), blob)
            }
            _ => "[a resource that cannot be shown]".to_owned(),
        },
        other => serde_json::to_value(other).map_or_else(|_| "[a block that cannot be shown]".to_owned(), |value| described(&value)),
    }
}

/// A block as it came: read as what it is, else as far as it makes sense.
fn raw_block(value: &Value) -> String {
    if let Ok(typed) = serde_json::from_value::<ContentBlock>(value.clone()) {
        return block(&typed);
    }
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(text) = value.get("text").and_then(Value::as_str) {
        return text.to_owned();
    }
    if let Some(data) = value.get("data").or_else(|| value.get("blob")).and_then(Value::as_str) {
        return media(&kind(value), value.get("mimeType").and_then(Value::as_str).unwrap_or("of unknown type"), data);
    }
    described(value)
}

fn kind(value: &Value) -> String {
    value.get("type").and_then(Value::as_str).map_or_else(|| "unknown block".to_owned(), clean_line)
}

fn described(value: &Value) -> String {
    let uri = value.get("uri").and_then(Value::as_str).map(clean_line);
    match (kind(value), uri) {
        (kind, Some(uri)) if kind == "resource_link" => {
            let name = value.get("title").or_else(|| value.get("name")).and_then(Value::as_str).map(clean_line).unwrap_or_default();
            format!("[link {name} {uri}]")
        }
        (kind, Some(uri)) => format!("[{kind} {uri}]"),
        (kind, None) => format!("[{kind}] {value}"),
    }
}

/// `[image image/png 12 kB]`
fn media(what: &str, mime_type: &str, base64: &str) -> String {
    let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
    format!("[{what} {} {}]", clean_line(mime_type), size((base64.len() / 4 * 3).saturating_sub(padding)))
}

/// Bytes in the words of a line.
fn size(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(result: &Value, text: &str) -> ToolOutcome {
        let parsed: ServerResult = serde_json::from_value(result.clone()).unwrap();
        let outcome = outcome(parsed).unwrap();
        assert_eq!(outcome.text, text, "{result}");
        outcome
    }

    #[test]
    fn every_kind_of_block_becomes_text() {
        let image = "A".repeat(16_000);
        check(
            &json!({"content": [
                {"type": "text", "text": "one\u{1b}[31m"},
                {"type": "image", "data": image, "mimeType": "image/png"},
                {"type": "audio", "data": "AAA=", "mimeType": "audio/wav"},
                {"type": "resource", "resource": {"uri": "file:///a", "text": "body"}},
                {"type": "resource", "resource": {"uri": "file:///b", "blob": "AAAA", "mimeType": "image/gif"}},
                {"type": "resource_link", "uri": "file:///c", "name": "c"},
            ]}),
            "one\n[image image/png 12 kB]\n[audio audio/wav 2 B]\n[resource file:///a]\nbody\n[resource file:///b image/gif 3 B]\n[link c file:///c]",
        );
    }

    #[test]
    fn unknown_and_broken_blocks_cost_no_other_block() {
        check(
            &json!({"content": [{"type": "hologram", "data": "AAAA"}, {"type": "text", "text": "kept"}, {"type": "image"}, "bare", {"x": 1}]}),
            "[hologram of unknown type 3 B]\nkept\n[image] {\"type\":\"image\"}\nbare\n[unknown block] {\"x\":1}",
        );
        check(&json!({"content": [{"text": "no type"}]}), "no type");
        check(&json!({"content": "bare text"}), "bare text");
    }

    #[test]
    fn structured_content_is_kept_and_shown_where_there_is_no_text() {
        let outcome = check(&json!({"content": [], "structuredContent": {"a": 1}}), "{\n  \"a\": 1\n}");
        assert_eq!(outcome.structured, Some(json!({"a": 1})));
        assert!(check(&json!({"content": [{"type": "text", "text": "no"}], "isError": true}), "no").is_error);
        check(&json!({"content": []}), "");
    }

    #[test]
    fn what_is_no_result_is_said() {
        let parsed: ServerResult = serde_json::from_value(json!({"hello": 1})).unwrap();
        assert!(outcome(parsed).unwrap_err().contains("no content"));
    }
}
