//! How records reach a coordinator.

pub mod database;
#[cfg(feature = "grpc")]
pub mod grpc;
pub mod http;
pub mod make;
#[cfg(feature = "redis")]
pub mod redis;

use std::time::Duration;

use futures::future::BoxFuture;

use crate::domain::interaction::BATCH_MAX;
use crate::interactions::outgoing::Outgoing;

/// Records that go together where there is no request that a coordinator must take whole: over a stream, into a table. As many
/// as the queue's answers to a coordinator that reads slowly still come within its time.
pub const STREAM_BATCH_MAX: usize = 1_000;

/// One way to a coordinator. It tries once and never waits to try again.
pub trait Transport: Send + Sync {
    /// Its name in the config: `http`, `redis`, `database`, `grpc`.
    fn name(&self) -> &'static str;

    /// Records that it takes at once, at most.
    fn batch_max(&self) -> usize {
        BATCH_MAX
    }

    /// Whether the coordinator (or what stands between) can be reached and takes the key, without sending a record.
    fn probe(&self) -> BoxFuture<'_, Result<(), Trouble>>;

    /// Hands over up to [`batch_max`](Self::batch_max) records: a verdict for each, in their order. An error
    /// means that nothing is known of any of them: all are sent again, and the coordinator knows them by their ids.
    fn send<'a>(&'a self, records: &'a [Outgoing]) -> BoxFuture<'a, Result<Vec<Verdict>, Trouble>>;

    /// What became of records that were handed over before ([`Verdict::Handed`]), in their order.
    fn settled<'a>(&'a self, handles: &'a [String]) -> BoxFuture<'a, Result<Vec<Settled>, Trouble>>;
}

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The coordinator's store has it.
    Stored,
    /// It lies between here and the coordinator (a stream, a table) under this handle; its store has not confirmed it yet.
    Handed(String),
    /// The coordinator will not take this record as it is (400, 413, 422): this costs a try.
    Refused {
        /// The status, as HTTP counts them.
        code: u16,
        /// What the coordinator said; not yet cleaned for a terminal.
        message: String,
    },
}

/// What became of a record that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The coordinator's store has it.
    Stored,
    /// It still lies in between.
    Waiting,
    /// It is no longer there and was not confirmed: send it again.
    Lost,
}

/// Why nothing could be handed over. None of these costs a record a try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No connection, no answer in time, a broken one, or an error on the other side (5xx).
    #[error("the coordinator does not answer as it should: {0}")]
    Unreachable(String),
    /// Too much at once (429, a full queue or stream).
    #[error("the coordinator asks to wait: {message}")]
    Busy {
        /// How long, where it said so.
        after: Option<Duration>,
        /// What it said.
        message: String,
    },
    /// The key was refused (401, 403).
    #[error("the key or password is refused: {0}")]
    Key(String),
    /// The batch as a whole was refused, and it is not known which record is meant: send them one by one.
    #[error("the coordinator refuses the batch: {0}")]
    Batch(String),
    /// The configuration cannot work.
    #[error("{0}")]
    Config(String),
}
