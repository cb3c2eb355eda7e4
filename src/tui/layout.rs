//! Where everything is on the screen: a plain function of the state, used for drawing and for the mouse.

use ratatui::layout::{Position, Rect};

use crate::tui::panels::{Body, Overlay, TextPanel};
use crate::tui::popup;
use crate::tui::settings::SettingsPanel;
use crate::tui::state::{Asked, Column, State};
use crate::tui::status;
use crate::tui::view;

/// Below so many columns the screen only says that it is too small.
pub const COLUMNS_MIN: u16 = 40;

/// Below so many rows the screen only says that it is too small.
pub const ROWS_MIN: u16 = 12;

/// Queued messages that are listed; more are only counted.
const QUEUED_ROWS_MAX: usize = 3;

/// Rows that a question needs to say something; with fewer it covers the message too.
const DIALOG_ROWS_MIN: u16 = 11;

/// Servers that are listed beside the chat.
const SERVER_ROWS_MAX: u16 = 8;

/// Tasks that are listed beside the chat.
pub const TASK_ROWS_MAX: u16 = 8;

/// The parts of the screen. Absent ones are not on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Areas {
    /// The row of tabs.
    pub tabs: Option<Rect>,
    /// The line that says that the past is shown.
    pub banner: Option<Rect>,
    /// The chat with its border.
    pub chat: Option<Rect>,
    /// Events, tasks and servers with their border.
    pub side: Option<Rect>,
    /// The events inside of it.
    pub events: Option<Rect>,
    /// The tasks inside of it; the row above is their title.
    pub tasks: Option<Rect>,
    /// The servers inside of it; the row above is their title.
    pub servers: Option<Rect>,
    /// The line of work and the queued messages.
    pub working: Rect,
    /// The message with its border.
    pub composer: Rect,
    /// The status line.
    pub status: Rect,
    /// The question for consent with its border.
    pub dialog: Option<Rect>,
    /// Completions with their border.
    pub popup: Option<Rect>,
    /// What lies over the screen, with its border.
    pub overlay: Option<Rect>,
}

/// Whether the terminal is too small for anything.
pub fn is_too_small((columns, rows): (u16, u16)) -> bool {
    columns < COLUMNS_MIN || rows < ROWS_MIN
}

/// What is inside of a border.
pub fn inside(area: Rect) -> Rect {
    Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: area.height.saturating_sub(2) }
}

