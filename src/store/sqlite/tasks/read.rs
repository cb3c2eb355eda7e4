//! The questions about tasks, the inbox, the outbox and what tasks keep.

use std::fmt::Write as _;

use rusqlite::types::{Type, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use sha2::{Digest, Sha256};

use crate::domain::clock::Instant;
use crate::domain::firing::Firing;
use crate::domain::ids::{FiringId, InboxId, NoticeId, TaskId};
use crate::domain::notice::{Delivery, DeliveryStatus, InboxRow, Notice, masked};
use crate::domain::query::{AmbientStatus, InboxFilter};
use crate::domain::task::{TaskKind, TaskRow};
use crate::store::sqlite::place::Failure;
use crate::store::sqlite::rows::inbox::{INBOX_COLUMNS, inbox_entry};
use crate::store::sqlite::rows::task::{TASK_COLUMN_COUNT, TASK_COLUMNS, task_entry};
use crate::store::sqlite::rows::{instant, json};
use crate::store::sqlite::tasks::claims::leader;
use crate::store::sqlite::tasks::ops::status_name;
use crate::store::sqlite::tasks::work::{WORK_COLUMNS, work_at};
use crate::store::sqlite::write::count;
use crate::store::tasks::{Blob, DueNotice, LEAD, TaskFilter};

/// Entries of the inbox that one read gives where nobody says how many.
const INBOX_LIMIT: usize = 200;

fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn tasks(connection: &Connection, filter: &TaskFilter) -> Result<Vec<TaskRow>, Failure> {
    let mut wanted = String::from("1");
    let mut values = Vec::new();
    if let Some(user) = &filter.user_id {
        wanted.push_str(" AND t.user_id = ?");
        values.push(Value::Text(user.clone()));
    }
    if let Some(task) = &filter.task_id {
        wanted.push_str(" AND t.id = ?");
        values.push(Value::Text(task.as_str().to_owned()));
    }
    if let Some(name) = &filter.named {
        // No name is no prefix: it names nothing, or what to delete would be anything.
        wanted.push_str(" AND ((? <> '' AND substr(t.id, 1, length(?)) = ?) OR t.description = ?)");
        values.extend(std::iter::repeat_n(Value::Text(name.clone()), 4));
    }
    if let Some(after) = &filter.after {
        wanted.push_str(" AND t.seq > coalesce((SELECT seq FROM tasks WHERE id = ?), 0)");
        values.push(Value::Text(after.as_str().to_owned()));
    }
    values.push(Value::Integer(filter.limit.map_or(i64::MAX, sql_limit)));
    let sql = format!(
        "SELECT {TASK_COLUMNS}, {WORK_COLUMNS} FROM tasks t LEFT JOIN task_work w ON w.task_id = t.id WHERE {wanted} ORDER BY t.seq LIMIT ?"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let row = |row: &Row<'_>| Ok(TaskRow { work: work_at(row, TASK_COLUMN_COUNT)?, ..task_entry(row)?.row });
    Ok(statement.query_map(params_from_iter(values), row)?.collect::<Result<_, _>>()?)
}

pub(super) fn blobs(connection: &Connection, task: &TaskId, kind: &str, key: Option<&str>, limit: usize) -> Result<Vec<Blob>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT key, at_ms, bytes FROM blobs WHERE task_id = ?1 AND kind = ?2 AND (?3 IS NULL OR key = ?3)
         ORDER BY at_ms DESC, n DESC LIMIT ?4",
    )?;
    let row = |row: &Row<'_>| {
        let (key, at) = (row.get(0)?, Instant::from_millis(row.get(1)?));
        Ok(Blob { task_id: task.clone(), kind: kind.to_owned(), key, at, bytes: row.get(2)? })
    };
    Ok(statement.query_map(params![task.as_str(), kind, key, sql_limit(limit)], row)?.collect::<Result<_, _>>()?)
}

