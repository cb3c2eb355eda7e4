//! Opens the file of memories, recognises it, brings its tables up to date.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::store::memory::Error;

/// `PRAGMA application_id` of these files: "wmem".
const APPLICATION_ID: i32 = 0x776d_656d;

/// How long another process that writes is waited for.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// What the connection may keep of the file in memory, in KiB.
const CACHE_KIB: i32 = 16 * 1_024;

/// How much of the file is read as mapped memory, in bytes: a search looks at hundreds of rows all over it.
const MAPPED_BYTES: i64 = 1 << 30;

/// To what the write-ahead log is cut back after it grew, in bytes.
const WAL_BYTES_KEPT: i32 = 1 << 20;

/// Statements that the connection keeps ready.
const STATEMENTS_KEPT: usize = 64;

/// Brings the tables from one format to the next: entry 0 makes format 1. Entries are never changed, only added.
const MIGRATIONS: &[fn(&Transaction<'_>) -> rusqlite::Result<()>] = &[make_tables];

/// Opens or makes the file, for the owner only. What is deleted is overwritten.
pub(super) fn file(path: &Path) -> Result<Connection, Error> {
    make_private(path).map_err(|source| Error::Open { path: path.to_owned(), source: Box::new(source) })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| Error::explain("open", path, error))?;
    recognise(&connection, path)?;
    prepare(&mut connection).map_err(|error| Error::explain("open", path, error))?;
    Ok(connection)
}

fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        let mut permissions = file.metadata()?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(0o600);
            file.set_permissions(permissions)?;
        }
    }
    drop(file);
    Ok(())
}

fn recognise(connection: &Connection, path: &Path) -> Result<(), Error> {
    let look = || -> rusqlite::Result<(i32, u32, u32)> {
        let moment = connection.unchecked_transaction()?;
        let application = moment.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let format = moment.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables = moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((application, format, tables))
    };
    let (application, format, tables) = look().map_err(|error| Error::explain("open", path, error))?;
    match (application, format, tables) {
        (APPLICATION_ID, format, _) if format > newest() => Err(Error::Newer { path: path.to_owned(), found: format, newest: newest() }),
        (APPLICATION_ID, ..) | (0, 0, 0) => Ok(()),
        _ => Err(Error::Foreign { path: path.to_owned() }),
    }
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // A memory that was promised to be kept is kept.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update_and_check(None, "mmap_size", MAPPED_BYTES, |_| Ok(()))?;
    migrate(connection)
}

fn newest() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
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

/// `words` holds what `words.rs` makes of a memory, blank between terms, so the tokenizer has nothing left to decide. `terms` counts
/// in how many memories a term is: it tells which terms of a question are rare, and is empty of what is forgotten. `secure-delete`
/// takes the terms of a deleted memory out of the pages of FTS5 at once instead of marking them.
fn make_tables(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "CREATE TABLE memories (
             id         INTEGER PRIMARY KEY,
             memory_id  TEXT    NOT NULL UNIQUE,
             space      TEXT    NOT NULL,
             kind       INTEGER NOT NULL,
             content    TEXT    NOT NULL,
             tags       TEXT    NOT NULL,
             source     INTEGER NOT NULL,
             created_ms INTEGER NOT NULL,
             updated_ms INTEGER NOT NULL,
             used_ms    INTEGER,
             uses       INTEGER NOT NULL DEFAULT 0,
             length     INTEGER NOT NULL,
             same       BLOB    NOT NULL,
             revision   INTEGER NOT NULL,
             UNIQUE (space, same)
         ) STRICT;
         CREATE INDEX memories_latest ON memories (space, updated_ms);
         CREATE INDEX memories_by_kind ON memories (space, kind, updated_ms);
         CREATE TABLE terms (term TEXT PRIMARY KEY, memories INTEGER NOT NULL) STRICT, WITHOUT ROWID;
         CREATE TABLE totals (space TEXT PRIMARY KEY, memories INTEGER NOT NULL, length INTEGER NOT NULL) STRICT, WITHOUT ROWID;
         CREATE TABLE vectors (
             id       INTEGER PRIMARY KEY REFERENCES memories (id),
             revision INTEGER NOT NULL,
             vector   BLOB    NOT NULL
         ) STRICT;
         CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
         CREATE VIRTUAL TABLE words USING fts5 (singles, pairs, tokenize = 'ascii');
         INSERT INTO words (words, rank) VALUES ('secure-delete', 1);",
    )
}
