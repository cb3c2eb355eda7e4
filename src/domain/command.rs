//! What a person or a program wants. Surfaces send commands; the engine answers with events.
//!
//! A command carries the ids of what it makes, chosen by its sender, so that no reply is needed: the sender knows
//! what to look for in the feed.

use serde::{Deserialize, Serialize};

use crate::domain::cache::Kind;
use crate::domain::clock::Instant;
use crate::domain::event::Scope;
use crate::domain::ids::{CallId, InboxId, MessageId, NoticeId, QuestionId, Seq, ServerName, SessionId, TaskId};
use crate::domain::memory::MemoryCommand;
use crate::domain::question::Reply;
use crate::domain::task::TaskKind;

/// When tool calls need a person's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalMode {
    /// Every call asks, unless a remembered answer covers it.
    Ask,
    /// Calls that only read, by a trusted server's word, run unasked.
    #[default]
    AutoRead,
    /// Every call runs unasked.
    Auto,
}

impl ApprovalMode {
    /// All modes, in the order in which Shift+Tab goes through them.
    pub const ALL: [Self; 3] = [Self::Ask, Self::AutoRead, Self::Auto];

    /// The name in the config, on the command line and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::AutoRead => "auto-read",
            Self::Auto => "auto",
        }
    }

    /// The mode that Shift+Tab comes to next.
    pub fn next(self) -> Self {
        match self {
            // Towards asking first: from what is the default one press must not be enough for nothing to be asked any more.
            Self::AutoRead => Self::Ask,
            Self::Ask => Self::Auto,
            Self::Auto => Self::AutoRead,
        }
    }
}

impl std::str::FromStr for ApprovalMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| format!("unknown approval mode `{text}`: one of ask, auto-read, auto"))
    }
}

/// When a message that is sent while a turn runs takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It joins the running turn at its next step.
    #[default]
    Steer,
    /// It waits until the turn has ended.
    Queue,
}

/// A person's answer to a question for consent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The call may run.
    Allow {
        /// How far the consent reaches.
        scope: Scope,
    },
    /// The call may not run.
    Refuse {
        /// What to do instead, in the person's words.
        instead: Option<String>,
    },
}

/// How a new session starts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SessionOptions {
    /// `provider/model`; the configured default where absent.
    pub model: Option<String>,
    /// The configured default where absent.
    pub mode: Option<ApprovalMode>,
    /// The folder it works in; the program's own where absent.
    pub cwd: Option<String>,
    /// A title; made from the first message where absent.
    pub title: Option<String>,
}

/// What is wanted of the servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum McpCommand {
    /// Close the connection and make a new one, at once.
    Restart(ServerName),
    /// Connect a server that was disabled.
    Enable(ServerName),
    /// Close the connection and leave it closed.
    Disable(ServerName),
    /// Add a server for this run: a URL, or a command line.
    Add {
        /// Its name.
        name: ServerName,
        /// A URL (`http…`) or a command with arguments.
        target: String,
    },
    /// Close the connection and forget the server for this run.
    Remove(ServerName),
    /// Show each message to and from a server (of all where absent) as an event that is not stored, or stop doing so.
    Trace {
        /// Which.
        server: Option<ServerName>,
        /// Show them.
        on: bool,
    },
    /// Log in to a server by OAuth: its tokens are forgotten, then it is connected again, which asks a person to open an address.
    Login {
        /// Which.
        server: ServerName,
    },
    /// Forget a server's tokens and close the connection.
    Logout(ServerName),
    /// Be told when a resource changes, or no more.
    Subscribe {
        /// Whose.
        server: ServerName,
        /// Its address.
        uri: String,
        /// Be told.
        on: bool,
    },
    /// Ask a server for log messages of this level and above: `debug` … `emergency`.
    LogLevel {
        /// Which.
        server: ServerName,
        /// The level.
        level: String,
    },
    /// Lend a tool, or hold it back for this run.
    Tool {
        /// Whose.
        server: ServerName,
        /// Its name there.
        tool: String,
        /// Lend it.
        on: bool,
    },
}

impl McpCommand {
    /// The server that must be there for it.
    pub fn server(&self) -> Option<&ServerName> {
        match self {
            Self::Restart(server)
            | Self::Enable(server)
            | Self::Disable(server)
            | Self::Remove(server)
            | Self::Logout(server)
            | Self::Login { server }
            | Self::Subscribe { server, .. }
            | Self::LogLevel { server, .. }
            | Self::Tool { server, .. } => Some(server),
            Self::Trace { server, .. } => server.as_ref(),
            Self::Add { .. } => None,
        }
    }
}

