//! When a task is due, in words; and times as people read them.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::clock::Instant;
use crate::domain::task::{TaskSpec, Timing, Weekday};
use crate::domain::text::clean_line;

/// `every 30 min`, `every day at 08:00 (Europe/Berlin)`, `once on 2026-12-01 at 10:00`. The zone is named where the spec
/// names it.
pub fn words(spec: &TaskSpec, machine_zone: &TimeZone) -> String {
    let common = spec.kind.common();
    let zone = zone(spec, machine_zone);
    let named = common.timezone.as_deref().map(|name| format!(" ({})", clean_line(name))).unwrap_or_default();
    let mut out = match spec.kind.timing() {
        Timing::Every { period } => format!("every {}", span(period.duration())),
        Timing::Daily { hour, minute } => format!("every day at {hour:02}:{minute:02}{named}"),
        Timing::Weekly { days, hour, minute } => format!("{} at {hour:02}:{minute:02}{named}", weekdays(&days)),
        Timing::Cron { expression } => format!("by cron `{}`{named}", clean_line(&expression)),
        Timing::Once { at } => {
            let local = at.timestamp().to_zoned(zone.clone());
            format!("once on {} at {}{named}", local.strftime("%Y-%m-%d"), local.strftime("%H:%M"))
        }
    };
    if let Some(start) = common.start_at {
        out.push_str(&format!(", from {}", moment(start, &zone)));
    }
    if let Some(end) = common.end_at {
        out.push_str(&format!(", until {}", moment(end, &zone)));
    }
    if let Some(runs) = common.max_runs {
        out.push_str(&format!(", {runs} times at most"));
    }
    out
}

/// The zone that a task's local times are in; the machine's where its own is not known.
pub fn zone(spec: &TaskSpec, machine_zone: &TimeZone) -> TimeZone {
    let named = spec.kind.common().timezone.as_deref().and_then(|name| TimeZone::get(name).ok());
    named.unwrap_or_else(|| machine_zone.clone())
}

/// `2026-01-01 12:00:05` in `zone`.
pub fn moment(at: Instant, zone: &TimeZone) -> String {
    at.timestamp().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A stretch of time in its two largest units that are not zero: `1 h 30 min`, `10 s`, `250 ms`.
pub fn span(length: Duration) -> String {
    let ms = length.as_millis();
    let units: [(u128, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];
    let Some(first) = units.iter().position(|(unit, _)| ms >= *unit) else { return "0 ms".to_owned() };
    let (unit, name) = units[first];
    let mut out = format!("{} {name}", ms / unit);
    if let Some((next, next_name)) = units.get(first + 1) {
        let rest = ms % unit / next;
        if rest > 0 && *next_name != "ms" {
            out.push_str(&format!(" {rest} {next_name}"));
        }
    }
    out
}

/// `in 5 min`, `now`, `3 h ago`.
pub fn distance(at: Instant, now: Instant) -> String {
    let (ahead, behind) = (at.since(now), now.since(at));
    if ahead >= Duration::from_secs(1) {
        format!("in {}", span(ahead))
    } else if behind >= Duration::from_secs(1) {
        format!("{} ago", span(behind))
    } else {
        "now".to_owned()
    }
}

fn weekdays(days: &[Weekday]) -> String {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    let all = [Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday];
    let has = |day: &Weekday| days.contains(day);
    if all.iter().all(has) {
        return "every day".to_owned();
    }
    if all[..5].iter().all(has) && !has(&Saturday) && !has(&Sunday) {
        return "Monday to Friday".to_owned();
    }
    let name = |day: &Weekday| match day {
        Monday => "Monday",
        Tuesday => "Tuesday",
        Wednesday => "Wednesday",
        Thursday => "Thursday",
        Friday => "Friday",
        Saturday => "Saturday",
        Sunday => "Sunday",
    };
    let names: Vec<&str> = all.iter().filter(|day| has(day)).map(name).collect();
    format!("every {}", names.join(", "))
}
