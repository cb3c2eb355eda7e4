//! One frame of an answer, read as kindly as can be.
//!
//! Every field is optional and may have any type: what is not understood is left out, and never costs the rest. Unknown
//! fields of calls and messages are kept, because some providers refuse the next request without them.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::domain::message::Usage;

/// One frame.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Chunk {
    pub(super) model: Option<String>,
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Option<Usage>,
    /// The frame tells of a failure; the value holds its words somewhere.
    pub(super) error: Option<Value>,
}

/// One part of one answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Choice {
    pub(super) index: Option<u64>,
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) calls: Vec<CallPart>,
    pub(super) finish: Option<String>,
    /// Unknown fields of the message.
    pub(super) extra: Map<String, Value>,
    /// It is a whole message, not an addition to one.
    pub(super) is_whole: bool,
}

/// Part of a call.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct CallPart {
    pub(super) index: Option<u64>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) arguments: Arguments,
    /// Unknown fields of the call; those of its inner object under `function`.
    pub(super) extra: Map<String, Value>,
}

/// Arguments as they come.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Arguments {
    /// None in this part.
    #[default]
    Nothing,
    /// A shred of JSON text, or all of it.
    Text(String),
    /// A JSON value that was never put into a string.
    Value(Value),
}

impl<'de> Deserialize<'de> for Chunk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::read)
    }
}

impl Chunk {
    /// Reads a frame, whatever it is.
    pub(super) fn read(value: Value) -> Self {
        match value {
            Value::Object(object) => Self::read_object(object),
            Value::Array(list) => match list.into_iter().find(Value::is_object) {
                Some(Value::Object(object)) => Self::read_object(object),
                _ => Self::default(),
            },
            other => Self { error: Some(other), ..Self::default() },
        }
    }

    fn read_object(mut object: Map<String, Value>) -> Self {
        let choices: Vec<_> = match object.remove("choices") {
            Some(Value::Array(list)) => list.into_iter().filter_map(Choice::read).collect(),
            _ => Vec::new(),
        };
        let usage = object
            .get("usage")
            .and_then(read_usage)
            .or_else(|| object.get("x_groq").and_then(|groq| groq.get("usage")).and_then(read_usage));
        let model = object.get("model").and_then(Value::as_str).filter(|model| !model.is_empty()).map(str::to_owned);
        let failed = object.get("error").is_some_and(|error| !error.is_null() && error != &Value::Bool(false))
            || object.get("object").and_then(Value::as_str) == Some("error")
            || (choices.is_empty() && usage.is_none() && ["detail", "message", "errors"].iter().any(|key| object.contains_key(*key)));
        Self { model, choices, usage, error: failed.then_some(Value::Object(object)) }
    }
}

impl Choice {
    fn read(value: Value) -> Option<Self> {
        let Value::Object(mut object) = value else { return None };
        let mut choice = Self {
            index: object.get("index").and_then(number),
            finish: ["finish_reason", "stop_reason"]
                .iter()
                .find_map(|key| object.get(*key).and_then(Value::as_str))
                .filter(|reason| !reason.is_empty())
                .map(str::to_owned),
            ..Self::default()
        };
        let delta = match object.remove("delta") {
            Some(Value::Object(delta)) if !delta.is_empty() => Some(delta),
            _ => None,
        };
        match (delta, object.remove("message")) {
            (Some(delta), _) => choice.read_message(delta),
            (None, Some(Value::Object(message))) => {
                choice.is_whole = true;
                choice.read_message(message);
            }
            _ => {}
        }
        if choice.text.is_empty()
            && let Some(Value::String(text)) = object.remove("text")
        {
            choice.text = text;
        }
        Some(choice)
    }

