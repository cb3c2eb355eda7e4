//! The message being written. The only file that knows the text area's crate.
//!
//! The crate edits by `char`; people think in grapheme clusters, so moving and deleting by one is done here. A large
//! paste folds to a chip that moves and dies as one piece and is written out when the message is sent.

pub mod history;
mod more;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::Widget;
use tui_textarea::{AtomicDeleteDirection, AtomicRange, CursorMove, CursorRenderMode, TextArea, WrapMode};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

pub use history::History;

use crate::domain::text;

/// The largest paste that is taken, in bytes.
pub const PASTE_BYTES_MAX: usize = 1 << 20;

/// Steps that can be undone.
const UNDO_MAX: usize = 200;

/// One change or movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Edit {
    Newline,
    Left,
    Right,
    Up,
    Down,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    DeleteBack,
    DeleteNext,
    DeleteWord,
    DeleteWordNext,
    KillEnd,
    KillStart,
    Yank,
    Undo,
    Redo,
    Upper,
    Lower,
    Capital,
    Unfold,
}

/// A folded paste.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chip {
    label: String,
    text: String,
}

/// A word at the caret that can be completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// The name behind a slash at the start of the message.
    Slash(String),
    /// The last argument of a command: the command's name, the arguments before, what is typed of this one.
    Argument(String, Vec<String>, String),
    /// What stands behind an `@`.
    File(String),
}

/// The message being written.
pub struct Composer {
    area: RefCell<TextArea<'static>>,
    chips: Vec<Chip>,
    fold_lines: usize,
    fold_chars: usize,
}

impl fmt::Debug for Composer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composer").field("text", &self.raw()).finish_non_exhaustive()
    }
}

impl Composer {
    /// An empty message; pastes of more lines or characters fold.
    pub fn new(fold_lines: usize, fold_chars: usize) -> Self {
        let mut area = TextArea::default();
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.set_cursor_line_style(Style::new());
        area.set_cursor_render_mode(CursorRenderMode::Hidden);
        area.set_max_histories(UNDO_MAX);
        area.set_undo_coalescing(true);
        area.set_tab_length(4);
        Self { area: RefCell::new(area), chips: Vec::new(), fold_lines, fold_chars }
    }

    /// The text as it stands, chips folded.
    pub fn raw(&self) -> String {
        self.area.borrow().lines().join("\n")
    }

    /// The text with chips written out.
    pub fn text(&self) -> String {
        let raw = self.raw();
        if self.chips.is_empty() {
            return raw;
        }
        let mut out = String::with_capacity(raw.len());
        let mut rest = raw.as_str();
        while let Some((at, chip)) = self.next_chip(rest) {
            out.push_str(&rest[..at]);
            out.push_str(&chip.text);
            rest = &rest[at + chip.label.len()..];
        }
        out.push_str(rest);
        out
    }

    fn next_chip(&self, text: &str) -> Option<(usize, &Chip)> {
        let found = self.chips.iter().filter_map(|chip| text.find(&chip.label).map(|at| (at, chip)));
        found.min_by_key(|(at, _)| *at)
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.area.borrow().is_empty()
    }

    /// Whether the text begins with `ch`.
    pub fn begins_with(&self, ch: char) -> bool {
        self.area.borrow().lines().first().is_some_and(|line| line.starts_with(ch))
    }

    /// Replaces the text; the caret goes to its end.
    pub fn set(&mut self, text: &str) {
        self.chips.clear();
        let lines: Vec<String> = text::clean(text).split('\n').map(str::to_owned).collect();
        let end = (lines.len() - 1, lines.last().map_or(0, |line| line.chars().count()));
        self.area.get_mut().set_lines(lines, end);
    }

    /// Takes the text, chips written out, and leaves nothing.
    pub fn take(&mut self) -> String {
        let text = self.text();
        self.set("");
        text
    }

    /// Types one character.
    pub fn insert(&mut self, ch: char) {
        if !ch.is_control() {
            self.area.get_mut().insert_char(ch);
            self.mark_chips();
        }
    }

    /// Types a text as it is.
    pub fn insert_str(&mut self, text: &str) {
        self.area.get_mut().insert_str(text::clean(text));
        self.mark_chips();
    }

    /// Takes a paste: cleaned, folded where it is large. `false` if it is larger than [`PASTE_BYTES_MAX`].
    pub fn paste(&mut self, pasted: &str) -> bool {
        if pasted.len() > PASTE_BYTES_MAX {
            return false;
        }
        let cleaned = text::clean(pasted).into_owned();
        let lines = cleaned.lines().count();
        if lines <= self.fold_lines && cleaned.chars().count() <= self.fold_chars {
            self.insert_str(&cleaned);
            return true;
        }
        let what = if lines > 1 { format!("{lines} lines") } else { format!("{} characters", cleaned.chars().count()) };
        let mut label = format!("[pasted {what}]");
        let mut number = 2;
        while self.chips.iter().any(|chip| chip.label == label) {
            label = format!("[pasted {what} #{number}]");
            number += 1;
        }
        self.area.get_mut().insert_str(&label);
        self.chips.push(Chip { label, text: cleaned });
        self.mark_chips();
        true
    }

