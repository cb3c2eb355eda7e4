//! How a delivery ended, as it is written down. Pure.

use crate::ambient::tell;
use crate::domain::clock::Instant;
use crate::domain::event::NewEvent;
use crate::domain::notice::{ChannelKind, DeliveryStatus, Notice, Notification};
use crate::notify::rules::{Step, after_failure};
use crate::notify::{Receipt, SendError};
use crate::store::tasks::{ClaimedNotice, Op};

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

/// A notice that was claimed goes back untried until then.
pub(super) fn held(claimed: &ClaimedNotice, until: Instant, reason: &str) -> (NewEvent, Op) {
    let notice = &claimed.notice;
    // The claim of an interrupted one was not counted as a try.
    let attempts = claimed.attempt.saturating_sub(u32::from(!claimed.interrupted));
    let event =
        Notification { error: Some(reason.to_owned()), retry_at: Some(until), ..tell::moved(notice, DeliveryStatus::Queued, attempts) };
    let op = Op::NoticeHeld { notice_id: notice.notice_id.clone(), until, reason: Some(reason.to_owned()), attempts };
    (NewEvent::system(event), op)
}

/// How try number `attempt` of at most `tries_max` ended.
pub(super) fn of(channel: ChannelKind, sent: Result<Receipt, SendError>, attempt: u32, tries_max: u32, now: Instant, random: f64) -> Moved {
    let error = match sent {
        Ok(receipt) => {
            let id = receipt.id.or((!receipt.detail.is_empty()).then_some(receipt.detail));
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
