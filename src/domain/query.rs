//! What can be asked: the read side. Surfaces know this trait only, so that a screen on another machine can answer it
//! over a socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::domain::cache::Stats;
use crate::domain::catalog::{CompletionOf, PromptInfo, ResourceInfo, ResourcePart};
use crate::domain::clock::Instant;
use crate::domain::event::Event;
use crate::domain::ids::{AgentName, Seq, ServerName, SessionId, TaskId};
use crate::domain::memory::{MemoryFilter, MemoryPage, MemoryStatus};
use crate::domain::message::Usage;
use crate::domain::notice::{Delivery, InboxRow};
use crate::domain::question::Question;
use crate::domain::report::ReportStatus;
use crate::domain::task::TaskRow;
use crate::domain::tool::ToolInfo;
use crate::domain::undo::UndoRow;

/// Why a question has no answer: one sentence, with the chain of causes, fit for a screen.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct QueryError(pub String);

/// The answer to a question.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, QueryError>>;

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionSummary {
    /// Which.
    pub id: SessionId,
    /// Its title: given, or the start of the first message.
    pub title: String,
    /// When it was made.
    pub created: Instant,
    /// When something last happened in it.
    pub updated: Instant,
    /// Messages of the user.
    pub prompts: u64,
    /// `provider/model`.
    pub model: String,
    /// The folder it works in.
    pub cwd: String,
    /// The session it was forked from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<SessionId>,
    /// Its last event.
    pub last_seq: Seq,
}

/// What a session is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Markdown, for people.
    Markdown,
    /// The events and what was told to the model, for programs.
    Json,
    /// One page that stands for itself, for people.
    Html,
}

impl ExportFormat {
    /// The format of that name, or of files that end so.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "md" | "markdown" => Some(Self::Markdown),
            "json" => Some(Self::Json),
            "html" | "htm" => Some(Self::Html),
            _ => None,
        }
    }

    /// How names of such files end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Json => "json",
            Self::Html => "html",
        }
    }
}

/// What a model took.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spend {
    /// `provider/model`.
    pub model: String,
    /// Turns that ended, those inside of handoffs too.
    pub turns: u64,
    /// Tokens of all their model calls.
    pub usage: Usage,
    /// Money, in millionths of a US dollar; absent where the model has no price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
}

/// What models took for one background task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskSpend {
    /// Its description.
    pub description: String,
    /// Tokens of judging its findings and of its prompts.
    pub tokens: u64,
    /// Money, in millionths of a US dollar; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
}

/// What models took, by model, those that took most first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spending {
    /// In one session, without those that it was forked from.
    pub session: Vec<Spend>,
    /// Today.
    pub today: Vec<Spend>,
    /// In all of the log.
    pub all: Vec<Spend>,
    /// For background tasks, of all time.
    #[serde(default)]
    pub tasks: Vec<TaskSpend>,
    /// Whether any model has a price.
    pub priced: bool,
    /// Whether the latest turns were left out, for there are too many.
    pub cut: bool,
}

/// Which events are wanted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    /// Only these types; all where empty.
    pub types: Vec<String>,
    /// Only this session's.
    pub session: Option<SessionId>,
    /// Only events after this position.
    pub after: Option<Seq>,
    /// Only events up to and with this position.
    pub upto: Option<Seq>,
    /// At most so many; the store's own limit where absent.
    pub limit: Option<usize>,
    /// The newest of them instead of the oldest. The answer is in ascending order all the same.
    pub newest: bool,
}

/// Which part of a session is wanted: from one end as much as `bytes_max` allows, at least one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionPage {
    /// Which session; what it inherited from those it was forked from is part of it.
    pub session: SessionId,
    /// Only these types; all where empty.
    #[serde(default)]
    pub types: Vec<String>,
    /// Only events after this position.
    #[serde(default)]
    pub after: Option<Seq>,
    /// Only events before this position.
    #[serde(default)]
    pub before: Option<Seq>,
    /// From the newest on instead of from the oldest. The answer is in ascending order all the same.
    #[serde(default)]
    pub newest: bool,
    /// Bytes of stored events at which the part ends.
    pub bytes_max: usize,
}

impl SessionPage {
    /// The first part of a session.
    pub fn first(session: SessionId, bytes_max: usize) -> Self {
        Self { session, types: Vec::new(), after: None, before: None, newest: false, bytes_max }
    }

