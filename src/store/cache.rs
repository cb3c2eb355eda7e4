//! Keeps what was fetched: in memory, below that in a file, below that in a Redis where one is set up.
//!
//! An entry is good for a time ([`Lifetime`]): first it is served as it is, then it is served while it is fetched anew in
//! the background. Who asks for what is missing while another fetches it waits for that fetch. Nothing that goes wrong
//! here reaches who asks: a layer that fails, a torn or damaged entry, a file of a newer version is a miss. Outside of
//! this process an entry is known by the hash of its key, for keys may hold secrets.

mod backend;
mod counters;
mod disk;
mod entry;
mod flight;
mod memory;
mod options;
#[cfg(feature = "redis")]
mod redis;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use lru::LruCache;
use tokio::sync::Semaphore;

pub use options::{Options, RedisUrl, Times, ToolRule};

pub use crate::domain::cache::{Cleared, Counts, Kind, KindStats, Layer, LayerStats, Stats};
use crate::domain::clock::{Clock, Instant};
use backend::CacheBackend;
use counters::{Count, Counters};
use disk::Disk;
use entry::{Entry, Id};
use flight::{Failed, Flights, Ticket};
use memory::Memory;

/// Entries that may be fetched anew in the background at the same time; more stay stale until somebody asks again.
const REFRESHES_MAX: usize = 16;

/// The longest that a fetch in the background may take.
const REFRESH_TIMEOUT: Duration = Duration::from_mins(2);

/// How long an entry that could not be fetched anew is left alone.
const REFRESH_PAUSE: Duration = Duration::from_secs(10);

/// Entries whose last refresh failed that are remembered.
const REFUSED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);

/// How long an entry is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lifetime {
    /// Served as it is.
    pub fresh: Duration,
    /// After that, served while it is fetched anew.
    pub stale: Duration,
}

impl Lifetime {
    /// Not kept at all.
    pub const NONE: Self = Self { fresh: Duration::ZERO, stale: Duration::ZERO };

    /// Good for `fresh`, then over.
    pub const fn fresh(fresh: Duration) -> Self {
        Self { fresh, stale: Duration::ZERO }
    }

    /// How long it is there at all.
    pub fn whole(&self) -> Duration {
        self.fresh.saturating_add(self.stale)
    }
}

/// How good an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As good as fetched.
    Fresh,
    /// It may have changed meanwhile.
    Stale,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What was kept.
    pub value: Bytes,
    /// How long ago it was fetched.
    pub age: Duration,
    /// How good it is.
    pub freshness: Freshness,
    /// Where it came from.
    pub layer: Layer,
}

/// What a fetch brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The value.
    pub value: Bytes,
    /// How long it is good: the kind's own times where absent, not kept where both are zero.
    pub lifetime: Option<Lifetime>,
}

/// Why the cache could not be cleared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file or the server below does not do it.
    #[error("could not clear {place}: {reason}")]
    Clear {
        /// The file, or the address without password.
        place: String,
        /// Why.
        reason: String,
    },
}

/// The cache. Cloning shares it; nothing is opened before the first use.
#[derive(Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    clock: Arc<dyn Clock>,
    memory: Memory,
    /// The layers below memory, the nearest first.
    below: Vec<Arc<dyn CacheBackend>>,
    flights: Arc<Flights>,
    counters: Arc<Counters>,
    refreshes: Arc<Semaphore>,
    /// When the last refresh of an entry failed.
    refused: Mutex<LruCache<String, Instant>>,
}

