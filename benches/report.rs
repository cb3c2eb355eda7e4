//! What reports cost: records into the queue and out of it, a million that wait, making records from events, each transport
//! from the queue to the coordinator's store, and a turn while the coordinator hangs.
//!
//! `cargo bench --bench report [-- NAME…]` prints one line a figure: what, how much, the budget. It never fails on time: machines
//! differ. `WAKEFUL_BENCH_RECORDS` sets how many wait in the large one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    unreachable_pub,
    reason = "a harness for people"
)]

#[path = "../tests/support/model.rs"]
#[allow(dead_code, reason = "shared with the tests, which use other parts")]
mod model;
#[path = "../tests/support/pty.rs"]
#[allow(dead_code, reason = "shared with the tests, which use other parts")]
mod pty;
#[path = "report/transports.rs"]
mod transports;
#[path = "report/turns.rs"]
mod turns;

use std::time::Instant;

use serde_json::json;
use wakeful::domain::clock;
use wakeful::domain::event::{Event, Status, ToolExecution};
use wakeful::domain::ids::{EventId, RecordId};
use wakeful::domain::interaction::InteractionRecord;
use wakeful::interactions::options::Content;
use wakeful::interactions::record::{Fold, Shape};
use wakeful::interactions::redact::Redactor;
use wakeful::store::spool::{NewRow, Options, Outcome, Spool};

/// Records of the smaller group.
const FEW: usize = 200_000;
/// Records that wait in the large one.
const MANY: usize = 1_000_000;
/// Records that come in together, as the reader of the log brings them.
const CHUNK: usize = 512;

fn main() {
    println!("reports on {} cores", std::thread::available_parallelism().map_or(1, usize::from));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|want| want == name);
    if is_wanted("queue") {
        runtime.block_on(queue());
    }
    if is_wanted("million") {
        runtime.block_on(million());
    }
    if is_wanted("records") {
        records();
    }
    if is_wanted("transports") {
        runtime.block_on(transports::all());
    }
    if is_wanted("turns") {
        turns::latency();
    }
}

fn row(number: usize) -> NewRow {
    let record_id = RecordId::generate();
    let interaction_id = format!("int_1767268800_{:08x}", number / 4);
    let data = json!({"action": "interaction_complete", "record_id": record_id, "interaction_id": interaction_id, "mcp_id": "my_agent_001",
        "timestamp": 1_767_268_800.25, "result_data": {"success": true, "output_size": 1234, "processing_time": 0.25, "adapter_used": "files",
        "service": "files", "tool": "read_file", "session_id": "01995c4f-0912-7123-8456-789012345678"}});
    NewRow { record_id: record_id.as_str().to_owned(), interaction_id, data: data.to_string() }
}

fn told(what: &str, count: usize, since: Instant, budget: &str) {
    let seconds = since.elapsed().as_secs_f64();
    println!("{what}: {:.0} records/s ({count} in {seconds:.2} s; budget {budget})", count as f64 / seconds);
}

async fn queue() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(&folder.path().join("queue.db"), Options { bytes_max: 1 << 40, ..Options::default() }).unwrap();
    let at = clock::Instant::from_millis(1);
    let rows: Vec<NewRow> = (0..FEW).map(row).collect();
    let since = Instant::now();
    for chunk in rows.chunks(CHUNK) {
        spool.put(chunk.to_vec(), None, at).await.unwrap();
    }
    told("into the queue", FEW, since, "20,000/s");
    let since = Instant::now();
    let mut cursor = 0;
    loop {
        let page = spool.next(cursor, 100, 1 << 20, at).await.unwrap();
        let Some(last) = page.rows.last() else { break };
        cursor = last.number;
        let stored = page.rows.iter().map(|row| (row.number, Outcome::Stored)).collect();
        spool.settle(stored, "http", at).await.unwrap();
    }
    told("out of the queue, by pages of 100", FEW, since, "20,000/s");
}

async fn million() {
    let count = std::env::var("WAKEFUL_BENCH_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(MANY);
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(&folder.path().join("queue.db"), Options { bytes_max: 1 << 40, ..Options::default() }).unwrap();
    let at = clock::Instant::from_millis(1);
    let before = resident_kib();
    let mut put = 0;
    while put < count {
        let rows = (put..(put + CHUNK).min(count)).map(row).collect();
        spool.put(rows, None, at).await.unwrap();
        put += CHUNK;
    }
    let since = Instant::now();
    let page = spool.next(0, 100, 1 << 20, at).await.unwrap();
    println!("a page of 100 while {count} wait: {:.2} ms", since.elapsed().as_secs_f64() * 1e3);
    assert_eq!(page.rows.len(), 100.min(count));
    println!("memory while {count} wait: {} KiB more than before", resident_kib().saturating_sub(before));
}

fn records() {
    let shape =
        Shape { mcp_id: "me".into(), content: Content::Full, salt: vec![7; 32], redactor: Redactor::new(vec!["house-key-77".into()]) };
    let text = "what the tool answered, some words of it. ".repeat(20);
    let call = |status| ToolExecution {
        service_name: "files".into(),
        tool_name: "read_file".into(),
        status,
        result: (status == Status::Success).then(|| json!(text)),
        error: None,
        error_kind: None,
        call_id: "c1".into(),
        arguments: json!({"path": "src/main.rs"}).as_object().cloned(),
        duration_ms: Some(5),
        parent: None,
    };
    let event =
        |status| Event { seq: None, id: EventId::generate(), at: clock::Instant::from_millis(1), session: None, body: call(status).into() };
    let events: Vec<Event> = (0..10_000).flat_map(|_| [event(Status::Started), event(Status::Success)]).collect();
    let since = Instant::now();
    let (mut fold, mut out) = (Fold::default(), Vec::<InteractionRecord>::new());
    for event in &events {
        fold.take(event, &shape, &mut out);
    }
    told("made and redacted, with content", out.len(), since, "none");
}

/// Memory of this process that is in use.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}
