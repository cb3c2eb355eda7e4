//! URI templates (RFC 6570, all operators, no lists): their variables, and the address with these filled in.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// What an operator does (RFC 6570, appendix A).
struct Operator {
    first: &'static str,
    separator: &'static str,
    named: bool,
    /// What stands behind the name of an empty value.
    if_empty: &'static str,
    reserved: bool,
}

fn operator(expression: &str) -> (Operator, &str) {
    let make = |first, separator, named, if_empty, reserved| Operator { first, separator, named, if_empty, reserved };
    let found = match expression.as_bytes().first() {
        Some(b'+') => make("", ",", false, "", true),
        Some(b'#') => make("#", ",", false, "", true),
        Some(b'.') => make(".", ".", false, "", false),
        Some(b'/') => make("/", "/", false, "", false),
        Some(b';') => make(";", ";", true, "", false),
        Some(b'?') => make("?", "&", true, "=", false),
        Some(b'&') => make("&", "&", true, "=", false),
        _ => return (make("", ",", false, "", false), expression),
    };
    (found, expression.get(1..).unwrap_or_default())
}

/// A variable's name and how many characters of it count.
fn variable(spec: &str) -> (&str, Option<usize>) {
    let spec = spec.trim().trim_end_matches('*');
    match spec.split_once(':') {
        Some((name, length)) => (name, length.parse().ok()),
        None => (spec, None),
    }
}

/// Literal text and expressions, in turn.
fn parts(template: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let open = rest.find('{');
        let close = open.and_then(|open| rest.get(open..).and_then(|tail| tail.find('}')).map(|close| (open, open + close)));
        let Some((open, close)) = close else {
            return Some((std::mem::take(&mut rest), None));
        };
        let part = (&rest[..open], Some(&rest[open + 1..close]));
        rest = &rest[close + 1..];
        Some(part)
    })
}

/// The variables of a template, each once, in order.
pub(crate) fn variables(template: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for expression in parts(template).filter_map(|(_, expression)| expression) {
        for spec in operator(expression).1.split(',') {
            let (name, _) = variable(spec);
            if !name.is_empty() && names.iter().all(|known| known != name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// The address with `values` in it; a variable without a value is left out.
pub(crate) fn expand(template: &str, values: &Map<String, Value>) -> String {
    let mut out = String::new();
    for (literal, expression) in parts(template) {
        out.push_str(literal);
        let Some(expression) = expression else { continue };
        let (operator, specs) = operator(expression);
        let mut any = false;
        for spec in specs.split(',') {
            let (name, length) = variable(spec);
            let Some(value) = values.get(name).and_then(Value::as_str) else { continue };
            let value: String = value.chars().take(length.unwrap_or(usize::MAX)).collect();
            out.push_str(if any { operator.separator } else { operator.first });
            any = true;
            if operator.named {
                out.push_str(name);
                out.push_str(if value.is_empty() { operator.if_empty } else { "=" });
            }
            encode(&value, operator.reserved, &mut out);
        }
    }
    out
}

fn encode(value: &str, reserved: bool, out: &mut String) {
    for ch in value.chars() {
        if ch.is_ascii_alphanumeric() || "-._~".contains(ch) || (reserved && ":/?#[]@!$&'()*+,;=".contains(ch)) {
            out.push(ch);
        } else {
            for byte in ch.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_are_filled_in_as_the_rfc_says() {
        let values = json!({"var": "value", "hello": "Hello World!", "path": "/foo/bar", "x": "1024", "y": "768", "empty": ""});
        // Examples of RFC 6570, section 3.2.
        for (template, expected) in [
            ("{var}", "value"),
            ("{hello}", "Hello%20World%21"),
            ("{+hello}", "Hello%20World!"),
            ("{+path}/here", "/foo/bar/here"),
            ("X{#var}", "X#value"),
            ("X{.var}", "X.value"),
            ("{/var,x}/here", "/value/1024/here"),
            ("{;x,y,empty}", ";x=1024;y=768;empty"),
            ("{?x,y,empty}", "?x=1024&y=768&empty="),
            ("?fixed=yes{&x}", "?fixed=yes&x=1024"),
            ("{var:3}", "val"),
            ("{x,hello,y}", "1024,Hello%20World%21,768"),
            ("{none}{var", "{var"),
            ("a{unknown}b", "ab"),
        ] {
            assert_eq!(expand(template, values.as_object().unwrap()), expected, "{template}");
        }
        assert_eq!(variables("test://{kind}/{+path*}{?q,kind}"), ["kind", "path", "q"]);
        assert!(variables("no://variables{").is_empty());
    }
}
