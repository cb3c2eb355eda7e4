//! The transport to a child process: one JSON-RPC message on a line, in both directions.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, PoisonError};

use rmcp::model::{ClientRequest, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use rmcp::service::{RoleClient, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::Mutex;

use crate::mcp::lines::{Line, Lines, MESSAGE_BYTES_MAX, Parsed, parse, raw_answer, too_long};
use crate::mcp::process::Pipes;
use crate::mcp::stderr::LogRing;

/// Calls under way whose answers are known as such; of those that are never answered no more are remembered.
const CALLS_MAX: usize = 4_096;

/// Messages to and from a child process.
pub(super) struct StdioTransport {
    /// Calls of tools that are not answered yet.
    calls: HashSet<i64>,
    lines: Lines<ChildStdout>,
    ready: VecDeque<ServerJsonRpcMessage>,
    outbox: Arc<Outbox<ChildStdin>>,
    log: Arc<LogRing>,
}

impl StdioTransport {
    /// Over the streams of a program; what it prints that is no message goes to `log`.
    pub(super) fn new(pipes: Pipes, log: Arc<LogRing>) -> Self {
        let (lines, outbox) = (Lines::new(pipes.stdout, MESSAGE_BYTES_MAX), Arc::new(Outbox::new(pipes.stdin)));
        Self { calls: HashSet::new(), lines, ready: VecDeque::new(), outbox, log }
    }

    fn note(&mut self, message: &TxJsonRpcMessage<RoleClient>) {
        if let JsonRpcMessage::Request(request) = message
            && let (ClientRequest::CallToolRequest(_), RequestId::Number(id)) = (&request.request, &request.id)
        {
            if self.calls.len() >= CALLS_MAX {
                self.calls.clear();
            }
            self.calls.insert(*id);
        }
    }

    fn messages(&mut self, line: &[u8]) -> Parsed {
        let calls = &mut self.calls;
        let answer = if calls.is_empty() { None } else { raw_answer(line, |id| calls.remove(&id)) };
        answer.map_or_else(|| parse(line), |answer| Parsed::Messages(vec![answer]))
    }
}

/// Messages on their way to the program, in the order in which they were handed over. What waits while one is written goes
/// along with the next write: many calls at once are few writes, and the program wakes up as seldom.
struct Outbox<W> {
    waiting: std::sync::Mutex<Waiting>,
    pipe: Mutex<Pipe<W>>,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// Bytes ever handed over.
    end: u64,
}

struct Pipe<W> {
    /// Gone once it is closed, or a message was not written whole: nothing after it would be understood.
    writer: Option<W>,
    /// Bytes ever written.
    written: u64,
}

impl<W: AsyncWrite + Unpin> Outbox<W> {
    fn new(writer: W) -> Self {
        Self { waiting: std::sync::Mutex::default(), pipe: Mutex::new(Pipe { writer: Some(writer), written: 0 }) }
    }

    /// Hands over a line; where it ends among all bytes.
    fn push(&self, line: &[u8]) -> u64 {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.bytes.extend_from_slice(line);
        waiting.end += u64::try_from(line.len()).unwrap_or(0);
        waiting.end
    }

    /// Writes what waits, unless all up to `end` was written meanwhile.
    async fn written(&self, end: u64) -> std::io::Result<()> {
        let mut pipe = self.pipe.lock().await;
        if pipe.written >= end {
            return Ok(());
        }
        let mut writer = pipe.writer.take().ok_or(std::io::ErrorKind::NotConnected)?;
        let bytes = std::mem::take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner).bytes);
        writer.write_all(&bytes).await?;
        writer.flush().await?;
        pipe.written += u64::try_from(bytes.len()).unwrap_or(0);
        pipe.writer = Some(writer);
        Ok(())
    }

    /// Closes the pipe. A write that hangs on a full one holds it; the program is ended anyway, which ends the write.
    fn close(&self) {
        if let Ok(mut pipe) = self.pipe.try_lock() {
            pipe.writer.take();
        }
    }
}

impl Transport<RoleClient> for StdioTransport {
    type Error = std::io::Error;

    fn send(&mut self, message: TxJsonRpcMessage<RoleClient>) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.note(&message);
        let handed_over = serde_json::to_vec(&message).map(|mut line| {
            line.push(b'\n');
            self.outbox.push(&line)
        });
        let outbox = Arc::clone(&self.outbox);
        async move { outbox.written(handed_over?).await }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            match self.lines.next().await {
                Line::Whole(line) => match self.messages(&line) {
                    Parsed::Messages(messages) => self.ready.extend(messages),
                    Parsed::Noise => self.log.push(&format!("[stdout] {}", String::from_utf8_lossy(&line[..line.len().min(4_096)]))),
                },
                Line::TooLong(head, tail) => {
                    self.log.push("[stdout] a message over the limit was dropped");
                    self.ready.extend(too_long(&head, &tail));
                }
                Line::End => return None,
                Line::Endless => {
                    self.log.push("[stdout] error: a line does not end");
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.outbox.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures::FutureExt;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Counts writes; holds each up until it is polled twice.
    #[derive(Default)]
    struct Counting {
        writes: Vec<Vec<u8>>,
        held: bool,
        fails: bool,
    }

    impl AsyncWrite for Counting {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
            if !std::mem::replace(&mut self.held, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.held = false;
            if self.fails {
                return Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()));
            }
            self.writes.push(bytes.to_vec());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_waits_goes_along_with_the_next_write() {
        let outbox = Outbox::new(Counting::default());
        let first = outbox.push(b"a\n");
        let mut writing = std::pin::pin!(outbox.written(first));
        assert!(writing.as_mut().now_or_never().is_none(), "it is held up");
        let ends = [outbox.push(b"b\n"), outbox.push(b"c\n")];
        let (one, two, three) = tokio::join!(writing, outbox.written(ends[0]), outbox.written(ends[1]));
        assert!(one.is_ok() && two.is_ok() && three.is_ok());
        assert_eq!(outbox.pipe.lock().await.writer.as_ref().unwrap().writes, [b"a\n".to_vec(), b"b\nc\n".to_vec()]);
    }

    #[tokio::test]
    async fn after_a_write_that_failed_nothing_is_written_and_everybody_is_told() {
        let outbox = Outbox::new(Counting { fails: true, ..Counting::default() });
        let ends = [outbox.push(b"a\n"), outbox.push(b"b\n")];
        assert_eq!(outbox.written(ends[0]).await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        assert_eq!(outbox.written(ends[1]).await.unwrap_err().kind(), std::io::ErrorKind::NotConnected);
    }

    #[tokio::test]
    async fn many_messages_arrive_whole_and_in_order() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let outbox = Arc::new(Outbox::new(ours));
        let mut expected = Vec::new();
        let mut sends = Vec::new();
        for n in 0..500 {
            let line = format!("message {n}\n");
            expected.extend_from_slice(line.as_bytes());
            let end = outbox.push(line.as_bytes());
            let outbox = Arc::clone(&outbox);
            sends.push(tokio::spawn(async move { outbox.written(end).await }));
        }
        let mut arrived = vec![0; expected.len()];
        theirs.read_exact(&mut arrived).await.unwrap();
        assert_eq!(arrived, expected);
        for send in sends {
            send.await.unwrap().unwrap();
        }
    }
}
