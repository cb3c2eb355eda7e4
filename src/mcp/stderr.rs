//! What a server writes to its error output: kept in a bounded ring, told to the log, never to the screen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::time::{Instant, sleep_until};

use crate::domain::ids::ServerName;
use crate::domain::text::{clean_line, ellipsis};

/// The longest line that is kept, in characters.
const LINE_CHARS_MAX: usize = 1_000;

/// The longest line that is read whole, in bytes; the rest of a longer one is passed over.
const LINE_BYTES_MAX: usize = 16 * 1_024;

/// Bytes a second that are read, in bursts; a chatty server writes a hundredth of it.
const BYTES_A_SECOND_MAX: usize = 2 * 1_024 * 1_024;

const SECOND: Duration = Duration::from_secs(1);

/// Lines a second that go to the log as well.
const LOGGED_LINES_MAX: u32 = 50;

/// The last lines of one server, oldest first.
#[derive(Debug)]
pub(super) struct LogRing {
    lines: Mutex<VecDeque<String>>,
    capacity: usize,
}

impl LogRing {
    pub(super) fn new(capacity: usize) -> Self {
        Self { lines: Mutex::default(), capacity: capacity.max(1) }
    }

    /// Keeps a line, made harmless.
    pub(super) fn push(&self, line: &str) {
        let line = clean_line(line);
        if line.is_empty() {
            return;
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == self.capacity {
            lines.pop_front();
        }
        lines.push_back(ellipsis(&line, LINE_CHARS_MAX).into_owned());
    }

    /// The last `count` lines, oldest first.
    pub(super) fn tail(&self, count: usize) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect()
    }

    /// Forgets the last `count` lines: another start says them again.
    pub(super) fn forget(&self, count: usize) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let left = lines.len().saturating_sub(count);
        lines.truncate(left);
    }

    /// How many lines are kept.
    pub(super) fn len(&self) -> usize {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The line among the last few that most likely says what went wrong.
    pub(super) fn telling_line(&self) -> Option<String> {
        telling(&self.tail(20)).map(str::to_owned)
    }
}

/// Words that a line with the cause has in it.
const CAUSES: &[&str] = &["error", "exception", "panic", "fatal", "cannot", "not found", "denied", "invalid", "failed", "missing", "usage"];

/// The last line that names a cause, else the last one. Frames of a JavaScript stack and Node's last word say nothing.
fn telling(lines: &[String]) -> Option<&str> {
    let says_something =
        |line: &&String| !line.starts_with("at ") && !line.starts_with("Node.js v") && line.chars().any(char::is_alphanumeric);
    let names_cause = |line: &&String| CAUSES.iter().any(|word| line.to_lowercase().contains(word));
    let newest = || lines.iter().rev().filter(says_something);
    newest().find(names_cause).or_else(|| newest().next()).map(String::as_str)
}

/// Reads a server's error output to its end. Who writes too much of it is read no faster than it should write, so that a
/// flood costs us little; the server then waits in its own writing.
pub(super) async fn drain(server: ServerName, output: impl AsyncRead + Unpin, ring: Arc<LogRing>) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    let mut second = Instant::now();
    let (mut logged, mut bytes_read) = (0, 0);
    loop {
        let (used, ended) = match reader.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(bytes) => {
                let end = bytes.iter().position(|byte| *byte == b'\n');
                let part = &bytes[..end.unwrap_or(bytes.len())];
                line.extend_from_slice(&part[..part.len().min(LINE_BYTES_MAX - line.len().min(LINE_BYTES_MAX))]);
                (end.map_or(bytes.len(), |end| end + 1), end.is_some())
            }
        };
        reader.consume(used);
        bytes_read += used;
        if bytes_read > BYTES_A_SECOND_MAX {
            sleep_until(second + SECOND).await;
        }
        if second.elapsed() >= SECOND {
            (second, logged, bytes_read) = (Instant::now(), 0, 0);
        }
        if !ended {
            continue;
        }
        let text = String::from_utf8_lossy(&line);
        ring.push(&text);
        if logged < LOGGED_LINES_MAX {
            logged += 1;
            tracing::info!(target: "mcp", %server, "{}", clean_line(&text));
        }
        line.clear();
    }
    ring.push(&String::from_utf8_lossy(&line));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telling_of(lines: &[&str]) -> String {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        telling(&lines).unwrap_or_default().to_owned()
    }

    #[test]
    fn the_line_with_the_cause_is_found() {
        assert_eq!(
            telling_of(&["Traceback:", "File x", "ModuleNotFoundError: No module named 'y'"]),
            "ModuleNotFoundError: No module named 'y'"
        );
        assert_eq!(telling_of(&["Error: Cannot find module 'x'", "at y", "{", "}", "Node.js v20.20.2"]), "Error: Cannot find module 'x'");
        assert_eq!(telling_of(&["starting", "bye"]), "bye");
        assert_eq!(telling_of(&[]), "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_read_slowly() {
        let started = Instant::now();
        let flood = b"flood\n".repeat(BYTES_A_SECOND_MAX);
        drain("s".into(), &flood[..], Arc::new(LogRing::new(3))).await;
        let took = started.elapsed().as_secs();
        assert!((4..=6).contains(&took), "{took} s for 12 MiB");
    }

    #[tokio::test]
    async fn a_flood_is_bounded_and_harmless() {
        let ring = Arc::new(LogRing::new(3));
        let mut flood = vec![b'x'; 1_000_000];
        flood.extend_from_slice(b"\n\n\x1b[31mred\x1b[0m\nlast \xff without end");
        drain("s".into(), &flood[..], Arc::clone(&ring)).await;
        let tail = ring.tail(10);
        assert_eq!(tail.len(), 3);
        assert!(tail[0].chars().count() <= LINE_CHARS_MAX && tail[0].ends_with('…'));
        assert_eq!(tail[1..], ["red", "last \u{fffd} without end"]);
    }
}
