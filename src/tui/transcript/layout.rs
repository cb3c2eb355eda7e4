//! One item into rows. What is drawn of an item is kept until the item, the width or the theme changes; a streamed
//! answer keeps its finished blocks while more comes.

mod calls;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Welcome;
use super::item::{Body, Ending, Item};
use crate::domain::text::{clean, clean_line};
use crate::tui::highlight::Highlighter;
use crate::tui::markdown::wrap::{Blanks, Piece, columns, fit, trim_end, wrap};
use crate::tui::markdown::{Look, Markdown, render};
use crate::tui::pictures::{Pictures, cells};
use crate::tui::theme::{Icon, Key, Theme};

/// Rows of a line of a background task.
const NOTICE_ROWS_MAX: usize = 3;

/// Lines of a user's message beyond this many are folded.
pub(super) const USER_LINES_MAX: usize = 20;
/// Rows of an error on a closed call.
const ERROR_ROWS_MAX: usize = 3;
/// Lines of a result, of arguments or of reasoning that an open item shows; the rest is told and can be copied.
const OPEN_LINES_MAX: usize = 400;
/// Bytes of one text that are laid out: more than the longest answers of models; beyond it a frame would be felt.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a user's message that are shown while it is folded.
const USER_BYTES_MAX: usize = 16 * 1024;
/// Bytes that can be seen in one line of a closed item.
const LINE_BYTES: usize = 4 * 1024;
/// Bytes of one cell that are looked at where rows are few.
const CELL_BYTES: usize = 16;
/// A gutter for the speaker's name is kept at this width and above; below it is two columns.
const WIDE: usize = 50;

/// What drawing needs beside an item, a width and a theme.
#[derive(Debug, Clone)]
pub(super) struct Kit {
    /// Colours for code.
    pub(super) highlighter: Highlighter,
    /// Pictures that tools gave back.
    pub(super) pictures: Pictures,
}

impl Kit {
    /// The same for where only text goes.
    pub(super) fn without_pictures(&self) -> Self {
        Self { pictures: Pictures::off(), ..self.clone() }
    }
}

/// What an item was drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct For {
    width: u16,
    theme: u64,
    generation: u64,
    pictures: u64,
    revision: u32,
    open: bool,
}

/// An item's rows.
#[derive(Debug)]
pub(super) struct Layout {
    drawn: For,
    /// The frame in which it was last looked at.
    pub(super) used: u64,
    /// The column of the spinner on the first row.
    spinner: Option<u16>,
    /// Characters of the speaker's name on the first row.
    label: usize,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    Lines(Vec<Line<'static>>),
    Text { label: Span<'static>, gutter: usize, markdown: Box<Markdown>, tail: Vec<Line<'static>>, base: Style },
}

impl Layout {
    /// Draws `item`.
    pub(super) fn new(item: &Item, width: u16, theme: &Theme, kit: &Kit) -> Self {
        let drawn = Self::wanted(item, width, theme, kit);
        let mut painter = Painter {
            item,
            kit,
            width: usize::from(width),
            look: Look::new(theme, &kit.highlighter),
            lines: Vec::new(),
            spinner: None,
            label: 0,
        };
        let rows = painter.paint();
        Self { drawn, used: 0, spinner: painter.spinner, label: painter.label, rows }
    }

    fn wanted(item: &Item, width: u16, theme: &Theme, kit: &Kit) -> For {
        // Markdown sees for itself whether the grammars are there by now.
        let generation = if matches!(item.body, Body::Assistant { .. }) { 0 } else { kit.highlighter.generation() };
        let pictures = if matches!(item.body, Body::Tool(_)) { kit.pictures.generation() } else { 0 };
        For { width, theme: theme.id(), generation, pictures, revision: item.revision, open: item.open }
    }

    /// Whether the rows still show `item` as it is.
    pub(super) fn fits(&self, item: &Item, width: u16, theme: &Theme, kit: &Kit) -> bool {
        self.drawn == Self::wanted(item, width, theme, kit)
    }

    /// More of a streamed text; whether it can be added. What is too long is laid out anew, cut.
    pub(super) fn append(&mut self, part: &str) -> bool {
        let Rows::Text { markdown, .. } = &mut self.rows else { return true };
        if markdown.len() + part.len() > TEXT_BYTES_MAX {
            return false;
        }
        markdown.push(part);
        true
    }