    /// The last part of a session.
    pub fn last(session: SessionId, bytes_max: usize) -> Self {
        Self { newest: true, ..Self::first(session, bytes_max) }
    }
}

/// A part of a session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SessionPart {
    /// Its events, in ascending order.
    pub events: Vec<Arc<Event>>,
    /// Whether there is more in the direction of reading.
    pub more: bool,
}

/// How a server stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ServerState {
    /// The first connection is being made.
    Connecting,
    /// It answers.
    Ready,
    /// It does not answer and will be tried again.
    Failing {
        /// Why.
        reason: String,
        /// The try that comes next.
        attempt: u32,
        /// When, if a time is set.
        retry_at: Option<Instant>,
    },
    /// It does not answer and is not tried again by itself.
    Failed {
        /// Why.
        reason: String,
    },
    /// The user wants it closed.
    Disabled,
}

/// One server as the panels show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Its name.
    pub name: ServerName,
    /// `stdio`, `streamable_http`, `sse`, `builtin`.
    pub transport: String,
    /// The command line or URL, secrets masked.
    pub target: String,
    /// How it stands.
    #[serde(flatten)]
    pub status: ServerState,
    /// Tools it lends now.
    pub tools: usize,
    /// Calls so far.
    pub calls: u64,
    /// Of these, failed.
    pub failures: u64,
    /// Median time of its last calls, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// The time that 95 of 100 of them took at most, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// Tools that are held back in this run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_tools: Vec<String>,
    /// The protocol version in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// `modern` (2026-07-28) or `legacy` (with `initialize`), once connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub era: Option<String>,
    /// The server's own name and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_info: Option<String>,
}

/// A model that can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// `provider/model`, as it is chosen.
    pub id: String,
    /// One phrase: what it is.
    pub note: String,
}

/// An agent that can be handed a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentInfo {
    /// Its name.
    pub name: AgentName,
    /// What it is for.
    pub description: String,
    /// `provider/model`; the session's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The servers whose tools it has; all where empty.
    pub servers: Vec<ServerName>,
}

/// How a check of the set-up came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckLevel {
    /// Good.
    Ok,
    /// It works, but not as well as it could.
    Warn,
    /// It does not work.
    Fail,
}

/// One row of `doctor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckRow {
    /// What was looked at.
    pub name: String,
    /// How it came out.
    pub level: CheckLevel,
    /// What was found; secrets never.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Which entries of the inbox are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InboxFilter {
    /// Those that were archived, and those that sleep, too.
    pub all: bool,
    /// At most so many, the newest; 200 where absent.
    pub limit: Option<usize>,
}

/// A reading of a watched value, or a check of a page: a point of a sparkline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// The value.
    pub value: f64,
}

/// What a task's panel shows beside its row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TaskDetail {
    /// The chain of its last run or firing, a line a step, in plain words: planned, due, claimed, fetched, which gate
    /// stopped it, the judge's reason, tokens and cost, the delivery's receipt.
    pub why: Vec<String>,
    /// Its events, newest first.
    pub history: Vec<Arc<Event>>,
    /// The last unified diff of what it watches.
    pub diff: Option<String>,
    /// Its readings, oldest first.
    pub samples: Vec<Sample>,
    /// Snapshots that are kept, newest first: when, of what, how long in bytes.
    pub snapshots: Vec<(Instant, String, u64)>,
    /// Its notices, newest first.
    pub deliveries: Vec<Delivery>,
}

/// The scheduler as a whole: `get_event_sourcing_status` and the panel's heading.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AmbientStatus {
    /// Whether this process runs the tasks (another may).
    pub leading: bool,
    /// Whether any process runs them.
    pub service_running: bool,
    /// Tasks that are not deleted.
    pub total_tasks: u64,
    /// Of these, active.
    pub active_tasks: u64,
    /// Of these, paused or failed.
    pub paused_tasks: u64,
    /// Active web monitors.
    pub running_monitors: u64,
    /// Tasks by kind.
    pub task_types: BTreeMap<String, u64>,
    /// Unread entries of the inbox.
    pub unread: u64,
    /// Firings that wait for the judge.
    pub firings_waiting: u64,
    /// Notices that wait.
    pub notices_waiting: u64,
    /// Notices that failed for good.
    pub dead_letters: u64,
}

