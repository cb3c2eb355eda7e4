//! Turns the flags of `tasks add` and `tasks update` into a task's config. What a value means is checked where every task
//! is checked; here only flags that do not go with the type are refused.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::cli::args::tasks::Parts;
use crate::cli::output::Stop;
use crate::domain::clock::Instant;
use crate::domain::task::TaskKind;

/// The largest config file, in bytes; the check has a smaller limit of its own.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The config that the flags make for a task of the type `task_type`; `None` where they say nothing about it. Text that is
/// no JSON is handed on as it is: the check says where it breaks.
pub(super) fn config(parts: &Parts, task_type: &str, zone: &TimeZone) -> Result<Option<Value>, Stop> {
    let base = parts.config.as_deref().map(read).transpose()?;
    let flags = flags(parts, task_type, zone)?;
    if flags.is_empty() {
        return Ok(base);
    }
    match base {
        None | Some(Value::Null) => Ok(Some(Value::Object(flags))),
        Some(Value::Object(mut object)) => {
            lay_over(&mut object, flags);
            Ok(Some(Value::Object(object)))
        }
        Some(other) => Ok(Some(other)),
    }
}

fn lay_over(object: &mut Map<String, Value>, flags: Map<String, Value>) {
    for (name, value) in flags {
        match (object.get_mut(&name), value) {
            (Some(Value::Object(below)), Value::Object(above)) if name == "source" => below.extend(above),
            (_, value) => {
                object.insert(name, value);
            }
        }
    }
}

fn read(text: &str) -> Result<Value, Stop> {
    let text = match text.strip_prefix('@') {
        None => text.to_owned(),
        Some(path) => {
            let failed = |error: std::io::Error| Stop::Usage(format!("--task-config: could not read `{path}`: {error}"));
            let meta = std::fs::metadata(path).map_err(failed)?;
            if meta.len() > FILE_BYTES_MAX {
                return Err(Stop::Usage(format!("--task-config: `{path}` is longer than {FILE_BYTES_MAX} bytes")));
            }
            std::fs::read_to_string(path).map_err(failed)?
        }
    };
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A flag that does not go with the type.
fn wrong(flag: &str, kind: TaskKind, instead: &str) -> Stop {
    Stop::Usage(format!("{flag} does not go with {}: {instead}", kind.as_str()))
}

fn flags(parts: &Parts, task_type: &str, zone: &TimeZone) -> Result<Map<String, Value>, Stop> {
    // An unknown type is refused by the check, with the names of all types.
    let Some(kind) = TaskKind::ALL.into_iter().find(|kind| kind.as_str() == task_type) else { return Ok(Map::new()) };
    let mut out = looked_at(parts, kind)?;
    out.extend(due(parts, kind, zone)?);
    out.extend(number(parts, kind)?);
    out.extend(notification(parts).map(|notification| ("notification".to_owned(), notification)));
    out.extend(parts.timezone.as_ref().map(|zone| ("timezone".to_owned(), zone.as_str().into())));
    Ok(out)
}

/// The pages, the words, the part of the page.
fn looked_at(parts: &Parts, kind: TaskKind) -> Result<Map<String, Value>, Stop> {
    let mut out = Map::new();
    if !parts.urls.is_empty() {
        match kind {
            TaskKind::WebMonitor => out.insert("urls".to_owned(), json!(parts.urls)),
            TaskKind::NewsDigest | TaskKind::Schedule => out.insert("news_urls".to_owned(), json!(parts.urls)),
            TaskKind::ThresholdWatch => None,
        };
    }
    if !parts.keywords.is_empty() {
        match kind {
            TaskKind::WebMonitor => out.insert("keywords".to_owned(), json!(parts.keywords)),
            TaskKind::NewsDigest => out.insert("categories".to_owned(), json!(parts.keywords)),
            TaskKind::Schedule | TaskKind::ThresholdWatch => return Err(wrong("--keyword", kind, "it looks at no text")),
        };
    }
    let watched = [("--pointer", "json_pointer", &parts.pointer), ("--selector", "selector", &parts.selector)];
    for (flag, name, value) in watched {
        match (value, kind) {
            // Of a threshold they are parts of its source.
            (None, _) | (_, TaskKind::ThresholdWatch) => {}
            (Some(value), TaskKind::WebMonitor) => {
                out.insert(name.to_owned(), value.as_str().into());
            }
            (Some(_), TaskKind::Schedule | TaskKind::NewsDigest) => return Err(wrong(flag, kind, "it watches no part of a page")),
        }
    }
    Ok(out)
}

/// When it is due, and what a schedule does then.
fn due(parts: &Parts, kind: TaskKind, zone: &TimeZone) -> Result<Map<String, Value>, Stop> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    if let Some(every) = &parts.every {
        let minutes = minutes(duration("--every", every)?);
        match kind {
            TaskKind::WebMonitor | TaskKind::ThresholdWatch => put("check_interval_minutes", minutes),
            TaskKind::Schedule => {
                put("type", "interval".into());
                put("minutes", minutes);
            }
            TaskKind::NewsDigest => return Err(wrong("--every", kind, "a digest comes once a day, give its time with --at")),
        }
    }
    if let Some(at) = &parts.at {
        let (hour, minute) = time_of_day(at)?;
        match kind {
            TaskKind::Schedule => put("type", "daily".into()),
            TaskKind::NewsDigest => {}
            TaskKind::WebMonitor | TaskKind::ThresholdWatch => return Err(wrong("--at", kind, "give how often with --every")),
        }
        put("hour", hour.into());
        put("minute", minute.into());
    }
    let schedule_only = [
        ("--day", !parts.days.is_empty()),
        ("--cron", parts.cron.is_some()),
        ("--once", parts.once.is_some()),
        ("--do", parts.prompt.is_some()),
    ];
    if let Some((flag, _)) = schedule_only.iter().find(|(_, given)| *given && kind != TaskKind::Schedule) {
        return Err(wrong(flag, kind, "only a schedule takes it"));
    }
    if !parts.days.is_empty() {
        put("type", "weekly".into());
        put("days", json!(parts.days.iter().map(|day| day.trim().to_lowercase()).collect::<Vec<_>>()));
    }
    if let Some(cron) = &parts.cron {
        put("type", "cron".into());
        put("cron", cron.as_str().into());
    }
    if let Some(once) = &parts.once {
        put("type", "once".into());
        put("at", moment(once, parts, zone)?.to_string().into());
    }
    if let Some(prompt) = &parts.prompt {
        put("action", prompt.as_str().into());
    }
    Ok(out)
}

