//! What passes between the program and a surface on another machine: questions as data, how the program stands, and how
//! the connection to it stands.
//!
//! Both ends use these definitions: `server` answers them at `POST /api/v2/query` and `GET /api/v2/status`, `remote` asks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::catalog::CompletionOf;
use crate::domain::clock::Instant;
use crate::domain::command::ApprovalMode;
use crate::domain::ids::{Seq, ServerName, SessionId, TaskId};
use crate::domain::memory::MemoryFilter;
use crate::domain::query::{EventFilter, ExportFormat, InboxFilter, SessionPage};

/// A question to [`crate::domain::query::Queries`] as data: one for each of its methods and those of its `EventReader`.
/// On the wire `{"query": "server_log", "args": {"server": "files", "lines": 100}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "query", content = "args", rename_all = "snake_case")]
pub enum Query {
    /// Sessions, the latest first.
    Sessions {
        /// Only those that hold this text.
        #[serde(default)]
        search: Option<String>,
        /// At most so many.
        limit: usize,
    },
    /// Stored events in ascending order.
    Events {
        /// Which.
        #[serde(default)]
        filter: EventFilter,
    },
    /// All events that make up a session.
    SessionEvents {
        /// Which.
        session: SessionId,
    },
    /// A part of them.
    SessionPage {
        /// Which.
        page: SessionPage,
    },
    /// All servers.
    Servers {},
    /// All tools.
    Tools {},
    /// Resources of a server, or of all.
    Resources {
        /// Which.
        #[serde(default)]
        server: Option<ServerName>,
    },
    /// What a resource holds.
    ReadResource {
        /// On which server.
        server: ServerName,
        /// Which.
        uri: String,
    },
    /// Prompts of all servers.
    Prompts {},
    /// A prompt with its arguments filled in.
    Prompt {
        /// On which server.
        server: ServerName,
        /// Which.
        name: String,
        /// The arguments.
        #[serde(default)]
        arguments: BTreeMap<String, String>,
    },
    /// What an argument may be.
    Completions {
        /// On which server.
        server: ServerName,
        /// Of what.
        of: CompletionOf,
        /// Which argument.
        argument: String,
        /// What it begins with.
        value: String,
        /// The arguments given so far.
        #[serde(default)]
        known: BTreeMap<String, String>,
    },
    /// Questions of servers that wait.
    Questions {},
    /// What a server wrote to its error output.
    ServerLog {
        /// Which.
        server: ServerName,
        /// At most so many lines, the last.
        lines: usize,
    },
    /// All models.
    Models {},
    /// All agents.
    Agents {},
    /// Background tasks.
    Tasks {
        /// Whose; everybody's where absent.
        #[serde(default)]
        user: Option<String>,
    },
    /// What a task's panel shows.
    TaskDetail {
        /// Which.
        task: TaskId,
    },
    /// Entries of the inbox.
    Inbox {
        /// Which.
        #[serde(default)]
        filter: InboxFilter,
    },
    /// Notices, newest first.
    Deliveries {
        /// At most so many.
        limit: usize,
    },
    /// The scheduler as a whole.
    AmbientStatus {},
    /// Memories.
    Memories {
        /// Which.
        #[serde(default)]
        filter: MemoryFilter,
    },
    /// How the memories stand.
    MemoryStatus {},
    /// A session as a document.
    Export {
        /// Which.
        session: SessionId,
        /// As what.
        format: ExportFormat,
    },
    /// What models took.
    Spending {
        /// In this session, beside today and all.
        #[serde(default)]
        session: Option<SessionId>,
        /// When today began, where the surface is.
        today: Instant,
    },
    /// Changes of files that can be taken back.
    Undoable {
        /// Of this session; of all where absent.
        #[serde(default)]
        session: Option<SessionId>,
    },
    /// How the cache stands.
    Cache {},
    /// How the reports to a coordinator stand.
    Report {},
    /// Looks at the set-up.
    Doctor {},
}

/// How long an answer may take that this program has at hand.
const AT_HAND: Duration = Duration::from_secs(10);

/// How long an answer may take for which a server or a provider is asked: as long as a tool, by default.
const ASKED_ON: Duration = Duration::from_mins(1);

impl Query {
    /// Puts empty arguments where `asked`, a question on the wire, has none: then none need be sent.
    pub fn complete(asked: &mut Map<String, Value>) {
        let args = asked.entry("args").or_insert(Value::Null);
        if args.is_null() {
            *args = Value::Object(Map::new());
        }
    }

    /// How long its answer may take.
    pub fn patience(&self) -> Duration {
        match self {
            Self::Sessions { .. }
            | Self::Events { .. }
            | Self::SessionEvents { .. }
            | Self::SessionPage { .. }
            | Self::Servers {}
            | Self::Tools {}
            | Self::Questions {}
            | Self::ServerLog { .. }
            | Self::Models {}
            | Self::Agents {}
            | Self::Tasks { .. }
            | Self::TaskDetail { .. }
            | Self::Inbox { .. }
            | Self::Deliveries { .. }
            | Self::Memories { .. }
            | Self::MemoryStatus {}
            | Self::Export { .. }
            | Self::Spending { .. }
            | Self::Undoable { .. }
            | Self::Report {}
            | Self::AmbientStatus {} => AT_HAND,
            Self::Resources { .. }
            | Self::ReadResource { .. }
            | Self::Prompts {}
            | Self::Prompt { .. }
            | Self::Completions { .. }
            | Self::Cache {}
            | Self::Doctor {} => ASKED_ON,
        }
    }

