//! The surface for other programs: WebSocket, HTTP, the dashboard.
//!
//! What happens is made into a [`frame::Frame`] once and spread over one ring ([`hub`]); WebSocket and SSE are readers of
//! it, and a replay from the log goes over into it with neither gap nor repeat ([`reader`]). What is wanted comes in over
//! HTTP as a command, or as one of the ports of [`api::Deps`]. Who may come in is decided before anything is read.

pub mod api;
mod entry;
pub mod frame;
pub mod http;
pub mod hub;
pub mod options;
pub mod peers;
mod rate;
pub mod reader;
pub mod reports;
mod tls;
pub mod ws;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::BoxStream;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::event::Event;
use crate::net::accept::{self, Limits};
use crate::net::door::{self, Door};
use crate::server::api::Api;
use crate::server::entry::Entry;
use crate::server::hub::Hub;

pub use api::Deps;
pub use entry::Entrant;
pub use options::Options;
pub use tls::TlsError;

/// Why the surface cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Everybody in reach could call it.
    #[error("{address} can be reached from other machines: that takes a token ([server] token or token_env)")]
    NoToken {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// Everybody in reach could report.
    #[error(
        "{address} can be reached from other machines: make a key for each reporter with `wakeful coordinator keys add`, or set a token ([server] token or token_env)"
    )]
    NoKeys {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The token is too easy.
    #[error("[server] token is shorter than {} characters", door::TOKEN_CHARS_MIN)]
    WeakToken,
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refuses.
    #[error("could not listen on {address}")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// The surface: it listens, and is about to be served.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    api: Arc<Api>,
    live: BoxStream<'static, Arc<Event>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the address takes a token that is not there, TLS cannot be spoken, or the address cannot be had.
    pub async fn bind(options: Options, deps: Deps) -> Result<Self, BindError> {
        let address = options.listen;
        door::safe(address, options.token.as_ref()).map_err(|reason| match reason {
            door::Unsafe::NoToken => BindError::NoToken { address },
            door::Unsafe::WeakToken => BindError::WeakToken,
        })?;
        raise_handles();
        let tls = tls::acceptor(options.tls_cert.as_deref(), options.tls_key.as_deref())?;
        let refused = |source| BindError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let hub = Hub::new(&deps.epoch, options.queue_frames, options.clients_max);
        let api = Api {
            hub,
            options,
            queries: deps.queries,
            commands: deps.commands,
            recorder: deps.recorder,
            clock: deps.clock,
            tasks: deps.tasks,
            feedback: deps.feedback,
            records: deps.records,
            peers: deps.peers,
            mcp: deps.mcp,
            default_model: deps.default_model,
            context_window_tokens: deps.context_window_tokens,
            mode: deps.mode,
            timezone: deps.timezone,
            stop: CancellationToken::new(),
            tasks_of_clients: TaskTracker::new(),
            started: Instant::now(),
        };
        Ok(Self { listener, address, tls, api: Arc::new(api), live: deps.live })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address that a browser on this machine opens.
    pub fn url(&self) -> String {
        url_of(self.address, self.tls.is_some())
    }

    /// The feed as it goes out.
    pub fn hub(&self) -> Hub {
        self.api.hub.clone()
    }

    /// Serves until `stop`. Then no further request is taken, streams and sockets end properly, and what is being answered
    /// has some seconds left.
    pub async fn run(self, stop: CancellationToken) {
        let Self { listener, address, tls, api, live } = self;
        let pump = tokio::spawn({
            let (hub, stop) = (api.hub.clone(), stop.clone());
            async move {
                hub.pump(live, stop).await;
                hub.close();
            }
        });
        let stopping = tokio::spawn({
            let (api, stop) = (Arc::clone(&api), stop.clone());
            async move {
                stop.cancelled().await;
                api.stop.cancel();
            }
        });
        let door = Door::new(address, api.options.token.clone(), &api.options.hosts, &api.options.origins);
        let limits =
            Limits { connections_max: api.options.connections_max, read_time_max: Duration::from_secs(api.options.read_seconds.max(1)) };
        let clients = api.tasks_of_clients.clone();
        let entry = Arc::new(Entry::new(door, api));
        accept::serve(listener, tls, limits, clients, stop, move |request, from| {
            let entry = Arc::clone(&entry);
            async move { entry.answer(request, from).await }
        })
        .await;
        pump.abort();
        stopping.abort();
    }
}

/// Lets the process open as many files as its owner may: each client is one, and the usual limit is 1,024.
#[cfg(unix)]
fn raise_handles() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(not(unix))]
fn raise_handles() {}
/// The address by which programs of this machine reach `address`.
fn url_of(address: SocketAddr, is_tls: bool) -> String {
    let host = match address {
        address if address.ip().is_unspecified() => format!("127.0.0.1:{}", address.port()),
        address => address.to_string(),
    };
    format!("{}://{host}", if is_tls { "https" } else { "http" })
}
