//! The form that an elicitation's schema describes. Pure.
//!
//! The schemas are those of MCP 2025-11-25: one flat object of strings, numbers, booleans and enums, the latter in four
//! spellings. What cannot be asked for in a form is said, not guessed.

use serde_json::{Map, Value};

use crate::domain::question::{Choice, Field, FieldKind, TextFormat};
use crate::domain::text::{clean, clean_line, ellipsis};

/// The most fields of a form.
const FIELDS_MAX: usize = 64;

/// The most options of a choice.
const OPTIONS_MAX: usize = 500;

/// The longest label and description, in characters.
const LABEL_CHARS_MAX: usize = 200;
const DESCRIPTION_CHARS_MAX: usize = 1_000;

/// The fields of the form.
///
/// # Errors
/// What is wrong with the schema.
pub(super) fn fields(schema: Option<&Value>) -> Result<Vec<Field>, String> {
    let Some(schema) = schema else { return Ok(Vec::new()) };
    let schema = schema.as_object().ok_or("`requestedSchema` is no object")?;
    let empty = Map::new();
    let properties = match schema.get("properties") {
        None => &empty,
        Some(properties) => properties.as_object().ok_or("`properties` is no object")?,
    };
    if properties.len() > FIELDS_MAX {
        return Err(format!("a form of more than {FIELDS_MAX} fields is not shown"));
    }
    let required: Vec<&str> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let field = |(name, schema): (&String, &Value)| {
        let schema = schema.as_object().ok_or_else(|| format!("the field `{}` has no schema", clean_line(name)))?;
        Ok(Field {
            name: name.clone(),
            title: Some(label(schema.get("title")).unwrap_or_else(|| clean_line(name))).filter(|title| title != name),
            description: schema
                .get("description")
                .and_then(Value::as_str)
                .map(|text| ellipsis(clean(text).trim(), DESCRIPTION_CHARS_MAX).into_owned()),
            required: required.contains(&name.as_str()),
            kind: kind(schema).map_err(|problem| format!("the field `{}` {problem}", clean_line(name)))?,
        })
    };
    properties.iter().map(field).collect()
}

fn label(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(|text| ellipsis(&clean_line(text), LABEL_CHARS_MAX).into_owned()).filter(|text| !text.is_empty())
}

fn kind(schema: &Map<String, Value>) -> Result<FieldKind, String> {
    let count = |key: &str| schema.get(key).and_then(Value::as_u64);
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    let default = schema.get("default");
    let text = || default.and_then(Value::as_str).map(str::to_owned);
    match schema.get("type").and_then(Value::as_str).unwrap_or("string") {
        "string" => Ok(match options(schema)? {
            Some(options) => FieldKind::Choice { default: text().filter(|value| has(&options, value)), options },
            None => FieldKind::Text {
                format: schema.get("format").and_then(Value::as_str).and_then(TextFormat::named),
                min_length: count("minLength"),
                max_length: count("maxLength"),
                default: text(),
            },
        }),
        kind @ ("number" | "integer") => Ok(FieldKind::Number {
            integer: kind == "integer",
            minimum: number("minimum"),
            maximum: number("maximum"),
            default: default.and_then(Value::as_f64),
        }),
        "boolean" => Ok(FieldKind::Boolean { default: default.and_then(Value::as_bool) }),
        "array" => {
            let items = schema.get("items").and_then(Value::as_object).ok_or("is a list of what is not said")?;
            let options = options(items)?.ok_or("is a list without options")?;
            let chosen = default.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            let default = chosen.filter(|value| has(&options, value)).map(str::to_owned).collect();
            Ok(FieldKind::Choices { options, min: count("minItems"), max: count("maxItems"), default })
        }
        other => Err(format!("is of the type `{}`, which no form has", clean_line(other))),
    }
}

fn has(options: &[Choice], value: &str) -> bool {
    options.iter().any(|option| option.value == value)
}

