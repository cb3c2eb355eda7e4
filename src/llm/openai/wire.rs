//! A request as it goes over the wire.
//!
//! Pure. What providers sent beside the known fields goes back to the provider that sent it, and to no other.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::message::{Message, Role};
use crate::domain::text;
use crate::llm::openai::history;
use crate::llm::openai::options::ProviderOptions;
use crate::llm::openai::quirks::Quirks;
use crate::llm::{ChatRequest, Completion, ToolSpec};

/// Marks kept fields with the provider that sent them.
const ORIGIN: &str = "wakeful.provider";

/// The longest description of a tool where a provider limits it, in characters.
const DESCRIPTION_CHARS_MAX: usize = 1_024;

#[derive(Debug, Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<WireMessage>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Debug, Serialize)]
struct WireMessage {
    role: Role,
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct WireCall {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: WireFunction,
}

#[derive(Debug, Serialize)]
struct WireFunction {
    name: String,
    arguments: String,
}

#[derive(Debug, Serialize)]
struct WireTool {
    #[serde(rename = "type")]
    kind: &'static str,
    function: WireToolFunction,
}

#[derive(Debug, Serialize)]
struct WireToolFunction {
    name: String,
    description: String,
    parameters: Map<String, Value>,
}

/// The body for `request` to the provider named `provider`.
pub(super) fn body(request: &ChatRequest, provider: &str, options: &ProviderOptions, quirks: Quirks) -> serde_json::Result<Value> {
    let messages = history::valid(&request.messages, quirks.short_ids);
    // Thoughts belong to the turn they are thought in: to what follows the last thing the user said.
    let turn = messages.iter().rposition(|message| message.role == Role::User).unwrap_or(0);
    let limit = request.output_tokens_max.or(options.output_tokens_max);
    let tools = if options.tools { history::offered(&request.tools) } else { Vec::new() };
    let body = Body {
        model: &request.model,
        messages: messages
            .into_iter()
            .enumerate()
            .map(|(at, message)| wire_message(message, provider, options.reasoning_back && at > turn))
            .collect(),
        stream: true,
        stream_options: (!quirks.no_stream_options).then_some(StreamOptions { include_usage: true }),
        tools: tools.into_iter().map(|tool| wire_tool(tool, quirks.short_descriptions)).collect(),
        max_tokens: limit.filter(|_| !quirks.completion_tokens),
        max_completion_tokens: limit.filter(|_| quirks.completion_tokens),
        temperature: options.temperature.filter(|_| !quirks.no_temperature),
    };
    let mut value = serde_json::to_value(body)?;
    if let Value::Object(object) = &mut value {
        object.extend(options.extra_body.clone());
    }
    Ok(value)
}

fn wire_message(message: Message, provider: &str, with_reasoning: bool) -> WireMessage {
    let tool_calls = message
        .tool_calls
        .into_iter()
        .map(|call| {
            let arguments = Value::Object(call.arguments).to_string();
            let function = WireFunction { name: call.name.to_string(), arguments };
            let known = serde_json::to_value(WireCall { id: call.id.to_string(), kind: "function", function }).unwrap_or_default();
            with_extra(known, own(call.extra, provider))
        })
        .collect();
    let mut extra = own(message.extra, provider);
    for known in ["role", "content", "reasoning_content", "tool_calls", "tool_call_id"] {
        extra.remove(known);
    }
    WireMessage {
        role: message.role,
        content: message.content,
        reasoning_content: message.reasoning.filter(|_| with_reasoning && message.role == Role::Assistant),
        tool_calls,
        tool_call_id: message.tool_call_id.map(|id| id.to_string()),
        extra,
    }
}

/// `known` with kept fields beside its own; its own are never replaced.
fn with_extra(mut known: Value, extra: Map<String, Value>) -> Value {
    if let Value::Object(object) = &mut known {
        for (key, value) in extra {
            match (object.get_mut(&key), value) {
                (Some(Value::Object(inner)), Value::Object(more)) => {
                    for (key, value) in more {
                        inner.entry(key).or_insert(value);
                    }
                }
                (Some(_), _) => {}
                (None, value) => {
                    object.insert(key, value);
                }
            }
        }
    }
    known
}

/// The kept fields if they came from `provider`.
fn own(mut extra: Map<String, Value>, provider: &str) -> Map<String, Value> {
    match extra.remove(ORIGIN) {
        Some(Value::String(origin)) if origin != provider => Map::new(),
        _ => extra,
    }
}

/// Marks what is kept of `completion` as coming from `provider`.
pub(super) fn mark_origin(completion: &mut Completion, provider: &str) {
    let calls = completion.message.tool_calls.iter_mut().map(|call| &mut call.extra);
    for extra in calls.chain(std::iter::once(&mut completion.message.extra)).filter(|extra| !extra.is_empty()) {
        extra.insert(ORIGIN.to_owned(), Value::String(provider.to_owned()));
    }
}

fn wire_tool(tool: &ToolSpec, short: bool) -> WireTool {
    let mut parameters = tool.parameters.clone();
    parameters.remove("$schema");
    parameters.entry("type").or_insert_with(|| Value::String("object".to_owned()));
    parameters.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    let description = if short { text::ellipsis(&tool.description, DESCRIPTION_CHARS_MAX).into_owned() } else { tool.description.clone() };
    WireTool { kind: "function", function: WireToolFunction { name: tool.name.to_string(), description, parameters } }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::ids::CallId;
    use crate::domain::message::ToolCall;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            _ => unreachable!(),
        }
    }

    fn request() -> ChatRequest {
        let call = ToolCall {
            id: CallId::new("c1"),
            name: "f".into(),
            arguments: object(json!({"a": "ü"})),
            invalid: None,
            extra: object(json!({"extra_content": {"s": 1}, "function": {"strange": 2, "name": "not this"}, ORIGIN: "gemini"})),
        };
        let assistant = Message {
            reasoning: Some("hm".into()),
            tool_calls: vec![call],
            extra: object(json!({"reasoning_details": [1], ORIGIN: "gemini", "role": "no"})),
            ..Message::text(Role::Assistant, "")
        };
        ChatRequest {
            model: "m".into(),
            messages: vec![
                Message::text(Role::System, "s"),
                Message { reasoning: Some("old".into()), ..Message::text(Role::Assistant, "before") },
                Message::text(Role::User, "q"),
                assistant,
                Message::tool_result("c1".into(), "r"),
            ],
            tools: vec![ToolSpec {
                name: "f".into(),
                description: "d".repeat(2_000),
                parameters: object(json!({"$schema": "x", "type": "object"})),
            }],
            output_tokens_max: Some(9),
        }
    }

    #[test]
    fn kept_fields_go_back_to_their_provider_and_to_no_other() {
        let options = ProviderOptions { reasoning_back: true, ..ProviderOptions::default() };
        let sent = |provider: &str| body(&request(), provider, &options, Quirks::default()).unwrap();
        assert_eq!(
            sent("gemini")["messages"][3],
            json!({"role": "assistant", "content": "", "reasoning_content": "hm", "reasoning_details": [1], "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":\"ü\"}", "strange": 2}, "extra_content": {"s": 1}}]})
        );
        assert_eq!(
            sent("other")["messages"][3],
            json!({"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":\"ü\"}"}}]})
        );
        assert_eq!(
            sent("other")["messages"][1],
            json!({"role": "assistant", "content": "before"}),
            "thoughts of an earlier turn stay here"
        );
        assert_eq!(sent("other")["messages"][4], json!({"role": "tool", "content": "r", "tool_call_id": "c1"}));
    }

    #[test]
    fn a_plain_request_has_no_frills() {
        let request = ChatRequest { model: "m".into(), messages: vec![Message::text(Role::User, "q")], ..ChatRequest::default() };
        let sent = body(&request, "p", &ProviderOptions::default(), Quirks::default()).unwrap();
        assert_eq!(
            sent,
            json!({"model": "m", "messages": [{"role": "user", "content": "q"}], "stream": true, "stream_options": {"include_usage": true}})
        );
    }

    #[test]
    fn options_and_quirks_shape_the_request() {
        let options = ProviderOptions {
            temperature: Some(0.5),
            extra_body: object(json!({"seed": 7, "stream_options": {"x": 1}})),
            ..ProviderOptions::default()
        };
        let plain = body(&request(), "p", &options, Quirks::default()).unwrap();
        assert_eq!((&plain["max_tokens"], &plain["temperature"], &plain["seed"]), (&json!(9), &json!(0.5), &json!(7)));
        assert_eq!(plain["stream_options"], json!({"x": 1}));
        assert_eq!(plain["tools"][0]["function"]["parameters"], json!({"type": "object", "properties": {}}));
        assert_eq!(plain["messages"][3].get("reasoning_content"), None);
        let quirks = Quirks { completion_tokens: true, no_temperature: true, short_descriptions: true, ..Quirks::default() };
        let odd = body(&request(), "p", &options, quirks).unwrap();
        assert_eq!((odd.get("max_tokens"), &odd["max_completion_tokens"], odd.get("temperature")), (None, &json!(9), None));
        assert_eq!(odd["tools"][0]["function"]["description"].as_str().unwrap().chars().count(), 1_024);
        let without = body(&request(), "p", &ProviderOptions { tools: false, ..ProviderOptions::default() }, Quirks::default()).unwrap();
        assert_eq!(without.get("tools"), None);
    }
}
