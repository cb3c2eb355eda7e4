//! What reaches the state ([`Msg`]) and what it wants done ([`Effect`]). Both are plain data.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent};
use jiff::tz::TimeZone;
use ratatui::text::Line as Row;

use crate::bus::Delivery;
use crate::domain::cache::Stats;
use crate::domain::catalog::{PromptInfo, ResourceInfo, ResourcePart};
use crate::domain::clock::Instant;
use crate::domain::command::Command;
use crate::domain::event::Event;
use crate::domain::ids::{Seq, ServerName, SessionId, TaskId};
use crate::domain::memory::MemoryPage;
use crate::domain::notice::{self, InboxRow};
use crate::domain::query::{
    AgentInfo, AmbientStatus, CheckRow, ExportFormat, ModelInfo, ServerStatus, SessionSummary, Spending, TaskDetail,
};
use crate::domain::question::Question;
use crate::domain::remote::Line;
use crate::domain::report::ReportStatus;
use crate::domain::task::TaskRow;
use crate::domain::tool::ToolInfo;
use crate::domain::undo::UndoRow;
use crate::tui::Start;
use crate::tui::catalog::Typed;
use crate::tui::kept::Kept;
use crate::tui::moment::Moment;
use crate::tui::own::OwnCommands;
use crate::tui::panels::previews::Preview;
use crate::tui::settings::{Current, Value};
use crate::tui::theme::Themes;

/// Something happened to the screen.
#[derive(Debug, Clone)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// Keys that were pressed one after the other, all there at once.
    Keys(Vec<KeyEvent>),
    /// Text was pasted.
    Paste(String),
    /// The mouse moved, was pressed or turned.
    Mouse(MouseEvent),
    /// The terminal has another size: columns, rows.
    Resize(u16, u16),
    /// The terminal has (or lost) the focus.
    Focus(bool),
    /// The program stands.
    Backend(Link),
    /// The program cannot stand: why.
    BackendFailed(String),
    /// The connection to the program elsewhere stands otherwise now.
    Line(Line),
    /// Things happened, in order.
    Events(Vec<Delivery>),
    /// The program has stopped.
    EventsEnded,
    /// A question was answered.
    Answer(Answer),
    /// A command was not taken: why.
    NotSent(Box<Command>, String),
    /// Prompts of earlier runs, the oldest first.
    History(Vec<String>),
    /// Files for `@`: the query they answer, and the best paths.
    Files(String, Vec<String>),
    /// The terminal said what its background is: whether light, where that could be read.
    Background(Option<bool>),
    /// All themes, the user's own among them, and what is wrong with those.
    Themes(Themes, Vec<String>),
    /// The user's own commands.
    Own(OwnCommands),
    /// What earlier runs left.
    Kept(Box<Kept>),
    /// How the settings stand, by path.
    Settings(Result<BTreeMap<String, Current>, String>),
    /// A setting was written (`None`: taken out of the file): the file, or why not.
    SettingSaved(String, Option<Value>, Result<String, String>),
    /// A text is on the clipboard: how many lines, by which program. Or none took it, and the terminal is asked.
    Copied(usize, Result<&'static str, String>),
    /// The editor gave back a text, or failed.
    Edited(Result<String, String>),
    /// Something done outside of the loop is worth a line: whether it went well, and the line.
    Note(bool, String),
    /// Time passed: what moves may move.
    Tick,
}

/// What is known of the program once it stands.
#[derive(Debug, Clone)]
pub struct Link {
    /// For times on the screen.
    pub timezone: TimeZone,
    /// The session on the screen.
    pub start: Start,
    /// `provider/model` of sessions that name none.
    pub default_model: String,
    /// The names of all providers; none where they are not known.
    pub providers: Vec<String>,
    /// The model's context in tokens, where it is known.
    pub context_window_tokens: Option<u64>,
    /// Where other programs find the feed, where it is offered.
    pub feed: Option<String>,
}

/// What is asked of the program.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// All servers.
    Servers,
    /// The tools of one server.
    Tools(ServerName),
    /// What a server wrote.
    Log(ServerName),
    /// Sessions.
    Sessions,
    /// Sessions in whose title or text this stands.
    Find(String),
    /// What is told of one session in the list.
    Preview(SessionId),
    /// Models.
    Models,
    /// Agents.
    Agents,
    /// All tasks, and the scheduler as a whole.
    Tasks,
    /// The particulars of a task.
    Task(TaskId),
    /// The inbox and the notices.
    Inbox,
    /// Questions of servers that wait.
    Questions,
    /// Prompts of all servers.
    Prompts,
    /// A prompt's text.
    Prompt {
        /// Whose.
        server: ServerName,
        /// Its name there.
        name: String,
        /// Its arguments.
        arguments: BTreeMap<String, String>,
    },
    /// Resources of all servers.
    Resources,
    /// What a resource holds.
    Resource(ServerName, String),
    /// What a value that is being typed may be.
    Values(Typed),
    /// The state of the set-up.
    Doctor,
    /// The end of a session.
    Session(SessionId),
    /// What of a session comes before an event.
    Earlier(SessionId, Seq),
    /// What was missed after a position.
    After(Seq),
    /// How the cache stands.
    Cache,
    /// How the reports to a coordinator stand.
    Report,
    /// Memories that fit these words; the latest where empty.
    Memories(String),
    /// What models took: in a session, from a time on, in all.
    Spending(Option<SessionId>, Instant),
    /// Changes of files that can be taken back in a session.
    Undoable(SessionId),
    /// The same, to take one back where it is there: which (empty: the last one); whether even what others wrote since may go.
    LastChange(SessionId, String, bool),
    /// How tasks and servers were at an event, and when that was.
    Moment(Seq, Instant),
    /// All that makes up a session, to be shown again.
    Replay(SessionId),
}

