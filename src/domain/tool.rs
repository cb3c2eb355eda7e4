//! What a tool tells about itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::ids::{ServerName, ToolName};

/// A JSON Schema, shared: the tools of a turn are copied for each of its steps.
pub type Schema = Arc<Map<String, Value>>;

/// A tool as the agent, the screens and the model know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolInfo {
    /// Unique name for the model, `server__tool` made safe.
    pub name: ToolName,
    /// The server that runs it.
    pub server: ServerName,
    /// Its name on that server.
    pub tool: String,
    /// A title for people, where the server gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does, in the server's words, control characters removed.
    pub description: String,
    /// JSON Schema of its arguments; always an object schema.
    pub parameters: Schema,
    /// JSON Schema of its structured result, where the server promises one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Schema>,
    /// Hints of the server. They are hints: only a trusted server's count for approvals.
    #[serde(default)]
    pub hints: ToolHints,
    /// Whether the hints may be believed (built-in servers and servers the user marked `trusted`).
    #[serde(default)]
    pub trusted: bool,
}

/// Annotations of a tool as MCP defines them; an absent hint counts as MCP's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "MCP defines four independent hints")]
pub struct ToolHints {
    /// Changes nothing (`readOnlyHint`, default false).
    pub read_only: bool,
    /// May destroy something (`destructiveHint`, default true).
    pub destructive: bool,
    /// Calling it again with the same arguments changes nothing more (`idempotentHint`, default false).
    pub idempotent: bool,
    /// Reaches out of this machine (`openWorldHint`, default true).
    pub open_world: bool,
}

impl Default for ToolHints {
    fn default() -> Self {
        Self { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}

impl ToolHints {
    /// Reads only, and stays on this machine.
    pub const READ_ONLY: Self = Self { read_only: true, destructive: false, idempotent: true, open_world: false };
}

/// The tools that send something to somebody, and their server.
pub const SENDERS: (&str, [&str; 2]) = ("notify", ["send_sms", "send_email"]);

/// Whether a call of `tool` sends something to somebody whom the model names: a person is shown each such call.
pub fn sends(server: &str, tool: &str) -> bool {
    server == SENDERS.0 && SENDERS.1.contains(&tool)
}
