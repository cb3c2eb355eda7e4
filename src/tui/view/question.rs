//! Draws what a server asks, and finds what is at a place of it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::domain::question::Ask;
use crate::tui::form::rows::{Laid, Of, buttons, lay, yes_columns};
use crate::tui::form::{Button, Held};
use crate::tui::layout::text_area;
use crate::tui::panels::Row;
use crate::tui::question::{Inquiry, Purpose};
use crate::tui::state::State;
use crate::tui::theme::{Icon, Key, Theme};
use crate::tui::view;

/// Rows below a form: a blank, the buttons, a hint.
const FORM_FOOT: u16 = 3;

/// Rows below numbered answers: a blank before them, a hint behind.
const CHOICES_FOOT: u16 = 2;

/// Rows that should be seen below the place that has the keys.
const AHEAD: usize = 2;

/// What is at a place of the dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    /// Nothing.
    Nothing,
    /// An answer.
    Choice(usize),
    /// A button.
    Button(Button),
    /// A field, or an option of it.
    Field(usize, Option<usize>),
}

/// Rows below the particulars.
fn foot_rows(inquiry: &Inquiry) -> u16 {
    match inquiry.form {
        Some(_) => FORM_FOOT,
        None => u16::try_from(inquiry.choices.len()).unwrap_or(0) + CHOICES_FOOT,
    }
}

/// Rows that the dialog needs to show everything, its border included.
pub(crate) fn wanted_rows(inquiry: &Inquiry, width: u16, theme: &Theme) -> u16 {
    let form = inquiry.form.as_ref().map_or(0, |form| lay(form, usize::from(width), theme).rows.len());
    u16::try_from(inquiry.body().len() + form).unwrap_or(u16::MAX).saturating_add(foot_rows(inquiry) + 2)
}

/// The dialog's rows and the part of them that is seen.
struct Parts {
    laid: Laid,
    /// Rows of particulars before the form's.
    above: usize,
    top: usize,
    window: Rect,
    foot: Rect,
}

impl Parts {
    fn of(inquiry: &Inquiry, area: Rect, theme: &Theme) -> Self {
        let inner = text_area(area);
        let foot_rows = foot_rows(inquiry).min(inner.height);
        let window = Rect { height: inner.height - foot_rows, ..inner };
        let foot = Rect { y: inner.bottom() - foot_rows, height: foot_rows, ..inner };
        let laid = inquiry.form.as_ref().map(|form| lay(form, usize::from(inner.width), theme)).unwrap_or_default();
        let above = inquiry.body().len();
        let height = usize::from(window.height);
        let last = (above + laid.rows.len()).saturating_sub(height);
        let top = match inquiry.scroll {
            Some(top) => top.min(last),
            None if inquiry.form.is_some() => (above + laid.focus.1 + AHEAD).saturating_sub(height).min(last),
            None => 0,
        };
        Self { laid, above, top, window, foot }
    }

    fn last(&self) -> usize {
        (self.above + self.laid.rows.len()).saturating_sub(usize::from(self.window.height))
    }
}

/// Where the window stands, and the furthest it goes.
pub(crate) fn scrolled(inquiry: &Inquiry, area: Rect, theme: &Theme) -> (usize, usize) {
    let parts = Parts::of(inquiry, area, theme);
    (parts.top, parts.last())
}

/// What is at `position`.
pub(crate) fn hit(inquiry: &Inquiry, area: Rect, theme: &Theme, position: Position) -> Hit {
    let parts = Parts::of(inquiry, area, theme);
    let column = usize::from(position.x.saturating_sub(parts.window.x));
    if parts.foot.contains(position) {
        let row = usize::from(position.y - parts.foot.y);
        return match &inquiry.form {
            Some(form) if row == 1 => {
                let (_, places) = buttons(form, theme);
                places.into_iter().find(|(_, place)| place.contains(&column)).map_or(Hit::Nothing, |(button, _)| Hit::Button(button))
            }
            Some(_) => Hit::Nothing,
            None => row.checked_sub(1).filter(|at| *at < inquiry.choices.len()).map_or(Hit::Nothing, Hit::Choice),
        };
    }
    if !parts.window.contains(position) {
        return Hit::Nothing;
    }
    let at = parts.top + usize::from(position.y - parts.window.y);
    let of = at.checked_sub(parts.above).and_then(|at| parts.laid.rows.get(at)).map(|(of, _)| *of);
    match of {
        Some(Of::Field(field)) => {
            let form = inquiry.form.as_ref();
            let toggles = form.and_then(|form| form.slots().get(field)).is_some_and(|slot| matches!(slot.held, Held::Toggle(_)));
            // The last row of a toggle holds both answers.
            let is_last = parts.laid.rows.get(at + 1 - parts.above).is_none_or(|(next, _)| *next != Of::Field(field));
            let option = (toggles && is_last).then(|| usize::from(!yes_columns(theme).contains(&column)));
            Hit::Field(field, option)
        }
        Some(Of::Option(field, option)) => Hit::Field(field, Some(option)),
        Some(Of::Nothing) | None => Hit::Nothing,
    }
}

