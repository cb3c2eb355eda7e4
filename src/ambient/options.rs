//! What can be set about background tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::price::Price;

/// The longest between two looks, in seconds.
const POLL_SECONDS_MAX: u64 = 15;

/// `[tasks]` in the config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether tasks run at all; they can be made and seen in any case. Default true.
    pub enabled: bool,
    /// Runs at once, those that only stand in line for a host not counted. Default 64.
    pub parallel_runs: usize,
    /// The longest that one run may take, in seconds, standing in line for a host not counted. Default 120.
    pub run_timeout_seconds: u64,
    /// How long a run, a judgement or a delivery belongs to its process without a sign of it, in seconds. After a crash
    /// this is how long what was under way has to wait. Default 60.
    pub lease_seconds: u64,
    /// Firings that are judged at once. Default 2.
    pub parallel_judgements: usize,
    /// Prompts of schedules, and answers to entries of the inbox, that the agent works on at once. Default 2.
    pub parallel_prompts: usize,
    /// The longest that one judgement may take, in seconds. Default 60.
    pub judge_timeout_seconds: u64,
    /// The longest that such a prompt may take, in seconds. Default 600.
    pub prompt_timeout_seconds: u64,
    /// Notices that are sent at once. Default 8.
    pub parallel_notices: usize,
    /// How often to look for tasks of other processes, in seconds; 15 at most. Default 2.
    pub poll_seconds: u64,
    /// The model that judges; the default model where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge_model: Option<String>,
    /// Tokens of one judgement, at most. Default 4000.
    pub judge_tokens_max: u32,
    /// What models cost, by `provider/model`: the earlier place of `[prices]`, still read. Default none.
    pub prices: BTreeMap<String, Price>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enabled: true,
            parallel_runs: 64,
            run_timeout_seconds: 120,
            lease_seconds: 60,
            parallel_judgements: 2,
            parallel_prompts: 2,
            judge_timeout_seconds: 60,
            prompt_timeout_seconds: 600,
            parallel_notices: 8,
            poll_seconds: 2,
            judge_model: None,
            judge_tokens_max: 4_000,
            prices: BTreeMap::new(),
        }
    }
}

impl Options {
    /// See [`lease_seconds`](Self::lease_seconds).
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds.max(1))
    }

    pub(super) fn run_timeout(&self) -> Duration {
        Duration::from_secs(self.run_timeout_seconds.max(1))
    }

    pub(super) fn judge_timeout(&self) -> Duration {
        Duration::from_secs(self.judge_timeout_seconds.max(1))
    }

    pub(super) fn prompt_timeout(&self) -> Duration {
        Duration::from_secs(self.prompt_timeout_seconds.max(1))
    }

    /// A wake at least so often while something is due some time: the clocks are compared then, and other processes' tasks
    /// are found.
    pub fn poll(&self) -> Duration {
        Duration::from_secs(self.poll_seconds.clamp(1, POLL_SECONDS_MAX))
    }

    /// The same while nothing is: hardly ever where writes are `told`.
    pub(super) fn idle(&self, told: bool) -> Duration {
        if told { Duration::from_secs(POLL_SECONDS_MAX) } else { self.poll() }
    }
}
