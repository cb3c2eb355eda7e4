//! The arguments of the commands about background tasks, the inbox and notices.

use serde_json::{Map, Value};

use super::{Want, some};
use crate::domain::task::{KindConfig, TaskKind, TaskSpec};
use crate::domain::text::{clean_line, ellipsis};

/// Channels that can be tried out.
const CHANNELS: [&str; 6] = ["sms", "email", "webhook", "ntfy", "desktop", "terminal"];

/// What can be done with a task.
const VERBS: [&str; 8] = ["why", "diff", "history", "run", "pause", "resume", "delete", "edit"];

/// What can be simulated: events, then the kinds that raise them.
const SIMULATED: [&str; 8] = [
    "web_content_change",
    "scheduled_trigger",
    "daily_news_digest",
    "threshold_reached",
    "web_monitor",
    "schedule",
    "news_digest",
    "threshold_watch",
];

/// Fields of a config that are lists: several values are written with commas.
const LISTS: [&str; 7] = ["urls", "keywords", "news_urls", "categories", "days", "ignore", "ignore_selectors"];

/// What is wanted of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskVerb {
    /// Open its page.
    Show,
    /// Why its last run came out as it did.
    Why,
    /// What changed last.
    Diff,
    /// What happened to it.
    History,
    /// Run it now.
    Run,
    /// Let it rest.
    Pause,
    /// Let it go on.
    Resume,
    /// Delete it; asks first.
    Delete,
    /// Change it: fields as the program takes them.
    Edit(Map<String, Value>),
}

/// `/task WORDS [VERB …]`.
pub(super) fn task(args: &str) -> Result<Want, String> {
    some(args, "the start of the task's id or words of its description")?;
    // Behind ` edit ` stand fields: what is before names the task.
    if let Some((wanted, fields)) = args.split_once(" edit ") {
        let changes = changes(fields)?;
        return Ok(Want::Task { wanted: wanted.trim().to_owned(), verb: TaskVerb::Edit(changes) });
    }
    let (front, last) = args.rsplit_once(char::is_whitespace).unwrap_or(("", args));
    let verb = match last {
        "why" => TaskVerb::Why,
        "diff" => TaskVerb::Diff,
        "history" => TaskVerb::History,
        "run" => TaskVerb::Run,
        "pause" => TaskVerb::Pause,
        "resume" => TaskVerb::Resume,
        "delete" => TaskVerb::Delete,
        "edit" if !front.is_empty() => return Err("what is to change is missing, like check_interval_minutes=15".to_owned()),
        _ => TaskVerb::Show,
    };
    // One word alone names a task, whatever the word is.
    let (wanted, verb) = if front.is_empty() || verb == TaskVerb::Show { (args, TaskVerb::Show) } else { (front, verb) };
    Ok(Want::Task { wanted: wanted.trim().to_owned(), verb })
}

/// `description='Two words' check_interval_minutes=15 keywords=AI,ML`: the fields of the task, those of its config beneath
/// `config`.
fn changes(fields: &str) -> Result<Map<String, Value>, String> {
    let words = shlex::split(fields).ok_or("a quotation mark is not closed")?;
    let mut changes = Map::new();
    let mut config = Map::new();
    for word in words {
        let shown = ellipsis(&clean_line(&word), 40).into_owned();
        let (name, value) = word.split_once('=').ok_or_else(|| format!("`{shown}` is no KEY=VALUE (quote values with blanks)"))?;
        if name.is_empty() {
            return Err(format!("`{shown}` has no key before the `=`"));
        }
        match name {
            "description" | "callback_url" => changes.insert(name.to_owned(), value.into()),
            _ => config.insert(name.to_owned(), read(name, value)),
        };
    }
    if !config.is_empty() {
        changes.insert("config".to_owned(), Value::Object(config));
    }
    if changes.is_empty() { Err("what is to change is missing, like check_interval_minutes=15".to_owned()) } else { Ok(changes) }
}

/// A value as JSON where it is some, a list where the field is one, else text.
fn read(name: &str, value: &str) -> Value {
    let parsed = serde_json::from_str::<Value>(value).ok();
    if LISTS.contains(&name) && !parsed.as_ref().is_some_and(Value::is_array) {
        return value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Value::from).collect();
    }
    parsed.unwrap_or_else(|| Value::from(value))
}