    /// Tells the text area which stretches are chips; an edit forgets them.
    fn mark_chips(&mut self) {
        if self.chips.is_empty() {
            return;
        }
        let area = self.area.get_mut();
        let mut ranges = Vec::new();
        for (row, line) in area.lines().iter().enumerate() {
            for chip in &self.chips {
                for (at, _) in line.match_indices(&chip.label) {
                    let start_col = line[..at].chars().count();
                    ranges.push(AtomicRange { row, start_col, end_col: start_col + chip.label.chars().count() });
                }
            }
        }
        ranges.sort_by_key(|range| (range.row, range.start_col));
        // Labels end in `]` and start with `[`, so they cannot overlap; were it ever so, chips would only be no longer atomic.
        let _ = area.try_set_atomic_ranges(ranges);
    }

    /// Carries out `edit`.
    pub fn edit(&mut self, edit: Edit) {
        let area = self.area.get_mut();
        match edit {
            Edit::Newline => area.insert_newline(),
            Edit::Left => step_left(area),
            Edit::Right => step_right(area),
            Edit::Up => area.move_cursor(CursorMove::Up),
            Edit::Down => area.move_cursor(CursorMove::Down),
            Edit::WordLeft => area.move_cursor(CursorMove::WordBack),
            Edit::WordRight => area.move_cursor(CursorMove::WordForward),
            Edit::LineStart => area.move_cursor(CursorMove::Head),
            Edit::LineEnd => area.move_cursor(CursorMove::End),
            Edit::TextStart => jump(area, 0, 0),
            Edit::TextEnd => {
                area.move_cursor(CursorMove::Bottom);
                area.move_cursor(CursorMove::End);
            }
            Edit::DeleteBack => delete_back(area),
            Edit::DeleteNext => delete_next(area),
            Edit::DeleteWord => drop(area.delete_word()),
            Edit::DeleteWordNext => drop(area.delete_next_word()),
            Edit::KillEnd => drop(area.delete_line_by_end()),
            Edit::KillStart => drop(area.delete_line_by_head()),
            Edit::Yank => drop(area.paste()),
            Edit::Undo => drop(area.undo()),
            Edit::Redo => drop(area.redo()),
            Edit::Upper | Edit::Lower | Edit::Capital => self.change_case(edit),
            Edit::Unfold => self.unfold(),
        }
        self.mark_chips();
    }

    /// Puts the caret at a line and a column, in characters from 0; no further than the text goes.
    pub fn jump_to(&mut self, (row, col): (usize, usize)) {
        jump(self.area.get_mut(), row, col);
    }

    /// Deletes from one place up to another; the caret is where it began.
    pub fn delete_between(&mut self, from: (usize, usize), to: (usize, usize)) {
        let area = self.area.get_mut();
        jump(area, from.0, from.1);
        area.start_selection();
        jump(area, to.0, to.1);
        if area.cursor() == from || !area.cut() {
            area.cancel_selection();
        }
        self.mark_chips();
    }

    /// Line and column of the caret, in characters from 0.
    pub fn caret(&self) -> (usize, usize) {
        self.area.borrow().cursor()
    }

    /// Whether the caret is on the first and on the last line of the text.
    pub fn at_edges(&self) -> (bool, bool) {
        let area = self.area.borrow();
        let (row, _) = area.cursor();
        (row == 0, row + 1 == area.lines().len())
    }

    /// Whether the caret stands behind a backslash at the end of its line; if so, the backslash goes.
    pub fn take_backslash(&mut self) -> bool {
        let area = self.area.get_mut();
        let (row, col) = area.cursor();
        let behind = area.lines().get(row).is_some_and(|line| line.ends_with('\\') && line.chars().count() == col);
        if behind {
            area.delete_char();
        }
        behind
    }

    /// The word at the caret that can be completed.
    pub fn token(&self) -> Option<Token> {
        let area = self.area.borrow();
        let (row, col) = area.cursor();
        let line = area.lines().get(row)?;
        let before: String = line.chars().take(col).collect();
        let alone = row == 0 && area.lines().len() == 1 && !before.contains(char::is_whitespace);
        if let Some(name) = before.strip_prefix('/').filter(|_| alone) {
            return (!name.contains('/')).then(|| Token::Slash(name.to_owned()));
        }
        let word = before.rsplit(char::is_whitespace).next()?;
        let is_command = row == 0 && area.lines().len() == 1 && before.starts_with('/') && !word.starts_with('@');
        if let Some((name, rest)) = before.get(1..).filter(|_| is_command).and_then(|rest| rest.split_once(char::is_whitespace)) {
            let mut words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
            if !word.is_empty() {
                words.pop();
            }
            return Some(Token::Argument(name.to_owned(), words, word.to_owned()));
        }
        word.strip_prefix('@').map(|path| Token::File(path.to_owned()))
    }

