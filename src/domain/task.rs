//! Background tasks as data: what is watched, when, and who is told. Names and defaults on the wire are fixed; fields
//! that extend the original format are left out of the JSON while they have their default.
//!
//! Nothing here checks whether an expression, a zone or an address is good: `ambient::spec` does, before a task exists.

mod agreement;
mod kinds;
mod work;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use agreement::{AgreedBy, Agreement, Runs, would_run};
pub use kinds::{
    Bounds, CatchUp, Common, Direction, Judging, KindConfig, Minutes, NewsDigest, Notification, NotifyMethod, Overlap, ScheduleConfig,
    ScheduleType, Source, TaskKind, ThresholdWatch, Timing, WebMonitor, Weekday,
};
pub use work::{HourCount, LastRun, Outcome, TaskWork};

use crate::domain::clock::Instant;
use crate::domain::ids::{FiringId, InboxId, NoticeId, SessionId, TaskId};

/// Who owns a task where nobody says otherwise.
pub const DEFAULT_USER: &str = "default";

/// The user who sees the tasks of all.
pub const ADMIN_USER: &str = "admin";

/// What a task is: everything that its creator chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Which task.
    pub task_id: TaskId,
    /// What it does, and how: `task_type` and `config` on the wire.
    #[serde(flatten)]
    pub kind: KindConfig,
    /// What it is for, in its creator's words; the judge reads it as the intent.
    pub description: String,
    /// Where its firings are posted, beside being judged here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// Who owns it.
    pub user_id: String,
    /// When it was made.
    pub created_at: Instant,
    /// What a person agreed that it runs; absent where it runs nothing, or nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Agreement>,
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// It runs when it is due.
    Active,
    /// It rests until it is resumed.
    Paused,
    /// It has done all its runs.
    Completed,
    /// It failed too often or ran into a cap, and rests until it is resumed.
    Failed,
}

impl TaskStatus {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// A task as lists show it: a fold of its events, and how its work stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRow {
    /// What it is.
    #[serde(flatten)]
    pub spec: TaskSpec,
    /// How it stands.
    pub status: TaskStatus,
    /// Why it is paused, failed or completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// The version of its stream.
    pub version: u64,
    /// When its last event happened.
    pub updated_at: Instant,
    /// How often it fired.
    pub fired: u64,
    /// When it last fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_fired: Option<Instant>,
    /// Occurrences by outcome, as the events tell (the hour that runs is in `work`).
    pub counts: OutcomeCounts,
    /// Tokens that judging and prompting for it took.
    pub tokens: u64,
    /// Money that took, in millionths of a US dollar.
    pub cost_micros: u64,
    /// How its work stands; absent where the row is only a fold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<TaskWork>,
}

impl TaskRow {
    /// Takes in how a fact changes its status; other facts leave it as it is.
    pub fn settle_status(&mut self, fact: &TaskFact) {
        (self.status, self.status_reason) = match fact {
            TaskFact::TaskPaused { reason, by_itself } => {
                let status = if *by_itself { TaskStatus::Failed } else { TaskStatus::Paused };
                (status, Some(reason.clone()))
            }
            TaskFact::TaskResumed {} => (TaskStatus::Active, None),
            TaskFact::TaskCompleted { reason } => (TaskStatus::Completed, Some(reason.clone())),
            _ => return,
        };
    }
}

/// Occurrences by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// Ran when due.
    pub ran: u64,
    /// Ran late, after the program was away.
    pub caught_up: u64,
    /// Left out: too old when the program was back.
    pub skipped_stale: u64,
    /// Left out: the run before was still at it.
    pub skipped_overlap: u64,
    /// Left out for any other reason (busy, backing off, paused by a cap).
    pub missed: u64,
    /// Ran and failed.
    pub failed: u64,
}

impl OutcomeCounts {
    /// Counts `count` more of `outcome`.
    pub fn add(&mut self, outcome: Outcome, count: u64) {
        let slot = match outcome {
            Outcome::Ran => &mut self.ran,
            Outcome::CaughtUp => &mut self.caught_up,
            Outcome::SkippedStale => &mut self.skipped_stale,
            Outcome::SkippedOverlap => &mut self.skipped_overlap,
            Outcome::Missed => &mut self.missed,
            Outcome::Failed => &mut self.failed,
        };
        *slot = slot.saturating_add(count);
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.ran + self.caught_up + self.skipped_stale + self.skipped_overlap + self.missed + self.failed
    }
}

