//! The program's handle on the log: stamps, appends, publishes, reads, follows.

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::bus::{EventBus, RecordError, Recorder, Subscription};
use crate::domain::clock::Clock;
use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::{EventId, Seq, SessionId, StreamId};
use crate::domain::query::{Answer, EventFilter, EventReader, QueryError, SessionPage, SessionPart, SessionSummary};
use crate::store::follow::{Follow, Live};
use crate::store::tasks::TaskStore;
use crate::store::{Batch, Error, EventStore, Options, SqliteStore, Stamped, Terms};
#[cfg(feature = "postgres")]
use crate::store::{PgOptions, PgStore};

/// Events that an in-memory log keeps for readers that lag.
const MEMORY_BUS_CAPACITY: usize = 4_096;

/// The durable log and the bus above it. Cheap to clone.
#[derive(Clone)]
pub struct EventLog {
    store: Arc<dyn TaskStore>,
    bus: EventBus,
    clock: Arc<dyn Clock>,
}

impl EventLog {
    /// Opens or makes the log in the file `path`. Blocks for a moment (a few milliseconds for a new file); the threads
    /// that it starts need no runtime.
    ///
    /// # Errors
    /// When the file cannot be opened, is something else, is damaged or was written by a newer version.
    pub fn open(path: &Path, options: &Options, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let store = SqliteStore::open(path, options)?;
        Ok(Self::new(Arc::new(store), EventBus::new(options.bus_capacity), clock))
    }

    /// Opens the log where `options` want it: in the database of `options.url`, else in the file `path`. A database is
    /// asked from tasks on the present runtime, which must outlive the log.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); when the database does not answer, refuses, holds something else or was made by
    /// a newer version; when this build knows no databases.
    pub async fn connect(options: &Options, path: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        match &options.url {
            None => Self::open(path, options, clock),
            #[cfg(feature = "postgres")]
            Some(url) => {
                let store = PgStore::connect(url, &PgOptions::from(options)).await?;
                Ok(Self::new(Arc::new(store), EventBus::new(options.bus_capacity), clock))
            }
            #[cfg(not(feature = "postgres"))]
            Some(_) => Err(Error::Unsupported {
                what: "`[store] url`",
                instead: "this build keeps its log in a file only: build it with the feature `postgres`, or remove the key".to_owned(),
            }),
        }
    }

