//! The slash commands: one table; the popup, the help, the palette and the README's table come from its rows.
//!
//! A row's function turns its arguments into what is wanted and knows nothing else, so every command can be tested by
//! its text. A name that is not in the table is an error with a suggestion: the nearest command is never run.

pub mod mcp;
mod memory;
mod sessions;
mod tasks;
#[cfg(test)]
mod tests;

use crate::domain::cache::Kind;
use crate::domain::command::{ApprovalMode, McpCommand, ReportCommand};
use crate::domain::ids::ServerName;
use crate::domain::query::ExportFormat;
use crate::domain::task::TaskKind;
use crate::tui::replay::Pace;
use crate::tui::tabs::TabWant;

pub use memory::MemoryWant;
pub use tasks::{TaskVerb, edit_line};

/// What a slash command wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    /// Show the help.
    Help,
    /// Start a new session.
    New,
    /// Pick a session, starting with this search.
    Sessions(String),
    /// Go on with the session whose id starts so; the one before this where empty.
    Resume(String),
    /// Go on in a copy.
    Fork,
    /// Give the session a title.
    Rename(String),
    /// Write the session to a file.
    Export {
        /// Which; a name is made where absent.
        path: Option<String>,
        /// As what.
        format: ExportFormat,
    },
    /// Show what is kept of what was fetched.
    Cache,
    /// Forget it: a kind, or everything.
    ClearCache(Option<Kind>),
    /// Show how the reports to a coordinator stand.
    Reports,
    /// Do something with them.
    Report(ReportCommand),
    /// Show what models took.
    Cost,
    /// Take back a change of a file.
    Undo {
        /// A number of the list or the start of an id; the last where empty.
        change: String,
        /// Also where the file has changed since.
        force: bool,
    },
    /// Show the changes that can be taken back.
    Undoable,
    /// Something about the tabs.
    Tab(TabWant),
    /// Show a session again.
    Replay {
        /// Which: its id or the start of it; this one where absent.
        session: Option<String>,
        /// How fast.
        pace: Pace,
    },
    /// Replace the history by a summary.
    Compact,
    /// Empty the chat on the screen.
    Clear,
    /// Pick a model.
    Models,
    /// Use this model.
    Model(String),
    /// Show the agents.
    Agents,
    /// Show the approval mode.
    Approvals,
    /// Use this approval mode.
    Mode(ApprovalMode),
    /// Show the servers.
    Servers,
    /// Do something with a server.
    Mcp(McpCommand),
    /// Show a server's tools.
    Tools(ServerName),
    /// Show a server's messages.
    Logs(ServerName),
    /// Browse resources, of one server or of all.
    Resources(Option<ServerName>),
    /// Pick a prompt, of one server or of all.
    Prompts(Option<ServerName>),
    /// Send a server's prompt.
    Prompt {
        /// `server:prompt`.
        name: String,
        /// Its arguments as they were typed.
        args: String,
    },
    /// Show the events, filtered.
    Events(String),
    /// Pick a theme.
    Themes,
    /// Use this theme.
    Theme(String),
    /// Show the settings.
    Config,
    /// Show all keys.
    Keys,
    /// Write a report about a fault.
    Bug,
    /// Look at the set-up.
    Doctor,
    /// Show how things stand.
    Status,
    /// Copy the last answer, or its last code block.
    Copy {
        /// Only the last code block.
        code: bool,
    },
    /// Show the tasks that hold these words.
    Tasks(String),
    /// Do something with a task.
    Task {
        /// Which: its id, the start of it, or words of its description.
        wanted: String,
        /// What.
        verb: TaskVerb,
    },
    /// Show the inbox.
    Inbox,
    /// Answer an entry of the inbox.
    Answer {
        /// The start of its id.
        item: String,
        /// The answer.
        text: String,
    },
    /// Raise the event of a kind of task, or of all.
    Simulate(Option<TaskKind>),
    /// Try a channel out, or the configured ones.
    Notify {
        /// The channel.
        channel: Option<String>,
        /// To whom.
        to: Option<String>,
    },
    /// Something about the memories.
    Memory(MemoryWant),
    /// Run the tour.
    Demo,
    /// Leave.
    Quit,
}

/// One row of the table.
#[derive(Clone, Copy)]
pub struct SlashRow {
    /// The name behind the slash.
    pub name: &'static str,
    /// Its arguments, for people; empty where it has none.
    pub args: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// From arguments to what is wanted; the error says what is missing.
    pub parse: fn(&str) -> Result<Want, String>,
    /// Whether the name alone, without slash, counts as well.
    pub bare: bool,
}

const fn row(name: &'static str, args: &'static str, help: &'static str, parse: fn(&str) -> Result<Want, String>) -> SlashRow {
    SlashRow { name, args, help, parse, bare: false }
}

const fn bare(row: SlashRow) -> SlashRow {
    SlashRow { bare: true, ..row }
}

