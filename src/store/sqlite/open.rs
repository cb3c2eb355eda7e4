//! Opens files, recognises them, brings their tables up to date.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use uuid::Uuid;

use crate::store::Error;
use crate::store::sqlite::place::{Failure, Place};

/// `PRAGMA application_id` of our files: "wake".
const APPLICATION_ID: i32 = 0x7761_6b65;

/// What a connection may keep of the file in memory, in KiB.
const CACHE_KIB: i32 = 1_024;

/// To what the write-ahead log is cut back after it grew, in bytes.
const WAL_BYTES_KEPT: i32 = 4 << 20;

/// Statements that a connection keeps ready.
const STATEMENTS_KEPT: usize = 48;

/// The wait before another try to switch a new file to WAL while another process does the same.
const SWITCH_RETRY_DELAY: Duration = Duration::from_millis(5);

/// Brings the tables from one format to the next: entry 0 makes format 1. Entries are never changed, only added.
const MIGRATIONS: &[fn(&Transaction<'_>) -> rusqlite::Result<()>] = &[make_tables, add_tasks];

/// Opens or makes the file for the writer; gives back its epoch too.
pub(super) fn file(place: &Place) -> Result<(Connection, String), Error> {
    let open_error = |source| Error::Open { path: place.path.clone(), source: Arc::new(source) };
    make_private(&place.path).map_err(open_error)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(&place.path, flags).map_err(Failure::from).and_then(|mut connection| {
        connection.busy_timeout(place.busy_timeout)?;
        let epoch = prepare(&mut connection, place)?;
        Ok((connection, epoch))
    });
    let opened = opened.map_err(|failure| place.explain("open", failure))?;
    restrict(&place.path).map_err(open_error)?;
    Ok(opened)
}

/// Makes a log in memory.
pub(super) fn memory(place: &Place) -> Result<(Connection, String), Error> {
    let opened = Connection::open_in_memory().map_err(Failure::from).and_then(|mut connection| {
        migrate(&mut connection)?;
        let epoch = epoch(&connection)?;
        Ok((connection, epoch))
    });
    opened.map_err(|failure| place.explain("open", failure))
}

/// Opens a connection for a reader of a file that the writer has open.
pub(super) fn reader(place: &Place) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(&place.path, flags).and_then(|connection| {
        connection.busy_timeout(place.busy_timeout)?;
        connection.pragma_update(None, "query_only", true)?;
        save_memory(&connection)?;
        Ok(connection)
    });
    opened.map_err(|error| place.explain("open", error.into()))
}

/// Makes the file and its folder where they are missing, for the owner only.
pub(in crate::store) fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    if !path.exists() {
        make_file(path, false)?;
    }
    Ok(())
}

/// Makes the file for the owner only; fails with `new` where there is one.
fn make_file(path: &Path, new: bool) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.create(true).create_new(new).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.sync_all()?;
    sync_folder(path)
}

/// Makes a file that is not there yet, for the owner only.
pub(super) fn make_new(path: &Path) -> Result<(), Error> {
    make_file(path, true).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            let instead = format!("`{}` exists already, name a file that does not", path.display());
            Error::Unsupported { what: "nothing was copied", instead }
        }
        _ => Error::Open { path: path.to_owned(), source: Arc::new(error) },
    })
}

/// Puts the file's name on disk: `SQLite` does so only for the files that it makes itself.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Takes a log that was copied or restored with wider permissions back to the owner. `SQLite` gives the files beside
/// it the same permissions.
#[cfg(unix)]
pub(in crate::store) fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mut permissions = fs::metadata(path)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o600);
        fs::set_permissions(path, permissions)?;
    }
    Ok(())
}

