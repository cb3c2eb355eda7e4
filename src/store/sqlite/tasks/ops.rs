//! Fences and changes of working rows, inside the transaction of an append.
//!
//! Whatever can refuse a batch is looked at before anything of it is written, so that the others of its group need not
//! be undone.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;

use crate::domain::clock::Instant;
use crate::domain::ids::{NoticeId, TaskId};
use crate::domain::notice::DeliveryStatus;
use crate::domain::task::TaskWork;
use crate::store::sqlite::rows::Projections;
use crate::store::sqlite::tasks::work::{load_work, work_json};
use crate::store::sqlite::write::{count, number};
use crate::store::tasks::{BLOB_BYTES_MAX, Blob, FIRINGS_KEPT, FIRINGS_MAX, Fence, NOTICES_KEPT, NOTICES_MAX, Op};
use crate::store::{Error, rules};

/// A change that is ready to be written: what is stored as JSON is JSON already.
#[derive(Debug)]
pub(in crate::store::sqlite) struct ReadyOp {
    op: Op,
    json: String,
}

impl ReadyOp {
    pub(in crate::store::sqlite) fn new(op: Op) -> Result<Self, Error> {
        let encode = |error| Error::Encode { type_name: "op".to_owned(), source: std::sync::Arc::new(error) };
        let json = match &op {
            Op::PutWork { work, .. } => work_json(work),
            Op::PutFiring { firing, .. } => to_text(firing),
            Op::PutNotice { notice, .. } => to_text(notice),
            Op::PutBlob { blob, .. } if blob.bytes.len() > BLOB_BYTES_MAX => {
                return Err(Error::BlobTooLong { kind: blob.kind.clone(), bytes: blob.bytes.len(), limit: BLOB_BYTES_MAX });
            }
            _ => Ok(String::new()),
        };
        Ok(Self { op, json: json.map_err(encode)? })
    }
}

fn to_text(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value)
}

/// The first fence that does not hold.
pub(in crate::store::sqlite) fn broken(connection: &Connection, fences: &[Fence]) -> rusqlite::Result<Option<Error>> {
    for fence in fences {
        let (sql, id, expected, what) = match fence {
            Fence::NoticeIs(id, status) => {
                let sql = "SELECT status FROM outbox WHERE id = ?1";
                let found: Option<String> = connection.prepare_cached(sql)?.query_row([id.as_str()], |row| row.get(0)).optional()?;
                if found.as_deref() != Some(status_name(*status)) {
                    return Ok(Some(Error::MovedOn { what: format!("notice `{id}`") }));
                }
                continue;
            }
            Fence::Task(id, epoch) => ("SELECT epoch FROM task_work WHERE task_id = ?1", id.as_str(), *epoch, "task"),
            Fence::Firing(id, epoch) => ("SELECT epoch FROM firings WHERE id = ?1 AND owner IS NOT NULL", id.as_str(), *epoch, "firing"),
            Fence::Notice(id, epoch) => ("SELECT epoch FROM outbox WHERE id = ?1 AND owner IS NOT NULL", id.as_str(), *epoch, "notice"),
        };
        let found: Option<i64> = connection.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?;
        let holds = match (found, fence) {
            (Some(epoch), _) => count(epoch) == expected,
            // A task without work stands at 0.
            (None, Fence::Task(..)) => expected == 0,
            (None, _) => false,
        };
        if !holds {
            return Ok(Some(Error::Fenced { what: format!("{what} `{id}`"), expected }));
        }
    }
    Ok(None)
}

/// How full the queues are, as a transaction sees them; counted once where it is asked at all.
#[derive(Default)]
pub(in crate::store::sqlite) struct Queues {
    firings: Option<usize>,
    notices: Option<usize>,
}

