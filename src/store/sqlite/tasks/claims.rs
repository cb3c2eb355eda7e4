//! Claims, renewals and leases: each in one transaction, on the writing connection.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::domain::clock::Instant;
use crate::domain::ids::{FiringId, NoticeId, TaskId};
use crate::domain::task::TaskStatus;
use crate::store::sqlite::place::Failure;
use crate::store::sqlite::rows::json;
use crate::store::sqlite::rows::task::{TASK_COLUMN_COUNT, TASK_COLUMNS, task_entry};
use crate::store::sqlite::tasks::work::{WORK_COLUMNS, work_at};
use crate::store::sqlite::write::{count, number};
use crate::store::tasks::{Claim, Claimed, ClaimedFiring, ClaimedNotice, Fence, Lead};

fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn limit(claim: &Claim) -> i64 {
    i64::try_from(claim.limit).unwrap_or(i64::MAX)
}

fn until(claim: &Claim) -> Instant {
    claim.now.plus(claim.lease)
}

pub(super) fn tasks(connection: &mut Connection, claim: &Claim) -> Result<Vec<Claimed>, Failure> {
    let transaction = begin(connection)?;
    let mut out: Vec<Claimed> = Vec::new();
    {
        let sql = format!(
            "SELECT {TASK_COLUMNS}, {WORK_COLUMNS} FROM task_work w CROSS JOIN tasks t ON t.id = w.task_id
             WHERE w.wake_ms IS NOT NULL AND w.wake_ms <= ?1 AND (w.lease_ms IS NULL OR w.lease_ms <= ?1) AND t.status = 'active'
             ORDER BY w.wake_ms LIMIT ?2"
        );
        let mut select = transaction.prepare_cached(&sql)?;
        let mut hold = transaction.prepare_cached("UPDATE task_work SET epoch = ?2, owner = ?3, lease_ms = ?4 WHERE task_id = ?1")?;
        let mut rows = select.query([claim.now.as_millis(), limit(claim)])?;
        while let Some(row) = rows.next()? {
            let Some(work) = work_at(row, TASK_COLUMN_COUNT)? else { continue };
            let task = task_entry(row)?.row;
            out.push(Claimed {
                spec: task.spec,
                status: TaskStatus::Active,
                version: task.version,
                tokens: task.tokens,
                cost_micros: task.cost_micros,
                interrupted: work.lease_until.is_some(),
                work,
            });
        }
        // After the reading: a row that changes while an index over it is walked may be met twice.
        drop(rows);
        for Claimed { work, .. } in &mut out {
            work.epoch += 1;
            work.owner = Some(claim.owner.clone());
            work.lease_until = Some(until(claim));
            hold.execute(params![work.task_id.as_str(), number(work.epoch), claim.owner, until(claim).as_millis()])?;
        }
    }
    finish(transaction, !out.is_empty())?;
    Ok(out)
}

/// Commits what was changed; where nothing was, there is nothing to wait for.
fn finish(transaction: Transaction<'_>, changed: bool) -> rusqlite::Result<()> {
    if changed { transaction.commit() } else { transaction.rollback() }
}

pub(super) fn renew_tasks(connection: &mut Connection, claim: &Claim, held: Vec<(TaskId, u64)>) -> Result<Vec<TaskId>, Failure> {
    let transaction = begin(connection)?;
    let all = held.len();
    let mut lost = Vec::new();
    for (task, epoch) in held {
        if !hold_longer(&transaction, claim, &Fence::Task(task.clone(), epoch))? {
            lost.push(task);
        }
    }
    finish(transaction, lost.len() < all)?;
    Ok(lost)
}

pub(super) fn renew(connection: &mut Connection, claim: &Claim, held: &Fence) -> Result<bool, Failure> {
    let transaction = begin(connection)?;
    let renewed = hold_longer(&transaction, claim, held)?;
    finish(transaction, renewed)?;
    Ok(renewed)
}

fn hold_longer(transaction: &Transaction<'_>, claim: &Claim, held: &Fence) -> rusqlite::Result<bool> {
    let (sql, id, epoch) = match held {
        // Nobody holds what stands so.
        Fence::NoticeIs(..) => return Ok(false),
        Fence::Task(id, epoch) => {
            ("UPDATE task_work SET lease_ms = ?4 WHERE task_id = ?1 AND epoch = ?2 AND owner = ?3", id.as_str(), *epoch)
        }
        Fence::Firing(id, epoch) => ("UPDATE firings SET free_ms = ?4 WHERE id = ?1 AND epoch = ?2 AND owner = ?3", id.as_str(), *epoch),
        Fence::Notice(id, epoch) => ("UPDATE outbox SET free_ms = ?4 WHERE id = ?1 AND epoch = ?2 AND owner = ?3", id.as_str(), *epoch),
    };
    let values = params![id, number(epoch), claim.owner, until(claim).as_millis()];
    Ok(transaction.prepare_cached(sql)?.execute(values)? > 0)
}

