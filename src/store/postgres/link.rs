//! One connection: its settings, its prepared statements, and what its failures mean to a person.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::domain::ids::Seq;
use crate::store::Error;
use crate::store::postgres::address::Address;

/// How long a whole try to connect may take beyond the patience, over all addresses of all hosts.
const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// The server ends a transaction that its client leaves alone for so long, so that a frozen process does not hold up
/// all others.
const IDLE_IN_TRANSACTION_MS: u32 = 10_000;

/// How long a quiet connection may be dead before somebody notices.
pub(super) const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// Notifications that may wait for their reader; more are dropped, since each only says "look".
const NEWS_MAX: usize = 64;

/// What can go wrong with a connection.
#[derive(Debug)]
pub(super) enum Failure {
    /// In the database, or on the way to it.
    Sql(tokio_postgres::Error),
    /// No answer in time.
    Late(Duration),
    /// In what was stored.
    Unreadable {
        /// Which event.
        seq: Seq,
        /// Why.
        source: serde_json::Error,
    },
    /// A stored row has not the shape that it should have.
    Row {
        /// Which table.
        table: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// Around it.
    Other(Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Failure {
    /// Whether the connection is gone: what was asked on it may be asked again on another one.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Late(_) => true,
            Self::Sql(error) => is_lost(error),
            Self::Unreadable { .. } | Self::Row { .. } | Self::Other(_) => false,
        }
    }
}

pub(super) fn is_lost(error: &tokio_postgres::Error) -> bool {
    if let Some(code) = error.code() {
        return code.code().starts_with("08")
            || [
                SqlState::ADMIN_SHUTDOWN,
                SqlState::CRASH_SHUTDOWN,
                SqlState::CANNOT_CONNECT_NOW,
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            ]
            .contains(code);
    }
    if is_about_encryption(error) {
        return false;
    }
    let on_the_way = std::error::Error::source(error).is_some_and(|cause| cause.downcast_ref::<std::io::Error>().is_some());
    error.is_closed() || on_the_way
}

/// Whether the connection failed over encryption: trying again does not help.
fn is_about_encryption(error: &tokio_postgres::Error) -> bool {
    let Some(cause) = std::error::Error::source(error) else { return false };
    let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let by_rustls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some();
    // The crate has no type for this one.
    by_rustls || cause.to_string() == "server does not support TLS"
}

/// How to reach the database.
pub(super) struct Dial {
    pub(super) address: Address,
    pub(super) tls: MakeRustlsConnect,
    /// How long to wait for others' locks, and for a database that is away.
    pub(super) patience: Duration,
}

impl Dial {
    /// Opens a connection; tells `news` of notifications.
    pub(super) async fn open(&self, news: Option<mpsc::Sender<()>>) -> Result<Link, Failure> {
        let mut config = self.address.config.clone();
        config.keepalives_idle(KEEPALIVE_IDLE);
        let opening = async {
            let (client, connection) = config.connect(self.tls.clone()).await?;
            let driver = tokio::spawn(drive(connection, news));
            let link = Link { client, statements: Mutex::default(), driver };
            link.simple(&self.settings()).await?;
            Ok(link)
        };
        let limit = self.patience + DIAL_LIMIT;
        tokio::time::timeout(limit, opening).await.unwrap_or(Err(Failure::Late(limit)))
    }

    /// Opens a connection; waits until `deadline` for a database that is away.
    pub(super) async fn open_by(&self, deadline: tokio::time::Instant) -> Result<Link, Error> {
        let mut backoff = Backoff::default();
        loop {
            let failure = match self.open(None).await {
                Ok(link) => return Ok(link),
                Err(failure) => failure,
            };
            let error = self.explain("open", failure);
            let wait = backoff.next();
            if !error.is_transient() || tokio::time::Instant::now() + wait > deadline {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn settings(&self) -> String {
        // `synchronous_commit`: an answer means that it is on disk, whatever the server's default.
        format!(
            "SET search_path TO {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS};
             SET client_min_messages = warning; SET jit = off;
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
            self.address.quoted_schema(),
            self.patience.as_millis().clamp(1, 1 << 30),
        )
    }

    /// What `failure` means, met while `doing` something to the log.
    pub(super) fn explain(&self, doing: &'static str, failure: Failure) -> Error {
        let place = self.address.place.clone();
        let error = match failure {
            Failure::Other(error) => return error,
            Failure::Late(limit) => {
                let source = std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs()));
                return Error::Away { place, source: Arc::new(source) };
            }
            Failure::Unreadable { seq, source } => {
                return Error::Unreadable { path: place.into(), seq, source: Arc::new(source) };
            }
            Failure::Row { table, source } => {
                let source = std::io::Error::new(std::io::ErrorKind::InvalidData, format!("a row of `{table}`: {source}"));
                return Error::Database { doing, place, source: Arc::new(source) };
            }
            Failure::Sql(error) => error,
        };
        let code = error.code().cloned();
        let class = code.as_ref().map(|code| code.code().get(..2).unwrap_or_default().to_owned()).unwrap_or_default();
        match code {
            _ if is_about_encryption(&error) => Error::Unsafe { place, source: Arc::new(error) },
            _ if is_lost(&error) => Error::Away { place, source: Arc::new(error) },
            Some(SqlState::DISK_FULL) => Error::Full { path: place.into(), source: Arc::new(error) },
            Some(SqlState::LOCK_NOT_AVAILABLE) => Error::Busy { path: place.into(), waited: self.patience },
            Some(_) if class == "40" || class == "53" => Error::Away { place, source: Arc::new(error) },
            Some(SqlState::INSUFFICIENT_PRIVILEGE | SqlState::INVALID_CATALOG_NAME) => Error::Refused { place, source: Arc::new(error) },
            Some(_) if class == "28" => Error::Refused { place, source: Arc::new(error) },
            _ => Error::Database { doing, place, source: Arc::new(error) },
        }
    }
}

/// Keeps the connection going until it ends.
pub(super) async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, news: Option<mpsc::Sender<()>>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        match std::future::poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(_))) => {
                if let Some(news) = &news {
                    let _full_is_enough = news.try_send(());
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}

/// A channel for notifications, large enough for its purpose.
pub(super) fn news() -> (mpsc::Sender<()>, mpsc::Receiver<()>) {
    mpsc::channel(NEWS_MAX)
}

/// Waits between tries: 50 ms, twice that each time, at most 2 s.
#[derive(Debug, Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    pub(super) fn next(&mut self) -> Duration {
        let wait = Duration::from_millis(50) * 2_u32.pow(self.0.min(6));
        self.0 += 1;
        wait.min(Duration::from_secs(2))
    }
}

