//! The feed under many clients: deliveries a second, CPU a frame, delay, memory a client, and what clients that never read
//! do to the others; beside a broadcast server on Python's `websockets` and a bare fan-out of shared frames on
//! tokio-tungstenite, in the same run.
//!
//! `cargo bench --bench feed`. Each server is a process of its own, so that its CPU time and memory can be read; clients are
//! plain sockets in this process that count frames. `WAKEFUL_BENCH_CLIENTS` changes the number of clients.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::wildcard_imports,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    unreachable_pub,
    reason = "a benchmark"
)]

#[path = "feed/doubles.rs"]
mod doubles;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;
use wakeful::server::frame::{Frame, Target};
use wakeful::server::{Options, Server};

/// Frames of the flood, and bytes of each.
const FRAMES: u64 = 5_000;
const BYTES: usize = 512;

/// Clients that never read, and how much each is sent meanwhile at least.
const STALLED: usize = 10;
const STALLED_BYTES: u64 = 20_000_000;

/// Clients and frames a second while delays are measured.
const READERS: usize = 100;
const PER_SECOND: u64 = 2_000;

/// Which server a process is.
const ROLE: &str = "WAKEFUL_BENCH_ROLE";

fn now_ns() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// A frame of the wire's shape: the time it was made stands at its start.
fn text() -> String {
    let head = format!("{{\"at\":{:020},\"type\":\"bench\",\"data\":{{\"text\":\"", now_ns());
    let tail = "\"}}";
    format!("{head}{}{tail}", "x".repeat(BYTES - head.len() - tail.len()))
}

fn frame() -> Frame {
    Frame { json: text().into(), kind: "bench".into(), seq: None, target: Target::All }
}

/// Prints where it listens, then obeys lines `count per_second` (0: as fast as it can) and answers each.
async fn obey(port: u16, mut publish: impl FnMut()) {
    println!("{port}");
    let (lines, mut orders) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).for_each(|line| drop(lines.send(line))));
    while let Some(line) = orders.recv().await {
        let numbers: Vec<u64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
        let (count, rate) = (numbers[0], numbers[1]);
        let started = Instant::now();
        for n in 0..count {
            publish();
            if rate == 0 && n % 64 == 63 {
                tokio::task::yield_now().await;
            } else if rate > 0 && n % 20 == 19 {
                tokio::time::sleep_until((started + Duration::from_secs_f64(n as f64 / rate as f64)).into()).await;
            }
        }
        println!("published");
    }
}

/// The feed as it is.
async fn ours() {
    let queue_frames = std::env::var("WAKEFUL_BENCH_QUEUE").ok().and_then(|queue| queue.parse().ok()).unwrap_or(1_024);
    let options = Options {
        listen: ([127, 0, 0, 1], 0).into(),
        clients_max: 4_096,
        queue_frames,
        requests_per_second: 0,
        silence_seconds: 600,
        ..Options::default()
    };
    let server = Server::bind(options, doubles::deps()).await.unwrap();
    let (port, hub) = (server.address().port(), server.hub());
    tokio::spawn(server.run(CancellationToken::new()));
    obey(port, || hub.publish(frame())).await;
}

