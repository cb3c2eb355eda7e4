//! What a tool gives back, as text for the model; what is no text, or too long, in files.
//!
//! Blocks of a kind nobody knows, and results with a part that is wrong, are salvaged block by block.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents, ServerResult};
use serde_json::Value;

use crate::domain::text::{clean, clean_line};
use crate::mcp::keep::{Keep, extension};
use crate::tools::ToolOutcome;

/// The longest result that goes to the model whole, in characters.
pub(super) const RESULT_CHARS_MAX: usize = 40_000;

/// What an answer means for the request.
#[derive(Debug)]
pub(super) enum Step {
    /// It is the result.
    Done(Reading),
    /// The server wants something first (2026-07-28, `input_required`).
    Input(InputRequired),
    /// The server made a task of it (the tasks extension): its first state.
    Task(Value),
}

/// What a server wants before it goes on.
#[derive(Debug, Default)]
pub(super) struct InputRequired {
    /// Requests by the server's keys.
    pub(super) requests: BTreeMap<String, Value>,
    /// To be sent back as it is.
    pub(super) state: Option<String>,
}

impl InputRequired {
    pub(super) fn read(value: &Value) -> Self {
        let requests = value.get("inputRequests").and_then(Value::as_object).into_iter().flatten();
        Self {
            requests: requests.map(|(key, request)| (key.clone(), request.clone())).collect(),
            state: value.get("requestState").and_then(Value::as_str).map(str::to_owned),
        }
    }
}

/// A result in parts.
#[derive(Debug, Default)]
pub(super) struct Reading {
    parts: Vec<Part>,
    structured: Option<Value>,
    is_error: bool,
}

/// One part of a result.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    Text(String),
    /// What is no text.
    Media {
        what: String,
        mime_type: String,
        base64: String,
    },
}

/// What an answer to `tools/call` means.
///
/// # Errors
/// When the answer is none, in words.
pub(super) fn step(result: ServerResult) -> Result<Step, String> {
    match result {
        ServerResult::CallToolResult(result) => Ok(Step::Done(from_typed(result))),
        ServerResult::EmptyResult(_) | ServerResult::TaskAckResult(_) => Ok(Step::Done(Reading::default())),
        ServerResult::CustomResult(result) => from_raw(result.0),
        other => from_raw(serde_json::to_value(&other).unwrap_or_default()),
    }
}

/// The result that a JSON value holds.
///
/// # Errors
/// When it is none, in words.
pub(super) fn reading(result: Value) -> Result<Reading, String> {
    match from_raw(result)? {
        Step::Done(reading) => Ok(reading),
        Step::Input(_) | Step::Task(_) => Err("the server's result is none".to_owned()),
    }
}

fn from_typed(result: CallToolResult) -> Reading {
    let is_error = result.is_error.unwrap_or(false);
    Reading { parts: result.content.into_iter().map(part).collect(), structured: result.structured_content, is_error }
}

fn from_raw(result: Value) -> Result<Step, String> {
    let Value::Object(mut object) = result else { return Err("the server's result is no JSON object".to_owned()) };
    match object.get("resultType").and_then(Value::as_str) {
        Some("input_required") => return Ok(Step::Input(InputRequired::read(&Value::Object(object)))),
        Some("task") => return Ok(Step::Task(Value::Object(object))),
        _ => {}
    }
    let has_content = object.contains_key("content");
    let parts: Vec<Part> = match object.remove("content") {
        Some(Value::Array(blocks)) => blocks.into_iter().map(whole_part).collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(other) => vec![raw_part(&other)],
    };
    let structured = object.remove("structuredContent");
    if structured.is_none() && !has_content {
        return Err("the server's result has no content".to_owned());
    }
    let is_error = matches!(object.get("isError"), Some(Value::Bool(true)));
    Ok(Step::Done(Reading { parts, structured, is_error }))
}

impl Reading {
    /// The outcome for the agent; what is no text or too long goes to files.
    pub(super) async fn outcome(self, keep: &Keep) -> ToolOutcome {
        let mut texts = Vec::with_capacity(self.parts.len());
        for part in self.parts {
            texts.push(part.text(keep).await);
        }
        let mut text = match <[String; 1]>::try_from(texts) {
            Ok([only]) => only,
            Err(texts) => texts.join("\n"),
        };
        if text.is_empty()
            && let Some(value) = &self.structured
        {
            text = serde_json::to_string_pretty(value).unwrap_or_default();
        }
        if let std::borrow::Cow::Owned(cleaned) = clean(&text) {
            text = cleaned;
        }
        ToolOutcome { text: bounded(text, keep).await, structured: self.structured, is_error: self.is_error }
    }
}

/// Head and tail of a text that is too long, with a note where the whole is.
pub(super) async fn bounded(text: String, keep: &Keep) -> String {
    let half = RESULT_CHARS_MAX / 2;
    // As many bytes as characters at least.
    if text.len() <= RESULT_CHARS_MAX {
        return text;
    }
    let Some((head, _)) = text.char_indices().nth(half) else { return text };
    let Some((tail, _)) = text.char_indices().nth_back(half - 1) else { return text };
    let left_out = text.get(head..tail).map_or(0, |middle| middle.chars().count());
    if left_out == 0 {
        return text;
    }
    let kept = keep.save(text.clone().into_bytes(), "txt").await;
    let whole = kept.map(|path| format!("; the whole is in {}", path.display())).unwrap_or_default();
    format!("{}\n[… {left_out} characters left out{whole} …]\n{}", &text[..head], &text[tail..])
}

