//! What is said between a user, a model and its tools.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::ids::{CallId, ToolName};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions that stand above the conversation.
    System,
    /// The person (or program) that asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// One message of a conversation as a model sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The text; empty where an assistant only calls tools.
    #[serde(default)]
    pub content: String,
    /// The model's reasoning, apart from its answer; sent back only to providers that want it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The calls an assistant makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// For [`Role::Tool`]: the call this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<CallId>,
    /// What the provider sent beside the known fields of the message and wants back.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

impl Message {
    /// A message of `role` that holds only text.
    pub fn text(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), reasoning: None, tool_calls: Vec::new(), tool_call_id: None, extra: Map::new() }
    }

    /// The answer to the call `id`.
    pub fn tool_result(id: CallId, content: impl Into<String>) -> Self {
        Self { tool_call_id: Some(id), ..Self::text(Role::Tool, content) }
    }
}

/// One call of a tool by the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Unique in its session.
    pub id: CallId,
    /// The name as the model used it.
    pub name: ToolName,
    /// The arguments, always a JSON object. What could not be read as one is in `invalid`.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// Why the arguments could not be read as a JSON object (they are then empty); such a call never runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
    /// Unknown fields of the call, kept and sent back.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// Tokens of one or more model calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read by the model.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens written by the model, reasoning included.
    #[serde(default)]
    pub output_tokens: u64,
    /// Of the tokens read, those that came from the provider's cache.
    #[serde(default)]
    pub cached_tokens: u64,
}

impl Usage {
    /// The sum of both.
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
        }
    }

    /// Tokens read and written.
    pub fn total(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}
