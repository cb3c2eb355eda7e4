//! Appends in transactions; projections and working rows in the same ones.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::domain::ids::{Seq, SessionId, StreamId};
use crate::store::Error;
use crate::store::prepared;
use crate::store::sqlite::read;
use crate::store::sqlite::rows::Projections;
use crate::store::sqlite::tasks::ops::{self, Queues, ReadyOp};

/// A batch, with its changes as this store wants them.
pub(super) type Prepared = prepared::Prepared<ReadyOp>;

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
            projections.apply(event, row.body(), Seq(head), version_now)?;
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
