//! What a server says and asks by itself: progress, log messages, changed lists; roots, sampling, elicitation.

#![expect(deprecated, reason = "log messages, sampling and roots go away with a later revision of MCP; the servers of today use them")]

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult, CustomRequest, CustomResult, ElicitRequestParams,
    ElicitResult, ElicitationCapability, ErrorCode, ErrorData, FormElicitationCapability, Implementation, ListRootsResult,
    LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken, ProtocolVersion, ResourceUpdatedNotificationParam,
    RootsCapabilities, SamplingCapability, TASKS_EXTENSION_ID, UrlElicitationCapability,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::event::McpEventType;
use crate::domain::ids::{CallId, ServerName, SessionId};
use crate::domain::text::{clean, clean_line, cut_middle, ellipsis};
use crate::mcp::desk::About;
use crate::mcp::events::{Lane, Throttle, with_dropped};
use crate::mcp::host::Host;
use crate::mcp::keep::Keep;

/// The longest log or progress message that is shown, in characters.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// The longest raw message that is shown, in bytes.
const TRACE_BYTES_MAX: usize = 64 * 1_024;

/// The shortest time between two signs of progress of one call that are shown.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// What the callbacks of one connection share with those who use it.
pub(super) struct Shared {
    pub(super) lane: Lane,
    /// Woken when the server says that its tools changed.
    pub(super) tools_changed: Notify,
    /// Woken when a call failed in a way that makes one doubt whether the server lives.
    pub(super) suspect: Notify,
    calls: Mutex<HashMap<ProgressToken, Tracked>>,
    throttle: Mutex<Throttle>,
    server: ServerName,
    host: Option<Host>,
    /// Questions of this server that are being answered.
    asking: AtomicUsize,
    /// Counts the changes of its lists of resources and prompts.
    revision: AtomicU64,
    /// Whether raw messages are shown.
    trace: Arc<AtomicBool>,
    /// Changed tools that a person was asked about.
    told: Mutex<BTreeMap<String, String>>,
}

/// A call that may show progress.
struct Tracked {
    call_id: CallId,
    session: Option<SessionId>,
    beat: watch::Sender<()>,
    shown: Option<Instant>,
    /// Cancelled when the call ends.
    ended: DropGuard,
}

impl Shared {
    /// `host` answers what the server asks; without one it is told that nothing can be asked.
    pub(super) fn new(lane: Lane, server: ServerName, host: Option<Host>) -> Arc<Self> {
        let throttle = Mutex::new(Throttle::new(Instant::now()));
        let asking = AtomicUsize::new(0);
        let (tools_changed, suspect) = (Notify::new(), Notify::new());
        let (revision, trace, told) = (AtomicU64::new(0), Arc::default(), Mutex::default());
        Arc::new(Self { lane, tools_changed, suspect, calls: Mutex::default(), throttle, server, host, asking, revision, trace, told })
    }

    /// The same with `trace` saying whether raw messages are shown.
    pub(super) fn traced(lane: Lane, server: ServerName, host: Option<Host>, trace: Arc<AtomicBool>) -> Arc<Self> {
        let mut shared = Self::new(lane, server, host);
        if let Some(shared) = Arc::get_mut(&mut shared) {
            shared.trace = trace;
        }
        shared
    }

