//! What changes of the clock do, zone by zone.

use serde_json::{Value, json};

use super::{at, plan};

/// The occurrences after `from` are these; each `due` is written as a UTC instant.
#[track_caller]
fn check(zone: &str, mut config: Value, from: &str, due: &[&str]) {
    config["timezone"] = json!(zone);
    let plan = plan("schedule", config);
    let start = at(from);
    let mut cursor = start;
    let mut seen = Vec::new();
    for _ in due {
        cursor = plan.next_after(cursor).unwrap();
        seen.push(cursor);
    }
    let wanted: Vec<_> = due.iter().map(|text| at(text)).collect();
    assert_eq!(seen, wanted, "{zone} forwards: {seen:#?}");
    let mut before = super::just_after(cursor);
    for wanted in wanted.iter().rev() {
        before = plan.last_before(before).unwrap();
        assert_eq!(before, *wanted, "{zone} backwards");
    }
    assert_eq!(plan.count(start, cursor), due.len() as u64, "{zone} counted");
}

fn daily(hour: u8, minute: u8) -> Value {
    json!({"type": "daily", "hour": hour, "minute": minute})
}

fn cron(expression: &str) -> Value {
    json!({"type": "cron", "cron": expression})
}

#[test]
fn new_york_in_spring_and_autumn() {
    let zone = "America/New_York";
    // 02:30 does not exist on the 8th: 03:00 local.
    for half_past_two in
        [daily(2, 30), cron("30 2 * * *"), json!({"type": "weekly", "days": ["sunday", "monday"], "hour": 2, "minute": 30})]
    {
        check(zone, half_past_two, "2026-03-07T12:00:00Z", &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]);
    }
    // 01:30 exists twice on the 1st: the first one only.
    for half_past_one in [daily(1, 30), cron("30 1 * * *")] {
        check(zone, half_past_one, "2026-10-31T06:00:00Z", &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
    }
    let gap = ["2026-03-08T06:00:00Z", "2026-03-08T06:30:00Z", "2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"];
    check(zone, cron("*/30 * * * *"), "2026-03-08T05:30:00Z", &gap);
    let overlap = ["2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z", "2026-11-01T07:00:00Z"];
    check(zone, cron("*/30 * * * *"), "2026-11-01T04:30:00Z", &overlap);
    // Listed hours are stated too: once after the gap, once in the overlap.
    check(zone, cron("30 2,14 * * *"), "2026-03-07T20:00:00Z", &["2026-03-08T07:00:00Z", "2026-03-08T18:30:00Z"]);
    check(zone, cron("30 1,13 * * *"), "2026-11-01T00:00:00Z", &["2026-11-01T05:30:00Z", "2026-11-01T18:30:00Z"]);
    // What falls on the gap's end by itself is not doubled by what fell into the gap.
    check(zone, cron("0,30 2,3 * * *"), "2026-03-07T12:00:00Z", &["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z", "2026-03-09T06:00:00Z"]);
    // A wild minute of a skipped hour is passed over for that day.
    check(zone, cron("*/30 2 * * *"), "2026-03-07T12:00:00Z", &["2026-03-09T06:00:00Z", "2026-03-09T06:30:00Z"]);
}

#[test]
fn lord_howe_moves_by_half_an_hour() {
    let zone = "Australia/Lord_Howe";
    check(zone, daily(2, 15), "2026-10-03T00:00:00Z", &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]);
    check(zone, daily(1, 45), "2026-04-04T00:00:00Z", &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]);
    check(
        zone,
        cron("*/30 * * * *"),
        "2026-04-04T13:30:00Z",
        &["2026-04-04T14:00:00Z", "2026-04-04T14:30:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"],
    );
    check(zone, cron("*/30 * * * *"), "2026-10-03T14:30:00Z", &["2026-10-03T15:00:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"]);
}

#[test]
fn apia_left_out_a_day() {
    let zone = "Pacific/Apia";
    // There was no 30 December 2011, and nothing was due on it.
    check(zone, daily(8, 0), "2011-12-29T00:00:00Z", &["2011-12-29T18:00:00Z", "2011-12-30T18:00:00Z"]);
    check(zone, daily(0, 0), "2011-12-29T00:00:00Z", &["2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"]);
    check(
        zone,
        json!({"type": "weekly", "days": ["friday"], "hour": 8}),
        "2011-12-20T00:00:00Z",
        &["2011-12-23T18:00:00Z", "2012-01-05T18:00:00Z"],
    );
    check(zone, cron("0 8 30 * *"), "2011-12-01T00:00:00Z", &["2012-01-29T18:00:00Z"]);
    check(zone, cron("*/30 * * * *"), "2011-12-30T09:00:00Z", &["2011-12-30T09:30:00Z", "2011-12-30T10:00:00Z", "2011-12-30T10:30:00Z"]);
}

