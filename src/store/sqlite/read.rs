//! The questions that are asked of the file.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use crate::domain::clock::Instant;
use crate::domain::event::Event;
use crate::domain::ids::{EventId, Seq, SessionId, StreamId};
use crate::domain::query::{EventFilter, SessionSummary};
use crate::store::projection::session::SessionRow;
use crate::store::sqlite::place::Failure;
use crate::store::sqlite::rows::session::session_row;
use crate::store::sqlite::write::{count, number};
use crate::store::upcast::Upcasters;
use crate::store::{EVENTS_LIMIT, FORKS_MAX};

pub(super) const EVENT_COLUMNS: &str = "seq, id, type, at_ms, session, schema, body";

/// Stored events that `filter` wants, in ascending order.
pub(super) fn events(connection: &Connection, upcasters: Upcasters, filter: &EventFilter) -> Result<Vec<Arc<Event>>, Failure> {
    let mut wanted = String::from("seq > ? AND seq <= ?");
    let mut values = vec![
        Value::Integer(number(filter.after.unwrap_or_default().0)),
        Value::Integer(filter.upto.map_or(i64::MAX, |upto| number(upto.0))),
    ];
    let mut order = "seq";
    if let Some(session) = &filter.session {
        wanted.push_str(" AND stream = ?");
        values.push(Value::Text(StreamId::session(session).as_str().to_owned()));
        // The same order, and the one that the index has.
        order = "version";
    }
    if !filter.types.is_empty() {
        wanted.push_str(" AND type IN (?");
        wanted.push_str(&", ?".repeat(filter.types.len() - 1));
        wanted.push(')');
        values.extend(filter.types.iter().cloned().map(Value::Text));
    }
    let direction = if filter.newest { "DESC" } else { "ASC" };
    values.push(Value::Integer(i64::try_from(filter.limit.unwrap_or(EVENTS_LIMIT)).unwrap_or(i64::MAX)));
    // The positions first: sorting and cutting then touches no bodies.
    let sql = format!(
        "SELECT {EVENT_COLUMNS} FROM events
         WHERE seq IN (SELECT seq FROM events WHERE {wanted} ORDER BY {order} {direction} LIMIT ?) ORDER BY seq"
    );
    collect(connection, upcasters, &sql, values)
}

/// All events of a session, those of its ancestors up to the forks first.
pub(super) fn session_events(connection: &Connection, upcasters: Upcasters, session: SessionId) -> Result<Vec<Arc<Event>>, Failure> {
    // One transaction, so that all of it is of one moment.
    let moment = connection.unchecked_transaction()?;
    let sql = format!("SELECT {EVENT_COLUMNS} FROM events WHERE stream = ? AND seq <= ? ORDER BY version");
    let mut out = Vec::new();
    for (session, upto) in lineage(&moment, session)? {
        let stream = StreamId::session(&session).as_str().to_owned();
        out.extend(collect(&moment, upcasters, &sql, vec![Value::Text(stream), Value::Integer(upto)])?);
    }
    Ok(out)
}

/// A session and those it was forked from, the oldest first, each with the last position that counts.
pub(super) fn lineage(connection: &Connection, session: SessionId) -> Result<Vec<(SessionId, i64)>, Failure> {
    let mut chain = vec![(session, i64::MAX)];
    let mut fork_of = connection.prepare_cached("SELECT forked_from, fork_upto FROM sessions WHERE id = ?1 AND forked_from IS NOT NULL")?;
    while let Some((child, upto)) = chain.last()
        && chain.len() <= FORKS_MAX
    {
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
        let Some((parent, fork_upto)) = fork_of.query_row([child.as_str()], row).optional()? else { break };
        let parent = SessionId::from(parent);
        if chain.iter().any(|(known, _)| *known == parent) {
            break;
        }
        // A fork may lie within what its parent had inherited itself: the earliest end counts.
        let upto = fork_upto.min(*upto);
        chain.push((parent, upto));
    }
    chain.reverse();
    Ok(chain)
}

