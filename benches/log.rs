//! Appends a second to a log on a real disk, one by one and many at once, and what it costs to open one.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::path::PathBuf;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wakeful::bus::Recorder;
use wakeful::domain::clock::SystemClock;
use wakeful::domain::event::{NewEvent, Status, ToolExecution};
use wakeful::domain::ids::{CallId, SessionId};
use wakeful::store::{EventLog, Options};

/// Events of a log that is opened.
const STORED: usize = 20_000;

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
