//! The embedded store: one `SQLite` file, one thread that writes, one that reads.
//!
//! The writer takes what waits in its queue into one transaction and answers each append after the commit (group
//! commit; WAL with `synchronous=FULL`, so an answer means that it is on disk). Readers have a connection of their
//! own and never hold up the writer or the runtime. Any number of processes may share a file: positions are given
//! inside of the transaction.

mod notice;
pub(in crate::store) mod open;
mod pages;
mod place;
mod read;
mod rows;
mod tasks;
mod worker;
mod write;

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use rusqlite::Connection;

use crate::domain::event::Event;
use crate::domain::ids::{Seq, SessionId, StreamId};
use crate::domain::query::{EventFilter, SessionPage, SessionPart, SessionSummary};
use crate::store::sqlite::notice::Notice;
use crate::store::sqlite::place::{Failure, Place};
use crate::store::sqlite::tasks::ops::ReadyOp;
use crate::store::sqlite::worker::{Reader, Writer, WriterJob};
use crate::store::sqlite::write::Prepared;
use crate::store::upcast::{STANDARD, Upcasters};
use crate::store::{Batch, CommitListener, Error, EventStore, Options, StoreFuture};

/// The embedded store. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    place: Arc<Place>,
    epoch: String,
    upcasters: Upcasters,
    listener: Arc<OnceLock<CommitListener>>,
    poll: Duration,
    engine: Engine,
}

enum Engine {
    /// A file, with its threads.
    Threads { writer: Writer, reader: Reader },
    /// In memory, on the caller's thread. `None` once it was closed.
    Inline(Mutex<Option<Connection>>),
}

impl SqliteStore {
    /// Opens or makes the file `path`; makes its folder where it is missing. Blocks for a few milliseconds.
    ///
    /// # Errors
    /// When the file cannot be opened, is something else, is damaged or was written by a newer version.
    pub fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        Self::open_with(path, options, STANDARD)
    }

    /// Like [`open`](Self::open), with a table of upcasters of one's own.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_with(path: &Path, options: &Options, upcasters: Upcasters) -> Result<Self, Error> {
        let place = Arc::new(Place { path: path.to_owned(), busy_timeout: options.busy_timeout() });
        let (connection, epoch) = open::file(&place)?;
        let listener = Arc::new(OnceLock::new());
        let writer = Writer::start(connection, &place, Arc::clone(&listener), options.queue)?;
        let reader = Reader::start(&place)?;
        let engine = Engine::Threads { writer, reader };
        Ok(Self(Arc::new(Inner { place, epoch, upcasters, listener, poll: options.follow_poll(), engine })))
    }

    /// A store that ends with the program and has no threads.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn open_in_memory() -> Result<Self, Error> {
        let place = Arc::new(Place { path: ":memory:".into(), busy_timeout: Duration::ZERO });
        let (connection, epoch) = open::memory(&place)?;
        let engine = Engine::Inline(Mutex::new(Some(connection)));
        let poll = Options::default().follow_poll();
        Ok(Self(Arc::new(Inner { place, epoch, upcasters: STANDARD, listener: Arc::default(), poll, engine })))
    }

    /// Runs `work` on the reading connection.
    fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> StoreFuture<T> {
        let this = self.clone();
        async move {
            let place = Arc::clone(&this.0.place);
            let work = move |connection: &Connection| work(connection).map_err(|failure| place.explain(doing, failure));
            match &this.0.engine {
                Engine::Threads { reader, .. } => reader.run(work).await,
                Engine::Inline(connection) => {
                    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                    work(connection.as_ref().ok_or(Error::Closed)?)
                }
            }
        }
        .boxed()
    }

    /// Runs `work` on the writing connection, between two groups of appends.
    fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> StoreFuture<T> {
        let this = self.clone();
        async move {
            let place = Arc::clone(&this.0.place);
            let work = move |connection: &mut Connection| work(connection).map_err(|failure| place.explain(doing, failure));
            match &this.0.engine {
                Engine::Threads { writer, .. } => writer.run(work).await,
                Engine::Inline(connection) => {
                    let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                    work(connection.as_mut().ok_or(Error::Closed)?)
                }
            }
        }
        .boxed()
    }

    /// Runs SQL on the writing connection: how tests bring about what only a sick disk does.
    #[cfg(test)]
    pub(super) fn sql(&self, sql: &'static str) -> StoreFuture<()> {
        self.write("test", move |connection| Ok(connection.execute_batch(sql)?))
    }

    /// Keeps the writer busy until `release` tells or goes away.
    #[cfg(test)]
    pub(super) fn hold(&self, release: std::sync::mpsc::Receiver<()>) -> StoreFuture<()> {
        self.write("test", move |_| {
            let _told = release.recv();
            Ok(())
        })
    }

    /// The rows of a table, byte by byte.
    #[cfg(test)]
    pub(super) fn dump(&self, table: &'static str) -> StoreFuture<Vec<String>> {
        self.read("dump", move |connection| tasks::read::dump(connection, table))
    }
}

