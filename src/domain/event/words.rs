//! Background tasks, notices and the inbox in one line each, the same on every surface.

use std::borrow::Cow;

use crate::domain::event::TaskEvent;
use crate::domain::memory::MemoryEvent;
use crate::domain::notice::{DeliveryStatus, InboxEvent, InboxKind, Notification};
use crate::domain::task::{Decision, TaskFact};

/// Characters of a task's id that a line shows: enough to name it.
const ID_CHARS: usize = 8;

/// The start of an id, by which people name it.
pub fn short_id(id: &str) -> &str {
    id.char_indices().nth(ID_CHARS).map_or(id, |(at, _)| &id[..at])
}

/// A task's event in one line.
pub fn task(event: &TaskEvent) -> String {
    let id = short_id(event.task_id.as_str());
    let text: Cow<'_, str> = match &event.fact {
        TaskFact::TaskCreated { spec } => format!("created {}: {}", spec.kind.kind().as_str(), spec.description).into(),
        TaskFact::TaskUpdated { changed, .. } => format!("changed: {}", changed.join(", ")).into(),
        TaskFact::TaskPaused { reason, by_itself: false } if reason.is_empty() => "paused".into(),
        TaskFact::TaskPaused { reason, .. } => format!("paused: {reason}").into(),
        TaskFact::TaskResumed {} => "resumed".into(),
        TaskFact::TaskCompleted { reason } => format!("completed: {reason}").into(),
        TaskFact::TaskDeleted {} => "deleted".into(),
        TaskFact::RunFinished(run) => format!("{}: {}", run.outcome.as_str(), run.reason).into(),
        TaskFact::OccurrencesSkipped { outcome, reason, count, .. } => format!("{} x{count}: {reason}", outcome.as_str()).into(),
        TaskFact::ChecksRolledUp(hour) => format!("{} quiet checks in an hour", hour.ran).into(),
        TaskFact::WebContentChange(data) => format!("page changed: {}", text(data, &["title", "url"])).into(),
        TaskFact::ScheduledTrigger(data) => format!("due: {}", text(data, &["description"])).into(),
        TaskFact::DailyNewsDigest(data) => format!("digest: {}", text(data, &["description", "digest_date"])).into(),
        TaskFact::ThresholdReached(data) => {
            let number = |name: &str| data.get(name).map(ToString::to_string).unwrap_or_default();
            format!("{}: {} passed {}", text(data, &["metric"]), number("value"), number("threshold")).into()
        }
        TaskFact::FiringJudged(judgement) => format!("{}: {}", decision(judgement.decision), judgement.reason).into(),
        TaskFact::PromptFinished { success, .. } => if *success { "the agent answered" } else { "the agent could not answer" }.into(),
        TaskFact::FeedbackGiven { fewer, .. } => if *fewer { "fewer like this" } else { "more like this" }.into(),
    };
    format!("{id} {text}")
}

/// A notice's event in one line.
pub fn notification(event: &Notification) -> String {
    let status = match event.status {
        DeliveryStatus::Queued if event.retry_at.is_some() => "waits",
        DeliveryStatus::Queued => "queued",
        DeliveryStatus::Sending => "sending",
        DeliveryStatus::Sent if event.simulated => "shown only (simulated)",
        DeliveryStatus::Sent => "sent",
        DeliveryStatus::Failed => "failed",
        DeliveryStatus::Suppressed => "held back",
        DeliveryStatus::Unknown => "outcome unknown",
    };
    format!("{} to {} {status}: {}", event.channel.as_str(), event.to, event.title)
}

/// The same with the reason where it failed or waits.
pub fn notification_and_why(event: &Notification) -> String {
    let told = notification(event);
    match &event.error {
        Some(error) => format!("{told} ({error})"),
        None => told,
    }
}

/// An event of the inbox in one line.
pub fn inbox(event: &InboxEvent) -> String {
    match event {
        InboxEvent::Added { item } => {
            let kind = match item.kind {
                InboxKind::Told => "told",
                InboxKind::Asks => "asks",
                InboxKind::Trouble => "trouble",
                InboxKind::Report => "report",
            };
            format!("inbox, {kind}: {}", item.title)
        }
        InboxEvent::Read { item_id } => format!("inbox: {} read", short_id(item_id.as_str())),
        InboxEvent::Unread { item_id } => format!("inbox: {} unread again", short_id(item_id.as_str())),
        InboxEvent::Snoozed { item_id, until } => format!("inbox: {} sleeps until {until}", short_id(item_id.as_str())),
        InboxEvent::Archived { item_id } => format!("inbox: {} archived", short_id(item_id.as_str())),
        InboxEvent::Answered { item_id, text } => format!("inbox: {} answered: {text}", short_id(item_id.as_str())),
    }
}

/// An event of the memories in one line.
pub fn memory(event: &MemoryEvent) -> String {
    match event {
        MemoryEvent::Recalled { notes, .. } if notes.notes.len() == 1 => "recalled 1 memory".to_owned(),
        MemoryEvent::Recalled { notes, .. } => format!("recalled {} memories", notes.notes.len()),
        MemoryEvent::Remembered { message, .. } | MemoryEvent::Updated { message, .. } | MemoryEvent::Forgotten { message, .. } => {
            message.clone()
        }
    }
}

/// Why a tool failed, for people: some tools answer with `{"status":"error","error":"…"}`, and the sentence in it is what
/// helps. Other texts stay as they are.
pub fn failure(error: &str) -> Cow<'_, str> {
    let envelope = Some(error.trim()).filter(|text| text.starts_with('{')).and_then(|text| serde_json::from_str(text).ok());
    let Some(serde_json::Value::Object(mut envelope)) = envelope else { return error.into() };
    let failed = envelope.get("status").is_some_and(|status| status == "error");
    match envelope.remove("error") {
        Some(serde_json::Value::String(reason)) if failed && !reason.trim().is_empty() => reason.into(),
        _ => error.into(),
    }
}

/// A decision as a word.
pub fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Notify => "notify",
        Decision::Ask => "ask",
        Decision::Ignore => "ignore",
    }
}

fn text<'a>(data: &'a serde_json::Map<String, serde_json::Value>, names: &[&str]) -> &'a str {
    let texts = names.iter().filter_map(|name| data.get(*name).and_then(serde_json::Value::as_str));
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_in_a_failed_result_is_what_people_read() {
        let check = |error: &str, shown: &str| assert_eq!(failure(error), shown);
        check(r#"{"status":"error","action":"x","data":{},"error":"`config.hour`: is too large"}"#, "`config.hour`: is too large");
        check("no such file", "no such file");
        for other in [r#"{"status":"error","error":" "}"#, r#"{"status":"error","error":{"code":1}}"#, r#"{"error":"x"}"#, "{broken"] {
            check(other, other);
        }
    }
}
