//! What the fields of a config owe each other.

use serde_json::{Map, Value, json};

use super::{Context, SpecError, suggest};
use crate::ambient::plan::{Plan, PlanError};
use crate::domain::clock::Instant;
use crate::domain::task::{Common, KindConfig, ScheduleConfig, ScheduleType, Source, TaskKind, TaskSpec, ThresholdWatch, WebMonitor};

/// Which field tells how a schedule repeats, where it does not say so itself.
const TELLING: [(&str, &str); 5] = [("cron", "cron"), ("at", "once"), ("days", "weekly"), ("minutes", "interval"), ("hour", "daily")];

/// Fields of a schedule that belong to some ways of repeating only.
const BELONGS: [(&str, &[&str]); 6] = [
    ("hour", &["daily", "weekly"]),
    ("minute", &["daily", "weekly"]),
    ("minutes", &["interval"]),
    ("days", &["weekly"]),
    ("cron", &["cron"]),
    ("at", &["once"]),
];

/// Fills in what follows from the rest, and asks for what is needed.
pub(super) fn complete(kind: TaskKind, config: &mut Map<String, Value>, context: &mut Context<'_>) -> Result<(), SpecError> {
    match kind {
        TaskKind::WebMonitor => filled(config, "urls", "the pages to watch, such as [\"https://example.com\"]"),
        TaskKind::NewsDigest => filled(config, "news_urls", "the pages to read, such as [\"https://news.ycombinator.com\"]"),
        TaskKind::ThresholdWatch => {
            present(config, "metric", "the name of the number, such as `bitcoin_price`")?;
            present(config, "threshold", "the number to compare with, such as 100000")
        }
        TaskKind::Schedule => repeat(config, context),
    }
}

fn repeat(config: &mut Map<String, Value>, context: &mut Context<'_>) -> Result<(), SpecError> {
    if !config.contains_key("type") {
        let telling = TELLING.iter().find(|(key, _)| config.contains_key(*key));
        let Some((key, repeat)) = telling else {
            return Err(missing("type", "`daily`, `interval`, `weekly`, `cron` or `once`"));
        };
        context.warn(format!("`config.type` is `{repeat}`, because `config.{key}` is given"));
        config.shift_insert(0, "type".to_owned(), json!(repeat));
    }
    let repeat = config.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    for (key, ways) in BELONGS {
        if config.contains_key(key) && !ways.contains(&repeat.as_str()) {
            context.warn(format!("`config.{key}` has no meaning for `{repeat}`"));
        }
    }
    match repeat.as_str() {
        "weekly" => filled(config, "days", "the days, such as [\"monday\", \"thursday\"]"),
        "cron" => present(config, "cron", "an expression such as `0 9 * * 1-5`"),
        "once" => present(config, "at", "a moment such as 2026-12-01T10:00:00Z"),
        _ => Ok(()),
    }
}

/// Checks a config as a whole.
pub(super) fn check(
    kind: &KindConfig,
    config: &Map<String, Value>,
    old: &Map<String, Value>,
    context: &mut Context<'_>,
) -> Result<(), SpecError> {
    dates(kind.common(), config, old, context)?;
    match kind {
        KindConfig::WebMonitor(monitor) => parts(monitor),
        KindConfig::Schedule(schedule) => moment(schedule, config, old, context),
        KindConfig::NewsDigest(_) => Ok(()),
        KindConfig::ThresholdWatch(watch) => threshold(watch, context),
    }
}

fn dates(common: &Common, config: &Map<String, Value>, old: &Map<String, Value>, context: &Context<'_>) -> Result<(), SpecError> {
    let Some(end) = common.end_at else { return Ok(()) };
    if let Some(start) = common.start_at.filter(|start| *start >= end) {
        return Err(SpecError::new(
            "config.end_at",
            format!("{end} is not after `start_at`, {start}"),
            "give a later end, or an earlier start",
        ));
    }
    if config.get("end_at") != old.get("end_at") && end <= context.now {
        return Err(past("config.end_at", end, context.now));
    }
    Ok(())
}

/// At most one way to choose the part of a page that is watched.
fn parts(monitor: &WebMonitor) -> Result<(), SpecError> {
    let given =
        [("selector", monitor.selector.is_some()), ("xpath", monitor.xpath.is_some()), ("json_pointer", monitor.json_pointer.is_some())];
    let mut given = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key);
    match (given.next(), given.next()) {
        (Some(one), Some(other)) => Err(SpecError::new(
            format!("config.{other}"),
            format!("cannot go with `config.{one}`"),
            "keep the one that chooses the part to watch",
        )),
        _ => Ok(()),
    }
}

