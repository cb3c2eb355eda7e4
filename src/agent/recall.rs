//! What a turn is told of earlier sessions: the port through which it is asked for, and its limits.
//!
//! The agent knows no store of memories. Whoever has one says what fits a message; the turn waits a moment for it and goes on without.
//! What came is in the log before the model reads it, so the same prompt comes from the log later.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::domain::memory::{Note, Notes};

/// How long a turn waits for what fits its message.
const WAIT_MAX: Duration = Duration::from_millis(300);

/// Finds what is worth telling a turn.
pub trait Recall: Send + Sync {
    /// What fits `message` beside what is `known` in this conversation, the best first. Bounded in number and length by whoever
    /// implements it; a failure is an empty answer and a line in the log file.
    fn recall(&self, message: String, known: Vec<Note>) -> BoxFuture<'static, Vec<Note>>;
}

/// Asks `port`; nothing where it takes too long, breaks down or is not wanted any more.
pub(super) async fn ask(port: Arc<dyn Recall>, message: String, known: Vec<Note>, cancel: CancellationToken) -> Notes {
    let asked = AssertUnwindSafe(async move { port.recall(message, known).await }).catch_unwind();
    let found = tokio::select! {
        found = tokio::time::timeout(WAIT_MAX, asked) => found,
        () = cancel.cancelled() => return Notes::default(),
    };
    match found {
        Ok(Ok(notes)) if !notes.is_empty() => Notes::new(notes, || fastrand::u64(..)),
        Ok(Ok(_)) => Notes::default(),
        Ok(Err(_)) => {
            tracing::warn!("looking for memories broke down; the turn goes on without");
            Notes::default()
        }
        Err(_) => {
            tracing::info!("looking for memories took longer than {} ms; the turn goes on without", WAIT_MAX.as_millis());
            Notes::default()
        }
    }
}
