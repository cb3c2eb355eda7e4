//! Claims, renewals and leases: one statement each, which skips what others are claiming.

use tokio_postgres::Row;

use crate::domain::clock::Instant;
use crate::domain::firing::Firing;
use crate::domain::ids::{FiringId, NoticeId, TaskId};
use crate::domain::task::TaskStatus;
use crate::store::postgres::link::{Failure, Link};
use crate::store::postgres::projections::{from_json, task_entry};
use crate::store::postgres::read::{count, number};
use crate::store::postgres::write::work_at;
use crate::store::tasks::{Claim, Claimed, ClaimedFiring, ClaimedNotice, DueNotice, Fence, Lead};

/// Begins a statement that knows the time as `clock.ms`: the one that is passed as `$1`, else the database's.
macro_rules! at_now {
    ($rest:literal) => {
        concat!(
            "WITH clock AS MATERIALIZED (SELECT coalesce($1::bigint, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS ms)",
            $rest
        )
    };
}

/// What all claims pass along.
struct Terms {
    limit: i64,
    lease_ms: i64,
}

impl From<&Claim> for Terms {
    fn from(claim: &Claim) -> Self {
        Self {
            limit: i64::try_from(claim.limit).unwrap_or(i64::MAX),
            // A lease without end would add up to more than the column holds.
            lease_ms: i64::try_from(claim.lease.as_millis()).unwrap_or(i64::MAX).min(1 << 52),
        }
    }
}

pub(super) async fn tasks(link: &Link, now: Option<i64>, claim: Claim) -> Result<Vec<Claimed>, Failure> {
    let Terms { limit, lease_ms } = Terms::from(&claim);
    let sql = at_now!(
        ", due AS (
             SELECT w.task_id, w.lease_ms FROM task_work w, clock
             WHERE w.wake_ms <= clock.ms AND w.free_ms <= clock.ms
             ORDER BY w.wake_ms LIMIT $2 FOR UPDATE OF w SKIP LOCKED)
         UPDATE task_work w SET epoch = w.epoch + 1, owner = $3, lease_ms = clock.ms + $4
         FROM due, clock, tasks t WHERE w.task_id = due.task_id AND t.id = w.task_id AND t.status = 'active'
         RETURNING t.seq, t.row, w.work, w.wake_ms, w.extra_ms, w.epoch, w.owner, w.lease_ms, due.lease_ms IS NOT NULL"
    );
    let mut out = Vec::new();
    for row in &link.query(sql, &[&now, &limit, &claim.owner, &lease_ms]).await? {
        let Some(work) = work_at(row, 2)? else { continue };
        let task = task_entry(row)?.row;
        out.push(Claimed {
            spec: task.spec,
            status: TaskStatus::Active,
            version: task.version,
            tokens: task.tokens,
            cost_micros: task.cost_micros,
            interrupted: row.try_get(8)?,
            work,
        });
    }
    out.sort_by_key(|claimed| claimed.work.wake);
    Ok(out)
}

/// Gives back the tasks that are no longer held. Rows are locked in the order in which appends lock them.
pub(super) async fn renew_tasks(link: &Link, now: Option<i64>, claim: Claim, held: Vec<(TaskId, u64)>) -> Result<Vec<TaskId>, Failure> {
    let Terms { lease_ms, .. } = Terms::from(&claim);
    let (ids, epochs): (Vec<&str>, Vec<i64>) = held.iter().map(|(id, epoch)| (id.as_str(), number(*epoch))).unzip();
    let sql = at_now!(
        ", held AS (
             SELECT w.task_id FROM task_work w JOIN unnest($2::text[], $3::bigint[]) AS h (id, epoch) ON h.id = w.task_id
             WHERE w.epoch = h.epoch AND w.owner = $4 ORDER BY w.task_id FOR UPDATE OF w)
         UPDATE task_work w SET lease_ms = clock.ms + $5 FROM held, clock WHERE w.task_id = held.task_id RETURNING w.task_id"
    );
    let rows = link.query(sql, &[&now, &ids, &epochs, &claim.owner, &lease_ms]).await?;
    let renewed = rows.iter().map(|row| row.try_get::<_, &str>(0)).collect::<Result<std::collections::HashSet<_>, _>>()?;
    Ok(held.iter().filter(|(id, _)| !renewed.contains(id.as_str())).map(|(id, _)| id.clone()).collect())
}