pub(super) fn inbox(connection: &Connection, filter: InboxFilter, now: Instant) -> Result<Vec<InboxRow>, Failure> {
    let wanted = if filter.all { "?1 IS NOT NULL" } else { "archived = 0 AND (snoozed_ms IS NULL OR snoozed_ms <= ?1)" };
    let sql = format!("SELECT {INBOX_COLUMNS} FROM inbox WHERE {wanted} ORDER BY seq DESC LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let values = [now.as_millis(), sql_limit(filter.limit.unwrap_or(INBOX_LIMIT))];
    Ok(statement.query_map(values, |row| inbox_entry(row).map(|entry| entry.row))?.collect::<Result<_, _>>()?)
}

pub(super) fn inbox_item(connection: &Connection, item: &InboxId) -> Result<Option<InboxRow>, Failure> {
    let mut statement = connection.prepare_cached(&format!("SELECT {INBOX_COLUMNS} FROM inbox WHERE id = ?1"))?;
    Ok(statement.query_row([item.as_str()], |row| inbox_entry(row).map(|entry| entry.row)).optional()?)
}

pub(super) fn deliveries(connection: &Connection, task: Option<&TaskId>, limit: usize) -> Result<Vec<Delivery>, Failure> {
    let columns = "status, attempts, queued_ms, free_ms, error, receipt, body";
    let wanted = if task.is_some() { "task_id = ?1" } else { "?1 IS NULL" };
    let mut statement = connection.prepare_cached(&format!("SELECT {columns} FROM outbox WHERE {wanted} ORDER BY n DESC LIMIT ?2"))?;
    let row = |row: &Row<'_>| {
        let notice: Notice = json(row, 6)?;
        let status = delivery_status(row, 0)?;
        Ok(Delivery {
            to: masked(notice.channel, &notice.to),
            notice_id: notice.notice_id,
            channel: notice.channel,
            title: notice.title,
            status,
            attempts: row.get(1)?,
            queued_at: Instant::from_millis(row.get(2)?),
            // While it is being sent, `free_ms` is the end of the lease.
            next_at: if status == DeliveryStatus::Queued { instant(row, 3)? } else { None },
            error: row.get(4)?,
            receipt: row.get(5)?,
            task_id: notice.task_id,
        })
    };
    Ok(statement.query_map(params![task.map(TaskId::as_str), sql_limit(limit)], row)?.collect::<Result<_, _>>()?)
}

fn delivery_status(row: &Row<'_>, column: usize) -> rusqlite::Result<DeliveryStatus> {
    use DeliveryStatus::{Failed, Queued, Sending, Sent, Suppressed, Unknown};

    let text = row.get_ref(column)?.as_str()?;
    let found = [Queued, Sending, Sent, Failed, Suppressed, Unknown].into_iter().find(|status| status_name(*status) == text);
    found.ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("no status: `{text}`").into()))
}

/// What is due in a queue, the most urgent first, then the oldest.
fn due<T>(
    connection: &Connection,
    sql: &str,
    (now, limit, skip): (Instant, usize, usize),
    row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_map([now.as_millis(), sql_limit(limit), sql_limit(skip)], row)?.collect::<Result<_, _>>()?)
}

pub(super) fn due_firings(connection: &Connection, now: Instant, limit: usize, skip: usize) -> Result<Vec<Firing>, Failure> {
    let sql = "SELECT body FROM firings WHERE free_ms IS NOT NULL AND free_ms <= ?1 ORDER BY priority DESC, n LIMIT ?2 OFFSET ?3";
    due(connection, sql, (now, limit, skip), |row| json(row, 0))
}

pub(super) fn due_notices(connection: &Connection, now: Instant, limit: usize, skip: usize) -> Result<Vec<DueNotice>, Failure> {
    let sql = "SELECT body, attempts, status = 'sending', error FROM outbox WHERE free_ms IS NOT NULL AND free_ms <= ?1
               ORDER BY priority DESC, n LIMIT ?2 OFFSET ?3";
    due(connection, sql, (now, limit, skip), |row| {
        Ok(DueNotice { notice: json(row, 0)?, attempts: row.get(1)?, interrupted: row.get(2)?, reason: row.get(3)? })
    })
}

