//! How many requests a second one client address may make.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Addresses that are remembered. One that was forgotten begins with a full bucket.
const ADDRESSES_MAX: usize = 4_096;

/// Requests that may come at once, in seconds' worth of the rate.
const BURST_SECONDS: u32 = 4;

/// A bucket of tokens for each address.
#[derive(Debug)]
pub(super) struct Rates {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Rates {
    /// So many a second; any number where 0.
    pub(super) fn new(per_second: u32) -> Self {
        let burst = f64::from(per_second) * f64::from(BURST_SECONDS);
        Self { per_second: f64::from(per_second), burst, buckets: Mutex::default() }
    }

    /// Takes one request of `from` at `now`.
    ///
    /// # Errors
    /// When there were too many: how long to wait.
    pub(super) fn take(&self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES_MAX && !buckets.contains_key(&from) {
            // Whoever has been away long enough for a full bucket need not be remembered.
            let full = Duration::from_secs_f64(self.burst / self.per_second);
            buckets.retain(|_, (_, at)| now.saturating_duration_since(*at) < full);
            if buckets.len() >= ADDRESSES_MAX {
                buckets.clear();
            }
        }
        let (left, at) = buckets.entry(from).or_insert((self.burst, now));
        let gained = now.saturating_duration_since(*at).as_secs_f64() * self.per_second;
        (*left, *at) = ((*left + gained).min(self.burst), now);
        if *left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - *left) / self.per_second));
        }
        *left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_more_waits() {
        let rates = Rates::new(10);
        let (now, one, two) = (Instant::now(), IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        assert!((0..40).all(|_| rates.take(one, now).is_ok()));
        let wait = rates.take(one, now).unwrap_err();
        assert!(wait <= Duration::from_millis(100) && !wait.is_zero(), "{wait:?}");
        assert!(rates.take(two, now).is_ok(), "another address has its own");
        assert!(rates.take(one, now + wait).is_ok());
        assert!(rates.take(one, now + wait).is_err());
    }

    #[test]
    fn many_addresses_are_not_remembered_for_ever() {
        let (rates, now) = (Rates::new(1), Instant::now());
        for n in 0..10_000_u32 {
            assert!(rates.take(IpAddr::from(n.to_be_bytes()), now).is_ok());
        }
        assert!(rates.buckets.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