/// What is wanted of the background tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskCommand {
    /// Run it now, out of turn.
    Run(TaskId),
    /// Let it rest.
    Pause(TaskId),
    /// Let it go on.
    Resume(TaskId),
    /// Forget it.
    Delete(TaskId),
    /// Change it: fields of `description`, `config`, `callback_url`; those of `config` are merged into the present one.
    Update {
        /// Which.
        task: TaskId,
        /// The fields.
        changes: serde_json::Map<String, serde_json::Value>,
    },
    /// Raise the event of a kind through the whole path, marked as simulated; all four where absent.
    Simulate(Option<TaskKind>),
}

/// What is wanted of the cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheCommand {
    /// Forget what is kept.
    Clear {
        /// Of which kind; everything where absent.
        #[serde(default)]
        kind: Option<Kind>,
    },
}

/// What is wanted of the reports to a coordinator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportCommand {
    /// Try at once what waits for its time.
    Retry,
    /// Send dead letters again: those with these numbers, or all.
    Resend {
        /// Which; all where absent.
        #[serde(default)]
        numbers: Option<Vec<i64>>,
    },
}

/// What is wanted of the inbox and the notices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InboxCommand {
    /// It was read.
    Read(InboxId),
    /// It is to be read again.
    Unread(InboxId),
    /// Out of sight until then.
    Snooze {
        /// Which.
        item: InboxId,
        /// Until when.
        until: Instant,
    },
    /// Out of sight.
    Archive(InboxId),
    /// An answer: `yes` to an entry that asks tells by the task's channel; anything else goes to the agent.
    Answer {
        /// Which.
        item: InboxId,
        /// The answer.
        text: String,
    },
    /// Fewer (or more) like this: the judge is told.
    Feedback {
        /// Which.
        item: InboxId,
        /// Fewer, not more.
        fewer: bool,
    },
    /// Send a dead or unknown notice again.
    Resend(NoticeId),
    /// Send a notice to try a channel out; the configured ones where `channel` is absent.
    TestNotice {
        /// `sms`, `email`, `webhook`, `ntfy`, `desktop`, `terminal`.
        channel: Option<String>,
        /// To whom, where the config names nobody.
        to: Option<String>,
    },
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Make a session.
    NewSession {
        /// Its id.
        session: SessionId,
        /// How it starts.
        options: SessionOptions,
    },
    /// Go on with a stored session: what a crash left open is closed, what was queued goes on.
    OpenSession {
        /// Which.
        session: SessionId,
    },
    /// Say something to the agent.
    Submit {
        /// Where.
        session: SessionId,
        /// The message's id.
        message_id: MessageId,
        /// The text.
        text: String,
        /// When it takes effect if a turn runs.
        delivery: Delivery,
    },
    /// Run a shell line as the user's own call of a tool: asked about as any other, shown and kept in the conversation,
    /// without asking the model. Refused while a turn runs.
    Shell {
        /// Where.
        session: SessionId,
        /// The message's id.
        message_id: MessageId,
        /// The line.
        command: String,
    },
    /// Take back a change that a file tool made, as the user's own call: asked about with the difference, shown and kept in
    /// the conversation, without asking the model. Refused while a turn runs.
    Undo {
        /// Where.
        session: SessionId,
        /// The message's id.
        message_id: MessageId,
        /// A number of the list or the start of an id; the session's last change where empty.
        change: String,
        /// Also where the file has changed since.
        force: bool,
    },
    /// Change a queued message, or take it back (`None`).
    EditQueued {
        /// Where.
        session: SessionId,
        /// Which message.
        message_id: MessageId,
        /// The new text.
        text: Option<String>,
    },
    /// Stop the running turn.
    Interrupt {
        /// Where.
        session: SessionId,
    },
    /// Answer a question for consent.
    Decide {
        /// Where.
        session: SessionId,
        /// The call in question.
        call_id: CallId,
        /// The answer.
        decision: Decision,
    },
    /// Make a session that starts as another one stood.
    ForkSession {
        /// The new session's id.
        session: SessionId,
        /// The session that is forked.
        from: SessionId,
        /// Its last event that counts; all where absent.
        upto: Option<Seq>,
    },
    /// Forget what came after an event.
    Rewind {
        /// Where.
        session: SessionId,
        /// The last event that counts.
        to: Seq,
    },
    /// Give a session a title.
    Rename {
        /// Which.
        session: SessionId,
        /// The title.
        title: String,
    },
    /// Replace the history by a summary.
    Compact {
        /// Which.
        session: SessionId,
    },
    /// Answer with another model from here on.
    SetModel {
        /// Where.
        session: SessionId,
        /// `provider/model`, or a model of the present provider.
        model: String,
    },
    /// Ask for consent by another rule from here on.
    SetMode {
        /// Where.
        session: SessionId,
        /// The rule.
        mode: ApprovalMode,
    },
    /// Answer a server's question.
    Reply {
        /// Which question.
        question: QuestionId,
        /// The answer.
        reply: Reply,
    },
    /// Something about the servers.
    Mcp(McpCommand),
    /// Something about the background tasks.
    Task(TaskCommand),
    /// Something about the inbox and the notices.
    Inbox(InboxCommand),
    /// Something about the cache.
    Cache(CacheCommand),
    /// Something about the memories.
    Memory(MemoryCommand),
    /// Something about the reports to a coordinator.
    Report(ReportCommand),
}

