//! Draws the state. Plain functions of the state into a buffer; nothing is decided here.

mod ambient;
mod ascii;
pub mod banner;
mod dialog;
mod filter;
mod keys;
mod links;
mod overlay;
mod panes;
mod previews;
mod question;
mod resources;
mod settings;
pub mod tabs;
mod text;
pub mod working;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::tui::keymap::Action;
use crate::tui::layout::{self, COLUMNS_MIN, ROWS_MIN, inside, text_area};
use crate::tui::panels::Row;
use crate::tui::state::{Asked, Focus, Selection, State};
use crate::tui::status;
use crate::tui::theme::{Icon, IconSet, Key, Theme};
use crate::tui::vi::Mode;

pub(crate) use ambient::{inbox_last, listed_at};
pub(crate) use dialog::first_choice;
pub(crate) use keys::window as keys_window;
pub(crate) use links::{Link, links};
pub(crate) use overlay::{LIST_TOP, list_height, list_top};
pub(crate) use question::{Hit, hit, scrolled, wanted_rows};
pub(crate) use resources::window as resource_rows;
pub(crate) use text::{flowed_rows, text_lines, text_rows};

/// Draws everything and tells where the terminal's cursor stands; hidden where nothing is typed.
pub fn draw(state: &State, area: Rect, buf: &mut Buffer) -> Option<Position> {
    buf.set_style(area, state.theme.style(Key::UiBackground));
    if layout::is_too_small((area.width, area.height)) || layout::is_too_small(state.size) {
        too_small(state, area, buf);
        return None;
    }
    let areas = layout::areas(state);
    if let Some(row) = areas.tabs {
        tabs::draw(state, row, buf);
    }
    if let Some(row) = areas.banner {
        banner::draw(state, row, buf);
    }
    if let Some(chat) = areas.chat {
        panes::chat(state, chat, buf);
    }
    if let Some(side) = areas.side {
        panes::side(state, side, &areas, buf);
    }
    working::draw(state, areas.working, buf);
    let caret = composer(state, areas.composer, buf);
    for (y, line) in (areas.status.top()..areas.status.bottom()).zip(status::lines(state, areas.status.width)) {
        row(buf, Rect { y, height: 1, ..areas.status }, &line, &state.theme);
    }
    let mut cursor = if state.focus == Focus::Composer { caret } else { panes::input_caret(state, &areas) };
    if let Some(area) = areas.popup {
        overlay::popup(state, area, buf);
    }
    if let Some(area) = areas.dialog {
        cursor = cursor.filter(|_| state.is_drafting());
        if let (Some(Asked::Question), Some(inquiry)) = (state.front(), state.questions.front()) {
            let field = question::draw(state, inquiry, state.waiting(), area, buf);
            cursor = cursor.or(field);
        } else {
            dialog::draw(state, area, buf);
        }
    }
    if let Some(area) = areas.overlay {
        cursor = overlay::draw(state, area, buf);
    }
    if let Some(selection) = state.selection {
        mark(selection, buf);
    }
    if state.theme.icons() == IconSet::Ascii {
        ascii::plain(buf, area);
    }
    cursor
}

fn too_small(state: &State, area: Rect, buf: &mut Buffer) {
    let (columns, rows) = (area.width, area.height);
    let lines = [format!("too small: {columns}×{rows}"), format!("wakeful needs {COLUMNS_MIN}×{ROWS_MIN}")];
    for (at, line) in (0..).zip(lines) {
        let y = area.y + (rows / 2).saturating_sub(1) + at;
        let width = u16::try_from(line.width()).unwrap_or(0).min(columns);
        if y < area.bottom() {
            let spot = Rect { x: area.x + (columns - width) / 2, y, width, height: 1 };
            row(buf, spot, &vec![(Key::StatusWarn, line)], &state.theme);
        }
    }
}

fn composer(state: &State, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let focused = state.focus == Focus::Composer && state.overlay.is_none() && (!state.is_asking() || state.is_drafting());
    let title = composer_title(state);
    frame(buf, area, &title, focused, &state.theme);
    if is_shell(state) {
        border_of(buf, area, Key::StatusWarn, &state.theme);
        row(buf, title_area(area), &vec![(Key::StatusWarn, format!(" {title} "))], &state.theme);
    }
    hints(state, area, buf);
    let inner = text_area(area);
    if state.composer.is_empty() {
        let text = match () {
            () if state.replay.is_some() => "nothing is sent while a session is shown again",
            () if state.refusing.is_some() => "what should happen instead? (enter without a text: just no)",
            () => "ask for anything",
        };
        row(buf, inner, &vec![(Key::UiPlaceholder, text.to_owned())], &state.theme);
        return Some(Position::new(inner.x, inner.y));
    }
    state.composer.render(inner, state.theme.style(Key::UiInput), buf)
}

