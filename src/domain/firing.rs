//! Firings: what a task, a caller over HTTP or a simulation found worth a decision, on its way to the judge.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::clock::Instant;
use crate::domain::ids::FiringId;

/// The event feedback of the wire: what is posted to a `callback_url`, and what comes in over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feedback {
    /// The task it comes from; a stranger's own name where it comes over HTTP.
    pub task_id: String,
    /// `web_content_change`, `scheduled_trigger`, `daily_news_digest`, `threshold_reached`, or a caller's own.
    pub event_type: String,
    /// The particulars, by type.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// When it was found.
    pub timestamp: Instant,
    /// 1 (low) to 5 (urgent).
    #[serde(default = "normal")]
    pub priority: u8,
    /// Whether the agent is to decide about it.
    #[serde(default = "yes")]
    pub requires_processing: bool,
}

/// Where a firing came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A task of ours.
    Task,
    /// `simulate`.
    Simulation,
    /// Another program, over HTTP.
    Http,
    /// A person's answer to an entry of the inbox, for the agent to work on.
    Inbox,
}

/// A firing in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    /// Which firing.
    pub firing_id: FiringId,
    /// Unique: the same thing is queued once however often it arrives (`task:due:url`, `http:Idempotency-Key`).
    pub key: String,
    /// Where it came from.
    pub origin: Origin,
    /// What was found.
    pub feedback: Feedback,
}

const fn normal() -> u8 {
    3
}

const fn yes() -> bool {
    true
}
