//! Tool calls and handoffs: the line of one, and what stands below it when it is open.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use serde_json::{Map, Value};

use super::{ERROR_ROWS_MAX, OPEN_LINES_MAX, Painter};
use crate::domain::event::{ErrorKind, Scope, Status};
use crate::domain::text::clean_line;
use crate::tui::markdown::render_code;
use crate::tui::markdown::wrap::{columns, fit, trim_end};
use crate::tui::pictures::{COLUMNS_MAX, Found, cells};
use crate::tui::theme::{Icon, Key};
use crate::tui::transcript::fold::duration;
use crate::tui::transcript::item::{Call, CallState, Handoff, Progress, result_str, result_text};
use crate::tui::transcript::parts::saved_lines;

/// Saved files that a call names.
const SAVED_FILES_MAX: usize = 4;

/// Lines of the user's own call that are shown while it is closed.
const OUTPUT_LINES_MAX: usize = 20;

/// Of what has more than [`OPEN_LINES_MAX`] lines so many stand at the end.
const TAIL_LINES: usize = 100;

/// Bytes of a result that are looked at for drawing; a quarter of them at its end.
const RESULT_BYTES_MAX: usize = 128 * 1024;

impl Painter<'_> {
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

    pub(super) fn tool(&mut self, call: &Call) {
        let (icon, key) = match call.state {
            CallState::Asking => (Icon::Question, Key::StatusWarn),
            CallState::Granted | CallState::Is(Status::Started) => (Icon::Pending, Key::StatusBusy),
            CallState::Is(Status::Success) => (Icon::Ok, Key::StatusOk),
            CallState::Is(Status::Error) if call.error_kind == Some(ErrorKind::Interrupted) => (Icon::Stopped, Key::StatusWarn),
            CallState::Refused if call.error.is_none() => (Icon::Stopped, Key::ChatDim),
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
        let refused = call.state == CallState::Refused && call.error.is_none();
        let right = if refused {
            "refused by you".to_owned()
        } else {
            [allowed(call.scope, call.state), call.duration_ms.map(duration)].into_iter().flatten().collect::<Vec<_>>().join("  ")
        };
        self.headline((self.icon(icon), self.style(key)), names, &about, &right);
        let rows_max = if self.item.open { usize::MAX } else { ERROR_ROWS_MAX };
        self.call_error(call.error.as_deref(), rows_max);
        if let Some(instead) = &call.instead {
            self.marked(self.indent() + 2, &Span::raw("instead: "), instead, Key::ChatHint, rows_max);
        }
        if self.item.open {
            self.arguments("arguments", &call.arguments);
            if let Some(preview) = &call.preview {
                self.labelled("change", &guess(preview), preview);
            }
            self.result(call.result.as_ref());
        } else if call.own && call.state == CallState::Is(Status::Success) {
            self.output(call.result.as_ref());
        }
        self.saved_files(call.result.as_ref());
    }

    /// What the user's own call brought: its first lines, and how to see the rest.
    fn output(&mut self, result: Option<&Value>) {
        let text = result.map(result_text).unwrap_or_default();
        let text = text.trim_end();
        let indent = self.indent() + 2;
        let shown: Vec<&str> = text.lines().take(OUTPUT_LINES_MAX).collect();
        let width = u16::try_from(self.width.saturating_sub(indent).max(1)).unwrap_or(u16::MAX);
        for row in render_code(&shown.join("\n"), &guess(text), width, OPEN_LINES_MAX, self.look) {
            let mut spans = vec![Span::raw(" ".repeat(indent))];
            spans.extend(row.spans);
            self.push(spans);
        }
        let more = text.lines().count() - shown.len();
        if more > 0 {
            let note = format!("{} {more} more lines; ctrl+o shows all", self.icon(Icon::Folded));
            self.push(vec![Span::raw(" ".repeat(indent)), Span::styled(note, self.style(Key::ChatDim))]);
        }
    }

    /// Pictures and sounds are no text: a closed call tells where they were saved.
    fn saved_files(&mut self, result: Option<&Value>) {
        let Some(text) = result.and_then(result_str) else { return };
        let files: Vec<String> = saved_lines(text).map(clean_line).collect();
        let more = files.len().saturating_sub(SAVED_FILES_MAX);
        for file in files.iter().take(SAVED_FILES_MAX) {
            let mark = Span::styled(format!("{} ", self.icon(Icon::Arrow)), self.style(Key::ChatDim));
            self.marked(self.indent() + 2, &mark, file, Key::MdUrl, usize::MAX);
            self.picture(file);
        }
        if more > 0 {
            self.marked(self.indent() + 4, &Span::raw(""), &format!("and {more} more"), Key::ChatDim, 1);
        }
    }

    /// The picture itself below its name, where the terminal shows pictures.
    fn picture(&mut self, file: &str) {
        let Some((_, path)) = file.split_once(": /").filter(|_| file.starts_with("image ")) else { return };
        let indent = self.indent() + 4;
        let room = u16::try_from(self.width.saturating_sub(indent)).unwrap_or(u16::MAX).min(COLUMNS_MAX);
        match self.kit.pictures.find(std::path::Path::new(&format!("/{path}")), room) {
            Some(Found::Ready(picture)) => self.lines.extend(cells::lines(picture.number, picture.columns, picture.rows, indent)),
            Some(Found::Failed(reason)) => self.marked(indent, &Span::raw(""), &format!("not shown: {reason}"), Key::ChatDim, 1),
            Some(Found::Waiting) | None => {}
        }
    }

    /// `▓▓▓░░░░░░░ 3/10 what it does`.
    fn bar(&self, progress: &Progress) -> String {
        let Some(full) = progress.full else { return progress.text.clone() };
        let (on, off) = (self.icon(Icon::Full), self.icon(Icon::Empty));
        format!("{}{} {}", on.repeat(full), off.repeat(Progress::CELLS.saturating_sub(full)), progress.text)
    }

    pub(super) fn handoff(&mut self, handoff: &Handoff) {
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
        let text = result_text(result);
        if text.trim().is_empty() {
            return self.labelled("result", "text", "(empty)");
        }
        let parsed = if text.len() <= RESULT_BYTES_MAX { serde_json::from_str::<Value>(&text).ok() } else { None };
        match parsed.filter(|value| value.is_object() || value.is_array()).and_then(|value| serde_json::to_string_pretty(&value).ok()) {
            Some(json) => self.labelled("result", "json", &json),
            None => self.labelled("result", &guess(&text), &text),
        }
    }

    /// A dim heading and code below it: of what is long its head and its tail.
    fn labelled(&mut self, label: &str, language: &str, code: &str) {
        let indent = self.indent() + 2;
        self.push(vec![Span::raw(" ".repeat(indent)), Span::styled(label.to_owned(), self.style(Key::ChatLabel))]);
        let width = u16::try_from(self.width.saturating_sub(indent).max(1)).unwrap_or(u16::MAX);
        let Cut { head, left_out, tail } = cut(code);
        for part in [head, tail] {
            if let (true, Some(note)) = (std::ptr::eq(part, tail), &left_out) {
                let note = format!("{} {note} left out; {}", self.icon(Icon::Folded), "y copies all");
                self.push(vec![Span::raw(" ".repeat(indent)), Span::styled(note, self.style(Key::ChatDim))]);
            }
            if part.is_empty() {
                continue;
            }
            for row in render_code(part, language, width, OPEN_LINES_MAX, self.look) {
                let mut spans = vec![Span::raw(" ".repeat(indent))];
                spans.extend(row.spans);
                self.push(spans);
            }
        }
    }
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
        other => clean_line(&start_of_json(other)),
    };
    let short = |text: String| crate::domain::text::ellipsis(&text, PART_CHARS_MAX).into_owned();
    if map.len() == 1 {
        return map.values().next().map(|only| short(value(only))).unwrap_or_default();
    }
    let parts = map.iter().take(PARTS_MAX).map(|(name, part)| format!("{}: {}", clean_line(name), short(value(part))));
    parts.collect::<Vec<_>>().join(&format!(" {separator} "))
}

