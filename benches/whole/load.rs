//! What work costs: CPU, bytes to the terminal, memory.

use std::time::{Duration, Instant};

use crate::model::{ModelServer, Say};
use crate::pty::Pty;
use crate::{COLS, LIMIT, ROWS, home, row, settle, wakeful};

/// An answer at the pace of a good model.
pub fn paced() {
    let server = ModelServer::start(|_| Say::Paced(2_000, 200));
    let home = home(&format!("model = \"bench/model\"\n{}", server.provider()));
    let mut pty = Pty::spawn(wakeful(home.path()), COLS, ROWS);
    pty.wait_text(LIMIT, "bench/model");
    settle(&pty);
    let (cpu, bytes) = (pty.cpu(), pty.written());
    pty.send("go\r");
    pty.wait_text(LIMIT, "Worked for");
    row("2,000 tokens at 200 a second: CPU", &format!("{:.2?}", pty.cpu().saturating_sub(cpu)), "0.5 s");
    row("2,000 tokens at 200 a second: bytes to the terminal", &format!("{} kB", (pty.written() - bytes) / 1_000), "200 kB");
}

/// How long waiting is watched.
const WAIT: Duration = Duration::from_secs(10);

pub fn waiting() {
    let server = ModelServer::start(|_| Say::Hang("thinking".to_owned()));
    let home = home(&format!("model = \"bench/model\"\n{}", server.provider()));
    let mut pty = Pty::spawn(wakeful(home.path()), COLS, ROWS);
    pty.wait_text(LIMIT, "bench/model");
    pty.send("go\r");
    pty.wait_text(LIMIT, "thinking");
    let (cpu, bytes, began) = (pty.cpu(), pty.written(), Instant::now());
    std::thread::sleep(WAIT);
    let seconds = began.elapsed().as_secs_f64();
    let bytes = f64::from(u32::try_from(pty.written() - bytes).unwrap());
    row("waiting for a model: bytes to the terminal", &format!("{:.2} kB/s", bytes / seconds / 1_000.0), "2 kB/s");
    row("waiting for a model: CPU", &format!("{:.2} %", 100.0 * pty.cpu().saturating_sub(cpu).as_secs_f64() / seconds), "1 %");
}

fn with_server(role: &str, more: &str) -> tempfile::TempDir {
    let exe = std::env::current_exe().unwrap().display().to_string();
    home(&format!(
        "[[mcp_servers]]\nname = \"{role}\"\ncommand = {exe:?}\nenv = {{ WAKEFUL_BENCH_ROLE = \"{role}\"{more} }}\n[mcp]\nconfirm_commands = false\n"
    ))
}

fn megabytes(pty: &Pty) -> f64 {
    pty.pss_kb() as f64 / 1_000.0
}

pub fn many_events() {
    let home = with_server("chatty", ", WAKEFUL_BENCH_EVENTS = \"10000\"");
    let pty = Pty::spawn(wakeful(home.path()), COLS, ROWS);
    pty.wait_text(LIMIT, "event-9999");
    settle(&pty);
    row("memory after 10,000 events (PSS)", &format!("{:.1} MB", megabytes(&pty)), "60 MB");
}

pub fn flooded() {
    let home = with_server("flood", "");
    let pty = Pty::spawn(wakeful(home.path()), COLS, ROWS);
    pty.wait_text(LIMIT, "flood");
    std::thread::sleep(Duration::from_secs(5));
    let early = megabytes(&pty);
    std::thread::sleep(Duration::from_secs(15));
    row("memory 5 s / 20 s into a flood on stdout and stderr (PSS)", &format!("{early:.1} MB / {:.1} MB", megabytes(&pty)), "flat");
}
