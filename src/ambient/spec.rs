//! Makes tasks out of what people, models and programs ask for: checks every field, and says which is wrong and what
//! would be right. Pure; nothing exists before all is good.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::domain::clock::Instant;
use crate::domain::ids::TaskId;
use crate::domain::task::TaskSpec;

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

/// Checks the page selectors of a config (`ambient::page` knows CSS and XPath): the reason where one is no good.
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

/// Makes a task.
///
/// # Errors
/// The first field that is no good.
pub fn build(task_id: TaskId, request: &Request, now: Instant, defaults: &Defaults) -> Result<Built, SpecError> {
    todo!()
}

/// Changes a task: `changes` may hold `description`, `callback_url`, `config`; the config is merged, `null` takes a key
/// away. Its type, owner and id stay.
///
/// # Errors
/// The first field that is no good; the task is then as it was.
pub fn update(spec: &TaskSpec, changes: &Map<String, Value>, now: Instant, defaults: &Defaults) -> Result<Built, SpecError> {
    todo!()
}
