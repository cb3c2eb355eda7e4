//! Tests of the plan: the table of clock changes, the policies one by one, random schedules against a slow reference,
//! and ten years of a thousand tasks.

mod dst;
mod policies;
mod properties;
mod reference;
mod ten_years;
mod world;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::*;

/// When the tests' tasks are made, where it does not matter.
const MADE: &str = "2000-01-01T00:00:00Z";

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// A task of this type and config.
fn spec(task_type: &str, config: Value) -> TaskSpec {
    spec_of("test", task_type, config, at(MADE))
}

fn spec_of(id: &str, task_type: &str, config: Value, created_at: Instant) -> TaskSpec {
    let value = json!({"task_id": id, "task_type": task_type, "config": config, "description": "test", "user_id": "default", "created_at": created_at});
    serde_json::from_value(value).unwrap()
}

fn plan(task_type: &str, config: Value) -> Plan {
    Plan::new(&spec(task_type, config), &TimeZone::UTC).unwrap()
}

#[test]
fn phases_are_spread_and_stay_the_same() {
    let period = Duration::from_secs(10);
    assert_eq!(phase(&TaskId::new("0b5e4a52-6c27-4ce5-a1b1-5b1ad3ef6c11"), period), Duration::from_millis(PINNED));
    let mut tenths = [0_u32; 10];
    for index in 0..10_000 {
        let phase = phase(&TaskId::from(format!("task-{index}")), period);
        tenths[usize::try_from(phase.as_secs()).unwrap()] += 1;
    }
    assert!(tenths.iter().all(|tenth| (900..1_100).contains(tenth)), "{tenths:?}");
}

/// The phase of that id in 10 s: were it to change with a version, all tasks would shift.
const PINNED: u64 = 1_266;

#[test]
fn beats_tell_sleep_frost_and_changes_of_the_clock() {
    let wall = at("2026-01-01T00:00:00Z");
    let seconds = Duration::from_secs;
    let check = |wall_passed: i64, mono_passed: u64| {
        let now = Instant::from_millis(wall.as_millis() + wall_passed * 1_000);
        (jump(wall, seconds(100), now, seconds(100 + mono_passed)), now)
    };
    assert_eq!(check(15, 15).0, None);
    assert_eq!(check(19, 15).0, None);
    assert_eq!(check(11, 15).0, None);
    let (slept, to) = check(3_615, 15);
    assert_eq!(slept, Some(Jump::Forward(Away { from: wall, to })));
    let (frozen, to) = check(3_600, 3_600);
    assert_eq!(frozen, Some(Jump::Forward(Away { from: wall, to })));
    assert_eq!(check(-3_585, 15).0, Some(Jump::Back { by: seconds(3_600) }));
}

#[test]
fn a_bad_plan_says_what_is_wrong() {
    let check = |config: Value| Plan::new(&spec("schedule", config), &TimeZone::UTC).unwrap_err().to_string();
    let cron = |expression: &str| check(json!({"type": "cron", "cron": expression}));
    assert_eq!(cron("0 25 * * *"), "`0 25 * * *` is no cron expression: its hour `25` is not understood (use 0 to 23)");
    assert_eq!(
        cron("0 9 * * FUNDAY"),
        "`0 9 * * FUNDAY` is no cron expression: its day of the week `FUNDAY` is not understood (use 0 to 7 or `SUN` to `SAT`, `MON#1` for the first Monday, `FRI#L` for the last Friday)"
    );
    assert_eq!(
        cron("0 9 * *"),
        "`0 9 * *` is no cron expression: it has 4 fields, not 5 (minute hour day month weekday) or 6 (a second in front)"
    );
    assert_eq!(cron("0 0 30 2 *"), "`0 0 30 2 *` is no cron expression: no date is like that");
    assert_eq!(
        cron("@reboot"),
        "`@reboot` is no cron expression: its name is not one of `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`"
    );
    assert_eq!(cron(""), "`` is no cron expression: it is empty");
    assert_eq!(check(json!({"type": "daily", "hour": 24})), "`hour` must be from 0 to 23");
    assert_eq!(check(json!({"type": "weekly", "hour": 8})), "`days` must name a day");
    assert_eq!(check(json!({"type": "daily", "timezone": "Mars/Base"})), "`Mars/Base` is no time zone");
}
