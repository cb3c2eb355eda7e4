//! The `data` of each event type. Field names are the wire's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::command::ApprovalMode;
use crate::domain::ids::{AgentName, CallId, MessageId, Seq, ServerName, SessionId, TaskId, TurnId};
use crate::domain::message::{Role, ToolCall, Usage};
use crate::domain::task::TaskFact;

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It runs.
    Started,
    /// It ended well.
    Success,
    /// It failed, was refused or was given up.
    Error,
}

/// Why a call has no good result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The tool itself said so.
    Tool,
    /// The arguments were no JSON object or did not fit.
    BadArguments,
    /// No such tool.
    NotFound,
    /// A person or the policy said no; it did not run.
    Refused,
    /// It was stopped by a person.
    Interrupted,
    /// No answer in time; whether it took effect is unknown.
    TimedOut,
    /// The server went away; whether it took effect is unknown.
    Disconnected,
    /// The program ended while it ran; whether it took effect is unknown. It is never run again by itself.
    UnknownOutcome,
    /// The server broke the protocol.
    Protocol,
}

/// `handoff_call`: one agent hands a task to another agent or a whole server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HandoffCall {
    /// The agent or server that gets the task.
    pub service_name: String,
    /// The task, always an object.
    pub task: Map<String, Value>,
    /// How far it has come.
    pub status: Status,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The call by which the model handed over; events of the agent below carry it as `parent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    /// The handoff that the handing agent itself runs under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CallId>,
    /// Wall time from start to end, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// `tool_execution`: one run of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolExecution {
    /// The server that runs it.
    pub service_name: ServerName,
    /// The tool's name on that server.
    pub tool_name: String,
    /// How far it has come.
    pub status: Status,
    /// The whole result: a string, or an object where the tool gives structured content beside text
    /// (`{"text", "structured"}`). The model may see less; the log has it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why there is no good result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_kind: Option<ErrorKind>,
    /// The call of the model.
    pub call_id: CallId,
    /// The arguments; with `started` and with every later status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Map<String, Value>>,
    /// Wall time from start to end, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The handoff that the calling agent runs under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CallId>,
}

/// What happened to an MCP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum McpEventType {
    /// It is configured and will be connected.
    ServiceRegistered,
    /// It is ready. `details`: `tools` (count), `transport`, `protocol`, `server` (its own name and version).
    ServiceConnected,
    /// It is gone. `details`: `reason`.
    ServiceDisconnected,
    /// It will be tried again. `details`: `reason`, `attempt`, `delay_ms`.
    ServiceReconnecting,
    /// Tools are new. `details`: `tools` (names).
    ToolRegistered,
    /// Tools are gone. `details`: `tools` (names).
    ToolUnregistered,
    /// The server says that a list changed. `details`: `list`.
    ListChanged,
    /// The server logs. `details`: `level`, `message`, `logger`?.
    Log,
    /// A call makes progress (ephemeral). `details`: `progress`, `total`?, `message`?, `call_id`?.
    Progress,
    /// A resource changed. `details`: `uri`.
    ResourceUpdated,
    /// A raw message (ephemeral, only while tracing). `details`: `direction` (`→` to the server, `←` from it), `message`.
    Trace,
}

/// `mcp_event`: a server or its catalogue changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct McpEvent {
    /// What happened.
    pub event_type: McpEventType,
    /// To which server.
    pub service_name: ServerName,
    /// The particulars, see [`McpEventType`].
    #[serde(default)]
    pub details: Value,
}

/// `error`: something failed that belongs to no call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorEvent {
    /// One sentence: what happened.
    pub message: String,
    /// Which part of the program noticed: `agent`, `mcp`, `store`, `config` …
    pub source: String,
    /// Particulars; `hint` holds the next thing to try.
    #[serde(default)]
    pub details: Value,
}

impl ErrorEvent {
    /// The source of what tells that models took much, or cannot be counted.
    pub const BUDGET: &'static str = "budget";
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatStatus {
    /// A user's message waits for its turn; a later `queued` with the same `message_id` replaces its text.
    Queued,
    /// A user's queued message was taken back.
    Withdrawn,
    /// Part of the answer (ephemeral).
    Delta,
    /// Part of the reasoning (ephemeral).
    ReasoningDelta,
    /// The message is whole.
    Done,
    /// The message was cut off by a person; `text` holds what there was.
    Interrupted,
    /// The message broke off; `text` holds what there was, `error` why.
    Failed,
}

/// `chat`: somebody said something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    /// Who speaks.
    pub role: Role,
    /// How far the message has come.
    pub status: ChatStatus,
    /// The text, or this part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The model that speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Tokens of this message's model call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The turn it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// A user's message, from queue to history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// The agent that speaks; absent for the main one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// The handoff it runs under; such messages are not part of the main history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CallId>,
    /// The model's reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The calls the model makes with this message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// What the provider wants back with this message.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
    /// Why it failed, with what to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Chat {
    /// A message of `role` at `status` with nothing else set.
    pub fn new(role: Role, status: ChatStatus) -> Self {
        Self {
            role,
            status,
            text: None,
            model: None,
            usage: None,
            turn: None,
            message_id: None,
            agent: None,
            parent: None,
            reasoning: None,
            tool_calls: Vec::new(),
            extra: Map::new(),
            error: None,
        }
    }

    /// The same with `text`.
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnEnd {
    /// The answer is there.
    Done,
    /// A person stopped it.
    Interrupted,
    /// It took as many steps as it may.
    StepLimit,
    /// The model failed.
    Failed,
    /// The program ended while it ran; found at the next start.
    Crashed,
}

/// `turn_event`: one turn of an agent. `parent` names the handoff it runs under, absent for the main agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event_type", rename_all = "snake_case")]
pub enum TurnEvent {
    /// It began.
    Started {
        /// Which turn.
        turn: TurnId,
        /// The handoff it runs under.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<CallId>,
        /// The agent; absent for the main one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentName>,
        /// The model it uses.
        model: String,
    },
    /// The model could not be reached and will be tried again.
    Retrying {
        /// Which turn.
        turn: TurnId,
        /// The handoff it runs under.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<CallId>,
        /// Why.
        reason: String,
        /// Which try comes next, from 2.
        attempt: u32,
        /// How many tries there are.
        attempts_max: u32,
        /// The wait before it, in milliseconds.
        delay_ms: u64,
    },
    /// It ended.
    Finished {
        /// Which turn.
        turn: TurnId,
        /// The handoff it ran under.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<CallId>,
        /// How.
        end: TurnEnd,
        /// Model calls it took.
        steps: u32,
        /// Wall time, in milliseconds.
        duration_ms: u64,
        /// Tokens of all its model calls.
        #[serde(default)]
        usage: Usage,
        /// Tokens of the last model call's input: what the context holds now.
        #[serde(default)]
        context_tokens: u64,
        /// One sentence where it did not end well.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
}

/// How far a question for consent has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// A person is asked.
    Requested,
    /// The call may run.
    Granted,
    /// The call may not run.
    Refused,
}

/// How far a consent reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This call only.
    Once,
    /// This tool until the session ends.
    Session,
    /// This tool, always.
    Tool,
    /// All tools of this server, always.
    Server,
}

/// `approval_event`: consent for one call. Consents of scope tool and server are remembered for ever by being in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// The call in question.
    pub call_id: CallId,
    /// How far the question has come.
    pub status: ApprovalStatus,
    /// The server that would run it.
    pub service_name: ServerName,
    /// The tool's name on that server.
    pub tool_name: String,
    /// The exact arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// Why it is asked, in one phrase.
    #[serde(default)]
    pub reason: String,
    /// Whether it may destroy something: "no" is then preselected.
    #[serde(default)]
    pub dangerous: bool,
    /// What it would change, as a unified diff or a command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// How far the answer reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// What the user wants instead of the refused call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// The handoff that the asking agent runs under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CallId>,
    /// Whether the user made the call and no model: then there is nobody who could do something else instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
}

/// `session_event`: a conversation was made or changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event_type", rename_all = "snake_case")]
pub enum SessionEvent {
    /// It was made.
    Created {
        /// The folder it works in.
        cwd: String,
        /// `provider/model`.
        model: String,
        /// When calls need consent.
        mode: ApprovalMode,
        /// Where it was forked from: that session's events up to and with `upto` come first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fork: Option<Fork>,
    },
    /// It has a (new) title.
    Renamed {
        /// The title.
        title: String,
    },
    /// What came after `to` no longer counts.
    Rewound {
        /// The last event that counts.
        to: Seq,
    },
    /// The history up to and with `upto` is replaced by `summary` for the model; people still see all of it.
    Compacted {
        /// What the model is told instead.
        summary: String,
        /// The last event that is replaced.
        upto: Seq,
        /// Whether the user asked for it.
        #[serde(default)]
        by_user: bool,
    },
    /// Another model answers from here on.
    ModelSet {
        /// `provider/model`.
        model: String,
    },
    /// Calls need consent by another rule from here on.
    ModeSet {
        /// The rule.
        mode: ApprovalMode,
    },
}

/// Where a session was forked from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fork {
    /// The session that was forked.
    pub session: SessionId,
    /// Its last event that counts.
    pub upto: Seq,
}

/// `task_event`: what happened to one background task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskEvent {
    /// Which task.
    pub task_id: TaskId,
    /// 1 (low) to 5 (urgent).
    #[serde(default = "low")]
    pub priority: u8,
    /// What happened: `event_type` and `data`.
    #[serde(flatten)]
    pub fact: TaskFact,
}

impl TaskEvent {
    /// `fact` about `task_id`, at the fact's own priority.
    pub fn new(task_id: TaskId, fact: TaskFact) -> Self {
        Self { task_id, priority: fact.priority(), fact }
    }
}

const fn low() -> u8 {
    1
}

/// An event of a type that only its sender knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Custom {
    /// The `type` on the wire.
    pub type_name: String,
    /// The `data` on the wire.
    pub data: Value,
}
