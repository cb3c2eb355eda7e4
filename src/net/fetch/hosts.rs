//! One request in flight a host, and rest for hosts that ask for it.
//!
//! A host is scheme, name and port. Whoever wants it waits in line for its slot, then for one of the permits that bound
//! all requests together, so that a line before one slow host takes nothing from the others. Dropping a [`Slot`], or the
//! future that waits for one, gives everything back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::domain::clock::{Clock, Instant};
use crate::net::fetch::error::Error;

/// A rest shorter than this is waited out; a longer one is reported at once.
const REST_WAITED_MAX: Duration = Duration::from_secs(5);

/// The longest rest that a host may ask for. It also bounds the harm of a clock that was set back.
pub(super) const REST_MAX: Duration = Duration::from_hours(24);

/// Hosts remembered before idle ones are looked for and forgotten.
const HOSTS_SWEPT_AT: usize = 4_096;

/// Hosts remembered at all; beyond that even resting hosts that nobody waits for are forgotten.
const HOSTS_MAX: usize = 65_536;

/// All hosts that are busy or remembered.
pub(super) struct Hosts {
    table: Mutex<Table>,
    permits: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    gap: Duration,
    queue_max: usize,
}

struct Table {
    hosts: HashMap<Arc<str>, Arc<Host>>,
    swept_at: usize,
}

#[derive(Default)]
struct Host {
    slot: Arc<tokio::sync::Mutex<()>>,
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Nothing is asked before this.
    rest_until: Option<Instant>,
    /// When the gap after the last request ends.
    free_at: Option<tokio::time::Instant>,
}

/// The right to ask one host, alone.
pub(super) struct Slot {
    host: Arc<Host>,
    gap: Duration,
    _turn: OwnedMutexGuard<()>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Hosts {
    pub(super) fn new(clock: Arc<dyn Clock>, concurrency_max: usize, gap: Duration, queue_max: usize) -> Self {
        Self {
            table: Mutex::new(Table { hosts: HashMap::new(), swept_at: HOSTS_SWEPT_AT }),
            permits: Arc::new(Semaphore::new(concurrency_max.clamp(1, Semaphore::MAX_PERMITS))),
            clock,
            gap,
            queue_max: queue_max.max(1),
        }
    }

    /// Waits for the turn to ask `name`.
    ///
    /// # Errors
    /// When the host rests for longer than anybody would wait, or too many wait for it.
    pub(super) async fn enter(&self, name: &str) -> Result<Slot, Error> {
        let host = self.host(name);
        host.rest(name, self.clock.now())?;
        let waiting = Waiting::new(host.clone());
        if waiting.before > self.queue_max {
            return Err(Error::Busy { host: name.to_owned(), waiting: self.queue_max });
        }
        let turn = host.slot.clone().lock_owned().await;
        drop(waiting);
        self.wait_for(&host, name).await?;
        // It fails only when closed, and it never is.
        let permit = self.permits.clone().acquire_owned().await.ok();
        Ok(Slot { host, gap: self.gap, _turn: turn, _permit: permit })
    }

    /// Waits until rest and gap are over; the slot is held by the caller, so nobody overtakes.
    async fn wait_for(&self, host: &Host, name: &str) -> Result<(), Error> {
        if let Some((until, left)) = host.rest(name, self.clock.now())? {
            tokio::time::sleep(left).await;
            // The wall clock may have stood still meanwhile; what was waited counts, unless the rest was made longer.
            let mut state = lock(&host.state);
            match state.rest_until {
                Some(now) if now > until => return Err(Error::Resting { host: name.to_owned(), until: now }),
                _ => state.rest_until = None,
            }
        }
        let free_at = lock(&host.state).free_at;
        if let Some(at) = free_at {
            tokio::time::sleep_until(at).await;
        }
        Ok(())
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut table = lock(&self.table);
        if let Some(host) = table.hosts.get(name) {
            return host.clone();
        }
        if table.hosts.len() >= table.swept_at {
            let now = self.clock.now();
            table.hosts.retain(|_, host| Arc::strong_count(host) > 1 || host.is_remembered(now));
            if table.hosts.len() >= HOSTS_MAX {
                table.hosts.retain(|_, host| Arc::strong_count(host) > 1);
            }
            table.swept_at = (table.hosts.len() * 2).clamp(HOSTS_SWEPT_AT, HOSTS_MAX);
        }
        table.hosts.entry(Arc::from(name)).or_default().clone()
    }
}

impl Host {
    /// The rest that is left, if it is short.
    fn rest(&self, name: &str, now: Instant) -> Result<Option<(Instant, Duration)>, Error> {
        let mut state = lock(&self.state);
        let Some(until) = state.rest_until else { return Ok(None) };
        let left = until.since(now);
        if left.is_zero() || left > REST_MAX {
            state.rest_until = None;
            Ok(None)
        } else if left < REST_WAITED_MAX {
            Ok(Some((until, left)))
        } else {
            Err(Error::Resting { host: name.to_owned(), until })
        }
    }

    fn is_remembered(&self, now: Instant) -> bool {
        let state = lock(&self.state);
        state.rest_until.is_some_and(|until| until > now) || state.free_at.is_some_and(|at| at > tokio::time::Instant::now())
    }
}

impl Slot {
    /// Leaves the host alone until `until`, or for longer if that was asked before.
    pub(super) fn rest_until(&self, until: Instant) {
        let mut state = lock(&self.host.state);
        state.rest_until = state.rest_until.max(Some(until));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.gap.is_zero() {
            lock(&self.host.state).free_at = Some(tokio::time::Instant::now() + self.gap);
        }
    }
}

/// A place in the line, given back however the wait ends.
struct Waiting {
    host: Arc<Host>,
    /// How many wait, this one included.
    before: usize,
}

impl Waiting {
    fn new(host: Arc<Host>) -> Self {
        let before = host.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        Self { host, before }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.host.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Locks; a panic elsewhere leaves the data whole, because nothing under these locks can stop half-way.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
