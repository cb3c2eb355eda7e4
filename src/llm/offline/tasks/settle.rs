//! From a draft to the call that makes the task, or to the one question that is still open.

use serde_json::{Map, Value, json};

use super::create::Draft;
use super::moment::Day;
use super::numbers;
use super::said::{Kind, Said};
use super::sites;
use super::when::{self, DAYS, When};
use crate::domain::task::TaskKind;
use crate::llm::offline::slots::{args, rule};
use crate::llm::offline::talk::Lang;

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Slot {
    /// The page that is watched.
    Page,
    /// The sources of a digest.
    Sources,
    /// What is reminded of.
    What,
    /// When.
    When,
    /// At which time of that day.
    Time,
    /// Which number.
    Metric,
    /// Which threshold.
    Limit,
}

/// A new task, ready to be made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ready {
    pub(super) arguments: Map<String, Value>,
    /// Its moment waits for the clock.
    pub(super) needs_now: bool,
    pub(super) zone: Option<String>,
}

/// The hour where none is said, as in the configs.
const HOUR: u8 = 8;

/// The call, or what is missing.
pub(super) fn settle(draft: &Draft) -> Result<Ready, Slot> {
    let mut needs_now = false;
    let (kind, mut config) = match draft.kind {
        TaskKind::WebMonitor => (TaskKind::WebMonitor, monitor(draft)?),
        TaskKind::ThresholdWatch => {
            if draft.threshold.metric.is_none() {
                return Err(Slot::Metric);
            }
            if draft.threshold.limit.is_none() {
                return Err(Slot::Limit);
            }
            (TaskKind::ThresholdWatch, draft.threshold.config(period(&draft.when)))
        }
        TaskKind::NewsDigest if draft.urls.is_empty() => return Err(Slot::Sources),
        TaskKind::NewsDigest if is_daily(&draft.when) => (TaskKind::NewsDigest, digest(draft)),
        TaskKind::NewsDigest | TaskKind::Schedule => {
            if draft.kind == TaskKind::Schedule && draft.text.is_empty() {
                return Err(Slot::What);
            }
            let (mut config, now) = schedule(&draft.when)?;
            needs_now = now;
            if draft.kind == TaskKind::NewsDigest {
                config.extend(args(&[("action", json!("news_digest")), ("news_urls", json!(draft.urls))]));
            } else if draft.prompts {
                config.insert("action".to_owned(), json!(draft.text));
            }
            (TaskKind::Schedule, config)
        }
    };
    config.extend(draft.when.zone.as_ref().map(|zone| ("timezone".to_owned(), json!(zone))));
    config.extend(draft.channel.notification.clone().map(|notification| ("notification".to_owned(), Value::Object(notification))));
    let description = if draft.description.trim().is_empty() { kind.as_str().replace('_', " ") } else { draft.description.clone() };
    let mut arguments =
        args(&[("task_type", json!(kind.as_str())), ("description", json!(description)), ("config", Value::Object(config))]);
    arguments.extend(draft.channel.callback_url.as_ref().map(|url| ("callback_url".to_owned(), json!(url))));
    Ok(Ready { arguments, needs_now, zone: draft.when.zone.clone() })
}

fn monitor(draft: &Draft) -> Result<Map<String, Value>, Slot> {
    if draft.urls.is_empty() {
        return Err(Slot::Page);
    }
    let mut config = args(&[
        ("urls", json!(draft.urls)),
        ("keywords", json!(draft.keywords)),
        ("check_interval_minutes", numbers::json(period(&draft.when).unwrap_or(30.0))),
    ]);
    for (from, to) in [("css", "selector"), ("json_pointer", "json_pointer")] {
        config.extend(draft.threshold.source.get(from).map(|value| (to.to_owned(), value.clone())));
    }
    Ok(config)
}

fn digest(draft: &Draft) -> Map<String, Value> {
    let (hour, minute) = draft.when.times.first().copied().unwrap_or((HOUR, 0));
    let mut config = args(&[("news_urls", json!(draft.urls)), ("hour", json!(hour))]);
    if minute != 0 {
        config.insert("minute".to_owned(), json!(minute));
    }
    if !draft.keywords.is_empty() {
        config.insert("categories".to_owned(), json!(draft.keywords));
    }
    config.extend(draft.top.map(|top| ("top".to_owned(), json!(top))));
    config
}

