//! The supervisor: a second run of this program that starts one command, waits for it, and leaves nothing of it.
//!
//! It is a session of its own (so that the command has no terminal, not even `/dev/tty`) and the subreaper of all that
//! the command starts: a process that leaves its parent becomes a child of the supervisor, whatever it does. So "nothing
//! is left" is not looked for, it is known: the kernel says that there is no child any more. Its standard input is held
//! by the program that called; when that ends, by order or by `kill -9`, the command ends with it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, WaitOptions};

use super::spec::{Report, Spec};
use super::{GRACE, fence, processes};

/// How often the processes of a command are counted.
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// How long what ends together with the command may take before it counts as left running.
const STRAGGLE: Duration = Duration::from_millis(50);

/// The longest that processes are killed which will not die (they hang in the kernel).
const KILL_MAX: Duration = Duration::from_secs(5);

/// How often they are looked for then.
const KILL_EVERY: Duration = Duration::from_millis(10);

/// What the supervisor is told by its threads.
enum News {
    /// The caller wants the end, or is gone.
    Stop,
    /// The command itself has ended.
    Ended(rustix::process::WaitStatus),
    /// No child is left.
    Empty,
}

/// Runs `words` as `spec` says; the exit code of this program.
///
/// # Errors
/// When the specification cannot be read or the report not be written; the reason.
pub fn supervise(spec: &str, words: &[std::ffi::OsString]) -> Result<u8, String> {
    let spec: Spec = serde_json::from_str(spec).map_err(|error| format!("the specification cannot be read: {error}"))?;
    // Opened before the fence is up.
    let mut report_file = File::options().write(true).truncate(true).open(&spec.report).map_err(|error| format!("no report: {error}"))?;
    let report = run(&spec, words);
    let text = serde_json::to_vec(&report).map_err(|error| format!("no report: {error}"))?;
    report_file.write_all(&text).map_err(|error| format!("no report: {error}"))?;
    let code = report.code.or_else(|| report.signal.map(|signal| 128 + signal)).unwrap_or(127);
    Ok(u8::try_from(code & 0xff).unwrap_or(1))
}

fn run(spec: &Spec, words: &[std::ffi::OsString]) -> Report {
    let mut report = Report::default();
    let failed = |error: String| Report { spawn_error: Some(error), ..Report::default() };
    // It fails where this is the leader of a session already, which is as good.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    {
        if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
            return failed(format!("it could not be supervised: {error}"));
        }
        match fence::restrict(spec) {
            Ok(fence) => report.fence = fence,
            Err(error) => return failed(format!("it could not be fenced in: {error}")),
        }
    }
    limit(spec);
    let Some((program, arguments)) = words.split_first() else { return failed("there is nothing to run".to_owned()) };
    let child = Command::new(program).args(arguments).stdin(Stdio::null()).process_group(0).spawn();
    let child = match child {
        Ok(child) => child,
        Err(error) => return failed(error.to_string()),
    };
    let main = i32::try_from(child.id()).unwrap_or(0);
    let (sender, news) = channel();
    let for_input = sender.clone();
    std::thread::spawn(move || watch_input(&for_input));
    std::thread::spawn(move || reap(main, &sender));
    attend(spec, &news, &mut report);
    report
}

fn limit(spec: &Spec) {
    let set = |resource, bytes: u64| {
        if bytes > 0 {
            // A hard limit that is lower already stays.
            let maximum = rustix::process::getrlimit(resource).maximum.map_or(bytes, |known| known.min(bytes));
            let _ = rustix::process::setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) });
        }
    };
    set(Resource::As, spec.memory_bytes_max);
    set(Resource::Fsize, spec.file_bytes_max);
    let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

fn watch_input(news: &Sender<News>) {
    let mut input = std::io::stdin().lock();
    let mut buffer = [0; 64];
    loop {
        match input.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let _ = news.send(News::Stop);
}

/// Takes away every child that ends, those that were left by others included.
fn reap(main: i32, news: &Sender<News>) {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == main => {
                let _ = news.send(News::Ended(status));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // There is no child.
            Err(_) => {
                let _ = news.send(News::Empty);
                return;
            }
        }
    }
}

fn attend(spec: &Spec, news: &Receiver<News>, report: &mut Report) {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut ended = false;
    loop {
        match news.recv_timeout(if ended { STRAGGLE } else { COUNT_EVERY }) {
            Ok(News::Ended(status)) => {
                (report.code, report.signal) = (status.exit_status(), status.terminating_signal());
                ended = true;
            }
            Ok(News::Empty) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(News::Stop) => break,
            Err(RecvTimeoutError::Timeout) if ended => {
                report.left_running = processes::below(own).len();
                break;
            }
            Err(RecvTimeoutError::Timeout) => {
                if processes::below(own).len() > spec.processes_max {
                    report.too_many = true;
                    break;
                }
            }
        }
    }
    end(own, news, report);
}

/// Asks everything to end, then ends it, again and again until nothing is left.
fn end(own: i32, news: &Receiver<News>, report: &mut Report) {
    let mut wait = |limit: Duration| {
        let until = Instant::now() + limit;
        loop {
            match news.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(News::Ended(status)) => {
                    (report.code, report.signal) = (status.exit_status(), status.terminating_signal());
                }
                Ok(News::Empty) | Err(RecvTimeoutError::Disconnected) => return true,
                Ok(News::Stop) => {}
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    };
    // What multiplies is not asked first.
    let ask = !report.too_many;
    if ask {
        processes::signal(&processes::below(own), Signal::TERM);
        if wait(GRACE) {
            return;
        }
    }
    let started = Instant::now();
    while started.elapsed() < KILL_MAX {
        processes::signal(&processes::below(own), Signal::KILL);
        if wait(KILL_EVERY) {
            return;
        }
    }
    report.survivors = processes::below(own).len();
}
