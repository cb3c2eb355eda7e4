//! A request as it goes over the wire.
//!
//! Pure. What providers sent beside the known fields goes back to the provider that sent it, and to no other.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::domain::ids::CallId;
use crate::domain::message::{Message, Role, ToolCall};
use crate::domain::text;
use crate::llm::openai::history;
use crate::llm::openai::options::ProviderOptions;
use crate::llm::openai::quirks::Quirks;
use crate::llm::{ChatRequest, Completion, ToolSpec};

/// Marks kept fields with the provider that sent them.
const ORIGIN: &str = "wakeful.provider";

/// The longest description of a tool where a provider limits it, in characters.
const DESCRIPTION_CHARS_MAX: usize = 1_024;

/// A request on its way out: written straight from the conversation, of which only what must differ is copied.
#[derive(Debug)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: Vec<Cow<'a, Message>>,
    /// Where the thoughts begin that go back: in what follows the last thing the user said. The turn they are thought in
    /// is where they belong.
    thoughts_from: usize,
    tools: Vec<&'a ToolSpec>,
    output_tokens_max: Option<u32>,
    provider: &'a str,
    options: &'a ProviderOptions,
    quirks: Quirks,
}

/// The body for `request` to the provider named `provider`.
pub(super) fn body<'a>(request: &'a ChatRequest, provider: &'a str, options: &'a ProviderOptions, quirks: Quirks) -> Body<'a> {
    let messages = history::valid(&request.messages, quirks.short_ids);
    let turn = messages.iter().rposition(|message| message.role == Role::User).unwrap_or(0);
    Body {
        model: &request.model,
        thoughts_from: if options.reasoning_back { turn + 1 } else { messages.len() },
        messages,
        tools: if options.tools { history::offered(&request.tools) } else { Vec::new() },
        output_tokens_max: request.output_tokens_max.or(options.output_tokens_max),
        provider,
        options,
        quirks,
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (quirks, limit) = (self.quirks, self.output_tokens_max);
        let extra = &self.options.extra_body;
        let mut fields = Fields { map: serializer.serialize_map(None)?, replaced: extra };
        fields.put("model", Some(self.model))?;
        fields.put("messages", Some(&Messages(self)))?;
        fields.put("stream", Some(&true))?;
        fields.put("stream_options", (!quirks.no_stream_options).then_some(&StreamOptions { include_usage: true }))?;
        let tools = (!self.tools.is_empty()).then(|| Tools { tools: &self.tools, short: quirks.short_descriptions });
        fields.put("tools", tools.as_ref())?;
        fields.put("max_tokens", limit.filter(|_| !quirks.completion_tokens).as_ref())?;
        fields.put("max_completion_tokens", limit.filter(|_| quirks.completion_tokens).as_ref())?;
        fields.put("temperature", self.options.temperature.filter(|_| !quirks.no_temperature).as_ref())?;
        for (key, value) in extra {
            fields.map.serialize_entry(key, value)?;
        }
        fields.map.end()
    }
}

/// The fields of an object, but for those that the user's options replace.
struct Fields<'a, M> {
    map: M,
    replaced: &'a Map<String, Value>,
}

impl<M: SerializeMap> Fields<'_, M> {
    fn put<T: Serialize + ?Sized>(&mut self, key: &'static str, value: Option<&T>) -> Result<(), M::Error> {
        match value {
            Some(value) if !self.replaced.contains_key(key) => self.map.serialize_entry(key, value),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

struct Messages<'a>(&'a Body<'a>);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = self.0;
        serializer.collect_seq(
            body.messages.iter().enumerate().map(|(at, message)| wire_message(message, body.provider, at >= body.thoughts_from)),
        )
    }
}

#[derive(Debug, Serialize)]
struct WireMessage<'a> {
    role: Role,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum WireCall<'a> {
    Plain(PlainCall<'a>),
    /// With fields that the provider sent beside the known ones.
    Kept(Value),
}

#[derive(Debug, Serialize)]
struct PlainCall<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: WireFunction<'a>,
}

#[derive(Debug, Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    arguments: String,
}

fn wire_message<'a>(message: &'a Message, provider: &str, with_reasoning: bool) -> WireMessage<'a> {
    let mut extra = own(&message.extra, provider);
    for known in ["role", "content", "reasoning_content", "tool_calls", "tool_call_id"] {
        extra.remove(known);
    }
    WireMessage {
        role: message.role,
        content: &message.content,
        reasoning_content: message.reasoning.as_deref().filter(|_| with_reasoning && message.role == Role::Assistant),
        tool_calls: message.tool_calls.iter().map(|call| wire_call(call, provider)).collect(),
        tool_call_id: message.tool_call_id.as_ref().map(CallId::as_str),
        extra,
    }
}

