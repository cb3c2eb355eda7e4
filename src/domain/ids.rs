//! Identifiers as newtypes, so that two strings cannot be swapped.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::clock::Instant;

macro_rules! string_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps an identifier that somebody else chose.
            pub fn new(value: impl AsRef<str>) -> Self {
                Self(Arc::from(value.as_ref()))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self::new(value)
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self(Arc::from(value))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident) => {
        string_id!($(#[$meta])* $name);

        impl $name {
            /// A new identifier: `UUIDv7` (RFC 9562), so that identifiers sort by the time they were made.
            pub fn generate() -> Self {
                Self(Arc::from(Uuid::now_v7().to_string()))
            }
        }
    };
}

macro_rules! random_id {
    ($(#[$meta:meta])* $name:ident) => {
        string_id!($(#[$meta])* $name);

        impl $name {
            /// A new identifier: random (`UUIDv4`, RFC 9562), so that its first characters name it.
            pub fn generate() -> Self {
                let bytes = std::array::from_fn(|_| fastrand::u8(..));
                Self(Arc::from(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()))
            }
        }
    };
}

uuid_id!(
    /// One event, everywhere it is seen.
    EventId
);
uuid_id!(
    /// One conversation.
    SessionId
);
uuid_id!(
    /// One turn of an agent: from a prompt to the answer.
    TurnId
);
uuid_id!(
    /// One message of a user, from the moment it is typed (it may wait in the queue).
    MessageId
);
random_id!(
    /// One background task.
    TaskId
);
random_id!(
    /// One firing: something that a task, a caller or a simulation found worth a decision.
    FiringId
);
random_id!(
    /// One notice on its way to somebody over one channel; the idempotency key at receivers that know such keys.
    NoticeId
);
random_id!(
    /// One entry of the inbox.
    InboxId
);
random_id!(
    /// One question that a server puts to a person.
    QuestionId
);
random_id!(
    /// One memory; its first characters name it.
    MemoryId
);
uuid_id!(
    /// One record of an interaction: the key by which a coordinator stores it once.
    RecordId
);
string_id!(
    /// One interaction that is reported: `int_<Unix seconds>_<8 hex digits>`.
    InteractionId
);
string_id!(
    /// One tool call or handoff, unique in its session. The model chooses it where it is usable.
    CallId
);
string_id!(
    /// The name of an MCP server as configured.
    ServerName
);
string_id!(
    /// The name of a tool as the model sees it: `[A-Za-z0-9_-]{1,64}`, unique over all servers.
    ToolName
);
string_id!(
    /// The name of an agent from `[agents.NAME]`.
    AgentName
);
string_id!(
    /// The stream an event belongs to (`session-<id>`, `task-<id>`, `inbox`, `system`); versions count within a stream.
    StreamId
);

impl StreamId {
    /// The stream of events that belong to no session.
    pub fn system() -> Self {
        Self::new("system")
    }

    /// The stream of the inbox.
    pub fn inbox() -> Self {
        Self::new("inbox")
    }

    /// The stream of one background task.
    pub fn task(task: &TaskId) -> Self {
        Self::from(format!("task-{task}"))
    }

    /// The stream of one session.
    pub fn session(session: &SessionId) -> Self {
        Self::from(format!("session-{session}"))
    }
}

impl CallId {
    /// A new identifier of nine letters and digits, the only form that every provider takes.
    pub fn generate() -> Self {
        let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(9).collect();
        Self::from(id)
    }
}

impl InteractionId {
    /// A new identifier for what began at `at`.
    pub fn generate(at: Instant) -> Self {
        Self::from(format!("int_{}_{:08x}", at.as_millis().div_euclid(1000), fastrand::u32(..)))
    }
}

/// A position in the durable log: 1, 2, 3 … without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
