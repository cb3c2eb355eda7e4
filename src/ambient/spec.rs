//! Makes tasks out of what people, models and programs ask for: checks every field, and says which is wrong and what
//! would be right. Pure; nothing exists before all is good.

mod address;
mod fields;
mod notification;
mod rules;
mod shapes;
mod suggest;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::domain::clock::Instant;
use crate::domain::ids::TaskId;
use crate::domain::task::{DEFAULT_USER, KindConfig, TaskKind, TaskSpec};
use crate::domain::text::clean_line;

/// The largest config, in bytes of JSON.
const CONFIG_BYTES_MAX: usize = 64 * 1024;
/// The longest description, in characters.
const DESCRIPTION_MAX: usize = 500;
/// The longest name of an owner, in characters.
const USER_MAX: usize = 128;
/// The most warnings: a config of nonsense is not repeated in full.
const WARNINGS_MAX: usize = 20;

/// A task that may be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// The task.
    pub spec: TaskSpec,
    /// What was passed over or read in a way worth telling: `config.keyword` is not known; did you mean `keywords`?
    pub warnings: Vec<String>,
    /// For an update: the fields that changed (`description`, `config.urls`); empty for a new task.
    pub changed: Vec<String>,
}

/// What is wrong with a field, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {message}; {hint}")]
pub struct SpecError {
    /// The field, from the tool's arguments down: `config.cron`, `config.urls[2]`.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

/// What a task is made of, as the tool takes it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// `web_monitor`, `schedule`, `news_digest` or `threshold_watch`.
    pub task_type: String,
    /// What it is for.
    pub description: String,
    /// An object, or a string that holds one.
    pub config: Value,
    /// Where its firings are posted.
    pub callback_url: Option<String>,
    /// Who owns it; `default` where empty.
    pub user_id: Option<String>,
}

/// Checks the page selectors of a config (`web::page` knows CSS and XPath): the reason where one is no good.
pub type SelectorCheck = fn(kind: Selector, text: &str) -> Result<(), String>;

/// Which language a selector is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// CSS.
    Css,
    /// `XPath`.
    XPath,
}

/// What the check needs to know of its surroundings.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The machine's zone.
    pub zone: TimeZone,
    /// The callback of tasks that name none (`EVENT_FEEDBACK_URL`).
    pub feedback_url: Option<String>,
    /// The metrics that the config knows a source for.
    pub metrics: BTreeSet<String>,
    /// Checks selectors; unchecked where absent.
    pub selectors: Option<SelectorCheck>,
}

/// What reading a config needs at hand.
struct Context<'a> {
    defaults: &'a Defaults,
    /// The zone of the task, for moments that name none.
    zone: TimeZone,
    now: Instant,
    warnings: Vec<String>,
}

impl Context<'_> {
    fn warn(&mut self, warning: String) {
        if self.warnings.len() < WARNINGS_MAX && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

impl SpecError {
    fn new(field: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), hint: hint.into() }
    }
}

/// Makes a task.
///
/// # Errors
/// The first field that is no good.
pub fn build(task_id: TaskId, request: &Request, now: Instant, defaults: &Defaults) -> Result<Built, SpecError> {
    let kind = task_kind(&request.task_type)?;
    let description = description(&request.description)?;
    let config = config(&request.config)?;
    let mut context = Context { defaults, zone: defaults.zone.clone(), now, warnings: Vec::new() };
    let kind = kind_config(kind, &config, &Map::new(), &mut context)?;
    let named = |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let callback_url = named(&request.callback_url).map(|url| address::url("callback_url", &url)).transpose()?;
    let user_id = clean_line(&named(&request.user_id).unwrap_or_else(|| DEFAULT_USER.to_owned()));
    if user_id.chars().count() > USER_MAX {
        return Err(SpecError::new("user_id", "is too long", format!("give at most {USER_MAX} characters")));
    }
    let callback_url = callback_url.or_else(|| defaults.feedback_url.clone());
    let spec = TaskSpec { task_id, kind, description, callback_url, user_id, created_at: now, agreed: None };
    rules::comes_due(&spec, &context)?;
    Ok(Built { spec, warnings: context.warnings, changed: Vec::new() })
}

/// Changes a task: `changes` may hold `description`, `callback_url` and `config`. The config is merged (RFC 7396): what
/// it names replaces, `null` takes a key away. Type, owner and id stay.
///
/// # Errors
/// The first field that is no good; the task is then as it was.
pub fn update(spec: &TaskSpec, changes: &Map<String, Value>, now: Instant, defaults: &Defaults) -> Result<Built, SpecError> {
    let mut context = Context { defaults, zone: defaults.zone.clone(), now, warnings: Vec::new() };
    let (mut new, mut altered) = (spec.clone(), Vec::new());
    let kind = spec.kind.kind();
    for (key, value) in changes {
        match (key.as_str(), value) {
            ("description", value) => new.description = description(&shapes::text(key, value, usize::MAX)?)?,
            ("callback_url", Value::Null) => new.callback_url = None,
            ("callback_url", value) => new.callback_url = Some(address::url(key, &shapes::text(key, value, usize::MAX)?)?),
            ("config", Value::Null) | ("task_id" | "user_id", _) => {}
            ("config", value) => {
                let old = stored(&spec.kind);
                let mut merged = Value::Object(old.clone());
                merge(&mut merged, &Value::Object(config(value)?), 0);
                new.kind = kind_config(kind, merged.as_object().unwrap_or(&old), &old, &mut context)?;
            }
            ("task_type", value) if value.as_str() == Some(kind.as_str()) => {}
            ("task_type", _) => {
                return Err(SpecError::new("task_type", format!("stays `{}`", kind.as_str()), "make a new task, and delete this one"));
            }
            (other, _) => {
                let near = suggest::near(other, ["description", "callback_url", "config"].into_iter());
                context.warn(format!("`{}` is not known and was left out{near}", suggest::shown(other)));
            }
        }
    }
    if new.description != spec.description {
        altered.push("description".to_owned());
    }
    if new.callback_url != spec.callback_url {
        altered.push("callback_url".to_owned());
    }
    let (old, stored) = (stored(&spec.kind), stored(&new.kind));
    let keys: BTreeSet<&String> = old.keys().chain(stored.keys()).collect();
    altered.extend(keys.into_iter().filter(|key| old.get(*key) != stored.get(*key)).map(|key| format!("config.{key}")));
    if new.kind != spec.kind {
        rules::comes_due(&new, &context)?;
    }
    Ok(Built { spec: new, warnings: context.warnings, changed: altered })
}

