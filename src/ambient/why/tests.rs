//! The chain of a task's last run, as people read it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::*;
use crate::domain::event::TaskEvent;
use crate::domain::ids::{EventId, InboxId, NoticeId, TaskId};
use crate::domain::notice::ChannelKind;
use crate::domain::task::{HourCount, LastRun, OutcomeCounts, TaskSpec};

/// 2026-01-01T12:00:00Z, in milliseconds.
const START: i64 = 1_767_268_800_000;

fn at(seconds: i64) -> Instant {
    Instant::from_millis(START + seconds * 1_000)
}

fn spec(task_type: &str, config: Value) -> TaskSpec {
    let value = json!({"task_id": "3f2a5b1c-0000-4000-8000-000000000000", "task_type": task_type, "config": config,
        "description": "watch AI", "user_id": "default", "created_at": at(0)});
    serde_json::from_value(value).unwrap()
}

fn monitor() -> TaskSpec {
    spec("web_monitor", json!({"urls": ["https://a.example"], "check_interval_minutes": 30, "timezone": "Europe/Berlin"}))
}

fn row(spec: TaskSpec) -> TaskRow {
    let work = TaskWork { wake: Some(at(1_800)), ..TaskWork::new(spec.task_id.clone(), at(0), Some(at(1_800))) };
    TaskRow {
        spec,
        status: TaskStatus::Active,
        status_reason: None,
        version: 1,
        updated_at: at(0),
        fired: 0,
        last_fired: None,
        counts: OutcomeCounts::default(),
        tokens: 0,
        cost_micros: 0,
        work: Some(work),
    }
}

fn event(seconds: i64, fact: TaskFact) -> Arc<Event> {
    let body = EventBody::TaskEvent(TaskEvent::new(TaskId::new("3f2a5b1c"), fact));
    Arc::new(Event { seq: None, id: EventId::generate(), at: at(seconds), session: None, body })
}

fn run(seconds: i64, outcome: Outcome, reason: &str) -> RunFinished {
    RunFinished {
        due: Some(at(seconds)),
        outcome,
        reason: reason.to_owned(),
        started: at(seconds),
        duration_ms: 230,
        fired: false,
        gate: None,
        failures: 0,
        retry_at: None,
    }
}

fn told(row: &TaskRow, history: &[Arc<Event>], deliveries: &[Delivery]) -> String {
    lines(row, history, deliveries, &TimeZone::UTC, at(60)).join("\n")
}

