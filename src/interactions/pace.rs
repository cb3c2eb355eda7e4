//! How many records a request carries and how often one is sent. Pure: times come in as the time since the reporter began.

use std::time::Duration;

use crate::interactions::transport::STREAM_BATCH_MAX;

/// Counts requests: a second's worth may be sent at once, then one by one.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Requests a second; 0: any number.
    rate: f64,
    tokens: f64,
    at: Duration,
}

impl Pace {
    /// `rate` requests a second; 0: any number.
    pub fn new(rate: f64) -> Self {
        Self { rate, tokens: rate.max(1.0), at: Duration::ZERO }
    }

    /// Takes one request's place; or says when there will be one.
    pub fn take(&mut self, now: Duration) -> Option<Duration> {
        if self.rate <= 0.0 {
            return None;
        }
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.rate.max(1.0));
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return None;
        }
        // A little more, so that the place is there then whatever was rounded.
        Some(now + Duration::from_secs_f64((1.0 - self.tokens) / self.rate) + Duration::from_micros(1))
    }
}

/// How many records the next batch holds: halved when a batch is refused as a whole, until the record that is meant stands
/// alone, then doubled with each success.
#[derive(Debug, Clone)]
pub struct Size(usize);

impl Default for Size {
    fn default() -> Self {
        Self(STREAM_BATCH_MAX)
    }
}

impl Size {
    /// Records in the next batch of a transport that takes `most`.
    pub fn get(&self, most: usize) -> usize {
        self.0.min(most)
    }

    /// A batch of `records` was refused as a whole.
    pub fn shrink(&mut self, records: usize) {
        self.0 = (records / 2).max(1);
    }

    /// A batch was taken.
    pub fn grow(&mut self) {
        self.0 = (self.0 * 2).min(STREAM_BATCH_MAX);
    }
}

/// When a record that was refused `refusals` times is sent again: the wait doubles, with the same spread as all waits.
pub fn after_refusal(base: Duration, refusals: u32, random: f64) -> Duration {
    let wait = base.saturating_mul(1 << refusals.saturating_sub(1).min(16)).min(Duration::from_hours(1));
    wait.mul_f64(0.75 + random.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_at_once_then_one_by_one() {
        let mut pace = Pace::new(10.0);
        assert!((0..10).all(|_| pace.take(Duration::ZERO).is_none()));
        let next = pace.take(Duration::ZERO).unwrap();
        assert!(next > Duration::from_millis(99) && next < Duration::from_millis(101), "{next:?}");
        assert_eq!(pace.take(next), None);
        assert!(pace.take(next).is_some());
        assert!((0..10).all(|_| pace.take(Duration::from_mins(1)).is_none()), "no more than a second's worth is saved up");
        assert!(pace.take(Duration::from_mins(1)).is_some());
    }

    #[test]
    fn slow_rates_and_none_at_all() {
        let mut pace = Pace::new(0.5);
        assert_eq!(pace.take(Duration::ZERO), None);
        assert!(pace.take(Duration::ZERO).unwrap() > Duration::from_millis(1_999));
        let mut pace = Pace::new(0.0);
        assert!((0..10_000).all(|_| pace.take(Duration::ZERO).is_none()));
    }

    #[test]
    fn a_refused_batch_is_halved_until_one_stands_alone() {
        let mut size = Size::default();
        let mut seen = vec![size.get(100)];
        while size.get(100) > 1 {
            size.shrink(size.get(100));
            seen.push(size.get(100));
        }
        assert_eq!(seen, [100, 50, 25, 12, 6, 3, 1]);
        (0..10).for_each(|_| size.grow());
        assert_eq!((size.get(100), size.get(usize::MAX)), (100, STREAM_BATCH_MAX));
    }

    #[test]
    fn refused_records_wait_longer_each_time() {
        let wait = |refusals| after_refusal(Duration::from_secs(1), refusals, 0.5);
        assert_eq!([wait(1), wait(2), wait(3)], [1, 2, 4].map(Duration::from_secs));
        assert_eq!(wait(40), Duration::from_hours(1));
    }
}
