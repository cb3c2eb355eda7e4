//! Tasks, queues, blobs and leases in the database.

use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;

use crate::domain::clock::Instant;
use crate::domain::event::Event;
use crate::domain::firing::Firing;
use crate::domain::ids::{FiringId, InboxId, NoticeId, StreamId, TaskId};
use crate::domain::notice::{Delivery, DeliveryStatus, InboxRow, Notice, masked};
use crate::domain::query::{AmbientStatus, InboxFilter};
use crate::domain::task::{TaskKind, TaskRow};
use crate::store::postgres::group::{hashed, hex};
use crate::store::postgres::link::{Failure, Link};
use crate::store::postgres::projections::{INBOX_BY_ID, from_json, inbox_entry, plain, task_entry};
use crate::store::postgres::read::count;
use crate::store::postgres::schema::{COMMIT, SNAPSHOT};
use crate::store::postgres::write::{status_name, work_at};
use crate::store::postgres::{PgStore, claims, read};
use crate::store::tasks::{Blob, Claim, Claimed, ClaimedFiring, ClaimedNotice, DueNotice, Fence, LEAD, Lead, TaskFilter, TaskStore};
use crate::store::{Error, StoreFuture};

/// Entries of the inbox that one read gives where nobody says how many.
const INBOX_LIMIT: usize = 200;

/// Rows that a digest holds in memory at a time.
const DIGEST_PAGE: i64 = 2_000;

fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

async fn tasks(link: &Link, filter: TaskFilter) -> Result<Vec<TaskRow>, Failure> {
    let (task, after) = (filter.task_id.as_ref().map(TaskId::as_str), filter.after.as_ref().map(TaskId::as_str));
    let (user, named) = (filter.user_id.as_deref().map(plain), filter.named.as_deref().map(plain));
    // No name is no prefix: it names nothing, or what to delete would be anything.
    let rows = link
        .query(
            "SELECT t.seq, t.row, w.work, w.wake_ms, w.extra_ms, w.epoch, w.owner, w.lease_ms
             FROM tasks t LEFT JOIN task_work w ON w.task_id = t.id
             WHERE ($1::text IS NULL OR t.user_id = $1) AND ($2::text IS NULL OR t.id = $2)
                 AND ($3::text IS NULL OR ($3 <> '' AND starts_with(t.id, $3)) OR t.description = $3)
                 AND ($4::text IS NULL OR t.seq > coalesce((SELECT seq FROM tasks WHERE id = $4), 0))
             ORDER BY t.seq LIMIT $5",
            &[&user, &task, &named, &after, &filter.limit.map_or(i64::MAX, sql_limit)],
        )
        .await?;
    rows.iter().map(|row| Ok(TaskRow { work: work_at(row, 2)?, ..task_entry(row)?.row })).collect()
}

async fn blobs(link: &Link, task_id: TaskId, kind: String, key: Option<String>, limit: usize) -> Result<Vec<Blob>, Failure> {
    let key_hash = key.as_deref().map(hashed);
    let rows = link
        .query(
            "SELECT key, at_ms, bytes FROM blobs WHERE task_id = $1 AND kind = $2 AND ($3::text IS NULL OR key_hash = $3)
             ORDER BY at_ms DESC, n DESC LIMIT $4",
            &[&task_id.as_str(), &kind, &key_hash, &sql_limit(limit)],
        )
        .await?;
    let blob = |row: &Row| {
        let (key, at) = (row.try_get(0)?, Instant::from_millis(row.try_get(1)?));
        Ok(Blob { task_id: task_id.clone(), kind: kind.clone(), key, at, bytes: row.try_get(2)? })
    };
    rows.iter().map(blob).collect()
}

async fn inbox(link: &Link, filter: InboxFilter, now: Instant) -> Result<Vec<InboxRow>, Failure> {
    let limit = sql_limit(filter.limit.unwrap_or(INBOX_LIMIT));
    let rows = if filter.all {
        link.query("SELECT seq, row FROM inbox ORDER BY seq DESC LIMIT $1", &[&limit]).await?
    } else {
        let sql = "SELECT seq, row FROM inbox WHERE NOT archived AND (snoozed_ms IS NULL OR snoozed_ms <= $2) ORDER BY seq DESC LIMIT $1";
        link.query(sql, &[&limit, &now.as_millis()]).await?
    };
    rows.iter().map(|row| Ok(inbox_entry(row)?.row)).collect()
}

