//! All bad servers at once, over standard input and output and over HTTP, beside two good ones.
//!
//! The good ones are of use at once, each bad one comes to its expected end with a reason that tells, nothing hangs or
//! panics, memory is bounded, and no process is left behind. All of it happens in a process of its own, so that its memory
//! can be measured, and so that what it leaves behind can be seen from outside.

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use serde_json::{Map, json};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use wakeful::domain::event::McpEventType;
use wakeful::domain::query::{ServerState, ServerStatus};
use wakeful::mcp::{Http, PoolOptions, ServerOptions, TransportKind};
use wakeful::net;

use self::cases::{Act, Case, End, STDIO, WEB, Works};
use crate::mcp_support::{Pool, address, context, kill_9, program, root};

/// In the environment of all that is started here.
const MARK: &str = "WAKEFUL_TEST_MARK";

/// How soon the good servers are of use.
const USABLE: Duration = Duration::from_secs(5);

/// How long the whole of it may take, on a machine under load.
const WHOLE: Duration = Duration::from_mins(5);

/// How long all bad servers may take to come to their end.
const SETTLED: Duration = Duration::from_mins(2);

/// How long a call may take, all its progress included.
const CALLED: Duration = Duration::from_secs(90);

/// How long the two good servers alone take on a machine that has nothing else to do.
const ALONE: Duration = Duration::from_millis(300);

/// The most memory of the process, in bytes; a result of 10 MB is there several times while it is read.
const MEMORY_MAX: u64 = 400 * 1_024 * 1_024;

fn server() -> String {
    root().join("tests/peers/misbehaving").to_str().unwrap().to_owned()
}

/// The interpreter itself: what stands before it in the path may be a script that takes longer than all the rest.
fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}

/// The bad servers behind HTTP, all in one process; it ends with its input.
struct Web {
    child: Child,
    port: u16,
}

