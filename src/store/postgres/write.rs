//! The two round trips of a group: what it has to know, and what it leaves. And the projections made anew.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use serde_json::Value as Json;
use tokio_postgres::Row;

use crate::domain::clock::Instant;
use crate::domain::event::{Custom, Event, EventBody};
use crate::domain::ids::{EventId, FiringId, NoticeId, Seq, SessionId, StreamId, TaskId};
use crate::domain::notice::DeliveryStatus;
use crate::domain::task::TaskWork;
use crate::store::postgres::group::{Changes, GroupFailure, Outcome, Prepared, Queued, State, Step, hashed};
use crate::store::postgres::link::{Failure, Link, Pipeline, Value, values};
use crate::store::postgres::projections::{self, Projections, Touched, from_json, to_json};
use crate::store::postgres::read::{self, HEAD, count, number};
use crate::store::postgres::schema::{BEGIN, COMMIT, LOCK};
use crate::store::postgres::tasks::delivery_status;
use crate::store::projection;
use crate::store::tasks::{Blob, FIRINGS_KEPT, Fence, NOTICES_KEPT, Op};
use crate::store::upcast::Upcasters;

/// Events that a rebuild holds in memory at a time.
const REBUILD_PAGE: i64 = 2_000;

/// Who writes, and its how manieth group this is: what stands in `writers` tells whether a commit took place.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) writer: String,
    pub(super) group: i64,
}

/// Appends `group` in one transaction. A batch whose terms do not hold is left out; the others are written.
/// Each of the two round trips may take `limit`.
pub(super) async fn append(
    link: &Link,
    group: &[&Prepared],
    mark: &Mark,
    channel: &str,
    limit: Duration,
) -> Result<Vec<Outcome>, GroupFailure> {
    let loaded = tokio::time::timeout(limit, load(link, group)).await;
    let mut state = loaded.unwrap_or(Err(Failure::Late(limit))).map_err(GroupFailure::Undone)?;
    let (outcomes, changes) = state.decide(group);
    if !changes.any {
        link.simple("ROLLBACK").await.map_err(GroupFailure::Undone)?;
        return Ok(outcomes);
    }
    let mut pipeline = link.pipeline();
    let saved = tokio::time::timeout(limit, save(&mut pipeline, &state, &changes, mark, channel)).await;
    saved.unwrap_or(Err(Failure::Late(limit))).map_err(GroupFailure::Undone)?;
    let end = async {
        pipeline.send(COMMIT, values![]).await;
        pipeline.finish().await
    };
    match tokio::time::timeout(limit, end).await.unwrap_or(Err(Failure::Late(limit))) {
        Ok(_) => Ok(outcomes),
        // The commit was on its way: it may have arrived.
        Err(failure) if failure.is_lost() => Err(GroupFailure::InDoubt(failure, outcomes)),
        Err(failure) => Err(GroupFailure::Undone(failure)),
    }
}

/// Whether the group was committed. Waits until nobody can be committing it any more.
pub(super) async fn was_committed(link: &Link, mark: &Mark) -> Result<bool, Failure> {
    link.execute(BEGIN, &[]).await?;
    // Held by the transaction in question until its end.
    link.query(LOCK, &[]).await?;
    let found = link.first("SELECT group_n FROM writers WHERE writer = $1", &[&mark.writer]).await?;
    link.execute(COMMIT, &[]).await?;
    let last: Option<i64> = found.map(|row| row.try_get(0)).transpose()?;
    Ok(last.is_some_and(|last| last >= mark.group))
}

/// What a group is about.
#[derive(Default)]
struct Needs {
    streams: HashSet<StreamId>,
    touched: Touched,
    work: BTreeSet<TaskId>,
    firings: BTreeSet<FiringId>,
    keys: HashSet<String>,
    notices: BTreeSet<NoticeId>,
    firings_room: bool,
    notices_room: bool,
}