async fn inbox_item(link: &Link, item: InboxId) -> Result<Option<InboxRow>, Failure> {
    link.first(INBOX_BY_ID, &[&vec![item.as_str()]]).await?.map(|row| Ok(inbox_entry(&row)?.row)).transpose()
}

async fn deliveries(link: &Link, task: Option<TaskId>, limit: usize) -> Result<Vec<Delivery>, Failure> {
    let limit = sql_limit(limit);
    let rows = if let Some(task) = &task {
        let sql =
            "SELECT status, attempts, queued_ms, free_ms, error, receipt, body FROM outbox WHERE task_id = $2 ORDER BY n DESC LIMIT $1";
        link.query(sql, &[&limit, &task.as_str()]).await?
    } else {
        let sql = "SELECT status, attempts, queued_ms, free_ms, error, receipt, body FROM outbox ORDER BY n DESC LIMIT $1";
        link.query(sql, &[&limit]).await?
    };
    rows.iter().map(delivery).collect()
}

fn delivery(row: &Row) -> Result<Delivery, Failure> {
    let notice: Notice = from_json("outbox", row.try_get(6)?)?;
    let status = delivery_status(row.try_get(0)?)?;
    Ok(Delivery {
        to: masked(notice.channel, &notice.to),
        notice_id: notice.notice_id,
        channel: notice.channel,
        title: notice.title,
        status,
        attempts: u32::try_from(row.try_get::<_, i64>(1)?).unwrap_or(u32::MAX),
        queued_at: Instant::from_millis(row.try_get(2)?),
        // While it is being sent, `free_ms` is the end of the lease.
        next_at: if status == DeliveryStatus::Queued { row.try_get::<_, Option<i64>>(3)?.map(Instant::from_millis) } else { None },
        error: row.try_get(4)?,
        receipt: row.try_get(5)?,
        task_id: notice.task_id,
    })
}

pub(super) fn delivery_status(text: &str) -> Result<DeliveryStatus, Failure> {
    use DeliveryStatus::{Failed, Queued, Sending, Sent, Suppressed, Unknown};

    let found = [Queued, Sending, Sent, Failed, Suppressed, Unknown].into_iter().find(|status| status_name(*status) == text);
    found.ok_or_else(|| {
        let source = <serde_json::Error as serde::de::Error>::custom(format!("no status: `{text}`"));
        Failure::Row { table: "outbox", source }
    })
}

async fn notice(link: &Link, notice: NoticeId) -> Result<Option<Notice>, Failure> {
    let row = link.first("SELECT body FROM outbox WHERE id = $1", &[&notice.as_str()]).await?;
    row.map(|row| from_json("outbox", row.try_get(0)?)).transpose()
}

async fn firing(link: &Link, firing: FiringId) -> Result<Option<Firing>, Failure> {
    let row = link.first("SELECT body FROM firings WHERE id = $1", &[&firing.as_str()]).await?;
    row.map(|row| from_json("firings", row.try_get(0)?)).transpose()
}

