//! Fields of a form: what may be in them, and what a person typed means. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The key of its value.
    pub name: String,
    /// What people read instead of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the form is incomplete without it.
    #[serde(default)]
    pub required: bool,
    /// What may be in it.
    #[serde(flatten)]
    pub kind: FieldKind,
}

/// What may be in a field: the primitive schemas of MCP elicitation (2025-11-25).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FieldKind {
    /// Text.
    Text {
        /// Its form, where it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<TextFormat>,
        /// The fewest characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_length: Option<u64>,
        /// The most characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_length: Option<u64>,
        /// What it holds at first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<String>,
    },
    /// A number.
    Number {
        /// Whether only whole numbers count.
        #[serde(default)]
        integer: bool,
        /// The least.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        minimum: Option<f64>,
        /// The greatest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maximum: Option<f64>,
        /// What it holds at first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<f64>,
    },
    /// Yes or no.
    Boolean {
        /// What it holds at first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<bool>,
    },
    /// One of several.
    Choice {
        /// Of these.
        options: Vec<Choice>,
        /// What it holds at first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<String>,
    },
    /// Some of several.
    Choices {
        /// Of these.
        options: Vec<Choice>,
        /// The fewest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<u64>,
        /// The most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<u64>,
        /// What is chosen at first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        default: Vec<String>,
    },
}

/// Something that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What people read.
    pub title: String,
}

/// Forms of text that a field may ask for (JSON Schema `format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextFormat {
    /// An e-mail address.
    Email,
    /// A URI with a scheme.
    Uri,
    /// `2026-11-21`.
    Date,
    /// RFC 3339: `2026-11-21T20:00:00Z`.
    DateTime,
}

