//! How many memories there are, and how far their vectors have come.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;

use crate::domain::memory::MemoryKind;
use crate::store::memory::{Broken, Opened, rows, vectors};

/// Numbers about the memories.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Memories in the space.
    pub total: u64,
    /// The same by kind; kinds without any are left out.
    pub kinds: BTreeMap<String, u64>,
    /// Memories of all spaces.
    pub everywhere: u64,
    /// The model of the vectors that are kept.
    pub model: Option<String>,
    /// Numbers in one of them.
    pub dimensions: usize,
    /// Memories of all spaces that have one.
    pub vectors: u64,
    /// Bytes of the file, with what lies beside it.
    pub file_bytes: u64,
}

pub(super) fn counts(opened: &mut Opened, space: &str) -> Result<Counts, Broken> {
    let connection = &opened.connection;
    let mut counts = Counts::default();
    {
        let mut statement = connection.prepare_cached("SELECT kind, count(*) FROM memories WHERE space = ?1 GROUP BY kind")?;
        for row in statement.query_map([space], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))? {
            let (number, count) = row?;
            let kind = MemoryKind::ALL.into_iter().find(|kind| rows::kind_number(*kind) == number).unwrap_or_default();
            counts.kinds.insert(kind.as_str().to_owned(), count.unsigned_abs());
            counts.total += count.unsigned_abs();
        }
    }
    let count = |query: &str| -> rusqlite::Result<u64> {
        let count: Option<i64> = connection.prepare_cached(query)?.query_row([], |row| row.get(0)).optional()?.flatten();
        Ok(count.unwrap_or(0).unsigned_abs())
    };
    counts.everywhere = count("SELECT sum(memories) FROM totals")?;
    counts.vectors = count("SELECT count(*) FROM vectors")?;
    if let Some((model, dimensions)) = vectors::made_by(connection)? {
        (counts.model, counts.dimensions) = (Some(model), dimensions);
    }
    if let Some(path) = connection.path() {
        let size = |end: &str| std::fs::metadata(format!("{path}{end}")).map_or(0, |found| found.len());
        counts.file_bytes = ["", "-wal", "-shm"].into_iter().map(size).sum();
    }
    Ok(counts)
}
