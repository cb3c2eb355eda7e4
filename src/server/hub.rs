//! Spreads frames: one ring, a cursor for each client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;

use crate::bus::{Bus, Subscription};
use crate::domain::event::Event;
use crate::server::frame::Frame;

/// The feed as it goes out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    frames: Bus<Frame>,
    epoch: String,
    published: AtomicU64,
    clients: AtomicUsize,
    clients_max: usize,
}

/// A client's place in the hub; dropped, it is free again.
#[derive(Debug)]
pub struct Place(Arc<Inner>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hub {
    /// A hub over the log `epoch` that keeps `queue_frames` for clients that lag, and takes so many clients.
    pub fn new(epoch: &str, queue_frames: usize, clients_max: usize) -> Self {
        Self(Arc::new(Inner {
            frames: Bus::new(queue_frames),
            epoch: epoch.to_owned(),
            published: AtomicU64::new(0),
            clients: AtomicUsize::new(0),
            clients_max,
        }))
    }

    /// The id of the log: a position is only good with it.
    pub fn epoch(&self) -> &str {
        &self.0.epoch
    }

    /// Frames that went out since the start.
    pub fn published(&self) -> u64 {
        self.0.published.load(Ordering::Relaxed)
    }

    /// Clients that read now.
    pub fn clients(&self) -> usize {
        self.0.clients.load(Ordering::Relaxed)
    }

    /// A place for one more client; none where all are taken.
    pub fn enter(&self) -> Option<Place> {
        let more = |clients: usize| (clients < self.0.clients_max).then_some(clients + 1);
        self.0.clients.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Place(Arc::clone(&self.0)))
    }

    /// Spreads a frame. Never waits.
    pub fn publish(&self, frame: Frame) {
        self.0.published.fetch_add(1, Ordering::Relaxed);
        self.0.frames.publish(Arc::new(frame));
    }

    /// A reader of all frames from now on.
    pub fn subscribe(&self) -> Subscription<Frame> {
        self.0.frames.subscribe()
    }

    /// Ends all readers once they have read what there is.
    pub fn close(&self) {
        self.0.frames.close();
    }

    /// Makes frames of what happens until it ends or `stop`.
    pub async fn pump(&self, mut live: BoxStream<'static, Arc<Event>>, stop: CancellationToken) {
        loop {
            let event = tokio::select! {
                event = live.next() => event,
                () = stop.cancelled() => None,
            };
            let Some(event) = event else { return };
            if let Some(frame) = Frame::of(&event) {
                self.publish(frame);
            }
        }
    }
}
