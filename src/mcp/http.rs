//! Servers behind HTTP: streamable HTTP by rmcp with its gaps closed, HTTP+SSE by [`sse`](crate::mcp::sse).
//!
//! The HTTP client comes from outside, as a factory, and is made at the first use only. Which client it is stays unknown
//! here; its errors become [`Fault`]s at the door, without addresses that may hold secrets.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ServerJsonRpcMessage};
use rmcp::service::{ClientInitializeError, RoleClient, RunningService};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpClientTransport, StreamableHttpClientTransportConfig, StreamableHttpError,
    StreamableHttpPostResponse,
};
use sse_stream::Sse;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::domain::text::{clean_line, ellipsis, with_causes};
use crate::mcp::auth::{AuthError, AuthSetup, Authority, Authorizer};
use crate::mcp::era::{self, Greeting, PROBE_LIMIT, Unshaken};
use crate::mcp::error::{Error, FIRST_QUESTION};
use crate::mcp::gate::{Door, Gate};
use crate::mcp::handler::Handler;
use crate::mcp::lines::MESSAGE_BYTES_MAX;
use crate::mcp::link::{Down, Watched};
use crate::mcp::sse;

/// Requests to one server that may be under way at once.
const REQUESTS_MAX: usize = 64;

/// The header with the revision of MCP (2025-06-18 and later).
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// What it says in the first message to a server of unknown era.
const MODERN_VERSION: &str = "2026-07-28";

/// How long to wait for a server's word on the stream of its own messages: some say nothing until they have a message.
const OWN_STREAM_LIMIT: Duration = Duration::from_secs(1);

/// The longest text of a server's refusal that is shown, in characters.
const REFUSAL_CHARS_MAX: usize = 300;

/// Makes connections over HTTP. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    connect: Arc<dyn Connect>,
    authority: Option<Arc<Authority>>,
}

impl Http {
    /// Connections by the client that `factory` gives for a URL; it is asked when a server is connected, never before.
    /// The client should follow redirects within one origin only, and set no limit to a whole response's time.
    pub fn new<C>(factory: impl Fn(&str) -> BoxFuture<'static, Result<C, String>> + Send + Sync + 'static) -> Self
    where
        C: StreamableHttpClient + Sync,
    {
        Self { connect: Arc::new(Factory { factory, client: PhantomData }), authority: None }
    }

    /// No HTTP: every such server fails to connect.
    pub fn none() -> Self {
        Self { connect: Arc::new(Nothing), authority: None }
    }

    /// The same, logging in to servers that want it.
    #[must_use]
    pub fn with_logins(self, setup: AuthSetup) -> Self {
        Self { authority: Some(Authority::new(setup)), ..self }
    }

    /// Who looks after logins, where anybody does.
    pub(super) fn authority(&self) -> Option<&Arc<Authority>> {
        self.authority.as_ref()
    }

    pub(super) fn connect(&self, request: Request, form: Form, attempt: Attempt) -> BoxFuture<'static, Result<Running, Error>> {
        self.connect.connect(request, form, attempt)
    }
}

/// A connection that has shaken hands.
pub(super) type Running = RunningService<RoleClient, Handler>;

/// Where and as whom.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) url: Arc<str>,
    /// The address without secrets.
    pub(super) shown: String,
    pub(super) api_key: Option<String>,
    pub(super) headers: HashMap<HeaderName, HeaderValue>,
    pub(super) authorizer: Option<Authorizer>,
}

/// The two ways of MCP over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Streamable,
    Sse,
}

impl Form {
    /// The form of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Streamable, Self::Sse].into_iter().find(|form| form.as_str() == name)
    }

    /// Its name on the screen.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Streamable => "streamable_http",
            Self::Sse => "sse",
        }
    }
}

/// What a new connection reports to.
pub(super) struct Attempt {
    pub(super) handler: Handler,
    pub(super) down: Arc<Down>,
    pub(super) ended: CancellationToken,
    pub(super) greeting: Greeting,
}

trait Connect: Send + Sync {
    fn connect(&self, request: Request, form: Form, attempt: Attempt) -> BoxFuture<'static, Result<Running, Error>>;
}

struct Nothing;