fn task_kind(given: &str) -> Result<TaskKind, SpecError> {
    let given = given.trim();
    let kind = TaskKind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(given));
    kind.ok_or_else(|| match given {
        "" => SpecError::new("task_type", "is missing", "give `web_monitor`, `schedule`, `news_digest` or `threshold_watch`"),
        given => suggest::unknown("task_type", given, &TaskKind::ALL.map(TaskKind::as_str)),
    })
}

fn description(given: &str) -> Result<String, SpecError> {
    let line = clean_line(given);
    match line.chars().count() {
        0 => Err(SpecError::new("description", "is empty", "say in a sentence what the task is for")),
        1..=DESCRIPTION_MAX => Ok(line),
        long => Err(SpecError::new("description", format!("is {long} characters long"), format!("give at most {DESCRIPTION_MAX}"))),
    }
}

/// The config as an object; a string that holds one is taken too.
fn config(value: &Value) -> Result<Map<String, Value>, SpecError> {
    let bytes = match value {
        Value::String(text) => text.len(),
        other => other.to_string().len(),
    };
    if bytes > CONFIG_BYTES_MAX {
        return Err(SpecError::new("config", format!("has {bytes} bytes"), format!("give at most {CONFIG_BYTES_MAX}")));
    }
    match value {
        Value::Null => Ok(Map::new()),
        Value::String(text) if text.trim().is_empty() => Ok(Map::new()),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(other) => shapes::object("config", &other).cloned(),
            Err(error) => Err(not_json(text, &error)),
        },
        other => shapes::object("config", other).cloned(),
    }
}

/// Says where the text stops being JSON, and what stands there.
fn not_json(text: &str, error: &serde_json::Error) -> SpecError {
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let from = error.column().saturating_sub(1).saturating_sub(12);
    let near: String = line.chars().skip(from).take(24).collect();
    let full = error.to_string();
    let what = full.split(" at line ").next().unwrap_or_default();
    let place = format!("line {}, column {}", error.line(), error.column());
    let message = format!("is not valid JSON: {what} at {place}, near `{}`", suggest::shown(&near));
    SpecError::new("config", message, "give an object such as {\"urls\": [\"https://example.com\"]}")
}

/// Reads and checks a config. `old` is the config before, empty for a new task: what it held may lie in the past.
fn kind_config(
    kind: TaskKind,
    config: &Map<String, Value>,
    old: &Map<String, Value>,
    context: &mut Context<'_>,
) -> Result<KindConfig, SpecError> {
    let rows = match kind {
        TaskKind::WebMonitor => fields::WEB_MONITOR,
        TaskKind::Schedule => fields::SCHEDULE,
        TaskKind::NewsDigest => fields::NEWS_DIGEST,
        TaskKind::ThresholdWatch => fields::THRESHOLD_WATCH,
    };
    let named = ["timezone", "time_zone", "tz"].into_iter().find_map(|key| config.get(key)?.as_str());
    if let Some(name) = named {
        let name = address::zone("config.timezone", name.trim())?;
        context.zone = TimeZone::get(&name).unwrap_or_else(|_| context.defaults.zone.clone());
    }
    let mut read = shapes::table(rows, "config", config, context)?;
    rules::complete(kind, &mut read, context)?;
    let tagged = json!({ "task_type": kind.as_str(), "config": read });
    // The tables have let through what the types take; should they differ one day, the type's own words are told.
    let typed: KindConfig =
        serde_json::from_value(tagged).map_err(|error| SpecError::new("config", error.to_string(), "see the fields of this task type"))?;
    rules::check(&typed, &read, old, context)?;
    Ok(typed)
}

/// A config as it is stored.
fn stored(kind: &KindConfig) -> Map<String, Value> {
    let tagged = serde_json::to_value(kind).unwrap_or_default();
    tagged.get("config").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Merges as RFC 7396 has it, as deep as configs go.
fn merge(into: &mut Value, changes: &Value, depth: u8) {
    let (Value::Object(map), Value::Object(changes)) = (&mut *into, changes) else {
        *into = changes.clone();
        return;
    };
    for (key, change) in changes {
        if change.is_null() {
            map.shift_remove(key);
        } else if depth < 3 && change.is_object() && map.get(key).is_some_and(Value::is_object) {
            merge(map.entry(key.clone()).or_insert(Value::Null), change, depth + 1);
        } else {
            map.insert(key.clone(), change.clone());
        }
    }
}
