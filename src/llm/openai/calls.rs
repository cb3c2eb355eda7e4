//! Puts calls together from whatever parts they come in.
//!
//! A part belongs to the call with its index, else with its id, else to the open one. A new id on a used index opens a
//! new call, because some servers give every parallel call the index 0. A name is set once: some servers repeat it with
//! each part, some send an empty one later.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::domain::ids::{CallId, ToolName};
use crate::domain::message::ToolCall;
use crate::domain::text;
use crate::llm::openai::chunk::{Arguments, CallPart};

/// The most calls in one answer; a model that wants more has lost its way.
const CALLS_MAX: usize = 128;

/// The answer holds more than [`CALLS_MAX`] calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

impl TooMany {
    pub(super) fn message() -> String {
        format!("the model made more than {CALLS_MAX} calls at once")
    }
}

#[derive(Debug, Default)]
struct Draft {
    index: Option<u64>,
    id: Option<String>,
    name: Option<String>,
    arguments: String,
    extra: Map<String, Value>,
}

/// The calls of one answer so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    drafts: Vec<Draft>,
    open: Option<usize>,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// Adds a part; gives the call's name where it becomes known by it.
    pub(super) fn push(&mut self, part: CallPart) -> Result<Option<String>, TooMany> {
        let at = match self.place(&part) {
            Some(at) => at,
            None if self.drafts.len() >= CALLS_MAX => return Err(TooMany),
            None => {
                self.drafts.push(Draft { index: part.index, ..Draft::default() });
                self.drafts.len() - 1
            }
        };
        self.open = Some(at);
        let draft = &mut self.drafts[at];
        if draft.id.is_none() {
            draft.id = part.id;
        }
        for (key, value) in part.extra {
            merge(&mut draft.extra, key, value);
        }
        draft.add(part.arguments);
        if draft.name.is_none()
            && let Some(name) = part.name
        {
            draft.name = Some(name.clone());
            return Ok(Some(name));
        }
        Ok(None)
    }

    /// The call that `part` continues; none where it begins one.
    fn place(&self, part: &CallPart) -> Option<usize> {
        let by_id = || self.drafts.iter().rposition(|draft| draft.id.is_some() && draft.id == part.id);
        let known = match part.index {
            Some(_) => self.drafts.iter().rposition(|draft| draft.index == part.index),
            None if part.id.is_some() => return by_id().or_else(|| self.nameless(part)),
            None => self.open,
        }?;
        let draft = &self.drafts[known];
        if part.id.is_some() && draft.id.is_some() && draft.id != part.id {
            // Another id at a used index: an earlier call, a new one, or a server that makes up an id for each part.
            return by_id().or_else(|| (part.name.is_none() && !draft.is_complete()).then_some(known));
        }
        if part.id.is_some() && draft.id == part.id {
            return Some(known);
        }
        (!draft.ends_before(part)).then_some(known)
    }

    /// The open call where it has waited for its id.
    fn nameless(&self, part: &CallPart) -> Option<usize> {
        let open = self.open?;
        let draft = &self.drafts[open];
        (draft.id.is_none() && draft.index.is_none() && (part.name.is_none() || draft.name.is_none())).then_some(open)
    }

    /// The calls, each with an id of its own. Of an answer that was `cut` by the token limit the last call is invalid
    /// unless its arguments are whole.
    pub(super) fn finish(self, cut: bool) -> Vec<ToolCall> {
        let last = self.drafts.len().saturating_sub(1);
        let mut ids = HashSet::new();
        let drafts = self.drafts.into_iter().enumerate();
        drafts.filter_map(|(at, draft)| draft.finish(cut && at == last, &mut ids)).collect()
    }
}

impl Draft {
    fn add(&mut self, arguments: Arguments) {
        match arguments {
            Arguments::Nothing => {}
            // Some servers end with the whole arguments once more.
            Arguments::Text(text)
                if text.len() > 2 && text.len() == self.arguments.len() && text == self.arguments && self.is_complete() => {}
            Arguments::Text(text) => self.arguments.push_str(&text),
            Arguments::Value(value) => {
                let more = match (serde_json::from_str::<Value>(&self.arguments), value) {
                    (Ok(Value::Object(mut known)), Value::Object(new)) => {
                        known.extend(new);
                        Value::Object(known)
                    }
                    (_, value) => value,
                };
                self.arguments = more.to_string();
            }
        }
    }

