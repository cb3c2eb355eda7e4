//! How a task's work stands, in its row: what is looked for has a column, the rest is one JSON text.

use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::clock::Instant;
use crate::domain::ids::TaskId;
use crate::domain::task::{HourCount, LastRun, TaskWork};
use crate::store::sqlite::rows::{instant, json};
use crate::store::sqlite::write::count;

/// The columns that [`work_at`] reads, in its order.
pub(super) const WORK_COLUMNS: &str = "w.task_id, w.wake_ms, w.epoch, w.owner, w.lease_ms, w.cursor_ms, w.next_due_ms, w.extra_ms, w.rest";

/// What nobody looks for in SQL.
#[derive(Serialize)]
struct RestRef<'a> {
    runs: u64,
    failures: u32,
    last: &'a Option<LastRun>,
    hour: &'a HourCount,
    state: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    back_at: Option<Instant>,
}

#[derive(Deserialize)]
struct Rest {
    runs: u64,
    failures: u32,
    last: Option<LastRun>,
    hour: HourCount,
    state: Value,
    #[serde(default)]
    back_at: Option<Instant>,
}

/// The `rest` of a row.
pub(super) fn work_json(work: &TaskWork) -> serde_json::Result<String> {
    let TaskWork { runs, failures, last, hour, state, back_at, .. } = work;
    serde_json::to_string(&RestRef { runs: *runs, failures: *failures, last, hour, state, back_at: *back_at })
}

/// Reads [`WORK_COLUMNS`], which begin at `first`; `None` where an outer join found none.
pub(super) fn work_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<TaskWork>> {
    let Some(task_id) = row.get_ref(first)?.as_str_or_null()? else { return Ok(None) };
    let rest: Rest = json(row, first + 8)?;
    Ok(Some(TaskWork {
        task_id: TaskId::from(task_id),
        wake: instant(row, first + 1)?,
        epoch: count(row.get(first + 2)?),
        owner: row.get(first + 3)?,
        lease_until: instant(row, first + 4)?,
        cursor: Instant::from_millis(row.get(first + 5)?),
        next_due: instant(row, first + 6)?,
        extra_at: instant(row, first + 7)?,
        runs: rest.runs,
        failures: rest.failures,
        last: rest.last,
        hour: rest.hour,
        state: rest.state,
        back_at: rest.back_at,
    }))
}

pub(super) fn load_work(connection: &Connection, task: &TaskId) -> rusqlite::Result<Option<TaskWork>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {WORK_COLUMNS} FROM task_work w WHERE w.task_id = ?1"))?;
    Ok(statement.query_row([task.as_str()], |row| work_at(row, 0)).optional()?.flatten())
}
