//! What a look at a task's subject gives: nothing new, something worth a decision, or a fault.

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use crate::domain::clock::Instant;
use crate::domain::task::TaskSpec;
use crate::net::fetch::Line;
use crate::store::tasks::Blob;

/// What a probe is told.
#[derive(Debug, Clone)]
pub struct Look {
    /// The task.
    pub spec: TaskSpec,
    /// What the probe remembered at its last run; `Null` before the first.
    pub state: Value,
    /// The occurrence; absent for a run out of turn.
    pub due: Option<Instant>,
    /// The time.
    pub now: Instant,
    /// To be told while the look only stands in line for a host: that costs it neither time nor a place among the runs.
    pub line: Line,
}

/// What a look gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What the probe wants to remember, at most 16 KiB of JSON; more goes into blobs.
    pub state: Value,
    /// What it wants to keep.
    pub keep: Vec<Keep>,
    /// Whether there is news.
    pub news: News,
    /// One phrase for lists and the log: `unchanged (304)`, `2 of 3 pages changed`, `67,210.5`.
    pub note: String,
    /// What did not go well although the rest did: a source of several that failed.
    pub trouble: Option<String>,
}

/// Whether there is news.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// None; which gate stopped it: `304`, `hash`, `selector`, `ignore`, `keywords`, `numbers`, `baseline`, `seen`, `armed`.
    Quiet {
        /// The gate.
        gate: &'static str,
    },
    /// There is; each becomes a firing of its own.
    Fired(Vec<Fire>),
}

/// Something worth a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Fire {
    /// Tells the firings of one occurrence apart (a URL's hash); the scheduler makes the key of it.
    pub part: String,
    /// The `data` of the event, with the fields of the wire.
    pub data: Map<String, Value>,
}

/// A blob, and how many of its kind stay.
#[derive(Debug, Clone, PartialEq)]
pub struct Keep {
    /// The blob.
    pub blob: Blob,
    /// How many stay.
    pub keep: usize,
    /// Whether they are counted for each key.
    pub by_key: bool,
}

/// Why a look failed: never a change. One sentence: what happened, where, what to try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The sentence.
    pub message: String,
    /// Not before, where the other side said so.
    pub retry_at: Option<Instant>,
}

/// Looks at what tasks watch.
pub trait Probe: Send + Sync {
    /// Looks once. Dropping the future gives up the look.
    ///
    /// # Errors
    /// When there is nothing to compare: the page is away, the selector finds nothing, the answer is no number.
    fn look(&self, look: Look) -> BoxFuture<'static, Result<Finding, Fault>>;
}
