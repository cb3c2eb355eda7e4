//! Reports while everything breaks, in an order that a seed decides: the coordinator is killed and hangs, the way to it
//! answers 500, 429 and 401, resets and breaks off in the middle, what stands between is killed, and the reporter is killed
//! with -9. What the coordinator's store has in the end is what happened: all of it, each once, in its order.
//!
//! `WAKEFUL_CHAOS_RECORDS` sets how many records there are, `WAKEFUL_CHAOS_SEED` repeats a run.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;
use wakeful::bus::Recorder;
use wakeful::domain::clock::{Instant as At, ManualClock};
use wakeful::domain::event::{NewEvent, TurnEnd, TurnEvent};
use wakeful::domain::ids::{Seq, SessionId, TurnId};
use wakeful::domain::query::{EventFilter, EventReader};
use wakeful::domain::reports::RecordQuery;
use wakeful::interactions::options::Content;
use wakeful::interactions::record::{Fold, Shape};
use wakeful::interactions::redact::Redactor;
use wakeful::store::records::RecordStore;
use wakeful::store::spool::{Mark, Options as SpoolOptions, Spool};
use wakeful::store::{EventLog, Options};

use crate::chaos_way::{Mode, Speech, Way};
use crate::mcp_support::root;
use crate::peers::python;
use crate::postgres::server::Server as Postgres;
use crate::support::Home;

#[path = "../../src/store/interaction_logs/tests/mariadb.rs"]
mod mariadb;

/// Records where the environment says nothing.
const RECORDS: usize = 1_200;
/// Records of one interaction: its start, two of progress, its end.
const OF_ONE: usize = 4;
/// Interactions that are open at the same time.
const OPEN: usize = 8;
/// How long the records would take without a fault, in seconds: so that faults fall among them.
const SECONDS: usize = 4;
/// Rounds of faults where the environment says nothing: then what is left is sent in peace.
const ROUNDS: usize = 2;
/// No healthy run is without progress for so long.
const LIMIT: Duration = Duration::from_secs(100);

/// Interactions and what is told of each, in its order.
type Told = BTreeMap<String, Vec<String>>;

/// Something that can be killed, stopped and started again where it was.
trait Part {
    fn kill(&mut self);
    fn freeze(&mut self, frozen: bool);
    fn start(&mut self);
}

/// A program of ours or others.
struct Program {
    make: Box<dyn Fn() -> Command>,
    /// What it says when it is ready.
    ready: Option<&'static str>,
    child: Option<Child>,
}

impl Program {
    fn started(ready: Option<&'static str>, make: impl Fn() -> Command + 'static) -> Self {
        let mut program = Self { make: Box::new(make), ready, child: None };
        program.start();
        program
    }
}

impl Part for Program {
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn freeze(&mut self, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        if let Some(child) = &self.child {
            assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        }
    }

