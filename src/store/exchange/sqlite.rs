//! The table in a file of `SQLite` that reporter and coordinator share.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::{Connection, params};

use crate::store::exchange::{CLEAN_MAX, Entry, Error, Exchange, Progress};

/// How long another process that holds the file is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS interaction_logs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        mcp_id TEXT NOT NULL,
        interaction_id TEXT NOT NULL,
        timestamp REAL NOT NULL,
        data JSON NOT NULL,
        processed BOOLEAN NOT NULL DEFAULT FALSE,
        record_id TEXT
    );
    CREATE INDEX IF NOT EXISTS interaction_logs_by_mcp ON interaction_logs (mcp_id, timestamp);
    CREATE INDEX IF NOT EXISTS interaction_logs_by_processed ON interaction_logs (processed);
";

const UNIQUE: &str = "CREATE UNIQUE INDEX IF NOT EXISTS interaction_logs_by_record ON interaction_logs (record_id)";

/// A file.
pub(super) struct SqliteExchange {
    path: PathBuf,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl SqliteExchange {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, connection: Arc::default() }
    }

    /// Does `job` on a thread that may block, with the file open.
    async fn work<T: Send + 'static>(&self, job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static) -> Result<T, Error> {
        let (path, connection) = (self.path.clone(), Arc::clone(&self.connection));
        let failed = |path: &Path, error: &dyn std::fmt::Display| Error::Failed(format!("`{}`: {error}", path.display()));
        let work = move || {
            let mut slot = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let mut open = match slot.take() {
                Some(open) => open,
                None => connect(&path).map_err(|error| failed(&path, &error))?,
            };
            let done = job(&mut open).map_err(|error| failed(&path, &error));
            // After a failure it is opened anew: the file may have been exchanged.
            *slot = done.is_ok().then_some(open);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| Error::Failed(error.to_string()))?
    }
}

fn connect(path: &Path) -> Result<Connection, Box<dyn std::error::Error>> {
    make(path)?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What lies here is confirmed to nobody yet: the queue keeps it until the coordinator has it.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(TABLES)?;
    let known: i64 =
        connection
            .query_row("SELECT count(*) FROM pragma_table_info('interaction_logs') WHERE name = 'record_id'", [], |row| row.get(0))?;
    if known == 0 {
        connection.execute_batch("ALTER TABLE interaction_logs ADD COLUMN record_id TEXT")?;
    }
    connection.execute_batch(UNIQUE)?;
    Ok(connection)
}

/// The file is its owner's; who shares it with another user gives it rights of its own.
fn make(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

impl Exchange for SqliteExchange {
    fn check(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.work(|db| db.query_row("SELECT count(*) FROM (SELECT 1 FROM interaction_logs LIMIT 1)", [], |_| Ok(()))).boxed()
    }

    fn insert<'a>(&'a self, entries: &'a [Entry]) -> BoxFuture<'a, Result<(), Error>> {
        let entries = entries.to_vec();
        let insert = move |db: &mut Connection| {
            let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            {
                let sql = "INSERT INTO interaction_logs (mcp_id, interaction_id, timestamp, data, processed, record_id) \
                           VALUES (?1, ?2, ?3, ?4, FALSE, ?5) ON CONFLICT (record_id) DO NOTHING";
                let mut statement = transaction.prepare_cached(sql)?;
                for entry in &entries {
                    statement.execute(params![entry.mcp_id, entry.interaction_id, entry.timestamp, entry.data, entry.record_id])?;
                }
            }
            transaction.commit()
        };
        self.work(insert).boxed()
    }

    fn progress<'a>(&'a self, record_ids: &'a [String]) -> BoxFuture<'a, Result<Vec<Progress>, Error>> {
        let ids = record_ids.to_vec();
        let look = move |db: &mut Connection| {
            let sql = "SELECT record_id, processed FROM interaction_logs WHERE record_id IN (SELECT value FROM json_each(?1))";
            let mut statement = db.prepare_cached(sql)?;
            let asked = serde_json::to_string(&ids).unwrap_or_default();
            let rows = statement.query_map(params![asked], |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)))?;
            let found = rows.collect::<rusqlite::Result<HashMap<_, _>>>()?;
            Ok(ids.iter().map(|id| Progress::of(found.get(id).copied())).collect())
        };
        self.work(look).boxed()
    }

    fn clean<'a>(&'a self, mcp_id: &'a str, before: f64) -> BoxFuture<'a, Result<u64, Error>> {
        let mcp_id = mcp_id.to_owned();
        let limit = i64::try_from(CLEAN_MAX).unwrap_or(i64::MAX);
        let clean = move |db: &mut Connection| {
            let sql = "DELETE FROM interaction_logs WHERE id IN (SELECT id FROM interaction_logs \
                       WHERE mcp_id = ?1 AND timestamp < ?2 AND processed LIMIT ?3)";
            db.execute(sql, params![mcp_id, before, limit])
        };
        self.work(clean).map(|done| done.map(|count| u64::try_from(count).unwrap_or(0))).boxed()
    }
}

impl Progress {
    /// From what the table says: `processed`, where there is a row.
    pub(super) fn of(processed: Option<bool>) -> Self {
        match processed {
            Some(true) => Self::Processed,
            Some(false) => Self::Waiting,
            None => Self::Missing,
        }
    }
}
