//! What every store must do for background tasks: claims, fences, changes of working rows, the list of tasks.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::clock::Instant;
use crate::domain::event::{NewEvent, TaskEvent};
use crate::domain::firing::{Feedback, Firing, Origin};
use crate::domain::ids::{FiringId, NoticeId, StreamId, TaskId};
use crate::domain::notice::{ChannelKind, Notice};
use crate::domain::task::{
    Common, Decision, HourCount, Judge, Judgement, KindConfig, LastRun, Minutes, Outcome, RunFinished, ScheduleConfig, ScheduleType,
    TaskFact, TaskSpec, TaskStatus, TaskWork, WebMonitor,
};
use crate::store::suite::{batch, seqs, stamped};
use crate::store::tasks::{Blob, Claim, Fence, Op, TaskFilter, TaskStore};
use crate::store::{Batch, Error};

/// Makes one test of each check for the store that `$make` gives: an `Arc<dyn TaskStore>` and whatever must outlive it.
/// `$make` stands in an `async fn`. Times go in by the claims: a store with a clock of its own must take them here. With
/// `@tasks list ()` and `@queues list ()`, lists of the checks.
macro_rules! task_suite {
    ($module:ident, $make:expr) => {
        mod $module {
            $crate::store::suite::tasks::task_suite!(@tasks tests $make);
            $crate::store::suite::tasks::task_suite!(@queues tests $make);
        }
    };
    (@tasks $what:ident $make:expr) => {
        $crate::store::suite::tasks::task_suite! { @$what tasks $make;
            a_due_task_is_claimed_once_and_again_after_its_run the_longest_due_come_first_up_to_the_limit
            two_owners_never_hold_the_same_task a_lease_that_ran_out_is_taken_over a_thawed_holder_can_do_nothing
            a_held_task_can_be_held_longer a_fence_that_fails_leaves_nothing_behind a_refused_batch_leaves_its_group_alone
            two_who_change_a_task_agree_by_its_version a_task_paused_while_it_runs_rests_after_the_run
            a_run_asked_for_during_a_run_is_not_lost a_run_asked_for_comes_before_the_plan the_next_task_is_known
            a_deleted_task_leaves_no_work the_list_of_tasks_is_a_fold tasks_are_found_by_user_name_and_place
            rebuilding_tasks_changes_nothing
        }
    };
    (@queues $what:ident $make:expr) => {
        $crate::store::suite::tasks::task_suite! { @$what queues $make;
            firings_come_by_urgency_then_age the_same_key_is_queued_once a_firing_is_tried_later_or_done
            a_firing_given_back_was_not_tried what_is_due_is_seen_without_being_held a_notice_moves_only_from_where_it_was_seen
            full_queues_refuse_and_write_nothing a_notice_moves_through_the_outbox an_interrupted_notice_says_so
            a_notice_that_is_held_back_was_not_tried a_notice_is_queued_once_and_shown_masked the_newest_blobs_stay the_inbox_is_a_fold
            one_leads_until_it_resigns_or_its_lease_ends the_status_counts_everything events_of_one_stream_are_read
        }
    };
    (@list $part:ident $make:expr; $($name:ident)+) => {
        vec![$({
            let check: $crate::store::suite::Check<_> = (stringify!($name), |store| Box::pin($crate::store::suite::$part::$name(store)));
            check
        }),+]
    };
    (@tests $part:ident $make:expr; $($name:ident)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let (store, _guard) = $make;
                tokio::time::timeout($crate::store::suite::LIMIT, $crate::store::suite::$part::$name(&store)).await.unwrap();
            }
        )+
    };
}
pub(in crate::store) use task_suite;

pub(in crate::store) type Store = Arc<dyn TaskStore>;

/// When the tests begin.
pub(in crate::store) const START: i64 = 1_767_268_800_000;

/// `ms` milliseconds after the start.
pub(in crate::store) fn at(ms: i64) -> Instant {
    Instant::from_millis(START + ms)
}

