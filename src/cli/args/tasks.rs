//! `wakeful tasks` and `wakeful inbox` on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `tasks`.
#[derive(Debug, Clone, Args)]
pub struct TasksArgs {
    /// What to do; lists where absent
    #[command(subcommand)]
    pub command: Option<TasksCommand>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Whose tasks; all where absent, `default` for new ones
    #[arg(long, value_name = "USER", global = true)]
    pub user: Option<String>,
}

/// What to do with background tasks. A TASK is an id, the start of one (at least 4 characters), or the exact description.
#[derive(Debug, Clone, Subcommand)]
pub enum TasksCommand {
    /// List them
    List,
    /// Show one: what it is, how it stands
    Show {
        /// Which
        task: String,
    },
    /// Tell the whole chain of its last run: planned, due, run, decided, told
    Why {
        /// Which
        task: String,
    },
    /// Make one
    Add(AddArgs),
    /// Let them rest
    Pause(Which),
    /// Let them go on
    Resume(Which),
    /// Ask for a run now; the running wakeful does it
    Run(Which),
    /// Forget them
    Delete(Which),
    /// Change one: give only what changes
    Update(UpdateArgs),
    /// Agree to what one runs or calls, as it stands now: an imported one, or one that another program made
    Agree {
        /// Which
        task: String,
    },
    /// Print what happened to one, newest first
    History {
        /// Which
        task: String,
        /// The newest so many
        #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
        limit: usize,
    },
    /// Tell when a task would be due and whom it would tell, without making it
    Preview(AddArgs),
    /// Write tasks with their whole history as JSON lines
    Export {
        /// Where to; standard output where absent
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Make the tasks of an export; those that were here before stay as they are
    Import {
        /// Where from; `-` is standard input
        file: PathBuf,
    },
    /// Make all lists anew from the events, and compare
    Rebuild,
    /// Copy the whole log to a new file, while others go on
    Backup {
        /// Where to
        file: PathBuf,
    },
    /// Tell how many there are, and who runs them
    Status,
}

/// Some tasks.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// Which
    #[arg(required = true, value_name = "TASK")]
    pub tasks: Vec<String>,
}

/// `tasks add`.
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// `web_monitor`, `schedule`, `news_digest` or `threshold_watch`
    #[arg(value_name = "TYPE")]
    pub task_type: String,
    /// What it is for; a reminder tells this text
    pub description: String,
    /// The rest of it.
    #[command(flatten)]
    pub parts: Parts,
}

/// `tasks update`.
#[derive(Debug, Clone, Args)]
pub struct UpdateArgs {
    /// Which
    pub task: String,
    /// Another text for it
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// The rest of it.
    #[command(flatten)]
    pub parts: Parts,
}

/// The parts of a task's config that have a flag, and the config itself.
#[derive(Debug, Clone, Default, Args)]
pub struct Parts {
    /// The config as JSON, or `@FILE` that holds it; flags go over it
    // Not `--config`: that is the program's own config file, on every command.
    #[arg(long = "task-config", id = "task_config", value_name = "JSON|@FILE")]
    pub config: Option<String>,
    /// A page or feed to look at; several times for several
    #[arg(long = "url", value_name = "URL")]
    pub urls: Vec<String>,
    /// A word or phrase that a change must hold; a category of a digest
    #[arg(long = "keyword", value_name = "TEXT")]
    pub keywords: Vec<String>,
    /// How often: `30m`, `2h`, `10s`, `1d`
    #[arg(long, value_name = "TIME")]
    pub every: Option<String>,
    /// At which time of day: `08:00`
    #[arg(long, value_name = "HH:MM")]
    pub at: Option<String>,
    /// Only on these days: `monday,thursday`
    #[arg(long = "day", value_name = "DAY", value_delimiter = ',')]
    pub days: Vec<String>,
    /// By a cron expression: `0 9 * * 1-5`
    #[arg(long, value_name = "EXPRESSION")]
    pub cron: Option<String>,
    /// Once: `2030-01-31 09:00`, or RFC 3339
    #[arg(long, value_name = "WHEN")]
    pub once: Option<String>,
    /// What the agent does each time; a reminder where absent
    #[arg(long = "do", value_name = "PROMPT")]
    pub prompt: Option<String>,
    /// The name of the number to watch
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// Tell when the number rises to this or above
    #[arg(long, value_name = "NUMBER", conflicts_with = "below", allow_hyphen_values = true)]
    pub above: Option<f64>,
    /// Tell when the number falls to this or below
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub below: Option<f64>,
    /// Where in the answer the number or the watched part is (JSON pointer)
    #[arg(long, value_name = "POINTER")]
    pub pointer: Option<String>,
    /// Which part of the page to look at (CSS selector)
    #[arg(long, value_name = "CSS")]
    pub selector: Option<String>,
    /// Tell by SMS to this number
    #[arg(long, value_name = "NUMBER", group = "told")]
    pub sms: Option<String>,
    /// Tell by mail to this address
    #[arg(long, value_name = "ADDRESS", group = "told")]
    pub email: Option<String>,
    /// Tell by a signed POST to this URL
    #[arg(long, value_name = "URL", group = "told")]
    pub webhook: Option<String>,
    /// Tell by ntfy under this topic
    #[arg(long, value_name = "TOPIC", group = "told")]
    pub ntfy: Option<String>,
    /// Tell on the desktop
    #[arg(long, group = "told")]
    pub desktop: bool,
    /// The zone of its times: `Europe/Berlin`
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Post its events to this URL too
    #[arg(long, value_name = "URL")]
    pub callback: Option<String>,
}

/// `inbox`.
#[derive(Debug, Clone, Args)]
pub struct InboxArgs {
    /// What to do; lists where absent
    #[command(subcommand)]
    pub command: Option<InboxVerb>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Those that were archived or sleep, too
    #[arg(long)]
    pub all: bool,
    /// The newest so many
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    pub limit: usize,
}

/// What to do with the inbox. An ITEM is an id or the start of one (at least 4 characters).
#[derive(Debug, Clone, Subcommand)]
pub enum InboxVerb {
    /// List entries, newest first
    List,
    /// Print an entry, and mark it as read
    Read {
        /// Which
        item: String,
    },
    /// Mark an entry as unread
    Unread {
        /// Which
        item: String,
    },
    /// Put an entry out of sight
    Archive {
        /// Which
        item: String,
    },
    /// Put an entry out of sight for a while
    Snooze {
        /// Which
        item: String,
        /// How long: `1h`, `2d`
        #[arg(value_name = "TIME", default_value = "1h")]
        time: String,
    },
    /// Fewer like this one
    Fewer {
        /// Which
        item: String,
    },
    /// More like this one
    More {
        /// Which
        item: String,
    },
    /// List notices and what became of them
    Notices,
    /// Send a notice again that failed, or whose outcome is unknown
    Resend {
        /// Its whole id
        notice: String,
    },
}
