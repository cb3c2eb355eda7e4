//! One block of Markdown into rows.

use std::ops::Range;

use pulldown_cmark::{BlockQuoteKind, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::Look;
use super::code::CodeCache;
use super::table::{Table, rows as table_rows};
use super::wrap::{Blanks, Piece, columns, cut, trim_end, wrap};
use crate::tui::theme::{Icon, Key};

/// What stands left of a row inside a list item or a quote.
#[derive(Debug, Clone)]
struct Prefix {
    /// On the first row; taken when it was drawn.
    first: Option<Span<'static>>,
    rest: Span<'static>,
}

/// Blanks before code.
pub(super) const CODE_INDENT: usize = 2;

pub(super) struct Renderer<'a> {
    source: &'a str,
    width: usize,
    look: Look<'a>,
    cache: &'a mut CodeCache,
    out: &'a mut Vec<Line<'static>>,
    out_start: usize,
    /// The first number of the outermost list, which the block alone does not know.
    number: Option<u64>,
    prefixes: Vec<Prefix>,
    styles: Vec<Style>,
    pieces: Vec<Piece>,
    lists: Vec<Option<u64>>,
    links: Vec<(String, usize)>,
    code: Option<(String, String)>,
    table: Option<Table>,
    /// Whether the space before the next block is settled.
    settled: bool,
}

impl<'a> Renderer<'a> {
    pub(super) fn new(source: &'a str, width: usize, look: Look<'a>, cache: &'a mut CodeCache, out: &'a mut Vec<Line<'static>>) -> Self {
        let out_start = out.len();
        Self {
            source,
            width: width.max(2),
            look,
            cache,
            out,
            out_start,
            number: None,
            prefixes: Vec::new(),
            styles: vec![look.base],
            pieces: Vec::new(),
            lists: Vec::new(),
            links: Vec::new(),
            code: None,
            table: None,
            settled: true,
        }
    }

    /// Draws the whole source; `number` is that of the first list item.
    pub(super) fn run(mut self, number: Option<u64>) {
        self.number = number;
        self.cache.restart();
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS | Options::ENABLE_GFM;
        for (event, range) in Parser::new_ext(self.source, options).into_offset_iter() {
            self.event(event, &range);
        }
        self.flush();
    }

