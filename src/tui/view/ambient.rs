//! Draws the panels that one key leads through: tasks, inbox, notices (the servers' own rows are in `overlay`).

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use crate::domain::notice::InboxRow;
use crate::domain::text::clean_line;
use crate::tui::layout::text_area;
use crate::tui::markdown::{self, Look};
use crate::tui::panels::tasks::detail::{Look as PageLook, delivery_rows};
use crate::tui::panels::tasks::{EXAMPLES, rows};
use crate::tui::panels::{Overlay, Row, inbox as entries, wrapped};
use crate::tui::state::State;
use crate::tui::status::thousands;
use crate::tui::theme::{Icon, Key};
use crate::tui::update;
use crate::tui::view;

/// Rows over the list of tasks: who runs them, the heading.
const TASKS_TOP: u16 = 2;

/// Rows below the list of tasks: a blank, the chosen one's last run, its counts.
const TASKS_FOOT: u16 = 3;

/// Rows from which on there is room for [`TASKS_FOOT`].
const FOOT_FROM: u16 = 9;

/// Below so many columns only the title of the open panel is shown.
const TABS_FROM: u16 = 56;

/// Lines of an entry that are drawn.
const BODY_LINES_MAX: usize = 2_000;

/// The box with the titles of all panels in its border.
pub(super) fn boxed(state: &State, area: Rect, buf: &mut Buffer) -> Rect {
    let theme = &state.theme;
    view::clear(buf, area, theme);
    view::border_of(buf, area, Key::UiPopupBorder, theme);
    let (ready, all) = state.servers.counts();
    let unread = state.tasks.status.unread;
    let inbox = if unread > 0 { format!("inbox {}", thousands(unread)) } else { "inbox".to_owned() };
    let titles = [format!("tasks {}", thousands(state.tasks.total())), inbox, "notices".to_owned(), format!("servers {ready}/{all}")];
    let open = state.overlay.as_ref().and_then(Overlay::tab);
    let mut line: Row = vec![(Key::UiText, " ".to_owned())];
    for (at, title) in titles.into_iter().enumerate() {
        let is_open = open == Some(at);
        if !is_open && area.width < TABS_FROM {
            continue;
        }
        if line.len() > 1 {
            line.push((Key::UiDim, format!(" {} ", theme.icon(Icon::Separator))));
        }
        line.push((if is_open { Key::UiTitleFocused } else { Key::UiDim }, title));
    }
    line.push((Key::UiText, " ".to_owned()));
    view::row(buf, view::title_area(area), &line, theme);
    text_area(area)
}

fn lines(area: Rect) -> impl Iterator<Item = Rect> {
    (area.top()..area.bottom()).map(move |y| Rect { y, height: 1, ..area })
}

fn draw_rows(state: &State, area: Rect, rows: &[Row], buf: &mut Buffer) {
    for (spot, row) in lines(area).zip(rows) {
        view::row(buf, spot, row, &state.theme);
    }
}

/// Where the list of tasks is inside of the panel, and its first row.
fn tasks_list(state: &State, inner: Rect) -> (Rect, usize) {
    let foot = if inner.height >= FOOT_FROM { TASKS_FOOT } else { 0 };
    let list = Rect { y: inner.y + TASKS_TOP.min(inner.height), height: inner.height.saturating_sub(TASKS_TOP + foot), ..inner };
    (list, (state.tasks.position() + 1).saturating_sub(usize::from(list.height.max(1))))
}

/// Where the list of entries is inside of the panel, and its first row.
fn inbox_list(state: &State, inner: Rect) -> (Rect, usize) {
    (inner, (state.inbox.position() + 1).saturating_sub(usize::from(inner.height.max(1))))
}

/// The position in the open list that is `row` rows below the panel's first.
pub(crate) fn listed_at(state: &State, inner: Rect, row: u16) -> Option<usize> {
    let ((list, top), count) = match state.overlay {
        Some(Overlay::Tasks) if state.tasks.page.is_none() => (tasks_list(state, inner), state.tasks.listed().len()),
        Some(Overlay::Inbox) if state.inbox.reading.is_none() => (inbox_list(state, inner), state.inbox.rows().len()),
        _ => return None,
    };
    let below = (inner.y + row).checked_sub(list.y).filter(|below| *below < list.height)?;
    Some(top + usize::from(below)).filter(|at| *at < count)
}

