//! What changes of a task's work mean, whichever store keeps it. Pure.

use std::time::Duration;

use crate::domain::clock::Instant;
use crate::domain::task::TaskWork;

/// When a task's work is looked at next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) extra_at: Option<Instant>,
    pub(super) wake: Option<Instant>,
}

/// What [`Op::PutWork`](super::tasks::Op::PutWork) leaves of `extra_at` and `next_due`. `stored` is the `extra_at` that
/// stands in the store now: a run that was asked for since `seen` is not forgotten.
pub(super) fn put(
    extra_at: Option<Instant>,
    next_due: Option<Instant>,
    stored: Option<Instant>,
    seen: Option<Instant>,
    active: bool,
) -> Due {
    let extra_at = if stored == seen { extra_at } else { earlier(stored, extra_at) };
    // As `TaskWork::index` has it: nothing runs before `extra_at`, although an occurrence may be overdue by then.
    Due { extra_at, wake: if active { extra_at.or(next_due) } else { None } }
}

/// What [`Op::Ask`](super::tasks::Op::Ask) leaves.
pub(super) fn ask(work: &mut TaskWork, at: Instant, active: bool) {
    work.extra_at = match work.extra_at {
        // The run under way may be the one that was asked for before: it knows of that time and takes it away at its
        // end, so this must be another time.
        Some(before) if work.lease_until.is_some() && before <= at => Some(at.max(before.plus(Duration::from_millis(1)))),
        before => earlier(before, Some(at)),
    };
    work.index(active);
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_runs_before_a_retry_although_an_occurrence_is_overdue() {
        let at = |ms| Some(Instant::from_millis(ms));
        let check = |extra, next, stored, seen, expected| assert_eq!(put(extra, next, stored, seen, true).wake, expected);
        check(at(500), at(100), None, None, at(500));
        check(None, at(100), None, None, at(100));
        check(at(500), at(100), at(200), None, at(200));
        check(None, at(100), at(200), at(200), at(100));
        assert_eq!(put(at(500), at(100), None, None, false).wake, None);
    }
}
