//! Markdown as lines of a terminal, also while it is still being written.
//!
//! [`Markdown`] takes text as it comes. Blocks that are finished are drawn once; only the last, open block is drawn
//! again, and so that nothing jumps: open emphasis and links look as if they were closed, tables wait until they are
//! whole, code is highlighted line by line. However a text is cut into parts, the lines come out the same.
//! All text is cleaned here: nothing in it can reach the terminal as a control character.

mod code;
mod render;
mod repair;
mod scan;
mod table;
#[cfg(test)]
mod tests;
pub(super) mod wrap;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use self::code::{CodeCache, CodeRows, partial_line};
use self::render::Renderer;
use self::scan::{Block, Kind, Scanner};
use crate::domain::text::{clean, clean_line};
use crate::tui::highlight::Highlighter;
use crate::tui::theme::{Icon, Key, Theme};

/// A line of more bytes is cut there: one line must not cost a frame.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// What rendering needs beside text and width.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The theme.
    pub theme: &'a Theme,
    /// Colours for code.
    pub highlighter: &'a Highlighter,
    /// The style of plain text.
    pub base: Style,
}

impl<'a> Look<'a> {
    /// Text of the agent.
    pub fn new(theme: &'a Theme, highlighter: &'a Highlighter) -> Self {
        Self { theme, highlighter, base: theme.style(Key::ChatAgent) }
    }
}

/// What lines were drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Drawn {
    width: u16,
    theme: u64,
    generation: u64,
    base: Style,
}

/// How much work was done, for tests: time is not a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Finished blocks that were drawn.
    pub blocks: u64,
    /// Times that the open block was drawn.
    pub previews: u64,
    /// Lines of code that were highlighted.
    pub code_lines: u64,
}

/// A text that may still grow, and its lines.
#[derive(Debug, Default)]
pub struct Markdown {
    /// All whole lines, cleaned.
    text: String,
    /// The last line as it came, until it is whole.
    partial: String,
    finished: bool,
    scanner: Scanner,
    blocks: Vec<Block>,
    drawn: Option<Drawn>,
    /// The lines of all drawn blocks, then those of the open one.
    lines: Vec<Line<'static>>,
    /// How many lines are for good.
    stable: usize,
    /// How many blocks are drawn for good.
    next: usize,
    /// A fenced block is drawn as its lines come: its rows and where its next line starts.
    fence: Option<(CodeRows, usize)>,
    cache: CodeCache,
    fresh: bool,
    work: Work,
}

impl Markdown {
    /// An empty text that grows.
    pub fn new() -> Self {
        Self::default()
    }

    /// A whole text.
    pub fn whole(text: &str) -> Self {
        let mut markdown = Self::new();
        markdown.push(text);
        markdown.finish();
        markdown
    }

    /// Adds text. Costs next to nothing: lines are drawn when they are asked for.
    pub fn push(&mut self, text: &str) {
        if self.finished {
            return;
        }
        self.fresh = false;
        for part in text.split_inclusive('\n') {
            let mut part = part;
            while self.partial.len() + part.trim_end_matches('\n').len() > LINE_BYTES_MAX {
                let room = part.floor_char_boundary(LINE_BYTES_MAX - self.partial.len());
                self.partial.push_str(part.get(..room).unwrap_or_default());
                self.end_line();
                part = part.get(room..).unwrap_or_default();
            }
            self.partial.push_str(part);
            if part.ends_with('\n') {
                self.end_line();
            }
        }
    }

    /// No more text comes.
    pub fn finish(&mut self) {
        if self.finished {
            return;
        }
        if !self.partial.is_empty() {
            self.end_line();
        }
        self.finished = true;
        self.fresh = false;
        self.scanner.finish(&mut self.blocks);
    }

    /// Bytes of the text so far, at least.
    pub fn len(&self) -> usize {
        self.text.len() + self.partial.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much work was done so far.
    pub fn work(&self) -> Work {
        self.work
    }

    /// How many of the lines that were last drawn will never change at this width.
    pub fn stable_lines(&self) -> usize {
        self.stable
    }

    /// The lines at `width` columns.
    pub fn lines(&mut self, width: u16, look: Look<'_>) -> &[Line<'static>] {
        let drawn = Drawn { width, theme: look.theme.id(), generation: look.highlighter.generation(), base: look.base };
        if self.drawn != Some(drawn) {
            self.drawn = Some(drawn);
            self.lines.clear();
            self.stable = 0;
            self.next = 0;
            self.fence = None;
            self.cache.clear();
            self.fresh = false;
        }
        if !self.fresh {
            self.lines.truncate(self.stable);
            self.draw_finished(usize::from(width), look);
            self.stable = self.lines.len();
            if !self.finished {
                self.draw_open(usize::from(width), look);
            }
            self.fresh = true;
        }
        &self.lines
    }

    /// Moves the partial line to the text.
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        let cleaned = clean(&line);
        let body = cleaned.strip_suffix('\n').unwrap_or(&cleaned);
        for part in body.split('\n') {
            let start = self.text.len();
            self.text.push_str(part);
            self.text.push('\n');
            self.scanner.line(part, start, self.text.len(), &mut self.blocks);
        }
    }

