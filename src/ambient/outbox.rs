//! Delivers notices: each is held under a lease, marked as `sending` on disk, tried once, and its outcome committed.
//!
//! What may have arrived is never sent again by itself where that could wake somebody twice: a lost answer, or a
//! process that died while it was sending, leaves the notice `unknown`, and a person decides. Whether the task's run
//! went well is another matter and stands elsewhere.

mod outcome;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ambient::lead::Leadership;
use crate::ambient::nudge::Nudges;
use crate::ambient::options::Options;
use crate::ambient::outbox::outcome::Moved;
use crate::domain::clock::{Clock, Instant};
use crate::domain::event::NewEvent;
use crate::domain::notice::{ChannelKind, DeliveryStatus, Notice};
use crate::notify::rules::{Limit, QuietHours, combine};
use crate::notify::{self, Channels};
use crate::store::tasks::{Claim, ClaimedNotice, Fence, Op};
use crate::store::{Error, EventLog, Terms};

/// Notices to one receiver that wait together and become one.
const COMBINE_MIN: usize = 4;

/// Sent notices of one channel that are remembered for its rate.
const SENT_MAX: usize = 10_000;

/// Tries to write down how a delivery ended, and the wait between them.
const COMMIT_TRIES_MAX: u32 = 20;
const COMMIT_RETRY: Duration = Duration::from_millis(500);

/// The wait after the store failed.
const STORE_RETRY: Duration = Duration::from_secs(1);

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

/// The loop. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    deps: Deps,
    quiet: Arc<QuietHours>,
    /// When notices of a channel went out, of this run of the program.
    sent: Arc<Mutex<HashMap<ChannelKind, VecDeque<Instant>>>>,
    /// One permit for each notice that is sent at once.
    sending: Arc<Semaphore>,
}

impl Outbox {
    /// A loop over these.
    ///
    /// # Errors
    /// When the quiet hours make no sense.
    pub fn new(deps: Deps) -> Result<Self, notify::OptionsError> {
        let quiet = Arc::new(QuietHours::new(&deps.notify)?);
        let sending = Arc::new(Semaphore::new(deps.options.parallel_notices.max(1)));
        Ok(Self { deps, quiet, sent: Arc::default(), sending })
    }

