//! Figures of the whole program in a real pseudo terminal, each beside a bare ratatui program where that says something.
//!
//! `cargo bench --bench whole [-- NAME…]` prints one line a figure: what, how much, the budget. It never fails on time:
//! machines differ; the ratios to the floor are what to watch. `WAKEFUL_BENCH_PROGRAM` names another build to measure. Figures are described in `docs/PERFORMANCE.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    unreachable_pub,
    reason = "a harness for people"
)]

#[path = "whole/fakes.rs"]
mod fakes;
#[path = "whole/hostile.rs"]
mod hostile;
#[path = "whole/keys.rs"]
mod keys;
#[path = "whole/load.rs"]
mod load;
#[path = "../tests/support/model.rs"]
#[allow(dead_code, reason = "shared with the tests, which use other parts")]
mod model;
#[path = "../tests/support/pty.rs"]
#[allow(dead_code, reason = "shared with the tests, which use other parts")]
mod pty;
#[path = "whole/resume.rs"]
mod resume;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use model::{ModelServer, Say};
use pty::Pty;

const COLS: u16 = 120;
const ROWS: u16 = 40;
const LIMIT: Duration = Duration::from_mins(1);
/// Runs of each start-up figure; the median is printed.
const STARTS: usize = 15;

fn main() {
    match std::env::var("WAKEFUL_BENCH_ROLE").as_deref() {
        Ok("floor") => return fakes::bare_program(),
        Ok("echo") => return fakes::echo_server(),
        Ok("hostile") => return fakes::hostile_server(),
        Ok("flood") => return fakes::flooding_server(),
        _ => {}
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let all: &[(&str, fn())] = &[
        ("start", start),
        ("dead", dead),
        ("keys", keys::idle),
        ("typing", keys::while_streaming),
        ("events", keys::while_events_come),
        ("hostile", hostile::hostile),
        ("stream", stream),
        ("paced", load::paced),
        ("waiting", load::waiting),
        ("idle", idle),
        ("memory", load::many_events),
        ("flood", load::flooded),
        ("steps", steps),
        ("resume", resume::resume),
    ];
    println!("whole-process figures on {} cores, {COLS}x{ROWS}", std::thread::available_parallelism().map_or(1, usize::from));
    for (name, run) in all {
        if wanted.is_empty() || wanted.iter().any(|want| want == name) {
            run();
        }
    }
}

fn row(what: &str, figure: &str, budget: &str) {
    println!("{what:<58} {figure:>22}   budget {budget}");
}

/// wakeful with a home of its own.
fn wakeful(home: &Path) -> Command {
    let program = std::env::var_os("WAKEFUL_BENCH_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_wakeful").into());
    let mut command = Command::new(program);
    command.env_clear().env("WAKEFUL_HOME", home).env("TERM", "xterm-256color").env("COLORTERM", "truecolor").env("LANG", "C.UTF-8");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir(home);
    command
}

fn role(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("WAKEFUL_BENCH_ROLE", role).env("TERM", "xterm-256color");
    command
}

fn home(config: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("config")).unwrap();
    std::fs::write(home.path().join("config/config.toml"), config).unwrap();
    home
}

