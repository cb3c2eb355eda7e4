//! A service over streamable HTTP.
//!
//! One path (`/mcp`), on loopback unless a token is asked for. What a web page could make a browser send is refused by its
//! `Host` and `Origin` before anything reads it; so is whoever lacks the token. A connection must send its header, and a
//! request its body, within a time limit; connections, bodies and sessions are bounded, and idle sessions end. rmcp speaks
//! the protocol behind the door.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::mcp::server::Service;
use crate::mcp::server::handler::Handler;
use crate::net::accept::{self, Limits};
use crate::net::door::{self, Door, Refusal};

/// The path of the endpoint.
pub const PATH: &str = "/mcp";

/// What goes back.
pub type Reply = Response<BoxBody<Bytes, Infallible>>;

/// What varies of an HTTP server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens. Port 0: the system chooses.
    pub address: SocketAddr,
    /// What a client must show as `Authorization: Bearer`. Required where `address` is not loopback.
    pub token: Option<SecretString>,
    /// Names under which clients may call it (`Host`) beside those of `address`.
    pub hosts: Vec<String>,
    /// Web pages that may call it (`Origin`, like `https://app.example`) beside its own.
    pub origins: Vec<String>,
    /// The longest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// The most connections at once; a further one waits.
    pub connections_max: usize,
    /// The most sessions at once; a further one is refused.
    pub sessions_max: usize,
    /// A session ends after that long without a message.
    pub session_idle: Duration,
    /// How long a header may take, and a body.
    pub read_time_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            body_bytes_max: 4 * 1_024 * 1_024,
            connections_max: 256,
            sessions_max: 64,
            session_idle: Duration::from_mins(30),
            read_time_max: Duration::from_secs(10),
        }
    }
}

/// Why a service cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Everybody in reach could call it.
    #[error("{address} can be reached from other machines: that takes a bearer token (`--token-env NAME`, or `--new-token`)")]
    NoToken {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The token is too easy.
    #[error("the bearer token is shorter than {} characters", door::TOKEN_CHARS_MIN)]
    WeakToken,
    /// The system refuses.
    #[error("could not listen on {address}")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// A service that listens, and is about to be served.
pub struct Server<S> {
    listener: TcpListener,
    address: SocketAddr,
    options: Options,
    handler: Handler<S>,
}

impl<S> fmt::Debug for Server<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl<S: Service> Server<S> {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the address needs a token that is not there, or cannot be had.
    pub async fn bind(service: S, options: Options) -> Result<Self, BindError> {
        let address = options.address;
        door::safe(address, options.token.as_ref()).map_err(|reason| match reason {
            door::Unsafe::NoToken => BindError::NoToken { address },
            door::Unsafe::WeakToken => BindError::WeakToken,
        })?;
        let refused = |source| BindError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, options, handler: Handler::serving(service) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that a client on this machine calls.
    pub fn url(&self) -> String {
        let host = match self.address.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
            IpAddr::V6(ip) => format!("[{ip}]"),
            IpAddr::V4(ip) => ip.to_string(),
        };
        format!("http://{host}:{}{PATH}", self.address.port())
    }

    /// Serves until `stop`. Then no further request is taken, sessions and streams end, and what is being answered has some
    /// seconds left.
    pub async fn run(self, stop: CancellationToken) {
        let Self { listener, address, options, handler } = self;
        let limits = Limits { connections_max: options.connections_max, read_time_max: options.read_time_max };
        let entry = Arc::new(Entry::new(address, &options, handler, &stop));
        accept::serve(listener, None, limits, TaskTracker::new(), stop, move |request, _| {
            let entry = Arc::clone(&entry);
            async move { entry.answer(request).await }
        })
        .await;
    }
}

/// The protocol behind a door of somebody else's: takes whole requests to [`PATH`].
pub type Endpoint = Arc<dyn Fn(Request<Full<Bytes>>) -> BoxFuture<'static, Reply> + Send + Sync>;

/// The endpoint of a service, for a server that has checked who calls. Of `options`, what bounds sessions and bodies counts.
pub fn endpoint<S: Service>(service: S, options: &Options, stop: &CancellationToken) -> Endpoint {
    let protocol = Arc::new(Protocol::new(options, Handler::serving(service), stop));
    Arc::new(move |request| {
        let protocol = Arc::clone(&protocol);
        async move {
            let (parts, body) = request.into_parts();
            // A whole body is there at once, and cannot fail.
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            protocol.handle(parts, body).await
        }
        .boxed()
    })
}

/// rmcp behind the door.
struct Protocol<S> {
    rmcp: StreamableHttpService<Handler<S>, LocalSessionManager>,
    sessions: Arc<LocalSessionManager>,
    sessions_max: usize,
}

impl<S: Service> Protocol<S> {
    fn new(options: &Options, handler: Handler<S>, stop: &CancellationToken) -> Self {
        let mut sessions = LocalSessionManager::default();
        sessions.session_config = SessionConfig::default();
        sessions.session_config.keep_alive = Some(options.session_idle);
        let sessions = Arc::new(sessions);
        // The door checks hosts and origins, more strictly than rmcp does.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .with_max_request_body_bytes(options.body_bytes_max)
            .with_cancellation_token(stop.clone());
        let stop = stop.clone();
        let rmcp = StreamableHttpService::new(move || Ok(handler.stopped_by(stop.clone())), Arc::clone(&sessions), config);
        Self { rmcp, sessions, sessions_max: options.sessions_max }
    }

    async fn handle(&self, parts: http::request::Parts, body: Bytes) -> Reply {
        if opens_session(&parts, &body) && self.sessions.sessions.read().await.len() >= self.sessions_max {
            let mut reply = plain(StatusCode::SERVICE_UNAVAILABLE, "too many sessions are open: end one, or try again later");
            reply.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("30"));
            return reply;
        }
        self.rmcp.handle(Request::from_parts(parts, Full::new(body))).await
    }
}

