//! Draws what lies over the screen: texts, lists, the servers, completions.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use crate::domain::text::clean_line;
use crate::tui::layout::text_area;
use crate::tui::panels::picker::{PickKind, Picker};
use crate::tui::panels::servers::{long_heading, long_rows};
use crate::tui::panels::{Overlay, Row};
use crate::tui::popup::Popup;
use crate::tui::state::State;
use crate::tui::theme::{Icon, Key};
use crate::tui::view::{self, ambient, keys, previews, question, resources, settings, text};

/// The row that lists start on, below the input.
pub(crate) const LIST_TOP: u16 = 2;

pub(super) fn draw(state: &State, area: Rect, buf: &mut Buffer) -> Option<Position> {
    match state.overlay.as_ref()? {
        Overlay::Text(panel) => text::draw(state, panel, area, buf),
        Overlay::Pick(picker) => Some(list(state, picker, area, buf)),
        Overlay::Tasks => ambient::tasks(state, area, buf),
        Overlay::Inbox => {
            ambient::inbox(state, area, buf);
            None
        }
        Overlay::Notices => {
            ambient::notices(state, area, buf);
            None
        }
        Overlay::Servers => {
            servers(state, area, buf);
            None
        }
        Overlay::Resources => resources::draw(state, area, buf),
        Overlay::Form(inquiry) => question::draw(state, inquiry, 1, area, buf),
        Overlay::Settings => settings::draw(state, area, buf),
        Overlay::Keys => {
            keys::draw(state, area, buf);
            None
        }
    }
}

fn list(state: &State, picker: &Picker, area: Rect, buf: &mut Buffer) -> Position {
    let theme = &state.theme;
    let title = match &picker.about {
        Some(about) => format!("{} of {about}", picker.kind.title()),
        None => picker.kind.title().to_owned(),
    };
    view::boxed(buf, area, &title, Key::UiTitleFocused, theme);
    let inner = text_area(area);
    let prompt = theme.icon(Icon::Prompt);
    let typed = clean_line(&picker.input.text);
    view::row(buf, inner, &vec![(Key::UiAccent, format!("{prompt} ")), (Key::UiInput, typed.clone())], theme);
    let rows = Rect { y: inner.y + LIST_TOP, height: inner.height.saturating_sub(LIST_TOP), ..inner };
    let notice = picker.notice.clone().or_else(|| picker.found.is_empty().then(|| "nothing fits".to_owned()));
    if let Some(notice) = notice {
        view::row(buf, rows, &vec![(Key::UiDim, notice)], theme);
    }
    let rows = Rect { height: list_height(picker, inner.height), ..rows };
    if picker.kind.has_previews() {
        previews::draw(state, picker, Rect { y: rows.bottom(), height: inner.bottom().saturating_sub(rows.bottom()), ..inner }, buf);
    }
    let top = list_top(picker, rows.height);
    for (y, at) in (rows.top()..rows.bottom()).zip(picker.found.iter().enumerate().skip(top)) {
        let (position, index) = at;
        let Some(row) = picker.rows.get(*index) else { continue };
        let chosen = position == picker.selected;
        let key = if chosen { Key::UiPopupSelected } else { Key::UiPopup };
        let mark = if chosen { prompt } else { " " };
        let label_width = usize::from(rows.width) * 2 / 5;
        let label = crate::tui::panels::servers::fit(
            &row.label,
            if row.note.is_empty() { usize::from(rows.width).saturating_sub(3) } else { label_width },
        );
        let mut line: Row = vec![(key, format!("{mark} {label}")), (if chosen { key } else { Key::UiDim }, row.note.clone())];
        if chosen {
            line.push((key, " ".repeat(usize::from(rows.width))));
        }
        view::row(buf, Rect { y, height: 1, ..rows }, &line, theme);
    }
    let done = match picker.kind {
        _ if picker.rows.is_empty() => "",
        PickKind::Sessions => "enter go on · alt+enter new tab · alt+f fork",
        PickKind::Models | PickKind::Themes => "enter use",
        PickKind::Agents => "enter hand over",
        PickKind::Prompts | PickKind::Rewind => "enter edit",
        PickKind::Drafts => "enter take back",
        PickKind::Palette => "enter run",
        PickKind::ServerPrompts => "enter write",
        PickKind::Tools | PickKind::Jump | PickKind::Targets => "enter open",
        PickKind::Replays => "enter replay",
        PickKind::Parts => "enter copy",
        PickKind::Memories => "enter read · ctrl+e change · ctrl+d forget · ctrl+x export",
    };
    let hints = [done, "esc close", "type to narrow"];
    let hints: Vec<&str> = hints.into_iter().filter(|hint| !hint.is_empty()).collect();
    view::footer(buf, area, &hints.join(" · "), theme);
    let x = inner.x + u16::try_from(prompt.width() + 1 + typed.width()).unwrap_or(0);
    Position::new(x.min(inner.right().saturating_sub(1)), inner.y)
}