/// Time from the start of the process until a key typed at once stands on the screen.
fn ready(command: impl Fn() -> Command) -> Duration {
    let mut times: Vec<Duration> = (0..STARTS)
        .map(|_| {
            let mut pty = Pty::spawn(command(), COLS, ROWS);
            pty.wait_silent();
            pty.send("§");
            let at = pty.wait(LIMIT, |screen| screen.contents().contains('§')).expect("the key on the screen");
            at - pty.started
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn start() {
    let floor = ready(|| role("floor"));
    row("ready for keys: bare ratatui program (floor)", &format!("{floor:.1?}"), "-");
    let home = home("");
    let first = ready(|| wakeful(home.path()));
    row("ready for keys: wakeful", &format!("{first:.1?} ({:.1} x)", ratio(first, floor)), "20 ms");
}

fn dead() {
    let floor = ready(|| role("floor"));
    let servers: String = (0..6)
        .map(|n| match n % 3 {
            0 => format!("[[mcp_servers]]\nname = \"dead{n}\"\ncommand = \"/nonexistent/server\"\n"),
            1 => format!("[[mcp_servers]]\nname = \"dead{n}\"\nurl = \"http://127.0.0.1:9/mcp\"\n"),
            _ => format!("[[mcp_servers]]\nname = \"dead{n}\"\ncommand = \"sleep\"\nargs = [\"600\"]\n"),
        })
        .collect();
    let home = home(&servers);
    let time = ready(|| wakeful(home.path()));
    row("ready for keys: wakeful with six dead servers", &format!("{time:.1?} ({:.1} x)", ratio(time, floor)), "20 ms");
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

/// Tokens of the long answer.
const TOKENS: usize = 20_000;

fn stream() {
    let server = ModelServer::start(|_| Say::Tokens(TOKENS));
    let home = home(&format!("model = \"bench/model\"\n{}", server.provider()));
    let mut pty = Pty::spawn(wakeful(home.path()), COLS, ROWS);
    pty.wait_text(LIMIT, "bench/model");
    let (cpu, bytes) = (pty.cpu(), pty.written());
    pty.send("go\r");
    pty.wait_text(LIMIT, "Worked for");
    let written = |text: &str| pty.when_written(text, bytes).expect("it was on the screen");
    // The first frame may already stand further on than the first token.
    let (first, last) = (written("word"), written("last-token"));
    row("20,000 tokens: first to last on screen", &format!("{:.2?}", last - first), "0.5 s");
    row("20,000 tokens: CPU", &format!("{:.2?}", pty.cpu().saturating_sub(cpu)), "0.4 s");
    row("20,000 tokens: bytes to the terminal", &format!("{} kB", (pty.written() - bytes) / 1_000), "150 kB");
}

/// Everything that start-up does behind the first frame is over when nothing was written for a second.
fn settle(pty: &Pty) {
    while pty.last_write().elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How long idleness is watched.
const IDLE: Duration = Duration::from_secs(15);

fn idle() {
    let home = home("");
    let pty = Pty::spawn(wakeful(home.path()), COLS, ROWS);
    pty.wait_text(LIMIT, "offline");
    settle(&pty);
    let (cpu, bytes, wakeups, began) = (pty.cpu(), pty.written(), pty.wakeups(), Instant::now());
    std::thread::sleep(IDLE);
    let used = pty.cpu().saturating_sub(cpu);
    row("idle for 15 s: bytes to the terminal", &format!("{}", pty.written() - bytes), "0");
    row("idle for 15 s: wake-ups of all threads", &format!("{}", pty.wakeups_since(&wakeups)), "15 (the clock)");
    row("idle for 15 s: CPU", &format!("{:.2} %", 100.0 * used.as_secs_f64() / began.elapsed().as_secs_f64()), "0.1 %");
    row("idle: memory (PSS)", &format!("{:.1} MB", pty.pss_kb() as f64 / 1_000.0), "25 MB");
}

/// Tool calls of the long loop.
const STEPS: usize = 200;

fn steps() {
    let echo = || Say::call("echo__echo", serde_json::json!({"text": "hi"}));
    let server = ModelServer::start(move |request| if model::results(request) < STEPS { echo() } else { Say::Tokens(1) });
    let exe = std::env::current_exe().unwrap();
    let config = format!(
        "model = \"bench/model\"\n[agent]\nmode = \"auto\"\nsteps_max = 1000\n[mcp]\nconfirm_commands = false\n[[mcp_servers]]\nname = \"echo\"\ncommand = {:?}\nenv = {{ WAKEFUL_BENCH_ROLE = \"echo\" }}\n{}",
        exe.display().to_string(),
        server.provider(),
    );
    let home = home(&config);
    let mut pty = Pty::spawn(wakeful(home.path()), COLS, ROWS);
    pty.wait_text(LIMIT, "bench/model");
    pty.wait_text(LIMIT, "echo");
    pty.send("go\r");
    pty.wait_text(LIMIT, "last-token");
    let mut gaps = server.gaps();
    gaps.sort();
    let floor = fakes::floor_gap();
    let p = |percent: usize| gaps[(gaps.len() - 1) * percent / 100];
    let over = p(50).saturating_sub(floor);
    row("200 tool calls: overhead a step, p50", &format!("{over:.2?}"), "5 ms");
    row("200 tool calls: whole step, p50 / p99", &format!("{:.2?} / {:.2?}", p(50), p(99)), "-");
}