/// The number that is watched, its threshold and its source.
fn number(parts: &Parts, kind: TaskKind) -> Result<Map<String, Value>, Stop> {
    let mut out = Map::new();
    if kind != TaskKind::ThresholdWatch {
        let only = [("--metric", parts.metric.is_some()), ("--above", parts.above.is_some()), ("--below", parts.below.is_some())];
        return match only.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(wrong(flag, kind, "only a threshold_watch takes it")),
            None => Ok(out),
        };
    }
    if parts.urls.len() > 1 {
        return Err(wrong("a second --url", kind, "a number comes from one place"));
    }
    out.extend(parts.metric.as_ref().map(|metric| ("metric".to_owned(), metric.as_str().into())));
    if let Some((threshold, direction)) = parts.above.map(|at| (at, "above")).or(parts.below.map(|at| (at, "below"))) {
        out.insert("threshold".to_owned(), threshold.into());
        out.insert("direction".to_owned(), direction.into());
    }
    let mut source = Map::new();
    source.extend(parts.urls.first().map(|url| ("url".to_owned(), url.as_str().into())));
    source.extend(parts.pointer.as_ref().map(|pointer| ("json_pointer".to_owned(), pointer.as_str().into())));
    source.extend(parts.selector.as_ref().map(|css| ("css".to_owned(), css.as_str().into())));
    if !source.is_empty() {
        out.insert("source".to_owned(), Value::Object(source));
    }
    Ok(out)
}

fn notification(parts: &Parts) -> Option<Value> {
    let sms = parts.sms.as_ref().map(|number| json!({"method": "send_sms", "phone_number": number}));
    let email = parts.email.as_ref().map(|address| json!({"method": "send_email", "email": address}));
    let webhook = parts.webhook.as_ref().map(|url| json!({"method": "webhook", "url": url}));
    let ntfy = parts.ntfy.as_ref().map(|topic| json!({"method": "ntfy", "topic": topic}));
    sms.or(email).or(webhook).or(ntfy).or(parts.desktop.then(|| json!({"method": "desktop"})))
}

/// `30m`, `2h`, `10s`, `1d`, `500ms`; a number alone is minutes.
pub(in crate::cli) fn duration(flag: &str, text: &str) -> Result<Duration, Stop> {
    let wrong = || Stop::Usage(format!("{flag} {text}: not a time like 30m, 2h, 10s or 1d"));
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|ch: char| !ch.is_ascii_digit() && ch != '.').unwrap_or(text.len()));
    let seconds = match unit.trim() {
        "ms" => 0.001,
        "s" | "sec" => 1.0,
        "" | "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)
}

/// A whole number of minutes where it is one.
fn minutes(time: Duration) -> Value {
    let seconds = time.as_secs_f64();
    if time.subsec_nanos() == 0 && time.as_secs().is_multiple_of(60) { (time.as_secs() / 60).into() } else { (seconds / 60.0).into() }
}