/// What a text inside of a border has: one column of air on both sides.
pub fn text_area(area: Rect) -> Rect {
    let inner = inside(area);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

/// Where everything is.
pub fn areas(state: &State) -> Areas {
    let (width, height) = state.size;
    if is_too_small(state.size) {
        return Areas::default();
    }
    let composer_rows = state.composer.rows(width.saturating_sub(4)).min((height / 3).max(1)) + 2;
    let working_rows = u16::try_from(working_rows(state)).unwrap_or(0).min(height / 4);
    let status_rows = u16::try_from(status::lines(state, width).len()).unwrap_or(1);
    let status = Rect::new(0, height - status_rows, width, status_rows);
    let composer = Rect::new(0, status.y - composer_rows, width, composer_rows);
    let working = Rect::new(0, composer.y - working_rows, width, working_rows);
    let tabs = view::tabs::is_shown(state).then_some(Rect::new(0, 0, width, 1));
    let below = u16::from(tabs.is_some());
    let banner = view::banner::is_shown(state).then_some(Rect::new(0, below, width, 1));
    let head = below + u16::from(banner.is_some());
    let top = Rect::new(0, head, width, working.y.saturating_sub(head));
    let (chat, side) = match (state.is_wide(), state.column) {
        (_, Column::Full) => (None, Some(top)),
        (true, Column::Side) => {
            let side_width = side_columns(state);
            let chat = Rect { width: width - side_width, ..top };
            (Some(chat), Some(Rect { x: chat.right(), width: side_width, ..top }))
        }
        (false, Column::Side) | (_, Column::Hidden) => (Some(top), None),
    };
    let (task_count, server_count) = match &state.moments.shown {
        Some(moment) => (moment.tasks.rows().len(), moment.servers.rows().len()),
        None => (state.tasks.rows().len(), state.servers.rows().len()),
    };
    let (events, servers) = side.map(|side| split(inside(side), server_count, SERVER_ROWS_MAX)).unzip();
    let (events, tasks) = events.map(|rest| split(rest, task_count, TASK_ROWS_MAX)).unzip();
    let main = chat.or(side).unwrap_or(top);
    Areas {
        tabs,
        banner,
        chat,
        side,
        events,
        tasks: tasks.flatten(),
        servers: servers.flatten(),
        working,
        composer,
        status,
        dialog: state.is_asking().then(|| dialog(state, main, status.y)),
        popup: popup_area(state, composer),
        overlay: state.overlay.as_ref().map(|overlay| overlay_area(state, overlay)),
    }
}

/// Columns of the events beside the chat: by the window's width, or as somebody wanted them.
pub fn side_columns(state: &State) -> u16 {
    let wanted = state.memory.kept.as_ref().and_then(|kept| kept.side_columns);
    wanted.map_or((state.size.0 * 2 / 5).clamp(38, 70), |wanted| side_fits(wanted, state.size.0))
}

/// `columns` of the events where the window has `width`: neither they nor the chat become too narrow to read.
pub fn side_fits(columns: u16, width: u16) -> u16 {
    /// Columns that either of them needs.
    const COLUMNS_MIN: u16 = 30;
    columns.clamp(COLUMNS_MIN, width.saturating_sub(COLUMNS_MIN).max(COLUMNS_MIN))
}

fn working_rows(state: &State) -> usize {
    let queued = view::working::shown_queue(state).count();
    let more = usize::from(queued > QUEUED_ROWS_MAX);
    usize::from(view::working::is_shown(state)) + queued.min(QUEUED_ROWS_MAX) + more
}

/// How many of the queued messages are listed.
pub fn queued_rows_max() -> usize {
    QUEUED_ROWS_MAX
}

/// Rows at the foot of `inner` for a list of `rows`, at most a third of it; the row above them is their title.
fn split(inner: Rect, rows: usize, rows_max: u16) -> (Rect, Option<Rect>) {
    let wanted = u16::try_from(rows).unwrap_or(u16::MAX).min(rows_max).min(inner.height / 3);
    if wanted == 0 {
        return (inner, None);
    }
    let list = Rect { y: inner.bottom() - wanted, height: wanted, ..inner };
    (Rect { height: inner.height - wanted - 1, ..inner }, Some(list))
}

/// The question covers the foot of the chat, so that what led to it stays in sight; on a very small screen the message too.
fn dialog(state: &State, main: Rect, room: u16) -> Rect {
    if let (Some(Asked::Question), Some(inquiry)) = (state.front(), state.questions.front()) {
        let wanted = view::wanted_rows(inquiry, text_area(main).width, &state.theme);
        // A form needs the rows more than the message does, which takes no keys meanwhile.
        let bottom = if wanted > main.height { room } else { main.bottom() };
        let height = wanted.min(bottom);
        return Rect { y: bottom - height, height, ..main };
    }
    let body = state.approvals.front().map_or(0, |dialog| dialog.body().len());
    // Border, subject, reason, blank, answers, footer.
    let wanted = u16::try_from(body).unwrap_or(u16::MAX).saturating_add(9);
    if main.height < wanted.min(DIALOG_ROWS_MIN) {
        let height = wanted.min(room);
        return Rect { y: room - height, height, ..main };
    }
    let height = wanted.min(main.height.saturating_sub(1).max(DIALOG_ROWS_MIN)).min(main.height);
    Rect { y: main.bottom() - height, height, ..main }
}

fn popup_area(state: &State, composer: Rect) -> Option<Rect> {
    let popup = state.popup.as_ref()?;
    if popup.rows.is_empty() {
        return None;
    }
    let rows = u16::try_from(popup.rows.len().min(popup::ROWS_MAX)).unwrap_or(1);
    let height = (rows + 2).min(composer.y);
    let width = composer.width.min(100);
    Some(Rect { x: composer.x, y: composer.y - height, width, height })
}

fn overlay_area(state: &State, overlay: &Overlay) -> Rect {
    let (width, height) = state.size;
    let wanted = match overlay {
        Overlay::Text(_) | Overlay::Keys => 100,
        Overlay::Pick(_) | Overlay::Servers | Overlay::Settings => 94,
        Overlay::Tasks | Overlay::Inbox | Overlay::Notices | Overlay::Resources => 120,
        Overlay::Form(_) => 84,
    };
    let box_width = wanted.min(width.saturating_sub(4));
    let rows_max = height.saturating_sub(4);
    let wanted_rows = match overlay {
        Overlay::Text(TextPanel { body: Body::Rows(rows), .. }) => {
            u16::try_from(view::flowed_rows(rows, box_width.saturating_sub(4))).unwrap_or(u16::MAX).saturating_add(2)
        }
        Overlay::Text(panel) => u16::try_from(panel.len()).unwrap_or(u16::MAX).saturating_add(2),
        Overlay::Pick(picker) if picker.kind.has_previews() => rows_max,
        // Rows that come and go while one types must not move the box: all rows count, not those that are found.
        Overlay::Pick(picker) if picker.notice.is_none() => u16::try_from(picker.rows.len()).unwrap_or(u16::MAX).saturating_add(4),
        Overlay::Pick(_) | Overlay::Tasks | Overlay::Inbox | Overlay::Notices | Overlay::Resources | Overlay::Keys => rows_max,
        Overlay::Settings => u16::try_from(SettingsPanel::rows(state.line.is_some()).len()).unwrap_or(u16::MAX).saturating_add(6),
        // Suggestions come and go below the field.
        Overlay::Form(inquiry) => view::wanted_rows(inquiry, box_width.saturating_sub(4), &state.theme).saturating_add(4),
        Overlay::Servers => u16::try_from(state.servers.rows().len() * 2).unwrap_or(u16::MAX).saturating_add(6),
    };
    let box_height = wanted_rows.clamp(8, rows_max.max(8)).min(height);
    Rect { x: (width - box_width) / 2, y: (height - box_height) / 2, width: box_width, height: box_height }
}

/// The part of the screen at a position, for marking and for the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What lies over the screen.
    Overlay,
    /// The question for consent.
    Dialog,
    /// Completions.
    Popup,
    /// The chat.
    Chat,
    /// The events.
    Events,
    /// The tasks beside the chat.
    Tasks,
    /// The servers beside the chat.
    Servers,
    /// The row of tabs.
    Tabs,
    /// The message.
    Composer,
    /// Anything else.
    Nothing,
}

/// What is at `position`, and the area of its text.
pub fn part_at(areas: &Areas, position: Position) -> (Part, Rect) {
    let parts = [
        (Part::Overlay, areas.overlay.map(text_area)),
        (Part::Dialog, areas.dialog.map(text_area)),
        (Part::Popup, areas.popup.map(inside)),
        (Part::Tabs, areas.tabs),
        (Part::Tasks, areas.tasks),
        (Part::Servers, areas.servers),
        (Part::Events, areas.events),
        (Part::Chat, areas.chat.map(text_area)),
        (Part::Composer, Some(text_area(areas.composer))),
    ];
    let hit = parts.into_iter().find_map(|(part, area)| area.filter(|area| area.contains(position)).map(|area| (part, area)));
    hit.unwrap_or((Part::Nothing, Rect::default()))
}
