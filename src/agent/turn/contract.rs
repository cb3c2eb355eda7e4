//! What a turn is given and what it wants done.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::agent::approval::Policy;
use crate::agent::options::Options;
use crate::domain::clock::Instant;
use crate::domain::command::Decision;
use crate::domain::event::{Approval, EventBody, TurnEnd};
use crate::domain::ids::{AgentName, CallId, MessageId, ToolName};
use crate::domain::memory::Notes;
use crate::domain::message::{Message, ToolCall};
use crate::domain::tool::ToolInfo;
use crate::llm::{self, ChatRequest, Completion, Delta};
use crate::tools::{ToolError, ToolOutcome};

/// A message of the user.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// Its id from the moment it was typed; absent for the task of a handoff.
    pub message_id: Option<MessageId>,
    /// The text.
    pub text: String,
}

/// Whom a task can be handed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name of an agent or a server.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it is an agent (else a whole server).
    pub agent: bool,
}

/// What surrounds a step; asked for anew before each model call, because all of it may change while a turn runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Offer {
    /// The system message.
    pub system: String,
    /// `provider/model`.
    pub model: String,
    /// The provider's name of the model.
    pub model_name: String,
    /// What the model can hold.
    pub context_tokens: u64,
    /// The tools that may be called.
    pub tools: Vec<ToolInfo>,
    /// Whom a task can be handed to.
    pub targets: Vec<Target>,
}

/// What a step may look at beside its input.
pub struct Env<'a> {
    /// The time.
    pub now: Instant,
    /// All ids of calls in the session, so that none is used twice.
    pub call_ids: &'a mut HashSet<CallId>,
    /// Whether calls may run.
    pub policy: Policy<'a>,
    /// What surrounds the next model call.
    pub offer: &'a dyn Fn() -> Offer,
}

/// What happened to the turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// It begins, with these messages of the user.
    Start(Vec<Prompt>),
    /// It begins with a call of the user's own; where that is all, the model is not asked.
    StartWithCall {
        /// What the user typed.
        prompt: Prompt,
        /// The call.
        call: ToolCall,
        /// Its tool, which the model need not be offered.
        tool: Box<ToolInfo>,
    },
    /// What fits the messages that it began with.
    Recalled(Notes),
    /// Parts of the answer.
    Deltas(Vec<Delta>),
    /// The whole answer.
    Completed(Completion),
    /// There is no (whole) answer.
    ModelFailed(llm::Error),
    /// A tool is done.
    ToolFinished {
        /// Which call.
        call_id: CallId,
        /// How it ended.
        result: Result<ToolOutcome, ToolError>,
    },
    /// A handoff is done: the answer, or why there is none.
    HandoffFinished {
        /// Which call.
        call_id: CallId,
        /// How it ended.
        result: Result<String, String>,
    },
    /// A person has answered a question for consent.
    Decided {
        /// Which call.
        call_id: CallId,
        /// The answer.
        decision: Decision,
    },
    /// More is allowed than before: open questions may have become needless.
    Reconsider,
    /// A message that joins at the next step.
    Steer(Prompt),
    /// A message that waits to join has a new text, or is taken back.
    EditSteer {
        /// Which.
        message_id: MessageId,
        /// The new text.
        text: Option<String>,
    },
    /// The user wants the history summarised before the next step.
    CompactAsked,
    /// The history was summarised: this is it now.
    Compacted(Vec<Message>),
    /// The history could not be summarised.
    CompactFailed(String),
    /// A person stops the turn.
    Interrupt,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Record it.
    Publish(EventBody),
    /// Show it without storing it.
    Emit(EventBody),
    /// Look for what fits these words of the user; comes back as [`Input::Recalled`].
    Recall(String),
    /// Ask the model; its stream comes back as inputs.
    CallModel(ChatRequest),
    /// Drop the model's stream.
    CancelModel,
    /// Run a tool.
    RunTool {
        /// The call.
        call_id: CallId,
        /// The tool.
        name: ToolName,
        /// Its arguments.
        arguments: Map<String, Value>,
    },
    /// Ask a person. To be recorded with the preview of the tool.
    AskApproval(Approval),
    /// Hand a task over.
    Handoff {
        /// The call.
        call_id: CallId,
        /// To whom.
        target: Target,
        /// The task.
        task: Map<String, Value>,
    },
    /// Stop all tools and handoffs of this turn. Their events come before the ones that follow.
    CancelTools,
    /// Summarise the history.
    Compact,
    /// The turn is over.
    Finish(Outcome),
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How.
    pub end: TurnEnd,
    /// The last answer.
    pub text: String,
    /// One sentence where it did not end well.
    pub message: Option<String>,
}

/// What a turn may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Model calls.
    pub steps_max: u32,
    /// Calls at once.
    pub parallel_tools_max: usize,
    /// Bytes of one result that the model sees.
    pub tool_result_bytes_max: usize,
    /// Percent of the context at which the history is summarised.
    pub compact_at_percent: u8,
    /// Whether it is looked for what fits the first messages, before the model is asked.
    pub recalls: bool,
}

impl From<&Options> for Limits {
    fn from(options: &Options) -> Self {
        Self {
            steps_max: options.steps_max.max(1),
            parallel_tools_max: options.parallel_tools_max.max(1),
            tool_result_bytes_max: options.tool_result_bytes_max,
            compact_at_percent: options.compact_at_percent,
            recalls: false,
        }
    }
}

/// Who runs a turn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Identity {
    /// The agent; absent for the main one.
    pub agent: Option<AgentName>,
    /// The handoff it runs under.
    pub parent: Option<CallId>,
}
