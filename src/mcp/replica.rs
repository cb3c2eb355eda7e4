//! One place of a server and how it stands.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::clock::Instant;
use crate::mcp::dial::Place;
use crate::mcp::link::Link;

/// How a place stands.
#[derive(Clone)]
pub(super) enum Standing {
    /// The first connection is being made, or one asked for by a person.
    Connecting,
    /// It answers.
    Ready(Arc<Link>),
    /// It does not answer and will be tried again.
    Failing { reason: String, attempt: u32, retry_at: Option<Instant> },
    /// It does not answer and is not tried again by itself.
    Failed { reason: String },
    /// The user wants it closed.
    Disabled,
}

/// One place where a server can be reached.
pub(super) struct Replica {
    pub(super) place: Place,
    standing: RwLock<Standing>,
    busy: AtomicUsize,
}

impl Replica {
    pub(super) fn new(place: Place, standing: Standing) -> Self {
        Self { place, standing: RwLock::new(standing), busy: AtomicUsize::new(0) }
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, standing: Standing) {
        *self.standing.write().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// The connection, if it answers.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        match &*self.standing.read().unwrap_or_else(PoisonError::into_inner) {
            Standing::Ready(link) if !link.down.is_raised() => Some(Arc::clone(link)),
            _ => None,
        }
    }

    /// Calls under way.
    pub(super) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// Counts a call until the guard is dropped.
    pub(super) fn occupy(self: &Arc<Self>) -> Occupied {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Occupied(Arc::clone(self))
    }
}

/// A call under way.
pub(super) struct Occupied(Arc<Replica>);

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
