//! Decides about a task: what is due, what is skipped, what follows a run.

use std::time::Duration;

use super::{Away, Limits, Next, Plan, Settled, Sight, Step, Ticket, just_after, just_before, part};
use crate::domain::clock::Instant;
use crate::domain::task::{CatchUp, Outcome, Overlap, TaskKind, TaskSpec, TaskWork};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunResult {
    /// Well, whether it found something or not.
    Ok,
    /// Not well.
    Failed {
        /// When the other side wants to be asked again, where it said so.
        retry_at: Option<Instant>,
    },
}

/// Further ahead of the clock than this, a cursor was set by a clock that was wrong by a day and more.
const AHEAD_MAX: Duration = Duration::from_hours(24);

/// The work of a task that was just made. A watch looks once at once, so that its baseline is there before its first
/// occurrence; that run is for no occurrence.
pub fn start(plan: &Plan, spec: &TaskSpec, now: Instant) -> TaskWork {
    let mut work = TaskWork::new(spec.task_id.clone(), now, plan.next_after(now));
    work.extra_at = looks_at_once(plan, spec, now).then_some(now);
    work.index(true);
    work
}

/// Whether a task looks as soon as it is made, beside what it is planned for.
pub fn looks_at_once(plan: &Plan, spec: &TaskSpec, now: Instant) -> bool {
    let watches = matches!(spec.kind.kind(), TaskKind::WebMonitor | TaskKind::ThresholdWatch);
    watches && plan.start_at.is_none_or(|start| start <= now) && plan.next_after(now).is_some()
}

/// What to do about everything that is due. Call it when `wake` has come, and for a task that just became active. At
/// most one step is a run, and it is the last one; until [`after_run`] nothing else is decided.
pub fn look(plan: &Plan, work: &TaskWork, sight: &Sight, limits: &Limits) -> Next {
    let mut draft = Draft::new(plan, work, limits);
    if sight.running {
        return draft.done(true);
    }
    if draft.work.failures == 0 && plan.runs_max.is_some_and(|max| draft.work.runs >= max) {
        return draft.complete();
    }
    if draft.work.extra_at.is_some_and(|at| at.since(sight.now) > limits.retry_max) {
        // The clock was set back under a retry.
        draft.work.extra_at = Some(sight.now);
    }
    if let Some(away) = sight.away {
        draft.back(away, sight.now);
    }
    if draft.work.extra_at.is_none_or(|at| at <= sight.now) {
        draft.grant(sight.now);
    }
    let runs = matches!(draft.steps.last(), Some(Step::Run(_)));
    if !runs && draft.work.extra_at.is_none() && plan.next_after(draft.work.cursor).is_none() {
        return draft.complete();
    }
    draft.done(true)
}

/// What follows a run that [`look`] gave the `ticket` for. The ticket's occurrence has the ticket's outcome where the
/// run went well, else `Failed`: the caller writes it down with the run; what came due meanwhile is in the steps.
pub fn after_run(plan: &Plan, work: &TaskWork, ticket: &Ticket, result: RunResult, sight: &Sight, limits: &Limits) -> Next {
    let mut draft = Draft::new(plan, work, limits);
    let work = &mut draft.work;
    work.cursor = ticket.due.map_or(work.cursor, |due| due.max(work.cursor));
    if work.failures == 0 {
        work.runs = work.runs.saturating_add(1);
    }
    work.extra_at = None;
    match result {
        RunResult::Ok => work.failures = 0,
        RunResult::Failed { .. } => work.failures = work.failures.saturating_add(1),
    }
    let (runs, failures) = (work.runs, work.failures);
    let spent = failures == 0 && plan.runs_max.is_some_and(|max| runs >= max);
    let broken = failures >= limits.failures_max;
    draft.overlapped(sight, spent || broken);
    if let RunResult::Failed { retry_at } = result {
        if broken {
            let reason = format!("it failed {failures} times in a row");
            draft.steps.push(Step::Pause { reason });
            return draft.done(false);
        }
        let wait = sight.now.plus(limits.wait_after(failures));
        let asked = retry_at.map_or(wait, |at| at.max(wait));
        draft.work.extra_at = Some(asked.min(sight.now.plus(limits.retry_max)));
        return draft.done(true);
    }
    if spent || plan.next_after(draft.work.cursor).is_none() {
        return draft.complete();
    }
    draft.done(true)
}

