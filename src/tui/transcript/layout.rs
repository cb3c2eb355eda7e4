//! One item into rows. What is drawn of an item is kept until the item, the width or the theme changes; a streamed
//! answer keeps its finished blocks while more comes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use serde_json::{Map, Value};

use super::Welcome;
use super::fold::duration;
use super::item::{Body, Call, CallState, Ending, Handoff, Item, Progress};
use crate::domain::event::{ErrorKind, Scope, Status};
use crate::domain::text::{clean, clean_line};
use crate::tui::highlight::Highlighter;
use crate::tui::markdown::wrap::{Blanks, Piece, columns, fit, trim_end, wrap};
use crate::tui::markdown::{Look, Markdown, render, render_code};
use crate::tui::theme::{Icon, Key, Theme};

/// Rows of a line of a background task.
const NOTICE_ROWS_MAX: usize = 3;

/// Lines of a user's message beyond this many are folded.
pub(super) const USER_LINES_MAX: usize = 20;
/// Rows of an error on a closed call.
const ERROR_ROWS_MAX: usize = 3;
/// Saved files that a closed call names.
const SAVED_FILES_MAX: usize = 4;
/// Lines of a result, of arguments or of reasoning that an open item shows; the rest is told and can be copied.
const OPEN_LINES_MAX: usize = 400;
/// Bytes of a result that are looked at for drawing.
const RESULT_BYTES_MAX: usize = 128 * 1024;
/// A gutter for the speaker's name is kept at this width and above; below it is two columns.
const WIDE: usize = 50;

/// What an item was drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct For {
    width: u16,
    theme: u64,
    generation: u64,
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
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    Lines(Vec<Line<'static>>),
    Text { label: Span<'static>, gutter: usize, markdown: Box<Markdown>, tail: Vec<Line<'static>>, base: Style },
}

impl Layout {
    /// Draws `item`.
    pub(super) fn new(item: &Item, width: u16, theme: &Theme, highlighter: &Highlighter) -> Self {
        let drawn = Self::wanted(item, width, theme, highlighter);
        let mut painter =
            Painter { item, width: usize::from(width), look: Look::new(theme, highlighter), lines: Vec::new(), spinner: None };
        let rows = painter.paint();
        Self { drawn, used: 0, spinner: painter.spinner, rows }
    }

    fn wanted(item: &Item, width: u16, theme: &Theme, highlighter: &Highlighter) -> For {
        // Markdown sees for itself whether the grammars are there by now.
        let generation = if matches!(item.body, Body::Assistant { .. }) { 0 } else { highlighter.generation() };
        For { width, theme: theme.id(), generation, revision: item.revision, open: item.open }
    }

    /// Whether the rows still show `item` as it is.
    pub(super) fn fits(&self, item: &Item, width: u16, theme: &Theme, highlighter: &Highlighter) -> bool {
        self.drawn == Self::wanted(item, width, theme, highlighter)
    }

    /// More of a streamed text.
    pub(super) fn append(&mut self, part: &str) {
        if let Rows::Text { markdown, .. } = &mut self.rows {
            markdown.push(part);
        }
    }

    /// The streamed text is whole.
    pub(super) fn finish(&mut self) {
        if let Rows::Text { markdown, .. } = &mut self.rows {
            markdown.finish();
        }
    }

    /// How many rows there are.
    pub(super) fn height(&mut self, theme: &Theme, highlighter: &Highlighter) -> usize {
        let width = self.drawn.width;
        match &mut self.rows {
            Rows::Lines(lines) => lines.len(),
            Rows::Text { gutter, markdown, tail, base, .. } => {
                let look = Look { base: *base, ..Look::new(theme, highlighter) };
                (markdown.lines(inner(width, *gutter), look).len() + tail.len()).max(1)
            }
        }
    }

