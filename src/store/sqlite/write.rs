//! Appends in transactions; projections and working rows in the same ones.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{Seq, SessionId, StreamId};
use crate::store::projection;
use crate::store::sqlite::read;
use crate::store::sqlite::rows::Projections;
use crate::store::sqlite::tasks::ops::{self, Queues, ReadyOp};
use crate::store::tasks::Fence;
use crate::store::upcast::Upcasters;
use crate::store::{Batch, EVENT_BYTES_MAX, Error, Stamped};

/// A batch, ready to be written: all work that needs no connection is done.
#[derive(Debug)]
pub(super) struct Prepared {
    rows: Vec<PreparedRow>,
    expected: Vec<(StreamId, u64)>,
    fences: Vec<Fence>,
    ops: Vec<ReadyOp>,
}

#[derive(Debug)]
struct PreparedRow {
    event: Event,
    stream: StreamId,
    schema: u32,
    json: String,
    /// What is folded, where it is not the event's own body.
    folded: Option<EventBody>,
}

impl Prepared {
    pub(super) fn new(batch: Batch, upcasters: Upcasters) -> Result<Self, Error> {
        let rows = batch.events.into_iter().map(|stamped| PreparedRow::new(stamped, upcasters)).collect::<Result<_, _>>()?;
        let ops = batch.ops.into_iter().map(ReadyOp::new).collect::<Result<_, _>>()?;
        Ok(Self { rows, expected: batch.expected, fences: batch.fences, ops })
    }

    /// Nothing to write and nothing to check.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.expected.is_empty() && self.fences.is_empty() && self.ops.is_empty()
    }

    /// How much of a group it takes up.
    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.ops.len()
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
        let folded = projection::as_read_back(&body, &json);
        let event = Event { seq: None, id: stamped.id, at: stamped.at, session: stamped.event.session, body };
        Ok(Self { event, stream, schema, json, folded })
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

/// Appends `group` in one transaction. A batch whose terms do not hold is left out whole; the others are written.
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
    let mut projections = Projections::new(transaction);
    let mut queues = Queues::default();
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events (seq, id, stream, version, type, at_ms, session, schema, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut outcomes = Vec::with_capacity(group.len());
    for prepared in group {
        let refusal = match versions.conflict(&prepared.expected)? {
            Some(conflict) => Some(conflict),
            None => match ops::broken(transaction, &prepared.fences)? {
                Some(fenced) => Some(fenced),
                None => queues.refusal(transaction, &prepared.ops)?,
            },
        };
        if let Some(refusal) = refusal {
            outcomes.push(Err(refusal));
            continue;
        }
        outcomes.push(Ok(head + 1));
        for row in &prepared.rows {
            head += 1;
            let version = versions.of(&row.stream)?;
            *version += 1;
            let version_now = *version;
            let event = &row.event;
            let session = event.session.as_ref().map(SessionId::as_str);
            let (seq, version) = (number(head), number(version_now));
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
            projections.apply(event, row.folded.as_ref().unwrap_or(&event.body), Seq(head), version_now)?;
        }
        let at = prepared.rows.first().map(|row| row.event.at);
        for op in &prepared.ops {
            ops::apply(transaction, &projections, op, at)?;
        }
    }
    projections.save()?;
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

/// A count or position as `SQLite` keeps it. Nothing here counts beyond 2^63.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The inverse of [`number`].
pub(super) fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}
