//! The durable event log: what is in it has happened, what was answered for survives a crash at any instant.
//!
//! [`EventLog`] is what the program holds: it stamps events, appends them and publishes what is on disk, in the order
//! of the log. Below it an [`EventStore`] keeps the events: `SqliteStore` is the embedded one, `PgStore` the one that
//! several machines share. One suite of tests
//! runs over every store. Old shapes of events are brought up to date when they are read, see [`upcast`].

pub mod cache;
mod error;
mod follow;
pub mod interaction_logs;
mod log;
pub mod memory;
mod options;
#[cfg(feature = "postgres")]
mod postgres;
mod prepared;
mod projection;
pub mod records;
mod rules;
pub mod spool;
mod sqlite;
#[cfg(test)]
mod suite;
pub mod tasks;
#[cfg(test)]
mod tests;
pub mod upcast;

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use error::{Cause, Error};
pub use log::EventLog;
pub use options::{Options, StoreUrl};
#[cfg(feature = "postgres")]
pub use postgres::{PgClock, PgOptions, PgStore};
pub use sqlite::SqliteStore;

use crate::domain::clock::Instant;
use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::{EventId, Seq, SessionId, StreamId};
use crate::domain::query::{EventFilter, SessionPage, SessionPart, SessionSummary};
use crate::store::tasks::{Fence, Op};

/// Events that one read gives at most where the filter names no limit.
pub const EVENTS_LIMIT: usize = 10_000;

/// The longest body of an event that is taken, in bytes of JSON.
pub const EVENT_BYTES_MAX: usize = 64 << 20;

/// Forks behind forks that a session may have; older ancestors are left out.
pub const FORKS_MAX: usize = 64;

/// An event that has its identity and its time, and waits for its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped {
    /// Unique for ever.
    pub id: EventId,
    /// When it happened.
    pub at: Instant,
    /// What happened, and where.
    pub event: NewEvent,
}

/// Events that are appended together or not at all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// In the order that they get in the log; several streams may be among them.
    pub events: Vec<Stamped>,
    /// Streams that must stand at a version (0: nothing in it yet); all others may stand anywhere.
    pub expected: Vec<(StreamId, u64)>,
    /// What else must hold.
    pub fences: Vec<Fence>,
    /// Changes of working rows, after the events.
    pub ops: Vec<Op>,
}

/// What goes with events into the same transaction.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Terms {
    /// See [`Batch::expected`].
    pub expected: Vec<(StreamId, u64)>,
    /// See [`Batch::fences`].
    pub fences: Vec<Fence>,
    /// See [`Batch::ops`].
    pub ops: Vec<Op>,
}

/// What a store is going to give.
pub type StoreFuture<T> = BoxFuture<'static, Result<T, Error>>;

/// Called with what was just committed.
pub type CommitListener = Arc<dyn Fn(&[Arc<Event>]) + Send + Sync>;

/// Keeps events for ever, in one order. Times are kept as integers in milliseconds, bodies as JSON text.
///
/// Futures start when they are polled first. An append whose future is dropped after that may still take place.
pub trait EventStore: Send + Sync {
    /// The log's own identity, made once: a position is only good with it.
    fn epoch(&self) -> &str;

    /// Sets who is told what this store (not another process) committed: strictly in the order of the log, after the
    /// commit and before the append is answered. Only the first listener counts.
    fn on_commit(&self, listener: CommitListener);

    /// Appends a batch, all or none. Positions are 1, 2, 3 … over all streams and processes, versions 1, 2, 3 … within
    /// a stream.
    ///
    /// # Errors
    /// [`Error::Conflict`] when a stream does not stand where it is expected to; [`Error::Fenced`] when a fence does not
    /// hold; [`Error::QueueFull`] when too much waits already; others when nothing can be written.
    /// Nothing was appended then.
    fn append(&self, batch: Batch) -> StoreFuture<Vec<Arc<Event>>>;

    /// Events in ascending order.
    fn events(&self, filter: EventFilter) -> StoreFuture<Vec<Arc<Event>>>;

    /// All events that make up a session, those of the sessions it was forked from included.
    fn session_events(&self, session: SessionId) -> StoreFuture<Vec<Arc<Event>>>;

    /// A part of the same.
    fn session_page(&self, page: SessionPage) -> StoreFuture<SessionPart>;

    /// Sessions, the latest first; those whose title or text holds `search`, where given.
    fn sessions(&self, search: Option<String>, limit: usize) -> StoreFuture<Vec<SessionSummary>>;

    /// The position of the last event; 0 while there is none.
    fn head(&self) -> StoreFuture<Seq>;

    /// The version of a stream's last event; 0 while there is none.
    fn version(&self, stream: StreamId) -> StoreFuture<u64>;

    /// The head at once, then each new head, whoever appended. Costs nothing while nobody reads the stream.
    fn heads(&self) -> BoxStream<'static, Result<Seq, Error>>;

    /// Tells each time somebody wrote, this process too, whatever it was; `None` where nobody tells.
    fn writes(&self) -> Option<BoxStream<'static, ()>> {
        None
    }

    /// Makes the projections anew from the events.
    fn rebuild(&self) -> StoreFuture<()>;

    /// Finishes what was asked and closes. Whatever is asked later fails with [`Error::Closed`].
    fn shutdown(&self) -> BoxFuture<'static, ()>;
}
