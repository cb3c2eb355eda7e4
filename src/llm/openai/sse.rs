//! Bytes of a response in, whole JSON frames out: what stands between a provider's stream and the parser behind it.
//!
//! Pure. Promises: a frame is valid JSON on one line; lines are put together before they are decoded, so a character
//! split over packets survives and bad UTF-8 becomes U+FFFD; a byte-order mark is dropped; comments, pings and unknown
//! fields are dropped; no event grows past [`EVENT_BYTES_MAX`]; what is no event stream at all (a whole JSON body,
//! JSON lines, an HTML page, plain text) becomes frames too, and words that nobody can read become an error frame.

use std::collections::VecDeque;

use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// The longest event, in bytes. An answer's largest event is a whole call; an endless line must not eat the memory.
pub(super) const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Deeper values than this are checked for depth before they are handed on; the parser refuses more than 128.
const BRACKETS_UNCHECKED: usize = 100;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The fields that begin a line of an event stream.
const FIELDS: &[&str] = &["data", "event", "id", "retry"];

/// Events and data that only say "still here".
const SIGNS_OF_LIFE: &[&str] = &["ping", "keepalive", "keep-alive", "heartbeat"];

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// A JSON value on one line.
    Data(String),
    /// The end, said by the provider.
    Done,
}

/// An event (or a body that is none) is longer than [`EVENT_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooBig;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Too little has come to tell.
    Sniffing,
    /// An event stream.
    Events,
    /// Anything else; it is judged when it is whole.
    Whole,
    /// The provider said that it is done; what follows does not count.
    Over,
}

/// Takes a response apart.
#[derive(Debug)]
pub(super) struct Decoder {
    mode: Mode,
    says_events: bool,
    /// The unfinished line; the whole body where it is no event stream.
    line: Vec<u8>,
    /// A line ended with a carriage return: a line feed right after it belongs to it.
    after_cr: bool,
    event: String,
    data: Option<String>,
    frames: VecDeque<Frame>,
}

impl Decoder {
    /// A decoder for a response that calls itself `content_type`.
    pub(super) fn new(content_type: &str) -> Self {
        Self {
            mode: Mode::Sniffing,
            says_events: content_type.contains("event-stream"),
            line: Vec::new(),
            after_cr: false,
            event: String::new(),
            data: None,
            frames: VecDeque::new(),
        }
    }

    /// The next frame.
    pub(super) fn pop(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), TooBig> {
        match self.mode {
            Mode::Over => Ok(()),
            Mode::Events => self.lines(bytes),
            Mode::Whole => self.keep(bytes),
            Mode::Sniffing => {
                self.keep(bytes)?;
                let Some(mode) = sniff(&self.line, self.says_events) else { return Ok(()) };
                self.mode = mode;
                if mode == Mode::Events {
                    let head = std::mem::take(&mut self.line);
                    self.lines(head.strip_prefix(BOM).unwrap_or(&head))?;
                }
                Ok(())
            }
        }
    }