impl Part {
    /// `[image image/png 12 kB: /path]`
    pub(super) async fn text(self, keep: &Keep) -> String {
        self.kept(keep).await.0
    }

    /// The same with the file by itself.
    pub(super) async fn kept(self, keep: &Keep) -> (String, Option<PathBuf>) {
        match self {
            Self::Text(text) => (text, None),
            Self::Media { what, mime_type, base64 } => {
                let shown = media(&what, &mime_type, &base64);
                let bytes = STANDARD.decode(base64.trim()).ok();
                let path = match bytes {
                    Some(bytes) => keep.save(bytes, extension(&mime_type)).await,
                    None => None,
                };
                match &path {
                    Some(file) => (format!("[{shown}: {}]", file.display()), path),
                    None => (format!("[{shown}]"), None),
                }
            }
        }
    }
}

fn part(block: ContentBlock) -> Part {
    match block {
        ContentBlock::Text(text) => Part::Text(text.text),
        ContentBlock::Image(image) => Part::Media { what: "image".to_owned(), mime_type: image.mime_type, base64: image.data },
        ContentBlock::Audio(audio) => Part::Media { what: "audio".to_owned(), mime_type: audio.mime_type, base64: audio.data },
        ContentBlock::Resource(resource) => match resource.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => Part::Text(format!("[resource {}]\n{text}", clean_line(&uri))),
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => Part::Media {
                what: format!("resource {}", clean_line(&uri)),
                mime_type: mime_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
                base64: blob,
            },
            _ => Part::Text("[a resource that cannot be shown]".to_owned()),
        },
        other => {
            Part::Text(serde_json::to_value(&other).map_or_else(|_| "[a block that cannot be shown]".to_owned(), |value| described(&value)))
        }
    }
}

/// As [`raw_part`], of a block that is not needed any more.
fn whole_part(mut value: Value) -> Part {
    match value.get_mut("text").map(Value::take) {
        Some(Value::String(text)) => Part::Text(text),
        Some(other) => {
            value["text"] = other;
            raw_part(&value)
        }
        None => raw_part(&value),
    }
}

/// A block as it came: read as what it is, else as far as it makes sense.
pub(super) fn raw_part(value: &Value) -> Part {
    if let Some(text) = value.as_str() {
        return Part::Text(text.to_owned());
    }
    if let Some(text) = value.get("text").and_then(Value::as_str) {
        return Part::Text(text.to_owned());
    }
    if let Some(data) = value.get("data").or_else(|| value.get("blob")).and_then(Value::as_str) {
        let mime_type = value.get("mimeType").and_then(Value::as_str).unwrap_or("of unknown type");
        return Part::Media { what: kind(value), mime_type: mime_type.to_owned(), base64: data.to_owned() };
    }
    match serde_json::from_value::<ContentBlock>(value.clone()) {
        Ok(typed) => part(typed),
        Err(_) => Part::Text(described(value)),
    }
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

/// `image image/png 12 kB`
fn media(what: &str, mime_type: &str, base64: &str) -> String {
    let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
    format!("{what} {} {}", clean_line(mime_type), size((base64.len() / 4 * 3).saturating_sub(padding)))
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
        let outcome = outcome(result, &Keep::default());
        assert_eq!(outcome.text, text, "{result}");
        outcome
    }

    fn outcome(result: &Value, keep: &Keep) -> ToolOutcome {
        let parsed: ServerResult = serde_json::from_value(result.clone()).unwrap();
        let Step::Done(reading) = step(parsed).unwrap() else { panic!("no result") };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(reading.outcome(keep))
    }

    #[test]
    fn images_and_long_results_are_kept_in_files() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::new(Some(folder.path().to_path_buf()));
        let image = outcome(&json!({"content": [{"type": "image", "data": "AAEC", "mimeType": "image/png"}]}), &keep).text;
        let path = image.strip_prefix("[image image/png 3 B: ").unwrap().strip_suffix(".png]").unwrap();
        assert_eq!(std::fs::read(format!("{path}.png")).unwrap(), [0, 1, 2]);
        let long = format!("{}{}", "ä".repeat(30_000), "z".repeat(30_000));
        let text = outcome(&json!({"content": [{"type": "text", "text": long}]}), &keep).text;
        assert!(text.starts_with("ää") && text.ends_with("zz") && text.contains("[… 20000 characters left out; the whole is in "));
        assert!(text.chars().count() < RESULT_CHARS_MAX + 300);
        let path = text.split("the whole is in ").nth(1).unwrap().split(" …]").next().unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), long);
        let fits = "ä".repeat(RESULT_CHARS_MAX);
        assert_eq!(outcome(&json!({"content": [{"type": "text", "text": fits}]}), &keep).text, fits);
    }

    #[test]
    fn other_answers_are_told_apart() {
        let wants = json!({"resultType": "input_required", "inputRequests": {"a": {"method": "roots/list"}}, "requestState": "s"});
        let Ok(Step::Input(wants)) = step(serde_json::from_value(wants).unwrap()) else { panic!("no input") };
        assert_eq!((wants.requests.len(), wants.state.as_deref()), (1, Some("s")));
        let task = json!({"resultType": "task", "taskId": "1", "status": "working", "createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z", "ttlMs": null});
        assert!(matches!(step(serde_json::from_value(task).unwrap()), Ok(Step::Task(_))));
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
        assert!(step(parsed).unwrap_err().contains("no content"));
    }
}