/// The command that changes a task, with what it is now: the user edits the values.
pub fn edit_line(spec: &TaskSpec) -> String {
    let mut out = format!("/task {} edit", crate::domain::event::words::short_id(spec.task_id.as_str()));
    let mut put = |name: &str, value: &str| {
        // Line breaks cannot stand in a command.
        let value = clean_line(value);
        let quoted = shlex::try_quote(&value).map(std::borrow::Cow::into_owned).unwrap_or_default();
        out.extend([" ", name, "=", quoted.as_str()]);
    };
    put("description", &spec.description);
    let config = serde_json::to_value(&spec.kind).ok().and_then(|mut value| value.get_mut("config").map(Value::take));
    let wanted: &[&str] = match &spec.kind {
        KindConfig::WebMonitor(_) => &["urls", "keywords", "check_interval_minutes"],
        KindConfig::Schedule(_) => &["type", "hour", "minute", "minutes", "days", "cron", "at", "action"],
        KindConfig::NewsDigest(_) => &["news_urls", "hour"],
        KindConfig::ThresholdWatch(_) => &["threshold", "direction", "check_interval_minutes"],
    };
    for name in wanted {
        match config.as_ref().and_then(|config| config.get(*name)) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => put(name, text),
            Some(Value::Array(parts)) => {
                let texts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
                // A comma inside of a part would tear it: then it is written as JSON.
                if texts.len() < parts.len() || texts.iter().any(|text| text.contains(',')) {
                    put(name, &Value::Array(parts.clone()).to_string());
                } else if !texts.is_empty() {
                    put(name, &texts.join(","));
                }
            }
            Some(other) => put(name, &other.to_string()),
        }
    }
    out
}

/// `/inbox [answer ID TEXT]`.
pub(super) fn inbox(args: &str) -> Result<Want, String> {
    if args.is_empty() {
        return Ok(Want::Inbox);
    }
    let (verb, rest) = args.split_once(char::is_whitespace).unwrap_or((args, ""));
    if verb != "answer" {
        return Err(format!("/inbox knows no `{}`", ellipsis(&clean_line(verb), 40)));
    }
    let (item, text) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    let item = some(item, "the start of the entry's id")?;
    let text = some(text.trim(), "the answer")?;
    Ok(Want::Answer { item, text })
}

/// `/simulate [EVENT_TYPE|KIND]`.
pub(super) fn simulate(args: &str) -> Result<Want, String> {
    if matches!(args, "" | "all") {
        return Ok(Want::Simulate(None));
    }
    let found = TaskKind::ALL.into_iter().find(|kind| [kind.as_str(), kind.event_type()].contains(&args));
    match found {
        Some(kind) => Ok(Want::Simulate(Some(kind))),
        None => Err(format!("`{}` cannot be simulated: one of {}", ellipsis(&clean_line(args), 40), SIMULATED.join(", "))),
    }
}

/// `/notify test [CHANNEL] [TO]`.
pub(super) fn notify(args: &str) -> Result<Want, String> {
    let mut words = args.split_whitespace();
    if words.next() != Some("test") {
        return Err("what to do is missing: test".to_owned());
    }
    let channel = words.next().map(str::to_owned);
    if let Some(channel) = channel.as_deref().filter(|channel| !CHANNELS.contains(channel)) {
        return Err(format!("no channel `{}`: one of {}", ellipsis(&clean_line(channel), 40), CHANNELS.join(", ")));
    }
    let to = words.next().map(str::to_owned);
    if words.next().is_some() {
        return Err("too many words".to_owned());
    }
    Ok(Want::Notify { channel, to })
}

/// The words that an argument of the command `name` may be, behind those `before` it.
pub(super) fn arguments(name: &str, before: &[&str]) -> &'static [&'static str] {
    match (name, before) {
        ("simulate", []) => &SIMULATED,
        ("notify", []) => &["test"],
        ("notify", ["test"]) => &CHANNELS,
        ("inbox", []) => &["answer"],
        ("task", [_, ..]) if !before.iter().any(|word| VERBS.contains(word)) => &VERBS,
        ("mcp", []) => &["list", "tools", "logs", "restart", "enable", "disable", "add", "remove"],
        ("approvals", []) => &["ask", "auto-read", "auto"],
        ("copy", []) => &["code"],
        ("memory", []) => &["edit", "export"],
        _ => &[],
    }
}