impl Field {
    /// What people read.
    pub fn label(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// What it holds at first.
    pub fn default_value(&self) -> Option<Value> {
        match &self.kind {
            FieldKind::Text { default, .. } | FieldKind::Choice { default, .. } => default.as_ref().map(|text| json!(text)),
            FieldKind::Number { integer: true, default, .. } => default.and_then(whole),
            FieldKind::Number { default, .. } => default.map(|number| json!(number)),
            FieldKind::Boolean { default } => default.map(|is| json!(is)),
            FieldKind::Choices { default, .. } if default.is_empty() => None,
            FieldKind::Choices { default, .. } => Some(json!(default)),
        }
    }

    /// The value that was typed; `None` where nothing was.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence.
    pub fn parse(&self, typed: &str) -> Result<Option<Value>, String> {
        let trimmed = typed.trim();
        if trimmed.is_empty() {
            return if self.required { Err("is needed".to_owned()) } else { Ok(None) };
        }
        let value = match &self.kind {
            FieldKind::Text { .. } => json!(typed),
            FieldKind::Number { integer, .. } => number(trimmed, *integer)?,
            FieldKind::Boolean { .. } => match trimmed.to_ascii_lowercase().as_str() {
                "yes" | "y" | "true" | "on" | "1" => json!(true),
                "no" | "n" | "false" | "off" | "0" => json!(false),
                _ => return Err("must be yes or no".to_owned()),
            },
            FieldKind::Choice { options, .. } => json!(chosen(options, trimmed)?),
            FieldKind::Choices { options, .. } => {
                let parts = trimmed.split(',').map(str::trim).filter(|part| !part.is_empty());
                json!(parts.map(|part| chosen(options, part)).collect::<Result<Vec<_>, _>>()?)
            }
        };
        self.check(Some(&value))?;
        Ok(Some(value))
    }

    /// Whether `value` may be sent.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence.
    pub fn check(&self, value: Option<&Value>) -> Result<(), String> {
        let Some(value) = value else {
            return if self.required { Err("is needed".to_owned()) } else { Ok(()) };
        };
        match &self.kind {
            FieldKind::Text { format, min_length, max_length, .. } => {
                let text = value.as_str().ok_or("must be text")?;
                check_length(text, *min_length, *max_length)?;
                format.map_or(Ok(()), |format| format.check(text))
            }
            FieldKind::Number { integer, minimum, maximum, .. } => {
                let number = value.as_f64().ok_or("must be a number")?;
                if *integer && number.fract() != 0.0 {
                    return Err("must be a whole number".to_owned());
                }
                match (minimum, maximum) {
                    (Some(least), _) if number < *least => Err(format!("must be at least {least}")),
                    (_, Some(most)) if number > *most => Err(format!("must be at most {most}")),
                    _ => Ok(()),
                }
            }
            FieldKind::Boolean { .. } => value.is_boolean().then_some(()).ok_or_else(|| "must be yes or no".to_owned()),
            FieldKind::Choice { options, .. } => known(options, value),
            FieldKind::Choices { options, min, max, .. } => {
                let values = value.as_array().ok_or("must be a list")?;
                values.iter().try_for_each(|value| known(options, value))?;
                let count = values.len() as u64;
                match (min, max) {
                    (Some(min), _) if count < *min => Err(format!("needs at least {min}")),
                    (_, Some(max)) if count > *max => Err(format!("takes at most {max}")),
                    _ => Ok(()),
                }
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a float as an integer saturates")]
fn whole(number: f64) -> Option<Value> {
    (number.is_finite() && number.fract() == 0.0).then(|| json!(number as i64))
}

fn number(typed: &str, integer: bool) -> Result<Value, String> {
    if let Ok(number) = typed.parse::<i64>() {
        return Ok(json!(number));
    }
    if integer {
        return Err("must be a whole number".to_owned());
    }
    typed.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| json!(number)).ok_or_else(|| "must be a number".to_owned())
}

/// An option by its value, its title or its number from 1.
fn chosen(options: &[Choice], typed: &str) -> Result<String, String> {
    let named = options
        .iter()
        .find(|option| option.value == typed)
        .or_else(|| options.iter().find(|option| option.title.eq_ignore_ascii_case(typed) || option.value.eq_ignore_ascii_case(typed)));
    let numbered = || typed.parse::<usize>().ok().and_then(|number| options.get(number.checked_sub(1)?));
    named.or_else(numbered).map(|option| option.value.clone()).ok_or_else(|| format!("has no option `{typed}`"))
}

fn known(options: &[Choice], value: &Value) -> Result<(), String> {
    let value = value.as_str().ok_or("must be one of the options")?;
    options.iter().any(|option| option.value == value).then_some(()).ok_or_else(|| format!("has no option `{value}`"))
}

fn check_length(text: &str, min: Option<u64>, max: Option<u64>) -> Result<(), String> {
    let count = text.chars().count() as u64;
    match (min, max) {
        (Some(min), _) if count < min => Err(format!("needs at least {min} characters")),
        (_, Some(max)) if count > max => Err(format!("takes at most {max} characters")),
        _ => Ok(()),
    }
}

impl TextFormat {
    /// The name in a schema.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "email" => Some(Self::Email),
            "uri" => Some(Self::Uri),
            "date" => Some(Self::Date),
            "date-time" => Some(Self::DateTime),
            _ => None,
        }
    }

    fn check(self, text: &str) -> Result<(), String> {
        let (fits, form) = match self {
            Self::Email => (is_email(text), "an e-mail address"),
            Self::Uri => (is_uri(text), "an address with a scheme, like https://…"),
            Self::Date => (text.parse::<jiff::civil::Date>().is_ok(), "a date like 2026-11-21"),
            Self::DateTime => (text.parse::<jiff::Timestamp>().is_ok(), "a time like 2026-11-21T20:00:00Z"),
        };
        fits.then_some(()).ok_or_else(|| format!("must be {form}"))
    }
}

fn is_email(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(char::is_whitespace))
}

fn is_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        let mut chars = scheme.chars();
        chars.next().is_some_and(|ch| ch.is_ascii_alphabetic())
            && chars.all(|ch| ch.is_ascii_alphanumeric() || "+-.".contains(ch))
            && !rest.is_empty()
            && !text.contains(char::is_whitespace)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: FieldKind) -> Field {
        Field { name: "f".to_owned(), title: None, description: None, required: false, kind }
    }

    fn check(kind: FieldKind, typed: &str, expected: Result<Option<Value>, &str>) {
        let got = field(kind).parse(typed);
        assert_eq!(got, expected.map_err(str::to_owned), "{typed}");
    }

    #[test]
    fn what_is_typed_becomes_the_fields_type() {
        let text = |format| FieldKind::Text { format, min_length: Some(2), max_length: Some(20), default: None };
        check(text(None), "a b", Ok(Some(json!("a b"))));
        check(text(None), "a", Err("needs at least 2 characters"));
        check(text(Some(TextFormat::Email)), "a@b", Ok(Some(json!("a@b"))));
        check(text(Some(TextFormat::Email)), "nobody", Err("must be an e-mail address"));
        check(text(Some(TextFormat::Date)), "2026-02-30", Err("must be a date like 2026-11-21"));
        check(text(Some(TextFormat::Uri)), "https://x", Ok(Some(json!("https://x"))));
        let number = |integer| FieldKind::Number { integer, minimum: Some(1.0), maximum: Some(9.0), default: None };
        check(number(true), "5", Ok(Some(json!(5))));
        check(number(true), "5.5", Err("must be a whole number"));
        check(number(false), "5.5", Ok(Some(json!(5.5))));
        check(number(false), "NaN", Err("must be a number"));
        check(number(false), "10", Err("must be at most 9"));
        check(FieldKind::Boolean { default: None }, "Yes", Ok(Some(json!(true))));
        check(FieldKind::Boolean { default: None }, "perhaps", Err("must be yes or no"));
    }

    #[test]
    fn choices_go_by_value_title_or_number() {
        let options =
            || [("r", "Red"), ("g", "Green")].map(|(value, title)| Choice { value: value.to_owned(), title: title.to_owned() }).to_vec();
        let one = || FieldKind::Choice { options: options(), default: None };
        check(one(), "red", Ok(Some(json!("r"))));
        check(one(), "2", Ok(Some(json!("g"))));
        check(one(), "blue", Err("has no option `blue`"));
        let some = || FieldKind::Choices { options: options(), min: Some(1), max: Some(1), default: Vec::new() };
        check(some(), "r", Ok(Some(json!(["r"]))));
        check(some(), "r, Green", Err("takes at most 1"));
        check(some(), " ", Ok(None));
    }

    #[test]
    fn a_needed_field_is_needed_and_defaults_keep_their_type() {
        let mut field = field(FieldKind::Number { integer: true, minimum: None, maximum: None, default: Some(30.0) });
        assert_eq!(field.default_value(), Some(json!(30)));
        field.required = true;
        assert_eq!(field.parse(""), Err("is needed".to_owned()));
        assert_eq!(field.check(None), Err("is needed".to_owned()));
    }
}
