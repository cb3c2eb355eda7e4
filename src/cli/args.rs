//! The command line as data. Help, completions and the manual page come from these definitions.

pub mod coordinator;
pub mod memory;
pub mod report;
pub mod tasks;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::domain::cache::Kind;

/// An agent in your terminal that stays awake
#[derive(Debug, Parser)]
#[command(name = "wakeful", version, about, propagate_version = true, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub global: Global,
    /// How the terminal surface starts.
    #[command(flatten)]
    pub screen: ScreenArgs,
    /// What to do instead of starting the terminal surface.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// What the words after the program's name say.
    ///
    /// Most starts have none: then the descriptions of all commands, with their flags and help, are not built.
    ///
    /// # Errors
    /// Words that say nothing; also help and version, which are printed like errors.
    pub fn of_this_process() -> Result<Self, clap::Error> {
        if std::env::args_os().len() > 1 { Self::try_parse() } else { Ok(Self::plain()) }
    }

    fn plain() -> Self {
        Self { global: Global::default(), screen: ScreenArgs::default(), command: None }
    }
}

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Read this config file instead of the user's
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Answer with this model (`provider/model`)
    #[arg(long, short, value_name = "MODEL", global = true)]
    pub model: Option<String>,
    /// When tool calls need your consent
    #[arg(long, value_name = "MODE", value_parser = ["ask", "auto-read", "auto"], global = true)]
    pub approvals: Option<String>,
    /// Set any config key for this run, e.g. `tui.theme=light`
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    pub sets: Vec<String>,
}

/// Flags of the terminal surface.
#[derive(Debug, Clone, Default, Args)]
pub struct ScreenArgs {
    /// Go on with a session: its id, the start of it, or `last`
    #[arg(long, value_name = "SESSION", num_args = 0..=1, default_missing_value = "last")]
    pub resume: Option<String>,
}

/// What wakeful can do.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, for as long as the program runs")]
pub enum Command {
    /// Ask once, print the answer
    Exec(ExecArgs),
    /// Servers: list, add, remove, test, call, serve
    #[command(subcommand)]
    Mcp(McpCommand),
    /// The same screen for a program that runs elsewhere (`wakeful serve`)
    Attach(AttachArgs),
    /// Print the event log
    Events(EventsArgs),
    /// List, show, export and search sessions
    Sessions(SessionsArgs),
    /// Take back what tools changed in files, also after a crash: the last change, or one of the list
    Undo(UndoArgs),
    /// Background tasks: list, make, look into, change, carry elsewhere
    Tasks(tasks::TasksArgs),
    /// What the background tasks told and asked
    Inbox(tasks::InboxArgs),
    /// What is remembered across sessions: list, find, add, change, forget, carry elsewhere
    Memory(memory::MemoryArgs),
    /// Keep the background tasks running without a screen
    Serve(ServeArgs),
    /// Take interaction reports of agents: over HTTP, gRPC, a stream of Redis, a table; keys, statistics
    Coordinator(coordinator::CoordinatorArgs),
    /// Raise a task's event through the whole path, marked as simulated: all four, or one
    Simulate(SimulateArgs),
    /// Notices: try a channel out
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// What is kept of what was fetched: how much, how useful; forget it
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Reports of what the agent did, to a coordinator: how they stand, send them, look at what was refused
    Report(report::ReportArgs),
    /// The configuration: make, show, find, check it
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at the set-up: what works, what does not, what to do about it
    Doctor(JsonFlag),
    /// A tour that runs by itself, on the offline assistant and the built-in servers
    Demo(DemoArgs),
    /// Print completions for a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
    /// Start one command, fenced in, and leave nothing of it: how `run_command` runs
    #[command(hide = true)]
    SandboxExec {
        /// What holds, as JSON
        spec: String,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        words: Vec<std::ffi::OsString>,
    },
}

/// `--json` alone.
#[derive(Debug, Clone, Default, Args)]
pub struct JsonFlag {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// No screen: run until ctrl+c or SIGTERM. There is none anyway
    #[arg(long)]
    pub headless: bool,
    /// Where the feed, the API and the dashboard are; port 0: the system chooses. Default: [server] listen
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// The variable that holds the token which clients must show
    #[arg(long, value_name = "NAME", conflicts_with = "new_token")]
    pub token_env: Option<String>,
    /// Make a token for this run, and print it
    #[arg(long)]
    pub new_token: bool,
    /// Background tasks only: listen nowhere
    #[arg(long, conflicts_with_all = ["listen", "token_env", "new_token"])]
    pub no_listen: bool,
    /// Print events as they happen
    #[arg(long)]
    pub events: bool,
}

/// `simulate`.
#[derive(Debug, Clone, Default, Args)]
pub struct SimulateArgs {
    /// `web_content_change`, `scheduled_trigger`, `daily_news_digest` or `threshold_reached`; all where absent
    pub event_type: Option<String>,
    /// Print one event a line as JSON
    #[arg(long)]
    pub json: bool,
}

