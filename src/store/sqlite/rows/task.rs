//! The list of tasks in its table.

use std::collections::HashMap;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::domain::clock::Instant;
use crate::domain::event::TaskEvent;
use crate::domain::ids::{Seq, TaskId};
use crate::domain::task::{TaskRow, TaskStatus};
use crate::store::projection::task::{Standing, TaskEntry, fold};
use crate::store::sqlite::rows::{instant, json, to_json};
use crate::store::sqlite::write::{count, number};

/// The columns that [`task_entry`] reads, in its order.
pub(in crate::store::sqlite) const TASK_COLUMNS: &str =
    "t.seq, t.status, t.reason, t.version, t.updated_ms, t.fired, t.last_fired_ms, t.counts, t.tokens, t.cost_micros, t.spec";

/// How many these are.
pub(in crate::store::sqlite) const TASK_COLUMN_COUNT: usize = 11;

/// Tasks that this transaction changes; written once, at its end.
pub(super) struct Tasks<'t> {
    transaction: &'t Transaction<'t>,
    /// Whether the table is empty: nothing has to be looked for in it.
    fresh: bool,
    rows: HashMap<TaskId, Option<TaskEntry>>,
}

impl<'t> Tasks<'t> {
    pub(super) fn new(transaction: &'t Transaction<'t>, fresh: bool) -> Self {
        Self { transaction, fresh, rows: HashMap::new() }
    }

    pub(super) fn apply(&mut self, event: &TaskEvent, standing: Standing) -> rusqlite::Result<()> {
        if !self.rows.contains_key(&event.task_id) {
            let stored = if self.fresh { None } else { load(self.transaction, &event.task_id)? };
            self.rows.insert(event.task_id.clone(), stored);
        }
        if let Some(entry) = self.rows.get_mut(&event.task_id) {
            fold(entry, event, standing);
        }
        Ok(())
    }

    pub(super) fn is_active(&self, task: &TaskId) -> rusqlite::Result<Option<bool>> {
        if let Some(entry) = self.rows.get(task) {
            return Ok(entry.as_ref().map(|entry| entry.row.status == TaskStatus::Active));
        }
        let mut statement = self.transaction.prepare_cached("SELECT status = 'active' FROM tasks WHERE id = ?1")?;
        statement.query_row([task.as_str()], |row| row.get(0)).optional()
    }

    pub(super) fn save(self) -> rusqlite::Result<()> {
        for (id, entry) in self.rows {
            match entry {
                Some(entry) => replace(self.transaction, &entry)?,
                None if self.fresh => {}
                None => {
                    self.transaction.prepare_cached("DELETE FROM tasks WHERE id = ?1")?.execute([id.as_str()])?;
                }
            }
        }
        Ok(())
    }
}

fn replace(connection: &Connection, TaskEntry { seq, row }: &TaskEntry) -> rusqlite::Result<()> {
    let mut replace = connection.prepare_cached(
        "REPLACE INTO tasks (id, seq, user_id, kind, description, status, reason, version, updated_ms, fired, last_fired_ms, counts,
             tokens, cost_micros, spec)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    replace.execute(params![
        row.spec.task_id.as_str(),
        number(seq.0),
        row.spec.user_id,
        row.spec.kind.kind().as_str(),
        row.spec.description,
        row.status.as_str(),
        row.status_reason,
        number(row.version),
        row.updated_at.as_millis(),
        number(row.fired),
        row.last_fired.map(Instant::as_millis),
        to_json(&row.counts)?,
        number(row.tokens),
        number(row.cost_micros),
        to_json(&row.spec)?,
    ])?;
    Ok(())
}

fn load(connection: &Connection, id: &TaskId) -> rusqlite::Result<Option<TaskEntry>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {TASK_COLUMNS} FROM tasks t WHERE t.id = ?1"))?;
    statement.query_row([id.as_str()], task_entry).optional()
}

/// Reads a row that starts with [`TASK_COLUMNS`].
pub(in crate::store::sqlite) fn task_entry(row: &Row<'_>) -> rusqlite::Result<TaskEntry> {
    Ok(TaskEntry {
        seq: Seq(count(row.get(0)?)),
        row: TaskRow {
            spec: json(row, 10)?,
            status: status(row, 1)?,
            status_reason: row.get(2)?,
            version: count(row.get(3)?),
            updated_at: Instant::from_millis(row.get(4)?),
            fired: count(row.get(5)?),
            last_fired: instant(row, 6)?,
            counts: json(row, 7)?,
            tokens: count(row.get(8)?),
            cost_micros: count(row.get(9)?),
            work: None,
        },
    })
}

fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<TaskStatus> {
    let text = row.get_ref(column)?.as_str()?;
    let all = [TaskStatus::Active, TaskStatus::Paused, TaskStatus::Completed, TaskStatus::Failed];
    let found = all.into_iter().find(|status| status.as_str() == text);
    found.ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("no status: `{text}`").into()))
}