/// The newest events of a stream, in ascending order.
pub(super) fn stream_events(
    connection: &Connection,
    upcasters: Upcasters,
    stream: &StreamId,
    limit: usize,
) -> Result<Vec<Arc<Event>>, Failure> {
    let sql = format!(
        "SELECT {EVENT_COLUMNS} FROM events
         WHERE seq IN (SELECT seq FROM events WHERE stream = ? ORDER BY version DESC LIMIT ?) ORDER BY seq"
    );
    let values = vec![Value::Text(stream.as_str().to_owned()), Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX))];
    collect(connection, upcasters, &sql, values)
}

fn collect(connection: &Connection, upcasters: Upcasters, sql: &str, values: Vec<Value>) -> Result<Vec<Arc<Event>>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(event(row, upcasters)?);
    }
    Ok(out)
}

/// Reads a row of [`EVENT_COLUMNS`].
pub(super) fn event(row: &rusqlite::Row<'_>, upcasters: Upcasters) -> Result<Arc<Event>, Failure> {
    let seq = Seq(count(row.get(0)?));
    let type_name = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
    let stored = row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?;
    let body = upcasters.read(type_name, row.get(5)?, stored).map_err(|source| Failure::Unreadable { seq, source })?;
    Ok(Arc::new(Event {
        seq: Some(seq),
        id: EventId::from(row.get::<_, String>(1)?),
        at: Instant::from_millis(row.get(3)?),
        session: row.get::<_, Option<String>>(4)?.map(SessionId::from),
        body,
    }))
}

/// Sessions, the latest first. Letters of the search match in both cases as far as ASCII goes.
pub(super) fn sessions(connection: &Connection, search: Option<&str>, limit: usize) -> Result<Vec<SessionSummary>, Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let search = search.map(str::trim).filter(|text| !text.is_empty());
    let rows: Vec<SessionRow> = if let Some(text) = search {
        // The body as a whole is looked at first: reading its JSON costs more.
        let in_json = serde_json::to_string(text).unwrap_or_default();
        let mut statement = connection.prepare_cached(
            "SELECT * FROM sessions WHERE title LIKE ?1 ESCAPE '\\' OR id IN (
                 SELECT session FROM events WHERE type = 'chat' AND body LIKE ?2 ESCAPE '\\'
                     AND body ->> '$.role' IN ('user', 'assistant') AND body ->> '$.text' LIKE ?1 ESCAPE '\\')
             ORDER BY updated_ms DESC, last_seq DESC LIMIT ?3",
        )?;
        let patterns = params![like(text), like(in_json.trim_matches('"')), limit];
        statement.query_map(patterns, session_row)?.collect::<Result<_, _>>()?
    } else {
        let mut statement = connection.prepare_cached("SELECT * FROM sessions ORDER BY updated_ms DESC, last_seq DESC LIMIT ?1")?;
        statement.query_map([limit], session_row)?.collect::<Result<_, _>>()?
    };
    Ok(rows.into_iter().map(SessionRow::summary).collect())
}

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
pub(super) fn head(connection: &Connection) -> Result<Seq, Failure> {
    Ok(Seq(head_number(connection)?))
}

pub(super) fn head_number(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM events")?.query_row([], |row| row.get(0).map(count))
}

/// The version of a stream's last event.
pub(super) fn version(connection: &Connection, stream: &StreamId) -> Result<u64, Failure> {
    Ok(version_number(connection, stream)?)
}

pub(super) fn version_number(connection: &Connection, stream: &StreamId) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT coalesce(max(version), 0) FROM events WHERE stream = ?1")?;
    statement.query_row([stream.as_str()], |row| row.get(0).map(count))
}

/// The file's present `data_version` and head, unless that version is `known`.
pub(super) fn news(connection: &Connection, known: Option<i64>) -> Result<Option<(i64, Seq)>, Failure> {
    let data_version = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
    if known == Some(data_version) {
        return Ok(None);
    }
    Ok(Some((data_version, head(connection)?)))
}
