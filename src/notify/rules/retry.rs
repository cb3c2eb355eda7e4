//! What to do after a failed try.

use std::time::Duration;

use crate::domain::clock::Instant;
use crate::domain::notice::ChannelKind;
use crate::notify::SendError;

/// The waits between tries; the last one is repeated.
const DELAYS: [Duration; 5] =
    [Duration::from_secs(30), Duration::from_mins(2), Duration::from_mins(10), Duration::from_hours(1), Duration::from_hours(6)];

/// What becomes of a notice after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is tried again then.
    Retry(Instant),
    /// It is a dead letter: shown, and sent again only by hand.
    Fail,
    /// It may have arrived: shown as such, and sent again only by hand.
    Unknown,
}

/// What to do after try number `attempt` (from 1) of at most `tries_max` ended in `error`. A lost answer is tried again
/// only where the receiver can tell a repeat. A service that names a time is obeyed, but no sooner than our own wait.
/// `random` lies in 0..1 and lengthens our own waits by up to a tenth, so that many notices do not return at once.
pub fn after_failure(kind: ChannelKind, error: &SendError, attempt: u32, tries_max: u32, now: Instant, random: f64) -> Step {
    let again = error.is_transient() || (error.may_have_arrived() && kind.is_idempotent());
    if !again || attempt >= tries_max {
        return if error.may_have_arrived() { Step::Unknown } else { Step::Fail };
    }
    let place = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX).min(DELAYS.len() - 1);
    let own = now.plus(DELAYS[place].mul_f64(1.0 + random.clamp(0.0, 1.0) / 10.0));
    Step::Retry(error.retry_at().map_or(own, |asked| asked.max(own)))
}
