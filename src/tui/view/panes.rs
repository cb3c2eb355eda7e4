//! Draws the chat, the events, the tasks and the servers beside them.

use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use crate::domain::clock::Instant;
use crate::domain::text::clean_line;
use crate::tui::events_pane::Entry;
use crate::tui::keymap::Action;
use crate::tui::layout::{Areas, text_area};
use crate::tui::panels::Row;
use crate::tui::panels::servers::{rank, short_row};
use crate::tui::panels::tasks::rows as tasks;
use crate::tui::state::{Focus, State};
use crate::tui::status::thousands;
use crate::tui::theme::{Icon, IconSet, Key};
use crate::tui::transcript::COUNTED_MAX;
use crate::tui::view;

/// Columns that the filter has in the title at the least.
const FILTER_WIDTH_MIN: usize = 8;

/// Bytes of a title that can be seen.
const TITLE_BYTES_MAX: usize = 1_024;

/// Columns before the text of an event: `[14:30:25] `.
const TIME_WIDTH: u16 = 11;

pub(super) fn chat(state: &State, area: Rect, buf: &mut Buffer) {
    let title = state.session.title.get(..state.session.title.floor_char_boundary(TITLE_BYTES_MAX)).unwrap_or_default();
    let title = if title.is_empty() { "chat".to_owned() } else { clean_line(title) };
    let focused = state.focus == Focus::Chat && state.overlay.is_none();
    let title = view::cut(&title, usize::from(area.width / 2));
    view::frame(buf, area, &title, focused, &state.theme);
    let inner = text_area(area);
    // First: what is counted below is known once it is laid out.
    state.transcript.render(inner, buf, &state.theme, &state.chat);
    let mut right = String::new();
    if let Some(search) = &state.search {
        right = if search.input.text.is_empty() {
            "search: ".to_owned()
        } else {
            let at = if search.matches.is_empty() { 0 } else { search.at + 1 };
            format!("/{} {at}/{}", clean_line(&search.input.text), search.matches.len())
        };
    } else if state.chat.mark.is_some() {
        let rows = state.transcript.marked_rows(&state.chat, inner.width, &state.theme);
        right = match rows {
            1 => "1 row marked".to_owned(),
            rows if rows > COUNTED_MAX => format!("{COUNTED_MAX}+ rows marked"),
            rows => format!("{rows} rows marked"),
        };
    } else if !state.chat.follows() {
        let (above, all) = state.transcript.position(&state.chat, inner.width, inner.height);
        let below = all.saturating_sub(above + usize::from(inner.height));
        if below > 0 {
            right = format!("{} {below} below", state.theme.icon(Icon::Down));
        }
    }
    view::title_right(buf, area, &right, Key::UiAccent, title.width() + 2, &state.theme);
    if state.chat.mark.is_some() {
        let key = |action: Action| state.keymap.hint(action);
        let dot = state.theme.icon(Icon::Separator);
        let text = format!("{} copy {dot} {} other end {dot} {} stop", key(Action::MarkCopy), key(Action::MarkSwap), key(Action::Escape));
        view::footer(buf, area, &text, &state.theme);
    } else if let Some(new) = news(state) {
        let text = format!(
            " {} {new} new {} {} ",
            state.theme.icon(Icon::Below),
            state.theme.icon(Icon::Separator),
            state.keymap.hint(Action::Bottom)
        );
        let width = u16::try_from(text.width()).unwrap_or(0).min(area.width.saturating_sub(4));
        let spot = Rect { x: area.right().saturating_sub(width + 2), y: area.bottom().saturating_sub(1), width, height: 1 };
        view::row(buf, spot, &vec![(Key::UiAccent, text)], &state.theme);
    }
}

/// How many items came below while something above is read.
fn news(state: &State) -> Option<usize> {
    let new = state.transcript.len().checked_sub(state.chat.left_at?)?;
    (new > 0).then_some(new)
}