/// How often a page or a number is looked at, in minutes: its schedule knows intervals only.
fn period(when: &When) -> Option<f64> {
    when.every.or(when.daily.then_some(1_440.0)).or((when.weekly || !when.days.is_empty()).then_some(10_080.0))
}

/// Whether a digest's own time of day is enough.
fn is_daily(when: &When) -> bool {
    let other = when.every.is_some() || when.weekly || !when.days.is_empty() || when.cron.is_some() || when.month_day.is_some();
    !other && when.once.is_none() && when.times.len() <= 1
}

/// The times of a schedule, and whether its moment waits for the clock.
fn schedule(when: &When) -> Result<(Map<String, Value>, bool), Slot> {
    let cron = |cron: String| Ok((args(&[("type", json!("cron")), ("cron", json!(cron))]), false));
    let first = when.times.first().copied();
    let (hour, minute) = first.unwrap_or((HOUR, 0));
    if let Some(expression) = &when.cron {
        return cron(expression.clone());
    }
    if let Some(day) = when.month_day {
        return cron(format!("{minute} {hour} {day} * *"));
    }
    // Cron counts the days from Sunday.
    let mut numbers: Vec<String> = when.days.iter().map(|day| ((day + 1) % 7).to_string()).collect();
    numbers.sort();
    let days = match when.days.as_slice() {
        [] => "*".to_owned(),
        [0, 1, 2, 3, 4] => "1-5".to_owned(),
        _ => numbers.join(","),
    };
    if when.times.len() > 1 {
        let hours: Vec<String> = when.times.iter().map(|(hour, _)| hour.to_string()).collect();
        let same = when.times.iter().all(|(_, other)| *other == minute);
        return if same && when.once.is_none() { cron(format!("{minute} {} * * {days}", hours.join(","))) } else { Err(Slot::When) };
    }
    match when.every {
        Some(every) if !when.days.is_empty() => return within_days(every, &days).map_or(Err(Slot::When), cron),
        Some(every) => return Ok((args(&[("type", json!("interval")), ("minutes", numbers::json(every))]), false)),
        None => {}
    }
    if !when.days.is_empty() {
        let names: Vec<&str> = when.days.iter().filter_map(|day| DAYS.get(*day).copied()).collect();
        let config = [("type", json!("weekly")), ("days", json!(names)), ("hour", json!(hour)), ("minute", json!(minute))];
        return Ok((args(&config), false));
    }
    if when.weekly {
        let Some(Day::Weekday { day, .. }) = when.once else { return Err(Slot::When) };
        let config = [("type", json!("weekly")), ("days", json!([DAYS.get(day)])), ("hour", json!(hour)), ("minute", json!(minute))];
        return Ok((args(&config), false));
    }
    if when.daily {
        return Ok((args(&[("type", json!("daily")), ("hour", json!(hour)), ("minute", json!(minute))]), false));
    }
    let written = match (&when.once, first) {
        (Some(day @ Day::In { .. }), _) => day.written((0, 0)),
        (Some(day), Some(time)) => day.written(time),
        (Some(_), None) => return Err(Slot::Time),
        (None, Some(time)) => Day::Next.written(time),
        (None, None) => return Err(Slot::When),
    };
    Ok((args(&[("type", json!("once")), ("at", json!(written))]), true))
}

/// An interval on some days only, where cron can say it.
fn within_days(every: f64, days: &str) -> Option<String> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and small")]
    let whole = (every.fract() == 0.0 && (1.0..=720.0).contains(&every)).then_some(every as u32)?;
    match whole {
        60 => Some(format!("0 * * * {days}")),
        _ if whole < 60 && 60 % whole == 0 => Some(format!("*/{whole} * * * {days}")),
        _ if whole % 60 == 0 && 24 % (whole / 60) == 0 => Some(format!("0 */{} * * {days}", whole / 60)),
        _ => None,
    }
}

