//! Draws the resources.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use crate::domain::text::clean_line;
use crate::tui::layout::text_area;
use crate::tui::panels::Row;
use crate::tui::panels::resources::{about, row};
use crate::tui::state::State;
use crate::tui::theme::{Icon, Key};
use crate::tui::view;

/// Rows over the list: the filter, a blank.
pub(crate) const TOP: u16 = 2;

/// Rows below it: a blank, what is to say about the chosen one.
const FOOT: u16 = 3;

/// Rows from which on there is room for [`FOOT`].
const FOOT_FROM: u16 = 10;

/// The rows of the list, and the first resource in them.
pub(crate) fn window(state: &State, area: Rect) -> (Rect, usize) {
    let inner = text_area(area);
    let foot = if inner.height >= FOOT_FROM { FOOT } else { 0 };
    let rows = Rect { y: inner.y + TOP, height: inner.height.saturating_sub(TOP + foot), ..inner };
    let count = state.resources.listed(state.catalog.resources.rows()).len();
    let selected = state.resources.selected.min(count.saturating_sub(1));
    (rows, (selected + 1).saturating_sub(usize::from(rows.height.max(1))))
}

pub(super) fn draw(state: &State, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let theme = &state.theme;
    let panel = &state.resources;
    let title = match &panel.server {
        Some(server) => format!("resources of {}", clean_line(server.as_str())),
        None => "resources".to_owned(),
    };
    view::boxed(buf, area, &title, Key::UiTitleFocused, theme);
    let inner = text_area(area);
    let known = &state.catalog.resources;
    let listed = panel.listed(known.rows());
    let selected = panel.selected.min(listed.len().saturating_sub(1));
    let count = if listed.is_empty() { String::new() } else { format!("{} of {}", selected + 1, listed.len()) };
    view::title_right(buf, area, &count, Key::UiDim, title.width() + 2, theme);
    let filter = clean_line(&panel.filter);
    let prompt = theme.icon(Icon::Prompt);
    let head: Row = if panel.typing.is_some() || !filter.is_empty() {
        vec![(Key::UiAccent, format!("{prompt} ")), (Key::UiInput, filter.clone())]
    } else {
        vec![(Key::UiPlaceholder, "/ finds by name, address or server".to_owned())]
    };
    view::row(buf, inner, &head, theme);
    let (rows, top) = window(state, area);
    if listed.is_empty() {
        let text = match (&known.error, known.known) {
            (Some(reason), _) => reason.clone(),
            (None, false) => "…".to_owned(),
            (None, true) if panel.filter.is_empty() => "no server lends resources now".to_owned(),
            (None, true) => "nothing fits".to_owned(),
        };
        let key = if known.error.is_some() { Key::StatusError } else { Key::UiDim };
        view::row(buf, rows, &vec![(key, text)], theme);
    }
    for (y, (at, resource)) in (rows.top()..rows.bottom()).zip(listed.iter().enumerate().skip(top)) {
        let spot = Rect { y, height: 1, ..rows };
        view::row(buf, spot, &row(resource, panel.is_subscribed(resource), theme, usize::from(rows.width)), theme);
        if at == selected {
            buf.set_style(spot, theme.style(Key::UiSelection));
        }
    }
    if let Some(resource) = listed.get(selected).filter(|_| inner.height >= FOOT_FROM) {
        for (y, line) in (rows.bottom() + 1..inner.bottom()).zip(about(resource)) {
            view::row(buf, Rect { y, height: 1, ..inner }, &line, theme);
        }
    }
    view::footer(buf, area, "enter read · a attach · s tell me of changes · / find · y copy · esc close", theme);
    panel.typing.as_ref().map(|_| {
        let x = inner.x + u16::try_from(prompt.width() + 1 + filter.width()).unwrap_or(0);
        Position::new(x.min(inner.right().saturating_sub(1)), inner.y)
    })
}