    /// Whether it names something that need not exist: where it has no answer, that is the likely reason.
    pub fn names_something(&self) -> bool {
        match self {
            Self::SessionEvents { .. }
            | Self::SessionPage { .. }
            | Self::Export { .. }
            | Self::Resources { .. }
            | Self::ReadResource { .. }
            | Self::Prompt { .. }
            | Self::Completions { .. }
            | Self::ServerLog { .. }
            | Self::TaskDetail { .. } => true,
            Self::Sessions { .. }
            | Self::Events { .. }
            | Self::Servers {}
            | Self::Tools {}
            | Self::Prompts {}
            | Self::Questions {}
            | Self::Models {}
            | Self::Agents {}
            | Self::Tasks { .. }
            | Self::Inbox { .. }
            | Self::Deliveries { .. }
            | Self::Memories { .. }
            | Self::MemoryStatus {}
            | Self::AmbientStatus {}
            | Self::Spending { .. }
            | Self::Undoable { .. }
            | Self::Cache {}
            | Self::Report {}
            | Self::Doctor {} => false,
        }
    }
}

/// The answer to a [`Query`] on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered<T> {
    /// The answer, in the shape of the method's own type.
    pub result: T,
}

/// How the program stands: `GET /api/v2/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// The id of its log: a position is only good with it.
    pub epoch: String,
    /// The last position of the log.
    pub head: Seq,
    /// `provider/model` of sessions that name none.
    pub default_model: String,
    /// That model's context in tokens, where it is known.
    #[serde(default)]
    pub context_window_tokens: Option<u64>,
    /// When tool calls of a new session need consent.
    #[serde(default)]
    pub mode: Option<ApprovalMode>,
    /// The IANA name of its time zone.
    pub timezone: String,
    /// Clients of the feed now.
    pub clients: usize,
}

/// The source of `error` events about the connection itself; they are made at the surface's end and stored nowhere. Where a
/// command was not delivered, it is in the details as `undelivered`.
pub const ATTACH: &str = "attach";

/// How the connection to a program elsewhere stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where the program is: `127.0.0.1:8000`.
    pub address: String,
    /// How it stands.
    pub state: LineState,
}

/// How a connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineState {
    /// It is being made.
    Connecting,
    /// What happens there is seen here.
    Live {
        /// The id of the log there: with another one everything is another.
        epoch: String,
    },
    /// It is lost, or could not be made, and will be tried again.
    Waiting {
        /// Why, in one line.
        reason: String,
        /// When.
        retry_at: Instant,
    },
    /// The program does not let us in. It is tried again all the same, seldom: somebody may set it right there.
    Refused {
        /// Why, in one line.
        reason: String,
        /// When.
        retry_at: Instant,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mut value: Value) -> serde_json::Result<Query> {
        if let Some(asked) = value.as_object_mut() {
            Query::complete(asked);
        }
        serde_json::from_value(value)
    }

    #[test]
    fn questions_read_as_documented() {
        let check = |value: Value, expected: Query| assert_eq!(read(value.clone()).unwrap(), expected, "{value}");
        check(json!({"query": "servers"}), Query::Servers {});
        check(json!({"query": "servers", "args": null}), Query::Servers {});
        check(json!({"query": "servers", "args": {"unknown": 1}}), Query::Servers {});
        check(json!({"query": "tasks"}), Query::Tasks { user: None });
        check(json!({"query": "server_log", "args": {"server": "a", "lines": 3}}), Query::ServerLog { server: "a".into(), lines: 3 });
        let filter = EventFilter { after: Some(Seq(7)), newest: true, ..EventFilter::default() };
        check(json!({"query": "events", "args": {"filter": {"after": 7, "newest": true}}}), Query::Events { filter });
    }

    #[test]
    fn what_is_wrong_with_a_question_is_named() {
        let check = |value: Value, part: &str| {
            let error = read(value.clone()).unwrap_err().to_string();
            assert!(error.contains(part), "{value}: {error}");
        };
        check(json!({"query": "colours"}), "unknown variant `colours`");
        check(json!({}), "missing field `query`");
        check(json!({"query": "server_log", "args": {"lines": 3}}), "missing field `server`");
        check(json!({"query": "sessions", "args": {"limit": -1}}), "-1");
    }

    #[test]
    fn a_question_survives_the_wire() {
        let all = [
            Query::Sessions { search: Some("x".to_owned()), limit: 3 },
            Query::Doctor {},
            Query::Completions {
                server: "a".into(),
                of: CompletionOf::Prompt { name: "p".to_owned() },
                argument: "q".to_owned(),
                value: "v".to_owned(),
                known: BTreeMap::from([("k".to_owned(), "w".to_owned())]),
            },
            Query::Inbox { filter: InboxFilter { all: true, limit: Some(2) } },
        ];
        for query in all {
            assert_eq!(read(serde_json::to_value(&query).unwrap()).unwrap(), query);
        }
    }
}
