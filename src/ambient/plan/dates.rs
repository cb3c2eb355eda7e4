//! Which days of the calendar count. A day is its number since 1970-01-01, whatever the zone.

use croner::CronPattern;

/// Days further apart than this are not looked for: the longest wait that a cron expression can ask for is a
/// 29 February on a given day of the week, across a century without a leap day.
const SEARCH_DAYS: i64 = 366 * 41;

/// The days that count.
#[derive(Debug, Clone)]
pub(super) enum Dates {
    /// All.
    Every,
    /// Days of the week: bit 0 is Monday. Not empty.
    Weekdays(u8),
    /// As a cron expression has them.
    Cron(Box<CronPattern>),
}

impl Dates {
    /// Whether `day` counts.
    pub(super) fn has(&self, day: i64) -> bool {
        match self {
            Self::Every => true,
            Self::Weekdays(set) => set >> weekday(day) & 1 == 1,
            Self::Cron(pattern) => {
                let (year, month, date) = civil(day);
                let weekday = croner::Weekday::from_days_from_sunday((weekday(day) + 1) % 7);
                let days = || pattern.day_match(year, month, date, weekday).unwrap_or(false);
                pattern.month_match(month).unwrap_or(false) && days()
            }
        }
    }

    /// The first day that counts from `day` on, and before `end`.
    pub(super) fn from(&self, day: i64, end: i64) -> Option<i64> {
        let mut day = day;
        let end = end.min(day.saturating_add(SEARCH_DAYS));
        while day < end {
            if self.has(day) {
                return Some(day);
            }
            day = if self.skips_month(day) { day + days_left(day) } else { day + 1 };
        }
        None
    }

    /// The last day that counts before `end`, from `start` on.
    pub(super) fn before(&self, end: i64, start: i64) -> Option<i64> {
        let mut end = end;
        let start = start.max(end.saturating_sub(SEARCH_DAYS));
        while start < end {
            let day = end - 1;
            if self.has(day) {
                return Some(day);
            }
            end = if self.skips_month(day) { day - i64::from(civil(day).2) + 1 } else { day };
        }
        None
    }

    /// How many days from `start` on and before `end` count.
    pub(super) fn count(&self, start: i64, end: i64) -> u64 {
        let days = u64::try_from(end - start).unwrap_or(0);
        match self {
            Self::Every => days,
            Self::Weekdays(set) => {
                let rest = (start.max(end - i64::try_from(days % 7).unwrap_or(0))..end).filter(|day| self.has(*day)).count();
                days / 7 * u64::from(set.count_ones()) + rest as u64
            }
            Self::Cron(_) => (start..end).filter(|day| self.has(*day)).count() as u64,
        }
    }

    fn skips_month(&self, day: i64) -> bool {
        matches!(self, Self::Cron(pattern) if !pattern.month_match(civil(day).1).unwrap_or(false))
    }
}

/// 0 for Monday to 6 for Sunday; 1970-01-01 was a Thursday.
fn weekday(day: i64) -> u32 {
    u32::try_from((day + 3).rem_euclid(7)).unwrap_or(0)
}

/// Days from `day` to the first of the next month.
fn days_left(day: i64) -> i64 {
    let (year, month, date) = civil(day);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    i64::from(length + 1 - date)
}

/// Year, month and day of the Gregorian calendar (after Howard Hinnant's `civil_from_days`, in eras of 400 years that
/// begin on a 1 March).
fn civil(day: i64) -> (i32, u32, u32) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let small = |value: i64| u32::try_from(value).unwrap_or(1);
    (i32::try_from(year).unwrap_or(i32::MAX), small(month), small(date))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_agree_with_the_calendar() {
        let epoch = jiff::civil::date(1970, 1, 1);
        for day in (-200_000..200_000).step_by(37) {
            let date = epoch.checked_add(jiff::Span::new().days(day)).unwrap();
            let (year, month, of_month) = civil(day);
            assert_eq!(
                (year, month, of_month),
                (i32::from(date.year()), date.month().unsigned_abs().into(), date.day().unsigned_abs().into())
            );
            assert_eq!(weekday(day), u32::from(date.weekday().to_monday_zero_offset().unsigned_abs()));
            assert_eq!(days_left(day), i64::from(date.days_in_month() - date.day() + 1));
        }
    }
}
