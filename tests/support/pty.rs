//! A program in a real pseudo terminal, as a person would run it: keys go in, a screen comes out.
//!
//! Shared by the end-to-end tests and the whole-process benchmarks. Waiting is always for a state, with a bound.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rexpect::process::{PtyProcess, Signal, WaitStatus};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{Winsize, tcsetwinsize};

/// What the reader thread has seen so far.
struct Seen {
    screen: vt100::Parser,
    bytes: Vec<u8>,
    total: usize,
    /// Where each read ended in `bytes`, and when it came.
    reads: Vec<(usize, Instant)>,
    /// When the last byte came.
    last: Instant,
    closed: bool,
}

/// A running program and its screen.
pub struct Pty {
    process: PtyProcess,
    handle: File,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    /// Closed when the owner goes: the reader then lets go of the terminal too.
    _alive: UnixStream,
    /// When the program was started.
    pub started: Instant,
}

impl Pty {
    /// Starts `command` on a terminal of `cols` × `rows`.
    pub fn spawn(command: Command, cols: u16, rows: u16) -> Self {
        let started = Instant::now();
        let mut process = PtyProcess::new(command).expect("a pseudo terminal");
        process.set_kill_timeout(Some(2_000));
        let handle = process.get_file_handle().expect("the terminal's handle");
        tcsetwinsize(&handle, Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 }).expect("a window size");
        let seen = Seen {
            screen: vt100::Parser::new(cells(rows), cells(cols), 0),
            bytes: Vec::new(),
            total: 0,
            reads: Vec::new(),
            last: started,
            closed: false,
        };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let reader = handle.try_clone().expect("a second handle");
        let shared = Arc::clone(&seen);
        let (alive, owner) = UnixStream::pair().expect("a pair of sockets");
        std::thread::spawn(move || read_all(reader, &owner, &shared));
        Self { process, handle, seen, _alive: alive, started }
    }

    /// Presses keys: bytes as a terminal sends them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.handle.write_all(bytes.as_ref()).expect("keys can be sent");
        self.handle.flush().expect("keys can be sent");
    }

    /// Changes the size of the window.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.seen.0.lock().expect("reader lives").screen.screen_mut().set_size(cells(rows), cells(cols));
        tcsetwinsize(&self.handle, Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 }).expect("a window size");
    }

    /// The screen as text.
    pub fn text(&self) -> String {
        self.seen.0.lock().expect("reader lives").screen.screen().contents()
    }

    /// Runs `look` on the screen.
    pub fn screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.seen.0.lock().expect("reader lives").screen.screen())
    }

    /// All bytes that the program has written, as far as they are kept.
    pub fn bytes(&self) -> Vec<u8> {
        self.seen.0.lock().expect("reader lives").bytes.clone()
    }

    /// How many bytes the program has written.
    pub fn written(&self) -> usize {
        self.seen.0.lock().expect("reader lives").total
    }

    /// When the program last wrote.
    pub fn last_write(&self) -> Instant {
        self.seen.0.lock().expect("reader lives").last
    }

    /// Waits until the screen satisfies `wanted`; tells when it did, or the screen that fell short.
    pub fn wait(&self, limit: Duration, wanted: impl Fn(&vt100::Screen) -> bool) -> Result<Instant, String> {
        let end = Instant::now() + limit;
        let (lock, changed) = &*self.seen;
        let mut seen = lock.lock().expect("reader lives");
        loop {
            if wanted(seen.screen.screen()) {
                return Ok(seen.last);
            }
            let now = Instant::now();
            if now >= end || seen.closed {
                return Err(seen.screen.screen().contents());
            }
            seen = changed.wait_timeout(seen, end - now).expect("reader lives").0;
        }
    }

    /// Waits until the screen holds `text`.
    ///
    /// # Panics
    /// When it does not within `limit`; with the screen as it was.
    pub fn wait_text(&self, limit: Duration, text: &str) -> Instant {
        self.wait(limit, |screen| screen.contents().contains(text)).unwrap_or_else(|screen| panic!("no `{text}` on the screen:\n{screen}"))
    }

    /// Waits until `text` was written, as one piece.
    ///
    /// # Panics
    /// When it was not within `limit`.
    pub fn wait_written(&self, limit: Duration, text: &str) {
        let end = Instant::now() + limit;
        let mut seen = self.seen.0.lock().expect("reader lives");
        while !seen.bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{text:?} was not written; the screen:\n{}", seen.screen.screen().contents());
            seen = self.seen.1.wait_timeout(seen, left).expect("reader lives").0;
        }
    }

    /// When `text` was first written, as one piece, at or after the byte `from`.
    pub fn when_written(&self, text: &str, from: usize) -> Option<Instant> {
        let seen = self.seen.0.lock().expect("reader lives");
        let at = from + seen.bytes.get(from..)?.windows(text.len()).position(|window| window == text.as_bytes())?;
        seen.reads.iter().find(|(end, _)| *end >= at + text.len()).map(|(_, when)| *when)
    }

    /// Waits until the terminal echoes nothing by itself: what then stands on the screen, the program put there.
    pub fn wait_silent(&self) {
        use rustix::termios::{LocalModes, tcgetattr};
        while tcgetattr(&self.handle).expect("terminal settings").local_modes.contains(LocalModes::ECHO) {
            std::hint::spin_loop();
        }
    }

    /// Waits until the program has ended and everything it wrote is read; its exit code.
    pub fn wait_exit(&self, limit: Duration) -> Option<i32> {
        // The terminal closes with its last program, after the last byte.
        let (lock, changed) = &*self.seen;
        let seen = lock.lock().expect("reader lives");
        let (seen, _) = changed.wait_timeout_while(seen, limit, |seen| !seen.closed).expect("reader lives");
        if !seen.closed {
            return None;
        }
        drop(seen);
        match self.process.wait() {
            Ok(WaitStatus::Exited(_, code)) => Some(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(128 + signal as i32),
            _ => None,
        }
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal).expect("the process lives");
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        // The crate keeps it to itself; the terminal's foreground group is the process's own.
        let pid = rustix::termios::tcgetpgrp(&self.handle).expect("a foreground process");
        u32::try_from(pid.as_raw_nonzero().get()).expect("a positive id")
    }

    /// CPU time that the process and its ended children have used.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("Linux's /proc");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("ticks")).sum();
        // USER_HZ is 100 on every Linux architecture that Rust has.
        Duration::from_millis(ticks * 10)
    }

    /// How often each thread of the process has waited and was woken.
    pub fn wakeups(&self) -> BTreeMap<OsString, u64> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("Linux's /proc");
        let of = |status: String| {
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches:"))?.to_owned();
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        // A thread may end meanwhile.
        let count = |thread: std::fs::DirEntry| {
            let status = std::fs::read_to_string(thread.path().join("status")).ok()?;
            Some((thread.file_name(), of(status)?))
        };
        threads.flatten().filter_map(count).collect()
    }

    /// How often threads that live now were woken since `before`.
    pub fn wakeups_since(&self, before: &BTreeMap<OsString, u64>) -> u64 {
        self.wakeups().iter().map(|(thread, count)| count - before.get(thread).unwrap_or(&0)).sum()
    }

    /// Proportional set size of the process, in kB.
    pub fn pss_kb(&self) -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid())).expect("Linux's /proc");
        let line = rollup.lines().find(|line| line.starts_with("Pss:")).expect("a Pss line");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a terminal has cells")
}

/// The most output that is kept for tests that look at single bytes.
const BYTES_KEPT_MAX: usize = 16 * 1024 * 1024;

fn read_all(mut reader: File, owner: &UnixStream, shared: &(Mutex<Seen>, Condvar)) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut awaited = [PollFd::new(&reader, PollFlags::IN), PollFd::new(owner, PollFlags::IN)];
        if poll(&mut awaited, None).is_err() || !awaited[1].revents().is_empty() {
            return;
        }
        // A pseudo terminal ends with EIO once the program is gone.
        let count = reader.read(&mut buffer).unwrap_or(0);
        let mut seen = shared.0.lock().expect("owner lives");
        if count == 0 {
            seen.closed = true;
            shared.1.notify_all();
            return;
        }
        seen.screen.process(&buffer[..count]);
        seen.total += count;
        if seen.bytes.len() < BYTES_KEPT_MAX {
            seen.bytes.extend_from_slice(&buffer[..count]);
        }
        seen.last = Instant::now();
        let read = (seen.bytes.len(), seen.last);
        seen.reads.push(read);
        shared.1.notify_all();
    }
}
