//! Appends a second to a log on a real disk, one by one and many at once, what it costs to open one, and the tasks:
//! runs that are claimed and completed, and a rebuild of all projections.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::path::PathBuf;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wakeful::bus::Recorder;
use wakeful::domain::clock::{Instant, SystemClock};
use wakeful::domain::event::{NewEvent, Status, TaskEvent, ToolExecution};
use wakeful::domain::ids::{CallId, SessionId, TaskId};
use wakeful::domain::task::{Outcome, RunFinished, TaskFact, TaskSpec, TaskWork};
use wakeful::store::tasks::{Claim, Claimed, Fence, Op};
use wakeful::store::{EventLog, Options, Terms};

/// Events of a log that is opened.
const STORED: usize = 20_000;

/// Tasks that come due in turn.
const TASKS: u32 = 10_000;

/// Events of a log whose projections are made anew.
const REBUILT: u32 = 100_000;

fn main() {
    divan::main();
}

fn event(session: &SessionId) -> NewEvent {
    let body = ToolExecution {
        service_name: "everything".into(),
        tool_name: "echo".into(),
        status: Status::Success,
        result: Some("a result of the usual length, some hundred characters or so, as tools give them".into()),
        error: None,
        error_kind: None,
        call_id: CallId::generate(),
        arguments: None,
        duration_ms: Some(12),
        parent: None,
    };
    NewEvent::of(session, body)
}