/// The rows that the list itself has in an area of `height` rows for its text.
pub(crate) fn list_height(picker: &Picker, height: u16) -> u16 {
    let below = if picker.kind.has_previews() { previews::height(height) } else { 0 };
    height.saturating_sub(LIST_TOP + below)
}

/// The first row of a list on the screen.
pub(crate) fn list_top(picker: &Picker, height: u16) -> usize {
    (picker.selected + 1).saturating_sub(usize::from(height.max(1)))
}

fn servers(state: &State, area: Rect, buf: &mut Buffer) {
    let theme = &state.theme;
    ambient::boxed(state, area, buf);
    let inner = text_area(area);
    view::row(buf, inner, &long_heading(), theme);
    let mut lines: Vec<(Row, bool)> = Vec::new();
    let mut selected_end = 0;
    for (at, server) in state.servers.rows().iter().enumerate() {
        let chosen = at == state.servers.selected;
        lines.extend(long_rows(server, chosen, state.now, theme).into_iter().map(|row| (row, chosen)));
        if chosen {
            selected_end = lines.len();
        }
    }
    if lines.is_empty() {
        lines.push((vec![(Key::UiDim, "  no servers; a adds one".to_owned())], false));
    }
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    let top = selected_end.saturating_sub(usize::from(rows.height));
    for (y, (row, chosen)) in (rows.top()..rows.bottom()).zip(lines.iter().skip(top)) {
        let spot = Rect { y, height: 1, ..rows };
        view::row(buf, spot, row, theme);
        if *chosen {
            buf.set_style(spot, theme.style(Key::UiSelection));
        }
    }
    let waits = match state.waiting() {
        0 => "esc close".to_owned(),
        1 => "esc: 1 question waits".to_owned(),
        more => format!("esc: {more} questions wait"),
    };
    view::footer(buf, area, &format!("enter tools · s resources · p prompts · l log · r restart · a add · {waits}"), theme);
}

pub(super) fn popup(state: &State, area: Rect, buf: &mut Buffer) {
    let Some(popup) = &state.popup else { return };
    view::clear(buf, area, &state.theme);
    view::border_of(buf, area, Key::UiPopupBorder, &state.theme);
    let inner = text_area(area);
    let name_width = label_width(popup, inner.width);
    let top = popup.top(usize::from(inner.height));
    for (y, (at, row)) in (inner.top()..inner.bottom()).zip(popup.rows.iter().enumerate().skip(top)) {
        let key = if at == popup.selected { Key::UiPopupSelected } else { Key::UiPopup };
        let label = crate::tui::panels::servers::fit(&row.label, name_width);
        view::row(buf, Rect { y, height: 1, ..inner }, &vec![(key, label), (Key::UiDim, format!(" {}", row.help))], &state.theme);
    }
    view::footer(buf, area, "tab complete · ↑↓ choose · esc close", &state.theme);
}

fn label_width(popup: &Popup, width: u16) -> usize {
    let room = usize::from(width);
    if popup.rows.iter().all(|row| row.help.is_empty()) {
        return room.saturating_sub(2);
    }
    popup.rows.iter().map(|row| row.label.width()).max().unwrap_or(0).min(room * 2 / 5)
}
