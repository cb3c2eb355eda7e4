//! The chain of a task's last run or firing on one screen: planned, due, run, what was found, which gate stopped it, what
//! was decided and why, what it cost, what became of the notices. Pure: rows, events and the time go in, lines come out.

pub mod schedule;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::ambient::why::schedule::{distance, moment, span};
use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventBody};
use crate::domain::notice::{ChannelKind, Delivery, DeliveryStatus};
use crate::domain::task::{
    Decision, Judge, Judgement, Notification, NotifyMethod, Outcome, RunFinished, TaskFact, TaskRow, TaskStatus, TaskWork,
};
use crate::domain::text::{clean_line, ellipsis};

/// The longest line, in characters. A fault says what to try at its end, so a whole one (300) fits behind its time.
const LINE_CHARS_MAX: usize = 400;

/// Notices that are told one by one.
const NOTICES_MAX: usize = 4;

/// A run counts as on time up to here.
const ON_TIME: Duration = Duration::from_secs(15);

/// The chain, a line a step. `history` is the task's events, newest first; `zone` is the machine's.
pub fn lines(row: &TaskRow, history: &[Arc<Event>], deliveries: &[Delivery], zone: &TimeZone, now: Instant) -> Vec<String> {
    let local = schedule::zone(&row.spec, zone);
    let facts: Vec<(Instant, &TaskFact)> = history
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::TaskEvent(task) => Some((event.at, &task.fact)),
            _ => None,
        })
        .collect();
    let mut out = vec![
        format!("task: {} ({}), {}", row.spec.description, row.spec.kind.kind().as_str(), row.spec.task_id),
        format!("planned: {}, times in {}", schedule::words(&row.spec, zone), local.iana_name().unwrap_or("the machine's zone")),
        state(row, &local, now),
    ];
    let told = facts.iter().find_map(|(_, fact)| match fact {
        TaskFact::RunFinished(run) => Some(run),
        _ => None,
    });
    match (row.work.as_ref().and_then(|work| work.last.as_ref()), told) {
        // The last run found nothing: it left no event of its own.
        (Some(last), told) if told.is_none_or(|run| run.started < last.at) => {
            out.push(format!("last run: {}, took {}: {}", at(last.at, &local, now), ms(last.duration_ms), last.note));
            if let Some(run) = told {
                out.push(format!("before that: {}", ran(run, &local, now)));
            }
        }
        (_, Some(run)) => out.push(format!("last run: {}", ran(run, &local, now))),
        (_, None) => out.push("last run: none yet".to_owned()),
    }
    if let Some(run) = told {
        out.extend(stopped(run, &local, now));
    }
    out.extend(row.work.as_ref().and_then(|work| quiet(work, &local)));
    if let Some((when, data)) = facts.iter().find_map(|(when, fact)| fired(fact).map(|data| (*when, data))) {
        out.push(format!("fired: {}: {}", at(when, &local, now), found(data)));
        let judged = facts.iter().find_map(|(at, fact)| match fact {
            TaskFact::FiringJudged(judgement) if *at >= when => Some(judgement),
            _ => None,
        });
        match judged {
            Some(judgement) => {
                out.extend(judged_lines(judgement));
                out.extend(receipts(row, judgement, deliveries, &local, now));
            }
            None => out.push("decision: none yet, it waits for the judge".to_owned()),
        }
    }
    out.extend(skipped(&facts, &local));
    let counts = row.counts;
    out.push(format!(
        "of the planned runs so far: {} ran, {} caught up, {} skipped as stale, {} skipped by overlap, {} missed, {} failed; fired {} times",
        counts.ran, counts.caught_up, counts.skipped_stale, counts.skipped_overlap, counts.missed, counts.failed, row.fired
    ));
    out.push(format!("cost so far: {} tokens, {}", row.tokens, dollars(row.cost_micros)));
    out.iter().map(|line| ellipsis(&clean_line(line), LINE_CHARS_MAX).into_owned()).collect()
}

/// Millionths of a US dollar as people read them.
pub fn dollars(micros: u64) -> String {
    if micros == 0 { "$0".to_owned() } else { format!("${}.{:06}", micros / 1_000_000, micros % 1_000_000) }
}

fn state(row: &TaskRow, zone: &TimeZone, now: Instant) -> String {
    let reason = row.status_reason.as_deref().filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}")).unwrap_or_default();
    let work = row.work.as_ref();
    if let Some(held) = work.filter(|work| work.owner.is_some() && work.lease_until.is_some_and(|until| until > now)) {
        return format!("due: running now, claimed by `{}`", held.owner.as_deref().unwrap_or_default());
    }
    match row.status {
        TaskStatus::Paused => format!("due: never while it is paused{reason}"),
        TaskStatus::Failed => format!("due: never, it paused itself{reason}; `wakeful tasks resume` tries again"),
        TaskStatus::Completed => format!("due: never again, it is completed{reason}"),
        TaskStatus::Active => match work.and_then(|work| work.wake) {
            Some(wake) if wake > now => format!("due: {}{}", at(wake, zone, now), retried(work)),
            Some(wake) => format!("due: since {} and not claimed yet: does `wakeful` run?", at(wake, zone, now)),
            None => "due: not planned, nothing will wake it".to_owned(),
        },
    }
}