pub(super) fn notice(connection: &Connection, notice: &NoticeId) -> Result<Option<Notice>, Failure> {
    let mut statement = connection.prepare_cached("SELECT body FROM outbox WHERE id = ?1")?;
    Ok(statement.query_row([notice.as_str()], |row| json(row, 0)).optional()?)
}

pub(super) fn firing(connection: &Connection, firing: &FiringId) -> Result<Option<Firing>, Failure> {
    let mut statement = connection.prepare_cached("SELECT body FROM firings WHERE id = ?1")?;
    Ok(statement.query_row([firing.as_str()], |row| json(row, 0)).optional()?)
}

pub(super) fn ambient_status(connection: &Connection, user: Option<&str>, now: Instant) -> Result<AmbientStatus, Failure> {
    // One transaction, so that all of it is of one moment.
    let moment = connection.unchecked_transaction()?;
    let task_types = TaskKind::ALL.into_iter().map(|kind| (kind.as_str().to_owned(), 0)).collect();
    let mut out = AmbientStatus { service_running: leader(&moment, LEAD, now)?.is_some(), task_types, ..AmbientStatus::default() };
    let mut statement =
        moment.prepare_cached("SELECT kind, status, count(*) FROM tasks WHERE ?1 IS NULL OR user_id = ?1 GROUP BY kind, status")?;
    let mut rows = statement.query([user])?;
    while let Some(row) = rows.next()? {
        let (kind, status, tasks): (String, String, u64) = (row.get(0)?, row.get(1)?, count(row.get(2)?));
        out.total_tasks += tasks;
        match status.as_str() {
            "active" => {
                out.active_tasks += tasks;
                if kind == TaskKind::WebMonitor.as_str() {
                    out.running_monitors += tasks;
                }
            }
            "paused" | "failed" => out.paused_tasks += tasks,
            _ => {}
        }
        *out.task_types.entry(kind).or_default() += tasks;
    }
    let number = |sql: &str| -> rusqlite::Result<u64> { moment.prepare_cached(sql)?.query_row([], |row| row.get(0).map(count)) };
    let unread = "SELECT count(*) FROM inbox WHERE archived = 0 AND unread <> 0 AND (snoozed_ms IS NULL OR snoozed_ms <= ?1)";
    out.unread = moment.prepare_cached(unread)?.query_row([now.as_millis()], |row| row.get(0).map(count))?;
    out.firings_waiting = number("SELECT count(*) FROM firings WHERE free_ms IS NOT NULL")?;
    out.notices_waiting = number("SELECT count(*) FROM outbox WHERE free_ms IS NOT NULL")?;
    out.dead_letters = number("SELECT count(*) FROM outbox WHERE status = 'failed'")?;
    Ok(out)
}

/// A digest of all rows of all projections.
pub(super) fn digest(connection: &Connection) -> Result<String, Failure> {
    let moment = connection.unchecked_transaction()?;
    let mut hash = Sha256::new();
    for table in ["sessions", "tasks", "inbox"] {
        hash.update(table);
        let mut statement = moment.prepare(&format!("SELECT * FROM {table} ORDER BY id"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Null => hash.update([0]),
                    ValueRef::Integer(number) => {
                        hash.update([1]);
                        hash.update(number.to_be_bytes());
                    }
                    ValueRef::Real(number) => {
                        hash.update([2]);
                        hash.update(number.to_be_bytes());
                    }
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                        hash.update([3]);
                        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
                        hash.update(bytes);
                    }
                }
            }
        }
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut out, byte| {
        let _never_fails = write!(out, "{byte:02x}");
        out
    }))
}

/// The rows of a table, byte by byte.
#[cfg(test)]
pub(in crate::store::sqlite) fn dump(connection: &Connection, table: &str) -> Result<Vec<String>, Failure> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1"))?;
    let columns = statement.column_count();
    let row = |row: &Row<'_>| {
        let values = (0..columns).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("{values:?}"))
    };
    Ok(statement.query_map([], row)?.collect::<Result<_, _>>()?)
}
