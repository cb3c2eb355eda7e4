//! Durable tasks under load: the real scheduler over the real file, with a probe that only looks at the clock.
//!
//! `cargo bench --bench tasks [-- NAME…]` prints one line a figure: what, how much, the budget. Each figure has a process
//! of its own. It never fails on time: machines differ. `WAKEFUL_BENCH_SECONDS` sets how long the load lasts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    unreachable_pub,
    reason = "a harness for people"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use wakeful::ambient::finding::{Fault, Finding, Look, News, Probe};
use wakeful::ambient::lead::Leadership;
use wakeful::ambient::nudge::Nudges;
use wakeful::ambient::options::Options;
use wakeful::ambient::plan::{self, Limits, Plan};
use wakeful::ambient::scheduler::{Deps, Scheduler};
use wakeful::domain::clock::{Clock, Instant as Moment, SystemClock};
use wakeful::domain::event::{NewEvent, TaskEvent};
use wakeful::domain::ids::TaskId;
use wakeful::domain::task::{Outcome, RunFinished, TaskFact, TaskRow, TaskSpec};
use wakeful::store::tasks::{Op, TaskFilter};
use wakeful::store::{EventLog, Options as StoreOptions, Terms};

/// How long the load lasts where the environment says nothing, in seconds.
const SECONDS: u64 = 60;
/// How often each task is due.
const PERIOD: Duration = Duration::from_secs(10);
/// Tasks that are made in one transaction.
const BATCH: usize = 1_000;
/// The slowest look that is counted by itself, in milliseconds.
const SLOW_MS: usize = 20_000;
/// How long idleness is watched.
const IDLE: Duration = Duration::from_secs(10);

fn main() {
    let all: &[(&str, fn())] = &[("1k", || load(1_000, 150)), ("10k", || load(10_000, 250)), ("100k", many), ("rebuild", rebuild)];
    if let Ok(role) = std::env::var("WAKEFUL_BENCH_ROLE") {
        let (_, run) = all.iter().find(|(name, _)| *name == role).expect("a figure");
        return run();
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    println!("background tasks on {} cores", std::thread::available_parallelism().map_or(1, usize::from));
    for (name, _) in all {
        if wanted.is_empty() || wanted.iter().any(|want| want == name) {
            let status = Command::new(std::env::current_exe().unwrap()).env("WAKEFUL_BENCH_ROLE", name).status().unwrap();
            assert!(status.success(), "{name}: {status}");
        }
    }
}

fn row(what: &str, figure: &str, budget: &str) {
    println!("{what:<58} {figure:>22}   budget {budget}");
}

/// A file below the working folder: the folder for temporary files may be in memory.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn open(path: &Path) -> EventLog {
    EventLog::open(path, &StoreOptions::default(), Arc::new(SystemClock)).unwrap()
}

fn spec(n: usize, period: Duration, now: Moment) -> TaskSpec {
    let config = json!({"type": "interval", "minutes": period.as_secs_f64() / 60.0});
    let spec = json!({"task_id": format!("task-{n:06}"), "task_type": "schedule", "config": config,
        "description": format!("reminder number {n}"), "user_id": "default", "created_at": now});
    serde_json::from_value(spec).unwrap()
}

/// Makes so many tasks.
async fn make(log: &EventLog, count: usize, period: Duration) {
    let numbers: Vec<usize> = (0..count).collect();
    for batch in numbers.chunks(BATCH) {
        let now = SystemClock.now();
        let (mut events, mut ops) = (Vec::new(), Vec::new());
        for n in batch {
            let spec = spec(*n, period, now);
            let plan = Plan::new(&spec, &TimeZone::UTC).unwrap();
            ops.push(Op::PutWork { work: Box::new(plan::start(&plan, &spec, now)), extra_seen: None });
            let created = TaskFact::TaskCreated { spec: Box::new(spec.clone()) };
            events.push(NewEvent::system(TaskEvent::new(spec.task_id, created)));
        }
        log.commit(events, Terms { ops, ..Terms::default() }).await.unwrap();
    }
}