fn retried(work: Option<&TaskWork>) -> String {
    match work {
        Some(work) if work.failures == 1 => ", after a failure".to_owned(),
        Some(work) if work.failures > 1 => format!(", after {} failures in a row", work.failures),
        Some(work) if work.extra_at.is_some() && work.extra_at == work.wake => ", out of turn".to_owned(),
        _ => String::new(),
    }
}

fn at(when: Instant, zone: &TimeZone, now: Instant) -> String {
    format!("{} ({})", moment(when, zone), distance(when, now))
}

fn ms(ms: u64) -> String {
    span(Duration::from_millis(ms))
}

fn ran(run: &RunFinished, zone: &TimeZone, now: Instant) -> String {
    let lateness = match run.due {
        None => "out of turn".to_owned(),
        Some(due) if run.started.since(due) <= ON_TIME => format!("on time for {}", moment(due, zone)),
        Some(due) => format!("{} late for {}", span(run.started.since(due)), moment(due, zone)),
    };
    let outcome = match run.outcome {
        Outcome::Ran => "ran",
        Outcome::CaughtUp => "caught up",
        Outcome::Failed => "failed",
        other => other.as_str(),
    };
    format!("{outcome} {}, {lateness}, took {}: {}", at(run.started, zone, now), ms(run.duration_ms), run.reason)
}

/// What ended a run early: a gate, or a failure and when it is tried again.
fn stopped(run: &RunFinished, zone: &TimeZone, now: Instant) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(gate) = &run.gate {
        out.push(format!("stopped by: {}", gate_words(gate)));
    }
    if run.outcome == Outcome::Failed {
        let again = run.retry_at.map_or_else(|| "not tried again by itself".to_owned(), |retry| format!("again {}", at(retry, zone, now)));
        out.push(format!("failures in a row: {}, {again}", run.failures));
    }
    out
}

fn gate_words(gate: &str) -> &str {
    match gate {
        "304" => "304: the server said that nothing changed",
        "hash" => "hash: the page is the same, byte for byte",
        "selector" => "selector: the watched part is the same",
        "ignore" => "ignore: only what does not count changed",
        "keywords" => "keywords: it changed, but none of the keywords is in the change",
        "numbers" => "numbers: the value is within its bounds",
        "baseline" => "baseline: the first look, there was nothing to compare with",
        "seen" => "seen: nothing but what was told before",
        "armed" => "armed: it fired already and has not gone back since",
        other => other,
    }
}

/// The hour that runs: looks that found nothing and left no event yet.
fn quiet(work: &TaskWork, zone: &TimeZone) -> Option<String> {
    let hour = &work.hour;
    if hour.ran == 0 {
        return None;
    }
    let gates: Vec<String> = hour.gates.iter().map(|(gate, count)| format!("{gate} x{count}")).collect();
    let gates = if gates.is_empty() { String::new() } else { format!(" ({})", gates.join(", ")) };
    Some(format!("quiet looks since {}: {}{gates}", moment(hour.hour, zone), hour.ran))
}

fn fired(fact: &TaskFact) -> Option<&Map<String, Value>> {
    match fact {
        TaskFact::WebContentChange(data)
        | TaskFact::ScheduledTrigger(data)
        | TaskFact::DailyNewsDigest(data)
        | TaskFact::ThresholdReached(data) => Some(data),
        _ => None,
    }
}

/// What a firing found, in one phrase.
fn found(data: &Map<String, Value>) -> String {
    let text = |key: &str| data.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let (Some(metric), Some(value)) = (text("metric"), data.get("value")) {
        let threshold = data.get("threshold").map(|threshold| format!(", threshold {threshold}")).unwrap_or_default();
        return format!("{metric} is {value}{threshold}");
    }
    let keywords: Vec<&str> =
        data.get("keywords_found").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let what =
        text("title").or_else(|| text("url")).or_else(|| text("digest_date")).or_else(|| text("description")).unwrap_or("something new");
    if keywords.is_empty() { what.to_owned() } else { format!("{what}, keywords: {}", keywords.join(", ")) }
}