    fn read_message(&mut self, message: Map<String, Value>) {
        let mut thoughts = [const { String::new() }; 4];
        for (key, value) in message {
            match key.as_str() {
                "content" => content(&value, &mut self.text, &mut thoughts[3]),
                "refusal" => push_text(&value, &mut self.text),
                "reasoning_content" => push_text(&value, &mut thoughts[0]),
                "reasoning" | "thinking" => push_text(&value, &mut thoughts[1]),
                "tool_calls" => {
                    if let Value::Array(calls) = value {
                        self.calls.extend(calls.into_iter().filter_map(CallPart::read));
                    }
                }
                "function_call" => {
                    if let Value::Object(function) = value {
                        let mut call = CallPart::default();
                        call.read_function(function);
                        self.calls.push(call);
                    }
                }
                _ if value.is_null() || NOT_SENT_BACK.contains(&key.as_str()) => {}
                _ => {
                    if key == "reasoning_details" {
                        details(&value, &mut thoughts[2]);
                    }
                    self.extra.insert(key, value);
                }
            }
        }
        // Several fields may tell the same thoughts; the first that says anything is taken.
        self.reasoning = thoughts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    }
}

impl CallPart {
    fn read(value: Value) -> Option<Self> {
        let Value::Object(object) = value else { return None };
        let mut call = Self::default();
        for (key, value) in object {
            match (key.as_str(), value) {
                (_, Value::Null) | ("type", _) => {}
                ("index", value) => call.index = number(&value),
                ("id", Value::String(id)) => call.id = Some(id).filter(|id| !id.is_empty()),
                ("id", Value::Number(id)) => call.id = Some(id.to_string()),
                ("function", Value::Object(function)) => call.read_function(function),
                ("name", Value::String(name)) if call.name.is_none() => call.name = Some(name).filter(|name| !name.is_empty()),
                ("arguments", value) => call.arguments = Arguments::read(value),
                (_, value) => {
                    call.extra.insert(key, value);
                }
            }
        }
        Some(call)
    }

    fn read_function(&mut self, function: Map<String, Value>) {
        let mut extra = Map::new();
        for (key, value) in function {
            match (key.as_str(), value) {
                (_, Value::Null) => {}
                ("name", Value::String(name)) => self.name = Some(name).filter(|name| !name.is_empty()),
                ("arguments" | "parameters", value) => self.arguments = Arguments::read(value),
                (_, value) => {
                    extra.insert(key, value);
                }
            }
        }
        if !extra.is_empty() {
            self.extra.insert("function".to_owned(), Value::Object(extra));
        }
    }
}

impl Arguments {
    fn read(value: Value) -> Self {
        match value {
            Value::Null => Self::Nothing,
            Value::String(text) if text.is_empty() => Self::Nothing,
            Value::String(text) => Self::Text(text),
            other => Self::Value(other),
        }
    }
}

/// Fields that providers send with a message but do not take back.
const NOT_SENT_BACK: &[&str] = &[
    "role",
    "name",
    "annotations",
    "audio",
    "citations",
    "images",
    "logprobs",
    "matched_stop",
    "obfuscation",
    "prompt_token_ids",
    "search_results",
    "stop_reason",
    "token_ids",
];

/// Text, a list of parts, or one part; thoughts among them go elsewhere.
fn content(value: &Value, text: &mut String, thoughts: &mut String) {
    match value {
        Value::String(part) => text.push_str(part),
        Value::Array(parts) => parts.iter().for_each(|part| content(part, text, thoughts)),
        Value::Object(part) => {
            let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
            if matches!(kind, "thinking" | "reasoning") {
                ["thinking", "reasoning", "text", "content"]
                    .iter()
                    .filter_map(|key| part.get(*key))
                    .for_each(|inner| push_text(inner, thoughts));
            } else {
                ["text", "refusal", "content"].iter().filter_map(|key| part.get(*key)).for_each(|inner| push_text(inner, text));
            }
        }
        _ => {}
    }
}

/// All text in `value`, in order.
fn push_text(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Array(parts) => parts.iter().for_each(|part| push_text(part, out)),
        Value::Object(part) => ["text", "content", "value"].iter().filter_map(|key| part.get(*key)).for_each(|inner| push_text(inner, out)),
        _ => {}
    }
}