    fn draw_finished(&mut self, width: usize, look: Look<'_>) {
        while let Some(block) = self.blocks.get(self.next).copied() {
            self.next += 1;
            if matches!(block.kind, Kind::Fence(_)) {
                self.draw_fence(block, width, look);
                self.fence = None;
            } else {
                self.space_before(block);
                draw_block(block, &self.text, width, look, &mut self.cache, &mut self.lines);
                self.work.code_lines += std::mem::take(&mut self.cache.lines);
                self.cache.clear();
            }
            self.work.blocks += 1;
        }
        // Whole lines of an open fence are for good as well.
        if let Some(block @ Block { kind: Kind::Fence(_), .. }) = self.scanner.open {
            self.draw_fence(block, width, look);
        }
    }

    fn space_before(&mut self, block: Block) {
        if block.apart && !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
    }

    /// Draws what is new of a fenced block.
    fn draw_fence(&mut self, block: Block, width: usize, look: Look<'_>) {
        let Kind::Fence(fence) = block.kind else { return };
        let source = self.text.get(block.start..block.end).unwrap_or_default();
        let (rows, mut from) = self.fence.take().unwrap_or_else(|| {
            let head = source.split('\n').next().unwrap_or_default();
            if block.apart && !self.lines.is_empty() {
                self.lines.push(Line::default());
            }
            (CodeRows::new(scan::language(head), width, look.highlighter), head.len() + 1)
        });
        let mut rows = rows;
        while let Some((line, _)) = source.get(from..).and_then(|rest| rest.split_once('\n')) {
            from += line.len() + 1;
            if from == source.len() && scan::closes(fence, line) {
                break;
            }
            let body = strip_indent(line, fence.indent);
            self.lines.extend(rows.line(body, look));
            self.work.code_lines += 1;
        }
        self.fence = Some((rows, from));
    }

    /// Draws the open block with what there is of the partial line.
    fn draw_open(&mut self, width: usize, look: Look<'_>) {
        let cleaned = clean(&self.partial);
        let partial = cleaned.trim_end_matches('\n');
        self.work.previews += 1;
        if let Some(Block { kind: Kind::Fence(fence), .. }) = self.scanner.open {
            let marks = |ch: char| matches!(ch, '`' | '~' | ' ');
            if !partial.is_empty() && !partial.chars().all(marks) {
                // A lone carriage return inside the line is a line break.
                for line in partial.split('\n') {
                    self.lines.extend(partial_line(strip_indent(line, fence.indent), width, look));
                }
            }
            return;
        }
        let mut text = String::new();
        let mut scanner = self.scanner.clone();
        let mut blocks = Vec::new();
        let base = scanner.open.map_or(self.text.len(), |block| block.start);
        text.push_str(self.text.get(base..).unwrap_or_default());
        if !scan::is_undecided(partial) {
            for part in partial.split('\n') {
                let start = base + text.len();
                text.push_str(part);
                scanner.line(part, start, base + text.len(), &mut blocks);
            }
        }
        scanner.finish(&mut blocks);
        for block in blocks {
            self.draw_preview(Block { start: block.start - base, end: block.end - base, ..block }, &text, width, look);
        }
    }

    fn draw_preview(&mut self, block: Block, text: &str, width: usize, look: Look<'_>) {
        let source = text.get(block.start..block.end).unwrap_or_default();
        match block.kind {
            Kind::Fence(_) => {}
            Kind::Table => self.draw_unfinished_table(block, source, width, look),
            Kind::Flow | Kind::Item(_) => {
                let repaired = repair::repair(source);
                self.space_before(block);
                let whole = Block { start: 0, end: repaired.len(), ..block };
                draw_block(whole, &repaired, width, look, &mut self.cache, &mut self.lines);
                self.work.code_lines += std::mem::take(&mut self.cache.lines);
            }
            Kind::Definition => {
                self.space_before(block);
                draw_block(block, text, width, look, &mut self.cache, &mut self.lines);
            }
        }
    }

