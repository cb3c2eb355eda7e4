//! From the log to the queue on disk.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::bus::Recorder;
use crate::domain::event::Event;
use crate::domain::ids::Seq;
use crate::domain::interaction::InteractionRecord;
use crate::domain::query::EventFilter;
use crate::domain::text::with_causes;
use crate::interactions::record::{Fold, Shape, TYPES};
use crate::interactions::reporter::Shared;
use crate::interactions::reporter::board::QUEUE;
use crate::store::EventLog;
use crate::store::spool::{Error, Mark, NewRow, Spool};

/// Events that become records together.
const CHUNK: usize = 512;

/// How long events are left to gather once all were read: what happens one by one is stored together, and a turn that goes
/// on shares the processor with nobody.
const GATHER: Duration = Duration::from_millis(500);

/// How long it waits before it tries again what failed: a full queue, a log that cannot be read.
const RETRY: Duration = Duration::from_secs(5);

pub(super) struct Intake {
    pub(super) shared: Arc<Shared>,
    pub(super) spool: Spool,
    pub(super) log: EventLog,
    pub(super) recorder: Arc<dyn Recorder>,
    pub(super) shape: Shape,
}

/// How far it is.
struct Place {
    seq: Seq,
    fold: Fold,
}

impl Intake {
    /// Reads until it is stopped, then to the end of the log. Where nothing is known of earlier runs it begins at `from`.
    pub(super) async fn run(&self, from: Seq, stop: &CancellationToken) {
        let Some(mut place) = self.begin(from, stop).await else { return };
        while !stop.is_cancelled() {
            let mut chunks = self.log.follow(filter(None), place.seq).ready_chunks(CHUNK);
            loop {
                let chunk = tokio::select! {
                    biased;
                    () = stop.cancelled() => break,
                    chunk = chunks.next() => chunk,
                };
                let Some(chunk) = chunk else {
                    // The log cannot be read, or is closed.
                    pause(RETRY, stop).await;
                    break;
                };
                if !self.take(&mut place, &chunk, Some(stop)).await {
                    break;
                }
                if chunk.len() < CHUNK {
                    pause(GATHER, stop).await;
                }
            }
        }
        self.drain(place).await;
    }

    async fn begin(&self, from: Seq, stop: &CancellationToken) -> Option<Place> {
        loop {
            match self.spool.mark().await {
                Ok(Some(mark)) if mark.epoch == self.log.epoch() => {
                    return Some(Place { seq: Seq(mark.seq), fold: serde_json::from_str(&mark.fold).unwrap_or_default() });
                }
                // Another log, or none so far: what was there before nobody asked for.
                Ok(_) => return Some(Place { seq: from, fold: Fold::default() }),
                Err(error) => self.shared.board.say(&*self.recorder, QUEUE, &with_causes(&error)),
            }
            if stop.is_cancelled() {
                return None;
            }
            pause(RETRY, stop).await;
        }
    }

    /// What is in the log now, and no more.
    async fn drain(&self, mut place: Place) {
        let Ok(head) = self.log.head().await else { return };
        if head <= place.seq {
            return;
        }
        let mut chunks = self.log.follow(filter(Some(head)), place.seq).ready_chunks(CHUNK);
        while let Some(chunk) = chunks.next().await {
            if !self.take(&mut place, &chunk, None).await {
                return;
            }
        }
    }

    /// Stores what a chunk comes to, together with the place behind it. False where it was given up: the chunk is read again
    /// then.
    async fn take(&self, place: &mut Place, chunk: &[Arc<Event>], stop: Option<&CancellationToken>) -> bool {
        let Some(last) = chunk.iter().filter_map(|event| event.seq).next_back() else { return true };
        let (mut fold, mut records) = (place.fold.clone(), Vec::new());
        for event in chunk {
            fold.take(event, &self.shape, &mut records);
        }
        let rows: Vec<NewRow> = records.iter().map(row).collect();
        let mark = Mark { epoch: self.log.epoch().to_owned(), seq: last.0, fold: serde_json::to_string(&fold).unwrap_or_default() };
        loop {
            match self.spool.put(rows.clone(), Some(mark.clone()), self.shared.clock.now()).await {
                Ok(new) => {
                    *place = Place { seq: last, fold };
                    if new > 0 {
                        self.shared.nudge.notify_one();
                    }
                    return true;
                }
                // Nothing is lost: the log has it.
                Err(error @ Error::Full { .. }) => self.shared.board.say(&*self.recorder, QUEUE, &error.to_string()),
                Err(error) => self.shared.board.say(&*self.recorder, QUEUE, &with_causes(&error)),
            }
            let Some(stop) = stop.filter(|stop| !stop.is_cancelled()) else { return false };
            tokio::select! {
                () = stop.cancelled() => return false,
                () = self.shared.room.notified() => {}
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }
}

fn filter(upto: Option<Seq>) -> EventFilter {
    EventFilter { types: TYPES.iter().map(|name| (*name).to_owned()).collect(), upto, ..EventFilter::default() }
}

pub(super) fn row(record: &InteractionRecord) -> NewRow {
    NewRow {
        record_id: record.record_id.as_str().to_owned(),
        interaction_id: record.interaction_id.as_str().to_owned(),
        data: record.to_json().to_string(),
    }
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}
