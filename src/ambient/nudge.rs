//! Wakes the loops of this process when there is work for them, so that nobody has to poll for what happened here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Wakes the scheduler, the judge and the outbox. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Nudges(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tasks: Notify,
    firings: Notify,
    notices: Notify,
    leading: AtomicBool,
    awake: AtomicBool,
    told: AtomicBool,
}

impl Nudges {
    /// A task was made or changed: it may be due.
    pub fn tasks(&self) {
        self.0.tasks.notify_one();
    }

    /// A firing was queued.
    pub fn firings(&self) {
        self.0.firings.notify_one();
    }

    /// A notice was queued.
    pub fn notices(&self) {
        self.0.notices.notify_one();
    }

    /// Whatever it is.
    pub fn all(&self) {
        self.tasks();
        self.firings();
        self.notices();
    }

    /// Whether somebody tells of what other processes write.
    pub fn told(&self) -> bool {
        self.0.told.load(Ordering::Relaxed)
    }

    pub(super) fn set_told(&self, told: bool) {
        self.0.told.store(told, Ordering::Relaxed);
    }

    /// Whether this process runs the tasks.
    pub fn leading(&self) -> bool {
        self.0.leading.load(Ordering::Relaxed)
    }

    pub(super) fn set_leading(&self, leading: bool) {
        self.0.leading.store(leading, Ordering::Relaxed);
    }

    /// Whether the loops run in this process, whoever leads.
    pub fn awake(&self) -> bool {
        self.0.awake.load(Ordering::Relaxed)
    }

    /// The loops begin to run in this process.
    pub fn set_awake(&self) {
        self.0.awake.store(true, Ordering::Relaxed);
    }

    pub(super) async fn task_waits(&self) {
        self.0.tasks.notified().await;
    }

    pub(super) async fn firing_waits(&self) {
        self.0.firings.notified().await;
    }

    pub(super) async fn notice_waits(&self) {
        self.0.notices.notified().await;
    }
}
