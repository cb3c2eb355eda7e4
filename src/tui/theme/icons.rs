//! The table of all icons, each with a variant in plain ASCII.

use serde::{Deserialize, Serialize};

/// Which icons are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IconSet {
    /// Unicode symbols and emoji.
    #[default]
    Unicode,
    /// ASCII only.
    Ascii,
}

macro_rules! icons {
    ($( $variant:ident = $unicode:literal, $ascii:literal, $help:literal; )+) => {
        /// A sign beside a text. The text never depends on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Icon {
            $( #[doc = $help] $variant, )+
        }

        impl Icon {
            /// All icons, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The sign in `set`.
            pub const fn symbol(self, set: IconSet) -> &'static str {
                match (self, set) {
                    $( (Self::$variant, IconSet::Unicode) => $unicode, (Self::$variant, IconSet::Ascii) => $ascii, )+
                }
            }
        }
    };
}

icons! {
    Connected = "🔗", "<>", "a client or a server is connected";
    Started = "🚀", ">>", "something started";
    Success = "✅", "ok", "something ended well";
    Failure = "❌", "!!", "something failed";
    Server = "📡", "()", "a server or its catalogue changed";
    Handoff = "🤝", "=>", "a task was handed over";
    Task = "⏰", "@@", "a background task";
    Notification = "🔔", "**", "a notice";
    Chat = "💬", "::", "somebody says something";
    Turn = "🔄", "~~", "a turn";
    Approval = "🔐", "??", "a question for consent";
    Session = "📁", "[]", "a conversation";
    Custom = "📦", "--", "a type that only its sender knows";
    Ok = "✔", "+", "it went well (one column)";
    Error = "✖", "x", "it failed (one column)";
    Warning = "▲", "!", "look here (one column)";
    Question = "?", "?", "it waits for an answer (one column)";
    Pending = "◌", "o", "it waits (one column)";
    Dot = "●", "*", "it is on (one column)";
    Circle = "○", "o", "it is off (one column)";
    Stopped = "■", "#", "it was stopped (one column)";
    Info = "ℹ", "i", "worth knowing (one column)";
    Retry = "↻", "~", "it is tried again (one column)";
    Bullet = "•", "-", "a list item (one column)";
    Dash = "–", "-", "an inner list item (one column)";
    BoxDone = "☑", "x", "a task that is done (one column)";
    BoxOpen = "☐", "_", "a task that is not done (one column)";
    Folded = "▸", ">", "it can be opened (one column)";
    Unfolded = "▾", "v", "it can be closed (one column)";
    Prompt = "❯", ">", "what the user says (one column)";
    Queued = "↳", "\\", "it waits in the queue (one column)";
    Arrow = "→", ">", "leads to (one column)";
    Diamond = "◆", "*", "a mark in the conversation (one column)";
    Separator = "·", "-", "between values (one column)";
    Bar = "│", "|", "a vertical line (one column)";
    Line = "─", "-", "a horizontal line (one column)";
    Cross = "┼", "+", "where lines cross (one column)";
    Down = "▾", "v", "opens downwards (one column)";
    Below = "↓", "v", "more stands below (one column)";
    Full = "▓", "#", "a full cell of a progress bar (one column)";
    Empty = "░", ".", "an empty cell of a progress bar (one column)";
}

/// Frames of the spinner, one column each.
const SPINNER_UNICODE: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Frames of the spinner in ASCII, one column each.
const SPINNER_ASCII: [&str; 4] = ["|", "/", "-", "\\"];

impl IconSet {
    /// The frame of the spinner at `tick`.
    pub fn spinner(self, tick: u64) -> &'static str {
        let frames: &'static [&'static str] = match self {
            Self::Unicode => &SPINNER_UNICODE,
            Self::Ascii => &SPINNER_ASCII,
        };
        let index = usize::try_from(tick % frames.len() as u64).unwrap_or(0);
        frames.get(index).copied().unwrap_or("*")
    }
}
