//! Runs tasks when they are due: claims them, has them looked at, commits what came of it under the claim's fence.
//!
//! One timer for all tasks: the loop sleeps until the earliest wake in the store's due index, a nudge, or the next
//! beat, whichever comes first. A beat compares the wall clock with the monotonic one, so that suspend and clock jumps
//! plan everything anew. What a run did takes effect in one transaction; a process that lost its lease records nothing.

mod commit;
mod run;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::tz::TimeZone;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ambient::finding::Probe;
use crate::ambient::lead::Leadership;
use crate::ambient::nudge::Nudges;
use crate::ambient::options::Options;
use crate::ambient::plan::{Away, Jump, Limits, jump};
use crate::ambient::scheduler::run::{Ended, Runner};
use crate::bus::Recorder;
use crate::domain::clock::{Clock, Instant};
use crate::domain::event::{Custom, NewEvent};
use crate::domain::ids::TaskId;
use crate::store::tasks::Claim;
use crate::store::{Error, EventLog};

/// Tasks that are claimed in one transaction.
const CLAIM_MAX: usize = 256;

/// Runs that may stand in line beside those that run; fewer than one host's line takes.
const ASIDE_MAX: usize = 900;

/// Being away for less is not worth a line.
const AWAY_TOLD: Duration = Duration::from_mins(1);

/// The wait after the store failed; each further failure in a row waits that much longer, up to ten times.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// What the scheduler works with.
#[derive(Clone)]
pub struct Deps {
    /// The log and the store.
    pub log: EventLog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Looks at what tasks watch.
    pub probe: Arc<dyn Probe>,
    /// Wakes this loop, and those that go on from here.
    pub nudges: Nudges,
    /// Whether this process may act.
    pub lead: Arc<Leadership>,
    /// The machine's time zone.
    pub zone: TimeZone,
    /// A name for this process, unique among all that share the store.
    pub owner: String,
    /// What varies.
    pub options: Options,
    /// The bounds of the policies.
    pub limits: Limits,
}

/// The loop.
pub struct Scheduler {
    deps: Deps,
    runner: Arc<Runner>,
    running: JoinSet<()>,
    /// The epoch of each claim that runs here, and how to give it up.
    held: HashMap<TaskId, (u64, CancellationToken)>,
    ended: mpsc::UnboundedReceiver<Ended>,
    report: mpsc::UnboundedSender<Ended>,
    beat: Option<(Instant, Duration)>,
    started: tokio::time::Instant,
    away: Option<Away>,
    back: Back,
    failures: u32,
    renewed: tokio::time::Instant,
}

/// What is told about a return.
#[derive(Debug, Default)]
struct Back {
    telling: bool,
    caught_up: u64,
    stale: u64,
}

impl Scheduler {
    /// A loop over these.
    pub fn new(deps: Deps) -> Self {
        let (report, ended) = mpsc::unbounded_channel();
        let now = tokio::time::Instant::now();
        let runner = Arc::new(Runner::new(deps.clone()));
        Self {
            deps,
            runner,
            running: JoinSet::new(),
            held: HashMap::new(),
            ended,
            report,
            beat: None,
            started: now,
            away: None,
            back: Back::default(),
            failures: 0,
            renewed: now,
        }
    }

