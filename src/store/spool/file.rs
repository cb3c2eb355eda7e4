//! The queue's file: made for its owner only, its tables, its format.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use crate::store::spool::Error;

/// How long another process that holds the file is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// `PRAGMA user_version` of the tables below.
const FORMAT: i64 = 1;

/// `held`: 0 it may be sent, 1 it was refused and is tried again at `next_ms`, 2 it lies with `via` under `handle` since
/// `next_ms`. Only held rows are in the second index, so that it costs nothing while all goes well.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS failed_interactions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        record_id TEXT NOT NULL UNIQUE,
        interaction_id TEXT NOT NULL,
        data TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        retry_count INTEGER NOT NULL DEFAULT 0,
        held INTEGER NOT NULL DEFAULT 0,
        next_ms INTEGER NOT NULL DEFAULT 0,
        via TEXT,
        handle TEXT,
        last_error TEXT
    );
    CREATE INDEX IF NOT EXISTS held_interactions ON failed_interactions (interaction_id, id) WHERE held > 0;
    CREATE TABLE IF NOT EXISTS dead_interactions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        record_id TEXT NOT NULL UNIQUE,
        interaction_id TEXT NOT NULL,
        data TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        retry_count INTEGER NOT NULL,
        reason TEXT NOT NULL,
        died_ms INTEGER NOT NULL,
        seen INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE IF NOT EXISTS delivered_interactions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        record_id TEXT NOT NULL UNIQUE,
        via TEXT NOT NULL,
        delivered_ms INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
";

/// Opens or makes the file.
pub(super) fn connect(path: &Path) -> Result<Connection, Error> {
    let failed =
        |doing: &'static str| move |error: rusqlite::Error| Error::Failed { doing, path: path.to_owned(), source: Arc::new(error) };
    open_private(path).map_err(|error| Error::Failed { doing: "make", path: path.to_owned(), source: Arc::new(error) })?;
    let opened = Connection::open(path).and_then(|connection| {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.set_prepared_statement_cache_capacity(64);
        let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        Ok((connection, format))
    });
    let (connection, format) = opened.map_err(failed("open"))?;
    if format > FORMAT {
        return Err(Error::Newer { path: path.to_owned() });
    }
    if format < FORMAT {
        let found =
            connection.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'failed_interactions'", [], |row| row.get::<_, i64>(0));
        if format == 0 && found.map_err(failed("open"))? > 0 {
            let reason = "is the queue of another program: `wakeful report import FILE` reads it, and ours lies elsewhere".to_owned();
            return Err(Error::Foreign { path: path.to_owned(), reason });
        }
        connection
            .execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;"))
            .map_err(failed("prepare"))?;
    }
    Ok(connection)
}

/// Makes the file for its owner only; `SQLite` would leave that to the system's default.
pub(super) fn open_private(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
