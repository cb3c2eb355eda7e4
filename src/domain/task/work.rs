//! How a task's work stands: the row that changes with every check, without an event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::clock::Instant;
use crate::domain::ids::TaskId;

/// How a planned occurrence ended. Each ends in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ran when it was due.
    Ran,
    /// It ran late, after the program was away or asleep.
    CaughtUp,
    /// It was too old when the program was back.
    SkippedStale,
    /// The run before was still at it.
    SkippedOverlap,
    /// It could not run: the program was too busy, or the task was backing off.
    Missed,
    /// It ran and failed.
    Failed,
}

impl Outcome {
    /// The name in the log and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::CaughtUp => "caught_up",
            Self::SkippedStale => "skipped_stale",
            Self::SkippedOverlap => "skipped_overlap",
            Self::Missed => "missed",
            Self::Failed => "failed",
        }
    }
}

/// An hour of runs that found nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HourCount {
    /// The hour's start.
    pub hour: Instant,
    /// Occurrences that ran in it and found nothing.
    pub ran: u64,
    /// The last of them.
    pub last_due: Instant,
    /// How long they took together, in milliseconds.
    pub duration_ms: u64,
    /// Which gate stopped how many.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<String, u64>,
}

/// The last run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// When it began.
    pub at: Instant,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it fired.
    pub fired: bool,
    /// One phrase for lists: `unchanged (304)`, `fired: 2 keywords`, `HTTP 503`.
    pub note: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// How a task's work stands. Changes in place with every check; never an event by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskWork {
    /// Which task.
    pub task_id: TaskId,
    /// Everything up to and with this occurrence has its outcome.
    pub cursor: Instant,
    /// The next occurrence after the cursor; none when the task will not come due again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Instant>,
    /// When the next run begins where that is not the next occurrence: a retry after a failure, `run now`, a spread
    /// catch-up. Nothing runs before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_at: Option<Instant>,
    /// When the program was last back from being away, as far as this task had something to miss: what was due before
    /// and still runs is caught up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_at: Option<Instant>,
    /// When the scheduler looks at it next: `extra_at`, else `next_due`; absent while the task rests. The due index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake: Option<Instant>,
    /// Raised by each claim: completing a run needs the epoch of its claim.
    #[serde(default)]
    pub epoch: u64,
    /// Who runs it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Until when nobody else may claim it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Instant>,
    /// Runs so far, good and bad; a retry belongs to the run that it repeats.
    #[serde(default)]
    pub runs: u64,
    /// Failures in a row.
    #[serde(default)]
    pub failures: u32,
    /// The last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRun>,
    /// The hour that runs: becomes an event when it is over.
    #[serde(default)]
    pub hour: HourCount,
    /// What the probe remembers from run to run (validators, hashes, whether a threshold is armed). The probe's own form.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub state: Value,
}

impl TaskWork {
    /// The work of a task that has never run.
    pub fn new(task_id: TaskId, created: Instant, next_due: Option<Instant>) -> Self {
        Self {
            task_id,
            cursor: created,
            next_due,
            extra_at: None,
            back_at: None,
            wake: next_due,
            epoch: 0,
            owner: None,
            lease_until: None,
            runs: 0,
            failures: 0,
            last: None,
            hour: HourCount::default(),
            state: Value::Null,
        }
    }

    /// Sets `wake` to what follows from the rest; `active` is whether the task's status lets it run.
    pub fn index(&mut self, active: bool) {
        self.wake = if active { self.extra_at.or(self.next_due) } else { None };
    }
}
