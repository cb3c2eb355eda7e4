//! Who waits for events, and the dispatcher that wakes them.
//!
//! Readers wait in one group for each runtime. A publisher wakes a group's dispatcher, and only if somebody waits and
//! no wake-up is under way yet; the dispatcher, a task of that runtime, takes all waiting readers and wakes them. When
//! its runtime ends, its readers become direct ones. Readers outside of any runtime are direct ones too: publishers
//! wake them themselves.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Handle, Id};

use crate::bus::ring::Shared;

/// The readers of one runtime.
#[derive(Debug)]
struct Group {
    runtime: Id,
    /// Tells apart the fillings of `waiting`; unique in the bus.
    round: u64,
    waiting: Vec<Option<Waker>>,
    /// Places in `waiting` whose readers left.
    free: Vec<usize>,
    /// The dispatcher has been told and has not yet come.
    signalled: bool,
    /// Wakes the dispatcher; absent while it is about to come anyway.
    dispatcher: Option<Waker>,
}

/// All waiting readers.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    groups: Vec<Group>,
    /// Readers without a dispatcher.
    direct: Vec<Waker>,
    rounds: u64,
}

/// Where a reader waits.
#[derive(Debug)]
pub(super) struct Ticket {
    runtime: Id,
    round: u64,
    index: usize,
}

/// What is left to do once the lock is free: dropping a waker or starting a task can run code that takes it again.
#[derive(Debug, Default)]
pub(super) struct Waited {
    /// This runtime needs a dispatcher.
    pub(super) dispatcher: Option<Handle>,
    /// To be dropped.
    pub(super) displaced: Option<Waker>,
}

/// Who is to be woken once the lock is free.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Signal {
    /// The usual case, without an allocation.
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl Signal {
    pub(super) fn wake(self) {
        self.first.into_iter().chain(self.rest).for_each(Waker::wake);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rest.len() + usize::from(self.first.is_some())
    }

    fn add(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.rest.push(waker);
        }
    }
}

impl Waiters {
    /// Something is there: whom to wake. Costs the same for one reader and for a hundred.
    pub(super) fn signal(&mut self) -> Signal {
        let mut signal = Signal { first: None, rest: std::mem::take(&mut self.direct) };
        for group in &mut self.groups {
            if !group.signalled && !group.waiting.is_empty() {
                group.signalled = true;
                if let Some(dispatcher) = group.dispatcher.take() {
                    signal.add(dispatcher);
                }
            }
        }
        signal
    }

    /// Puts a reader among the waiting ones.
    pub(super) fn wait(&mut self, ticket: &mut Option<Ticket>, waker: &Waker) -> Waited {
        let mut waited = Waited::default();
        let runtime = Handle::try_current().ok();
        let id = runtime.as_ref().map(Handle::id);
        if let Some(slot) = ticket.as_ref().filter(|ticket| Some(ticket.runtime) == id).and_then(|ticket| self.slot(ticket)) {
            if !slot.as_ref().is_some_and(|known| known.will_wake(waker)) {
                waited.displaced = slot.replace(waker.clone());
            }
            return waited;
        }
        waited.displaced = ticket.take().and_then(|old| self.leave(&old));
        match runtime {
            Some(runtime) => {
                let (place, is_new) = self.join(runtime.id(), waker);
                *ticket = Some(place);
                waited.dispatcher = is_new.then_some(runtime);
            }
            None if self.direct.iter().any(|known| known.will_wake(waker)) => {}
            None => self.direct.push(waker.clone()),
        }
        waited
    }

    /// Puts a reader into the group of `runtime`; tells whether that group is new.
    fn join(&mut self, runtime: Id, waker: &Waker) -> (Ticket, bool) {
        let waker = Some(waker.clone());
        let Some(group) = self.groups.iter_mut().find(|group| group.runtime == runtime) else {
            self.rounds += 1;
            let round = self.rounds;
            let group = Group { runtime, round, waiting: vec![waker], free: Vec::new(), signalled: false, dispatcher: None };
            self.groups.push(group);
            return (Ticket { runtime, round, index: 0 }, true);
        };
        let free = group.free.pop().and_then(|index| group.waiting.get_mut(index).map(|slot| (index, slot)));
        let index = if let Some((index, slot)) = free {
            *slot = waker;
            index
        } else {
            group.waiting.push(waker);
            group.waiting.len() - 1
        };
        (Ticket { runtime, round: group.round, index }, false)
    }

    /// Takes a reader out again.
    pub(super) fn leave(&mut self, ticket: &Ticket) -> Option<Waker> {
        let group = self.group(ticket)?;
        let waker = group.waiting.get_mut(ticket.index).and_then(Option::take);
        group.free.push(ticket.index);
        waker
    }

    /// The reader's place, if its ticket still holds.
    fn slot(&mut self, ticket: &Ticket) -> Option<&mut Option<Waker>> {
        self.group(ticket)?.waiting.get_mut(ticket.index)
    }

    fn group(&mut self, ticket: &Ticket) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.runtime == ticket.runtime && group.round == ticket.round)
    }

    /// Takes all readers of a group into `out` if there is something for them; asks to be told of the next time.
    fn collect(&mut self, runtime: Id, dispatcher: &Waker, out: &mut Vec<Option<Waker>>) {
        let Some(group) = self.groups.iter_mut().find(|group| group.runtime == runtime) else { return };
        if group.signalled {
            group.signalled = false;
            self.rounds += 1;
            group.round = self.rounds;
            group.free.clear();
            std::mem::swap(&mut group.waiting, out);
        }
        match &mut group.dispatcher {
            Some(known) => known.clone_from(dispatcher),
            empty => *empty = Some(dispatcher.clone()),
        }
    }

    /// The dispatcher of `runtime` is gone: its readers become direct ones, or are woken now if something is there.
    fn disband(&mut self, runtime: Id) -> Signal {
        let mut signal = Signal::default();
        if let Some(at) = self.groups.iter().position(|group| group.runtime == runtime) {
            let group = self.groups.swap_remove(at);
            for waker in group.waiting.into_iter().flatten() {
                if group.signalled {
                    signal.add(waker);
                } else {
                    self.direct.push(waker);
                }
            }
        }
        signal
    }

    /// How many places there are for waiting readers, free ones included.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.direct.len() + self.groups.iter().map(|group| group.waiting.len()).sum::<usize>()
    }

    /// Wakes all dispatchers, for the last time.
    pub(super) fn dismiss(&mut self) {
        self.groups.iter_mut().filter_map(|group| group.dispatcher.take()).for_each(Waker::wake);
    }
}

/// Wakes the readers of one runtime; ends with the bus.
struct Dispatcher<T> {
    shared: Weak<Shared<T>>,
    runtime: Id,
    /// Kept between the rounds for its room.
    woken: Vec<Option<Waker>>,
}

/// Starts the dispatcher for the readers of `runtime`.
pub(super) fn start_dispatcher<T: Send + Sync + 'static>(shared: &Arc<Shared<T>>, runtime: &Handle) {
    let dispatcher = Dispatcher { shared: Arc::downgrade(shared), runtime: runtime.id(), woken: Vec::new() };
    runtime.spawn(dispatcher);
}

impl<T> Future for Dispatcher<T> {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(shared) = this.shared.upgrade() else { return Poll::Ready(()) };
        shared.with_waiters(|waiters| waiters.collect(this.runtime, cx.waker(), &mut this.woken));
        this.woken.drain(..).flatten().for_each(Waker::wake);
        Poll::Pending
    }
}

impl<T> Drop for Dispatcher<T> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.with_waiters(|waiters| waiters.disband(self.runtime)).wake();
        }
    }
}
