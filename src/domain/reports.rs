//! What a coordinator is asked about the records that it holds, and what it answers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::clock::Instant;
use crate::domain::interaction::Action;

/// Records that one page has at most.
pub const PAGE_MAX: usize = 1_000;

/// Records that a page has where nothing is said.
pub const PAGE_DEFAULT: usize = 100;

/// Which records.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecordQuery {
    /// Only those of this interaction.
    pub interaction_id: Option<String>,
    /// Only those of this reporter.
    pub mcp_id: Option<String>,
    /// Only those that tell this.
    pub action: Option<Action>,
    /// Only those that happened then or later.
    pub since: Option<Instant>,
    /// Only those that happened before.
    pub until: Option<Instant>,
    /// Only those before this place, which the page before gave as `next`. In the order of arrival: after it.
    pub cursor: Option<u64>,
    /// In the order of their arrival, instead of the latest first.
    pub oldest_first: bool,
    /// At most so many; 0 stands for [`PAGE_DEFAULT`].
    pub limit: usize,
}

impl RecordQuery {
    /// How many are wanted.
    pub fn wanted(&self) -> usize {
        if self.limit == 0 { PAGE_DEFAULT } else { self.limit.min(PAGE_MAX) }
    }
}

/// What a query calls a state: the words of the actions, short or whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub Action);

impl FromStr for Status {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let short = |action: Action| action.as_str().trim_start_matches("interaction_");
        Action::ALL
            .into_iter()
            .find(|action| action.as_str() == word || short(*action) == word || (word == "success" && *action == Action::Complete))
            .map(Self)
            .ok_or_else(|| format!("give one of {}", Action::ALL.map(short).join(", ")))
    }
}

/// A page of records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct RecordPage {
    /// The records.
    pub records: Vec<StoredRecord>,
    /// Where the next page begins; none where this is the last one.
    pub next: Option<u64>,
}

/// A record as it lies in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredRecord {
    /// Its place in the order of arrival.
    pub seq: u64,
    /// When it came.
    pub received_at: Instant,
    /// The record as it came.
    #[serde(flatten)]
    pub record: Value,
}

/// Which time statistics are about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// Only records that happened then or later.
    pub since: Instant,
    /// Only records that happened before.
    pub until: Instant,
    /// Only those of this reporter.
    pub mcp_id: Option<String>,
}

/// Groups of each kind that statistics list at most; what is beyond counts in the totals only.
pub const GROUPS_MAX: usize = 100;

/// Statistics over a window of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Statistics {
    /// From when.
    pub since: Instant,
    /// Until when.
    pub until: Instant,
    /// Over all.
    pub total: Figures,
    /// By who reports, the most records first.
    pub by_mcp: Vec<Group>,
    /// By `adapter_used`, the most records first.
    pub by_adapter: Vec<Group>,
}

/// The figures of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What is counted and measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Figures {
    /// Records.
    pub records: u64,
    /// Records a second, over the window.
    pub records_per_second: f64,
    /// Interactions that began.
    pub started: u64,
    /// Interactions that ended well.
    pub completed: u64,
    /// Interactions that failed: an error, or an end without success.
    pub failed: u64,
    /// `failed` as a share of all that ended, 0 to 1; none while none ended.
    pub error_share: Option<f64>,
    /// `processing_time` in seconds that half of the interactions did not exceed; none while none was told.
    pub p50_seconds: Option<f64>,
    /// The same for 95 of 100.
    pub p95_seconds: Option<f64>,
    /// The same for 99 of 100.
    pub p99_seconds: Option<f64>,
}

/// A key of a reporter, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// The first characters of the key, which name it.
    pub prefix: String,
    /// Who may report with it; `*` for anybody.
    pub mcp_id: String,
    /// When it was made.
    pub created_at: Instant,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Instant>,
}

/// What whoever asks may report and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everything: no keys are set up, or the owner's own token was shown.
    All,
    /// What one reporter reports.
    Only(String),
}

impl Access {
    /// What a key for `mcp_id` opens.
    pub fn of_key(mcp_id: &str) -> Self {
        if mcp_id == "*" { Self::All } else { Self::Only(mcp_id.to_owned()) }
    }

    /// Whether records of `mcp_id` are within it.
    pub fn covers(&self, mcp_id: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(own) => own == mcp_id,
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everything"),
            Self::Only(mcp_id) => write!(f, "what `{mcp_id}` reports"),
        }
    }
}
