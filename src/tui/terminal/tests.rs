//! What really goes to the terminal: the bytes of frames, read by an emulator and by a strict eye.

mod hostile;
mod pictures;

use std::cell::RefCell;
use std::io::{self, Write};
use std::num::NonZeroU16;
use std::rc::Rc;

use super::Canvas;
use crate::tui::pictures::cells::Strip;
use crate::tui::tests::Script;

fn some(length: u16) -> NonZeroU16 {
    NonZeroU16::new(length).unwrap()
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal that reads what the real backend writes.
struct Screen {
    canvas: Canvas<Sink>,
    sink: Sink,
    parser: vt100::Parser,
}

impl Screen {
    fn new(script: &Script) -> Self {
        let sink = Sink::default();
        let (columns, rows) = script.state.size;
        Self { canvas: Canvas::new(sink.clone()), sink, parser: vt100::Parser::new(some(rows), some(columns), 0) }
    }

    /// Draws a frame; its bytes.
    fn draw(&mut self, script: &Script) -> String {
        self.canvas.draw(&script.state).unwrap();
        let bytes = std::mem::take(&mut *self.sink.0.borrow_mut());
        self.parser.process(&bytes);
        String::from_utf8(bytes).unwrap()
    }

    /// Rows of pictures on it.
    fn canvas_strips(&self) -> &[Strip] {
        self.canvas.strips_shown()
    }

    /// The rows as the terminal shows them.
    fn rows(&self) -> Vec<String> {
        let (_, columns) = self.parser.screen().size();
        self.parser.screen().rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect()
    }

    /// The terminal shows what the frame says.
    fn check(&self, script: &Script) {
        let expected: Vec<String> = script.text().lines().map(str::to_owned).collect();
        assert_eq!(self.rows(), expected);
    }
}

/// The control sequences in `text`, each whole.
///
/// # Panics
/// When there is one that a frame never needs, or a control character outside of one.
fn sequences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|ch: char| ch.is_control()) {
        let from = &rest[at..];
        let length = sequence_len(from).unwrap_or_else(|| {
            let shown: String = rest.chars().skip(rest[..at].chars().count().saturating_sub(40)).take(120).collect();
            panic!("a control character of somebody else's: {shown:?}")
        });
        found.push(from[..length].to_owned());
        rest = &from[length..];
    }
    found
}

/// Bytes of the sequence that `text` starts with, if it is one of a frame's own.
fn sequence_len(text: &str) -> Option<usize> {
    if let Some(body) = text.strip_prefix("\x1b[") {
        let length = body.find(|ch: char| !(ch.is_ascii_digit() || matches!(ch, ';' | ':' | '?')))?;
        let parameters = &body[..length];
        let end = body[length..].chars().next()?;
        let good = match end {
            // A place, a style.
            'H' | 'm' => !parameters.contains('?'),
            // The screen cleared.
            'J' => parameters == "2",
            // The cursor shown or hidden; one update from here to there.
            'h' | 'l' => matches!(parameters, "?25" | "?2026"),
            _ => false,
        };
        return good.then_some(2 + length + 1);
    }
    let body = text.strip_prefix("\x1b]8;;")?;
    let end = body.find("\x1b\\")?;
    let target = &body[..end];
    let good = target.is_empty() || (["https://", "http://", "file:///"].iter().any(|start| target.starts_with(start)));
    let clean = target.chars().all(|ch| ch.is_ascii_graphic());
    (good && clean).then_some(5 + end + 2)
}

#[test]
fn a_frame_is_what_the_terminal_shows_and_an_unchanged_one_is_no_byte() {
    let mut script = Script::new(100, 30);
    let mut screen = Screen::new(&script);
    script.said("hello 中文 e\u{301}");
    script.answered("# Title\n\n- one\n- **two**\n\n```rust\nfn main() {}\n```\n");
    sequences(&screen.draw(&script));
    screen.check(&script);
    assert_eq!(screen.draw(&script), "");
    script.key("pgup");
    script.answered("more");
    sequences(&screen.draw(&script));
    screen.check(&script);
    script.send(crate::tui::msg::Msg::Resize(80, 24));
    screen.parser.screen_mut().set_size(some(24), some(80));
    assert!(sequences(&screen.draw(&script)).contains(&"\x1b[2J".to_owned()));
    screen.check(&script);
}

#[test]
fn of_clusters_that_are_gone_nothing_is_left() {
    let mut script = Script::new(100, 30);
    let mut screen = Screen::new(&script);
    for text in ["नमस्ते done", "👨\u{200d}👩\u{200d}👧 done", "👍🏽", "🇩🇪🇨🇭", "❤\u{fe0f}"] {
        script.type_text(text);
        sequences(&screen.draw(&script));
        script.key("ctrl+u");
        screen.draw(&script);
        screen.check(&script);
        // Something else stands there at once, one column further.
        script.type_text(text);
        screen.draw(&script);
        script.key("ctrl+u");
        script.type_text("a中");
        screen.draw(&script);
        screen.check(&script);
        script.key("ctrl+u");
    }
}

#[test]
fn addresses_on_the_screen_are_links_to_themselves() {
    let mut script = Script::new(120, 30);
    script.state.surroundings.hyperlinks = true;
    script.said("hello");
    script.answered("Look at [the page](https://a.example/x) now");
    let mut screen = Screen::new(&script);
    let sent = sequences(&screen.draw(&script));
    assert!(sent.contains(&"\x1b]8;;https://a.example/x\x1b\\".to_owned()), "{sent:?}");
    screen.check(&script);
}