impl EventStore for SqliteStore {
    fn epoch(&self) -> &str {
        &self.0.epoch
    }

    fn on_commit(&self, listener: CommitListener) {
        let _second = self.0.listener.set(listener);
    }

    fn append(&self, batch: Batch) -> StoreFuture<Vec<Arc<Event>>> {
        let this = self.clone();
        async move {
            let prepared = Prepared::new(batch, this.0.upcasters, ReadyOp::new)?;
            if prepared.is_empty() {
                return Ok(Vec::new());
            }
            match &this.0.engine {
                Engine::Threads { writer, .. } => writer.append(prepared).await,
                Engine::Inline(connection) => {
                    let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                    let connection = connection.as_mut().ok_or(Error::Closed)?;
                    let (job, mut answer) = WriterJob::append(prepared);
                    worker::append_jobs(connection, vec![job], &this.0.place, this.0.listener.get());
                    answer.try_recv().unwrap_or(Err(Error::Closed))
                }
            }
        }
        .boxed()
    }

    fn events(&self, filter: EventFilter) -> StoreFuture<Vec<Arc<Event>>> {
        let upcasters = self.0.upcasters;
        self.read("read events of", move |connection| read::events(connection, upcasters, &filter))
    }

    fn session_events(&self, session: SessionId) -> StoreFuture<Vec<Arc<Event>>> {
        let upcasters = self.0.upcasters;
        self.read("read a session of", move |connection| read::session_events(connection, upcasters, session))
    }

    fn session_page(&self, page: SessionPage) -> StoreFuture<SessionPart> {
        let upcasters = self.0.upcasters;
        self.read("read a part of a session of", move |connection| pages::session_page(connection, upcasters, &page))
    }

    fn sessions(&self, search: Option<String>, limit: usize) -> StoreFuture<Vec<SessionSummary>> {
        self.read("list the sessions of", move |connection| read::sessions(connection, search.as_deref(), limit))
    }

    fn head(&self) -> StoreFuture<Seq> {
        self.read("read", read::head)
    }

    fn version(&self, stream: StreamId) -> StoreFuture<u64> {
        self.read("read", move |connection| read::version(connection, &stream))
    }

    fn heads(&self) -> BoxStream<'static, Result<Seq, Error>> {
        let watch = Watch { store: self.clone(), data_version: None, head: None, notice: None, started: false };
        stream::unfold(watch, |mut watch| async move { Some((watch.next().await, watch)) }).boxed()
    }

    fn writes(&self) -> Option<BoxStream<'static, ()>> {
        let is_file = matches!(self.0.engine, Engine::Threads { .. });
        let notice = is_file.then(|| Notice::of(&self.0.place.path).ok()).flatten()?;
        Some(stream::unfold(notice, |notice| async move { notice.written().await.ok().map(|()| ((), notice)) }).boxed())
    }

    fn rebuild(&self) -> StoreFuture<()> {
        let upcasters = self.0.upcasters;
        self.write("rebuild the projections of", move |connection| rows::rebuild(connection, upcasters))
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        let this = self.clone();
        async move {
            match &this.0.engine {
                Engine::Threads { writer, reader } => {
                    // The writer last: the last connection folds the write-ahead log into the file.
                    reader.shutdown().await;
                    writer.shutdown().await;
                }
                Engine::Inline(connection) => drop(connection.lock().unwrap_or_else(PoisonError::into_inner).take()),
            }
        }
        .boxed()
    }
}

/// Looks for new heads.
struct Watch {
    store: SqliteStore,
    /// `PRAGMA data_version` of the reading connection: changes when anybody else commits.
    data_version: Option<i64>,
    head: Option<Seq>,
    /// What tells that it is worth a look.
    notice: Option<Notice>,
    started: bool,
}

/// How often a log is looked at that nobody tells of.
const LOOK_ANYHOW: Duration = Duration::from_secs(30);

impl Watch {
    /// Waits until a look is worth it; not at all where nobody tells.
    async fn wait(&mut self) {
        let Some(notice) = &self.notice else { return };
        if let Ok(Err(_)) = tokio::time::timeout(LOOK_ANYHOW, notice.written()).await {
            self.notice = None;
        }
    }

    async fn next(&mut self) -> Result<Seq, Error> {
        loop {
            if std::mem::replace(&mut self.started, true) {
                tokio::time::sleep(self.store.0.poll).await;
                self.wait().await;
            } else {
                // Before the first look, so that nothing is written in between.
                let is_file = matches!(self.store.0.engine, Engine::Threads { .. });
                self.notice = is_file.then(|| Notice::of(&self.store.0.place.path).ok()).flatten();
            }
            // A connection does not see its own commits as a change; in memory there is only one.
            let known = self.data_version.filter(|_| matches!(self.store.0.engine, Engine::Threads { .. }));
            let looked = self.store.read("look for news in", move |connection| read::news(connection, known)).await?;
            let Some((data_version, head)) = looked else { continue };
            self.data_version = Some(data_version);
            if self.head.replace(head) != Some(head) {
                return Ok(head);
            }
        }
    }
}
