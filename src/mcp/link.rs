//! One connection to one server: asked, watched, closed.
//!
//! A connection that is lost says so at once through [`Down`]; rmcp's own flags are not trusted with that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rmcp::model::{ClientRequest, PingRequest, ServerResult};
use rmcp::service::{Peer, PeerRequestOptions, RoleClient, RunningService, RxJsonRpcMessage, ServiceError, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::text::{clean_line, ellipsis, with_causes};
use crate::mcp::dial::Known;
use crate::mcp::era::Era;
use crate::mcp::error::Error;
use crate::mcp::handler::{Handler, Shared};
use crate::mcp::http::Form;
use crate::mcp::pages::List;
use crate::mcp::process::Process;

/// How long the goodbye of a connection without a process may take.
const CLOSE_LIMIT: Duration = Duration::from_millis(1_500);

/// How long a notice that a request is given up may take.
const NOTICE_LIMIT: Duration = Duration::from_secs(5);

/// How long answers are waited for once a program or one of our own servers is known to be gone.
const GRACE: Duration = Duration::from_millis(100);

/// The same behind HTTP, where each request fails by itself and tells whether it was sent.
const GRACE_HTTP: Duration = Duration::from_secs(1);

/// How long the reason of a loss is waited for: a program's status and last words come after the end of its output.
const REASON_LIMIT: Duration = Duration::from_secs(3);

/// The least age of a request that is given up: rmcp sends side by side, so that a younger one could be overtaken.
const OVERTAKING: Duration = Duration::from_millis(20);

/// The longest reason that is shown, in characters.
const REASON_CHARS_MAX: usize = 500;

/// Says once, to all who wait, that a connection is lost and why.
#[derive(Debug, Default)]
pub(super) struct Down {
    token: CancellationToken,
    reason: OnceLock<String>,
}

impl Down {
    /// The connection is lost. Only the first reason counts.
    pub(super) fn raise(&self, reason: impl AsRef<str>) {
        let reason = clean_line(reason.as_ref());
        let _ = self.reason.set(ellipsis(&reason, REASON_CHARS_MAX).into_owned());
        self.token.cancel();
    }

    pub(super) fn is_raised(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until the connection is lost.
    pub(super) async fn wait(&self) -> String {
        self.token.cancelled().await;
        self.reason()
    }

    /// Why the connection is lost, once rmcp has noticed and the reason is about to be found out.
    pub(super) async fn why(&self) -> String {
        timeout(REASON_LIMIT, self.wait()).await.unwrap_or_else(|_| self.reason())
    }

    pub(super) fn reason(&self) -> String {
        self.reason.get().cloned().unwrap_or_else(|| "the connection was lost".to_owned())
    }
}

/// A transport that tells when there was something to read, and when there is nothing more.
pub(super) struct Watched<T> {
    inner: T,
    ended: CancellationToken,
    heard: CancellationToken,
    shared: Option<Arc<Shared>>,
}

impl<T> Watched<T> {
    pub(super) fn new(inner: T, ended: CancellationToken) -> Self {
        Self { inner, ended, heard: CancellationToken::new(), shared: None }
    }

    /// The same, showing each message while tracing.
    pub(super) fn traced(self, shared: Arc<Shared>) -> Self {
        Self { shared: Some(shared), ..self }
    }

    /// Cancelled with the first message that is read.
    pub(super) fn heard(&self) -> CancellationToken {
        self.heard.clone()
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Watched<T> {
    type Error = T::Error;

    fn send(&mut self, message: TxJsonRpcMessage<RoleClient>) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        if let Some(shared) = &self.shared {
            shared.show("→", &message);
        }
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = self.inner.receive().await;
        match &message {
            None => self.ended.cancel(),
            Some(message) => {
                self.heard.cancel();
                if let Some(shared) = &self.shared {
                    shared.show("←", message);
                }
            }
        }
        message
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}

/// One connection. Dropped, it is closed, and its process stopped.
pub(super) struct Link {
    /// Unique in the program.
    pub(super) id: u64,
    /// `stdio`, `streamable_http`, `sse`, `builtin`.
    pub(super) transport: &'static str,
    /// Whether this is one of our own servers.
    pub(super) is_local: bool,
    /// Whether each request tells all by itself: 2026-07-28.
    pub(super) is_modern: bool,
    pub(super) peer: Peer<RoleClient>,
    pub(super) shared: Arc<Shared>,
    pub(super) down: Arc<Down>,
    running: Mutex<Option<RunningService<RoleClient, Handler>>>,
    process: Option<Arc<Process>>,
    closed: Mutex<Option<DropGuard>>,
}

/// What comes of the question whether a server lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulse {
    /// It answers, whatever it says.
    Answers,
    /// There was no answer in time.
    Silent,
    /// The question did not reach it, or the answer did not reach us.
    Fails,
}

/// The parts of a new connection.
pub(super) struct Parts {
    pub(super) transport: &'static str,
    pub(super) is_local: bool,
    pub(super) running: RunningService<RoleClient, Handler>,
    pub(super) shared: Arc<Shared>,
    pub(super) down: Arc<Down>,
    pub(super) process: Option<Arc<Process>>,
    pub(super) closed: DropGuard,
}

impl Link {
    pub(super) fn new(parts: Parts) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            transport: parts.transport,
            is_local: parts.is_local,
            is_modern: parts.running.peer().peer_info().is_some_and(|info| Era::of(&info.protocol_version) == Era::Modern),
            peer: parts.running.peer().clone(),
            shared: parts.shared,
            down: parts.down,
            running: Mutex::new(Some(parts.running)),
            process: parts.process,
            closed: Mutex::new(Some(parts.closed)),
        }
    }

    /// The protocol version in use.
    pub(super) fn protocol(&self) -> Option<String> {
        self.peer.peer_info().map(|info| clean_line(info.protocol_version.as_str()))
    }

    /// How client and server came to terms.
    pub(super) fn era(&self) -> Option<Era> {
        self.peer.peer_info().map(|info| Era::of(&info.protocol_version))
    }

    /// What worked for this connection.
    pub(super) fn known(&self) -> Known {
        Known { form: Form::named(self.transport), era: self.era() }
    }

    /// The server's own name and version.
    pub(super) fn server_info(&self) -> Option<String> {
        let info = self.peer.peer_info()?;
        let server = info.server_info.as_ref()?;
        Some(clean_line(&format!("{} {}", server.name, server.version)))
    }

    /// What the server can do, as it says it.
    pub(super) fn capability_values(&self) -> Value {
        let info = self.peer.peer_info();
        info.and_then(|info| serde_json::to_value(&info.capabilities).ok()).unwrap_or_default()
    }

    /// What the server can do, by the names of its capabilities.
    pub(super) fn capabilities(&self) -> Vec<String> {
        self.capability_values().as_object().map(|object| object.keys().map(|name| clean_line(name)).collect()).unwrap_or_default()
    }

    /// Whether the server has a capability.
    pub(super) fn can(&self, capability: &str) -> bool {
        self.capability_values().get(capability).is_some()
    }

    /// Whether the server says when a list changes.
    pub(super) fn tells_of(&self, list: List) -> bool {
        let key = match list {
            List::Tools => "/tools/listChanged",
            List::Resources | List::Templates => "/resources/listChanged",
            List::Prompts => "/prompts/listChanged",
        };
        self.capability_values().pointer(key).and_then(Value::as_bool) == Some(true)
    }

    /// Asks once, within `limit`.
    pub(super) async fn ask(&self, request: ClientRequest, step: &'static str, limit: Duration) -> Result<ServerResult, Error> {
        let sent = self.peer.send_request_with_option(request, PeerRequestOptions::no_options());
        let mut handle = match sent.await {
            Ok(handle) => handle,
            Err(error) => return Err(self.lost_or(&error).await),
        };
        let answer = tokio::select! {
            biased;
            answer = timeout(limit, &mut handle.rx) => answer,
            reason = self.down.wait() => return Err(Error::Lost(reason)),
        };
        match answer {
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(error))) => Err(self.lost_or(&error).await),
            Ok(Err(_)) => Err(Error::Lost(self.down.why().await)),
            Err(_) => {
                give_up(handle, "no answer in time", limit);
                Err(Error::Slow { step, limit })
            }
        }
    }

    async fn lost_or(&self, error: &ServiceError) -> Error {
        match error {
            ServiceError::McpError(data) => {
                Error::Answer(format!("it answered with an error: {} ({})", clean_line(&data.message), data.code.0))
            }
            ServiceError::TransportClosed => Error::Lost(self.down.why().await),
            _ if self.down.is_raised() => Error::Lost(self.down.reason()),
            other => Error::Lost(with_causes(other)),
        }
    }

    /// How long answers are waited for once the connection is known to be lost.
    pub(super) fn grace(&self) -> Duration {
        if self.process.is_some() || self.is_local { GRACE } else { GRACE_HTTP }
    }

    /// Closes a lost connection once the calls that are under way have learnt what became of them.
    pub(super) async fn bury(&self) {
        if !self.shared.is_idle() {
            sleep(self.grace() + GRACE).await;
        }
        self.close().await;
    }

    /// Asks whether the server lives.
    pub(super) async fn ping(&self, limit: Duration) -> Pulse {
        match self.ask(ClientRequest::PingRequest(PingRequest::default()), "ping", limit).await {
            // A server that does not know `ping` says so, and lives.
            Ok(_) | Err(Error::Answer(_)) => Pulse::Answers,
            Err(Error::Slow { .. }) => Pulse::Silent,
            Err(_) => Pulse::Fails,
        }
    }

    /// Closes the connection and waits until it and its process are gone; bounded.
    pub(super) async fn close(&self) {
        self.down.raise("the connection was closed");
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(process) = &self.process {
            process.stop();
        }
        let said_goodbye = async {
            if let Some(mut running) = running {
                let _ = running.close_with_timeout(CLOSE_LIMIT).await;
            }
        };
        let process_gone = async {
            if let Some(process) = &self.process {
                process.gone().await;
            }
        };
        futures::future::join(said_goodbye, process_gone).await;
    }
}

/// Tells the server, in the background, that a request is given up.
pub(super) fn give_up(handle: rmcp::service::RequestHandle<RoleClient>, reason: &str, age: Duration) {
    let reason = reason.to_owned();
    let wait = OVERTAKING.saturating_sub(age);
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move {
            sleep(wait).await;
            let _ = timeout(NOTICE_LIMIT, handle.cancel(Some(reason))).await;
        });
    }
}