pub(super) fn side(state: &State, area: Rect, areas: &Areas, buf: &mut Buffer) {
    let focused = state.focus == Focus::Events && state.overlay.is_none();
    view::frame(buf, area, "events", focused, &state.theme);
    let pane = &state.events;
    let key = if pane.is_paused() { Key::StatusWarn } else { Key::UiDim };
    view::title_right(buf, area, &events_title(state, area.width), key, "events".len() + 2, &state.theme);
    if let Some(inner) = areas.events {
        events(state, inner, buf);
    }
    if let Some(inner) = areas.tasks {
        tasks(state, area, inner, buf);
    }
    if let Some(servers) = areas.servers {
        self::servers(state, area, servers, buf);
    }
}

/// What passes the filter, how much of all that is, how fast it comes; while paused, what came meanwhile.
fn events_title(state: &State, width: u16) -> String {
    let (pane, theme) = (&state.events, &state.theme);
    let dot = theme.icon(Icon::Separator);
    let rate = pane.rate().told(state.now).map(|rate| format!(" {dot} {}/s", thousands(u64::from(rate)))).unwrap_or_default();
    let (total, passed) = (thousands(pane.total()), thousands(pane.passed()));
    let filtered = !pane.filter().is_empty();
    if pane.is_paused() {
        let head = format!("paused {dot} {} new{rate}", thousands(pane.unseen()));
        if !filtered {
            return head;
        }
        let room = usize::from(width).saturating_sub(head.width() + "events".len() + 13).max(FILTER_WIDTH_MIN);
        return format!("{head} {dot} {} {}", view::cut(&clean_line(pane.filter().text()), room), theme.icon(Icon::Down));
    }
    if pane.unseen() > 0 {
        return format!("{} {} below{rate}", theme.icon(Icon::Down), thousands(pane.unseen()));
    }
    if filtered {
        let tail = format!(" {} {dot} {passed} of {total}{rate}", theme.icon(Icon::Down));
        // The counts are there in full; of the filter what there is room for.
        let room = usize::from(width).saturating_sub(tail.width() + "events".len() + 8).max(FILTER_WIDTH_MIN);
        return format!("{}{tail}", view::cut(&clean_line(pane.filter().text()), room));
    }
    format!("all {} {dot} {total}{rate}", theme.icon(Icon::Down))
}

/// The rows left for events.
pub(crate) fn events_area(state: &State, inner: Rect) -> Rect {
    Rect { height: inner.height.saturating_sub(view::filter::rows(state, inner)), ..inner }
}

fn events(state: &State, inner: Rect, buf: &mut Buffer) {
    view::filter::draw(state, inner, buf);
    let area = events_area(state, inner);
    let slots = state.events.window(area.height);
    if slots.is_empty() {
        let text = if state.events.filter().is_empty() { "nothing has happened yet" } else { "nothing passes the filter" };
        let spot = Rect { height: area.height.min(1), ..area };
        view::row(buf, spot, &vec![(Key::UiDim, format!(" {text}"))], &state.theme);
    }
    for slot in slots {
        let Some(entry) = state.events.entry(slot.index) else { continue };
        let spot = Rect { y: area.y + slot.y, height: slot.rows.min(area.height.saturating_sub(slot.y)), ..area };
        event(state, entry, spot, buf);
        if state.events.selected() == Some(slot.index) {
            buf.set_style(spot, state.theme.style(Key::UiSelection));
        }
    }
}

fn event(state: &State, entry: &Entry, area: Rect, buf: &mut Buffer) {
    let line = entry.line();
    let theme = &state.theme;
    let tag_width = u16::try_from(line.tag.width()).unwrap_or(0);
    let roomy = area.width > 44;
    let text_width = if roomy { area.width.saturating_sub(tag_width + 2) } else { area.width };
    let time = vec![(Key::EventTime, format!("[{}]", clock_time(entry.event.at, &state.surroundings.timezone)))];
    view::row(buf, Rect { height: 1, ..area }, &time, theme);
    let text = vec![(line.key, format!("{} {}", theme.icon(line.icon), line.text))];
    let spot = Rect { x: area.x + TIME_WIDTH, width: text_width.saturating_sub(TIME_WIDTH), height: 1, ..area };
    view::row(buf, spot, &text, theme);
    if roomy {
        let spot = Rect { x: area.right().saturating_sub(tag_width + 1), width: tag_width, height: 1, ..area };
        view::row(buf, spot, &vec![(Key::EventTag, line.tag.to_owned())], theme);
    }
    if let Some(detail) = line.detail.as_ref().filter(|_| area.height > 1) {
        let spot = Rect { x: area.x + TIME_WIDTH, y: area.y + 1, width: area.width.saturating_sub(TIME_WIDTH), height: 1 };
        let key = if line.key == Key::EventError { Key::EventError } else { Key::EventDetail };
        view::row(buf, spot, &vec![(key, format!("   {detail}"))], theme);
    }
}