    /// The response is over: an event that was not closed counts if it can be read.
    pub(super) fn finish(&mut self) {
        match self.mode {
            Mode::Over => {}
            Mode::Events => {
                let line = std::mem::take(&mut self.line);
                self.line_is(&line);
                if self.data.as_deref().is_some_and(|data| data.trim() == "[DONE]" || is_json(data.trim())) {
                    self.dispatch();
                }
            }
            Mode::Sniffing | Mode::Whole => {
                let body = std::mem::take(&mut self.line);
                let text = String::from_utf8_lossy(body.strip_prefix(BOM).unwrap_or(&body)).into_owned();
                self.whole(text.trim());
            }
        }
        self.mode = Mode::Over;
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooBig> {
        let open = self.line.len() + self.data.as_ref().map_or(0, String::len);
        if open + bytes.len() > EVENT_BYTES_MAX {
            return Err(TooBig);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn lines(&mut self, mut bytes: &[u8]) -> Result<(), TooBig> {
        while !bytes.is_empty() && self.mode == Mode::Events {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                return self.keep(bytes);
            };
            self.keep(&bytes[..end])?;
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            let mut line = std::mem::take(&mut self.line);
            self.line_is(&line);
            line.clear();
            self.line = line;
        }
        Ok(())
    }

    fn line_is(&mut self, line: &[u8]) {
        if line.is_empty() {
            return self.dispatch();
        }
        let line = String::from_utf8_lossy(line);
        if line.starts_with('{') {
            // JSON without its field's name: some gateways put errors and JSON lines bare into the stream.
            self.dispatch();
            self.data = Some(line.into_owned());
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => value.clone_into(&mut self.event),
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let event = std::mem::take(&mut self.event);
        let Some(data) = self.data.take() else { return };
        let data = data.trim();
        if data == "[DONE]" {
            self.frames.push_back(Frame::Done);
            self.mode = Mode::Over;
        } else if !data.is_empty() && !is_sign_of_life(&event) && !is_sign_of_life(data) {
            self.frames.push_back(Frame::Data(frame(data, event == "error")));
        }
    }

    fn whole(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if is_json(text) {
            self.frames.push_back(Frame::Data(frame(text, false)));
            self.frames.push_back(Frame::Done);
        } else if text.starts_with('{') && text.lines().next().is_some_and(is_json) {
            // JSON lines; one that was cut off is left out, and the answer counts as broken.
            let whole = text.lines().map(str::trim).filter(|line| is_json(line));
            self.frames.extend(whole.map(|line| Frame::Data(frame(line, false))));
        } else {
            self.frames.push_back(Frame::Data(json!({ "error": { "message": text, "type": "no_stream" } }).to_string()));
        }
    }
}

fn is_sign_of_life(text: &str) -> bool {
    SIGNS_OF_LIFE.iter().any(|sign| text.eq_ignore_ascii_case(sign))
}

/// What the first bytes tell; nothing while they could still become something else.
fn sniff(head: &[u8], says_events: bool) -> Option<Mode> {
    if head.len() < BOM.len() && BOM.starts_with(head) {
        return None;
    }
    let text = head.strip_prefix(BOM).unwrap_or(head).trim_ascii_start();
    let first = *text.first()?;
    if matches!(first, b'{' | b'[' | b'<') {
        return Some(Mode::Whole);
    }
    let name = text.iter().position(|byte| matches!(byte, b':' | b'\n' | b'\r'));
    match name {
        Some(end) if end == 0 || says_events || FIELDS.iter().any(|field| field.as_bytes() == &text[..end]) => Some(Mode::Events),
        None if says_events || FIELDS.iter().any(|field| field.as_bytes().starts_with(text)) => None,
        _ => Some(Mode::Whole),
    }
}

/// `data` as a frame: JSON on one line, an error where it is none.
fn frame(data: &str, is_error: bool) -> String {
    if !is_json(data) {
        return json!({ "error": { "message": data } }).to_string();
    }
    if is_error && let Ok(value) = serde_json::from_str::<Value>(data) {
        return if value.get("error").is_some() { value.to_string() } else { json!({ "error": value }).to_string() };
    }
    // Line breaks in valid JSON stand between its tokens only.
    if data.contains('\n') { data.replace('\n', " ") } else { data.to_owned() }
}

/// Whether `text` is a JSON object or list that the parser behind us takes.
fn is_json(text: &str) -> bool {
    if !text.starts_with(['{', '[']) || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return false;
    }
    let brackets = text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    brackets <= BRACKETS_UNCHECKED || serde_json::from_str::<Value>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(content_type: &str, packets: &[&[u8]]) -> Vec<String> {
        let mut decoder = Decoder::new(content_type);
        for packet in packets {
            decoder.push(packet).unwrap();
        }
        decoder.finish();
        let show = |frame| match frame {
            Frame::Data(data) => data,
            Frame::Done => "DONE".to_owned(),
        };
        std::iter::from_fn(|| decoder.pop()).map(show).collect()
    }

    #[test]
    fn streams_of_all_kinds_become_frames() {
        let check = |text: &str, expected: &[&str]| assert_eq!(frames("", &[text.as_bytes()]), expected, "{text:?}");
        check("data: {\"a\":1}\n\ndata: [DONE]\n\n", &["{\"a\":1}", "DONE"]);
        check("data:{\"a\":1}\r\n\r\ndata:[DONE]\r\n\r\n", &["{\"a\":1}", "DONE"]);
        check("data: {\"a\":1}\r\rdata: [DONE]\r\r", &["{\"a\":1}", "DONE"]);
        check("\u{feff}data: {\"a\":1}\n\n", &["{\"a\":1}"]);
        check(": hello\n\n: ping\n\ndata: {\"a\":1}\n\n", &["{\"a\":1}"]);
        check("event: ping\ndata: {}\n\ndata: ping\n\ndata:\n\n\n\n", &[]);
        check("id: 7\nretry: 3\nevent: message\ndata: {\"a\":1}\n\n", &["{\"a\":1}"]);
        check("data: {\"a\":\ndata: 1}\n\n", &["{\"a\": 1}"]);
        check("data: {\"a\":1}", &["{\"a\":1}"]);
        check("data: {\"a\":1}\n\ndata: [DONE]", &["{\"a\":1}", "DONE"]);
        check("data: {\"a\":1}\n\ndata: {\"a\":", &["{\"a\":1}"]);
        check("data: [DONE]\n\ndata: {\"late\":1}\n\n", &["DONE"]);
        check("event: error\ndata: {\"message\":\"no\"}\n\n", &["{\"error\":{\"message\":\"no\"}}"]);
        check("data: oh dear\n\n", &["{\"error\":{\"message\":\"oh dear\"}}"]);
        check("data: {\"a\":1}\n\n{\"error\":\"x\"}\n", &["{\"a\":1}", "{\"error\":\"x\"}"]);
    }

    #[test]
    fn bodies_that_are_no_stream_become_frames() {
        let check = |text: &str, expected: &[&str]| assert_eq!(frames("text/event-stream", &[text.as_bytes()]), expected, "{text:?}");
        check("{\n  \"a\": 1\n}\n", &["{   \"a\": 1 }", "DONE"]);
        check("[{\"error\":1}]", &["[{\"error\":1}]", "DONE"]);
        check("{\"a\":1}\n{\"a\":2}\n{\"a\"", &["{\"a\":1}", "{\"a\":2}"]);
        check("<html>x</html>", &["{\"error\":{\"message\":\"<html>x</html>\",\"type\":\"no_stream\"}}"]);
        check("", &[]);
        check(" \r\n", &[]);
        assert_eq!(frames("", &[b"upstream is down"]), ["{\"error\":{\"message\":\"upstream is down\",\"type\":\"no_stream\"}}"]);
        assert_eq!(frames("", &[b"dat"]), ["{\"error\":{\"message\":\"dat\",\"type\":\"no_stream\"}}"]);
    }

    #[test]
    fn any_split_gives_the_same_frames() {
        let text = "\u{feff}: hi\r\n\r\ndata: {\"t\":\"中文 🦀\"}\r\n\r\nevent: x\rdata: {\"a\":\ndata: 1}\n\n\ndata: [DONE]\n\n";
        let expected = frames("", &[text.as_bytes()]);
        assert_eq!(expected, ["{\"t\":\"中文 🦀\"}", "{\"a\": 1}", "DONE"]);
        let bytes = text.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                assert_eq!(frames("", &[&bytes[..first], &bytes[first..second], &bytes[second..]]), expected, "{first} {second}");
            }
        }
    }

    #[test]
    fn bad_utf8_is_replaced_and_loses_nothing_else() {
        assert_eq!(frames("", &[b"data: {\"t\":\"a\xffb\"}\n\n"]), ["{\"t\":\"a\u{fffd}b\"}"]);
    }

    #[test]
    fn too_deep_values_are_told_as_errors() {
        let deep = format!("data: {}1{}\n\n", "[".repeat(200), "]".repeat(200));
        let all = frames("", &[deep.as_bytes()]);
        assert!(all.len() == 1 && all[0].starts_with("{\"error\""), "{all:?}");
    }

    #[test]
    fn an_endless_line_ends_at_the_limit() {
        let mut decoder = Decoder::new("");
        decoder.push(b"data: ").unwrap();
        let packet = vec![b'x'; 1024 * 1024];
        let taken = (0..100).take_while(|_| decoder.push(&packet).is_ok()).count();
        assert_eq!(taken, 15);
        let mut decoder = Decoder::new("");
        let line = [b"data: ".as_slice(), &packet, b"\n"].concat();
        let taken = (0..100).take_while(|_| decoder.push(&line).is_ok()).count();
        assert_eq!(taken, 15, "many lines of one event count together");
    }
}
