//! What a command writes, kept within bounds: the beginning and the end of it.

use std::collections::VecDeque;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;

/// Bytes of the beginning that are kept.
const HEAD_BYTES_MAX: usize = 48 * 1_024;

/// Bytes of the end that are kept.
const TAIL_BYTES_MAX: usize = 48 * 1_024;

/// How long the streams are read on after the program has ended: what it left running may hold them open.
const DRAIN: Duration = Duration::from_millis(200);

/// The output of a command, its two streams in the order in which they were read.
#[derive(Debug, Default)]
pub(super) struct Collected {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    bytes: u64,
}

impl Collected {
    /// Bytes that were written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the middle is missing.
    pub(super) fn is_cut(&self) -> bool {
        self.missing() > 0
    }

    fn missing(&self) -> u64 {
        self.bytes - u64::try_from(self.head.len() + self.tail.len()).unwrap_or(self.bytes)
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes += u64::try_from(bytes.len()).unwrap_or(0);
        let room = HEAD_BYTES_MAX.saturating_sub(self.head.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(room);
        self.head.extend_from_slice(head);
        let over = (self.tail.len() + rest.len()).saturating_sub(TAIL_BYTES_MAX);
        if over >= self.tail.len() {
            self.tail.clear();
            self.tail.extend(&rest[rest.len().saturating_sub(TAIL_BYTES_MAX)..]);
        } else {
            self.tail.drain(..over);
            self.tail.extend(rest);
        }
    }

    /// The text; what is no UTF-8 is replaced.
    pub(super) fn text(&self) -> String {
        let (front, back) = self.tail.as_slices();
        let missing = self.missing();
        if missing == 0 {
            // In one piece, so that no character is torn where the parts meet.
            return String::from_utf8_lossy(&[&self.head, front, back].concat()).into_owned();
        }
        let tail = [front, back].concat();
        format!("{}\n[… {missing} bytes left out …]\n{}", String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&tail))
    }
}

/// Reads both streams until the program has ended, or for `limit`; `None` where it has not ended by then.
pub(super) async fn collect(child: &mut Child, limit: Duration) -> (Option<io::Result<ExitStatus>>, Collected) {
    let mut collected = Collected::default();
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let ended = {
        let run = async {
            loop {
                tokio::select! {
                    status = child.wait() => return status,
                    () = read(&mut out, &mut err, &mut collected) => {}
                }
            }
        };
        tokio::time::timeout(limit, run).await.ok()
    };
    let drain = async {
        while out.is_some() || err.is_some() {
            read(&mut out, &mut err, &mut collected).await;
        }
    };
    let _ = tokio::time::timeout(DRAIN, drain).await;
    (ended, collected)
}

/// Reads once from whichever stream has something; waits for ever where both have ended. Safe to cancel.
async fn read<A: AsyncRead + Unpin, B: AsyncRead + Unpin>(out: &mut Option<A>, err: &mut Option<B>, into: &mut Collected) {
    // Small enough to lie on the stack of every caller.
    let mut first = [0; 2 * 1_024];
    let mut second = [0; 2 * 1_024];
    tokio::select! {
        count = part(out, &mut first) => match count {
            0 => *out = None,
            count => into.push(&first[..count]),
        },
        count = part(err, &mut second) => match count {
            0 => *err = None,
            count => into.push(&second[..count]),
        },
    }
}

/// Bytes that came; 0 at the end.
async fn part<R: AsyncRead + Unpin>(stream: &mut Option<R>, into: &mut [u8]) -> usize {
    match stream {
        Some(stream) => stream.read(into).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let mut collected = Collected::default();
        collected.push(b"begin");
        for _ in 0..30 {
            collected.push(&[b'x'; 8 * 1_024]);
        }
        collected.push(b"end");
        let text = collected.text();
        assert!(text.starts_with("begin") && text.ends_with("end") && collected.is_cut());
        let left_out = 5 + 30 * 8 * 1_024 + 3 - HEAD_BYTES_MAX - TAIL_BYTES_MAX;
        assert!(text.contains(&format!("[… {left_out} bytes left out …]")));
        assert_eq!(collected.bytes(), 5 + 30 * 8 * 1_024 + 3);
    }

    #[test]
    fn a_character_between_both_parts_stays_whole() {
        let mut collected = Collected::default();
        collected.push(&vec![b'x'; HEAD_BYTES_MAX - 1]);
        collected.push("é!".as_bytes());
        assert!(collected.text().ends_with("xé!") && !collected.is_cut());
    }

    #[test]
    fn one_part_that_is_larger_than_all_that_is_kept() {
        let mut collected = Collected::default();
        collected.push(&vec![b'x'; HEAD_BYTES_MAX + 3 * TAIL_BYTES_MAX]);
        assert_eq!(collected.missing(), u64::try_from(2 * TAIL_BYTES_MAX).unwrap());
    }
}
