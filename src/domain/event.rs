//! What happened: the one envelope of the pane, the log, the feed and `events --json`.
//!
//! The stored text of a body is its wire text: `{"type", "data"}` plus the envelope's fields. Types this version
//! does not know survive as [`Custom`]. Events without a `seq` are ephemeral: shown, never stored.

mod body;
#[cfg(test)]
mod tests;
pub mod words;

use serde::de::Error as _;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub use body::{
    Approval, ApprovalStatus, Chat, ChatStatus, Custom, ErrorEvent, ErrorKind, Fork, HandoffCall, McpEvent, McpEventType, Scope,
    SessionEvent, Status, TaskEvent, ToolExecution, TurnEnd, TurnEvent,
};

use crate::domain::clock::Instant;
use crate::domain::ids::{EventId, Seq, SessionId, StreamId};
use crate::domain::memory::MemoryEvent;
use crate::domain::notice::{DeliveryStatus, InboxEvent, Notification};
use crate::domain::question::QuestionEvent;
use crate::domain::task::{Outcome, TaskFact};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Position in the durable log; `None` for ephemeral events.
    pub seq: Option<Seq>,
    /// Unique for ever.
    pub id: EventId,
    /// When it happened.
    pub at: Instant,
    /// The conversation it belongs to, if any.
    pub session: Option<SessionId>,
    /// What happened.
    pub body: EventBody,
}

/// An event that is not yet in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The conversation it belongs to, if any; it decides the stream.
    pub session: Option<SessionId>,
    /// What happened.
    pub body: EventBody,
}

impl NewEvent {
    /// An event of the conversation `session`.
    pub fn of(session: &SessionId, body: impl Into<EventBody>) -> Self {
        Self { session: Some(session.clone()), body: body.into() }
    }

    /// An event that belongs to no conversation.
    pub fn system(body: impl Into<EventBody>) -> Self {
        Self { session: None, body: body.into() }
    }

    /// The stream it goes to: that of its task, of the inbox, of its conversation, or the one of everything else.
    pub fn stream(&self) -> StreamId {
        match (&self.body, &self.session) {
            (EventBody::TaskEvent(event), _) => StreamId::task(&event.task_id),
            (EventBody::InboxEvent(_), _) => StreamId::inbox(),
            (_, Some(session)) => StreamId::session(session),
            (_, None) => StreamId::system(),
        }
    }
}

