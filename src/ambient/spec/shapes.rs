//! Reads one value of a config in the shape its field wants, forgiving where only one meaning is possible (`"30"` for
//! 30, one address for a list of one), and clear where not.

use serde_json::{Map, Number, Value, json};

use super::{Context, Selector, SpecError, address, fields, suggest};
use crate::domain::text::{clean, clean_line};

/// The longest pattern: a selector, a pointer, a regular expression.
const PATTERN_MAX: usize = 1_000;
/// The longest text of other fields, in characters.
const TEXT_MAX: usize = 4_000;
/// The longest interval: ten years, in minutes.
const MINUTES_MAX: f64 = 5_256_000.0;
/// The shortest interval: one second, in minutes, with room for the rounding of a written fraction (0.0167).
const MINUTES_MIN: f64 = 0.0166;
/// The most memory a regular expression may take, compiled.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Text on one line.
    Line,
    /// Text of many lines.
    Text,
    Bool,
    /// A whole number within bounds.
    Whole(u64, u64, &'static str),
    /// A number, not below.
    Number(f64),
    /// A stretch of at least a second.
    Minutes,
    Choice(&'static [&'static str]),
    Url,
    /// At least one, at most so many.
    List(&'static Shape, usize),
    Moment,
    Zone,
    Days,
    Regex,
    Pointer,
    Css,
    XPath,
    /// One character of these.
    Sign(&'static str),
    /// Any object.
    Object,
    /// An object with fields of its own.
    Table(&'static [fields::Field]),
    Notification,
    Source,
}

/// Reads `value` of `field` as a `shape`.
pub(super) fn read(shape: Shape, field: &str, value: &Value, context: &mut Context<'_>) -> Result<Value, SpecError> {
    match shape {
        Shape::Line => Ok(json!(clean_line(&text(field, value, TEXT_MAX)?))),
        Shape::Text => Ok(json!(clean(&text(field, value, TEXT_MAX)?).trim())),
        Shape::Bool => boolean(field, value),
        Shape::Whole(low, high, what) => whole(field, value, low, high, what),
        Shape::Number(low) => number(field, value).and_then(|number| at_least(field, number, low)),
        Shape::Minutes => minutes(field, value),
        Shape::Choice(names) => choice(field, value, names),
        Shape::Url => address::url(field, &text(field, value, TEXT_MAX)?).map(Value::from),
        Shape::List(of, max) => list(*of, max, field, value, context),
        Shape::Moment => address::moment(field, &text(field, value, 64)?, &context.zone).map(|at| json!(at)),
        Shape::Zone => address::zone(field, &text(field, value, 64)?).map(Value::from),
        Shape::Days => days(field, value),
        Shape::Regex => regex(field, &text(field, value, PATTERN_MAX)?),
        Shape::Pointer => pointer(field, &text_or_empty(field, value, PATTERN_MAX)?),
        Shape::Css => selector(Selector::Css, field, value, context),
        Shape::XPath => selector(Selector::XPath, field, value, context),
        Shape::Sign(signs) => sign(field, value, signs),
        Shape::Object => object(field, value).map(|map| Value::Object(map.clone())),
        Shape::Table(rows) => table(rows, field, object(field, value)?, context).map(Value::Object),
        Shape::Notification => super::notification::read(field, value, context),
        Shape::Source => match value {
            Value::String(_) => Ok(json!({ "url": read(Shape::Url, &format!("{field}.url"), value, context)? })),
            _ => table(fields::SOURCE, field, object(field, value)?, context).map(Value::Object),
        },
    }
}

/// Reads the fields of an object; `null` counts as absent, a key that is not known is passed over with a warning.
pub(super) fn table(
    rows: &[fields::Field],
    path: &str,
    map: &Map<String, Value>,
    context: &mut Context<'_>,
) -> Result<Map<String, Value>, SpecError> {
    let mut out = Map::new();
    for (key, value) in map {
        let Some(row) = rows.iter().find(|row| row.key == key) else {
            let alias = fields::ALIASES.iter().find(|(from, to)| from == key && !map.contains_key(*to)).map(|(_, to)| *to);
            if let Some(row) = rows.iter().find(|row| Some(row.key) == alias) {
                context.warn(format!("`{path}.{key}` was read as `{path}.{}`", row.key));
                out.insert(row.key.to_owned(), read(row.shape, &format!("{path}.{}", row.key), value, context)?);
            } else {
                let near = suggest::near(key, rows.iter().map(|row| row.key));
                context.warn(format!("`{path}.{}` is not known and was left out{near}", suggest::shown(key)));
            }
            continue;
        };
        if !value.is_null() {
            out.insert(key.clone(), read(row.shape, &format!("{path}.{key}"), value, context)?);
        }
    }
    Ok(out)
}

pub(super) fn object<'v>(field: &str, value: &'v Value) -> Result<&'v Map<String, Value>, SpecError> {
    value.as_object().ok_or_else(|| wrong(field, value, "an object", "give it as {\"key\": value}"))
}

