//! Appends in transactions, and the projection in the same ones.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::domain::clock::Instant;
use crate::domain::event::{Event, Fork};
use crate::domain::ids::{Seq, SessionId, StreamId};
use crate::store::projection::SessionRow;
use crate::store::sqlite::place::Failure;
use crate::store::sqlite::read;
use crate::store::upcast::Upcasters;
use crate::store::{Batch, EVENT_BYTES_MAX, Error, Stamped};

/// Events that a rebuild holds in memory at a time.
const REBUILD_PAGE: usize = 1_000;

/// A batch, ready to be written: all work that needs no connection is done.
#[derive(Debug)]
pub(super) struct Prepared {
    rows: Vec<PreparedRow>,
    expected: Vec<(StreamId, u64)>,
}

#[derive(Debug)]
struct PreparedRow {
    event: Event,
    stream: StreamId,
    schema: u32,
    json: String,
}

impl Prepared {
    pub(super) fn new(batch: Batch, upcasters: Upcasters) -> Result<Self, Error> {
        let rows = batch.events.into_iter().map(|stamped| PreparedRow::new(stamped, upcasters)).collect::<Result<_, _>>()?;
        Ok(Self { rows, expected: batch.expected })
    }

    /// Nothing to write and nothing to check.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.expected.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The events as they stand in the log, the first one at `first`.
    pub(super) fn into_events(self, first: u64) -> impl Iterator<Item = Arc<Event>> {
        self.rows.into_iter().zip(first..).map(|(row, seq)| Arc::new(Event { seq: Some(Seq(seq)), ..row.event }))
    }
}

impl PreparedRow {
    fn new(stamped: Stamped, upcasters: Upcasters) -> Result<Self, Error> {
        let stream = stamped.event.stream();
        let body = stamped.event.body;
        let type_name = || body.type_name().to_owned();
        let json = body.data_json().map_err(|error| Error::Encode { type_name: type_name(), source: Arc::new(error) })?;
        if json.len() > EVENT_BYTES_MAX {
            return Err(Error::TooLong { type_name: type_name(), bytes: json.len() });
        }
        let schema = upcasters.current(body.type_name());
        let event = Event { seq: None, id: stamped.id, at: stamped.at, session: stamped.event.session, body };
        Ok(Self { event, stream, schema, json })
    }
}

/// How one batch of a group fared: the position of its first event, or why it was refused.
pub(super) type Outcome = Result<u64, Error>;

/// Why a whole group was not written.
#[derive(Debug)]
pub(super) enum GroupFailure {
    /// No transaction could begin: the others of the group would fare no better alone.
    Begin(rusqlite::Error),
    /// One of the batches may be the cause.
    Inside(rusqlite::Error),
}

/// Appends `group` in one transaction. A batch whose expectation fails is left out; the others are written.
pub(super) fn append(connection: &mut Connection, group: &[&Prepared]) -> Result<Vec<Outcome>, GroupFailure> {
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.map_err(GroupFailure::Begin)?;
    let outcomes = append_inside(&transaction, group).map_err(GroupFailure::Inside)?;
    transaction.commit().map_err(GroupFailure::Inside)?;
    Ok(outcomes)
}

fn append_inside(transaction: &Transaction<'_>, group: &[&Prepared]) -> rusqlite::Result<Vec<Outcome>> {
    let mut head = read::head_number(transaction)?;
    let mut versions = Versions { transaction, known: HashMap::new() };
    let mut sessions = Sessions { transaction, rows: HashMap::new() };
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events (seq, id, stream, version, type, at_ms, session, schema, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut outcomes = Vec::with_capacity(group.len());
    for prepared in group {
        if let Some(conflict) = versions.conflict(&prepared.expected)? {
            outcomes.push(Err(conflict));
            continue;
        }
        outcomes.push(Ok(head + 1));
        for row in &prepared.rows {
            head += 1;
            let version = versions.of(&row.stream)?;
            *version += 1;
            let event = &row.event;
            let session = event.session.as_ref().map(SessionId::as_str);
            let (seq, version) = (number(head), number(*version));
            let values = params![
                seq,
                event.id.as_str(),
                row.stream.as_str(),
                version,
                event.body.type_name(),
                event.at.as_millis(),
                session,
                row.schema,
                row.json
            ];
            insert.execute(values)?;
            sessions.apply(event, Seq(head))?;
        }
    }
    sessions.save()?;
    Ok(outcomes)
}

/// Versions of streams as this transaction sees them.
struct Versions<'t> {
    transaction: &'t Transaction<'t>,
    known: HashMap<StreamId, u64>,
}

