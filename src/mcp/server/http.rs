//! A service over streamable HTTP.
//!
//! One path (`/mcp`), on loopback unless a token is asked for. What a web page could make a browser send is refused by its
//! `Host` and `Origin` before anything reads it; so is whoever lacks the token. A connection must send its header, and a
//! request its body, within a time limit; connections, bodies and sessions are bounded, and idle sessions end. rmcp speaks
//! the protocol behind the door.

mod door;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use secrecy::SecretString;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::mcp::server::Service;
use crate::mcp::server::handler::Handler;
use crate::mcp::server::http::door::Door;

/// The path of the endpoint.
pub const PATH: &str = "/mcp";

/// How long a refused accept rests: the process is out of file handles, most likely.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// How long connections get to finish their answers once the server stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);

type Reply = Response<BoxBody<Bytes, Infallible>>;

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
    #[error("the bearer token is shorter than {TOKEN_CHARS_MIN} characters")]
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

/// The shortest token that is taken, in characters.
const TOKEN_CHARS_MIN: usize = 16;

/// A token that nobody can guess: 32 random bytes in hexadecimal. None where the system gives no random numbers.
pub fn new_token() -> Option<SecretString> {
    use std::fmt::Write;
    let mut bytes = [0_u8; 32];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).ok()?;
    let text = bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    Some(SecretString::from(text))
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
        use secrecy::ExposeSecret;
        let address = options.address;
        match &options.token {
            None if !address.ip().is_loopback() => return Err(BindError::NoToken { address }),
            Some(token) if token.expose_secret().chars().count() < TOKEN_CHARS_MIN => return Err(BindError::WeakToken),
            _ => {}
        }
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
        let connections = TaskTracker::new();
        let places = Arc::new(Semaphore::new(options.connections_max));
        let read_time_max = options.read_time_max;
        let entry = Arc::new(Entry::new(address, options, handler, stop.clone()));
        loop {
            let Some((stream, place)) = next(&listener, &places, &stop).await else { break };
            let (entry, stop) = (Arc::clone(&entry), stop.clone());
            connections.spawn(async move {
                serve_connection(stream, entry, read_time_max, stop).await;
                drop(place);
            });
        }
        drop(listener);
        connections.close();
        if timeout(DRAIN_MAX, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "connections were cut at the end");
        }
    }
}

/// The next connection, as soon as there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    loop {
        let place = tokio::select! {
            place = Arc::clone(places).acquire_owned() => place.ok()?,
            () = stop.cancelled() => return None,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return None,
        };
        match accepted {
            Ok((stream, _)) => {
                // Small answers leave at once: a client that waits for one would wait 40 ms for the system to collect more.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY is not to be had");
                }
                return Some((stream, place));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::select! {
                    () = sleep(ACCEPT_REST) => {}
                    () = stop.cancelled() => return None,
                }
            }
        }
    }
}

async fn serve_connection<S: Service>(stream: TcpStream, entry: Arc<Entry<S>>, read_time_max: Duration, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let entry = Arc::clone(&entry);
        async move { Ok::<_, Infallible>(entry.answer(request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(read_time_max);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// What a request passes through.
struct Entry<S> {
    door: Door,
    rmcp: StreamableHttpService<Handler<S>, LocalSessionManager>,
    sessions: Arc<LocalSessionManager>,
    sessions_max: usize,
    body_bytes_max: usize,
    read_time_max: Duration,
}

impl<S: Service> Entry<S> {
    fn new(address: SocketAddr, options: Options, handler: Handler<S>, stop: CancellationToken) -> Self {
        let Options { token, hosts, origins, body_bytes_max, sessions_max, session_idle, read_time_max, .. } = options;
        let mut sessions = LocalSessionManager::default();
        sessions.session_config = SessionConfig::default();
        sessions.session_config.keep_alive = Some(session_idle);
        let sessions = Arc::new(sessions);
        // The door checks hosts and origins, more strictly than rmcp does.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .with_max_request_body_bytes(body_bytes_max)
            .with_cancellation_token(stop.clone());
        let rmcp = StreamableHttpService::new(move || Ok(handler.stopped_by(stop.clone())), Arc::clone(&sessions), config);
        Self { door: Door::new(address, token, &hosts, &origins), rmcp, sessions, sessions_max, body_bytes_max, read_time_max }
    }

    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let (parts, body) = request.into_parts();
        if let Err(refusal) = self.door.check(&parts) {
            return refusal.reply();
        }
        if parts.uri.path() != PATH {
            return plain(StatusCode::NOT_FOUND, &format!("there is nothing here: the endpoint is {PATH}"));
        }
        if parts.method == http::Method::OPTIONS {
            return door::preflight(&parts);
        }
        let origin = parts.headers.get(http::header::ORIGIN).cloned();
        let body = match self.collect(body).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        if opens_session(&parts, &body) && self.sessions.sessions.read().await.len() >= self.sessions_max {
            let mut reply = plain(StatusCode::SERVICE_UNAVAILABLE, "too many sessions are open: end one, or try again later");
            reply.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("30"));
            return reply;
        }
        let mut reply = self.rmcp.handle(Request::from_parts(parts, Full::new(body))).await;
        door::share(&mut reply, origin);
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

/// A reply in words.
fn plain(status: StatusCode, text: &str) -> Reply {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes())).boxed();
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}