    /// A table waits until it is whole: one line says so. Its first line waits until it is known to be one.
    fn draw_unfinished_table(&mut self, block: Block, source: &str, width: usize, look: Look<'_>) {
        let mut lines = source.split_inclusive('\n');
        let (Some(_), Some(second)) = (lines.next(), lines.next()) else { return };
        let whole = second.ends_with('\n');
        if whole && scan::is_delimiter_row(second) {
            let rows = lines.count();
            self.space_before(block);
            let note = format!("{} table, {rows} {} so far", look.theme.icon(Icon::Pending), if rows == 1 { "row" } else { "rows" });
            self.lines.push(Line::from(Span::styled(wrap::fit(&note, width), look.theme.style(Key::UiDim))));
        } else if whole || !second.trim_start_matches(['|', '-', ':', ' ']).is_empty() {
            self.space_before(block);
            draw_block(Block { start: 0, end: source.len(), ..block }, source, width, look, &mut self.cache, &mut self.lines);
        }
    }
}

fn strip_indent(line: &str, indent: usize) -> &str {
    let blanks = line.bytes().take(indent).take_while(|byte| *byte == b' ').count();
    line.get(blanks..).unwrap_or(line)
}

fn draw_block(block: Block, text: &str, width: usize, look: Look<'_>, cache: &mut CodeCache, out: &mut Vec<Line<'static>>) {
    let source = text.get(block.start..block.end).unwrap_or_default();
    match block.kind {
        Kind::Definition => {
            let piece = wrap::Piece::new(source.trim(), look.theme.style(Key::MdUrl));
            out.extend(wrap::wrap(&[piece], width, wrap::Blanks::Fold));
        }
        Kind::Item(number) => Renderer::new(source, width, look, cache, out).run(number),
        Kind::Flow | Kind::Table | Kind::Fence(_) => Renderer::new(source, width, look, cache, out).run(None),
    }
}

/// The lines of a whole text at `width` columns.
pub fn render(text: &str, width: u16, look: Look<'_>) -> Vec<Line<'static>> {
    let mut markdown = Markdown::whole(text);
    markdown.lines(width, look);
    markdown.lines
}

/// The lines of code in `language` (`json`, `diff`, `rust` …), at most `lines_max` lines of it, then how many more
/// there are.
pub fn render_code(code: &str, language: &str, width: u16, lines_max: usize, look: Look<'_>) -> Vec<Line<'static>> {
    let cleaned = clean(code);
    let width = usize::from(width);
    let mut rows = CodeRows::new(&clean_line(language), width, look.highlighter);
    let mut out = Vec::new();
    let mut lines = cleaned.lines();
    for line in lines.by_ref().take(lines_max) {
        let shown = line.get(..line.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or(line);
        out.extend(rows.line(shown, look));
    }
    let more = lines.count();
    if more > 0 {
        let note = format!("… {more} more {}", if more == 1 { "line" } else { "lines" });
        out.push(Line::from(Span::styled(wrap::fit(&note, width), look.theme.style(Key::UiDim))));
    }
    out
}

/// A fenced or indented code block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeBlock {
    /// Its language, as it was written; empty where there is none.
    pub language: String,
    /// Its text, without the fences.
    pub text: String,
}

/// All code blocks, for copying.
pub fn code_blocks(text: &str) -> Vec<CodeBlock> {
    let markdown = Markdown::whole(text);
    let mut found = Vec::new();
    for block in &markdown.blocks {
        let source = markdown.text.get(block.start..block.end).unwrap_or_default();
        if let Kind::Fence(fence) = block.kind {
            let language = scan::language(source.lines().next().unwrap_or_default()).to_owned();
            let mut lines: Vec<&str> = source.lines().skip(1).map(|line| strip_indent(line, fence.indent)).collect();
            if lines.last().is_some_and(|line| scan::closes(fence, line)) {
                lines.pop();
            }
            found.push(CodeBlock { language, text: lines.join("\n") });
        } else if matches!(block.kind, Kind::Item(_)) {
            found.extend(nested_code_blocks(source));
        }
    }
    found
}

fn nested_code_blocks(source: &str) -> Vec<CodeBlock> {
    use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
    let mut found = Vec::new();
    let mut code: Option<CodeBlock> = None;
    for event in Parser::new(source) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => scan::language(info).to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                code = Some(CodeBlock { language, text: String::new() });
            }
            Event::Text(text) => {
                if let Some(code) = &mut code {
                    code.text.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                found.extend(code.take().map(|code| CodeBlock { text: code.text.trim_end_matches('\n').to_owned(), ..code }));
            }
            _ => {}
        }
    }
    found
}
