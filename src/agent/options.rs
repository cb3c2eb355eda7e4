//! What the user may set about the agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::command::ApprovalMode;
use crate::domain::ids::{AgentName, ServerName};
use crate::domain::query::AgentInfo;

/// Settings of the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Instructions that stand above every conversation, beside the built-in ones; default empty.
    pub instructions: String,
    /// When tool calls need consent in a new session: `ask`, `auto-read` or `auto`; default `auto-read`.
    pub mode: ApprovalMode,
    /// Rules for single servers and tools; the most specific that fits counts. Default none.
    pub approvals: Vec<ApprovalRule>,
    /// Nobody is there to answer: a call that would need consent is refused; default false.
    pub unattended: bool,
    /// Model calls that one turn may take; default 25.
    pub steps_max: u32,
    /// Tool calls of one turn that run at once; default 8.
    pub parallel_tools_max: usize,
    /// Bytes of one tool result that the model sees, head and tail (the log has all of it); default 40,000.
    pub tool_result_bytes_max: usize,
    /// Tools that are offered to the model at once (providers take no more); default 128.
    pub tools_max: usize,
    /// Percent of the model's context at which the history is summarised; default 80.
    pub compact_at_percent: u8,
    /// Tokens that a model is taken to hold where its provider does not say; default 128,000.
    pub context_tokens_default: u64,
    /// How deep handoffs may nest; default 3.
    pub handoff_depth_max: u32,
    /// Messages that may wait in one session; default 100.
    pub queue_max: usize,
    /// Bytes of one message of the user; default 1,000,000.
    pub message_bytes_max: usize,
    /// Seconds without work after which a session leaves memory (its next command loads it again); default 900.
    pub session_idle_seconds: u64,
    /// IANA name of the time zone of the date that the model is told; default `UTC`.
    pub time_zone: String,
    /// Agents that can be handed a task, by name; default none.
    pub agents: BTreeMap<AgentName, AgentOptions>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            instructions: String::new(),
            mode: ApprovalMode::default(),
            approvals: Vec::new(),
            unattended: false,
            steps_max: 25,
            parallel_tools_max: 8,
            tool_result_bytes_max: 40_000,
            tools_max: 128,
            compact_at_percent: 80,
            context_tokens_default: 128_000,
            handoff_depth_max: 3,
            queue_max: 100,
            message_bytes_max: 1_000_000,
            session_idle_seconds: 900,
            time_zone: "UTC".to_owned(),
            agents: BTreeMap::new(),
        }
    }
}

impl Options {
    /// The agents as lists show them.
    pub fn agent_infos(&self) -> Vec<AgentInfo> {
        let info = |(name, agent): (&AgentName, &AgentOptions)| AgentInfo {
            name: name.clone(),
            description: agent.description.clone(),
            model: agent.model.clone(),
            servers: agent.servers.clone(),
        };
        self.agents.iter().map(info).collect()
    }
}

/// An agent that can be handed a task: `[agents.NAME]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentOptions {
    /// What it is for; the handing model reads it.
    pub description: String,
    /// Its own instructions.
    pub instructions: String,
    /// `provider/model`; the session's where absent.
    pub model: Option<String>,
    /// The servers whose tools it has; all where empty.
    pub servers: Vec<ServerName>,
}

/// What a rule wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalAction {
    /// The call runs unasked.
    Allow,
    /// A person is asked, unless a remembered answer covers it.
    Ask,
    /// The call never runs.
    Deny,
}

/// One rule: `[[approvals]]`. `*` in a name stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    /// The server it is about; any where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The tool (its name on the server) it is about; any where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What it wants.
    pub action: ApprovalAction,
}
