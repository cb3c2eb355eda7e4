//! The bounded fan-out: one shared ring of events, a cursor for each reader.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::domain::event::Event;

/// What a reader gets.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// The next event.
    Event(Arc<Event>),
    /// The reader was too slow: so many events are gone. Stored ones can be read from the log.
    Lost(u64),
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    /// Position of the first event in `events`, counted from the start of the program.
    start: u64,
    closed: bool,
}

#[derive(Debug)]
struct Shared {
    ring: Mutex<Ring>,
    capacity: usize,
    wake: Notify,
}

/// Spreads events to readers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EventBus(Arc<Shared>);

/// One reader's cursor.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    next: u64,
}

impl EventBus {
    /// A bus that keeps the last `capacity` events for readers that lag.
    pub fn new(capacity: usize) -> Self {
        let ring = Ring { events: VecDeque::with_capacity(capacity.min(1_024)), start: 0, closed: false };
        Self(Arc::new(Shared { ring: Mutex::new(ring), capacity: capacity.max(1), wake: Notify::new() }))
    }

    /// Spreads `event`. Never waits.
    pub fn publish(&self, event: Arc<Event>) {
        {
            let mut ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
            if ring.events.len() == self.0.capacity {
                ring.events.pop_front();
                ring.start += 1;
            }
            ring.events.push_back(event);
        }
        self.0.wake.notify_waiters();
    }

    /// A reader that sees all events from now on.
    pub fn subscribe(&self) -> Subscription {
        let ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let next = ring.start + ring.events.len() as u64;
        Subscription { shared: Arc::clone(&self.0), next }
    }

    /// Ends all readers once they have read what there is.
    pub fn close(&self) {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.0.wake.notify_waiters();
    }
}

impl Subscription {
    /// What comes next, if it is there already. `Ok(None)`: nothing yet; `Err(())`: closed.
    fn poll_next(&mut self) -> Result<Option<Delivery>, ()> {
        let ring = self.shared.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if self.next < ring.start {
            let lost = ring.start - self.next;
            self.next = ring.start;
            return Ok(Some(Delivery::Lost(lost)));
        }
        let index = usize::try_from(self.next - ring.start).unwrap_or(usize::MAX);
        match ring.events.get(index) {
            Some(event) => {
                self.next += 1;
                Ok(Some(Delivery::Event(Arc::clone(event))))
            }
            None if ring.closed => Err(()),
            None => Ok(None),
        }
    }

    /// What comes next, if it is there already.
    pub fn try_recv(&mut self) -> Option<Delivery> {
        self.poll_next().ok().flatten()
    }

    /// Waits for what comes next; `None` when the bus is closed. Safe to cancel.
    pub async fn recv(&mut self) -> Option<Delivery> {
        loop {
            let shared = Arc::clone(&self.shared);
            let notified = shared.wake.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            match self.poll_next() {
                Ok(Some(delivery)) => return Some(delivery),
                Ok(None) => notified.await,
                Err(()) => return None,
            }
        }
    }
}
