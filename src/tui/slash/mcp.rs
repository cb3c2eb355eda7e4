//! `/mcp`: what can be done with servers, a table whose rows are help and completion too.

use crate::domain::command::McpCommand;
use crate::domain::ids::ServerName;
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::slash::{Want, some, with_usage};

/// Levels of log messages (RFC 5424, as MCP names them), from all to the gravest.
pub const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// What stands behind a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Args {
    /// Nothing.
    None,
    /// A server.
    Server,
    /// A server, or nothing.
    MaybeServer,
    /// A name and a target.
    Added,
    /// `on` or `off`, then a server or nothing.
    Trace,
    /// A server and a level.
    Level,
    /// A server, the name of a tool, `on` or `off`.
    Tool,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct VerbRow {
    /// The word behind `/mcp`.
    pub name: &'static str,
    /// What stands behind it.
    pub args: Args,
    /// One line of help.
    pub help: &'static str,
}

const fn row(name: &'static str, args: Args, help: &'static str) -> VerbRow {
    VerbRow { name, args, help }
}

/// The table.
pub const VERBS: &[VerbRow] = &[
    row("list", Args::None, "the servers: how they stand, what they are"),
    row("add", Args::Added, "add a server for this run: a URL or a command line"),
    row("remove", Args::Server, "forget a server for this run"),
    row("restart", Args::Server, "connect anew"),
    row("enable", Args::Server, "connect a server that was switched off"),
    row("disable", Args::Server, "close the connection and leave it closed"),
    row("tools", Args::Server, "its tools: what they do, hints, schemas"),
    row("tool", Args::Tool, "lend one of its tools or hold it back in this run"),
    row("resources", Args::MaybeServer, "browse resources: read, attach, be told of changes"),
    row("prompts", Args::MaybeServer, "prompts of the servers, also as /server:prompt"),
    row("login", Args::Server, "log in by OAuth"),
    row("logout", Args::Server, "forget its tokens"),
    row("logs", Args::Server, "its messages and its error output"),
    row("trace", Args::Trace, "show each JSON-RPC message in the events pane"),
    row("level", Args::Level, "ask for log messages from a level on"),
];

impl Args {
    /// For people.
    pub fn usage(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Server => " SERVER",
            Self::MaybeServer => " [SERVER]",
            Self::Added => " NAME URL|COMMAND",
            Self::Trace => " on|off [SERVER]",
            Self::Level => " SERVER LEVEL",
            Self::Tool => " SERVER TOOL on|off",
        }
    }
}

/// `/mcp tools SERVER`.
pub fn usage(row: &VerbRow) -> String {
    format!("/mcp {}{}", row.name, row.args.usage())
}

/// What may stand for the next word: fixed words, or a server's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Verbs.
    Verb,
    /// These words.
    Words(&'static [&'static str]),
    /// A server's name.
    Server,
    /// Nothing that is known.
    Free,
}

/// What follows `before`, the words behind `/mcp`.
pub fn next(before: &[&str]) -> Next {
    let Some((verb, rest)) = before.split_first() else { return Next::Verb };
    let Some(row) = VERBS.iter().find(|row| row.name == *verb) else { return Next::Free };
    match (row.args, rest.len()) {
        (Args::Server | Args::MaybeServer | Args::Level | Args::Tool, 0) | (Args::Trace, 1) => Next::Server,
        (Args::Tool, 2) => Next::Words(&["off", "on"]),
        (Args::Trace, 0) => Next::Words(&["on", "off"]),
        (Args::Level, 1) => Next::Words(&LEVELS),
        _ => Next::Free,
    }
}

/// Reads what stands behind `/mcp`. What does not fit is told with the usage of its verb.
pub(super) fn parse(args: &str) -> Result<Want, String> {
    let (verb, rest) = args.split_once(char::is_whitespace).unwrap_or((args, ""));
    let row = VERBS.iter().find(|row| row.name == verb);
    read(verb, rest.trim()).map_err(|reason| match row {
        Some(row) => with_usage(reason, &usage(row)),
        None => reason,
    })
}

fn read(verb: &str, rest: &str) -> Result<Want, String> {
    let (name, target) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let target = target.trim();
    let server = || some(name, "the server's name").map(ServerName::from);
    let maybe = |name: &str| (!name.is_empty()).then(|| ServerName::from(name));
    match verb {
        "" | "list" => Ok(Want::Servers),
        "tools" => server().map(Want::Tools),
        "logs" => server().map(Want::Logs),
        "resources" => Ok(Want::Resources(maybe(rest))),
        "prompts" => Ok(Want::Prompts(maybe(rest))),
        "restart" => server().map(|name| Want::Mcp(McpCommand::Restart(name))),
        "enable" => server().map(|name| Want::Mcp(McpCommand::Enable(name))),
        "disable" => server().map(|name| Want::Mcp(McpCommand::Disable(name))),
        "remove" => server().map(|name| Want::Mcp(McpCommand::Remove(name))),
        "login" => server().map(|server| Want::Mcp(McpCommand::Login { server })),
        "logout" => server().map(|name| Want::Mcp(McpCommand::Logout(name))),
        "trace" => match name {
            "on" | "off" => Ok(Want::Mcp(McpCommand::Trace { server: maybe(target), on: name == "on" })),
            "" => Err("on or off is missing".to_owned()),
            other => Err(format!("`{other}` is neither on nor off")),
        },
        "level" => {
            let server = server()?;
            let level = some(target, "the level")?.to_ascii_lowercase();
            if LEVELS.contains(&level.as_str()) {
                Ok(Want::Mcp(McpCommand::LogLevel { server, level }))
            } else {
                Err(format!("no level `{level}`: one of {}", LEVELS.join(", ")))
            }
        }
        "tool" => {
            let server = server()?;
            let words = some(target, "the tool's name")?;
            let (tool, state) = words.rsplit_once(char::is_whitespace).unwrap_or((&words, ""));
            match state {
                "on" | "off" => Ok(Want::Mcp(McpCommand::Tool { server, tool: tool.trim().to_owned(), on: state == "on" })),
                "" => Err(format!("`on` or `off` is missing behind `{tool}`")),
                other => Err(format!("`{other}` is neither on nor off")),
            }
        }
        "add" => {
            let name = server()?;
            let target = some(target, "a URL or a command line")?;
            Ok(Want::Mcp(McpCommand::Add { name, target }))
        }
        other => Err(unknown(other)),
    }
}

fn unknown(verb: &str) -> String {
    let verb = ellipsis(&clean_line(verb), 40).into_owned();
    let nearest = VERBS.iter().map(|row| (strsim::damerau_levenshtein(row.name, &verb), row.name)).min();
    match nearest {
        Some((distance, near)) if distance <= 2 => format!("/mcp knows no `{verb}`; did you mean `{near}`?"),
        _ => format!("/mcp knows no `{verb}`; there are {}", VERBS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")),
    }
}