fn wire_call<'a>(call: &'a ToolCall, provider: &str) -> WireCall<'a> {
    let arguments = serde_json::to_string(&call.arguments).unwrap_or_default();
    let known = PlainCall { id: call.id.as_str(), kind: "function", function: WireFunction { name: call.name.as_str(), arguments } };
    let extra = own(&call.extra, provider);
    if extra.is_empty() {
        return WireCall::Plain(known);
    }
    WireCall::Kept(with_extra(serde_json::to_value(known).unwrap_or_default(), extra))
}

struct Tools<'a> {
    tools: &'a [&'a ToolSpec],
    short: bool,
}

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.tools.iter().map(|tool| wire_tool(tool, self.short)))
    }
}

#[derive(Debug, Serialize)]
struct WireTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: WireToolFunction<'a>,
}

#[derive(Debug, Serialize)]
struct WireToolFunction<'a> {
    name: &'a str,
    description: Cow<'a, str>,
    parameters: Parameters<'a>,
}

fn wire_tool(tool: &ToolSpec, short: bool) -> WireTool<'_> {
    let description = if short { text::ellipsis(&tool.description, DESCRIPTION_CHARS_MAX) } else { Cow::Borrowed(&*tool.description) };
    let parameters = Parameters(&tool.parameters);
    WireTool { kind: "function", function: WireToolFunction { name: tool.name.as_str(), description, parameters } }
}

/// A schema as every provider takes it: of an object that says so, its properties named even where there are none.
#[derive(Debug)]
struct Parameters<'a>(&'a Map<String, Value>);

impl Serialize for Parameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.0.iter().filter(|(key, _)| *key != "$schema") {
            map.serialize_entry(key, value)?;
        }
        if !self.0.contains_key("type") {
            map.serialize_entry("type", "object")?;
        }
        if !self.0.contains_key("properties") {
            map.serialize_entry("properties", &Map::new())?;
        }
        map.end()
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
fn own(extra: &Map<String, Value>, provider: &str) -> Map<String, Value> {
    match extra.get(ORIGIN) {
        Some(Value::String(origin)) if origin != provider => Map::new(),
        _ => extra.iter().filter(|(key, _)| *key != ORIGIN).map(|(key, value)| (key.clone(), value.clone())).collect(),
    }
}

/// Marks what is kept of `completion` as coming from `provider`.
pub(super) fn mark_origin(completion: &mut Completion, provider: &str) {
    let calls = completion.message.tool_calls.iter_mut().map(|call| &mut call.extra);
    for extra in calls.chain(std::iter::once(&mut completion.message.extra)).filter(|extra| !extra.is_empty()) {
        extra.insert(ORIGIN.to_owned(), Value::String(provider.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(request: &ChatRequest, provider: &str, options: &ProviderOptions, quirks: Quirks) -> Value {
        serde_json::to_value(super::body(request, provider, options, quirks)).unwrap()
    }

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
                parameters: object(json!({"$schema": "x", "type": "object"})).into(),
            }],
            output_tokens_max: Some(9),
        }
    }

    #[test]
    fn kept_fields_go_back_to_their_provider_and_to_no_other() {
        let options = ProviderOptions { reasoning_back: true, ..ProviderOptions::default() };
        let sent = |provider: &str| body(&request(), provider, &options, Quirks::default());
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
        let sent = body(&request, "p", &ProviderOptions::default(), Quirks::default());
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
        let plain = body(&request(), "p", &options, Quirks::default());
        assert_eq!((&plain["max_tokens"], &plain["temperature"], &plain["seed"]), (&json!(9), &json!(0.5), &json!(7)));
        assert_eq!(plain["stream_options"], json!({"x": 1}));
        assert_eq!(plain["tools"][0]["function"]["parameters"], json!({"type": "object", "properties": {}}));
        assert_eq!(plain["messages"][3].get("reasoning_content"), None);
        let quirks = Quirks { completion_tokens: true, no_temperature: true, short_descriptions: true, ..Quirks::default() };
        let odd = body(&request(), "p", &options, quirks);
        assert_eq!((odd.get("max_tokens"), &odd["max_completion_tokens"], odd.get("temperature")), (None, &json!(9), None));
        assert_eq!(odd["tools"][0]["function"]["description"].as_str().unwrap().chars().count(), 1_024);
        let without = body(&request(), "p", &ProviderOptions { tools: false, ..ProviderOptions::default() }, Quirks::default());
        assert_eq!(without.get("tools"), None);
    }
}
