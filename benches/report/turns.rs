//! What a turn costs while reports are on and the coordinator hangs, beside the same turn without reports.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::model::{self, ModelServer, Say};
use super::pty::Pty;

/// The longest that anything may take.
const LIMIT: Duration = Duration::from_mins(1);

/// Turns of each kind; they take turns themselves, so that both have the same weather.
const ROUNDS: usize = 100;

/// Tool calls of a turn.
const CALLS: usize = 5;

/// What the model takes before it answers, at least: a fast one of the real ones.
const THINKING: Duration = Duration::from_millis(50);

struct Agent {
    pty: Pty,
    _home: tempfile::TempDir,
}

impl Agent {
    fn start(server: &ModelServer, reports: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("config")).unwrap();
        let config = format!("model = \"bench/model\"\n[agent]\nmode = \"auto\"\nsteps_max = 1000\n{}\n{reports}", server.provider());
        std::fs::write(home.path().join("config/config.toml"), config).unwrap();
        let pty = Pty::spawn(wakeful(home.path()), 120, 40);
        pty.wait_text(LIMIT, "bench/model");
        Self { pty, _home: home }
    }

    /// One turn: from the key to the last word on the screen.
    fn turn(&mut self, number: usize) -> Duration {
        let since = Instant::now();
        self.pty.send(format!("go-{number}!\r"));
        self.pty.wait_text(LIMIT, &format!("done-{number}!"));
        since.elapsed()
    }
}

fn wakeful(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wakeful"));
    command.env_clear().env("WAKEFUL_HOME", home).env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir(home);
    command
}

pub fn latency() {
    let server = ModelServer::start(|request| {
        std::thread::sleep(THINKING);
        let last = model::last_user(request);
        let number = last.split("go-").nth(1).and_then(|rest| rest.split('!').next()).unwrap_or("0").to_owned();
        let done: usize = model::results(request) - number.parse::<usize>().unwrap_or(0) * CALLS;
        if done < CALLS { Say::call("files__list_files", serde_json::json!({})) } else { Say::Text(format!("done-{number}!")) }
    });
    // It takes connections and never answers.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = hanging.local_addr().unwrap().port();
    let reports = format!(
        "[interaction_logging]\nenable_interaction_logging = true\nrate_limit_per_second = 0\nretry_delay = 0.01\ncoordinator_url = \"http://127.0.0.1:{port}\"\n"
    );
    let mut off = Agent::start(&server, "");
    let mut on = Agent::start(&server, &reports);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        // Whoever is first changes, so that neither has the warmer caches.
        if number % 2 == 0 {
            without.push(off.turn(number));
            with.push(on.turn(number));
        } else {
            with.push(on.turn(number));
            without.push(off.turn(number));
        }
    }
    // Each turn is held against its neighbour: what the machine does otherwise in that second is in both.
    let mut more: Vec<f64> =
        with.iter().zip(&without).map(|(with, without)| (with.as_secs_f64() / without.as_secs_f64() - 1.0) * 100.0).collect();
    more.sort_by(f64::total_cmp);
    without.sort();
    with.sort();
    let (without, with, more) = (without[ROUNDS / 2], with[ROUNDS / 2], more[ROUNDS / 2]);
    println!(
        "a turn of {CALLS} tool calls, p50 of {ROUNDS}: {without:.2?} without reports, {with:.2?} while the coordinator hangs: {more:+.2} % (budget 1 %)"
    );
}
