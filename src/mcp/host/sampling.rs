//! Sampling: what a server wants the model to be told, as plain data, and the model's answer as the protocol wants it.
//!
//! Text and tools go through. Images and audio are described in words: the model's side takes text.

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use crate::domain::question::{Ask, SampleLine};
use crate::domain::text::{clean, clean_line, ellipsis};

/// The most messages of a request.
const MESSAGES_MAX: usize = 200;

/// The most text of a request, in bytes.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// The most tokens a server may ask for.
const TOKENS_MAX: u64 = 32_768;

/// The longest message that is shown to a person, in characters.
const SHOWN_CHARS_MAX: usize = 4_000;

/// What a server wants of the model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SampleRequest {
    /// The system prompt.
    pub system: Option<String>,
    /// The conversation.
    pub messages: Vec<SampleMessage>,
    /// Tools that the model may call; the server runs them.
    pub tools: Vec<SampleTool>,
    /// The longest answer, in tokens.
    pub max_tokens: u64,
}

/// One message, in parts that stay in order.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleMessage {
    /// What a user says.
    User(String),
    /// What the model said and called.
    Assistant {
        /// The text.
        text: String,
        /// The calls.
        calls: Vec<SampleCall>,
    },
    /// The result of a call.
    Result {
        /// Which call.
        id: String,
        /// The text.
        text: String,
    },
}

/// A call of one of the server's tools.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleCall {
    /// Unique in the conversation.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments.
    pub arguments: Map<String, Value>,
}

/// A tool that the server offers the model.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleTool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Map<String, Value>,
}

/// The model's answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SampleAnswer {
    /// The model that answered.
    pub model: String,
    /// The text.
    pub text: String,
    /// The calls it makes.
    pub calls: Vec<SampleCall>,
    /// Whether the limit of tokens cut it.
    pub is_cut: bool,
}

/// Lends servers the model.
pub trait Sampler: Send + Sync {
    /// The model that would answer now, for the question to the person.
    fn model(&self) -> String;

    /// Asks it. Bounded in time by the sampler.
    fn sample(&self, request: SampleRequest) -> BoxFuture<'static, Result<SampleAnswer, String>>;
}

/// Reads the parameters of `sampling/createMessage`.
///
/// # Errors
/// What is wrong with them.
pub(super) fn request(params: &Value) -> Result<SampleRequest, String> {
    let list = params.get("messages").and_then(Value::as_array).ok_or("`messages` is missing")?;
    if list.is_empty() || list.len() > MESSAGES_MAX {
        return Err(format!("`messages` must hold 1 to {MESSAGES_MAX}"));
    }
    let mut messages = Vec::new();
    for message in list {
        read_message(message, &mut messages)?;
    }
    let request = SampleRequest {
        system: params.get("systemPrompt").and_then(Value::as_str).map(|text| clean(text).into_owned()),
        messages,
        tools: tools(params)?,
        max_tokens: params.get("maxTokens").and_then(Value::as_u64).unwrap_or(1_000).clamp(1, TOKENS_MAX),
    };
    let bytes: usize = request.messages.iter().map(|message| message.text().len()).sum();
    if bytes + request.system.as_ref().map_or(0, String::len) > TEXT_BYTES_MAX {
        return Err(format!("the messages are longer than {} kB", TEXT_BYTES_MAX / 1_024));
    }
    Ok(request)
}

fn tools(params: &Value) -> Result<Vec<SampleTool>, String> {
    let none = params.pointer("/toolChoice/mode").and_then(Value::as_str) == Some("none");
    let list = params.get("tools").and_then(Value::as_array).filter(|_| !none);
    let tool = |tool: &Value| {
        let name = tool.get("name").and_then(Value::as_str).ok_or("a tool has no name")?;
        let fits = !name.is_empty() && name.len() <= 64 && name.chars().all(|ch| ch.is_ascii_alphanumeric() || "_-".contains(ch));
        if !fits {
            return Err(format!("the tool name `{}` is not usable with models", clean_line(name)));
        }
        Ok(SampleTool {
            name: name.to_owned(),
            description: tool.get("description").and_then(Value::as_str).map(|text| clean(text).into_owned()).unwrap_or_default(),
            parameters: tool.get("inputSchema").and_then(Value::as_object).cloned().unwrap_or_default(),
        })
    };
    list.into_iter().flatten().map(tool).collect()
}

/// One message of the protocol may hold text, calls and results; models want results apart.
fn read_message(message: &Value, out: &mut Vec<SampleMessage>) -> Result<(), String> {
    let blocks: Vec<&Value> = match message.get("content") {
        Some(Value::Array(blocks)) => blocks.iter().collect(),
        Some(block) => vec![block],
        None => return Err("a message has no content".to_owned()),
    };
    let (mut texts, mut calls) = (Vec::new(), Vec::new());
    for block in blocks {
        match block.get("type").and_then(Value::as_str) {
            Some("tool_use") => calls.push(SampleCall {
                id: string(block, "id")?,
                name: string(block, "name")?,
                arguments: block.get("input").and_then(Value::as_object).cloned().unwrap_or_default(),
            }),
            Some("tool_result") => out.push(SampleMessage::Result { id: string(block, "toolUseId")?, text: result_text(block) }),
            _ => texts.push(block_text(block)),
        }
    }
    let text = texts.join("\n");
    match message.get("role").and_then(Value::as_str) {
        Some("user") if text.is_empty() => {}
        Some("user") => out.push(SampleMessage::User(text)),
        Some("assistant") => out.push(SampleMessage::Assistant { text, calls }),
        _ => return Err("a message's role must be `user` or `assistant`".to_owned()),
    }
    Ok(())
}