pub(super) fn firings(connection: &mut Connection, claim: &Claim, wanted: &[FiringId]) -> Result<Vec<ClaimedFiring>, Failure> {
    let transaction = begin(connection)?;
    let mut out = Vec::new();
    {
        let mut select = transaction
            .prepare_cached("SELECT epoch, attempts, body FROM firings WHERE id = ?1 AND free_ms IS NOT NULL AND free_ms <= ?2")?;
        let mut hold =
            transaction.prepare_cached("UPDATE firings SET epoch = ?2, owner = ?3, free_ms = ?4, attempts = ?5 WHERE id = ?1")?;
        for id in wanted.iter().take(claim.limit) {
            let row = |row: &Row<'_>| {
                let attempt = row.get::<_, u32>(1)?.saturating_add(1);
                Ok(ClaimedFiring { epoch: count(row.get(0)?) + 1, attempt, firing: json(row, 2)? })
            };
            let Some(claimed) = select.query_row(params![id.as_str(), claim.now.as_millis()], row).optional()? else { continue };
            hold.execute(params![id.as_str(), number(claimed.epoch), claim.owner, until(claim).as_millis(), claimed.attempt])?;
            out.push(claimed);
        }
    }
    finish(transaction, !out.is_empty())?;
    Ok(out)
}

pub(super) fn notices(connection: &mut Connection, claim: &Claim, wanted: &[NoticeId]) -> Result<Vec<ClaimedNotice>, Failure> {
    let transaction = begin(connection)?;
    let mut out = Vec::new();
    {
        let mut select = transaction.prepare_cached(
            "SELECT epoch, attempts, status = 'sending', body FROM outbox WHERE id = ?1 AND free_ms IS NOT NULL AND free_ms <= ?2",
        )?;
        let mut hold = transaction
            .prepare_cached("UPDATE outbox SET status = 'sending', epoch = ?2, owner = ?3, free_ms = ?4, attempts = ?5 WHERE id = ?1")?;
        for id in wanted.iter().take(claim.limit) {
            let row = |row: &Row<'_>| {
                let (attempts, interrupted): (u32, bool) = (row.get(1)?, row.get(2)?);
                let attempt = if interrupted { attempts } else { attempts.saturating_add(1) };
                Ok(ClaimedNotice { notice: json(row, 3)?, epoch: count(row.get(0)?) + 1, attempt, interrupted })
            };
            let Some(claimed) = select.query_row(params![id.as_str(), claim.now.as_millis()], row).optional()? else { continue };
            hold.execute(params![id.as_str(), number(claimed.epoch), claim.owner, until(claim).as_millis(), claimed.attempt])?;
            out.push(claimed);
        }
    }
    finish(transaction, !out.is_empty())?;
    Ok(out)
}

/// Who took a named lease last, and until when it runs; no owner where it was given back.
fn lease(connection: &Connection, name: &str) -> rusqlite::Result<Option<(Option<String>, u64, Instant)>> {
    let mut statement = connection.prepare_cached("SELECT owner, epoch, until_ms FROM leases WHERE name = ?1")?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, count(row.get(1)?), Instant::from_millis(row.get(2)?)));
    statement.query_row([name], read).optional()
}

pub(super) fn lead(connection: &mut Connection, name: &str, claim: &Claim) -> Result<Option<Lead>, Failure> {
    let transaction = begin(connection)?;
    let epoch = match lease(&transaction, name)? {
        Some((Some(owner), epoch, _)) if owner == claim.owner => epoch,
        Some((Some(_), _, held_until)) if held_until > claim.now => return Ok(None),
        Some((_, epoch, _)) => epoch + 1,
        None => 1,
    };
    let lead = Lead { owner: claim.owner.clone(), epoch, until: until(claim) };
    transaction.prepare_cached("REPLACE INTO leases (name, owner, epoch, until_ms) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        name,
        lead.owner,
        number(lead.epoch),
        lead.until.as_millis()
    ])?;
    transaction.commit()?;
    Ok(Some(lead))
}

pub(super) fn resign(connection: &Connection, name: &str, owner: &str) -> Result<(), Failure> {
    // The row stays for its epoch.
    connection.execute("UPDATE leases SET owner = NULL WHERE name = ?1 AND owner = ?2", [name, owner])?;
    Ok(())
}

pub(super) fn leader(connection: &Connection, name: &str, now: Instant) -> Result<Option<Lead>, Failure> {
    Ok(match lease(connection, name)? {
        Some((Some(owner), epoch, until)) if until > now => Some(Lead { owner, epoch, until }),
        _ => None,
    })
}

/// When a task will be claimable next.
pub(super) fn next_task(connection: &Connection) -> Result<Option<Instant>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT min(at) FROM (
             SELECT * FROM (SELECT wake_ms AS at FROM task_work WHERE wake_ms IS NOT NULL AND lease_ms IS NULL ORDER BY wake_ms LIMIT 1)
             UNION ALL
             SELECT max(wake_ms, lease_ms) FROM task_work WHERE lease_ms IS NOT NULL AND wake_ms IS NOT NULL)",
    )?;
    Ok(statement.query_row([], |row| row.get::<_, Option<i64>>(0))?.map(Instant::from_millis))
}

/// When a row of a queue will be claimable next.
pub(super) fn next_in(connection: &Connection, table: &str) -> Result<Option<Instant>, Failure> {
    let sql = format!("SELECT min(free_ms) FROM {table} WHERE free_ms IS NOT NULL");
    Ok(connection.prepare_cached(&sql)?.query_row([], |row| row.get::<_, Option<i64>>(0))?.map(Instant::from_millis))
}
