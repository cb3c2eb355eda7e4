//! Changes of files that can be taken back, as lists show them.

use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;
use crate::domain::ids::SessionId;

/// What the tool is called that takes a change back.
pub const UNDO: &str = "undo";

/// How a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoState {
    /// It can be taken back.
    Stands,
    /// It was taken back.
    Undone,
    /// The file does not hold it: the program ended before it took effect, or somebody took it back by other means.
    Absent,
}

impl UndoState {
    /// In words, for lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stands => "",
            Self::Undone => "undone",
            Self::Absent => "not in the file",
        }
    }
}

/// One change of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoRow {
    /// Its number in the list, the newest first, from 1.
    pub number: usize,
    /// Its id.
    pub id: String,
    /// When.
    pub at: Instant,
    /// The session that made it; absent where another program called.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// The tool that made it; `undo` where a person took a change back.
    pub tool: String,
    /// The file.
    pub path: String,
    /// There was no such file before.
    pub is_new_file: bool,
    /// How it stands.
    pub state: UndoState,
}
