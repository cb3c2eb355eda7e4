//! The questions about events and sessions that are asked of the database.

use std::sync::Arc;

use tokio_postgres::Row;

use crate::domain::clock::Instant;
use crate::domain::event::{Event, Fork};
use crate::domain::ids::{EventId, Seq, SessionId, StreamId};
use crate::domain::query::{EventFilter, SessionSummary};
use crate::store::postgres::link::{Failure, Link};
use crate::store::postgres::schema::{COMMIT, SNAPSHOT};
use crate::store::projection::session::SessionRow;
use crate::store::upcast::Upcasters;
use crate::store::{EVENTS_LIMIT, FORKS_MAX};

/// A question about events in one of its shapes. The positions are found first: sorting and cutting then touches no
/// bodies.
macro_rules! events_sql {
    ($wanted:literal, $order:literal) => {
        concat!(
            "SELECT seq, id, type, at_ms, session, schema, body FROM events WHERE seq IN (SELECT seq FROM events
             WHERE seq > $1 AND seq <= $2 AND ",
            $wanted,
            " ORDER BY ",
            $order,
            " LIMIT $3) ORDER BY seq"
        )
    };
}

/// Stored events that `filter` wants, in ascending order.
pub(super) async fn events(link: &Link, upcasters: Upcasters, filter: EventFilter) -> Result<Vec<Arc<Event>>, Failure> {
    let after = number(filter.after.unwrap_or_default().0);
    let upto = filter.upto.map_or(i64::MAX, |upto| number(upto.0));
    let limit = i64::try_from(filter.limit.unwrap_or(EVENTS_LIMIT)).unwrap_or(i64::MAX);
    let types = &filter.types;
    let rows = if let Some(session) = &filter.session {
        let stream = StreamId::session(session);
        let stream = stream.as_str();
        // By version it is the same order, and the one that the index has.
        match (types.is_empty(), filter.newest) {
            (true, false) => link.query(events_sql!("stream = $4", "version ASC"), &[&after, &upto, &limit, &stream]).await?,
            (true, true) => link.query(events_sql!("stream = $4", "version DESC"), &[&after, &upto, &limit, &stream]).await?,
            (false, false) => {
                let sql = events_sql!("stream = $4 AND type = ANY($5)", "version ASC");
                link.query(sql, &[&after, &upto, &limit, &stream, types]).await?
            }
            (false, true) => {
                let sql = events_sql!("stream = $4 AND type = ANY($5)", "version DESC");
                link.query(sql, &[&after, &upto, &limit, &stream, types]).await?
            }
        }
    } else {
        match (types.is_empty(), filter.newest) {
            (true, false) => link.query(events_sql!("true", "seq ASC"), &[&after, &upto, &limit]).await?,
            (true, true) => link.query(events_sql!("true", "seq DESC"), &[&after, &upto, &limit]).await?,
            (false, false) => link.query(events_sql!("type = ANY($4)", "seq ASC"), &[&after, &upto, &limit, types]).await?,
            (false, true) => link.query(events_sql!("type = ANY($4)", "seq DESC"), &[&after, &upto, &limit, types]).await?,
        }
    };
    rows.iter().map(|row| event(row, upcasters)).collect()
}

/// The newest events of a stream, in ascending order.
pub(super) async fn stream_events(link: &Link, upcasters: Upcasters, stream: StreamId, limit: usize) -> Result<Vec<Arc<Event>>, Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = events_sql!("stream = $4", "version DESC");
    let rows = link.query(sql, &[&0_i64, &i64::MAX, &limit, &stream.as_str()]).await?;
    rows.iter().map(|row| event(row, upcasters)).collect()
}

/// All events of a session, those of its ancestors up to the forks first.
pub(super) async fn session_events(link: &Link, upcasters: Upcasters, session: SessionId) -> Result<Vec<Arc<Event>>, Failure> {
    // One snapshot, so that all of it is of one moment.
    link.execute(SNAPSHOT, &[]).await?;
    let mut out = Vec::new();
    for (session, upto) in lineage(link, session).await? {
        let stream = StreamId::session(&session);
        let sql = "SELECT seq, id, type, at_ms, session, schema, body FROM events WHERE stream = $1 AND seq <= $2 ORDER BY version";
        for row in &link.query(sql, &[&stream.as_str(), &upto]).await? {
            out.push(event(row, upcasters)?);
        }
    }
    link.execute(COMMIT, &[]).await?;
    Ok(out)
}

/// A session and those it was forked from, the oldest first, each with the last position that counts.
pub(super) async fn lineage(link: &Link, session: SessionId) -> Result<Vec<(SessionId, i64)>, Failure> {
    let mut chain = vec![(session, i64::MAX)];
    while let Some((child, upto)) = chain.last()
        && chain.len() <= FORKS_MAX
    {
        let sql = "SELECT forked_from, fork_upto FROM sessions WHERE id = $1 AND forked_from IS NOT NULL AND fork_upto IS NOT NULL";
        let Some(row) = link.first(sql, &[&child.as_str()]).await? else { break };
        let parent = SessionId::from(row.try_get::<_, String>(0)?);
        if chain.iter().any(|(known, _)| *known == parent) {
            break;
        }
        // A fork may lie within what its parent had inherited itself: the earliest end counts.
        let upto = row.try_get::<_, i64>(1)?.min(*upto);
        chain.push((parent, upto));
    }
    chain.reverse();
    Ok(chain)
}

