//! When to try again, and after how long. Pure: the caller brings the time and the randomness.

use std::time::Duration;

use http::HeaderMap;
use jiff::fmt::rfc2822;

use crate::domain::clock::Instant;

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It may.
    Transient,
    /// It will not.
    Permanent,
}

impl Class {
    /// The class of an HTTP status: 408, 425, 429 and all of 5xx but 501 and 505 may go away by themselves.
    pub fn of_status(status: u16) -> Self {
        match status {
            501 | 505 => Self::Permanent,
            408 | 425 | 429 | 500..=599 => Self::Transient,
            _ => Self::Permanent,
        }
    }
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Wait, then try again.
    Wait(Duration),
    /// Tell the user.
    GiveUp(GaveUp),
}

/// Why there is no further try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp {
    /// It would not help.
    Permanent,
    /// There were enough.
    Spent,
    /// The server wants to be left alone for longer than anybody would wait.
    TooLong(Duration),
}

/// How often and how patiently to try again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Tries in all, the first included.
    pub attempts_max: u32,
    /// The wait after the first failure; it doubles with each further one.
    pub base: Duration,
    /// The longest wait of our own.
    pub cap: Duration,
    /// The longest wait a server may ask for.
    pub asked_max: Duration,
}

impl Default for RetryPolicy {
    /// Five tries; 1, 2, 4, 8 s between them (a quarter more or less), at most 60 s where the server asks for it.
    fn default() -> Self {
        Self { attempts_max: 5, base: Duration::from_secs(1), cap: Duration::from_secs(30), asked_max: Duration::from_mins(1) }
    }
}

impl RetryPolicy {
    /// What to do after try number `attempt` (from 1) failed. `asked` is the wait that the server asked for, `random`
    /// lies in 0..1 and spreads our own waits between three and five quarters of their length.
    pub fn decide(&self, attempt: u32, class: Class, asked: Option<Duration>, random: f64) -> Verdict {
        if class == Class::Permanent {
            return Verdict::GiveUp(GaveUp::Permanent);
        }
        if attempt >= self.attempts_max {
            return Verdict::GiveUp(GaveUp::Spent);
        }
        match asked {
            Some(asked) if asked > self.asked_max => Verdict::GiveUp(GaveUp::TooLong(asked)),
            Some(asked) if !asked.is_zero() => Verdict::Wait(asked),
            _ => {
                let doublings = attempt.saturating_sub(1).min(16);
                let wait = self.base.saturating_mul(1 << doublings).min(self.cap);
                Verdict::Wait(wait.mul_f64(0.75 + random.clamp(0.0, 1.0) / 2.0))
            }
        }
    }
}

/// Headers that say how long to wait, the most exact first: milliseconds of their own, the standard, a gateway's name.
const HEADERS: &[(&str, Unit)] = &[
    ("retry-after-ms", Unit::Milliseconds),
    ("x-ms-retry-after-ms", Unit::Milliseconds),
    ("retry-after", Unit::Standard),
    ("llm_provider-retry-after", Unit::Standard),
];

#[derive(Clone, Copy)]
enum Unit {
    Milliseconds,
    /// Seconds, with a fraction even, or an HTTP date.
    Standard,
}

/// How long a server asks to be left alone; `now` is needed where it names a date. A date in the past is no wait.
pub fn retry_after(headers: &HeaderMap, now: Instant) -> Option<Duration> {
    HEADERS.iter().find_map(|(name, unit)| {
        let text = headers.get(*name)?.to_str().ok()?.trim();
        match unit {
            Unit::Milliseconds => seconds(text).map(|wait| wait / 1_000),
            Unit::Standard => seconds(text).or_else(|| date(text, now)),
        }
    })
}

fn seconds(text: &str) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    if number.is_sign_negative() { None } else { Duration::try_from_secs_f64(number).ok() }
}

fn date(text: &str, now: Instant) -> Option<Duration> {
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Instant::from_millis(at.as_millisecond()).since(now))
}
