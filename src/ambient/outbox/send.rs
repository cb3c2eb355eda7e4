//! Sends one notice that was claimed, and writes down how that went.

use std::time::Duration;

use crate::ambient::outbox::Deps;
use crate::ambient::outbox::outcome::{self, Moved};
use crate::domain::clock::Instant;
use crate::domain::event::NewEvent;
use crate::domain::notice::{DeliveryStatus, SHOWN_ONLY};
use crate::store::tasks::{Claim, ClaimedNotice, Fence};
use crate::store::{Error, Terms};

/// Tries to write down how a delivery ended, and the wait between them.
const COMMIT_TRIES_MAX: u32 = 20;
const COMMIT_RETRY: Duration = Duration::from_millis(500);

/// Sends notices.
pub(super) struct Sender {
    deps: Deps,
}

impl Sender {
    pub(super) fn new(deps: Deps) -> Self {
        Self { deps }
    }

    /// Deals with a notice, and holds it for as long as that takes.
    pub(super) async fn handle(&self, claimed: &ClaimedNotice, claimed_at: Instant) {
        tokio::select! {
            () = self.deliver(claimed, claimed_at) => {}
            () = self.keep(claimed) => {}
        }
    }

    async fn deliver(&self, claimed: &ClaimedNotice, claimed_at: Instant) {
        let (notice, tries_max) = (&claimed.notice, self.deps.notify.tries_max);
        if claimed.interrupted {
            let moved = outcome::interrupted(notice.channel, claimed.attempt, tries_max, self.deps.clock.now());
            return self.write(claimed, moved).await;
        }
        if notice.simulated {
            let shown = Moved { simulated: true, receipt: Some(SHOWN_ONLY.to_owned()), ..Moved::to(DeliveryStatus::Sent) };
            return self.write(claimed, shown).await;
        }
        if !self.is_ours(claimed, claimed_at).await {
            return tracing::warn!(notice = %notice.notice_id, "a delivery lost its lease before it began");
        }
        // Where the lease is lost while the answer is waited for, whoever holds it then decides: the fence sees to it.
        let sent = self.deps.channels.get(notice.channel).send(notice.clone()).await;
        let now = self.deps.clock.now();
        let moved = outcome::of(notice.channel, sent, claimed.attempt, tries_max, now, fastrand::f64());
        self.write(claimed, moved).await;
    }

    /// Whether a notice is still held. A claim that is not fresh is asked for: the process may have been frozen.
    async fn is_ours(&self, claimed: &ClaimedNotice, claimed_at: Instant) -> bool {
        let now = self.deps.clock.now();
        if now >= claimed_at && now.since(claimed_at) < self.deps.options.lease() / 3 {
            return true;
        }
        self.deps.log.tasks().renew(self.at(now), fence(claimed)).await.unwrap_or_else(|error| {
            tracing::warn!(error = error.report(), "could not ask whether a notice is still held");
            false
        })
    }

    /// Holds a notice for as long as it takes. Does not end by itself: whoever lost it learns so from the fence.
    async fn keep(&self, claimed: &ClaimedNotice) {
        loop {
            tokio::time::sleep(self.deps.options.lease() / 3).await;
            if let Err(error) = self.deps.log.tasks().renew(self.at(self.deps.clock.now()), fence(claimed)).await {
                tracing::warn!(notice = %claimed.notice.notice_id, error = error.report(), "could not renew a lease");
            }
        }
    }

    fn at(&self, now: Instant) -> Claim {
        Claim { owner: self.deps.owner.clone(), now, lease: self.deps.options.lease(), limit: 1 }
    }

    /// Writes down how a notice moved on.
    async fn write(&self, claimed: &ClaimedNotice, moved: Moved) {
        let (event, op) = moved.written(&claimed.notice, claimed.attempt);
        let terms = Terms { fences: vec![fence(claimed)], ops: vec![op], ..Terms::default() };
        self.commit(vec![event], terms, claimed).await;
    }

    /// A delivery that cannot be written down would be unknown after a restart: the store gets a long time to recover.
    async fn commit(&self, events: Vec<NewEvent>, terms: Terms, claimed: &ClaimedNotice) {
        let notice = &claimed.notice.notice_id;
        for _ in 0..COMMIT_TRIES_MAX {
            match self.deps.log.commit(events.clone(), terms.clone()).await {
                Ok(_) => return,
                Err(error) if error.is_fenced() => return tracing::info!(%notice, "a notice is somebody else's by now"),
                Err(Error::Closed) => return tracing::warn!(%notice, "the log was closed before a delivery was written down"),
                Err(error) => {
                    tracing::warn!(%notice, error = error.report(), "a delivery could not be written down yet");
                    tokio::time::sleep(COMMIT_RETRY).await;
                }
            }
        }
        tracing::error!(%notice, "a delivery could not be written down; it will be shown as unknown");
    }
}

fn fence(claimed: &ClaimedNotice) -> Fence {
    Fence::Notice(claimed.notice.notice_id.clone(), claimed.epoch)
}