#[test]
fn chatham_changes_at_a_quarter_to() {
    let zone = "Pacific/Chatham";
    check(zone, daily(3, 0), "2026-09-26T00:00:00Z", &["2026-09-26T14:00:00Z", "2026-09-27T13:15:00Z"]);
    check(zone, daily(3, 15), "2026-04-04T00:00:00Z", &["2026-04-04T13:30:00Z", "2026-04-05T14:30:00Z"]);
    let overlap = ["2026-04-04T13:15:00Z", "2026-04-04T13:45:00Z", "2026-04-04T14:15:00Z", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"];
    check(zone, cron("*/30 * * * *"), "2026-04-04T13:00:00Z", &overlap);
    check(zone, cron("*/30 * * * *"), "2026-09-26T13:30:00Z", &["2026-09-26T13:45:00Z", "2026-09-26T14:15:00Z"]);
}

#[test]
fn gaps_at_midnight() {
    // Nuuk skips the last hour of a Saturday: its times are due with the first moment of Sunday.
    check(
        "America/Nuuk",
        json!({"type": "weekly", "days": ["saturday"], "hour": 23, "minute": 30}),
        "2026-03-25T00:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-04-05T00:30:00Z"],
    );
    // Cairo skips the first hour of a Friday.
    check("Africa/Cairo", daily(0, 30), "2026-04-23T00:00:00Z", &["2026-04-23T22:00:00Z", "2026-04-24T21:30:00Z"]);
}

#[test]
fn intervals_do_not_know_of_clocks() {
    let plan = plan("web_monitor", json!({"urls": ["https://example.com"], "check_interval_minutes": 30, "timezone": "America/New_York"}));
    let mut due = plan.next_after(at("2026-03-08T00:00:00Z")).unwrap();
    for _ in 0..96 {
        let next = plan.next_after(due).unwrap();
        assert_eq!(next.since(due), std::time::Duration::from_mins(30));
        due = next;
    }
}

#[test]
fn names_seconds_and_rare_days() {
    let utc = "UTC";
    check(utc, cron("@daily"), "2026-01-01T12:00:00Z", &["2026-01-02T00:00:00Z"]);
    check(utc, cron("@hourly"), "2026-01-01T12:00:00Z", &["2026-01-01T13:00:00Z"]);
    check(utc, cron("@weekly"), "2026-01-01T12:00:00Z", &["2026-01-04T00:00:00Z"]);
    check(utc, cron("0 9 * jan,feb mon-fri"), "2026-02-26T12:00:00Z", &["2026-02-27T09:00:00Z", "2027-01-01T09:00:00Z"]);
    check(utc, cron("*/20 * * * * *"), "2026-01-01T12:00:10Z", &["2026-01-01T12:00:20Z", "2026-01-01T12:00:40Z", "2026-01-01T12:01:00Z"]);
    check(utc, cron("0 0 29 2 *"), "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z"]);
    check(utc, cron("0 0 L * *"), "2026-01-31T12:00:00Z", &["2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"]);
    check(utc, cron("0 0 * * MON#1"), "2026-01-31T12:00:00Z", &["2026-02-02T00:00:00Z", "2026-03-02T00:00:00Z"]);
    check("Asia/Shanghai", json!({"type": "once", "at": "2026-05-01T00:00:00Z"}), "2026-01-01T00:00:00Z", &["2026-05-01T00:00:00Z"]);
}

#[test]
fn start_and_end_dates_hold() {
    let config = json!({"type": "daily", "hour": 8, "start_at": "2026-02-01T08:00:00Z", "end_at": "2026-02-03T08:00:00Z"});
    check("UTC", config.clone(), "2026-01-01T00:00:00Z", &["2026-02-01T08:00:00Z", "2026-02-02T08:00:00Z", "2026-02-03T08:00:00Z"]);
    let plan = plan("schedule", config);
    assert_eq!(plan.next_after(at("2026-02-03T08:00:00Z")), None);
    assert_eq!(plan.last_before(at("2026-02-01T08:00:00Z")), None);
    assert_eq!(plan.count(at("2020-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z")), 3);
}