impl Needs {
    fn of(group: &[&Prepared]) -> Self {
        let mut needs = Self::default();
        for prepared in group {
            needs.streams.extend(prepared.expected.iter().map(|(stream, _)| stream.clone()));
            for row in &prepared.rows {
                needs.streams.insert(row.stream.clone());
                needs.touched.add(&row.event);
            }
            for fence in &prepared.fences {
                match fence {
                    Fence::Task(id, _) => drop(needs.work.insert(id.clone())),
                    Fence::Firing(id, _) => drop(needs.firings.insert(id.clone())),
                    Fence::Notice(id, _) | Fence::NoticeIs(id, _) => drop(needs.notices.insert(id.clone())),
                }
            }
            prepared.ops.iter().for_each(|op| needs.add(op));
        }
        needs
    }

    fn add(&mut self, op: &Op) {
        let task = match op {
            Op::PutWork { work, .. } => Some(&work.task_id),
            Op::Index(id) | Op::DropWork(id) | Op::Ask { task_id: id, .. } => Some(id),
            Op::PutFiring { firing, .. } => {
                self.firings.insert(firing.firing_id.clone());
                self.keys.insert(hashed(&firing.key));
                self.firings_room = true;
                None
            }
            Op::FiringDone(id) | Op::FiringLater { firing_id: id, .. } => {
                self.firings.insert(id.clone());
                None
            }
            Op::PutNotice { notice, .. } => {
                self.notices.insert(notice.notice_id.clone());
                self.notices_room = true;
                None
            }
            Op::NoticeMoved { notice_id, .. } | Op::NoticeHeld { notice_id, .. } => {
                self.notices.insert(notice_id.clone());
                None
            }
            Op::PutBlob { .. } | Op::DropBlobs { .. } => None,
        };
        if let Some(task) = task {
            self.work.insert(task.clone());
            self.touched.tasks.insert(task.clone());
        }
    }
}

type Take = fn(&mut State, &[Row]) -> Result<(), Failure>;

/// Begins the transaction, waits for the lock, reads what the group is about.
async fn load(link: &Link, group: &[&Prepared]) -> Result<State, Failure> {
    let needs = Needs::of(group);
    let mut pipeline = link.pipeline();
    let mut takes: Vec<Take> = vec![|_, _| Ok(()), |_, _| Ok(()), |state, rows| take_head(state, rows)];
    pipeline.send(BEGIN, values![]).await;
    pipeline.send(LOCK, values![]).await;
    pipeline.send(HEAD, values![]).await;
    // In a fixed order, and claims never wait for rows: so nobody waits for each other.
    let questions: [(bool, &'static str, Vec<String>, Take); 9] = [
        (
            !needs.streams.is_empty(),
            "SELECT s, coalesce((SELECT max(version) FROM events WHERE stream = s), 0) FROM unnest($1::text[]) AS s",
            texts(&needs.streams),
            take_versions,
        ),
        (!needs.touched.sessions.is_empty(), read::SESSIONS_BY_ID, texts(&needs.touched.sessions), |state, rows| {
            state.projections.take_sessions(rows)
        }),
        (!needs.touched.tasks.is_empty(), projections::TASKS_BY_ID, texts(&needs.touched.tasks), |state, rows| {
            state.projections.take_tasks(rows)
        }),
        (!needs.touched.inbox.is_empty(), projections::INBOX_BY_ID, texts(&needs.touched.inbox), |state, rows| {
            state.projections.take_inbox(rows)
        }),
        (!needs.work.is_empty(), WORK_FOR_UPDATE, texts(&needs.work), take_work),
        (
            !needs.firings.is_empty(),
            "SELECT id, epoch, owner IS NOT NULL, free_ms IS NOT NULL FROM firings WHERE id = ANY($1) ORDER BY n FOR UPDATE",
            texts(&needs.firings),
            |state, rows| {
                for row in rows {
                    state.firings.insert(FiringId::from(row.try_get::<_, &str>(0)?), queued(row)?);
                }
                Ok(())
            },
        ),
        (!needs.keys.is_empty(), "SELECT key_hash FROM firings WHERE key_hash = ANY($1)", texts(&needs.keys), |state, rows| {
            for row in rows {
                state.keys.insert(row.try_get(0)?);
            }
            Ok(())
        }),
        (
            !needs.notices.is_empty(),
            "SELECT id, epoch, owner IS NOT NULL, free_ms IS NOT NULL, status FROM outbox WHERE id = ANY($1) ORDER BY n FOR UPDATE",
            texts(&needs.notices),
            |state, rows| {
                for row in rows {
                    let status = Some(delivery_status(row.try_get(4)?)?);
                    state.notices.insert(NoticeId::from(row.try_get::<_, &str>(0)?), Queued { status, ..queued(row)? });
                }
                Ok(())
            },
        ),
        (
            needs.firings_room || needs.notices_room,
            "SELECT CASE WHEN 'firings' = ANY($1::text[]) THEN (SELECT count(*) FROM firings WHERE free_ms IS NOT NULL) ELSE 0 END,
                    CASE WHEN 'notices' = ANY($1::text[]) THEN (SELECT count(*) FROM outbox WHERE free_ms IS NOT NULL) ELSE 0 END",
            [(needs.firings_room, "firings"), (needs.notices_room, "notices")]
                .into_iter()
                .filter(|(wanted, _)| *wanted)
                .map(|(_, name)| name.to_owned())
                .collect(),
            |state, rows| {
                for row in rows {
                    state.firings_waiting = usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
                    state.notices_waiting = usize::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0);
                }
                Ok(())
            },
        ),
    ];
    for (_, sql, ids, take) in questions.into_iter().filter(|(wanted, ..)| *wanted) {
        pipeline.send(sql, values![ids]).await;
        takes.push(take);
    }
    let answers = pipeline.finish().await?;
    let mut state = State::default();
    for (take, rows) in takes.into_iter().zip(&answers) {
        take(&mut state, rows)?;
    }
    Ok(state)
}