#[cfg(not(unix))]
pub(in crate::store) fn restrict(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

fn prepare(connection: &mut Connection, place: &Place) -> Result<String, Failure> {
    let format = recognise(connection, place)?;
    if connection.is_readonly("main")? {
        return Err(Error::ReadOnly { path: place.path.clone() }.into());
    }
    switch_to_wal(connection, place.busy_timeout)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    save_memory(connection)?;
    if format != newest() {
        migrate(connection)?;
    }
    Ok(epoch(connection)?)
}

/// The file's format; 0 for a new file.
fn recognise(connection: &Connection, place: &Place) -> Result<u32, Failure> {
    // One transaction: another process may be making the tables right now.
    let moment = connection.unchecked_transaction()?;
    let application: i32 = moment.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let format: u32 = moment.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let path = || place.path.clone();
    if application == APPLICATION_ID {
        return if format > newest() { Err(Error::Newer { path: path(), found: format, newest: newest() }.into()) } else { Ok(format) };
    }
    let tables: u32 = moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == 0 && format == 0 && tables == 0 { Ok(0) } else { Err(Error::Foreign { path: path() }.into()) }
}

/// WAL lasts once it is set. The switch does not wait for other processes by itself.
pub(in crate::store) fn switch_to_wal(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let start = Instant::now();
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(error)
                if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
                    && start.elapsed() < patience =>
            {
                std::thread::sleep(SWITCH_RETRY_DELAY);
            }
            other => return other,
        }
    }
}

fn save_memory(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "mmap_size", 0)
}

fn newest() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Runs the migrations that are missing, all or none.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again: another process may have been faster.
    let format: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (_, migration) in (0..).zip(MIGRATIONS).filter(|(from, _)| format <= *from) {
        migration(&transaction)?;
    }
    if format < newest() {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", newest())?;
    }
    transaction.commit()
}

fn epoch(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0))
}

fn make_tables(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
         CREATE TABLE events (
             seq     INTEGER PRIMARY KEY,
             id      TEXT    NOT NULL,
             stream  TEXT    NOT NULL,
             version INTEGER NOT NULL,
             type    TEXT    NOT NULL,
             at_ms   INTEGER NOT NULL,
             session TEXT,
             schema  INTEGER NOT NULL,
             body    TEXT    NOT NULL,
             UNIQUE (stream, version)
         ) STRICT;
         CREATE INDEX events_by_type ON events (type);
         CREATE TRIGGER events_stay_unchanged BEFORE UPDATE ON events BEGIN
             SELECT RAISE(ABORT, 'the event log only grows: an event cannot be changed');
         END;
         CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN
             SELECT RAISE(ABORT, 'the event log only grows: an event cannot be deleted');
         END;
         CREATE TRIGGER events_follow_each_other BEFORE INSERT ON events
         WHEN new.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM events)
             OR new.version <> (SELECT coalesce(max(version), 0) + 1 FROM events WHERE stream = new.stream)
         BEGIN
             SELECT RAISE(ABORT, 'the event log only grows: an event takes the next position and the next version');
         END;
         CREATE TABLE sessions (
             id          TEXT    PRIMARY KEY,
             title       TEXT    NOT NULL,
             created_ms  INTEGER NOT NULL,
             updated_ms  INTEGER NOT NULL,
             prompts     INTEGER NOT NULL,
             model       TEXT    NOT NULL,
             cwd         TEXT    NOT NULL,
             forked_from TEXT,
             fork_upto   INTEGER,
             last_seq    INTEGER NOT NULL
         ) STRICT, WITHOUT ROWID;",
    )?;
    transaction.execute("INSERT INTO meta (key, value) VALUES ('epoch', ?1)", [Uuid::now_v7().to_string()])?;
    Ok(())
}

