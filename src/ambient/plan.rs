//! Works out when tasks are due and what is done about it. Pure: the caller supplies the time.
//!
//! Every planned occurrence ends in exactly one [`Outcome`]: the work's cursor says up to where that is so, it only moves
//! forward, and each occurrence it passes is accounted for by a [`Step::Settle`] or by the run of a [`Ticket`].
//! While a run goes on, the cursor stays before its occurrence: after a crash it is simply due again.
//!
//! Intervals lie on an absolute grid, shifted by a phase from the task's id; daylight saving does not touch them. Stated
//! times of day are local: one that falls into a skipped hour is due once, at the first moment after the gap; one in a
//! doubled hour is due once, in the first pass; on a date that a zone left out altogether (Apia, 2011-12-30) nothing is
//! due. Cron expressions whose hours or minutes are wild (`*`, `/`) follow the wall clock through both passes and are
//! not due in a gap.

mod steps;

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::clock::Instant;
use crate::domain::ids::TaskId;
use crate::domain::task::{Outcome, TaskSpec};

pub use steps::{RunResult, after_run, look, resume, start};

/// Why a task cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The cron expression is no good.
    #[error("`{expression}` is no cron expression: {reason}")]
    Cron {
        /// The expression.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The time zone is not known.
    #[error("`{name}` is no time zone")]
    Zone {
        /// The name.
        name: String,
    },
    /// A number is out of range, a list is empty.
    #[error("`{field}` {reason}")]
    Field {
        /// The key in the config.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// When one task is due, and its policies: parsed once from its spec, cheap to keep.
#[derive(Debug, Clone)]
pub struct Plan {}

impl Plan {
    /// The plan of `spec`; `machine_zone` is used where the spec names no zone.
    ///
    /// # Errors
    /// When the spec's cron expression, zone or numbers are no good (`ambient::spec` lets none of these through).
    pub fn new(spec: &TaskSpec, machine_zone: &TimeZone) -> Result<Self, PlanError> {
        todo!()
    }
    /// The first occurrence strictly after `after` that lies within the start and end dates.
    pub fn next_after(&self, after: Instant) -> Option<Instant> {
        todo!()
    }
    /// The last occurrence strictly before `before`.
    pub fn last_before(&self, before: Instant) -> Option<Instant> {
        todo!()
    }
    /// How many occurrences lie in `(after, to]`. Takes no longer for a decade than for a day and a bit.
    pub fn count(&self, after: Instant, to: Instant) -> u64 {
        todo!()
    }
    /// The distance between two occurrences; the smallest near its creation where it varies, a day for `once`.
    pub fn period_hint(&self) -> Duration {
        todo!()
    }
    /// The zone that local times are in.
    pub fn zone(&self) -> &TimeZone {
        todo!()
    }
}

/// What the scheduler sees when it looks at a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// The time.
    pub now: Instant,
    /// The last stretch for which the program was off, asleep or jumped over. May be handed in with every look: what
    /// was decided about it once is remembered in the work.
    pub away: Option<Away>,
    /// Whether a run of this task goes on: nothing is decided before it ends.
    pub running: bool,
}

/// A stretch for which the program saw no time pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Away {
    /// When it was last seen at work.
    pub from: Instant,
    /// When it was back.
    pub to: Instant,
}

/// The bounds of the policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How late an occurrence may begin and still be on time. Default 15 s.
    pub on_time: Duration,
    /// How old the latest missed occurrence may be. Default 12 h.
    pub catch_up_age: Duration,
    /// How many missed occurrences `catch_up = "all"` runs. Default 24.
    pub catch_up_runs: u32,
    /// Over how long runs are spread after the program is back. Default 1 min.
    pub spread: Duration,
    /// The waits after the first, second … failure in a row; the last one repeats. Default 30 s, 2 m, 10 m, 1 h.
    pub backoff: Vec<Duration>,
    /// The longest wait that a server may ask for. Default 24 h.
    pub retry_max: Duration,
    /// Failures in a row after which the task pauses. Default 10.
    pub failures_max: u32,
}

/// Something to do about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write down that occurrences did not run (`occurrences_skipped`).
    Settle(Settled),
    /// Claim the task and run it. The cursor passes the occurrence only with [`after_run`].
    Run(Ticket),
    /// Pause the task: it failed too often.
    Pause {
        /// Why, in one phrase.
        reason: String,
    },
    /// Complete the task: it will not come due again.
    Complete {
        /// Why, in one phrase.
        reason: String,
    },
}

/// Occurrences that did not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// How they ended.
    pub outcome: Outcome,
    /// Why, in one phrase.
    pub reason: String,
    /// The first.
    pub from: Instant,
    /// The last.
    pub to: Instant,
    /// How many.
    pub count: u64,
}

/// Leave to run once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The occurrence it is for; none for a retry or a run out of turn.
    pub due: Option<Instant>,
    /// What becomes of the occurrence when the run ends well: `Ran` or `CaughtUp`.
    pub outcome: Outcome,
}

/// A task's work as it is to be stored, and what is to be done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// The work, `wake` included.
    pub work: crate::domain::task::TaskWork,
    /// What to do.
    pub steps: Vec<Step>,
}

/// What the wall clock did against the monotonic one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    /// It ran ahead, or the program stood still: it was asleep, frozen, or the clock was set forward.
    Forward(Away),
    /// It was set back by so much. Nothing runs twice, for cursors do not move back.
    Back {
        /// By how much.
        by: Duration,
    },
}

/// Compares two beats of the scheduler (at least one every 15 s): wall clocks and monotonic clocks (since any start).
pub fn jump(wall_before: Instant, mono_before: Duration, wall: Instant, mono: Duration) -> Option<Jump> {
    todo!()
}

/// Where in its period a task lies: a hash of its id, the same on every machine and in every version.
pub fn phase(task_id: &TaskId, period: Duration) -> Duration {
    todo!()
}
