//! One frame of the feed: made once, shared by all who read it.

use axum::extract::ws::Utf8Bytes;

use crate::domain::event::Event;
use crate::domain::ids::Seq;

/// The classes of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ClientClass {
    /// Looks on; the default.
    MCPLog,
    /// A client of the agent.
    MCPClient,
    /// Lends its tools to the agent.
    DistributedServer,
}

impl ClientClass {
    /// All classes.
    pub const ALL: [Self; 3] = [Self::MCPLog, Self::MCPClient, Self::DistributedServer];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MCPLog => "MCPLog",
            Self::MCPClient => "MCPClient",
            Self::DistributedServer => "DistributedServer",
        }
    }

    /// The class of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

/// To whom a frame goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// Everybody.
    #[default]
    All,
    /// One class.
    Class(ClientClass),
    /// One client, by its id.
    Client(String),
}

impl Target {
    /// Whether a client is meant.
    pub fn means(&self, class: ClientClass, client: &str) -> bool {
        match self {
            Self::All => true,
            Self::Class(wanted) => *wanted == class,
            Self::Client(wanted) => wanted == client,
        }
    }
}

/// One event as it goes out: its JSON is made once.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The envelope as JSON.
    pub json: Utf8Bytes,
    /// Its `type`.
    pub kind: Box<str>,
    /// Its position in the log; none for what is not stored.
    pub seq: Option<Seq>,
    /// To whom it goes.
    pub target: Target,
}

impl Frame {
    /// The frame of an event. None where it cannot be JSON (none of ours can fail).
    pub fn of(event: &Event) -> Option<Self> {
        let json = serde_json::to_string(event).inspect_err(|error| tracing::error!(%error, "an event is no JSON")).ok()?;
        Some(Self { json: json.into(), kind: event.body.type_name().into(), seq: event.seq, target: Target::All })
    }
}
