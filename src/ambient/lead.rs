//! Which process runs the tasks of an embedded store: one leads, the others show.
//!
//! The lead is a lease that is only taken, and only renewed, when there is something to do, so that an idle program
//! writes nothing. Nothing depends on it for being right: claims and fences keep two processes apart in any case.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::ambient::nudge::Nudges;
use crate::domain::clock::Instant;
use crate::store::tasks::{Claim, LEAD};
use crate::store::{Error, EventLog};

/// How long another process waits, at most, before it takes over from one that hangs or died.
const LEASE_MAX: Duration = Duration::from_secs(30);

/// How long the answer that somebody else leads is believed: they may resign at any time.
const BELIEVED: Duration = Duration::from_secs(1);

/// Takes and renews the lead.
pub struct Leadership {
    log: EventLog,
    owner: String,
    nudges: Nudges,
    /// With several nodes on one store, everybody claims and nobody leads.
    shared: bool,
    lease: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Unknown,
    /// Renewed at that time.
    Mine(Instant),
    /// Somebody else's until that time, as it was said then.
    Theirs {
        until: Instant,
        said: Instant,
    },
}

impl Leadership {
    /// For the process `owner`. The lead is held for `lease`, or 30 s where that is less.
    pub fn new(log: EventLog, owner: String, nudges: Nudges, shared: bool, lease: Duration) -> Self {
        nudges.set_leading(shared);
        Self { log, owner, nudges, shared, lease: lease.min(LEASE_MAX), state: Mutex::new(State::Unknown) }
    }

    /// Whether this process may act at `now`; until when another one may, if not.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn take(&self, now: Instant) -> Result<Result<(), Instant>, Error> {
        if self.shared {
            return Ok(Ok(()));
        }
        let state = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state {
            State::Mine(at) if now >= at && now.since(at) < self.lease / 2 => return Ok(Ok(())),
            State::Theirs { until, said } if now < until && now >= said && now.since(said) < BELIEVED => return Ok(Err(until)),
            State::Unknown | State::Mine(_) | State::Theirs { .. } => {}
        }
        let claim = Claim { owner: self.owner.clone(), now, lease: self.lease, limit: 1 };
        let mine = self.log.tasks().lead(LEAD.to_owned(), claim).await?.is_some();
        let outcome = if mine {
            Ok(())
        } else {
            let until = self.log.tasks().leader(LEAD.to_owned(), now).await?.map_or(now, |lead| lead.until);
            Err(until.min(now.plus(LEASE_MAX)))
        };
        self.nudges.set_leading(mine);
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = match outcome {
            Ok(()) => State::Mine(now),
            Err(until) => State::Theirs { until, said: now },
        };
        Ok(outcome)
    }

    /// Gives the lead back, so that another process need not wait.
    pub async fn resign(&self) {
        let mine = matches!(*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Mine(_));
        if mine && !self.shared {
            let resigned = self.log.tasks().resign(LEAD.to_owned(), self.owner.clone()).await;
            if let Err(error) = resigned {
                tracing::warn!(error = error.report(), "could not give the lead back; it lapses by itself");
            }
        }
    }
}
