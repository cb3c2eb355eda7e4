//! Reads how a task's owner is told: by which channel, and where to.

use serde_json::{Map, Value, json};

use super::shapes::{object, text};
use super::{Context, SpecError, address, suggest};

/// The names on the wire.
const METHODS: [&str; 6] = ["send_sms", "send_email", "webhook", "ntfy", "desktop", "none"];

/// Names that people and models use for them.
const ALIASES: [(&str, &str); 8] = [
    ("sms", "send_sms"),
    ("text", "send_sms"),
    ("phone", "send_sms"),
    ("email", "send_email"),
    ("mail", "send_email"),
    ("e-mail", "send_email"),
    ("push", "ntfy"),
    ("inbox", "none"),
];

/// The field that each method cannot do without, what it is and an example.
const RECEIVERS: [(&str, &str, &str, &str); 4] = [
    ("send_sms", "phone_number", "to send a text message", "+1234567890"),
    ("send_email", "email", "to send a mail", "name@example.com"),
    ("webhook", "url", "to call a webhook", "https://example.com/hook"),
    ("ntfy", "topic", "to push through ntfy", "my-alerts"),
];

/// Reads a notification.
pub(super) fn read(field: &str, value: &Value, context: &mut Context<'_>) -> Result<Value, SpecError> {
    let map = object(field, value)?;
    let mut out = Map::new();
    let given = |key: &str| map.get(key).filter(|value| !value.is_null());
    let method = method(field, map, context)?;
    out.insert("method".to_owned(), json!(method));
    for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        let path = format!("{field}.{key}");
        let reader = match key.as_str() {
            "phone_number" => address::phone,
            "email" => address::email,
            "url" => address::url,
            "topic" => address::topic,
            "method" => continue,
            other => {
                let near = suggest::near(other, ["method", "phone_number", "email", "url", "topic"].into_iter());
                context.warn(format!("`{field}.{}` is not known and was left out{near}", suggest::shown(other)));
                continue;
            }
        };
        out.insert(key.clone(), json!(reader(&path, &text(&path, value, 2_048)?)?));
    }
    match RECEIVERS.iter().find(|row| row.0 == method && given(row.1).is_none()) {
        Some((_, key, what, example)) => {
            Err(SpecError::new(format!("{field}.{key}"), format!("is needed {what}"), format!("give one such as {example}")))
        }
        None => Ok(Value::Object(out)),
    }
}

/// The method; where none is named, the one that the only receiver belongs to.
fn method(field: &str, map: &Map<String, Value>, context: &mut Context<'_>) -> Result<&'static str, SpecError> {
    let path = format!("{field}.method");
    if let Some(value) = map.get("method").filter(|value| !value.is_null()) {
        let given = text(&path, value, 64)?;
        let alias = ALIASES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&given)).map(|(_, method)| *method);
        let named = METHODS.into_iter().find(|name| name.eq_ignore_ascii_case(&given));
        return named.or(alias).ok_or_else(|| suggest::unknown(&path, &given, &METHODS));
    }
    let mut receivers = RECEIVERS.iter().filter(|row| map.get(row.1).is_some_and(|value| !value.is_null()));
    match (receivers.next(), receivers.next()) {
        (Some((method, key, ..)), None) => {
            context.warn(format!("`{path}` is `{method}`, because `{field}.{key}` is given"));
            Ok(method)
        }
        _ => Err(SpecError::new(path, "is missing", format!("give one of {}", METHODS.map(|name| format!("`{name}`")).join(", ")))),
    }
}
