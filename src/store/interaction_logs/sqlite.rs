//! The table in a file. Work on it happens on threads for blocking work, one at a time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior, params, params_from_iter};

use crate::store::interaction_logs::{Error, Row, Waiting, away, failed};

/// How long another process that holds the file is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Values of one statement.
const VALUES_MAX: usize = 500;

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS interaction_logs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        mcp_id TEXT NOT NULL,
        interaction_id TEXT NOT NULL,
        timestamp REAL NOT NULL,
        data JSON NOT NULL,
        processed BOOLEAN NOT NULL DEFAULT FALSE,
        record_id TEXT,
        problem TEXT
    )";

const INDEXES: &str = "
    CREATE UNIQUE INDEX IF NOT EXISTS interaction_logs_by_record ON interaction_logs (record_id);
    CREATE INDEX IF NOT EXISTS interaction_logs_by_mcp ON interaction_logs (mcp_id, timestamp);
    CREATE INDEX IF NOT EXISTS interaction_logs_by_processed ON interaction_logs (processed);
    CREATE INDEX IF NOT EXISTS interaction_logs_waiting ON interaction_logs (id) WHERE NOT processed AND problem IS NULL";

/// The file. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Table {
    path: PathBuf,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Table {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, connection: Arc::default() }
    }

    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let table = self.clone();
        let place = self.path.display().to_string();
        let joined = tokio::task::spawn_blocking(move || table.run_here(doing, work)).await;
        joined.unwrap_or_else(|error| Err(failed(doing, &place, error)))
    }

    fn run_here<T>(&self, doing: &'static str, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let place = self.path.display().to_string();
        let explain = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull | ErrorCode::CannotOpen) => away(&place, error),
            _ => failed(doing, &place, error),
        };
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that was deleted meanwhile is made anew, instead of writing into what nobody reads.
        if held.is_some() && !self.path.exists() {
            *held = None;
        }
        let connection = if let Some(connection) = &mut *held {
            connection
        } else {
            crate::store::records::make_private(&self.path).map_err(|error| away(&place, error))?;
            held.insert(connect(&self.path).map_err(explain)?)
        };
        work(connection).map_err(explain)
    }

    pub(super) async fn insert(&self, rows: Vec<Row>) -> Result<(), Error> {
        self.run("write to", move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let sql = "INSERT INTO interaction_logs (record_id, mcp_id, interaction_id, timestamp, data) VALUES (?1, ?2, ?3, ?4, ?5)
                           ON CONFLICT (record_id) DO NOTHING";
                let mut statement = transaction.prepare_cached(sql)?;
                for row in &rows {
                    statement.execute(params![row.record_id, row.mcp_id, row.interaction_id, row.timestamp, row.data])?;
                }
            }
            transaction.commit()
        })
        .await
    }

    pub(super) async fn settled(&self, record_ids: Vec<String>) -> Result<HashMap<String, bool>, Error> {
        self.run("read", move |connection| {
            let mut found = HashMap::with_capacity(record_ids.len());
            for ids in record_ids.chunks(VALUES_MAX) {
                let sql = format!("SELECT record_id, processed FROM interaction_logs WHERE record_id IN ({})", places(ids.len()));
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map(params_from_iter(ids), |row| Ok((row.get(0)?, row.get(1)?)))?;
                for row in rows {
                    let (id, processed) = row?;
                    found.insert(id, processed);
                }
            }
            Ok(found)
        })
        .await
    }

    pub(super) async fn poll(&self, limit: usize) -> Result<Vec<Waiting>, Error> {
        self.run("read", move |connection| {
            let sql = "SELECT id, record_id, CAST(data AS TEXT), coalesce(interaction_id, '') FROM interaction_logs
                       WHERE NOT processed AND problem IS NULL ORDER BY id LIMIT ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                // What is no text is no record either: it is polled as something that cannot be read.
                let data = row.get::<_, Option<String>>(2).ok().flatten().unwrap_or_default();
                Ok(Waiting { id: row.get(0)?, interaction_id: row.get(3)?, record_id: row.get(1)?, data })
            })?;
            rows.collect()
        })
        .await
    }

    pub(super) async fn mark(&self, processed: Vec<i64>, problems: Vec<(i64, String)>) -> Result<(), Error> {
        self.run("write to", move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for ids in processed.chunks(VALUES_MAX) {
                let sql = format!("UPDATE interaction_logs SET processed = TRUE WHERE id IN ({})", places(ids.len()));
                transaction.prepare_cached(&sql)?.execute(params_from_iter(ids))?;
            }
            for (id, problem) in &problems {
                transaction.prepare_cached("UPDATE interaction_logs SET problem = ?2 WHERE id = ?1")?.execute(params![id, problem])?;
            }
            transaction.commit()
        })
        .await
    }

    pub(super) async fn purge(&self, before: f64, limit: usize) -> Result<usize, Error> {
        self.run("clean", move |connection| {
            let sql = "DELETE FROM interaction_logs
                       WHERE id IN (SELECT id FROM interaction_logs WHERE processed AND timestamp < ?1 ORDER BY id LIMIT ?2)";
            connection.execute(sql, params![before, i64::try_from(limit).unwrap_or(i64::MAX)])
        })
        .await
    }
}

fn places(count: usize) -> String {
    vec!["?"; count].join(",")
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What a power cut takes along is inserted or marked again: the reporter keeps a row until it is marked.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(TABLE)?;
    for (name, kind) in [("record_id", "TEXT"), ("problem", "TEXT")] {
        let sql = "SELECT count(*) FROM pragma_table_info('interaction_logs') WHERE name = ?1";
        if connection.query_row(sql, [name], |row| row.get::<_, i64>(0))? == 0 {
            connection.execute_batch(&format!("ALTER TABLE interaction_logs ADD COLUMN {name} {kind}"))?;
        }
    }
    connection.execute_batch(INDEXES)?;
    Ok(connection)
}
