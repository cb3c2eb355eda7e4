//! A screen of lines that follow one another, for screen readers: what stands is never drawn over.

use std::io::{self, Write};

use crossterm::cursor::MoveRight;
use crossterm::queue;
use unicode_width::UnicodeWidthStr;

use crate::tui::linear::{self, Linear, Prompt};
use crate::tui::state::State;

/// What was said so far.
#[derive(Default)]
pub(super) struct Spoken {
    linear: Linear,
    /// The last line, which is being typed.
    prompt: Prompt,
    /// Whether the last line is to be written anew.
    again: bool,
}

impl Spoken {
    /// Writes the last line anew the next time.
    pub(super) fn again(&mut self) {
        self.again = true;
    }

    /// Writes what is new below what stands; only the last line, which is being typed, is drawn over.
    pub(super) fn say(&mut self, out: &mut impl Write, state: &State) -> io::Result<()> {
        let shown = &mut self.prompt;
        let lines = self.linear.lines(state);
        let prompt = linear::prompt(state, state.size.0);
        let again = std::mem::take(&mut self.again);
        if lines.is_empty() && prompt == *shown && !again {
            return Ok(());
        }
        let typed = prompt.text.strip_prefix(shown.text.as_str()).filter(|_| {
            // What was typed at the end is added, so that nothing is read out again.
            lines.is_empty()
                && !again
                && usize::from(shown.column) == shown.text.width()
                && usize::from(prompt.column) == prompt.text.width()
        });
        if let Some(typed) = typed {
            write!(out, "{typed}")?;
        } else {
            write!(out, "\r\x1b[K")?;
            for line in &lines {
                write!(out, "{line}\r\n")?;
            }
            write!(out, "{}\r", prompt.text)?;
            if prompt.column > 0 {
                queue!(out, MoveRight(prompt.column))?;
            }
        }
        *shown = prompt;
        out.flush()
    }
}