#[test]
fn a_firing_is_told_from_the_plan_to_the_receipt() {
    let notice_id = NoticeId::new("n-1");
    let finding: Map<String, Value> =
        json!({"url": "https://a.example", "title": "AI news", "keywords_found": ["AI"]}).as_object().unwrap().clone();
    let judgement = Judgement {
        firing_id: "f-1".into(),
        decision: Decision::Notify,
        reason: "a new model was announced".into(),
        by: Judge::Model,
        model: Some("openai/gpt-4o".into()),
        tokens: 812,
        cost_micros: 4_200,
        duration_ms: 1_400,
        notices: vec![notice_id.clone()],
        inbox: Some(InboxId::new("i-1")),
    };
    let history = [
        event(5, TaskFact::FiringJudged(judgement)),
        event(2, TaskFact::WebContentChange(finding)),
        event(2, TaskFact::RunFinished(RunFinished { fired: true, ..run(0, Outcome::Ran, "1 of 1 pages changed") })),
    ];
    let delivery = Delivery {
        notice_id,
        channel: ChannelKind::Sms,
        to: "+1•••7890".into(),
        title: "AI news".into(),
        status: DeliveryStatus::Sent,
        attempts: 1,
        queued_at: at(5),
        next_at: None,
        error: None,
        receipt: Some("SM123".into()),
        task_id: None,
    };
    let mut row = row(monitor());
    (row.fired, row.tokens, row.cost_micros, row.counts.ran) = (1, 812, 4_200, 1);
    insta::assert_snapshot!(told(&row, &history, &[delivery]), @r"
    task: watch AI (web_monitor), 3f2a5b1c-0000-4000-8000-000000000000
    planned: every 30 min, times in Europe/Berlin
    due: 2026-01-01 13:30:00 (in 29 min)
    last run: ran 2026-01-01 13:00:00 (1 min ago), on time for 2026-01-01 13:00:00, took 230 ms: 1 of 1 pages changed
    fired: 2026-01-01 13:00:02 (58 s ago): AI news, keywords: AI
    decision: notify, by openai/gpt-4o: a new model was announced
    judging took: 812 tokens, $0.004200, 1 s
    notice: sms to +1•••7890 sent, 1 tries, receipt SM123
    inbox: entry i-1
    of the planned runs so far: 1 ran, 0 caught up, 0 skipped as stale, 0 skipped by overlap, 0 missed, 0 failed; fired 1 times
    cost so far: 812 tokens, $0.004200
    ");
}

#[test]
fn a_quiet_run_names_its_gate() {
    let mut row = row(monitor());
    let work = row.work.as_mut().unwrap();
    work.last = Some(LastRun { at: at(30), outcome: Outcome::Ran, fired: false, note: "unchanged (304)".into(), duration_ms: 40 });
    work.hour = HourCount { hour: at(0), ran: 3, gates: [("304".to_owned(), 3)].into(), ..HourCount::default() };
    let baseline = RunFinished { gate: Some("baseline".into()), due: None, ..run(0, Outcome::Ran, "first look") };
    let text = told(&row, &[event(0, TaskFact::RunFinished(baseline))], &[]);
    let has = |line: &str| assert!(text.lines().any(|found| found.contains(line)), "{line}\n{text}");
    has("last run: 2026-01-01 13:00:30 (30 s ago), took 40 ms: unchanged (304)");
    has("before that: ran 2026-01-01 13:00:00");
    has("quiet looks since 2026-01-01 13:00:00: 3 (304 x3)");
    has("stopped by: baseline: the first look");
}

#[test]
fn a_failure_tells_when_it_is_tried_again() {
    let failed = RunFinished { failures: 2, retry_at: Some(at(120)), ..run(0, Outcome::Failed, "HTTP 503 from a.example") };
    let text = told(&row(monitor()), &[event(0, TaskFact::RunFinished(failed))], &[]);
    assert!(text.contains("failed 2026-01-01 13:00:00 (1 min ago), on time for 2026-01-01 13:00:00, took 230 ms: HTTP 503"), "{text}");
    assert!(text.contains("failures in a row: 2, again 2026-01-01 13:02:00 (in 1 min)"), "{text}");
}

#[test]
fn a_firing_without_a_decision_waits_for_the_judge() {
    let text = told(&row(monitor()), &[event(2, TaskFact::WebContentChange(Map::new()))], &[]);
    assert!(text.contains("decision: none yet, it waits for the judge"), "{text}");
}

#[test]
fn what_rests_says_why() {
    let check = |status: TaskStatus, reason: &str, says: &str| {
        let resting = TaskRow { status, status_reason: Some(reason.to_owned()), ..row(monitor()) };
        let text = told(&resting, &[], &[]);
        assert!(text.contains(says), "{text}");
    };
    check(TaskStatus::Paused, "", "due: never while it is paused\n");
    check(TaskStatus::Failed, "ten failures in a row", "it paused itself: ten failures in a row");
    check(TaskStatus::Completed, "its last run", "never again, it is completed: its last run");
}

#[test]
fn what_strangers_wrote_cannot_reach_the_terminal() {
    let failed = run(0, Outcome::Failed, "HTTP 500\u{1b}]0;evil\u{7}\nnext line");
    let text = told(&row(monitor()), &[event(0, TaskFact::RunFinished(failed))], &[]);
    assert!(!text.contains('\u{1b}') && !text.contains("\nnext line"), "{text:?}");
    assert!(text.lines().all(|line| line.chars().count() <= LINE_CHARS_MAX), "{text}");
}

#[test]
fn schedules_are_told_in_words() {
    let check = |task_type: &str, config: Value, words: &str| {
        assert_eq!(schedule::words(&spec(task_type, config), &TimeZone::UTC), words);
    };
    check("web_monitor", json!({"urls": ["a"]}), "every 30 min");
    check("web_monitor", json!({"urls": ["a"], "check_interval_minutes": 90}), "every 1 h 30 min");
    check("web_monitor", json!({"urls": ["a"], "check_interval_minutes": 0.5}), "every 30 s");
    check("news_digest", json!({"news_urls": ["a"], "hour": 8}), "every day at 08:00");
    check("schedule", json!({"type": "daily", "hour": 9, "timezone": "Asia/Tokyo"}), "every day at 09:00 (Asia/Tokyo)");
    check("schedule", json!({"type": "weekly", "days": ["thursday", "monday"], "hour": 9}), "every Monday, Thursday at 09:00");
    let workdays = ["monday", "tuesday", "wednesday", "thursday", "friday"];
    check("schedule", json!({"type": "weekly", "days": workdays, "hour": 9}), "Monday to Friday at 09:00");
    check("schedule", json!({"type": "cron", "cron": "0 9 * * 1-5"}), "by cron `0 9 * * 1-5`");
    check("schedule", json!({"type": "once", "at": "2026-12-01T10:00:00Z", "max_runs": 1}), "once on 2026-12-01 at 10:00, 1 times at most");
}
