//! The table by which reports reach a coordinator that shares a database: `interaction_logs`, in a file of `SQLite`, in
//! PostgreSQL, or in MySQL and MariaDB.
//!
//! The reporter inserts, the coordinator polls `processed = FALSE` and sets it after its own store's commit. A record is
//! in the table once: `record_id` is unique. What has been confirmed for some days is removed by whoever inserted it.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;

/// The table.
pub const TABLE: &str = "interaction_logs";

/// How long one question to the database may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Confirmed rows that one cleaning removes at most.
const CLEAN_MAX: usize = 1_000;

/// A record in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
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

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The coordinator has set `processed`.
    Processed,
    /// It waits for the coordinator.
    Waiting,
    /// There is no such row.
    Missing,
}

/// Why the table could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address or this build cannot work. Holds no secret.
    #[error("{0}")]
    Config(String),
    /// The database refuses user or password.
    #[error("the database refuses the login: {0}")]
    Login(String),
    /// It does not answer, or cannot do what was asked.
    #[error("the database cannot be used: {0}")]
    Failed(String),
}

/// The table, wherever it is. Makes it where it is missing; connects at the first use and again when the connection is lost.
pub trait Exchange: Send + Sync {
    /// Whether it can be read and written.
    fn check(&self) -> BoxFuture<'_, Result<(), Error>>;

    /// Puts entries in, all or none; those that are there already stay as they are.
    fn insert<'a>(&'a self, entries: &'a [Entry]) -> BoxFuture<'a, Result<(), Error>>;

    /// How far the coordinator has come with these, in their order.
    fn progress<'a>(&'a self, record_ids: &'a [String]) -> BoxFuture<'a, Result<Vec<Progress>, Error>>;

    /// Removes entries of `mcp_id` that are processed and happened before `before` (Unix seconds). How many.
    fn clean<'a>(&'a self, mcp_id: &'a str, before: f64) -> BoxFuture<'a, Result<u64, Error>>;
}

/// The table at `url`: `sqlite:///PATH` (or a plain path), `postgres://…`, `mysql://…`, `mariadb://…`. Connects to nothing yet.
///
/// # Errors
/// When the address is of no known kind, or this build does not know that kind.
pub fn open(url: &str) -> Result<Box<dyn Exchange>, Error> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    match scheme.as_str() {
        "sqlite" => Ok(Box::new(sqlite::SqliteExchange::new(sqlite_path(url)))),
        "postgres" | "postgresql" => postgres(url),
        "mysql" | "mariadb" => mysql(url),
        _ if !url.contains("://") && !url.trim().is_empty() => Ok(Box::new(sqlite::SqliteExchange::new(PathBuf::from(url.trim())))),
        _ => Err(Error::Config(
            "`database_url` must begin with `sqlite:///`, `postgres://` or `mysql://`, or be the path of a file".to_owned(),
        )),
    }
}

/// `sqlite:///a/b` is `/a/b`, `sqlite://a/b` and `sqlite:a/b` are relative.
fn sqlite_path(url: &str) -> PathBuf {
    let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
    PathBuf::from(rest.strip_prefix("//").unwrap_or(rest))
}

#[cfg(feature = "postgres")]
fn postgres(url: &str) -> Result<Box<dyn Exchange>, Error> {
    Ok(Box::new(postgres::PgExchange::new(url)?))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str) -> Result<Box<dyn Exchange>, Error> {
    Err(missing("PostgreSQL", "postgres"))
}

#[cfg(feature = "mysql")]
fn mysql(url: &str) -> Result<Box<dyn Exchange>, Error> {
    Ok(Box::new(mysql::MyExchange::new(url)?))
}

#[cfg(not(feature = "mysql"))]
fn mysql(_: &str) -> Result<Box<dyn Exchange>, Error> {
    Err(missing("MySQL and MariaDB", "mysql"))
}

#[cfg(not(all(feature = "postgres", feature = "mysql")))]
fn missing(what: &str, feature: &str) -> Error {
    Error::Config(format!("`database_url`: this build knows no {what}: build it with the feature `{feature}`, or name a file"))
}

#[cfg(test)]
mod tests;
