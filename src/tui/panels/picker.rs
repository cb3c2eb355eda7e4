//! A list to choose from: sessions, models, themes, agents, prompts, commands. Typing narrows it.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

use crate::domain::event::Event;
use crate::domain::ids::{MemoryId, Seq, SessionId};
use crate::domain::text::clean_line;
use crate::tui::fuzzy;
use crate::tui::keymap::Action;
use crate::tui::transcript::Target;

/// Characters of a single-line input.
const INPUT_CHARS_MAX: usize = 200;

/// A short text on one line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Input {
    /// The text.
    pub text: String,
}

impl Input {
    /// An input that holds `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Takes a key; whether it was one for texts.
    pub fn key(&mut self, key: &KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Backspace => {
                let last = self.text.grapheme_indices(true).next_back().map_or(0, |(at, _)| at);
                self.text.truncate(last);
            }
            KeyCode::Char('u') if control => self.text.clear(),
            KeyCode::Char('w') if control => {
                let trimmed = self.text.trim_end();
                let at = trimmed.rfind(' ').map_or(0, |at| at + 1);
                self.text.truncate(at);
            }
            KeyCode::Char(ch) if !control && !key.modifiers.contains(KeyModifiers::ALT) && !ch.is_control() => {
                if self.text.chars().count() < INPUT_CHARS_MAX {
                    self.text.push(ch);
                }
            }
            _ => return false,
        }
        true
    }

    /// Takes a paste, on one line.
    pub fn paste(&mut self, text: &str) {
        let room = INPUT_CHARS_MAX.saturating_sub(self.text.chars().count());
        self.text.extend(clean_line(text).chars().take(room));
    }
}

/// What a list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PickKind {
    /// Sessions to go on with.
    Sessions,
    /// Models to answer with.
    Models,
    /// Themes; the chosen one is shown at once.
    Themes,
    /// Agents, to read about.
    Agents,
    /// Prompts sent before.
    Prompts,
    /// Messages of the user to go back to.
    Rewind,
    /// Everything that can be done.
    Palette,
    /// Prompts of servers.
    ServerPrompts,
    /// Tools of a server.
    Tools,
    /// Whether and where to open the session of an event.
    Jump,
    /// Sessions to show again.
    Replays,
    /// Drafts put aside.
    Drafts,
    /// Parts of an item to copy.
    Parts,
    /// Links and files of an item to open.
    Targets,
    /// Memories.
    Memories,
}

impl PickKind {
    /// Whether something is told of the chosen row below the list.
    pub fn has_previews(self) -> bool {
        matches!(self, Self::Sessions | Self::Replays)
    }

    /// The title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Models => "models",
            Self::Themes => "themes",
            Self::Agents => "agents",
            Self::Prompts => "earlier prompts",
            Self::Rewind => "go back to before a message",
            Self::Palette => "commands",
            Self::ServerPrompts => "prompts of the servers",
            Self::Tools => "tools",
            Self::Jump => "its session",
            Self::Replays => "show a session again",
            Self::Drafts => "drafts put aside",
            Self::Parts => "copy",
            Self::Targets => "open",
            Self::Memories => "memories",
        }
    }
}

/// What a row stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Pick {
    /// A session.
    Session(SessionId),
    /// A model.
    Model(String),
    /// A theme.
    Theme(String),
    /// An agent.
    Agent(String),
    /// A prompt.
    Prompt(String),
    /// A message of the user, and its text.
    Rewind(Seq, String),
    /// A slash command.
    Slash(String),
    /// What a key does.
    Action(Action),
    /// A server's prompt: `/server:prompt`.
    ServerPrompt(String),
    /// A tool of a server, by its name there.
    Tool(String),
    /// The place of an event in its session.
    Jump {
        /// The event.
        event: Arc<Event>,
        /// Whether the session gets a tab of its own.
        tab: bool,
    },
    /// A draft put aside, by its place.
    Draft(usize),
    /// Text to copy.
    Copy(String),
    /// What to open.
    Open(Target),
    /// A memory.
    Memory(MemoryId),
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct PickRow {
    /// What it stands for.
    pub pick: Pick,
    /// Its name.
    pub label: String,
    /// What is to say about it.
    pub note: String,
}

impl PickRow {
    /// A row; both texts are cleaned.
    pub fn new(pick: Pick, label: &str, note: &str) -> Self {
        Self { pick, label: clean_line(label), note: clean_line(note) }
    }
}

