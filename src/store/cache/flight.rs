//! One fetch for all who want the same thing at the same time.
//!
//! Whoever waits drives the fetch, so an asker who leaves takes nothing from the others; when all have left, the fetch is
//! dropped. Nothing is remembered beyond its end.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::domain::cache::Kind;
use crate::store::cache::Hit;
use crate::store::cache::entry::Id;

/// Why a flight brought nothing.
#[derive(Debug, Clone)]
pub(super) enum Failed<E> {
    /// The fetch says so.
    Fetch(E),
    /// The fetch broke off.
    Panicked,
}

pub(super) type Outcome<E> = Result<Hit, Failed<E>>;

pub(super) type Flight<E> = Shared<BoxFuture<'static, Outcome<E>>>;

/// The fetches under way. Those of different error types know nothing of each other.
#[derive(Default)]
pub(super) struct Flights(Mutex<Table>);

#[derive(Default)]
struct Table {
    under_way: HashMap<(String, TypeId), Row>,
    last: u64,
}

struct Row {
    number: u64,
    kind: Kind,
    ticket: Ticket,
    /// A `WeakShared` of the flight.
    flight: Box<dyn Any + Send + Sync>,
}

/// Says whether what a flight brings is still to be kept: not after somebody removed the entry.
#[derive(Debug, Clone, Default)]
pub(super) struct Ticket(Arc<AtomicBool>);

impl Ticket {
    pub(super) fn is_good(&self) -> bool {
        !self.0.load(Ordering::SeqCst)
    }

    fn void(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one is under way.
    pub(super) fn has<E: Clone + Send + Sync + 'static>(&self, id: &Id) -> bool {
        // Not under the lock: a flight that lands here because all others have left takes it.
        let flight = self.lock().find::<E>(id);
        flight.is_some()
    }

    /// The flight under way for `id`, or a new one made by `begin`; says whether it is new.
    pub(super) fn join<E: Clone + Send + Sync + 'static>(
        self: &Arc<Self>,
        id: &Id,
        begin: impl FnOnce(Ticket, Landing) -> BoxFuture<'static, Result<Hit, E>>,
    ) -> (Flight<E>, bool) {
        let mut table = self.lock();
        if let Some(flight) = table.find::<E>(id) {
            return (flight, false);
        }
        table.last += 1;
        let (number, ticket) = (table.last, Ticket::default());
        let key = (id.text.clone(), TypeId::of::<E>());
        let landing = Landing { flights: Arc::clone(self), key: key.clone(), number };
        let run = AssertUnwindSafe(begin(ticket.clone(), landing));
        let flight = run.catch_unwind().map(|done| done.map_or(Err(Failed::Panicked), |done| done.map_err(Failed::Fetch))).boxed().shared();
        if let Some(weak) = flight.downgrade() {
            table.under_way.insert(key, Row { number, kind: id.kind, ticket, flight: Box::new(weak) });
        }
        (flight, true)
    }

    /// What is under way for `id` is not to be kept, and who asks from now on does not join it.
    pub(super) fn void(&self, id: &Id) {
        self.void_where(|text, _| *text == id.text);
    }

    /// The same for all of a kind, or for all.
    pub(super) fn void_all(&self, kind: Option<Kind>) {
        self.void_where(|_, of| kind.is_none_or(|kind| kind == of));
    }

    fn void_where(&self, meant: impl Fn(&String, Kind) -> bool) {
        self.lock().under_way.retain(|(text, _), row| {
            let meant = meant(text, row.kind);
            if meant {
                row.ticket.void();
            }
            !meant
        });
    }
}

impl Table {
    fn find<E: Clone + Send + Sync + 'static>(&self, id: &Id) -> Option<Flight<E>> {
        let row = self.under_way.get(&(id.text.clone(), TypeId::of::<E>()))?;
        row.flight.downcast_ref::<WeakShared<BoxFuture<'static, Outcome<E>>>>()?.upgrade()
    }
}

/// Takes its flight off the table: at its end, or when nobody waits for it any more.
pub(super) struct Landing {
    flights: Arc<Flights>,
    key: (String, TypeId),
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut table = self.flights.lock();
        if table.under_way.get(&self.key).is_some_and(|row| row.number == self.number) {
            table.under_way.remove(&self.key);
        }
    }
}
