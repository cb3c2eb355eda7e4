//! The terminal surface: a fold of events plus what the person types.
//!
//! [`run`] takes the terminal at once and answers keys before the rest of the program stands; its [`Backend`] follows
//! through a channel. State ([`state`]), decisions ([`update`]) and screen ([`view`]) are apart: a message goes into
//! `update`, effects come out, the view is a plain function of the state. [`runtime`] does all I/O.
//! This module promises that text from outside cannot control the terminal, that nothing blocks the draw loop and that
//! the terminal is given back however the program ends.

pub mod approval;
pub mod catalog;
pub mod clipboard;
pub mod composer;
pub mod emulator;
pub mod events_pane;
mod files;
pub mod form;
mod fuzzy;
pub mod highlight;
pub mod kept;
pub mod keymap;
pub mod layout;
pub mod linear;
pub mod markdown;
pub mod moment;
pub mod msg;
pub mod options;
pub mod own;
pub mod panels;
pub mod pictures;
pub mod popup;
pub mod question;
pub mod replay;
mod report;
pub mod runtime;
mod saved;
pub mod settings;
pub mod slash;
pub mod state;
pub mod status;
pub mod svg;
pub mod tabs;
mod template;
mod terminal;
#[cfg(test)]
mod tests;
pub mod theme;
pub mod transcript;
pub mod update;
pub mod vi;
pub mod view;

use std::path::PathBuf;
use std::sync::Arc;

use futures::stream::BoxStream;
use jiff::tz::TimeZone;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::bus::{CommandSender, Subscription};
use crate::domain::clock::Clock;
use crate::domain::command::SessionOptions;
use crate::domain::ids::SessionId;
use crate::domain::query::Queries;
use crate::domain::remote::Line;

pub use options::Options;
pub use runtime::run;

/// What [`run`] needs at the start; nothing in it may take time to make.
pub struct Deps {
    /// Tells the time of day.
    pub clock: Arc<dyn Clock>,
    /// The backend, once it stands. An error is shown, and the program can then only be left.
    pub backend: oneshot::Receiver<Result<Backend, String>>,
    /// How the connection to the program stands, where it runs elsewhere.
    pub line: Option<watch::Receiver<Line>>,
    /// Ends the run from outside, the terminal restored.
    pub cancel: CancellationToken,
    /// The section `[tui]` of the config.
    pub options: Options,
    /// What is known of the surroundings.
    pub surroundings: Surroundings,
    /// The user's config file, where the screen may change it.
    pub preferences: Option<Arc<dyn settings::Preferences>>,
}

/// What the surface knows of its surroundings without asking anybody.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The program's version.
    pub version: String,
    /// For times on the screen; the backend brings it, because to find it takes longer than a frame.
    pub timezone: TimeZone,
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
    /// A folder of the user's own commands.
    pub commands_dir: Option<PathBuf>,
    /// Where the screen's layout is kept; nowhere if absent.
    pub kept_path: Option<PathBuf>,
    /// Where reports about faults are written; into the working folder if absent.
    pub reports_dir: Option<PathBuf>,
    /// What the terminal says of itself: variables and their values.
    pub terminal: Vec<(String, String)>,
    /// The user's editor (`$VISUAL`, `$EDITOR`), with arguments.
    pub editor: Option<String>,
    /// The user's browser (`$BROWSER`); the system's where absent.
    pub browser: Option<String>,
    /// Whether the terminal opens addresses with a click (OSC 8).
    pub hyperlinks: bool,
    /// Which terminal it is.
    pub emulator: emulator::Emulator,
    /// Where results that are no text lie: only files of it are shown or opened.
    pub results_dir: Option<PathBuf>,
    /// How many colours the terminal has.
    pub colours: theme::ColourDepth,
    /// Whether the terminal's background is light; dark where unknown.
    pub light_background: bool,
    /// Whether the terminal may be asked what its background is: one that does not know the question passes over it.
    pub tells_background: bool,
    /// The default `provider/model`, if it is known before the backend stands.
    pub model: Option<String>,
    /// Prompts offered on an empty screen, picked with 1, 2, 3.
    pub suggestions: Vec<String>,
    /// The prompts that `/demo` sends one after the other.
    pub tour: Vec<String>,
    /// Whether the tour begins as soon as the backend stands.
    pub touring: bool,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            version: String::new(),
            timezone: TimeZone::UTC,
            cwd: PathBuf::from("."),
            config_path: None,
            log_path: None,
            history_path: None,
            themes_dir: None,
            commands_dir: None,
            kept_path: None,
            reports_dir: None,
            terminal: Vec::new(),
            editor: None,
            browser: None,
            hyperlinks: false,
            emulator: emulator::Emulator::default(),
            results_dir: None,
            colours: theme::ColourDepth::default(),
            light_background: false,
            tells_background: false,
            model: None,
            suggestions: Vec::new(),
            tour: Vec::new(),
            touring: false,
        }
    }
}

/// The running program behind the surface.
pub struct Backend {
    /// Everything that happens from now on.
    pub events: Subscription,
    /// Takes what is wanted.
    pub commands: CommandSender,
    /// Answers what is asked.
    pub queries: Arc<dyn Queries>,
    /// Whole escape sequences for the terminal itself (its notifications, its bell), made safe by whoever made them.
    pub notes: BoxStream<'static, String>,
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

/// The session that a run starts with.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// A new one; it is made with its first prompt.
    New(SessionOptions),
    /// A new one, for the one that was wanted could not be had: why.
    Instead(SessionOptions, String),
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
    /// The section `[tui.keys]` does not fit.
    #[error("the key settings do not fit: {0}")]
    Keys(String),
    /// No such theme, or a broken one.
    #[error("the theme cannot be used")]
    Theme(#[source] theme::ThemeError),
}