    fn event(&mut self, event: Event<'_>, range: &Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => code.push_str(&text),
                None => self.text(&text),
            },
            Event::Html(text) => self.html(&text, range),
            Event::InlineHtml(text) if is_break(&text) => self.text("\n"),
            Event::InlineHtml(text) => self.styled(&text, Key::UiDim),
            Event::SoftBreak | Event::HardBreak => self.text("\n"),
            Event::Rule => self.rule(range),
            Event::TaskListMarker(done) => self.task(done),
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.styled(&text, Key::MdCode);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: &Range<usize>) {
        match tag {
            Tag::Paragraph => self.separate(range.start),
            Tag::Heading { level, .. } => {
                self.separate(range.start);
                self.styles.push(self.heading(level));
            }
            Tag::BlockQuote(kind) => self.quote(kind, range.start),
            Tag::CodeBlock(kind) => {
                self.flush();
                self.separate(range.start);
                let info = match kind {
                    CodeBlockKind::Fenced(info) => super::scan::language(&info).to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((info, String::new()));
            }
            Tag::List(start) => {
                self.flush();
                let start = if self.lists.is_empty() && start.is_some() { self.number.or(start) } else { start };
                self.lists.push(start);
            }
            Tag::Item => self.item(range.start),
            Tag::Table(alignments) => {
                self.separate(range.start);
                self.table = Some(Table::new(alignments));
            }
            Tag::TableHead => self.push_style(Key::MdTableHeader),
            Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            Tag::Emphasis => self.push_style(Key::MdEmphasis),
            Tag::Strong => self.push_style(Key::MdStrong),
            Tag::Strikethrough => self.push_style(Key::MdStrike),
            Tag::Link { dest_url, .. } => {
                self.links.push((dest_url.into_string(), self.inline_len()));
                self.push_style(Key::MdLink);
            }
            Tag::Image { dest_url, .. } => {
                self.styled("image: ", Key::UiDim);
                self.links.push((dest_url.into_string(), self.inline_len()));
                self.push_style(Key::MdLink);
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.flush(),
            TagEnd::Heading(_) => {
                self.flush();
                self.styles.pop();
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.prefixes.pop();
                self.styles.pop();
            }
            TagEnd::CodeBlock => self.code_block(),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Item => {
                self.flush();
                if self.prefixes.last().is_some_and(|prefix| prefix.first.is_some()) {
                    self.emit(Vec::new());
                }
                self.prefixes.pop();
                self.settled = false;
            }
            TagEnd::Table => self.end_table(),
            TagEnd::TableCell => {
                let pieces = std::mem::take(&mut self.pieces);
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(pieces);
                }
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::TableHead => {
                self.styles.pop();
            }
            TagEnd::Link | TagEnd::Image => self.end_link(),
            _ => {}
        }
    }

    fn style(&self) -> Style {
        self.styles.last().copied().unwrap_or_default()
    }

    fn push_style(&mut self, key: Key) {
        self.styles.push(self.style().patch(self.look.theme.style(key)));
    }

    fn heading(&self, level: HeadingLevel) -> Style {
        let style = self.style().patch(self.look.theme.style(Key::MdHeading));
        match level {
            HeadingLevel::H1 => style.add_modifier(Modifier::UNDERLINED),
            HeadingLevel::H2 => style,
            _ => style.add_modifier(Modifier::ITALIC),
        }
    }

    fn text(&mut self, text: &str) {
        let style = self.style();
        match self.pieces.last_mut() {
            Some(last) if last.style == style => last.text.push_str(text),
            _ => self.pieces.push(Piece::new(text, style)),
        }
    }

    fn styled(&mut self, text: &str, key: Key) {
        let style = self.style().patch(self.look.theme.style(key));
        self.pieces.push(Piece::new(text, style));
    }

    fn inline_len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.text.len()).sum()
    }

    fn end_link(&mut self) {
        self.styles.pop();
        let Some((url, from)) = self.links.pop() else { return };
        let all: String = self.pieces.iter().map(|piece| piece.text.as_str()).collect();
        let label = all.get(from..).unwrap_or_default();
        let same = |url: &str| url.trim_end_matches('/') == label.trim_end_matches('/');
        if url.is_empty() || same(&url) || url.strip_prefix("mailto:").is_some_and(same) {
            return;
        }
        self.styled(&format!(" ({url})"), Key::MdUrl);
    }

    /// A blank row before the block at `start`, where the source has one.
    fn separate(&mut self, start: usize) {
        self.flush();
        if self.settled {
            return;
        }
        self.settled = true;
        let line_start = self.source.get(..start).and_then(|before| before.rfind('\n')).unwrap_or(0);
        let before = self.source.get(..line_start).and_then(|before| before.rsplit('\n').next()).unwrap_or("x");
        if before.trim_matches(|ch: char| ch == '>' || ch.is_whitespace()).is_empty() && line_start > 0 {
            self.emit_blank();
        }
    }

    fn push_prefix(&mut self, first: Span<'static>, rest: Span<'static>) {
        let used: usize = self.prefixes.iter().map(|prefix| columns(&prefix.rest.content)).sum();
        // Deep nesting must leave room for the text.
        let fits = used + columns(&rest.content) <= self.width / 2;
        let (first, rest) = if fits { (Some(first), rest) } else { (None, Span::raw("")) };
        self.prefixes.push(Prefix { first, rest });
    }

    fn quote(&mut self, kind: Option<BlockQuoteKind>, start: usize) {
        self.separate(start);
        let bar = Span::styled(format!("{} ", self.look.theme.icon(Icon::Bar)), self.look.theme.style(Key::MdQuoteBar));
        self.push_prefix(bar.clone(), bar);
        self.push_style(Key::MdQuote);
        let label = match kind {
            None => return,
            Some(BlockQuoteKind::Note) => ("Note", Key::StatusInfo),
            Some(BlockQuoteKind::Tip) => ("Tip", Key::StatusOk),
            Some(BlockQuoteKind::Important) => ("Important", Key::StatusBusy),
            Some(BlockQuoteKind::Warning) => ("Warning", Key::StatusWarn),
            Some(BlockQuoteKind::Caution) => ("Caution", Key::StatusError),
        };
        self.styled(label.0, label.1);
        self.flush();
        self.settled = true;
    }

    fn item(&mut self, start: usize) {
        self.separate(start);
        let theme = self.look.theme;
        let level = self.lists.len();
        let sign = match self.lists.last_mut() {
            Some(Some(number)) => {
                let sign = format!("{number}. ");
                *number = number.saturating_add(1);
                sign
            }
            _ => format!("{} ", theme.icon(if level % 2 == 1 { Icon::Bullet } else { Icon::Dash })),
        };
        let rest = Span::raw(" ".repeat(columns(&sign)));
        self.push_prefix(Span::styled(sign, theme.style(Key::MdBullet)), rest);
        self.settled = true;
    }

    fn task(&mut self, done: bool) {
        let (icon, key) = if done { (Icon::BoxDone, Key::MdTaskDone) } else { (Icon::BoxOpen, Key::MdTaskOpen) };
        let sign = Span::styled(format!("{} ", self.look.theme.icon(icon)), self.look.theme.style(key));
        if let Some(prefix) = self.prefixes.last_mut()
            && prefix.first.is_some()
        {
            prefix.rest = Span::raw(" ".repeat(columns(&sign.content)));
            prefix.first = Some(sign);
        }
    }

    fn room(&self) -> usize {
        let used: usize = self.prefixes.iter().map(|prefix| columns(&prefix.rest.content)).sum();
        self.width.saturating_sub(used).max(1)
    }

    fn emit(&mut self, spans: Vec<Span<'static>>) {
        let mut row: Vec<Span<'static>> = Vec::with_capacity(spans.len() + self.prefixes.len());
        for prefix in &mut self.prefixes {
            row.push(prefix.first.take().unwrap_or_else(|| prefix.rest.clone()));
        }
        row.extend(spans);
        self.out.push(Line::from(trim_end(row)));
        self.settled = false;
    }

    fn emit_blank(&mut self) {
        if self.out.len() == self.out_start {
            return;
        }
        let row: Vec<_> = self.prefixes.iter().map(|prefix| prefix.rest.clone()).collect();
        self.out.push(Line::from(trim_end(row)));
    }

    fn flush(&mut self) {
        if self.table.is_some() || self.pieces.is_empty() {
            return;
        }
        let pieces = std::mem::take(&mut self.pieces);
        for line in wrap(&pieces, self.room(), Blanks::Fold) {
            self.emit(line.spans);
        }
    }

    fn html(&mut self, text: &str, range: &Range<usize>) {
        self.separate(range.start);
        let style = self.look.theme.style(Key::UiDim);
        for line in text.trim_end_matches('\n').split('\n') {
            for row in cut(&[(style, line)], self.room()) {
                self.emit(row.spans);
            }
        }
    }

    fn rule(&mut self, range: &Range<usize>) {
        self.separate(range.start);
        let line = self.look.theme.icon(Icon::Line).repeat(self.room());
        self.emit(vec![Span::styled(line, self.look.theme.style(Key::MdRule))]);
    }

    fn code_block(&mut self) {
        let Some((language, code)) = self.code.take() else { return };
        let room = self.room();
        for line in self.cache.block(&language, &code, room, self.look) {
            self.emit(line.spans);
        }
    }

    fn end_table(&mut self) {
        let Some(table) = self.table.take() else { return };
        for spans in table_rows(&table, self.room(), self.look.theme) {
            self.emit(spans);
        }
    }
}

fn is_break(html: &str) -> bool {
    matches!(html.to_ascii_lowercase().as_str(), "<br>" | "<br/>" | "<br />")
}