/// The read side of the log.
pub trait EventReader: Send + Sync {
    /// Sessions, the latest first; those whose title or text holds `search`, where given.
    fn sessions(&self, search: Option<String>, limit: usize) -> Answer<'_, Vec<SessionSummary>>;
    /// Stored events in ascending order.
    fn events(&self, filter: EventFilter) -> Answer<'_, Vec<Arc<Event>>>;
    /// All events that make up a session, those of the sessions it was forked from (up to the fork) included.
    /// Rewound events are in it, followed by the event that rewinds: folding is the reader's.
    fn session_events(&self, session: SessionId) -> Answer<'_, Vec<Arc<Event>>>;
    /// A part of the same.
    fn session_page(&self, page: SessionPage) -> Answer<'_, SessionPart>;
}

/// The read side of the program.
pub trait Queries: EventReader {
    /// All servers, in the order of the config.
    fn servers(&self) -> Answer<'_, Vec<ServerStatus>>;
    /// All tools that a model would be offered.
    fn tools(&self) -> Answer<'_, Vec<ToolInfo>>;
    /// Resources and templates of a server (of all where absent), those of a server that does not answer left out.
    fn resources(&self, server: Option<ServerName>) -> Answer<'_, Vec<ResourceInfo>>;
    /// What a resource holds. What is no text is saved to a file.
    fn read_resource(&self, server: ServerName, uri: String) -> Answer<'_, Vec<ResourcePart>>;
    /// Prompts that the connected servers offer.
    fn prompts(&self) -> Answer<'_, Vec<PromptInfo>>;
    /// A prompt with its arguments filled in, as the text that is sent to the agent.
    fn prompt(&self, server: ServerName, name: String, arguments: BTreeMap<String, String>) -> Answer<'_, String>;
    /// What the argument `argument` that begins with `value` may be; `known` holds the arguments given so far.
    fn completions(
        &self,
        server: ServerName,
        of: CompletionOf,
        argument: String,
        value: String,
        known: BTreeMap<String, String>,
    ) -> Answer<'_, Vec<String>>;
    /// Questions of servers that wait for an answer, oldest first.
    fn questions(&self) -> Answer<'_, Vec<Question>>;
    /// The last lines that a server wrote to its error output.
    fn server_log(&self, server: ServerName, lines: usize) -> Answer<'_, Vec<String>>;
    /// All models that can be chosen.
    fn models(&self) -> Answer<'_, Vec<ModelInfo>>;
    /// All agents that can be handed a task.
    fn agents(&self) -> Answer<'_, Vec<AgentInfo>>;
    /// Background tasks of a user (of all where absent), by creation.
    fn tasks(&self, user: Option<String>) -> Answer<'_, Vec<TaskRow>>;
    /// What a task's panel shows.
    fn task_detail(&self, task: TaskId) -> Answer<'_, TaskDetail>;
    /// Entries of the inbox, newest first.
    fn inbox(&self, filter: InboxFilter) -> Answer<'_, Vec<InboxRow>>;
    /// Notices, newest first.
    fn deliveries(&self, limit: usize) -> Answer<'_, Vec<Delivery>>;
    /// The scheduler as a whole.
    fn ambient_status(&self) -> Answer<'_, AmbientStatus>;
    /// Memories: those that fit the filter's query, the best first, or all, the latest first.
    fn memories(&self, filter: MemoryFilter) -> Answer<'_, MemoryPage>;
    /// How the memories stand.
    fn memory_status(&self) -> Answer<'_, MemoryStatus>;
    /// A session as a document, made from the log.
    fn export(&self, session: SessionId, format: ExportFormat) -> Answer<'_, String>;
    /// What models took: in `session`, from `today` on, and in all.
    fn spending(&self, session: Option<SessionId>, today: Instant) -> Answer<'_, Spending>;
    /// Changes of files that can be taken back, the newest first; of one session, or of all.
    fn undoable(&self, session: Option<SessionId>) -> Answer<'_, Vec<UndoRow>>;
    /// How the cache stands.
    fn cache(&self) -> Answer<'_, Stats>;
    /// How the reports to a coordinator stand.
    fn report(&self) -> Answer<'_, ReportStatus>;
    /// Looks at the set-up.
    fn doctor(&self) -> Answer<'_, Vec<CheckRow>>;
}
