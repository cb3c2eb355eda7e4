//! What can lie over the screen or beside the chat. Rows are text with theme keys, so that a panel is plain data.

pub mod help;
pub mod info;
pub mod picker;
pub mod servers;
pub mod welcome;

use crate::tui::panels::picker::Picker;
use crate::tui::theme::Key;

/// One row: stretches of text, each with its meaning.
pub type Row = Vec<(Key, String)>;

/// What lies over the screen.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// A text to read.
    Text(TextPanel),
    /// Something to choose from.
    Pick(Picker),
    /// The servers.
    Servers,
}

/// What a text panel shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Rows as they are, cut at the width.
    Rows(Vec<Row>),
    /// JSON, highlighted.
    Json(String),
    /// An answer that has not come yet.
    Waiting,
}

/// A text to read.
#[derive(Debug, Clone, PartialEq)]
pub struct TextPanel {
    /// What it is.
    pub title: String,
    /// The text.
    pub body: Body,
    /// Rows above the window.
    pub scroll: usize,
    /// What `y` copies.
    pub copy: Option<String>,
}

impl TextPanel {
    /// Rows under a title.
    pub fn rows(title: impl Into<String>, rows: Vec<Row>) -> Self {
        let copy = rows.iter().map(|row| row.iter().map(|(_, text)| text.as_str()).collect::<String>() + "\n").collect();
        Self { title: title.into(), body: Body::Rows(rows), scroll: 0, copy: Some(copy) }
    }

    /// JSON under a title.
    pub fn json(title: impl Into<String>, json: String) -> Self {
        Self { title: title.into(), copy: Some(json.clone()), body: Body::Json(json), scroll: 0 }
    }

    /// A title whose text is on its way.
    pub fn waiting(title: impl Into<String>) -> Self {
        Self { title: title.into(), body: Body::Waiting, scroll: 0, copy: None }
    }

    /// Rows of the text; for JSON its lines.
    pub fn len(&self) -> usize {
        match &self.body {
            Body::Rows(rows) => rows.len(),
            Body::Json(text) => text.lines().count(),
            Body::Waiting => 1,
        }
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves the window.
    pub fn scroll_by(&mut self, rows: isize) {
        self.scroll = self.scroll.saturating_add_signed(rows).min(self.len().saturating_sub(1));
    }
}

/// A heading.
pub fn heading(text: &str) -> Row {
    vec![(Key::UiAccent, text.to_owned())]
}

/// A name in a column of `width`, and what belongs to it.
pub fn pair(name: &str, width: usize, value: impl Into<String>) -> Row {
    let pad = width.saturating_sub(unicode_width::UnicodeWidthStr::width(name));
    vec![(Key::UiDim, format!("  {name}{} ", " ".repeat(pad))), (Key::UiPopup, value.into())]
}
