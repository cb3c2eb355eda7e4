//! What every way in goes through: one check, one bounded queue, one store.
//!
//! Records count against the queue from the moment they are read until they are on disk. Who can be told to come again
//! is told so where it is full ([`Intake::offer`]); a stream or a table simply waits ([`Intake::take`]).

mod keys;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use crate::domain::clock::Clock;
use crate::domain::interaction::{InteractionRecord, Malformed};
use crate::domain::reports::{Access, KeyInfo};
use crate::interactions::intake::keys::Keys;
use crate::store::records::{Record, RecordStore};
use crate::store::{Error, StoreUrl};

pub use keys::NewKey;

/// What one record costs of the queue at least, in KiB: so that many small ones are bounded too.
const RECORD_KIB_MIN: usize = 1;

/// Where the records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File(PathBuf),
    /// In PostgreSQL.
    Database(StoreUrl),
}

/// Why records were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too much waits for the disk already.
    #[error("the queue is full: send again in a second")]
    Full,
    /// More than the whole queue holds.
    #[error("these records are larger than the whole queue ([coordinator] queue_mib): send fewer at a time")]
    TooLarge,
    /// The key is missing or unknown.
    #[error("the API key is missing, unknown or revoked: `wakeful coordinator keys add` makes one")]
    Key,
    /// The store cannot do it now; one sentence with the causes.
    #[error("{0}")]
    Failed(String),
}

/// What somebody showed at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shown<'a> {
    /// A key, or what should be one.
    pub key: Option<&'a str>,
    /// Whether it was the owner's own token.
    pub is_owner: bool,
    /// Whether this machine alone can reach the door and nothing else is asked for there: enough while there are no keys.
    pub is_open: bool,
}

/// The intake. Opens the store with the first use.
pub struct Intake {
    place: Place,
    clock: Arc<dyn Clock>,
    queue: Semaphore,
    queue_kib: usize,
    store: OnceCell<RecordStore>,
    keys: Keys,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Intake {
    /// An intake into `place` whose queue holds `queue_kib` KiB.
    pub fn new(place: Place, queue_kib: usize, clock: Arc<dyn Clock>) -> Self {
        let queue_kib = queue_kib.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { place, clock, queue: Semaphore::new(queue_kib), queue_kib, store: OnceCell::new(), keys: Keys::default() }
    }

    /// The store, opened now if it was not yet.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn store(&self) -> Result<&RecordStore, Refusal> {
        let open = || async {
            match &self.place {
                Place::Database(url) => RecordStore::connect(url).await.map_err(|error| failed(&error)),
                Place::File(path) => {
                    let path = path.clone();
                    let opened = tokio::task::spawn_blocking(move || RecordStore::open(&path)).await;
                    opened.map_err(|error| Refusal::Failed(error.to_string()))?.map_err(|error| failed(&error))
                }
            }
        };
        self.store.get_or_try_init(open).await
    }

    /// The time here.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Stores records, each once; answers once they are on disk, with how many were new.
    ///
    /// # Errors
    /// [`Refusal::Full`] at once where the queue has no room; others when they could not be stored.
    pub async fn offer(&self, records: Vec<Record>) -> Result<usize, Refusal> {
        let size = self.size(&records)?;
        let place = self.queue.try_acquire_many(size).map_err(|_| Refusal::Full)?;
        self.put(records, place).await
    }

    /// The same, and waits where the queue has no room.
    ///
    /// # Errors
    /// When they could not be stored: nothing is known of any of them then.
    pub async fn take(&self, records: Vec<Record>) -> Result<usize, Refusal> {
        let size = self.size(&records)?;
        let place = self.queue.acquire_many(size).await.map_err(|_| Refusal::Full)?;
        self.put(records, place).await
    }

    /// How much of the queue they take, in KiB.
    fn size(&self, records: &[Record]) -> Result<u32, Refusal> {
        let kib: usize = records.iter().map(|record| RECORD_KIB_MIN.max(record.data.len().div_ceil(1_024))).sum();
        u32::try_from(kib).ok().filter(|_| kib <= self.queue_kib).ok_or(Refusal::TooLarge)
    }

    async fn put(&self, records: Vec<Record>, _place: SemaphorePermit<'_>) -> Result<usize, Refusal> {
        if records.is_empty() {
            return Ok(0);
        }
        self.store().await?.put(records, self.clock.now()).await.map_err(|error| failed(&error))
    }

    /// What whoever showed that may do.
    ///
    /// # Errors
    /// [`Refusal::Key`] where it may do nothing; [`Refusal::Failed`] where the keys cannot be read.
    pub async fn admit(&self, shown: Shown<'_>) -> Result<Access, Refusal> {
        if shown.is_owner {
            return Ok(Access::All);
        }
        let store = self.store().await?;
        if shown.is_open && !self.keys.are_there(store).await? {
            return Ok(Access::All);
        }
        self.keys.access(store, shown.key.ok_or(Refusal::Key)?).await
    }

    /// Whether there are keys, also revoked ones: then one must be shown.
    ///
    /// # Errors
    /// When that cannot be read.
    pub async fn has_keys(&self) -> Result<bool, Refusal> {
        self.keys.are_there(self.store().await?).await
    }

    /// Makes a key for `mcp_id`; `*` stands for any.
    ///
    /// # Errors
    /// When it cannot be kept, or the system gives no random numbers.
    pub async fn add_key(&self, mcp_id: &str) -> Result<NewKey, Refusal> {
        keys::add(self.store().await?, mcp_id, self.clock.now()).await
    }

    /// All keys, without the keys.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn list_keys(&self) -> Result<Vec<KeyInfo>, Refusal> {
        let keys = self.store().await?.keys().await.map_err(|error| failed(&error))?;
        Ok(keys.into_iter().map(|key| key.info).collect())
    }

    /// Revokes keys by their prefix, or all of an `mcp_id`; says how many.
    ///
    /// # Errors
    /// When that cannot be written.
    pub async fn revoke_keys(&self, named: &str) -> Result<usize, Refusal> {
        let revoked = self.store().await?.revoke_keys(named.to_owned(), self.clock.now()).await;
        revoked.map_err(|error| failed(&error))
    }
}

/// A record out of what came: checked, and named where it has no id.
///
/// # Errors
/// Says what is wrong with it.
pub fn check(mut value: Value) -> Result<Record, Malformed> {
    let record = InteractionRecord::from_json(&value)?;
    if let Some(object) = value.as_object_mut().filter(|object| !object.contains_key("record_id")) {
        object.insert("record_id".to_owned(), record.record_id.to_string().into());
    }
    Ok(Record::new(&record, Some(value.to_string())))
}

/// A record out of its text.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_text(text: &[u8]) -> Result<Record, Malformed> {
    let value: Value = serde_json::from_slice(text).map_err(|error| Malformed { field: "", must: format!("must be JSON: {error}") })?;
    let record = InteractionRecord::from_json(&value)?;
    // The text as it came is kept where it names itself.
    let own = value.get("record_id").is_some_and(Value::is_string).then(|| std::str::from_utf8(text).ok().map(str::to_owned)).flatten();
    match own {
        Some(text) => Ok(Record::new(&record, Some(text))),
        None => check(value),
    }
}

fn failed(error: &Error) -> Refusal {
    Refusal::Failed(error.report())
}
