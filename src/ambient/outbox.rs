//! Delivers notices: each is held under a lease, marked as `sending` on disk, tried once, and its outcome committed.
//!
//! What is due is looked at first, and held only when it begins: what stands as `sending` was begun, and nothing else.
//! What may have arrived is never sent again by itself where that could wake somebody twice: a lost answer, or a
//! process that died while it was sending, leaves the notice `unknown`, and a person decides. Whether the task's run
//! went well is another matter and stands elsewhere.

mod choose;
mod outcome;
mod rate;
mod send;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ambient::lead::Leadership;
use crate::ambient::nudge::Nudges;
use crate::ambient::options::Options;
use crate::ambient::outbox::choose::{Choice, Hold, Sight, choose, is_program};
use crate::ambient::outbox::outcome::Moved;
use crate::ambient::outbox::rate::SentLog;
use crate::ambient::outbox::send::Sender;
use crate::domain::clock::{Clock, Instant};
use crate::domain::event::NewEvent;
use crate::domain::ids::NoticeId;
use crate::domain::notice::{DeliveryStatus, Notice};
use crate::notify::rules::{QuietHours, combine};
use crate::notify::{self, Channels};
use crate::store::tasks::{Claim, ClaimedNotice, Fence, Op};
use crate::store::{Error, EventLog, Terms};

pub use crate::ambient::outbox::choose::MESSAGE;

/// Notices that are looked at in one go.
const LOOK_MAX: usize = 512;

/// The wait after the store failed.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The wait after somebody else was faster.
const CONTENDED: Duration = Duration::from_millis(50);

/// What the outbox works with.
#[derive(Clone)]
pub struct Deps {
    /// The log and the store.
    pub log: EventLog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How to reach people.
    pub channels: Arc<Channels>,
    /// Wakes this loop.
    pub nudges: Nudges,
    /// Whether this process may act.
    pub lead: Arc<Leadership>,
    /// A name for this process.
    pub owner: String,
    /// What varies.
    pub options: Options,
    /// Quiet hours, rates, tries.
    pub notify: notify::Options,
}

/// The loop.
pub struct Outbox {
    deps: Deps,
    quiet: QuietHours,
    sender: Arc<Sender>,
    sent: SentLog,
    /// What is being sent, and since when.
    busy: HashMap<NoticeId, (Notice, Instant)>,
    working: JoinSet<NoticeId>,
}

impl Outbox {
    /// A loop over these.
    ///
    /// # Errors
    /// When the quiet hours make no sense.
    pub fn new(deps: Deps) -> Result<Self, notify::OptionsError> {
        let quiet = QuietHours::new(&deps.notify)?;
        let sender = Arc::new(Sender::new(deps.clone()));
        Ok(Self { deps, quiet, sender, sent: SentLog::default(), busy: HashMap::new(), working: JoinSet::new() })
    }

