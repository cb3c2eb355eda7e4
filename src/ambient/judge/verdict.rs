//! A decision with its reason: what is told by it and to whom, and what it cost. Pure.

use crate::ambient::ports::{Answered, Opinion};
use crate::ambient::tell::{Bundle, From, Told};
use crate::domain::clock::Instant;
use crate::domain::firing::Feedback;
use crate::domain::notice::InboxKind;
use crate::domain::task::{Decision, Judge as By, Notification, NotifyMethod, TaskRow, TaskSpec, TaskStatus};

/// A decision and what is told.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) decision: Decision,
    pub(super) by: By,
    pub(super) reason: String,
    pub(super) kind: InboxKind,
    pub(super) title: Option<String>,
    pub(super) text: Option<String>,
    pub(super) model: Option<String>,
    pub(super) tokens: u64,
    pub(super) cost_micros: u64,
    pub(super) duration_ms: u64,
    pub(super) answered: Option<Answered>,
}

impl Verdict {
    pub(super) fn plain(decision: Decision, by: By, reason: String) -> Self {
        let kind = if decision == Decision::Ask { InboxKind::Asks } else { InboxKind::Told };
        Self { decision, by, reason, kind, title: None, text: None, model: None, tokens: 0, cost_micros: 0, duration_ms: 0, answered: None }
    }

    pub(super) fn of(opinion: Opinion) -> Self {
        Self {
            title: opinion.title,
            text: opinion.text,
            model: Some(opinion.model),
            tokens: opinion.tokens,
            cost_micros: opinion.cost_micros,
            ..Self::plain(opinion.decision, By::Model, opinion.reason)
        }
    }

    pub(super) fn answered(answered: Answered) -> Self {
        let reason = if answered.success { "the agent answered the prompt" } else { "the agent could not answer the prompt" };
        Self {
            kind: if answered.success { InboxKind::Report } else { InboxKind::Trouble },
            text: Some(answered.text.clone()),
            // The tokens stand in `prompt_finished`.
            answered: Some(answered),
            ..Self::plain(Decision::Notify, By::Rule, reason.to_owned())
        }
    }

    /// The program ended while the agent was at it: what it did is unknown, so it is not put to it again.
    pub(super) fn interrupted(prompt: &str) -> Self {
        let text = format!(
            "The program ended while the agent worked on `{prompt}`. What it had done by then is in its conversation. Run the task again if it is wanted."
        );
        Self {
            kind: InboxKind::Trouble,
            text: Some(text),
            ..Self::plain(Decision::Ask, By::Rule, "interrupted; not put to the agent again by itself".to_owned())
        }
    }
}

/// What is told, and to whom, by the decision. A firing that has a callback is posted there, whatever is decided.
pub(super) fn tell(spec: Option<&TaskSpec>, feedback: &Feedback, told: &Told, verdict: &Verdict, from: From<'_>, now: Instant) -> Bundle {
    let mut bundle = Bundle::default();
    let digest = feedback.event_type == "daily_news_digest";
    let kind = if digest && verdict.kind == InboxKind::Told { InboxKind::Report } else { verdict.kind };
    if verdict.decision != Decision::Ignore {
        bundle.inbox(kind, told, from, now);
    }
    if from.simulated {
        if verdict.decision == Decision::Notify {
            bundle.notice(&simulated_receiver(), told, from, now);
        }
        return bundle;
    }
    let Some(spec) = spec else { return bundle };
    if verdict.decision == Decision::Notify
        && let Some(to) = spec.kind.common().notification.as_ref().filter(|to| to.method != NotifyMethod::None)
    {
        bundle.notice(to, told, from, now);
    }
    if let Some(url) = &spec.callback_url {
        bundle.callback(url, feedback, told, from, now);
    }
    bundle
}

/// Whom a simulated event tells: a number that belongs to nobody (555-0100 is reserved for such use), and is not dialled.
fn simulated_receiver() -> Notification {
    Notification { method: NotifyMethod::SendSms, phone_number: Some("+15555550100".to_owned()), ..Notification::default() }
}

/// Whether the task may cost no more.
pub(super) fn over_budget(row: Option<&TaskRow>) -> bool {
    row.is_some_and(|row| cap(row, row.tokens, row.cost_micros).is_some())
}

/// Why the task pauses after this judgement, if it has to.
pub(super) fn cap_reached(row: &TaskRow, verdict: &Verdict) -> Option<String> {
    if row.status != TaskStatus::Active {
        return None;
    }
    let (more, dearer) = verdict.answered.as_ref().map_or((0, 0), |answered| (answered.tokens, answered.cost_micros));
    cap(row, row.tokens + verdict.tokens + more, row.cost_micros + verdict.cost_micros + dearer)
}

fn cap(row: &TaskRow, tokens: u64, cost_micros: u64) -> Option<String> {
    let common = row.spec.kind.common();
    if let Some(max) = common.tokens_max.filter(|max| tokens >= *max) {
        return Some(format!("it used {tokens} tokens; its `tokens_max` is {max}"));
    }
    #[expect(clippy::cast_precision_loss, reason = "millionths of a dollar stay far below 2^53")]
    let dollars = cost_micros as f64 / 1e6;
    let max = common.cost_usd_max.filter(|max| dollars >= *max)?;
    Some(format!("it cost {dollars:.4} US dollars; its `cost_usd_max` is {max}"))
}
