//! What the surface is given by the program, and what its handlers share.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::{CommandSender, Recorder};
use crate::domain::clock::Clock;
use crate::domain::command::ApprovalMode;
use crate::domain::event::Event;
use crate::domain::firing::Feedback;
use crate::domain::query::Queries;
use crate::domain::reports::{Access, RecordPage, RecordQuery, Statistics, Window};
use crate::server::hub::Hub;
use crate::server::options::Options;
use crate::server::peers::Peers;
use crate::tools::Tool;

/// Takes event feedback of other programs.
pub trait FeedbackIntake: Send + Sync {
    /// Queues it on disk; answers once it cannot be lost. The same `key` again is the same feedback.
    fn take(&self, feedback: Feedback, key: Option<String>) -> BoxFuture<'_, Result<TakenFeedback, IntakeError>>;
}

/// Feedback that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenFeedback {
    /// Its id; the same for a repeat.
    pub event_id: String,
    /// Whether it had been taken before.
    pub repeated: bool,
}

/// Takes interaction reports of other programs, and gives them back.
pub trait RecordIntake: Send + Sync {
    /// What whoever showed that may report and read.
    fn admit(&self, shown: Shown) -> BoxFuture<'_, Result<Access, IntakeError>>;
    /// Stores the records once each by their `record_id`; answers once they are on disk. What is no record is told, and the
    /// others are stored.
    fn take(&self, records: Vec<Value>, access: Access) -> BoxFuture<'_, Result<TakenRecords, IntakeError>>;
    /// How many are stored.
    fn count(&self) -> BoxFuture<'_, Result<u64, IntakeError>>;
    /// Some of them.
    fn page(&self, query: RecordQuery) -> BoxFuture<'_, Result<RecordPage, IntakeError>>;
    /// What they come to in a window of time.
    fn statistics(&self, window: Window) -> BoxFuture<'_, Result<Statistics, IntakeError>>;
}

/// What somebody showed at the door of the reports.
#[derive(Clone, Default)]
pub struct Shown {
    /// A key, or what should be one.
    pub key: Option<String>,
    /// Whether it was the owner's own token.
    pub is_owner: bool,
    /// Whether this machine alone can reach the door and nothing else is asked for there.
    pub is_open: bool,
}

/// Records that are on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TakenRecords {
    /// How many were new.
    pub stored: usize,
    /// What is no record.
    pub rejected: Vec<WrongRecord>,
}

/// What is wrong with one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongRecord {
    /// Its place among those that came.
    pub index: usize,
    /// Its `record_id`, where it has one.
    pub record_id: Option<String>,
    /// Which field; empty for the whole.
    pub field: String,
    /// How.
    pub message: String,
}

/// Why something that came in was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IntakeError {
    /// It is wrong: which field (a JSON pointer), and how.
    #[error("{message}")]
    Wrong {
        /// The field.
        pointer: String,
        /// What is wrong with it.
        message: String,
    },
    /// Too much waits already.
    #[error("too much is waiting: try again later")]
    Full,
    /// It could not be stored; one sentence with the causes.
    #[error("{0}")]
    Failed(String),
    /// The key is missing or unknown; one sentence.
    #[error("{0}")]
    Denied(String),
    /// The key does not open that; one sentence.
    #[error("{0}")]
    NotYours(String),
    /// The queue is full: in a second there is room.
    #[error("the queue is full: send again in a second")]
    Crowded,
    /// More than the queue could ever hold; one sentence.
    #[error("{0}")]
    TooLarge(String),
    /// The store cannot do it now; one sentence with the causes.
    #[error("{0}")]
    Away(String),
}

/// A body that came in whole, and one that goes out.
pub type McpEndpoint =
    Arc<dyn Fn(http::Request<Full<Bytes>>) -> BoxFuture<'static, http::Response<BoxBody<Bytes, Infallible>>> + Send + Sync>;

/// What the surface needs.
pub struct Deps {
    /// Everything that happens from now on: what is stored in the order of the log, what is not in between.
    pub live: BoxStream<'static, Arc<Event>>,
    /// The id of the log.
    pub epoch: String,
    /// Answers what is asked.
    pub queries: Arc<dyn Queries>,
    /// Takes what is wanted.
    pub commands: CommandSender,
    /// Takes what happens here.
    pub recorder: Arc<dyn Recorder>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The tools that make and change background tasks.
    pub tasks: Vec<Arc<dyn Tool>>,
    /// Takes event feedback.
    pub feedback: Arc<dyn FeedbackIntake>,
    /// Takes interaction reports.
    pub records: Arc<dyn RecordIntake>,
    /// Those who lend their tools over the feed.
    pub peers: Peers,
    /// Our own tools as an MCP server; none where it is not offered.
    pub mcp: Option<McpEndpoint>,
    /// `provider/model` of conversations that name none.
    pub default_model: String,
    /// That model's context in tokens, where it is known.
    pub context_window_tokens: Option<u64>,
    /// When tool calls of a new session need consent.
    pub mode: ApprovalMode,
    /// The machine's time zone (IANA).
    pub timezone: String,
}

/// What all handlers share.
pub struct Api {
    /// The feed.
    pub hub: Hub,
    /// The section `[server]`.
    pub options: Options,
    /// Answers what is asked.
    pub queries: Arc<dyn Queries>,
    /// Takes what is wanted.
    pub commands: CommandSender,
    /// Takes what happens here.
    pub recorder: Arc<dyn Recorder>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The tools that make and change background tasks.
    pub tasks: Vec<Arc<dyn Tool>>,
    /// Takes event feedback.
    pub feedback: Arc<dyn FeedbackIntake>,
    /// Takes interaction reports.
    pub records: Arc<dyn RecordIntake>,
    /// Those who lend their tools over the feed.
    pub peers: Peers,
    /// Our own tools as an MCP server.
    pub mcp: Option<McpEndpoint>,
    /// `provider/model` of conversations that name none.
    pub default_model: String,
    /// That model's context in tokens, where it is known.
    pub context_window_tokens: Option<u64>,
    /// When tool calls of a new session need consent.
    pub mode: ApprovalMode,
    /// The machine's time zone (IANA).
    pub timezone: String,
    /// When the surface stops: streams end.
    pub stop: CancellationToken,
    /// Sockets that are open: they outlive the request that opened them.
    pub tasks_of_clients: TaskTracker,
    /// When it started.
    pub started: std::time::Instant,
}

impl Api {
    /// How long it has been up.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}