pub(super) async fn renew(link: &Link, now: Option<i64>, claim: Claim, held: Fence) -> Result<bool, Failure> {
    let Terms { lease_ms, .. } = Terms::from(&claim);
    let (sql, id, epoch) = match &held {
        Fence::Task(id, epoch) => (
            at_now!(" UPDATE task_work SET lease_ms = clock.ms + $5 FROM clock WHERE task_id = $2 AND epoch = $3 AND owner = $4"),
            id.as_str(),
            *epoch,
        ),
        Fence::Firing(id, epoch) => (
            at_now!(" UPDATE firings SET free_ms = clock.ms + $5 FROM clock WHERE id = $2 AND epoch = $3 AND owner = $4"),
            id.as_str(),
            *epoch,
        ),
        // Nobody holds what stands so.
        Fence::NoticeIs(..) => return Ok(false),
        Fence::Notice(id, epoch) => (
            at_now!(" UPDATE outbox SET free_ms = clock.ms + $5 FROM clock WHERE id = $2 AND epoch = $3 AND owner = $4"),
            id.as_str(),
            *epoch,
        ),
    };
    Ok(link.execute(sql, &[&now, &id, &number(epoch), &claim.owner, &lease_ms]).await? > 0)
}

/// Which part of what is due: so many, after so many.
fn page(limit: usize, skip: usize) -> (i64, i64) {
    (i64::try_from(limit).unwrap_or(i64::MAX), i64::try_from(skip).unwrap_or(i64::MAX))
}

pub(super) async fn due_firings(link: &Link, now: Option<i64>, limit: usize, skip: usize) -> Result<Vec<Firing>, Failure> {
    let (limit, skip) = page(limit, skip);
    let sql = at_now!(" SELECT f.body FROM firings f, clock WHERE f.free_ms <= clock.ms ORDER BY f.priority DESC, f.n LIMIT $2 OFFSET $3");
    let rows = link.query(sql, &[&now, &limit, &skip]).await?;
    rows.iter().map(|row| from_json("firings", row.try_get(0)?)).collect()
}

pub(super) async fn due_notices(link: &Link, now: Option<i64>, limit: usize, skip: usize) -> Result<Vec<DueNotice>, Failure> {
    let (limit, skip) = page(limit, skip);
    let sql = at_now!(
        " SELECT o.body, o.attempts, o.status = 'sending', o.error FROM outbox o, clock WHERE o.free_ms <= clock.ms
         ORDER BY o.priority DESC, o.n LIMIT $2 OFFSET $3"
    );
    let due = |row: &Row| {
        Ok(DueNotice {
            notice: from_json("outbox", row.try_get(0)?)?,
            attempts: attempt(row.try_get(1)?),
            interrupted: row.try_get(2)?,
            reason: row.try_get(3)?,
        })
    };
    link.query(sql, &[&now, &limit, &skip]).await?.iter().map(due).collect()
}

pub(super) async fn firings(link: &Link, now: Option<i64>, claim: Claim, wanted: Vec<FiringId>) -> Result<Vec<ClaimedFiring>, Failure> {
    let Terms { limit, lease_ms } = Terms::from(&claim);
    let wanted: Vec<&str> = wanted.iter().map(FiringId::as_str).collect();
    let sql = at_now!(
        ", due AS (
             SELECT f.n FROM firings f, clock WHERE f.free_ms <= clock.ms AND f.id = ANY($5)
             ORDER BY f.priority DESC, f.n LIMIT $2 FOR UPDATE OF f SKIP LOCKED)
         UPDATE firings f SET epoch = f.epoch + 1, owner = $3, free_ms = clock.ms + $4, attempts = f.attempts + 1
         FROM due, clock WHERE f.n = due.n RETURNING f.priority, f.n, f.epoch, f.attempts, f.body"
    );
    let mut rows = link.query(sql, &[&now, &limit, &claim.owner, &lease_ms, &wanted]).await?;
    sort_by_urgency(&mut rows)?;
    let claimed = |row: &Row| {
        Ok(ClaimedFiring {
            firing: from_json("firings", row.try_get(4)?)?,
            epoch: count(row.try_get(2)?),
            attempt: attempt(row.try_get(3)?),
        })
    };
    rows.iter().map(claimed).collect()
}

