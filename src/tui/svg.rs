//! A screen as an SVG picture: for the README, made by the program itself.

use ratatui::buffer::Buffer;

/// How a picture looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SvgOptions {
    /// A title bar with this text; none where absent.
    pub title: Option<String>,
    /// Light instead of dark.
    pub light: bool,
}

/// The picture of `buffer`.
pub fn svg(buffer: &Buffer, options: &SvgOptions) -> String {
    let _ = (buffer, options);
    String::new()
}