/// The table.
pub const COMMANDS: &[SlashRow] = &[
    row("help", "", "keys and commands", |args| none(args, Want::Help)),
    row("new", "", "start a new session", |args| none(args, Want::New)),
    row("sessions", "[search]", "pick a session to go on with", |args| Ok(Want::Sessions(args.to_owned()))),
    row("resume", "[id]", "go on with a session; without an id: pick one", |args| Ok(Want::Resume(args.to_owned()))),
    row("fork", "", "go on in a copy of this session", |args| none(args, Want::Fork)),
    row("rename", "TITLE", "give this session a title", |args| some(args, "a title").map(Want::Rename)),
    row("tab", "[new|close|next|prev|asking|N|SESSION]", "several sessions at once; alone: a new one", sessions::tab),
    row("replay", "[SESSION] [1x|10x|step]", "show a session again from the log, event by event", sessions::replay),
    row("export", "[FILE.md|.json|.html]", "write the session to a file, from the log", sessions::export),
    row("compact", "", "replace the history by a summary", |args| none(args, Want::Compact)),
    row("clear", "", "empty the chat on the screen; the session goes on", |args| none(args, Want::Clear)),
    row("model", "[PROVIDER/MODEL]", "answer with another model", |args| {
        Ok(if args.is_empty() { Want::Models } else { Want::Model(args.to_owned()) })
    }),
    row("agents", "", "agents that can be handed a task", |args| none(args, Want::Agents)),
    row("approvals", "[ask|auto-read|auto]", "when tool calls ask first", approvals),
    row(
        "mcp",
        "[list|add|tools|resources|prompts|login|trace …] [SERVER]",
        "servers: look, connect, add, browse what they lend",
        mcp::parse,
    ),
    bare(row("tasks", "[FILTER]", "background tasks: next runs, results, what they cost", |args| Ok(Want::Tasks(args.to_owned())))),
    row("task", "ID|WORDS [why|diff|history|run|pause|resume|delete|edit KEY=VALUE …]", "one task: look, run, change", tasks::task),
    row("inbox", "[answer ID TEXT]", "what the tasks told and ask; answers", tasks::inbox),
    bare(row("simulate", "[EVENT_TYPE|KIND]", "raise the events of the tasks, marked as simulated", tasks::simulate)),
    row("notify", "test [CHANNEL] [TO]", "send a notice to try a channel out", tasks::notify),
    row("remember", "TEXT", "remember something across sessions", memory::remember),
    row("forget", "ID|WORDS", "forget a memory for good", memory::forget),
    row("search", "WORDS", "find memories", memory::search),
    row("memory", "[edit ID TEXT|export [FILE.jsonl]]", "what is remembered across sessions: read, change, forget", memory::memory),
    row("events", "[FILTER]", "events pane; type:tool_execution server:name status:error or text", |args| {
        Ok(Want::Events(args.to_owned()))
    }),
    row("theme", "[NAME]", "colours", |args| Ok(if args.is_empty() { Want::Themes } else { Want::Theme(args.to_owned()) })),
    row("config", "", "settings: change them, kept in the config file", |args| none(args, Want::Config)),
    row("keys", "", "all keys; press one to see what it does", |args| none(args, Want::Keys)),
    row("doctor", "", "check the set-up", |args| none(args, Want::Doctor)),
    row("bug", "", "write a report of what is set up and went wrong, without secrets", |args| none(args, Want::Bug)),
    row("status", "", "session, model, servers, tokens", |args| none(args, Want::Status)),
    row("cost", "", "tokens and cost by model: this session, today, all", |args| none(args, Want::Cost)),
    row("undo", "[list|N|force [N]]", "take back a change that a tool made to a file; asks with the difference", undo),
    row("cache", "[clear [KIND]]", "what is kept of pages, searches, weather …; forget it", cache),
    row("report", "[retry|resend [NUMBER …]]", "reports to a coordinator: what waits, was refused; send it again", report),
    row("copy", "[code]", "copy the last answer, or its last code block", copy),
    bare(row("demo", "", "a short tour", |args| none(args, Want::Demo))),
    bare(row("quit", "", "leave", |args| none(args, Want::Quit))),
    bare(row("exit", "", "leave", |args| none(args, Want::Quit))),
    bare(row("q", "", "leave", |args| none(args, Want::Quit))),
];

/// What `text` wants, if it is a command: it starts with a slash, or is one of the bare words.
///
/// # Errors
/// When the command is unknown or its arguments do not fit; one sentence for the user.
pub fn parse(text: &str) -> Option<Result<Want, String>> {
    let text = text.trim();
    let Some(rest) = text.strip_prefix('/') else {
        let row = COMMANDS.iter().find(|row| row.bare && row.name.eq_ignore_ascii_case(text))?;
        return Some((row.parse)(""));
    };
    let (name, args) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if is_prompt(name) {
        return Some(Ok(Want::Prompt { name: name.to_owned(), args: args.trim().to_owned() }));
    }
    if text.contains('\n') || !rest.starts_with(|ch: char| ch.is_ascii_alphabetic()) || is_path(rest) {
        return None;
    }
    Some(match COMMANDS.iter().find(|row| row.name == name) {
        Some(row) => (row.parse)(args.trim()).map_err(|reason| with_usage(reason, &usage(row))),
        None => Err(unknown(name)),
    })
}

