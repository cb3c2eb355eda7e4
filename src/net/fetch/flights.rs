//! One fetch for all who want the same thing at the same time.
//!
//! Whoever waits drives the fetch; when all have given up, it is dropped and lets go of whatever it held. Nothing is
//! remembered beyond its end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use tokio::sync::watch;

use crate::net::fetch::error::Error;
use crate::net::fetch::hosts::lock;
use crate::net::fetch::{Accept, Fetched, Validators};

/// What makes two requests the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) url: String,
    pub(super) validators: Validators,
    pub(super) honour_robots: bool,
    pub(super) accept: Accept,
    pub(super) cut: bool,
    /// Which addresses may be reached.
    pub(super) ways: usize,
}

pub(super) type Outcome = Result<Arc<Fetched>, Error>;

type Flight = BoxFuture<'static, Outcome>;

/// The fetches under way.
#[derive(Default)]
pub(super) struct Flights(Mutex<Table>);

#[derive(Default)]
struct Table {
    under_way: HashMap<Key, (u64, WeakShared<Flight>, watch::Receiver<bool>)>,
    last: u64,
}

impl Flights {
    /// The flight under way for `key`, or a new one made of `flight`; `stands` then tells of the one that is joined.
    pub(super) fn join(
        self: &Arc<Self>,
        key: Key,
        flight: impl Future<Output = Outcome> + Send + 'static,
        stands: &mut watch::Receiver<bool>,
    ) -> Shared<Flight> {
        let mut table = lock(&self.0);
        let known = table.under_way.get(&key).and_then(|(_, weak, stands)| Some((weak.upgrade()?, stands.clone())));
        if let Some((shared, known)) = known {
            *stands = known;
            return shared;
        }
        table.last += 1;
        let number = table.last;
        let landing = Landing { flights: self.clone(), key: key.clone(), number };
        let shared = async move {
            let outcome = flight.await;
            // Before the waiters wake up: whoever asks from now on wants a newer answer.
            drop(landing);
            outcome
        }
        .boxed()
        .shared();
        if let Some(weak) = shared.downgrade() {
            table.under_way.insert(key, (number, weak, stands.clone()));
        }
        shared
    }
}

/// Takes its flight off the table, at its end or when nobody waits for it any more.
struct Landing {
    flights: Arc<Flights>,
    key: Key,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut table = lock(&self.flights.0);
        if table.under_way.get(&self.key).is_some_and(|(number, ..)| *number == self.number) {
            table.under_way.remove(&self.key);
        }
    }
}
