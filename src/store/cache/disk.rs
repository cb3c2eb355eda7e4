//! The layer on disk: one `SQLite` file in the cache folder, one thread that writes, one that opens
//! it and reads what the asker could not read at once.
//!
//! A put is answered when it waits for the writer, and found from then on; the writer takes all that waits into one
//! transaction. Several processes may share the file. What ends a process in the middle of a write leaves the entry of
//! before or none; what damages an entry is seen by its checksum; a file that is damaged as a whole is put aside. The
//! threads are started and the file is opened with the first use.

mod file;
mod table;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::domain::cache::{Cleared, Kind, Layer, LayerStats};
use crate::domain::clock::Instant;
use crate::store::cache::Error;
use crate::store::cache::backend::{BackendStats, CacheBackend};
use crate::store::cache::counters::{self, Counters};
use crate::store::cache::entry::{Digested, Entry};
use file::Identity;
use table::Write;
use worker::{Question, Reader, Writer};

/// What may wait for the writer, in KiB of values; who puts more waits.
const WAITING_KIB_MAX: u32 = 32 * 1_024;

/// Questions that may wait for the reader.
const QUESTIONS_MAX: usize = 256;

/// Uses that may wait to be written down; more are not.
const TOUCHES_MAX: usize = 4_096;

/// Uses for which the writer is woken; fewer wait for the next write.
const TOUCHES_ENOUGH: usize = 256;

/// The stack of each thread, in bytes; `SQLite` stays far below it.
const STACK_BYTES: usize = 1 << 20;

/// The layer on disk.
pub(super) struct Disk {
    shared: Arc<Shared>,
    /// The reader's queue, once the threads run; none where they could not be started.
    questions: OnceLock<Option<mpsc::Sender<Question>>>,
    reader: Arc<Mutex<Reader>>,
}

/// What the threads and the askers share.
struct Shared {
    path: PathBuf,
    bytes_max: u64,
    counters: Arc<Counters>,
    waiting: Mutex<Waiting>,
    /// The writer is wanted.
    wake: Condvar,
    /// Room for what waits, in KiB.
    room: Semaphore,
    /// Raised when the file was exchanged.
    generation: AtomicU64,
    problem: Mutex<Option<String>>,
}

#[derive(Default)]
struct Waiting {
    /// Not begun.
    writes: HashMap<Digested, Write>,
    /// Being written.
    writing: Arc<HashMap<Digested, Write>>,
    touches: HashMap<Digested, Instant>,
    jobs: Vec<Job>,
    /// The file that the reader found damaged.
    damaged: Option<Identity>,
    closed: bool,
    /// The latest time that was told.
    now: Instant,
}

/// Entries and bytes of values, by kind.
type Totals = Vec<(Kind, u64, u64)>;

/// What the writer is asked beside writing.
enum Job {
    Flush(oneshot::Sender<()>),
    Sweep(Instant, oneshot::Sender<u64>),
    Usage(oneshot::Sender<Option<Usage>>),
    Clear(Option<Kind>, oneshot::Sender<Result<Totals, String>>),
}

/// What the file holds.
struct Usage {
    /// Bytes of its pages in use.
    bytes: u64,
    kinds: Totals,
    counts: [counters::Row; Kind::ALL.len()],
}

/// What the writer does next.
struct Work {
    writes: Arc<HashMap<Digested, Write>>,
    touches: HashMap<Digested, Instant>,
    jobs: Vec<Job>,
    damaged: Option<Identity>,
    now: Instant,
}