/// Text that says something; a number is taken for its digits.
pub(super) fn text(field: &str, value: &Value, max: usize) -> Result<String, SpecError> {
    let text = text_or_empty(field, value, max)?;
    if text.trim().is_empty() {
        return Err(SpecError::new(field, "is empty", "give it a text, or leave the field out"));
    }
    Ok(text.trim().to_owned())
}

fn text_or_empty(field: &str, value: &Value, max: usize) -> Result<String, SpecError> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => return Err(wrong(field, other, "a text", "give it in quotes")),
    };
    if text.chars().count() > max {
        return Err(SpecError::new(field, format!("is {} characters long", text.chars().count()), format!("give at most {max}")));
    }
    Ok(text)
}

fn boolean(field: &str, value: &Value) -> Result<Value, SpecError> {
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(json!(true)),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(json!(false)),
        other => Err(wrong(field, other, "true or false", "give true or false")),
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite())
}

fn number(field: &str, value: &Value) -> Result<f64, SpecError> {
    float(value).ok_or_else(|| wrong(field, value, "a number", "give digits, with `.` as the decimal sign"))
}

fn at_least(field: &str, number: f64, low: f64) -> Result<Value, SpecError> {
    if number < low {
        return Err(SpecError::new(field, format!("{number} is too low"), format!("give {low} or more")));
    }
    Ok(Value::Number(exact(number)))
}

/// The number as JSON, whole where it is whole.
fn exact(number: f64) -> Number {
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the bounds of exact whole numbers, checked here")]
    let whole = (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
    whole.map(Number::from).or_else(|| Number::from_f64(number)).unwrap_or_else(|| Number::from(0))
}

fn whole(field: &str, value: &Value, low: u64, high: u64, what: &str) -> Result<Value, SpecError> {
    let range = if high == u64::MAX { format!("{low} or more") } else { format!("from {low} to {high}") };
    let given = float(value).ok_or_else(|| wrong(field, value, what, &format!("give a number {range}")))?;
    let number = exact(given).as_u64().filter(|number| (low..=high).contains(number));
    number.map(Value::from).ok_or_else(|| SpecError::new(field, format!("{given} is not {what}"), format!("give a number {range}")))
}

fn minutes(field: &str, value: &Value) -> Result<Value, SpecError> {
    let minutes =
        float(value).ok_or_else(|| wrong(field, value, "a number of minutes", "give a number such as 30, or 0.5 for half a minute"))?;
    if !(MINUTES_MIN..=MINUTES_MAX).contains(&minutes) {
        let hint = "give minutes from 0.0167 (one second) to 5256000 (ten years)";
        return Err(SpecError::new(field, format!("{minutes} minutes is no interval to check at"), hint));
    }
    Ok(Value::Number(exact(minutes.max(1.0 / 60.0))))
}

fn choice(field: &str, value: &Value, names: &[&str]) -> Result<Value, SpecError> {
    let given = text(field, value, 64)?;
    let name = names.iter().find(|name| name.eq_ignore_ascii_case(&given));
    name.map(|name| json!(name)).ok_or_else(|| suggest::unknown(field, &given, names))
}

fn list(of: Shape, max: usize, field: &str, value: &Value, context: &mut Context<'_>) -> Result<Value, SpecError> {
    let items = match value {
        Value::Array(items) => items.clone(),
        Value::String(_) => vec![value.clone()],
        other => return Err(wrong(field, other, "a list", "give it as [\"one\", \"two\"]")),
    };
    if items.len() > max {
        return Err(SpecError::new(
            field,
            format!("has {} entries", items.len()),
            format!("give at most {max}; make a second task for the rest"),
        ));
    }
    let mut out: Vec<Value> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let item = read(of, &format!("{field}[{index}]"), item, context)?;
        // A doubled word or address changes nothing; a doubled argument of a command does.
        if matches!(of, Shape::Text) || !out.contains(&item) {
            out.push(item);
        }
    }
    Ok(Value::Array(out))
}

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

