//! Times of day on days of the calendar in a time zone.
//!
//! The time line is cut into stretches of one offset from UTC. Inside a stretch the wall clock runs evenly, so that
//! finding and counting is arithmetic; what a change of the clock does stands in two places: [`Stretch::first`] leaves
//! out the second pass of a doubled hour, [`Calendar::skipped`] tells whether a gap swallowed a stated time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::dates::Dates;
use super::times::{DAY, Times};

/// How far ahead and back an occurrence is looked for, in seconds: 41 years (see `dates`).
const SEARCH: i64 = 366 * 41 * DAY_SECONDS;
/// The seconds since 1970 that are planned for: years 1 to 9000, well inside of `jiff`'s range.
const RANGE: std::ops::RangeInclusive<i64> = -62_000_000_000..=221_000_000_000;
/// No zone moves its clock twice within this many seconds.
const QUIET: i64 = 7 * DAY_SECONDS;
const DAY_SECONDS: i64 = DAY as i64;

/// Occurrences by the wall clock of a zone.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    pub(super) dates: Dates,
    pub(super) times: Times,
    /// Whether the times are stated by a person, each to happen once; else they follow the clock through every pass.
    pub(super) stated: bool,
    pub(super) zone: TimeZone,
}

/// A stretch of the time line with one offset from UTC, in seconds since 1970.
struct Stretch {
    start: i64,
    end: i64,
    offset: i64,
    /// The offset before it.
    before: i64,
}

impl Stretch {
    /// Where its occurrences begin: behind the second pass of a doubled hour, where times are stated.
    fn first(&self, stated: bool) -> i64 {
        if stated { self.start + (self.before - self.offset).max(0) } else { self.start }
    }
}

impl Calendar {
    /// The first occurrence at or after the second `from`.
    pub(super) fn next(&self, from: i64) -> Option<i64> {
        if !RANGE.contains(&from) {
            return None;
        }
        if let Some(near) = self.next_nearby(from) {
            return Some(near);
        }
        let limit = from + SEARCH;
        let mut at = from;
        while at < limit {
            let stretch = self.stretch(at);
            if let Some(found) = self.next_in(&stretch, at, limit) {
                return Some(found);
            }
            at = stretch.end;
        }
        None
    }

    /// The last occurrence before the second `before`.
    pub(super) fn last(&self, before: i64) -> Option<i64> {
        if !RANGE.contains(&before) {
            return None;
        }
        if let Some(near) = self.last_nearby(before) {
            return Some(near);
        }
        let limit = before - SEARCH;
        let mut at = before;
        while at > limit {
            let stretch = self.stretch(at - 1);
            if let Some(found) = self.last_in(&stretch, at, limit) {
                return Some(found);
            }
            at = stretch.start;
        }
        None
    }

    /// How many lie at or after `from` and before `to`.
    pub(super) fn count(&self, from: i64, to: i64) -> u64 {
        let (mut at, to) = (from.max(*RANGE.start()), to.min(*RANGE.end()));
        let mut count = 0;
        if at < to && to - at <= QUIET && self.calm(at) && self.offset(at) == self.offset(to) {
            return self.count_civil(at + self.offset(at), to + self.offset(at));
        }
        while at < to {
            let stretch = self.stretch(at);
            let first = stretch.first(self.stated);
            if at == stretch.start && self.skipped(&stretch) && !(first == at && self.falls_on(at + stretch.offset)) {
                count += 1;
            }
            let end = stretch.end.min(to);
            count += self.count_civil(at.max(first) + stretch.offset, end + stretch.offset);
            at = end;
        }
        count
    }

    /// The common case without looking for changes of the clock: the next wall time exists once, is near, and the
    /// offset is the same on both sides.
    fn next_nearby(&self, from: i64) -> Option<i64> {
        let offset = self.offset(from);
        let civil = self.next_civil(from + offset, from + offset + QUIET)?;
        (self.is_only(civil, offset) && self.calm(from)).then_some(civil - offset)
    }

    /// The same backwards.
    fn last_nearby(&self, before: i64) -> Option<i64> {
        let offset = self.offset(before - 1);
        let civil = self.last_civil(before + offset, before + offset - QUIET)?;
        self.is_only(civil, offset).then_some(civil - offset)
    }

    /// Whether the clock did not change in the day before `at`: what begins with a change is left to the stretches.
    fn calm(&self, at: i64) -> bool {
        self.offset(at - DAY_SECONDS) == self.offset(at)
    }

