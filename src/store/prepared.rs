//! A batch, ready to be written: all work that needs no connection is done.

use std::sync::Arc;

use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{Seq, StreamId};
use crate::store::tasks::{Fence, Op};
use crate::store::upcast::Upcasters;
use crate::store::{Batch, EVENT_BYTES_MAX, Error, Stamped, projection};

/// The batch; `O` is a change of a queue or of blobs, as the store wants it.
#[derive(Debug)]
pub(super) struct Prepared<O> {
    pub(super) rows: Vec<PreparedRow>,
    pub(super) expected: Vec<(StreamId, u64)>,
    pub(super) fences: Vec<Fence>,
    pub(super) ops: Vec<O>,
}

/// An event, ready to be written.
#[derive(Debug)]
pub(super) struct PreparedRow {
    pub(super) event: Event,
    pub(super) stream: StreamId,
    pub(super) schema: u32,
    pub(super) json: String,
    /// The body to fold where it is another one than that of the event, see [`projection::as_read_back`].
    read_back: Option<EventBody>,
}

impl<O> Prepared<O> {
    /// Makes it of a batch, each change by `ready`.
    ///
    /// # Errors
    /// When an event or a change cannot be kept.
    pub(super) fn new(batch: Batch, upcasters: Upcasters, ready: impl Fn(Op) -> Result<O, Error>) -> Result<Self, Error> {
        let rows = batch.events.into_iter().map(|stamped| PreparedRow::new(stamped, upcasters)).collect::<Result<_, _>>()?;
        let ops = batch.ops.into_iter().map(ready).collect::<Result<_, _>>()?;
        Ok(Self { rows, expected: batch.expected, fences: batch.fences, ops })
    }

    /// Nothing to write and nothing to check.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.expected.is_empty() && self.fences.is_empty() && self.ops.is_empty()
    }

    /// What it adds to a group: events and changes.
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
        let read_back = projection::as_read_back(&body, &json);
        let event = Event { seq: None, id: stamped.id, at: stamped.at, session: stamped.event.session, body };
        Ok(Self { event, stream, schema, json, read_back })
    }

    /// What the projections fold.
    pub(super) fn body(&self) -> &EventBody {
        self.read_back.as_ref().unwrap_or(&self.event.body)
    }
}
