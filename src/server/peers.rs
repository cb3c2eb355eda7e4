//! Peers that lend their tools to the agent over the feed: `DistributedServer` clients.
//!
//! A peer says what it has (`register_tools`), is asked (`execute_tool`) and answers (`tool_result`). Its tools stand beside
//! those of MCP servers; what it says of them is a stranger's word. When it leaves, its tools leave with it and what was
//! asked fails at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::bus::Recorder;
use crate::domain::clock::Instant;
use crate::domain::event::{ErrorKind, McpEvent, McpEventType, NewEvent};
use crate::domain::ids::ServerName;
use crate::domain::text::{clean, clean_line, ellipsis};
use crate::domain::tool::{ToolHints, ToolInfo};
use crate::tools::names::tool_name;
use crate::tools::{CallContext, Tool, ToolError, ToolOutcome, ToolSource};

/// The most tools one peer may lend.
const TOOLS_MAX: usize = 256;

/// The longest description that is kept, in characters.
const DESCRIPTION_CHARS_MAX: usize = 4_000;

/// The longest name of a peer or a tool, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Orders that may wait for a peer to take them; a further call fails.
const ORDERS_MAX: usize = 64;

/// All peers. Cheap to clone.
#[derive(Clone)]
pub struct Peers(Arc<Shared>);

struct Shared {
    recorder: Arc<dyn Recorder>,
    tool_timeout: Duration,
    peers: Mutex<Vec<Arc<Lender>>>,
    next: AtomicU64,
}

/// One peer as the agent knows it.
struct Lender {
    /// Unique in the program.
    id: u64,
    client: String,
    /// Its name and its tools, once it has said them.
    lent: Mutex<Option<Lent>>,
    orders: mpsc::Sender<Utf8Bytes>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
}

/// The name of a peer and its tools.
type Lent = (ServerName, Vec<Arc<dyn Tool>>);

/// What a peer says of a call.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(rename = "requestId")]
    request_id: String,
    status: String,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Value,
}

/// What a peer lends.
#[derive(Debug, Deserialize)]
struct Registration {
    #[serde(rename = "serverName")]
    server_name: String,
    tools: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Offer {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peers {
    /// Nobody yet. A call of a peer's tool may take `tool_timeout`.
    pub fn new(recorder: Arc<dyn Recorder>, tool_timeout: Duration) -> Self {
        Self(Arc::new(Shared { recorder, tool_timeout, peers: Mutex::default(), next: AtomicU64::new(1) }))
    }

    /// A client that may lend tools; dropped, it takes them back.
    pub(super) fn join(&self, client: &str) -> Peer {
        let (orders, taken) = mpsc::channel(ORDERS_MAX);
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let lender = Lender { id, client: client.to_owned(), lent: Mutex::default(), orders, waiting: Mutex::default() };
        let lender = Arc::new(lender);
        locked(&self.0.peers).push(Arc::clone(&lender));
        Peer { shared: Arc::clone(&self.0), lender, orders: taken }
    }
}

impl ToolSource for Peers {
    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let peers = locked(&self.0.peers).clone();
        peers.iter().flat_map(|peer| locked(&peer.lent).as_ref().map(|(_, tools)| tools.clone()).unwrap_or_default()).collect()
    }

    fn servers(&self) -> Vec<ServerName> {
        let peers = locked(&self.0.peers).clone();
        peers.iter().filter_map(|peer| locked(&peer.lent).as_ref().map(|(name, _)| name.clone())).collect()
    }
}

/// The connection's end of a peer.
pub(super) struct Peer {
    shared: Arc<Shared>,
    lender: Arc<Lender>,
    orders: mpsc::Receiver<Utf8Bytes>,
}

impl Peer {
    /// What it is asked next. Safe to cancel.
    pub(super) async fn order(&mut self) -> Utf8Bytes {
        match self.orders.recv().await {
            Some(order) => order,
            // The sender lives as long as the peer does.
            None => std::future::pending().await,
        }
    }