/// A list to choose from.
#[derive(Debug, Clone, PartialEq)]
pub struct Picker {
    /// What it is for.
    pub kind: PickKind,
    /// What narrows it.
    pub input: Input,
    /// All rows.
    pub rows: Vec<PickRow>,
    /// Positions in `rows` that are shown.
    pub found: Vec<usize>,
    /// The chosen one of them.
    pub selected: usize,
    /// What stands there instead of rows.
    pub notice: Option<String>,
    /// Whose rows these are, where that is to be told.
    pub about: Option<String>,
    /// Rows that hold a text elsewhere than in what is shown of them: the text, and which.
    held: (String, Vec<Pick>),
}

/// What a key did to a list.
#[derive(Debug, Clone, PartialEq)]
pub enum Picked {
    /// Nothing.
    NotMine,
    /// Another row is chosen, or another text narrows it.
    Moved,
    /// This one it is.
    Done(Pick),
}

impl Picker {
    /// A list of `rows`.
    pub fn new(kind: PickKind, rows: Vec<PickRow>) -> Self {
        let found = (0..rows.len()).collect();
        Self { kind, input: Input::default(), rows, found, selected: 0, notice: None, about: None, held: (String::new(), Vec::new()) }
    }

    /// A list whose rows are on their way.
    pub fn waiting(kind: PickKind) -> Self {
        Self { notice: Some("…".to_owned()), ..Self::new(kind, Vec::new()) }
    }

    /// The rows have come, or why they have not.
    pub fn fill(&mut self, rows: Result<Vec<PickRow>, String>) {
        match rows {
            Ok(rows) => {
                let none = match self.kind {
                    PickKind::Agents => "none of your own: [[agents]] in the config makes one; `ask files to …` hands over to a server",
                    _ => "there are none",
                };
                self.notice = rows.is_empty().then(|| none.to_owned());
                self.rows = rows;
                let chosen = self.selected;
                self.narrow();
                self.selected = chosen.min(self.found.len().saturating_sub(1));
            }
            Err(reason) => self.notice = Some(clean_line(&reason)),
        }
    }

    fn narrow(&mut self) {
        let texts: Vec<String> = self.rows.iter().map(|row| format!("{} {}", row.label, row.note)).collect();
        self.found = fuzzy::rank(&self.input.text, texts.iter().map(String::as_str), false);
        self.selected = 0;
        self.add_held();
    }

    /// Those that hold the text elsewhere come after those that show it.
    fn add_held(&mut self) {
        if self.held.0 != self.input.text.trim() {
            return;
        }
        for (at, row) in self.rows.iter().enumerate() {
            if self.held.1.contains(&row.pick) && !self.found.contains(&at) {
                self.found.push(at);
            }
        }
    }

    /// These rows hold `text` elsewhere than in what is shown of them; those that are not in the list yet join it.
    pub fn hold(&mut self, text: &str, rows: Vec<PickRow>) {
        self.held = (text.to_owned(), rows.iter().map(|row| row.pick.clone()).collect());
        let new: Vec<_> = rows.into_iter().filter(|row| !self.rows.iter().any(|known| known.pick == row.pick)).collect();
        self.rows.extend(new);
        self.add_held();
    }

    /// Narrows the list by `text`.
    pub fn narrow_by(&mut self, text: &str) {
        self.input = Input::new(text);
        self.narrow();
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str) {
        self.input.paste(text);
        self.narrow();
    }

    /// The chosen row.
    pub fn chosen(&self) -> Option<&PickRow> {
        self.found.get(self.selected).and_then(|at| self.rows.get(*at))
    }

    /// Chooses the row with this meaning.
    pub fn choose(&mut self, pick: &Pick) {
        if let Some(at) = self.found.iter().position(|at| self.rows.get(*at).is_some_and(|row| row.pick == *pick)) {
            self.selected = at;
        }
    }

    /// Moves the choice.
    pub fn step(&mut self, step: isize) {
        self.selected = self.selected.saturating_add_signed(step).min(self.found.len().saturating_sub(1));
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) -> Picked {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Up => self.step(-1),
            KeyCode::Down => self.step(1),
            KeyCode::Char('p') if control => self.step(-1),
            KeyCode::Char('n' | 'r') if control => self.step(1),
            KeyCode::PageUp => self.step(-10),
            KeyCode::PageDown => self.step(10),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.step(isize::MAX),
            KeyCode::Enter => return self.chosen().map_or(Picked::Moved, |row| Picked::Done(row.pick.clone())),
            _ if self.input.key(key) => self.narrow(),
            _ => return Picked::NotMine,
        }
        Picked::Moved
    }
}