/// What follows a run that left no outcome: its process ended or hung. Its occurrence stays due. It is tried again at
/// once the first time, then later and later as after other failures, and the task rests in the end: it may be what
/// ends the process.
pub fn cut_short(plan: &Plan, work: &TaskWork, now: Instant, limits: &Limits) -> Next {
    let mut draft = Draft::new(plan, work, limits);
    let work = &mut draft.work;
    if work.failures == 0 {
        work.runs = work.runs.saturating_add(1);
    }
    work.failures = work.failures.saturating_add(1);
    let failures = work.failures;
    if failures >= limits.failures_max {
        draft.work.extra_at = None;
        let reason = format!("it failed {failures} times in a row, the last time because the program ended in its run");
        draft.steps.push(Step::Pause { reason });
        return draft.done(false);
    }
    if failures > 1 {
        draft.work.extra_at = Some(now.plus(limits.wait_after(failures - 1)));
    }
    draft.done(true)
}

/// The work of a task that goes on after a rest. `by_itself` tells whether the program had paused it: what came due
/// since is then missed and it tries again at once; what comes due while a person lets it rest is not planned.
///
/// A cursor that a wrong clock carried more than a day ahead is brought back: that is what a person can do about it.
pub fn resume(plan: &Plan, work: &TaskWork, by_itself: bool, now: Instant) -> Next {
    let limits = Limits::default();
    let mut draft = Draft::new(plan, work, &limits);
    if by_itself {
        draft.settle_to(now, Outcome::Missed, "it had paused after failures");
    }
    let cursor = draft.work.cursor;
    draft.work.cursor = if cursor.since(now) > AHEAD_MAX { now } else { cursor.max(now) };
    draft.work.failures = 0;
    draft.work.extra_at = by_itself.then_some(now);
    if !by_itself && plan.next_after(draft.work.cursor).is_none() {
        return draft.complete();
    }
    draft.done(true)
}

/// The work of a task whose spec changed: planned anew from now on. Let [`look`] settle what the old plan had due first.
pub fn replan(plan: &Plan, work: &TaskWork, active: bool, now: Instant) -> TaskWork {
    let limits = Limits::default();
    let mut draft = Draft::new(plan, work, &limits);
    draft.work.cursor = draft.work.cursor.max(now);
    draft.done(active).work
}

impl Limits {
    fn wait_after(&self, failures: u32) -> Duration {
        let index = usize::try_from(failures).unwrap_or(usize::MAX).saturating_sub(1);
        self.backoff.get(index).or(self.backoff.last()).copied().unwrap_or(Duration::from_hours(1))
    }
}

/// A task's work while it is decided about.
struct Draft<'a> {
    plan: &'a Plan,
    limits: &'a Limits,
    work: TaskWork,
    steps: Vec<Step>,
}

impl<'a> Draft<'a> {
    fn new(plan: &'a Plan, work: &TaskWork, limits: &'a Limits) -> Self {
        Self { plan, limits, work: work.clone(), steps: Vec::new() }
    }

    fn done(mut self, active: bool) -> Next {
        self.work.next_due = self.plan.next_after(self.work.cursor);
        self.work.index(active);
        Next { work: self.work, steps: self.steps }
    }

    fn complete(mut self) -> Next {
        let plan = self.plan;
        let reason = match plan.runs_max {
            Some(max) if self.work.runs >= max => format!("it has run {max} times"),
            _ if plan.is_once() && self.work.runs > 0 => "it was due once and has run".to_owned(),
            _ if plan.is_once() => "its time has passed".to_owned(),
            _ => "nothing is due before its end date".to_owned(),
        };
        self.work.extra_at = None;
        self.steps.push(Step::Complete { reason });
        self.done(false)
    }

    /// The newest occurrence up to and with `to` that has no outcome yet.
    fn newest(&self, to: Instant) -> Option<Instant> {
        self.plan.last_before(just_after(to)).filter(|due| *due > self.work.cursor)
    }

    /// Ends everything up to and with `to` in `outcome`.
    fn settle_to(&mut self, to: Instant, outcome: Outcome, reason: &str) {
        let count = self.plan.count(self.work.cursor, to);
        let range = self.plan.next_after(self.work.cursor).zip(self.newest(to));
        if let (Some((from, last)), 1..) = (range, count) {
            self.steps.push(Step::Settle(Settled { outcome, reason: reason.to_owned(), from, to: last, count }));
            self.work.cursor = last;
        }
    }

    /// Whether the program was away when `due` came.
    fn was_away(&self, due: Instant) -> bool {
        self.work.back_at.is_some_and(|back| back.since(due) > self.limits.on_time)
    }

    /// Decides once what becomes of the occurrences that the program was away for.
    fn back(&mut self, away: Away, now: Instant) {
        if self.work.back_at.is_some_and(|back| back >= away.to) {
            return;
        }
        let edge = Instant::from_millis(away.to.as_millis().saturating_sub(millis(self.limits.on_time)));
        let missed = self.newest(just_before(edge));
        let retry = self.work.extra_at.is_some_and(|at| at < away.to);
        if missed.is_none() && !retry {
            return;
        }
        self.work.back_at = Some(away.to);
        let kept = missed.map_or(0, |newest| self.kept(newest, away, now));
        if let Some(newest) = missed {
            self.drop_stale(newest, kept);
        }
        if kept > 0 || retry {
            self.work.extra_at = Some(now.plus(self.spread(now)));
        }
    }

