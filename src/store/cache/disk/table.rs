//! The tables of the cache file and what is done with them: plain functions over a connection.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::domain::cache::Kind;
use crate::domain::clock::Instant;
use crate::store::cache::counters::{self, COLUMNS, NAMES};
use crate::store::cache::entry::{Digested, Entry, Sealed};

/// `PRAGMA user_version` of the tables below. A file of a higher one is left alone.
pub(super) const FORMAT: u32 = 1;

/// `prefix` is the beginning of the hash and finds an entry, `hash` tells whether it is the right one. The rows stand in
/// the order in which they came: rows in the order of their hashes would make each new one dirty a page of its own. The
/// value comes last: what stands before it is read without it. `totals` is kept by triggers, so that it is right
/// whichever process writes.
pub(super) const TABLES: &str = "
    CREATE TABLE entries (
        id       INTEGER PRIMARY KEY,
        prefix   INTEGER NOT NULL UNIQUE,
        hash     BLOB    NOT NULL,
        kind     TEXT    NOT NULL,
        stored_ms INTEGER NOT NULL,
        fresh_ms INTEGER NOT NULL,
        stale_ms INTEGER NOT NULL,
        over_ms  INTEGER NOT NULL,
        used_ms  INTEGER NOT NULL,
        bytes    INTEGER NOT NULL,
        checksum BLOB    NOT NULL,
        value    BLOB    NOT NULL
    ) STRICT;
    CREATE INDEX entries_by_end ON entries (over_ms);
    CREATE INDEX entries_by_use ON entries (used_ms);
    CREATE TRIGGER entries_added AFTER INSERT ON entries BEGIN
        INSERT INTO totals (kind, entries, bytes) VALUES (new.kind, 1, new.bytes)
        ON CONFLICT (kind) DO UPDATE SET entries = entries + 1, bytes = bytes + excluded.bytes;
    END;
    CREATE TRIGGER entries_changed AFTER UPDATE OF kind, bytes ON entries BEGIN
        UPDATE totals SET entries = entries - 1, bytes = bytes - old.bytes WHERE kind = old.kind;
        INSERT INTO totals (kind, entries, bytes) VALUES (new.kind, 1, new.bytes)
        ON CONFLICT (kind) DO UPDATE SET entries = entries + 1, bytes = bytes + excluded.bytes;
    END;
    CREATE TRIGGER entries_gone AFTER DELETE ON entries BEGIN
        UPDATE totals SET entries = entries - 1, bytes = bytes - old.bytes WHERE kind = old.kind;
    END;
";

/// The tables that outlive [`clear_all`].
pub(super) const LASTING: &str = "
    CREATE TABLE totals (kind TEXT PRIMARY KEY, entries INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE counts (kind TEXT NOT NULL, what TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (kind, what)) STRICT, WITHOUT ROWID;
";

/// Rows that one transaction deletes: other processes have their turn in between.
const DELETES_MAX: i64 = 256;

/// A change of one entry.
#[derive(Debug, Clone)]
pub(super) enum Write {
    /// Kept in place of what was there.
    Put(Entry, Instant),
    /// Gone.
    Remove,
}

/// What a look came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// An entry, and when it was last marked as used.
    Entry(Entry, Instant),
    /// What lies there is not what was put.
    Damaged,
}

fn prefix(id: &Digested) -> i64 {
    id.hash.first_chunk::<8>().copied().map_or(0, i64::from_be_bytes)
}

