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

/// How many events pass between two looks for those that all readers have read: so many may be kept for nobody.
const TRIM_STEP: u64 = 64;

/// Room that is set aside at once, in events; a larger ring grows when it is needed.
const ROOM_AT_START: usize = 64;

/// What a reader gets.
#[derive(Debug)]
pub enum Delivery<T = Event> {
    /// The next event.
    Event(Arc<T>),
    /// The reader was too slow: so many events are gone. Stored ones can be read from the log.
    Lost(u64),
}

impl<T> Clone for Delivery<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Event(event) => Self::Event(Arc::clone(event)),
            Self::Lost(count) => Self::Lost(*count),
        }
    }
}

#[derive(Debug)]
struct Ring<T> {
    events: VecDeque<Arc<T>>,
    /// Position of the first event in `events`, counted from the start of the program.
    start: u64,
    closed: bool,
    /// Where each reader stands; `None` is a free place. Without readers `events` is empty.
    cursors: Vec<Option<u64>>,
    readers: usize,
    /// The end of the ring at which to look next for events that nobody needs any more.
    trim_at: u64,
    /// Only readers that found the ring empty under the same lock are in here: no wake-up can be lost.
    waiters: Waiters,
}

#[derive(Debug)]
pub(super) struct Shared<T> {
    ring: Mutex<Ring<T>>,
    capacity: usize,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Ring<T>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on the waiting readers.
    fn with_waiters<R>(&self, work: impl FnOnce(&mut Waiters) -> R) -> R {
        work(&mut self.lock().waiters)
    }
}

impl<T> Drop for Shared<T> {
    /// Lets the dispatchers see that nobody is left.
    fn drop(&mut self) {
        self.ring.get_mut().unwrap_or_else(PoisonError::into_inner).waiters.dismiss();
    }
}

/// Spreads events, or what is made of them, to readers. Cheap to clone.
#[derive(Debug)]
pub struct Bus<T>(Arc<Shared<T>>);

/// Spreads what happens.
pub type EventBus = Bus<Event>;

impl<T> Clone for Bus<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// One reader's cursor.
#[derive(Debug)]
pub struct Subscription<T = Event> {
    shared: Arc<Shared<T>>,
    /// Its place among the cursors.
    slot: usize,
    ticket: Option<Ticket>,
}

