//! The inbox in its table.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::domain::clock::Instant;
use crate::domain::ids::{InboxId, Seq};
use crate::domain::notice::{InboxEvent, InboxRow};
use crate::store::projection::inbox::{InboxEntry, fold, item_of};
use crate::store::sqlite::rows::{instant, json, to_json};
use crate::store::sqlite::write::{count, number};

/// The columns that [`inbox_entry`] reads, in its order.
pub(in crate::store::sqlite) const INBOX_COLUMNS: &str = "seq, unread, archived, snoozed_ms, answer, item";

/// Entries that this transaction changes; written once, at its end.
pub(super) struct Inbox<'t> {
    transaction: &'t Transaction<'t>,
    /// Whether the table is empty: nothing has to be looked for in it.
    fresh: bool,
    rows: HashMap<InboxId, Option<InboxEntry>>,
}

impl<'t> Inbox<'t> {
    pub(super) fn new(transaction: &'t Transaction<'t>, fresh: bool) -> Self {
        Self { transaction, fresh, rows: HashMap::new() }
    }

    pub(super) fn apply(&mut self, event: &InboxEvent, seq: Seq) -> rusqlite::Result<()> {
        let id = item_of(event);
        if !self.rows.contains_key(id) {
            let stored = if self.fresh { None } else { self.load(id)? };
            self.rows.insert(id.clone(), stored);
        }
        if let Some(entry) = self.rows.get_mut(id) {
            fold(entry, event, seq);
        }
        Ok(())
    }

    fn load(&self, id: &InboxId) -> rusqlite::Result<Option<InboxEntry>> {
        let mut statement = self.transaction.prepare_cached(&format!("SELECT {INBOX_COLUMNS} FROM inbox WHERE id = ?1"))?;
        statement.query_row([id.as_str()], inbox_entry).optional()
    }

    pub(super) fn save(self) -> rusqlite::Result<()> {
        for InboxEntry { seq, row } in self.rows.into_values().flatten() {
            let mut replace = self.transaction.prepare_cached(
                "REPLACE INTO inbox (id, seq, unread, archived, snoozed_ms, answer, item) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            replace.execute(params![
                row.item.item_id.as_str(),
                number(seq.0),
                row.unread,
                row.archived,
                row.snoozed_until.map(Instant::as_millis),
                row.answer,
                to_json(&row.item)?,
            ])?;
        }
        Ok(())
    }
}

/// Reads a row of [`INBOX_COLUMNS`].
pub(in crate::store::sqlite) fn inbox_entry(row: &Row<'_>) -> rusqlite::Result<InboxEntry> {
    Ok(InboxEntry {
        seq: Seq(count(row.get(0)?)),
        row: InboxRow {
            unread: row.get(1)?,
            archived: row.get(2)?,
            snoozed_until: instant(row, 3)?,
            answer: row.get(4)?,
            item: json(row, 5)?,
        },
    })
}
