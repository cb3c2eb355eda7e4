//! The records in a file. A thread of its own writes; each question opens the file for itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OpenFlags, params, params_from_iter};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::domain::clock::Instant;
use crate::domain::reports::{KeyInfo, RecordPage, RecordQuery, Statistics, StoredRecord, Window};
use crate::store::Error;
use crate::store::records::figures::{Sample, Sums};
use crate::store::records::{GROUP_RECORDS_MAX, QUEUE_MAX, Record, StoredKey};

/// How long another process that holds the file is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Questions that are answered at the same time.
const READERS_MAX: usize = 2;

/// `PRAGMA user_version` of the tables below. 1 had no order of arrival.
const FORMAT: i64 = 2;

/// What the writer keeps of the file in memory, in KiB: the upper parts of the indexes.
const CACHE_KIB: i64 = 32 * 1_024;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS interaction_records (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        record_id TEXT NOT NULL UNIQUE,
        mcp_id TEXT NOT NULL,
        interaction_id TEXT NOT NULL,
        action TEXT NOT NULL,
        timestamp REAL NOT NULL,
        received_ms INTEGER NOT NULL,
        adapter TEXT,
        processing_time REAL,
        is_failure INTEGER NOT NULL,
        data TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS interaction_records_of_mcp ON interaction_records (mcp_id, timestamp);
    CREATE INDEX IF NOT EXISTS interaction_records_of_interaction ON interaction_records (interaction_id);
    CREATE INDEX IF NOT EXISTS interaction_records_by_time ON interaction_records (timestamp);
    CREATE TABLE IF NOT EXISTS reporter_keys (
        hash TEXT PRIMARY KEY NOT NULL,
        prefix TEXT NOT NULL,
        mcp_id TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        revoked_ms INTEGER
    ) WITHOUT ROWID;
";

/// Format 1 kept less; the figures are read out of the records again.
const FROM_1: &str = "
    INSERT OR IGNORE INTO interaction_records (record_id, mcp_id, interaction_id, action, timestamp, received_ms, adapter, processing_time, is_failure, data)
    SELECT record_id, mcp_id, interaction_id, action, timestamp, received_ms,
        json_extract(data, '$.result_data.adapter_used'),
        CASE WHEN json_type(data, '$.result_data.processing_time') IN ('integer', 'real') THEN json_extract(data, '$.result_data.processing_time') END,
        action = 'interaction_error' OR coalesce(json_extract(data, '$.result_data.success') = 0, 0), data
    FROM old_records ORDER BY received_ms, timestamp, record_id;
    DROP TABLE old_records;
";

type Answer<T> = oneshot::Sender<Result<T, Error>>;
type Work = Box<dyn FnOnce(&mut Connection) + Send>;

enum Job {
    Put { records: Vec<Record>, at: Instant, answer: Answer<usize> },
    Other(Work),
}

/// The file.
#[derive(Debug, Clone)]
pub(super) struct Records {
    jobs: mpsc::Sender<Job>,
    path: Arc<PathBuf>,
    readers: Arc<Semaphore>,
}

impl Records {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let mut connection = connect(path)?;
        let (sender, mut jobs) = mpsc::channel(QUEUE_MAX);
        let place = path.to_owned();
        let work = move || {
            while let Some(first) = jobs.blocking_recv() {
                let mut next = Some(first);
                while let Some(job) = next.take() {
                    match job {
                        Job::Other(work) => work(&mut connection),
                        put @ Job::Put { .. } => next = group(&mut connection, &place, put, &mut jobs),
                    }
                }
            }
        };
        let spawned = std::thread::Builder::new().name("records-writer".to_owned()).spawn(work);
        spawned.map_err(|error| failed("start a thread for", path, error))?;
        Ok(Self { jobs: sender, path: Arc::new(path.to_owned()), readers: Arc::new(Semaphore::new(READERS_MAX)) })
    }

    pub(super) async fn put(&self, records: Vec<Record>, at: Instant) -> Result<usize, Error> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Put { records, at, answer }).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Does something on the writer's own connection.
    async fn change<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let path = Arc::clone(&self.path);
        let work: Work = Box::new(move |connection| {
            let _nobody_waits = answer.send(work(connection).map_err(|error| failed(doing, &path, error)));
        });
        self.jobs.send(Job::Other(work)).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Reads beside the writer.
    async fn read<T: Send + 'static>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static) -> Result<T, Error> {
        let _place = self.readers.acquire().await.map_err(|_| Error::Closed)?;
        let path = Arc::clone(&self.path);
        let reading = tokio::task::spawn_blocking(move || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let read = Connection::open_with_flags(&*path, flags).and_then(|connection| {
                connection.busy_timeout(BUSY_TIMEOUT)?;
                work(&connection)
            });
            read.map_err(|error| failed("read", &path, error))
        });
        reading.await.unwrap_or_else(|error| Err(failed("read", &self.path, error)))
    }

    pub(super) async fn count(&self) -> Result<u64, Error> {
        self.read(|connection| {
            let count: i64 = connection.query_row("SELECT count(*) FROM interaction_records", [], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
        .await
    }

    pub(super) async fn page(&self, query: RecordQuery) -> Result<RecordPage, Error> {
        self.read(move |connection| page(connection, &query)).await
    }

    pub(super) async fn statistics(&self, window: Window) -> Result<Statistics, Error> {
        self.read(move |connection| statistics(connection, &window)).await
    }

    pub(super) async fn purge(&self, before: Instant, limit: usize) -> Result<usize, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.change("clean", move |connection| {
            // In the order of arrival, so that no index is needed.
            let sql = "DELETE FROM interaction_records WHERE seq IN
                       (SELECT seq FROM (SELECT seq, received_ms FROM interaction_records ORDER BY seq LIMIT ?2) WHERE received_ms < ?1)";
            connection.execute(sql, params![before.as_millis(), limit])
        })
        .await
    }

    pub(super) async fn keys(&self) -> Result<Vec<StoredKey>, Error> {
        self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT hash, prefix, mcp_id, created_ms, revoked_ms FROM reporter_keys ORDER BY created_ms, prefix")?;
            let rows = statement.query_map([], |row| {
                let revoked: Option<i64> = row.get(4)?;
                let info = KeyInfo {
                    prefix: row.get(1)?,
                    mcp_id: row.get(2)?,
                    created_at: Instant::from_millis(row.get(3)?),
                    revoked_at: revoked.map(Instant::from_millis),
                };
                Ok(StoredKey { info, hash: row.get(0)? })
            })?;
            rows.collect()
        })
        .await
    }

    pub(super) async fn add_key(&self, key: StoredKey) -> Result<(), Error> {
        self.change("write to", move |connection| {
            let sql = "INSERT INTO reporter_keys (hash, prefix, mcp_id, created_ms) VALUES (?1, ?2, ?3, ?4)";
            connection.execute(sql, params![key.hash, key.info.prefix, key.info.mcp_id, key.info.created_at.as_millis()]).map(drop)
        })
        .await
    }

    pub(super) async fn revoke_keys(&self, named: String, at: Instant) -> Result<usize, Error> {
        self.change("write to", move |connection| {
            let sql = "UPDATE reporter_keys SET revoked_ms = ?2 WHERE revoked_ms IS NULL AND (prefix = ?1 OR mcp_id = ?1)";
            connection.execute(sql, params![named, at.as_millis()])
        })
        .await
    }
}

