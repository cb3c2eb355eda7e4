//! What is wrong with the tools that a server offers, for those who write servers. Pure.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

use crate::domain::text::{clean, clean_line, ellipsis};

/// The longest name that MCP advises (2025-11-25, SEP-986), in characters.
const NAME_CHARS_MAX: usize = 128;

/// The longest name that every model's provider takes, with the server's name before it.
const MODEL_NAME_CHARS_MAX: usize = 64;

/// A description beyond this costs tokens in each request, in characters.
const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// The longest problem that is told, in characters.
const PROBLEM_CHARS_MAX: usize = 300;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As the protocol has it.
    Pass,
    /// It works, but some clients or models will trip over it.
    Warn,
    /// The protocol forbids it.
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at: `handshake`, `tools`, `tool NAME`, …
    pub what: String,
    /// How it came out.
    pub level: Level,
    /// What was found.
    pub message: String,
}

impl Check {
    pub(super) fn new(what: impl Into<String>, level: Level, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { what: what.into(), level, message: ellipsis(&clean_line(&message), PROBLEM_CHARS_MAX).into_owned() }
    }
}

/// What is wrong with these tools, as they came over the wire; nothing where all is well.
pub(super) fn tools(tools: &[Value]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut names = HashSet::new();
    for (at, tool) in tools.iter().enumerate() {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        let what = if name.is_empty() { format!("tool {}", at + 1) } else { format!("tool {}", ellipsis(&clean_line(name), 60)) };
        let mut say = |level: Level, message: String| checks.push(Check::new(what.clone(), level, message));
        if !tool.is_object() {
            say(Level::Fail, "is no JSON object".to_owned());
            continue;
        }
        check_name(name, &mut say);
        if !name.is_empty() && !names.insert(name) {
            say(Level::Fail, "is there twice".to_owned());
        }
        check_text(tool, &mut say);
        check_schema(tool, "inputSchema", true, &mut say);
        check_schema(tool, "outputSchema", false, &mut say);
        check_annotations(tool, &mut say);
    }
    checks
}

fn check_name(name: &str, say: &mut impl FnMut(Level, String)) {
    let allowed = |ch: char| ch.is_ascii_alphanumeric() || "_-./".contains(ch);
    if name.is_empty() {
        say(Level::Fail, "has no `name`".to_owned());
    } else if !name.chars().all(allowed) {
        say(Level::Warn, "has a name with characters other than letters, digits, `_`, `-`, `.` and `/`".to_owned());
    } else if name.chars().count() > NAME_CHARS_MAX {
        say(Level::Warn, format!("has a name of more than {NAME_CHARS_MAX} characters"));
    } else if name.len() > MODEL_NAME_CHARS_MAX || name.contains(['.', '/']) {
        say(
            Level::Warn,
            format!("has a name that models' providers do not take as it is (letters, digits, `_`, `-`, at most {MODEL_NAME_CHARS_MAX})"),
        );
    }
}

fn check_text(tool: &Value, say: &mut impl FnMut(Level, String)) {
    match tool.get("description") {
        None => say(Level::Warn, "has no description: models will not know when to call it".to_owned()),
        Some(Value::String(text)) if text.trim().is_empty() => say(Level::Warn, "has an empty description".to_owned()),
        Some(Value::String(text)) => {
            if matches!(clean(text), std::borrow::Cow::Owned(_)) {
                say(Level::Warn, "has control characters, escape sequences or text-direction marks in its description".to_owned());
            }
            if text.chars().count() > DESCRIPTION_CHARS_MAX {
                say(
                    Level::Warn,
                    format!("has a description of more than {DESCRIPTION_CHARS_MAX} characters, which each request to a model carries"),
                );
            }
        }
        Some(_) => say(Level::Fail, "has a description that is no text".to_owned()),
    }
}