pub(in crate::store) fn id(name: &str) -> TaskId {
    TaskId::new(name)
}

/// A claim of up to 100, at `ms`, for 1,000 ms.
pub(in crate::store) fn claim(owner: &str, ms: i64) -> Claim {
    Claim { owner: owner.to_owned(), now: at(ms), lease: Duration::from_secs(1), limit: 100 }
}

pub(in crate::store) fn monitor(name: &str) -> TaskSpec {
    TaskSpec {
        task_id: id(name),
        kind: KindConfig::WebMonitor(WebMonitor {
            urls: vec![format!("https://example.org/{name}")],
            keywords: vec!["AI".to_owned(), "中文".to_owned()],
            check_interval_minutes: Minutes::whole(30),
            selector: None,
            xpath: None,
            json_pointer: None,
            ignore: Vec::new(),
            ignore_selectors: Vec::new(),
            case_sensitive: false,
            partial_words: false,
            fire_first: false,
            render: false,
            ignore_robots: false,
            common: Common { cost_usd_max: Some(0.1 + 0.2), ..Common::default() },
        }),
        description: format!("watch {name}"),
        callback_url: None,
        user_id: "default".to_owned(),
        created_at: at(0),
        agreed: None,
    }
}

fn reminder(name: &str, user: &str) -> TaskSpec {
    let config = ScheduleConfig {
        repeat: ScheduleType::Daily,
        hour: Some(9),
        minute: None,
        minutes: None,
        days: Vec::new(),
        cron: None,
        at: None,
        action: None,
        news_urls: Vec::new(),
        common: Common::default(),
    };
    TaskSpec { kind: KindConfig::Schedule(config), user_id: user.to_owned(), ..monitor(name) }
}

pub(in crate::store) fn fact(name: &str, fact: TaskFact) -> NewEvent {
    NewEvent::system(TaskEvent::new(id(name), fact))
}

pub(in crate::store) fn created(spec: TaskSpec) -> NewEvent {
    NewEvent::system(TaskEvent::new(spec.task_id.clone(), TaskFact::TaskCreated { spec: Box::new(spec) }))
}

pub(in crate::store) fn paused() -> TaskFact {
    TaskFact::TaskPaused { reason: "enough".to_owned(), by_itself: false }
}

pub(in crate::store) fn put(work: TaskWork, extra_seen: Option<Instant>) -> Op {
    Op::PutWork { work: Box::new(work), extra_seen }
}

/// Makes a task that is due at `due` ms.
pub(in crate::store) async fn make(store: &Store, name: &str, due: i64) {
    let ops = vec![put(TaskWork::new(id(name), at(0), Some(at(due))), None)];
    store.append(Batch { ops, ..batch([created(monitor(name))]) }).await.unwrap();
}

/// The end of a run that found nothing: due again at `due` ms, nobody holds it.
pub(in crate::store) fn after_run(mut work: TaskWork, due: i64) -> TaskWork {
    work.cursor = work.next_due.unwrap_or(work.cursor);
    work.next_due = Some(at(due));
    work.extra_at = None;
    work.owner = None;
    work.lease_until = None;
    work.runs += 1;
    work
}

/// Completes a run under the fence of its claim.
pub(in crate::store) async fn complete(store: &Store, work: &TaskWork, due: i64) -> Result<(), Error> {
    let fences = vec![Fence::Task(work.task_id.clone(), work.epoch)];
    let ops = vec![put(after_run(work.clone(), due), work.extra_at)];
    store.append(Batch { fences, ops, ..Batch::default() }).await.map(drop)
}

async fn claimed(store: &Store, owner: &str, ms: i64) -> Vec<TaskWork> {
    store.claim_tasks(claim(owner, ms)).await.unwrap().into_iter().map(|claimed| claimed.work).collect()
}