pub(super) async fn notices(link: &Link, now: Option<i64>, claim: Claim, wanted: Vec<NoticeId>) -> Result<Vec<ClaimedNotice>, Failure> {
    let Terms { limit, lease_ms } = Terms::from(&claim);
    let wanted: Vec<&str> = wanted.iter().map(NoticeId::as_str).collect();
    let sql = at_now!(
        ", due AS (
             SELECT o.n, o.status = 'sending' AS interrupted FROM outbox o, clock WHERE o.free_ms <= clock.ms AND o.id = ANY($5)
             ORDER BY o.priority DESC, o.n LIMIT $2 FOR UPDATE OF o SKIP LOCKED)
         UPDATE outbox o SET status = 'sending', epoch = o.epoch + 1, owner = $3, free_ms = clock.ms + $4,
             attempts = o.attempts + (CASE WHEN due.interrupted THEN 0 ELSE 1 END)
         FROM due, clock WHERE o.n = due.n RETURNING o.priority, o.n, o.epoch, o.attempts, o.body, due.interrupted"
    );
    let mut rows = link.query(sql, &[&now, &limit, &claim.owner, &lease_ms, &wanted]).await?;
    sort_by_urgency(&mut rows)?;
    let claimed = |row: &Row| {
        Ok(ClaimedNotice {
            notice: from_json("outbox", row.try_get(4)?)?,
            epoch: count(row.try_get(2)?),
            attempt: attempt(row.try_get(3)?),
            interrupted: row.try_get(5)?,
        })
    };
    rows.iter().map(claimed).collect()
}

/// Sorts rows that begin with `priority, n`: an update gives them back in any order.
fn sort_by_urgency(rows: &mut [Row]) -> Result<(), Failure> {
    for row in rows.iter() {
        let (_, _): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    }
    rows.sort_by_key(|row| (std::cmp::Reverse(row.get::<_, i64>(0)), row.get::<_, i64>(1)));
    Ok(())
}

fn attempt(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or(u32::MAX)
}

pub(super) async fn lead(link: &Link, now: Option<i64>, name: String, claim: Claim) -> Result<Option<Lead>, Failure> {
    let Terms { lease_ms, .. } = Terms::from(&claim);
    let sql = at_now!(
        " INSERT INTO leases (name, owner, epoch, until_ms) SELECT $2, $3, 1, clock.ms + $4 FROM clock
         ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms,
             epoch = leases.epoch + (CASE WHEN leases.owner = excluded.owner THEN 0 ELSE 1 END)
         WHERE leases.owner IS NULL OR leases.owner = excluded.owner OR leases.until_ms <= excluded.until_ms - $4
         RETURNING owner, epoch, until_ms"
    );
    link.first(sql, &[&now, &name, &claim.owner, &lease_ms]).await?.map(|row| held_by(&row)).transpose()
}

/// The row stays for its epoch.
pub(super) async fn resign(link: &Link, name: String, owner: String) -> Result<(), Failure> {
    link.execute("UPDATE leases SET owner = NULL WHERE name = $1 AND owner = $2", &[&name, &owner]).await?;
    Ok(())
}

pub(super) async fn leader(link: &Link, now: Option<i64>, name: String) -> Result<Option<Lead>, Failure> {
    let sql = at_now!(" SELECT owner, epoch, until_ms FROM leases, clock WHERE name = $2 AND owner IS NOT NULL AND until_ms > clock.ms");
    link.first(sql, &[&now, &name]).await?.map(|row| held_by(&row)).transpose()
}

fn held_by(row: &Row) -> Result<Lead, Failure> {
    Ok(Lead { owner: row.try_get(0)?, epoch: count(row.try_get(1)?), until: Instant::from_millis(row.try_get(2)?) })
}

/// When a row of a queue will be claimable next.
pub(super) async fn next_in(link: &Link, sql: &'static str) -> Result<Option<Instant>, Failure> {
    let found = link.first(sql, &[]).await?.map(|row| row.try_get::<_, Option<i64>>(0)).transpose()?;
    Ok(found.flatten().map(Instant::from_millis))
}

pub(super) const NEXT_TASK: &str = "SELECT min(free_ms) FROM task_work WHERE free_ms IS NOT NULL";
pub(super) const NEXT_FIRING: &str = "SELECT min(free_ms) FROM firings WHERE free_ms IS NOT NULL";
pub(super) const NEXT_NOTICE: &str = "SELECT min(free_ms) FROM outbox WHERE free_ms IS NOT NULL";