    /// Puts `replacement` in place of the word before the caret, a blank behind it unless the word goes on.
    pub fn replace_word(&mut self, replacement: &str, goes_on: bool) {
        let area = self.area.get_mut();
        let (row, col) = area.cursor();
        let before: String = area.lines().get(row).map(|line| line.chars().take(col).collect()).unwrap_or_default();
        let length = before.rsplit(char::is_whitespace).next().map_or(0, |word| word.chars().count());
        jump(area, row, col - length);
        area.delete_str(length);
        area.insert_str(text::clean_line(replacement));
        if !goes_on {
            area.insert_char(' ');
        }
        self.mark_chips();
    }

    /// Rows that the text takes at `width` columns, one at least.
    pub fn rows(&self, width: u16) -> u16 {
        self.area.borrow_mut().measure(width).content_rows.max(1)
    }

    /// Draws the text and tells where the caret is.
    pub fn render(&self, area: Rect, style: Style, buf: &mut Buffer) -> Option<Position> {
        let mut text_area = self.area.borrow_mut();
        text_area.set_style(style);
        Widget::render(&*text_area, area, buf);
        let caret = text_area.rendered_cursor_position()?;
        let (row, col) = text_area.cursor();
        // The crate adds up the widths of characters; clusters of several are narrower, so the column is ours.
        let (start_row, start_col) = text_area.cursor_at_position(Position::new(area.x, caret.y))?;
        if start_row != row || start_col > col {
            return Some(caret);
        }
        let line = text_area.lines().get(row)?;
        if line.contains('\t') {
            return Some(caret);
        }
        let before: String = line.chars().skip(start_col).take(col - start_col).collect();
        let width = u16::try_from(before.width()).unwrap_or(u16::MAX);
        Some(Position::new(area.x.saturating_add(width).min(area.right().saturating_sub(1)), caret.y))
    }

    /// Puts the caret where the mouse points, after a draw.
    pub fn click(&mut self, position: Position) {
        let area = self.area.get_mut();
        if let Some((row, col)) = area.cursor_at_position(position) {
            jump(area, row, col);
        }
    }
}

fn jump(area: &mut TextArea<'static>, row: usize, col: usize) {
    let small = |value: usize| u16::try_from(value).unwrap_or(u16::MAX);
    area.move_cursor(CursorMove::Jump(small(row), small(col)));
}

/// Lengths in `char`s of the clusters right before and right behind the column `col` of `line`.
fn clusters_at(line: &str, col: usize) -> (usize, usize) {
    let mut at = 0;
    let mut before = 0;
    for cluster in line.graphemes(true) {
        let length = cluster.chars().count();
        if at + length > col {
            return if at < col { (col - at, at + length - col) } else { (before, length) };
        }
        at += length;
        before = length;
    }
    (before, 0)
}

fn around(area: &TextArea<'static>) -> (usize, usize, usize, usize) {
    let (row, col) = area.cursor();
    let (before, behind) = area.lines().get(row).map_or((0, 0), |line| clusters_at(line, col));
    (row, col, before, behind)
}

fn step_left(area: &mut TextArea<'static>) {
    let (row, col, before, _) = around(area);
    if before > 1 && area.atomic_range_at_cursor(AtomicDeleteDirection::Backward).is_none() {
        jump(area, row, col - before);
    } else {
        area.move_cursor(CursorMove::Back);
    }
}

fn step_right(area: &mut TextArea<'static>) {
    let (row, col, _, behind) = around(area);
    if behind > 1 && area.atomic_range_at_cursor(AtomicDeleteDirection::Forward).is_none() {
        jump(area, row, col + behind);
    } else {
        area.move_cursor(CursorMove::Forward);
    }
}

fn delete_back(area: &mut TextArea<'static>) {
    if area.delete_atomic_range_at_cursor(AtomicDeleteDirection::Backward).is_some() {
        return;
    }
    let (row, col, before, _) = around(area);
    if before > 1 {
        jump(area, row, col - before);
        area.delete_str(before);
    } else {
        area.delete_char();
    }
}

fn delete_next(area: &mut TextArea<'static>) {
    if area.delete_atomic_range_at_cursor(AtomicDeleteDirection::Forward).is_some() {
        return;
    }
    let (_, _, _, behind) = around(area);
    if behind > 1 {
        area.delete_str(behind);
    } else {
        area.delete_next_char();
    }
}