fn texts<T: AsRef<str>>(ids: impl IntoIterator<Item = T>) -> Vec<String> {
    ids.into_iter().map(|id| id.as_ref().to_owned()).collect()
}

fn take_head(state: &mut State, rows: &[Row]) -> Result<(), Failure> {
    for row in rows {
        state.head = count(row.try_get(0)?);
    }
    Ok(())
}

fn take_versions(state: &mut State, rows: &[Row]) -> Result<(), Failure> {
    for row in rows {
        state.versions.insert(StreamId::from(row.try_get::<_, &str>(0)?), count(row.try_get(1)?));
    }
    Ok(())
}

fn take_work(state: &mut State, rows: &[Row]) -> Result<(), Failure> {
    for row in rows {
        if let Some(work) = work_at(row, 0)? {
            state.work.insert(work.task_id.clone(), work);
        }
    }
    Ok(())
}

fn queued(row: &Row) -> Result<Queued, Failure> {
    Ok(Queued { epoch: count(row.try_get(1)?), held: row.try_get(2)?, waits: row.try_get(3)?, status: None })
}

const WORK_FOR_UPDATE: &str = "SELECT work, wake_ms, extra_ms, epoch, owner, lease_ms FROM task_work
    WHERE task_id = ANY($1) ORDER BY task_id FOR UPDATE";

/// Reads `work, wake_ms, extra_ms, epoch, owner, lease_ms`, which begin at `first`; `None` where an outer join found
/// none. The columns count: the JSON has what they were when it was written.
pub(super) fn work_at(row: &Row, first: usize) -> Result<Option<TaskWork>, Failure> {
    let Some(text) = row.try_get::<_, Option<&str>>(first)? else { return Ok(None) };
    let work: TaskWork = from_json("task_work", text)?;
    let instant = |column: usize| Ok::<_, Failure>(row.try_get::<_, Option<i64>>(first + column)?.map(Instant::from_millis));
    Ok(Some(TaskWork {
        wake: instant(1)?,
        extra_at: instant(2)?,
        epoch: count(row.try_get(first + 3)?),
        owner: row.try_get(first + 4)?,
        lease_until: instant(5)?,
        ..work
    }))
}