/// The question for what is missing.
pub(super) fn question(slot: Slot, lang: Lang) -> &'static str {
    match slot {
        Slot::Page => lang
            .pick("Which page shall I watch? Give its address or the name of a well-known site.", "要监控哪个网页？请给出网址或网站名。"),
        Slot::Sources => lang.pick(
            "Which sites shall the digest take its news from? Give names or addresses.",
            "摘要要汇总哪些网站的新闻？请给出网站名或网址。",
        ),
        Slot::What => lang.pick("What shall I remind you of?", "要提醒你什么？"),
        Slot::When => lang.pick(
            "When shall that be? For example “every day at 9”, “every Monday at 17:30” or “tomorrow at noon”.",
            "什么时候？例如“每天9点”、“每周一下午5点半”或“明天中午”。",
        ),
        Slot::Time => lang.pick("At what time of that day?", "那天几点？"),
        Slot::Metric => lang.pick(
            "Which number shall I watch? Give its name (such as “bitcoin”) or an address with a JSON pointer.",
            "要监控哪个数值？请给出名称（如“比特币”）或带 JSON 指针的网址。",
        ),
        Slot::Limit => lang.pick("At which value shall I tell you?", "到哪个数值时通知你？"),
    }
}

rule!(AMOUNT = r"(?i)(-?\d[\d,]*(?:\.\d+)?)\s*(k|thousand|million|m|bn|万|千|亿|百万)?");

/// Takes an answer to a question into the draft; `false` where it holds none.
pub(super) fn answered(draft: &mut Draft, slot: Slot, text: &str) -> bool {
    let mut said = Said::new(text);
    match slot {
        Slot::Page | Slot::Sources => {
            let urls: Vec<String> = said.masks(Kind::Url).into_iter().filter_map(|mask| said.meaning(mask)).map(str::to_owned).collect();
            more(draft, &mut said);
            let names: Vec<&str> = urls.iter().filter_map(|url| sites::names_of(url).into_iter().next()).collect();
            if !urls.is_empty() && !names.iter().any(|name| draft.description.to_lowercase().contains(name)) {
                let place = said.written(&super::create::cleaned(&said.text));
                draft.description = format!("{}: {place}", draft.description.trim_end_matches([':', '：']));
            }
            draft.urls.extend(urls);
            !draft.urls.is_empty()
        }
        Slot::What => {
            let fresh = super::create::read(text).filter(|fresh| fresh.kind == TaskKind::Schedule && !fresh.text.is_empty());
            more(draft, &mut said);
            draft.text = fresh.map_or_else(|| said.bare(&super::create::cleaned(&said.text)), |fresh| fresh.text);
            draft.description = draft.text.clone();
            !draft.text.is_empty()
        }
        Slot::When | Slot::Time => {
            let known = draft.when.clone();
            let mut when = when::take(&mut said);
            if !when.is_said() {
                when = when::take(&mut Said::new(&format!("at {}", text.trim())));
            }
            let enough = when.is_said();
            // What was asked again is what counts now.
            draft.when = when.or(known);
            enough
        }
        Slot::Metric => {
            let named = sites::metric(text).map(str::to_owned);
            let fresh = super::threshold::read(&mut said, draft.threshold.clone());
            draft.threshold.metric =
                if fresh.source.is_empty() { named.or(fresh.metric) } else { fresh.metric.or(Some("value".to_owned())) };
            draft.threshold.source.extend(fresh.source);
            draft.threshold.metric.is_some()
        }
        Slot::Limit => {
            let fresh = super::threshold::read(&mut said.clone(), draft.threshold.clone());
            let plain = AMOUNT.find(&said.text).and_then(|captures| {
                let value = numbers::number(captures.get(1)?.as_str())?;
                Some(value * captures.get(2).map_or(1.0, |suffix| numbers::scale(suffix.as_str())))
            });
            draft.threshold.limit = fresh.limit.or(plain);
            draft.threshold.direction = fresh.direction.or(draft.threshold.direction);
            draft.threshold.limit.is_some()
        }
    }
}

/// An answer may say more than was asked: who is told, and when.
fn more(draft: &mut Draft, said: &mut Said) {
    let channel = super::channel::take(said);
    draft.channel.notification = draft.channel.notification.take().or(channel.notification);
    let when = std::mem::take(&mut draft.when);
    draft.when = when.or(when::take(said));
}
