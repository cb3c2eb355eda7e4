//! A recorder in memory, for the tests of modules above.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::bus::{EventBus, RecordError, Recorder, Subscription};
use crate::domain::clock::{Clock, Instant, ManualClock};
use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::{EventId, Seq, SessionId};
use crate::domain::query::{Answer, EventFilter, EventReader, SessionPage, SessionPart, SessionSummary};

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
    ///
    /// # Panics
    /// When a holder of the lock panicked.
    pub fn events(&self) -> Vec<Arc<Event>> {
        self.events.lock().unwrap().clone()
    }

    /// Its clock.
    pub fn clock(&self) -> ManualClock {
        self.clock.clone()
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

impl EventReader for MemoryRecorder {
    fn sessions(&self, _search: Option<String>, _limit: usize) -> Answer<'_, Vec<SessionSummary>> {
        futures::future::ready(Ok(Vec::new())).boxed()
    }

    fn events(&self, filter: EventFilter) -> Answer<'_, Vec<Arc<Event>>> {
        let wanted = |event: &Arc<Event>| {
            (filter.types.is_empty() || filter.types.iter().any(|name| name == event.body.type_name()))
                && filter.session.as_ref().is_none_or(|session| event.session.as_ref() == Some(session))
                && filter.after.is_none_or(|after| event.seq > Some(after))
                && filter.upto.is_none_or(|upto| event.seq <= Some(upto))
        };
        let mut out: Vec<_> = self.events().into_iter().filter(wanted).collect();
        let limit = filter.limit.unwrap_or(usize::MAX);
        if filter.newest {
            out.drain(..out.len().saturating_sub(limit));
        } else {
            out.truncate(limit);
        }
        futures::future::ready(Ok(out)).boxed()
    }

    fn session_events(&self, session: SessionId) -> Answer<'_, Vec<Arc<Event>>> {
        futures::future::ready(Ok(self.of_session(&session))).boxed()
    }

    fn session_page(&self, page: SessionPage) -> Answer<'_, SessionPart> {
        let mut events = self.of_session(&page.session);
        events.retain(|event| {
            page.after.is_none_or(|after| event.seq > Some(after))
                && page.before.is_none_or(|before| event.seq < Some(before))
                && (page.types.is_empty() || page.types.iter().any(|name| name == event.body.type_name()))
        });
        if page.newest {
            events.reverse();
        }
        let mut bytes = 0;
        let fits = events.iter().position(|event| {
            let full = bytes >= page.bytes_max;
            bytes += serde_json::to_string(&event.body).map_or(0, |text| text.len());
            full
        });
        let kept = fits.unwrap_or(events.len()).max(1).min(events.len());
        let more = events.len() > kept;
        events.truncate(kept);
        if page.newest {
            events.reverse();
        }
        futures::future::ready(Ok(SessionPart { events, more })).boxed()
    }
}

impl MemoryRecorder {
    /// Follows one level of forks, as far as tests need it.
    fn of_session(&self, session: &SessionId) -> Vec<Arc<Event>> {
        let events = self.events();
        let own = |id: &SessionId| events.iter().filter(|event| event.session.as_ref() == Some(id)).cloned().collect::<Vec<_>>();
        let mut out = own(session);
        let fork = out.iter().find_map(|event| match &event.body {
            crate::domain::event::EventBody::SessionEvent(crate::domain::event::SessionEvent::Created { fork, .. }) => fork.clone(),
            _ => None,
        });
        if let Some(fork) = fork {
            let mut all = own(&fork.session);
            all.retain(|event| event.seq <= Some(fork.upto));
            all.append(&mut out);
            out = all;
        }
        out
    }
}