fn check_schema(tool: &Value, key: &str, is_needed: bool, say: &mut impl FnMut(Level, String)) {
    let schema = match tool.get(key) {
        Some(schema) => schema,
        None if is_needed => return say(Level::Fail, format!("has no `{key}`")),
        None => return,
    };
    let Some(object) = schema.as_object() else { return say(Level::Fail, format!("has an `{key}` that is no object")) };
    if object.get("type").and_then(Value::as_str) != Some("object") {
        say(Level::Fail, format!("has an `{key}` whose `type` is not `object`"));
    }
    if let Err(error) = jsonschema::meta::options().validate(schema) {
        return say(Level::Fail, format!("has an `{key}` that is no JSON Schema: {error} at {}", error.instance_path()));
    }
    let text = schema.to_string();
    if text.contains("\"$ref\":\"http") {
        say(Level::Warn, format!("has an `{key}` that points to another place, which clients do not follow"));
    }
    let properties = object.get("properties").and_then(Value::as_object);
    let missing = object.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut missing = missing.filter(|name| !properties.is_some_and(|properties| properties.contains_key(*name)));
    if let Some(name) = missing.next() {
        say(Level::Warn, format!("requires `{name}` in `{key}`, which has no such property"));
    }
    if is_needed {
        let bare = properties.into_iter().flatten().filter(|(_, schema)| schema.get("description").is_none()).count();
        if bare > 0 {
            say(Level::Warn, format!("has {bare} of {} arguments without a description", properties.map_or(0, serde_json::Map::len)));
        }
    }
}

fn check_annotations(tool: &Value, say: &mut impl FnMut(Level, String)) {
    let Some(annotations) = tool.get("annotations") else { return };
    let hint = |key: &str| annotations.get(key).and_then(Value::as_bool);
    if !annotations.is_object() {
        say(Level::Fail, "has annotations that are no object".to_owned());
    } else if hint("readOnlyHint") == Some(true) && hint("destructiveHint") == Some(true) {
        say(Level::Warn, "says that it only reads and that it destroys".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(tool: Value, level: Level, message: &str) {
        let found = tools(std::slice::from_ref(&tool));
        assert!(found.iter().any(|check| check.level == level && check.message.contains(message)), "{tool}: {found:?}");
    }

    #[test]
    fn a_good_tool_has_nothing_wrong() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string", "description": "x"}}, "required": ["a"]});
        let good = json!({"name": "get_it", "description": "gets it", "inputSchema": schema, "annotations": {"readOnlyHint": true}});
        assert_eq!(tools(&[good]), []);
    }

    #[test]
    fn each_mistake_is_named() {
        let schema = json!({"type": "object"});
        check(json!("x"), Level::Fail, "no JSON object");
        check(json!({"inputSchema": schema}), Level::Fail, "no `name`");
        check(json!({"name": "a", "inputSchema": schema}), Level::Warn, "no description");
        check(json!({"name": "a b", "inputSchema": schema}), Level::Warn, "characters other than");
        check(json!({"name": "a/b", "inputSchema": schema}), Level::Warn, "providers do not take");
        check(json!({"name": "a", "description": "x\u{1b}[31m", "inputSchema": schema}), Level::Warn, "escape sequences");
        check(json!({"name": "a"}), Level::Fail, "no `inputSchema`");
        check(json!({"name": "a", "inputSchema": {"type": "string"}}), Level::Fail, "not `object`");
        check(
            json!({"name": "a", "inputSchema": {"type": "object", "properties": {"x": {"type": "strin"}}}}),
            Level::Fail,
            "no JSON Schema",
        );
        check(json!({"name": "a", "inputSchema": {"type": "object", "required": ["x"]}}), Level::Warn, "no such property");
        check(
            json!({"name": "a", "inputSchema": {"type": "object", "properties": {"x": {"$ref": "https://x/y"}}}}),
            Level::Warn,
            "another place",
        );
        check(
            json!({"name": "a", "inputSchema": schema, "annotations": {"readOnlyHint": true, "destructiveHint": true}}),
            Level::Warn,
            "destroys",
        );
        let twice = [json!({"name": "a", "inputSchema": schema}), json!({"name": "a", "inputSchema": schema})];
        assert!(tools(&twice).iter().any(|check| check.message == "is there twice"));
    }
}