/// Whether what is written is a line for the shell: it begins with `!`.
pub(crate) fn is_shell(state: &State) -> bool {
    state.refusing.is_none() && state.composer.begins_with('!')
}

/// The title of the message: what it is for, and what keys do where that is not to write.
fn composer_title(state: &State) -> String {
    let title = match (state.refusing.is_some(), is_shell(state)) {
        (true, _) => "say what to do instead",
        (false, true) => "shell command",
        (false, false) => "message",
    };
    if !state.options.vi {
        return title.to_owned();
    }
    let mode = match state.vi.mode() {
        Mode::Insert => "insert",
        Mode::Normal => "normal",
    };
    let begun = state.vi.begun();
    let separator = state.theme.icon(Icon::Separator);
    format!("{title} {separator} {mode}{}{begun}", if begun.is_empty() { "" } else { " " })
}

/// The hints in the lower border: as many as fit.
fn hints(state: &State, area: Rect, buf: &mut Buffer) {
    let key = |action: Action| state.keymap.hint(action);
    let focus = focus_hints(state);
    let keeps_last = !focus.is_empty();
    let hints = if state.replay.is_some() {
        vec![(key(Action::Escape), "ends the replay"), (key(Action::FocusNext), "look around"), (key(Action::CycleEvents), "events")]
    } else if state.refusing.is_some() {
        vec![(key(Action::Send), "say no, with this"), (key(Action::Escape), "just no")]
    } else if state.is_drafting() {
        let mut hints = vec![("tab".to_owned(), "answer the question")];
        hints.extend(state.turn.is_some().then(|| (key(Action::Send), "steer")));
        hints.push((key(Action::Interrupt), "interrupt"));
        hints
    } else if state.is_asking() {
        vec![(key(Action::Interrupt), "interrupt"), (key(Action::CycleEvents), "events")]
    } else if keeps_last {
        focus
    } else if is_shell(state) {
        vec![(key(Action::Send), "run, after consent"), (key(Action::Newline), "newline"), (key(Action::Interrupt), "clear")]
    } else if state.turn.is_none() && state.composer.is_empty() && state.queued.iter().any(|queued| queued.confirmed) {
        vec![(key(Action::Send), "send what waits"), (key(Action::EditQueued), "edit the last"), (key(Action::CycleEvents), "events")]
    } else if state.turn.is_some() {
        vec![
            (key(Action::Send), "steer"),
            (key(Action::QueueOrComplete), "queue"),
            (key(Action::Escape), "interrupt"),
            (key(Action::CycleEvents), "events"),
        ]
    } else {
        vec![
            (key(Action::Send), "send"),
            (key(Action::Newline), "newline"),
            ("/".to_owned(), "commands"),
            ("@".to_owned(), "files"),
            (key(Action::CycleEvents), "events"),
            ("?".to_owned(), "help"),
        ]
    };
    let separator = format!(" {} ", state.theme.icon(Icon::Separator));
    let room = usize::from(area.width.saturating_sub(6));
    let hints: Vec<_> = hints.into_iter().filter(|(key, _)| !key.is_empty()).collect();
    let width = |(key, what): &(String, &str)| key.width() + 1 + what.width();
    // How to get back is said in any case.
    let last = hints.last().filter(|_| keeps_last).cloned();
    let mut left = room.saturating_sub(last.as_ref().map_or(0, |last| width(last) + separator.width()));
    let mut shown = Vec::new();
    for hint in hints.into_iter().filter(|hint| last.as_ref() != Some(hint)) {
        let wanted = width(&hint) + if shown.is_empty() { 0 } else { separator.width() };
        if wanted > left {
            break;
        }
        left -= wanted;
        shown.push(hint);
    }
    shown.extend(last);
    let mut out: Row = vec![(Key::UiHint, " ".to_owned())];
    for (at, (key, what)) in shown.into_iter().enumerate() {
        let gap = if at == 0 { String::new() } else { separator.clone() };
        out.extend([(Key::UiHint, gap), (Key::UiKey, key), (Key::UiHint, format!(" {what}"))]);
    }
    out.push((Key::UiHint, " ".to_owned()));
    let spot = Rect { x: area.x + 2, y: area.bottom() - 1, width: area.width.saturating_sub(4), height: 1 };
    row(buf, spot, &out, &state.theme);
}