impl Queues {
    /// Whether a queue has no room for what `ops` would add to it. What is there already needs no room.
    pub(in crate::store::sqlite) fn refusal(&mut self, connection: &Connection, ops: &[ReadyOp]) -> rusqlite::Result<Option<Error>> {
        let (mut firings, mut notices, mut ended) = (HashSet::new(), HashSet::new(), HashSet::new());
        for ready in ops {
            match &ready.op {
                Op::PutFiring { firing, .. } => {
                    let sql = "SELECT 1 FROM firings WHERE key = ?1 OR id = ?2";
                    if !connection.prepare_cached(sql)?.exists([firing.key.as_str(), firing.firing_id.as_str()])? {
                        firings.insert(firing.key.as_str());
                    }
                }
                Op::PutNotice { notice, .. } => {
                    let sql = "SELECT 1 FROM outbox WHERE id = ?1";
                    if !connection.prepare_cached(sql)?.exists([notice.notice_id.as_str()])? {
                        notices.insert(notice.notice_id.as_str());
                    }
                }
                Op::NoticeMoved { notice_id, status, .. } if is_over(*status) => drop(ended.insert(notice_id.as_str())),
                _ => {}
            }
        }
        // One in place of many needs no room: what ends with the same batch makes it.
        let mut room = 0;
        for id in ended.iter().filter(|_| !notices.is_empty()) {
            let sql = "SELECT 1 FROM outbox WHERE id = ?1 AND free_ms IS NOT NULL";
            room += usize::from(connection.prepare_cached(sql)?.exists([id])?);
        }
        let more_notices = notices.len().saturating_sub(room);
        // Both are looked at before either is counted up: a refused batch adds nothing.
        let waiting_firings = waiting(connection, &mut self.firings, "firings", firings.len())?;
        let waiting_notices = waiting(connection, &mut self.notices, "outbox", more_notices)?;
        if waiting_firings > FIRINGS_MAX {
            return Ok(Some(Error::QueueFull { what: "firings", limit: FIRINGS_MAX }));
        }
        if waiting_notices > NOTICES_MAX {
            return Ok(Some(Error::QueueFull { what: "notices", limit: NOTICES_MAX }));
        }
        self.firings = self.firings.map(|count| count + firings.len());
        self.notices = self.notices.map(|count| count + more_notices);
        Ok(None)
    }
}

/// How many would wait in `table` with `new` ones more; 0 where there are none.
fn waiting(connection: &Connection, known: &mut Option<usize>, table: &str, new: usize) -> rusqlite::Result<usize> {
    if new == 0 {
        return Ok(0);
    }
    let before = if let Some(before) = *known {
        before
    } else {
        let sql = format!("SELECT count(*) FROM {table} WHERE free_ms IS NOT NULL");
        connection.prepare_cached(&sql)?.query_row([], |row| row.get::<_, i64>(0)).map(|found| usize::try_from(found).unwrap_or(0))?
    };
    *known = Some(before);
    Ok(before + new)
}