async fn work_of(store: &Store, name: &str) -> Option<TaskWork> {
    let filter = TaskFilter { task_id: Some(id(name)), ..TaskFilter::default() };
    store.tasks(filter).await.unwrap().pop().and_then(|row| row.work)
}

fn names(works: &[TaskWork]) -> Vec<&str> {
    works.iter().map(|work| work.task_id.as_str()).collect()
}

pub(in crate::store) fn firing(name: &str, key: &str, priority: u8) -> Firing {
    let feedback = Feedback {
        task_id: "a".to_owned(),
        event_type: "web_content_change".to_owned(),
        data: serde_json::json!({"zebra": 1, "ant": [1.5, null]}).as_object().unwrap().clone(),
        timestamp: at(0),
        priority,
        requires_processing: true,
    };
    Firing { firing_id: FiringId::new(name), key: key.to_owned(), origin: Origin::Task, feedback }
}

pub(in crate::store) fn notice(name: &str, priority: u8) -> Notice {
    Notice {
        notice_id: NoticeId::new(name),
        channel: ChannelKind::Sms,
        to: "+1234567890".to_owned(),
        title: format!("title of {name}"),
        body: "body".to_owned(),
        url: None,
        priority,
        task_id: Some(id("a")),
        firing_id: None,
        payload: serde_json::Value::Null,
        simulated: false,
    }
}

pub(in crate::store) async fn ops(store: &Store, ops: Vec<Op>) -> Result<(), Error> {
    store.append(Batch { ops, ..Batch::default() }).await.map(drop)
}

pub(in crate::store) async fn a_due_task_is_claimed_once_and_again_after_its_run(store: &Store) {
    make(store, "a", 100).await;
    assert!(claimed(store, "one", 99).await.is_empty(), "not due yet");
    let first = store.claim_tasks(claim("one", 100)).await.unwrap();
    let [claim_of_a] = &first[..] else { panic!("{first:?}") };
    assert_eq!((claim_of_a.version, claim_of_a.status, claim_of_a.interrupted), (1, TaskStatus::Active, false));
    assert_eq!(claim_of_a.spec, monitor("a"));
    let work = &claim_of_a.work;
    assert_eq!((work.epoch, work.owner.as_deref(), work.lease_until), (1, Some("one"), Some(at(1_100))));
    assert!(claimed(store, "one", 150).await.is_empty(), "it is held, by whomever");

    let mut done = after_run(work.clone(), 300);
    done.failures = 2;
    done.last = Some(LastRun { at: at(100), outcome: Outcome::Ran, fired: false, note: "unchanged (304)".to_owned(), duration_ms: 7 });
    done.hour = HourCount { hour: at(0), ran: 1, last_due: at(100), duration_ms: 7, gates: [("304".to_owned(), 1)].into() };
    done.state = serde_json::json!({"etag": "\"x\"", "armed": true});
    let fences = vec![Fence::Task(id("a"), 1)];
    store.append(Batch { fences, ops: vec![put(done.clone(), None)], ..Batch::default() }).await.unwrap();
    done.wake = Some(at(300));
    assert_eq!(work_of(store, "a").await.unwrap(), done, "all of it is kept");
    assert!(claimed(store, "one", 299).await.is_empty());
    assert_eq!(claimed(store, "two", 300).await[0].epoch, 2);
}

pub(in crate::store) async fn the_longest_due_come_first_up_to_the_limit(store: &Store) {
    for (name, due) in [("a", 30), ("b", 10), ("c", 20), ("d", 40)] {
        make(store, name, due).await;
    }
    let two = Claim { limit: 2, ..claim("one", 35) };
    let first: Vec<_> = store.claim_tasks(two.clone()).await.unwrap().into_iter().map(|claimed| claimed.work).collect();
    assert_eq!(names(&first), ["b", "c"]);
    assert_eq!(names(&claimed(store, "one", 35).await), ["a"]);
    assert!(store.claim_tasks(Claim { limit: 0, ..two }).await.unwrap().is_empty());
}