/// The tasks, or the page of one; where the cursor stands while the filter is typed.
pub(super) fn tasks(state: &State, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let inner = boxed(state, area, buf);
    let theme = &state.theme;
    if let Some(task) = state.tasks.deleting.as_ref().and_then(|task| state.tasks.row(task)) {
        let name = crate::domain::text::ellipsis(&clean_line(&task.spec.description), 40).into_owned();
        view::footer_row(buf, area, &vec![(Key::StatusWarn, format!(" delete for good? y yes · n no: {name} "))], theme);
    } else if state.tasks.page.is_some() {
        footer(state, area, "r run · p pause · e edit · x delete · w why · d diff · h history · esc back", buf);
    } else if state.tasks.rows().is_empty() {
        footer(state, area, "1 2 3 write one · tab inbox · esc close", buf);
    } else {
        let text = "enter open · r run · p pause · e edit · x delete · / filter · w why · d diff · h history · i inbox · esc close";
        footer(state, area, text, buf);
    }
    if let Some((laid, height)) = update::page(state) {
        let top = update::page_top(state, &laid, height);
        draw_rows(state, inner, laid.rows.get(top..).unwrap_or_default(), buf);
        if laid.rows.len() > height {
            let place = format!("{}–{} of {}", top + 1, (top + height).min(laid.rows.len()), laid.rows.len());
            view::title_right(buf, area, &place, Key::UiDim, usize::from(area.width / 2), theme);
        }
        return None;
    }
    if state.tasks.rows().is_empty() {
        draw_rows(state, inner, &no_tasks(state, usize::from(inner.width)), buf);
        return None;
    }
    let caret = tasks_top(state, inner, buf);
    let (list, top) = tasks_list(state, inner);
    let listed = state.tasks.listed();
    if listed.is_empty() {
        view::row(buf, list, &vec![(Key::UiDim, "no task has these words; esc shows all".to_owned())], theme);
    }
    let position = state.tasks.position();
    for (spot, (at, task)) in lines(list).zip(listed.iter().enumerate().skip(top)) {
        let samples = state.tasks.samples(&task.spec.task_id);
        view::row(buf, spot, &rows::long_row(task, samples, state.now, theme, usize::from(inner.width)), theme);
        if at == position {
            buf.set_style(spot, theme.style(Key::UiSelection));
        }
    }
    if let (Some(task), true) = (listed.get(position), inner.height >= FOOT_FROM) {
        let (mark, key, note) = rows::last_of(task);
        let mark = mark.map_or_else(String::new, |mark| format!("{} ", theme.icon(mark)));
        let reason = task.status_reason.as_deref().map(clean_line).filter(|reason| !reason.is_empty());
        let words = reason.map_or(note, |reason| format!("{}: {reason}", task.status.as_str()));
        let foot = Rect { y: inner.bottom() - 2, height: 2, ..inner };
        let about = vec![(Key::UiDim, rows::counts(task, theme))];
        draw_rows(state, foot, &[vec![(key, mark), (Key::UiPopup, words)], about], buf);
    }
    caret
}

/// Who runs the tasks, or the filter; the heading of the columns.
fn tasks_top(state: &State, inner: Rect, buf: &mut Buffer) -> Option<Position> {
    let theme = &state.theme;
    let mut caret = None;
    let filter = match &state.tasks.typing {
        Some(input) => Some(clean_line(&input.text)),
        None => Some(state.tasks.filter.clone()).filter(|filter| !filter.is_empty()),
    };
    match filter {
        Some(filter) => {
            let x = inner.x + u16::try_from("filter: ".len() + filter.width()).unwrap_or(0);
            caret = state.tasks.typing.is_some().then(|| Position::new(x.min(inner.right().saturating_sub(1)), inner.y));
            view::row(buf, inner, &vec![(Key::UiAccent, "filter: ".to_owned()), (Key::UiInput, filter)], theme);
        }
        None => view::row(buf, inner, &rows::heading(&state.tasks.status, theme), theme),
    }
    let second = Rect { y: inner.y + 1, height: 1, ..inner };
    view::row(buf, second, &rows::long_heading(usize::from(inner.width)), theme);
    caret
}

fn no_tasks(state: &State, width: usize) -> Vec<Row> {
    if !state.tasks.known {
        return vec![vec![(Key::UiDim, "…".to_owned())]];
    }
    let mut out: Vec<Row> = vec![vec![(Key::UiAccent, "No background tasks yet".to_owned())], Vec::new()];
    let say = "Ask for one in your own words: what to watch, how often, how to tell you. For example:";
    out.extend(wrapped(say, width, 4).into_iter().map(|line| vec![(Key::UiPopup, line)]));
    out.push(Vec::new());
    for (at, example) in EXAMPLES.iter().enumerate() {
        for (part, line) in wrapped(example, width.saturating_sub(4), 4).into_iter().enumerate() {
            let mark = if part == 0 { format!(" {}  ", at + 1) } else { "    ".to_owned() };
            out.push(vec![(Key::UiKey, mark), (Key::UiPopup, line)]);
        }
    }
    out.push(Vec::new());
    let tail = "Numbers watch themselves too: \"tell me when bitcoin passes 100000\". `/simulate` shows what happens when one fires.";
    out.extend(wrapped(tail, width, 4).into_iter().map(|line| vec![(Key::UiDim, line)]));
    out
}

