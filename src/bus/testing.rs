//! A recorder in memory, for the tests of modules above.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::bus::{EventBus, RecordError, Recorder, Subscription};
use crate::domain::clock::{Clock, Instant, ManualClock};
use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::{EventId, Seq};

/// Keeps events in a vector and publishes them.
#[derive(Clone)]
pub struct MemoryRecorder {
    bus: EventBus,
    clock: ManualClock,
    events: Arc<Mutex<Vec<Arc<Event>>>>,
}

impl Default for MemoryRecorder {
    fn default() -> Self {
        let clock = ManualClock::starting_at(Instant::from_millis(1_767_268_800_000));
        Self { bus: EventBus::new(4_096), clock, events: Arc::default() }
    }
}

impl MemoryRecorder {
    /// All stored events so far.
    pub fn events(&self) -> Vec<Arc<Event>> {
        self.events.lock().unwrap().clone()
    }

    /// A reader of stored and ephemeral events.
    pub fn subscribe(&self) -> Subscription {
        self.bus.subscribe()
    }

    fn stamp(&self, event: NewEvent, seq: Option<Seq>) -> Arc<Event> {
        Arc::new(Event { seq, id: EventId::generate(), at: self.clock.now(), session: event.session, body: event.body })
    }
}

impl Recorder for MemoryRecorder {
    fn record(&self, events: Vec<NewEvent>) -> BoxFuture<'static, Result<Vec<Arc<Event>>, RecordError>> {
        let mut log = self.events.lock().unwrap();
        let mut out = Vec::new();
        for event in events {
            let event = self.stamp(event, Some(Seq(log.len() as u64 + 1)));
            log.push(Arc::clone(&event));
            self.bus.publish(Arc::clone(&event));
            out.push(event);
        }
        futures::future::ready(Ok(out)).boxed()
    }

    fn emit(&self, event: NewEvent) {
        self.bus.publish(self.stamp(event, None));
    }
}
