//! Writes the screen as lines that follow one another: what is new below what stands, the line that is typed last.

use std::fmt::Write as _;
use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use crate::tui::linear::{self, Linear, Prompt};
use crate::tui::state::State;

/// What was written so far.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    linear: Linear,
    shown: Prompt,
    again: bool,
}

impl Spoken {
    /// The line that is typed is not known to stand there: it is written again.
    pub(super) fn again(&mut self) {
        self.again = true;
    }

    /// Writes what is new. What was typed at the end of the last line is only added, so that nothing is read out again.
    pub(super) fn say(&mut self, state: &State, out: &mut impl Write) -> io::Result<()> {
        let lines = self.linear.lines(state);
        let prompt = linear::prompt(state, state.size.0);
        let again = std::mem::take(&mut self.again);
        if lines.is_empty() && prompt == self.shown && !again {
            return Ok(());
        }
        let at_end = |prompt: &Prompt| usize::from(prompt.column) == prompt.text.width();
        let adds = lines.is_empty() && !again && at_end(&self.shown) && at_end(&prompt) && !self.shown.text.is_empty();
        let mut text = String::new();
        if let Some(typed) = prompt.text.strip_prefix(self.shown.text.as_str()).filter(|_| adds) {
            text.push_str(typed);
        } else {
            text.push_str("\r\x1b[K");
            for line in &lines {
                text.push_str(line);
                text.push_str("\r\n");
            }
            text.push_str(&prompt.text);
        }
        if !at_end(&prompt) {
            let _ = write!(text, "\r\x1b[{}C", prompt.column);
        }
        self.shown = prompt;
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::tests::Script;

    fn said(spoken: &mut Spoken, script: &Script) -> String {
        let mut out = Vec::new();
        spoken.say(&script.state, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_the_last_line_is_drawn_over() {
        let mut script = Script::new(80, 24);
        let mut spoken = Spoken::default();
        assert!(said(&mut spoken, &script).ends_with("\r\nmessage: "));
        assert_eq!(said(&mut spoken, &script), "", "nothing is new");
        script.type_text("h");
        assert_eq!(said(&mut spoken, &script), "h");
        script.type_text("i 中");
        assert_eq!(said(&mut spoken, &script), "i 中");
        script.key("left");
        assert_eq!(said(&mut spoken, &script), "\r\x1b[Kmessage: hi 中\r\x1b[12C");
        script.answered("one\ntwo");
        assert_eq!(said(&mut spoken, &script), "\r\x1b[Kagent: one\r\ntwo\r\nmessage: hi 中\r\x1b[12C");
        spoken.again();
        assert_eq!(said(&mut spoken, &script), "\r\x1b[Kmessage: hi 中\r\x1b[12C");
    }
}
