//! The store that several machines share: one PostgreSQL database.
//!
//! Appends go through one connection that takes what waits into one transaction (group commit), under an advisory lock
//! that everybody who appends holds until the commit: positions have no gaps, and who sees one sees all before it.
//! Questions and claims have a small pool of connections of their own. Claims skip what others are claiming
//! (`FOR UPDATE SKIP LOCKED`) and go by the database's clock, so that machines whose clocks differ agree on leases.
//! While the database is away, everything waits for a moment and then fails with an error that is transient.
//!
//! The connection must be the server's own or a pooler's in session mode: it keeps settings, prepared statements and
//! `LISTEN`.

mod address;
mod claims;
mod group;
mod link;
mod pages;
mod pool;
mod projections;
mod read;
mod schema;
pub(in crate::store) mod side;
mod tasks;
#[cfg(test)]
pub(in crate::store) mod tests;
mod tls;
mod watch;
mod write;
mod writer;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;

use crate::domain::clock::Instant;
use crate::domain::event::Event;
use crate::domain::ids::{Seq, SessionId, StreamId};
use crate::domain::query::{EventFilter, SessionPage, SessionPart, SessionSummary};
use crate::store::postgres::address::Address;
use crate::store::postgres::group::Prepared;
use crate::store::postgres::link::{Dial, Failure, Link};
use crate::store::postgres::pool::Pool;
use crate::store::postgres::watch::Watchers;
use crate::store::postgres::writer::{Plan, Writer};
use crate::store::upcast::{STANDARD, Upcasters};
use crate::store::{Batch, CommitListener, Error, EventStore, Options, StoreFuture, StoreUrl};

/// Whose time leases and due times go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PgClock {
    /// The database's, so that machines whose clocks differ agree.
    #[default]
    Database,
    /// The times that are passed in: for tests, which move time themselves.
    Given,
}

/// What can be set about the store on PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgOptions {
    /// Whose time counts.
    pub clock: PgClock,
    /// How long to wait for others' locks, and for a database that is away. Default: 5 s.
    pub patience: Duration,
    /// Appends that may wait for the database before the next one has to wait itself. Default: 1024.
    pub queue: usize,
}

impl Default for PgOptions {
    fn default() -> Self {
        Self::from(&Options::default())
    }
}

impl From<&Options> for PgOptions {
    fn from(options: &Options) -> Self {
        Self { clock: PgClock::Database, patience: options.busy_timeout(), queue: options.queue }
    }
}

/// The store on PostgreSQL. Cheap to clone.
#[derive(Clone)]
pub struct PgStore(Arc<Inner>);

struct Inner {
    dial: Arc<Dial>,
    epoch: String,
    clock: PgClock,
    upcasters: Upcasters,
    listener: Arc<OnceLock<CommitListener>>,
    /// Where new heads are announced.
    channel: String,
    writer: Writer,
    pool: Pool,
    watchers: Watchers,
    closed: CancellationToken,
}

impl PgStore {
    /// Reaches the database and makes or updates the tables. Works on the present runtime, which must outlive the store.
    ///
    /// # Errors
    /// When the URL is no good, the database does not answer or refuses, the schema holds something else or was made by
    /// a newer version.
    pub async fn connect(url: &StoreUrl, options: &PgOptions) -> Result<Self, Error> {
        Self::connect_with(url, options, STANDARD).await
    }

    /// Like [`connect`](Self::connect), with a table of upcasters of one's own.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect).
    pub async fn connect_with(url: &StoreUrl, options: &PgOptions, upcasters: Upcasters) -> Result<Self, Error> {
        let address = Address::new(url)?;
        let tls = tls::connector(&address.tls)?;
        let dial = Arc::new(Dial { address, tls, patience: options.patience });
        let link = dial.open_by(tokio::time::Instant::now() + options.patience).await?;
        let epoch = schema::prepare(&link, &dial.address).await.map_err(|failure| dial.explain("open", failure))?;
        let channel = format!("wakeful_{epoch}");
        let listener = Arc::new(OnceLock::new());
        let plan =
            Plan { dial: Arc::clone(&dial), upcasters, listener: Arc::clone(&listener), channel: channel.clone(), queue: options.queue };
        Ok(Self(Arc::new(Inner {
            epoch,
            clock: options.clock,
            upcasters,
            listener,
            channel,
            writer: Writer::start(plan, link),
            pool: Pool::new(Arc::clone(&dial)),
            watchers: Watchers::default(),
            closed: CancellationToken::new(),
            dial,
        })))
    }

    fn inner(&self) -> &Inner {
        &self.0
    }

    /// The time to pass to the database: none where its own counts.
    fn given(&self, now: Instant) -> Option<i64> {
        match self.0.clock {
            PgClock::Database => None,
            PgClock::Given => Some(now.as_millis()),
        }
    }

    /// Does `work` on a connection of the pool.
    fn ask<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl for<'l> Fn(&'l Link) -> BoxFuture<'l, Result<T, Failure>> + Send + Sync + 'static,
    ) -> StoreFuture<T> {
        let this = self.clone();
        async move { this.0.pool.run(doing, work).await }.boxed()
    }
}

impl EventStore for PgStore {
    fn epoch(&self) -> &str {
        &self.0.epoch
    }

    fn on_commit(&self, listener: CommitListener) {
        let _second = self.0.listener.set(listener);
    }

    fn append(&self, batch: Batch) -> StoreFuture<Vec<Arc<Event>>> {
        let this = self.clone();
        async move {
            let prepared = Prepared::new(batch, this.0.upcasters, group::ready)?;
            if prepared.is_empty() {
                return Ok(Vec::new());
            }
            this.0.writer.append(prepared).await
        }
        .boxed()
    }

    fn events(&self, filter: EventFilter) -> StoreFuture<Vec<Arc<Event>>> {
        let upcasters = self.0.upcasters;
        self.ask("read events of", move |link| read::events(link, upcasters, filter.clone()).boxed())
    }

    fn session_events(&self, session: SessionId) -> StoreFuture<Vec<Arc<Event>>> {
        let upcasters = self.0.upcasters;
        self.ask("read a session of", move |link| read::session_events(link, upcasters, session.clone()).boxed())
    }

    fn session_page(&self, page: SessionPage) -> StoreFuture<SessionPart> {
        let upcasters = self.0.upcasters;
        self.ask("read a part of a session of", move |link| pages::session_page(link, upcasters, page.clone()).boxed())
    }

    fn sessions(&self, search: Option<String>, limit: usize) -> StoreFuture<Vec<SessionSummary>> {
        self.ask("list the sessions of", move |link| read::sessions(link, search.clone(), limit).boxed())
    }

    fn head(&self) -> StoreFuture<Seq> {
        self.ask("read", |link| read::head(link).boxed())
    }

    fn version(&self, stream: StreamId) -> StoreFuture<u64> {
        self.ask("read", move |link| read::version(link, stream.clone()).boxed())
    }

    fn heads(&self) -> BoxStream<'static, Result<Seq, Error>> {
        watch::heads(self.clone())
    }

    fn rebuild(&self) -> StoreFuture<()> {
        let this = self.clone();
        async move { this.0.writer.rebuild().await }.boxed()
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        let this = self.clone();
        async move {
            this.0.pool.shutdown();
            this.0.closed.cancel();
            this.0.writer.shutdown().await;
        }
        .boxed()
    }
}