    /// Changes with each change of the lists of resources and prompts.
    pub(super) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// Whether a person was not asked about these changed tools yet.
    pub(super) fn is_news(&self, texts: &BTreeMap<String, String>) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = texts.iter().any(|(tool, text)| told.get(tool) != Some(text));
        told.extend(texts.clone());
        is_news
    }

    /// A list other than that of tools changed.
    pub(super) fn list_changed(&self, list: &'static str) {
        self.revision.fetch_add(1, Ordering::Relaxed);
        self.say(McpEventType::ListChanged, json!({ "list": list }));
    }

    /// A subscribed resource changed.
    pub(super) fn resource_updated(&self, uri: &str) {
        self.say(McpEventType::ResourceUpdated, json!({"uri": ellipsis(&clean_line(uri), MESSAGE_CHARS_MAX)}));
    }

    /// Shows a raw message while tracing.
    pub(super) fn show<M: Serialize>(&self, direction: &'static str, message: &M) {
        if self.trace.load(Ordering::Relaxed) {
            let text = serde_json::to_string(message).unwrap_or_default();
            self.lane.trace(direction, &cut_middle(&clean(&text), TRACE_BYTES_MAX));
        }
    }

    /// Whether an answer to one of the server's questions is waited for: its calls cannot go on before.
    pub(super) fn is_asking(&self) -> bool {
        self.asking.load(Ordering::Relaxed) > 0
    }

    /// The only call under way, if there is one only: what the server asks then is most likely asked for it. The token is
    /// cancelled when that call ends.
    fn about(&self) -> (About, CancellationToken) {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = calls.values();
        match (all.next(), all.next()) {
            (Some(call), None) => {
                let about = About { call_id: Some(call.call_id.clone()), session: call.session.clone() };
                (about, call.ended.token().clone())
            }
            _ => (About::default(), CancellationToken::new()),
        }
    }

    /// Where results go that are too long or no text.
    pub(super) fn keep(&self) -> Keep {
        self.host.as_ref().map(|host| host.keep.clone()).unwrap_or_default()
    }

    /// Answers a request of the server for the call that `about` names, where that is known.
    pub(super) async fn answer(&self, about: About, method: &str, params: &Value) -> Result<Value, ErrorData> {
        let Some(host) = &self.host else {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "nothing can be asked here".to_owned(), None));
        };
        self.asking.fetch_add(1, Ordering::Relaxed);
        let _asking = Asking(&self.asking);
        host.answer(&self.server, about, method, params).await
    }

    /// The same for a request that came by itself, which the server may take back.
    async fn asked<T: DeserializeOwned>(&self, request: impl Serialize, context: RequestContext<RoleClient>) -> Result<T, ErrorData> {
        let broken = |error: serde_json::Error| ErrorData::new(ErrorCode::INTERNAL_ERROR, error.to_string(), None);
        let request = serde_json::to_value(request).map_err(broken)?;
        let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
        let (about, ended) = self.about();
        let answer = self.answer(about, method, request.get("params").unwrap_or(&Value::Null));
        let taken_back = async {
            tokio::select! {
                () = context.ct.cancelled() => {}
                // Whoever stopped the call wants no question about it.
                () = ended.cancelled() => {}
            }
        };
        let answer = tokio::select! {
            answer = answer => answer?,
            () = taken_back => return Err(ErrorData::new(ErrorCode::INVALID_REQUEST, "it was cancelled".to_owned(), None)),
        };
        serde_json::from_value(answer).map_err(broken)
    }

    /// Follows the progress of a call; the receiver changes with each sign of it.
    pub(super) fn track(&self, token: ProgressToken, call_id: CallId, session: Option<SessionId>) -> watch::Receiver<()> {
        let (beat, receiver) = watch::channel(());
        let tracked = Tracked { call_id, session, beat, shown: None, ended: CancellationToken::new().drop_guard() };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(token, tracked);
        receiver
    }

    /// Whether no call is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The call has ended.
    pub(super) fn forget(&self, token: &ProgressToken) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    fn on_progress(&self, params: &ProgressNotificationParam) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tracked) = calls.get_mut(&params.progress_token) else { return };
        tracked.beat.send_replace(());
        let now = Instant::now();
        if tracked.shown.is_some_and(|shown| now.duration_since(shown) < PROGRESS_EVERY) {
            return;
        }
        tracked.shown = Some(now);
        let mut details = json!({"progress": params.progress, "call_id": tracked.call_id});
        if let Some(total) = params.total {
            details["total"] = json!(total);
        }
        if let Some(message) = &params.message {
            details["message"] = json!(ellipsis(&clean_line(message), MESSAGE_CHARS_MAX));
        }
        self.lane.progress(tracked.session.as_ref(), details);
    }

    /// Stores what a server says on its own account, as far as it does not say too much.
    fn say(&self, event_type: McpEventType, details: Value) {
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(dropped) = throttle.pass(Instant::now()) {
            self.lane.try_tell(event_type, with_dropped(details, dropped));
        }
    }
}

/// Counts a question until it is dropped.
struct Asking<'a>(&'a AtomicUsize);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The client's side of one connection.
#[derive(Clone)]
pub(super) struct Handler(pub(super) Arc<Shared>);

/// Who we are and what can be asked of us.
fn introduction(host: Option<&Host>) -> ClientConfig {
    let client = Implementation::new("wakeful", env!("CARGO_PKG_VERSION")).with_title("wakeful");
    let mut capabilities = ClientCapabilities::default();
    if let Some(host) = host {
        capabilities.roots = Some(RootsCapabilities::default());
        capabilities.elicitation = Some(
            ElicitationCapability::new().with_form(FormElicitationCapability::default()).with_url(UrlElicitationCapability::default()),
        );
        capabilities.sampling = host.sampler.as_ref().map(|_| {
            let mut sampling = SamplingCapability::default();
            sampling.tools = Some(serde_json::Map::new());
            sampling
        });
        // What a server makes a task of is asked after until it is done.
        capabilities.extensions = Some([(TASKS_EXTENSION_ID.to_owned(), serde_json::Map::new())].into());
    }
    ClientConfig::new(capabilities, client).with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        introduction(self.0.host.as_ref())
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.0.asked(json!({"method": "sampling/createMessage", "params": params}), context).await
    }

    async fn list_roots(&self, context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        self.0.asked(json!({"method": "roots/list"}), context).await
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        self.0.asked(json!({"method": "elicitation/create", "params": request}), context).await
    }

    /// A request whose parameters rmcp could not read comes here as well.
    async fn on_custom_request(&self, request: CustomRequest, context: RequestContext<RoleClient>) -> Result<CustomResult, ErrorData> {
        self.0.asked(json!({"method": request.method, "params": request.params}), context).await.map(CustomResult::new)
    }

    fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) -> impl Future<Output = ()> + Send + '_ {
        self.0.on_progress(&params);
        std::future::ready(())
    }

    fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) -> impl Future<Output = ()> + Send + '_ {
        let level = serde_json::to_value(params.level).unwrap_or_default();
        let text = params.data.as_str().map_or_else(|| params.data.to_string(), str::to_owned);
        let mut details = json!({"level": level, "message": ellipsis(clean(&text).trim(), MESSAGE_CHARS_MAX)});
        if let Some(logger) = &params.logger {
            details["logger"] = json!(clean_line(logger));
        }
        self.0.say(McpEventType::Log, details);
        std::future::ready(())
    }

    fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) -> impl Future<Output = ()> + Send + '_ {
        self.0.tools_changed.notify_one();
        std::future::ready(())
    }

    fn on_prompt_list_changed(&self, _context: NotificationContext<RoleClient>) -> impl Future<Output = ()> + Send + '_ {
        self.0.list_changed("prompts");
        std::future::ready(())
    }

    fn on_resource_list_changed(&self, _context: NotificationContext<RoleClient>) -> impl Future<Output = ()> + Send + '_ {
        self.0.list_changed("resources");
        std::future::ready(())
    }

    fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) -> impl Future<Output = ()> + Send + '_ {
        self.0.resource_updated(&params.uri);
        std::future::ready(())
    }
}