/// Reads a row of `seq, id, type, at_ms, session, schema, body`.
pub(super) fn event(row: &Row, upcasters: Upcasters) -> Result<Arc<Event>, Failure> {
    let seq = Seq(count(row.try_get(0)?));
    let schema = u32::try_from(row.try_get::<_, i64>(5)?).unwrap_or(u32::MAX);
    let body = upcasters.read(row.try_get(2)?, schema, row.try_get(6)?).map_err(|source| Failure::Unreadable { seq, source })?;
    Ok(Arc::new(Event {
        seq: Some(seq),
        id: EventId::from(row.try_get::<_, &str>(1)?),
        at: Instant::from_millis(row.try_get(3)?),
        session: row.try_get::<_, Option<&str>>(4)?.map(SessionId::from),
        body,
    }))
}

/// All columns of `sessions`, in the order that [`session_row`] reads.
macro_rules! sessions_sql {
    ($rest:literal) => {
        concat!("SELECT id, title, created_ms, updated_ms, prompts, model, cwd, forked_from, fork_upto, last_seq FROM sessions ", $rest)
    };
}

/// Sessions, the latest first. Letters of the search match in both cases.
pub(super) async fn sessions(link: &Link, search: Option<String>, limit: usize) -> Result<Vec<SessionSummary>, Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let search = search.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let rows = if let Some(text) = search {
        // The body as a whole is looked at first: reading its JSON costs more. No text of PostgreSQL holds U+0000, so an
        // escaped one is taken out before that.
        let in_json = serde_json::to_string(text).unwrap_or_default();
        let sql = sessions_sql!(
            r"WHERE title ILIKE $1 OR id IN (
                SELECT session FROM (
                    SELECT session, (CASE WHEN strpos(body, '\u0000') > 0
                        THEN regexp_replace(body, '(?<!\\)((?:\\\\)*)\\u0000', '\1', 'g') ELSE body END)::json AS said
                    FROM events WHERE type = 'chat' AND body ILIKE $2 OFFSET 0) AS found
                WHERE said ->> 'role' IN ('user', 'assistant') AND said ->> 'text' ILIKE $1)
              ORDER BY updated_ms DESC, last_seq DESC LIMIT $3"
        );
        let (plain, escaped) = (like(&text.replace('\0', "")), like(in_json.trim_matches('"')));
        link.query(sql, &[&plain, &escaped, &limit]).await?
    } else {
        link.query(sessions_sql!("ORDER BY updated_ms DESC, last_seq DESC LIMIT $1"), &[&limit]).await?
    };
    rows.iter().map(|row| Ok(session_row(row)?.summary())).collect()
}

/// Reads a row of all columns of `sessions`.
pub(super) fn session_row(row: &Row) -> Result<SessionRow, Failure> {
    let forked_from: Option<&str> = row.try_get(7)?;
    let fork_upto: Option<i64> = row.try_get(8)?;
    Ok(SessionRow {
        id: SessionId::from(row.try_get::<_, &str>(0)?),
        title: row.try_get(1)?,
        created: Instant::from_millis(row.try_get(2)?),
        updated: Instant::from_millis(row.try_get(3)?),
        prompts: count(row.try_get(4)?),
        model: row.try_get(5)?,
        cwd: row.try_get(6)?,
        fork: forked_from.zip(fork_upto).map(|(session, upto)| Fork { session: session.into(), upto: Seq(count(upto)) }),
        last_seq: Seq(count(row.try_get(9)?)),
    })
}

/// The rows of these sessions.
pub(super) const SESSIONS_BY_ID: &str = sessions_sql!("WHERE id = ANY($1)");

/// The pattern that matches `text` anywhere, its own wildcards taken literally.
fn like(text: &str) -> String {
    let mut out = String::from("%");
    for ch in text.chars() {
        if matches!(ch, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(ch);
    }
    out.push('%');
    out
}

/// The position of the last event.
pub(super) async fn head(link: &Link) -> Result<Seq, Failure> {
    let row = link.first(HEAD, &[]).await?;
    Ok(Seq(row.map_or(Ok(0), |row| row.try_get(0)).map(count)?))
}

/// The position of the last event; 0 while there is none.
pub(super) const HEAD: &str = "SELECT coalesce(max(seq), 0) FROM events";

/// The version of a stream's last event.
pub(super) async fn version(link: &Link, stream: StreamId) -> Result<u64, Failure> {
    let row = link.first("SELECT coalesce(max(version), 0) FROM events WHERE stream = $1", &[&stream.as_str()]).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get(0)).map(count)?)
}

/// A count or position as the database keeps it. Nothing here counts beyond 2^63.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The inverse of [`number`].
pub(super) fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}
