//! Rows of code, line after line, so that a line that stands is never highlighted again while more comes.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Look;
use super::render::CODE_INDENT;
use super::wrap::cut;
use crate::tui::highlight::{Code, Highlighter};
use crate::tui::theme::Key;

/// One code block in the making.
#[derive(Debug)]
pub(super) struct CodeRows {
    language: String,
    code: Code,
    width: usize,
    /// Bytes of the code that are drawn.
    drawn: usize,
    rows: Vec<Line<'static>>,
}

impl CodeRows {
    pub(super) fn new(language: &str, width: usize, highlighter: &Highlighter) -> Self {
        Self { language: language.to_owned(), code: Code::new(highlighter, language), width, drawn: 0, rows: Vec::new() }
    }

    /// The rows of the next whole line, given without its line break.
    pub(super) fn line(&mut self, line: &str, look: Look<'_>) -> Vec<Line<'static>> {
        let mut pieces: Vec<(Style, &str)> = Vec::new();
        let mut rest = line;
        for (key, length) in self.code.line(look.highlighter, line) {
            let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            pieces.push((look.theme.style(key), piece));
            rest = after;
        }
        indented(&pieces, self.width)
    }
}

/// The rows of a line that is not whole yet: plain, in the place that it will have.
pub(super) fn partial_line(line: &str, width: usize, look: Look<'_>) -> Vec<Line<'static>> {
    indented(&[(look.theme.style(Key::MdCodeBlock), line)], width)
}

fn indented(pieces: &[(Style, &str)], width: usize) -> Vec<Line<'static>> {
    let indent = if width > CODE_INDENT * 4 { CODE_INDENT } else { 0 };
    let mut rows = cut(pieces, width.saturating_sub(indent));
    for row in &mut rows {
        if !row.spans.is_empty() && indent > 0 {
            row.spans.insert(0, Span::raw(" ".repeat(indent)));
        }
    }
    rows
}

/// The code blocks of one block of Markdown that is drawn again and again while it grows.
#[derive(Debug, Default)]
pub(super) struct CodeCache {
    blocks: Vec<(String, CodeRows)>,
    next: usize,
    /// Lines that were highlighted.
    pub(super) lines: u64,
}

impl CodeCache {
    /// Begins again with the first block.
    pub(super) fn restart(&mut self) {
        self.next = 0;
    }

    /// Forgets all blocks.
    pub(super) fn clear(&mut self) {
        self.blocks.clear();
        self.next = 0;
    }

    /// The rows of the next block, which holds `code` now.
    pub(super) fn block(&mut self, language: &str, code: &str, width: usize, look: Look<'_>) -> Vec<Line<'static>> {
        let index = self.next;
        self.next += 1;
        let grows =
            |(drawn, rows): &(String, CodeRows)| rows.language == language && rows.width == width && code.starts_with(drawn.as_str());
        if !self.blocks.get(index).is_some_and(grows) {
            self.blocks.truncate(index);
            self.blocks.push((String::new(), CodeRows::new(language, width, look.highlighter)));
        }
        let Some((drawn, block)) = self.blocks.get_mut(index) else { return Vec::new() };
        let mut rest = code.get(block.drawn..).unwrap_or_default();
        while let Some((line, after)) = rest.split_once('\n') {
            let rows = block.line(line, look);
            block.rows.extend(rows);
            self.lines += 1;
            block.drawn += line.len() + 1;
            drawn.push_str(line);
            drawn.push('\n');
            rest = after;
        }
        let mut rows = block.rows.clone();
        if !rest.is_empty() {
            rows.extend(partial_line(rest, width, look));
        }
        rows
    }
}