    /// Whether the wall shows `civil` once, at `offset`.
    fn is_only(&self, civil: i64, offset: i64) -> bool {
        let kind = wall(civil).map(|wall| self.zone.to_ambiguous_timestamp(wall).offset());
        matches!(kind, Some(AmbiguousOffset::Unambiguous { offset: then }) if i64::from(then.seconds()) == offset)
    }

    fn offset(&self, at: i64) -> i64 {
        stamp(at).map_or(0, |stamp| i64::from(self.zone.to_offset(stamp).seconds()))
    }

    fn next_in(&self, stretch: &Stretch, from: i64, limit: i64) -> Option<i64> {
        if from <= stretch.start && self.skipped(stretch) {
            return Some(stretch.start);
        }
        let (from, end) = (from.max(stretch.first(self.stated)), stretch.end.min(limit));
        self.next_civil(from + stretch.offset, end + stretch.offset).map(|civil| civil - stretch.offset)
    }

    fn last_in(&self, stretch: &Stretch, before: i64, limit: i64) -> Option<i64> {
        let start = stretch.first(self.stated).max(limit);
        let even = self.last_civil(before.min(stretch.end) + stretch.offset, start + stretch.offset).map(|civil| civil - stretch.offset);
        even.or_else(|| (before > stretch.start && stretch.start >= limit && self.skipped(stretch)).then_some(stretch.start))
    }

    /// Whether the gap before the stretch swallowed a stated time, on a date of which some moment exists.
    fn skipped(&self, stretch: &Stretch) -> bool {
        let (mut civil, end) = (stretch.start + stretch.before, stretch.start + stretch.offset);
        if !self.stated {
            return false;
        }
        let gap = civil;
        while let Some(time) = self.next_civil(civil, end) {
            let midnight = time.div_euclid(DAY_SECONDS) * DAY_SECONDS;
            if midnight < gap || midnight + DAY_SECONDS > end {
                return true;
            }
            civil = midnight + DAY_SECONDS;
        }
        false
    }

    fn falls_on(&self, civil: i64) -> bool {
        self.next_civil(civil, civil + 1).is_some()
    }

    /// The first wall time from `civil` on and before `end`.
    fn next_civil(&self, civil: i64, end: i64) -> Option<i64> {
        let (day, second) = split(civil);
        let last_day = split(end - 1).0 + 1;
        let today = || self.times.from(second).filter(|_| self.dates.has(day)).map(|second| day * DAY_SECONDS + i64::from(second));
        let later = || Some(self.dates.from(day + 1, last_day)? * DAY_SECONDS + i64::from(self.times.from(0)?));
        if civil >= end {
            return None;
        }
        today().or_else(later).filter(|found| *found < end)
    }

    /// The last wall time before `civil`, from `start` on.
    fn last_civil(&self, civil: i64, start: i64) -> Option<i64> {
        let (day, second) = split(civil);
        let today = || self.times.before(second).filter(|_| self.dates.has(day)).map(|second| day * DAY_SECONDS + i64::from(second));
        let earlier = || Some(self.dates.before(day, split(start).0)? * DAY_SECONDS + i64::from(self.times.before(DAY)?));
        if civil <= start {
            return None;
        }
        today().or_else(earlier).filter(|found| *found >= start)
    }

    /// How many wall times lie from `from` on and before `to`.
    fn count_civil(&self, from: i64, to: i64) -> u64 {
        if from >= to {
            return 0;
        }
        let ((first, start), (last, end)) = (split(from), split(to));
        let of = |day: i64, before: u32| if self.dates.has(day) { self.times.count_before(before) } else { 0 };
        let whole = self.dates.count(first, last) * self.times.per_day();
        whole + of(last, end) - of(first, start)
    }

    /// The stretch that `at` lies in.
    fn stretch(&self, at: i64) -> Stretch {
        // `preceding` looks strictly before, `following` strictly after.
        let start = stamp(at + 1)
            .and_then(|stamp| self.zone.preceding(stamp).next())
            .map_or(*RANGE.start() - SEARCH, |change| change.timestamp().as_second());
        let end = stamp(at)
            .and_then(|stamp| self.zone.following(stamp).next())
            .map_or(*RANGE.end() + SEARCH, |change| change.timestamp().as_second());
        Stretch { start, end, offset: self.offset(at), before: self.offset(start - 1) }
    }
}

/// The day and the second of the day.
fn split(civil: i64) -> (i64, u32) {
    (civil.div_euclid(DAY_SECONDS), u32::try_from(civil.rem_euclid(DAY_SECONDS)).unwrap_or(0))
}

fn stamp(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

fn wall(civil: i64) -> Option<DateTime> {
    Some(jiff::tz::Offset::UTC.to_datetime(stamp(civil)?))
}