/// Shared frames over a broadcast channel, up to 64 fed and flushed at once: what the crates can do.
async fn bare() {
    let (sender, _) = broadcast::channel::<Utf8Bytes>(8_192);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let frames = sender.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let mut frames = frames.subscribe();
            tokio::spawn(async move {
                let config = WebSocketConfig::default().read_buffer_size(4_096).write_buffer_size(16_384);
                let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await.unwrap();
                loop {
                    let Ok(first) = frames.recv().await else { continue };
                    if socket.feed(Message::Text(first)).await.is_err() {
                        return;
                    }
                    for _ in 1..64 {
                        let Ok(next) = frames.try_recv() else { break };
                        if socket.feed(Message::Text(next)).await.is_err() {
                            return;
                        }
                    }
                    if socket.flush().await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    obey(port, || drop(sender.send(text().into()))).await;
}

/// A server in a process of its own.
struct Peer {
    name: &'static str,
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    port: u16,
}

impl Peer {
    fn start(name: &'static str, mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (stdin, mut stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        Self { name, port: line.trim().parse().unwrap(), child, stdin, stdout }
    }

    fn role(name: &'static str, queue: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(ROLE, name).env("WAKEFUL_BENCH_QUEUE", queue.to_string());
        Self::start(name, command)
    }

    /// Where `.ci/peers` has installed it.
    fn python() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let python = target.join("peers/py/bin/python");
        if !python.exists() {
            println!("Python's websockets is not installed: `.ci/peers` does");
            return None;
        }
        let mut command = Command::new(python);
        command.arg(root.join("tests/peers/broadcast.py"));
        Some(Self::start("python", command))
    }

    fn publish(&mut self, count: u64, rate: u64) {
        writeln!(self.stdin, "{count} {rate}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "published");
    }

    /// CPU time so far.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<u64> = stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(2).map(|field| field.parse().unwrap()).collect();
        Duration::from_millis((fields[0] + fields[1]) * 10)
    }

    /// Memory that nobody else has, in bytes.
    fn memory(&self) -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap();
        let line = rollup.lines().find(|line| line.starts_with("Private_Dirty:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What clients saw.
#[derive(Default)]
struct Seen {
    frames: AtomicU64,
    delays: std::sync::Mutex<Vec<u64>>,
}

async fn connect(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!(
        "GET /ws/mcplog HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Counts frames of the flood; every `sample`th one's delay is noted.
async fn read(mut stream: TcpStream, seen: Arc<Seen>, sample: u64) {
    let (mut buffer, mut filled, mut count) = (vec![0_u8; 64 * 1_024], 0, 0_u64);
    loop {
        let Ok(got) = stream.read(&mut buffer[filled..]).await else { return };
        if got == 0 {
            return;
        }
        filled += got;
        let mut at = 0;
        let mut frames = 0;
        loop {
            let rest = &buffer[at..filled];
            let (header, length) = match rest {
                [_, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
                [_, length, ..] if *length < 126 => (2, usize::from(*length)),
                _ => break,
            };
            if rest.len() < header + length {
                break;
            }
            let body = &rest[header..header + length];
            if body.starts_with(b"{\"at\":") {
                frames += 1;
                count += 1;
                if sample > 0 && count.is_multiple_of(sample) {
                    let made: u64 = std::str::from_utf8(&body[6..26]).unwrap().parse().unwrap();
                    seen.delays.lock().unwrap().push(now_ns().saturating_sub(made));
                }
            }
            at += header + length;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
        seen.frames.fetch_add(frames, Ordering::Relaxed);
    }
}

struct Flood {
    per_second: f64,
    cpu_us: f64,
    client_bytes: f64,
}

/// Many clients, all frames as fast as they go.
async fn flood(mut peer: Peer, clients: usize) -> Flood {
    let before = peer.memory();
    let seen = Arc::new(Seen::default());
    let mut tasks = Vec::new();
    for _ in 0..clients {
        tasks.push(tokio::spawn(read(connect(peer.port).await, Arc::clone(&seen), 0)));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let client_bytes = peer.memory().saturating_sub(before) as f64 / clients as f64;
    let (cpu, started, wanted) = (peer.cpu(), Instant::now(), FRAMES * clients as u64);
    tokio::task::block_in_place(|| peer.publish(FRAMES, 0));
    let mut last = (0, Instant::now());
    let (mut done, mut at) = (0, started.elapsed());
    while done < wanted && last.1.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        done = seen.frames.load(Ordering::Relaxed);
        if done != last.0 {
            (last, at) = ((done, Instant::now()), started.elapsed());
        }
    }
    let used = peer.cpu().saturating_sub(cpu);
    let flood = Flood { per_second: done as f64 / at.as_secs_f64(), cpu_us: used.as_secs_f64() * 1e6 / done as f64, client_bytes };
    println!(
        "{:<8} {clients} clients: {done} of {wanted} deliveries, {:.0} a second, {:.2} µs of CPU a frame, {:.1} kB a client",
        peer.name,
        flood.per_second,
        flood.cpu_us,
        client_bytes / 1e3
    );
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    flood
}

/// Delays at a steady rate, in microseconds: p50 and p99; and how the server's memory grew.
async fn delays(mut peer: Peer, stalled: usize) -> (f64, f64, f64) {
    let seen = Arc::new(Seen::default());
    let mut tasks = Vec::new();
    for _ in 0..READERS {
        tasks.push(tokio::spawn(read(connect(peer.port).await, Arc::clone(&seen), 50)));
    }
    let mut never_read = Vec::new();
    for _ in 0..stalled {
        never_read.push(connect(peer.port).await);
    }
    tokio::task::block_in_place(|| peer.publish(PER_SECOND, PER_SECOND));
    seen.delays.lock().unwrap().clear();
    let before = peer.memory();
    let count = STALLED_BYTES / BYTES as u64;
    tokio::task::block_in_place(|| peer.publish(count, PER_SECOND));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let growth = (peer.memory() as f64 - before as f64) / 1e6;
    let mut delays = std::mem::take(&mut *seen.delays.lock().unwrap());
    delays.sort_unstable();
    let at = |percent: usize| delays[(delays.len() * percent / 100).min(delays.len() - 1)] as f64 / 1e3;
    let (p50, p99) = (at(50), at(99));
    println!(
        "{:<8} {READERS} clients, {PER_SECOND} frames a second, {stalled} never read: delay p50 {p50:.0} µs, p99 {p99:.0} µs, memory {growth:+.1} MB",
        peer.name
    );
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    drop(never_read);
    (p50, p99, growth)
}

fn verdict(holds: bool) -> &'static str {
    if holds { "ok" } else { "OVER BUDGET" }
}

async fn run() {
    let clients = std::env::var("WAKEFUL_BENCH_CLIENTS").ok().and_then(|clients| clients.parse().ok()).unwrap_or(1_000);
    let python = match Peer::python() {
        Some(peer) => Some(flood(peer, clients).await),
        None => None,
    };
    let bare = flood(Peer::role("bare", 0), clients).await;
    // So long a queue that nobody loses anything: what is measured is the work.
    let ours = flood(Peer::role("ours", 8_192), clients).await;
    if let Some(python) = python {
        let ratio = ours.per_second / python.per_second;
        println!("deliveries: {ratio:.1} × Python's   budget 6 ×: {}", verdict(ratio >= 6.0));
    }
    let ratio = ours.cpu_us / bare.cpu_us;
    println!("CPU a frame: {ratio:.2} × the bare one's   budget 1.3 ×: {}", verdict(ratio <= 1.3));
    println!("an idle client: {:.1} kB   budget 10 kB: {}", ours.client_bytes / 1e3, verdict(ours.client_bytes <= 10_000.0));
    let (_, alone, _) = delays(Peer::role("ours", 1_024), 0).await;
    let (_, beside, growth) = delays(Peer::role("ours", 1_024), STALLED).await;
    let more = beside / alone - 1.0;
    println!("{STALLED} that never read: p99 {:+.1} %   budget 10 %: {}", more * 100.0, verdict(more < 0.1));
    println!("{STALLED} that never read: memory {growth:+.1} MB   budget 10 MB: {}", verdict(growth < 10.0));
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match std::env::var(ROLE).as_deref() {
        Ok("ours") => return runtime.block_on(ours()),
        Ok("bare") => return runtime.block_on(bare()),
        _ => {}
    }
    // `cargo test --all-targets` runs benchmarks too; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--bench") {
        runtime.block_on(run());
    }
}
