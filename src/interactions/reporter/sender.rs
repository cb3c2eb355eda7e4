//! From the queue on disk to the coordinator.
//!
//! One batch is under way at a time: so the order within an interaction is kept, and a batch carries up to 100 records, so
//! it is fast all the same. What is decided about time stands in [`Breaker`] and [`Pace`].

mod handed;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bus::Recorder;
use crate::domain::event::{Custom, EventBody, NewEvent};
use crate::domain::interaction::BATCH_MAX;
use crate::domain::report::{REPORT_EVENT, ReportState, ReportStatus, ReportTotals};
use crate::domain::text::with_causes;
use crate::interactions::breaker::{Breaker, Gate};
use crate::interactions::outgoing::Outgoing;
use crate::interactions::pace::{Pace, Size, after_refusal};
use crate::interactions::reporter::board::QUEUE;
use crate::interactions::reporter::sender::handed::Handing;
use crate::interactions::reporter::{Shared, board};
use crate::interactions::transport::{Transport, Trouble, Verdict};
use crate::store::spool::{Error, Outcome, Spool, Waiting};

/// What is stored is looked through from its beginning this often, oldest first.
const SWEEP: Duration = Duration::from_secs(30);

/// While reporting is behind screens are told how far this often.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The most bytes of records in one request; a coordinator takes bodies of 1 MiB.
const BATCH_BYTES_MAX: usize = 512 * 1024;

/// Records of the batch that decides whether a transport is trusted again.
const TRIAL_MAX: usize = 10;

/// A guard behind the transports' own limits: one that hangs all the same counts as unreachable.
const SEND_MAX: Duration = Duration::from_mins(1);

/// How long it waits at least where nothing could be sent though something is due.
const BLOCKED: Duration = Duration::from_millis(250);

/// How long it waits after the queue could not be read or written.
const DISK_RETRY: Duration = Duration::from_secs(5);

/// One way, and how it does.
struct Way {
    transport: Arc<dyn Transport>,
    breaker: Breaker,
    handing: Handing,
}

/// What comes next.
enum Next {
    /// There may be more to do.
    Again,
    /// Nothing before this time, unless something comes in.
    Rest(Option<Instant>),
}