struct Bench {
    runtime: Runtime,
    log: EventLog,
    path: PathBuf,
    /// Keeps the file. It lies below the working folder: the folder for temporary files may be in memory.
    _folder: TempDir,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("events.db");
    let log = EventLog::open(&path, &Options::default(), Arc::new(SystemClock)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    Bench { runtime, log, path, _folder: folder }
}

/// Each waits for the one before it.
#[divan::bench(sample_count = 100, sample_size = 5)]
fn one_by_one(bencher: Bencher<'_, '_>) {
    let bench = bench();
    let session = SessionId::generate();
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(|| vec![event(&session)])
        .bench_values(|events| bench.runtime.block_on(bench.log.record(events)).unwrap());
}

/// So many callers at once with one event each: group commit puts them together.
#[divan::bench(args = [10, 100, 1_000], sample_count = 30, sample_size = 1)]
fn callers_at_once(bencher: Bencher<'_, '_>, callers: usize) {
    let bench = bench();
    let session = SessionId::generate();
    bencher.counter(ItemsCount::new(callers)).with_inputs(|| (0..callers).map(|_| vec![event(&session)]).collect::<Vec<_>>()).bench_values(
        |batches| {
            let all = batches.into_iter().map(|events| bench.log.record(events));
            bench.runtime.block_on(futures::future::try_join_all(all)).unwrap()
        },
    );
}

/// One caller with so many events in one batch.
#[divan::bench(args = [100, 1_000], sample_count = 30, sample_size = 1)]
fn one_batch(bencher: Bencher<'_, '_>, events: usize) {
    let bench = bench();
    let session = SessionId::generate();
    bencher
        .counter(ItemsCount::new(events))
        .with_inputs(|| (0..events).map(|_| event(&session)).collect::<Vec<_>>())
        .bench_values(|events| bench.runtime.block_on(bench.log.record(events)).unwrap());
}

/// What the start of the program pays.
#[divan::bench(sample_count = 50, sample_size = 1)]
fn open_an_existing_log(bencher: Bencher<'_, '_>) {
    let bench = bench();
    let session = SessionId::generate();
    let events = (0..STORED).map(|_| event(&session)).collect();
    bench.runtime.block_on(bench.log.record(events)).unwrap();
    bench.runtime.block_on(bench.log.shutdown());
    bencher.bench_local(|| EventLog::open(&bench.path, &Options::default(), Arc::new(SystemClock)).unwrap());
}

fn spec(name: &str) -> TaskSpec {
    let json = serde_json::json!({
        "task_id": name,
        "task_type": "web_monitor",
        "config": {"urls": ["https://example.org/news"], "keywords": ["AI"], "check_interval_minutes": 30},
        "description": "a monitor with a description of the usual length",
        "user_id": "default",
        "created_at": "2026-01-01T12:00:00.000Z",
    });
    serde_json::from_value(json).unwrap()
}

fn fact(task: &TaskId, fact: TaskFact) -> NewEvent {
    NewEvent::system(TaskEvent::new(task.clone(), fact))
}

/// Makes tasks that are due one millisecond after the other.
async fn make_tasks(log: &EventLog, count: u32) {
    let all: Vec<_> = (0..count).collect();
    for chunk in all.chunks(1_000) {
        let made = chunk.iter().map(|number| {
            let spec = spec(&format!("task-{number}"));
            let (task, due) = (spec.task_id.clone(), Instant::from_millis(i64::from(*number)));
            let ops = vec![Op::PutWork { work: Box::new(TaskWork::new(task.clone(), due, Some(due))), extra_seen: None }];
            log.commit(vec![fact(&task, TaskFact::TaskCreated { spec: Box::new(spec) })], Terms { ops, ..Terms::default() })
        });
        futures::future::try_join_all(made).await.unwrap();
    }
}

/// The end of a run that found nothing, under the fence of its claim.
async fn complete(log: &EventLog, claimed: Claimed) {
    let mut work = claimed.work;
    let (fences, extra_seen) = (vec![Fence::Task(work.task_id.clone(), work.epoch)], work.extra_at);
    work.next_due = work.next_due.map(|due| Instant::from_millis(due.as_millis() + i64::from(TASKS)));
    work.owner = None;
    work.lease_until = None;
    work.runs += 1;
    let ops = vec![Op::PutWork { work: Box::new(work), extra_seen }];
    log.commit(Vec::new(), Terms { fences, ops, ..Terms::default() }).await.unwrap();
}

/// So many runs that found nothing: claimed in one go, completed each by itself.
#[divan::bench(args = [50, 500], sample_count = 20, sample_size = 1)]
fn tasks_claimed_and_completed(bencher: Bencher<'_, '_>, runs: usize) {
    let bench = bench();
    bench.runtime.block_on(make_tasks(&bench.log, TASKS));
    let claim =
        Claim { owner: "bench".to_owned(), now: Instant::from_millis(i64::MAX / 4), lease: std::time::Duration::from_mins(1), limit: runs };
    bencher.counter(ItemsCount::new(runs)).bench_local(|| {
        bench.runtime.block_on(async {
            let claimed = bench.log.tasks().claim_tasks(claim.clone()).await.unwrap();
            assert_eq!(claimed.len(), runs);
            futures::future::join_all(claimed.into_iter().map(|claimed| complete(&bench.log, claimed))).await;
        });
    });
}

/// All projections made anew from a log of tasks, firings and conversations.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn rebuild_of_100_000_events(bencher: Bencher<'_, '_>) {
    let bench = bench();
    let session = SessionId::generate();
    let events = (0..REBUILT).map(|number| {
        let spec = spec(&format!("task-{}", number % 1_000));
        let task = spec.task_id.clone();
        let finished = RunFinished {
            due: Some(Instant::from_millis(i64::from(number))),
            outcome: Outcome::Ran,
            reason: "fired: 2 keywords".to_owned(),
            started: Instant::from_millis(i64::from(number)),
            duration_ms: 120,
            fired: true,
            gate: None,
            failures: 0,
            retry_at: None,
        };
        match number {
            0..1_000 => fact(&task, TaskFact::TaskCreated { spec: Box::new(spec) }),
            _ if number % 4 == 0 => event(&session),
            _ => fact(&task, TaskFact::RunFinished(finished)),
        }
    });
    let events: Vec<_> = events.collect();
    for chunk in events.chunks(1_000) {
        bench.runtime.block_on(bench.log.record(chunk.to_vec())).unwrap();
    }
    bencher.counter(ItemsCount::new(REBUILT)).bench_local(|| bench.runtime.block_on(bench.log.rebuild()).unwrap());
}
