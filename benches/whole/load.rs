//! What work costs: CPU, bytes to the terminal, memory.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

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

/// The program with its feed open; where that is.
pub fn with_feed() -> (tempfile::TempDir, Pty, String) {
    let config = format!("[server]\nenabled = true\nlisten = \"127.0.0.1:0\"\ntoken = \"{TOKEN}\"\nrequests_per_second = 0\n");
    let home = home(&config);
    let pty = Pty::spawn(wakeful(home.path()), COLS, ROWS);
    pty.wait_text(LIMIT, "ws 127.0.0.1:");
    settle(&pty);
    let text = pty.text();
    let address = text.rsplit("· ws ").next().and_then(|rest| rest.split_whitespace().next()).unwrap().to_owned();
    (home, pty, address)
}

const TOKEN: &str = "the-token-of-the-benchmark";

/// Connections that events are sent over.
const SENDERS: u32 = 16;

/// How many events, and how many a second.
#[derive(Clone, Copy)]
pub struct Pace {
    pub count: u32,
    pub per_second: u32,
}

/// Events on their way to the program; they stop coming when this is dropped.
pub struct Sender {
    sent: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    began: Instant,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Sender {
    pub fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until all were sent.
    pub fn wait(mut self) {
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Sends events of another program over the HTTP API: each is stored before it is answered.
pub fn send_events(address: &str, pace: Pace) -> Sender {
    let (sent, stop, began) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)), Instant::now());
    let next = Arc::new(AtomicU32::new(0));
    let thread = |_| {
        let (address, sent, stop, next) = (address.to_owned(), Arc::clone(&sent), Arc::clone(&stop), Arc::clone(&next));
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.set_nodelay(true).unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= pace.count || stop.load(Ordering::Relaxed) {
                    return;
                }
                let due = began + Duration::from_secs(1) * n / pace.per_second;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let body = json!({"type": "bench", "data": {"text": format!("event-{n} of another program")}}).to_string();
                let length = body.len();
                let head = format!(
                    "POST /api/v2/broadcast HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
                );
                if stream.write_all((head + &body).as_bytes()).is_err() || !answered(&mut reader) {
                    return;
                }
                sent.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let threads = (0..SENDERS).map(thread).collect();
    Sender { sent, stop, began, threads }
}

/// Reads an answer; whether it was a good one.
fn answered(reader: &mut impl BufRead) -> bool {
    let (mut length, mut line, mut good) = (0, String::new(), None);
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return false;
        }
        good.get_or_insert(line.starts_with("HTTP/1.1 200"));
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).is_ok() && good == Some(true)
}

pub fn many_events() {
    let (_home, pty, address) = with_feed();
    let count = 10_000;
    send_events(&address, Pace { count, per_second: 100_000 }).wait();
    pty.wait(LIMIT, |screen| screen.contents().contains("10,0")).expect("the number of events");
    settle(&pty);
    row(&format!("memory after {count} events (PSS)"), &format!("{:.1} MB", megabytes(&pty)), "60 MB");
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