async fn ambient_status(link: &Link, clock: Option<i64>, user: Option<String>, now: Instant) -> Result<AmbientStatus, Failure> {
    // One snapshot, so that all of it is of one moment.
    link.execute(SNAPSHOT, &[]).await?;
    let task_types = TaskKind::ALL.into_iter().map(|kind| (kind.as_str().to_owned(), 0)).collect();
    let service_running = claims::leader(link, clock, LEAD.to_owned()).await?.is_some();
    let mut out = AmbientStatus { service_running, task_types, ..AmbientStatus::default() };
    let sql = "SELECT kind, status, count(*) FROM tasks WHERE $1::text IS NULL OR user_id = $1 GROUP BY kind, status";
    for row in &link.query(sql, &[&user.as_deref().map(plain)]).await? {
        let (kind, status, tasks): (String, &str, u64) = (row.try_get(0)?, row.try_get(1)?, count(row.try_get(2)?));
        out.total_tasks += tasks;
        match status {
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
    let counts = link
        .first(
            "SELECT (SELECT count(*) FROM inbox WHERE NOT archived AND unread AND (snoozed_ms IS NULL OR snoozed_ms <= $1)),
                 (SELECT count(*) FROM firings WHERE free_ms IS NOT NULL), (SELECT count(*) FROM outbox WHERE free_ms IS NOT NULL),
                 (SELECT count(*) FROM outbox WHERE status = 'failed')",
            &[&now.as_millis()],
        )
        .await?;
    link.execute(COMMIT, &[]).await?;
    if let Some(row) = counts {
        out.unread = count(row.try_get(0)?);
        out.firings_waiting = count(row.try_get(1)?);
        out.notices_waiting = count(row.try_get(2)?);
        out.dead_letters = count(row.try_get(3)?);
    }
    Ok(out)
}

/// A digest of all rows of all projections.
async fn digest(link: &Link) -> Result<String, Failure> {
    let tables = [
        ("sessions", "SELECT id, s::text FROM sessions s WHERE id > $1 ORDER BY id LIMIT $2"),
        ("tasks", "SELECT id, t::text FROM tasks t WHERE id > $1 ORDER BY id LIMIT $2"),
        ("inbox", "SELECT id, i::text FROM inbox i WHERE id > $1 ORDER BY id LIMIT $2"),
    ];
    link.execute(SNAPSHOT, &[]).await?;
    let mut hash = Sha256::new();
    for (table, sql) in tables {
        hash.update(table);
        let mut after = String::new();
        loop {
            let page = link.query(sql, &[&after, &DIGEST_PAGE]).await?;
            for row in &page {
                let text: &str = row.try_get(1)?;
                hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
                hash.update(text);
            }
            match page.last() {
                Some(last) if i64::try_from(page.len()).unwrap_or(i64::MAX) >= DIGEST_PAGE => after = last.try_get(0)?,
                _ => break,
            }
        }
    }
    link.execute(COMMIT, &[]).await?;
    Ok(hex(&hash.finalize()))
}

impl TaskStore for PgStore {
    fn claim_tasks(&self, claim: Claim) -> StoreFuture<Vec<Claimed>> {
        let now = self.given(claim.now);
        self.ask("claim tasks in", move |link| claims::tasks(link, now, claim.clone()).boxed())
    }

    fn renew_tasks(&self, claim: Claim, held: Vec<(TaskId, u64)>) -> StoreFuture<Vec<TaskId>> {
        let now = self.given(claim.now);
        self.ask("hold tasks in", move |link| claims::renew_tasks(link, now, claim.clone(), held.clone()).boxed())
    }

    fn due_firings(&self, now: Instant, limit: usize, skip: usize) -> StoreFuture<Vec<Firing>> {
        let now = self.given(now);
        self.ask("look at the firings of", move |link| claims::due_firings(link, now, limit, skip).boxed())
    }

    fn claim_firings(&self, claim: Claim, wanted: Vec<FiringId>) -> StoreFuture<Vec<ClaimedFiring>> {
        let now = self.given(claim.now);
        self.ask("claim firings in", move |link| claims::firings(link, now, claim.clone(), wanted.clone()).boxed())
    }

    fn due_notices(&self, now: Instant, limit: usize, skip: usize) -> StoreFuture<Vec<DueNotice>> {
        let now = self.given(now);
        self.ask("look at the notices of", move |link| claims::due_notices(link, now, limit, skip).boxed())
    }

    fn claim_notices(&self, claim: Claim, wanted: Vec<NoticeId>) -> StoreFuture<Vec<ClaimedNotice>> {
        let now = self.given(claim.now);
        self.ask("claim notices in", move |link| claims::notices(link, now, claim.clone(), wanted.clone()).boxed())
    }

    fn renew(&self, claim: Claim, held: Fence) -> StoreFuture<bool> {
        let now = self.given(claim.now);
        self.ask("hold work in", move |link| claims::renew(link, now, claim.clone(), held.clone()).boxed())
    }

    fn next_task_at(&self) -> StoreFuture<Option<Instant>> {
        self.ask("look for tasks in", |link| claims::next_in(link, claims::NEXT_TASK).boxed())
    }

    fn next_firing_at(&self) -> StoreFuture<Option<Instant>> {
        self.ask("look for firings in", |link| claims::next_in(link, claims::NEXT_FIRING).boxed())
    }

    fn next_notice_at(&self) -> StoreFuture<Option<Instant>> {
        self.ask("look for notices in", |link| claims::next_in(link, claims::NEXT_NOTICE).boxed())
    }

    fn lead(&self, name: String, claim: Claim) -> StoreFuture<Option<Lead>> {
        let now = self.given(claim.now);
        self.ask("take a lease in", move |link| claims::lead(link, now, name.clone(), claim.clone()).boxed())
    }

    fn resign(&self, name: String, owner: String) -> StoreFuture<()> {
        self.ask("give back a lease in", move |link| claims::resign(link, name.clone(), owner.clone()).boxed())
    }

    fn leader(&self, name: String, now: Instant) -> StoreFuture<Option<Lead>> {
        let now = self.given(now);
        self.ask("read a lease in", move |link| claims::leader(link, now, name.clone()).boxed())
    }

    fn tasks(&self, filter: TaskFilter) -> StoreFuture<Vec<TaskRow>> {
        self.ask("list the tasks of", move |link| tasks(link, filter.clone()).boxed())
    }

    fn stream_events(&self, stream: StreamId, limit: usize) -> StoreFuture<Vec<Arc<Event>>> {
        let upcasters = self.inner().upcasters;
        self.ask("read events of", move |link| read::stream_events(link, upcasters, stream.clone(), limit).boxed())
    }

    fn blobs(&self, task_id: TaskId, kind: String, key: Option<String>, limit: usize) -> StoreFuture<Vec<Blob>> {
        self.ask("read what a task keeps in", move |link| blobs(link, task_id.clone(), kind.clone(), key.clone(), limit).boxed())
    }

    fn inbox(&self, filter: InboxFilter, now: Instant) -> StoreFuture<Vec<InboxRow>> {
        self.ask("list the inbox of", move |link| inbox(link, filter, now).boxed())
    }

    fn inbox_item(&self, item: InboxId) -> StoreFuture<Option<InboxRow>> {
        self.ask("read the inbox of", move |link| inbox_item(link, item.clone()).boxed())
    }

    fn deliveries(&self, task_id: Option<TaskId>, limit: usize) -> StoreFuture<Vec<Delivery>> {
        self.ask("list the notices of", move |link| deliveries(link, task_id.clone(), limit).boxed())
    }

    fn notice(&self, notice_id: NoticeId) -> StoreFuture<Option<Notice>> {
        self.ask("read a notice of", move |link| notice(link, notice_id.clone()).boxed())
    }

    fn firing(&self, firing_id: FiringId) -> StoreFuture<Option<Firing>> {
        self.ask("read a firing of", move |link| firing(link, firing_id.clone()).boxed())
    }

    fn ambient_status(&self, user_id: Option<String>, now: Instant) -> StoreFuture<AmbientStatus> {
        let clock = self.given(now);
        self.ask("count the tasks of", move |link| ambient_status(link, clock, user_id.clone(), now).boxed())
    }

    fn projections_digest(&self) -> StoreFuture<String> {
        self.ask("read the projections of", |link| digest(link).boxed())
    }

    fn backup(&self, _to: PathBuf) -> StoreFuture<()> {
        let (place, schema) = (&self.inner().dial.address.place, &self.inner().dial.address.schema);
        let instead = format!("a database is copied with its own tools: `pg_dump --schema={schema} --format=custom --file=FILE '{place}'`");
        std::future::ready(Err(Error::Unsupported { what: "a backup of this store", instead })).boxed()
    }
}
