//! The bounded fan-out: one shared ring of events, a cursor for each reader.
//!
//! Publishing costs the same whoever reads: it pushes to the ring and wakes at most one dispatcher for each runtime
//! that has waiting readers (one, in the program). The dispatcher is a task that wakes the readers; the first reader
//! that has to wait starts it, so nobody sets anything up. A reader that lags is told how many events it lost and goes
//! on with the oldest one that is left; nobody ever waits for a reader, not even the other readers.

#[cfg(test)]
mod tests;
mod waiters;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::task::coop;

use crate::bus::ring::waiters::{Ticket, Waiters};
use crate::domain::event::Event;

/// Room that is set aside at once, in events; a larger ring grows when it is needed.
const ROOM_AT_START: usize = 64;

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
    /// Only readers that found the ring empty under the same lock are in here: no wake-up can be lost.
    waiters: Waiters,
}

#[derive(Debug)]
pub(super) struct Shared {
    ring: Mutex<Ring>,
    capacity: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on the waiting readers.
    fn with_waiters<T>(&self, work: impl FnOnce(&mut Waiters) -> T) -> T {
        work(&mut self.lock().waiters)
    }
}

impl Drop for Shared {
    /// Lets the dispatchers see that nobody is left.
    fn drop(&mut self) {
        self.ring.get_mut().unwrap_or_else(PoisonError::into_inner).waiters.dismiss();
    }
}

/// Spreads events to readers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EventBus(Arc<Shared>);

/// One reader's cursor.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    next: u64,
    ticket: Option<Ticket>,
}

impl EventBus {
    /// A bus that keeps the last `capacity` events for readers that lag.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let events = VecDeque::with_capacity(capacity.min(ROOM_AT_START));
        let ring = Ring { events, start: 0, closed: false, waiters: Waiters::default() };
        Self(Arc::new(Shared { ring: Mutex::new(ring), capacity }))
    }

    /// Spreads `event`. Never waits.
    pub fn publish(&self, event: Arc<Event>) {
        let (signal, evicted) = {
            let mut ring = self.0.lock();
            let evicted = ring.push(event, self.0.capacity);
            (ring.waiters.signal(), evicted)
        };
        signal.wake();
        drop(evicted);
    }

    /// Spreads `events` in one go: nothing comes between them. Never waits.
    pub fn publish_all(&self, events: &[Arc<Event>]) {
        let mut evicted = Vec::new();
        let signal = {
            let mut ring = self.0.lock();
            evicted.extend(events.iter().filter_map(|event| ring.push(Arc::clone(event), self.0.capacity)));
            ring.waiters.signal()
        };
        signal.wake();
    }

    /// A reader that sees all events from now on.
    pub fn subscribe(&self) -> Subscription {
        let ring = self.0.lock();
        let next = ring.start + ring.events.len() as u64;
        Subscription { shared: Arc::clone(&self.0), next, ticket: None }
    }

    /// Ends all readers once they have read what there is.
    pub fn close(&self) {
        let signal = {
            let mut ring = self.0.lock();
            ring.closed = true;
            ring.waiters.signal()
        };
        signal.wake();
    }
}

impl Ring {
    /// Adds `event`; gives back the one that had to go, so that it is freed outside of the lock.
    fn push(&mut self, event: Arc<Event>, capacity: usize) -> Option<Arc<Event>> {
        let evicted = if self.events.len() == capacity { self.events.pop_front() } else { None };
        self.start += u64::from(evicted.is_some());
        self.events.push_back(event);
        evicted
    }

    /// Hands `take` what comes next for a reader at `next`, at most `limit` deliveries; gives back how many.
    fn read(&self, next: &mut u64, limit: usize, mut take: impl FnMut(Delivery)) -> usize {
        let mut count = 0;
        if *next < self.start && limit > 0 {
            take(Delivery::Lost(self.start - *next));
            *next = self.start;
            count = 1;
        }
        let from = usize::try_from(*next - self.start.min(*next)).unwrap_or(usize::MAX).min(self.events.len());
        for event in self.events.range(from..).take(limit - count) {
            take(Delivery::Event(Arc::clone(event)));
            *next += 1;
            count += 1;
        }
        count
    }
}

impl Subscription {
    /// What comes next, if it is there already.
    pub fn try_recv(&mut self) -> Option<Delivery> {
        let mut out = None;
        self.shared.lock().read(&mut self.next, 1, |delivery| out = Some(delivery));
        out
    }

    /// Waits for what comes next; `None` when the bus is closed. Safe to cancel.
    pub async fn recv(&mut self) -> Option<Delivery> {
        let mut out = None;
        let read = std::future::poll_fn(|cx| self.poll_read(cx, 1, |delivery| out = Some(delivery)));
        coop::cooperative(read).await;
        out
    }

    /// Waits until something is there, then appends all that is there to `out`, at most `limit` deliveries. Gives back
    /// how many: 0 when the bus is closed (or `limit` is 0). Safe to cancel.
    pub async fn recv_many(&mut self, out: &mut Vec<Delivery>, limit: usize) -> usize {
        if limit == 0 {
            return 0;
        }
        let read = std::future::poll_fn(|cx| self.poll_read(cx, limit, |delivery| out.push(delivery)));
        coop::cooperative(read).await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, limit: usize, take: impl FnMut(Delivery)) -> Poll<usize> {
        let mut ring = self.shared.lock();
        let count = ring.read(&mut self.next, limit, take);
        if count > 0 || ring.closed {
            return Poll::Ready(count);
        }
        let waited = ring.waiters.wait(&mut self.ticket, cx.waker());
        drop(ring);
        if let Some(runtime) = waited.dispatcher {
            waiters::start_dispatcher(&self.shared, &runtime);
        }
        Poll::Pending
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let waker = self.shared.with_waiters(|waiters| waiters.leave(&ticket));
            drop(waker);
        }
    }
}
