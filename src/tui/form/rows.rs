//! A form as rows: which row belongs to what, and where the caret stands.

use unicode_width::UnicodeWidthStr;

use crate::domain::question::{Field, FieldKind, TextFormat};
use crate::domain::text::clean_line;
use crate::tui::form::{Button, Form, Held, Place, SUGGESTIONS_MAX, Slot};
use crate::tui::panels::{Row, columns, wrapped};
use crate::tui::theme::{Icon, IconSet, Key, Theme};

/// Lines of a description.
const DESCRIPTION_LINES_MAX: usize = 6;

/// What a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Nothing that can be chosen.
    Nothing,
    /// A field.
    Field(usize),
    /// An option of a field.
    Option(usize, usize),
}

/// A form laid out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Laid {
    /// The rows, and what they belong to.
    pub rows: Vec<(Of, Row)>,
    /// Row and column of the caret.
    pub caret: Option<(usize, usize)>,
    /// The rows that should be in sight: from, up to and without.
    pub focus: (usize, usize),
}

/// Lays a form out at `width` columns.
pub fn lay(form: &Form, width: usize, theme: &Theme) -> Laid {
    let mut laid = Laid::default();
    for (at, slot) in form.slots().iter().enumerate() {
        if at > 0 {
            laid.rows.push((Of::Nothing, Row::new()));
        }
        let focused = form.place() == Place::Field(at);
        let from = laid.rows.len();
        head(&mut laid, slot, at, focused, width, theme);
        let pointed = match &slot.held {
            Held::Line(line) => {
                let bar = if focused { Key::UiAccent } else { Key::UiDim };
                let mut row: Row = vec![(bar, format!("{} ", theme.icon(Icon::Bar)))];
                let (shown, caret) = line.window(width.saturating_sub(3));
                if line.text().is_empty() {
                    row.push((Key::UiPlaceholder, columns(&placeholder(&slot.field), width.saturating_sub(3)).trim_end().to_owned()));
                } else {
                    row.push((Key::UiInput, shown.to_owned()));
                }
                if focused {
                    laid.caret = Some((laid.rows.len(), 2 + caret));
                }
                laid.rows.push((Of::Field(at), row));
                suggestions(&mut laid, slot, at, width, theme)
            }
            Held::Toggle(is) => {
                toggle(&mut laid, *is, at, focused, theme);
                None
            }
            Held::One { at: pointer, chosen, .. } => {
                let is = |option: usize| *chosen == Some(option);
                Some(options(&mut laid, slot, at, focused.then_some(*pointer), is, theme))
            }
            Held::Some { at: pointer, chosen } => {
                let is = |option: usize| chosen.get(option).copied().unwrap_or(false);
                Some(options(&mut laid, slot, at, focused.then_some(*pointer), is, theme))
            }
        };
        if focused {
            // Of a long list the pointer must be seen; else the whole field.
            laid.focus = match pointed {
                Some(pointed) => (pointed.saturating_sub(2).max(from), pointed + 1),
                None => (from, laid.rows.len()),
            };
        }
    }
    if matches!(form.place(), Place::Button(_)) {
        laid.focus = (laid.rows.len().saturating_sub(1), laid.rows.len());
    }
    laid
}

/// Label, mark, what is wrong, what it is for.
fn head(laid: &mut Laid, slot: &Slot, at: usize, focused: bool, width: usize, theme: &Theme) {
    let field = &slot.field;
    let label = clean_line(field.label());
    let mut row: Row = vec![(if focused { Key::UiTitleFocused } else { Key::UiText }, label.clone())];
    if field.required {
        row.push((Key::StatusWarn, " *".to_owned()));
    }
    let mut below = Vec::new();
    if let Some(error) = &slot.error {
        let text = format!("{} {}", theme.icon(Icon::Error), clean_line(error));
        // Beside the label where there is room.
        if label.width() + 4 + text.width() <= width {
            row.push((Key::StatusError, format!("  {text}")));
        } else {
            below = wrapped(&text, width, 2);
        }
    }
    laid.rows.push((Of::Field(at), row));
    laid.rows.extend(below.into_iter().map(|line| (Of::Field(at), vec![(Key::StatusError, line)])));
    if let Some(description) = &field.description {
        let lines = wrapped(&clean_line(description), width, DESCRIPTION_LINES_MAX);
        laid.rows.extend(lines.into_iter().map(|line| (Of::Field(at), vec![(Key::UiDim, line)])));
    }
}