    /// The streamed text is whole.
    pub(super) fn finish(&mut self) {
        if let Rows::Text { markdown, .. } = &mut self.rows {
            markdown.finish();
        }
    }

    /// How many rows there are.
    pub(super) fn height(&mut self, theme: &Theme, kit: &Kit) -> usize {
        let width = self.drawn.width;
        match &mut self.rows {
            Rows::Lines(lines) => lines.len(),
            Rows::Text { gutter, markdown, tail, base, .. } => {
                let look = Look { base: *base, ..Look::new(theme, &kit.highlighter) };
                (markdown.lines(inner(width, *gutter), look).len() + tail.len()).max(1)
            }
        }
    }

    /// Draws row `row` into the one row of `area`.
    pub(super) fn draw(&mut self, row: usize, area: Rect, buf: &mut Buffer, theme: &Theme, kit: &Kit, tick: u64) {
        let width = self.drawn.width;
        match &mut self.rows {
            Rows::Lines(lines) => {
                if let Some(line) = lines.get(row) {
                    buf.set_line(area.x, area.y, line, area.width);
                }
            }
            Rows::Text { label, gutter, markdown, tail, base } => {
                if row == 0 {
                    buf.set_span(area.x, area.y, label, area.width);
                }
                let look = Look { base: *base, ..Look::new(theme, &kit.highlighter) };
                let lines = markdown.lines(inner(width, *gutter), look);
                if let Some(line) = lines.get(row).or_else(|| tail.get(row.saturating_sub(lines.len()))) {
                    let shift = u16::try_from(*gutter).unwrap_or(0).min(area.width);
                    buf.set_line(area.x + shift, area.y, line, area.width - shift);
                }
            }
        }
        if let (0, Some(column)) = (row, self.spinner)
            && column < area.width
        {
            buf.set_string(area.x + column, area.y, theme.spinner(tick), theme.style(Key::StatusBusy));
        }
    }

    /// All rows.
    pub(super) fn into_lines(self, theme: &Theme, kit: &Kit) -> Vec<Line<'static>> {
        let width = self.drawn.width;
        match self.rows {
            Rows::Lines(lines) => lines,
            Rows::Text { label, gutter, mut markdown, tail, base } => {
                let look = Look { base, ..Look::new(theme, &kit.highlighter) };
                let pad = |width: usize| Span::raw(" ".repeat(gutter.saturating_sub(width)));
                let own = markdown.lines(inner(width, gutter), look).iter().cloned();
                let row = |(at, line): (usize, Line<'static>)| {
                    let mut spans = if at == 0 { vec![label.clone(), pad(columns(&label.content))] } else { vec![pad(0)] };
                    spans.extend(line.spans);
                    Line::from(trim_end(spans))
                };
                own.chain(tail).enumerate().map(row).collect()
            }
        }
    }

    /// All rows as plain text, blanks in place of the speaker's name.
    pub(super) fn without_label(&mut self, theme: &Theme, kit: &Kit) -> Vec<String> {
        let label = self.label;
        let mut rows = self.plain(theme, kit);
        if let Some(first) = rows.first_mut().filter(|_| label > 0) {
            let rest = first.char_indices().nth(label).map_or("", |(at, _)| first.get(at..).unwrap_or_default());
            *first = format!("{}{rest}", " ".repeat(label));
        }
        rows
    }

    /// All rows as plain text.
    pub(super) fn plain(&mut self, theme: &Theme, kit: &Kit) -> Vec<String> {
        let width = self.drawn.width;
        match &mut self.rows {
            Rows::Lines(lines) => lines.iter().map(plain).collect(),
            Rows::Text { label, gutter, markdown, tail, base } => {
                let look = Look { base: *base, ..Look::new(theme, &kit.highlighter) };
                let lines = markdown.lines(inner(width, *gutter), look);
                let row = |(at, line): (usize, &Line<'_>)| {
                    let before = if at == 0 { label.content.to_string() } else { String::new() };
                    let pad = " ".repeat(gutter.saturating_sub(columns(&before)));
                    format!("{before}{pad}{line}").trim_end().to_owned()
                };
                lines.iter().chain(tail.iter()).enumerate().map(row).collect()
            }
        }
    }
}

/// A row as plain text; a row of a picture is empty.
fn plain(line: &Line<'_>) -> String {
    let text = line.to_string();
    if text.contains(cells::PLACEHOLDER) { String::new() } else { text }
}