/// The readable part of a list of reasoning details; encrypted ones have none.
fn details(value: &Value, out: &mut String) {
    for detail in value.as_array().into_iter().flatten() {
        ["text", "summary"].iter().filter_map(|key| detail.get(*key)).for_each(|inner| push_text(inner, out));
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked, and a token count has no fraction")]
fn whole(number: f64) -> Option<u64> {
    (0.0..9e15).contains(&number).then_some(number as u64)
}

/// Tokens under any of their names; nothing where there are none.
pub(super) fn read_usage(value: &Value) -> Option<Usage> {
    let find = |keys: &[&str]| keys.iter().find_map(|key| value.get(*key).and_then(number));
    let input = find(&["prompt_tokens", "input_tokens"]);
    let output = find(&["completion_tokens", "output_tokens"]);
    let total = find(&["total_tokens"]);
    if input.is_none() && output.is_none() && total.is_none() {
        return None;
    }
    let cached = ["prompt_tokens_details", "input_tokens_details"]
        .iter()
        .find_map(|key| value.get(*key)?.get("cached_tokens").and_then(number))
        .or_else(|| find(&["prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"]));
    let input_tokens = input.unwrap_or(0);
    // Some count reasoning in the total only.
    let rest = total.unwrap_or(0).saturating_sub(input_tokens);
    Some(Usage { input_tokens, output_tokens: output.unwrap_or(0).max(rest), cached_tokens: cached.unwrap_or(0).min(input_tokens) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_odd_field_does_not_cost_the_rest() {
        let chunk = Chunk::read(json!({
            "id": 7, "object": null, "created": "now", "model": "m", "service_tier": "strange", "usage": {},
            "choices": [{"index": "0", "delta": {"content": [{"type": "text", "text": "a"}, "b", {"type": "image_url"}], "tool_calls": "none"},
                "logprobs": {}, "finish_reason": ""}]
        }));
        assert_eq!((chunk.model.as_deref(), chunk.usage, &chunk.error), (Some("m"), None, &None));
        assert_eq!((chunk.choices[0].index, chunk.choices[0].text.as_str(), &chunk.choices[0].finish), (Some(0), "ab", &None));
    }

    #[test]
    fn errors_are_found_wherever_they_stand() {
        for value in [
            json!({"error": "x"}),
            json!({"error": {"message": "x"}, "choices": []}),
            json!({"object": "error", "message": "x"}),
            json!([{"error": {"message": "x"}}]),
            json!({"detail": "x"}),
            json!("x"),
        ] {
            assert!(Chunk::read(value.clone()).error.is_some(), "{value}");
        }
        for value in [json!({"error": null, "choices": []}), json!({"choices": []}), json!({}), json!([])] {
            assert!(Chunk::read(value.clone()).error.is_none(), "{value}");
        }
    }

    #[test]
    fn usage_is_read_under_all_its_names() {
        let check = |value: Value, expected: Option<(u64, u64, u64)>| {
            let usage = read_usage(&value).map(|usage| (usage.input_tokens, usage.output_tokens, usage.cached_tokens));
            assert_eq!(usage, expected, "{value}");
        };
        check(json!({}), None);
        check(json!(null), None);
        check(json!("many"), None);
        check(json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}), Some((5, 7, 0)));
        check(json!({"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}}), Some((5, 7, 4)));
        check(json!({"prompt_tokens": 5.0, "completion_tokens": "7", "prompt_cache_hit_tokens": 3}), Some((5, 7, 3)));
        check(json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 17}), Some((5, 12, 0)));
        check(json!({"input_tokens": 1, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1}}), Some((1, 2, 1)));
        check(json!({"prompt_tokens": 5, "completion_tokens": null, "prompt_tokens_details": null}), Some((5, 0, 0)));
    }

    #[test]
    fn thoughts_told_twice_are_taken_once() {
        let chunk = Chunk::read(json!({"choices": [{"delta": {
            "reasoning": "hm", "reasoning_content": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]
        }}]}));
        assert_eq!(chunk.choices[0].reasoning, "hm");
        assert!(chunk.choices[0].extra.contains_key("reasoning_details"));
    }
}
