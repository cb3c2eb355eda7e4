//! The built-in tools: files of the working folder, commands, this machine, the time, arithmetic.
//!
//! [`catalog`] lists them by server. They touch nothing outside the folders they are given, are bounded in time and in
//! what they return, and say in each failure what to try next. They reach the agent like any other server's tools.

mod calculate;
#[cfg(feature = "code-analysis")]
mod code;
mod command;
mod define;
mod files;
pub mod journal;
mod machine;
mod people;
mod time;
pub mod zones;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use command::limits::{Limits, Sandbox};
pub use command::spec::SUPERVISE;
pub use command::supervisor::supervise;
pub use command::{RUN_COMMAND, can_fence};
pub use define::{Definition, Failure, LocalTool};
pub use journal::Journal;
pub use people::{preview as undo_preview, told as undo_told};

use crate::domain::clock::Clock;
use crate::domain::ids::ServerName;
use crate::tools::Tool;

/// The server of the file tools.
pub const FILES: &str = "files";

/// The server of the tool that looks at code.
pub const CODE: &str = "code";

/// The server of the tools about this machine.
pub const SYSTEM: &str = "system";

/// What may vary in the built-in tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The working folder: relative paths start here, and nothing outside is touched. Default: `.`, the folder the
    /// program was started in.
    pub folder: PathBuf,
    /// More folders that the file tools may read and write. Default: none.
    pub roots: Vec<PathBuf>,
    /// The most that one file tool reads into an answer, in bytes. Default: 256 KiB.
    pub read_bytes_max: usize,
    /// The largest file that is written, edited or searched, in bytes. Default: 8 MiB.
    pub file_bytes_max: u64,
    /// The longest that one call may take, in seconds. Default: 20.
    pub timeout_seconds: u64,
    /// The time zone of `current_time` where none is asked for (IANA name). Default: empty, the machine's own.
    pub timezone: String,
    /// How long what the file tools change can be taken back: `[tools.undo]`.
    pub undo: journal::Options,
    /// What commands may take: `[tools.commands]`.
    pub commands: Limits,
    /// What the program has that the tools stand on; no part of the config.
    #[serde(skip)]
    pub host: Host,
}

/// What the program that lends the tools has beside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    /// The program that supervises commands: this one. Without it a command has a process group and its mark only.
    pub supervisor: Option<PathBuf>,
    /// The folder that keeps what files held before they were changed. Without it nothing can be undone.
    pub journal: Option<PathBuf>,
}

impl Host {
    /// Of this program as it runs, with its state under `state`. The file that runs is named, not its path: that may be
    /// another version by now.
    pub fn own(state: &std::path::Path) -> Self {
        let own = PathBuf::from("/proc/self/exe");
        Self { supervisor: own.exists().then_some(own), journal: Some(state.join("undo")) }
    }
}

impl Options {
    /// The journal of changes, where there is one.
    pub fn journal(&self, clock: &Arc<dyn Clock>) -> Option<Journal> {
        let folder = self.host.journal.clone()?;
        Some(Journal::new(folder, self.undo.clone(), Arc::clone(clock))).filter(Journal::is_on)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("."),
            roots: Vec::new(),
            read_bytes_max: 256 * 1_024,
            file_bytes_max: 8 * 1_024 * 1_024,
            timeout_seconds: 20,
            timezone: String::new(),
            undo: journal::Options::default(),
            commands: Limits::default(),
            host: Host::default(),
        }
    }
}

/// All built-in tools, grouped by the server that lends them; names are `server__tool`, the order is stable.
pub fn catalog(options: Options, clock: Arc<dyn Clock>) -> Vec<(ServerName, Vec<Arc<dyn Tool>>)> {
    let limit = std::time::Duration::from_secs(options.timeout_seconds);
    let journal = options.journal(&clock);
    let mut system = vec![machine::tool(), time::tool(options.timezone.clone(), clock), calculate::tool()];
    let workspace = Arc::new(files::Workspace::new(options, journal));
    let mut files = files::tools(&workspace);
    #[cfg(feature = "code-analysis")]
    let mut code = vec![code::tool(Arc::clone(&workspace))];
    #[cfg(not(feature = "code-analysis"))]
    let mut code: Vec<LocalTool> = Vec::new();
    for tool in system.iter_mut().chain(&mut files).chain(&mut code) {
        tool.limit_time(limit);
    }
    // It has a limit of its own.
    system.push(command::tool(workspace));
    let boxed = |tools: Vec<LocalTool>| tools.into_iter().map(|tool| Arc::new(tool) as Arc<dyn Tool>).collect();
    let mut all = vec![(ServerName::new(FILES), boxed(files)), (ServerName::new(SYSTEM), boxed(system))];
    if !code.is_empty() {
        all.push((ServerName::new(CODE), boxed(code)));
    }
    all
}

/// Tools that a person calls by a command and no model is shown.
pub fn for_people(options: &Options, clock: &Arc<dyn Clock>) -> Vec<Arc<dyn Tool>> {
    let undo = options.journal(clock).map(people::tool);
    undo.into_iter().map(|tool| Arc::new(tool) as Arc<dyn Tool>).collect()
}

#[cfg(test)]
mod tests;