pub(in crate::store) async fn two_owners_never_hold_the_same_task(store: &Store) {
    for number in 0..60 {
        make(store, &format!("t{number}"), number % 7).await;
    }
    let claims = (0..20).map(|number| store.claim_tasks(Claim { limit: 5, ..claim(["one", "two"][number % 2], 10) }));
    let mut taken: Vec<_> =
        futures::future::join_all(claims).await.into_iter().flat_map(Result::unwrap).map(|claimed| claimed.work.task_id).collect();
    assert_eq!(taken.len(), 60);
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 60);
}

pub(in crate::store) async fn a_lease_that_ran_out_is_taken_over(store: &Store) {
    make(store, "a", 0).await;
    assert_eq!(claimed(store, "one", 0).await[0].epoch, 1);
    assert!(claimed(store, "two", 999).await.is_empty());
    let taken = store.claim_tasks(claim("two", 1_000)).await.unwrap();
    assert_eq!((taken[0].work.epoch, taken[0].interrupted, taken[0].work.owner.as_deref()), (2, true, Some("two")));
}

pub(in crate::store) async fn a_thawed_holder_can_do_nothing(store: &Store) {
    make(store, "a", 0).await;
    let frozen = claimed(store, "one", 0).await.remove(0);
    let holder = claimed(store, "two", 1_000).await.remove(0);
    let before = store.head().await.unwrap();

    assert!(complete(store, &frozen, 5_000).await.unwrap_err().is_fenced());
    assert_eq!(store.renew_tasks(claim("one", 1_100), vec![(id("a"), frozen.epoch)]).await.unwrap(), [id("a")]);
    assert!(!store.renew(claim("one", 1_100), Fence::Task(id("a"), frozen.epoch)).await.unwrap());
    let batch = Batch {
        fences: vec![Fence::Task(id("a"), frozen.epoch)],
        ops: vec![
            Op::PutFiring { firing: Box::new(firing("f", "a:0", 3)), at: at(0) },
            Op::PutNotice { notice: Box::new(notice("n", 3)), at: at(0) },
        ],
        ..batch([fact("a", paused())])
    };
    let error = store.append(batch).await.unwrap_err();
    assert!(matches!(&error, Error::Fenced { expected: 1, what } if what.contains("task")), "{error:?}");
    assert_eq!(store.head().await.unwrap(), before);
    assert!(store.due_firings(at(2_000), 9, 0).await.unwrap().is_empty());
    assert!(store.due_notices(at(2_000), 9, 0).await.unwrap().is_empty());
    assert_eq!(work_of(store, "a").await.unwrap(), holder, "the holder's claim is untouched");
    complete(store, &holder, 5_000).await.unwrap();
    assert!(complete(store, &frozen, 6_000).await.unwrap_err().is_fenced());
    assert_eq!(work_of(store, "a").await.unwrap().wake, Some(at(5_000)));
}

pub(in crate::store) async fn a_held_task_can_be_held_longer(store: &Store) {
    make(store, "a", 0).await;
    make(store, "b", 0).await;
    let works = claimed(store, "one", 0).await;
    let held: Vec<_> = works.iter().map(|work| (work.task_id.clone(), work.epoch)).chain([(id("none"), 1)]).collect();
    assert_eq!(store.renew_tasks(claim("one", 900), held.clone()).await.unwrap(), [id("none")]);
    assert!(claimed(store, "two", 1_500).await.is_empty());
    assert!(store.renew(claim("one", 1_800), Fence::Task(id("a"), 1)).await.unwrap());
    assert_eq!(names(&claimed(store, "two", 2_000).await), ["b"]);
    assert_eq!(store.renew_tasks(claim("one", 2_100), held).await.unwrap(), [id("b"), id("none")]);
}

