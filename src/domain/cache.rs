//! What is kept of things that were fetched, and how that stands: plain data for the cache and for screens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A page of the web.
    Page,
    /// The answer of a search engine.
    Search,
    /// Weather.
    Weather,
    /// The vector of a text.
    Embedding,
    /// The result of a tool that only reads.
    ToolResult,
}

impl Kind {
    /// All kinds, in the order of lists.
    pub const ALL: [Self; 5] = [Self::Page, Self::Search, Self::Weather, Self::Embedding, Self::ToolResult];

    /// Its name in the config, on the command line and in keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Search => "search",
            Self::Weather => "weather",
            Self::Embedding => "embedding",
            Self::ToolResult => "tool_result",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // `tool-result` and `pages` are what people type.
        let wanted = text.trim().to_ascii_lowercase().replace('-', "_");
        let known = |kind: &Self| kind.name() == wanted || format!("{}s", kind.name()) == wanted;
        Self::ALL.into_iter().find(known).ok_or_else(|| {
            let all = Self::ALL.map(Self::name).join(", ");
            format!("nothing of the kind `{}` is kept; there are {all}", crate::domain::text::clean_line(text))
        })
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// This process's memory.
    Memory,
    /// The file of this machine.
    Disk,
    /// The Redis that several machines share.
    Redis,
    /// It was fetched just now.
    Origin,
}

impl Layer {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Redis => "redis",
            Self::Origin => "origin",
        }
    }
}

/// How the cache stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Whether anything is kept at all (`[cache] enabled`).
    pub enabled: bool,
    /// The layers that are set up, the nearest first.
    pub layers: Vec<LayerStats>,
    /// All kinds.
    pub kinds: Vec<KindStats>,
}

/// How one layer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerStats {
    /// Which.
    pub layer: Layer,
    /// Where it is: a file, an address without password; empty for memory.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// Why it is not used right now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Entries in it, those that are over and not swept yet included.
    pub entries: u64,
    /// Bytes that they take: the values and what is kept beside them.
    pub bytes: u64,
    /// Bytes that they may take; absent where somebody else sets the bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_max: Option<u64>,
}

/// How one kind stands. The counts begin with the process, or with the file where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindStats {
    /// Which.
    pub kind: Kind,
    /// Entries in the outermost layer of this machine: the file, or memory where there is none.
    pub entries: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What was asked and how it was answered.
    #[serde(flatten)]
    pub counts: Counts,
}

/// What was asked and how it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Answered from memory.
    pub memory_hits: u64,
    /// Answered from the file.
    pub disk_hits: u64,
    /// Answered from Redis.
    pub redis_hits: u64,
    /// Of these, answered with what was stale already.
    pub stale_hits: u64,
    /// Not answered by any layer.
    pub misses: u64,
    /// Fetched.
    pub fetches: u64,
    /// Of these, in the background, while the stale answer was given.
    pub refreshes: u64,
    /// Fetches that failed.
    pub failures: u64,
    /// Answered by the fetch that another had begun.
    pub joined: u64,
}

impl Counts {
    /// Answered by any layer.
    pub fn hits(&self) -> u64 {
        self.memory_hits + self.disk_hits + self.redis_hits
    }

    /// How many of 100 questions were answered without a fetch; none where nothing was asked.
    pub fn hit_percent(&self) -> Option<u64> {
        let asked = self.hits() + self.misses + self.joined;
        (asked > 0).then(|| (self.hits() * 100 + asked / 2) / asked)
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            memory_hits: self.memory_hits + other.memory_hits,
            disk_hits: self.disk_hits + other.disk_hits,
            redis_hits: self.redis_hits + other.redis_hits,
            stale_hits: self.stale_hits + other.stale_hits,
            misses: self.misses + other.misses,
            fetches: self.fetches + other.fetches,
            refreshes: self.refreshes + other.refreshes,
            failures: self.failures + other.failures,
            joined: self.joined + other.joined,
        }
    }
}

/// What was cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cleared {
    /// Entries, counted in the outermost layer of this machine.
    pub entries: u64,
    /// Bytes of them.
    pub bytes: u64,
}