fn failed(doing: &'static str, path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Records { doing, place: path.display().to_string(), is_transient: true, source: Arc::new(error) }
}

fn connect(path: &Path) -> Result<Connection, Error> {
    make_private(path).map_err(|error| failed("open", path, error))?;
    let opened = Connection::open(path).and_then(|connection| {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.set_prepared_statement_cache_capacity(32);
        let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        Ok((connection, format))
    });
    let (mut connection, format) = opened.map_err(|error| failed("open", path, error))?;
    if format > FORMAT {
        let instead = format!("`{}` was made by a newer version of wakeful: use that one, or move the file away", path.display());
        return Err(Error::Unsupported { what: "interaction records", instead });
    }
    if format < FORMAT {
        prepare(&mut connection).map_err(|error| failed("prepare", path, error))?;
    }
    Ok(connection)
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Two programs may start at once.
    let format: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let old = format == 1;
    if old {
        transaction.execute_batch(
            "ALTER TABLE interaction_records RENAME TO old_records;
             DROP INDEX IF EXISTS interaction_records_by_mcp; DROP INDEX IF EXISTS interaction_records_by_interaction;",
        )?;
    }
    transaction.execute_batch(TABLES)?;
    if old {
        transaction.execute_batch(FROM_1)?;
    }
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Makes the file for its owner only; `SQLite` would leave that to the system's default.
pub(in crate::store) fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Writes `first` and the puts that wait behind it in one transaction, and answers them once it is on disk. Gives back what
/// came next and is no put. A put that fails takes the group along: its senders send again.
fn group(connection: &mut Connection, path: &Path, first: Job, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
    let (mut puts, mut answers, mut count, mut other) = (Vec::new(), Vec::new(), 0, None);
    let mut next = Some(first);
    while let Some(job) = next.take() {
        match job {
            Job::Put { records, at, answer } => {
                count += records.len();
                puts.push((records, at));
                answers.push(answer);
                next = if count < GROUP_RECORDS_MAX { jobs.try_recv().ok() } else { None };
            }
            work @ Job::Other(_) => other = Some(work),
        }
    }
    match write(connection, &puts) {
        Ok(counts) => answers.into_iter().zip(counts).for_each(|(answer, count)| drop(answer.send(Ok(count)))),
        Err(error) => {
            let error = failed("write to", path, error);
            answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone()))));
        }
    }
    other
}