/// Sends everything that a group leaves, but the commit.
/// Sends all of `changes` but the commit.
async fn save(pipeline: &mut Pipeline<'_>, state: &State, changes: &Changes<'_>, mark: &Mark, channel: &str) -> Result<(), Failure> {
    if !changes.events.is_empty() {
        save_events(pipeline, changes).await;
    }
    state.projections.save(pipeline).await?;
    for (step, at) in &changes.steps {
        match step {
            Step::DropBlobs(task) => {
                pipeline.send("DELETE FROM blobs WHERE task_id = $1", values![task.as_str().to_owned()]).await;
            }
            Step::Op(op) => save_op(pipeline, op, *at).await?,
        }
    }
    save_work(pipeline, state, changes).await?;
    prune(pipeline, changes).await;
    pipeline
        .send(
            "INSERT INTO writers (writer, group_n) VALUES ($1, $2)
             ON CONFLICT (writer) DO UPDATE SET group_n = excluded.group_n, at = now()",
            values![mark.writer.clone(), mark.group],
        )
        .await;
    if !changes.events.is_empty() {
        pipeline.send("SELECT pg_notify($1, $2)", values![channel.to_owned(), state.head.to_string()]).await;
    }
    Ok(())
}

async fn save_events(pipeline: &mut Pipeline<'_>, changes: &Changes<'_>) {
    let mut seqs = Vec::new();
    let (mut ids, mut streams, mut versions, mut types) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut times, mut sessions, mut schemas, mut bodies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (row, seq, version) in &changes.events {
        let event = &row.event;
        seqs.push(number(*seq));
        ids.push(event.id.as_str().to_owned());
        streams.push(row.stream.as_str().to_owned());
        versions.push(number(*version));
        types.push(event.body.type_name().to_owned());
        times.push(event.at.as_millis());
        sessions.push(event.session.as_ref().map(|session| session.as_str().to_owned()));
        schemas.push(i64::from(row.schema));
        bodies.push(row.json.clone());
    }
    pipeline
        .send(
            "INSERT INTO events (seq, id, stream, version, type, at_ms, session, schema, body)
             SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::text[],
                 $8::bigint[], $9::text[])",
            values![seqs, ids, streams, versions, types, times, sessions, schemas, bodies],
        )
        .await;
}

async fn save_work(pipeline: &mut Pipeline<'_>, state: &State, changes: &Changes<'_>) -> Result<(), Failure> {
    let gone: Vec<String> = texts(changes.works.iter().filter(|id| !state.work.contains_key(*id)));
    if !gone.is_empty() {
        pipeline.send("DELETE FROM task_work WHERE task_id = ANY($1)", values![gone]).await;
    }
    let works: Vec<&TaskWork> = changes.works.iter().filter_map(|id| state.work.get(id)).collect();
    if works.is_empty() {
        return Ok(());
    }
    let instants = |part: fn(&TaskWork) -> Option<Instant>| works.iter().map(|work| part(work).map(Instant::as_millis)).collect::<Vec<_>>();
    let bodies = works.iter().map(|work| to_json("task_work", work)).collect::<Result<Vec<_>, _>>()?;
    pipeline
        .send(
            "INSERT INTO task_work (task_id, wake_ms, extra_ms, epoch, owner, lease_ms, work)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[])
             ON CONFLICT (task_id) DO UPDATE SET wake_ms = excluded.wake_ms, extra_ms = excluded.extra_ms, epoch = excluded.epoch,
                 owner = excluded.owner, lease_ms = excluded.lease_ms, work = excluded.work",
            values![
                texts(works.iter().map(|work| &work.task_id)),
                instants(|work| work.wake),
                instants(|work| work.extra_at),
                works.iter().map(|work| number(work.epoch)).collect::<Vec<_>>(),
                works.iter().map(|work| work.owner.clone()).collect::<Vec<_>>(),
                instants(|work| work.lease_until),
                bodies,
            ],
        )
        .await;
    Ok(())
}

