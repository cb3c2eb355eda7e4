//! Draws the list of keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::keymap::trial;
use crate::tui::layout::text_area;
use crate::tui::state::State;
use crate::tui::theme::Key;
use crate::tui::view;

/// Rows over the list: what the pressed key does, a blank.
const TOP: u16 = 2;

/// The rows of the list.
pub(crate) fn window(area: Rect) -> Rect {
    let inner = text_area(area);
    Rect { y: inner.y + TOP.min(inner.height), height: inner.height.saturating_sub(TOP), ..inner }
}

pub(super) fn draw(state: &State, area: Rect, buf: &mut Buffer) {
    let theme = &state.theme;
    view::boxed(buf, area, "keys", Key::UiTitleFocused, theme);
    let inner = text_area(area);
    view::row(buf, Rect { height: 1.min(inner.height), ..inner }, &trial::verdict(&state.keymap, state.trial.pressed), theme);
    let list = window(area);
    let rows = trial::rows(&state.keymap, state.trial.pressed, theme, list.width);
    for (y, (row, _)) in (list.top()..list.bottom()).zip(rows.iter().skip(state.trial.scroll)) {
        view::row(buf, Rect { y, height: 1, ..list }, row, theme);
    }
    view::footer(buf, area, "press a key to try it · ↑↓ pgup pgdn · change them under [keys] in the config · esc close", theme);
}
