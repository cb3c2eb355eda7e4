//! What a server's life looks like in the log: one lane for each server keeps its events in order.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bus::Recorder;
use crate::domain::event::{ErrorEvent, EventBody, McpEvent, McpEventType, NewEvent};
use crate::domain::ids::{ServerName, SessionId};

/// Events of one server that may wait to be stored.
const WAITING_MAX: usize = 256;

/// Events of one server that are stored together.
const TOGETHER_MAX: usize = 32;

/// Where the events of one server go. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lane {
    server: ServerName,
    sender: Option<mpsc::Sender<NewEvent>>,
    recorder: Option<Arc<dyn Recorder>>,
}

impl Lane {
    /// A lane and the work of storing what goes over it, which ends some time after `stop` with all stored.
    pub(super) fn new(
        server: ServerName,
        recorder: Arc<dyn Recorder>,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let work = store(receiver, Arc::clone(&recorder), stop);
        (Self { server, sender: Some(sender), recorder: Some(recorder) }, work)
    }

    /// A lane that leads nowhere.
    pub(super) fn silent(server: ServerName) -> Self {
        Self { server, sender: None, recorder: None }
    }

    /// Tells what happened, in order; waits while too much waits to be stored.
    pub(super) async fn tell(&self, event_type: McpEventType, details: Value) {
        self.send(self.event(event_type, details)).await;
    }

    /// Tells that something failed.
    pub(super) async fn fail(&self, message: String, details: Value) {
        self.send(NewEvent::system(ErrorEvent { message, source: "mcp".to_owned(), details })).await;
    }

    /// Tells what happened unless too much waits already; says whether it was taken.
    pub(super) fn try_tell(&self, event_type: McpEventType, details: Value) -> bool {
        let event = self.event(event_type, details);
        self.sender.as_ref().is_some_and(|sender| sender.try_send(event).is_ok())
    }

    /// Shows progress of a call; it is not stored.
    pub(super) fn progress(&self, session: Option<&SessionId>, details: Value) {
        if let Some(recorder) = &self.recorder {
            let event = self.event(McpEventType::Progress, details);
            recorder.emit(NewEvent { session: session.cloned(), ..event });
        }
    }

    /// Shows a raw message; it is not stored.
    pub(super) fn trace(&self, direction: &'static str, message: &str) {
        if let Some(recorder) = &self.recorder {
            recorder.emit(self.event(McpEventType::Trace, json!({"direction": direction, "message": message})));
        }
    }

    async fn send(&self, event: NewEvent) {
        if let Some(sender) = &self.sender {
            // It fails only once everything is being shut down.
            let _ = sender.send(event).await;
        }
    }

    fn event(&self, event_type: McpEventType, details: Value) -> NewEvent {
        NewEvent::system(EventBody::from(McpEvent { event_type, service_name: self.server.clone(), details }))
    }
}

async fn store(mut receiver: mpsc::Receiver<NewEvent>, recorder: Arc<dyn Recorder>, stop: CancellationToken) {
    let mut stopping = false;
    loop {
        let mut events = Vec::new();
        tokio::select! {
            biased;
            count = receiver.recv_many(&mut events, TOGETHER_MAX) => {
                if count == 0 {
                    return;
                }
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                receiver.close();
                continue;
            }
        }
        if let Err(error) = recorder.record(events).await {
            tracing::warn!(target: "mcp", %error, "events of a server are lost");
        }
    }
}

/// How many messages of a server's log may come at once.
const LOG_BURST: f64 = 20.0;

/// How many messages of a server's log may come in a second on average.
const LOG_RATE: f64 = 5.0;

/// Lets through so many events a second, and counts the rest.
#[derive(Debug)]
pub(super) struct Throttle {
    tokens: f64,
    at: Instant,
    dropped: u64,
}

impl Throttle {
    pub(super) fn new(now: Instant) -> Self {
        Self { tokens: LOG_BURST, at: now, dropped: 0 }
    }

    /// Whether one more may pass; if so, how many were dropped since the last one.
    pub(super) fn pass(&mut self, now: Instant) -> Option<u64> {
        self.tokens = (self.tokens + now.duration_since(self.at).as_secs_f64() * LOG_RATE).min(LOG_BURST);
        self.at = now;
        if self.tokens < 1.0 {
            self.dropped += 1;
            return None;
        }
        self.tokens -= 1.0;
        Some(std::mem::take(&mut self.dropped))
    }
}

/// `value` with `dropped` added where something was dropped before it.
pub(super) fn with_dropped(mut value: Value, dropped: u64) -> Value {
    if dropped > 0
        && let Some(object) = value.as_object_mut()
    {
        object.insert("dropped".to_owned(), json!(dropped));
    }
    value
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bus::testing::MemoryRecorder;

    #[tokio::test]
    async fn events_keep_their_order_and_none_is_lost_at_the_end() {
        let recorder = MemoryRecorder::default();
        let stop = CancellationToken::new();
        let (lane, work) = Lane::new("s".into(), Arc::new(recorder.clone()), stop.clone());
        for n in 0..100 {
            assert!(lane.try_tell(McpEventType::Log, json!({"n": n})));
        }
        stop.cancel();
        work.await;
        let order: Vec<_> = recorder
            .events()
            .iter()
            .map(|event| match &event.body {
                EventBody::McpEvent(event) => event.details["n"].as_u64().unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert!(!lane.try_tell(McpEventType::Log, json!({})), "nothing is taken any more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_messages_is_counted() {
        let mut throttle = Throttle::new(Instant::now());
        let passed = (0..100).filter(|_| throttle.pass(Instant::now()).is_some()).count();
        assert_eq!(passed, 20);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(throttle.pass(Instant::now()), Some(80));
        assert_eq!(throttle.pass(Instant::now()), Some(0));
        assert_eq!(with_dropped(json!({"a": 1}), 3), json!({"a": 1, "dropped": 3}));
    }
}