    /// Delivers until `stop`. What is being sent then is waited for: half a delivery helps nobody.
    pub async fn run(self, stop: CancellationToken) {
        let mut working = JoinSet::new();
        loop {
            let wait = self.turn(&mut working, &stop).await;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = working.join_next(), if !working.is_empty() => {}
                () = self.deps.nudges.notice_waits() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while working.join_next().await.is_some() {}
    }

    async fn turn(&self, working: &mut JoinSet<()>, stop: &CancellationToken) -> Duration {
        if working.len() >= self.deps.options.parallel_notices.max(1) {
            return self.deps.options.poll();
        }
        let claimed_at = self.deps.clock.now();
        match self.claim(claimed_at).await {
            Ok((claimed, wait)) => {
                for group in groups(claimed) {
                    let (outbox, stop) = (self.clone(), stop.clone());
                    working.spawn(async move { outbox.handle(group, claimed_at, &stop).await });
                }
                wait
            }
            Err(error) => {
                tracing::warn!(error = error.report(), "the outbox could not ask the store");
                STORE_RETRY
            }
        }
    }

    async fn claim(&self, now: Instant) -> Result<(Vec<ClaimedNotice>, Duration), Error> {
        let poll = self.deps.options.poll();
        let due = self.deps.log.tasks().next_notice_at().await?;
        if due.is_none_or(|due| due > now) {
            return Ok((Vec::new(), due.map_or(poll, |due| due.since(now)).clamp(Duration::from_millis(50), poll)));
        }
        if let Err(until) = self.deps.lead.take(now).await? {
            return Ok((Vec::new(), until.since(now).clamp(Duration::from_millis(200), poll)));
        }
        // Many are taken at once, so that those to one receiver can become one; groups are sent side by side.
        let claim = self.at(now, self.deps.options.parallel_notices.max(COMBINE_MIN * 8));
        Ok((self.deps.log.tasks().claim_notices(claim).await?, Duration::from_millis(50)))
    }

    fn at(&self, now: Instant, limit: usize) -> Claim {
        Claim { owner: self.deps.owner.clone(), now, lease: self.deps.options.lease(), limit }
    }

    /// Deals with notices to one receiver, and holds them for as long as that takes.
    async fn handle(&self, group: Vec<ClaimedNotice>, claimed_at: Instant, stop: &CancellationToken) {
        let held = group.iter().map(fence).collect();
        tokio::select! {
            () = self.work(group, claimed_at, stop) => {}
            () = self.keep(held) => {}
        }
    }

    async fn work(&self, group: Vec<ClaimedNotice>, claimed_at: Instant, stop: &CancellationToken) {
        let (interrupted, group): (Vec<_>, Vec<_>) =
            group.into_iter().partition(|claimed| claimed.interrupted && !claimed.notice.channel.is_idempotent());
        for claimed in interrupted {
            let error = "the program ended while it was being sent; it may have arrived".to_owned();
            self.write(&claimed, Moved { error: Some(error), ..Moved::to(DeliveryStatus::Unknown) }).await;
        }
        let mut ready = Vec::new();
        for claimed in group {
            match self.held_back(&claimed.notice, false) {
                Some((until, why)) => self.hold(&claimed, until, why).await,
                None => ready.push(claimed),
            }
        }
        if ready.iter().filter(|claimed| combinable(claimed)).count() >= COMBINE_MIN {
            let (crowd, rest): (Vec<_>, Vec<_>) = ready.into_iter().partition(combinable);
            self.combine(&crowd).await;
            ready = rest;
        }
        for claimed in ready {
            let Ok(_permit) = self.sending.acquire().await else { return };
            if stop.is_cancelled() {
                // It was not begun: the next start sends it, and need not wonder whether it arrived.
                self.put_back(&claimed).await;
                continue;
            }
            // Those before it took time: the rate may be used up by now.
            match self.held_back(&claimed.notice, true) {
                Some((until, why)) => self.hold(&claimed, until, why).await,
                None => self.deliver(claimed, claimed_at).await,
            }
        }
    }

    /// Until when and why a notice may not go now. Where it may, `take` counts it among those that went.
    fn held_back(&self, notice: &Notice, take: bool) -> Option<(Instant, &'static str)> {
        if notice.simulated {
            return None;
        }
        let now = self.deps.clock.now();
        if notice.channel != ChannelKind::Callback
            && let Some(until) = self.quiet.hold_until(now, notice.priority)
        {
            return Some((until, "quiet hours"));
        }
        let limit = Limit::per_hour(self.deps.notify.per_hour(notice.channel));
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let times = sent.entry(notice.channel).or_default();
        while times.front().is_some_and(|at| now.since(*at) > Limit::WINDOW) || times.len() > SENT_MAX {
            times.pop_front();
        }
        let until = limit.wait_until(times.make_contiguous(), now);
        if take && until.is_none() {
            times.push_back(now);
        }
        until.map(|until| (until, "the channel's rate limit"))
    }

    async fn deliver(&self, claimed: ClaimedNotice, claimed_at: Instant) {
        let notice = &claimed.notice;
        if notice.simulated {
            let shown = Moved { simulated: true, receipt: Some("simulated: shown only".to_owned()), ..Moved::to(DeliveryStatus::Sent) };
            return self.write(&claimed, shown).await;
        }
        let begun = self.deps.clock.now();
        if !self.is_ours(&claimed, claimed_at, begun).await {
            return tracing::warn!(notice = %notice.notice_id, "a delivery lost its lease before it began");
        }
        // Where the lease is lost while the answer is waited for, whoever holds it then decides: the fence sees to it.
        let sent = self.deps.channels.get(notice.channel).send(notice.clone()).await;
        if sent.is_err() {
            let mut counted = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(times) = counted.get_mut(&notice.channel)
                && let Some(place) = times.iter().rposition(|at| *at <= begun)
            {
                times.remove(place);
            }
        }
        let now = self.deps.clock.now();
        let moved = outcome::of(notice.channel, sent, claimed.attempt, self.deps.notify.tries_max, now, fastrand::f64());
        self.write(&claimed, moved).await;
    }

    /// Whether a notice is still held. A claim that is not fresh is asked for: the process may have been frozen.
    async fn is_ours(&self, claimed: &ClaimedNotice, claimed_at: Instant, now: Instant) -> bool {
        if now >= claimed_at && now.since(claimed_at) < self.deps.options.lease() / 3 {
            return true;
        }
        self.deps.log.tasks().renew(self.at(now, 1), fence(claimed)).await.unwrap_or_else(|error| {
            tracing::warn!(error = error.report(), "could not ask whether a notice is still held");
            false
        })
    }

    /// Holds notices for as long as it takes. Does not end by itself.
    async fn keep(&self, mut held: Vec<Fence>) {
        loop {
            tokio::time::sleep(self.deps.options.lease() / 3).await;
            let mut kept = Vec::with_capacity(held.len());
            for fence in held {
                let renewed = self.deps.log.tasks().renew(self.at(self.deps.clock.now(), 1), fence.clone()).await;
                // What is dealt with, or lost, is let go.
                if !matches!(renewed, Ok(false)) {
                    kept.push(fence);
                }
            }
            held = kept;
        }
    }

    /// Lets a notice wait.
    async fn hold(&self, claimed: &ClaimedNotice, until: Instant, why: &str) {
        let (event, op) = outcome::held(claimed, until, why);
        let terms = Terms { fences: vec![fence(claimed)], ops: vec![op], ..Terms::default() };
        self.commit(vec![event], terms, &claimed.notice).await;
    }

    /// Lets a notice go as it was.
    async fn put_back(&self, claimed: &ClaimedNotice) {
        let (_, op) = outcome::held(claimed, self.deps.clock.now(), "the program ended");
        let terms = Terms { fences: vec![fence(claimed)], ops: vec![op], ..Terms::default() };
        self.commit(Vec::new(), terms, &claimed.notice).await;
    }

    /// Writes down how a notice moved on.
    async fn write(&self, claimed: &ClaimedNotice, moved: Moved) {
        let (event, op) = moved.written(&claimed.notice, claimed.attempt);
        let terms = Terms { fences: vec![fence(claimed)], ops: vec![op], ..Terms::default() };
        self.commit(vec![event], terms, &claimed.notice).await;
    }

    /// Makes one notice of many. The one is queued in the same transaction that holds back the many.
    async fn combine(&self, group: &[ClaimedNotice]) {
        let notices: Vec<Notice> = group.iter().map(|claimed| claimed.notice.clone()).collect();
        let Some(one) = combine(&notices) else { return };
        let mut events = vec![NewEvent::system(super::tell::queued(&one))];
        let mut ops = vec![Op::PutNotice { notice: Box::new(one.clone()), at: self.deps.clock.now() }];
        for claimed in group {
            let moved = Moved { receipt: Some(format!("told in {}", one.notice_id)), ..Moved::to(DeliveryStatus::Suppressed) };
            let (event, op) = moved.written(&claimed.notice, claimed.attempt);
            events.push(event);
            ops.push(op);
        }
        let terms = Terms { fences: group.iter().map(fence).collect(), ops, ..Terms::default() };
        self.commit(events, terms, &one).await;
        self.deps.nudges.notices();
    }

    /// A delivery that cannot be written down would be unknown after a restart: the store gets a long time to recover.
    async fn commit(&self, events: Vec<NewEvent>, terms: Terms, notice: &Notice) {
        for _ in 0..COMMIT_TRIES_MAX {
            match self.deps.log.commit(events.clone(), terms.clone()).await {
                Ok(_) => return,
                Err(error) if error.is_fenced() => {
                    return tracing::info!(notice = %notice.notice_id, "a notice is somebody else's by now");
                }
                Err(Error::Closed) => {
                    return tracing::warn!(notice = %notice.notice_id, "the log was closed before a delivery was written down");
                }
                Err(error) => {
                    tracing::warn!(notice = %notice.notice_id, error = error.report(), "a delivery could not be written down yet");
                    tokio::time::sleep(COMMIT_RETRY).await;
                }
            }
        }
        tracing::error!(notice = %notice.notice_id, "a delivery could not be written down; it will be shown as unknown");
    }
}

fn fence(claimed: &ClaimedNotice) -> Fence {
    Fence::Notice(claimed.notice.notice_id.clone(), claimed.epoch)
}

/// Notices by receiver, in the order in which they came; each for itself where a program receives it.
fn groups(claimed: Vec<ClaimedNotice>) -> Vec<Vec<ClaimedNotice>> {
    let mut groups: Vec<Vec<ClaimedNotice>> = Vec::new();
    for one in claimed {
        let same = |group: &&mut Vec<ClaimedNotice>| {
            group.first().is_some_and(|first| first.notice.channel == one.notice.channel && first.notice.to == one.notice.to)
        };
        match groups.iter_mut().find(same).filter(|_| !is_program(&one.notice)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

/// Whether a program receives it, which wants each.
fn is_program(notice: &Notice) -> bool {
    matches!(notice.channel, ChannelKind::Callback | ChannelKind::Webhook)
}

/// Whether a notice may go into one with others: it was not tried before, is not urgent, and is not made of many already.
fn combinable(claimed: &ClaimedNotice) -> bool {
    let notice = &claimed.notice;
    let many = notice.payload.get("digest").is_some();
    claimed.attempt == 1 && !claimed.interrupted && !notice.simulated && notice.priority < 5 && !is_program(notice) && !many
}
