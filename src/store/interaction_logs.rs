//! The table `interaction_logs`, through which records go to a coordinator where both reach one database.
//!
//! A reporter inserts rows ([`Exchange::insert`]) and later asks what became of them ([`Exchange::settled`]). A coordinator
//! takes the oldest ([`Exchange::poll`]), stores them, and only then marks them as processed ([`Page::done`]). A row is
//! known by its `record_id`: inserting it again changes nothing.
//!
//! The columns `record_id` and `problem` are added to a table that others made. Rows without a `record_id` are theirs.

#[cfg(feature = "mysql")]
mod mysql;
mod place;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
#[cfg(test)]
mod tests;

#[cfg(any(feature = "postgres", feature = "mysql"))]
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub use place::{ExchangeUrl, Kind};

use crate::store::Cause;

/// Rows that one poll takes at most.
pub const PAGE_MAX: usize = 1_000;

/// Rows that one insert writes at once at most.
pub const INSERT_MAX: usize = 1_000;

/// The longest text of a problem that is kept with a row, in characters.
const PROBLEM_CHARS_MAX: usize = 500;

/// Why the table could not be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The address is none, or this build cannot reach such a database.
    #[error("{0}")]
    Config(String),
    /// The database does not answer, or cannot do it now.
    #[error("the database `{place}` does not answer")]
    Away {
        /// Where, without the password.
        place: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The database refuses.
    #[error("could not {doing} the table `interaction_logs` in `{place}`")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// Where, without the password.
        place: String,
        /// Why.
        #[source]
        source: Cause,
    },
}

impl Error {
    /// Whether the same may go well a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Away { .. })
    }

    /// This error with all its causes, in one line.
    pub fn report(&self) -> String {
        crate::domain::text::with_causes(self)
    }
}

/// A record on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The same id again is the same record.
    pub record_id: String,
    /// Who reports.
    pub mcp_id: String,
    /// What it belongs to.
    pub interaction_id: String,
    /// When it happened, in Unix seconds.
    pub timestamp: f64,
    /// The whole record as JSON.
    pub data: String,
}

/// A row that waits for the coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number in the table.
    pub id: i64,
    /// What it belongs to.
    pub interaction_id: String,
    /// Its `record_id`; none where the reporter knows of no such thing.
    pub record_id: Option<String>,
    /// The record as JSON, unchecked.
    pub data: String,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The coordinator has marked it.
    Processed,
    /// It still waits.
    Waiting,
    /// It is not there.
    Missing,
}

/// The table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Exchange(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Sqlite(sqlite::Table),
    #[cfg(feature = "postgres")]
    Postgres(Arc<postgres::Table>),
    #[cfg(feature = "mysql")]
    Mysql(Arc<mysql::Table>),
}

impl Exchange {
    /// The table at `url`. Connects, and makes the table or its missing columns, with the first use.
    ///
    /// # Errors
    /// [`Error::Config`] where the address is none, or this build was made without that kind of database.
    pub fn new(url: &ExchangeUrl) -> Result<Self, Error> {
        let backend = match url.kind()? {
            Kind::Sqlite(path) => Backend::Sqlite(sqlite::Table::new(path)),
            #[cfg(feature = "postgres")]
            Kind::Postgres(url) => Backend::Postgres(Arc::new(postgres::Table::new(url))),
            #[cfg(feature = "mysql")]
            Kind::Mysql(address) => Backend::Mysql(Arc::new(mysql::Table::new(&address, url.to_string())?)),
            #[cfg(not(all(feature = "postgres", feature = "mysql")))]
            other => {
                let name = other.name();
                return Err(Error::Config(format!(
                    "`{url}` is a {name} database, and this build knows none: build with the feature `{name}`, or name a SQLite file"
                )));
            }
        };
        Ok(Self(backend))
    }

    /// Whether the database can be reached and the table used.
    ///
    /// # Errors
    /// When not.
    pub async fn probe(&self) -> Result<(), Error> {
        match &self.0 {
            Backend::Sqlite(table) => table.settled(Vec::new()).await.map(drop),
            #[cfg(feature = "postgres")]
            Backend::Postgres(table) => table.settled(&[]).await.map(drop),
            #[cfg(feature = "mysql")]
            Backend::Mysql(table) => table.settled(&[]).await.map(drop),
        }
    }

    /// Inserts rows that are not there yet, all or none, in one transaction. More than [`INSERT_MAX`] go in several.
    ///
    /// # Errors
    /// When it is not known whether all are there: insert them again.
    pub async fn insert(&self, rows: &[Row]) -> Result<(), Error> {
        for part in rows.chunks(INSERT_MAX) {
            match &self.0 {
                Backend::Sqlite(table) => table.insert(part.to_vec()).await?,
                #[cfg(feature = "postgres")]
                Backend::Postgres(table) => table.insert(part).await?,
                #[cfg(feature = "mysql")]
                Backend::Mysql(table) => table.insert(part).await?,
            }
        }
        Ok(())
    }