fn moment(
    schedule: &ScheduleConfig,
    config: &Map<String, Value>,
    old: &Map<String, Value>,
    context: &Context<'_>,
) -> Result<(), SpecError> {
    let digest = schedule.action.as_deref() == Some(TaskKind::NewsDigest.as_str());
    if digest && schedule.news_urls.is_empty() {
        return Err(missing("news_urls", "the pages to read, such as [\"https://news.ycombinator.com\"]"));
    }
    match schedule.at {
        Some(at) if schedule.repeat == ScheduleType::Once && at <= context.now && config.get("at") != old.get("at") => {
            Err(past("config.at", at, context.now))
        }
        _ => Ok(()),
    }
}

fn threshold(watch: &ThresholdWatch, context: &Context<'_>) -> Result<(), SpecError> {
    if let Some(confirm) = watch.confirm.filter(|confirm| confirm.hits > confirm.of) {
        return Err(SpecError::new(
            "config.confirm.hits",
            format!("{} of {} readings cannot be", confirm.hits, confirm.of),
            "give `hits` no higher than `of`",
        ));
    }
    if let Some(source) = &watch.source {
        return one_source(source);
    }
    if context.defaults.metrics.contains(&watch.metric) {
        return Ok(());
    }
    let near = suggest::near(&watch.metric, context.defaults.metrics.iter().map(String::as_str));
    let known = context.defaults.metrics.iter().take(12).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let known = if known.is_empty() { String::new() } else { format!(" or take one of {known}") };
    let message = format!("is missing, and no metric is called `{}`{near}", suggest::shown(&watch.metric));
    Err(SpecError::new(
        "config.source",
        message,
        format!("give {{\"url\": …, \"json_pointer\": …}}, {{\"server\": …, \"tool\": …}} or {{\"command\": […]}}{known}"),
    ))
}

fn one_source(source: &Source) -> Result<(), SpecError> {
    let tool = source.server.is_some() || source.tool.is_some();
    let ways = usize::from(source.url.is_some()) + usize::from(tool) + usize::from(!source.command.is_empty());
    if ways != 1 {
        let message = if ways == 0 { "says not where the number comes from" } else { "names more than one place" };
        return Err(SpecError::new("config.source", message, "give one of `url`, `server` with `tool`, `command`"));
    }
    if tool && (source.server.is_none() || source.tool.is_none()) {
        let lacks = if source.server.is_none() { "server" } else { "tool" };
        return Err(missing(&format!("source.{lacks}"), "the server's name and the tool's name together"));
    }
    if let [one] = source.command.as_slice()
        && one.contains(' ')
    {
        return Err(SpecError::new(
            "config.source.command",
            "is one text with blanks, and no shell takes it apart",
            "give the program and its arguments as a list",
        ));
    }
    let picks = [&source.json_pointer, &source.css, &source.regex].into_iter().filter(|pick| pick.is_some()).count();
    if picks > 1 && !(picks == 2 && source.regex.is_some()) {
        return Err(SpecError::new(
            "config.source.css",
            "cannot go with `config.source.json_pointer`",
            "keep the one that fits the answer",
        ));
    }
    Ok(())
}

/// A task that would never run is not made.
pub(super) fn comes_due(spec: &TaskSpec, context: &Context<'_>) -> Result<(), SpecError> {
    let plan = Plan::new(spec, &context.defaults.zone).map_err(|error| match error {
        PlanError::Cron { expression, reason } => {
            let message = format!("`{}` is no cron expression: {}", suggest::shown(&expression), suggest::shown(&reason));
            SpecError::new(
                "config.cron",
                message,
                "give 5 fields such as `0 9 * * 1-5` (minute hour day month weekday), 6 with the second in front, or `@daily`",
            )
        }
        PlanError::Zone { name } => {
            SpecError::new("config.timezone", format!("`{name}` is no time zone"), "give a name such as `Europe/Berlin`")
        }
        PlanError::Field { field, reason } => SpecError::new(format!("config.{field}"), reason, "give another value"),
    })?;
    let common = spec.kind.common();
    if plan.next_after(context.now).is_some() || common.end_at.is_none() {
        return Ok(());
    }
    Err(SpecError::new("config.end_at", "comes before the task would be due for the first time", "give a later end"))
}

fn filled(config: &Map<String, Value>, key: &str, what: &str) -> Result<(), SpecError> {
    match config.get(key).and_then(Value::as_array) {
        None => Err(missing(key, what)),
        Some(list) if list.is_empty() => Err(SpecError::new(format!("config.{key}"), "is empty", format!("give {what}"))),
        Some(_) => Ok(()),
    }
}

fn present(config: &Map<String, Value>, key: &str, what: &str) -> Result<(), SpecError> {
    if config.contains_key(key) { Ok(()) } else { Err(missing(key, what)) }
}

fn missing(key: &str, what: &str) -> SpecError {
    SpecError::new(format!("config.{key}"), "is missing", format!("give {what}"))
}

fn past(field: &str, at: Instant, now: Instant) -> SpecError {
    SpecError::new(field, format!("{at} lies in the past"), format!("give a moment after {now}"))
}
