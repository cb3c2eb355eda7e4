//! From a key to the screen: while nothing happens, while an answer streams, while events come.

use std::time::{Duration, Instant};

use crate::model::{ModelServer, Say};
use crate::pty::Pty;
use crate::{COLS, LIMIT, ROWS, home, load, role, row, settle, wakeful};

/// Keys of each figure.
const KEYS: usize = 200;

/// Between two keys: nobody types faster.
const PAUSE: Duration = Duration::from_millis(20);

/// Types and waits for each key to stand on the screen; all times, sorted. Every 60 keys the line is emptied.
pub fn latencies(pty: &mut Pty, clear: &str) -> Vec<Duration> {
    let mut times = Vec::with_capacity(KEYS);
    let mut typed = String::new();
    for n in 0..KEYS {
        if n % 60 == 0 {
            pty.send(clear);
            typed.clear();
            std::thread::sleep(PAUSE * 5);
        }
        // No letter of words that may come by themselves.
        typed.push(char::from(b'0' + u8::try_from(n % 10).unwrap()));
        let sent = Instant::now();
        pty.send(&typed[typed.len() - 1..]);
        let seen =
            pty.wait(LIMIT, |screen| screen.contents().contains(&typed)).unwrap_or_else(|screen| panic!("no `{typed}` on\n{screen}"));
        times.push(seen.saturating_duration_since(sent));
        std::thread::sleep(PAUSE);
    }
    times.sort();
    times
}

/// Of sorted times the one that so many percent of them do not exceed.
pub fn p(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() - 1) * percent / 100]
}

pub fn idle() {
    let mut floor = Pty::spawn(role("floor"), COLS, ROWS);
    floor.wait_silent();
    let bare = latencies(&mut floor, "");
    row("key to screen: bare ratatui, p50 / p99", &format!("{:.2?} / {:.2?}", p(&bare, 50), p(&bare, 99)), "-");
    let home = home("");
    let mut pty = Pty::spawn(wakeful(home.path()), COLS, ROWS);
    pty.wait_text(LIMIT, "offline");
    settle(&pty);
    let times = latencies(&mut pty, "x\x15");
    row("key to screen: wakeful, p50 / p99", &format!("{:.2?} / {:.2?}", p(&times, 50), p(&times, 99)), "2 ms / 8 ms");
}

pub fn while_streaming() {
    let server = ModelServer::start(|_| Say::Paced(100_000, 200));
    let home = home(&format!("model = \"bench/model\"\n{}", server.provider()));
    let mut pty = Pty::spawn(wakeful(home.path()), COLS, ROWS);
    pty.wait_text(LIMIT, "bench/model");
    pty.send("go\r");
    pty.wait_text(LIMIT, "first-token");
    let times = latencies(&mut pty, "x\x15");
    row(
        "key to screen while 200 tokens a second stream, p50 / p95",
        &format!("{:.2?} / {:.2?}", p(&times, 50), p(&times, 95)),
        "- / 16 ms",
    );
}

pub fn while_events_come() {
    let (_home, mut pty, feed) = load::with_feed();
    let pace = load::Pace { count: 5_000 * 60, per_second: 5_000 };
    let sender = load::send_events(&feed, pace);
    pty.wait_text(LIMIT, "event-");
    let cpu = pty.cpu();
    let began = Instant::now();
    let times = latencies(&mut pty, "x\x15");
    let busy = 100.0 * (pty.cpu().saturating_sub(cpu)).as_secs_f64() / began.elapsed().as_secs_f64();
    let rate = f64::from(sender.sent()) / sender.elapsed().as_secs_f64();
    let figure = format!("{:.2?} / {:.2?}", p(&times, 50), p(&times, 95));
    row(&format!("key to screen while {rate:.0} events a second come ({busy:.0} % CPU), p50 / p95"), &figure, "no key lost");
}