/// Sends one change of a queue or of blobs. `at` is when its batch happened, where it has an event.
async fn save_op(pipeline: &mut Pipeline<'_>, op: &Op, at: Option<Instant>) -> Result<(), Failure> {
    let (sql, values): (&'static str, Vec<Value>) = match op {
        Op::PutFiring { firing, at: not_before } => (
            "INSERT INTO firings (id, key_hash, priority, free_ms, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            values![
                firing.firing_id.as_str().to_owned(),
                hashed(&firing.key),
                i64::from(firing.feedback.priority),
                not_before.as_millis(),
                to_json("firings", firing)?,
            ],
        ),
        Op::FiringDone(id) => ("UPDATE firings SET free_ms = NULL, owner = NULL WHERE id = $1", values![id.as_str().to_owned()]),
        Op::FiringLater { firing_id, at, attempts } => (
            "UPDATE firings SET free_ms = $2, owner = NULL, attempts = $3 WHERE id = $1 AND free_ms IS NOT NULL",
            values![firing_id.as_str().to_owned(), at.as_millis(), i64::from(*attempts)],
        ),
        Op::PutNotice { notice, at: not_before } => (
            "INSERT INTO outbox (id, task_id, priority, status, free_ms, queued_ms, body)
             VALUES ($1, $2, $3, 'queued', $4, $5, $6) ON CONFLICT DO NOTHING",
            values![
                notice.notice_id.as_str().to_owned(),
                notice.task_id.as_ref().map(|id| id.as_str().to_owned()),
                i64::from(notice.priority),
                not_before.as_millis(),
                at.unwrap_or(*not_before).as_millis(),
                to_json("outbox", notice)?,
            ],
        ),
        Op::NoticeMoved { notice_id, status, next_at, error, receipt } => {
            // `sending` is what a claim sets, not a move: a notice that is let go waits.
            let status = if *status == DeliveryStatus::Sending { DeliveryStatus::Queued } else { *status };
            (
                "UPDATE outbox SET status = $2, free_ms = CASE WHEN $2 <> 'queued' THEN NULL ELSE coalesce($3, queued_ms) END,
                     owner = NULL, error = $4, receipt = coalesce($5, receipt) WHERE id = $1",
                values![
                    notice_id.as_str().to_owned(),
                    status_name(status),
                    next_at.map(Instant::as_millis),
                    error.as_deref().map(projections::plain),
                    receipt.as_deref().map(projections::plain),
                ],
            )
        }
        Op::NoticeHeld { notice_id, until, reason, attempts } => (
            "UPDATE outbox SET status = 'queued', free_ms = $2, owner = NULL, error = $3, attempts = $4 WHERE id = $1",
            values![notice_id.as_str().to_owned(), until.as_millis(), reason.as_deref().map(projections::plain), i64::from(*attempts),],
        ),
        Op::PutBlob { blob, keep, by_key } => return save_blob(pipeline, blob, *keep, *by_key).await,
        Op::DropBlobs { task_id, kind } => {
            ("DELETE FROM blobs WHERE task_id = $1 AND kind = $2", values![task_id.as_str().to_owned(), kind.clone()])
        }
        Op::PutWork { .. } | Op::Index(_) | Op::Ask { .. } | Op::DropWork(_) => return Ok(()),
    };
    pipeline.send(sql, values).await;
    Ok(())
}

async fn save_blob(pipeline: &mut Pipeline<'_>, blob: &Blob, keep: usize, by_key: bool) -> Result<(), Failure> {
    let (task, key_hash) = (blob.task_id.as_str().to_owned(), hashed(&blob.key));
    pipeline
        .send(
            "INSERT INTO blobs (task_id, kind, key_hash, key, at_ms, bytes) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (task_id, kind, key_hash, at_ms) DO UPDATE SET bytes = excluded.bytes",
            values![
                task.clone(),
                blob.kind.clone(),
                key_hash.clone(),
                projections::plain(&blob.key),
                blob.at.as_millis(),
                blob.bytes.clone(),
            ],
        )
        .await;
    let keep = i64::try_from(keep).unwrap_or(i64::MAX);
    if by_key {
        let sql = "DELETE FROM blobs WHERE (task_id, kind, key_hash, at_ms) IN (SELECT task_id, kind, key_hash, at_ms FROM blobs
                       WHERE task_id = $1 AND kind = $2 AND key_hash = $3 ORDER BY at_ms DESC, n DESC OFFSET $4)";
        pipeline.send(sql, values![task, blob.kind.clone(), key_hash, keep]).await;
    } else {
        let sql = "DELETE FROM blobs WHERE (task_id, kind, key_hash, at_ms) IN (SELECT task_id, kind, key_hash, at_ms FROM blobs
                       WHERE task_id = $1 AND kind = $2 ORDER BY at_ms DESC, n DESC OFFSET $3)";
        pipeline.send(sql, values![task, blob.kind.clone(), keep]).await;
    }
    Ok(())
}

