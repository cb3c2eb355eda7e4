//! Draws what is told of the chosen session below the list of sessions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::text::clean_line;
use crate::tui::panels::picker::{Pick, Picker};
use crate::tui::state::State;
use crate::tui::theme::{IconSet, Key};
use crate::tui::view;

/// Rows of a preview, the line above it included.
const ROWS: u16 = 8;

/// Rows that it takes of a list of `height`: none where the list itself has too few.
pub(super) fn height(height: u16) -> u16 {
    if height >= ROWS + 8 { ROWS } else { 0 }
}

pub(super) fn draw(state: &State, picker: &Picker, area: Rect, buf: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let across = if state.theme.icons() == IconSet::Unicode { "─" } else { "-" };
    let line = across.repeat(usize::from(area.width));
    view::row(buf, Rect { height: 1, ..area }, &vec![(Key::UiPopupBorder, line)], &state.theme);
    let inner = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let Some(Pick::Session(id)) = picker.chosen().map(|row| &row.pick) else { return };
    let rows = match state.previews.get(id) {
        None => vec![vec![(Key::UiDim, "…".to_owned())]],
        Some(Err(reason)) => vec![vec![(Key::StatusError, clean_line(reason))]],
        Some(Ok(preview)) => preview.rows(usize::from(inner.width), usize::from(inner.height)),
    };
    for (y, row) in (inner.top()..inner.bottom()).zip(&rows) {
        view::row(buf, Rect { y, height: 1, ..inner }, row, &state.theme);
    }
}