/// Draws the dialog; `waiting` is how many questions there are in all. Tells where the caret stands.
pub(super) fn draw(state: &State, inquiry: &Inquiry, waiting: usize, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let theme = &state.theme;
    let title = inquiry.title();
    let title = view::cut(&title, usize::from(area.width.saturating_sub(16)));
    let title_key = if is_grave(inquiry) { Key::ApprovalDanger } else { Key::ApprovalTitle };
    view::boxed(buf, area, &title, title_key, theme);
    if waiting > 1 {
        view::title_right(buf, area, &format!("1 of {waiting}"), Key::UiDim, title.len() + 2, theme);
    }
    let parts = Parts::of(inquiry, area, theme);
    let rows = inquiry.body().iter().chain(parts.laid.rows.iter().map(|(_, row)| row));
    for (y, row) in (parts.window.top()..parts.window.bottom()).zip(rows.skip(parts.top)) {
        view::row(buf, Rect { y, height: 1, ..parts.window }, row, theme);
    }
    let all = parts.above + parts.laid.rows.len();
    let below = all.saturating_sub(parts.top + usize::from(parts.window.height));
    if below > 0 || parts.top > 0 {
        let text = format!("{} above, {below} below · pgup/pgdn", parts.top);
        view::row(buf, Rect { height: 1, ..parts.foot }, &vec![(Key::UiDim, text)], theme);
    }
    foot(inquiry, parts.foot, theme, buf);
    let (row, column) = parts.laid.caret?;
    let row = u16::try_from((parts.above + row).checked_sub(parts.top)?).ok().filter(|row| *row < parts.window.height)?;
    let column = u16::try_from(column).unwrap_or(0).min(parts.window.width.saturating_sub(1));
    Some(Position::new(parts.window.x + column, parts.window.y + row))
}

/// Whether a wrong yes could do harm.
fn is_grave(inquiry: &Inquiry) -> bool {
    inquiry.question().is_some_and(|question| matches!(question.ask, Ask::FirstRun { .. } | Ask::ToolsChanged { .. }))
}

fn foot(inquiry: &Inquiry, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let line = |at: u16| Rect { y: area.y + at, height: u16::from(at < area.height), ..area };
    if let Some(form) = &inquiry.form {
        if inquiry.closing {
            let text = "close it without an answer? esc again closes, any other key goes on";
            view::row(buf, line(1), &vec![(Key::StatusWarn, format!("{} {text}", theme.icon(Icon::Warning)))], theme);
        } else {
            view::row(buf, line(1), &buttons(form, theme).0, theme);
        }
        let hint = match inquiry.purpose {
            Purpose::Question(_) => "tab next · enter on the last sends · space chooses · alt+d no · esc",
            Purpose::Prompt(_) | Purpose::Template(_) => "tab next · enter on the last sends · ↓ suggestions · esc close",
        };
        view::row(buf, line(2), &vec![(Key::UiHint, hint.to_owned())], theme);
        return;
    }
    for (at, choice) in inquiry.choices.iter().enumerate() {
        let chosen = inquiry.chosen == at;
        let (pointer, key) = if chosen { (theme.icon(Icon::Prompt), Key::ApprovalChosen) } else { (" ", Key::ApprovalChoice) };
        let row: Row = vec![(key, format!("{pointer} {} {}", at + 1, choice.label))];
        view::row(buf, line(1 + u16::try_from(at).unwrap_or(0)), &row, theme);
    }
    let hint = if inquiry.url().is_some() {
        "enter to confirm · w only copies · esc close"
    } else {
        "enter to confirm · esc close without an answer"
    };
    view::row(buf, line(area.height.saturating_sub(1)), &vec![(Key::UiHint, hint.to_owned())], theme);
}
