//! The four ways in which a task comes due, each as arithmetic on instants.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::calendar::Calendar;
use super::dates::Dates;
use super::times::Times;
use super::{PlanError, cron, hash};
use crate::domain::clock::Instant;
use crate::domain::task::{TaskSpec, Timing};

/// Occurrences that the period of an uneven rule is read from.
const SAMPLE: usize = 8;
const DAY: Duration = Duration::from_hours(24);

/// When a task comes due, without its start and end dates.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    /// Every `period_ms`, `phase_ms` after the start of the grid at 1970-01-01T00:00Z.
    Grid {
        period_ms: i64,
        phase_ms: i64,
    },
    Calendar(Calendar),
    Once(Instant),
}

impl Rule {
    pub(super) fn new(spec: &TaskSpec, zone: &TimeZone) -> Result<Self, PlanError> {
        let zone = zone.clone();
        Ok(match spec.kind.timing() {
            Timing::Every { period } => {
                let period_ms = i64::try_from(period.duration().as_millis()).unwrap_or(i64::MAX);
                if period_ms < 1 {
                    return Err(PlanError::Field { field: "interval", reason: "must be above 0" });
                }
                let phase_ms = i64::try_from(hash(&spec.task_id) % period_ms.unsigned_abs()).unwrap_or(0);
                Self::Grid { period_ms, phase_ms }
            }
            Timing::Daily { hour, minute } => {
                Self::Calendar(Calendar { dates: Dates::Every, times: time_of_day(hour, minute)?, stated: true, zone })
            }
            Timing::Weekly { days, hour, minute } => {
                let set = days.iter().fold(0, |set, day| set | 1 << *day as u8);
                if set == 0 {
                    return Err(PlanError::Field { field: "days", reason: "must name a day" });
                }
                Self::Calendar(Calendar { dates: Dates::Weekdays(set), times: time_of_day(hour, minute)?, stated: true, zone })
            }
            Timing::Cron { expression } => {
                let wrong = |reason| PlanError::Cron { expression: expression.clone(), reason };
                let cron::Expression { dates, times, stated } = cron::parse(&expression).map_err(wrong)?;
                let calendar = Calendar { dates, times, stated, zone };
                if calendar.next(spec.created_at.as_millis().div_euclid(1_000)).is_none() {
                    return Err(wrong("no date is like that".to_owned()));
                }
                Self::Calendar(calendar)
            }
            Timing::Once { at } => Self::Once(at),
        })
    }

    /// The first occurrence strictly after `after`.
    pub(super) fn next_after(&self, after: Instant) -> Option<Instant> {
        match self {
            Self::Grid { period_ms, phase_ms } => slot(after, *period_ms, *phase_ms)?
                .checked_add(1)?
                .checked_mul(*period_ms)?
                .checked_add(*phase_ms)
                .map(Instant::from_millis),
            Self::Calendar(calendar) => calendar.next(after.as_millis().div_euclid(1_000).checked_add(1)?).map(seconds),
            Self::Once(at) => (*at > after).then_some(*at),
        }
    }

    /// The last occurrence strictly before `before`.
    pub(super) fn last_before(&self, before: Instant) -> Option<Instant> {
        let until = Instant::from_millis(before.as_millis().checked_sub(1)?);
        match self {
            Self::Grid { period_ms, phase_ms } => {
                slot(until, *period_ms, *phase_ms)?.checked_mul(*period_ms)?.checked_add(*phase_ms).map(Instant::from_millis)
            }
            Self::Calendar(calendar) => calendar.last(until.as_millis().div_euclid(1_000).checked_add(1)?).map(seconds),
            Self::Once(at) => (*at < before).then_some(*at),
        }
    }

    /// How many lie in `(after, to]`.
    pub(super) fn count(&self, after: Instant, to: Instant) -> u64 {
        if after >= to {
            return 0;
        }
        match self {
            Self::Grid { period_ms, phase_ms } => {
                let slots = slot(to, *period_ms, *phase_ms).zip(slot(after, *period_ms, *phase_ms));
                slots.map_or(0, |(last, first)| u64::try_from(last.saturating_sub(first)).unwrap_or(0))
            }
            Self::Calendar(calendar) => {
                let second = |at: Instant| at.as_millis().div_euclid(1_000).saturating_add(1);
                calendar.count(second(after), second(to))
            }
            Self::Once(at) => u64::from(*at > after && *at <= to),
        }
    }

    /// The distance between two occurrences; the smallest near `around` where it varies.
    pub(super) fn period(&self, around: Instant) -> Duration {
        match self {
            Self::Grid { period_ms, .. } => Duration::from_millis(period_ms.unsigned_abs()),
            Self::Calendar(Calendar { dates: Dates::Every, .. }) | Self::Once(_) => DAY,
            Self::Calendar(Calendar { dates: Dates::Weekdays(set), .. }) if set.is_power_of_two() => DAY * 7,
            Self::Calendar(_) => {
                let mut at = self.next_after(around);
                let mut gap = Duration::MAX;
                for _ in 0..SAMPLE {
                    let next = at.and_then(|at| self.next_after(at));
                    if let (Some(at), Some(next)) = (at, next) {
                        gap = gap.min(next.since(at));
                    }
                    at = next;
                }
                if gap == Duration::MAX { DAY } else { gap }
            }
        }
    }
}

fn time_of_day(hour: u8, minute: u8) -> Result<Times, PlanError> {
    match (hour, minute) {
        (24.., _) => Err(PlanError::Field { field: "hour", reason: "must be from 0 to 23" }),
        (_, 60..) => Err(PlanError::Field { field: "minute", reason: "must be from 0 to 59" }),
        _ => Ok(Times::at(hour, minute)),
    }
}

/// The number of the last slot of the grid at or before `at`.
fn slot(at: Instant, period_ms: i64, phase_ms: i64) -> Option<i64> {
    Some(at.as_millis().checked_sub(phase_ms)?.div_euclid(period_ms))
}

fn seconds(second: i64) -> Instant {
    Instant::from_millis(second.saturating_mul(1_000))
}