fn time_of_day(text: &str) -> Result<(u8, u8), Stop> {
    let wrong = || Stop::Usage(format!("--at {text}: not a time of day like 08:00"));
    let (hour, minute) = text.trim().split_once(':').unwrap_or((text.trim(), "0"));
    // Out of range values go on: the check says so with the field's name.
    Ok((hour.parse().map_err(|_| wrong())?, minute.parse().map_err(|_| wrong())?))
}

fn moment(text: &str, parts: &Parts, zone: &TimeZone) -> Result<Instant, Stop> {
    let wrong = || Stop::Usage(format!("--once {text}: not a time like `2030-01-31 09:00` or `2030-01-31T09:00:00Z`"));
    if let Ok(at) = text.trim().parse::<Instant>() {
        return Ok(at);
    }
    let local: jiff::civil::DateTime = text.trim().parse().map_err(|_| wrong())?;
    let named = parts.timezone.as_deref().and_then(|name| TimeZone::get(name).ok());
    let at = local.to_zoned(named.unwrap_or_else(|| zone.clone())).map_err(|_| wrong())?;
    Ok(Instant::from_millis(at.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(task_type: &str, parts: &Parts, expected: &Value) {
        let made = config(parts, task_type, &TimeZone::UTC).map_err(|stop| stop.to_string());
        assert_eq!(made.as_ref().map(Option::as_ref), Ok(Some(expected)), "{task_type}");
    }

    #[test]
    fn flags_make_the_config_of_each_type() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let some = |text: &str| Some(text.to_owned());
        let monitor = Parts {
            urls: texts(&["https://techcrunch.com"]),
            keywords: texts(&["AI"]),
            every: some("30m"),
            sms: some("+1234567890"),
            ..Parts::default()
        };
        let told = json!({"method": "send_sms", "phone_number": "+1234567890"});
        let expected = json!({"urls": ["https://techcrunch.com"], "keywords": ["AI"], "check_interval_minutes": 30, "notification": told});
        check("web_monitor", &monitor, &expected);
        let digest = Parts { urls: texts(&["https://a.example"]), at: some("08:00"), ..Parts::default() };
        check("news_digest", &digest, &json!({"news_urls": ["https://a.example"], "hour": 8, "minute": 0}));
        let weekly = Parts { at: some("9:30"), days: texts(&["Monday"]), ..Parts::default() };
        check("schedule", &weekly, &json!({"type": "weekly", "hour": 9, "minute": 30, "days": ["monday"]}));
        let once = Parts { once: some("2030-01-31 09:00"), timezone: some("Asia/Tokyo"), ..Parts::default() };
        check("schedule", &once, &json!({"type": "once", "at": "2030-01-31T00:00:00.000Z", "timezone": "Asia/Tokyo"}));
        let watch = Parts {
            metric: some("price"),
            above: Some(20.0),
            urls: texts(&["http://x.example/p"]),
            pointer: some("/price"),
            every: some("10s"),
            ..Parts::default()
        };
        let source = json!({"url": "http://x.example/p", "json_pointer": "/price"});
        let minutes = 10.0 / 60.0;
        let expected =
            json!({"metric": "price", "threshold": 20.0, "direction": "above", "check_interval_minutes": minutes, "source": source});
        check("threshold_watch", &watch, &expected);
    }

    #[test]
    fn flags_go_over_the_config() {
        let parts = Parts { config: Some(r#"{"urls":["a"],"keywords":["x"]}"#.into()), every: Some("1h".into()), ..Parts::default() };
        check("web_monitor", &parts, &json!({"urls": ["a"], "keywords": ["x"], "check_interval_minutes": 60}));
        let broken = Parts { config: Some("{\"urls\":".into()), ..Parts::default() };
        check("web_monitor", &broken, &json!("{\"urls\":"));
    }

    #[test]
    fn flags_that_do_not_go_with_the_type_are_refused() {
        let refused = |task_type: &str, parts: Parts, says: &str| {
            let message = config(&parts, task_type, &TimeZone::UTC).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        };
        refused("news_digest", Parts { every: Some("1h".into()), ..Parts::default() }, "--at");
        refused("web_monitor", Parts { at: Some("8:00".into()), ..Parts::default() }, "--every");
        refused("web_monitor", Parts { cron: Some("@daily".into()), ..Parts::default() }, "only a schedule");
        refused("schedule", Parts { above: Some(1.0), ..Parts::default() }, "only a threshold_watch");
        refused("schedule", Parts { every: Some("soon".into()), ..Parts::default() }, "--every soon");
        refused("schedule", Parts { every: Some("0m".into()), ..Parts::default() }, "--every 0m");
        refused("schedule", Parts { at: Some("noon".into()), ..Parts::default() }, "--at noon");
        refused("schedule", Parts { once: Some("tomorrow".into()), ..Parts::default() }, "--once tomorrow");
    }
}
