//! How many notices a channel may send: a token bucket over the instants of what was sent.

use std::time::Duration;

use crate::domain::clock::Instant;

/// An hour in milliseconds: what a rate counts in, and how long a sent notice can matter.
const HOUR_MS: i64 = 3_600_000;

/// At most so many notices an hour: a bucket of that many tokens, filled evenly over the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    per_hour: u32,
}

impl Limit {
    /// `per_hour` notices in an hour; 0: no limit.
    pub fn per_hour(per_hour: u32) -> Self {
        Self { per_hour }
    }

    /// How far back what was sent can still matter.
    pub const WINDOW: Duration = Duration::from_hours(1);

    /// When the next notice may go, given the instants of what was sent, in any order (older than [`Self::WINDOW`] may be
    /// left out): none means now.
    pub fn wait_until(self, sent: &[Instant], now: Instant) -> Option<Instant> {
        if self.per_hour == 0 {
            return None;
        }
        let mut sent: Vec<i64> = sent.iter().map(|at| at.as_millis()).filter(|at| *at <= now.as_millis()).collect();
        sent.sort_unstable();
        // Counted in thousandths of tokens times the hour, whole numbers only: one token is worth an hour's milliseconds.
        let full = i64::from(self.per_hour) * HOUR_MS;
        let mut level = full;
        let mut last = i64::MIN;
        let refill =
            |level: i64, from: i64, to: i64| level.saturating_add(to.saturating_sub(from).saturating_mul(self.per_hour.into())).min(full);
        for at in sent {
            level = if last == i64::MIN { full } else { refill(level, last, at) };
            level = (level - HOUR_MS).max(0);
            last = at;
        }
        level = if last == i64::MIN { full } else { refill(level, last, now.as_millis()) };
        let missing = HOUR_MS - level;
        if missing <= 0 {
            return None;
        }
        let wait_ms = u64::try_from(missing).unwrap_or(0).div_ceil(u64::from(self.per_hour));
        Some(now.plus(Duration::from_millis(wait_ms)))
    }
}
