//! One run: what is due is decided, looked at, and committed.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use crate::ambient::finding::{Fault, Finding, Look};
use crate::ambient::plan::{self, Away, Next, Plan, RunResult, Sight, Step, Ticket};
use crate::ambient::scheduler::Deps;
use crate::ambient::scheduler::commit::{self, Run};
use crate::domain::clock::Instant;
use crate::domain::ids::TaskId;
use crate::domain::task::{Outcome, TaskWork};
use crate::net::fetch::Line;
use crate::store::tasks::{Claimed, Fence, Op};
use crate::store::{Error, Terms};

/// How often a commit is tried when the store is busy or full.
const COMMIT_TRIES_MAX: u32 = 5;

/// The wait after the first try; each further one waits twice as long.
const COMMIT_RETRY: Duration = Duration::from_millis(100);

/// A run that is over.
pub(super) struct Ended {
    pub(super) task_id: TaskId,
    pub(super) epoch: u64,
    pub(super) tally: Tally,
}

/// What a look at an overdue task decided.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) caught_up: u64,
    pub(super) stale: u64,
}

/// Runs tasks.
pub(super) struct Runner {
    deps: Deps,
    /// Runs that only stand in line.
    aside: AtomicUsize,
}

/// A run that stands in line, until it is dropped.
struct Aside<'a>(&'a Runner);

