//! What was asked and how it was answered, by kind.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::cache::{Counts, Kind, Layer};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    Hit(Layer),
    Stale,
    Miss,
    Fetch,
    Refresh,
    Failure,
    Joined,
}

/// Columns of a row: as many as [`Count`] has meanings.
pub(super) const COLUMNS: usize = 9;

/// What the columns are called in the file.
pub(super) const NAMES: [&str; COLUMNS] =
    ["memory_hits", "disk_hits", "redis_hits", "stale_hits", "misses", "fetches", "refreshes", "failures", "joined"];

/// The counts of one kind, in the order of [`Counts`]' fields.
pub(super) type Row = [u64; COLUMNS];

/// The counts of this process.
#[derive(Debug, Default)]
pub(super) struct Counters([[AtomicU64; COLUMNS]; Kind::ALL.len()]);

impl Counters {
    pub(super) fn add(&self, kind: Kind, count: Count) {
        let column = match count {
            Count::Hit(Layer::Memory) => 0,
            Count::Hit(Layer::Disk) => 1,
            Count::Hit(Layer::Redis) => 2,
            // What was just fetched is no hit; it is counted as a fetch.
            Count::Hit(Layer::Origin) => return,
            Count::Stale => 3,
            Count::Miss => 4,
            Count::Fetch => 5,
            Count::Refresh => 6,
            Count::Failure => 7,
            Count::Joined => 8,
        };
        if let Some(counter) = self.0.get(place(kind)).and_then(|row| row.get(column)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counts of a kind.
    pub(super) fn row(&self, kind: Kind) -> Row {
        self.0.get(place(kind)).map(|row| row.each_ref().map(|counter| counter.load(Ordering::Relaxed))).unwrap_or_default()
    }
}

/// The kind's place in tables.
pub(super) const fn place(kind: Kind) -> usize {
    match kind {
        Kind::Page => 0,
        Kind::Search => 1,
        Kind::Weather => 2,
        Kind::Embedding => 3,
        Kind::ToolResult => 4,
    }
}

/// A row as people read it.
pub(super) fn named(row: Row) -> Counts {
    let [memory_hits, disk_hits, redis_hits, stale_hits, misses, fetches, refreshes, failures, joined] = row;
    Counts { memory_hits, disk_hits, redis_hits, stale_hits, misses, fetches, refreshes, failures, joined }
}
