//! Rows marked by keys, for copying: from one place of the conversation to another, however far they are apart.

use std::cmp::Ordering;

use super::layout::Layout;
use super::viewport::Place;
use super::{Anchor, Transcript, ViewState};
use crate::tui::theme::Theme;

/// Rows that are copied at once; of a longer mark its beginning.
pub const ROWS_MAX: usize = 10_000;

/// Rows that are counted while they are marked.
pub const COUNTED_MAX: usize = 500;

/// The marked rows: from where marking began to where the caret is, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Where it began.
    pub from: Anchor,
    /// Where the caret is.
    pub at: Anchor,
}

/// The text of marked rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marked {
    /// The rows, without names of speakers; of each item what its rows have in common on the left is taken off.
    pub text: String,
    /// Whether there were more than [`ROWS_MAX`].
    pub is_cut: bool,
}

impl Transcript {
    fn place(&self, anchor: Anchor) -> Option<Place> {
        Some(Place { index: self.index_of(anchor.item)?, row: usize::try_from(anchor.row).unwrap_or(usize::MAX) })
    }

    /// The ends of the mark in the order of the conversation; `None` where nothing is marked or it is gone.
    pub(super) fn mark_ends(&self, view: &ViewState) -> Option<(Place, Place)> {
        let mark = view.mark?;
        let (from, at) = (self.place(mark.from)?, self.place(mark.at)?);
        Some(if (from.index, from.row).cmp(&(at.index, at.row)) == Ordering::Greater { (at, from) } else { (from, at) })
    }

    /// Begins a mark at the selected item, else at the last row that is seen.
    pub fn mark_here(&self, view: &mut ViewState, width: u16, height: u16, theme: &Theme) -> bool {
        let first_row = |index| u32::try_from(self.gap(index)).unwrap_or(0);
        let selected = view.selected.and_then(|item| Some(Anchor { item, row: first_row(self.index_of(item)?) }));
        let last = || (0..height).rev().find_map(|row| self.item_at(view, row, width, height, theme));
        let Some(at) = selected.or_else(last) else { return false };
        view.mark = Some(Mark { from: at, at });
        self.show_caret(view, width, height, theme);
        true
    }

    /// Moves the caret by `rows` (negative: up) and shows it.
    pub fn mark_by(&self, view: &mut ViewState, rows: isize, width: u16, height: u16, theme: &Theme) {
        let Some(mut place) = view.mark.and_then(|mark| self.place(mark.at)) else { return };
        for _ in 0..rows.unsigned_abs() {
            let Some(next) = self.next_row(place, rows > 0, width, theme) else { break };
            place = next;
        }
        self.move_caret(view, place);
        self.show_caret(view, width, height, theme);
    }

    /// Moves the caret to the first or the last row of everything.
    pub fn mark_to_end(&self, view: &mut ViewState, top: bool, width: u16, height: u16, theme: &Theme) {
        let Some(last) = self.items.len().checked_sub(1) else { return };
        let index = if top { 0 } else { last };
        let row = if top { self.gap(0) } else { self.rows_at(last, width, theme).saturating_sub(1) };
        self.move_caret(view, Place { index, row });
        self.show_caret(view, width, height, theme);
    }

    fn move_caret(&self, view: &mut ViewState, place: Place) {
        if let (Some(mark), Some(at)) = (&mut view.mark, self.anchor(place)) {
            mark.at = at;
        }
    }

    /// The row after or before `place`; blank rows between items count, for they are seen.
    fn next_row(&self, place: Place, down: bool, width: u16, theme: &Theme) -> Option<Place> {
        if down {
            if place.row + 1 < self.rows_at(place.index, width, theme) {
                return Some(Place { row: place.row + 1, ..place });
            }
            let mut index = place.index + 1;
            while index < self.items.len() {
                if self.rows_at(index, width, theme) > 0 {
                    return Some(Place { index, row: 0 });
                }
                index += 1;
            }
            return None;
        }
        if let Some(row) = place.row.checked_sub(1) {
            return Some(Place { row, ..place });
        }
        let mut index = place.index.checked_sub(1)?;
        loop {
            if let Some(row) = self.rows_at(index, width, theme).checked_sub(1) {
                return Some(Place { index, row });
            }
            index = index.checked_sub(1)?;
        }
    }

    fn show_caret(&self, view: &mut ViewState, width: u16, height: u16, theme: &Theme) {
        if let Some(at) = view.mark.map(|mark| mark.at) {
            self.scroll_to_row(view, at, width, height, theme);
        }
    }

    /// How many rows are marked, counted up to [`COUNTED_MAX`] and one: this is asked with every frame.
    pub fn marked_rows(&self, view: &ViewState, width: u16, theme: &Theme) -> usize {
        let Some((start, end)) = self.mark_ends(view) else { return 0 };
        let mut rows = 0;
        for index in start.index..=end.index {
            rows += self.rows_at(index, width, theme);
            if rows > COUNTED_MAX + start.row {
                return COUNTED_MAX + 1;
            }
        }
        let behind = self.rows_at(end.index, width, theme).saturating_sub(end.row + 1);
        rows.saturating_sub(start.row + behind)
    }

    /// The text of the marked rows, as they are seen at `width`.
    pub fn marked(&self, view: &ViewState, width: u16, theme: &Theme) -> Option<Marked> {
        let (start, end) = self.mark_ends(view)?;
        let mut rows: Vec<String> = Vec::new();
        for index in start.index..=end.index {
            let Some(item) = self.items.get(index) else { break };
            let before = std::iter::repeat_n(String::new(), self.gap(index));
            let own = before.chain(Layout::new(item, width, theme, &self.kit).without_label(theme, &self.kit));
            let skip = if index == start.index { start.row } else { 0 };
            let upto = if index == end.index { end.row + 1 } else { usize::MAX };
            rows.extend(without_margin(own.take(upto).skip(skip).collect()));
            if rows.len() > ROWS_MAX {
                break;
            }
        }
        let is_cut = rows.len() > ROWS_MAX;
        rows.truncate(ROWS_MAX);
        let text = rows.join("\n").trim_matches('\n').to_owned();
        (!text.trim().is_empty()).then_some(Marked { text, is_cut })
    }
}

/// The rows of an item without the blanks that all of them begin with.
fn without_margin(rows: Vec<String>) -> Vec<String> {
    let blanks = |row: &String| row.len() - row.trim_start_matches(' ').len();
    let margin = rows.iter().filter(|row| !row.trim().is_empty()).map(blanks).min().unwrap_or(0);
    rows.into_iter().map(|row| row.get(margin..).unwrap_or_default().trim_end().to_owned()).collect()
}