    /// How many of the missed occurrences, of which `newest` is the last, are caught up.
    fn kept(&self, newest: Instant, away: Away, now: Instant) -> u32 {
        let plan = self.plan;
        match plan.catch_up {
            CatchUp::None => 0,
            CatchUp::All => self.limits.catch_up_runs,
            CatchUp::Latest if plan.is_once() => 1,
            CatchUp::Latest if plan.next_after(newest).is_some_and(|newer| newer <= now) => 0,
            CatchUp::Latest if plan.digest => {
                let date = |at: Instant| at.timestamp().to_zoned(plan.zone.clone()).date();
                u32::from(date(newest) == date(away.to))
            }
            CatchUp::Latest => u32::from(away.to.since(newest) < plan.period.min(self.limits.catch_up_age)),
        }
    }

    /// Settles all up to and with `newest` but the last `kept`.
    fn drop_stale(&mut self, newest: Instant, kept: u32) {
        let mut upto = newest;
        for _ in 0..kept {
            match self.newest(just_before(upto)) {
                Some(older) => upto = older,
                None => return,
            }
        }
        let reason = match (self.plan.catch_up, kept) {
            (CatchUp::None, _) => "the program was away, and the task catches nothing up",
            (CatchUp::Latest, 0) => "the program was away, and it is too old or overtaken",
            (CatchUp::Latest, _) => "the program was away; the latest stands for it",
            (CatchUp::All, _) => "the program was away, and too many were missed",
        };
        self.settle_to(upto, Outcome::SkippedStale, reason);
    }

    /// How long to wait before the first run after being away: not past the next occurrence.
    fn spread(&self, now: Instant) -> Duration {
        let room = self.plan.next_after(now).map_or(Duration::MAX, |next| next.since(now));
        part(self.plan.hash.rotate_left(32), self.limits.spread.min(room))
    }

    /// Gives leave to run for what is due now, and settles what that overtakes.
    fn grant(&mut self, now: Instant) {
        let (extra, failing) = (self.work.extra_at.is_some(), self.work.failures > 0);
        let Some(newest) = self.newest(now) else {
            if extra {
                self.steps.push(Step::Run(Ticket { due: None, outcome: Outcome::Ran }));
            }
            return;
        };
        let oldest = self.plan.next_after(self.work.cursor).unwrap_or(newest);
        if self.plan.catch_up == CatchUp::All && self.was_away(oldest) {
            return self.steps.push(Step::Run(Ticket { due: Some(oldest), outcome: Outcome::CaughtUp }));
        }
        let away = self.was_away(newest);
        if extra && failing && !away && now.since(newest) > self.limits.on_time {
            self.settle_to(newest, Outcome::Missed, "it was waiting after a failure");
            return self.steps.push(Step::Run(Ticket { due: None, outcome: Outcome::Ran }));
        }
        self.overtaken(newest, failing);
        self.steps.push(Step::Run(Ticket { due: Some(newest), outcome: if away { Outcome::CaughtUp } else { Outcome::Ran } }));
    }

    /// Settles what lies before `newest`, which runs in its stead.
    fn overtaken(&mut self, newest: Instant, failing: bool) {
        if let Some(back) = self.work.back_at {
            let edge = Instant::from_millis(back.as_millis().saturating_sub(millis(self.limits.on_time)));
            let upto = just_before(edge.min(newest));
            self.settle_to(upto, Outcome::SkippedStale, "the program was away; a newer one stands for it");
        }
        let reason = if failing { "it was waiting after a failure" } else { "the program was busy; a newer one stands for it" };
        self.settle_to(just_before(newest), Outcome::Missed, reason);
    }

    /// Settles what came due while the run went on; `last` tells that no run follows.
    fn overlapped(&mut self, sight: &Sight, last: bool) {
        let Some(newest) = self.newest(sight.now) else { return };
        let oldest = self.plan.next_after(self.work.cursor).unwrap_or(newest);
        // What the program slept through and what waits to be caught up is not the run's doing.
        let slept = sight
            .away
            .is_some_and(|away| self.work.back_at.is_none_or(|back| back < away.to) && away.to.since(oldest) > self.limits.on_time);
        if !last && (slept || (self.plan.catch_up == CatchUp::All && self.was_away(oldest))) {
            return;
        }
        let upto = if self.plan.overlap == Overlap::Queue && !last { just_before(newest) } else { newest };
        self.settle_to(upto, Outcome::SkippedOverlap, "the run before was still at it");
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