/// Looks an entry up.
pub(super) fn find(connection: &Connection, id: &Digested) -> rusqlite::Result<Found> {
    let mut statement = connection
        .prepare_cached("SELECT hash, kind, stored_ms, fresh_ms, stale_ms, checksum, value, used_ms FROM entries WHERE prefix = ?1")?;
    let row = statement.query_row([prefix(id)], |row| {
        if row.get_ref(0)?.as_blob()? != id.hash {
            return Ok(Found::Nothing);
        }
        let sealed = Sealed { stored_ms: row.get(2)?, fresh_ms: row.get(3)?, stale_ms: row.get(4)? };
        let value = row.get_ref(6)?.as_blob()?;
        if row.get_ref(1)?.as_str()? != id.kind.name() || row.get_ref(5)?.as_blob()? != sealed.checksum(id, value) {
            return Ok(Found::Damaged);
        }
        Ok(Found::Entry(sealed.open(Bytes::copy_from_slice(value)), Instant::from_millis(row.get(7)?)))
    });
    match row.optional() {
        Ok(found) => Ok(found.unwrap_or(Found::Nothing)),
        // STRICT tables hold the right types, unless the file was damaged.
        Err(rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..)) => Ok(Found::Damaged),
        Err(error) => Err(error),
    }
}

/// Makes the changes and marks uses, all or none.
pub(super) fn write<'a>(
    connection: &mut Connection,
    writes: impl Iterator<Item = (&'a Digested, &'a Write)>,
    touches: impl Iterator<Item = (&'a Digested, &'a Instant)>,
) -> rusqlite::Result<()> {
    let transaction = begin(connection)?;
    {
        let mut put = transaction.prepare_cached(
            "INSERT INTO entries (prefix, hash, kind, stored_ms, fresh_ms, stale_ms, over_ms, used_ms, bytes, checksum, value)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (prefix) DO UPDATE SET hash = excluded.hash, kind = excluded.kind, stored_ms = excluded.stored_ms,
                 fresh_ms = excluded.fresh_ms, stale_ms = excluded.stale_ms, over_ms = excluded.over_ms,
                 used_ms = excluded.used_ms, bytes = excluded.bytes, checksum = excluded.checksum, value = excluded.value",
        )?;
        let mut remove = transaction.prepare_cached("DELETE FROM entries WHERE prefix = ?1 AND hash = ?2")?;
        for (id, write) in writes {
            match write {
                Write::Put(entry, used) => {
                    let sealed = Sealed::of(entry);
                    let bytes = i64::try_from(entry.value.len()).unwrap_or(i64::MAX);
                    let (hash, checksum, value): (&[u8], &[u8], &[u8]) = (&id.hash, &sealed.checksum(id, &entry.value), &entry.value);
                    let (kind, over_ms, used_ms) = (id.kind.name(), entry.over().as_millis(), used.as_millis());
                    let Sealed { stored_ms, fresh_ms, stale_ms } = sealed;
                    put.execute(params![prefix(id), hash, kind, stored_ms, fresh_ms, stale_ms, over_ms, used_ms, bytes, checksum, value])?;
                }
                Write::Remove => {
                    remove.execute(params![prefix(id), &id.hash[..]])?;
                }
            }
        }
        let mut touch = transaction.prepare_cached("UPDATE entries SET used_ms = ?3 WHERE prefix = ?1 AND hash = ?2 AND used_ms < ?3")?;
        for (id, used) in touches {
            touch.execute(params![prefix(id), &id.hash[..], used.as_millis()])?;
        }
    }
    transaction.commit()
}

/// Deletes some of what is over; says how many entries.
pub(super) fn sweep(connection: &mut Connection, now: Instant) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE over_ms <= ?1 LIMIT ?2)";
    connection.prepare_cached(sql)?.execute(params![now.as_millis(), DELETES_MAX])
}