/// What happened to a task: `event_type` and `data` of a `task_event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event_type", content = "data", rename_all = "snake_case")]
pub enum TaskFact {
    /// It was made.
    TaskCreated {
        /// What it is.
        spec: Box<TaskSpec>,
    },
    /// It was changed.
    TaskUpdated {
        /// What it is now.
        spec: Box<TaskSpec>,
        /// Which fields changed.
        changed: Vec<String>,
    },
    /// It rests.
    TaskPaused {
        /// Why.
        reason: String,
        /// Whether the program did it (failures, a cap) and not a person: its status is then `failed`.
        #[serde(default)]
        by_itself: bool,
    },
    /// It goes on.
    TaskResumed {},
    /// It has done all its runs.
    TaskCompleted {
        /// Why: the last run, the end date, a one-shot.
        reason: String,
    },
    /// It is gone.
    TaskDeleted {},
    /// A run that did more than find nothing: it fired, failed, or was caught up.
    RunFinished(RunFinished),
    /// Occurrences that did not run.
    OccurrencesSkipped {
        /// How they ended.
        outcome: Outcome,
        /// Why, in one phrase.
        reason: String,
        /// The first.
        from: Instant,
        /// The last.
        to: Instant,
        /// How many.
        count: u64,
    },
    /// An hour of runs that found nothing.
    ChecksRolledUp(HourCount),
    /// A watched page changed.
    WebContentChange(Map<String, Value>),
    /// A schedule came due.
    ScheduledTrigger(Map<String, Value>),
    /// A digest is ready.
    DailyNewsDigest(Map<String, Value>),
    /// A watched value passed its threshold.
    ThresholdReached(Map<String, Value>),
    /// A decision on a firing.
    FiringJudged(Judgement),
    /// The agent answered a prompt that a schedule put to it.
    PromptFinished {
        /// The firing that asked for it.
        firing_id: FiringId,
        /// The conversation it ran in.
        session: SessionId,
        /// Whether it ended well.
        success: bool,
        /// Tokens it took.
        tokens: u64,
        /// Money it took, in millionths of a US dollar.
        cost_micros: u64,
    },
    /// A person said that this kind of firing is (not) worth telling.
    FeedbackGiven {
        /// The entry of the inbox it is about.
        item_id: InboxId,
        /// Fewer (true) or more (false) like this.
        fewer: bool,
        /// What it was about, for the judge.
        note: String,
    },
}

/// A run that did more than find nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFinished {
    /// The occurrence; absent for a run out of turn (run now, retry).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Instant>,
    /// How it ended.
    pub outcome: Outcome,
    /// One phrase: what was found, why it failed, how late it was.
    pub reason: String,
    /// When it began.
    pub started: Instant,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Whether it fired.
    #[serde(default)]
    pub fired: bool,
    /// The gate that stopped it (`304`, `hash`, `selector`, `ignore`, `keywords`, `numbers`, `baseline`), where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// Failures in a row, this one included.
    #[serde(default)]
    pub failures: u32,
    /// When it is tried again, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Instant>,
}

/// What is to become of a firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Tell by the task's channel, and the inbox.
    Notify,
    /// Put it in the inbox and let the person decide.
    Ask,
    /// Not worth telling; it stays in the log.
    Ignore,
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The task's own rule, as its config wants it.
    Rule,
    /// A model.
    Model,
    /// The task's rule, because the model was away or over budget.
    Fallback,
}

/// A decision on a firing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Which firing.
    pub firing_id: FiringId,
    /// The decision.
    pub decision: Decision,
    /// Why, in one sentence.
    pub reason: String,
    /// Who decided.
    pub by: Judge,
    /// The model, where one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Tokens it took.
    #[serde(default)]
    pub tokens: u64,
    /// Money it took, in millionths of a US dollar.
    #[serde(default)]
    pub cost_micros: u64,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// The notices that were queued.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<NoticeId>,
    /// The entry of the inbox that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox: Option<InboxId>,
}

impl TaskFact {
    /// The priority on the wire: 2 for schedules and digests, 3 for pages, 4 for thresholds, 1 for everything else.
    pub fn priority(&self) -> u8 {
        match self {
            Self::ThresholdReached(_) => 4,
            Self::WebContentChange(_) => 3,
            Self::ScheduledTrigger(_) | Self::DailyNewsDigest(_) => 2,
            _ => 1,
        }
    }
}