    fn start(&mut self) {
        if self.child.is_some() {
            return;
        }
        let since = Instant::now();
        loop {
            let mut child = (self.make)().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
            let (sender, said) = std::sync::mpsc::channel();
            for stream in [Box::new(out) as Box<dyn std::io::Read + Send>, Box::new(err)] {
                let sender = sender.clone();
                std::thread::spawn(move || BufReader::new(stream).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
            }
            drop(sender);
            let lines: Vec<String> = match self.ready {
                None => Vec::new(),
                Some(ready) => {
                    let mut lines = Vec::new();
                    while let Ok(line) = said.recv_timeout(LIMIT) {
                        let is_ready = line.contains(ready);
                        lines.push(line);
                        if is_ready {
                            break;
                        }
                    }
                    lines
                }
            };
            std::thread::spawn(move || said.iter().for_each(drop));
            if self.ready.is_none_or(|ready| lines.last().is_some_and(|line| line.contains(ready))) {
                self.child = Some(child);
                return;
            }
            // Somebody else may have taken its port for a moment.
            assert!(since.elapsed() < LIMIT, "it does not start: {lines:?}");
            let _over = child.kill();
            child.wait().unwrap();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Part for Postgres {
    fn kill(&mut self) {
        Postgres::kill(self);
    }
    fn freeze(&mut self, frozen: bool) {
        Postgres::freeze(self, frozen);
    }
    fn start(&mut self) {
        self.start_again();
    }
}

impl Part for mariadb::Server {
    fn kill(&mut self) {
        mariadb::Server::kill(self);
    }
    fn freeze(&mut self, _: bool) {}
    fn start(&mut self) {
        self.start_again(false);
    }
}

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future)
}

/// Puts `records` records' worth of turns into the home's log, and answers what is to be told of them.
fn happen(home: &Home, records: usize) -> Told {
    std::fs::create_dir_all(home.root().join("data")).unwrap();
    block_on(async {
        let clock = ManualClock::starting_at(At::from_millis(1_700_000_000_000));
        let log = EventLog::open(&home.root().join("data/events.db"), &Options::default(), Arc::new(clock.clone())).unwrap();
        let session = SessionId::generate();
        for group in 0..records / OF_ONE / OPEN {
            for step in 0..OF_ONE {
                // Progress is told every ten seconds at most.
                clock.advance(Duration::from_secs(11));
                let events = (0..OPEN).map(|number| NewEvent::of(&session, turn(group * OPEN + number, step))).collect();
                log.record(events).await.unwrap();
            }
        }
        let shape = Shape { mcp_id: "agent".into(), content: Content::Off, salt: Vec::new(), redactor: Redactor::new(Vec::new()) };
        let (mut fold, mut told, mut after) = (Fold::default(), Vec::new(), Seq(0));
        loop {
            let page = log.events(EventFilter { after: Some(after), limit: Some(1_000), ..EventFilter::default() }).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.seq.unwrap();
            page.iter().for_each(|event| fold.take(event, &shape, &mut told));
        }
        // Reporting was on from the first event.
        let spool = Spool::open(&home.root().join("data/interaction_queue.db"), SpoolOptions::default()).unwrap();
        let mark = Mark { epoch: log.epoch().to_owned(), seq: 0, fold: "{}".to_owned() };
        spool.put(Vec::new(), Some(mark), At::from_millis(0)).await.unwrap();
        log.shutdown().await;
        let mut all = Told::new();
        for record in told {
            all.entry(record.interaction_id.to_string()).or_default().push(record.record_id.to_string());
        }
        all
    })
}

fn turn(number: usize, step: usize) -> TurnEvent {
    let (turn, parent) = (TurnId::new(format!("turn-{number}")), None);
    match step {
        0 => TurnEvent::Started { turn, parent, agent: None, model: "m".to_owned() },
        1 | 2 => TurnEvent::Retrying { turn, parent, reason: "busy".to_owned(), attempt: 2, attempts_max: 5, delay_ms: 1 },
        _ => TurnEvent::Finished {
            turn,
            parent,
            end: TurnEnd::Done,
            steps: 1,
            duration_ms: 33_000,
            usage: wakeful::domain::message::Usage::default(),
            context_tokens: 0,
            message: None,
        },
    }
}

/// Where the coordinator keeps what it has.
enum Stored {
    /// One record a line.
    Lines(PathBuf),
    /// A store of ours.
    Store(RecordStore),
}

impl Stored {
    fn count(&self) -> usize {
        match self {
            Self::Lines(path) => std::fs::read_to_string(path).unwrap_or_default().matches('\n').count(),
            Self::Store(store) => usize::try_from(block_on(store.count()).unwrap()).unwrap(),
        }
    }

    /// In the order in which they came.
    fn all(&self) -> Vec<Value> {
        match self {
            Self::Lines(path) => std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            Self::Store(store) => block_on(async {
                let mut query = RecordQuery { oldest_first: true, limit: 1_000, ..RecordQuery::default() };
                let mut all = Vec::new();
                loop {
                    let page = store.page(query.clone()).await.unwrap();
                    all.extend(page.records.into_iter().map(|stored| stored.record));
                    let Some(next) = page.next else { return all };
                    query.cursor = Some(next);
                }
            }),
        }
    }
}

/// Everything that takes part.
struct Storm {
    home: Home,
    expected: Told,
    rng: Rng,
    ways: Vec<Way>,
    /// The coordinator first.
    parts: Vec<Box<dyn Part>>,
    stored: Stored,
    reporter: Option<Program>,
    seed: u64,
}

impl Storm {
    fn new(name: &str, home: Home, ways: Vec<Way>, parts: Vec<Box<dyn Part>>, stored: Stored) -> Self {
        let records = from_environment("WAKEFUL_CHAOS_RECORDS").map_or(RECORDS, |records| usize::try_from(records).unwrap());
        let seed = from_environment("WAKEFUL_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..));
        let expected = happen(&home, records);
        println!("{name}: {} records, WAKEFUL_CHAOS_SEED={seed}", expected.values().map(Vec::len).sum::<usize>());
        Self { home, expected, rng: Rng::with_seed(seed), ways, parts, stored, reporter: None, seed }
    }

    fn count(&self) -> usize {
        self.expected.values().map(Vec::len).sum()
    }

    fn report(&mut self) {
        if self.reporter.is_none() {
            let (path, root) = (PathBuf::from(env!("CARGO_BIN_EXE_wakeful")), self.home.root().to_owned());
            self.reporter = Some(Program::started(None, move || {
                let mut command = Command::new(&path);
                command.env_clear().env("WAKEFUL_HOME", &root).env("HOME", &root).env("PATH", std::env::var_os("PATH").unwrap_or_default());
                command.current_dir(root.join("work")).args(["serve", "--headless", "--no-listen"]);
                command
            }));
        }
    }

    fn pause(&mut self, ms: std::ops::Range<u64>) {
        std::thread::sleep(Duration::from_millis(self.rng.u64(ms)));
    }

    /// One thing that goes wrong, and right again.
    fn fault(&mut self, kind: usize) {
        let way = if self.ways.is_empty() { None } else { Some(self.rng.usize(..self.ways.len())) };
        let part = self.rng.usize(..self.parts.len());
        let broken = |storm: &mut Self, mode| {
            let Some(way) = way else { return };
            storm.ways[way].set(mode);
            storm.pause(20..200);
            storm.ways[way].set(Mode::Pass);
        };
        match kind {
            0 => {
                self.parts[part].kill();
                self.pause(20..200);
                self.parts[part].start();
            }
            1 => {
                self.parts[part].freeze(true);
                self.pause(20..1_500);
                self.parts[part].freeze(false);
            }
            2 => broken(self, Mode::Refuse(500)),
            3 => broken(self, Mode::Refuse(429)),
            4 => {
                broken(self, Mode::Refuse(401));
                // A refused key rests for minutes, until somebody has mended it and says so, or starts again.
                self.reporter = None;
            }
            5 => broken(self, Mode::Reset),
            6 => broken(self, Mode::Hang),
            7 => {
                let bytes = self.rng.usize(1..40_000);
                broken(self, Mode::Cut(bytes));
            }
            _ => self.reporter = None,
        }
        self.report();
    }

    /// Breaks everything, again and again, then looks at what is there once all is calm.
    fn rage(mut self) {
        self.report();
        let (mut faults, mut since, mut before) = (0, Instant::now(), 0);
        let rounds = if from_environment("WAKEFUL_CHAOS_RECORDS").is_some() { usize::MAX } else { ROUNDS };
        for round in 0.. {
            if self.stored.count() == self.count() || round == rounds {
                break;
            }
            let mut kinds: Vec<usize> = (0..10).collect();
            self.rng.shuffle(&mut kinds);
            for kind in kinds {
                self.fault(kind);
                faults += 1;
                self.pause(20..400);
            }
            let now = self.stored.count();
            if now > before {
                (before, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < LIMIT, "{now} of {} are stored after {faults} faults, seed {}", self.count(), self.seed);
        }
        println!("{faults} faults");
        self.calm();
        self.judge();
    }

    /// The reporter learns that all is stored.
    fn calm(&self) {
        let since = Instant::now();
        loop {
            let ran = self.home.run(&["report", "status", "--json"]);
            let status: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
            assert_eq!(status["dead"], 0, "no outage makes a dead letter: {status}");
            if status["waiting"] == 0 {
                return;
            }
            assert!(since.elapsed() < LIMIT, "not confirmed: {status}, seed {}", self.seed);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn judge(&self) {
        let all = self.stored.all();
        let mut stored = Told::new();
        let mut ids = BTreeSet::new();
        for record in &all {
            let text = |field: &str| record[field].as_str().unwrap().to_owned();
            assert!(ids.insert(text("record_id")), "{} is stored twice, seed {}", text("record_id"), self.seed);
            stored.entry(text("interaction_id")).or_default().push(text("record_id"));
        }
        assert_eq!(stored.len(), self.expected.len(), "seed {}", self.seed);
        for (interaction, told) in &self.expected {
            assert_eq!(stored.get(interaction), Some(told), "{interaction}, seed {}", self.seed);
        }
    }
}

/// The reporter's home, with what its config says beside the usual.
fn reporter(transport: &str, more: &str) -> Home {
    let records = from_environment("WAKEFUL_CHAOS_RECORDS").map_or(RECORDS, |records| usize::try_from(records).unwrap());
    let rate = (records / 100 / SECONDS).max(1);
    Home::with(&format!(
        "[interaction_logging]\nenable_interaction_logging = true\ntransport = \"{transport}\"\nmcp_id = \"agent\"\nretry_delay = 0.01\n\
         timeout_seconds = 1\nrate_limit_per_second = {rate}\n{more}"
    ))
}

/// A coordinator of ours in a home of its own; its ways in come from `config`.
fn own(folder: &Path, http: u16, grpc: Option<u16>, config: &str) -> (Program, Stored) {
    for part in ["config", "work"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    std::fs::write(folder.join("config/config.toml"), config).unwrap();
    let (path, home) = (PathBuf::from(env!("CARGO_BIN_EXE_wakeful")), folder.to_owned());
    let program = Program::started(Some(if grpc.is_some() { "gRPC: " } else { "coordinator: " }), move || {
        let mut command = Command::new(&path);
        command.env_clear().env("WAKEFUL_HOME", &home).env("HOME", &home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(home.join("work")).args(["coordinator", "--listen", &local(http).to_string()]);
        if let Some(grpc) = grpc {
            command.args(["--grpc", &local(grpc).to_string()]);
        }
        command
    });
    let store = RecordStore::open(&folder.join("state/interactions.db")).unwrap();
    (program, Stored::Store(store))
}

fn redis(port: u16) -> Program {
    Program::started(Some("Ready to accept connections"), move || {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", "s3cret"]);
        command
    })
}

#[test]
fn nothing_is_lost_or_doubled_over_http_with_a_coordinator_of_others() {
    let (folder, port) = (tempfile::tempdir().unwrap(), port());
    let stored = folder.path().join("stored.jsonl");
    let file = stored.clone();
    let coordinator = Program::started(Some("port "), move || {
        let mut command = Command::new(python("python"));
        command.arg(root().join("tests/peers/coordinator.py")).arg(&file).arg(port.to_string());
        command
    });
    let way = Way::to(local(port), Speech::Http);
    let url = format!("coordinator_url = \"http://{}\"\ncoordinator_api_key = \"coordinator-key-1234\"\n", way.address);
    let home = reporter("http", &url);
    Storm::new("http, a coordinator of others", home, vec![way], vec![Box::new(coordinator)], Stored::Lines(stored)).rage();
}

#[test]
fn nothing_is_lost_or_doubled_over_http() {
    let (folder, port) = (tempfile::tempdir().unwrap(), port());
    let (coordinator, stored) = own(folder.path(), port, None, "");
    let way = Way::to(local(port), Speech::Http);
    let home = reporter("http", &format!("coordinator_url = \"http://{}\"\n", way.address));
    Storm::new("http", home, vec![way], vec![Box::new(coordinator)], stored).rage();
}

#[test]
fn nothing_is_lost_or_doubled_over_grpc() {
    let (folder, http, grpc) = (tempfile::tempdir().unwrap(), port(), port());
    let (coordinator, stored) = own(folder.path(), http, Some(grpc), "");
    let way = Way::to(local(grpc), Speech::Grpc);
    let home = reporter("grpc", &format!("grpc_url = \"http://{}\"\n", way.address));
    Storm::new("grpc", home, vec![way], vec![Box::new(coordinator)], stored).rage();
}

#[test]
fn nothing_is_lost_or_doubled_over_a_stream() {
    let (folder, http, stream) = (tempfile::tempdir().unwrap(), port(), port());
    let redis = redis(stream);
    let url = |address: SocketAddr| format!("redis_url = \"redis://:s3cret@{address}/0\"\n");
    let (coordinator, stored) = own(folder.path(), http, None, &format!("[coordinator]\n{}", url(local(stream))));
    let way = Way::to(local(stream), Speech::None);
    let home = reporter("redis", &url(way.address));
    Storm::new("redis", home, vec![way], vec![Box::new(coordinator), Box::new(redis)], stored).rage();
}

#[test]
fn nothing_is_lost_or_doubled_over_a_table_in_a_file() {
    let (folder, http) = (tempfile::tempdir().unwrap(), port());
    let table = format!("database_url = \"{}\"\n", folder.path().join("logs.db").display());
    let (coordinator, stored) = own(folder.path(), http, None, &format!("[coordinator]\ndatabase_poll_ms = 50\n{table}"));
    Storm::new("database, SQLite", reporter("database", &table), Vec::new(), vec![Box::new(coordinator)], stored).rage();
}

#[test]
fn nothing_is_lost_or_doubled_over_a_table_in_postgresql() {
    let (folder, http, server) = (tempfile::tempdir().unwrap(), port(), Postgres::start());
    let way = Way::to(local(server.port()), Speech::None);
    let url = server.url("public", "");
    let far = url.replace(&format!("127.0.0.1:{}", server.port()), &way.address.to_string());
    let config = format!("[coordinator]\ndatabase_poll_ms = 50\ndatabase_url = \"{url}\"\n");
    let (coordinator, stored) = own(folder.path(), http, None, &config);
    let home = reporter("database", &format!("database_url = \"{far}\"\n"));
    Storm::new("database, PostgreSQL", home, vec![way], vec![Box::new(coordinator), Box::new(server)], stored).rage();
}

#[test]
fn nothing_is_lost_or_doubled_over_a_table_in_mariadb() {
    let (folder, http, server) = (tempfile::tempdir().unwrap(), port(), mariadb::Server::start());
    let url = server.url("s3cret");
    let config = format!("[coordinator]\ndatabase_poll_ms = 50\ndatabase_url = \"{url}\"\n");
    let (coordinator, stored) = own(folder.path(), http, None, &config);
    let home = reporter("database", &format!("database_url = \"{url}\"\n"));
    Storm::new("database, MariaDB", home, Vec::new(), vec![Box::new(coordinator), Box::new(server)], stored).rage();
}

#[test]
fn nothing_is_lost_or_doubled_while_it_changes_over() {
    let (folder, http, grpc, stream) = (tempfile::tempdir().unwrap(), port(), port(), port());
    let redis = redis(stream);
    let table = format!("database_url = \"{}\"\n", folder.path().join("logs.db").display());
    let config = format!("[coordinator]\ndatabase_poll_ms = 50\nredis_url = \"redis://:s3cret@{}/0\"\n{table}", local(stream));
    let (coordinator, stored) = own(folder.path(), http, Some(grpc), &config);
    let ways = vec![Way::to(local(stream), Speech::None), Way::to(local(http), Speech::Http), Way::to(local(grpc), Speech::Grpc)];
    let home = reporter(
        "auto",
        &format!(
            "redis_url = \"redis://:s3cret@{}/0\"\ncoordinator_url = \"http://{}\"\ngrpc_url = \"http://{}\"\n{table}",
            ways[0].address, ways[1].address, ways[2].address
        ),
    );
    Storm::new("auto", home, ways, vec![Box::new(coordinator), Box::new(redis)], stored).rage();
}