/// `14:30:25` where the user is.
fn clock_time(at: Instant, timezone: &TimeZone) -> String {
    at.timestamp().to_zoned(timezone.clone()).strftime("%H:%M:%S").to_string()
}

/// The servers below the events, under a line that carries their title.
fn servers(state: &State, side: Rect, inner: Rect, buf: &mut Buffer) {
    let (servers, now, then) = match &state.moments.shown {
        Some(moment) => (&moment.servers, moment.at, " then"),
        None => (&state.servers, state.now, ""),
    };
    let (ready, all) = servers.counts();
    divider(state, side, inner, &format!("servers {ready}/{all}{then}"), buf);
    let mut rows: Vec<_> = servers.rows().iter().collect();
    rows.sort_by_key(|server| rank(&server.status));
    let row = |server: &&crate::domain::query::ServerStatus| short_row(server, now, &state.theme);
    list(state, inner, &rows, row, buf);
}

/// The tasks below the events, the worst first, then the next ones due.
fn tasks(state: &State, side: Rect, inner: Rect, buf: &mut Buffer) {
    let width = usize::from(inner.width.saturating_sub(2));
    if let Some(moment) = &state.moments.shown {
        divider(state, side, inner, &format!("tasks {} then", thousands(moment.tasks.total())), buf);
        let row = |task: &crate::domain::task::TaskRow| crate::tui::moment::task_row(task, &state.theme, width);
        return list(state, inner, moment.tasks.rows(), row, buf);
    }
    divider(state, side, inner, &format!("tasks {}", thousands(state.tasks.total())), buf);
    let row = |task: &crate::domain::task::TaskRow| tasks::short_row(task, state.now, &state.theme, width);
    list(state, inner, state.tasks.rows(), row, buf);
}

/// As many rows as fit; the last one tells how many do not.
fn list<T>(state: &State, inner: Rect, rows: &[T], draw: impl Fn(&T) -> Row, buf: &mut Buffer) {
    for (y, item) in (inner.top()..inner.bottom()).zip(rows) {
        let mut line: Row = vec![(Key::UiText, " ".to_owned())];
        let last = y + 1 == inner.bottom() && rows.len() > usize::from(inner.height);
        if last {
            let more = rows.len() - usize::from(inner.height) + 1;
            line.push((Key::UiDim, format!("+{more} more")));
        } else {
            line.extend(draw(item));
        }
        view::row(buf, Rect { y, height: 1, ..inner }, &line, &state.theme);
    }
}

/// The line over a list in the column, with its title.
fn divider(state: &State, side: Rect, inner: Rect, title: &str, buf: &mut Buffer) {
    let theme = &state.theme;
    let y = inner.y.saturating_sub(1);
    let (left, across, right) = match theme.icons() {
        IconSet::Unicode => ("├", "─", "┤"),
        IconSet::Ascii => ("+", "-", "+"),
    };
    let focused = state.focus == Focus::Events && state.overlay.is_none();
    let style = theme.style(if focused { Key::UiBorderFocused } else { Key::UiBorder });
    for x in side.left()..side.right() {
        let symbol = match x {
            x if x == side.left() => left,
            x if x == side.right() - 1 => right,
            _ => across,
        };
        buf[(x, y)].set_symbol(symbol).set_style(style);
    }
    let spot = Rect { x: side.x + 1, y, width: side.width.saturating_sub(2), height: 1 };
    view::row(buf, spot, &vec![(Key::UiTitle, format!(" {title} "))], theme);
}

/// Where the cursor stands in the inputs of these panes.
pub(super) fn input_caret(state: &State, areas: &Areas) -> Option<Position> {
    areas.events.and_then(|inner| view::filter::caret(state, inner))
}
