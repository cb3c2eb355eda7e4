//! The terminal surface: a fold of events plus what the person types.
//!
//! [`run`] takes the terminal at once and answers keys before the rest of the program stands; its [`Backend`] follows
//! through a channel. State ([`state`]), decisions ([`update`]) and screen ([`view`]) are apart: a message goes into
//! `update`, effects come out, the view is a plain function of the state. [`runtime`] does all I/O.
//! This module promises that text from outside cannot control the terminal, that nothing blocks the draw loop and that
//! the terminal is given back however the program ends.

pub mod options;
pub mod runtime;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::bus::{CommandSender, Subscription};
use crate::domain::clock::Clock;
use crate::domain::command::SessionOptions;
use crate::domain::ids::SessionId;
use crate::domain::query::Queries;

pub use options::Options;
pub use runtime::run;

/// What [`run`] needs at the start; nothing in it may take time to make.
pub struct Deps {
    /// Tells the time of day.
    pub clock: Arc<dyn Clock>,
    /// For times on the screen.
    pub timezone: TimeZone,
    /// The backend, once it stands. An error is shown, and the program can then only be left.
    pub backend: oneshot::Receiver<Result<Backend, String>>,
    /// Ends the run from outside, the terminal restored.
    pub cancel: CancellationToken,
    /// The section `[tui]` of the config.
    pub options: Options,
    /// What is known of the surroundings.
    pub surroundings: Surroundings,
}

/// What the surface knows of its surroundings without asking anybody.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The program's version.
    pub version: String,
    /// The folder the program runs in: files for `@` come from it.
    pub cwd: PathBuf,
    /// The config file, for `/config`.
    pub config_path: Option<PathBuf>,
    /// The log file, named where something broke.
    pub log_path: Option<PathBuf>,
    /// Where submitted prompts are kept; nowhere if absent.
    pub history_path: Option<PathBuf>,
    /// A folder of the user's own themes.
    pub themes_dir: Option<PathBuf>,
    /// The user's editor (`$VISUAL`, `$EDITOR`), with arguments.
    pub editor: Option<String>,
    /// How many colours the terminal has.
    pub colors: Colors,
    /// Whether the terminal's background is light, if known.
    pub light_background: Option<bool>,
    /// Prompts offered on an empty screen, picked with 1, 2, 3.
    pub suggestions: Vec<String>,
    /// The prompts that `/demo` sends one after the other.
    pub tour: Vec<String>,
}

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colors {
    /// 24 bits (`COLORTERM=truecolor`).
    #[default]
    True,
    /// The 256 of xterm.
    Palette256,
    /// The sixteen of every terminal.
    Palette16,
    /// None: `NO_COLOR`.
    None,
}

/// The running program behind the surface.
pub struct Backend {
    /// Everything that happens from now on.
    pub events: Subscription,
    /// Takes what is wanted.
    pub commands: CommandSender,
    /// Answers what is asked.
    pub queries: Arc<dyn Queries>,
    /// The session on the screen.
    pub start: Start,
    /// `provider/model` of sessions that name none.
    pub default_model: String,
    /// The model's context in tokens, where it is known.
    pub context_window_tokens: Option<u64>,
}

/// The session that a run starts with.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// A new one; it is made with its first prompt.
    New(SessionOptions),
    /// A stored one.
    Resume(SessionId),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exit {
    /// The session on the screen at the end, where it was ever made: for "resume with …".
    pub session: Option<SessionId>,
    /// The signal that ended the run.
    pub signal: Option<i32>,
}

/// Why the surface cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Standard input or output is no terminal, or it broke.
    #[error("could not use the terminal")]
    Terminal(#[source] std::io::Error),
    /// The section `[keys]` does not fit.
    #[error("the key settings do not fit: {0}")]
    Keys(String),
    /// No such theme, or a broken one.
    #[error("the theme cannot be used: {0}")]
    Theme(String),
}
