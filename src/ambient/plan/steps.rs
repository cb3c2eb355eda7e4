//! Decides about a task: what is due, what is skipped, what follows a run.

use super::{Limits, Next, Plan, Sight, Ticket};
use crate::domain::clock::Instant;
use crate::domain::task::{TaskSpec, TaskWork};

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

/// The work of a task that was just made. A watch looks once at once, so that its baseline is there before its first
/// occurrence.
pub fn start(plan: &Plan, spec: &TaskSpec, now: Instant) -> TaskWork {
    todo!()
}

/// What to do about everything that is due. Call it when `wake` has come (and after the program was away). At most one
/// step is a run, and it is the last one; look again after it.
pub fn look(plan: &Plan, work: &TaskWork, sight: &Sight, limits: &Limits) -> Next {
    todo!()
}

/// What follows a run that `look` gave the `ticket` for and that began at `started`. The outcome of the ticket's
/// occurrence is its own where the run went well, else `Failed`.
pub fn after_run(
    plan: &Plan,
    work: &TaskWork,
    ticket: &Ticket,
    result: RunResult,
    started: Instant,
    sight: &Sight,
    limits: &Limits,
) -> Next {
    todo!()
}

/// The work of a task that goes on after a rest. `by_itself` tells whether the program had paused it: what came due
/// since is then missed, else it was not planned.
pub fn resume(plan: &Plan, work: &TaskWork, by_itself: bool, now: Instant) -> Next {
    todo!()
}
