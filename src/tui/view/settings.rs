//! Draws the settings.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use crate::domain::text::clean_line;
use crate::tui::layout::text_area;
use crate::tui::panels::{Row, columns, wrapped};
use crate::tui::settings::{Applies, Kind, Setting, SettingsPanel};
use crate::tui::state::State;
use crate::tui::theme::{Icon, Key};
use crate::tui::view;

/// Rows below the list: a blank, what is to say about the chosen one.
const FOOT: u16 = 4;

/// Columns of the names.
const LABEL: usize = 20;

/// Columns of the values.
const VALUE: usize = 22;

/// The rows of the list, and the first setting in them.
fn window(state: &State, area: Rect) -> (Rect, usize) {
    let inner = text_area(area);
    let rows = Rect { height: inner.height.saturating_sub(FOOT).max(1), ..inner };
    (rows, (state.settings.selected + 1).saturating_sub(usize::from(rows.height)))
}

pub(super) fn draw(state: &State, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let theme = &state.theme;
    let panel = &state.settings;
    let title = "settings";
    view::boxed(buf, area, title, Key::UiTitleFocused, theme);
    if panel.restart {
        view::title_right(buf, area, "some count from the next start", Key::StatusWarn, title.width() + 2, theme);
    }
    let inner = text_area(area);
    let elsewhere = state.line.is_some();
    let all = SettingsPanel::rows(elsewhere);
    let (rows, top) = window(state, area);
    let mut cursor = None;
    for (y, (at, setting)) in (rows.top()..rows.bottom()).zip(all.iter().enumerate().skip(top)) {
        let chosen = at == panel.selected;
        let spot = Rect { y, height: 1, ..rows };
        let typed = panel.typing.as_ref().filter(|_| chosen).map(|input| clean_line(&input.text));
        view::row(buf, spot, &row(state, setting, typed.as_deref()), theme);
        if chosen {
            buf.set_style(spot, theme.style(Key::UiSelection));
        }
        if let Some(typed) = typed {
            let x = spot.x + u16::try_from(2 + LABEL + 1 + typed.width()).unwrap_or(0);
            cursor = Some(Position::new(x.min(spot.right().saturating_sub(1)), y));
        }
    }
    if let Some(setting) = panel.chosen(elsewhere) {
        let foot = about(state, setting, usize::from(inner.width));
        for (y, line) in (rows.bottom() + 1..inner.bottom()).zip(foot) {
            view::row(buf, Rect { y, height: 1, ..inner }, &line, theme);
        }
    }
    let hint = if panel.typing.is_some() { "enter keeps it · esc back" } else { "enter change · x default · ↑↓ · esc close" };
    view::footer(buf, area, hint, theme);
    cursor
}

fn row(state: &State, setting: &Setting, typed: Option<&str>) -> Row {
    let theme = &state.theme;
    let current = state.settings.current.get(setting.key);
    let origin = current.map_or("", |current| current.origin.as_str());
    let is_own = !matches!(origin, "default" | "");
    let mark = theme.icon(if is_own { Icon::Dot } else { Icon::Separator });
    let value = match (typed, current.and_then(|current| current.value.as_ref())) {
        (Some(typed), _) => typed.to_owned(),
        (None, Some(value)) => value.shown(),
        (None, None) if state.settings.current.is_empty() => "…".to_owned(),
        (None, None) => "–".to_owned(),
    };
    let value_key = if typed.is_some() { Key::UiInput } else { Key::UiStatusValue };
    vec![
        (if is_own { Key::StatusOk } else { Key::UiDim }, format!("{mark} ")),
        (Key::UiPopup, format!("{} ", columns(setting.label, LABEL))),
        (value_key, format!("{} ", columns(&value, VALUE))),
        (Key::UiDim, short_origin(origin)),
    ]
}

/// `user config /home/me/…/config.toml` without the path: that stands below.
fn short_origin(origin: &str) -> String {
    for (long, short) in [("user config", "your config"), ("project config", "project")] {
        if origin.starts_with(long) {
            return short.to_owned();
        }
    }
    clean_line(origin)
}

/// What is to say about a setting: help, name in the file and where its value comes from, what is wrong.
fn about(state: &State, setting: &Setting, width: usize) -> Vec<Row> {
    let panel = &state.settings;
    let problem = panel.refused.as_ref().or(panel.error.as_ref());
    if let Some(problem) = problem {
        let mark = state.theme.icon(Icon::Error);
        return wrapped(&format!("{mark} {problem}"), width, 3).into_iter().map(|line| vec![(Key::StatusError, line)]).collect();
    }
    let values = match setting.kind {
        Kind::Choice(words) => format!(" ({})", words.join(", ")),
        Kind::Number(from, upto) => format!(" ({from} to {upto})"),
        Kind::Switch | Kind::Theme | Kind::Text => String::new(),
    };
    let when = if setting.applies == Applies::Restart { "; counts from the next start" } else { "" };
    let origin = panel.current.get(setting.key).map(|current| clean_line(&current.origin)).unwrap_or_default();
    vec![
        vec![(Key::UiPopup, format!("{}{values}{when}", setting.help))],
        vec![(Key::UiKey, setting.key.to_owned()), (Key::UiDim, if origin.is_empty() { String::new() } else { format!(" · {origin}") })],
    ]
}