    /// Takes what it lends, in place of what it lent before; gives the answer.
    pub(super) async fn register(&self, data: Value, now: Instant) -> Value {
        let taken = self.take(data);
        let (status, details) = match &taken {
            Ok((name, tools, notes)) => ("success", json!({"status": "success", "serverName": name, "tools": tools, "notes": notes})),
            Err(reason) => ("error", json!({"status": "error", "error": reason})),
        };
        if let Ok((name, tools, _)) = &taken {
            let connected = json!({"transport": "feed", "tools": tools.len(), "client_id": self.lender.client});
            self.tell(name, McpEventType::ServiceConnected, connected).await;
            self.tell(name, McpEventType::ToolRegistered, json!({"tools": tools})).await;
        }
        json!({"type": "register_tools_ack", "status": status, "data": details, "timestamp": now})
    }

    fn take(&self, data: Value) -> Result<(ServerName, Vec<String>, Vec<String>), String> {
        let registration: Registration = serde_json::from_value(data).map_err(|error| format!("register_tools: {error}"))?;
        let name = plain_name("serverName", &registration.server_name)?;
        let is_taken =
            |peer: &Arc<Lender>| peer.id != self.lender.id && locked(&peer.lent).as_ref().is_some_and(|(other, _)| other.as_str() == name);
        if locked(&self.shared.peers).iter().any(is_taken) {
            return Err(format!("serverName `{name}` is taken by another peer"));
        }
        if registration.tools.len() > TOOLS_MAX {
            return Err(format!("{} tools are too many: at most {TOOLS_MAX}", registration.tools.len()));
        }
        let server = ServerName::from(name);
        let (mut tools, mut names, mut notes) = (Vec::<Arc<dyn Tool>>::new(), Vec::new(), Vec::new());
        for (at, offer) in registration.tools.into_iter().enumerate() {
            match self.tool(&server, offer) {
                Ok(tool) if names.contains(&tool.info.tool) => notes.push(format!("tools[{at}]: `{}` is there twice", tool.info.tool)),
                Ok(tool) => {
                    names.push(tool.info.tool.clone());
                    tools.push(Arc::new(tool));
                }
                Err(reason) => notes.push(format!("tools[{at}]: {reason}")),
            }
        }
        *locked(&self.lender.lent) = Some((server.clone(), tools));
        Ok((server, names, notes))
    }

    fn tool(&self, server: &ServerName, offer: Value) -> Result<PeerTool, String> {
        let offer: Offer = serde_json::from_value(offer).map_err(|error| error.to_string())?;
        let tool = plain_name("name", &offer.name)?;
        let mut parameters = offer.parameters;
        parameters.entry("type").or_insert_with(|| json!("object"));
        if parameters.get("type").and_then(Value::as_str) != Some("object") {
            return Err("parameters is no schema of an object".to_owned());
        }
        let info = ToolInfo {
            name: tool_name(server, &tool),
            server: server.clone(),
            tool,
            title: None,
            description: ellipsis(&clean(&offer.description), DESCRIPTION_CHARS_MAX).into_owned(),
            parameters: Arc::new(parameters),
            output: None,
            hints: ToolHints::default(),
            trusted: false,
        };
        Ok(PeerTool { info, lender: Arc::clone(&self.lender), limit: self.shared.tool_timeout })
    }

    /// Takes the answer to a call; whether anybody waits for it.
    pub(super) fn answered(&self, data: Value) -> bool {
        let Ok(answer) = serde_json::from_value::<Answer>(data) else { return false };
        let waiting = locked(&self.lender.waiting).remove(&answer.request_id);
        waiting.is_some_and(|waiting| waiting.send(answer).is_ok())
    }

