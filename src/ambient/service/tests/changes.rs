//! Pause, resume, delete, run now, update: what they leave of what was planned.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use super::{Bench, START, bench, hourly, monitor, object};
use crate::ambient::service::Error;
use crate::domain::clock::Clock as _;
use crate::domain::command::TaskCommand;
use crate::domain::ids::TaskId;
use crate::domain::task::{Outcome, TaskFact, TaskRow, TaskStatus};
use crate::store::Terms;
use crate::store::tasks::{Fence, Op};

const HOUR: Duration = Duration::from_hours(1);

/// Occurrences that were left out, with their outcome and reason.
async fn left_out(bench: &Bench, task: &TaskId) -> Vec<(Outcome, u64, String)> {
    let facts = bench.facts(task).await;
    let skipped = |fact: TaskFact| match fact {
        TaskFact::OccurrencesSkipped { outcome, count, reason, .. } => Some((outcome, count, reason)),
        _ => None,
    };
    facts.into_iter().filter_map(skipped).collect()
}

/// What a run that was claimed as `row` says would write at its end.
async fn complete(bench: &Bench, row: &TaskRow, epoch: u64) -> bool {
    let terms = Terms {
        fences: vec![Fence::Task(row.spec.task_id.clone(), epoch)],
        ops: vec![Op::PutWork { work: Box::new(row.work.clone().unwrap()), extra_seen: None }],
        ..Terms::default()
    };
    bench.log.commit(Vec::new(), terms).await.is_ok()
}

#[tokio::test]
async fn what_falls_into_a_pause_was_not_planned() {
    let bench = bench();
    let row = bench.make(&hourly("stretch")).await;
    let id = row.spec.task_id.as_str();
    let paused = bench.service.pause(id, "default").await.unwrap();
    assert_eq!((paused.status, paused.work.unwrap().wake), (TaskStatus::Paused, None));
    let version = paused.version;
    assert_eq!(bench.service.pause(id, "default").await.unwrap().version, version, "pausing twice says nothing twice");
    bench.clock.advance(HOUR * 5);
    assert!(bench.claim().await.is_empty());
    let resumed = bench.service.resume(id, "default").await.unwrap();
    let work = resumed.work.unwrap();
    assert_eq!(resumed.status, TaskStatus::Active);
    assert_eq!(work.cursor, bench.clock.now());
    assert!(work.next_due.unwrap() > bench.clock.now());
    assert_eq!(left_out(&bench, &row.spec.task_id).await, []);
}

#[tokio::test]
async fn what_was_due_before_a_pause_is_missed() {
    let bench = bench();
    let row = bench.make(&hourly("stretch")).await;
    bench.clock.advance(HOUR * 2);
    let paused = bench.service.pause(row.spec.task_id.as_str(), "default").await.unwrap();
    let reason = "the task was paused before it could run".to_owned();
    assert_eq!(left_out(&bench, &row.spec.task_id).await, [(Outcome::Missed, 2, reason)]);
    assert_eq!(paused.work.unwrap().cursor, bench.clock.now());
    assert_eq!(paused.counts.missed, 2);
}

#[tokio::test]
async fn a_run_under_way_may_end_while_its_task_is_paused() {
    let bench = bench();
    let row = bench.make(&monitor("watch AI")).await;
    let claimed = bench.claim().await.remove(0);
    let paused = bench.service.pause(row.spec.task_id.as_str(), "default").await.unwrap();
    assert_eq!(paused.status, TaskStatus::Paused);
    assert!(complete(&bench, &paused, claimed.work.epoch).await);
    assert_eq!(left_out(&bench, &row.spec.task_id).await, []);
}

#[tokio::test]
async fn a_deleted_task_is_gone_and_its_story_stays() {
    let bench = bench();
    let row = bench.make(&hourly("stretch")).await;
    bench.clock.advance(HOUR);
    let last = bench.service.delete("stretch", "default").await.unwrap();
    assert_eq!(last.spec.task_id, row.spec.task_id);
    assert!(matches!(bench.service.find("stretch", "default").await, Err(Error::NotFound { .. })));
    assert!(bench.service.list("admin").await.unwrap().is_empty());
    assert!(bench.claim().await.is_empty());
    let reason = "the task was deleted before it could run".to_owned();
    assert_eq!(left_out(&bench, &row.spec.task_id).await, [(Outcome::Missed, 1, reason)]);
    assert!(matches!(bench.facts(&row.spec.task_id).await.last(), Some(TaskFact::TaskDeleted {})));
}

#[tokio::test]
async fn a_run_out_of_turn_is_asked_for_and_resting_tasks_refuse() {
    let bench = bench();
    let row = bench.make(&hourly("stretch")).await;
    let id = row.spec.task_id.as_str();
    assert!(bench.claim().await.is_empty());
    let asked = bench.service.run_now(id, "default").await.unwrap();
    assert_eq!(asked.work.unwrap().extra_at, Some(START));
    assert_eq!(asked.version, 1, "asking is no event: the run will be");
    assert_eq!(bench.claim().await.len(), 1);
    bench.service.command(TaskCommand::Pause(row.spec.task_id.clone())).await.unwrap();
    let refused = bench.service.run_now(id, "default").await.unwrap_err();
    assert!(refused.to_string().contains("resume it first"), "{refused}");
}

