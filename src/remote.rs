//! A program elsewhere, as if it were here: its events on a bus, an inbox for its commands, its answers.
//!
//! A [`Connection`] follows the feed over WebSocket and comes back by itself, without a gap and without a repeat of what
//! is stored; commands and questions go over HTTP. How it stands is told as a [`Line`]. What the program is and does is
//! not known here: surfaces on top of it are the same as on top of a program of their own process.

pub mod address;
mod courier;
mod feed;
mod frame;
pub mod http;
mod pace;
pub mod queries;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bus::{CommandSender, EventBus, Subscription, command_inbox};
use crate::domain::clock::Clock;
use crate::domain::event::Event;
use crate::domain::query::Queries;
use crate::domain::remote::{Line, LineState, Status};
use crate::remote::address::Address;
use crate::remote::courier::Courier;
use crate::remote::feed::{Feed, Outlet};
use crate::remote::http::Api;
use crate::remote::queries::RemoteQueries;

pub use feed::Position;

const STATUS_ROUTE: &str = "/api/v2/status";
const COMMANDS_ROUTE: &str = "/api/v2/commands";
const QUERY_ROUTE: &str = "/api/v2/query";

/// Events that are kept for a screen that lags; it reads the rest from the log there.
const QUEUE_EVENTS: usize = 4_096;

/// Events that wait for a reader that is waited for.
const READER_EVENTS: usize = 256;

/// Commands that may wait.
const INBOX_MAX: usize = 1_024;

/// How long commands that wait at the end may take.
const LAST_COMMANDS_MAX: Duration = Duration::from_secs(2);

/// How long the first answer may take where somebody waits for it.
const STATUS_MAX: Duration = Duration::from_secs(10);

/// A program elsewhere.
pub struct Connection {
    bus: EventBus,
    /// From before the first event.
    first: Option<Subscription>,
    line: watch::Receiver<Line>,
    status: watch::Receiver<Option<Status>>,
    commands: CommandSender,
    queries: Arc<RemoteQueries>,
    stop: CancellationToken,
    feed: JoinHandle<()>,
    courier: JoinHandle<()>,
}

impl Connection {
    /// Connects to the program at `address`, now and whenever the connection is lost. Must be called within a runtime;
    /// does not wait.
    pub fn open(address: Address, token: Option<SecretString>, clock: Arc<dyn Clock>) -> Self {
        let api = Api::new(address, token);
        let bus = EventBus::new(QUEUE_EVENTS);
        let (line, line_here) = watch::channel(connecting(&api));
        let (status, status_here) = watch::channel(None);
        let (commands, inbox) = command_inbox(INBOX_MAX);
        let stop = CancellationToken::new();
        let courier = Courier::new(api.clone(), bus.clone(), Arc::clone(&clock), line_here.clone());
        let feed = Feed::new(api.clone(), clock, Outlet::Bus(bus.clone()), line, status, None);
        Self {
            first: Some(bus.subscribe()),
            bus,
            line: line_here,
            status: status_here,
            commands,
            queries: Arc::new(RemoteQueries::new(api)),
            feed: tokio::spawn(feed.run(stop.clone())),
            courier: tokio::spawn(courier.run(inbox)),
            stop,
        }
    }

    /// How the connection stands, now and later.
    pub fn line(&self) -> watch::Receiver<Line> {
        self.line.clone()
    }

    /// How the program stood when it was first reached: waits for that. None once the connection is closed.
    pub async fn status(&self) -> Option<Status> {
        let mut status = self.status.clone();
        status.wait_for(Option::is_some).await.ok().and_then(|status| status.clone())
    }

    /// Everything that happens there: for the first who asks from the beginning of the connection, for later ones from
    /// now on.
    pub fn subscribe(&mut self) -> Subscription {
        self.first.take().unwrap_or_else(|| self.bus.subscribe())
    }

    /// Takes what is wanted there.
    pub fn commands(&self) -> CommandSender {
        self.commands.clone()
    }

    /// Answers what is asked.
    pub fn queries(&self) -> Arc<dyn Queries> {
        Arc::clone(&self.queries) as Arc<dyn Queries>
    }

    /// Ends the connection. Commands that wait still go out where that is possible at once.
    pub async fn close(self) {
        let Self { bus, commands, stop, feed, courier, .. } = self;
        drop(commands);
        let abort = courier.abort_handle();
        if tokio::time::timeout(LAST_COMMANDS_MAX, courier).await.is_err() {
            abort.abort();
        }
        stop.cancel();
        let _ = feed.await;
        bus.close();
    }
}

fn connecting(api: &Api) -> Line {
    Line { address: api.address().to_string(), state: LineState::Connecting }
}

/// Follows a feed for one reader, who is waited for: what he is too slow for waits at the other end.
pub struct Following {
    /// What happens.
    pub events: mpsc::Receiver<Arc<Event>>,
    /// How the connection stands.
    pub line: watch::Receiver<Line>,
    stop: CancellationToken,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Follows what happens after `position`. Must be called within a runtime.
pub fn follow(api: &Api, clock: Arc<dyn Clock>, position: Position) -> Following {
    let (sender, events) = mpsc::channel(READER_EVENTS);
    let (line, line_here) = watch::channel(connecting(api));
    let (status, _) = watch::channel(None);
    let stop = CancellationToken::new();
    let feed = Feed::new(api.clone(), clock, Outlet::Reader(sender), line, status, Some(position));
    tokio::spawn(feed.run(stop.clone()));
    Following { events, line: line_here, stop }
}

/// Asks the program how it stands, once.
///
/// # Errors
/// When it does not answer, or does not let us in.
pub async fn status(api: &Api) -> Result<Status, http::Error> {
    api.get(STATUS_ROUTE, STATUS_MAX).await
}