impl Connect for Nothing {
    fn connect(&self, _request: Request, _form: Form, _attempt: Attempt) -> BoxFuture<'static, Result<Running, Error>> {
        std::future::ready(Err(Error::HttpClient("there is none".to_owned()))).boxed()
    }
}

struct Factory<F, C> {
    factory: F,
    client: PhantomData<fn() -> C>,
}

impl<F, C> Connect for Factory<F, C>
where
    F: Fn(&str) -> BoxFuture<'static, Result<C, String>> + Send + Sync,
    C: StreamableHttpClient + Sync,
{
    fn connect(&self, request: Request, form: Form, attempt: Attempt) -> BoxFuture<'static, Result<Running, Error>> {
        let making = (self.factory)(&request.url);
        async move {
            let inner = making.await.map_err(Error::HttpClient)?;
            let (down, shown) = (Arc::clone(&attempt.down), request.shown.as_str().into());
            let gate = request.authorizer.clone().map(Gate::new);
            let client = Guarded { inner, down, shown, own: Arc::default(), gate };
            match form {
                Form::Streamable => streamable(client, request, attempt).await,
                Form::Sse => legacy(client, request, attempt).await,
            }
        }
        .boxed()
    }
}

async fn streamable<C: StreamableHttpClient + Sync>(client: Guarded<C>, request: Request, attempt: Attempt) -> Result<Running, Error> {
    let (gate, own) = (client.gate.clone(), Arc::clone(&client.own));
    let mut config = StreamableHttpClientTransportConfig::with_uri(request.url).max_concurrent_requests(REQUESTS_MAX);
    config.auth_header = request.api_key;
    config.custom_headers = request.headers;
    config.max_sse_event_size = MESSAGE_BYTES_MAX;
    // The pool connects anew and asks for the tools again; inside the transport it would go unseen.
    config.reinit_on_expired_session = false;
    let transport = Watched::new(StreamableHttpClientTransport::with_client(client, config), attempt.ended);
    let running = era::shake(attempt.greeting, attempt.handler, transport, Some(PROBE_LIMIT)).await.map_err(|error| unshaken(&error))?;
    gate.inspect(Gate::connected);
    // What a server asks before there is a stream for it, most servers drop without a word, and the call hangs that asked.
    if own.in_session.load(Ordering::Relaxed) {
        let _ = timeout(OWN_STREAM_LIMIT, own.answered.cancelled()).await;
    }
    Ok(running)
}

async fn legacy<C: StreamableHttpClient + Sync>(client: Guarded<C>, request: Request, attempt: Attempt) -> Result<Running, Error> {
    let gate = client.gate.clone();
    let transport = sse::open(client, &request, &attempt.down).await?;
    let transport = Watched::new(transport, attempt.ended);
    let running = era::shake(attempt.greeting, attempt.handler, transport, Some(PROBE_LIMIT)).await.map_err(|error| unshaken(&error))?;
    gate.inspect(Gate::connected);
    Ok(running)
}

/// A greeting without success in words.
pub(super) fn unshaken(error: &Unshaken) -> Error {
    match error {
        Unshaken::Late => Error::Slow { step: FIRST_QUESTION, limit: PROBE_LIMIT },
        Unshaken::Unknown(version) => {
            Error::Handshake(format!("it speaks the revision `{}` of MCP, which is not known here", shortened(version.as_str())))
        }
        Unshaken::Failed(error) => handshake(error),
    }
}

/// A failed handshake in words.
pub(super) fn handshake(error: &ClientInitializeError) -> Error {
    match error {
        ClientInitializeError::JsonRpcError(data) => {
            Error::Handshake(format!("it refused the handshake: {} ({})", shortened(&data.message), data.code.0))
        }
        ClientInitializeError::ConnectionClosed(_) => Error::Lost("it closed the connection during the handshake".to_owned()),
        ClientInitializeError::ExpectedInitResult(_) | ClientInitializeError::ExpectedInitResponse(_) => {
            Error::Handshake("its answer to the handshake is not what MCP asks for".to_owned())
        }
        ClientInitializeError::TransportError { error: inner, .. } => {
            inner.error.downcast_ref::<StreamableHttpError<Fault>>().map_or_else(|| Error::Lost(with_causes(inner.error.as_ref())), refused)
        }
        other => Error::Handshake(shortened(&with_causes(other))),
    }
}