pub(in crate::store) async fn a_fence_that_fails_leaves_nothing_behind(store: &Store) {
    make(store, "a", 0).await;
    let head = store.head().await.unwrap();
    let fences = [Fence::Task(id("a"), 7), Fence::Task(id("none"), 1), Fence::Firing("f".into(), 0), Fence::Notice("n".into(), 0)];
    for fence in fences {
        let ops = vec![put(TaskWork::new(id("a"), at(0), Some(at(9_999))), None)];
        let refused = Batch { fences: vec![fence], ops, ..batch([fact("a", paused())]) };
        assert!(store.append(refused).await.unwrap_err().is_fenced());
    }
    assert_eq!(store.head().await.unwrap(), head);
    assert_eq!(names(&claimed(store, "one", 0).await), ["a"]);
    // 0: there is no work yet.
    let fences = vec![Fence::Task(id("new"), 0)];
    store.append(Batch { fences, ..batch([created(monitor("new"))]) }).await.unwrap();
}

pub(in crate::store) async fn a_refused_batch_leaves_its_group_alone(store: &Store) {
    make(store, "a", 0).await;
    let held = claimed(store, "one", 0).await.remove(0);
    let appends = (0..9_u64).map(|number| {
        let epoch = if number % 3 == 1 { 99 } else { held.epoch };
        let at_ms = 10_000 + i64::try_from(number).unwrap();
        let ops = vec![put(TaskWork { next_due: Some(at(at_ms)), ..held.clone() }, None)];
        let judged = TaskFact::PromptFinished {
            firing_id: FiringId::new("f"),
            session: "s".into(),
            success: true,
            tokens: 10_u64.pow(u32::try_from(number).unwrap()),
            cost_micros: 0,
        };
        store.append(Batch { fences: vec![Fence::Task(id("a"), epoch)], ops, ..batch([fact("a", judged)]) })
    });
    let outcomes = futures::future::join_all(appends).await;
    for (number, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.as_ref().is_err_and(Error::is_fenced), number % 3 == 1, "{number}: {outcome:?}");
    }
    let mut positions: Vec<_> = outcomes.iter().flatten().flat_map(|events| seqs(events)).collect();
    positions.sort_unstable();
    assert_eq!(positions, [2, 3, 4, 5, 6, 7]);
    let row = store.tasks(TaskFilter::default()).await.unwrap().remove(0);
    assert_eq!((row.tokens, row.version), (101_101_101, 7), "what was refused is in no projection");
}

pub(in crate::store) async fn two_who_change_a_task_agree_by_its_version(store: &Store) {
    make(store, "a", 0).await;
    let stream = StreamId::task(&id("a"));
    let change = |number: i64| Batch {
        expected: vec![(stream.clone(), 1)],
        ops: vec![put(TaskWork::new(id("a"), at(0), Some(at(number))), None)],
        ..batch([fact("a", paused())])
    };
    let outcomes = futures::future::join_all((0..5).map(|number| store.append(change(number)))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(Error::is_conflict));
    let winner = i64::try_from(outcomes.iter().position(Result::is_ok).unwrap()).unwrap();
    let row = store.tasks(TaskFilter::default()).await.unwrap().remove(0);
    assert_eq!((row.version, row.work.unwrap().next_due), (2, Some(at(winner))));
}

pub(in crate::store) async fn a_task_paused_while_it_runs_rests_after_the_run(store: &Store) {
    make(store, "a", 0).await;
    let work = claimed(store, "one", 0).await.remove(0);
    store.append(Batch { ops: vec![Op::Index(id("a"))], ..batch([fact("a", paused())]) }).await.unwrap();
    let now = work_of(store, "a").await.unwrap();
    assert_eq!(now, TaskWork { wake: None, ..work.clone() }, "the run is left alone");
    assert!(claimed(store, "two", 9_000).await.is_empty(), "a paused task is not taken over");
    complete(store, &work, 100).await.unwrap();
    assert_eq!(work_of(store, "a").await.unwrap().wake, None);
    assert!(claimed(store, "two", 9_000).await.is_empty());
    store.append(Batch { ops: vec![Op::Index(id("a"))], ..batch([fact("a", TaskFact::TaskResumed {})]) }).await.unwrap();
    assert_eq!(work_of(store, "a").await.unwrap().wake, Some(at(100)));
    assert_eq!(names(&claimed(store, "two", 9_000).await), ["a"]);
}