impl Versions<'_> {
    fn of(&mut self, stream: &StreamId) -> rusqlite::Result<&mut u64> {
        if !self.known.contains_key(stream) {
            let version = read::version_number(self.transaction, stream)?;
            self.known.insert(stream.clone(), version);
        }
        Ok(self.known.entry(stream.clone()).or_default())
    }

    fn conflict(&mut self, expected: &[(StreamId, u64)]) -> rusqlite::Result<Option<Error>> {
        for (stream, version) in expected {
            let actual = *self.of(stream)?;
            if actual != *version {
                return Ok(Some(Error::Conflict { stream: stream.clone(), expected: *version, actual }));
            }
        }
        Ok(None)
    }
}

/// Rows of the list of sessions that this transaction touches; written once, at its end.
struct Sessions<'t> {
    transaction: &'t Transaction<'t>,
    rows: HashMap<SessionId, SessionRow>,
}

impl Sessions<'_> {
    fn apply(&mut self, event: &Event, seq: Seq) -> rusqlite::Result<()> {
        let Some(id) = &event.session else { return Ok(()) };
        let parent_title = match SessionRow::parent(event) {
            Some(parent) => self.get(parent)?.map(|row| row.title.clone()),
            None => None,
        };
        if self.get(id)?.is_none() {
            self.rows.insert(id.clone(), SessionRow::new(id.clone(), event.at));
        }
        if let Some(row) = self.rows.get_mut(id) {
            row.apply(event, seq, parent_title.as_deref());
        }
        Ok(())
    }

    fn get(&mut self, id: &SessionId) -> rusqlite::Result<Option<&SessionRow>> {
        if !self.rows.contains_key(id)
            && let Some(row) = load_session(self.transaction, id)?
        {
            self.rows.insert(id.clone(), row);
        }
        Ok(self.rows.get(id))
    }

    fn save(self) -> rusqlite::Result<()> {
        let mut replace = self.transaction.prepare_cached(
            "REPLACE INTO sessions (id, title, created_ms, updated_ms, prompts, model, cwd, forked_from, fork_upto, last_seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        for row in self.rows.into_values() {
            let (from, upto) = row.fork.map(|fork| (fork.session, number(fork.upto.0))).unzip();
            replace.execute(params![
                row.id.as_str(),
                row.title,
                row.created.as_millis(),
                row.updated.as_millis(),
                number(row.prompts),
                row.model,
                row.cwd,
                from.as_ref().map(SessionId::as_str),
                upto,
                number(row.last_seq.0),
            ])?;
        }
        Ok(())
    }
}

/// Reads a row of all columns of `sessions`, in the order of the table.
pub(super) fn session_row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let forked_from: Option<String> = row.get(7)?;
    let fork_upto: Option<i64> = row.get(8)?;
    Ok(SessionRow {
        id: SessionId::from(row.get::<_, String>(0)?),
        title: row.get(1)?,
        created: Instant::from_millis(row.get(2)?),
        updated: Instant::from_millis(row.get(3)?),
        prompts: count(row.get(4)?),
        model: row.get(5)?,
        cwd: row.get(6)?,
        fork: forked_from.zip(fork_upto).map(|(session, upto)| Fork { session: session.into(), upto: Seq(count(upto)) }),
        last_seq: Seq(count(row.get(9)?)),
    })
}

fn load_session(connection: &Connection, id: &SessionId) -> rusqlite::Result<Option<SessionRow>> {
    connection.prepare_cached("SELECT * FROM sessions WHERE id = ?1")?.query_row([id.as_str()], session_row).optional()
}

/// Makes the list of sessions anew.
pub(super) fn rebuild(connection: &mut Connection, upcasters: Upcasters) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("DELETE FROM sessions", [])?;
    let mut sessions = Sessions { transaction: &transaction, rows: HashMap::new() };
    let mut after = 0;
    loop {
        let page = read::page(&transaction, upcasters, after, REBUILD_PAGE)?;
        for event in &page {
            let seq = event.seq.unwrap_or_default();
            sessions.apply(event, seq)?;
            after = seq.0;
        }
        if page.len() < REBUILD_PAGE {
            break;
        }
    }
    sessions.save()?;
    Ok(transaction.commit()?)
}

/// A count or position as `SQLite` keeps it. Nothing here counts beyond 2^63.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The inverse of [`number`].
pub(super) fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}