/// The first bytes of a value as JSON; the rest is not even written.
fn start_of_json(value: &Value) -> String {
    /// Bytes that can be seen.
    const BYTES_MAX: usize = 512;
    struct Start(Vec<u8>);
    impl std::io::Write for Start {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0.len() >= BYTES_MAX {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            self.0.extend_from_slice(bytes.get(..bytes.len().min(BYTES_MAX)).unwrap_or(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut start = Start(Vec::new());
    // The error is the end of what is wanted.
    let _ = serde_json::to_writer(&mut start, value);
    String::from_utf8_lossy(&start.0).into_owned()
}

/// What is shown of a long text.
#[derive(Debug, PartialEq, Eq)]
struct Cut<'t> {
    head: &'t str,
    /// How much stands between: `1,234 lines`, `5 kB`.
    left_out: Option<String>,
    tail: &'t str,
}

/// Head and tail of a text, in whole lines where it has lines.
fn cut(text: &str) -> Cut<'_> {
    let (mut head, mut tail) = (text, "");
    let total = text.lines().count();
    if total > OPEN_LINES_MAX {
        let starts: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        // The line `n` (from 0) starts behind the break `n - 1`.
        let start = |line: usize| line.checked_sub(1).and_then(|before| starts.get(before)).copied().unwrap_or(0);
        head = text.get(..start(OPEN_LINES_MAX - TAIL_LINES)).unwrap_or(text);
        tail = text.get(start(total - TAIL_LINES)..).unwrap_or_default();
    }
    let room = RESULT_BYTES_MAX / 4;
    if head.len() > RESULT_BYTES_MAX - room {
        if tail.is_empty() {
            tail = head.get(head.ceil_char_boundary(head.len() - room)..).unwrap_or_default();
        }
        head = head.get(..head.floor_char_boundary(RESULT_BYTES_MAX - room)).unwrap_or(head);
    }
    if tail.len() > room {
        tail = tail.get(tail.ceil_char_boundary(tail.len() - room)..).unwrap_or_default();
    }
    let between = text.len() - head.len() - tail.len();
    let middle = text.get(head.len()..head.len() + between).unwrap_or_default();
    let lines = middle.lines().count();
    let left_out = (between > 0).then(|| match lines {
        0 | 1 => format!("{} kB", between.div_ceil(1_000)),
        _ => format!("{} lines", crate::tui::status::thousands(u64::try_from(lines).unwrap_or(u64::MAX))),
    });
    Cut { head, left_out, tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_show_head_and_tail_and_how_much_is_between() {
        assert_eq!(cut("a\nb"), Cut { head: "a\nb", left_out: None, tail: "" });
        let lines: String = (0..1_000).map(|at| format!("{at}\n")).collect();
        let parts = cut(&lines);
        assert_eq!(parts.left_out.as_deref(), Some("600 lines"));
        assert!(parts.head.ends_with("\n299\n") && parts.tail.starts_with("900\n") && parts.tail.ends_with("999\n"));
        let one = "é".repeat(RESULT_BYTES_MAX);
        let parts = cut(&one);
        assert_eq!(parts.left_out.as_deref(), Some("132 kB"));
        assert_eq!(parts.head.len() + parts.tail.len(), RESULT_BYTES_MAX);
    }
}
