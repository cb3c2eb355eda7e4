//! Interaction records of other programs, each once by its `record_id`, in a file of their own.
//!
//! A thread of its own writes: what waits is committed together, and answered once it is on disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::{mpsc, oneshot};

use crate::domain::clock::Instant;
use crate::store::Error;

/// Jobs that may wait; more wait at the door.
const QUEUE_MAX: usize = 64;

/// Jobs that are committed together.
const GROUP_MAX: usize = 256;

/// How long another process that holds the file is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// `PRAGMA user_version` of the tables below.
const FORMAT: i64 = 1;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS interaction_records (
        record_id TEXT PRIMARY KEY NOT NULL,
        mcp_id TEXT NOT NULL,
        interaction_id TEXT NOT NULL,
        action TEXT NOT NULL,
        timestamp REAL NOT NULL,
        received_ms INTEGER NOT NULL,
        data TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS interaction_records_by_mcp ON interaction_records (mcp_id, timestamp);
    CREATE INDEX IF NOT EXISTS interaction_records_by_interaction ON interaction_records (interaction_id, timestamp);
";

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The same id again is the same record.
    pub record_id: String,
    /// Who reports.
    pub mcp_id: String,
    /// What it belongs to.
    pub interaction_id: String,
    /// `interaction_start`, `interaction_progress`, `interaction_complete`, `interaction_error`.
    pub action: String,
    /// When it happened, in Unix seconds, in the reporter's words.
    pub timestamp: f64,
    /// The whole record as JSON.
    pub data: String,
}

type Answer<T> = oneshot::Sender<Result<T, Error>>;

enum Job {
    Put { records: Vec<Record>, at: Instant, answer: Answer<usize> },
    Count { answer: Answer<u64> },
}

/// The records. Cheap to clone; the thread ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct RecordStore(mpsc::Sender<Job>);

impl RecordStore {
    /// Opens or makes the file. Blocks for a moment.
    ///
    /// # Errors
    /// When it cannot be opened, or was made by a newer version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut connection = connect(path)?;
        let (sender, mut jobs) = mpsc::channel(QUEUE_MAX);
        let place = path.to_owned();
        let work = move || {
            while let Some(first) = jobs.blocking_recv() {
                let mut group = vec![first];
                while group.len() < GROUP_MAX
                    && let Ok(job) = jobs.try_recv()
                {
                    group.push(job);
                }
                serve(&mut connection, &place, group);
            }
        };
        let spawned = std::thread::Builder::new().name("records-writer".to_owned()).spawn(work);
        spawned.map_err(|error| failed("start a thread for", path, error))?;
        Ok(Self(sender))
    }

    /// Stores those that are not there yet; answers once they are on disk, with how many were new.
    ///
    /// # Errors
    /// When they cannot be written: none was stored then.
    pub async fn put(&self, records: Vec<Record>, at: Instant) -> Result<usize, Error> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Job::Put { records, at, answer }).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// How many there are.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn count(&self) -> Result<u64, Error> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Job::Count { answer }).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }
}

fn failed(doing: &'static str, path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Failed { doing, path: path.to_owned(), source: Arc::new(error) }
}

fn connect(path: &Path) -> Result<Connection, Error> {
    make_private(path).map_err(|error| Error::Open { path: path.to_owned(), source: Arc::new(error) })?;
    let opened = Connection::open(path).and_then(|connection| {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        Ok((connection, format))
    });
    let (connection, format) = opened.map_err(|error| failed("open", path, error))?;
    if format > FORMAT {
        let instead = format!("`{}` was made by a newer version of wakeful: use that one, or move the file away", path.display());
        return Err(Error::Unsupported { what: "interaction records", instead });
    }
    let made = connection.execute_batch(TABLES).and_then(|()| connection.pragma_update(None, "user_version", FORMAT));
    made.map_err(|error| failed("prepare", path, error))?;
    Ok(connection)
}

/// Makes the file for its owner only; `SQLite` would leave that to the system's default.
fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Does a group of jobs in one transaction. A job that fails takes the group along: its senders send again.
fn serve(connection: &mut Connection, path: &Path, group: Vec<Job>) {
    let done = write(connection, &group).map_err(|error| failed("write to", path, error));
    let mut counts = done.as_ref().map(|counts| counts.iter().copied()).ok();
    for job in group {
        match job {
            Job::Put { answer, .. } => {
                let result = match (&mut counts, &done) {
                    (Some(counts), _) => counts.next().ok_or(Error::Closed),
                    (None, Err(error)) => Err(error.clone()),
                    (None, Ok(_)) => Err(Error::Closed),
                };
                let _nobody_waits = answer.send(result);
            }
            Job::Count { answer } => {
                let count = connection.query_row("SELECT count(*) FROM interaction_records", [], |row| row.get::<_, i64>(0)).optional();
                let count = count.map(|count| u64::try_from(count.unwrap_or(0)).unwrap_or(0)).map_err(|error| failed("read", path, error));
                let _nobody_waits = answer.send(count);
            }
        }
    }
}

/// Writes all records of a group; how many of each job were new.
fn write(connection: &mut Connection, group: &[Job]) -> rusqlite::Result<Vec<usize>> {
    let puts = || group.iter().filter_map(|job| if let Job::Put { records, at, .. } = job { Some((records, at)) } else { None });
    if puts().next().is_none() {
        return Ok(Vec::new());
    }
    let transaction = connection.transaction()?;
    let mut counts = Vec::new();
    {
        let sql = "INSERT INTO interaction_records (record_id, mcp_id, interaction_id, action, timestamp, received_ms, data) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (record_id) DO NOTHING";
        let mut statement = transaction.prepare_cached(sql)?;
        for (records, at) in puts() {
            let mut new = 0;
            for record in records {
                let Record { record_id, mcp_id, interaction_id, action, timestamp, data } = record;
                new += statement.execute(params![record_id, mcp_id, interaction_id, action, timestamp, at.as_millis(), data])?;
            }
            counts.push(new);
        }
    }
    transaction.commit()?;
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str) -> Record {
        Record {
            record_id: id.to_owned(),
            mcp_id: "a".to_owned(),
            interaction_id: "int_1_00000000".to_owned(),
            action: "interaction_start".to_owned(),
            timestamp: 1.5,
            data: "{}".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_record_is_stored_once_however_often_it_arrives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("records.db");
        let at = Instant::from_millis(7);
        {
            let store = RecordStore::open(&path).unwrap();
            assert_eq!(store.put(vec![record("1"), record("2"), record("1")], at).await.unwrap(), 2);
            assert_eq!(store.put(vec![record("2"), record("3")], at).await.unwrap(), 1);
        }
        let again = RecordStore::open(&path).unwrap();
        assert_eq!(again.put(vec![record("3")], at).await.unwrap(), 0);
        assert_eq!(again.count().await.unwrap(), 3);
    }

    #[tokio::test]
    async fn many_writers_at_once_each_learn_what_was_new() {
        let folder = tempfile::tempdir().unwrap();
        let store = RecordStore::open(&folder.path().join("records.db")).unwrap();
        let at = Instant::from_millis(7);
        let puts = (0..50).map(|number| store.put(vec![record(&format!("{}", number / 2))], at));
        let new: usize = futures::future::join_all(puts).await.into_iter().map(Result::unwrap).sum();
        assert_eq!((new, store.count().await.unwrap()), (25, 25));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owner_s_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        let _store = RecordStore::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