/// Forgets what was dealt with so long ago that many newer ones came since.
async fn prune(pipeline: &mut Pipeline<'_>, changes: &Changes<'_>) {
    let done = |wanted: fn(&Op) -> bool| changes.steps.iter().any(|(step, _)| matches!(step, Step::Op(op) if wanted(op)));
    if done(|op| matches!(op, Op::FiringDone(_))) {
        let sql = "DELETE FROM firings WHERE n <= (SELECT max(n) FROM firings) - $1 AND free_ms IS NULL";
        pipeline.send(sql, values![number(FIRINGS_KEPT)]).await;
    }
    if done(|op| matches!(op, Op::NoticeMoved { .. })) {
        let sql = "DELETE FROM outbox WHERE n <= (SELECT max(n) FROM outbox) - $1 AND free_ms IS NULL";
        pipeline.send(sql, values![number(NOTICES_KEPT)]).await;
    }
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

/// Makes all projections anew, and what in working rows follows from them.
pub(super) async fn rebuild(link: &Link, upcasters: Upcasters) -> Result<(), Failure> {
    link.execute(BEGIN, &[]).await?;
    link.query(LOCK, &[]).await?;
    link.simple("DELETE FROM sessions; DELETE FROM tasks; DELETE FROM inbox").await?;
    let mut projections = Projections::default();
    let mut after = 0_i64;
    loop {
        let sql = "SELECT seq, version, type, at_ms, session, schema, body FROM events WHERE seq > $1 ORDER BY seq LIMIT $2";
        let page = link.query(sql, &[&after, &REBUILD_PAGE]).await?;
        for row in &page {
            let (event, version) = stored(row, upcasters)?;
            projections.apply(&event, &event.body, event.seq.unwrap_or_default(), version);
            after = row.try_get(0)?;
        }
        if i64::try_from(page.len()).unwrap_or(i64::MAX) < REBUILD_PAGE {
            break;
        }
    }
    let mut pipeline = link.pipeline();
    projections.save(&mut pipeline).await?;
    pipeline.finish().await?;
    reindex(link, &projections).await?;
    link.execute(COMMIT, &[]).await?;
    Ok(())
}

/// Sets the due index anew where it is not what follows from status and work.
async fn reindex(link: &Link, projections: &Projections) -> Result<(), Failure> {
    let rows = link.query("SELECT work, wake_ms, extra_ms, epoch, owner, lease_ms FROM task_work ORDER BY task_id FOR UPDATE", &[]).await?;
    let mut pipeline = link.pipeline();
    for row in &rows {
        let Some(mut work) = work_at(row, 0)? else { continue };
        let before = work.wake;
        work.index(projections.is_active(&work.task_id).unwrap_or(false));
        if work.wake != before {
            let values = values![work.task_id.as_str().to_owned(), work.wake.map(Instant::as_millis)];
            pipeline.send("UPDATE task_work SET wake_ms = $2 WHERE task_id = $1", values).await;
        }
    }
    pipeline.finish().await?;
    Ok(())
}

/// An event as the folds want it, and its version: JSON that none of them looks into is not read.
fn stored(row: &Row, upcasters: Upcasters) -> Result<(Event, u64), Failure> {
    let seq = Seq(count(row.try_get(0)?));
    let type_name: &str = row.try_get(2)?;
    let body = if projection::reads(type_name) {
        let schema = u32::try_from(row.try_get::<_, i64>(5)?).unwrap_or(u32::MAX);
        upcasters.read(type_name, schema, row.try_get(6)?).map_err(|source| Failure::Unreadable { seq, source })?
    } else {
        EventBody::Custom(Custom { type_name: String::new(), data: Json::Null })
    };
    let session = row.try_get::<_, Option<&str>>(4)?.map(SessionId::from);
    let at = Instant::from_millis(row.try_get(3)?);
    Ok((Event { seq: Some(seq), id: EventId::new(""), at, session, body }, count(row.try_get(1)?)))
}
