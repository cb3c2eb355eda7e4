//! The built-in tools: files of the working folder, commands, this machine, the time, arithmetic.
//!
//! [`catalog`] lists them by server. They touch nothing outside the folders they are given, are bounded in time and in
//! what they return, and say in each failure what to try next. They reach the agent like any other server's tools.

mod calculate;
mod command;
mod define;
mod files;
mod machine;
mod time;
pub mod zones;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use command::RUN_COMMAND;
pub use define::{Definition, Failure, LocalTool};

use crate::domain::clock::Clock;
use crate::domain::ids::ServerName;
use crate::tools::Tool;

/// The server of the file tools.
pub const FILES: &str = "files";

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
        }
    }
}

/// All built-in tools, grouped by the server that lends them; names are `server__tool`, the order is stable.
pub fn catalog(options: Options, clock: Arc<dyn Clock>) -> Vec<(ServerName, Vec<Arc<dyn Tool>>)> {
    let limit = std::time::Duration::from_secs(options.timeout_seconds);
    let mut system = vec![machine::tool(), time::tool(options.timezone.clone(), clock), calculate::tool()];
    let workspace = Arc::new(files::Workspace::new(options));
    let mut files = files::tools(&workspace);
    for tool in system.iter_mut().chain(&mut files) {
        tool.limit_time(limit);
    }
    // It has a limit of its own.
    system.push(command::tool(workspace));
    let boxed = |tools: Vec<LocalTool>| tools.into_iter().map(|tool| Arc::new(tool) as Arc<dyn Tool>).collect();
    vec![(ServerName::new(FILES), boxed(files)), (ServerName::new(SYSTEM), boxed(system))]
}

#[cfg(test)]
mod tests;
