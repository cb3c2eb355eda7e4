//! Finds what models write into their text that is no text: thoughts (`<think>`) and calls (`<tool_call>`).
//!
//! Pure, and indifferent to how the text is cut into pieces: what might become a marker is held back until it is
//! clear. Thoughts count at the beginning of the text only (and right after other thoughts), so that an answer may speak
//! *about* the marker. Nothing is lost: a call that cannot be read comes out as the text it was.

/// A run of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text of the answer.
    Text(String),
    /// Thoughts.
    Reasoning(String),
    /// What stood between the markers of a call, and all of it with its markers.
    Call {
        /// Between the markers.
        inner: String,
        /// With them.
        whole: String,
    },
}

#[derive(Debug, PartialEq, Eq)]
struct Marker {
    open: &'static str,
    close: &'static str,
}

const THOUGHTS: &[Marker] = &[
    Marker { open: "<think>", close: "</think>" },
    Marker { open: "<thinking>", close: "</thinking>" },
    Marker { open: "<thought>", close: "</thought>" },
];

const CALLS: &[Marker] =
    &[Marker { open: "<tool_call>", close: "</tool_call>" }, Marker { open: "[TOOL_REQUEST]", close: "[END_TOOL_REQUEST]" }];

/// The longest call written as text, in bytes; a longer one is text.
const CALL_BYTES_MAX: usize = 1024 * 1024;