/// A part of a stored session.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// Events before it that say how the session stands, and are not shown.
    pub facts: Vec<Arc<Event>>,
    /// The part.
    pub events: Vec<Arc<Event>>,
    /// Whether there is more before it.
    pub more: bool,
}

impl From<Vec<Arc<Event>>> for Stored {
    /// The whole of a session.
    fn from(events: Vec<Arc<Event>>) -> Self {
        Self { events, ..Self::default() }
    }
}

/// The answer to a [`Query`].
#[derive(Debug, Clone)]
pub enum Answer {
    /// All servers.
    Servers(Result<Vec<ServerStatus>, String>),
    /// The tools of one server.
    Tools(ServerName, Result<Vec<ToolInfo>, String>),
    /// What a server wrote.
    Log(ServerName, Result<Vec<String>, String>),
    /// Sessions, the latest first.
    Sessions(Result<Vec<SessionSummary>, String>),
    /// Sessions in whose title or text this stands.
    Found(String, Result<Vec<SessionSummary>, String>),
    /// What is told of one session in the list.
    Preview(SessionId, Result<Preview, String>),
    /// Models.
    Models(Result<Vec<ModelInfo>, String>),
    /// Agents.
    Agents(Result<Vec<AgentInfo>, String>),
    /// All tasks, and the scheduler as a whole.
    Tasks(Result<(Vec<TaskRow>, AmbientStatus), String>),
    /// The particulars of a task.
    Task(TaskId, Result<TaskDetail, String>),
    /// The inbox and the notices.
    Inbox(Result<(Vec<InboxRow>, Vec<notice::Delivery>), String>),
    /// Questions of servers that wait.
    Questions(Result<Vec<Question>, String>),
    /// Prompts of all servers.
    Prompts(Result<Vec<PromptInfo>, String>),
    /// A prompt's text: of which server, which prompt.
    Prompt(ServerName, String, Result<String, String>),
    /// Resources of all servers.
    Resources(Result<Vec<ResourceInfo>, String>),
    /// What a resource holds.
    Resource(ServerName, String, Result<Vec<ResourcePart>, String>),
    /// What a value that is being typed may be.
    Values(Typed, Result<Vec<String>, String>),
    /// The state of the set-up.
    Doctor(Result<Vec<CheckRow>, String>),
    /// The end of a session.
    Session(SessionId, Result<Stored, String>),
    /// What comes before it.
    Earlier(SessionId, Result<Stored, String>),
    /// How the cache stands.
    Cache(Result<Stats, String>),
    /// How the reports to a coordinator stand.
    Report(Result<ReportStatus, String>),
    /// What models took.
    Spending(Result<Spending, String>),
    /// Changes of files that can be taken back.
    Undoable(Result<Vec<UndoRow>, String>),
    /// To [`Query::LastChange`].
    LastChange(String, bool, Result<Vec<UndoRow>, String>),
    /// How tasks and servers were at an event.
    Moment(Seq, Result<Box<Moment>, String>),
    /// All that makes up a session, to be shown again.
    Replay(SessionId, Result<Vec<Arc<Event>>, String>),
    /// Memories that fit these words.
    Memories(String, Result<MemoryPage, String>),
    /// What was missed.
    After(Result<Vec<Arc<Event>>, String>),
}

/// Something that the state wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Hand a command to the program.
    Send(Command),
    /// Ask the program.
    Ask(Query),
    /// Find files for `@`.
    FindFiles {
        /// What is typed behind it.
        query: String,
        /// Files that were put in before, and what they weigh.
        used: Vec<(String, u32)>,
    },
    /// Read the user's own commands, where they changed.
    ReadOwn,
    /// Keep this for later runs.
    Keep(String),
    /// Write a report about a fault, the settings below it.
    Report(String),
    /// Read the settings.
    ReadSettings,
    /// Write a setting into the config file, or take it out.
    SaveSetting(String, Option<Value>),
    /// Keep a prompt for later runs.
    KeepPrompt(String),
    /// Open an address in the browser; only `http` and `https`.
    Open(String),
    /// Put text on the clipboard, by whatever does it here.
    Copy(String),
    /// Put text on the clipboard by the terminal itself (OSC 52).
    CopyByTerminal(String),
    /// Open a file that a result was saved in.
    OpenFile(PathBuf),
    /// Print rows into the terminal's own scrollback and wait for a key.
    Dump(Vec<Row<'static>>),
    /// Open the user's editor on a text; whether its result becomes the draft.
    Edit {
        /// The text.
        text: String,
        /// Whether the result is wanted.
        keep: bool,
    },
    /// Write a session to a file that does not exist yet.
    Export {
        /// Which.
        session: SessionId,
        /// As what.
        format: ExportFormat,
        /// Where to.
        path: PathBuf,
    },
    /// Write all memories to a file that does not exist yet, as JSON lines.
    ExportMemories(PathBuf),
    /// Use the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Stop the program until the shell wakes it.
    Suspend,
    /// Clear the terminal and draw all of it.
    Redraw,
    /// Leave.
    Quit,
}