/// A refusal of the HTTP layer in words.
pub(super) fn refused(error: &StreamableHttpError<Fault>) -> Error {
    match error {
        StreamableHttpError::Client(Fault { login: Some(error), .. }) => Error::Login(error.clone()),
        StreamableHttpError::Client(fault) if fault.unreachable => Error::Unreachable(fault.text.clone()),
        StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_) => {
            Error::Unauthorized("it answers HTTP 401 or 403".to_owned())
        }
        StreamableHttpError::UnexpectedServerResponse(text) if text.starts_with("HTTP 401") || text.starts_with("HTTP 403") => {
            Error::Unauthorized(shortened(text))
        }
        StreamableHttpError::UnexpectedServerResponse(text) => Error::Handshake(format!("it answered {}", shortened(text))),
        StreamableHttpError::HttpStatus(status) => Error::Handshake(format!("it answered HTTP {}", status.status)),
        other => Error::Handshake(shortened(&with_causes(other))),
    }
}

fn shortened(text: &str) -> String {
    ellipsis(&clean_line(text), REFUSAL_CHARS_MAX).into_owned()
}

/// A failure of the HTTP client.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Fault {
    text: String,
    /// No connection could be made, so that nothing was sent.
    unreachable: bool,
    /// The server answered with a status of 400 to 499.
    is_client_error: bool,
    /// The server refused the message at the door, and the login that it wants did not come about.
    login: Option<AuthError>,
}

impl Fault {
    fn new(error: &(dyn std::error::Error + 'static), shown: &str) -> Self {
        let mut causes = Vec::new();
        let mut unreachable = false;
        let mut source = Some(error);
        while let Some(cause) = source {
            let text = cause.to_string();
            // Not any I/O error that sounds like it: an established connection can end in those as well.
            unreachable |= text == "client error (Connect)";
            causes.push(text);
            source = cause.source();
        }
        let is_client_error = causes.first().is_some_and(|text| text.starts_with("HTTP status client error"));
        // The first one names the whole address.
        let cause = causes
            .iter()
            .skip(1)
            .next_back()
            .or(causes.first().filter(|text| !text.contains("url")))
            .map_or("the request failed", String::as_str);
        Self { text: format!("{shown}: {}", clean_line(cause)), unreachable, is_client_error, login: None }
    }

    fn login(error: AuthError) -> Self {
        Self { text: error.to_string(), unreachable: false, is_client_error: true, login: Some(error) }
    }
}

/// Whether a message asks a server what it is, without a handshake.
fn is_discovery(message: &ClientJsonRpcMessage) -> bool {
    matches!(message, ClientJsonRpcMessage::Request(request) if matches!(request.request, ClientRequest::DiscoverRequest(_)))
}

/// Whether a refusal clearly says that the server does not know our session, and so did not look at the message.
fn denies_session(text: &str) -> bool {
    const DENIALS: [&str; 5] = ["session not found", "no valid session", "invalid session", "unknown session", "session id"];
    let text = text.to_ascii_lowercase();
    DENIALS.iter().any(|denial| text.contains(denial))
}

/// What a failed sending means for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server certainly did not see it.
    NotSent,
    /// The server refused it at the door, in words.
    Answered,
    /// Nobody knows.
    Unknown,
}