    async fn tell(&self, name: &ServerName, event_type: McpEventType, details: Value) {
        let event = McpEvent { event_type, service_name: name.clone(), details };
        if let Err(error) = self.shared.recorder.record(vec![NewEvent::system(event)]).await {
            tracing::error!(%error, "what a peer lends could not be recorded");
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        locked(&self.shared.peers).retain(|peer| peer.id != self.lender.id);
        // Whoever waits learns it by the end of the channel.
        locked(&self.lender.waiting).clear();
        let Some((name, _)) = locked(&self.lender.lent).take() else { return };
        let recorder = Arc::clone(&self.shared.recorder);
        let event = McpEvent {
            event_type: McpEventType::ServiceDisconnected,
            service_name: name,
            details: json!({"reason": "the peer left the feed", "client_id": self.lender.client}),
        };
        tokio::spawn(async move {
            if let Err(error) = recorder.record(vec![NewEvent::system(event)]).await {
                tracing::error!(%error, "that a peer left could not be recorded");
            }
        });
    }
}

/// A name from outside that may stand on a screen and in a rule.
fn plain_name(field: &str, name: &str) -> Result<String, String> {
    let plain = clean_line(name).trim().to_owned();
    if plain.is_empty() || plain != name || plain.chars().count() > NAME_CHARS_MAX {
        return Err(format!("{field} is 1 to {NAME_CHARS_MAX} printable characters"));
    }
    Ok(plain)
}

/// A tool of a peer.
struct PeerTool {
    info: ToolInfo,
    lender: Arc<Lender>,
    limit: Duration,
}

impl Tool for PeerTool {
    fn info(&self) -> &ToolInfo {
        &self.info
    }

    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>> {
        let (lender, server, tool, limit) = (Arc::clone(&self.lender), self.info.server.clone(), self.info.tool.clone(), self.limit);
        async move {
            let request = uuid::Uuid::now_v7().to_string();
            let (sender, answer) = oneshot::channel();
            locked(&lender.waiting).insert(request.clone(), sender);
            let _forget = Forget { lender: &lender, request: &request };
            let data = json!({"requestId": request, "toolName": tool, "toolArgs": arguments});
            let order = json!({"type": "execute_tool", "data": data}).to_string();
            lender.orders.try_send(order.into()).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => {
                    ToolError::new(ErrorKind::Refused, format!("peer `{server}` takes no calls: {ORDERS_MAX} wait already"))
                }
                mpsc::error::TrySendError::Closed(_) => gone(&server),
            })?;
            tokio::select! {
                answered = timeout(limit, answer) => match answered {
                    Ok(Ok(answer)) => Ok(outcome(&answer)),
                    Ok(Err(_)) => Err(gone(&server)),
                    Err(_) => Err(ToolError::new(
                        ErrorKind::TimedOut,
                        format!("peer `{server}`: no answer to `{tool}` within {} s; whether it took effect is unknown", limit.as_secs()),
                    )),
                },
                () = context.cancel.cancelled() => {
                    Err(ToolError::new(ErrorKind::Interrupted, "the call was stopped; whether it took effect is unknown"))
                }
            }
        }
        .boxed()
    }
}

fn gone(server: &ServerName) -> ToolError {
    ToolError::new(ErrorKind::Disconnected, format!("peer `{server}` left the feed during the call"))
}

/// What a peer's answer is for the agent.
fn outcome(answer: &Answer) -> ToolOutcome {
    let words = |value: &Value| match value {
        Value::String(text) => clean(text).into_owned(),
        Value::Null => String::new(),
        other => clean(&other.to_string()).into_owned(),
    };
    if answer.status == "success" {
        let structured = answer.result.is_object().then(|| answer.result.clone());
        return ToolOutcome { text: words(&answer.result), structured, is_error: false };
    }
    let reason = words(&answer.error);
    ToolOutcome::error(if reason.is_empty() { "the peer says that it failed, and not why".to_owned() } else { reason })
}

/// Nobody waits for the answer any more.
struct Forget<'a> {
    lender: &'a Lender,
    request: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        locked(&self.lender.waiting).remove(self.request);
    }
}
