//! The live stream: what the log has since a position, then what comes, with neither gap nor repeat (see
//! [`Reader`](crate::server::reader::Reader)).

use std::collections::VecDeque;
use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior};

use crate::domain::ids::{EventId, Seq, SessionId};
use crate::domain::query::QueryError;
use crate::server::api::Api;
use crate::server::frame::{ClientClass, Frame};
use crate::server::http::events::Wanted;
use crate::server::http::problem::Problem;
use crate::server::http::{info, sse};
use crate::server::hub::Place;
use crate::server::reader::{Next, Reader, Reading};

struct Live {
    api: Arc<Api>,
    reader: Reader,
    session: Option<SessionId>,
    ready: VecDeque<Bytes>,
    alive: tokio::time::Interval,
    is_over: bool,
    _place: Place,
}

/// Answers with the stream.
///
/// # Errors
/// 503 where all places are taken; 500 where the log cannot be read.
pub(super) async fn stream(api: Arc<Api>, wanted: Wanted) -> Result<Response, Problem> {
    let full = || Problem::busy(format!("{} clients read the feed already, which is the most; try again later", api.options.clients_max));
    let place = api.hub.enter().ok_or_else(full)?;
    // A position that the log has not reached is one of another log.
    let head = Seq(info::head(&api).await?);
    let since = wanted.since.map(|since| if since > head { Seq(0) } else { since });
    let client = EventId::generate().to_string();
    let mut alive = tokio::time::interval_at(Instant::now() + sse::KEEP_ALIVE, sse::KEEP_ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ready = VecDeque::from([sse::event("connection_ack", &ack(&api, &client, since))]);
    let reading = Reading { class: ClientClass::MCPLog, client, types: wanted.types };
    let reader = Reader::new(&api.hub, Arc::clone(&api.queries), reading, since);
    let live = Live { api, reader, session: wanted.session, ready, alive, is_over: false, _place: place };
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
        let mut frames = Vec::new();
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Some(chunk);
            }
            if self.is_over {
                return None;
            }
            tokio::select! {
                biased;
                () = self.api.stop.cancelled() => self.is_over = true,
                next = self.reader.next(&mut frames) => self.take(next, &mut frames),
                _ = self.alive.tick() => self.ready.push_back(sse::ALIVE),
            }
        }
    }

    /// Writes what came, all of it in one piece.
    fn take(&mut self, next: Result<Next, QueryError>, frames: &mut Vec<Arc<Frame>>) {
        let mut out = Vec::new();
        match next {
            Ok(Next::Frames) => {}
            Ok(Next::Dropped(count)) => sse::write(&mut out, None, "dropped", &json!({ "dropped": count }).to_string()),
            Ok(Next::End) => self.is_over = true,
            Err(error) => {
                self.is_over = true;
                out.extend_from_slice(&sse::event("error", &Problem::from(error)));
            }
        }
        for frame in frames.drain(..).filter(|frame| is_of(frame, self.session.as_ref())) {
            sse::write(&mut out, frame.seq.map(|seq| seq.0), &frame.kind, &frame.json);
        }
        if !out.is_empty() {
            self.ready.push_back(out.into());
        }
    }
}

/// Whether a frame is of that conversation. The envelope names it last.
fn is_of(frame: &Frame, session: Option<&SessionId>) -> bool {
    session.is_none_or(|session| frame.json.ends_with(&format!("\"session\":{}}}", Value::from(session.as_str()))))
}
