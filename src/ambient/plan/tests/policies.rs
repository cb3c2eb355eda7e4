//! The policies, one by one, as a user would describe them.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::super::{Away, Limits, Next, Plan, RunResult, Sight, Step, Ticket, after_run, look, replan, resume, start};
use super::{at, spec_of};
use crate::domain::clock::Instant;
use crate::domain::task::{Outcome, TaskWork};

/// One task, seen by its scheduler.
struct Desk {
    plan: Plan,
    work: TaskWork,
    limits: Limits,
}

const BEGIN: &str = "2026-01-01T00:00:00Z";

impl Desk {
    fn new(task_type: &str, config: Value) -> Self {
        let spec = spec_of("desk", task_type, config, at(BEGIN));
        let plan = Plan::new(&spec, &TimeZone::UTC).unwrap();
        let work = start(&plan, &spec, at(BEGIN));
        Self { plan, work, limits: Limits::default() }
    }

    fn take(&mut self, next: Next) -> Vec<String> {
        self.work = next.work;
        next.steps.iter().map(told).collect()
    }

    fn look(&mut self, now: &str) -> Vec<String> {
        self.look_after(now, None)
    }

    /// Looks at `now`, where the program was away since `from` until a moment ago.
    fn back(&mut self, from: &str, now: &str) -> Vec<String> {
        self.look_after(now, Some(Away { from: at(from), to: at(now) }))
    }

    fn look_after(&mut self, now: &str, away: Option<Away>) -> Vec<String> {
        let next = look(&self.plan, &self.work, &Sight { now: at(now), away, running: false }, &self.limits);
        self.take(next)
    }

    fn ran(&mut self, due: Option<&str>, result: RunResult, now: &str) -> Vec<String> {
        let ticket = Ticket { due: due.map(at), outcome: Outcome::Ran };
        let next = after_run(&self.plan, &self.work, &ticket, result, &Sight { now: at(now), away: None, running: false }, &self.limits);
        self.take(next)
    }
}

/// A step in short: `run 08:00 ran`, `missed 2: 08:00 to 09:00`.
fn told(step: &Step) -> String {
    let clock = |at: Instant| at.to_string()[8..16].replace('T', " ");
    match step {
        Step::Settle(settled) => {
            format!("{} {}: {} to {} ({})", settled.outcome.as_str(), settled.count, clock(settled.from), clock(settled.to), settled.reason)
        }
        Step::Run(ticket) => format!("run {} {}", ticket.due.map_or("out of turn".to_owned(), clock), ticket.outcome.as_str()),
        Step::Pause { reason } => format!("pause: {reason}"),
        Step::Complete { reason } => format!("complete: {reason}"),
    }
}

const FAILED: RunResult = RunResult::Failed { retry_at: None };