macro_rules! bodies {
    ($( $(#[$meta:meta])* $variant:ident($ty:ty) = $name:literal ),+ $(,)?) => {
        /// What happened, by type. Each type's fields on the wire are the fields of its struct.
        #[derive(Debug, Clone, PartialEq)]
        pub enum EventBody {
            $( $(#[$meta])* $variant($ty), )+
            /// A type that only its sender knows.
            Custom(Custom),
        }

        impl EventBody {
            /// The names of all types that this version knows.
            pub const TYPES: &'static [&'static str] = &[$($name),+];

            /// The `type` on the wire.
            pub fn type_name(&self) -> &str {
                match self {
                    $( Self::$variant(_) => $name, )+
                    Self::Custom(custom) => &custom.type_name,
                }
            }

            /// The `data` on the wire as text.
            ///
            /// # Errors
            /// When a value inside cannot be JSON (none of ours can fail).
            pub fn data_json(&self) -> serde_json::Result<String> {
                match self {
                    $( Self::$variant(data) => serde_json::to_string(data), )+
                    Self::Custom(custom) => serde_json::to_string(&custom.data),
                }
            }

            /// Reads the `data` of the type `type_name`; an unknown type becomes [`Custom`].
            ///
            /// # Errors
            /// When the data of a known type does not have that type's shape.
            pub fn from_json(type_name: &str, data: &str) -> serde_json::Result<Self> {
                match type_name {
                    $( $name => serde_json::from_str(data).map(Self::$variant), )+
                    _ => Ok(Self::Custom(Custom { type_name: type_name.to_owned(), data: serde_json::from_str(data)? })),
                }
            }

            fn from_value(type_name: &str, data: Value) -> serde_json::Result<Self> {
                match type_name {
                    $( $name => serde_json::from_value(data).map(Self::$variant), )+
                    _ => Ok(Self::Custom(Custom { type_name: type_name.to_owned(), data })),
                }
            }
        }

        impl Serialize for EventBody {
            /// Serializes the `data` alone; the envelope carries the type.
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $( Self::$variant(data) => data.serialize(serializer), )+
                    Self::Custom(custom) => custom.data.serialize(serializer),
                }
            }
        }

        $( impl From<$ty> for EventBody {
            fn from(data: $ty) -> Self {
                Self::$variant(data)
            }
        } )+
    };
}

bodies! {
    /// An agent hands a task to another agent or to a whole server. Published by the agent.
    HandoffCall(HandoffCall) = "handoff_call",
    /// A tool starts, ends or fails. Published by the agent.
    ToolExecution(ToolExecution) = "tool_execution",
    /// A server or its catalogue changed. Published by the server pool.
    McpEvent(McpEvent) = "mcp_event",
    /// Something failed that belongs to no call. Published by whoever noticed.
    Error(ErrorEvent) = "error",
    /// Somebody said something. Published by the agent.
    Chat(Chat) = "chat",
    /// A turn began, waits or ended. Published by the agent.
    TurnEvent(TurnEvent) = "turn_event",
    /// A call needs, gets or is denied a person's consent. Published by the agent.
    Approval(Approval) = "approval_event",
    /// A server asks a person, or was answered. Published by the server pool.
    Question(QuestionEvent) = "question_event",
    /// A conversation was made or changed. Published by the agent.
    SessionEvent(SessionEvent) = "session_event",
    /// A background task was made, changed, ran, fired or was judged. Published by the scheduler and the judge.
    TaskEvent(TaskEvent) = "task_event",
    /// A notice was queued, sent, failed or held back. Published by the outbox.
    Notification(Notification) = "notification",
    /// An entry of the inbox came in or was dealt with. Published by the judge and the inbox.
    InboxEvent(InboxEvent) = "inbox_event",
    /// Memories were put before a turn (published by the agent), or changed (published by `app`, and not stored).
    Memory(MemoryEvent) = "memory_event",
}

impl EventBody {
    /// Whether it tells of a failure: such events are red wherever they are shown.
    pub fn is_error(&self) -> bool {
        match self {
            Self::HandoffCall(data) => data.status == Status::Error,
            Self::ToolExecution(data) => data.status == Status::Error,
            Self::Error(_) => true,
            Self::Chat(data) => data.status == ChatStatus::Failed,
            Self::TurnEvent(data) => matches!(data, TurnEvent::Finished { end: TurnEnd::Failed, .. }),
            Self::TaskEvent(data) => match &data.fact {
                TaskFact::RunFinished(run) => run.outcome == Outcome::Failed,
                TaskFact::TaskPaused { by_itself, .. } => *by_itself,
                _ => false,
            },
            Self::Notification(data) => matches!(data.status, DeliveryStatus::Failed | DeliveryStatus::Unknown),
            Self::McpEvent(_) | Self::Approval(_) | Self::Question(_) | Self::SessionEvent(_) | Self::InboxEvent(_) | Self::Memory(_) => {
                false
            }
            Self::Custom(custom) => custom.data.get("status").and_then(Value::as_str) == Some("error"),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = 4 + usize::from(self.seq.is_some()) + usize::from(self.session.is_some());
        let mut out = serializer.serialize_struct("Event", fields)?;
        out.serialize_field("type", self.body.type_name())?;
        out.serialize_field("data", &self.body)?;
        out.serialize_field("timestamp", &self.at)?;
        if let Some(seq) = self.seq {
            out.serialize_field("seq", &seq)?;
        }
        out.serialize_field("id", &self.id)?;
        if let Some(session) = &self.session {
            out.serialize_field("session", session)?;
        }
        out.end()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Envelope {
            #[serde(rename = "type")]
            type_name: String,
            #[serde(default)]
            data: Value,
            timestamp: Instant,
            #[serde(default)]
            seq: Option<Seq>,
            id: EventId,
            #[serde(default)]
            session: Option<SessionId>,
        }
        let envelope = Envelope::deserialize(deserializer)?;
        let body = EventBody::from_value(&envelope.type_name, envelope.data).map_err(D::Error::custom)?;
        Ok(Self { seq: envelope.seq, id: envelope.id, at: envelope.timestamp, session: envelope.session, body })
    }
}