pub(in crate::store) async fn a_run_asked_for_during_a_run_is_not_lost(store: &Store) {
    make(store, "a", 0).await;
    // Asked for before the claim: that run is the answer.
    ops(store, vec![Op::Ask { task_id: id("a"), at: at(0) }]).await.unwrap();
    let work = claimed(store, "one", 0).await.remove(0);
    assert_eq!(work.extra_at, Some(at(0)));
    complete(store, &work, 10_000).await.unwrap();
    assert_eq!(work_of(store, "a").await.unwrap().wake, Some(at(10_000)));
    // Asked for during the run: it runs once more.
    for (from, asked) in [(10_000, 10_001), (20_000, 20_000)] {
        ops(store, vec![Op::Ask { task_id: id("a"), at: at(from) }]).await.unwrap();
        let work = claimed(store, "one", from).await.remove(0);
        ops(store, vec![Op::Ask { task_id: id("a"), at: at(asked) }]).await.unwrap();
        complete(store, &work, from + 10_000).await.unwrap();
        let wake = work_of(store, "a").await.unwrap().wake.unwrap();
        assert!(wake > at(from) && wake <= at(from + 1), "{wake}");
        let again = claimed(store, "one", from + 1).await.remove(0);
        complete(store, &again, from + 10_000).await.unwrap();
        assert_eq!(work_of(store, "a").await.unwrap().wake, Some(at(from + 10_000)));
    }
}

pub(in crate::store) async fn a_run_asked_for_comes_before_the_plan(store: &Store) {
    make(store, "a", 50_000).await;
    let ask = |ms: i64| vec![Op::Ask { task_id: id("a"), at: at(ms) }];
    ops(store, ask(500)).await.unwrap();
    ops(store, ask(700)).await.unwrap();
    let work = work_of(store, "a").await.unwrap();
    assert_eq!((work.extra_at, work.wake, work.next_due), (Some(at(500)), Some(at(500)), Some(at(50_000))));
    assert_eq!(names(&claimed(store, "one", 500).await), ["a"]);
    ops(store, vec![Op::Ask { task_id: id("none"), at: at(0) }, Op::Index(id("none"))]).await.unwrap();
}

pub(in crate::store) async fn the_next_task_is_known(store: &Store) {
    assert_eq!(store.next_task_at().await.unwrap(), None);
    make(store, "a", 0).await;
    make(store, "b", 5_000).await;
    assert_eq!(store.next_task_at().await.unwrap(), Some(at(0)));
    let work = claimed(store, "one", 100).await.remove(0);
    assert_eq!(store.next_task_at().await.unwrap(), Some(at(1_100)), "a lease that runs out counts");
    complete(store, &work, 9_000).await.unwrap();
    assert_eq!(store.next_task_at().await.unwrap(), Some(at(5_000)));
    store.append(Batch { ops: vec![Op::Index(id("b"))], ..batch([fact("b", paused())]) }).await.unwrap();
    assert_eq!(store.next_task_at().await.unwrap(), Some(at(9_000)));
}