/// Sees nothing, and counts how late it was asked.
struct Late {
    /// Looks by lateness in milliseconds.
    by_ms: Vec<AtomicU32>,
}

impl Late {
    fn looks(&self) -> u64 {
        self.by_ms.iter().map(|count| u64::from(count.load(Ordering::Relaxed))).sum()
    }

    /// The lateness that so many of a hundred looks did not pass, in milliseconds.
    fn percentile(&self, percent: f64) -> usize {
        let wanted = (self.looks() as f64 * percent / 100.0).ceil() as u64;
        let mut sum = 0;
        let reached = self.by_ms.iter().position(|count| {
            sum += u64::from(count.load(Ordering::Relaxed));
            sum >= wanted
        });
        reached.unwrap_or(SLOW_MS)
    }
}

impl Probe for Late {
    fn look(&self, look: Look) -> BoxFuture<'static, Result<Finding, Fault>> {
        let late = look.due.map_or(0, |due| SystemClock.now().since(due).as_millis() as usize);
        self.by_ms[late.min(SLOW_MS)].fetch_add(1, Ordering::Relaxed);
        let note = "unchanged".to_owned();
        async { Ok(Finding { state: Value::Null, keep: Vec::new(), news: News::Quiet { gate: "hash" }, note, trouble: None }) }.boxed()
    }
}

/// A value of `/proc/PID/smaps_rollup`, in megabytes.
fn megabytes(pid: u32, key: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1_024.0
}