    /// A log that ends with the program. It works on the caller's thread, so that tests on a paused clock stay exact.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn open_in_memory(clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Ok(Self::new(Arc::new(SqliteStore::open_in_memory()?), EventBus::new(MEMORY_BUS_CAPACITY), clock))
    }

    /// A log over `store`, which publishes on `bus`.
    pub fn new(store: Arc<dyn TaskStore>, bus: EventBus, clock: Arc<dyn Clock>) -> Self {
        let target = bus.clone();
        store.on_commit(Arc::new(move |events| target.publish_all(events)));
        Self { store, bus, clock }
    }

    /// Where stored and ephemeral events of this process are published.
    pub fn bus(&self) -> &EventBus {
        &self.bus
    }

    /// A reader of what is published from now on, see [`EventBus::subscribe`].
    pub fn subscribe(&self) -> Subscription {
        self.bus.subscribe()
    }

    /// The log's own identity, a UUID made with the file: a position is only good with it.
    pub fn epoch(&self) -> &str {
        self.store.epoch()
    }

    /// The position of the last event; 0 while there is none.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn head(&self) -> Result<Seq, Error> {
        self.store.head().await
    }

    /// The version of a stream's last event; 0 while there is none.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn version(&self, stream: StreamId) -> Result<u64, Error> {
        self.store.version(stream).await
    }

    /// Like [`Recorder::record`], but only if `stream` still stands at `version`.
    ///
    /// # Errors
    /// [`Error::Conflict`] when somebody appended to the stream meanwhile; others when the log cannot be written.
    pub async fn record_at(&self, events: Vec<NewEvent>, stream: StreamId, version: u64) -> Result<Vec<Arc<Event>>, Error> {
        self.commit(events, Terms { expected: vec![(stream, version)], ..Terms::default() }).await
    }

    /// Like [`Recorder::record`], on terms and with changes of working rows, all in one transaction.
    ///
    /// # Errors
    /// Those of [`EventStore::append`]; nothing was written then.
    pub async fn commit(&self, events: Vec<NewEvent>, terms: Terms) -> Result<Vec<Arc<Event>>, Error> {
        self.append(events, terms).await
    }

    /// Tasks, queues, blobs and leases beside the log.
    pub fn tasks(&self) -> &Arc<dyn TaskStore> {
        &self.store
    }

    /// The time of this log's clock.
    pub fn now(&self) -> crate::domain::clock::Instant {
        self.clock.now()
    }

    /// All stored events after the position `after` that `filter` wants, then those that come, of this process and of
    /// others, with neither gap nor repeat. `filter.upto` ends the stream; `limit`, `newest` and `filter.after` do not
    /// count. Ends with the log. If the log cannot be read for some time, the last item is an `error` event.
    pub fn follow(&self, filter: EventFilter, after: Seq) -> BoxStream<'static, Arc<Event>> {
        self.follow_with(filter, after, Live::Stored)
    }

    /// Like [`follow`](Self::follow), with the ephemeral events of this process among the live ones.
    pub fn follow_all(&self, filter: EventFilter, after: Seq) -> BoxStream<'static, Arc<Event>> {
        self.follow_with(filter, after, Live::All)
    }

    /// Tells each time somebody wrote to the log or to what lies beside it; `None` where nobody tells.
    pub fn writes(&self) -> Option<BoxStream<'static, ()>> {
        self.store.writes()
    }

    /// Makes the projections anew from the events.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub async fn rebuild(&self) -> Result<(), Error> {
        self.store.rebuild().await
    }

    /// Writes what was asked, closes the file and ends all readers of the bus.
    pub async fn shutdown(&self) {
        self.store.shutdown().await;
        self.bus.close();
    }

    fn follow_with(&self, filter: EventFilter, after: Seq, live: Live) -> BoxStream<'static, Arc<Event>> {
        Follow::new(Arc::clone(&self.store) as Arc<dyn EventStore>, self.bus.subscribe(), Arc::clone(&self.clock), filter, after, live)
            .into_stream()
    }

    fn append(&self, events: Vec<NewEvent>, terms: Terms) -> BoxFuture<'static, Result<Vec<Arc<Event>>, Error>> {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        async move {
            let at = clock.now();
            let events = events.into_iter().map(|event| Stamped { id: EventId::generate(), at, event }).collect();
            let Terms { expected, fences, ops } = terms;
            store.append(Batch { events, expected, fences, ops }).await
        }
        .boxed()
    }
}

impl Recorder for EventLog {
    fn record(&self, events: Vec<NewEvent>) -> BoxFuture<'static, Result<Vec<Arc<Event>>, RecordError>> {
        let appended = self.append(events, Terms::default());
        async move { appended.await.map_err(|error| RecordError { reason: error.report() }) }.boxed()
    }

    fn emit(&self, event: NewEvent) {
        let event = Event { seq: None, id: EventId::generate(), at: self.clock.now(), session: event.session, body: event.body };
        self.bus.publish(Arc::new(event));
    }
}

impl EventReader for EventLog {
    fn sessions(&self, search: Option<String>, limit: usize) -> Answer<'_, Vec<SessionSummary>> {
        answer(self.store.sessions(search, limit))
    }

    fn events(&self, filter: EventFilter) -> Answer<'_, Vec<Arc<Event>>> {
        answer(self.store.events(filter))
    }

    fn session_events(&self, session: SessionId) -> Answer<'_, Vec<Arc<Event>>> {
        answer(self.store.session_events(session))
    }

    fn session_page(&self, page: SessionPage) -> Answer<'_, SessionPart> {
        answer(self.store.session_page(page))
    }
}

fn answer<T: Send + 'static>(asked: BoxFuture<'static, Result<T, Error>>) -> Answer<'static, T> {
    async move { asked.await.map_err(|error| QueryError(error.report())) }.boxed()
}
