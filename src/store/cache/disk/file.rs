//! The cache file itself: opening and making it, knowing it again, and putting a damaged one aside.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::cache::disk::table;
use crate::store::sqlite::open::{make_private, restrict, switch_to_wal};

/// `PRAGMA application_id` of cache files: "wkca".
const APPLICATION_ID: i32 = 0x776b_6361;

/// How long another process that writes is waited for. What could not be written then is not kept.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection may keep of the file in memory, in KiB.
const CACHE_KIB: i32 = 4_096;

/// Pages after which the write-ahead log is brought into the file (16 MiB): that is when the disk is waited for.
const CHECKPOINT_PAGES: i32 = 4_096;

/// To what the write-ahead log is cut back after it grew, in bytes.
const WAL_BYTES_KEPT: i32 = 4 << 20;

/// Why the file cannot be used.
#[derive(Debug)]
pub(super) enum Failure {
    /// It is damaged, or no database at all: it is put aside and made anew.
    Damaged(String),
    /// It belongs to somebody else (a newer version, another program): it is left alone for good.
    Foreign(String),
    /// Something around it: worth another try later.
    Passing(String),
    /// There is none.
    Missing,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let reason = crate::domain::text::with_causes(&error);
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(reason),
            _ => Self::Passing(reason),
        }
    }
}

/// Which file is meant by a path right now: another process may put it aside, a person may delete it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

/// The identity of the file at `path`, where there is one.
#[cfg(unix)]
pub(super) fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;

    fs::metadata(path).ok().map(|meta| Identity(meta.dev(), meta.ino()))
}

/// The identity of the file at `path`, where there is one. A file that is open cannot be moved here.
#[cfg(not(unix))]
pub(super) fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|_| Identity(0, 0))
}

/// An open file.
pub(super) struct Open {
    pub(super) connection: Connection,
    pub(super) identity: Option<Identity>,
}

/// Opens the file for the writer; makes it where it is missing and `make` is set.
pub(super) fn writer(path: &Path, make: bool) -> Result<Open, Failure> {
    let around = |error: std::io::Error| Failure::Passing(error.to_string());
    if !make && identity(path).is_none() {
        return Err(Failure::Missing);
    }
    make_private(path).map_err(around)?;
    restrict(path).map_err(around)?;
    let mut connection = connect(path)?;
    let format = recognise(&connection)?;
    // Only counts for a new file; it lets the file shrink.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    switch_to_wal(&connection, BUSY_TIMEOUT)?;
    // What was committed last may be lost with the machine's power: then it is fetched again.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    if format == 0 {
        make_tables(&mut connection)?;
    }
    Ok(Open { connection, identity: identity(path) })
}

/// Opens the file for the reader.
pub(super) fn reader(path: &Path) -> Result<Open, Failure> {
    let identity = identity(path).ok_or(Failure::Missing)?;
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    // Another process may be making the tables right now.
    if recognise(&connection)? == 0 {
        return Err(Failure::Missing);
    }
    Ok(Open { connection, identity: Some(identity) })
}

fn connect(path: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // A file that somebody cuts short would end the process.
    connection.pragma_update(None, "mmap_size", 0)?;
    Ok(connection)
}

/// The file's format; 0 for a new file.
fn recognise(connection: &Connection) -> Result<u32, Failure> {
    let moment = connection.unchecked_transaction()?;
    let application: i32 = moment.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let format: u32 = moment.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if application == APPLICATION_ID {
        if format == table::FORMAT {
            return Ok(format);
        }
        let reason = format!("it was written by a newer version (format {format}, this one knows {}) and is left alone", table::FORMAT);
        return Err(Failure::Foreign(reason));
    }
    let tables: u32 = moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == 0 && format == 0 && tables == 0 {
        return Ok(0);
    }
    Err(Failure::Foreign("it is a database of something else and is left alone".to_owned()))
}

fn make_tables(connection: &mut Connection) -> Result<(), Failure> {
    let transaction = table::begin(connection)?;
    // Read again: another process may have been faster.
    let format: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format == 0 {
        transaction.execute_batch(table::LASTING)?;
        transaction.execute_batch(table::TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", table::FORMAT)?;
    }
    Ok(transaction.commit()?)
}

/// Puts a damaged file aside, if it is still the one that was found `damaged`: another process may have been faster.
/// Says where it is now.
pub(super) fn put_aside(path: &Path, damaged: Option<Identity>) -> Result<Option<PathBuf>, Failure> {
    let around = |error: std::io::Error| Failure::Passing(error.to_string());
    let _alone = lock(path).map_err(around)?;
    if identity(path).is_none() || (damaged.is_some() && identity(path) != damaged) {
        return Ok(None);
    }
    let aside = beside(path, ".damaged");
    // The write-ahead log first: it must never lie beside a file that it does not belong to. One damaged file is kept.
    for ending in ["-wal", "-shm", ""] {
        let (from, to) = (beside(path, ending), beside(&aside, ending));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let _there_is_none = fs::remove_file(&to);
            }
            other => other.map_err(around)?,
        }
    }
    Ok(Some(aside))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Held while a file is put aside; the system lets it go when its holder dies.
fn lock(path: &Path) -> std::io::Result<fs::File> {
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(beside(path, ".lock"))?;
    file.lock()?;
    Ok(file)
}