/// Processor time of a process so far; the kernel counts in hundredths of a second.
fn cpu(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// So many tasks, each due every ten seconds.
fn load(count: usize, budget_ms: u32) {
    let seconds = std::env::var("WAKEFUL_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let folder = folder();
    let path = folder.path().join("events.db");
    let runtime = runtime();
    runtime.block_on(async {
        let log = open(&path);
        make(&log, count, PERIOD).await;
        log.shutdown().await;
    });
    let late = Arc::new(Late { by_ms: (0..=SLOW_MS).map(|_| AtomicU32::new(0)).collect() });
    let peak = Arc::new(Mutex::new(0.0_f64));
    let (used, rows, ended) = runtime.block_on(async {
        let log = open(&path);
        let (nudges, options) = (Nudges::default(), Options::default());
        let lead = Leadership::new(log.clone(), "bench".to_owned(), nudges.clone(), false, options.lease());
        let deps = Deps {
            log: log.clone(),
            clock: Arc::new(SystemClock),
            probe: Arc::<Late>::clone(&late),
            nudges,
            lead: Arc::new(lead),
            zone: TimeZone::UTC,
            owner: "bench".to_owned(),
            options,
            limits: Limits::default(),
        };
        let stop = CancellationToken::new();
        let before = cpu(std::process::id());
        let running = tokio::spawn(Scheduler::new(deps).run(stop.clone()));
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = megabytes(std::process::id(), "Pss:");
            let mut peak = peak.lock().unwrap();
            *peak = peak.max(now);
        }
        let used = cpu(std::process::id()).saturating_sub(before);
        stop.cancel();
        running.await.unwrap();
        let ended = SystemClock.now();
        (used, log.tasks().tasks(TaskFilter::default()).await.unwrap(), ended)
    });
    let (mut planned, mut left_out, mut open) = (0, 0, 0);
    for row in &rows {
        let TaskRow { spec, counts, work, .. } = row;
        let (plan, work) = (Plan::new(spec, &TimeZone::UTC).unwrap(), work.as_ref().unwrap());
        let settled = plan.count(spec.created_at, work.cursor);
        let ran = counts.ran + counts.caught_up + work.hour.ran;
        left_out += settled - ran;
        planned += settled;
        // What came due in the last moment before the end may have had no turn yet.
        let last = Moment::from_millis(ended.as_millis() - 1_000);
        open += plan.count(spec.created_at, last).saturating_sub(settled);
        assert_eq!(counts.total() + work.hour.ran, settled, "{}: every occurrence has an outcome", spec.task_id);
    }
    planned += open;
    let ran = planned - left_out - open;
    let name = |what: &str| format!("{count} tasks every 10 s: {what}");
    row(&name("ran"), &format!("{ran} of {planned}, {:.2} %", ran as f64 * 100.0 / planned as f64), "99.9 %");
    row(&name("left out and recorded"), &left_out.to_string(), "the rest");
    row(&name("left out and not recorded"), &open.to_string(), "0");
    row(&name("lateness p50"), &format!("{} ms", late.percentile(50.0)), "-");
    row(&name("lateness p99"), &format!("{} ms", late.percentile(99.0)), &format!("{budget_ms} ms"));
    row(&name("lateness worst"), &format!("{} ms", late.percentile(100.0)), "-");
    row(&name("memory, peak"), &format!("{:.1} MB", peak.lock().unwrap()), "25 MB");
    row(&name("processor"), &format!("{:.1} %", used.as_secs_f64() * 100.0 / seconds as f64), "-");
}

/// 100,000 tasks, of which none is due for a long time, in the whole program without a screen.
fn many() {
    let home = folder();
    let path = home.path().join("data/events.db");
    let made = Instant::now();
    runtime().block_on(async {
        let log = open(&path);
        make(&log, 100_000, Duration::from_hours(24 * 365)).await;
        log.shutdown().await;
    });
    row("100,000 tasks: made", &format!("{:.1?}", made.elapsed()), "-");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wakeful"));
    command.env_clear().env("WAKEFUL_HOME", home.path()).env("LANG", "C.UTF-8").env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let began = Instant::now();
    let mut child = command.args(["serve", "--headless"]).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("awake: 100000 tasks")), "it wakes up with all of them");
    row("100,000 tasks: start, to awake", &format!("{:.2?}", began.elapsed()), "3 s");
    // What the start left to do is done first.
    std::thread::sleep(Duration::from_secs(2));
    let before = cpu(child.id());
    std::thread::sleep(IDLE);
    let used = cpu(child.id()).saturating_sub(before);
    row("100,000 tasks: idle processor over 10 s", &format!("{:.2} %", used.as_secs_f64() * 100.0 / IDLE.as_secs_f64()), "1 %");
    row("100,000 tasks: memory, headless", &format!("{:.1} MB", megabytes(child.id(), "Pss:")), "25 MB");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// 100,000 events of 1,000 tasks, folded anew.
fn rebuild() {
    let folder = folder();
    let path = folder.path().join("events.db");
    let counted = AtomicU64::new(0);
    let (took, same) = runtime().block_on(async {
        let log = open(&path);
        make(&log, 1_000, PERIOD).await;
        for round in 0..99_u64 {
            let events = (0..1_000).map(|n| {
                let run = RunFinished {
                    due: Some(Moment::from_millis(1_767_268_800_000 + i64::try_from(round).unwrap() * 10_000)),
                    outcome: Outcome::Ran,
                    reason: "2 of 3 pages changed".to_owned(),
                    started: SystemClock.now(),
                    duration_ms: 12,
                    fired: true,
                    gate: None,
                    failures: 0,
                    retry_at: None,
                };
                counted.fetch_add(1, Ordering::Relaxed);
                NewEvent::system(TaskEvent::new(TaskId::new(format!("task-{n:06}")), TaskFact::RunFinished(run)))
            });
            log.commit(events.collect(), Terms::default()).await.unwrap();
        }
        let before = log.tasks().projections_digest().await.unwrap();
        let began = Instant::now();
        log.rebuild().await.unwrap();
        let took = began.elapsed();
        (took, before == log.tasks().projections_digest().await.unwrap())
    });
    assert!(same, "the same bytes");
    row(&format!("rebuild of {} events", counted.into_inner() + 1_000), &format!("{took:.2?}"), "1 s");
}