/// What an empty field may hold.
fn placeholder(field: &Field) -> String {
    let optional = if field.required { "" } else { " (may stay empty)" };
    let what = match &field.kind {
        FieldKind::Text { format: Some(TextFormat::Email), .. } => "an e-mail address".to_owned(),
        FieldKind::Text { format: Some(TextFormat::Uri), .. } => "an address like https://…".to_owned(),
        FieldKind::Text { format: Some(TextFormat::Date), .. } => "a date like 2026-11-21".to_owned(),
        FieldKind::Text { format: Some(TextFormat::DateTime), .. } => "a time like 2026-11-21T20:00:00Z".to_owned(),
        FieldKind::Text { min_length, max_length, .. } => match (min_length, max_length) {
            (Some(min), Some(max)) => format!("text of {min} to {max} characters"),
            (Some(min), None) => format!("text of at least {min} characters"),
            (None, Some(max)) => format!("text of at most {max} characters"),
            (None, None) => "text".to_owned(),
        },
        FieldKind::Number { integer, minimum, maximum, .. } => {
            let kind = if *integer { "a whole number" } else { "a number" };
            match (minimum, maximum) {
                (Some(min), Some(max)) => format!("{kind} from {min} to {max}"),
                (Some(min), None) => format!("{kind}, at least {min}"),
                (None, Some(max)) => format!("{kind}, at most {max}"),
                (None, None) => kind.to_owned(),
            }
        }
        FieldKind::Boolean { .. } | FieldKind::Choice { .. } | FieldKind::Choices { .. } => String::new(),
    };
    what + optional
}

fn suggestions(laid: &mut Laid, slot: &Slot, at: usize, width: usize, theme: &Theme) -> Option<usize> {
    let mut pointed = None;
    for (index, value) in slot.suggestions.iter().take(SUGGESTIONS_MAX).enumerate() {
        let chosen = slot.suggested == Some(index);
        if chosen {
            pointed = Some(laid.rows.len());
        }
        let (pointer, key) = if chosen { (theme.icon(Icon::Prompt), Key::UiPopupSelected) } else { (" ", Key::UiPopup) };
        let text = columns(&clean_line(value), width.saturating_sub(5));
        laid.rows.push((Of::Option(at, index), vec![(key, format!("  {pointer} {}", text.trim_end()))]));
    }
    let more = slot.suggestions.len().saturating_sub(SUGGESTIONS_MAX);
    if more > 0 {
        laid.rows.push((Of::Nothing, vec![(Key::UiDim, format!("    {more} more: type on"))]));
    }
    pointed
}

/// A round mark: one of several.
fn radio(on: bool, theme: &Theme) -> &'static str {
    match (theme.icons(), on) {
        (IconSet::Unicode, true) => "●",
        (IconSet::Unicode, false) => "○",
        (IconSet::Ascii, true) => "(*)",
        (IconSet::Ascii, false) => "( )",
    }
}

/// A square mark: any of several.
fn tick(on: bool, theme: &Theme) -> &'static str {
    match (theme.icons(), on) {
        (IconSet::Unicode, true) => "☑",
        (IconSet::Unicode, false) => "☐",
        (IconSet::Ascii, true) => "[x]",
        (IconSet::Ascii, false) => "[ ]",
    }
}

fn toggle(laid: &mut Laid, is: Option<bool>, at: usize, focused: bool, theme: &Theme) {
    let bar = if focused { Key::UiAccent } else { Key::UiDim };
    let key = |on: bool| if is == Some(on) { Key::ApprovalChosen } else { Key::ApprovalChoice };
    let (yes, no) = (radio(is == Some(true), theme), radio(is == Some(false), theme));
    let row = vec![
        (bar, format!("{} ", theme.icon(Icon::Bar))),
        (key(true), format!("{yes} yes")),
        (Key::UiText, "   ".to_owned()),
        (key(false), format!("{no} no")),
    ];
    laid.rows.push((Of::Field(at), row));
}

/// The columns in which `yes` of a toggle stands.
pub fn yes_columns(theme: &Theme) -> std::ops::Range<usize> {
    2..2 + radio(true, theme).width() + 4
}

/// The options of a choice; the row of the pointer, else of the first one.
fn options(laid: &mut Laid, slot: &Slot, at: usize, pointer: Option<usize>, is: impl Fn(usize) -> bool, theme: &Theme) -> usize {
    let many = matches!(slot.held, Held::Some { .. });
    let first = laid.rows.len();
    for (index, option) in slot.options().iter().enumerate() {
        let pointed = pointer == Some(index);
        let mark = if many { tick(is(index), theme) } else { radio(is(index), theme) };
        let arrow = if pointed { theme.icon(Icon::Prompt) } else { " " };
        let key = if is(index) { Key::ApprovalChosen } else { Key::ApprovalChoice };
        let title = clean_line(&option.title);
        let row = vec![(Key::UiAccent, format!("{arrow} ")), (key, format!("{mark} {title}"))];
        laid.rows.push((Of::Option(at, index), row));
    }
    first + pointer.unwrap_or(0)
}

/// The row of buttons, and the columns of each.
pub fn buttons(form: &Form, theme: &Theme) -> (Row, Vec<(Button, std::ops::Range<usize>)>) {
    let mut row = Row::new();
    let mut places = Vec::new();
    let mut used = 0;
    for (at, button) in form.buttons().iter().enumerate() {
        let name = match button {
            Button::Send => "Send",
            Button::Decline => "Decline",
            Button::Cancel => "Cancel",
        };
        let chosen = form.place() == Place::Button(at);
        let pointer = if chosen { theme.icon(Icon::Prompt) } else { " " };
        let text = format!("{pointer}[ {name} ]");
        let key = if chosen { Key::ApprovalChosen } else { Key::ApprovalChoice };
        places.push((*button, used..used + text.width()));
        used += text.width() + 2;
        if at > 0 {
            row.push((Key::UiText, "  ".to_owned()));
        }
        row.push((key, text));
    }
    (row, places)
}