impl Cache {
    /// A cache over `file`; in memory only where that is absent.
    pub fn new(options: Options, file: Option<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        let counters: Arc<Counters> = Arc::default();
        let mut below: Vec<Arc<dyn CacheBackend>> = Vec::new();
        if let Some(file) = file.filter(|_| options.enabled && options.disk_bytes_max > 0) {
            below.push(Arc::new(Disk::new(file, options.disk_bytes_max, Arc::clone(&counters))));
        }
        #[cfg(feature = "redis")]
        if let Some(url) = options.redis.clone().filter(|_| options.enabled) {
            below.push(Arc::new(redis::Redis::new(url)));
        }
        let memory = Memory::new(if options.enabled { options.memory_bytes_max } else { 0 });
        let inner = Inner {
            options,
            clock,
            memory,
            below,
            flights: Arc::default(),
            counters,
            refreshes: Arc::new(Semaphore::new(REFRESHES_MAX)),
            refused: Mutex::new(LruCache::new(REFUSED_MAX)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A cache in memory with all defaults.
    pub fn in_memory(clock: Arc<dyn Clock>) -> Self {
        Self::new(Options::default(), None, clock)
    }

    /// What was kept under `key`, fresh or stale.
    pub async fn get(&self, kind: Kind, key: &str) -> Option<Hit> {
        let inner = &self.inner;
        if !inner.options.enabled {
            return None;
        }
        let id = Id::new(kind, key);
        let hit = match inner.recall(&id) {
            Some(hit) => Some(hit),
            None => inner.look_below(&id).await,
        };
        inner.count_answer(kind, hit.as_ref());
        hit
    }

    /// Keeps `value` under `key`, in place of what was there. The kind's own times hold where `lifetime` is absent; a
    /// value that is too large, or good for no time, only takes away what was there.
    pub async fn put(&self, kind: Kind, key: &str, value: Bytes, lifetime: Option<Lifetime>) {
        let id = Id::new(kind, key);
        self.inner.keep(&id, value, lifetime).await;
    }

    /// Forgets what was kept under `key`. What is being fetched for it right now is not kept either.
    pub async fn remove(&self, kind: Kind, key: &str) {
        let id = Id::new(kind, key);
        self.inner.flights.void(&id);
        self.inner.forget(&id).await;
    }

    /// What was kept under `key`; what is stale is fetched anew in the background, what is missing is fetched now, once
    /// for all who ask at the same time. What failed is not kept. `fetch` must not ask for the same key.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// What `fetch` says: the same to all who waited for it.
    ///
    /// # Panics
    /// Where `fetch` does: in all who waited for it.
    pub async fn get_or_fetch<E, F, Fut>(&self, kind: Kind, key: &str, fetch: F) -> Result<Hit, E>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched, E>> + Send + 'static,
        E: Clone + Send + Sync + 'static,
    {
        let inner = &self.inner;
        let id = Id::new(kind, key);
        if let Some(hit) = inner.recall(&id) {
            inner.count_answer(kind, Some(&hit));
            if hit.freshness == Freshness::Stale {
                inner.refresh::<E, F, Fut>(&id, fetch);
            }
            return Ok(hit);
        }
        let outcome = {
            let (below, own) = (Arc::clone(inner), id.clone());
            let (flight, new) = inner.flights.join::<E>(&id, |ticket, landing| {
                async move {
                    if let Some(hit) = below.look_below(&own).await {
                        below.count_answer(own.kind, Some(&hit));
                        // From here on the entry is in memory.
                        drop(landing);
                        if hit.freshness == Freshness::Stale {
                            below.refresh::<E, F, Fut>(&own, fetch);
                        }
                        return Ok(hit);
                    }
                    below.counters.add(own.kind, Count::Miss);
                    let hit = below.fetch(&own, &ticket, fetch).await;
                    drop(landing);
                    hit
                }
                .boxed()
            });
            if !new {
                inner.counters.add(kind, Count::Joined);
            }
            flight.await
        };
        match outcome {
            Ok(hit) => Ok(hit),
            Err(Failed::Fetch(error)) => Err(error),
            Err(Failed::Panicked) => std::panic::resume_unwind(Box::new("what fetches an entry of the cache broke off")),
        }
    }

    /// How it stands.
    pub async fn stats(&self) -> Stats {
        let inner = &self.inner;
        let mut layers = vec![inner.memory.stats()];
        let mut usage: Option<Vec<(Kind, u64, u64)>> = None;
        let mut counts = None;
        for backend in &inner.below {
            let stats = backend.stats().await;
            layers.push(stats.layer);
            usage = usage.or(stats.kinds);
            counts = counts.or(stats.counts);
        }
        // Of all processes where the file remembers them, else of this one.
        let counts = counts.unwrap_or_else(|| Kind::ALL.map(|kind| inner.counters.row(kind)));
        let kind = |(kind, row): (Kind, counters::Row)| {
            let known =
                usage.as_ref().map(|all| all.iter().find(|(of, ..)| *of == kind).map_or((0, 0), |(_, entries, bytes)| (*entries, *bytes)));
            let (entries, bytes) = known.unwrap_or_else(|| inner.memory.usage(kind));
            KindStats { kind, entries, bytes, counts: counters::named(row) }
        };
        Stats { enabled: inner.options.enabled, layers, kinds: Kind::ALL.into_iter().zip(counts).map(kind).collect() }
    }

    /// Forgets all of a kind, or everything, in all layers. What is being fetched right now is not kept either.
    ///
    /// # Errors
    /// When a layer below could not be cleared; the others were.
    pub async fn clear(&self, kind: Option<Kind>) -> Result<Cleared, Error> {
        let inner = &self.inner;
        inner.flights.void_all(kind);
        let (entries, bytes) = inner.memory.clear(kind);
        let mut cleared = Cleared { entries, bytes };
        let mut failed = None;
        for backend in &inner.below {
            match backend.clear(kind).await {
                // What is in memory is in the file as well.
                Ok(below) => cleared = if backend.layer() == Layer::Disk { below } else { cleared },
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(cleared), Err)
    }

    /// Removes what is over from all layers; says how many entries that were. The layers do so themselves from time to
    /// time.
    pub async fn sweep(&self) -> u64 {
        let inner = &self.inner;
        let now = inner.clock.now();
        let mut swept = inner.memory.sweep(now);
        for backend in &inner.below {
            swept = swept.max(backend.sweep(now).await);
        }
        swept
    }

    /// Answers when all that was put so far is on disk.
    pub async fn flush(&self) {
        for backend in &self.inner.below {
            backend.flush().await;
        }
    }

    /// What was set.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }
}

impl Inner {
    /// Looks in memory only: does not wait.
    fn recall(&self, id: &Id) -> Option<Hit> {
        let now = self.clock.now();
        let found = self.memory.get(id, now)?;
        if found.tell && !self.below.is_empty() {
            let digested = id.digest();
            self.below.iter().for_each(|backend| backend.touch(digested, now));
        }
        Some(hit(found.entry, found.freshness, Layer::Memory, now))
    }

    /// Looks in the layers below memory; what is found is put into those above it.
    async fn look_below(&self, id: &Id) -> Option<Hit> {
        if self.below.is_empty() || !self.options.enabled {
            return None;
        }
        let (digested, now) = (id.digest(), self.clock.now());
        for (place, backend) in self.below.iter().enumerate() {
            let Some(entry) = backend.get(digested, now).await else { continue };
            // A farther layer may hold what was fetched since.
            let Some(freshness) = entry.freshness(now) else { continue };
            for nearer in self.below.iter().take(place) {
                nearer.put(digested, entry.clone(), now).await;
            }
            self.memory.put(id, entry.clone(), now);
            return Some(hit(entry, freshness, backend.layer(), now));
        }
        None
    }

    async fn fetch<E, F, Fut>(&self, id: &Id, ticket: &Ticket, fetch: F) -> Result<Hit, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Fetched, E>>,
    {
        self.counters.add(id.kind, Count::Fetch);
        // Counts what panics too.
        let failure = count_failure(&self.counters, id.kind);
        let fetched = fetch().await?;
        failure.forgive();
        if ticket.is_good() {
            self.keep(id, fetched.value.clone(), fetched.lifetime).await;
            // Whoever removed the entry meanwhile did so before or after this: either way it is gone.
            if !ticket.is_good() {
                self.forget(id).await;
            }
        }
        Ok(Hit { value: fetched.value, age: Duration::ZERO, freshness: Freshness::Fresh, layer: Layer::Origin })
    }

    /// Fetches a stale entry anew in the background, if nobody does and it may be tried again.
    fn refresh<E, F, Fut>(self: &Arc<Self>, id: &Id, fetch: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched, E>> + Send + 'static,
        E: Clone + Send + Sync + 'static,
    {
        if self.flights.has::<E>(id) || self.is_refused(id) {
            return;
        }
        let Ok(permit) = Arc::clone(&self.refreshes).try_acquire_owned() else { return };
        let (inner, own) = (Arc::clone(self), id.clone());
        let (flight, new) = self.flights.join::<E>(id, |ticket, landing| {
            async move {
                inner.counters.add(own.kind, Count::Refresh);
                let hit = inner.fetch(&own, &ticket, fetch).await;
                drop(landing);
                hit
            }
            .boxed()
        });
        if !new {
            return;
        }
        let (inner, own) = (Arc::clone(self), id.clone());
        tokio::spawn(async move {
            let _until_the_end = permit;
            let done = tokio::time::timeout(REFRESH_TIMEOUT, flight).await;
            inner.refused(&own, !matches!(done, Ok(Ok(_))));
        });
    }

    fn is_refused(&self, id: &Id) -> bool {
        let now = self.clock.now();
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).peek(&id.text).copied();
        refused.is_some_and(|at| now.since(at) < REFRESH_PAUSE && at.since(now).is_zero())
    }

    fn refused(&self, id: &Id, failed: bool) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if failed {
            refused.put(id.text.clone(), self.clock.now());
        } else {
            refused.pop(&id.text);
        }
    }

    async fn keep(&self, id: &Id, value: Bytes, lifetime: Option<Lifetime>) {
        if !self.options.enabled {
            return;
        }
        let lifetime = lifetime.unwrap_or_else(|| self.options.lifetime(id.kind));
        let large = u64::try_from(value.len()).is_ok_and(|bytes| bytes > self.options.value_bytes_max);
        if lifetime.whole().is_zero() || large {
            return self.forget(id).await;
        }
        let now = self.clock.now();
        // A copy: the value may be a part of something much larger.
        let entry = Entry { value: Bytes::copy_from_slice(&value), stored: now, lifetime };
        self.memory.put(id, entry.clone(), now);
        if self.below.is_empty() {
            return;
        }
        let digested = id.digest();
        for backend in &self.below {
            backend.put(digested, entry.clone(), now).await;
        }
    }

    async fn forget(&self, id: &Id) {
        self.memory.remove(id);
        if self.below.is_empty() {
            return;
        }
        let digested = id.digest();
        for backend in &self.below {
            backend.remove(digested).await;
        }
    }

    fn count_answer(&self, kind: Kind, hit: Option<&Hit>) {
        let Some(hit) = hit else { return self.counters.add(kind, Count::Miss) };
        self.counters.add(kind, Count::Hit(hit.layer));
        if hit.freshness == Freshness::Stale {
            self.counters.add(kind, Count::Stale);
        }
    }
}

fn hit(entry: Entry, freshness: Freshness, layer: Layer, now: Instant) -> Hit {
    Hit { age: now.since(entry.stored), value: entry.value, freshness, layer }
}

/// Counts a failure unless it is told otherwise.
struct FailureGuard<'a> {
    counters: &'a Counters,
    kind: Kind,
    armed: bool,
}

fn count_failure(counters: &Counters, kind: Kind) -> FailureGuard<'_> {
    FailureGuard { counters, kind, armed: true }
}

impl FailureGuard<'_> {
    fn forgive(mut self) {
        self.armed = false;
    }
}

impl Drop for FailureGuard<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.counters.add(self.kind, Count::Failure);
        }
    }
}
