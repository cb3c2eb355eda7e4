//! One client's way through the feed: replay from the log, then live, with neither gap nor repeat.
//!
//! The reader joins the ring before it reads the log, so that what happens meanwhile is in one of the two; what it has seen
//! already it passes over. While it replays, frames that the ring loses are simply read from the log. Once it is live, a
//! reader that lags is told how many frames it lost; it may come back and ask for them.

use std::sync::Arc;

use crate::bus::{Delivery, Subscription};
use crate::domain::ids::Seq;
use crate::domain::query::{EventFilter, Queries, QueryError};
use crate::server::frame::{ClientClass, Frame};
use crate::server::hub::Hub;

/// Frames that are handed out at once.
pub const BATCH: usize = 64;

/// Events that are read from the log at once.
const PAGE: usize = 256;

/// Who reads, and what.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Its class.
    pub class: ClientClass,
    /// Its id.
    pub client: String,
    /// Only these types; all where empty.
    pub types: Vec<String>,
}

impl Reading {
    fn wants(&self, frame: &Frame) -> bool {
        (self.types.is_empty() || self.types.iter().any(|kind| **kind == *frame.kind)) && frame.target.means(self.class, &self.client)
    }
}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// Frames were put out; maybe none that this client wants.
    Frames,
    /// So many frames were lost.
    Dropped(u64),
    /// The feed has ended.
    End,
}

/// One client's cursor.
pub struct Reader {
    queries: Arc<dyn Queries>,
    frames: Subscription<Frame>,
    reading: Reading,
    /// Everything up to here was put out, or is not wanted. None: only what happens from now on is.
    position: Option<Seq>,
    is_behind: bool,
    is_live: bool,
    deliveries: Vec<Delivery<Frame>>,
}

impl Reader {
    /// Reads what comes after `since`; from now on where absent.
    pub fn new(hub: &Hub, queries: Arc<dyn Queries>, reading: Reading, since: Option<Seq>) -> Self {
        let frames = hub.subscribe();
        Self { queries, frames, reading, position: since, is_behind: since.is_some(), is_live: since.is_none(), deliveries: Vec::new() }
    }

    /// The position up to which all is put out, where it is known.
    pub fn position(&self) -> Option<Seq> {
        self.position
    }

    /// Waits for what comes next and puts it into `out`. Safe to cancel.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn next(&mut self, out: &mut Vec<Arc<Frame>>) -> Result<Next, QueryError> {
        loop {
            if self.is_behind {
                self.catch_up(out).await?;
                return Ok(Next::Frames);
            }
            let mut deliveries = std::mem::take(&mut self.deliveries);
            let count = self.frames.recv_many(&mut deliveries, BATCH).await;
            let mut lost = 0;
            for delivery in deliveries.drain(..) {
                match delivery {
                    Delivery::Lost(count) => lost += count,
                    Delivery::Event(frame) => self.take(frame, lost, out),
                }
            }
            self.deliveries = deliveries;
            if count == 0 {
                return Ok(Next::End);
            }
            if lost == 0 {
                self.is_live = true;
                return Ok(Next::Frames);
            }
            if self.is_live {
                return Ok(Next::Dropped(lost));
            }
            // What was put out of the ring lies behind the gap: the log has it as well.
            out.clear();
            self.is_behind = true;
        }
    }

    fn take(&mut self, frame: Arc<Frame>, lost: u64, out: &mut Vec<Arc<Frame>>) {
        // Behind a gap, only who is live goes on; the other reads the log.
        if lost > 0 && !self.is_live {
            return;
        }
        if let Some(seq) = frame.seq {
            if self.position.is_some_and(|position| seq <= position) {
                return;
            }
            self.position = Some(seq);
        }
        if self.reading.wants(&frame) {
            out.push(frame);
        }
    }

    /// One page of the log.
    async fn catch_up(&mut self, out: &mut Vec<Arc<Frame>>) -> Result<(), QueryError> {
        let filter = EventFilter { types: self.reading.types.clone(), after: self.position, limit: Some(PAGE), ..EventFilter::default() };
        let page = self.queries.events(filter).await?;
        out.extend(page.iter().filter_map(|event| Frame::of(event)).map(Arc::new));
        self.position = page.last().and_then(|event| event.seq).or(self.position);
        self.is_behind = page.len() >= PAGE;
        Ok(())
    }
}
