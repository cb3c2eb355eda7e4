//! Draws the question for consent.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::tui::layout::text_area;
use crate::tui::state::State;
use crate::tui::theme::{Icon, Key};
use crate::tui::view;

/// Rows below the particulars: a blank, three answers, a footer.
pub(crate) const FOOT_ROWS: u16 = 5;

/// The row of the first answer inside of an area.
pub(crate) fn first_choice(area: Rect) -> u16 {
    let inner = text_area(area);
    inner.bottom().saturating_sub(FOOT_ROWS - 1)
}

pub(super) fn draw(state: &State, area: Rect, buf: &mut Buffer) {
    let Some(dialog) = state.approvals.front() else { return };
    let theme = &state.theme;
    let (title, is_grave) = dialog.title();
    let title_key = if is_grave { Key::ApprovalDanger } else { Key::ApprovalTitle };
    view::boxed(buf, area, title, title_key, theme);
    if state.waiting() > 1 {
        view::title_right(buf, area, &format!("1 of {}", state.waiting()), Key::UiDim, title.len() + 2, theme);
    }
    let inner = text_area(area);
    let line = |at: u16| Rect { y: inner.y + at, height: 1, ..inner };
    let mark = theme.icon(if is_grave { Icon::Warning } else { Icon::Question });
    view::row(buf, line(0), &vec![(title_key, format!("{mark} {}", dialog.subject()))], theme);
    view::row(buf, line(1), &vec![(Key::UiDim, dialog.reason())], theme);
    let room = inner.height.saturating_sub(2 + FOOT_ROWS);
    let body = dialog.body();
    let scroll = dialog.scroll.min(body.len().saturating_sub(usize::from(room)));
    for (at, row) in (0..room).zip(body.iter().skip(scroll)) {
        view::row(buf, line(2 + at), row, theme);
    }
    let below = body.len().saturating_sub(scroll + usize::from(room));
    if below > 0 || scroll > 0 {
        let text = format!("{scroll} above, {below} below · pgup/pgdn");
        view::row(buf, line(2 + room), &vec![(Key::UiDim, text)], theme);
    }
    let first = first_choice(area);
    for (at, choice) in (0..).zip(dialog.choices()) {
        let chosen = dialog.chosen == usize::from(at);
        let (pointer, key) = if chosen { (theme.icon(Icon::Prompt), Key::ApprovalChosen) } else { (" ", Key::ApprovalChoice) };
        let spot = Rect { y: first + at, height: 1, ..inner };
        let choice = with_key(&choice, usize::from(inner.width).saturating_sub(4));
        view::row(buf, spot, &vec![(key, format!("{pointer} {} {choice}", at + 1))], theme);
    }
    let foot = Rect { y: first + 3, height: 1, ..inner };
    let (key, hint) = if state.is_drafting() {
        (Key::StatusWarn, "you are typing a message: tab to answer")
    } else {
        (Key::UiHint, "enter to confirm · esc to cancel · tab: this session, always, whole server")
    };
    view::row(buf, foot, &vec![(key, hint.to_owned())], theme);
}

/// An answer in `width` columns: what is too long is cut before its key, which is what one looks for.
fn with_key(choice: &str, width: usize) -> String {
    match choice.rsplit_once(" (").filter(|_| choice.width() > width) {
        Some((words, key)) => format!("{} ({key}", view::cut(words, width.saturating_sub(key.width() + 2))),
        None => choice.to_owned(),
    }
}