    /// Delivers until `stop`. What is being sent then is waited for: half a delivery helps nobody.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let wait = self.turn().await;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = self.working.join_next(), if !self.working.is_empty() => self.settle(ended),
                () = self.deps.nudges.notice_waits() => {}
                () = tokio::time::sleep(wait) => {}
            }
            while let Some(ended) = self.working.try_join_next() {
                self.settle(ended);
            }
        }
        while self.working.join_next().await.is_some() {}
    }

    fn settle(&mut self, ended: Result<NoticeId, tokio::task::JoinError>) {
        match ended {
            Ok(notice) => drop(self.busy.remove(&notice)),
            Err(error) => tracing::error!(%error, "a delivery broke off"),
        }
    }

    async fn turn(&mut self) -> Duration {
        self.try_turn().await.unwrap_or_else(|error| {
            tracing::warn!(error = error.report(), "the outbox could not ask the store");
            STORE_RETRY
        })
    }

    /// Does everything that can be done now; how long to wait for more.
    async fn try_turn(&mut self) -> Result<Duration, Error> {
        let poll = self.deps.options.poll();
        let free = self.deps.options.parallel_notices.max(1).saturating_sub(self.busy.len());
        if free == 0 {
            // The end of a delivery wakes the loop.
            return Ok(poll);
        }
        let now = self.deps.clock.now();
        let due = self.deps.log.tasks().next_notice_at().await?;
        if due.is_none_or(|due| due > now) {
            let idle = self.deps.options.idle(self.deps.nudges.told());
            return Ok(due.map_or(idle, |due| due.since(now).clamp(Duration::from_millis(50), poll)));
        }
        if let Err(until) = self.deps.lead.take(now).await? {
            return Ok(until.since(now).clamp(Duration::from_millis(200), poll));
        }
        self.sent.refresh(&self.deps.log, now).await?;
        let mut skip = 0;
        loop {
            let due = self.deps.log.tasks().due_notices(now, LOOK_MAX, skip).await?;
            skip += due.len();
            let last = due.len() < LOOK_MAX;
            let choice = choose(due, self.sight(now, free));
            if !choice.is_empty() {
                let moved = self.act(choice, now).await?;
                return Ok(if moved { Duration::ZERO } else { CONTENDED });
            }
            if last {
                // What is due waits for its receiver: the end of a delivery wakes the loop.
                return Ok(poll);
            }
        }
    }

    fn sight(&self, now: Instant, free: usize) -> Sight<'_> {
        let mut sent = self.sent.times();
        for (notice, begun) in self.busy.values().filter(|(notice, _)| !notice.simulated) {
            sent.entry(notice.channel).or_default().push(*begun);
        }
        let people = self.busy.values().map(|(notice, _)| notice).filter(|notice| !is_program(notice));
        let busy = people.map(|notice| (notice.channel, notice.to.clone())).collect();
        Sight { now, quiet: &self.quiet, limits: &self.deps.notify, sent, busy, free }
    }

    /// Carries a choice out; false where somebody else was faster.
    async fn act(&mut self, choice: Choice, now: Instant) -> Result<bool, Error> {
        let Choice { begin, hold, crowds } = choice;
        if !hold.is_empty() && !self.commit(holding(hold)).await? {
            return Ok(false);
        }
        for crowd in crowds {
            if let Some(combined) = combining(&crowd, now)
                && !self.commit(combined).await?
            {
                return Ok(false);
            }
        }
        if begin.is_empty() {
            return Ok(true);
        }
        let lease = self.deps.options.lease();
        let claim = Claim { owner: self.deps.owner.clone(), now, lease, limit: begin.len() };
        let claimed = self.deps.log.tasks().claim_notices(claim, begin).await?;
        let any = !claimed.is_empty();
        for claimed in claimed {
            self.begin(claimed, now);
        }
        Ok(any)
    }

    fn begin(&mut self, claimed: ClaimedNotice, claimed_at: Instant) {
        let id = claimed.notice.notice_id.clone();
        self.busy.insert(id.clone(), (claimed.notice.clone(), claimed_at));
        let sender = Arc::clone(&self.sender);
        self.working.spawn(async move {
            if AssertUnwindSafe(sender.handle(&claimed, claimed_at)).catch_unwind().await.is_err() {
                tracing::error!(notice = %id, "a delivery broke off because of a bug; its lease lapses by itself");
            }
            id
        });
    }

    /// Writes a change of notices that nobody holds; false where somebody else was faster.
    async fn commit(&self, (events, terms): (Vec<NewEvent>, Terms)) -> Result<bool, Error> {
        match self.deps.log.commit(events, terms).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_fenced() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A notice that is queued together with this does not go out until its owner sends it.
pub fn withheld(notice: &Notice, why: &str) -> (NewEvent, Op) {
    Moved { error: Some(why.to_owned()), ..Moved::to(DeliveryStatus::Suppressed) }.written(notice, 0)
}

/// Lets notices wait. One that waits for the same reason already moves silently.
fn holding(hold: Vec<Hold>) -> (Vec<NewEvent>, Terms) {
    let (mut events, mut terms) = (Vec::new(), Terms::default());
    for one in hold {
        terms.fences.push(waiting(&one.due.notice));
        let (event, op) = outcome::held(&one);
        events.extend(event);
        terms.ops.push(op);
    }
    (events, terms)
}

/// Makes one notice of many. The one is queued in the same transaction that ends the many.
fn combining(crowd: &[Notice], now: Instant) -> Option<(Vec<NewEvent>, Terms)> {
    let one = combine(crowd)?;
    let mut events = vec![NewEvent::system(super::tell::queued(&one))];
    let mut ops = vec![Op::PutNotice { notice: Box::new(one.clone()), at: now }];
    for notice in crowd {
        let moved = Moved { receipt: Some(format!("told in {}", one.notice_id)), ..Moved::to(DeliveryStatus::Suppressed) };
        let (event, op) = moved.written(notice, 0);
        events.push(event);
        ops.push(op);
    }
    Some((events, Terms { fences: crowd.iter().map(waiting).collect(), ops, ..Terms::default() }))
}

fn waiting(notice: &Notice) -> Fence {
    Fence::NoticeIs(notice.notice_id.clone(), DeliveryStatus::Queued)
}
