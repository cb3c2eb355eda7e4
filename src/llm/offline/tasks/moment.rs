//! One moment: `tomorrow at 9`, `in 20 minutes`. It can only be worked out once it is known what time it is, so that it
//! is written down in a short form first and read again when the clock has answered.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan, Zoned};

use crate::tools::local::zones;

/// The most that can be meant by `in ...`, in seconds.
const SECONDS_MAX: f64 = 10.0 * 366.0 * 86_400.0;

/// A day, or a time from now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Day {
    /// So many seconds from now.
    In { seconds: i64 },
    /// So many days after today.
    From(i64),
    /// The next one, 0 is Monday; `next`: in the week after this one.
    Weekday { day: usize, next: bool },
    /// A date, this year or next where none is said.
    Date { year: Option<i16>, month: i8, day: i8 },
    /// The next time the clock shows it.
    Next,
}

impl Day {
    pub(super) fn after(seconds: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be small")]
        (1.0..=SECONDS_MAX).contains(&seconds).then(|| Self::In { seconds: seconds.round() as i64 })
    }

    /// The short form.
    pub(super) fn written(&self, (hour, minute): (u8, u8)) -> String {
        match self {
            Self::In { seconds } => format!("in {seconds} s"),
            Self::From(days) => format!("day +{days} {hour:02}:{minute:02}"),
            Self::Weekday { day, next } => format!("{} {day} {hour:02}:{minute:02}", if *next { "weekday-next" } else { "weekday" }),
            Self::Date { year, month, day } => {
                let year = year.map_or_else(|| "year".to_owned(), |year| year.to_string());
                format!("date {year}-{month:02}-{day:02} {hour:02}:{minute:02}")
            }
            Self::Next => format!("next +0 {hour:02}:{minute:02}"),
        }
    }
}

/// The time that `current_time` told: `Thursday, 2026-01-01 21:00:00 (Asia/Tokyo, UTC+09:00)`.
pub(super) fn now(told: &str) -> Option<Zoned> {
    let (when, zone) = told.trim().trim_end_matches(')').split_once(" (")?;
    let (_, moment) = when.split_once(", ")?;
    let local: jiff::civil::DateTime = moment.replace(' ', "T").parse().ok()?;
    let (name, offset) = zone.split_once(", ").unwrap_or((zone, zone));
    let offset = zones::offset(offset)?;
    let timestamp = offset.to_timestamp(local).ok()?;
    let zone = TimeZone::get(name).unwrap_or_else(|_| TimeZone::fixed(offset));
    Some(timestamp.to_zoned(zone))
}

/// The moment of a short form, in the form of the wire; `None` where there is no such day.
pub(super) fn resolved(written: &str, now: &Zoned) -> Option<String> {
    let mut words = written.split(' ');
    let (kind, value, last) = (words.next()?, words.next()?, words.next()?);
    let moment = if kind == "in" {
        now.checked_add(value.parse::<i64>().ok()?.seconds()).ok()?
    } else {
        let (hour, minute) = last.split_once(':')?;
        let time = Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?;
        let today = now.date();
        let at = |date: Date| date.to_datetime(time).to_zoned(now.time_zone().clone()).ok();
        let later = |date: Date, step: Span| match at(date) {
            Some(moment) if moment > *now => Some(moment),
            _ => at(date.checked_add(step).ok()?),
        };
        match kind {
            "day" => at(today.checked_add(value.parse::<i64>().ok()?.days()).ok()?)?,
            "next" => later(today, 1.day())?,
            "weekday" => {
                let day = weekday(value)?;
                let ahead = (i64::from(day) - i64::from(today.weekday().to_monday_zero_offset())).rem_euclid(7);
                later(today.checked_add(ahead.days()).ok()?, 7.days())?
            }
            "weekday-next" => {
                let monday = 7 - i64::from(today.weekday().to_monday_zero_offset());
                at(today.checked_add((monday + i64::from(weekday(value)?)).days()).ok()?)?
            }
            "date" => {
                let mut parts = value.splitn(3, '-');
                let (year, month, day) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
                match year.parse::<i16>() {
                    Ok(year) => at(Date::new(year, month, day).ok()?)?,
                    Err(_) => later(Date::new(today.year(), month, day).ok()?, 1.year())?,
                }
            }
            _ => return None,
        }
    };
    Some(format!("{:.3}", moment.timestamp()))
}

fn weekday(text: &str) -> Option<i8> {
    text.parse().ok().filter(|day| (0..7).contains(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_worked_out_from_the_time_that_was_told() {
        let told = now("Thursday, 2026-01-01 21:00:00 (Asia/Tokyo, UTC+09:00)").unwrap();
        let check = |written: &str, expected: &str| assert_eq!(resolved(written, &told).as_deref(), Some(expected), "{written}");
        check("in 1200 s", "2026-01-01T12:20:00.000Z");
        check("day +1 09:00", "2026-01-02T00:00:00.000Z");
        check("next +0 22:00", "2026-01-01T13:00:00.000Z");
        check("next +0 08:00", "2026-01-01T23:00:00.000Z");
        check("weekday 4 09:00", "2026-01-02T00:00:00.000Z");
        check("weekday 3 09:00", "2026-01-08T00:00:00.000Z");
        check("weekday-next 3 09:00", "2026-01-08T00:00:00.000Z");
        check("weekday-next 0 09:00", "2026-01-05T00:00:00.000Z");
        check("date 2026-12-01 10:00", "2026-12-01T01:00:00.000Z");
        check("date year-12-01 10:00", "2026-12-01T01:00:00.000Z");
        check("date year-01-01 10:00", "2027-01-01T01:00:00.000Z");
        assert_eq!(resolved("date 2026-02-30 10:00", &told), None);
        assert_eq!(resolved("nonsense", &told), None);
    }

    #[test]
    fn the_offset_stands_where_the_zone_has_no_name() {
        let told = now("Thursday, 2026-01-01 07:00:00 (UTC-05:00, UTC-05:00)").unwrap();
        assert_eq!(resolved("day +0 09:00", &told).as_deref(), Some("2026-01-01T14:00:00.000Z"));
        assert!(now("no idea").is_none());
    }
}