/// Writes one change. `at` is when the batch happened, where it has an event.
pub(in crate::store::sqlite) fn apply(
    transaction: &Transaction<'_>,
    projections: &Projections<'_>,
    ready: &ReadyOp,
    at: Option<Instant>,
) -> rusqlite::Result<()> {
    match &ready.op {
        Op::PutWork { work, extra_seen } => put_work(transaction, projections, work, *extra_seen, &ready.json),
        Op::Index(task) => change_work(transaction, projections, task, TaskWork::index),
        Op::Ask { task_id, at } => change_work(transaction, projections, task_id, |work, active| rules::ask(work, *at, active)),
        Op::DropWork(task) => {
            transaction.prepare_cached("DELETE FROM task_work WHERE task_id = ?1")?.execute([task.as_str()])?;
            transaction.prepare_cached("DELETE FROM blobs WHERE task_id = ?1")?.execute([task.as_str()])?;
            Ok(())
        }
        Op::PutFiring { firing, at } => {
            let sql = "INSERT INTO firings (id, key, priority, free_ms, body) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
            let values = params![firing.firing_id.as_str(), firing.key, firing.feedback.priority, at.as_millis(), ready.json];
            transaction.prepare_cached(sql)?.execute(values)?;
            Ok(())
        }
        Op::FiringDone(firing) => {
            let sql = "UPDATE firings SET free_ms = NULL, owner = NULL WHERE id = ?1 RETURNING n";
            let done = transaction.prepare_cached(sql)?.query_row([firing.as_str()], |row| row.get(0)).optional()?;
            prune(transaction, "firings", done, FIRINGS_KEPT)
        }
        Op::FiringLater { firing_id, at, attempts } => {
            let sql = "UPDATE firings SET free_ms = ?2, owner = NULL, attempts = ?3 WHERE id = ?1 AND free_ms IS NOT NULL";
            transaction.prepare_cached(sql)?.execute(params![firing_id.as_str(), at.as_millis(), attempts])?;
            Ok(())
        }
        Op::PutNotice { notice, at: not_before } => {
            let sql = "INSERT INTO outbox (id, task_id, priority, status, free_ms, queued_ms, body)
                       VALUES (?1, ?2, ?3, 'queued', ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            let queued = at.unwrap_or(*not_before);
            let task = notice.task_id.as_ref().map(TaskId::as_str);
            let id = notice.notice_id.as_str();
            let values = params![id, task, notice.priority, not_before.as_millis(), queued.as_millis(), ready.json];
            transaction.prepare_cached(sql)?.execute(values)?;
            Ok(())
        }
        Op::NoticeMoved { notice_id, status, next_at, error, receipt } => {
            move_notice(transaction, notice_id, *status, *next_at, error.as_deref(), receipt.as_deref())
        }
        Op::NoticeHeld { notice_id, until, reason, attempts } => {
            let sql = "UPDATE outbox SET status = 'queued', free_ms = ?2, owner = NULL, error = ?3, attempts = ?4 WHERE id = ?1";
            let values = params![notice_id.as_str(), until.as_millis(), reason, attempts];
            transaction.prepare_cached(sql)?.execute(values)?;
            Ok(())
        }
        Op::PutBlob { blob, keep, by_key } => put_blob(transaction, blob, *keep, *by_key),
        Op::DropBlobs { task_id, kind } => {
            let sql = "DELETE FROM blobs WHERE task_id = ?1 AND kind = ?2";
            transaction.prepare_cached(sql)?.execute([task_id.as_str(), kind.as_str()])?;
            Ok(())
        }
    }
}

fn put_work(
    transaction: &Transaction<'_>,
    projections: &Projections<'_>,
    work: &TaskWork,
    extra_seen: Option<Instant>,
    rest: &str,
) -> rusqlite::Result<()> {
    // A task that was deleted meanwhile leaves no work behind.
    let Some(active) = projections.is_active(&work.task_id)? else { return Ok(()) };
    let mut stored = transaction.prepare_cached("SELECT extra_ms FROM task_work WHERE task_id = ?1")?;
    let stored: Option<Option<i64>> = stored.query_row([work.task_id.as_str()], |row| row.get(0)).optional()?;
    // Where there is no work yet, nobody can have asked for a run of it.
    let stored = stored.map_or(extra_seen, |extra| extra.map(Instant::from_millis));
    let due = rules::put(work.extra_at, work.next_due, stored, extra_seen, active);
    let mut put = transaction.prepare_cached(
        "INSERT INTO task_work (task_id, wake_ms, epoch, owner, lease_ms, cursor_ms, next_due_ms, extra_ms, rest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (task_id) DO UPDATE SET wake_ms = excluded.wake_ms, epoch = excluded.epoch, owner = excluded.owner,
             lease_ms = excluded.lease_ms, cursor_ms = excluded.cursor_ms, next_due_ms = excluded.next_due_ms,
             extra_ms = excluded.extra_ms, rest = excluded.rest",
    )?;
    put.execute(params![
        work.task_id.as_str(),
        due.wake.map(Instant::as_millis),
        number(work.epoch),
        work.owner,
        work.lease_until.map(Instant::as_millis),
        work.cursor.as_millis(),
        work.next_due.map(Instant::as_millis),
        due.extra_at.map(Instant::as_millis),
        rest,
    ])?;
    Ok(())
}

/// Changes when a task is looked at next, and nothing else.
fn change_work(
    transaction: &Transaction<'_>,
    projections: &Projections<'_>,
    task: &TaskId,
    change: impl FnOnce(&mut TaskWork, bool),
) -> rusqlite::Result<()> {
    let Some(mut work) = load_work(transaction, task)? else { return Ok(()) };
    change(&mut work, projections.is_active(task)?.unwrap_or(false));
    let sql = "UPDATE task_work SET wake_ms = ?2, extra_ms = ?3 WHERE task_id = ?1";
    let (wake, extra) = (work.wake.map(Instant::as_millis), work.extra_at.map(Instant::as_millis));
    transaction.prepare_cached(sql)?.execute(params![task.as_str(), wake, extra])?;
    Ok(())
}

fn move_notice(
    transaction: &Transaction<'_>,
    notice: &NoticeId,
    status: DeliveryStatus,
    next_at: Option<Instant>,
    error: Option<&str>,
    receipt: Option<&str>,
) -> rusqlite::Result<()> {
    let over = is_over(status);
    // `sending` is what a claim sets, not a move: a notice that is let go waits.
    let status = if status == DeliveryStatus::Sending { DeliveryStatus::Queued } else { status };
    let mut moved = transaction.prepare_cached(
        "UPDATE outbox SET status = ?2, free_ms = iif(?3, NULL, coalesce(?4, queued_ms)), owner = NULL, error = ?5,
             receipt = coalesce(?6, receipt)
         WHERE id = ?1 RETURNING n",
    )?;
    let values = params![notice.as_str(), status_name(status), over, next_at.map(Instant::as_millis), error, receipt];
    let n = moved.query_row(values, |row| row.get(0)).optional()?;
    if over { prune(transaction, "outbox", n, NOTICES_KEPT) } else { Ok(()) }
}

fn is_over(status: DeliveryStatus) -> bool {
    matches!(status, DeliveryStatus::Sent | DeliveryStatus::Failed | DeliveryStatus::Suppressed | DeliveryStatus::Unknown)
}

/// Forgets what was dealt with so long ago that `kept` newer ones came since.
fn prune(transaction: &Transaction<'_>, table: &str, n: Option<i64>, kept: u64) -> rusqlite::Result<()> {
    if let Some(old) = n.map(|n| n - number(kept)).filter(|old| *old > 0) {
        let sql = format!("DELETE FROM {table} WHERE n <= ?1 AND free_ms IS NULL");
        transaction.prepare_cached(&sql)?.execute([old])?;
    }
    Ok(())
}

fn put_blob(transaction: &Transaction<'_>, blob: &Blob, keep: usize, by_key: bool) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO blobs (task_id, kind, key, at_ms, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (task_id, kind, key, at_ms) DO UPDATE SET bytes = excluded.bytes",
    )?;
    put.execute(params![blob.task_id.as_str(), blob.kind, blob.key, blob.at.as_millis(), blob.bytes])?;
    let mut cut = transaction.prepare_cached(if by_key {
        "DELETE FROM blobs WHERE n IN (SELECT n FROM blobs WHERE task_id = ?1 AND kind = ?2 AND key = ?3
             ORDER BY at_ms DESC, n DESC LIMIT -1 OFFSET ?4)"
    } else {
        "DELETE FROM blobs WHERE n IN (SELECT n FROM blobs WHERE task_id = ?1 AND kind = ?2 AND ?3 IS NOT NULL
             ORDER BY at_ms DESC, n DESC LIMIT -1 OFFSET ?4)"
    })?;
    cut.execute(params![blob.task_id.as_str(), blob.kind, blob.key, i64::try_from(keep).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// A status as it stands in the table.
pub(super) fn status_name(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Queued => "queued",
        DeliveryStatus::Sending => "sending",
        DeliveryStatus::Sent => "sent",
        DeliveryStatus::Failed => "failed",
        DeliveryStatus::Suppressed => "suppressed",
        DeliveryStatus::Unknown => "unknown",
    }
}
