//! Whether what somebody fetches only stands in line, so that the wait costs them nothing.
//!
//! A [`Line`] belongs to whoever asks; each fetch tells it whether it stands in line for its host. A fetch that several
//! share tells all of them, through its [`Place`].

use std::future::Future;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::net::fetch::hosts::lock;

/// Tells whether all fetches of its owner stand in line. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Line(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    counts: Mutex<Counts>,
    waits: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Counts {
    fetches: usize,
    standing: usize,
}

impl Line {
    /// Whether there are fetches under way and all of them stand in line.
    pub fn is_waiting(&self) -> bool {
        *self.0.waits.borrow()
    }

    /// Tells each change of [`is_waiting`](Self::is_waiting).
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.0.waits.subscribe()
    }

    /// Runs `work`, which only waits for its turn.
    pub async fn stand<T>(&self, work: impl Future<Output = T>) -> T {
        let mut fetch = self.fetch();
        fetch.stand(true);
        work.await
    }

    /// Takes part until it is dropped.
    pub(super) fn fetch(&self) -> Fetch {
        self.change(|counts| counts.fetches += 1);
        Fetch { line: self.clone(), standing: false }
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = lock(&self.0.counts);
        change(&mut counts);
        let waits = counts.fetches > 0 && counts.fetches == counts.standing;
        self.0.waits.send_if_modified(|before| std::mem::replace(before, waits) != waits);
    }
}

/// One fetch of a [`Line`]'s owner.
pub(super) struct Fetch {
    line: Line,
    standing: bool,
}

impl Fetch {
    /// Says whether it stands in line now.
    pub(super) fn stand(&mut self, standing: bool) {
        if std::mem::replace(&mut self.standing, standing) != standing {
            self.line.change(|counts| if standing { counts.standing += 1 } else { counts.standing -= 1 });
        }
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        let standing = usize::from(self.standing);
        self.line.change(|counts| {
            counts.fetches -= 1;
            counts.standing -= standing;
        });
    }
}

/// Where one fetch stands: in line, or at work. All who share the fetch watch it.
#[derive(Default)]
pub(super) struct Place(watch::Sender<bool>);

impl Place {
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// Runs `work`, which only waits for a turn.
    pub(super) async fn stand<T>(&self, work: impl Future<Output = T>) -> T {
        let _back = Back(&self.0);
        self.0.send_replace(true);
        work.await
    }
}

/// Leaves the line however the wait ends.
struct Back<'a>(&'a watch::Sender<bool>);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}