fn footer(state: &State, area: Rect, text: &str, buf: &mut Buffer) {
    view::footer(buf, area, text, &state.theme);
}

/// The rows of an entry: its head, then its Markdown.
fn body(state: &State, row: &InboxRow, width: u16) -> (Vec<Row>, Vec<Line<'static>>) {
    let head = entries::head(row, state.now, &state.surroundings.timezone, &state.theme);
    let look = Look::new(&state.theme, &state.highlighter);
    let mut text = markdown::render(&row.item.body, width, look);
    text.truncate(BODY_LINES_MAX);
    (head, text)
}

/// The last row that the window of an entry can begin with.
pub(crate) fn inbox_last(state: &State, inner: Rect) -> usize {
    let Some(row) = state.inbox.reading.as_ref().and_then(|(item, _)| state.inbox.row(item)) else { return 0 };
    let (head, text) = body(state, row, inner.width);
    (head.len() + text.len()).saturating_sub(usize::from(inner.height))
}

/// The inbox, or one entry of it.
pub(super) fn inbox(state: &State, area: Rect, buf: &mut Buffer) {
    let inner = boxed(state, area, buf);
    let theme = &state.theme;
    if state.inbox.snoozing.is_some() {
        let text = " out of sight until when? 1 an hour · 2 tonight · 3 tomorrow 8 · esc ";
        view::footer_row(buf, area, &vec![(Key::StatusWarn, text.to_owned())], theme);
    } else if state.inbox.rows().is_empty() {
        footer(state, area, "tab notices · esc close", buf);
    } else if state.inbox.reading.is_some() {
        footer(state, area, "a answer · s snooze · e archive · o copy link · - fewer · + more · u unread · esc back", buf);
    } else {
        let text = "enter read · a answer · s snooze · e archive · tab notices · o copy link · - fewer · + more · u unread · esc close";
        footer(state, area, text, buf);
    }
    if let Some((row, scroll)) = state.inbox.reading.as_ref().and_then(|(item, scroll)| Some((state.inbox.row(item)?, *scroll))) {
        let (head, text) = body(state, row, inner.width);
        let scroll = scroll.min((head.len() + text.len()).saturating_sub(usize::from(inner.height)));
        let above = head.len().saturating_sub(scroll);
        draw_rows(state, inner, head.get(scroll..).unwrap_or_default(), buf);
        let skip = scroll.saturating_sub(head.len());
        for (spot, line) in lines(inner).skip(above).zip(text.iter().skip(skip)) {
            line.render(spot, buf);
        }
        return;
    }
    let all = state.inbox.rows();
    if all.is_empty() {
        let text = if state.inbox.known {
            "Nothing in the inbox. What the background tasks tell and ask comes here; `/simulate` shows how."
        } else {
            "…"
        };
        let rows: Vec<Row> = wrapped(text, usize::from(inner.width), 4).into_iter().map(|line| vec![(Key::UiDim, line)]).collect();
        return draw_rows(state, inner, &rows, buf);
    }
    let (list, top) = inbox_list(state, inner);
    let position = state.inbox.position();
    for (spot, (at, row)) in lines(list).zip(all.iter().enumerate().skip(top)) {
        let line = entries::long_row(row, state.now, &state.surroundings.timezone, theme, usize::from(inner.width));
        view::row(buf, spot, &line, theme);
        if at == position {
            buf.set_style(spot, theme.style(Key::UiSelection));
        }
    }
}

/// The notices: what was told to whom, and what came of it.
pub(super) fn notices(state: &State, area: Rect, buf: &mut Buffer) {
    let inner = boxed(state, area, buf);
    let theme = &state.theme;
    footer(state, area, "R send a failed or unknown one again · tab servers · esc close", buf);
    let look = PageLook { now: state.now, timezone: &state.surroundings.timezone, theme, width: usize::from(inner.width) };
    let mut rows: Vec<(Row, bool)> = Vec::new();
    let mut end = 0;
    for (at, notice) in state.inbox.notices().iter().enumerate() {
        let chosen = at == state.inbox.notice;
        rows.extend(delivery_rows(notice, look).into_iter().map(|row| (row, chosen)));
        if chosen {
            end = rows.len();
        }
    }
    if rows.is_empty() {
        let text = if state.inbox.known { "No notices yet. `/notify test` tries the channels out." } else { "…" };
        rows.push((vec![(Key::UiDim, text.to_owned())], false));
    }
    let top = end.saturating_sub(usize::from(inner.height));
    for (spot, (row, chosen)) in lines(inner).zip(rows.iter().skip(top)) {
        view::row(buf, spot, row, theme);
        if *chosen {
            buf.set_style(spot, theme.style(Key::UiSelection));
        }
    }
}