    /// Runs until `stop`; what is under way then is put back as it was.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let wait = self.turn().await;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = self.ended.recv() => self.settle(&ended),
                () = self.deps.nudges.task_waits() => {}
                () = tokio::time::sleep(wait) => {}
            }
            while let Ok(ended) = self.ended.try_recv() {
                self.settle(&ended);
            }
        }
        for (_, cancel) in self.held.values() {
            cancel.cancel();
        }
        while self.running.join_next().await.is_some() {}
    }

    /// Does everything that can be done now; how long to wait for more.
    async fn turn(&mut self) -> Duration {
        match self.try_turn().await {
            Ok(wait) => {
                self.failures = 0;
                // What runs here has to be held for longer in good time.
                if self.held.is_empty() { wait } else { wait.min(self.deps.options.lease() / 3) }
            }
            Err(error) => {
                self.failures += 1;
                tracing::warn!(error = error.report(), failures = self.failures, "the scheduler could not ask the store");
                STORE_RETRY * self.failures.min(10)
            }
        }
    }

    async fn try_turn(&mut self) -> Result<Duration, Error> {
        let now = self.take_beat().await?;
        self.renew(now).await?;
        loop {
            let free = self.free();
            let due = self.deps.log.tasks().next_task_at().await?;
            let Some(due) = due.filter(|due| *due <= now) else {
                self.tell_return().await;
                let idle = self.deps.options.idle(self.deps.nudges.told());
                return Ok(due.map_or(idle, |due| due.since(now).min(self.deps.options.poll())));
            };
            if free == 0 {
                // The end of a run wakes the loop.
                return Ok(self.deps.options.poll());
            }
            if let Err(until) = self.deps.lead.take(now).await? {
                return Ok(until.since(now).clamp(Duration::from_millis(200), self.deps.options.poll()));
            }
            let claim = self.claim(now, free.min(CLAIM_MAX));
            let claimed = self.deps.log.tasks().claim_tasks(claim).await?;
            if claimed.is_empty() {
                // The index says due, the claim says held: somebody else was faster, or a row cannot be claimed.
                tracing::debug!(%due, "nothing to claim");
                return Ok(Duration::from_millis(200));
            }
            for task in claimed {
                self.start(task, now);
            }
        }
    }

    /// How many more may run: those that only stand in line for their host take nobody's place.
    fn free(&self) -> usize {
        let (parallel, held) = (self.deps.options.parallel_runs.max(1), self.held.len());
        let busy = held.saturating_sub(self.runner.aside());
        parallel.saturating_sub(busy).min((parallel + ASIDE_MAX).saturating_sub(held))
    }

    fn start(&mut self, task: crate::store::tasks::Claimed, now: Instant) {
        let (task_id, epoch, cancel) = (task.work.task_id.clone(), task.work.epoch, CancellationToken::new());
        if let Some((_, lapsed)) = self.held.insert(task_id.clone(), (epoch, cancel.clone())) {
            // Its lease ran out before it was renewed: what it still does can no longer take effect.
            lapsed.cancel();
        }
        let (runner, report, away) = (Arc::clone(&self.runner), self.report.clone(), self.away.filter(|_| self.back.telling));
        self.running.spawn(async move {
            let work = AssertUnwindSafe(runner.run(task, now, away, cancel)).catch_unwind();
            let tally = work.await.unwrap_or_else(|_| {
                tracing::error!(task = %task_id, "a run broke off because of a bug; its lease lapses by itself");
                run::Tally::default()
            });
            let _loop_is_over = report.send(Ended { task_id, epoch, tally });
        });
    }

    fn settle(&mut self, ended: &Ended) {
        if self.held.get(&ended.task_id).is_some_and(|(epoch, _)| *epoch == ended.epoch) {
            self.held.remove(&ended.task_id);
        }
        self.back.caught_up += ended.tally.caught_up;
        self.back.stale += ended.tally.stale;
        while self.running.try_join_next().is_some() {}
    }

    /// Compares the clocks; the time.
    async fn take_beat(&mut self) -> Result<Instant, Error> {
        let (now, mono) = (self.deps.clock.now(), self.started.elapsed());
        match self.beat {
            None => {
                // What was due before the program began was missed while it was off.
                if let Some(due) = self.deps.log.tasks().next_task_at().await?.filter(|due| now.since(*due) > self.deps.limits.on_time) {
                    self.return_from(Away { from: due, to: now });
                }
            }
            Some((wall, before)) => match jump(wall, before, now, mono) {
                Some(Jump::Forward(away)) => self.return_from(away),
                Some(Jump::Back { by }) => tracing::info!(?by, "the clock was set back; nothing runs twice"),
                None => {}
            },
        }
        // Only now: a store that could not be asked at the start is asked again.
        self.beat = Some((now, mono));
        Ok(now)
    }

    fn return_from(&mut self, away: Away) {
        tracing::info!(from = %away.from, to = %away.to, "back at work");
        self.away = Some(away);
        self.back = Back { telling: true, ..Back::default() };
    }

    /// One line on return, when all that was overdue has been looked at.
    async fn tell_return(&mut self) {
        let Some(away) = self.away.filter(|_| self.back.telling && self.held.is_empty()) else { return };
        self.back.telling = false;
        let (caught_up, stale) = (self.back.caught_up, self.back.stale);
        if away.to.since(away.from) < AWAY_TOLD || caught_up + stale == 0 {
            return;
        }
        let message = format!("slept {}: {caught_up} caught up, {stale} skipped as stale", words(away.to.since(away.from)));
        let data = json!({ "event_type": "returned", "message": message, "from": away.from, "to": away.to,
            "caught_up": caught_up, "skipped_stale": stale });
        let event = NewEvent::system(crate::domain::event::EventBody::Custom(Custom { type_name: "scheduler".to_owned(), data }));
        if let Err(error) = self.deps.log.record(vec![event]).await {
            tracing::warn!(%error, message, "could not tell of the return");
        }
    }

    /// Holds what runs here for longer; gives up what was lost.
    async fn renew(&mut self, now: Instant) -> Result<(), Error> {
        if self.held.is_empty() || self.renewed.elapsed() < self.deps.options.lease() / 3 {
            return Ok(());
        }
        self.renewed = tokio::time::Instant::now();
        let held = self.held.iter().map(|(task, (epoch, _))| (task.clone(), *epoch)).collect();
        for lost in self.deps.log.tasks().renew_tasks(self.claim(now, self.held.len()), held).await? {
            if let Some((_, cancel)) = self.held.get(&lost) {
                tracing::warn!(task = %lost, "a run lost its lease and is given up");
                cancel.cancel();
            }
        }
        Ok(())
    }

    fn claim(&self, now: Instant, limit: usize) -> Claim {
        Claim { owner: self.deps.owner.clone(), now, lease: self.deps.options.lease(), limit }
    }
}

/// A stretch of time in the words of the one line: `7 h`, `12 min`.
fn words(stretch: Duration) -> String {
    let minutes = stretch.as_secs() / 60;
    match minutes {
        0..60 => format!("{minutes} min"),
        60..2_880 => format!("{} h", (minutes + 30) / 60),
        _ => format!("{} days", (minutes + 720) / 1_440),
    }
}
