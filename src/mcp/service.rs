//! One server as the user knows it: its places, its tools, its figures; and where a call goes.
//!
//! A call goes to the least busy place that answers. Only a call that was certainly not sent is tried elsewhere, or once
//! more when the server is back; no other is ever repeated.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::domain::event::{ErrorKind, McpEventType};
use crate::domain::ids::{ServerName, ToolName};
use crate::domain::query::{ServerState, ServerStatus};
use crate::domain::text::clean_line;
use crate::domain::tool::ToolInfo;
use crate::mcp::call::{Called, Failure, Limits};
use crate::mcp::catalog::{Choice, Listing, added};
use crate::mcp::dial::Place;
use crate::mcp::events::Lane;
use crate::mcp::follow::{Interrupted, TASK_LIMIT, TaskHandle};
use crate::mcp::ledger::{Ledger, OpenTask};
use crate::mcp::lent::Lent;
use crate::mcp::link::Link;
use crate::mcp::options::ServerOptions;
use crate::mcp::remote::RemoteTool;
use crate::mcp::replica::{Occupied, Replica, Standing};
use crate::mcp::stderr::LogRing;
use crate::tools::{CallContext, Tool, ToolError, ToolOutcome};

/// Calls whose time is remembered for the median.
const TIMES_MAX: usize = 64;

/// How long a call waits for a server that is being connected, at most.
const AWAY_LIMIT: Duration = Duration::from_secs(10);

/// How long a task waits for its server to come back.
const TASK_AWAY_LIMIT: Duration = Duration::from_mins(2);

/// The wait before a lost connection is looked for anew.
const LOST_WAIT: Duration = Duration::from_millis(100);

/// How often a call that was certainly not sent may be tried, altogether.
const TRIES_MAX: usize = 4;

/// What the user wants of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) enabled: bool,
    /// Counts the wishes for a new connection.
    pub(super) round: u64,
}

/// One server.
pub(super) struct Service {
    pub(super) name: ServerName,
    pub(super) options: ServerOptions,
    pub(super) replicas: Vec<Arc<Replica>>,
    pub(super) lane: Lane,
    pub(super) log: Arc<LogRing>,
    pub(super) wanted: watch::Sender<Wanted>,
    /// Cancelled when the server is removed or everything ends.
    pub(super) stop: CancellationToken,
    pub(super) call_cap: Duration,
    pub(super) tools_max: usize,
    /// What is wrong with its options, where they cannot be used.
    broken: Option<String>,
    /// Our own tools, by their names.
    local: HashMap<String, Arc<dyn Tool>>,
    catalog: RwLock<Arc<Catalog>>,
    /// Tools that are held back in this run, by their names there.
    held: RwLock<BTreeSet<String>>,
    /// Changes with every place's standing.
    changes: watch::Sender<u64>,
    /// First attempts that are still under way.
    unsettled: watch::Sender<usize>,
    calls: AtomicU64,
    failures: AtomicU64,
    times: Mutex<VecDeque<Duration>>,
    turn: AtomicUsize,
    /// Lists that are remembered.
    pub(super) lent: Lent,
    /// Resources whose changes are wanted.
    pub(super) subscribed: watch::Sender<BTreeSet<String>>,
    /// Whether raw messages are shown.
    pub(super) trace: Arc<AtomicBool>,
    /// Tasks that are followed or were.
    tasks: Mutex<BTreeSet<String>>,
    /// What is remembered from run to run.
    pub(super) ledger: Ledger,
    /// Its name in there.
    pub(super) key: String,
}

/// What it is made of.
pub(super) struct Setup {
    pub(super) name: ServerName,
    pub(super) options: ServerOptions,
    pub(super) replicas: Vec<Arc<Replica>>,
    pub(super) lane: Lane,
    pub(super) log: Arc<LogRing>,
    pub(super) stop: CancellationToken,
    pub(super) call_cap: Duration,
    pub(super) tools_max: usize,
    pub(super) broken: Option<String>,
    pub(super) local: HashMap<String, Arc<dyn Tool>>,
    pub(super) ledger: Ledger,
    pub(super) key: String,
}

#[derive(Default)]
struct Catalog {
    infos: Vec<ToolInfo>,
    tools: Vec<Arc<dyn Tool>>,
}

