//! What can go wrong with a server, in words fit for a screen.

use std::time::Duration;

use crate::domain::ids::ServerName;
use crate::mcp::auth::AuthError;

/// The step in which it is found out which MCP a server speaks.
pub(super) const FIRST_QUESTION: &str = "first question (which MCP it speaks)";

/// A wrong key in a server's options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("MCP server `{server}`: `{field}` {problem}")]
pub struct OptionsError {
    /// The server, as far as it has a name.
    pub server: String,
    /// The key.
    pub field: &'static str,
    /// What is wrong with it, as the rest of the sentence.
    pub problem: String,
}

/// Why a command about servers was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no server of that name.
    #[error("there is no server `{0}`: `/mcp` lists them")]
    Unknown(ServerName),
    /// There is one already.
    #[error("there is a server `{0}` already: choose another name")]
    Taken(ServerName),
    /// Built-in servers stay.
    #[error("`{0}` is built in and cannot be removed: `/mcp disable {0}` switches it off")]
    BuiltIn(ServerName),
    /// It is a program, or a key is configured for it.
    #[error("`{0}` has no login: it is no server behind HTTP, or a key is configured for it")]
    NoLogin(ServerName),
    /// It does not answer now.
    #[error("`{0}` is not connected: `/mcp` says why, `/mcp restart {0}` tries again")]
    Away(ServerName),
    /// It cannot do that.
    #[error("`{0}` has no {1}")]
    Lacks(ServerName, &'static str),
    /// That is no level of log messages.
    #[error("`{0}` is no level: one of debug, info, notice, warning, error, critical, alert, emergency")]
    Level(String),
    /// The server has no such tool.
    #[error("`{0}` lends no tool `{1}`; `/mcp tools {0}` lists them")]
    NoTool(ServerName, String),
    /// Too much is subscribed already.
    #[error("changes of {0} resources of this server are told already, which is the most: give one up first (`/mcp resources`)")]
    TooMany(usize),
    /// What was typed is no server.
    #[error(transparent)]
    Options(#[from] OptionsError),
}

/// Why a server could not be connected or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its options are wrong.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// Its program could not be started.
    #[error("could not start `{command}`: {}", spawn_hint(.source))]
    Spawn {
        /// The program.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// A variable that its options name is not there.
    #[error("the variable `{0}` is not set (named by `api_key_env`)")]
    NoVariable(String),
    /// No HTTP client could be made.
    #[error("could not make an HTTP client: {0}")]
    HttpClient(String),
    /// It did not answer in time.
    #[error("no answer to the {step} within {}", seconds(*.limit))]
    Slow {
        /// What was waited for.
        step: &'static str,
        /// How long.
        limit: Duration,
    },
    /// Nobody listens there.
    #[error("could not reach {0}")]
    Unreachable(String),
    /// The handshake failed.
    #[error("{0}")]
    Handshake(String),
    /// It wants a key or a login.
    #[error("it wants a key or a login: {0}")]
    Unauthorized(String),
    /// Nobody agreed to start its program.
    #[error("nobody has agreed to start its command yet")]
    NotAgreed,
    /// There is nothing to log in to.
    #[error("it has no login: {0}")]
    NoLogin(&'static str),
    /// A login did not come about.
    #[error(transparent)]
    Login(#[from] AuthError),
    /// Its program ended, or the connection was lost.
    #[error("{0}")]
    Lost(String),
    /// It answered with an error, or with something that is no answer.
    #[error("{0}")]
    Answer(String),
}

impl Error {
    /// Whether trying again by itself makes no sense: a person has to change something first.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Options(_) | Self::NoVariable(_) | Self::Unauthorized(_) | Self::NotAgreed | Self::NoLogin(_) => true,
            Self::Login(error) => !error.is_transient(),
            Self::Spawn { source, .. } => matches!(
                source.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::InvalidInput
            ),
            Self::HttpClient(_) | Self::Slow { .. } | Self::Unreachable(_) | Self::Handshake(_) | Self::Lost(_) | Self::Answer(_) => false,
        }
    }

    /// The next thing to try, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Spawn { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some("install the program or give its full path, then restart the server")
            }
            Self::NotAgreed => Some("`wakeful mcp allow NAME` shows the command and agrees to it"),
            Self::NoVariable(_) => Some("set the variable and start again"),
            Self::Unauthorized(_) => Some("set `api_key` or `api_key_env`, or the right `headers`"),
            Self::Unreachable(_) => Some("start the server, or correct its `url`"),
            // How long the first question may take is no option.
            Self::Slow { step, .. } if *step != FIRST_QUESTION => {
                Some("raise `startup_timeout_seconds` if the server is slow to start (a first `npx` downloads)")
            }
            _ => None,
        }
    }
}

fn spawn_hint(source: &std::io::Error) -> String {
    match source.kind() {
        std::io::ErrorKind::NotFound => "no such program (or no such `cwd`)".to_owned(),
        _ => source.to_string(),
    }
}

/// A duration in the words of a message.
pub(super) fn seconds(limit: Duration) -> String {
    if limit.subsec_millis() == 0 { format!("{} s", limit.as_secs()) } else { format!("{} ms", limit.as_millis()) }
}
