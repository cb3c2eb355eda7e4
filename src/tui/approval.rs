//! The question for consent: what would run, and three answers.
//!
//! A key in the first [`GUARD`] never answers: it was meant for something else. Typing on prolongs it. For what may destroy something, "No"
//! is preselected.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::domain::clock::Instant;
use crate::domain::event::{Approval, Scope};
use crate::domain::text::{clean, clean_line};
use crate::tui::panels::Row;
use crate::tui::theme::Key;

/// So long no key or click answers.
pub const GUARD: Duration = Duration::from_millis(500);

/// Rows of a preview or of arguments that are kept.
const ROWS_MAX: usize = 2_000;

/// The reaches that the second answer goes through.
const SCOPES: [Scope; 3] = [Scope::Session, Scope::Tool, Scope::Server];

/// One question on the screen.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// The question.
    pub approval: Approval,
    /// Since when it is on the screen; not yet where absent.
    pub shown: Option<Instant>,
    /// The chosen answer, 0 to 2.
    pub chosen: usize,
    /// How far the second answer reaches.
    pub scope: Scope,
    /// Rows of the particulars above the window.
    pub scroll: usize,
    body: Vec<Row>,
}

/// What a key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was no key of the dialog.
    NotMine,
    /// It moved something.
    Moved,
    /// The call may run.
    Allow(Scope),
    /// The call may not run; the user says what to do instead.
    Instead,
}

impl Dialog {
    /// A question that is not on the screen yet.
    pub fn new(approval: Approval) -> Self {
        let chosen = if approval.dangerous { 2 } else { 0 };
        let body = body(&approval);
        Self { approval, shown: None, chosen, scope: Scope::Session, scroll: 0, body }
    }

    /// Whether keys may answer.
    pub fn is_armed(&self, now: Instant) -> bool {
        self.shown.is_some_and(|shown| now.since(shown) >= GUARD)
    }

    /// `server · tool`.
    pub fn subject(&self) -> String {
        clean_line(&format!("{} · {}", self.approval.service_name, self.approval.tool_name))
    }

    /// Why it is asked.
    pub fn reason(&self) -> String {
        clean_line(&self.approval.reason)
    }

    /// The particulars: a diff or the arguments.
    pub fn body(&self) -> &[Row] {
        &self.body
    }

    /// The answers.
    pub fn choices(&self) -> [String; 3] {
        let scope = match self.scope {
            Scope::Once | Scope::Session => format!("`{}` in this session", clean_line(&self.approval.tool_name)),
            Scope::Tool => format!("`{}`, ever", clean_line(&self.approval.tool_name)),
            Scope::Server => format!("anything of `{}`, ever", clean_line(self.approval.service_name.as_str())),
        };
        ["Yes, once (y)".to_owned(), format!("Yes, and don't ask again for {scope} (a)"), "No, and say what to do instead (esc)".to_owned()]
    }

    fn choose(&mut self, at: usize) -> Outcome {
        self.chosen = at;
        match at {
            0 => Outcome::Allow(Scope::Once),
            1 => Outcome::Allow(self.scope),
            _ => Outcome::Instead,
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent, now: Instant) -> Outcome {
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return Outcome::NotMine;
        }
        let armed = self.is_armed(now);
        match key.code {
            KeyCode::Up => self.chosen = (self.chosen + 2) % 3,
            KeyCode::Down => self.chosen = (self.chosen + 1) % 3,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(8),
            KeyCode::PageDown => self.scroll = (self.scroll + 8).min(self.body.len().saturating_sub(1)),
            KeyCode::Tab | KeyCode::Right => self.turn_scope(1),
            KeyCode::Left => self.turn_scope(2),
            KeyCode::Enter | KeyCode::Esc if !armed => {}
            KeyCode::Char('1' | '2' | '3' | 'y' | 'a' | 'n' | 'Y' | 'A' | 'N') if !armed => return Outcome::NotMine,
            // Somebody is typing: what is typed goes where it was meant to go, and the wait begins anew.
            KeyCode::Char(_) if !armed => {
                self.shown = Some(now);
                return Outcome::NotMine;
            }
            KeyCode::Enter => return self.choose(self.chosen),
            KeyCode::Char('1' | 'y' | 'Y') => return self.choose(0),
            KeyCode::Char('2' | 'a' | 'A') => return self.choose(1),
            KeyCode::Char('3' | 'n' | 'N') | KeyCode::Esc => return self.choose(2),
            // A letter that answers nothing is no text either: the next one might answer.
            KeyCode::Char(_) => {}
            _ => return Outcome::NotMine,
        }
        Outcome::Moved
    }

    fn turn_scope(&mut self, by: usize) {
        let at = SCOPES.iter().position(|scope| *scope == self.scope).unwrap_or(0);
        self.scope = SCOPES[(at + by) % SCOPES.len()];
        self.chosen = 1;
    }

    /// Takes a click on the answer `at`.
    pub fn click(&mut self, at: usize, now: Instant) -> Outcome {
        if self.is_armed(now) && at < 3 { self.choose(at) } else { Outcome::Moved }
    }
}

fn body(approval: &Approval) -> Vec<Row> {
    if let Some(preview) = &approval.preview {
        return clean(preview).lines().take(ROWS_MAX).map(|line| vec![(diff_key(line), line.replace('\t', "    "))]).collect();
    }
    let mut rows = Vec::new();
    for (name, value) in &approval.arguments {
        let text = value.as_str().map_or_else(|| serde_json::to_string_pretty(value).unwrap_or_default(), str::to_owned);
        let cleaned = clean(&text).replace('\t', "    ");
        let mut lines = cleaned.lines();
        let first = lines.next().unwrap_or_default().to_owned();
        rows.push(vec![(Key::UiDim, format!("{}: ", clean_line(name))), (Key::UiPopup, first)]);
        rows.extend(lines.take(ROWS_MAX).map(|line| vec![(Key::UiPopup, format!("  {line}"))]));
        if rows.len() > ROWS_MAX {
            break;
        }
    }
    rows
}

fn diff_key(line: &str) -> Key {
    match line.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Key::DiffHeader,
        [b'@', b'@', ..] => Key::DiffHunk,
        [b'+', ..] => Key::DiffAdd,
        [b'-', ..] => Key::DiffRemove,
        _ => Key::DiffContext,
    }
}
