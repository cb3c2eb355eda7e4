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

mod calendar;
mod cron;
mod dates;
mod rule;
mod steps;
#[cfg(test)]
mod tests;
mod times;

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::clock::Instant;
use crate::domain::ids::TaskId;
use crate::domain::task::{CatchUp, KindConfig, Outcome, Overlap, TaskKind, TaskSpec, TaskWork};

use rule::Rule;
pub use steps::{RunResult, after_run, cut_short, look, looks_at_once, replan, resume, start};

/// The scheduler beats at least this often.
pub const BEAT: Duration = Duration::from_secs(15);
/// Wall clock and monotonic clock may drift apart by so much between two beats.
const DRIFT: Duration = Duration::from_secs(5);
/// A beat that is later than this came from a program that stood still.
const FROZEN: Duration = Duration::from_mins(1);

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
pub struct Plan {
    rule: Rule,
    zone: TimeZone,
    start_at: Option<Instant>,
    end_at: Option<Instant>,
    period: Duration,
    catch_up: CatchUp,
    overlap: Overlap,
    runs_max: Option<u64>,
    /// Whether it gathers news: late news are news until the day ends.
    digest: bool,
    hash: u64,
}

impl Plan {
    /// The plan of `spec`; `machine_zone` is used where the spec names no zone.
    ///
    /// # Errors
    /// When the spec's cron expression, zone or numbers are no good (`ambient::spec` lets none of these through).
    pub fn new(spec: &TaskSpec, machine_zone: &TimeZone) -> Result<Self, PlanError> {
        let common = spec.kind.common();
        let zone = match &common.timezone {
            Some(name) => TimeZone::get(name).map_err(|_| PlanError::Zone { name: name.clone() })?,
            None => machine_zone.clone(),
        };
        let digest = match &spec.kind {
            KindConfig::Schedule(config) => config.action.as_deref() == Some(TaskKind::NewsDigest.as_str()),
            kind => kind.kind() == TaskKind::NewsDigest,
        };
        let rule = Rule::new(spec, &zone)?;
        Ok(Self {
            period: rule.period(spec.created_at),
            rule,
            zone,
            start_at: common.start_at,
            end_at: common.end_at,
            catch_up: common.catch_up,
            overlap: common.overlap,
            runs_max: common.max_runs,
            digest,
            hash: hash(&spec.task_id),
        })
    }

    /// The first occurrence strictly after `after` that lies within the start and end dates.
    pub fn next_after(&self, after: Instant) -> Option<Instant> {
        let next = self.rule.next_after(self.not_before(after))?;
        (self.end_at.is_none_or(|end| next <= end)).then_some(next)
    }

    /// The last occurrence strictly before `before` that lies within the start and end dates.
    pub fn last_before(&self, before: Instant) -> Option<Instant> {
        let before = self.end_at.map_or(before, |end| before.min(just_after(end)));
        let last = self.rule.last_before(before)?;
        (self.start_at.is_none_or(|start| last >= start)).then_some(last)
    }

    /// How many occurrences lie in `(after, to]`. Arithmetic where the rule allows it: a decade of seconds is no loop
    /// over seconds.
    pub fn count(&self, after: Instant, to: Instant) -> u64 {
        self.rule.count(self.not_before(after), self.end_at.map_or(to, |end| to.min(end)))
    }

    /// The distance between two occurrences; the smallest near its creation where it varies, a day for `once`.
    pub fn period_hint(&self) -> Duration {
        self.period
    }

    /// The zone that local times are in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    fn not_before(&self, after: Instant) -> Instant {
        self.start_at.map_or(after, |start| after.max(just_before(start)))
    }

    fn is_once(&self) -> bool {
        matches!(self.rule, Rule::Once(_))
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

impl Default for Limits {
    fn default() -> Self {
        Self {
            on_time: Duration::from_secs(15),
            catch_up_age: Duration::from_hours(12),
            catch_up_runs: 24,
            spread: Duration::from_mins(1),
            backoff: vec![Duration::from_secs(30), Duration::from_mins(2), Duration::from_mins(10), Duration::from_hours(1)],
            retry_max: Duration::from_hours(24),
            failures_max: 10,
        }
    }
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
    pub work: TaskWork,
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

/// Compares two beats of the scheduler (one at least every [`BEAT`]): wall clocks, and monotonic clocks since any start.
pub fn jump(wall_before: Instant, mono_before: Duration, wall: Instant, mono: Duration) -> Option<Jump> {
    let passed = mono.saturating_sub(mono_before);
    let expected = wall_before.plus(passed);
    if wall.since(expected) > DRIFT || (passed > FROZEN && wall > wall_before) {
        return Some(Jump::Forward(Away { from: wall_before, to: wall }));
    }
    let by = expected.since(wall);
    (by > DRIFT).then_some(Jump::Back { by })
}

/// Where in its period a task lies: a hash of its id, the same on every machine and in every version.
pub fn phase(task_id: &TaskId, period: Duration) -> Duration {
    part(hash(task_id), period)
}

/// FNV-1a with the last mixing of `MurmurHash3`, so that the low digits are spread evenly too.
fn hash(task_id: &TaskId) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = task_id.as_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold);
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

fn part(hash: u64, whole: Duration) -> Duration {
    let ms = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(hash % ms.max(1))
}

fn just_before(at: Instant) -> Instant {
    Instant::from_millis(at.as_millis().saturating_sub(1))
}

fn just_after(at: Instant) -> Instant {
    Instant::from_millis(at.as_millis().saturating_add(1))
}
