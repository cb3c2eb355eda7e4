//! What a server says unasked: progress, log messages, changed lists.

#![expect(deprecated, reason = "log messages go away with a later revision of MCP; the servers of today send them")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, Implementation, LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken,
    ProtocolVersion, ResourceUpdatedNotificationParam,
};
use rmcp::service::{NotificationContext, RoleClient};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::domain::event::McpEventType;
use crate::domain::ids::{CallId, SessionId};
use crate::domain::text::{clean, clean_line, ellipsis};
use crate::mcp::events::{Lane, Throttle, with_dropped};

/// The longest log or progress message that is shown, in characters.
const MESSAGE_CHARS_MAX: usize = 2_000;

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
}

/// A call that may show progress.
struct Tracked {
    call_id: CallId,
    session: Option<SessionId>,
    beat: watch::Sender<()>,
    shown: Option<Instant>,
}

impl Shared {
    pub(super) fn new(lane: Lane) -> Arc<Self> {
        let throttle = Mutex::new(Throttle::new(Instant::now()));
        Arc::new(Self { lane, tools_changed: Notify::new(), suspect: Notify::new(), calls: Mutex::default(), throttle })
    }

    /// Follows the progress of a call; the receiver changes with each sign of it.
    pub(super) fn track(&self, token: ProgressToken, call_id: CallId, session: Option<SessionId>) -> watch::Receiver<()> {
        let (beat, receiver) = watch::channel(());
        let tracked = Tracked { call_id, session, beat, shown: None };
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

/// The client's side of one connection.
#[derive(Clone)]
pub(super) struct Handler(pub(super) Arc<Shared>);

/// Who we are, for a handshake of the revisions that have one.
fn introduction() -> ClientConfig {
    let client = Implementation::new("wakeful", env!("CARGO_PKG_VERSION")).with_title("wakeful");
    ClientConfig::new(ClientCapabilities::default(), client).with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        introduction()
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
        self.0.say(McpEventType::ListChanged, json!({"list": "prompts"}));
        std::future::ready(())
    }

    fn on_resource_list_changed(&self, _context: NotificationContext<RoleClient>) -> impl Future<Output = ()> + Send + '_ {
        self.0.say(McpEventType::ListChanged, json!({"list": "resources"}));
        std::future::ready(())
    }

    fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) -> impl Future<Output = ()> + Send + '_ {
        self.0.say(McpEventType::ResourceUpdated, json!({"uri": clean_line(&params.uri)}));
        std::future::ready(())
    }
}
