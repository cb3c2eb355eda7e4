//! Draws the filter of the events while it is typed: the text, what is wrong with it or what may come next.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use crate::domain::text::clean_line;
use crate::tui::events_pane::FilterInput;
use crate::tui::events_pane::complete::OFFERED_MAX;
use crate::tui::panels::Row;
use crate::tui::state::State;
use crate::tui::theme::Key;
use crate::tui::view;

/// What stands before the text.
const LABEL: &str = "filter: ";

/// Rows that it takes at the foot of `inner`: the text, and above it a line that says what is wrong, or the offers.
pub(super) fn rows(state: &State, inner: Rect) -> u16 {
    let Some(input) = &state.events_filter else { return 0 };
    let above = if input.error.is_some() { 1 } else { input.offers.len().min(OFFERED_MAX) };
    // At least half of the rows stay with the events.
    u16::try_from(above + 1).unwrap_or(u16::MAX).min((inner.height / 2).max(1)).min(inner.height)
}

pub(super) fn draw(state: &State, inner: Rect, buf: &mut Buffer) {
    let Some(input) = &state.events_filter else { return };
    let rows = rows(state, inner);
    let area = Rect { y: inner.bottom().saturating_sub(rows), height: rows, ..inner };
    view::clear(buf, area, &state.theme);
    let text = vec![(Key::UiAccent, LABEL.to_owned()), (Key::UiInput, shown(input, area.width))];
    view::row(buf, Rect { y: area.bottom().saturating_sub(1), height: 1.min(rows), ..area }, &text, &state.theme);
    let above = Rect { height: rows.saturating_sub(1), ..area };
    if let Some(error) = &input.error {
        let line = vec![(Key::StatusError, clean_line(error))];
        return view::row(buf, Rect { height: above.height.min(1), ..above }, &line, &state.theme);
    }
    offers(state, input, above, buf);
}

fn offers(state: &State, input: &FilterInput, area: Rect, buf: &mut Buffer) {
    let width = input.offers.iter().map(|offer| offer.label.width()).max().unwrap_or(0).min(usize::from(area.width) / 2).max(8);
    let top = (input.chosen + 1).saturating_sub(usize::from(area.height));
    for (y, (at, offer)) in (area.top()..area.bottom()).zip(input.offers.iter().enumerate().skip(top)) {
        let key = if at == input.chosen { Key::UiPopupSelected } else { Key::UiPopup };
        let label = crate::tui::panels::servers::fit(&offer.label, width);
        let tab = if at == input.chosen { " · tab" } else { "" };
        let line: Row = vec![(key, format!(" {label}")), (Key::UiDim, format!(" {}{tab}", offer.help))];
        view::row(buf, Rect { y, height: 1, ..area }, &line, &state.theme);
    }
}

/// The end of the text, as far as there is room before the caret.
fn shown(input: &FilterInput, width: u16) -> String {
    let text = clean_line(&input.input.text);
    // Cleaning takes blanks at the end away; here they are being typed.
    let blanks = input.input.text.chars().rev().take_while(|ch| *ch == ' ').count();
    let text = format!("{}{}", text.trim_end(), " ".repeat(blanks));
    let room = usize::from(width).saturating_sub(LABEL.len() + 1);
    let mut start = 0;
    while text[start..].width() > room {
        start = text.ceil_char_boundary(start + 1);
    }
    text[start..].to_owned()
}

/// Where the cursor stands.
pub(super) fn caret(state: &State, inner: Rect) -> Option<Position> {
    let input = state.events_filter.as_ref()?;
    let x = inner.x + u16::try_from(LABEL.len() + shown(input, inner.width).width()).unwrap_or(0);
    Some(Position::new(x.min(inner.right().saturating_sub(1)), inner.bottom().saturating_sub(1)))
}