/// What the failure of a transport means for the message that was sent.
pub(super) fn verdict(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Verdict {
    // A line whose writing failed lacks its end, so that no server can have read it.
    if error.is::<std::io::Error>() {
        return Verdict::NotSent;
    }
    match error.downcast_ref::<StreamableHttpError<Fault>>() {
        Some(StreamableHttpError::Client(fault)) if fault.unreachable => Verdict::NotSent,
        Some(StreamableHttpError::SessionExpired) => Verdict::NotSent,
        Some(StreamableHttpError::Client(fault)) if fault.login.is_some() => Verdict::Answered,
        Some(
            StreamableHttpError::HttpStatus(_)
            | StreamableHttpError::UnexpectedServerResponse(_)
            | StreamableHttpError::UnexpectedContentType(_)
            | StreamableHttpError::AuthRequired(_)
            | StreamableHttpError::InsufficientScope(_),
        ) => Verdict::Answered,
        _ => Verdict::Unknown,
    }
}

/// What is known of the stream of messages that a server sends of its own accord, in a session of 2025-11-25 or before.
#[derive(Debug, Default)]
struct OwnStream {
    /// Whether there is a session.
    in_session: AtomicBool,
    /// Whether it was ever open.
    opened: AtomicBool,
    /// Cancelled once the server has said whether it has such a stream.
    answered: CancellationToken,
}

/// An HTTP client that notices when the server is gone, and lets no call wait for an answer that cannot come.
#[derive(Clone)]
pub(super) struct Guarded<C> {
    inner: C,
    down: Arc<Down>,
    shown: Arc<str>,
    own: Arc<OwnStream>,
    pub(super) gate: Option<Gate>,
}

impl<C: StreamableHttpClient> Guarded<C> {
    fn translate(&self, error: StreamableHttpError<C::Error>) -> StreamableHttpError<Fault> {
        match error {
            StreamableHttpError::Client(error) => StreamableHttpError::Client(Fault::new(&error, &self.shown)),
            StreamableHttpError::Sse(error) => StreamableHttpError::Sse(error),
            StreamableHttpError::HttpStatus(error) => StreamableHttpError::HttpStatus(error),
            StreamableHttpError::UnexpectedServerResponse(text) => StreamableHttpError::UnexpectedServerResponse(text),
            StreamableHttpError::UnexpectedContentType(kind) => StreamableHttpError::UnexpectedContentType(kind),
            StreamableHttpError::ServerDoesNotSupportSse => StreamableHttpError::ServerDoesNotSupportSse,
            StreamableHttpError::AuthRequired(error) => StreamableHttpError::AuthRequired(error),
            StreamableHttpError::InsufficientScope(error) => StreamableHttpError::InsufficientScope(error),
            StreamableHttpError::SessionExpired => StreamableHttpError::SessionExpired,
            other => {
                let text = format!("{}: {other}", self.shown);
                StreamableHttpError::Client(Fault { text, unreachable: false, is_client_error: false, login: None })
            }
        }
    }

    /// Raises the alarm where the failure says that the server, or its memory of us, is gone.
    fn noticed(&self, error: StreamableHttpError<Fault>) -> StreamableHttpError<Fault> {
        match &error {
            StreamableHttpError::Client(fault) if fault.unreachable => self.down.raise(format!("could not reach {}", fault.text)),
            StreamableHttpError::SessionExpired => self.down.raise("the server forgot the session (was it restarted?)"),
            _ => {}
        }
        error
    }
}

impl<C: StreamableHttpClient + Sync> StreamableHttpClient for Guarded<C> {
    type Error = Fault;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, StreamableHttpError<Fault>> {
        self.post_message_with_max_sse_event_size(uri, message, session_id, auth_header, custom_headers, MESSAGE_BYTES_MAX).await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
        max_sse_event_size: usize,
    ) -> Result<StreamableHttpPostResponse, StreamableHttpError<Fault>> {
        let id = match &message {
            ClientJsonRpcMessage::Request(request) => Some(request.id.clone()),
            _ => None,
        };
        let in_session = session_id.is_some();
        self.own.in_session.fetch_or(in_session, Ordering::Relaxed);
        let mut custom_headers = custom_headers;
        if is_discovery(&message) {
            // rmcp names the revision only once it is agreed on; the first message of MCP 2026-07-28 must name it as well.
            custom_headers.entry(PROTOCOL_VERSION).or_insert_with(|| HeaderValue::from_static(MODERN_VERSION));
        }
        let mut door = Door::at(self.gate.as_ref(), auth_header).await;
        let posted = loop {
            let (uri, message, session_id, headers) = (Arc::clone(&uri), message.clone(), session_id.clone(), custom_headers.clone());
            let posting =
                self.inner.post_message_with_max_sse_event_size(uri, message, session_id, door.key(), headers, max_sse_event_size);
            let posted = posting.await;
            if !door.opens(posted.as_ref().err()).await.map_err(|error| StreamableHttpError::Client(Fault::login(error)))? {
                break posted;
            }
        };
        match posted {
            Ok(StreamableHttpPostResponse::Json(ServerJsonRpcMessage::Error(mut error), session)) if error.id.is_none() && id.is_some() => {
                // A restarted server refuses old sessions with an error that names no request; rmcp would wait for ever.
                if in_session && denies_session(&error.error.message) {
                    return Err(self.noticed(StreamableHttpError::SessionExpired));
                }
                error.id = id;
                Ok(StreamableHttpPostResponse::Json(ServerJsonRpcMessage::Error(error), session))
            }
            Ok(response) => Ok(response),
            Err(StreamableHttpError::UnexpectedServerResponse(text))
                if in_session && text.starts_with("HTTP 400") && denies_session(&text) =>
            {
                Err(self.noticed(StreamableHttpError::SessionExpired))
            }
            Err(error) => Err(self.noticed(self.translate(error))),
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), StreamableHttpError<Fault>> {
        let door = Door::at(self.gate.as_ref(), auth_header).await;
        self.inner.delete_session(uri, session_id, door.key(), custom_headers).await.map_err(|error| self.translate(error))
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, StreamableHttpError<Fault>> {
        self.get_stream_with_max_sse_event_size(uri, session_id, last_event_id, auth_header, custom_headers, MESSAGE_BYTES_MAX).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
        max_sse_event_size: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, StreamableHttpError<Fault>> {
        let in_session = session_id.is_some();
        let mut door = Door::at(self.gate.as_ref(), auth_header).await;
        let opened = loop {
            let (uri, session_id, last_event_id) = (Arc::clone(&uri), session_id.clone(), last_event_id.clone());
            let headers = custom_headers.clone();
            let opening =
                self.inner.get_stream_with_max_sse_event_size(uri, session_id, last_event_id, door.key(), headers, max_sse_event_size);
            let opened = opening.await;
            if !door.opens(opened.as_ref().err()).await.map_err(|error| StreamableHttpError::Client(Fault::login(error)))? {
                break opened;
            }
        };
        self.own.answered.cancel();
        match opened {
            Ok(stream) => {
                self.own.opened.store(true, Ordering::Relaxed);
                Ok(stream)
            }
            Err(error) => {
                let error = self.translate(error);
                let forgotten = in_session
                    && self.own.opened.load(Ordering::Relaxed)
                    && matches!(&error, StreamableHttpError::Client(fault) if fault.is_client_error);
                if forgotten {
                    self.down.raise("the server forgot the session (was it restarted?)");
                }
                Err(self.noticed(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error as IoError, ErrorKind};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Said {
        text: &'static str,
        source: Option<IoError>,
    }

    #[test]
    fn only_a_failed_connect_means_that_nothing_was_sent() {
        let check = |text: &'static str, kind: ErrorKind, expected: Verdict| {
            let fault = Fault::new(&Said { text, source: Some(kind.into()) }, "there");
            assert_eq!(verdict(&StreamableHttpError::Client(fault)), expected, "{text} {kind:?}");
        };
        check("client error (Connect)", ErrorKind::ConnectionRefused, Verdict::NotSent);
        check("client error (SendRequest)", ErrorKind::HostUnreachable, Verdict::Unknown);
        check("client error (SendRequest)", ErrorKind::ConnectionRefused, Verdict::Unknown);
        assert_eq!(verdict(&StreamableHttpError::<Fault>::TransportChannelClosed), Verdict::Unknown);
        assert_eq!(verdict(&StreamableHttpError::<Fault>::SessionExpired), Verdict::NotSent);
    }

    #[test]
    fn the_first_message_names_the_newest_revision() {
        assert_eq!(MODERN_VERSION, crate::mcp::era::MODERN.as_str());
    }

    #[test]
    fn a_refusal_denies_the_session_only_in_clear_words() {
        assert!(denies_session("Bad Request: No valid session ID provided"));
        assert!(denies_session("HTTP 400 Bad Request: Invalid Session"));
        assert!(!denies_session("the session of the database is locked"));
    }
}