impl<'a> Aside<'a> {
    fn new(runner: &'a Runner) -> Self {
        runner.aside.fetch_add(1, Ordering::SeqCst);
        // There is room for another run.
        runner.deps.nudges.tasks();
        Self(runner)
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.0.aside.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Runner {
    pub(super) fn new(deps: Deps) -> Self {
        Self { deps, aside: AtomicUsize::new(0) }
    }

    /// Runs that only stand in line.
    pub(super) fn aside(&self) -> usize {
        self.aside.load(Ordering::SeqCst)
    }

    fn zone(&self) -> &TimeZone {
        &self.deps.zone
    }

    /// Decides, looks, commits. `cancel` puts the task back as it was.
    pub(super) async fn run(&self, task: Claimed, now: Instant, away: Option<Away>, cancel: CancellationToken) -> Tally {
        let plan = match Plan::new(&task.spec, self.zone()) {
            Ok(plan) => plan,
            Err(error) => {
                // Specs are checked when they are made; a zone may have left the time zone data since.
                self.save(&task, commit::unplannable(&task, &error.to_string(), now), now).await;
                return Tally::default();
            }
        };
        if task.interrupted {
            // It counts before it runs again: what ends the process each time must come to an end itself.
            let next = plan::cut_short(&plan, &task.work, now, &self.deps.limits);
            self.save(&task, commit::cut_short(&task, next, now), now).await;
            return Tally::default();
        }
        let sight = Sight { now, away, running: false };
        let next = plan::look(&plan, &task.work, &sight, &self.deps.limits);
        let tally = tally(&plan, &task.work, &next, away, self.deps.limits.on_time);
        let Some(ticket) = ticket(&next) else {
            self.save(&task, commit::decided(&task, next, now), now).await;
            return tally;
        };
        let started = self.deps.clock.now();
        let clock = tokio::time::Instant::now();
        let looked = tokio::select! {
            biased;
            () = cancel.cancelled() => {
                self.put_back(&task).await;
                return Tally::default();
            }
            looked = self.look(&task, &ticket, now) => looked,
        };
        let took = clock.elapsed();
        let ended = self.deps.clock.now();
        let sight = Sight { now: ended, away, running: false };
        let result = match &looked {
            Ok(_) => RunResult::Ok,
            Err(fault) => RunResult::Failed { retry_at: fault.retry_at },
        };
        let after = |result| plan::after_run(&plan, &next.work, &ticket, result, &sight, &self.deps.limits);
        let run = Run { before: next.clone(), ticket, started, took, ended };
        match self.try_save(&task, commit::ran(&task, &run, after(result), looked), ended).await {
            Err(error @ Error::QueueFull { .. }) => {
                let fault = Fault { message: error.to_string(), retry_at: None };
                self.save(&task, commit::ran(&task, &run, after(RunResult::Failed { retry_at: None }), Err(fault)), ended).await;
            }
            Err(error) => tell(&task, &error),
            Ok(()) => {}
        }
        tally
    }

    async fn look(&self, task: &Claimed, ticket: &Ticket, now: Instant) -> Result<Finding, Fault> {
        let look = Look { spec: task.spec.clone(), state: task.work.state.clone(), due: ticket.due, now, line: Line::default() };
        let limit = self.deps.options.run_timeout();
        let line = look.line.clone();
        let looking = AssertUnwindSafe(self.deps.probe.look(look)).catch_unwind();
        if let Some(looked) = self.within(limit, &line, looking).await {
            // A look that breaks off is a failure like any other: it backs off, and pauses the task in the end.
            looked.unwrap_or_else(|_| {
                let message = "the look broke off because of a fault of the program; the log has the details".to_owned();
                Err(Fault { message, retry_at: None })
            })
        } else {
            let message =
                format!("the run took longer than {} s and was given up; `tasks.run_timeout_seconds` allows more", limit.as_secs());
            Err(Fault { message, retry_at: None })
        }
    }

    /// Runs `work` for at most `limit`, standing in line not counted: meanwhile its place among the runs is another's.
    async fn within<T>(&self, limit: Duration, line: &Line, work: impl Future<Output = T>) -> Option<T> {
        let (mut left, mut waits) = (limit, line.watch());
        tokio::pin!(work);
        loop {
            if *waits.borrow_and_update() {
                let _aside = Aside::new(self);
                tokio::select! {
                    biased;
                    done = &mut work => return Some(done),
                    _ = waits.changed() => continue,
                }
            }
            let since = tokio::time::Instant::now();
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                _ = waits.changed() => left = left.saturating_sub(since.elapsed()),
                () = tokio::time::sleep(left) => return None,
            }
        }
    }

    /// Lets a claimed task go as it was: it is due again at once.
    async fn put_back(&self, task: &Claimed) {
        let mut work = task.work.clone();
        (work.owner, work.lease_until) = (None, None);
        let terms = Terms {
            fences: vec![Fence::Task(work.task_id.clone(), work.epoch)],
            ops: vec![Op::PutWork { extra_seen: work.extra_at, work: Box::new(work) }],
            ..Terms::default()
        };
        if let Err(error) = self.deps.log.commit(Vec::new(), terms).await {
            tell(task, &error);
        }
    }

    async fn save(&self, task: &Claimed, what: commit::Written, now: Instant) {
        if let Err(error) = self.try_save(task, what, now).await {
            tell(task, &error);
        }
    }

    async fn try_save(&self, task: &Claimed, what: commit::Written, _now: Instant) -> Result<(), Error> {
        let mut wait = COMMIT_RETRY;
        let mut tries = 1;
        loop {
            let terms =
                Terms { fences: vec![Fence::Task(task.work.task_id.clone(), task.work.epoch)], ops: what.ops.clone(), ..Terms::default() };
            match self.deps.log.commit(what.events.clone(), terms).await {
                Ok(_) => break,
                Err(error @ Error::QueueFull { .. }) => return Err(error),
                Err(error) if error.is_transient() && tries < COMMIT_TRIES_MAX => {
                    tracing::warn!(task = %task.work.task_id, error = error.report(), tries, "a run waits to be recorded");
                    tokio::time::sleep(wait).await;
                    (wait, tries) = (wait * 2, tries + 1);
                }
                Err(error) => return Err(error),
            }
        }
        if what.firings {
            self.deps.nudges.firings();
        }
        if what.notices {
            self.deps.nudges.notices();
        }
        Ok(())
    }
}

/// The run among the steps.
fn ticket(next: &Next) -> Option<Ticket> {
    next.steps.iter().find_map(|step| if let Step::Run(ticket) = step { Some(*ticket) } else { None })
}

/// What was decided about the time away. What is caught up is counted when that is decided: it runs up to a minute later.
fn tally(plan: &Plan, before: &TaskWork, next: &Next, away: Option<Away>, on_time: Duration) -> Tally {
    let mut tally = Tally::default();
    for step in &next.steps {
        if let Step::Settle(settled) = step
            && settled.outcome == Outcome::SkippedStale
        {
            tally.stale += settled.count;
        }
    }
    if let Some(away) = away
        && next.work.back_at == Some(away.to)
        && before.back_at != Some(away.to)
    {
        let missed_until = Instant::from_millis(away.to.as_millis() - i64::try_from(on_time.as_millis()).unwrap_or(0) - 1);
        tally.caught_up = plan.count(next.work.cursor, missed_until);
    }
    tally
}

/// A run that could not be recorded took no effect: the task is due again when its lease is over.
fn tell(task: &Claimed, error: &Error) {
    if error.is_fenced() {
        tracing::info!(task = %task.work.task_id, "a run ended after its lease and took no effect");
    } else {
        tracing::warn!(task = %task.work.task_id, error = error.report(), "a run could not be recorded and took no effect");
    }
}