/// Options in any of their spellings: `enum` (with `enumNames`), `oneOf` and `anyOf` of `const` with `title`.
fn options(schema: &Map<String, Value>) -> Result<Option<Vec<Choice>>, String> {
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    let options: Vec<Choice> = if let Some(values) = list("enum") {
        let names = list("enumNames");
        let choice = |(at, value): (usize, &Value)| {
            let value = value.as_str()?.to_owned();
            let title = label(names.and_then(|names| names.get(at))).unwrap_or_else(|| clean_line(&value));
            Some(Choice { value, title })
        };
        values.iter().enumerate().filter_map(choice).collect()
    } else if let Some(values) = list("oneOf").or_else(|| list("anyOf")) {
        let choice = |option: &Value| {
            let value = option.get("const")?.as_str()?.to_owned();
            let title = label(option.get("title")).unwrap_or_else(|| clean_line(&value));
            Some(Choice { value, title })
        };
        values.iter().filter_map(choice).collect()
    } else {
        return Ok(None);
    };
    match options.len() {
        0 => Err("has no option that is text".to_owned()),
        1..=OPTIONS_MAX => Ok(Some(options)),
        _ => Err(format!("has more than {OPTIONS_MAX} options")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(schema: &Value) -> Result<Field, String> {
        let schema = json!({"type": "object", "properties": {"f": schema}, "required": ["f"]});
        fields(Some(&schema)).map(|mut fields| fields.remove(0))
    }

    #[test]
    fn every_primitive_of_the_protocol_becomes_a_field() {
        let check = |schema: Value, default: Option<Value>, typed: &str, value: Value| {
            let field = one(&schema).unwrap();
            assert!(field.required);
            assert_eq!(field.default_value(), default, "{schema}");
            assert_eq!(field.parse(typed), Ok(Some(value)), "{schema}");
        };
        check(json!({"type": "string", "format": "email", "default": "a@b"}), Some(json!("a@b")), "x@y", json!("x@y"));
        check(json!({"type": "integer", "minimum": 1, "default": 30}), Some(json!(30)), "2", json!(2));
        check(json!({"type": "number", "default": 9.5}), Some(json!(9.5)), "1.5", json!(1.5));
        check(json!({"type": "boolean", "default": true}), Some(json!(true)), "no", json!(false));
        check(json!({"type": "string", "enum": ["a", "b"], "default": "b"}), Some(json!("b")), "a", json!("a"));
        check(json!({"type": "string", "enum": ["a"], "enumNames": ["Alpha"]}), None, "alpha", json!("a"));
        check(json!({"type": "string", "oneOf": [{"const": "a", "title": "Alpha"}]}), None, "Alpha", json!("a"));
        check(
            json!({"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "default": ["b"]}),
            Some(json!(["b"])),
            "1,2",
            json!(["a", "b"]),
        );
        check(json!({"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}}), None, "a", json!(["a"]));
    }

    #[test]
    fn what_no_form_has_is_said() {
        let check = |schema: Value, problem: &str| {
            let error = one(&schema).unwrap_err();
            assert!(error.contains(problem), "{error}");
        };
        check(json!({"type": "object"}), "which no form has");
        check(json!({"type": "array", "items": {"type": "string"}}), "without options");
        check(json!({"type": "string", "enum": []}), "no option");
        check(json!(true), "no schema");
        assert!(fields(Some(&json!([]))).is_err());
        assert_eq!(fields(None), Ok(Vec::new()));
    }

    #[test]
    fn hostile_text_is_cleaned_but_names_are_kept() {
        let schema = json!({"properties": {"a\u{1b}[31m": {"type": "string", "title": "red\u{1b}[0m\nline"}}});
        let field = fields(Some(&schema)).unwrap().remove(0);
        assert_eq!(field.name, "a\u{1b}[31m");
        assert!(!field.label().contains('\u{1b}') && !field.label().contains('\n'), "{:?}", field.label());
    }
}