/// An open connection.
pub(super) struct Link {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    driver: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        // What was sent is of no more use; the server ends an open transaction.
        self.driver.abort();
    }
}

pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Link {
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs SQL without parameters; several statements may follow each other.
    pub(super) async fn simple(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(sql).await?)
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, Failure> {
        let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).insert(sql, statement.clone());
        Ok(statement)
    }

    fn knows(&self, sql: &'static str) -> bool {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).contains_key(sql)
    }

    pub(super) async fn query(&self, sql: &'static str, values: Values<'_>) -> Result<Vec<Row>, Failure> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query(&statement, values).await?)
    }

    /// The first row, if there is one.
    pub(super) async fn first(&self, sql: &'static str, values: Values<'_>) -> Result<Option<Row>, Failure> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    pub(super) async fn execute(&self, sql: &'static str, values: Values<'_>) -> Result<u64, Failure> {
        let statement = self.statement(sql).await?;
        Ok(self.client.execute(&statement, values).await?)
    }

    /// Sends questions one after the other without waiting for each answer.
    pub(super) fn pipeline(&self) -> Pipeline<'_> {
        Pipeline { link: self, sent: Vec::new() }
    }
}

/// A value that a statement takes along.
pub(super) type Value = Box<dyn ToSql + Sync + Send>;

/// The values of one statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as $crate::store::postgres::link::Value),*] };
}
pub(super) use values;

/// Statements on their way. The server does them in the order in which they were sent.
pub(super) struct Pipeline<'l> {
    link: &'l Link,
    sent: Vec<Sent<'l>>,
}

enum Sent<'l> {
    Waits(BoxFuture<'l, Result<Vec<Row>, Failure>>),
    Answered(Result<Vec<Row>, Failure>),
}

impl Pipeline<'_> {
    /// Sends a statement. Waits only where it is new to this connection.
    pub(super) async fn send(&mut self, sql: &'static str, values: Vec<Value>) {
        if !self.link.knows(sql) {
            // An answer that nobody reads holds up the connection as soon as it is longer than a few packets (the
            // client's channel for it is bounded), and with it the answer that is waited for here: for ever.
            self.settle().await;
        }
        let statement = match self.link.statement(sql).await {
            Ok(statement) => statement,
            Err(failure) => return self.sent.push(Sent::Answered(Err(failure))),
        };
        let client = &self.link.client;
        let mut waits: BoxFuture<'_, _> = Box::pin(async move {
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
            Ok(client.query(&statement, &values).await?)
        });
        // The first poll is what sends it.
        let polled = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut waits).poll(context))).await;
        self.sent.push(match polled {
            Poll::Ready(answer) => Sent::Answered(answer),
            Poll::Pending => Sent::Waits(waits),
        });
    }

    /// Waits for the answers of all that was sent.
    async fn settle(&mut self) {
        for sent in &mut self.sent {
            if let Sent::Waits(waits) = sent {
                let answer = waits.await;
                *sent = Sent::Answered(answer);
            }
        }
    }

    /// The answers, in order.
    ///
    /// # Errors
    /// The first failure: those after it follow from it.
    pub(super) async fn finish(self) -> Result<Vec<Vec<Row>>, Failure> {
        let mut out = Vec::with_capacity(self.sent.len());
        let mut failed = None;
        for sent in self.sent {
            let answer = match sent {
                Sent::Waits(waits) => waits.await,
                Sent::Answered(answer) => answer,
            };
            match answer {
                Ok(rows) => out.push(rows),
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        failed.map_or(Ok(out), Err)
    }
}
