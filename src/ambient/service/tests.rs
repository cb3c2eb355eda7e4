//! The task service over a store in memory.

mod changes;
mod inbox;
mod transfer;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::*;
use crate::domain::clock::{Clock as _, ManualClock};
use crate::domain::event::EventBody;
use crate::domain::task::TaskStatus;
use crate::store::tasks::{Claim, Claimed};

/// 2026-01-01T12:00:00Z, a Thursday.
const START: Instant = Instant::from_millis(1_767_268_800_000);

struct Bench {
    clock: ManualClock,
    log: EventLog,
    service: TaskService,
}

fn bench() -> Bench {
    let clock = ManualClock::starting_at(START);
    let log = EventLog::open_in_memory(Arc::new(clock.clone())).unwrap();
    let service = TaskService::new(log.clone(), TimeZone::UTC, Nudges::default(), Options::default());
    Bench { clock, log, service }
}

fn monitor(description: &str) -> Request {
    let config = json!({"urls": ["https://techcrunch.com"], "keywords": ["AI"], "check_interval_minutes": 30});
    Request { task_type: "web_monitor".into(), description: description.into(), config, ..Request::default() }
}

fn hourly(description: &str) -> Request {
    let config = json!({"type": "interval", "minutes": 60});
    Request { task_type: "schedule".into(), description: description.into(), config, ..Request::default() }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

impl Bench {
    async fn make(&self, request: &Request) -> TaskRow {
        self.service.create(request).await.unwrap().row
    }

    /// The facts of a task's stream, oldest first.
    async fn facts(&self, task: &TaskId) -> Vec<TaskFact> {
        let events = self.log.tasks().stream_events(StreamId::task(task), 1_000).await.unwrap();
        let fact = |event: &Arc<Event>| match &event.body {
            EventBody::TaskEvent(task) => task.fact.clone(),
            other => panic!("{other:?}"),
        };
        events.iter().map(fact).collect()
    }

    async fn claim(&self) -> Vec<Claimed> {
        let claim = Claim { owner: "other".into(), now: self.clock.now(), lease: Duration::from_mins(1), limit: 10 };
        self.log.tasks().claim_tasks(claim).await.unwrap()
    }
}

#[tokio::test]
async fn a_task_is_made_with_its_event_and_its_place_in_the_due_index() {
    let bench = bench();
    let made = bench.service.create(&monitor("watch AI")).await.unwrap();
    assert_eq!(made.warnings, Vec::<String>::new());
    assert_eq!((made.row.status, made.row.version, made.row.spec.user_id.as_str()), (TaskStatus::Active, 1, "default"));
    assert_eq!(made.row.spec.created_at, START);
    let work = made.row.work.as_ref().unwrap();
    assert_eq!(work.wake, Some(START), "a watch takes its baseline at once");
    assert!(work.next_due.unwrap() > START);
    assert!(matches!(bench.facts(&made.row.spec.task_id).await.as_slice(), [TaskFact::TaskCreated { .. }]));
    assert_eq!(bench.claim().await.len(), 1);
}

#[tokio::test]
async fn bad_input_makes_nothing_and_names_the_field() {
    let bench = bench();
    let refused = async |request: Request, field: &str| {
        let error = bench.service.create(&request).await.unwrap_err();
        assert_eq!(error.field(), Some(field), "{error}");
    };
    refused(Request { task_type: "web_monitr".into(), ..monitor("x") }, "task_type").await;
    refused(Request { description: "  ".into(), ..monitor("x") }, "description").await;
    refused(Request { config: json!({"type": "cron", "cron": "61 * * * *"}), ..hourly("x") }, "config.cron").await;
    refused(Request { config: json!({"type": "daily", "timezone": "Mars/Base"}), ..hourly("x") }, "config.timezone").await;
    refused(Request { config: json!("{\"urls\": ["), ..monitor("x") }, "config").await;
    assert!(bench.service.list("admin").await.unwrap().is_empty());
    assert_eq!(bench.log.head().await.unwrap().0, 0, "nothing half-made stays");
}

#[tokio::test]
async fn the_same_task_twice_in_a_minute_is_told_but_made() {
    let bench = bench();
    let first = bench.make(&monitor("watch AI")).await;
    bench.clock.advance(Duration::from_secs(59));
    let again = bench.service.create(&monitor("watch AI")).await.unwrap();
    assert!(again.warnings.iter().any(|warning| warning.contains(first.spec.task_id.as_str())), "{:?}", again.warnings);
    let other = bench.service.create(&monitor("watch something else")).await.unwrap();
    assert!(other.warnings.is_empty(), "{:?}", other.warnings);
    bench.clock.advance(Duration::from_secs(61));
    let later = bench.service.create(&monitor("watch AI")).await.unwrap();
    assert!(later.warnings.is_empty(), "{:?}", later.warnings);
    assert_eq!(bench.service.list("default").await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_task_is_found_by_id_by_its_start_and_by_its_description() {
    let bench = bench();
    let row = bench.make(&monitor("watch AI")).await;
    let id = row.spec.task_id.as_str();
    for wanted in [id, &id[..8], &id[..4], "watch AI", "  watch AI "] {
        assert_eq!(bench.service.find(wanted, "default").await.unwrap().spec.task_id, row.spec.task_id, "{wanted}");
    }
    let missing = async |wanted: &str| match bench.service.find(wanted, "default").await.unwrap_err() {
        Error::NotFound { hint, .. } => hint,
        other => panic!("{wanted}: {other}"),
    };
    assert!(missing(&id[..3]).await.contains("did you mean"), "three characters name nothing");
    assert!(missing("watch ai").await.contains("watch AI"), "the nearest is named");
    assert!(!missing("zzzzzzzz").await.contains("did you mean"));
    missing("").await;
    bench.clock.advance(Duration::from_mins(2));
    bench.make(&monitor("watch AI")).await;
    let error = bench.service.find("watch AI", "default").await.unwrap_err();
    assert!(matches!(error, Error::Ambiguous { count: 2, .. }), "{error}");
    assert!(error.to_string().contains(&id[..8]), "{error}");
}

#[tokio::test]
async fn a_user_reaches_their_own_tasks_and_admin_all() {
    let bench = bench();
    let row = bench.make(&Request { user_id: Some("anna".into()), ..monitor("watch AI") }).await;
    bench.make(&monitor("another")).await;
    let id = row.spec.task_id.as_str();
    let seen = async |user: &str| bench.service.list(user).await.unwrap().len();
    assert_eq!((seen("anna").await, seen("default").await, seen("bert").await, seen("admin").await), (1, 1, 0, 2));
    assert!(matches!(bench.service.pause(id, "default").await, Err(Error::NotFound { .. })));
    assert!(matches!(bench.service.delete(id, "bert").await, Err(Error::NotFound { .. })));
    assert_eq!(bench.service.pause(id, "anna").await.unwrap().status, TaskStatus::Paused);
    assert_eq!(bench.service.resume(id, "admin").await.unwrap().status, TaskStatus::Active);
    assert_eq!(bench.service.status("anna").await.unwrap().total_tasks, 1);
    assert_eq!(bench.service.status("admin").await.unwrap().total_tasks, 2);
}

#[tokio::test]
async fn there_is_a_most_of_tasks() {
    let bench = bench();
    let options = Options { tasks_max: 2, ..Options::default() };
    let service = TaskService::new(bench.log.clone(), TimeZone::UTC, Nudges::default(), options);
    service.create(&monitor("one")).await.unwrap();
    let two = service.create(&monitor("two")).await.unwrap().row;
    assert!(matches!(service.create(&monitor("three")).await, Err(Error::Full { limit: 2 })));
    service.delete(two.spec.task_id.as_str(), "admin").await.unwrap();
    service.create(&monitor("three")).await.unwrap();
}

#[tokio::test]
async fn a_panel_shows_what_the_probes_kept() {
    let bench = bench();
    let row = bench.make(&monitor("watch AI")).await;
    let id = &row.spec.task_id;
    let blob = |kind: &str, key: &str, at: i64, bytes: &str| Op::PutBlob {
        blob: Box::new(Blob { task_id: id.clone(), kind: kind.into(), key: key.into(), at: Instant::from_millis(at), bytes: bytes.into() }),
        keep: 10,
        by_key: false,
    };
    let ops = vec![
        blob("sample", "v", 1, "1.5"),
        blob("sample", "v", 2, "2.5"),
        blob("diff", "u", 3, "-a\n+b"),
        blob("snapshot", "https://a.example", 4, "page"),
    ];
    bench.log.commit(Vec::new(), Terms { ops, ..Terms::default() }).await.unwrap();
    let detail = bench.service.detail(id).await.unwrap();
    assert_eq!(detail.diff.as_deref(), Some("-a\n+b"));
    assert_eq!(detail.samples.iter().map(|sample| sample.value).collect::<Vec<_>>(), [1.5, 2.5], "oldest first");
    assert_eq!(detail.snapshots, [(Instant::from_millis(4), "https://a.example".to_owned(), 4)]);
    assert_eq!(detail.history.len(), 1);
    assert!(detail.why.iter().any(|line| line == "last run: none yet"), "{:#?}", detail.why);
}

#[tokio::test]
async fn whoever_is_awake_runs_the_tasks_until_another_shows_that_it_does() {
    let nudges = Nudges::default();
    let bench = bench();
    let service = TaskService::new(bench.log.clone(), TimeZone::UTC, nudges.clone(), Options::default());
    let leading = async || service.status("default").await.unwrap().leading;
    assert!(!leading().await, "nothing runs here");
    nudges.set_awake();
    assert!(leading().await);
    let claim = Claim { owner: "another".to_owned(), now: START, lease: Duration::from_secs(30), limit: 1 };
    bench.log.tasks().lead(LEAD.to_owned(), claim).await.unwrap().unwrap();
    assert!(!leading().await, "another one leads");
}