    /// What became of rows, in the order of their `record_ids`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn settled(&self, record_ids: &[String]) -> Result<Vec<Fate>, Error> {
        let found = match &self.0 {
            Backend::Sqlite(table) => table.settled(record_ids.to_vec()).await?,
            #[cfg(feature = "postgres")]
            Backend::Postgres(table) => table.settled(record_ids).await?,
            #[cfg(feature = "mysql")]
            Backend::Mysql(table) => table.settled(record_ids).await?,
        };
        let fate = |id: &String| found.get(id).map_or(Fate::Missing, |processed| if *processed { Fate::Processed } else { Fate::Waiting });
        Ok(record_ids.iter().map(fate).collect())
    }

    /// The oldest rows that wait, at most `limit` and [`PAGE_MAX`]. In PostgreSQL and MySQL they are locked until the page
    /// is done or dropped, and rows that another coordinator has locked are passed over, together with what follows them in
    /// their interaction: it comes when they are done.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn poll(&self, limit: usize) -> Result<Page, Error> {
        let limit = limit.min(PAGE_MAX);
        match &self.0 {
            Backend::Sqlite(table) => {
                let rows = table.poll(limit).await?;
                Ok(Page { rows, claim: Claim::Sqlite(table.clone()) })
            }
            #[cfg(feature = "postgres")]
            Backend::Postgres(table) => {
                let (rows, claim) = table.poll(limit).await?;
                Ok(Page { rows, claim: Claim::Postgres(claim) })
            }
            #[cfg(feature = "mysql")]
            Backend::Mysql(table) => {
                let (rows, claim) = table.poll(limit).await?;
                Ok(Page { rows, claim: Claim::Mysql(Box::new(claim)) })
            }
        }
    }

    /// Deletes up to `limit` processed rows that happened before `before` (Unix seconds); says how many.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn purge(&self, before: f64, limit: usize) -> Result<usize, Error> {
        match &self.0 {
            Backend::Sqlite(table) => table.purge(before, limit).await,
            #[cfg(feature = "postgres")]
            Backend::Postgres(table) => table.purge(before, limit).await,
            #[cfg(feature = "mysql")]
            Backend::Mysql(table) => table.purge(before, limit).await,
        }
    }
}

/// Those of `rows` before which nothing of their interaction waits elsewhere. `all` are the rows that wait up to the last of
/// them, locked by whomever, in their order.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn in_order(rows: Vec<Waiting>, all: &[(i64, String)]) -> Vec<Waiting> {
    let mine: HashSet<i64> = rows.iter().map(|row| row.id).collect();
    // The first row of each interaction that somebody else has.
    let mut barred: HashMap<&str, i64> = HashMap::new();
    for (id, interaction) in all.iter().filter(|(id, _)| !mine.contains(id)) {
        barred.entry(interaction).or_insert(*id);
    }
    rows.into_iter().filter(|row| barred.get(row.interaction_id.as_str()).is_none_or(|first| row.id < *first)).collect()
}

/// Rows that a coordinator has taken. Dropped without [`Page::done`], they wait as before.
#[derive(Debug)]
pub struct Page {
    /// The rows, the oldest first.
    pub rows: Vec<Waiting>,
    claim: Claim,
}

#[derive(Debug)]
enum Claim {
    Sqlite(sqlite::Table),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Claim),
    #[cfg(feature = "mysql")]
    Mysql(Box<mysql::Claim>),
}

impl Page {
    /// Marks rows as processed, after the coordinator's store has them, and those that are no records with what is wrong
    /// with them: these are not polled again.
    ///
    /// # Errors
    /// When they could not be marked: they come again.
    pub async fn done(self, processed: Vec<i64>, problems: Vec<(i64, String)>) -> Result<(), Error> {
        let cut = |text: String| crate::domain::text::ellipsis(&text, PROBLEM_CHARS_MAX).replace('\0', " ");
        let problems: Vec<(i64, String)> = problems.into_iter().map(|(id, text)| (id, cut(text))).collect();
        match self.claim {
            Claim::Sqlite(table) => table.mark(processed, problems).await,
            #[cfg(feature = "postgres")]
            Claim::Postgres(claim) => claim.mark(processed, problems).await,
            #[cfg(feature = "mysql")]
            Claim::Mysql(claim) => claim.mark(processed, problems).await,
        }
    }
}

fn away(place: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Away { place: place.to_owned(), source: Arc::new(source) }
}

fn failed(doing: &'static str, place: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Failed { doing, place: place.to_owned(), source: Arc::new(source) }
}
