//! When to connect again. Pure.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// The wait after a refusal, which does not go away by itself.
const REFUSED: Duration = Duration::from_secs(30);

/// A connection that was live for so long begins anew with the first wait.
pub(super) const STEADY: Duration = Duration::from_secs(5);

/// How patiently to try again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    /// The wait after one more failure: 0.5, 1, 2, 4 … 30 s, each a quarter more or less. `random` lies in 0..1.
    pub(super) fn failed(&mut self, random: f64) -> Duration {
        let wait = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        spread(wait, random).min(LONGEST)
    }

    /// The wait after a refusal.
    pub(super) fn refused(&mut self, random: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        spread(REFUSED, random)
    }

    /// It went well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

fn spread(wait: Duration, random: f64) -> Duration {
    wait.mul_f64(0.75 + random.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_begin_anew() {
        let mut pace = Pace::default();
        let waits: Vec<u128> = (0..9).map(|_| pace.failed(0.5).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        pace.reset();
        assert_eq!((pace.failed(0.0).as_millis(), pace.failed(1.0).as_millis()), (375, 1_250));
        assert_eq!(pace.refused(0.5), REFUSED);
        assert_eq!(Pace { failures: u32::MAX }.failed(1.0), LONGEST);
    }
}
