//! The transport to a child process: one JSON-RPC message on a line, in both directions.

use std::collections::VecDeque;
use std::sync::Arc;

use rmcp::model::ServerJsonRpcMessage;
use rmcp::service::{RoleClient, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::Mutex;

use crate::mcp::lines::{Line, Lines, MESSAGE_BYTES_MAX, Parsed, parse, too_long};
use crate::mcp::process::Pipes;
use crate::mcp::stderr::LogRing;

/// Messages to and from a child process.
pub(super) struct StdioTransport {
    lines: Lines<ChildStdout>,
    ready: VecDeque<ServerJsonRpcMessage>,
    stdin: Arc<Mutex<Option<ChildStdin>>>,
    log: Arc<LogRing>,
}

impl StdioTransport {
    /// Over the streams of a program; what it prints that is no message goes to `log`.
    pub(super) fn new(pipes: Pipes, log: Arc<LogRing>) -> Self {
        Self {
            lines: Lines::new(pipes.stdout, MESSAGE_BYTES_MAX),
            ready: VecDeque::new(),
            stdin: Arc::new(Mutex::new(Some(pipes.stdin))),
            log,
        }
    }
}

impl Transport<RoleClient> for StdioTransport {
    type Error = std::io::Error;

    fn send(&mut self, message: TxJsonRpcMessage<RoleClient>) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let stdin = Arc::clone(&self.stdin);
        async move {
            let mut line = serde_json::to_vec(&message)?;
            line.push(b'\n');
            let mut stdin = stdin.lock().await;
            let pipe = stdin.as_mut().ok_or(std::io::ErrorKind::NotConnected)?;
            pipe.write_all(&line).await?;
            pipe.flush().await
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            match self.lines.next().await {
                Line::Whole(line) => match parse(&line) {
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
        // A write that hangs on a full pipe holds the lock; the program is ended anyway, which ends the write.
        if let Ok(mut stdin) = self.stdin.try_lock() {
            stdin.take();
        }
        Ok(())
    }
}
