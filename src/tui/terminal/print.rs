//! Rows as text for a terminal that scrolls: styles as SGR sequences, nothing else.

use std::fmt::Write as _;

use crossterm::Command;
use crossterm::style::{Attribute, Color, ResetColor, SetAttribute, SetBackgroundColor, SetForegroundColor};
use ratatui::backend::IntoCrossterm;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;

/// What a modifier is to the terminal.
const ATTRIBUTES: [(Modifier, Attribute); 6] = [
    (Modifier::BOLD, Attribute::Bold),
    (Modifier::DIM, Attribute::Dim),
    (Modifier::ITALIC, Attribute::Italic),
    (Modifier::UNDERLINED, Attribute::Underlined),
    (Modifier::REVERSED, Attribute::Reverse),
    (Modifier::CROSSED_OUT, Attribute::CrossedOut),
];

/// The rows, each with its line break. What they hold was cleaned when they were made; control characters that got in
/// nevertheless are left out.
pub(super) fn printed(rows: &[Line<'_>]) -> String {
    let mut out = String::new();
    for row in rows {
        for span in &row.spans {
            let styled = begin(&mut out, row.style.patch(span.style));
            out.extend(span.content.chars().filter(|ch| !ch.is_control()));
            if styled {
                write(&mut out, SetAttribute(Attribute::Reset));
                write(&mut out, ResetColor);
            }
        }
        out.push_str("\r\n");
    }
    out
}

/// Switches a style on; whether there is one.
fn begin(out: &mut String, style: Style) -> bool {
    let before = out.len();
    let colour = |colour: ratatui::style::Color| Some(colour.into_crossterm()).filter(|colour| *colour != Color::Reset);
    if let Some(colour) = style.fg.and_then(colour) {
        write(out, SetForegroundColor(colour));
    }
    if let Some(colour) = style.bg.and_then(colour) {
        write(out, SetBackgroundColor(colour));
    }
    for (modifier, attribute) in ATTRIBUTES {
        if style.add_modifier.contains(modifier) {
            write(out, SetAttribute(attribute));
        }
    }
    out.len() > before
}

fn write(out: &mut String, command: impl Command) {
    // Writing into a string cannot fail.
    let _ = command.write_ansi(out);
    let _ = write!(out, "");
}

#[cfg(test)]
mod tests {
    use ratatui::style::Stylize;
    use ratatui::text::Span;

    use super::*;

    #[test]
    fn rows_keep_their_styles_and_no_control_character() {
        let rows = [Line::from(vec![Span::raw("a"), Span::raw("b").bold(), Span::raw("c\x1b[2Jd\u{9b}x")]), Line::default()];
        assert_eq!(printed(&rows), "a\x1b[1mb\x1b[0m\x1b[0mc[2Jdx\r\n\r\n");
    }
}
