//! The list of sessions in its table.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::domain::clock::Instant;
use crate::domain::event::{Event, Fork};
use crate::domain::ids::{Seq, SessionId};
use crate::store::projection::session::SessionRow;
use crate::store::sqlite::write::{count, number};

/// Rows of the list of sessions that this transaction touches; written once, at its end.
pub(super) struct Sessions<'t> {
    transaction: &'t Transaction<'t>,
    /// Whether the table is empty: nothing has to be looked for in it.
    fresh: bool,
    rows: HashMap<SessionId, SessionRow>,
}

impl<'t> Sessions<'t> {
    pub(super) fn new(transaction: &'t Transaction<'t>, fresh: bool) -> Self {
        Self { transaction, fresh, rows: HashMap::new() }
    }

    pub(super) fn apply(&mut self, event: &Event, seq: Seq) -> rusqlite::Result<()> {
        let Some(id) = &event.session else { return Ok(()) };
        let parent_title = match SessionRow::parent(event) {
            Some(parent) => self.get(parent)?.map(|row| row.title.clone()),
            None => None,
        };
        if self.get(id)?.is_none() {
            self.rows.insert(id.clone(), SessionRow::new(id.clone(), event.at));
        }
        if let Some(row) = self.rows.get_mut(id) {
            row.apply(event, seq, parent_title.as_deref());
        }
        Ok(())
    }

    fn get(&mut self, id: &SessionId) -> rusqlite::Result<Option<&SessionRow>> {
        if !self.fresh
            && !self.rows.contains_key(id)
            && let Some(row) = load_session(self.transaction, id)?
        {
            self.rows.insert(id.clone(), row);
        }
        Ok(self.rows.get(id))
    }

    pub(super) fn save(self) -> rusqlite::Result<()> {
        let mut replace = self.transaction.prepare_cached(
            "REPLACE INTO sessions (id, title, created_ms, updated_ms, prompts, model, cwd, forked_from, fork_upto, last_seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        for row in self.rows.into_values() {
            let (from, upto) = row.fork.map(|fork| (fork.session, number(fork.upto.0))).unzip();
            replace.execute(params![
                row.id.as_str(),
                row.title,
                row.created.as_millis(),
                row.updated.as_millis(),
                number(row.prompts),
                row.model,
                row.cwd,
                from.as_ref().map(SessionId::as_str),
                upto,
                number(row.last_seq.0),
            ])?;
        }
        Ok(())
    }
}

/// Reads a row of all columns of `sessions`, in the order of the table.
pub(in crate::store::sqlite) fn session_row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let forked_from: Option<String> = row.get(7)?;
    let fork_upto: Option<i64> = row.get(8)?;
    Ok(SessionRow {
        id: SessionId::from(row.get::<_, String>(0)?),
        title: row.get(1)?,
        created: Instant::from_millis(row.get(2)?),
        updated: Instant::from_millis(row.get(3)?),
        prompts: count(row.get(4)?),
        model: row.get(5)?,
        cwd: row.get(6)?,
        fork: forked_from.zip(fork_upto).map(|(session, upto)| Fork { session: session.into(), upto: Seq(count(upto)) }),
        last_seq: Seq(count(row.get(9)?)),
    })
}

fn load_session(connection: &Connection, id: &SessionId) -> rusqlite::Result<Option<SessionRow>> {
    connection.prepare_cached("SELECT * FROM sessions WHERE id = ?1")?.query_row([id.as_str()], session_row).optional()
}