/// What a write takes of the room, in KiB.
fn kib(write: &Write) -> usize {
    match write {
        Write::Put(entry, _) => (entry.value.len() / 1_024 + 1).min(WAITING_KIB_MAX as usize),
        Write::Remove => 0,
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work; none once the cache is dropped and nothing is left.
    fn next_work(&self) -> Option<Work> {
        let mut waiting = self.lock();
        loop {
            let wanted = !waiting.writes.is_empty() || !waiting.jobs.is_empty() || waiting.damaged.is_some();
            if wanted || waiting.touches.len() >= TOUCHES_ENOUGH || (waiting.closed && !waiting.touches.is_empty()) {
                break;
            }
            if waiting.closed {
                return None;
            }
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let writes = Arc::new(std::mem::take(&mut waiting.writes));
        waiting.writing = Arc::clone(&writes);
        Some(Work {
            writes,
            touches: std::mem::take(&mut waiting.touches),
            jobs: std::mem::take(&mut waiting.jobs),
            damaged: std::mem::take(&mut waiting.damaged),
            now: waiting.now,
        })
    }

    /// What was being written is in the file, or never will be.
    fn written(&self) {
        let writing = std::mem::take(&mut self.lock().writing);
        self.room.add_permits(writing.values().map(kib).sum());
    }

    /// What waits for the writer under `id`.
    fn find(&self, id: &Digested) -> Option<Write> {
        let waiting = self.lock();
        waiting.writes.get(id).or_else(|| waiting.writing.get(id)).cloned()
    }

    fn push(&self, id: Digested, write: Write, now: Option<Instant>) {
        let mut waiting = self.lock();
        waiting.now = now.unwrap_or(waiting.now);
        let before = waiting.writes.insert(id, write);
        drop(waiting);
        // Only the last one is written.
        self.room.add_permits(before.as_ref().map_or(0, kib));
        self.wake.notify_one();
    }

    fn forget(&self, id: Digested) {
        self.push(id, Write::Remove, None);
    }

    fn touch(&self, id: Digested, now: Instant) {
        let mut waiting = self.lock();
        if waiting.touches.len() < TOUCHES_MAX {
            waiting.touches.insert(id, now);
        }
        if waiting.touches.len() >= TOUCHES_ENOUGH {
            self.wake.notify_one();
        }
    }

    fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> oneshot::Receiver<T> {
        let (answer, answered) = oneshot::channel();
        self.lock().jobs.push(job(answer));
        self.wake.notify_one();
        answered
    }

    fn report_damage(&self, file: Option<Identity>) {
        self.lock().damaged = file;
        self.wake.notify_one();
    }

    fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says a problem once, until it is another or over.
    fn set_problem(&self, problem: Option<String>) {
        let before = std::mem::replace(&mut *self.problem.lock().unwrap_or_else(PoisonError::into_inner), problem.clone());
        if let Some(reason) = problem.filter(|reason| before.as_ref() != Some(reason)) {
            tracing::warn!("the cache file {} is not used: {reason}", self.path.display());
        }
    }
}

impl Disk {
    pub(super) fn new(path: PathBuf, bytes_max: u64, counters: Arc<Counters>) -> Self {
        let shared = Shared {
            path,
            bytes_max,
            counters,
            waiting: Mutex::default(),
            wake: Condvar::new(),
            room: Semaphore::new(WAITING_KIB_MAX as usize),
            generation: AtomicU64::new(0),
            problem: Mutex::default(),
        };
        let shared = Arc::new(shared);
        let reader = Arc::new(Mutex::new(Reader::new(Arc::clone(&shared))));
        Self { shared, questions: OnceLock::new(), reader }
    }

    /// The reader's queue. The threads are started with the first call.
    fn questions(&self) -> Option<&mpsc::Sender<Question>> {
        self.questions.get_or_init(|| self.start().map_err(|error| self.shared.set_problem(Some(error.to_string()))).ok()).as_ref()
    }

    fn start(&self) -> std::io::Result<mpsc::Sender<Question>> {
        let (sender, receiver) = mpsc::channel(QUESTIONS_MAX);
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
        let reader = Arc::clone(&self.reader);
        thread("cache-reader").spawn(move || worker::answer(&reader, receiver))?;
        let writer = Writer::new(Arc::clone(&self.shared));
        thread("cache-writer").spawn(move || writer.run())?;
        Ok(sender)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
    }
}

impl CacheBackend for Disk {
    fn layer(&self) -> Layer {
        Layer::Disk
    }

    fn get(&self, id: Digested, now: Instant) -> BoxFuture<'_, Option<Entry>> {
        async move {
            match self.shared.find(&id) {
                Some(Write::Put(entry, _)) => return Some(entry),
                Some(Write::Remove) => return None,
                None => {}
            }
            // A look into the open file takes some microseconds: less than the way to a thread and back.
            if let Some(mut reader) = self.reader.try_lock().ok().filter(|reader| reader.is_open()) {
                return reader.find(&id, now);
            }
            let (answer, answered) = oneshot::channel();
            self.questions()?.send(Question { id, now, answer }).await.ok()?;
            answered.await.ok().flatten()
        }
        .boxed()
    }

    fn put(&self, id: Digested, entry: Entry, now: Instant) -> BoxFuture<'_, ()> {
        async move {
            let write = Write::Put(entry, now);
            let Ok(room) = self.shared.room.acquire_many(u32::try_from(kib(&write)).unwrap_or(WAITING_KIB_MAX)).await else { return };
            if self.questions().is_some() {
                room.forget();
                self.shared.push(id, write, Some(now));
            }
        }
        .boxed()
    }

    fn remove(&self, id: Digested) -> BoxFuture<'_, ()> {
        async move {
            if self.questions().is_some() {
                self.shared.forget(id);
            }
        }
        .boxed()
    }

    fn touch(&self, id: Digested, now: Instant) {
        self.shared.touch(id, now);
    }

    fn clear(&self, kind: Option<Kind>) -> BoxFuture<'_, Result<Cleared, Error>> {
        async move {
            let failed = |reason: String| Error::Clear { place: self.shared.path.display().to_string(), reason };
            if self.questions().is_none() {
                return Err(failed(self.shared.problem().unwrap_or_default()));
            }
            let before = self.shared.ask(|answer| Job::Clear(kind, answer)).await;
            let before = before.map_err(|_| failed("the cache is closed".to_owned()))?.map_err(failed)?;
            let meant = before.into_iter().filter(|(of, ..)| kind.is_none_or(|kind| kind == *of));
            Ok(meant
                .fold(Cleared::default(), |sum, (_, entries, bytes)| Cleared { entries: sum.entries + entries, bytes: sum.bytes + bytes }))
        }
        .boxed()
    }

    fn stats(&self) -> BoxFuture<'_, BackendStats> {
        async move {
            let usage = if self.questions().is_some() { self.shared.ask(Job::Usage).await.ok().flatten() } else { None };
            let kinds = usage.as_ref().map(|usage| usage.kinds.clone()).unwrap_or_default();
            let layer = LayerStats {
                layer: Layer::Disk,
                place: self.shared.path.display().to_string(),
                problem: self.shared.problem(),
                entries: kinds.iter().map(|(_, entries, _)| entries).sum(),
                bytes: usage.as_ref().map_or(0, |usage| usage.bytes),
                bytes_max: Some(self.shared.bytes_max),
            };
            BackendStats { layer, kinds: Some(kinds), counts: usage.map(|usage| usage.counts) }
        }
        .boxed()
    }

    fn sweep(&self, now: Instant) -> BoxFuture<'_, u64> {
        async move {
            if self.questions().is_none() {
                return 0;
            }
            self.shared.ask(|answer| Job::Sweep(now, answer)).await.unwrap_or(0)
        }
        .boxed()
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        async move {
            // Nothing waits where no thread was started.
            if self.questions.get().is_some_and(Option::is_some) {
                let _closed = self.shared.ask(Job::Flush).await;
            }
        }
        .boxed()
    }
}