/// Writes all records of a group; how many of each put were new.
fn write(connection: &mut Connection, puts: &[(Vec<Record>, Instant)]) -> rusqlite::Result<Vec<usize>> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut counts = Vec::with_capacity(puts.len());
    {
        let sql = "INSERT INTO interaction_records
                   (record_id, mcp_id, interaction_id, action, timestamp, received_ms, adapter, processing_time, is_failure, data)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (record_id) DO NOTHING";
        let mut statement = transaction.prepare_cached(sql)?;
        for (records, at) in puts {
            let mut new = 0;
            for one in records {
                new += statement.execute(params![
                    one.record_id,
                    one.mcp_id,
                    one.interaction_id,
                    one.action.as_str(),
                    one.timestamp,
                    at.as_millis(),
                    one.adapter,
                    one.processing_time,
                    one.is_failure,
                    one.data
                ])?;
            }
            counts.push(new);
        }
    }
    transaction.commit()?;
    Ok(counts)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit into the 53 bits of a double")]
fn seconds(at: Instant) -> f64 {
    at.as_millis() as f64 / 1e3
}

fn page(connection: &Connection, query: &RecordQuery) -> rusqlite::Result<RecordPage> {
    let mut wheres = vec!["1".to_owned()];
    let mut values: Vec<SqlValue> = Vec::new();
    let mut narrow = |condition: &str, value: SqlValue| {
        values.push(value);
        wheres.push(format!("{condition} ?{}", values.len()));
    };
    if let Some(id) = &query.interaction_id {
        narrow("interaction_id =", id.clone().into());
    }
    if let Some(id) = &query.mcp_id {
        narrow("mcp_id =", id.clone().into());
    }
    if let Some(action) = query.action {
        narrow("action =", action.as_str().to_owned().into());
    }
    if let Some(since) = query.since {
        narrow("timestamp >=", seconds(since).into());
    }
    if let Some(until) = query.until {
        narrow("timestamp <", seconds(until).into());
    }
    if let Some(cursor) = query.cursor {
        narrow(if query.oldest_first { "seq >" } else { "seq <" }, i64::try_from(cursor).unwrap_or(i64::MAX).into());
    }
    let order = if query.oldest_first { "ASC" } else { "DESC" };
    let wanted = query.wanted();
    let sql = format!(
        "SELECT seq, received_ms, data FROM interaction_records WHERE {} ORDER BY seq {order} LIMIT {}",
        wheres.join(" AND "),
        wanted + 1
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        let data: String = row.get(2)?;
        let seq = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
        Ok(stored(seq, row.get(1)?, &data))
    })?;
    Ok(paged(rows.collect::<Result<_, _>>()?, wanted))
}

/// A record out of its row.
pub(super) fn stored(seq: u64, received_ms: i64, data: &str) -> StoredRecord {
    StoredRecord { seq, received_at: Instant::from_millis(received_ms), record: serde_json::from_str(data).unwrap_or_default() }
}

/// A page of `wanted` records out of one more, if there is one more.
pub(super) fn paged(mut records: Vec<StoredRecord>, wanted: usize) -> RecordPage {
    let more = records.len() > wanted;
    records.truncate(wanted);
    let next = records.last().filter(|_| more).map(|record| record.seq);
    RecordPage { records, next }
}

fn statistics(connection: &Connection, window: &Window) -> rusqlite::Result<Statistics> {
    let sql = "SELECT mcp_id, adapter, action, is_failure, processing_time FROM interaction_records
               WHERE timestamp >= ?1 AND timestamp < ?2 AND (?3 IS NULL OR mcp_id = ?3)";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(params![seconds(window.since), seconds(window.until), window.mcp_id])?;
    let mut sums = Sums::default();
    while let Some(row) = rows.next()? {
        let (mcp_id, adapter, action) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str_or_null()?, row.get_ref(2)?.as_str()?);
        let Ok(action) = action.parse() else { continue };
        sums.add(&Sample { mcp_id, adapter, action, is_failure: row.get(3)?, time: row.get(4)? });
    }
    Ok(sums.finish(window))
}