impl Command {
    /// The session that it concerns, if any.
    pub fn session(&self) -> Option<&SessionId> {
        match self {
            Self::NewSession { session, .. }
            | Self::OpenSession { session }
            | Self::Submit { session, .. }
            | Self::Shell { session, .. }
            | Self::Undo { session, .. }
            | Self::EditQueued { session, .. }
            | Self::Interrupt { session }
            | Self::Decide { session, .. }
            | Self::ForkSession { session, .. }
            | Self::Rewind { session, .. }
            | Self::Rename { session, .. }
            | Self::Compact { session }
            | Self::SetModel { session, .. }
            | Self::SetMode { session, .. } => Some(session),
            Self::Reply { .. } | Self::Mcp(_) | Self::Task(_) | Self::Inbox(_) | Self::Cache(_) | Self::Memory(_) | Self::Report(_) => None,
        }
    }

    /// Whether it does no more when it is sent a second time: what it makes or answers has an id, or it says how things
    /// are to be. Where it is not known whether such a command arrived it may be sent again.
    pub fn bears_repeating(&self) -> bool {
        match self {
            Self::NewSession { .. }
            | Self::OpenSession { .. }
            | Self::Submit { .. }
            | Self::Shell { .. }
            | Self::Undo { .. }
            | Self::EditQueued { .. }
            | Self::Decide { .. }
            | Self::ForkSession { .. }
            | Self::Rename { .. }
            | Self::SetModel { .. }
            | Self::SetMode { .. }
            | Self::Reply { .. }
            | Self::Report(ReportCommand::Retry | ReportCommand::Resend { .. }) => true,
            // By then there may be another turn, and more events; and something else in the cache.
            Self::Interrupt { .. } | Self::Rewind { .. } | Self::Compact { .. } | Self::Cache(CacheCommand::Clear { .. }) => false,
            Self::Mcp(command) => match command {
                McpCommand::Enable(_)
                | McpCommand::Disable(_)
                | McpCommand::Remove(_)
                | McpCommand::Trace { .. }
                | McpCommand::Logout(_)
                | McpCommand::Subscribe { .. }
                | McpCommand::LogLevel { .. }
                | McpCommand::Tool { .. } => true,
                McpCommand::Restart(_) | McpCommand::Add { .. } | McpCommand::Login { .. } => false,
            },
            Self::Task(command) => match command {
                TaskCommand::Pause(_) | TaskCommand::Resume(_) | TaskCommand::Delete(_) | TaskCommand::Update { .. } => true,
                TaskCommand::Run(_) | TaskCommand::Simulate(_) => false,
            },
            Self::Memory(command) => match command {
                // What says the same is joined.
                MemoryCommand::Remember { .. } | MemoryCommand::Update { .. } => true,
                // By then the words may fit another one.
                MemoryCommand::Forget { .. } => false,
            },
            // A coordinator knows what it has.
            Self::Inbox(command) => match command {
                InboxCommand::Read(_) | InboxCommand::Unread(_) | InboxCommand::Snooze { .. } | InboxCommand::Archive(_) => true,
                InboxCommand::Answer { .. } | InboxCommand::Feedback { .. } | InboxCommand::Resend(_) | InboxCommand::TestNotice { .. } => {
                    false
                }
            },
        }
    }
}
