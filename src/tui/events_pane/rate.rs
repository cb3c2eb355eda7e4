//! How many events a second there are now: counted by their own times, over the last few whole seconds.
//!
//! A fixed number of counters, so that a flood costs no memory; nothing moves once the last second is over.

use std::time::Duration;

use crate::domain::clock::Instant;

/// Seconds that are looked back over.
pub const SPAN_SECONDS: i64 = 5;

/// Below so many a second the rate is not told: that is somebody talking, not a flow.
pub const TOLD_FROM: u32 = 3;

/// Seconds with events that make a flow; fewer are a burst, such as the one in which all servers connect, and told by
/// the count alone.
const FLOW_SECONDS: usize = 3;

/// Counters; one more than the span, for the second that runs.
const SLOTS: usize = 6;

/// The counter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    /// The second that `slots[0]` counts, since the Unix epoch.
    second: i64,
    /// Events of that second, of the one before, and so on.
    slots: [u32; SLOTS],
}

impl Rate {
    /// Counts an event that happened at `at`; one that is older than the span is passed over.
    pub fn add(&mut self, at: Instant) {
        let second = at.as_millis().div_euclid(1_000);
        let ahead = second.saturating_sub(self.second);
        if ahead > 0 {
            let by = usize::try_from(ahead).unwrap_or(SLOTS).min(SLOTS);
            self.slots.rotate_right(by % SLOTS);
            self.slots.iter_mut().take(by).for_each(|slot| *slot = 0);
            self.second = second;
        }
        let back = usize::try_from(self.second.saturating_sub(second)).unwrap_or(SLOTS);
        if let Some(slot) = self.slots.get_mut(back) {
            *slot = slot.saturating_add(1);
        }
    }

    /// Events a second over the last [`SPAN_SECONDS`], rounded.
    pub fn per_second(&self, now: Instant) -> u32 {
        let sum = self.counts(now).fold(0, u32::saturating_add);
        let span = u32::try_from(SPAN_SECONDS).unwrap_or(1);
        sum.saturating_add(span / 2) / span
    }

    /// The rate where it is worth telling.
    pub fn told(&self, now: Instant) -> Option<u32> {
        let flows = self.counts(now).filter(|count| *count > 0).count() >= FLOW_SECONDS;
        Some(self.per_second(now)).filter(|rate| flows && *rate >= TOLD_FROM)
    }

    /// The events of each of the last seconds.
    fn counts(&self, now: Instant) -> impl Iterator<Item = u32> {
        let (second, now) = (self.second, now.as_millis().div_euclid(1_000).max(self.second));
        (0..).zip(self.slots).filter(move |(back, _)| now - (second - back) < SPAN_SECONDS).map(|(_, count)| count)
    }

    /// When the rate reads differently without another event; `None` once it is not told.
    pub fn next_change(&self, now: Instant) -> Option<Instant> {
        let next = Instant::from_millis(now.as_millis().div_euclid(1_000).saturating_add(1).saturating_mul(1_000));
        self.told(now).map(|_| next.max(now.plus(Duration::from_millis(1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Instant {
        Instant::from_millis(1_767_277_800_000 + ms)
    }

    #[test]
    fn it_is_counted_by_the_events_own_times() {
        let mut rate = Rate::default();
        for ms in 0..25_000 {
            rate.add(at(ms / 5));
        }
        assert_eq!(rate.per_second(at(4_999)), 5_000);
        assert_eq!(rate.per_second(at(6_500)), 3_000);
        assert_eq!(rate.per_second(at(9_999)), 0);
    }

    #[test]
    fn old_events_and_long_gaps_do_not_count() {
        let mut rate = Rate::default();
        for _ in 0..50 {
            rate.add(at(60_000));
        }
        rate.add(at(0));
        assert_eq!(rate.per_second(at(60_000)), 10);
        rate.add(at(3_600_000));
        assert_eq!(rate.per_second(at(3_600_000)), 0);
    }

    #[test]
    fn it_wakes_nobody_once_it_is_not_told() {
        let mut rate = Rate::default();
        assert_eq!(rate.next_change(at(0)), None);
        for _ in 0..50 {
            [100, 1_100, 2_100].into_iter().for_each(|ms| rate.add(at(ms)));
        }
        assert_eq!(rate.next_change(at(2_100)), Some(at(3_000)));
        assert_eq!(rate.next_change(at(5_000)), None);
    }

    #[test]
    fn a_burst_is_no_flow() {
        let mut rate = Rate::default();
        for _ in 0..50 {
            [900, 1_100].into_iter().for_each(|ms| rate.add(at(ms)));
        }
        assert_eq!((rate.per_second(at(1_100)), rate.told(at(1_100))), (20, None));
        rate.add(at(2_000));
        assert_eq!(rate.told(at(2_000)), Some(20));
    }
}