fn days(field: &str, value: &Value) -> Result<Value, SpecError> {
    let given: Vec<String> = match value {
        Value::Array(items) => items.iter().map(|item| text(field, item, 64)).collect::<Result<_, _>>()?,
        Value::String(text) => text.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        other => return Err(wrong(field, other, "a list of days", "give it as [\"monday\", \"thursday\"]")),
    };
    let mut days: Vec<&str> = Vec::new();
    for name in &given {
        let lower = name.to_lowercase();
        let found: &[&str] = match lower.as_str() {
            "weekdays" | "workdays" => DAYS.get(..5).unwrap_or_default(),
            "weekend" | "weekends" => DAYS.get(5..).unwrap_or_default(),
            "daily" | "every day" | "all" => &DAYS,
            short => {
                let at = DAYS.iter().position(|day| short.len() >= 3 && (day.starts_with(short) || short.strip_suffix('s') == Some(*day)));
                at.and_then(|at| DAYS.get(at..=at)).ok_or_else(|| suggest::unknown(field, name, &DAYS))?
            }
        };
        days.extend(found);
    }
    let mut out: Vec<&str> = Vec::new();
    days.iter().for_each(|day| {
        if !out.contains(day) {
            out.push(day);
        }
    });
    Ok(json!(out))
}

fn regex(field: &str, pattern: &str) -> Result<Value, SpecError> {
    let built = regex::RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
    built.map(|_| json!(pattern)).map_err(|error| {
        let full = error.to_string();
        let last = full.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
        SpecError::new(
            field,
            format!("`{}` is no regular expression: {last}", suggest::shown(pattern)),
            "put a `\\` before signs that stand for themselves",
        )
    })
}

fn pointer(field: &str, pointer: &str) -> Result<Value, SpecError> {
    let wild = pointer.match_indices('~').any(|(at, _)| !matches!(pointer.as_bytes().get(at + 1), Some(b'0' | b'1')));
    if wild || !(pointer.is_empty() || pointer.starts_with('/')) {
        let shown = suggest::shown(pointer);
        return Err(SpecError::new(
            field,
            format!("`{shown}` is no JSON pointer"),
            "give a path such as `/data/0/price` (`~1` for `/`, `~0` for `~` in a name)",
        ));
    }
    Ok(json!(pointer))
}

fn selector(kind: Selector, field: &str, value: &Value, context: &Context<'_>) -> Result<Value, SpecError> {
    let given = text(field, value, PATTERN_MAX)?;
    let (name, example) = match kind {
        Selector::Css => ("CSS selector", "`main .price`"),
        Selector::XPath => ("XPath", "`//main//h2`"),
    };
    if let Some(check) = context.defaults.selectors {
        check(kind, &given).map_err(|reason| {
            SpecError::new(
                field,
                format!("`{}` is no {name}: {}", suggest::shown(&given), clean_line(&reason)),
                format!("give one such as {example}"),
            )
        })?;
    }
    Ok(json!(given))
}

fn sign(field: &str, value: &Value, signs: &str) -> Result<Value, SpecError> {
    let given = text(field, value, 8)?;
    let mut chars = given.chars();
    match (chars.next(), chars.next()) {
        (Some(sign), None) if signs.contains(sign) => Ok(json!(given)),
        _ => Err(SpecError::new(field, format!("`{}` is no decimal sign", suggest::shown(&given)), "give `.` or `,`")),
    }
}

fn wrong(field: &str, value: &Value, wanted: &str, hint: &str) -> SpecError {
    let given = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(text) => return SpecError::new(field, format!("`{}` is not {wanted}", suggest::shown(text)), hint),
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    SpecError::new(field, format!("is {given}, not {wanted}"), hint)
}
