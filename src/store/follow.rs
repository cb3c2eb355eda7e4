//! The log as a stream that does not end: replay, then live, with neither gap nor repeat.
//!
//! The bus tells at once what this process appended, the store tells what others did. Whenever a position is missing
//! (another process appended, the bus lost something) the log itself is read, so the log alone decides what comes next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::bus::{Delivery, Subscription};
use crate::domain::clock::Clock;
use crate::domain::event::{ErrorEvent, Event};
use crate::domain::ids::{EventId, Seq};
use crate::domain::query::EventFilter;
use crate::store::{Error, EventStore};

/// Events that are read from the log in one go.
const PAGE: usize = 512;

/// Deliveries that are taken from the bus in one go.
const INBOX: usize = 256;

/// Failures in a row after which the stream gives up.
const FAILURES_MAX: u32 = 5;

/// The wait after the first failure; each further one waits that much longer.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Which live events are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Live {
    /// Only those that are in the log.
    Stored,
    /// Ephemeral ones too.
    All,
}

/// One follower.
pub(super) struct Follow {
    store: Arc<dyn EventStore>,
    live: Subscription,
    heads: BoxStream<'static, Result<Seq, Error>>,
    clock: Arc<dyn Clock>,
    filter: EventFilter,
    ephemeral: bool,
    /// Everything up to here was given out or put into `ready`, or is not wanted.
    position: Seq,
    /// The log is known to reach at least to here.
    target: Seq,
    /// The bus lost something: the head must be asked for.
    lost: bool,
    ready: VecDeque<Arc<Event>>,
    inbox: VecDeque<Delivery>,
    failures: u32,
    over: bool,
}

impl Follow {
    pub(super) fn new(
        store: Arc<dyn EventStore>,
        live: Subscription,
        clock: Arc<dyn Clock>,
        filter: EventFilter,
        after: Seq,
        wanted: Live,
    ) -> Self {
        let heads = store.heads();
        Self {
            store,
            live,
            heads,
            clock,
            filter,
            ephemeral: wanted == Live::All,
            position: after,
            target: after,
            lost: false,
            ready: VecDeque::new(),
            inbox: VecDeque::new(),
            failures: 0,
            over: false,
        }
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Arc<Event>> {
        stream::unfold(self, |mut follow| async move { follow.next().await.map(|event| (event, follow)) }).boxed()
    }

    async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over || self.filter.upto.is_some_and(|upto| self.position >= upto) {
                return None;
            }
            let outcome = if self.lost {
                self.find_head().await
            } else if self.position < self.target {
                self.catch_up().await
            } else if let Some(delivery) = self.inbox.pop_front() {
                self.take(delivery);
                Ok(())
            } else {
                self.wait().await
            };
            match outcome {
                Ok(()) => {}
                Err(Error::Closed) => self.over = true,
                Err(error) => self.fail(&error).await,
            }
        }
    }

    /// Waits for news of either kind.
    async fn wait(&mut self) -> Result<(), Error> {
        let mut deliveries = Vec::new();
        tokio::select! {
            biased;
            count = self.live.recv_many(&mut deliveries, INBOX) => {
                self.over = count == 0;
                self.inbox.extend(deliveries);
            }
            head = self.heads.next() => match head {
                Some(head) => self.target = self.target.max(head?),
                None => self.over = true,
            },
        }
        Ok(())
    }

    fn take(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Lost(_) => self.lost = true,
            Delivery::Event(event) => match event.seq {
                None if self.ephemeral && wants(&self.filter, &event) => self.ready.push_back(event),
                Some(seq) if seq.0 == self.position.0 + 1 => {
                    self.position = seq;
                    if wants(&self.filter, &event) {
                        self.ready.push_back(event);
                    }
                }
                Some(seq) if seq > self.position => self.target = self.target.max(seq),
                None | Some(_) => {}
            },
        }
    }

    async fn find_head(&mut self) -> Result<(), Error> {
        self.target = self.target.max(self.store.head().await?);
        self.lost = false;
        self.failures = 0;
        Ok(())
    }

    /// Reads the next page of what the log has up to the target.
    async fn catch_up(&mut self) -> Result<(), Error> {
        let upto = self.filter.upto.map_or(self.target, |end| end.min(self.target));
        let mut filter = self.filter.clone();
        (filter.after, filter.upto, filter.limit, filter.newest) = (Some(self.position), Some(upto), Some(PAGE), false);
        let page = self.store.events(filter).await?;
        self.position = match page.last().and_then(|event| event.seq) {
            Some(last) if page.len() >= PAGE => last,
            _ => upto,
        };
        self.ready.extend(page);
        self.failures = 0;
        Ok(())
    }

    /// Waits before the next try, or gives up with an event that says why.
    async fn fail(&mut self, error: &Error) {
        self.failures += 1;
        tracing::warn!(error = error.report(), failures = self.failures, "could not follow the event log");
        if self.failures < FAILURES_MAX {
            tokio::time::sleep(RETRY_DELAY * self.failures).await;
            return;
        }
        let body = ErrorEvent { message: error.report(), source: "store".into(), details: serde_json::Value::Null };
        let event = Event { seq: None, id: EventId::generate(), at: self.clock.now(), session: None, body: body.into() };
        self.ready.push_back(Arc::new(event));
        self.over = true;
    }
}

/// Whether `event` is of a wanted type and session and lies before the end.
fn wants(filter: &EventFilter, event: &Event) -> bool {
    (filter.types.is_empty() || filter.types.iter().any(|name| name == event.body.type_name()))
        && filter.session.as_ref().is_none_or(|session| event.session.as_ref() == Some(session))
        && filter.upto.is_none_or(|upto| event.seq <= Some(upto))
}
