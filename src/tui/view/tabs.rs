//! Draws the row of tabs, and says which one a column belongs to.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::domain::text::clean_line;
use crate::tui::panels::Row;
use crate::tui::state::{Session, State};
use crate::tui::tabs::Mark;
use crate::tui::theme::{Icon, Key};
use crate::tui::view;

/// The widest tab, in columns.
const TAB_WIDTH_MAX: usize = 28;

/// The narrowest one: number, sign, some letters.
const TAB_WIDTH_MIN: usize = 9;

/// Whether there is anything to choose from.
pub(crate) fn is_shown(state: &State) -> bool {
    state.tabs.count() > 1
}

/// The positions that are in sight, and the columns that each has.
fn window(state: &State, width: u16) -> (std::ops::Range<usize>, usize) {
    let count = state.tabs.count();
    let room = usize::from(width);
    let each = (room / count).clamp(TAB_WIDTH_MIN, TAB_WIDTH_MAX);
    let fit = (room / each).clamp(1, count);
    // The one on the screen is always among them.
    let first = (state.tabs.at() + 1).saturating_sub(fit).min(count - fit);
    (first..first + fit, each)
}

/// The tab at a column of the row.
pub(crate) fn hit(state: &State, area: Rect, x: u16) -> Option<usize> {
    let (shown, each) = window(state, area.width);
    let position = shown.start + usize::from(x.checked_sub(area.x)?) / each;
    shown.contains(&position).then_some(position)
}

pub(super) fn draw(state: &State, area: Rect, buf: &mut Buffer) {
    let (shown, each) = window(state, area.width);
    let (first, last) = (shown.start, shown.end);
    for (place, position) in shown.enumerate() {
        let x = area.x + u16::try_from(place * each).unwrap_or(0);
        let spot = Rect { x, width: u16::try_from(each).unwrap_or(0).min(area.right().saturating_sub(x)), ..area };
        let here = position == state.tabs.at();
        let (mark, session) = match state.tabs.get(position) {
            Some(tab) => (tab.mark(), &tab.session),
            None => (state.mark(), &state.session),
        };
        view::row(buf, spot, &tab(state, position, session, mark, here, each), &state.theme);
    }
    let count = state.tabs.count();
    let more = [(first > 0).then_some((area.x, "<")), (last < count).then_some((area.right().saturating_sub(1), ">"))];
    for (x, sign) in more.into_iter().flatten() {
        buf.set_stringn(x, area.y, sign, 1, state.theme.style(Key::UiAccent));
    }
}

fn tab(state: &State, position: usize, session: &Session, mark: Mark, here: bool, width: usize) -> Row {
    let (icon, key) = match mark {
        Mark::Asking => (Icon::Question, Key::StatusWarn),
        Mark::Running => (Icon::Dot, Key::StatusBusy),
        Mark::Unread => (Icon::Diamond, Key::StatusInfo),
        Mark::Idle => (Icon::Circle, Key::StatusOff),
    };
    let name = match () {
        () if here && state.replay.is_some() => "replay".to_owned(),
        () if !session.title.is_empty() => clean_line(&session.title),
        () if session.made => "untitled".to_owned(),
        () => "new".to_owned(),
    };
    let number = format!(" {} ", position + 1);
    let room = width.saturating_sub(number.width() + 4);
    let name = crate::tui::panels::columns(&name, room);
    let text = if here { Key::UiTitleFocused } else { Key::UiDim };
    let row = vec![(text, number), (key, format!("{} ", state.theme.icon(icon))), (text, format!("{name} "))];
    if !here {
        return row;
    }
    // The one on the screen is marked by more than its colour.
    let mut row = row;
    if let Some((_, number)) = row.first_mut() {
        *number = format!("[{} ", position + 1);
    }
    row.push((text, "]".to_owned()));
    row
}
