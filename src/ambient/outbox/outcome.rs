//! How a delivery ended, as it is written down. Pure.

use crate::ambient::outbox::choose::Hold;
use crate::ambient::tell;
use crate::domain::clock::Instant;
use crate::domain::event::NewEvent;
use crate::domain::notice::{ChannelKind, DeliveryStatus, Notice, Notification, SHOWN_ONLY};
use crate::notify::rules::{Step, after_failure};
use crate::notify::{Receipt, SendError};
use crate::store::tasks::Op;

/// How a notice moved on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moved {
    pub(super) status: DeliveryStatus,
    pub(super) next_at: Option<Instant>,
    pub(super) error: Option<String>,
    pub(super) receipt: Option<String>,
    pub(super) simulated: bool,
}

impl Moved {
    pub(super) fn to(status: DeliveryStatus) -> Self {
        Self { status, next_at: None, error: None, receipt: None, simulated: false }
    }

    /// The event and the change of the row.
    pub(super) fn written(self, notice: &Notice, attempt: u32) -> (NewEvent, Op) {
        let event = Notification {
            simulated: self.simulated,
            error: self.error.clone(),
            retry_at: self.next_at,
            receipt: self.receipt.clone(),
            ..tell::moved(notice, self.status, attempt)
        };
        let Self { status, next_at, error, receipt, .. } = self;
        let op = Op::NoticeMoved { notice_id: notice.notice_id.clone(), status, next_at, error, receipt };
        (NewEvent::system(event), op)
    }
}

/// A notice waits untried. It is told once for one reason.
pub(super) fn held(hold: &Hold) -> (Option<NewEvent>, Op) {
    let Hold { due, until, why } = hold;
    let notice = &due.notice;
    let event = Notification {
        error: Some((*why).to_owned()),
        retry_at: Some(*until),
        ..tell::moved(notice, DeliveryStatus::Queued, due.attempts)
    };
    let op = Op::NoticeHeld { notice_id: notice.notice_id.clone(), until: *until, reason: Some((*why).to_owned()), attempts: due.attempts };
    ((due.reason.as_deref() != Some(*why)).then(|| NewEvent::system(event)), op)
}

/// How try number `attempt` ended that the end of the program cut off: it may have arrived. Where the receiver knows a
/// repeat it is tried again at once, but not without end: the notice may be what ends the program.
pub(super) fn interrupted(channel: ChannelKind, attempt: u32, tries_max: u32, now: Instant) -> Moved {
    let error = Some("the program ended while it was being sent; it may have arrived".to_owned());
    if channel.is_idempotent() && attempt < tries_max {
        Moved { next_at: Some(now), error, ..Moved::to(DeliveryStatus::Queued) }
    } else {
        Moved { error, ..Moved::to(DeliveryStatus::Unknown) }
    }
}

/// How try number `attempt` of at most `tries_max` ended.
pub(super) fn of(channel: ChannelKind, sent: Result<Receipt, SendError>, attempt: u32, tries_max: u32, now: Instant, random: f64) -> Moved {
    let error = match sent {
        Ok(receipt) => {
            let id = receipt.id.or((!receipt.detail.is_empty()).then_some(receipt.detail));
            let id =
                if receipt.simulated { Some(id.map_or(SHOWN_ONLY.to_owned(), |detail| format!("{SHOWN_ONLY}; {detail}"))) } else { id };
            return Moved { receipt: id, simulated: receipt.simulated, ..Moved::to(DeliveryStatus::Sent) };
        }
        Err(error) => error,
    };
    let told = Some(error.to_string());
    match after_failure(channel, &error, attempt, tries_max, now, random) {
        Step::Retry(at) => Moved { next_at: Some(at), error: told, ..Moved::to(DeliveryStatus::Queued) },
        Step::Fail => Moved { error: told, ..Moved::to(DeliveryStatus::Failed) },
        Step::Unknown => Moved { error: told, ..Moved::to(DeliveryStatus::Unknown) },
    }
}