/// Projections (`tasks`, `inbox`) and working rows. In the queues `free_ms` is when a row can be claimed next: its time,
/// or the end of the lease that somebody holds; none once it is dealt with.
fn add_tasks(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "CREATE TABLE tasks (
             id            TEXT    PRIMARY KEY,
             seq           INTEGER NOT NULL,
             user_id       TEXT    NOT NULL,
             kind          TEXT    NOT NULL,
             description   TEXT    NOT NULL,
             status        TEXT    NOT NULL,
             reason        TEXT,
             version       INTEGER NOT NULL,
             updated_ms    INTEGER NOT NULL,
             fired         INTEGER NOT NULL,
             last_fired_ms INTEGER,
             counts        TEXT    NOT NULL,
             tokens        INTEGER NOT NULL,
             cost_micros   INTEGER NOT NULL,
             spec          TEXT    NOT NULL
         ) STRICT;
         CREATE INDEX tasks_by_creation ON tasks (seq);
         CREATE TABLE inbox (
             id         TEXT    PRIMARY KEY,
             seq        INTEGER NOT NULL,
             unread     INTEGER NOT NULL,
             archived   INTEGER NOT NULL,
             snoozed_ms INTEGER,
             answer     TEXT,
             item       TEXT    NOT NULL
         ) STRICT;
         CREATE INDEX inbox_by_arrival ON inbox (seq);
         CREATE INDEX inbox_in_sight ON inbox (seq, unread, snoozed_ms) WHERE archived = 0;
         CREATE TABLE task_work (
             task_id     TEXT    PRIMARY KEY,
             wake_ms     INTEGER,
             epoch       INTEGER NOT NULL,
             owner       TEXT,
             lease_ms    INTEGER,
             cursor_ms   INTEGER NOT NULL,
             next_due_ms INTEGER,
             extra_ms    INTEGER,
             rest        TEXT    NOT NULL
         ) STRICT;
         CREATE INDEX task_work_due ON task_work (wake_ms, lease_ms) WHERE wake_ms IS NOT NULL;
         CREATE INDEX task_work_held ON task_work (lease_ms, wake_ms) WHERE lease_ms IS NOT NULL;
         CREATE TABLE firings (
             n        INTEGER PRIMARY KEY,
             id       TEXT    NOT NULL UNIQUE,
             key      TEXT    NOT NULL UNIQUE,
             priority INTEGER NOT NULL,
             free_ms  INTEGER,
             epoch    INTEGER NOT NULL DEFAULT 0,
             owner    TEXT,
             attempts INTEGER NOT NULL DEFAULT 0,
             body     TEXT    NOT NULL
         ) STRICT;
         CREATE INDEX firings_next ON firings (free_ms) WHERE free_ms IS NOT NULL;
         CREATE INDEX firings_urgent ON firings (priority DESC, n, free_ms) WHERE free_ms IS NOT NULL;
         CREATE TABLE outbox (
             n         INTEGER PRIMARY KEY,
             id        TEXT    NOT NULL UNIQUE,
             task_id   TEXT,
             priority  INTEGER NOT NULL,
             status    TEXT    NOT NULL,
             free_ms   INTEGER,
             queued_ms INTEGER NOT NULL,
             epoch     INTEGER NOT NULL DEFAULT 0,
             owner     TEXT,
             attempts  INTEGER NOT NULL DEFAULT 0,
             error     TEXT,
             receipt   TEXT,
             body      TEXT    NOT NULL
         ) STRICT;
         CREATE INDEX outbox_next ON outbox (free_ms) WHERE free_ms IS NOT NULL;
         CREATE INDEX outbox_urgent ON outbox (priority DESC, n, free_ms) WHERE free_ms IS NOT NULL;
         CREATE INDEX outbox_by_task ON outbox (task_id, n) WHERE task_id IS NOT NULL;
         CREATE INDEX outbox_dead ON outbox (n) WHERE status = 'failed';
         CREATE TABLE blobs (
             n       INTEGER PRIMARY KEY,
             task_id TEXT    NOT NULL,
             kind    TEXT    NOT NULL,
             key     TEXT    NOT NULL,
             at_ms   INTEGER NOT NULL,
             bytes   BLOB    NOT NULL,
             UNIQUE (task_id, kind, key, at_ms)
         ) STRICT;
         CREATE INDEX blobs_by_time ON blobs (task_id, kind, at_ms);
         CREATE TABLE leases (
             name     TEXT    PRIMARY KEY,
             owner    TEXT,
             epoch    INTEGER NOT NULL,
             until_ms INTEGER NOT NULL
         ) STRICT;",
    )
}
