//! Text from strangers while a person types: from the model, from a tool, on a server's standard error.

use std::fmt::Write;
use std::time::Duration;

use rexpect::process::Signal;
use serde_json::json;

use crate::keys::{latencies, p};
use crate::model::{self, ModelServer, Say};
use crate::pty::Pty;
use crate::{COLS, LIMIT, ROWS, home, row, wakeful};

/// Results that the tool gives; the model then says each of these texts once.
const RESULTS: usize = 60;

/// Sequences that take a terminal over, where they get through.
const ATTACKS: &str =
    "\u{1b}]52;c;aGFja2Vk\u{7}\u{1b}[2J\u{1b}[31m\u{1b}]8;;https://evil.example\u{1b}\\x\u{9b}5m\u{202e}txt.exe\0\r\u{8}\n";

/// How many kinds of hostile text there are.
const KINDS: usize = 6;

/// The `n`th hostile text.
pub fn text(n: usize) -> String {
    match n % KINDS {
        0 => format!("{{\"data\": \"{}\"}}", "x".repeat(10 << 20)),
        1 => format!("{}\n", "QUJD".repeat(1_280)).repeat(200),
        2 => format!("a{} b", "\u{301}".repeat(5_000)).repeat(20),
        3 => ATTACKS.repeat(2_000),
        4 => "a line of some words\n".repeat(100_000),
        _ => (0..5_000).fold(String::new(), |mut text, n| {
            let _ = writeln!(text, "{}**[x](https://e.example/{n})** | a | `b` |", "> ".repeat(n % 40));
            text
        }),
    }
}

/// Between two keys of somebody who looks around.
const GLANCE: Duration = Duration::from_millis(60);

/// Opens results as they come, then events, and leafs through both.
fn look_at_all(pty: &mut Pty) {
    let (open_latest, up, page_up, page_down, other_pane) = ("\x0f", "\x1b[A", "\x1b[5~", "\x1b[6~", "\x1b[17~");
    let result = [open_latest, page_up, page_up, page_down, page_down];
    let event = [up, "\r", page_down, page_down, "\x1b"];
    let keys = ["\x15"].into_iter().chain(result.repeat(KINDS)).chain([other_pane]).chain(event.repeat(2 * KINDS));
    for key in keys {
        pty.send(key);
        std::thread::sleep(GLANCE);
    }
}

pub fn hostile() {
    let server = ModelServer::start(|request| match model::results(request) {
        done @ 0..RESULTS => Say::call("hostile__echo", json!({"n": done})),
        done => Say::Text(text(done)),
    });
    let exe = std::env::current_exe().unwrap().display().to_string();
    let home = home(&format!(
        "model = \"bench/model\"\n[agent]\nmode = \"auto\"\nsteps_max = 1000\n[mcp]\nconfirm_commands = false\n[[mcp_servers]]\nname = \"hostile\"\ncommand = {exe:?}\nenv = {{ WAKEFUL_BENCH_ROLE = \"hostile\" }}\n{}",
        server.provider(),
    ));
    let mut command = wakeful(home.path());
    command.env("RUST_LOG", "wakeful::tui=debug");
    let mut pty = Pty::spawn(command, COLS, ROWS);
    pty.wait_text(LIMIT, "bench/model");
    pty.wait_text(LIMIT, "hostile");
    pty.send("go\r");
    pty.wait_text(LIMIT, "echo");
    let times = latencies(&mut pty, "x\x15");
    let results = server.requests().len();
    let figure = format!("{:.2?} / {:.2?} / {:.2?}", p(&times, 50), p(&times, 95), p(&times, 100));
    row(&format!("key to screen while {results} hostile texts come, p50 / p95 / longest"), &figure, "- / 16 ms / -");
    look_at_all(&mut pty);
    // The program ends as it does for a person, and tells how it was.
    pty.signal(Signal::SIGTERM);
    pty.wait_exit(LIMIT).expect("it ends");
    let logs = std::fs::read_dir(home.path().join("state/logs")).unwrap();
    let told: String = logs.flatten().map(|file| std::fs::read_to_string(file.path()).unwrap()).collect();
    let last = told.lines().find(|line| line.contains("the screen ends")).expect("what the program tells of its frames");
    let of = |field: &str| last.split_whitespace().find_map(|part| part.strip_prefix(field)).unwrap_or_default().to_owned();
    let figure = format!("{} / {}", of("longest_frame="), of("longest_change="));
    row(&format!("the same, and all opened: longest of {} frames / in between", of("frames=")), &figure, "16 ms / 16 ms");
}
