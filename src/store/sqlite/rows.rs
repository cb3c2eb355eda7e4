//! The tables of the projections: rows that a transaction touches, written once at its end; and all of them made anew.

pub(super) mod inbox;
pub(super) mod session;
pub(super) mod task;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::clock::Instant;
use crate::domain::event::{Custom, Event, EventBody};
use crate::domain::ids::{EventId, Seq, SessionId, TaskId};
use crate::store::projection;
use crate::store::projection::task::Standing;
use crate::store::sqlite::place::Failure;
use crate::store::sqlite::rows::inbox::Inbox;
use crate::store::sqlite::rows::session::Sessions;
use crate::store::sqlite::rows::task::Tasks;
use crate::store::sqlite::write::count;
use crate::store::upcast::Upcasters;

/// All projections as this transaction sees them.
pub(super) struct Projections<'t> {
    sessions: Sessions<'t>,
    tasks: Tasks<'t>,
    inbox: Inbox<'t>,
}

impl<'t> Projections<'t> {
    pub(super) fn new(transaction: &'t Transaction<'t>) -> Self {
        Self::over(transaction, false)
    }

    fn over(transaction: &'t Transaction<'t>, fresh: bool) -> Self {
        Self { sessions: Sessions::new(transaction, fresh), tasks: Tasks::new(transaction, fresh), inbox: Inbox::new(transaction, fresh) }
    }

    /// Takes in `event`, which stands at `seq` and at `version` of its stream.
    pub(super) fn apply(&mut self, event: &Event, body: &EventBody, seq: Seq, version: u64) -> rusqlite::Result<()> {
        match body {
            EventBody::TaskEvent(task) => self.tasks.apply(task, Standing { seq, version, at: event.at }),
            EventBody::InboxEvent(item) => self.inbox.apply(item, seq),
            _ => self.sessions.apply(event, seq),
        }
    }

    /// Whether a task runs when it is due; `None`: there is no such task.
    pub(super) fn is_active(&self, task: &TaskId) -> rusqlite::Result<Option<bool>> {
        self.tasks.is_active(task)
    }

    pub(super) fn save(self) -> rusqlite::Result<()> {
        self.sessions.save()?;
        self.tasks.save()?;
        self.inbox.save()
    }
}

/// Makes all projections anew, and what in working rows follows from them.
pub(super) fn rebuild(connection: &mut Connection, upcasters: Upcasters) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch("DELETE FROM sessions; DELETE FROM tasks; DELETE FROM inbox")?;
    let mut projections = Projections::over(&transaction, true);
    {
        let mut statement = transaction.prepare("SELECT seq, version, type, at_ms, session, schema, body FROM events ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (event, version) = stored(row, upcasters)?;
            projections.apply(&event, &event.body, event.seq.unwrap_or_default(), version)?;
        }
    }
    projections.save()?;
    transaction.execute(
        "UPDATE task_work SET wake_ms = due.wake_ms
         FROM (SELECT w.task_id, iif(t.status = 'active', coalesce(min(w.next_due_ms, w.extra_ms), w.next_due_ms, w.extra_ms), NULL) AS wake_ms
               FROM task_work w LEFT JOIN tasks t ON t.id = w.task_id) AS due
         WHERE due.task_id = task_work.task_id AND due.wake_ms IS NOT task_work.wake_ms",
        [],
    )?;
    Ok(transaction.commit()?)
}

/// An event as the folds want it: JSON that none of them looks into is not read.
fn stored(row: &Row<'_>, upcasters: Upcasters) -> Result<(Event, u64), Failure> {
    let seq = Seq(count(row.get(0)?));
    let type_name = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
    let body = if projection::reads(type_name) {
        let text = row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?;
        upcasters.read(type_name, row.get(5)?, text).map_err(|source| Failure::Unreadable { seq, source })?
    } else {
        EventBody::Custom(Custom { type_name: String::new(), data: Value::Null })
    };
    let session = row.get_ref(4)?.as_str_or_null().map_err(rusqlite::Error::from)?.map(SessionId::from);
    let at = Instant::from_millis(row.get(3)?);
    Ok((Event { seq: Some(seq), id: EventId::new(""), at, session, body }, count(row.get(1)?)))
}

/// Reads a column that holds JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// Writes a column that holds JSON.
pub(super) fn to_json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Reads a column that may hold an instant.
pub(super) fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Instant>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Instant::from_millis))
}