/// `/server:prompt …`. What has a slash before its colon is a path or an address.
pub fn is_prompt(name: &str) -> bool {
    name.split_once(':')
        .is_some_and(|(server, prompt)| !server.is_empty() && !server.contains('/') && !prompt.is_empty() && !prompt.starts_with("//"))
}

/// `/usr/bin/env …` is text, not a command.
fn is_path(rest: &str) -> bool {
    rest.split_whitespace().next().is_some_and(|word| word.contains('/'))
}

/// A reason with the usage behind it, unless a narrower one stands there already.
fn with_usage(reason: String, usage: &str) -> String {
    const MARK: &str = "; usage: ";
    if reason.contains(MARK) { reason } else { format!("{reason}{MARK}{usage}") }
}

/// `/name ARGS`.
pub fn usage(row: &SlashRow) -> String {
    format!("/{} {}", row.name, row.args).trim_end().to_owned()
}

/// The row whose name is `prefix`, then those whose name starts with it, then those that hold it.
pub fn complete(prefix: &str) -> Vec<&'static SlashRow> {
    let prefix = prefix.to_ascii_lowercase();
    let shown = |row: &&SlashRow| !matches!(row.name, "exit" | "q");
    let mut rows: Vec<_> = COMMANDS.iter().filter(shown).filter(|row| row.name.contains(&prefix)).collect();
    rows.sort_by_key(|row| (row.name != prefix, !row.name.starts_with(&prefix)));
    rows
}

/// What may stand for the last argument of the command `name`, as far as that is one of few words.
pub fn arguments(name: &str, before: &[&str], word: &str) -> Vec<&'static str> {
    tasks::arguments(name, before).iter().copied().filter(|argument| argument.starts_with(word)).collect()
}

fn unknown(name: &str) -> String {
    let name = crate::domain::text::ellipsis(&crate::domain::text::clean_line(name), 40).into_owned();
    let nearest = COMMANDS.iter().map(|row| (strsim::damerau_levenshtein(row.name, &name), row.name)).min();
    match nearest {
        Some((distance, near)) if distance <= 2 => format!("unknown command `/{name}`; did you mean `/{near}`?"),
        _ => format!("unknown command `/{name}`; `/help` lists all"),
    }
}

fn none(args: &str, want: Want) -> Result<Want, String> {
    if args.is_empty() { Ok(want) } else { Err("this command takes no arguments".to_owned()) }
}

fn some(args: &str, what: &str) -> Result<String, String> {
    if args.is_empty() { Err(format!("{what} is missing")) } else { Ok(args.to_owned()) }
}

fn approvals(args: &str) -> Result<Want, String> {
    if args.is_empty() { Ok(Want::Approvals) } else { args.parse().map(Want::Mode) }
}

fn undo(args: &str) -> Result<Want, String> {
    let words: Vec<&str> = args.split_whitespace().collect();
    match words.as_slice() {
        ["list"] => Ok(Want::Undoable),
        [] => Ok(Want::Undo { change: String::new(), force: false }),
        ["force"] => Ok(Want::Undo { change: String::new(), force: true }),
        ["force", change] | [change, "force"] => Ok(Want::Undo { change: (*change).to_owned(), force: true }),
        [change] => Ok(Want::Undo { change: (*change).to_owned(), force: false }),
        _ => Err("one change at a time".to_owned()),
    }
}

fn cache(args: &str) -> Result<Want, String> {
    match args.split_once(char::is_whitespace).unwrap_or((args, "")) {
        ("", _) | ("stats", "") => Ok(Want::Cache),
        ("clear", "") => Ok(Want::ClearCache(None)),
        ("clear", kind) => kind.parse().map(|kind| Want::ClearCache(Some(kind))),
        (other, _) => Err(format!("/cache knows no `{}`", crate::domain::text::clean_line(other))),
    }
}

fn report(args: &str) -> Result<Want, String> {
    let words: Vec<&str> = args.split_whitespace().collect();
    match words.as_slice() {
        [] | ["status"] => Ok(Want::Reports),
        ["retry"] => Ok(Want::Report(ReportCommand::Retry)),
        ["resend"] => Ok(Want::Report(ReportCommand::Resend { numbers: None })),
        ["resend", numbers @ ..] => {
            let number = |word: &&str| word.parse().map_err(|_| format!("`{}` is no number", crate::domain::text::clean_line(word)));
            let numbers = numbers.iter().map(number).collect::<Result<_, _>>()?;
            Ok(Want::Report(ReportCommand::Resend { numbers: Some(numbers) }))
        }
        [other, ..] => Err(format!("/report knows no `{}`", crate::domain::text::clean_line(other))),
    }
}

fn copy(args: &str) -> Result<Want, String> {
    match args {
        "" => Ok(Want::Copy { code: false }),
        "code" => Ok(Want::Copy { code: true }),
        other => Err(format!("/copy knows no `{}`", crate::domain::text::clean_line(other))),
    }
}