impl Service {
    pub(super) fn new(setup: Setup) -> Arc<Self> {
        let unsettled = watch::Sender::new(setup.replicas.len());
        let wanted = watch::Sender::new(Wanted { enabled: setup.options.enabled, round: 0 });
        Arc::new(Self {
            name: setup.name,
            options: setup.options,
            replicas: setup.replicas,
            lane: setup.lane,
            log: setup.log,
            wanted,
            stop: setup.stop,
            call_cap: setup.call_cap,
            tools_max: setup.tools_max,
            broken: setup.broken,
            local: setup.local,
            catalog: RwLock::default(),
            held: RwLock::default(),
            changes: watch::Sender::new(0),
            unsettled,
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            times: Mutex::default(),
            turn: AtomicUsize::new(0),
            lent: Lent::default(),
            subscribed: watch::Sender::default(),
            trace: Arc::default(),
            tasks: Mutex::default(),
            ledger: setup.ledger,
            key: setup.key,
        })
    }

    pub(super) fn is_local(&self) -> bool {
        !self.local.is_empty()
    }

    /// The tools it lends now.
    pub(super) fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        catalog.tools.iter().filter(|tool| !held.contains(&tool.info().tool)).map(Arc::clone).collect()
    }

    /// Holds a tool back in this run, or no longer; whether there is such a tool.
    pub(super) fn hold_back(&self, tool: &str, held: bool) -> bool {
        let known = self.catalog.read().unwrap_or_else(PoisonError::into_inner).infos.iter().any(|info| info.tool == tool);
        let mut all = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held && known {
            all.insert(tool.to_owned());
        } else if !held && all.remove(tool) {
            return true;
        }
        known
    }

    /// The tool that it lends under this name.
    pub(super) fn tool(&self, name: &ToolName) -> Option<Arc<dyn Tool>> {
        let catalog = Arc::clone(&self.catalog.read().unwrap_or_else(PoisonError::into_inner));
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        catalog.tools.iter().find(|tool| tool.info().name == *name && !held.contains(&tool.info().tool)).map(Arc::clone)
    }

    /// How its tools are chosen.
    pub(super) fn choice(&self) -> Choice<'_> {
        Choice {
            server: &self.name,
            enabled: &self.options.enabled_tools,
            disabled: &self.options.disabled_tools,
            trusted: self.options.trusted || self.is_local(),
            tools_max: self.tools_max,
        }
    }

    /// Lends these tools from now on; tells which are new and which are gone.
    pub(super) async fn lend(self: &Arc<Self>, listing: Listing) {
        for note in &listing.notes {
            self.log.push(&format!("[tools] {note}"));
        }
        let tool = |info: &ToolInfo| -> Arc<dyn Tool> {
            let local = self.local.get(&info.tool).map(Arc::clone);
            Arc::new(RemoteTool::new(info.clone(), Arc::downgrade(self) as Weak<Self>, local))
        };
        let new = Catalog { tools: listing.tools.iter().map(tool).collect(), infos: listing.tools };
        let old = std::mem::replace(&mut *self.catalog.write().unwrap_or_else(PoisonError::into_inner), Arc::new(new));
        let new = Arc::clone(&self.catalog.read().unwrap_or_else(PoisonError::into_inner));
        let (came, went) = (added(&old.infos, &new.infos), added(&new.infos, &old.infos));
        if !came.is_empty() {
            self.lane.tell(McpEventType::ToolRegistered, json!({"tools": came})).await;
        }
        if !went.is_empty() {
            self.lane.tell(McpEventType::ToolUnregistered, json!({"tools": went})).await;
        }
    }

    /// Whether these are the tools that it lends already.
    pub(super) fn lends(&self, tools: &[ToolInfo]) -> bool {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner).infos == tools
    }

    /// How many tools it lends.
    pub(super) fn tool_count(&self) -> usize {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        catalog.infos.iter().filter(|info| !held.contains(&info.tool)).count()
    }

    /// Notes how a place stands.
    pub(super) fn stand(&self, replica: &Replica, standing: Standing) {
        replica.set(standing);
        self.changes.send_modify(|count| *count += 1);
    }

    /// A place's first attempt is over.
    pub(super) fn settle_one(&self) {
        self.unsettled.send_modify(|count| *count = count.saturating_sub(1));
    }

    /// Has the connection made anew.
    pub(super) fn reconnect(&self) {
        self.wanted.send_modify(|wanted| {
            wanted.enabled = true;
            wanted.round += 1;
        });
    }

    /// Waits until all first attempts are over.
    pub(super) async fn settled(&self) {
        let _ = self.unsettled.subscribe().wait_for(|count| *count == 0).await;
    }

    /// A connection, if any place answers.
    pub(super) fn any_link(&self) -> Option<Arc<Link>> {
        self.replicas.iter().find_map(|replica| replica.link())
    }

    /// Whether a task of an earlier run is to be asked after: once, and not if it belongs to a call of this run.
    pub(super) fn resumes(&self, task: &str) -> bool {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(task.to_owned())
    }

    /// Whether any place answers.
    pub(super) fn is_ready(&self) -> bool {
        self.replicas.iter().any(|replica| replica.link().is_some())
    }

    /// Calls a tool of this server.
    pub(super) async fn call(&self, tool: &str, arguments: Map<String, Value>, context: &CallContext) -> Result<ToolOutcome, ToolError> {
        let started = Instant::now();
        self.calls.fetch_add(1, Ordering::Relaxed);
        let result = tokio::select! {
            biased;
            result = self.route(tool, arguments, context) => result,
            () = context.cancel.cancelled() => Err(ToolError::new(ErrorKind::Interrupted, "the call was stopped")),
        };
        if result.as_ref().map_or(true, |outcome| outcome.is_error) {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() == TIMES_MAX {
            times.pop_front();
        }
        times.push_back(started.elapsed());
        drop(times);
        result.map_err(|error| ToolError::new(error.kind, self.worded(error.kind, &error.message)))
    }

    /// The message with the server's name where it speaks of the server.
    fn worded(&self, kind: ErrorKind, message: &str) -> String {
        match kind {
            ErrorKind::Disconnected if message.starts_with("ended") || message.starts_with("closed") || message.starts_with("is ") => {
                format!("server `{}` {message}", self.name)
            }
            ErrorKind::Disconnected | ErrorKind::TimedOut | ErrorKind::Protocol => format!("server `{}`: {message}", self.name),
            _ => message.to_owned(),
        }
    }

    async fn route(&self, tool: &str, arguments: Map<String, Value>, context: &CallContext) -> Result<ToolOutcome, ToolError> {
        let limits = Limits { idle: self.options.call_limit(), cap: self.call_cap.max(self.options.call_limit()) };
        let deadline = Instant::now() + AWAY_LIMIT.min(self.options.startup_limit());
        let mut tried = Vec::new();
        loop {
            let (_busy, link) = self.choose(&tried, deadline).await?;
            match link.call(tool, arguments.clone(), context, limits).await {
                Ok(Called::Done(outcome)) => return Ok(outcome),
                Ok(Called::Task(task)) => return self.follow(&task, tool, context).await,
                Err(Failure::Failed(error)) => return Err(error),
                Err(Failure::NotSent(reason)) => {
                    tried.push(link.id);
                    if tried.len() >= TRIES_MAX {
                        return Err(ToolError::new(ErrorKind::Disconnected, reason));
                    }
                }
            }
        }
    }

    /// Follows a task that the server made of a call, over whatever connection there is, and notes it until its end is known.
    async fn follow(&self, task: &Value, tool: &str, context: &CallContext) -> Result<ToolOutcome, ToolError> {
        let mut task = TaskHandle::read(task)?;
        self.resumes(&task.id);
        let open = OpenTask {
            id: task.id.clone(),
            tool: tool.to_owned(),
            call_id: context.call_id.to_string(),
            session: context.session.as_ref().map(ToString::to_string),
        };
        self.ledger.update(&self.key, |entry| entry.open_task(open)).await;
        let result = self.follow_to_its_end(&mut task, context).await?;
        let id = task.id;
        self.ledger.update(&self.key, move |entry| entry.close_task(&id)).await;
        result
    }

    /// # Errors
    /// When the server is away too long: the task may go on there, and is asked after when the server is back.
    pub(super) async fn follow_to_its_end(
        &self,
        task: &mut TaskHandle,
        context: &CallContext,
    ) -> Result<Result<ToolOutcome, ToolError>, ToolError> {
        let end = Instant::now() + TASK_LIMIT;
        loop {
            let found = tokio::select! {
                found = self.choose(&[], Instant::now() + TASK_AWAY_LIMIT) => found,
                () = context.cancel.cancelled() => return Ok(Err(ToolError::new(ErrorKind::Interrupted, "the task was stopped"))),
            };
            let (_busy, link) = found.map_err(|away| {
                let message = format!("{}; its task `{}` is asked after when it is back", away.message, clean_line(&task.id));
                ToolError::new(away.kind, message)
            })?;
            match link.follow(task, context, end).await {
                Ok(outcome) => return Ok(Ok(outcome)),
                Err(Interrupted::Ended(error)) => return Ok(Err(error)),
                // Its supervisor is about to notice as well.
                Err(Interrupted::Lost) => sleep(LOST_WAIT).await,
            }
        }
    }

    /// The least busy place that answers and was not tried; waits for one while there is hope.
    async fn choose(&self, tried: &[u64], deadline: Instant) -> Result<(Occupied, Arc<Link>), ToolError> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let count = self.replicas.len().max(1);
            let candidates = self.replicas.iter().enumerate().filter_map(|(index, replica)| {
                let link = replica.link().filter(|link| !tried.contains(&link.id))?;
                Some((replica.busy(), (index + count - turn % count) % count, replica, link))
            });
            if let Some((_, _, replica, link)) = candidates.min_by_key(|(busy, order, ..)| (*busy, *order)) {
                return Ok((replica.occupy(), link));
            }
            let hope = self.replicas.iter().any(|replica| !matches!(replica.standing(), Standing::Failed { .. } | Standing::Disabled));
            if !hope || timeout_at(deadline, changes.changed()).await.is_err() {
                return Err(self.away());
            }
        }
    }

    /// Why no place answers.
    fn away(&self) -> ToolError {
        let message = match self.state() {
            ServerState::Disabled => format!("is disabled (`/mcp enable {}` connects it)", self.name),
            ServerState::Failed { reason } => format!("is not connected: {reason} (`/mcp restart {}` tries again)", self.name),
            ServerState::Failing { reason, .. } => format!("is not connected, it is tried again by itself: {reason}"),
            ServerState::Connecting | ServerState::Ready => "is still being connected".to_owned(),
        };
        ToolError::new(ErrorKind::Disconnected, message)
    }

    /// How the server stands as a whole: as its best place does.
    pub(super) fn state(&self) -> ServerState {
        if let Some(reason) = &self.broken {
            return ServerState::Failed { reason: reason.clone() };
        }
        let standings: Vec<Standing> = self.replicas.iter().map(|replica| replica.standing()).collect();
        if standings.iter().any(|standing| matches!(standing, Standing::Ready(_))) {
            return ServerState::Ready;
        }
        if standings.iter().any(|standing| matches!(standing, Standing::Connecting)) {
            return ServerState::Connecting;
        }
        let failing = standings.iter().filter_map(|standing| match standing {
            Standing::Failing { reason, attempt, retry_at } => Some((reason.clone(), *attempt, *retry_at)),
            _ => None,
        });
        if let Some((reason, attempt, retry_at)) = failing.min_by_key(|(_, _, at)| at.map(crate::domain::clock::Instant::as_millis)) {
            return ServerState::Failing { reason, attempt, retry_at };
        }
        let failed = standings.into_iter().find_map(|standing| match standing {
            Standing::Failed { reason } => Some(reason),
            _ => None,
        });
        failed.map_or(ServerState::Disabled, |reason| ServerState::Failed { reason })
    }

    /// The server as the panels show it.
    pub(super) fn status(&self) -> ServerStatus {
        let link = self.replicas.iter().find_map(|replica| replica.link());
        let place = self.replicas.first().map(|replica| &replica.place);
        let place_transport = place.map_or("stdio", |place| place.transport());
        ServerStatus {
            name: self.name.clone(),
            transport: link.as_ref().map_or(place_transport, |link| link.transport).to_owned(),
            target: place.map_or_else(|| self.options.target(), Place::target),
            status: self.state(),
            tools: self.tool_count(),
            calls: self.calls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            p50_ms: self.time_ms(50),
            p95_ms: self.time_ms(95),
            held_tools: self.held.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect(),
            protocol: link.as_ref().and_then(|link| link.protocol()),
            era: link.as_ref().and_then(|link| link.era()).map(|era| era.as_str().to_owned()),
            server_info: link.as_ref().and_then(|link| link.server_info()),
        }
    }

    /// The time that so many percent of the last calls took at most.
    fn time_ms(&self, percent: usize) -> Option<f64> {
        let mut times: Vec<Duration> = self.times.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        times.sort_unstable();
        times.get((times.len() * percent / 100).min(times.len().checked_sub(1)?)).map(|time| (time.as_secs_f64() * 1e6).round() / 1e3)
    }
}