impl<T> Bus<T> {
    /// A bus that keeps the last `capacity` events for readers that lag.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let events = VecDeque::with_capacity(capacity.min(ROOM_AT_START));
        let ring =
            Ring { events, start: 0, closed: false, cursors: Vec::new(), readers: 0, trim_at: TRIM_STEP, waiters: Waiters::default() };
        Self(Arc::new(Shared { ring: Mutex::new(ring), capacity }))
    }

    /// Spreads `event`. Never waits.
    pub fn publish(&self, event: Arc<T>) {
        let (signal, evicted) = {
            let mut ring = self.0.lock();
            let evicted = ring.push(event, self.0.capacity);
            (ring.waiters.signal(), evicted)
        };
        signal.wake();
        drop(evicted);
    }

    /// Spreads `events` in one go: nothing comes between them. Never waits.
    pub fn publish_all(&self, events: &[Arc<T>]) {
        let mut evicted = Vec::new();
        let signal = {
            let mut ring = self.0.lock();
            evicted.extend(events.iter().filter_map(|event| ring.push(Arc::clone(event), self.0.capacity)));
            ring.waiters.signal()
        };
        signal.wake();
    }

    /// A reader that sees all events from now on.
    pub fn subscribe(&self) -> Subscription<T> {
        let slot = self.0.lock().join();
        Subscription { shared: Arc::clone(&self.0), slot, ticket: None }
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

/// What a reader got.
struct Read<T> {
    count: usize,
    /// Nobody needs them any more: to be freed outside of the lock.
    _unneeded: Vec<Arc<T>>,
}

impl<T> Ring<T> {
    fn end(&self) -> u64 {
        self.start + self.events.len() as u64
    }

    /// Adds `event`; gives back the one that had to go, so that it is freed outside of the lock.
    fn push(&mut self, event: Arc<T>, capacity: usize) -> Option<Arc<T>> {
        if self.readers == 0 {
            self.start += 1;
            return Some(event);
        }
        let evicted = if self.events.len() == capacity { self.events.pop_front() } else { None };
        self.start += u64::from(evicted.is_some());
        self.events.push_back(event);
        evicted
    }

    /// A place for a reader who sees all events from now on.
    fn join(&mut self) -> usize {
        self.readers += 1;
        let cursor = Some(self.end());
        if let Some(slot) = self.cursors.iter().position(Option::is_none) {
            self.cursors[slot] = cursor;
            return slot;
        }
        self.cursors.push(cursor);
        self.cursors.len() - 1
    }

    fn leave(&mut self, slot: usize) -> Vec<Arc<T>> {
        self.readers -= 1;
        self.cursors[slot] = None;
        self.trim()
    }

    /// Hands `take` what comes next for the reader at `slot`, at most `limit` deliveries.
    fn read(&mut self, slot: usize, limit: usize, mut take: impl FnMut(Delivery<T>)) -> Read<T> {
        let mut next = self.cursors[slot].unwrap_or(self.start);
        let mut count = 0;
        if next < self.start && limit > 0 {
            take(Delivery::Lost(self.start - next));
            next = self.start;
            count = 1;
        }
        let from = usize::try_from(next.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.events.len());
        for event in self.events.range(from..).take(limit - count) {
            take(Delivery::Event(Arc::clone(event)));
            next += 1;
            count += 1;
        }
        self.cursors[slot] = Some(next);
        let due = next == self.end() && next >= self.trim_at;
        Read { count, _unneeded: if due { self.trim() } else { Vec::new() } }
    }

    /// Takes out the events that all readers have read: what is big does not stay in memory for long.
    fn trim(&mut self) -> Vec<Arc<T>> {
        self.trim_at = self.end() + TRIM_STEP;
        let needed = self.cursors.iter().flatten().min().copied().unwrap_or_else(|| self.end());
        let unneeded = usize::try_from(needed.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.events.len());
        self.start += unneeded as u64;
        self.events.drain(..unneeded).collect()
    }
}

impl<T: Send + Sync + 'static> Subscription<T> {
    /// What comes next, if it is there already.
    pub fn try_recv(&mut self) -> Option<Delivery<T>> {
        let mut out = None;
        let read = self.shared.lock().read(self.slot, 1, |delivery| out = Some(delivery));
        drop(read);
        out
    }

    /// Waits for what comes next; `None` when the bus is closed. Safe to cancel.
    pub async fn recv(&mut self) -> Option<Delivery<T>> {
        let mut out = None;
        let read = std::future::poll_fn(|cx| self.poll_read(cx, 1, |delivery| out = Some(delivery)));
        coop::cooperative(read).await;
        out
    }

    /// Waits until something is there, then appends all that is there to `out`, at most `limit` deliveries. Gives back
    /// how many: 0 when the bus is closed (or `limit` is 0). Safe to cancel.
    pub async fn recv_many(&mut self, out: &mut Vec<Delivery<T>>, limit: usize) -> usize {
        if limit == 0 {
            return 0;
        }
        let read = std::future::poll_fn(|cx| self.poll_read(cx, limit, |delivery| out.push(delivery)));
        coop::cooperative(read).await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, limit: usize, take: impl FnMut(Delivery<T>)) -> Poll<usize> {
        let mut ring = self.shared.lock();
        let read = ring.read(self.slot, limit, take);
        if read.count > 0 || ring.closed {
            drop(ring);
            return Poll::Ready(read.count);
        }
        let waited = ring.waiters.wait(&mut self.ticket, cx.waker());
        drop(ring);
        if let Some(runtime) = waited.dispatcher {
            waiters::start_dispatcher(&self.shared, &runtime);
        }
        Poll::Pending
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        let mut ring = self.shared.lock();
        let unneeded = ring.leave(self.slot);
        let waker = self.ticket.take().and_then(|ticket| ring.waiters.leave(&ticket));
        drop(ring);
        drop((unneeded, waker));
    }
}
