//! The question for consent: what would run, and three answers.
//!
//! A key in the first [`GUARD`] never answers: it was meant for something else. It goes nowhere, and the wait begins anew. For what may destroy something, "No"
//! is preselected.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::domain::clock::Instant;
use crate::domain::event::{Approval, Scope};
use crate::domain::text::{clean_line, visible};
use crate::tui::highlight::diff_key;
use crate::tui::panels::Row;
use crate::tui::theme::Key;

/// So long no key or click answers.
pub const GUARD: Duration = Duration::from_millis(500);

/// Rows of a preview or of arguments that are kept; a last one tells how many are missing.
const ROWS_MAX: usize = 20_000;

/// What the further rows of a broken line begin with.
const INDENT: &str = "  ";

/// No row is broken into less.
const WIDTH_MIN: usize = 8;

/// The reaches that the second answer goes through.
const SCOPES: [Scope; 3] = [Scope::Session, Scope::Tool, Scope::Server];

/// One question on the screen.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// The question.
    pub approval: Approval,
    /// Since when it is on the screen; not yet where absent.
    pub shown: Option<Instant>,
    /// Its place among all that is asked.
    pub order: u64,
    /// The chosen answer, 0 to 2.
    pub chosen: usize,
    /// How far the second answer reaches.
    pub scope: Scope,
    /// Rows of the particulars above the window.
    pub scroll: usize,
    /// The particulars, line by line.
    lines: Vec<Row>,
    /// The lines broken into rows of `width`.
    body: Vec<Row>,
    width: u16,
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
    /// The user's own call does not run.
    Refuse,
}

impl Dialog {
    /// A question that is not on the screen yet.
    pub fn new(approval: Approval, order: u64) -> Self {
        let chosen = if approval.dangerous { 2 } else { 0 };
        let lines = lines(&approval);
        let mut dialog = Self { approval, shown: None, order, chosen, scope: Scope::Session, scroll: 0, lines, body: Vec::new(), width: 0 };
        dialog.fit(76);
        dialog
    }

    /// Breaks the particulars into rows of `width` columns: nothing of what would run is out of reach.
    pub fn fit(&mut self, width: u16) {
        if self.width == width {
            return;
        }
        self.width = width;
        self.body.clear();
        let mut missing = 0_usize;
        for line in &self.lines {
            for row in broken(line, usize::from(width).max(WIDTH_MIN)) {
                if self.body.len() < ROWS_MAX {
                    self.body.push(row);
                } else {
                    missing += 1;
                }
            }
        }
        if missing > 0 {
            self.body.push(vec![(Key::UiDim, format!("… {missing} more lines not shown"))]);
        }
        self.scroll = self.scroll.min(self.body.len().saturating_sub(1));
    }

    /// Whether keys may answer.
    pub fn is_armed(&self, now: Instant) -> bool {
        self.shown.is_some_and(|shown| now.since(shown) >= GUARD)
    }

    /// `server · tool`.
    pub fn subject(&self) -> String {
        clean_line(&format!("{} · {}", self.approval.service_name, self.approval.tool_name))
    }

    /// What is asked, and whether a wrong yes could do harm that stays.
    pub fn title(&self) -> (&'static str, bool) {
        let text = |name: &str| self.approval.arguments.get(name).and_then(serde_json::Value::as_str);
        let is_new = self.approval.preview.as_deref().is_some_and(|preview| preview.starts_with("--- /dev/null"));
        match (self.approval.service_name.as_str(), self.approval.tool_name.as_str()) {
            ("system", "run_command") => ("run this command? it can change files", text("command").is_none_or(is_grave)),
            ("files", "write_file") if is_new => ("write this new file?", false),
            ("files", "write_file") if self.approval.preview.is_some() => ("write over this file?", self.approval.dangerous),
            ("files", "write_file") => ("write this file?", self.approval.dangerous),
            ("files", "edit_file") => ("change this file?", self.approval.dangerous),
            _ if self.approval.dangerous => ("allow this? it may destroy something", true),
            _ => ("allow this?", false),
        }
    }

    /// Why it is asked.
    pub fn reason(&self) -> String {
        let reason = clean_line(&self.approval.reason);
        let tail = if reason.starts_with("mode `") { " (shift+tab changes the mode)" } else { "" };
        format!("asked because: {reason}{tail}")
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
        let no = if self.approval.own { "No (esc)" } else { "No, and say what to do instead (esc)" };
        ["Yes, once (y)".to_owned(), format!("Yes, and don't ask again for {scope} (a)"), no.to_owned()]
    }

    fn choose(&mut self, at: usize) -> Outcome {
        self.chosen = at;
        match at {
            0 => Outcome::Allow(Scope::Once),
            1 => Outcome::Allow(self.scope),
            _ if self.approval.own => Outcome::Refuse,
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
            // What it changes is chosen first, so that it is seen what changes.
            KeyCode::Tab | KeyCode::Right | KeyCode::Left if self.chosen != 1 => self.chosen = 1,
            KeyCode::Tab | KeyCode::Right => self.turn_scope(1),
            KeyCode::Left => self.turn_scope(2),
            KeyCode::Esc if !armed => {}
            // Somebody is typing: the wait begins anew.
            KeyCode::Enter | KeyCode::Char(_) if !armed => self.shown = Some(now),
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
    }

    /// Takes a click on the answer `at`.
    pub fn click(&mut self, at: usize, now: Instant) -> Outcome {
        if self.is_armed(now) && at < 3 { self.choose(at) } else { Outcome::Moved }
    }
}

/// Whether a command names something that takes away, overwrites or reaches for more rights. That it does not is no promise.
fn is_grave(command: &str) -> bool {
    const WORDS: [&str; 16] = [
        "rm", "rmdir", "mv", "dd", "shred", "truncate", "mkfs", "sudo", "doas", "su", "kill", "pkill", "killall", "chmod", "chown", "reset",
    ];
    let mut words = command.split(|ch: char| ch.is_whitespace() || matches!(ch, ';' | '|' | '&' | '(' | ')' | '`' | '"' | '\''));
    command.contains('>') || words.any(|word| WORDS.contains(&word.rsplit('/').next().unwrap_or(word)))
}

fn lines(approval: &Approval) -> Vec<Row> {
    if let Some(preview) = &approval.preview {
        return visible(preview).lines().map(|line| vec![(diff_key(line), line.replace('\t', "    "))]).collect();
    }
    let mut rows = Vec::new();
    for (name, value) in &approval.arguments {
        let text = value.as_str().map_or_else(|| serde_json::to_string_pretty(value).unwrap_or_default(), str::to_owned);
        let shown = visible(&text).replace('\t', "    ");
        let mut lines = shown.lines();
        let first = lines.next().unwrap_or_default().to_owned();
        rows.push(vec![(Key::UiDim, format!("{}: ", visible(name).replace(['\n', '\t'], " "))), (Key::UiPopup, first)]);
        rows.extend(lines.map(|line| vec![(Key::UiPopup, format!("  {line}"))]));
    }
    rows
}

/// A line as rows of at most `width` columns.
pub(in crate::tui) fn broken(line: &Row, width: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = Row::new();
    let mut used = 0;
    for (key, text) in line {
        let mut from = 0;
        for (at, cluster) in text.grapheme_indices(true) {
            let columns = cluster.width();
            if used + columns > width {
                row.push((*key, text[from..at].to_owned()));
                rows.push(std::mem::take(&mut row));
                row.push((*key, INDENT.to_owned()));
                used = INDENT.len();
                from = at;
            }
            used += columns;
        }
        row.push((*key, text[from..].to_owned()));
    }
    rows.push(row);
    rows
}