/// What keys do in the chat or the events, where those have them; the last hint leads back.
fn focus_hints(state: &State) -> Vec<(String, &'static str)> {
    let key = |action: Action| state.keymap.hint(action);
    let typing = state.events_filter.is_some() || state.search.as_ref().is_some_and(|search| search.typing);
    let mut hints = match state.focus {
        Focus::Composer => return Vec::new(),
        _ if typing => vec![(key(Action::Send), "search")],
        Focus::Chat if state.chat.mark.is_some() => Vec::new(),
        Focus::Chat => vec![
            ("↑↓".to_owned(), "select"),
            (key(Action::ChatOpen), "open"),
            (key(Action::ChatSearch), "search"),
            (key(Action::ChatCopy), "copy"),
            (key(Action::ChatCopyPart), "part"),
        ],
        Focus::Events => vec![
            ("↑↓".to_owned(), "select"),
            (key(Action::EventsOpen), "open"),
            (key(Action::EventsFilter), "filter"),
            (key(Action::EventsPause), "pause"),
            (key(Action::EventsChat), "in chat"),
        ],
    };
    let back = if typing || state.chat.mark.is_some() { "stop" } else { "back to the message" };
    hints.push((key(Action::Escape), back));
    hints
}

/// Corners and lines of a border.
struct Lines {
    corners: [&'static str; 4],
    across: &'static str,
    down: &'static str,
}

fn lines(theme: &Theme) -> Lines {
    match theme.icons() {
        IconSet::Unicode => Lines { corners: ["╭", "╮", "╰", "╯"], across: "─", down: "│" },
        IconSet::Ascii => Lines { corners: ["+", "+", "+", "+"], across: "-", down: "|" },
    }
}

/// A border with a title.
fn frame(buf: &mut Buffer, area: Rect, title: &str, focused: bool, theme: &Theme) {
    let (border, title_key) = if focused { (Key::UiBorderFocused, Key::UiTitleFocused) } else { (Key::UiBorder, Key::UiTitle) };
    border_of(buf, area, border, theme);
    row(buf, title_area(area), &vec![(title_key, format!(" {title} "))], theme);
}

/// Where a title stands in the upper border.
fn title_area(area: Rect) -> Rect {
    Rect { x: area.x + 1, y: area.y, width: area.width.saturating_sub(2), height: 1.min(area.height) }
}

fn border_of(buf: &mut Buffer, area: Rect, key: Key, theme: &Theme) {
    if area.width < 2 || area.height < 2 {
        return;
    }
    let style = theme.style(key);
    let Lines { corners, across, down } = lines(theme);
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    for x in area.x + 1..right {
        buf[(x, area.y)].set_symbol(across).set_style(style);
        buf[(x, bottom)].set_symbol(across).set_style(style);
    }
    for y in area.y + 1..bottom {
        buf[(area.x, y)].set_symbol(down).set_style(style);
        buf[(right, y)].set_symbol(down).set_style(style);
    }
    for ((x, y), corner) in [(area.x, area.y), (right, area.y), (area.x, bottom), (right, bottom)].into_iter().zip(corners) {
        buf[(x, y)].set_symbol(corner).set_style(style);
    }
}

/// Text at the right end of the upper border.
fn title_right(buf: &mut Buffer, area: Rect, text: &str, key: Key, left_width: usize, theme: &Theme) {
    let room = usize::from(area.width).saturating_sub(left_width + 4);
    let text = cut(text, room.saturating_sub(2));
    let width = u16::try_from(text.width()).unwrap_or(0) + 2;
    if text.is_empty() || usize::from(width) > room {
        return;
    }
    let spot = Rect { x: area.right() - 1 - width, y: area.y, width, height: 1 };
    row(buf, spot, &vec![(key, format!(" {text} "))], theme);
}

/// Draws a row, cut at the right with `…`. Text in it is expected to be clean.
fn row(buf: &mut Buffer, area: Rect, row: &Row, theme: &Theme) {
    if area.is_empty() {
        return;
    }
    let total = seen_width(row);
    let width = usize::from(area.width);
    let mut left = if total > width { width.saturating_sub(1) } else { width };
    let mut x = area.x;
    // What lies below (a border under a title) must not shine through.
    let plain = Style::new().fg(Color::Reset).remove_modifier(Modifier::all()).patch(theme.style(Key::UiText));
    for (key, text) in row {
        let style = plain.patch(theme.style(*key));
        let shown = head(text, left);
        let used = shown.width();
        buf.set_stringn(x, area.y, shown, left, style);
        x += u16::try_from(used).unwrap_or(0);
        left -= used;
        if shown.len() < text.len() {
            if total > width {
                let more = if theme.icons() == IconSet::Unicode { "…" } else { "~" };
                buf.set_stringn(x, area.y, more, 1, style);
            }
            break;
        }
    }
}

/// Columns up to the last sign of a row that can be seen: that blanks do not fit need not be told.
fn seen_width(row: &Row) -> usize {
    let (mut seen, mut blanks) = (0, 0);
    for (_, text) in row {
        let words = text.trim_end().width();
        if words > 0 {
            seen += blanks + words;
            blanks = 0;
        }
        blanks += text.width() - words;
    }
    seen
}

/// As much of `text` as fits into `width` columns.
fn head(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        used += cluster.width();
        if used > width {
            return &text[..at];
        }
    }
    text
}

