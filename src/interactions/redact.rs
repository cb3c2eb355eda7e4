//! Takes out of records what must not leave this machine: secrets, addresses of mail, numbers of phones. Pure.
//!
//! It works on what a record holds, before the record is stored anywhere. Names of fields count too: what stands under
//! `password` or `authorization` is hidden whatever it looks like.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use crate::domain::secrets::{self, HIDDEN};
use crate::domain::text::{clean, cut_middle};

/// The longest text that a record keeps, in bytes; the middle of longer ones is left out.
pub const TEXT_BYTES_MAX: usize = 8 * 1024;

/// Fields below fields that are looked at; what lies deeper is left out.
const DEPTH_MAX: usize = 32;

/// The shortest secret that is looked for word by word; shorter ones would tear ordinary words.
const SECRET_BYTES_MIN: usize = 6;

/// Parts of names under which secrets stand.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "authorization",
    "credential",
    "cookie",
    "private_key",
    "bearer",
];

/// RFC 5321 allows more; this is what people use.
static MAIL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[\p{L}0-9._%+-]+@(?:[\p{L}0-9](?:[\p{L}0-9-]*[\p{L}0-9])?\.)+\p{L}{2,}").ok());

/// Numbers with a country's prefix (ITU-T E.164: at most 15 digits), in the form of North America, with a trunk 0, or of
/// a mobile phone in China.
static PHONE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?:\+|\b00)[1-9](?:[ ()./-]{0,2}[0-9]){6,14}\b|\(?\b[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}\b|\b0[1-9][0-9]{1,4}[ /-][0-9](?:[ -]?[0-9]){4,9}\b|\b1[3-9][0-9]{9}\b",
    )
    .ok()
});

/// Takes out secrets.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("known", &self.known.len()).finish()
    }
}

impl Redactor {
    /// Takes out these words too, wherever they stand: keys of the config.
    pub fn new(mut known: Vec<String>) -> Self {
        known.retain(|secret| secret.len() >= SECRET_BYTES_MIN);
        // One may hold another.
        known.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        known.dedup();
        Self { known }
    }

    /// `text` without secrets, addresses, numbers of phones and control characters, cut to [`TEXT_BYTES_MAX`].
    pub fn text(&self, text: &str) -> String {
        if is_plain(text) {
            return text.to_owned();
        }
        // Long texts are cut first, with a margin, so that no secret is torn into halves that no rule knows.
        let cut = cut_middle(text, TEXT_BYTES_MAX * 4);
        let mut out: Cow<'_, str> = clean(&cut);
        for secret in &self.known {
            if out.contains(secret.as_str()) {
                out = Cow::Owned(out.replace(secret.as_str(), HIDDEN));
            }
        }
        if let Cow::Owned(hidden) = secrets::masked(&out) {
            out = Cow::Owned(hidden);
        }
        for rule in [&*MAIL, &*PHONE].into_iter().flatten() {
            if let Cow::Owned(hidden) = rule.replace_all(&out, HIDDEN) {
                out = Cow::Owned(hidden);
            }
        }
        cut_middle(&out, TEXT_BYTES_MAX).into_owned()
    }

    /// A payload with each text in it redacted, names of fields included.
    pub fn payload(&self, payload: Map<String, Value>) -> Map<String, Value> {
        self.object(payload, 0)
    }

    fn object(&self, object: Map<String, Value>, depth: usize) -> Map<String, Value> {
        let field = |(name, value): (String, Value)| {
            let value = if speaks_of_secret(&name) { hidden(value) } else { self.value(value, depth + 1) };
            (self.text(&name), value)
        };
        object.into_iter().map(field).collect()
    }

    fn value(&self, value: Value, depth: usize) -> Value {
        match value {
            _ if depth > DEPTH_MAX => Value::Null,
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.value(item, depth + 1)).collect()),
            Value::Object(object) => Value::Object(self.object(object, depth)),
            plain => plain,
        }
    }
}

/// Our own words and ids: a single short word of lower-case letters, or a UUID (its digits may look like a number of a
/// phone).
fn is_plain(text: &str) -> bool {
    let is_word = text.len() < 40 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_word || (text.len() == 36 && uuid::Uuid::parse_str(text).is_ok())
}

fn speaks_of_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Numbers are counts (`input_tokens`) and stay; whatever else stands under such a name is hidden.
fn hidden(value: Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
        Value::String(_) | Value::Array(_) | Value::Object(_) => Value::String(HIDDEN.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_must_not_leave_is_taken_out() {
        let redactor = Redactor::new(vec!["house-key-77".to_owned(), "abc".to_owned()]);
        let check = |text: &str, gone: &str, rest: &str| {
            let out = redactor.text(text);
            assert!(!out.contains(gone) && out.contains(rest), "{text} → {out}");
        };
        check("write to anna.b+c@example.co.uk today", "anna", "today");
        check("écris à zoé@exemple.fr vite", "zoé@", "vite");
        check("call +49 170 1234567 now", "1234567", "now");
        check("call (212) 555-0199 now", "555", "now");
        check("call 030/1234567 now", "1234567", "now");
        check("打 13800138000 吧", "13800138000", "吧");
        check("key house-key-77 here", "house-key-77", "here");
        check("sk-proj-abcdefghijklmnopqrstuvwx123 end", "abcdefgh", "end");
        check("a\u{1b}[31mred", "\u{1b}", "red");
    }

    #[test]
    fn what_is_none_of_it_stays() {
        let redactor = Redactor::new(vec!["abc".to_owned()]);
        for text in [
            "on 2026-11-22 at 10:00",
            "1,234,567 rows in 0.25 s",
            "version 1.95.0",
            "abc",
            "a@b",
            "int_1767268800_0a1b2c3d",
            "port 8080",
            "01995c4f-0912-7123-8456-789012345678",
        ] {
            assert_eq!(redactor.text(text), text);
        }
    }

    #[test]
    fn names_of_fields_count() {
        let payload = json!({"headers": {"Authorization": "x", "Accept": "y"}, "input_tokens": 7, "client_secret": ["a"], "deep": [{"password": {"a": 1}}]});
        let Value::Object(payload) = payload else { unreachable!() };
        let out = Value::Object(Redactor::default().payload(payload));
        assert_eq!(
            out,
            json!({"headers": {"Authorization": "•••", "Accept": "y"}, "input_tokens": 7, "client_secret": "•••", "deep": [{"password": "•••"}]})
        );
    }

    #[test]
    fn long_texts_are_cut() {
        assert!(Redactor::default().text(&"word ".repeat(100_000)).len() <= TEXT_BYTES_MAX + 64);
    }
}