pub(super) struct Sender {
    shared: Arc<Shared>,
    spool: Spool,
    ways: Vec<Way>,
    recorder: Option<Arc<dyn Recorder>>,
    pace: Pace,
    size: Size,
    /// Rows up to here were dealt with since the last sweep.
    cursor: i64,
    /// The first row before the cursor that waits behind one that was handed over.
    blocked: Option<i64>,
    began: Instant,
    swept: Option<Instant>,
    /// Dead letters that a person was told of.
    told_dead: u64,
    /// When it was last told that reporting is behind; none while it is not.
    told_behind: Option<Instant>,
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>, spool: Spool, transports: Vec<Arc<dyn Transport>>, recorder: Option<Arc<dyn Recorder>>) -> Self {
        let delay = Duration::from_secs_f64(shared.options.retry_delay.clamp(0.01, 3_600.0));
        let way = |transport| Way { transport, breaker: Breaker::new(delay), handing: Handing::default() };
        let pace = Pace::new(shared.options.rate_limit_per_second);
        let ways = transports.into_iter().map(way).collect();
        Self {
            shared,
            spool,
            ways,
            recorder,
            pace,
            size: Size::default(),
            cursor: 0,
            blocked: None,
            began: Instant::now(),
            swept: None,
            told_dead: 0,
            told_behind: None,
        }
    }

    /// Sends until it is stopped; then until nothing is left, or something is in the way.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        if self.ways.is_empty() {
            return;
        }
        loop {
            // Only a look that began after the end was called saw all that came in before it.
            let ending = stop.is_cancelled();
            let rest = match self.step(&stop).await {
                Ok(Next::Again) => continue,
                Ok(Next::Rest(until)) => until,
                Err(error) => {
                    self.say(QUEUE, &with_causes(&error));
                    Some(Instant::now() + DISK_RETRY)
                }
            };
            if ending {
                return;
            }
            let sweep = self.swept.map_or_else(Instant::now, |at| at + SWEEP);
            let until = rest.map_or(sweep, |until| until.min(sweep));
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep_until(until) => {}
                () = self.shared.nudge.notified() => {}
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn say(&self, owner: &'static str, problem: &str) {
        if let Some(recorder) = &self.recorder {
            self.shared.board.say(&**recorder, owner, problem);
        }
    }

    async fn step(&mut self, stop: &CancellationToken) -> Result<Next, Error> {
        if self.shared.board.take_hurry() {
            self.ways.iter_mut().for_each(|way| way.breaker.hurry());
            self.swept = None;
        }
        if self.swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            self.sweep().await?;
        }
        let mut totals = self.spool.totals().await?;
        let mut settle_at = None;
        if totals.handed > 0 {
            settle_at = self.settle_handed().await?;
            totals = self.spool.totals().await?;
        }
        self.tell_dead(totals.dead);
        self.tell_behind(totals);
        if totals.waiting == totals.handed {
            self.shared.board.set(ReportState::Idle);
            return Ok(Next::Rest(settle_at));
        }
        let at = match self.choose().await {
            Ok(at) => at,
            Err(until) => return Ok(Next::Rest(Some(settle_at.map_or(until, |at| at.min(until))))),
        };
        let (name, most) = (self.ways[at].transport.name(), self.ways[at].transport.batch_max());
        let limit = self.size.get(if self.ways[at].breaker.is_trial() { TRIAL_MAX } else { most });
        let page = self.spool.next(self.cursor, limit, BATCH_BYTES_MAX, self.shared.clock.now()).await?;
        self.blocked = earlier(self.blocked, page.blocked);
        if page.rows.is_empty() {
            self.shared.board.set(ReportState::Idle);
            let wait = page.next_at.map(|next| Instant::now() + next.since(self.shared.clock.now()));
            if self.cursor > 0 && wait.is_some_and(|wait| wait <= Instant::now()) {
                // What has become due stands before the cursor.
                self.cursor = 0;
                return Ok(Next::Again);
            }
            // What is due and was not found waits behind an earlier record of its interaction.
            let wait = wait.map(|wait| wait.max(Instant::now() + BLOCKED));
            return Ok(Next::Rest(earlier(wait, settle_at)));
        }
        // What goes together over a stream counts as the requests that it would be elsewhere.
        for _request in 0..page.rows.len().div_ceil(BATCH_MAX) {
            while let Some(until) = self.pace.take(self.now()) {
                tokio::select! {
                    () = tokio::time::sleep_until(self.began + until) => {}
                    // Even then the rate holds; but the end is not waited for.
                    () = stop.cancelled(), if !stop.is_cancelled() => {}
                }
            }
        }
        self.shared.board.set(ReportState::Sending);
        self.shared.board.set_via(name);
        self.send(at, page.rows).await?;
        Ok(Next::Again)
    }

    /// The first way that may be used now, proven before its first use; else the time at which one may.
    async fn choose(&mut self) -> Result<usize, Instant> {
        let mut soonest: Option<Duration> = None;
        for at in 0..self.ways.len() {
            let until = match self.ways[at].breaker.gate(self.now()) {
                Gate::Go => return Ok(at),
                Gate::Wait(until) => until,
                Gate::Probe => {
                    let probed = tokio::time::timeout(SEND_MAX, self.ways[at].transport.probe()).await;
                    match probed.unwrap_or_else(|_| Err(Trouble::Unreachable("no answer to a look".to_owned()))) {
                        Ok(()) => {
                            self.ways[at].breaker.proven();
                            return Ok(at);
                        }
                        Err(trouble) => self.failed(at, &trouble),
                    }
                }
            };
            soonest = Some(soonest.map_or(until, |soonest| soonest.min(until)));
        }
        Err(self.began + soonest.unwrap_or(SWEEP))
    }

    /// Takes note of trouble: what only a person can mend is told, once.
    fn failed(&mut self, at: usize, trouble: &Trouble) -> Duration {
        let now = self.now();
        let until = self.ways[at].breaker.failed(now, trouble, fastrand::f64());
        let owner = self.ways[at].transport.name();
        let reason = board::line(&format!("{owner}: {trouble}"));
        let retry_at = self.shared.clock.now().plus(until.saturating_sub(now));
        tracing::info!(%reason, %retry_at, "reports wait");
        match trouble {
            Trouble::Key(_) => {
                let key = if owner == "redis" { "user and password in `redis_url`" } else { "`coordinator_api_key`" };
                self.say(owner, &format!("{reason}; nothing is lost: check {key}, then `wakeful report retry`"));
            }
            Trouble::Config(_) => self.say(owner, &format!("{reason}; nothing is lost: check `[interaction_logging]`")),
            Trouble::Unreachable(_) | Trouble::Busy { .. } | Trouble::Batch(_) => {}
        }
        self.shared.board.set(ReportState::Waiting { reason, retry_at });
        until
    }

    async fn send(&mut self, at: usize, rows: Vec<Waiting>) -> Result<(), Error> {
        let mut outcomes = Vec::with_capacity(rows.len());
        let mut records = Vec::with_capacity(rows.len());
        let mut sent = Vec::with_capacity(rows.len());
        let last = rows.last().map_or(self.cursor, |row| row.number);
        for row in rows {
            match Outgoing::read(row.data) {
                Ok(record) => {
                    records.push(record);
                    sent.push((row.number, row.refusals));
                }
                Err(error) => {
                    outcomes.push((row.number, Outcome::Dead { reason: format!("it was damaged on disk: {error}") }));
                }
            }
        }
        if !records.is_empty() {
            let transport = Arc::clone(&self.ways[at].transport);
            let answered = tokio::time::timeout(SEND_MAX, transport.send(&records)).await;
            match answered.unwrap_or_else(|_| Err(Trouble::Unreachable("no answer to a batch".to_owned()))) {
                Ok(verdicts) if verdicts.len() == records.len() => {
                    self.ways[at].breaker.succeeded();
                    self.size.grow();
                    self.shared.board.well(transport.name());
                    let judged = sent.iter().zip(verdicts).map(|((number, refusals), verdict)| (*number, self.outcome(*refusals, verdict)));
                    outcomes.extend(judged.collect::<Vec<_>>());
                }
                Ok(verdicts) => {
                    let told = format!("it answered for {} of {} records", verdicts.len(), records.len());
                    self.failed(at, &Trouble::Unreachable(told));
                    return self.settle(at, outcomes).await;
                }
                Err(Trouble::Batch(message)) if sent.len() == 1 => {
                    // It cannot be smaller: it is this record that is meant.
                    let refused = Verdict::Refused { code: 400, message };
                    outcomes.extend(
                        sent.iter().map(|(number, refusals)| (*number, self.outcome(*refusals, refused.clone()))).collect::<Vec<_>>(),
                    );
                }
                Err(Trouble::Batch(message)) => {
                    tracing::debug!(message = board::line(&message), records = sent.len(), "a batch was refused: it is sent in halves");
                    self.size.shrink(sent.len());
                    return self.settle(at, outcomes).await;
                }
                Err(trouble) => {
                    self.failed(at, &trouble);
                    return self.settle(at, outcomes).await;
                }
            }
        }
        // What waited behind a refused record of its interaction stands before the cursor.
        let freed = sent.iter().any(|(_, refusals)| *refusals > 0);
        self.cursor = if freed { 0 } else { last };
        self.ways[at].handing.more();
        self.settle(at, outcomes).await
    }

    async fn settle(&mut self, at: usize, outcomes: Vec<(i64, Outcome)>) -> Result<(), Error> {
        if outcomes.is_empty() {
            return Ok(());
        }
        self.spool.settle(outcomes, self.ways[at].transport.name(), self.shared.clock.now()).await?;
        self.shared.room.notify_one();
        Ok(())
    }

    /// What a verdict means for a record that was refused so often before.
    fn outcome(&self, refusals: u32, verdict: Verdict) -> Outcome {
        match verdict {
            Verdict::Stored => Outcome::Stored,
            Verdict::Handed(handle) => Outcome::Handed(handle),
            Verdict::Refused { code, message } => {
                let refusals = refusals.saturating_add(1);
                let reason = board::line(&format!("{code}: {message}"));
                if refusals >= self.shared.options.max_retries {
                    return Outcome::Dead { reason };
                }
                let delay = Duration::from_secs_f64(self.shared.options.retry_delay.clamp(0.01, 3_600.0));
                let wait = after_refusal(delay, refusals, fastrand::f64());
                Outcome::Refused { next: self.shared.clock.now().plus(wait), reason }
            }
        }
    }

    /// Begins again with the oldest, and does what time asks for.
    async fn sweep(&mut self) -> Result<(), Error> {
        let first = self.swept.is_none();
        self.swept = Some(Instant::now());
        self.cursor = 0;
        let now = self.shared.clock.now();
        if first {
            // What lies with a transport that is no longer set up cannot be confirmed by anybody.
            let known = self.ways.iter().map(|way| way.transport.name()).collect();
            self.spool.take_back(None, known, now.plus(SWEEP)).await?;
        }
        let cleaned = self.spool.clean(now).await?;
        if cleaned.expired + cleaned.dropped > 0 {
            self.shared.room.notify_one();
        }
        if cleaned.dropped > 0
            && let Some(recorder) = &self.recorder
        {
            board::tell(&**recorder, &format!("{} dead letters that were seen made room for new ones", cleaned.dropped));
        }
        Ok(())
    }

    /// Tells screens when reporting falls behind and when it has caught up.
    fn tell_behind(&mut self, totals: ReportTotals) {
        let Some(recorder) = &self.recorder else { return };
        let (state, _, problem) = self.shared.board.get();
        let behind =
            ReportStatus { state, problem, totals: ReportTotals { dead_unseen: 0, ..totals }, ..ReportStatus::default() }.is_behind();
        let fresh = self.told_behind.is_some_and(|at| at.elapsed() < TELL_EVERY);
        if fresh && behind || !behind && self.told_behind.is_none() {
            return;
        }
        self.told_behind = behind.then(Instant::now);
        let (event_type, message) = if behind {
            ("behind", format!("reports are behind: {} records wait", totals.waiting))
        } else {
            ("caught_up", "reports have caught up".to_owned())
        };
        let data = json!({"event_type": event_type, "message": message, "waiting": totals.waiting});
        recorder.emit(NewEvent::system(EventBody::Custom(Custom { type_name: REPORT_EVENT.to_owned(), data })));
    }

    fn tell_dead(&mut self, dead: u64) {
        if dead > self.told_dead
            && let Some(recorder) = &self.recorder
        {
            let what = if dead == 1 { "1 record is a dead letter".to_owned() } else { format!("{dead} records are dead letters") };
            board::tell(&**recorder, &format!("{what}: `wakeful report dead` says why, `wakeful report retry --dead` sends them again"));
        }
        // One line for each doubling: a coordinator that refuses everything must not fill the screen.
        self.told_dead = if dead > self.told_dead { dead.saturating_mul(2) } else { self.told_dead };
    }
}

fn earlier<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