fn judged_lines(judgement: &Judgement) -> Vec<String> {
    let decision = match judgement.decision {
        Decision::Notify => "notify",
        Decision::Ask => "ask, in the inbox",
        Decision::Ignore => "ignore",
    };
    let by = match judgement.by {
        Judge::Rule => "the task's rule".to_owned(),
        Judge::Model => judgement.model.clone().unwrap_or_else(|| "the model".to_owned()),
        Judge::Fallback => "the task's rule, for the model was away or over budget".to_owned(),
    };
    let mut out = vec![format!("decision: {decision}, by {by}: {}", judgement.reason)];
    if judgement.tokens > 0 || judgement.cost_micros > 0 {
        out.push(format!("judging took: {} tokens, {}, {}", judgement.tokens, dollars(judgement.cost_micros), ms(judgement.duration_ms)));
    }
    out
}

/// What became of a firing's notices, and of its entry in the inbox.
fn receipts(row: &TaskRow, judgement: &Judgement, deliveries: &[Delivery], zone: &TimeZone, now: Instant) -> Vec<String> {
    let mut out = Vec::new();
    for id in judgement.notices.iter().take(NOTICES_MAX) {
        match deliveries.iter().find(|delivery| delivery.notice_id == *id) {
            Some(delivery) => out.push(receipt(delivery, zone, now)),
            None => out.push(format!("notice: {id}, too old to tell what became of it")),
        }
    }
    if judgement.notices.len() > NOTICES_MAX {
        out.push(format!("notice: {} more", judgement.notices.len() - NOTICES_MAX));
    }
    if judgement.notices.is_empty() && judgement.decision == Decision::Notify {
        let method = row.spec.kind.common().notification.as_ref().map_or(NotifyMethod::None, |notification| notification.method);
        let why = if method == NotifyMethod::None { "the task names no channel" } else { "none was queued" };
        out.push(format!("notice: none, {why}"));
    }
    if let Some(item) = &judgement.inbox {
        out.push(format!("inbox: entry {item}"));
    }
    out
}

fn receipt(delivery: &Delivery, zone: &TimeZone, now: Instant) -> String {
    let status = match delivery.status {
        DeliveryStatus::Queued => "queued",
        DeliveryStatus::Sending => "being sent",
        DeliveryStatus::Sent if delivery.is_simulated() => "shown",
        DeliveryStatus::Sent => "sent",
        DeliveryStatus::Failed => "failed for good",
        DeliveryStatus::Suppressed => "held back",
        DeliveryStatus::Unknown => "outcome unknown: it may have arrived",
    };
    let mut out = format!("notice: {} to {} {status}, {} tries", delivery.channel.as_str(), delivery.to, delivery.attempts);
    if let Some(receipt) = &delivery.receipt {
        out.push_str(&format!(", receipt {receipt}"));
    }
    if let Some(error) = &delivery.error {
        out.push_str(&format!(": {error}"));
    }
    if let Some(next) = delivery.next_at.filter(|_| delivery.status == DeliveryStatus::Queued) {
        out.push_str(&format!(", next {}", at(next, zone, now)));
    }
    out
}

/// The last occurrences that did not run, where they are the newest that happened to its plan.
fn skipped(facts: &[(Instant, &TaskFact)], zone: &TimeZone) -> Option<String> {
    facts.iter().find_map(|(_, fact)| match fact {
        TaskFact::OccurrencesSkipped { outcome, reason, from, to, count } => {
            let when = if from == to { moment(*from, zone) } else { format!("{} to {}", moment(*from, zone), moment(*to, zone)) };
            Some(format!("left out: {count} ({}), {when}: {reason}", outcome.as_str().replace('_', " ")))
        }
        _ => None,
    })
}

/// Whom a task tells, receivers masked.
pub fn told_to(notification: Option<&Notification>) -> String {
    told_as(notification, &crate::domain::notice::masked)
}

/// The same with nothing masked: for the question whether that may be.
pub fn told_to_exactly(notification: Option<&Notification>) -> String {
    told_as(notification, &|_, to| clean_line(to))
}

fn told_as(notification: Option<&Notification>, shown: &dyn Fn(ChannelKind, &str) -> String) -> String {
    let Some(notification) = notification else { return "the inbox".to_owned() };
    let to = |channel: ChannelKind, to: &Option<String>| to.as_deref().map(|to| format!(" to {}", shown(channel, to))).unwrap_or_default();
    match notification.method {
        NotifyMethod::SendSms => format!("SMS{}", to(ChannelKind::Sms, &notification.phone_number)),
        NotifyMethod::SendEmail => format!("e-mail{}", to(ChannelKind::Email, &notification.email)),
        NotifyMethod::Webhook => format!("webhook{}", to(ChannelKind::Webhook, &notification.url)),
        NotifyMethod::Ntfy => format!("ntfy{}", to(ChannelKind::Ntfy, &notification.topic)),
        NotifyMethod::Desktop => "the desktop".to_owned(),
        NotifyMethod::None => "the inbox".to_owned(),
    }
}