    /// Whether the arguments are a JSON object as they stand.
    fn is_complete(&self) -> bool {
        self.arguments.trim_end().ends_with('}') && serde_json::from_str::<Map<String, Value>>(&self.arguments).is_ok()
    }

    /// Whether `part`, which has no id of its own to tell, must be another call: another name, or the same name with
    /// arguments that begin anew after these are complete.
    fn ends_before(&self, part: &CallPart) -> bool {
        let (Some(mine), Some(other)) = (&self.name, &part.name) else { return false };
        let begins = match &part.arguments {
            Arguments::Nothing => false,
            Arguments::Text(text) => text.trim_start().starts_with('{') && *text != self.arguments,
            Arguments::Value(_) => true,
        };
        mine != other || (begins && self.is_complete())
    }

    fn finish(self, cut: bool, ids: &mut HashSet<String>) -> Option<ToolCall> {
        if self.name.is_none() && self.arguments.trim().is_empty() {
            return None;
        }
        let whole = self.is_complete();
        let (arguments, mut invalid) = match read_arguments(&self.arguments) {
            Ok(arguments) => (arguments, None),
            Err(reason) => (Map::new(), Some(reason)),
        };
        if cut && !whole {
            invalid = Some("the answer was cut off by the token limit before the call was whole".to_owned());
        }
        if self.name.is_none() {
            invalid = Some("the call names no tool".to_owned());
        }
        let arguments = if invalid.is_some() { Map::new() } else { arguments };
        let id = self.id.filter(|id| ids.insert(id.clone())).map_or_else(CallId::generate, CallId::from);
        let name = self.name.as_deref().map_or("unknown", str::trim);
        Some(ToolCall { id, name: ToolName::new(name), arguments, invalid, extra: self.extra })
    }
}

/// Puts `value` into `extra`: text grows, lists get longer (their parts with one `index` and `type` grow together),
/// objects are merged, anything else is replaced.
pub(super) fn merge(extra: &mut Map<String, Value>, key: String, value: Value) {
    match (extra.get_mut(&key), value) {
        (Some(Value::Object(known)), Value::Object(new)) => {
            for (key, value) in new {
                known.insert(key, value);
            }
        }
        (Some(Value::Array(known)), Value::Array(new)) => {
            for part in new {
                merge_part(known, part);
            }
        }
        (_, value) => {
            extra.insert(key, value);
        }
    }
}

/// The most parts of a list that grows over the chunks of one answer.
const PARTS_MAX: usize = 4_096;

fn merge_part(parts: &mut Vec<Value>, part: Value) {
    let same = |known: &&mut Value| {
        part.get("index").is_some_and(|index| !index.is_null())
            && known.get("index") == part.get("index")
            && known.get("type") == part.get("type")
    };
    let room = parts.len() < PARTS_MAX;
    match (parts.last_mut().filter(same), part) {
        (Some(Value::Object(known)), Value::Object(new)) => {
            for (key, value) in new {
                match (known.get_mut(&key), value) {
                    (Some(Value::String(text)), Value::String(more))
                        if matches!(key.as_str(), "text" | "summary" | "data" | "thinking") =>
                    {
                        text.push_str(&more);
                    }
                    (_, Value::Null) => {}
                    (_, value) => {
                        known.insert(key, value);
                    }
                }
            }
        }
        (_, part) if room => parts.push(part),
        _ => {}
    }
}

/// How often arguments may be wrapped in a string.
const WRAPS_MAX: usize = 3;

/// Arguments as an object: nothing and null are an empty one, wrapped ones are unwrapped.
pub(super) fn read_arguments(text: &str) -> Result<Map<String, Value>, String> {
    let mut text = text.trim().to_owned();
    for _ in 0..=WRAPS_MAX {
        if text.is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(object)) => return Ok(object),
            Ok(Value::Null) => return Ok(Map::new()),
            Ok(Value::String(inner)) => inner.trim().clone_into(&mut text),
            Ok(other) => return Err(format!("the arguments are no JSON object but {}", kind_of(&other))),
            Err(error) => {
                return Err(format!("the arguments are no valid JSON ({error}): {}", text::ellipsis(&text::clean_line(&text), 200)));
            }
        }
    }
    Err("the arguments are strings within strings".to_owned())
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "a list",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a truth value",
        Value::Null | Value::String(_) | Value::Object(_) => "something else",
    }
}

#[cfg(test)]
mod tests;