fn inner(width: u16, gutter: usize) -> u16 {
    width.saturating_sub(u16::try_from(gutter).unwrap_or(0)).max(1)
}

struct Painter<'a> {
    item: &'a Item,
    kit: &'a Kit,
    width: usize,
    look: Look<'a>,
    lines: Vec<Line<'static>>,
    spinner: Option<u16>,
    label: usize,
}

impl Painter<'_> {
    fn paint(&mut self) -> Rows {
        match &self.item.body {
            Body::Assistant { text, ending, label } => return self.assistant(text, ending, *label),
            Body::Welcome(welcome) => self.welcome(welcome),
            Body::User { text } => self.user(text),
            Body::Reasoning { text, running, ms } => self.reasoning(text, *running, *ms),
            Body::Tool(call) => self.tool(call),
            Body::Handoff(handoff) => self.handoff(handoff),
            Body::Error { message, hint, source } => {
                let mark = Span::styled(format!("{} ", self.icon(Icon::Error)), self.style(Key::ChatError));
                let text = if source.is_empty() { message.clone() } else { format!("{message} ({source})") };
                self.marked(self.indent(), &mark, &text, Key::ChatError, usize::MAX);
                self.hint(hint.as_deref());
            }
            Body::Retry { text } => {
                let mark = Span::styled(format!("{} ", self.icon(Icon::Retry)), self.style(Key::StatusWarn));
                self.marked(self.indent(), &mark, text, Key::StatusWarn, usize::MAX);
            }
            Body::TurnEnd { text, message, failed } => self.turn_end(text, message.as_deref(), *failed),
            Body::Notice { text, asks } => {
                let key = if *asks { Key::EventApproval } else { Key::EventNotification };
                let mark = Span::styled(format!("{} ", self.icon(Icon::Notification)), self.style(key));
                self.marked(self.indent(), &mark, text, key, NOTICE_ROWS_MAX);
            }
            Body::Answered { text } => {
                let mark = Span::styled(format!("{} ", self.icon(Icon::Question)), self.style(Key::ChatDim));
                self.marked(self.indent(), &mark, text, Key::ChatDim, NOTICE_ROWS_MAX);
            }
            Body::Marker { text, detail } => self.mark_in_conversation(text, detail),
        }
        Rows::Lines(std::mem::take(&mut self.lines))
    }

    fn style(&self, key: Key) -> Style {
        self.look.theme.style(key)
    }

    fn icon(&self, icon: Icon) -> &'static str {
        self.look.theme.icon(icon)
    }

    /// Columns before one-line items; deeper ones stand further in, as far as there is room.
    fn indent(&self) -> usize {
        (2 + 2 * usize::from(self.item.depth)).min(self.width / 4)
    }

    fn gutter(&self) -> usize {
        match (self.item.depth, self.width) {
            (0, WIDE..) => 6,
            (0, _) => 2,
            _ => self.indent(),
        }
    }

    fn speaker(&mut self, name: &str, icon: Icon, key: Key) -> Span<'static> {
        let text = if self.gutter() == 6 { name } else { self.icon(icon) };
        self.label = text.chars().count();
        Span::styled(text.to_owned(), self.style(key))
    }

    fn push(&mut self, spans: Vec<Span<'static>>) {
        self.lines.push(Line::from(trim_end(spans)));
    }

    /// Text behind a mark, its further rows below the first; at most `rows_max`.
    fn marked(&mut self, indent: usize, mark: &Span<'static>, text: &str, key: Key, rows_max: usize) {
        let hang = indent + columns(&mark.content);
        let bytes_max = rows_max.saturating_mul(self.width.max(1)).saturating_mul(CELL_BYTES).clamp(1, TEXT_BYTES_MAX);
        let (shown, left_out) = head(text, bytes_max);
        let note = if left_out > 0 && rows_max == usize::MAX { left_out_note(left_out) } else { String::new() };
        let pieces = [Piece::new(clean(shown), self.style(key)), Piece::new(note, self.style(Key::ChatDim))];
        let rows = wrap(&pieces, self.width.saturating_sub(hang).max(1), Blanks::Keep);
        let more = rows.len() > rows_max;
        for (at, row) in rows.into_iter().take(rows_max).enumerate() {
            let mut spans = vec![Span::raw(" ".repeat(if at == 0 { indent } else { hang }))];
            if at == 0 {
                spans.push(mark.clone());
            }
            spans.extend(row.spans);
            if more && at + 1 == rows_max {
                spans.push(Span::styled("…", self.style(key)));
            }
            self.push(spans);
        }
    }

    fn hint(&mut self, hint: Option<&str>) {
        if let Some(hint) = hint {
            let mark = Span::styled(format!("{} ", self.icon(Icon::Arrow)), self.style(Key::ChatHint));
            self.marked(self.indent() + 2, &mark, hint, Key::ChatHint, usize::MAX);
        }
    }

    fn assistant(&mut self, text: &str, ending: &Ending, label: bool) -> Rows {
        let label = if label { self.speaker("agent", Icon::Diamond, Key::ChatAgentLabel) } else { Span::raw("") };
        let mut markdown = Markdown::new();
        let (shown, left_out) = head(text, TEXT_BYTES_MAX);
        markdown.push(shown);
        if *ending != Ending::Open || left_out > 0 {
            markdown.finish();
        }
        if left_out > 0 {
            self.push(vec![Span::styled(left_out_note(left_out), self.style(Key::ChatDim))]);
        }
        match ending {
            Ending::Open | Ending::Whole => {}
            Ending::Interrupted => self.push(vec![Span::styled("(interrupted)", self.style(Key::ChatDim))]),
            Ending::Failed(error) => {
                let text = error.as_deref().unwrap_or("the answer broke off");
                let mark = Span::styled(format!("{} ", self.icon(Icon::Error)), self.style(Key::ChatError));
                self.width = self.width.saturating_sub(self.gutter()).max(1);
                self.marked(0, &mark, text, Key::ChatError, usize::MAX);
            }
        }
        let gutter = self.gutter();
        let base = self.style(Key::ChatAgent);
        Rows::Text { label, gutter, markdown: Box::new(markdown), tail: std::mem::take(&mut self.lines), base }
    }

    fn user(&mut self, text: &str) {
        let gutter = self.gutter();
        let total = text.lines().count();
        let shown = if self.item.open { usize::MAX } else { USER_LINES_MAX };
        let lines: Vec<&str> = text.lines().take(shown).collect();
        let joined = lines.join("\n");
        let (bounded, left_out) = head(&joined, if self.item.open { TEXT_BYTES_MAX } else { USER_BYTES_MAX });
        let note = if left_out > 0 { format!(" {}", left_out_note(left_out)) } else { String::new() };
        let pieces = [Piece::new(bounded, self.style(Key::ChatUser)), Piece::new(note, self.style(Key::ChatDim))];
        let label = self.speaker("you", Icon::Prompt, Key::ChatUserLabel);
        let rows = wrap(&pieces, self.width.saturating_sub(gutter).max(1), Blanks::Keep);
        for (at, row) in rows.into_iter().enumerate() {
            let pad = if at == 0 { gutter.saturating_sub(columns(&label.content)) } else { gutter };
            let mut spans = if at == 0 { vec![label.clone()] } else { Vec::new() };
            spans.push(Span::raw(" ".repeat(pad)));
            spans.extend(row.spans);
            self.push(spans);
        }
        if self.lines.is_empty() {
            self.push(vec![label]);
        }
        if total > shown {
            let note = format!("{} {} more lines", self.icon(Icon::Folded), total - shown);
            self.push(vec![Span::raw(" ".repeat(gutter)), Span::styled(note, self.style(Key::ChatDim))]);
        }
    }

    fn welcome(&mut self, welcome: &Welcome) {
        let base = self.style(Key::ChatWelcome);
        self.lines.extend(render(&welcome.text, u16::try_from(self.width).unwrap_or(u16::MAX), Look { base, ..self.look }));
        if !welcome.suggestions.is_empty() {
            self.lines.push(Line::default());
        }
        for (at, suggestion) in welcome.suggestions.iter().enumerate().take(9) {
            let key = Span::styled(format!("{}  ", at + 1), self.style(Key::UiKey));
            self.marked(2, &key, &clean_line(suggestion), Key::ChatWelcome, usize::MAX);
        }
        if !welcome.footer.is_empty() {
            self.lines.push(Line::default());
            self.marked(0, &Span::raw(""), &clean_line(&welcome.footer), Key::ChatDim, usize::MAX);
        }
    }

    fn reasoning(&mut self, text: &str, running: bool, ms: Option<u64>) {
        let indent = self.indent();
        // Of what is closed only an end is seen.
        let bytes_max = if self.item.open { TEXT_BYTES_MAX } else { LINE_BYTES };
        let text = if running && !self.item.open { end(text, bytes_max) } else { head(text, bytes_max).0 };
        let text = clean(text);
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        let shown = if running { lines().next_back() } else { lines().next() }.unwrap_or_default();
        let word = match ms.filter(|ms| *ms >= 1_000) {
            _ if running => "thinking".to_owned(),
            Some(ms) => format!("thought for {}", super::fold::seconds(ms)),
            None => "thought".to_owned(),
        };
        let mark = self.icon(if self.item.open { Icon::Unfolded } else { Icon::Folded });
        self.spinner = running.then(|| u16::try_from(indent).unwrap_or(0));
        let mut spans = vec![Span::raw(" ".repeat(indent)), Span::styled(format!("{mark} {word}"), self.style(Key::ChatReasoning))];
        if !self.item.open {
            let room = self.width.saturating_sub(indent + columns(&word) + 5);
            let shown = if running { tail(shown, room) } else { fit(shown, room) };
            spans.push(Span::styled(format!("  {shown}"), self.style(Key::ChatDim)));
        }
        self.push(spans);
        if self.item.open {
            self.text_block(&text, Key::ChatReasoning);
        }
    }

    fn text_block(&mut self, text: &str, key: Key) {
        let indent = self.indent() + 2;
        let pieces = [Piece::new(head(text.trim(), TEXT_BYTES_MAX).0, self.style(key))];
        let rows = wrap(&pieces, self.width.saturating_sub(indent).max(1), Blanks::Keep);
        let more = rows.len().saturating_sub(OPEN_LINES_MAX);
        for row in rows.into_iter().take(OPEN_LINES_MAX) {
            let mut spans = vec![Span::raw(" ".repeat(indent))];
            spans.extend(row.spans);
            self.push(spans);
        }
        if more > 0 {
            self.push(vec![Span::raw(" ".repeat(indent)), Span::styled(format!("… {more} more rows"), self.style(Key::ChatDim))]);
        }
    }

    fn turn_end(&mut self, text: &str, message: Option<&str>, failed: bool) {
        if let Some(message) = message {
            let (icon, key) = if failed { (Icon::Error, Key::ChatError) } else { (Icon::Info, Key::ChatHint) };
            let mark = Span::styled(format!("{} ", self.icon(icon)), self.style(key));
            self.marked(self.indent(), &mark, message, key, usize::MAX);
        }
        self.marked(self.indent(), &Span::raw(""), text, Key::ChatDim, usize::MAX);
    }

    fn mark_in_conversation(&mut self, text: &str, detail: &str) {
        let icon = match (detail.is_empty(), self.item.open) {
            (true, _) => Icon::Diamond,
            (false, true) => Icon::Unfolded,
            (false, false) => Icon::Folded,
        };
        let mark = Span::styled(format!("{} ", self.icon(icon)), self.style(Key::ChatMarker));
        self.marked(self.indent(), &mark, text, Key::ChatMarker, usize::MAX);
        if self.item.open && !detail.is_empty() {
            self.text_block(detail, Key::ChatDim);
        }
    }
}

/// The first bytes of a text, and how many are left out.
fn head(text: &str, bytes_max: usize) -> (&str, usize) {
    let shown = text.get(..text.floor_char_boundary(bytes_max.min(text.len()))).unwrap_or(text);
    (shown, text.len() - shown.len())
}

/// The last bytes of a text.
fn end(text: &str, bytes_max: usize) -> &str {
    text.get(text.ceil_char_boundary(text.len().saturating_sub(bytes_max))..).unwrap_or(text)
}

fn left_out_note(bytes: usize) -> String {
    format!("… {} kB more; y copies all", bytes.div_ceil(1_000))
}

/// The end of `text` in `width` columns.
fn tail(text: &str, width: usize) -> String {
    let mut start = text.len();
    let mut used = 1;
    for (at, ch) in text.char_indices().rev() {
        used += columns(text.get(at..at + ch.len_utf8()).unwrap_or_default());
        if used > width {
            return format!("…{}", text.get(start..).unwrap_or_default());
        }
        start = at;
    }
    text.to_owned()
}
