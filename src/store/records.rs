//! The coordinator's records, each once by its `record_id`: in a file of their own, or in PostgreSQL.
//!
//! One writer takes what waits and commits it together; it answers once that is on disk (`SQLite` with FULL sync,
//! PostgreSQL with its own). Reading goes past the writer. The keys of reporters lie beside the records, as hashes only.

mod figures;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::Value;

use crate::domain::clock::Instant;
use crate::domain::interaction::{Action, InteractionRecord};
use crate::domain::reports::{KeyInfo, RecordPage, RecordQuery, Statistics, Window};
use crate::domain::text::{clean_line, ellipsis};
use crate::store::{Error, StoreUrl};

pub(in crate::store) use sqlite::make_private;

/// Puts that may wait; more wait at the door.
const QUEUE_MAX: usize = 256;

/// Records that are committed together, about: a put is never divided.
const GROUP_RECORDS_MAX: usize = 20_000;

/// The longest name of an adapter that is kept, in characters.
const ADAPTER_CHARS_MAX: usize = 200;

/// Keys that there may be.
pub const KEYS_MAX: usize = 10_000;

/// A record, ready to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The same id again is the same record.
    pub record_id: String,
    /// Who reports.
    pub mcp_id: String,
    /// What it belongs to.
    pub interaction_id: String,
    /// What it tells.
    pub action: Action,
    /// When it happened, in Unix seconds.
    pub timestamp: f64,
    /// `adapter_used` of its payload.
    pub adapter: Option<String>,
    /// `processing_time` of its payload, in seconds.
    pub processing_time: Option<f64>,
    /// Whether the interaction failed by it: an error, or an end without success.
    pub is_failure: bool,
    /// The whole record as JSON.
    pub data: String,
}

impl Record {
    /// Of a record that was checked, and its text: `data` as it came, or made anew.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds until the year 9999 fit into the 53 bits of a double")]
    pub fn new(record: &InteractionRecord, data: Option<String>) -> Self {
        let adapter = record.payload.get("adapter_used").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
        let time = record.payload.get("processing_time").and_then(Value::as_f64);
        let failed = record.action == Action::Complete && record.payload.get("success").and_then(Value::as_bool) == Some(false);
        Self {
            record_id: record.record_id.to_string(),
            mcp_id: record.mcp_id.clone(),
            interaction_id: record.interaction_id.to_string(),
            action: record.action,
            timestamp: record.timestamp.as_millis() as f64 / 1e3,
            adapter: adapter.map(|name| ellipsis(&clean_line(name), ADAPTER_CHARS_MAX).into_owned()),
            processing_time: time.filter(|time| time.is_finite() && *time >= 0.0),
            is_failure: failed || record.action == Action::Error,
            data: data.unwrap_or_else(|| record.to_json().to_string()),
        }
    }
}

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// What is shown of it.
    pub info: KeyInfo,
    /// SHA-256 of the whole key, in hexadecimal.
    pub hash: String,
}

/// The records. Cheap to clone; the writer ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct RecordStore(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Sqlite(sqlite::Records),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Records),
}

/// Asks whichever there is.
macro_rules! ask {
    ($self:ident, $records:ident => $ask:expr) => {
        match &$self.0 {
            Backend::Sqlite($records) => $ask.await,
            #[cfg(feature = "postgres")]
            Backend::Postgres($records) => $ask.await,
        }
    };
}

impl RecordStore {
    /// Opens or makes the file. Blocks for a moment.
    ///
    /// # Errors
    /// When it cannot be opened, or was made by a newer version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        sqlite::Records::open(path).map(|records| Self(Backend::Sqlite(records)))
    }

    /// Reaches the database at `url` and makes the tables: in the schema that the URL names, else in `wakeful_interactions`.
    ///
    /// # Errors
    /// When the URL is no good, or the database does not answer or refuses.
    #[cfg(feature = "postgres")]
    pub async fn connect(url: &StoreUrl) -> Result<Self, Error> {
        postgres::Records::connect(url).await.map(|records| Self(Backend::Postgres(records)))
    }

    /// This build knows no PostgreSQL.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "postgres"))]
    #[expect(clippy::unused_async, reason = "as with the feature")]
    pub async fn connect(_url: &StoreUrl) -> Result<Self, Error> {
        let instead = "this build was made without the feature `postgres`: name a file".to_owned();
        Err(Error::Unsupported { what: "interaction records in PostgreSQL", instead })
    }

    /// Stores those that are not there yet; answers once they are on disk, with how many were new.
    ///
    /// # Errors
    /// When they cannot be written, or it is not known whether they were: put them again.
    pub async fn put(&self, records: Vec<Record>, at: Instant) -> Result<usize, Error> {
        ask!(self, store => store.put(records, at))
    }

    /// How many there are.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn count(&self) -> Result<u64, Error> {
        ask!(self, store => store.count())
    }

    /// Some of them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn page(&self, query: RecordQuery) -> Result<RecordPage, Error> {
        ask!(self, store => store.page(query))
    }

    /// What they come to in a window of time.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn statistics(&self, window: Window) -> Result<Statistics, Error> {
        ask!(self, store => store.statistics(window))
    }

    /// Deletes up to `limit` of the oldest that came before `before`; says how many.
    ///
    /// # Errors
    /// When they cannot be deleted.
    pub async fn purge(&self, before: Instant, limit: usize) -> Result<usize, Error> {
        ask!(self, store => store.purge(before, limit))
    }

    /// All keys, also revoked ones.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn keys(&self) -> Result<Vec<StoredKey>, Error> {
        ask!(self, store => store.keys())
    }

    /// Keeps a key.
    ///
    /// # Errors
    /// When it cannot be written, or there are [`KEYS_MAX`] already.
    pub async fn add_key(&self, key: StoredKey) -> Result<(), Error> {
        if self.keys().await?.len() >= KEYS_MAX {
            return Err(Error::QueueFull { what: "keys", limit: KEYS_MAX });
        }
        ask!(self, store => store.add_key(key))
    }

    /// Revokes the keys that are not revoked yet and have this prefix, or are for this `mcp_id`; says how many.
    ///
    /// # Errors
    /// When that cannot be written.
    pub async fn revoke_keys(&self, named: String, at: Instant) -> Result<usize, Error> {
        ask!(self, store => store.revoke_keys(named, at))
    }
}