impl Web {
    fn start() -> Self {
        let mut child = Command::new(python())
            .args(["-u", &server(), "web"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }

    fn options(&self, case: &Case) -> ServerOptions {
        let transport = if case.mode.starts_with("sse-") { TransportKind::Sse } else { TransportKind::StreamableHttp };
        let url = format!("http://127.0.0.1:{}/{}", self.port, case.mode);
        limited(case, ServerOptions { transport, ..address(&format!("web-{}", case.mode), &url) })
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn stdio(case: &Case) -> ServerOptions {
    let mode = case.mode;
    // Without site packages it starts in a tenth of the time.
    let mut options = program(&format!("stdio-{mode}"), python(), &["-I", "-S", "-u", &server(), "stdio", mode]);
    options.pass_env.push(MARK.to_owned());
    limited(case, options)
}

/// Short limits where they are what is tested, long ones elsewhere: the machine may be busy.
fn limited(case: &Case, options: ServerOptions) -> ServerOptions {
    let is_late = |words: &str| words.starts_with("no answer");
    let never_starts = matches!(&case.end, End::Failed(words) if words.iter().any(|words| is_late(words)));
    let never_answers = matches!(&case.end, End::Works(Works { act: Act::Fails(words), .. }) if is_late(words));
    let seconds = |is_short, short| if is_short { short } else { 60 };
    ServerOptions { startup_timeout_seconds: seconds(never_starts, 6), tool_timeout_seconds: seconds(never_answers, 3), ..options }
}

/// The HTTP client as the program has it.
fn client() -> Http {
    net::install_crypto();
    let client = net::Client::new(net::Options::default());
    Http::new(move |url: &str| {
        let (client, url) = (client.clone(), url.to_owned());
        async move { client.inner(&url).await.map_err(|error| error.to_string()) }.boxed()
    })
}

fn good(web: &Web) -> Vec<ServerOptions> {
    let case = Case { mode: "good", end: End::Failed(&[]) };
    vec![stdio(&case), web.options(&case)]
}

/// How soon the good servers must be of use beside all the bad ones: later where the machine is busy with other things, by
/// as much as the two alone take longer, or as more processes want to run than there are cores.
async fn usable(web: &Web) -> Duration {
    let started = Instant::now();
    let pool = Pool::start(good(web));
    good_ones_are_of_use(&pool, USABLE).await.unwrap();
    let slowness = started.elapsed().as_secs_f64() / ALONE.as_secs_f64();
    pool.pool.shutdown().await;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    let load: f64 = load.split(' ').next().unwrap().parse().unwrap();
    let cores = std::thread::available_parallelism().unwrap().get();
    USABLE.mul_f64(slowness.max(load / f64::from(u32::try_from(cores).unwrap_or(u32::MAX))).max(1.0))
}

fn pool(web: &Web) -> Pool {
    let mut servers = good(web);
    servers.extend(wanted(STDIO).map(stdio));
    servers.extend(wanted(WEB).map(|case| web.options(case)));
    let options = PoolOptions { retry_first_ms: 20, retry_max_seconds: 1, retry_attempts_max: 2, ..PoolOptions::default() };
    Pool::over(client(), servers, Vec::new(), options)
}

/// Waits until both good servers echo; says what is wrong where that takes longer than `limit`.
async fn good_ones_are_of_use(pool: &Pool, limit: Duration) -> Result<(), String> {
    let started = Instant::now();
    for name in ["stdio-good", "web-good"] {
        pool.kept.until_kind(name, McpEventType::ServiceConnected, 1).await;
        println!("{name} is connected after {:?}", started.elapsed());
        assert_eq!(pool.text(&format!("{name}__echo"), json!({"text": "useful"})).await, "useful");
    }
    println!("both good servers are of use after {:?}", started.elapsed());
    if started.elapsed() < limit {
        return Ok(());
    }
    Err(format!("the good servers are of use after {:?} instead of {limit:?}", started.elapsed()))
}

/// Whether nothing more will happen to a server by itself.
fn is_settled(case: &Case, status: &ServerStatus) -> bool {
    matches!((&case.end, &status.status), (_, ServerState::Failed { .. }) | (End::Works(_), ServerState::Ready))
}

/// All cases, or those that a developer names in `WAKEFUL_TEST_MODES`.
fn wanted(cases: &'static [Case]) -> impl Iterator<Item = &'static Case> {
    let only = std::env::var("WAKEFUL_TEST_MODES").ok();
    cases.iter().filter(move |case| only.as_ref().is_none_or(|only| only.split(',').any(|mode| mode == case.mode)))
}

/// The cases with the names of their servers.
fn all() -> impl Iterator<Item = (String, &'static Case)> {
    let stdio = wanted(STDIO).map(|case| (format!("stdio-{}", case.mode), case));
    stdio.chain(wanted(WEB).map(|case| (format!("web-{}", case.mode), case)))
}

fn by_name(pool: &Pool) -> BTreeMap<String, ServerStatus> {
    pool.pool.servers().into_iter().map(|status| (status.name.to_string(), status)).collect()
}

async fn settle(pool: &Pool) {
    let started = Instant::now();
    loop {
        let statuses = by_name(pool);
        let open: Vec<String> = all().filter(|(name, case)| !is_settled(case, &statuses[name])).map(|(name, _)| name).collect();
        if open.is_empty() {
            return;
        }
        if started.elapsed() > SETTLED {
            println!("not settled: {open:?}");
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// What is wrong with how a server stands.
fn standing(pool: &Pool, name: &str, case: &Case, status: &ServerStatus) -> Result<(), String> {
    match (&case.end, &status.status) {
        (End::Failed(words), ServerState::Failed { reason }) => {
            match words.iter().find(|word| !word.split('|').any(|word| reason.contains(word))) {
                Some(word) => Err(format!("{name}: `{word}` is not in its reason: {reason}")),
                None if reason.chars().any(char::is_control) => Err(format!("{name}: its reason is not clean: {reason:?}")),
                None => Ok(()),
            }
        }
        (End::Works(works), ServerState::Ready) => {
            let log = pool.pool.server_log(&name.into(), 500).join("\n");
            let protocol = status.protocol.as_deref().unwrap_or_default();
            if (status.tools, protocol) != (works.tools, works.protocol) {
                return Err(format!("{name}: {} tools of {protocol} instead of {works:?}; its log: {log:.2000}", status.tools));
            }
            if !log.contains(works.noted) {
                return Err(format!("{name}: `{}` is not in its log: {log:.2000}", works.noted));
            }
            Ok(())
        }
        (_, other) => Err(format!("{name}: it is {other:?} instead of {:?}", case.end)),
    }
}

/// What is wrong with what comes of `act`, and whether the server is of use after it.
async fn acting(pool: &Pool, name: &str, works: &Works) -> Result<(), String> {
    let call = pool.tool(&format!("{name}__act")).call(Map::new(), context(CancellationToken::new()));
    let Ok(acted) = timeout(CALLED, call).await else { return Err(format!("{name}: act hangs")) };
    let problem = match (&works.act, &acted) {
        (Act::Says(words), Ok(outcome)) if outcome.text.starts_with(words) => None,
        (Act::Either(words, _), Ok(outcome)) if outcome.text.starts_with(words) => None,
        (Act::Either(_, words), Err(error)) if error.message.contains(words) => None,
        (Act::Fails(words), Err(error)) if words.split('|').any(|words| error.message.contains(words)) => None,
        (Act::Fails(words), Ok(outcome)) if outcome.is_error && outcome.text.contains(words) => None,
        (wanted, Ok(outcome)) => Some(format!("{name}: act said {:.300} instead of {wanted:?}", outcome.text)),
        (wanted, Err(error)) => Some(format!("{name}: act failed with {error:?} instead of {wanted:?}")),
    };
    let said = match &acted {
        Ok(outcome) => &outcome.text,
        Err(error) => &error.message,
    };
    if said.chars().any(|ch| ch.is_control() && !matches!(ch, '\n' | '\t')) {
        return Err(format!("{name}: what it said is not clean: {said:.300?}"));
    }
    problem.map_or(Ok(()), Err)
}

/// Whether names and words of all tools are clean, whatever the servers say.
fn lent(pool: &Pool) -> Result<(), String> {
    use wakeful::tools::ToolSource;
    for tool in pool.pool.tools() {
        let info = tool.info();
        let name = info.name.as_str();
        let is_plain = name.len() <= 64 && name.chars().all(|ch| ch.is_ascii_alphanumeric() || matches!(ch, '_' | '-'));
        let shown = format!("{}{}", info.description, info.title.as_deref().unwrap_or_default());
        let is_hostile = |ch: char| (ch.is_control() && ch != '\n') || matches!(ch, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if !is_plain || shown.chars().any(is_hostile) {
            return Err(format!("a tool is not clean: {info:?}"));
        }
    }
    Ok(())
}

fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

/// The CPU time of this process so far, in ticks of 10 ms.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// Runs in a process of its own, started by the test below.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by `bad_servers_disturb_nobody` in a process of its own"]
async fn inside() {
    let web = Web::start();
    let usable = usable(&web).await;
    let started = Instant::now();
    let pool = pool(&web);
    println!("all are being started after {:?}", started.elapsed());
    let mut problems = Vec::from_iter(good_ones_are_of_use(&pool, usable).await.err());
    settle(&pool).await;
    println!("settled after {:?}, CPU {} ticks", started.elapsed(), cpu());
    let statuses = by_name(&pool);
    problems.extend(all().filter_map(|(name, case)| standing(&pool, &name, case, &statuses[&name]).err()));
    problems.extend(lent(&pool).err());
    println!("{} servers stand as they should not", problems.len());
    let calls = all().filter_map(|(name, case)| match &case.end {
        End::Works(works) if works.tools > 0 && statuses[&name].status == ServerState::Ready => Some((name, works)),
        _ => None,
    });
    let calls = calls.map(|(name, works)| {
        let pool = &pool;
        async move { acting(pool, &name, works).await }
    });
    problems.extend(join_all(calls).await.into_iter().filter_map(Result::err));
    println!("called after {:?}, CPU {} ticks", started.elapsed(), cpu());
    problems.extend(good_ones_are_of_use(&pool, usable).await.err());

    let closing = Instant::now();
    pool.pool.shutdown().await;
    println!("closed in {:?}", closing.elapsed());
    let limit = Duration::from_millis(PoolOptions::default().shutdown_ms) + Duration::from_secs(4);
    if closing.elapsed() > limit {
        problems.push(format!("the shutdown took {:?}", closing.elapsed()));
    }
    let memory = peak_memory();
    println!("peak memory {} MB, CPU {} ticks", memory / 1_000_000, cpu());
    if memory > MEMORY_MAX {
        problems.push(format!("{} MB of memory", memory / 1_000_000));
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// The processes with our mark in their environment.
fn marked(mark: &str) -> Vec<(String, String)> {
    let wanted = format!("{MARK}={mark}");
    let is_marked = |pid: &String| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let pids = pids.filter(|name| name.chars().all(|ch| ch.is_ascii_digit())).filter(is_marked);
    pids.map(|pid| (pid.clone(), std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " "))).collect()
}

#[test]
fn bad_servers_disturb_nobody() {
    let mark = format!("{}-{}", std::process::id(), fastrand::u64(..));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "misbehaving::inside", "--ignored", "--nocapture", "--test-threads=1"]).env(MARK, &mark);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (reader(child.stdout.take().unwrap()), reader(child.stderr.take().unwrap()));
    let started = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if started.elapsed() > WHOLE => break None,
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    let left = marked(&mark);
    for (pid, _) in &left {
        kill_9(pid);
    }
    let (out, err) = (out.join().unwrap(), err.join().unwrap());
    println!("{out}");
    assert!(status.is_some_and(|status| status.success()), "{out}\n{err}");
    assert!(out.contains("1 passed"), "nothing was tested: {out}");
    assert!(!err.contains("panicked at"), "{err}");
    assert!(left.is_empty(), "processes are left behind: {left:#?}");
}

/// Reads a pipe to its end on a thread of its own.
fn reader(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[test]
fn every_mode_has_a_row() {
    let output = Command::new("python3").args([server().as_str(), "modes"]).output().unwrap();
    let modes: BTreeMap<String, BTreeSet<String>> = serde_json::from_slice(&output.stdout).unwrap();
    let rows = |cases: &[Case]| cases.iter().map(|case| case.mode.to_owned()).chain(["good".to_owned()]).collect::<BTreeSet<_>>();
    assert_eq!(rows(STDIO), modes["stdio"]);
    let unknown: Vec<_> = rows(WEB).difference(&modes["web"]).cloned().collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    // What only HTTP can do wrong has a row; what is said wrongly is tested over pipes, and a part of it here too.
    let missing: Vec<_> = modes["web"].difference(&modes["stdio"]).filter(|mode| !rows(WEB).contains(*mode)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