fn hourly(more: Value) -> Desk {
    let mut config = json!({"type": "cron", "cron": "0 * * * *"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Desk::new("schedule", config)
}

#[test]
fn an_occurrence_runs_when_it_is_due() {
    let mut desk = hourly(json!({}));
    assert_eq!(desk.work.wake, Some(at("2026-01-01T01:00:00Z")));
    assert!(desk.look("2026-01-01T00:59:59Z").is_empty());
    assert_eq!(desk.look("2026-01-01T01:00:05Z"), ["run 01 01:00 ran"]);
    assert_eq!(desk.work.cursor, at(BEGIN), "the cursor waits for the run");
    assert!(desk.ran(Some("2026-01-01T01:00:00Z"), RunResult::Ok, "2026-01-01T01:00:10Z").is_empty());
    assert_eq!((desk.work.cursor, desk.work.wake, desk.work.runs), (at("2026-01-01T01:00:00Z"), Some(at("2026-01-01T02:00:00Z")), 1));
}

#[test]
fn while_it_runs_nothing_is_decided() {
    let mut desk = hourly(json!({}));
    let next = look(&desk.plan, &desk.work, &Sight { now: at("2026-01-01T09:00:00Z"), away: None, running: true }, &desk.limits);
    assert!(desk.take(next).is_empty());
}

#[test]
fn a_slow_run_skips_or_queues() {
    let mut desk = hourly(json!({}));
    desk.look("2026-01-01T01:00:00Z");
    let skipped = desk.ran(Some("2026-01-01T01:00:00Z"), RunResult::Ok, "2026-01-01T04:30:00Z");
    assert_eq!(skipped, ["skipped_overlap 3: 01 02:00 to 01 04:00 (the run before was still at it)"]);
    let mut desk = hourly(json!({"overlap": "queue"}));
    desk.look("2026-01-01T01:00:00Z");
    let queued = desk.ran(Some("2026-01-01T01:00:00Z"), RunResult::Ok, "2026-01-01T04:30:00Z");
    assert_eq!(queued, ["skipped_overlap 2: 01 02:00 to 01 03:00 (the run before was still at it)"]);
    assert_eq!(desk.look("2026-01-01T04:30:00Z"), ["run 01 04:00 ran"]);
}

#[test]
fn a_busy_program_runs_the_newest() {
    let mut desk = hourly(json!({}));
    let steps = desk.look("2026-01-01T03:10:00Z");
    assert_eq!(steps, ["missed 2: 01 01:00 to 01 02:00 (the program was busy; a newer one stands for it)", "run 01 03:00 ran"]);
}

#[test]
fn back_from_a_night_the_latest_is_caught_up_within_a_minute() {
    let mut desk = hourly(json!({}));
    let now = "2026-01-01T07:10:00Z";
    assert_eq!(desk.back(BEGIN, now), ["skipped_stale 6: 01 01:00 to 01 06:00 (the program was away; the latest stands for it)"]);
    let wake = desk.work.wake.unwrap();
    assert!(wake >= at(now) && wake < at("2026-01-01T07:11:00Z"));
    // The same news again changes nothing, and a crash before the run neither.
    assert!(desk.back(BEGIN, now).is_empty());
    assert_eq!(desk.look("2026-01-01T07:11:00Z"), ["run 01 07:00 caught_up"]);
}

#[test]
fn what_came_due_a_moment_ago_is_on_time() {
    let mut desk = hourly(json!({}));
    assert_eq!(desk.back(BEGIN, "2026-01-01T01:00:10Z"), ["run 01 01:00 ran"]);
}

#[test]
fn too_old_is_stale_after_twelve_hours() {
    let weekly = || Desk::new("schedule", json!({"type": "weekly", "days": ["friday"], "hour": 9}));
    let mut desk = weekly();
    assert_eq!(
        desk.back(BEGIN, "2026-01-02T21:00:00Z"),
        ["skipped_stale 1: 02 09:00 to 02 09:00 (the program was away, and it is too old or overtaken)"]
    );
    let mut desk = weekly();
    assert!(desk.back(BEGIN, "2026-01-02T20:59:00Z").is_empty());
    assert_eq!(desk.look("2026-01-02T21:00:00Z"), ["run 02 09:00 caught_up"]);
}

#[test]
fn a_digest_is_news_until_its_day_ends() {
    let digest = || Desk::new("news_digest", json!({"news_urls": ["https://example.com"], "hour": 8, "timezone": "Asia/Tokyo"}));
    // 08:00 in Tokyo is 23:00 UTC the day before; the day ends at 15:00 UTC.
    let mut desk = digest();
    assert!(desk.back(BEGIN, "2026-01-02T14:58:00Z").is_empty());
    assert_eq!(desk.look("2026-01-02T14:59:00Z"), ["run 01 23:00 caught_up"]);
    let mut desk = digest();
    let late = desk.back(BEGIN, "2026-01-02T15:00:00Z");
    assert_eq!(late, ["skipped_stale 1: 01 23:00 to 01 23:00 (the program was away, and it is too old or overtaken)"]);
}

#[test]
fn a_one_shot_is_always_caught_up_and_then_completed() {
    let mut desk = Desk::new("schedule", json!({"type": "once", "at": "2026-01-01T10:00:00Z"}));
    assert!(desk.back(BEGIN, "2026-03-01T00:00:00Z").is_empty());
    assert_eq!(desk.look("2026-03-01T00:01:00Z"), ["run 01 10:00 caught_up"]);
    assert_eq!(desk.ran(Some("2026-01-01T10:00:00Z"), RunResult::Ok, "2026-03-01T00:01:05Z"), ["complete: it was due once and has run"]);
    assert_eq!((desk.work.wake, desk.work.next_due), (None, None));
}

#[test]
fn all_are_caught_up_one_by_one_up_to_a_limit() {
    let mut desk = hourly(json!({"catch_up": "all"}));
    let steps = desk.back(BEGIN, "2026-01-02T06:10:00Z");
    assert_eq!(steps, ["skipped_stale 6: 01 01:00 to 01 06:00 (the program was away, and too many were missed)"]);
    for hour in 0..24 {
        let due = at("2026-01-01T07:00:00Z").plus(Duration::from_hours(hour)).to_string();
        let now = "2026-01-02T06:12:00Z";
        assert_eq!(desk.look(now), [format!("run {} caught_up", due[8..16].replace('T', " "))]);
        assert!(desk.ran(Some(&due), RunResult::Ok, now).is_empty());
    }
    assert!(desk.look("2026-01-02T06:13:00Z").is_empty());
}

#[test]
fn none_is_caught_up_where_that_is_wanted() {
    let mut desk = hourly(json!({"catch_up": "none"}));
    let steps = desk.back(BEGIN, "2026-01-01T03:10:00Z");
    assert_eq!(steps, ["skipped_stale 3: 01 01:00 to 01 03:00 (the program was away, and the task catches nothing up)"]);
}

#[test]
fn a_clock_set_back_runs_nothing_twice() {
    let mut desk = hourly(json!({}));
    desk.look("2026-01-01T01:00:00Z");
    desk.ran(Some("2026-01-01T01:00:00Z"), RunResult::Ok, "2026-01-01T01:00:01Z");
    for now in ["2026-01-01T00:10:00Z", "2026-01-01T01:00:00Z", "2026-01-01T01:59:00Z"] {
        assert!(desk.look(now).is_empty());
    }
    assert_eq!(desk.look("2026-01-01T02:00:00Z"), ["run 01 02:00 ran"]);
}

#[test]
fn a_retry_does_not_wait_for_a_clock_that_was_set_back() {
    let mut desk = hourly(json!({}));
    desk.work.failures = 1;
    desk.work.extra_at = Some(at("2027-01-01T00:00:00Z"));
    assert_eq!(desk.look("2026-01-01T00:30:00Z"), ["run out of turn ran"]);
}

#[test]
fn failures_wait_longer_and_longer_and_pause_after_ten() {
    let mut desk = Desk::new("schedule", json!({"type": "daily", "hour": 1}));
    let mut now = at("2026-01-01T01:00:00Z");
    desk.look(&now.to_string());
    let mut due = Some("2026-01-01T01:00:00Z");
    for wait in [30, 120, 600, 3_600, 3_600, 3_600, 3_600, 3_600, 3_600] {
        assert!(desk.ran(due.take(), FAILED, &now.to_string()).is_empty());
        assert_eq!(desk.work.wake.unwrap().since(now), Duration::from_secs(wait));
        now = desk.work.wake.unwrap();
        assert_eq!(desk.look(&now.to_string()), ["run out of turn ran"]);
    }
    assert_eq!(desk.ran(None, FAILED, &now.to_string()), ["pause: it failed 10 times in a row"]);
    assert_eq!((desk.work.wake, desk.work.runs), (None, 1), "retries belong to their run");
    let later = at("2026-01-04T00:00:00Z");
    let next = resume(&desk.plan, &desk.work, true, later);
    assert_eq!(desk.take(next), ["missed 2: 02 01:00 to 03 01:00 (it had paused after failures)"]);
    assert_eq!((desk.work.failures, desk.work.wake), (0, Some(later)));
}

#[test]
fn what_comes_due_while_it_waits_after_a_failure_is_missed() {
    let mut desk = Desk::new("schedule", json!({"type": "cron", "cron": "*/5 * * * *"}));
    desk.work.failures = 3;
    desk.work.extra_at = Some(at("2026-01-01T00:22:00Z"));
    assert!(desk.look("2026-01-01T00:21:00Z").is_empty());
    assert_eq!(
        desk.look("2026-01-01T00:22:00Z"),
        ["missed 4: 01 00:05 to 01 00:20 (it was waiting after a failure)", "run out of turn ran"]
    );
}

#[test]
fn a_server_may_ask_for_a_longer_wait_up_to_a_day() {
    let check = |asked: &str, wake: &str| {
        let mut desk = hourly(json!({}));
        desk.look("2026-01-01T01:00:00Z");
        desk.ran(Some("2026-01-01T01:00:00Z"), RunResult::Failed { retry_at: Some(at(asked)) }, "2026-01-01T01:00:00Z");
        assert_eq!(desk.work.wake, Some(at(wake)));
    };
    check("2026-01-01T01:00:01Z", "2026-01-01T01:00:30Z");
    check("2026-01-01T05:00:00Z", "2026-01-01T05:00:00Z");
    check("2030-01-01T00:00:00Z", "2026-01-02T01:00:00Z");
}

#[test]
fn runs_and_dates_end() {
    let mut desk = hourly(json!({"max_runs": 2}));
    for hour in ["01", "02"] {
        let due = format!("2026-01-01T{hour}:00:00Z");
        desk.look(&due);
        let steps = desk.ran(Some(&due), RunResult::Ok, &due);
        assert_eq!(steps.len(), usize::from(hour == "02"), "{steps:?}");
    }
    assert_eq!(desk.look("2026-01-01T09:00:00Z"), ["complete: it has run 2 times"]);
    let mut desk = hourly(json!({"end_at": "2026-01-01T01:30:00Z"}));
    desk.look("2026-01-01T01:00:00Z");
    assert_eq!(
        desk.ran(Some("2026-01-01T01:00:00Z"), RunResult::Ok, "2026-01-01T01:00:09Z"),
        ["complete: nothing is due before its end date"]
    );
}

#[test]
fn a_person_who_lets_it_rest_misses_nothing() {
    let mut desk = hourly(json!({}));
    let next = resume(&desk.plan, &desk.work, false, at("2026-01-05T00:30:00Z"));
    assert!(desk.take(next).is_empty());
    assert_eq!(desk.work.wake, Some(at("2026-01-05T01:00:00Z")));
    // A clock that once ran years ahead is forgiven when a person asks for it.
    desk.work.cursor = at("2031-01-01T00:00:00Z");
    let next = resume(&desk.plan, &desk.work, false, at("2026-01-05T00:30:00Z"));
    desk.take(next);
    assert_eq!(desk.work.wake, Some(at("2026-01-05T01:00:00Z")));
}

#[test]
fn a_new_plan_counts_from_now_on() {
    let desk = hourly(json!({}));
    let work = replan(&desk.plan, &desk.work, true, at("2026-01-03T10:30:00Z"));
    assert_eq!((work.cursor, work.wake), (at("2026-01-03T10:30:00Z"), Some(at("2026-01-03T11:00:00Z"))));
}

#[test]
fn a_watch_takes_its_baseline_at_once() {
    let config = |more: Value| {
        let mut config = json!({"urls": ["https://example.com"]});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let mut desk = Desk::new("web_monitor", config(json!({})));
    assert_eq!(desk.look(BEGIN), ["run out of turn ran"]);
    let desk = Desk::new("web_monitor", config(json!({"start_at": "2026-02-01T00:00:00Z"})));
    assert!(desk.work.extra_at.is_none() && desk.work.wake.unwrap() >= at("2026-02-01T00:00:00Z"));
}

#[test]
fn ten_years_away_are_counted_without_walking() {
    let mut desk = Desk::new("schedule", json!({"type": "cron", "cron": "* * * * * *", "timezone": "Europe/Berlin", "catch_up": "none"}));
    let steps = desk.back(BEGIN, "2036-01-01T00:00:15Z");
    assert_eq!(steps[0], "skipped_stale 315532799: 01 00:00 to 31 23:59 (the program was away, and the task catches nothing up)");
}