    /// Draws row `row` into the one row of `area`.
    pub(super) fn draw(&mut self, row: usize, area: Rect, buf: &mut Buffer, theme: &Theme, highlighter: &Highlighter, tick: u64) {
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
                let look = Look { base: *base, ..Look::new(theme, highlighter) };
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

    /// All rows as plain text.
    pub(super) fn plain(&mut self, theme: &Theme, highlighter: &Highlighter) -> Vec<String> {
        let width = self.drawn.width;
        match &mut self.rows {
            Rows::Lines(lines) => lines.iter().map(ToString::to_string).collect(),
            Rows::Text { label, gutter, markdown, tail, base } => {
                let look = Look { base: *base, ..Look::new(theme, highlighter) };
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

fn inner(width: u16, gutter: usize) -> u16 {
    width.saturating_sub(u16::try_from(gutter).unwrap_or(0)).max(1)
}

struct Painter<'a> {
    item: &'a Item,
    width: usize,
    look: Look<'a>,
    lines: Vec<Line<'static>>,
    spinner: Option<u16>,
}

impl Painter<'_> {
    fn paint(&mut self) -> Rows {
        match &self.item.body {
            Body::Assistant { text, ending, label } => return self.assistant(text, ending, *label),
            Body::Welcome(welcome) => self.welcome(welcome),
            Body::User { text } => self.user(text),
            Body::Reasoning { text, running } => self.reasoning(text, *running),
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

    fn speaker(&self, name: &str, icon: Icon, key: Key) -> Span<'static> {
        let text = if self.gutter() == 6 { name } else { self.icon(icon) };
        Span::styled(text.to_owned(), self.style(key))
    }

    fn push(&mut self, spans: Vec<Span<'static>>) {
        self.lines.push(Line::from(trim_end(spans)));
    }

    /// Text behind a mark, its further rows below the first; at most `rows_max`.
    fn marked(&mut self, indent: usize, mark: &Span<'static>, text: &str, key: Key, rows_max: usize) {
        let hang = indent + columns(&mark.content);
        let pieces = [Piece::new(clean(text), self.style(key))];
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
        markdown.push(text);
        if *ending != Ending::Open {
            markdown.finish();
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
        let head: Vec<&str> = text.lines().take(shown).collect();
        let pieces = [Piece::new(head.join("\n"), self.style(Key::ChatUser))];
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

    fn reasoning(&mut self, text: &str, running: bool) {
        let indent = self.indent();
        let text = clean(text);
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        let shown = if running { lines().next_back() } else { lines().next() }.unwrap_or_default();
        let word = if running { "thinking" } else { "thought" };
        let mark = self.icon(if self.item.open { Icon::Unfolded } else { Icon::Folded });
        self.spinner = running.then(|| u16::try_from(indent).unwrap_or(0));
        let mut spans = vec![Span::raw(" ".repeat(indent)), Span::styled(format!("{mark} {word}"), self.style(Key::ChatReasoning))];
        if !self.item.open {
            let room = self.width.saturating_sub(indent + columns(word) + 5);
            let shown = if running { tail(shown, room) } else { fit(shown, room) };
            spans.push(Span::styled(format!("  {shown}"), self.style(Key::ChatDim)));
        }
        self.push(spans);
        if self.item.open {
            self.text_block(&text, Key::ChatReasoning);
        }
    }

    /// The line of a call: mark, name, what it does, and on the right how long it took.
    fn headline(&mut self, mark: (&'static str, Style), names: Vec<Span<'static>>, about: &str, right: &str) {
        let indent = self.indent();
        let mut spans = vec![Span::raw(" ".repeat(indent)), Span::styled(mark.0, mark.1), Span::raw(" ")];
        spans.extend(names);
        let mut line = Line::from(spans);
        let right_width = if right.is_empty() { 0 } else { columns(right) + 2 };
        let room = self.width.saturating_sub(right_width);
        if line.width() > room {
            let text: String = line.spans.iter().skip(3).map(|span| span.content.as_ref()).collect();
            let style = line.spans.last().map(|span| span.style).unwrap_or_default();
            line.spans.truncate(3);
            line.spans.push(Span::styled(fit(&text, room.saturating_sub(indent + 2)), style));
        }
        let left = room.saturating_sub(line.width() + 2);
        if !about.is_empty() && left >= 4 {
            line.spans.push(Span::styled(format!("  {}", fit(about, left)), self.style(Key::ChatArguments)));
        }
        if !right.is_empty() {
            let gap = self.width.saturating_sub(line.width() + columns(right));
            line.spans.push(Span::raw(" ".repeat(gap)));
            line.spans.push(Span::styled(right.to_owned(), self.style(Key::ChatDim)));
        }
        self.lines.push(Line::from(trim_end(line.spans)));
    }

    fn tool(&mut self, call: &Call) {
        let (icon, key) = match call.state {
            CallState::Asking => (Icon::Question, Key::StatusWarn),
            CallState::Granted | CallState::Is(Status::Started) => (Icon::Pending, Key::StatusBusy),
            CallState::Is(Status::Success) => (Icon::Ok, Key::StatusOk),
            CallState::Is(Status::Error) if call.error_kind == Some(ErrorKind::Interrupted) => (Icon::Stopped, Key::StatusWarn),
            CallState::Refused | CallState::Is(Status::Error) => (Icon::Error, Key::StatusError),
        };
        self.spinner = self.item.running().then(|| u16::try_from(self.indent()).unwrap_or(0));
        let names = vec![
            Span::styled(call.server.clone(), self.style(Key::ChatServer)),
            Span::styled(format!(" {} ", self.icon(Icon::Separator)), self.style(Key::ChatDim)),
            Span::styled(call.tool.clone(), self.style(Key::ChatTool)),
        ];
        let about = match (&call.progress, call.state) {
            (_, CallState::Asking) => "waits for your answer".to_owned(),
            (Some(progress), CallState::Is(Status::Started)) => self.bar(progress),
            _ => summary(&call.arguments, self.icon(Icon::Separator)),
        };
        let right = [allowed(call.scope, call.state), call.duration_ms.map(duration)].into_iter().flatten().collect::<Vec<_>>().join("  ");
        self.headline((self.icon(icon), self.style(key)), names, &about, &right);
        let rows_max = if self.item.open { usize::MAX } else { ERROR_ROWS_MAX };
        let refused = matches!(call.state, CallState::Refused) && call.error.is_none();
        let error = if refused { Some("refused by you".to_owned()) } else { call.error.clone() };
        self.call_error(error.as_deref(), rows_max);
        if let Some(instead) = &call.instead {
            self.marked(self.indent() + 2, &Span::raw("instead: "), instead, Key::ChatHint, rows_max);
        }
        if self.item.open {
            self.arguments("arguments", &call.arguments);
            if let Some(preview) = &call.preview {
                self.labelled("change", &guess(preview), preview);
            }
            self.result(call.result.as_ref());
        } else {
            self.saved_files(call.result.as_ref());
        }
    }

    /// Pictures and sounds are no text: a closed call tells where they were saved.
    fn saved_files(&mut self, result: Option<&Value>) {
        let Some(text) = result.map(super::item::result_text) else { return };
        let files: Vec<String> = saved_files(&text).map(clean_line).collect();
        let more = files.len().saturating_sub(SAVED_FILES_MAX);
        for file in files.iter().take(SAVED_FILES_MAX) {
            let mark = Span::styled(format!("{} ", self.icon(Icon::Arrow)), self.style(Key::ChatDim));
            self.marked(self.indent() + 2, &mark, file, Key::MdUrl, usize::MAX);
        }
        if more > 0 {
            self.marked(self.indent() + 4, &Span::raw(""), &format!("and {more} more"), Key::ChatDim, 1);
        }
    }

    /// `▓▓▓░░░░░░░ 3/10 what it does`.
    fn bar(&self, progress: &Progress) -> String {
        let Some(full) = progress.full else { return progress.text.clone() };
        let (on, off) = (self.icon(Icon::Full), self.icon(Icon::Empty));
        format!("{}{} {}", on.repeat(full), off.repeat(Progress::CELLS.saturating_sub(full)), progress.text)
    }

    fn handoff(&mut self, handoff: &Handoff) {
        let (icon, key) = match handoff.status {
            Status::Started => (Icon::Pending, Key::StatusBusy),
            Status::Success => (Icon::Ok, Key::StatusOk),
            Status::Error => (Icon::Error, Key::StatusError),
        };
        self.spinner = self.item.running().then(|| u16::try_from(self.indent()).unwrap_or(0));
        let names = vec![
            Span::styled(format!("{} ", self.icon(Icon::Arrow)), self.style(Key::ChatDim)),
            Span::styled(handoff.to.clone(), self.style(Key::ChatHandoff)),
        ];
        let about = summary(&handoff.task, self.icon(Icon::Separator));
        let right = handoff.duration_ms.map(duration).unwrap_or_default();
        self.headline((self.icon(icon), self.style(key)), names, &about, &right);
        self.call_error(handoff.error.as_deref(), if self.item.open { usize::MAX } else { ERROR_ROWS_MAX });
        if self.item.open {
            self.arguments("task", &handoff.task);
            self.result(handoff.result.as_ref());
        }
    }

    fn call_error(&mut self, error: Option<&str>, rows_max: usize) {
        if let Some(error) = error {
            self.marked(self.indent() + 2, &Span::raw(""), error.trim_end(), Key::ChatError, rows_max);
        }
    }

    fn arguments(&mut self, label: &str, map: &Map<String, Value>) {
        if !map.is_empty() {
            let json = serde_json::to_string_pretty(map).unwrap_or_default();
            self.labelled(label, "json", &json);
        }
    }

    fn result(&mut self, result: Option<&Value>) {
        let Some(result) = result else { return };
        let text = super::item::result_text(result);
        if text.trim().is_empty() {
            return self.labelled("result", "text", "(empty)");
        }
        let parsed = if text.len() <= RESULT_BYTES_MAX { serde_json::from_str::<Value>(&text).ok() } else { None };
        match parsed.filter(|value| value.is_object() || value.is_array()).and_then(|value| serde_json::to_string_pretty(&value).ok()) {
            Some(json) => self.labelled("result", "json", &json),
            None => self.labelled("result", &guess(&text), &text),
        }
    }

    /// A dim heading and code below it.
    fn labelled(&mut self, label: &str, language: &str, code: &str) {
        let indent = self.indent() + 2;
        self.push(vec![Span::raw(" ".repeat(indent)), Span::styled(label.to_owned(), self.style(Key::ChatLabel))]);
        let shown = code.get(..code.floor_char_boundary(RESULT_BYTES_MAX)).unwrap_or(code);
        let width = u16::try_from(self.width.saturating_sub(indent).max(1)).unwrap_or(u16::MAX);
        for row in render_code(shown, language, width, OPEN_LINES_MAX, self.look) {
            let mut spans = vec![Span::raw(" ".repeat(indent))];
            spans.extend(row.spans);
            self.push(spans);
        }
        if shown.len() < code.len() {
            let note = format!("… {} more bytes", code.len() - shown.len());
            self.push(vec![Span::raw(" ".repeat(indent)), Span::styled(note, self.style(Key::ChatDim))]);
        }
    }

    fn text_block(&mut self, text: &str, key: Key) {
        let indent = self.indent() + 2;
        let pieces = [Piece::new(text.trim(), self.style(key))];
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

/// What is named in lines like `[image image/png 12 kB: /path]`.
fn saved_files(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix('[')?.strip_suffix(']'));
    lines.filter(|line| (line.starts_with("image ") || line.starts_with("audio ")) && line.contains(": /"))
}

/// How a consent that reaches further than this call is told.
fn allowed(scope: Option<Scope>, state: CallState) -> Option<String> {
    let reach = match scope? {
        Scope::Once => "allowed once",
        Scope::Session => "allowed for this session",
        Scope::Tool => "tool allowed always",
        Scope::Server => "server allowed always",
    };
    (!matches!(state, CallState::Refused | CallState::Asking)).then(|| reach.to_owned())
}

/// The language that a text is probably written in.
fn guess(text: &str) -> String {
    let diff = text.starts_with("--- ") || text.starts_with("diff --git") || text.starts_with("@@ ") || text.contains("\n@@ ");
    if diff { "diff".to_owned() } else { "text".to_owned() }
}

/// Arguments in one line.
fn summary(map: &Map<String, Value>, separator: &str) -> String {
    /// Characters of one argument, and arguments, that are worth showing.
    const PART_CHARS_MAX: usize = 120;
    const PARTS_MAX: usize = 8;
    let value = |value: &Value| match value {
        Value::String(text) => clean_line(text.get(..text.floor_char_boundary(PART_CHARS_MAX * 4)).unwrap_or(text)),
        other => clean_line(&other.to_string()),
    };
    let short = |text: String| crate::domain::text::ellipsis(&text, PART_CHARS_MAX).into_owned();
    if map.len() == 1 {
        return map.values().next().map(|only| short(value(only))).unwrap_or_default();
    }
    let parts = map.iter().take(PARTS_MAX).map(|(name, part)| format!("{}: {}", clean_line(name), short(value(part))));
    parts.collect::<Vec<_>>().join(&format!(" {separator} "))
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
