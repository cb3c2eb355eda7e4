//! What the user may set about commands: where they may write, how much they may take.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How far commands are fenced in (Landlock, Linux 5.13 and later).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// Not at all.
    Off,
    /// They read everything and write only the working folder and its repository, temporary folders, and the caches of
    /// the usual build tools.
    #[default]
    Write,
    /// As `write`; they read only what they may write and the system's own folders, and open no TCP connection.
    Strict,
}

impl Sandbox {
    /// The word in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Write => "write",
            Self::Strict => "strict",
        }
    }
}

/// `[tools.commands]`: what `run_command` may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How far commands are fenced in: `off`, `write` or `strict`; default `write`. Where the kernel has no Landlock each
    /// result says so.
    pub sandbox: Sandbox,
    /// More folders that commands may write to. Default: none.
    pub writable: Vec<PathBuf>,
    /// Processes that one command may have at once; with more it is ended. Default: 512.
    pub processes_max: usize,
    /// Address space of each process, in MiB (`RLIMIT_AS`); 0: no limit. Default: 0, for runtimes reserve far more than
    /// they use.
    pub memory_mib_max: u64,
    /// The largest file that a command may write, in MiB (`RLIMIT_FSIZE`); 0: no limit. Default: 0.
    pub file_mib_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sandbox: Sandbox::default(), writable: Vec::new(), processes_max: 512, memory_mib_max: 0, file_mib_max: 0 }
    }
}

impl Limits {
    /// What is wrong with these limits, by key and range.
    pub fn problem(&self) -> Option<String> {
        (!(1..=1_000_000).contains(&self.processes_max))
            .then(|| format!("`processes_max` is {}; it must be 1 to 1000000", self.processes_max))
    }
}
