//! The event log under `kill -9` and under several processes at once.
//!
//! The child processes are this test binary itself, started with one ignored test and told by the environment what
//! to do; without that environment the test does nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use wakeful::bus::Recorder;
use wakeful::domain::clock::SystemClock;
use wakeful::domain::event::{Chat, ChatStatus, Custom, Event, EventBody, NewEvent};
use wakeful::domain::ids::{Seq, SessionId};
use wakeful::domain::message::Role;
use wakeful::domain::query::EventFilter;
use wakeful::store::{EventLog, Options};

/// Tells the child which file to write to.
const CHILD_FILE: &str = "WAKEFUL_CRASH_FILE";
/// Tells the child how many batches each of its tasks appends.
const CHILD_BATCHES: &str = "WAKEFUL_CRASH_BATCHES";
/// How often a child is killed; 20 where absent.
const ROUNDS: &str = "WAKEFUL_CRASH_ROUNDS";
/// Repeats a run.
const SEED: &str = "WAKEFUL_CRASH_SEED";

const TASKS: usize = 4;
/// No healthy run comes near it.
const LIMIT: Duration = Duration::from_mins(2);

fn open(path: &Path) -> EventLog {
    EventLog::open(path, &Options { follow_poll_ms: 5, ..Options::default() }, Arc::new(SystemClock)).unwrap()
}

fn some_events() -> Vec<NewEvent> {
    let one = |_| {
        let text = "x".repeat(fastrand::usize(..2_000));
        match fastrand::u8(..4) {
            0 => NewEvent::system(EventBody::Custom(Custom { type_name: "load".into(), data: text.into() })),
            number => NewEvent::of(&SessionId::new(format!("s{number}")), Chat::new(Role::User, ChatStatus::Done).with_text(text)),
        }
    };
    (0..fastrand::usize(1..6)).map(one).collect()
}

#[test]
#[ignore = "is started by the other tests as a process to be killed"]
fn child() {
    let Some(path) = std::env::var_os(CHILD_FILE) else { return };
    let batches: usize = std::env::var(CHILD_BATCHES).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let log = open(Path::new(&path));
        let tasks = (0..TASKS).map(|_| {
            let log = log.clone();
            tokio::spawn(async move {
                for _ in 0..batches {
                    let mut lines = String::new();
                    for event in log.record(some_events()).await.unwrap() {
                        writeln!(lines, "ack {} {}", event.seq.unwrap(), event.id).unwrap();
                    }
                    let mut out = std::io::stdout().lock();
                    out.write_all(lines.as_bytes()).unwrap();
                    out.flush().unwrap();
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        log.shutdown().await;
    });
}

/// Ends the process with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

fn start(path: &Path, batches: usize) -> Running {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "store::child", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(CHILD_FILE, path).env(CHILD_BATCHES, batches.to_string());
    Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
}

/// The acknowledged event of a line, if the line is whole.
fn acknowledged(line: &str) -> Option<(u64, String)> {
    let (seq, id) = line.trim_end().strip_prefix("ack ")?.split_once(' ')?;
    (id.len() == 36).then(|| (seq.parse().unwrap(), id.to_owned()))
}

async fn read_all(log: &EventLog) -> Vec<Arc<Event>> {
    let head = log.head().await.unwrap();
    log.follow(EventFilter { upto: Some(head), ..EventFilter::default() }, Seq(0)).collect().await
}

/// Runs one child and kills it at a random moment; gives back what it had acknowledged.
fn run_and_kill(path: &Path) -> BTreeMap<u64, String> {
    let mut running = start(path, usize::MAX >> 1);
    let mut output = BufReader::new(running.0.stdout.take().unwrap());
    let (mut acks, mut line) = (BTreeMap::new(), String::new());
    let acks_wanted = fastrand::usize(1..150);
    while acks.len() < acks_wanted && output.read_line(&mut line).unwrap() > 0 {
        acks.extend(acknowledged(&line));
        line.clear();
    }
    // Somewhere within the next commits, not always right after one.
    let moment = Instant::now() + Duration::from_micros(fastrand::u64(..4_000));
    while Instant::now() < moment {
        std::hint::spin_loop();
    }
    running.0.kill().unwrap();
    while output.read_line(&mut line).unwrap_or(0) > 0 {
        acks.extend(acknowledged(&line));
        line.clear();
    }
    drop(running);
    assert!(acks.len() >= acks_wanted, "the child ended by itself");
    acks
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let from_env = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = from_env(SEED).unwrap_or_else(|| fastrand::u64(..));
    println!("{SEED}={seed}");
    fastrand::seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let mut acks = BTreeMap::new();
    for round in 0..from_env(ROUNDS).unwrap_or(20) {
        acks.extend(run_and_kill(&path));
        let log = open(&path);
        let stored = read_all(&log).await;
        assert!(stored.iter().zip(1..).all(|(event, seq)| event.seq == Some(Seq(seq))), "round {round}: positions have gaps");
        for (seq, id) in &acks {
            let found = stored.get(usize::try_from(seq - 1).unwrap()).map(|event| event.id.as_str());
            assert_eq!(found, Some(id.as_str()), "round {round}: acknowledged event {seq} is not there");
        }
        log.shutdown().await;
    }
    let raw = rusqlite::Connection::open(&path).unwrap();
    let sound: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let torn = "SELECT count(*) FROM (SELECT version, row_number() OVER (PARTITION BY stream ORDER BY seq) AS expected FROM events)
                WHERE version <> expected";
    assert_eq!(raw.query_row(torn, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "versions have gaps");
}

#[tokio::test]
async fn several_processes_share_a_file_and_a_follower_sees_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let log = open(&path);
    let followed = tokio::spawn({
        let stream = log.follow(EventFilter::default(), Seq(0));
        async move {
            let last = |event: &Arc<Event>| event.body.type_name() == "last";
            let mut seen = Vec::new();
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                let over = last(&event);
                seen.push(event);
                if over {
                    break;
                }
            }
            seen
        }
    });
    let children = [start(&path, 15), start(&path, 15)];
    let own = async {
        for _ in 0..30 {
            log.record(some_events()).await.unwrap();
        }
    };
    let others = children.map(|mut running| {
        tokio::task::spawn_blocking(move || {
            let output = BufReader::new(running.0.stdout.take().unwrap());
            let acks: BTreeMap<_, _> = output.lines().filter_map(|line| acknowledged(&line.unwrap())).collect();
            assert!(running.0.wait().unwrap().success());
            acks
        })
    });
    own.await;
    let mut acks = BTreeMap::new();
    for other in others {
        acks.extend(tokio::time::timeout(LIMIT, other).await.unwrap().unwrap());
    }
    assert!(acks.len() >= 2 * TASKS * 15);
    log.record(vec![NewEvent::system(EventBody::Custom(Custom { type_name: "last".into(), data: 0.into() }))]).await.unwrap();
    let seen = tokio::time::timeout(LIMIT, followed).await.unwrap().unwrap();
    assert!(seen.iter().zip(1..).all(|(event, seq)| event.seq == Some(Seq(seq))), "gaps or repeats");
    assert_eq!(seen.len() as u64, log.head().await.unwrap().0);
    for (seq, id) in acks {
        assert_eq!(seen[usize::try_from(seq - 1).unwrap()].id.as_str(), id);
    }
    log.shutdown().await;
}