pub(in crate::store) async fn a_deleted_task_leaves_no_work(store: &Store) {
    make(store, "a", 0).await;
    make(store, "b", 0).await;
    let works = claimed(store, "one", 0).await;
    let blob = |name: &str| Blob { task_id: id(name), kind: "snapshot".into(), key: "k".into(), at: at(0), bytes: vec![1] };
    let keep = |name: &str| Op::PutBlob { blob: Box::new(blob(name)), keep: 9, by_key: false };
    ops(store, vec![keep("a"), keep("b")]).await.unwrap();
    store.append(Batch { ops: vec![Op::DropWork(id("a"))], ..batch([fact("a", TaskFact::TaskDeleted {})]) }).await.unwrap();

    assert!(complete(store, works.iter().find(|work| work.task_id == id("a")).unwrap(), 10).await.unwrap_err().is_fenced());
    // Without a fence, too.
    ops(store, vec![put(works[0].clone(), None), put(works[1].clone(), None)]).await.unwrap();
    // What is decided afterwards brings nothing back.
    store.append(batch([fact("a", paused())])).await.unwrap();
    let rows = store.tasks(TaskFilter::default()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.spec.task_id.as_str()).collect::<Vec<_>>(), ["b"]);
    assert!(store.blobs(id("a"), "snapshot".into(), None, 9).await.unwrap().is_empty());
    assert_eq!(store.blobs(id("b"), "snapshot".into(), None, 9).await.unwrap(), [blob("b")]);
    assert_eq!(names(&claimed(store, "one", 50_000).await), ["b"]);
    assert_eq!(store.version(StreamId::task(&id("a"))).await.unwrap(), 3);
}

fn ran(outcome: Outcome, due: Option<i64>, fired: bool) -> TaskFact {
    TaskFact::RunFinished(RunFinished {
        due: due.map(at),
        outcome,
        reason: "so".to_owned(),
        started: at(1),
        duration_ms: 5,
        fired,
        gate: None,
        failures: 0,
        retry_at: None,
    })
}

fn judged(tokens: u64, cost_micros: u64) -> TaskFact {
    TaskFact::FiringJudged(Judgement {
        firing_id: FiringId::new("f"),
        decision: Decision::Notify,
        reason: "it matters".to_owned(),
        by: Judge::Model,
        model: Some("lab/big".to_owned()),
        tokens,
        cost_micros,
        duration_ms: 1,
        notices: Vec::new(),
        inbox: None,
    })
}

pub(in crate::store) async fn the_list_of_tasks_is_a_fold(store: &Store) {
    store.append(batch([created(monitor("a")), created(reminder("b", "anna"))])).await.unwrap();
    let skipped =
        TaskFact::OccurrencesSkipped { outcome: Outcome::SkippedStale, reason: "slept".to_owned(), from: at(0), to: at(9), count: 5 };
    let facts = [
        ran(Outcome::Ran, Some(1), true),
        ran(Outcome::Failed, Some(2), false),
        ran(Outcome::Ran, None, true),
        skipped,
        TaskFact::ChecksRolledUp(HourCount { ran: 40, ..HourCount::default() }),
        judged(100, 7),
        judged(11, 3),
        TaskFact::TaskPaused { reason: "cap".to_owned(), by_itself: true },
    ];
    let mut wanted = batch(facts.map(|what| fact("a", what)));
    wanted.events.iter_mut().zip(1..).for_each(|(event, number)| event.at = at(number));
    store.append(wanted).await.unwrap();
    let rows = store.tasks(TaskFilter::default()).await.unwrap();
    let [a, b] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((a.status, a.status_reason.as_deref(), a.version, a.updated_at), (TaskStatus::Failed, Some("cap"), 9, at(8)));
    assert_eq!((a.fired, a.last_fired, a.tokens, a.cost_micros), (2, Some(at(3)), 111, 10));
    let counts = a.counts;
    assert_eq!((counts.ran, counts.failed, counts.skipped_stale, counts.total()), (41, 1, 5, 47));
    assert_eq!((&a.spec, &a.work), (&monitor("a"), &None));
    assert_eq!((b.spec.clone(), b.status, b.version), (reminder("b", "anna"), TaskStatus::Active, 1));

    let spec = Box::new(TaskSpec { description: "new words".to_owned(), ..monitor("a") });
    let changes = [
        TaskFact::TaskUpdated { spec: spec.clone(), changed: vec!["description".to_owned()] },
        TaskFact::TaskResumed {},
        TaskFact::TaskCompleted { reason: "the last run".to_owned() },
    ];
    for (change, status, reason) in
        [(0, TaskStatus::Failed, Some("cap")), (1, TaskStatus::Active, None), (2, TaskStatus::Completed, Some("the last run"))]
    {
        store.append(batch([fact("a", changes[change].clone())])).await.unwrap();
        let row = store.tasks(TaskFilter::default()).await.unwrap().remove(0);
        assert_eq!((&row.spec, row.status, row.status_reason.as_deref(), row.counts), (&*spec, status, reason, counts));
    }
}

