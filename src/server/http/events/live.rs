//! The live stream: what the log has since a position, then what comes, with neither gap nor repeat.
//!
//! The reader joins the ring first and reads the log then: what is appended meanwhile is found in the ring, and what is
//! found twice is known by its position. Who lags while the log is still read goes on reading it; who lags later is told
//! how many frames are gone, and can resume.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior};

use crate::bus::{Delivery, Subscription};
use crate::domain::event::Event;
use crate::domain::ids::{EventId, Seq};
use crate::domain::query::EventFilter;
use crate::server::api::Api;
use crate::server::frame::{ClientClass, Frame};
use crate::server::http::events::Wanted;
use crate::server::http::problem::Problem;
use crate::server::http::sse;
use crate::server::hub::Place;

/// Events that are read from the log in one go.
const PAGE: usize = 256;

/// Frames that go out in one piece at most.
const FRAMES_MAX: usize = 64;

/// What the reader is at.
enum Phase {
    /// The log, from its position on.
    Log,
    /// The ring.
    Ring,
    /// The end.
    Over,
}

struct Live {
    api: Arc<Api>,
    wanted: Wanted,
    client: String,
    ring: Subscription<Frame>,
    /// Everything up to here went out, or is not wanted.
    position: Seq,
    phase: Phase,
    ready: VecDeque<Bytes>,
    alive: tokio::time::Interval,
    _place: Place,
}

/// Answers with the stream; 503 where all places are taken.
pub(super) async fn stream(api: Arc<Api>, wanted: Wanted) -> Result<Response, Problem> {
    let full = || Problem::busy(format!("{} clients read the feed already, which is the most; try again later", api.options.clients_max));
    let place = api.hub.enter().ok_or_else(full)?;
    let ring = api.hub.subscribe();
    let newest = EventFilter { newest: true, limit: Some(1), ..EventFilter::default() };
    let head = api.queries.events(newest).await?.last().and_then(|event| event.seq).unwrap_or_default();
    // A position that the log has not reached is one of another log.
    let since = wanted.since.map(|since| if since > head { Seq(0) } else { since });
    let client = EventId::generate().to_string();
    let mut alive = tokio::time::interval_at(Instant::now() + sse::KEEP_ALIVE, sse::KEEP_ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ready = VecDeque::from([sse::event("connection_ack", &ack(&api, &client, since))]);
    let phase = if since.is_some() { Phase::Log } else { Phase::Ring };
    let live = Live { api, wanted, client, ring, position: since.unwrap_or_default(), phase, ready, alive, _place: place };
    Ok(sse::response(stream::unfold(live, |mut live| async move { live.next().await.map(|chunk| (chunk, live)) })))
}

/// The first event: who is spoken to, and from where it goes on.
fn ack(api: &Api, client: &str, since: Option<Seq>) -> Value {
    json!({
        "type": "connection_ack",
        "message": "connected",
        "client_id": client,
        "data": {"client_type": ClientClass::MCPLog.as_str(), "epoch": api.hub.epoch(), "resume_from": since, "dropped": 0},
        "timestamp": api.clock.now(),
    })
}

impl Live {
    /// What goes out next.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Some(chunk);
            }
            match self.phase {
                Phase::Log => self.read_log().await,
                Phase::Ring => self.read_ring().await,
                Phase::Over => return None,
            }
        }
    }

    /// Reads a page of the log; the last one leads over to the ring.
    async fn read_log(&mut self) {
        let filter = EventFilter { after: Some(self.position), limit: Some(PAGE), ..self.wanted.filter() };
        let stop = self.api.stop.clone();
        let page = tokio::select! {
            page = self.api.queries.events(filter) => page,
            () = stop.cancelled() => {
                self.phase = Phase::Over;
                return;
            }
        };
        match page {
            Ok(events) => {
                if events.len() < PAGE {
                    self.phase = Phase::Ring;
                }
                self.put_events(&events);
            }
            Err(error) => {
                self.ready.push_back(sse::event("error", &Problem::from(error)));
                self.phase = Phase::Over;
            }
        }
    }

    fn put_events(&mut self, events: &[Arc<Event>]) {
        let frames = events.iter().filter_map(|event| Frame::of(event));
        let mut out = Vec::new();
        for frame in frames {
            self.position = frame.seq.unwrap_or(self.position);
            put(&mut out, &frame);
        }
        self.push(out);
    }

    /// Waits for frames, and takes all that are there.
    async fn read_ring(&mut self) {
        let mut deliveries = Vec::new();
        tokio::select! {
            biased;
            () = self.api.stop.cancelled() => self.phase = Phase::Over,
            count = self.ring.recv_many(&mut deliveries, FRAMES_MAX) => {
                if count == 0 {
                    self.phase = Phase::Over;
                }
                self.take(deliveries);
            }
            _ = self.alive.tick() => self.ready.push_back(sse::ALIVE),
        }
    }

    fn take(&mut self, deliveries: Vec<Delivery<Frame>>) {
        let mut out = Vec::new();
        for delivery in deliveries {
            match delivery {
                Delivery::Lost(count) => sse::write(&mut out, None, "dropped", &json!({ "dropped": count }).to_string()),
                Delivery::Event(frame) if self.wants(&frame) => {
                    self.position = frame.seq.unwrap_or(self.position);
                    put(&mut out, &frame);
                }
                Delivery::Event(_) => {}
            }
        }
        self.push(out);
    }

    fn push(&mut self, out: Vec<u8>) {
        if !out.is_empty() {
            self.ready.push_back(out.into());
        }
    }

    fn wants(&self, frame: &Frame) -> bool {
        frame.seq.is_none_or(|seq| seq > self.position)
            && frame.target.means(ClientClass::MCPLog, &self.client)
            && (self.wanted.types.is_empty() || self.wanted.types.iter().any(|kind| **kind == *frame.kind))
            && self.wanted.session.as_ref().is_none_or(|session| frame.json.ends_with(&format!("\"session\":\"{session}\"}}")))
    }
}

fn put(out: &mut Vec<u8>, frame: &Frame) {
    sse::write(out, frame.seq.map(|seq| seq.0), &frame.kind, &frame.json);
}
