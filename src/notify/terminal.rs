//! The terminal as a channel: notes for the surface that owns it, and how a terminal is told.
//!
//! Does no output itself: the terminal belongs to the surface, which drains the notes and writes what
//! [`TerminalStyle::sequence`] makes of them between two frames.

use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::domain::clock::Clock;
use crate::domain::notice::{ChannelKind, Notice};
use crate::domain::text::{clean_line, ellipsis};
use crate::notify::template::{Facts, Template};
use crate::notify::{Channel, OptionsError, Parts, Receipt, SendError};

/// Notes that wait for the surface; more than anybody reads at once.
const NOTES_MAX: usize = 64;

/// The longest title in a terminal's notification, in characters.
const TITLE_CHARS_MAX: usize = 80;

/// The longest text in a terminal's notification, in characters.
const BODY_CHARS_MAX: usize = 200;

/// A notice for the terminal; clean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalNote {
    /// One line.
    pub title: String,
    /// Plain text.
    pub body: String,
}

/// How a note is shown in a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TerminalStyle {
    /// What the terminal is known to understand; a bell where nothing is known of it.
    Auto,
    /// `ESC ] 9`.
    Osc9,
    /// `ESC ] 777`.
    Osc777,
    /// The bell alone.
    Bell,
}

impl TerminalStyle {
    /// The style for a terminal that calls itself `term` (`$TERM`) and `program` (`$TERM_PROGRAM`).
    #[must_use]
    pub fn settled(self, term: &str, program: &str) -> Self {
        /// Each says so in its own manual.
        const OSC9: [&str; 5] = ["iTerm.app", "WezTerm", "ghostty", "xterm-ghostty", "xterm-kitty"];
        const OSC777: [&str; 3] = ["foot", "rxvt", "urxvt"];
        let named = |names: &[&str]| names.iter().any(|name| program.eq_ignore_ascii_case(name) || term.starts_with(name));
        match self {
            Self::Auto if named(&OSC9) => Self::Osc9,
            Self::Auto if named(&OSC777) => Self::Osc777,
            Self::Auto => Self::Bell,
            stated => stated,
        }
    }

    /// What the surface writes for a note.
    pub fn sequence(self, note: &TerminalNote) -> String {
        match self {
            Self::Osc9 => osc9(note),
            Self::Osc777 => osc777(note),
            Self::Auto | Self::Bell => "\u{7}".to_owned(),
        }
    }
}

/// The notification of iTerm2, Windows Terminal, `WezTerm`, Ghostty and others: `ESC ] 9 ; text BEL`. Whatever the note
/// holds, the text is one line without control characters.
fn osc9(note: &TerminalNote) -> String {
    let title = field(&note.title, TITLE_CHARS_MAX);
    let body = field(&note.body, BODY_CHARS_MAX);
    let text = match (title.is_empty(), body.is_empty()) {
        (false, false) => format!("{title}: {body}"),
        _ => format!("{title}{body}"),
    };
    // `9;4;…` and its kin are commands of their own (progress bars): a text must not begin like one.
    let guard = if text.starts_with(|ch: char| ch.is_ascii_digit()) { "wakeful: " } else { "" };
    format!("\u{1b}]9;{guard}{text}\u{7}")
}

/// The notification of urxvt, foot, Ghostty and others: `ESC ] 777 ; notify ; title ; body BEL`.
fn osc777(note: &TerminalNote) -> String {
    // A semicolon ends a field there.
    let part = |text: &str, chars_max| field(text, chars_max).replace(';', ",");
    format!("\u{1b}]777;notify;{};{}\u{7}", part(&note.title, TITLE_CHARS_MAX), part(&note.body, BODY_CHARS_MAX))
}

fn field(text: &str, chars_max: usize) -> String {
    ellipsis(&clean_line(text), chars_max).into_owned()
}

/// The channel.
pub(super) struct Terminal {
    sender: mpsc::Sender<TerminalNote>,
    /// Taken by the surface; while it is here nobody would see a note.
    receiver: Mutex<Option<mpsc::Receiver<TerminalNote>>>,
    template: Template,
    clock: std::sync::Arc<dyn Clock>,
    zone: jiff::tz::TimeZone,
}

impl Terminal {
    pub(super) fn new(parts: &Parts<'_>) -> Result<Self, OptionsError> {
        let (sender, receiver) = mpsc::channel(NOTES_MAX);
        Ok(Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            template: Template::parse("terminal.template", &parts.options.terminal.template)?,
            clock: std::sync::Arc::clone(&parts.clock),
            zone: parts.zone.clone(),
        })
    }

    pub(super) fn take(&self) -> Option<mpsc::Receiver<TerminalNote>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is_watched(&self) -> bool {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).is_none() && !self.sender.is_closed()
    }

    fn hand_over(&self, notice: &Notice) -> Result<Receipt, SendError> {
        let unseen = || Receipt { id: None, simulated: true, detail: "no terminal is open".to_owned() };
        if !self.is_watched() {
            return Ok(unseen());
        }
        let facts = Facts::of(notice, self.clock.now(), &self.zone);
        let note = TerminalNote { title: facts.title.clone(), body: self.template.render(&facts) };
        match self.sender.try_send(note) {
            Ok(()) => Ok(Receipt { id: None, simulated: false, detail: "shown in the terminal".to_owned() }),
            Err(TrySendError::Closed(_)) => Ok(unseen()),
            Err(TrySendError::Full(_)) => Err(SendError::Down { reason: format!("{NOTES_MAX} notes wait for the terminal already") }),
        }
    }
}

impl Channel for Terminal {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Terminal
    }

    fn simulated(&self) -> bool {
        !self.is_watched()
    }

    fn send(&self, notice: Notice) -> BoxFuture<'static, Result<Receipt, SendError>> {
        futures::future::ready(self.hand_over(&notice)).boxed()
    }
}
