//! Draws a text to read, with what is looked for in it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use crate::domain::text::clean_line;
use crate::tui::layout::text_area;
use crate::tui::markdown::{self, Look};
use crate::tui::panels::find::Find;
use crate::tui::panels::{Block, Body, Overlay, Row, TextPanel, flowed, wrapped};
use crate::tui::state::State;
use crate::tui::theme::Key;
use crate::tui::transcript::mark_matches;
use crate::tui::view;

/// Lines of JSON that are drawn.
const JSON_LINES_MAX: usize = 5_000;

pub(super) fn draw(state: &State, panel: &TextPanel, area: Rect, buf: &mut Buffer) -> Option<Position> {
    view::boxed(buf, area, &clean_line(&panel.title), Key::UiTitleFocused, &state.theme);
    let inner = text_area(area);
    let height = usize::from(inner.height);
    let spots = || (inner.top()..inner.bottom()).map(|y| Rect { y, height: 1, ..inner });
    let window = |all: usize| panel.scroll.min(all.saturating_sub(height));
    let all = if let Body::Rows(rows) = &panel.body {
        let rows: Vec<Row> = rows.iter().flat_map(|row| flowed(row, usize::from(inner.width))).collect();
        for (spot, row) in spots().zip(rows.iter().skip(window(rows.len()))) {
            view::row(buf, spot, row, &state.theme);
        }
        rows.len()
    } else {
        let lines = lines(state, &panel.body, inner.width);
        for (spot, line) in spots().zip(lines.iter().skip(window(lines.len()))) {
            line.render(spot, buf);
        }
        lines.len()
    };
    let scroll = window(all);
    if let Some(find) = panel.find.as_ref().filter(|find| !find.input.text.is_empty()) {
        for (at, spot) in spots().enumerate() {
            let key = if find.row() == Some(scroll + at) { Key::UiMatchCurrent } else { Key::UiMatch };
            mark_matches(&find.query(), spot, buf, state.theme.style(key));
        }
    }
    if let Some(find) = &panel.find {
        return footer(state, find, area, buf);
    }
    let place = if all > height { format!(" · {}–{} of {all}", scroll + 1, (scroll + height).min(all)) } else { String::new() };
    let attach = if panel.mention.is_some() { "a attach · " } else { "" };
    view::footer(buf, area, &format!("esc close · / find · {attach}y copy · ↑↓ pgup pgdn{place}"), &state.theme);
    None
}

/// What is looked for, in the lower border; the caret while it is typed.
fn footer(state: &State, find: &Find, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let typed = clean_line(&find.input.text);
    let hint = if find.typing { "enter done · esc end" } else { "n next · N back · esc end" };
    let row: Row = vec![(Key::UiInput, format!(" /{typed}")), (Key::UiHint, format!("  {} · {hint} ", find.place()))];
    view::footer_row(buf, area, &row, &state.theme);
    let x = area.x + 4 + u16::try_from(typed.width()).unwrap_or(u16::MAX);
    find.typing.then(|| Position { x: x.min(area.right().saturating_sub(3)), y: area.bottom().saturating_sub(1) })
}

/// A body broken at `width`.
fn lines(state: &State, body: &Body, width: u16) -> Vec<Line<'static>> {
    match body {
        Body::Rows(rows) => rows.iter().flat_map(|row| flowed(row, usize::from(width))).map(|row| styled(&row, state)).collect(),
        Body::Json(json) => {
            let look = Look::new(&state.theme, &state.highlighter);
            markdown::render_code(json, "json", width, JSON_LINES_MAX, look)
        }
        Body::Document(blocks) => document(state, blocks, width),
        Body::Waiting => vec![styled(&vec![(Key::UiDim, "…".to_owned())], state)],
    }
}

fn styled(row: &Row, state: &State) -> Line<'static> {
    row.iter().map(|(key, text)| Span::styled(text.clone(), state.theme.style(*key))).collect()
}

/// The lines of a document.
fn document(state: &State, blocks: &[Block], width: u16) -> Vec<Line<'static>> {
    let look = Look::new(&state.theme, &state.highlighter);
    let mut out = Vec::new();
    for block in blocks {
        match block {
            Block::Rows(rows) => out.extend(rows.iter().flat_map(|row| flowed(row, usize::from(width))).map(|row| styled(&row, state))),
            Block::Words(key, text) => {
                let lines = text.lines().flat_map(|line| wrapped(line, usize::from(width), usize::MAX));
                out.extend(lines.map(|line| styled(&vec![(*key, line)], state)));
            }
            Block::Code(language, text) => out.extend(markdown::render_code(text, language, width, JSON_LINES_MAX, look)),
            Block::Markdown(text) => out.extend(markdown::render(text, width, look)),
        }
    }
    out
}

/// How many rows of a text can stand above the window.
pub(crate) fn text_rows(state: &State, area: Rect) -> Option<usize> {
    let inner = text_area(area);
    let Some(Overlay::Text(panel)) = &state.overlay else { return None };
    let rows = match &panel.body {
        Body::Rows(rows) => flowed_rows(rows, inner.width),
        body => lines(state, body, inner.width).len(),
    };
    Some(rows.saturating_sub(usize::from(inner.height)))
}

/// The rows of the text that lies open, as they are read in a box of that area.
pub(crate) fn text_lines(state: &State, area: Rect) -> Vec<String> {
    let Some(Overlay::Text(panel)) = &state.overlay else { return Vec::new() };
    lines(state, &panel.body, text_area(area).width).iter().map(ToString::to_string).collect()
}

/// How many rows there are once they are broken at `width`.
pub(crate) fn flowed_rows(rows: &[Row], width: u16) -> usize {
    rows.iter().map(|row| flowed(row, usize::from(width)).len()).sum()
}
