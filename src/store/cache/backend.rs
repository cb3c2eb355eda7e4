//! What lies below memory: a layer that keeps entries somewhere else. An open set: a file, a Redis, a test's double.

use futures::future::BoxFuture;

use crate::domain::cache::{Cleared, Kind, Layer, LayerStats};
use crate::domain::clock::Instant;
use crate::store::cache::Error;
use crate::store::cache::counters;
use crate::store::cache::entry::{Digested, Entry};

/// A layer below memory. What goes wrong in it is a miss: it says so itself, once, and nobody waits for it.
pub(super) trait CacheBackend: Send + Sync {
    /// Which layer it is.
    fn layer(&self) -> Layer;

    /// The entry as it was put, over or not; none where it is missing or damaged.
    fn get(&self, id: Digested, now: Instant) -> BoxFuture<'_, Option<Entry>>;

    /// Keeps an entry; a later `get` finds it, if nothing went wrong.
    fn put(&self, id: Digested, entry: Entry, now: Instant) -> BoxFuture<'_, ()>;

    /// Forgets an entry.
    fn remove(&self, id: Digested) -> BoxFuture<'_, ()>;

    /// Hears that an entry is in use, though it was answered by a nearer layer. Must not wait.
    fn touch(&self, _id: Digested, _now: Instant) {}

    /// Forgets all entries of a kind, or all; answers when they are gone.
    fn clear(&self, kind: Option<Kind>) -> BoxFuture<'_, Result<Cleared, Error>>;

    /// How it stands; by kind where it knows.
    fn stats(&self) -> BoxFuture<'_, BackendStats>;

    /// Removes what is over at `now`; says how many entries that were.
    fn sweep(&self, _now: Instant) -> BoxFuture<'_, u64> {
        Box::pin(std::future::ready(0))
    }

    /// Answers when all that was put is where it belongs.
    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// How a layer stands.
pub(super) struct BackendStats {
    pub(super) layer: LayerStats,
    /// Entries and bytes by kind, where the layer can tell.
    pub(super) kinds: Option<Vec<(Kind, u64, u64)>>,
    /// What was asked of all processes that share the layer, where it remembers; in the order of [`Kind::ALL`].
    pub(super) counts: Option<[counters::Row; Kind::ALL.len()]>,
}