fn string(block: &Value, key: &str) -> Result<String, String> {
    block.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("a block has no `{key}`"))
}

fn block_text(block: &Value) -> String {
    match (block.get("text").and_then(Value::as_str), block.get("type").and_then(Value::as_str)) {
        (Some(text), _) => clean(text).into_owned(),
        (None, Some(kind)) => format!("[{} that is not shown to the model]", clean_line(kind)),
        (None, None) => String::new(),
    }
}

fn result_text(block: &Value) -> String {
    let parts = block.get("content").and_then(Value::as_array).into_iter().flatten().map(block_text);
    parts.collect::<Vec<_>>().join("\n")
}

impl SampleMessage {
    fn text(&self) -> &str {
        match self {
            Self::User(text) | Self::Assistant { text, .. } | Self::Result { text, .. } => text,
        }
    }

    fn line(&self) -> SampleLine {
        let (role, mut text) = match self {
            Self::User(text) => ("user", text.clone()),
            Self::Assistant { text, .. } => ("assistant", text.clone()),
            Self::Result { text, .. } => ("user", format!("[result of a tool] {text}")),
        };
        if let Self::Assistant { calls, .. } = self {
            for call in calls {
                text.push_str(&format!("[calls {}]", clean_line(&call.name)));
            }
        }
        SampleLine { role: role.to_owned(), text: ellipsis(&text, SHOWN_CHARS_MAX).into_owned() }
    }
}

impl SampleRequest {
    /// The question to the person.
    pub(super) fn shown(&self, model: String) -> Ask {
        Ask::Sampling {
            model,
            system: self.system.as_ref().map(|text| ellipsis(text, SHOWN_CHARS_MAX).into_owned()),
            messages: self.messages.iter().map(SampleMessage::line).collect(),
            tools: self.tools.iter().map(|tool| tool.name.clone()).collect(),
            max_tokens: self.max_tokens,
        }
    }
}

/// The answer as the result of `sampling/createMessage`.
pub(super) fn result(answer: &SampleAnswer) -> Value {
    let calls = answer.calls.iter().map(|call| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}));
    let calls: Vec<Value> = calls.collect();
    let reason = match (calls.is_empty(), answer.is_cut) {
        (false, _) => "toolUse",
        (true, true) => "maxTokens",
        (true, false) => "endTurn",
    };
    let text = json!({"type": "text", "text": answer.text});
    // One block alone is what revisions before 2025-11-25 know.
    let content = match (&calls[..], answer.text.is_empty()) {
        ([], _) => text,
        (_, true) => Value::Array(calls),
        (_, false) => Value::Array(std::iter::once(text).chain(calls).collect()),
    };
    json!({"role": "assistant", "content": content, "model": answer.model, "stopReason": reason})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_with_tools_is_read() {
        let params = json!({
            "messages": [
                {"role": "user", "content": {"type": "text", "text": "hi\u{1b}[31m"}},
                {"role": "assistant", "content": [{"type": "text", "text": "I look"}, {"type": "tool_use", "id": "1", "name": "look", "input": {"a": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "toolUseId": "1", "content": [{"type": "text", "text": "seen"}]}]},
            ],
            "maxTokens": 10, "systemPrompt": "be short",
            "tools": [{"name": "look", "inputSchema": {"type": "object"}}],
        });
        let request = request(&params).unwrap();
        assert_eq!(request.messages.len(), 3);
        assert_eq!(request.messages[0], SampleMessage::User("hi".to_owned()));
        assert_eq!(request.messages[2], SampleMessage::Result { id: "1".to_owned(), text: "seen".to_owned() });
        assert_eq!((request.max_tokens, request.tools.len()), (10, 1));
        let Ask::Sampling { messages, tools, .. } = request.shown("m".to_owned()) else { panic!("other question") };
        assert_eq!(messages[1].text, "I look[calls look]");
        assert_eq!(tools, ["look"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (params, problem) in [
            (json!({}), "`messages` is missing"),
            (json!({"messages": []}), "1 to"),
            (json!({"messages": [{"role": "system", "content": {"type": "text", "text": "x"}}]}), "role"),
            (json!({"messages": [{"role": "user"}]}), "no content"),
            (json!({"messages": [{"role": "user", "content": {"type": "text", "text": "x"}}], "tools": [{"name": "a b"}]}), "not usable"),
        ] {
            assert!(request(&params).unwrap_err().contains(problem), "{params}");
        }
    }

    #[test]
    fn answers_have_the_protocols_shape() {
        let plain = result(&SampleAnswer { model: "m".to_owned(), text: "yes".to_owned(), ..SampleAnswer::default() });
        assert_eq!(plain, json!({"role": "assistant", "content": {"type": "text", "text": "yes"}, "model": "m", "stopReason": "endTurn"}));
        let call = SampleCall { id: "1".to_owned(), name: "look".to_owned(), arguments: Map::new() };
        let calling = result(&SampleAnswer { calls: vec![call], ..SampleAnswer::default() });
        assert_eq!((&calling["stopReason"], &calling["content"][0]["type"]), (&json!("toolUse"), &json!("tool_use")));
    }
}
