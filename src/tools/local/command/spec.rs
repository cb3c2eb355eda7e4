//! What the supervisor of a command is told, and what it reports.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::limits::Sandbox;

/// The variable that marks everything that a command starts: the marks of all calls above it, parted by colons.
pub(super) const MARK: &str = "WAKEFUL_CALL";

/// The hidden subcommand of this program that supervises one command.
pub const SUPERVISE: &str = "sandbox-exec";

/// What a supervisor is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spec {
    /// How far the command is fenced in.
    pub(super) sandbox: Sandbox,
    /// Folders and files that it may write.
    pub(super) writable: Vec<PathBuf>,
    /// Folders and files that it may read beside those, where reading is fenced in.
    pub(super) readable: Vec<PathBuf>,
    /// Processes that it may have at once.
    pub(super) processes_max: usize,
    /// Address space of each of its processes, in bytes; 0: no limit.
    pub(super) memory_bytes_max: u64,
    /// The largest file that it may write, in bytes; 0: no limit.
    pub(super) file_bytes_max: u64,
    /// The file that takes the report.
    pub(super) report: PathBuf,
}

/// Whether a command was fenced in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fence {
    /// It was not asked for.
    #[default]
    Off,
    /// Writing was.
    Write,
    /// Reading, writing and connecting were.
    Strict,
    /// It was asked for and the kernel has no Landlock.
    Unavailable,
}

impl Fence {
    /// The word in results.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Write => "write",
            Self::Strict => "strict",
            Self::Unavailable => "unavailable",
        }
    }
}

/// How a command went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    /// Its exit code.
    pub(super) code: Option<i32>,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
    /// Why it could not be started.
    pub(super) spawn_error: Option<String>,
    /// Processes that it left running and that were ended.
    pub(super) left_running: usize,
    /// It had more processes than it may, and was ended.
    pub(super) too_many: bool,
    /// Processes that would not end.
    pub(super) survivors: usize,
    /// Whether it was fenced in.
    pub(super) fence: Fence,
}