/// `text` cut to `width` columns, with `…` where it was cut.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    format!("{}…", head(text, width.saturating_sub(1)))
}

/// Marks the cells between two positions, line by line, within their part of the screen.
fn mark(selection: Selection, buf: &mut Buffer) {
    each_marked(selection, |x, y| {
        if let Some(cell) = buf.cell_mut((x, y)) {
            cell.modifier.toggle(Modifier::REVERSED);
        }
    });
}

fn each_marked(selection: Selection, mut visit: impl FnMut(u16, u16)) {
    let Selection { within, from, to } = selection;
    let (start, end) = if (from.y, from.x) <= (to.y, to.x) { (from, to) } else { (to, from) };
    for y in start.y.max(within.y)..=end.y.min(within.bottom().saturating_sub(1)) {
        let first = if y == start.y { start.x.max(within.x) } else { within.x };
        let last = if y == end.y { end.x.min(within.right().saturating_sub(1)) } else { within.right().saturating_sub(1) };
        for x in first..=last {
            visit(x, y);
        }
    }
}

/// The text of the marked cells.
pub fn marked_text(state: &State) -> Option<String> {
    let selection = state.selection?;
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    let mut buf = Buffer::empty(area);
    draw(state, area, &mut buf);
    let mut lines: Vec<String> = Vec::new();
    let mut current = None;
    let mut skip = 0;
    each_marked(selection, |x, y| {
        if current != Some(y) {
            current = Some(y);
            skip = 0;
            lines.push(String::new());
        }
        if skip > 0 {
            skip -= 1;
        } else if let (Some(cell), Some(line)) = (buf.cell((x, y)), lines.last_mut()) {
            line.push_str(if crate::tui::pictures::cells::is_piece(cell.symbol()) { " " } else { cell.symbol() });
            skip = cell.symbol().width().saturating_sub(1);
        }
    });
    let text = lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n");
    (!text.trim().is_empty()).then_some(text)
}

/// Empties the cells of an area that lies over others.
fn clear(buf: &mut Buffer, area: Rect, theme: &Theme) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
    buf.set_style(area, theme.style(Key::UiBackground));
}

/// A box over the screen; what is inside of its border.
fn boxed(buf: &mut Buffer, area: Rect, title: &str, key: Key, theme: &Theme) -> Rect {
    clear(buf, area, theme);
    border_of(buf, area, Key::UiPopupBorder, theme);
    row(buf, title_area(area), &vec![(key, format!(" {title} "))], theme);
    inside(area)
}

/// A footer in the lower border of a box: as many of the hints as fit; how to get out is said in any case.
fn footer(buf: &mut Buffer, area: Rect, text: &str, theme: &Theme) {
    let room = usize::from(area.width.saturating_sub(6));
    let mut parts: Vec<&str> = text.split(" · ").collect();
    while parts.len() > 1 && parts.join(" · ").width() > room {
        let Some(at) = parts.iter().rposition(|part| !part.starts_with("esc")) else { break };
        parts.remove(at);
    }
    let text = parts.join(" · ");
    footer_row(buf, area, &vec![(Key::UiHint, format!(" {text} "))], theme);
}

/// A row in the lower border of a box.
fn footer_row(buf: &mut Buffer, area: Rect, text: &Row, theme: &Theme) {
    let spot = Rect { x: area.x + 2, y: area.bottom().saturating_sub(1), width: area.width.saturating_sub(4), height: 1 };
    row(buf, spot, text, theme);
}
