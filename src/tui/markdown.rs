//! Markdown as lines of a terminal, also while it is still being written.

use ratatui::text::Line;

use crate::tui::highlight::Highlighter;
use crate::tui::theme::Theme;

/// What rendering needs beside text and width.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The theme.
    pub theme: &'a Theme,
    /// Colours for code.
    pub highlighter: &'a Highlighter,
}

/// The lines of a whole text at `width` columns.
pub fn render(text: &str, width: u16, look: Look<'_>) -> Vec<Line<'static>> {
    let _ = (width, look);
    text.lines().map(|line| Line::from(line.to_owned())).collect()
}

/// The lines of code in `language` (`json`, `diff`, `rust` …), at most `lines_max` of them.
pub fn render_code(code: &str, language: &str, width: u16, lines_max: usize, look: Look<'_>) -> Vec<Line<'static>> {
    let _ = (language, width, look);
    code.lines().take(lines_max).map(|line| Line::from(line.to_owned())).collect()
}
