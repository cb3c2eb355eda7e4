//! Arguments and their JSON Schema: values brought to the types that a schema asks for.
//!
//! Models write `"5"` for 5, `"true"` for true and one string for a list of one. [`coerce`] mends what has only one
//! reading and leaves everything else as it came, for the tool to refuse in its own words.

use serde_json::{Map, Number, Value};

/// The types a property's schema allows (`type` as text or list; those of `anyOf`/`oneOf` included), without `null`.
pub fn types(schema: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    match schema.get("type") {
        Some(Value::String(one)) => found.push(one.as_str()),
        Some(Value::Array(many)) => found.extend(many.iter().filter_map(Value::as_str)),
        _ => {}
    }
    for key in ["anyOf", "oneOf"] {
        for part in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
            if let Some(Value::String(one)) = part.get("type") {
                found.push(one.as_str());
            }
        }
    }
    if found.is_empty() && schema.get("enum").and_then(Value::as_array).is_some_and(|all| all.iter().all(Value::is_string)) {
        found.push("string");
    }
    found.retain(|name| *name != "null");
    found
}

/// The properties of an object schema.
pub fn properties(schema: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// The names of the properties that an object schema requires.
pub fn required(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Brings each argument to the type its property asks for, where that can be done without guessing; drops `null`s of
/// properties that are not required.
pub fn coerce(schema: &Map<String, Value>, arguments: Map<String, Value>) -> Map<String, Value> {
    let known = schema.get("properties").and_then(Value::as_object);
    let needed: Vec<&str> = required(schema).collect();
    let fit = |(name, value): (String, Value)| {
        if value.is_null() && !needed.contains(&name.as_str()) {
            return None;
        }
        let value = match known.and_then(|known| known.get(&name)) {
            Some(property) => coerce_value(property, value),
            None => value,
        };
        Some((name, value))
    };
    arguments.into_iter().filter_map(fit).collect()
}

/// Brings one value to the type its schema asks for; unchanged where it fits already or does not fit at all.
pub fn coerce_value(schema: &Value, value: Value) -> Value {
    let types = types(schema);
    if types.is_empty() || types.iter().any(|name| is_of(name, &value)) {
        return canonical_choice(schema, value);
    }
    for name in types {
        let fitted = match (name, &value) {
            ("integer", Value::String(text)) => parse_integer(text).map(Value::from),
            ("integer", Value::Number(number)) => number.as_f64().filter(|float| float.fract() == 0.0).and_then(whole).map(Value::from),
            ("number", Value::String(text)) => parse_number(text).map(Value::Number),
            ("boolean", Value::String(text)) => parse_boolean(text).map(Value::Bool),
            ("string", Value::Number(number)) => Some(Value::String(number.to_string())),
            ("string", Value::Bool(flag)) => Some(Value::String(flag.to_string())),
            ("object" | "array", Value::String(text)) => {
                serde_json::from_str::<Value>(text).ok().filter(|parsed| is_of(name, parsed)).or_else(|| {
                    let item = schema.get("items").cloned().unwrap_or(Value::Null);
                    (name == "array").then(|| Value::Array(vec![coerce_value(&item, value.clone())]))
                })
            }
            ("array", Value::Number(_) | Value::Bool(_) | Value::Object(_)) => Some(Value::Array(vec![value.clone()])),
            _ => None,
        };
        if let Some(fitted) = fitted {
            return canonical_choice(schema, fitted);
        }
    }
    value
}

/// Where the schema lists choices, the choice that differs from the value in case only.
fn canonical_choice(schema: &Value, value: Value) -> Value {
    let Some(choices) = schema.get("enum").and_then(Value::as_array) else { return value };
    let Some(text) = value.as_str().map(str::to_lowercase) else { return value };
    if choices.contains(&value) {
        return value;
    }
    let near = choices.iter().find(|choice| choice.as_str().is_some_and(|choice| choice.to_lowercase() == text));
    near.cloned().unwrap_or(value)
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim().replace([',', '_'], "");
    text.parse().ok().or_else(|| text.parse::<f64>().ok().filter(|float| float.fract() == 0.0).and_then(whole))
}

fn parse_number(text: &str) -> Option<Number> {
    let text = text.trim().replace([',', '_'], "");
    text.parse::<i64>().ok().map(Number::from).or_else(|| text.parse().ok().and_then(Number::from_f64))
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "是" | "对" => Some(true),
        "false" | "no" | "off" | "0" | "否" | "不" => Some(false),
        _ => None,
    }
}

/// The whole number of an `f64` that has no fraction, up to the 53 bits it can tell apart.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(float: f64) -> Option<i64> {
    (float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_brought_to_the_type_asked_for() {
        let check =
            |schema: Value, value: Value, expected: Value| assert_eq!(coerce_value(&schema, value.clone()), expected, "{schema} {value}");
        check(json!({"type": "integer"}), json!("1,200"), json!(1200));
        check(json!({"type": "integer"}), json!(3.0), json!(3));
        check(json!({"type": "integer"}), json!(3.5), json!(3.5));
        check(json!({"type": ["number", "null"]}), json!("2.5"), json!(2.5));
        check(json!({"type": "number"}), json!("seven"), json!("seven"));
        check(json!({"type": "boolean"}), json!("Yes"), json!(true));
        check(json!({"type": "string"}), json!(42), json!("42"));
        check(
            json!({"type": "array", "items": {"type": "integer"}}),
            json!("7"),
            json!(7).as_i64().map_or(json!(null), |seven| json!([seven])),
        );
        check(json!({"type": "array", "items": {"type": "string"}}), json!("[\"a\"]"), json!(["a"]));
        check(json!({"type": "object"}), json!("{\"a\":1}"), json!({"a": 1}));
        check(json!({"type": "string", "enum": ["Error", "debug"]}), json!("error"), json!("Error"));
        check(json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), json!("4"), json!(4));
    }

    #[test]
    fn null_counts_as_absent_where_it_may() {
        let schema = json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]});
        let arguments = json!({"a": null, "b": null, "c": 1});
        let coerced = coerce(schema.as_object().unwrap(), arguments.as_object().unwrap().clone());
        assert_eq!(Value::Object(coerced), json!({"a": null, "c": 1}));
    }
}