/// `notify`.
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a notice to try a channel out; the configured ones where none is named
    Test {
        /// `sms`, `email`, `webhook`, `ntfy`, `desktop` or `terminal`
        channel: Option<String>,
        /// To whom, where the config names nobody
        to: Option<String>,
        /// Print one event a line as JSON
        #[arg(long)]
        json: bool,
    },
}

/// `exec`.
#[derive(Debug, Clone, Args)]
pub struct ExecArgs {
    /// What to ask; piped input joins it
    #[arg(value_name = "PROMPT", trailing_var_arg = true)]
    pub prompt: Vec<String>,
    /// Print one event a line as JSON instead of the answer
    #[arg(long)]
    pub json: bool,
    /// Go on with a session: its id, the start of it, or `last`
    #[arg(long, value_name = "SESSION")]
    pub resume: Option<String>,
    /// Do not wait for servers that are still connecting
    #[arg(long)]
    pub no_wait: bool,
    /// Print only the answer, no lines about tools
    #[arg(long, short)]
    pub quiet: bool,
    /// Values for forms that servers ask to fill in: a JSON object, or `@FILE`; what is not in it keeps its default
    #[arg(long, value_name = "JSON|@FILE")]
    pub answers: Option<String>,
    /// Say yes when servers ask for this; nobody is there to be asked
    #[arg(long, value_enum, value_name = "WHAT")]
    pub accept: Vec<AcceptArg>,
}

/// What a program without a screen says yes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AcceptArg {
    /// Fill in forms with `--answers` and defaults
    Forms,
    /// Let servers use the model
    Sampling,
    /// Start commands of servers that were never agreed to
    Commands,
    /// Use tools that changed since they were last used
    Changes,
}

/// `mcp`.
#[derive(Debug, Subcommand)]
pub enum McpCommand {
    /// List servers, their state and tools
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// List each server's tools too
        #[arg(long)]
        tools: bool,
    },
    /// Add a server to the user's config
    Add {
        /// Its name
        name: String,
        /// A URL, or a command with its arguments (after `--`)
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "URL|COMMAND")]
        target: Vec<String>,
        /// Set a variable for the command
        #[arg(long, value_name = "NAME=VALUE")]
        env: Vec<String>,
        /// Send a header with each request
        #[arg(long, value_name = "NAME: VALUE")]
        header: Vec<String>,
        /// Read the key, sent as a Bearer token, from this variable
        #[arg(long, value_name = "NAME")]
        api_key_env: Option<String>,
        /// How to speak to it
        #[arg(long, value_enum)]
        transport: Option<TransportArg>,
    },
    /// Remove a server from the user's config
    Remove {
        /// Its name
        name: String,
    },
    /// Show the command of a server and agree that it is started
    Allow {
        /// A configured server; all where absent
        name: Option<String>,
    },
    /// Search the registry that the config names
    Search {
        /// Words of the name; all servers where absent
        words: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Connect to a server and report what it is and offers
    Test {
        /// A configured name, a URL, or a command with its arguments (after `--`)
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "TARGET")]
        target: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Call one tool and print its result
    Call {
        /// A configured server
        server: String,
        /// The tool's name on it
        tool: String,
        /// The arguments as a JSON object
        #[arg(default_value = "{}")]
        arguments: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Log in to a server behind HTTP (OAuth): the browser opens, the tokens are kept
    Login {
        /// A configured server
        server: String,
    },
    /// Forget a server's tokens, and take them back where the authorization server offers that
    Logout {
        /// A configured server
        server: String,
    },
    /// Try a server out without a person: list everything, call each tool, answer what it asks, log in
    ///
    /// This is the client for the MCP conformance suite: `conformance client --command "wakeful mcp conform"`. It reads
    /// `MCP_CONFORMANCE_SCENARIO` and `MCP_CONFORMANCE_CONTEXT` where they are set. Nothing is kept.
    Conform {
        /// The server's address
        url: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Be a server for other MCP clients: tools, events, tasks, inbox and sessions, over standard input and output or HTTP
    Serve(McpServeArgs),
}

/// `mcp serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct McpServeArgs {
    /// Listen here for streamable HTTP instead, like 127.0.0.1:8765 (port 0: any); the endpoint's URL is printed
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http: Option<SocketAddr>,
    /// Take only clients that show the bearer token in this variable
    #[arg(long, value_name = "NAME", requires = "http", conflicts_with = "new_token")]
    pub token_env: Option<String>,
    /// Make a bearer token for this run and print it to standard error
    #[arg(long, requires = "http")]
    pub new_token: bool,
    /// Let clients call the machine by this name too (`Host`)
    #[arg(long, value_name = "NAME", requires = "http")]
    pub allow_host: Vec<String>,
    /// Let this web page call (`Origin`), like `https://app.example`
    #[arg(long, value_name = "URL", requires = "http")]
    pub allow_origin: Vec<String>,
}