pub(in crate::store) async fn tasks_are_found_by_user_name_and_place(store: &Store) {
    let specs = [reminder("ab1", "anna"), reminder("ab2", "default"), reminder("b%", "anna"), monitor("zz")];
    store.append(batch(specs.map(created))).await.unwrap();
    let check = async |filter: TaskFilter, expected: &[&str]| {
        let rows = store.tasks(filter.clone()).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.spec.task_id.as_str()).collect::<Vec<_>>(), expected, "{filter:?}");
    };
    let all = TaskFilter::default;
    check(all(), &["ab1", "ab2", "b%", "zz"]).await;
    check(TaskFilter { user_id: Some("anna".into()), ..all() }, &["ab1", "b%"]).await;
    check(TaskFilter { task_id: Some(id("ab2")), ..all() }, &["ab2"]).await;
    for (name, expected) in
        [("ab", &["ab1", "ab2"][..]), ("b%", &["b%"]), ("%", &[]), ("a_1", &[]), ("watch zz", &["zz"]), ("watch", &[]), ("", &[])]
    {
        check(TaskFilter { named: Some(name.into()), ..all() }, expected).await;
    }
    check(TaskFilter { after: Some(id("ab1")), limit: Some(2), ..all() }, &["ab2", "b%"]).await;
    check(TaskFilter { after: Some(id("ab1")), user_id: Some("anna".into()), ..all() }, &["b%"]).await;
    check(TaskFilter { limit: Some(0), ..all() }, &[]).await;
}

pub(in crate::store) async fn rebuilding_tasks_changes_nothing(store: &Store) {
    let mut random = fastrand::Rng::with_seed(7);
    for number in 0..150 {
        let name = format!("t{}", random.u8(0..9));
        let event = match random.u8(0..12) {
            0 | 1 => created(monitor(&name)),
            2 => fact(&name, TaskFact::TaskDeleted {}),
            3 => fact(&name, paused()),
            4 => fact(&name, TaskFact::TaskResumed {}),
            5 => fact(&name, judged(random.u64(0..1_000), random.u64(0..1_000))),
            6 => fact(&name, TaskFact::ChecksRolledUp(HourCount { ran: random.u64(0..60), ..HourCount::default() })),
            7 => super::queues::added(&format!("i{}", random.u8(0..9))),
            8 => super::queues::moved(&format!("i{}", random.u8(0..9)), random.u8(0..5)),
            9 => NewEvent::of(&super::session(&name), super::said(crate::domain::message::Role::User, "hello")),
            _ => fact(&name, ran(Outcome::Ran, Some(number), random.bool())),
        };
        store.append(Batch { events: vec![stamped(START + number, event)], ..Batch::default() }).await.unwrap();
    }
    make(store, "due", 5).await;
    let digest = store.projections_digest().await.unwrap();
    assert_eq!(digest.len(), 64);
    let rows = store.tasks(TaskFilter::default()).await.unwrap();
    assert!(rows.len() > 3);
    store.rebuild().await.unwrap();
    assert_eq!(store.projections_digest().await.unwrap(), digest);
    assert_eq!(store.tasks(TaskFilter::default()).await.unwrap(), rows);
    assert_eq!(names(&claimed(store, "one", 5).await), ["due"]);
    store.append(batch([fact("due", paused())])).await.unwrap();
    assert_ne!(store.projections_digest().await.unwrap(), digest);
}
