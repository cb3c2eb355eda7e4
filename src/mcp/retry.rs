//! When a lost server is tried again. Pure: the caller supplies the random number.

use std::time::Duration;

use crate::mcp::options::PoolOptions;

/// The share of a delay that chance decides, so that servers lost together do not come back together.
const JITTER: f64 = 0.25;

/// The wait before the try that follows `failures` failed ones (from 1); `random` is in 0..1.
pub(super) fn delay(failures: u32, options: &PoolOptions, random: f64) -> Duration {
    let first = Duration::from_millis(options.retry_first_ms.max(10));
    let max = Duration::from_secs(options.retry_max_seconds).max(first);
    let doubled = first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1).min(31)).unwrap_or(u32::MAX)).min(max);
    doubled.mul_f64(1.0 - JITTER * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit_and_jitter_only_shortens() {
        let options = PoolOptions::default();
        let ms = |failures, random| delay(failures, &options, random).as_millis();
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 8, 1_000].map(|n| ms(n, 0.0)), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(ms(1, 1.0), 375);
    }
}