/// How to speak to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum TransportArg {
    /// A child process.
    Stdio,
    /// HTTP as of MCP 2025-03-26.
    StreamableHttp,
    /// HTTP+SSE as of MCP 2024-11-05.
    Sse,
    /// HTTP, else SSE.
    Auto,
}

impl TransportArg {
    /// The value in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::StreamableHttp => "streamable_http",
            Self::Sse => "sse",
            Self::Auto => "auto",
        }
    }
}

/// `attach`.
#[derive(Debug, Clone, Args)]
pub struct AttachArgs {
    /// Where it serves: `http://host:8000`, `host:8000`, `https://host`
    #[arg(default_value = "127.0.0.1:8000")]
    pub url: String,
    /// How we show that we may.
    #[command(flatten)]
    pub token: TokenArgs,
    /// How the screen starts.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

/// How a client shows that it may come in.
#[derive(Debug, Clone, Default, Args)]
pub struct TokenArgs {
    /// The server's token; others on this machine can see it while this runs, --token-env keeps it to itself
    #[arg(long, value_name = "TOKEN", requires = "url", conflicts_with = "token_env")]
    pub token: Option<String>,
    /// The variable that holds the server's token
    #[arg(long, value_name = "NAME", requires = "url")]
    pub token_env: Option<String>,
}

/// `events`.
#[derive(Debug, Clone, Args)]
pub struct EventsArgs {
    /// The log of a program that runs elsewhere (`wakeful serve`), like `http://host:8000`
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// How we show that we may.
    #[command(flatten)]
    pub token: TokenArgs,
    /// Go on printing what happens from now on
    #[arg(long, short)]
    pub follow: bool,
    /// Only these types, e.g. `tool_execution,error`
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Only events after this position
    #[arg(long, value_name = "SEQ")]
    pub since: Option<u64>,
    /// Only events of this session (its id, the start of it, or `last`)
    #[arg(long, value_name = "SESSION")]
    pub session: Option<String>,
    /// The newest so many (all with --since)
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub limit: Option<usize>,
    /// Print one event a line as JSON
    #[arg(long)]
    pub json: bool,
}

/// `sessions`.
#[derive(Debug, Clone, Args)]
pub struct SessionsArgs {
    /// What to do; lists where absent
    #[command(subcommand)]
    pub command: Option<SessionsCommand>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Only sessions that hold this text
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// The latest so many
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    pub limit: usize,
}

/// `undo`.
#[derive(Debug, Clone, Args)]
pub struct UndoArgs {
    /// `list`, a number of the list, or the start of a change's id; the last change where absent
    #[arg(value_name = "list|CHANGE")]
    pub change: Option<String>,
    /// Only changes of this session: its id, the start of it, or `last`
    #[arg(long, value_name = "SESSION")]
    pub session: Option<String>,
    /// Put the earlier content there even where the file has changed since
    #[arg(long)]
    pub force: bool,
    /// Do it without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What to do with sessions.
#[derive(Debug, Clone, Subcommand)]
pub enum SessionsCommand {
    /// Print a session as Markdown
    Show {
        /// Its id, the start of it, or `last`
        session: String,
    },
    /// Write a session to a file or standard output
    Export {
        /// Its id, the start of it, or `last`
        session: String,
        /// As what; by the end of the file's name where absent, else md
        #[arg(long, value_enum)]
        format: Option<ExportFormat>,
        /// Where to; standard output where absent
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// What a session is exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// For people.
    #[value(name = "md", alias = "markdown")]
    Markdown,
    /// For programs: the events, and what the model was told.
    Json,
    /// For people: one page that stands for itself, without scripts.
    Html,
}

/// `cache`.
#[derive(Debug, Clone, Subcommand)]
pub enum CacheCommand {
    /// How much is kept, and how often it was of use
    Stats {
        /// Only this kind: `page`, `search`, `weather`, `embedding`, `tool_result`
        #[arg(long)]
        kind: Option<Kind>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget what is kept
    Clear {
        /// Only this kind: `page`, `search`, `weather`, `embedding`, `tool_result`
        #[arg(long)]
        kind: Option<Kind>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `config`.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Write a commented config file
    Init {
        /// Replace an existing one
        #[arg(long)]
        force: bool,
    },
    /// Print all settings and where each came from; secrets masked
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print where wakeful keeps its files
    Path {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check the config files
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Print to standard output instead of opening the terminal surface
    #[arg(long)]
    pub plain: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Cli;

    #[test]
    fn without_words_nothing_is_parsed_and_all_is_as_if_it_were() {
        let parsed = Cli::try_parse_from(["wakeful"]).unwrap();
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Cli::plain()));
    }
}