/// Deletes some of what was not used for longest, no more than makes `wanted` bytes free; says how many entries.
pub(super) fn evict(connection: &mut Connection, wanted: u64) -> rusqlite::Result<usize> {
    let oldest: Vec<(i64, i64)> = connection
        .prepare_cached("SELECT id, bytes FROM entries ORDER BY used_ms LIMIT ?1")?
        .query_map([DELETES_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut freed = 0;
    let mut gone = 0;
    let transaction = begin(connection)?;
    {
        let mut delete = transaction.prepare_cached("DELETE FROM entries WHERE id = ?1")?;
        for (id, bytes) in oldest {
            if freed >= wanted {
                break;
            }
            gone += delete.execute([id])?;
            freed += u64::try_from(bytes).unwrap_or(0);
        }
    }
    transaction.commit()?;
    Ok(gone)
}

/// Bytes that the entries take in the file: its pages without the free ones.
pub(super) fn bytes_used(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
    Ok(u64::try_from(pages.saturating_mul(number("page_size")?)).unwrap_or(0))
}

/// Entries and bytes of values, by kind.
pub(super) fn totals(connection: &Connection) -> rusqlite::Result<Vec<(Kind, u64, u64)>> {
    let mut statement = connection.prepare_cached("SELECT kind, entries, bytes FROM totals")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    let mut totals = Vec::new();
    for row in rows {
        let (kind, entries, bytes) = row?;
        // A newer version may know more kinds.
        let known = Kind::ALL.into_iter().find(|known| known.name() == kind);
        totals.extend(known.map(|kind| (kind, u64::try_from(entries).unwrap_or(0), u64::try_from(bytes).unwrap_or(0))));
    }
    Ok(totals)
}

/// Adds to the counts.
pub(super) fn count(connection: &mut Connection, added: &[(Kind, counters::Row)]) -> rusqlite::Result<()> {
    let transaction = begin(connection)?;
    {
        let mut add = transaction.prepare_cached(
            "INSERT INTO counts (kind, what, n) VALUES (?1, ?2, ?3) ON CONFLICT (kind, what) DO UPDATE SET n = n + excluded.n",
        )?;
        for (kind, row) in added {
            for (what, n) in NAMES.iter().zip(row).filter(|(_, n)| **n > 0) {
                add.execute(params![kind.name(), what, i64::try_from(*n).unwrap_or(i64::MAX)])?;
            }
        }
    }
    transaction.commit()
}

/// The counts of all processes that saved theirs.
pub(super) fn counts(connection: &Connection, kind: Kind) -> rusqlite::Result<counters::Row> {
    let mut statement = connection.prepare_cached("SELECT what, n FROM counts WHERE kind = ?1")?;
    let rows = statement.query_map([kind.name()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    let mut counts = [0; COLUMNS];
    for row in rows {
        let (what, n) = row?;
        if let Some(place) = NAMES.iter().position(|name| *name == what).and_then(|at| counts.get_mut(at)) {
            *place = u64::try_from(n).unwrap_or(0);
        }
    }
    Ok(counts)
}

/// Deletes all entries and gives the room back.
pub(super) fn clear_all(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = begin(connection)?;
    // Row by row would take a second for each 200,000.
    transaction.execute_batch("DROP TABLE entries; DELETE FROM totals;")?;
    transaction.execute_batch(TABLES)?;
    transaction.commit()?;
    give_back(connection)
}

/// Deletes all entries of a kind and gives the room back.
pub(super) fn clear(connection: &mut Connection, kind: Kind) -> rusqlite::Result<()> {
    let mut after = i64::MIN;
    loop {
        let ids: Vec<i64> = connection
            .prepare_cached("SELECT id FROM entries WHERE kind = ?1 AND id >= ?2 ORDER BY id LIMIT ?3")?
            .query_map(params![kind.name(), after, DELETES_MAX], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let Some(last) = ids.last() else { break };
        after = *last;
        let transaction = begin(connection)?;
        {
            let mut delete = transaction.prepare_cached("DELETE FROM entries WHERE id = ?1 AND kind = ?2")?;
            for id in &ids {
                delete.execute(params![id, kind.name()])?;
            }
        }
        transaction.commit()?;
    }
    give_back(connection)
}

fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    drop(rows);
    drop(statement);
    // The room is given back to the disk when the log is brought into the file.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

pub(super) fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}