/// What a request passes through.
struct Entry<S> {
    door: Door,
    protocol: Protocol<S>,
    body_bytes_max: usize,
    read_time_max: Duration,
}

impl<S: Service> Entry<S> {
    fn new(address: SocketAddr, options: &Options, handler: Handler<S>, stop: &CancellationToken) -> Self {
        let door = Door::new(address, options.token.clone(), &options.hosts, &options.origins);
        let protocol = Protocol::new(options, handler, stop);
        Self { door, protocol, body_bytes_max: options.body_bytes_max, read_time_max: options.read_time_max }
    }

    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let (parts, body) = request.into_parts();
        if let Err(refusal) = self.door.check(&parts) {
            return refused(refusal);
        }
        if parts.uri.path() != PATH {
            return plain(StatusCode::NOT_FOUND, &format!("there is nothing here: the endpoint is {PATH}"));
        }
        let origin = parts.headers.get(http::header::ORIGIN).cloned();
        if parts.method == http::Method::OPTIONS {
            let mut reply = Response::new(Full::new(Bytes::new()).boxed());
            *reply.status_mut() = StatusCode::NO_CONTENT;
            door::preflight(reply.headers_mut(), origin);
            return reply;
        }
        let body = match self.collect(body).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        let mut reply = self.protocol.handle(parts, body).await;
        door::share(reply.headers_mut(), origin);
        reply
    }

    /// The whole body, if it is short enough and comes in time.
    async fn collect(&self, body: Incoming) -> Result<Bytes, Reply> {
        match timeout(self.read_time_max, Limited::new(body, self.body_bytes_max).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                Err(plain(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is longer than {} bytes", self.body_bytes_max)))
            }
            Ok(Err(_)) => Err(plain(StatusCode::BAD_REQUEST, "the body broke off")),
            Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
        }
    }
}

/// Whether that would make a session: only `initialize` without one does.
fn opens_session(parts: &http::request::Parts, body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        method: Option<std::borrow::Cow<'a, str>>,
    }
    parts.method == http::Method::POST
        && !parts.headers.contains_key("mcp-session-id")
        && serde_json::from_slice::<Head<'_>>(body).is_ok_and(|head| head.method.as_deref() == Some("initialize"))
}

/// The reply to somebody who may not come in.
fn refused(refusal: Refusal) -> Reply {
    let way_out = match refusal {
        Refusal::Host => ": `--allow-host NAME` adds one",
        Refusal::Origin => ": `--allow-origin URL` lets it",
        Refusal::Token => "",
    };
    let mut reply = plain(refusal.status(), &format!("{}{way_out}", refusal.words()));
    if refusal == Refusal::Token {
        reply.headers_mut().insert(http::header::WWW_AUTHENTICATE, door::CHALLENGE);
    }
    reply
}

/// A reply in words.
fn plain(status: StatusCode, text: &str) -> Reply {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes())).boxed();
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}