#[tokio::test]
async fn a_changed_plan_takes_the_run_under_way_its_right_to_end() {
    let bench = bench();
    let row = bench.make(&hourly("stretch")).await;
    bench.clock.advance(HOUR);
    let claimed = bench.claim().await.remove(0);
    let changes = object(json!({"config": {"minutes": 120}}));
    let made = bench.service.update("stretch", "default", &changes).await.unwrap();
    let work = made.row.work.clone().unwrap();
    assert_eq!((work.epoch, work.owner.clone(), work.cursor), (claimed.work.epoch + 1, None, bench.clock.now()));
    assert!(!complete(&bench, &made.row, claimed.work.epoch).await, "the fence of the old claim is broken");
    let reason = "the task was changed while it ran".to_owned();
    assert_eq!(left_out(&bench, &row.spec.task_id).await, [(Outcome::Missed, 1, reason)]);
    assert!(matches!(bench.facts(&row.spec.task_id).await.last(), Some(TaskFact::TaskUpdated { .. })));
}

#[tokio::test]
async fn a_change_of_words_or_receivers_leaves_the_run_alone() {
    let bench = bench();
    bench.make(&monitor("watch AI")).await;
    let claimed = bench.claim().await.remove(0);
    let changes = object(json!({"description": "watch the AI news", "config": {"notification": {"method": "desktop"}}}));
    let made = bench.service.update("watch AI", "default", &changes).await.unwrap();
    assert_eq!(made.row.spec.description, "watch the AI news");
    assert_eq!(made.row.work.as_ref().unwrap().epoch, claimed.work.epoch);
    assert!(complete(&bench, &made.row, claimed.work.epoch).await);
}

#[tokio::test]
async fn what_a_probe_remembers_stays_when_only_the_times_change() {
    let bench = bench();
    let row = bench.make(&monitor("watch AI")).await;
    let mut work = row.work.clone().unwrap();
    (work.state, work.extra_at) = (json!({"etag": "x"}), None);
    let put = Op::PutWork { work: Box::new(work), extra_seen: row.work.as_ref().unwrap().extra_at };
    bench.log.commit(Vec::new(), Terms { ops: vec![put], ..Terms::default() }).await.unwrap();
    let update = async |changes| bench.service.update("watch AI", "default", &object(changes)).await.unwrap().row.work.unwrap();
    let sooner = update(json!({"config": {"check_interval_minutes": 5}})).await;
    assert_eq!((sooner.state, sooner.extra_at), (json!({"etag": "x"}), None));
    let elsewhere = update(json!({"config": {"urls": ["https://news.ycombinator.com"]}})).await;
    assert_eq!((elsewhere.state, elsewhere.extra_at), (serde_json::Value::Null, Some(START)), "another page needs another baseline");
}

#[tokio::test]
async fn a_bad_change_changes_nothing() {
    let bench = bench();
    let row = bench.make(&hourly("stretch")).await;
    let error = bench.service.update("stretch", "default", &object(json!({"config": {"minutes": 0}}))).await.unwrap_err();
    assert_eq!(error.field(), Some("config.minutes"), "{error}");
    assert_eq!(bench.service.find("stretch", "default").await.unwrap(), row);
}

#[tokio::test]
async fn changes_at_the_same_moment_all_take_place() {
    let bench = bench();
    let row = bench.make(&hourly("stretch")).await;
    let id = row.spec.task_id.as_str();
    let update = |count: usize| {
        let changes = object(json!({"config": {"max_runs": 10 + count}}));
        let service = bench.service.clone();
        async move { service.update(id, "default", &changes).await.map(|made| made.row.version) }
    };
    let versions = join_all((0..4).map(update)).await;
    assert!(versions.iter().all(Result::is_ok), "{versions:?}");
    assert_eq!(bench.facts(&row.spec.task_id).await.len(), 5);
}

#[tokio::test]
async fn a_one_shot_that_is_over_goes_on_with_a_new_time() {
    let bench = bench();
    let mut request = hourly("call");
    request.config = json!({"type": "once", "at": "2026-01-01T13:00:00Z"});
    let row = bench.make(&request).await;
    bench.service.pause("call", "default").await.unwrap();
    bench.clock.advance(HOUR * 2);
    let resumed = bench.service.resume("call", "default").await.unwrap();
    assert_eq!(resumed.status, TaskStatus::Completed, "its time passed while it rested");
    assert!(matches!(bench.service.pause("call", "default").await, Err(Error::NotNow { .. })));
    let later = object(json!({"config": {"at": "2026-01-01T15:00:00Z"}}));
    let again = bench.service.update("call", "default", &later).await.unwrap().row;
    assert_eq!((again.status, again.work.unwrap().wake), (TaskStatus::Active, Some(START.plus(HOUR * 3))));
    assert_eq!(row.spec.task_id, again.spec.task_id);
}

#[tokio::test]
async fn the_quiet_checks_of_the_hour_are_told_when_a_task_rests_or_goes() {
    for delete in [false, true] {
        let bench = bench();
        let row = bench.make(&hourly("stretch")).await;
        let id = row.spec.task_id.clone();
        let mut work = row.work.unwrap();
        (work.hour.ran, work.hour.hour) = (7, START);
        let terms = Terms { ops: vec![Op::PutWork { work: Box::new(work), extra_seen: None }], ..Terms::default() };
        bench.log.commit(Vec::new(), terms).await.unwrap();
        if delete {
            bench.service.delete("stretch", "default").await.unwrap();
        } else {
            let row = bench.service.pause("stretch", "default").await.unwrap();
            assert_eq!(row.work.unwrap().hour.ran, 0, "told once");
            bench.service.resume("stretch", "default").await.unwrap();
        }
        let facts = bench.facts(&id).await;
        let told: Vec<u64> =
            facts.iter().filter_map(|fact| if let TaskFact::ChecksRolledUp(hour) = fact { Some(hour.ran) } else { None }).collect();
        assert_eq!(told, [7], "delete: {delete}: {facts:?}");
    }
}
