//! Arguments made from a tool's schema: what it says itself (default, example, constant, choice), else the plainest value
//! of the type. Pure.

use serde_json::{Map, Value, json};

/// How deep objects in objects are filled in.
const DEPTH_MAX: usize = 6;

/// Items of an array that are made.
const ITEMS_MAX: u64 = 8;

/// An object that fits `schema` as far as that can be told.
pub(super) fn arguments(schema: &Map<String, Value>) -> Map<String, Value> {
    match value(&Value::Object(schema.clone()), DEPTH_MAX) {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn value(schema: &Value, depth: usize) -> Value {
    for key in ["const", "default"] {
        if let Some(given) = schema.get(key) {
            return given.clone();
        }
    }
    for key in ["examples", "enum"] {
        if let Some(first) = schema.get(key).and_then(Value::as_array).and_then(|all| all.first()) {
            return first.clone();
        }
    }
    if depth == 0 {
        return Value::Null;
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(first) = schema.get(key).and_then(Value::as_array).and_then(|all| all.first()) {
            return value(first, depth - 1);
        }
    }
    match kind(schema) {
        "object" => object(schema, depth),
        "array" => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(ITEMS_MAX);
            let item = schema.get("items").map_or(Value::Null, |items| value(items, depth - 1));
            Value::Array((0..count).map(|_| item.clone()).collect())
        }
        "integer" | "number" => number(schema),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => json!(text(schema)),
    }
}

/// Needed fields, and those that say what they are.
fn object(schema: &Value, depth: usize) -> Value {
    let needed: Vec<&str> =
        schema.get("required").and_then(Value::as_array).map_or_else(Vec::new, |all| all.iter().filter_map(Value::as_str).collect());
    let properties = schema.get("properties").and_then(Value::as_object);
    let wanted =
        properties.into_iter().flatten().filter(|(name, schema)| needed.contains(&name.as_str()) || schema.get("default").is_some());
    Value::Object(wanted.map(|(name, schema)| (name.clone(), value(schema, depth - 1))).collect())
}

/// The type; the first that is no `null` of several.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ => "string",
    }
}

/// One, or the next number within the bounds.
fn number(schema: &Value) -> Value {
    let bound = |key: &str| schema.get(key).filter(|bound| bound.is_number());
    if let Some(least) = bound("minimum").filter(|least| least.as_f64().is_some_and(|least| least > 1.0)) {
        return least.clone();
    }
    if let Some(above) = bound("exclusiveMinimum").and_then(Value::as_i64).filter(|above| *above >= 1) {
        return json!(above.saturating_add(1));
    }
    match bound("maximum").filter(|most| most.as_f64().is_some_and(|most| most < 1.0)) {
        Some(most) => most.clone(),
        None => json!(1),
    }
}

fn text(schema: &Value) -> String {
    let plain = match schema.get("format").and_then(Value::as_str) {
        Some("uri" | "url") => "https://example.com/",
        Some("email") => "someone@example.com",
        Some("date") => "2026-01-01",
        Some("date-time") => "2026-01-01T00:00:00Z",
        _ => "test",
    };
    let least = schema.get("minLength").and_then(Value::as_u64).and_then(|least| usize::try_from(least).ok()).unwrap_or(0).min(1_000);
    let most = schema.get("maxLength").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let padded = plain.chars().chain(std::iter::repeat('x')).take(least.max(plain.len()));
    padded.take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_fit_their_schema() {
        let check =
            |schema: Value, expected: Value| assert_eq!(Value::Object(arguments(schema.as_object().unwrap())), expected, "{schema}");
        check(json!({}), json!({}));
        check(
            json!({"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "integer", "minimum": 5}, "c": {"type": "string"}}, "required": ["a", "b"]}),
            json!({"a": 1, "b": 5}),
        );
        check(
            json!({"properties": {"kind": {"enum": ["x", "y"]}, "on": {"type": ["null", "boolean"]}, "n": {"default": 7}}, "required": ["kind", "on"]}),
            json!({"kind": "x", "on": true, "n": 7}),
        );
        check(
            json!({"properties": {"o": {"type": "object", "properties": {"list": {"type": "array", "minItems": 2, "items": {"type": "string", "minLength": 6}}}, "required": ["list"]}}, "required": ["o"]}),
            json!({"o": {"list": ["testxx", "testxx"]}}),
        );
        check(
            json!({"properties": {"at": {"anyOf": [{"type": "string", "format": "date"}]}}, "required": ["at"]}),
            json!({"at": "2026-01-01"}),
        );
    }
}