#[derive(Debug, Clone, Copy)]
enum State {
    Text,
    Thoughts(&'static Marker),
    Call(&'static Marker),
}

/// Takes text apart.
#[derive(Debug)]
pub(super) struct Splitter {
    state: State,
    held: String,
    /// Up to here `held` is known not to hold the closing marker.
    searched: usize,
    /// No text but white space has come yet, or none since the last thoughts.
    fresh: bool,
    /// Thoughts came before: white space after them is no text.
    after_thoughts: bool,
    with_calls: bool,
}

impl Splitter {
    /// A splitter; `with_calls` where tools were offered.
    pub(super) fn new(with_calls: bool) -> Self {
        Self { state: State::Text, held: String::new(), searched: 0, fresh: true, after_thoughts: false, with_calls }
    }

    /// Takes more text.
    pub(super) fn push(&mut self, text: &str, out: &mut Vec<Piece>) {
        self.held.push_str(text);
        while self.step(out) {}
    }

    /// The end: what was held back comes out as what it is.
    pub(super) fn finish(&mut self, out: &mut Vec<Piece>) {
        let rest = std::mem::take(&mut self.held);
        match std::mem::replace(&mut self.state, State::Text) {
            State::Text => push_text(out, if self.after_thoughts && self.fresh { rest.trim_start() } else { &rest }),
            State::Thoughts(_) if rest.is_empty() => {}
            State::Thoughts(_) => out.push(Piece::Reasoning(rest)),
            State::Call(marker) => out.push(Piece::Call { whole: format!("{}{rest}", marker.open), inner: rest }),
        }
    }

    /// One step; whether another may follow.
    fn step(&mut self, out: &mut Vec<Piece>) -> bool {
        match self.state {
            State::Text => self.step_text(out),
            State::Thoughts(marker) => self.step_thoughts(marker, out),
            State::Call(marker) => self.step_call(marker, out),
        }
    }

    fn step_thoughts(&mut self, marker: &'static Marker, out: &mut Vec<Piece>) -> bool {
        let closed = self.held.find(marker.close);
        let end = closed.unwrap_or_else(|| self.held.len() - tail(&self.held, marker.close));
        if end > 0 {
            out.push(Piece::Reasoning(self.held[..end].to_owned()));
            self.held.drain(..end);
        }
        if closed.is_some() {
            self.held.drain(..marker.close.len());
            self.state = State::Text;
            self.fresh = true;
            self.after_thoughts = true;
        }
        closed.is_some()
    }

    fn step_call(&mut self, marker: &'static Marker, out: &mut Vec<Piece>) -> bool {
        let from = self.held.floor_char_boundary(self.searched.saturating_sub(marker.close.len()));
        if let Some(at) = self.held[from..].find(marker.close) {
            let rest = self.held.split_off(from + at + marker.close.len());
            let whole = format!("{}{}", marker.open, std::mem::replace(&mut self.held, rest));
            let inner = whole[marker.open.len()..whole.len() - marker.close.len()].to_owned();
            out.push(Piece::Call { inner, whole });
            self.state = State::Text;
            return true;
        }
        self.searched = self.held.len();
        if self.held.len() > CALL_BYTES_MAX {
            push_text(out, &format!("{}{}", marker.open, std::mem::take(&mut self.held)));
            self.state = State::Text;
        }
        false
    }

    fn step_text(&mut self, out: &mut Vec<Piece>) -> bool {
        if self.fresh && self.after_thoughts {
            let blank = self.held.len() - self.held.trim_start().len();
            self.held.drain(..blank);
        }
        let blank = self.held.len() - self.held.trim_start().len();
        if self.fresh
            && let Some(marker) = THOUGHTS.iter().find(|marker| self.held[blank..].starts_with(marker.open))
        {
            self.held.drain(..blank + marker.open.len());
            self.state = State::Thoughts(marker);
            return true;
        }
        let call = CALLS
            .iter()
            .filter(|_| self.with_calls)
            .filter_map(|marker| Some((self.held.find(marker.open)?, marker)))
            .min_by_key(|(at, _)| *at);
        if let Some((at, marker)) = call {
            self.emit(at, out);
            self.held.drain(..marker.open.len());
            self.searched = 0;
            self.state = State::Call(marker);
            return true;
        }
        let may_think = self.fresh && THOUGHTS.iter().any(|marker| marker.open.starts_with(&self.held[blank..]));
        if !may_think {
            let open = CALLS.iter().filter(|_| self.with_calls).map(|marker| tail(&self.held, marker.open)).max().unwrap_or(0);
            self.emit(self.held.len() - open, out);
        }
        false
    }

    /// Lets the first `end` bytes go as text.
    fn emit(&mut self, end: usize, out: &mut Vec<Piece>) {
        let text = &self.held[..end];
        if !text.trim().is_empty() {
            self.fresh = false;
        }
        push_text(out, text);
        self.held.drain(..end);
    }
}

fn push_text(out: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        out.push(Piece::Text(text.to_owned()));
    }
}

/// How many bytes at the end of `text` could be the beginning of `marker`.
fn tail(text: &str, marker: &str) -> usize {
    (1..marker.len()).rev().find(|length| text.ends_with(&marker[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&str]) -> (String, String, Vec<String>) {
        let mut splitter = Splitter::new(true);
        let mut out = Vec::new();
        for piece in pieces {
            splitter.push(piece, &mut out);
        }
        splitter.finish(&mut out);
        let (mut text, mut thoughts, mut calls) = (String::new(), String::new(), Vec::new());
        for piece in out {
            match piece {
                Piece::Text(more) => text.push_str(&more),
                Piece::Reasoning(more) => thoughts.push_str(&more),
                Piece::Call { inner, .. } => calls.push(inner),
            }
        }
        (text, thoughts, calls)
    }

    #[test]
    fn thoughts_and_calls_are_told_from_text() {
        let check = |input: &str, text: &str, thoughts: &str, calls: &[&str]| {
            let expected = (text.to_owned(), thoughts.to_owned(), calls.iter().map(|call| (*call).to_owned()).collect());
            assert_eq!(split(&[input]), expected, "{input:?}");
            let chars: Vec<_> = input.chars().map(String::from).collect();
            let chars: Vec<_> = chars.iter().map(String::as_str).collect();
            assert_eq!(split(&chars), expected, "{input:?} character by character");
        };
        check("hello", "hello", "", &[]);
        check("  hello ", "  hello ", "", &[]);
        check("<think>a < b</think>\n\nhi", "hi", "a < b", &[]);
        check("\n<think>\na\n</think>hi", "hi", "\na\n", &[]);
        check("<think>a</think> <think>b</think>c", "c", "ab", &[]);
        check("<thinking>a</think></thinking>c", "c", "a</think>", &[]);
        check("<think>never closed", "", "never closed", &[]);
        check("<think></think>", "", "", &[]);
        check("say <think> loud </think>", "say <think> loud </think>", "", &[]);
        check("<thin", "<thin", "", &[]);
        check("<b>x", "<b>x", "", &[]);
        check("a<tool_call>{1}</tool_call>b", "ab", "", &["{1}"]);
        check("<think>x</think>\n<tool_call>1</tool_call>\n<tool_call>2</tool_call>", "", "x", &["1", "2"]);
        check("[TOOL_REQUEST]x[END_TOOL_REQUEST]", "", "", &["x"]);
        check("<tool_call>cut", "", "", &["cut"]);
        check("a <tool_", "a <tool_", "", &[]);
        check("中<中文", "中<中文", "", &[]);
    }

    #[test]
    fn without_tools_there_are_no_calls() {
        let mut splitter = Splitter::new(false);
        let mut out = Vec::new();
        splitter.push("<tool_call>x</tool_call>", &mut out);
        assert_eq!(out, [Piece::Text("<tool_call>x</tool_call>".into())]);
    }

    #[test]
    fn an_endless_call_is_text() {
        let mut splitter = Splitter::new(true);
        let mut out = Vec::new();
        splitter.push("<tool_call>", &mut out);
        splitter.push(&"x".repeat(CALL_BYTES_MAX + 1), &mut out);
        assert!(matches!(&out[..], [Piece::Text(text)] if text.starts_with("<tool_call>x")));
    }
}
