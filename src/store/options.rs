//! What can be set about the log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[store]` in the config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The file that holds the event log. Default: `events.db` in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// How long to wait for another program that writes to the same file, in milliseconds. Default: 5000.
    pub busy_timeout_ms: u64,
    /// Appends that may wait for the disk before the next one has to wait itself. Default: 1024.
    pub queue: usize,
    /// Events that are kept in memory for readers that lag. Default: 4096.
    pub bus_capacity: usize,
    /// How often to look for events of other programs while somebody follows the log, in milliseconds. Default: 200.
    pub follow_poll_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { path: None, busy_timeout_ms: 5_000, queue: 1_024, bus_capacity: 4_096, follow_poll_ms: 200 }
    }
}

impl Options {
    /// The name of the file in the data folder.
    pub const FILE_NAME: &str = "events.db";

    /// The file that holds the log, given the data folder.
    pub fn path_in(&self, data_folder: &Path) -> PathBuf {
        self.path.clone().unwrap_or_else(|| data_folder.join(Self::FILE_NAME))
    }

    pub(super) fn busy_timeout(&self) -> Duration {
        Duration::from_millis(self.busy_timeout_ms)
    }

    pub(super) fn follow_poll(&self) -> Duration {
        Duration::from_millis(self.follow_poll_ms.max(1))
    }
}
