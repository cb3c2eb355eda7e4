//! Looks for new heads: a connection that listens while anybody wants to know, and a slow look of its own.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::domain::ids::Seq;
use crate::store::Error;
use crate::store::postgres::PgStore;
use crate::store::postgres::link::{Backoff, Dial, Failure, news};
use crate::store::postgres::read;

/// How often the head is looked at where no notification came: one may have been lost with its connection.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long a look may take.
const LOOK_LIMIT: Duration = Duration::from_secs(30);

/// The listener that all who wait share; it ends with the last of them.
#[derive(Default)]
pub(super) struct Watchers(Mutex<Weak<Listener>>);

struct Listener {
    heads: watch::Receiver<Option<Seq>>,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watchers {
    fn join(&self, dial: &Arc<Dial>, channel: &str) -> Arc<Listener> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = shared.upgrade() {
            return listener;
        }
        let (sender, heads) = watch::channel(None);
        let task = tokio::spawn(listen(Arc::clone(dial), channel.to_owned(), sender));
        let listener = Arc::new(Listener { heads, task });
        *shared = Arc::downgrade(&listener);
        listener
    }
}

/// Listens for ever; comes back after each outage.
async fn listen(dial: Arc<Dial>, channel: String, heads: watch::Sender<Option<Seq>>) {
    let mut backoff = Backoff::default();
    loop {
        if let Err(failure) = listen_once(&dial, &channel, &heads, &mut backoff).await {
            let error = dial.explain("listen to", failure);
            tracing::warn!(error = error.report(), "does not hear of new events; tries again");
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

async fn listen_once(dial: &Dial, channel: &str, heads: &watch::Sender<Option<Seq>>, backoff: &mut Backoff) -> Result<(), Failure> {
    let (sender, mut receiver) = news();
    let link = dial.open(Some(sender)).await?;
    link.simple(&format!("LISTEN \"{channel}\"")).await?;
    *backoff = Backoff::default();
    loop {
        let looked = tokio::time::timeout(LOOK_LIMIT, read::head(&link)).await;
        let head = looked.unwrap_or(Err(Failure::Late(LOOK_LIMIT)))?;
        heads.send_if_modified(|known| known.replace(head) != Some(head));
        if let Ok(None) = tokio::time::timeout(LOOK_EVERY, receiver.recv()).await {
            // The connection ended.
            return Ok(());
        }
        // One look answers all that came meanwhile.
        while receiver.try_recv().is_ok() {}
    }
}

/// The head at once, then each new one.
pub(super) fn heads(store: PgStore) -> BoxStream<'static, Result<Seq, Error>> {
    stream::unfold(Follower { store, listener: None, last: None }, |mut follower| async move {
        let head = follower.next().await;
        Some((head, follower))
    })
    .boxed()
}

struct Follower {
    store: PgStore,
    listener: Option<(Arc<Listener>, watch::Receiver<Option<Seq>>)>,
    last: Option<Seq>,
}

impl Follower {
    async fn next(&mut self) -> Result<Seq, Error> {
        if self.store.inner().pool.is_closed() {
            self.listener = None;
            return Err(Error::Closed);
        }
        let (_, heads) = self.listener.get_or_insert_with(|| {
            let inner = self.store.inner();
            let listener = inner.watchers.join(&inner.dial, &inner.channel);
            let heads = listener.heads.clone();
            (listener, heads)
        });
        if self.last.is_none() {
            let head = crate::store::EventStore::head(&self.store).await?;
            self.last = Some(head);
            return Ok(head);
        }
        loop {
            let known = *heads.borrow_and_update();
            if let Some(head) = known.filter(|head| Some(*head) > self.last) {
                self.last = Some(head);
                return Ok(head);
            }
            tokio::select! {
                changed = heads.changed() => changed.map_err(|_| Error::Closed)?,
                () = self.store.inner().closed.cancelled() => return Err(Error::Closed),
            }
        }
    }
}
