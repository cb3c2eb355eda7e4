//! A text on one line with a caret that moves by grapheme clusters.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::domain::text::clean_line;

/// Characters of such a text.
const CHARS_MAX: usize = 10_000;

/// A text on one line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineInput {
    text: String,
    /// A byte position between two clusters.
    caret: usize,
}

impl LineInput {
    /// A line that holds `text`, the caret at its end.
    pub fn new(text: &str) -> Self {
        let text = clean_line(text);
        Self { caret: text.len(), text }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces the text; the caret goes to its end.
    pub fn set(&mut self, text: &str) {
        *self = Self::new(text);
    }

    /// Puts `text` in at the caret, on one line.
    pub fn insert(&mut self, text: &str) {
        let room = CHARS_MAX.saturating_sub(self.text.chars().count());
        let cleaned: String = crate::domain::text::clean(text).replace(['\n', '\t'], " ").chars().take(room).collect();
        self.text.insert_str(self.caret, &cleaned);
        self.caret += cleaned.len();
    }

    fn before(&self) -> &str {
        self.text.get(..self.caret).unwrap_or_default()
    }

    fn behind(&self) -> &str {
        self.text.get(self.caret..).unwrap_or_default()
    }

    fn step_left(&self) -> usize {
        self.before().grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn step_right(&self) -> usize {
        self.caret + self.behind().graphemes(true).next().map_or(0, str::len)
    }

    fn word_left(&self) -> usize {
        let trimmed = self.before().trim_end();
        trimmed.rfind(' ').map_or(0, |at| at + 1)
    }

    fn word_right(&self) -> usize {
        let skipped = self.behind().len() - self.behind().trim_start().len();
        let rest = self.behind().trim_start();
        self.caret + skipped + rest.find(' ').unwrap_or(rest.len())
    }

    fn cut(&mut self, from: usize, upto: usize) {
        self.text.replace_range(from..upto, "");
        self.caret = from;
    }

    /// Takes a key; whether it was one for texts. Up, down, enter and tab are not.
    pub fn key(&mut self, key: &KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Left if control || alt => self.caret = self.word_left(),
            KeyCode::Right if control || alt => self.caret = self.word_right(),
            KeyCode::Left => self.caret = self.step_left(),
            KeyCode::Right => self.caret = self.step_right(),
            KeyCode::Home => self.caret = 0,
            KeyCode::End => self.caret = self.text.len(),
            KeyCode::Backspace if control || alt => self.cut(self.word_left(), self.caret),
            KeyCode::Backspace => self.cut(self.step_left(), self.caret),
            KeyCode::Delete => self.cut(self.caret, self.step_right()),
            KeyCode::Char(ch) if control && !alt => match ch {
                'a' => self.caret = 0,
                'b' => self.caret = self.step_left(),
                'f' => self.caret = self.step_right(),
                'h' => self.cut(self.step_left(), self.caret),
                'k' => self.cut(self.caret, self.text.len()),
                'u' => self.cut(0, self.caret),
                'w' => self.cut(self.word_left(), self.caret),
                _ => return false,
            },
            // AltGr arrives as control and alt on some terminals.
            KeyCode::Char(ch) if control == alt && !ch.is_control() => self.insert(ch.encode_utf8(&mut [0; 4])),
            _ => return false,
        }
        true
    }

    /// What of the text is seen in `width` columns, and the column of the caret in it.
    pub fn window(&self, width: usize) -> (&str, usize) {
        let width = width.max(2);
        let mut from = 0;
        let mut column = self.before().width();
        for cluster in self.before().graphemes(true) {
            if column < width {
                break;
            }
            from += cluster.len();
            column -= cluster.width();
        }
        let rest = self.text.get(from..).unwrap_or_default();
        let mut used = 0;
        let upto = rest.grapheme_indices(true).find(|(_, cluster)| {
            used += cluster.width();
            used > width
        });
        (upto.map_or(rest, |(at, _)| &rest[..at]), column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::Chord;

    fn press(line: &mut LineInput, keys: &[&str]) {
        for key in keys {
            assert!(line.key(&Chord::parse(key).unwrap().event()), "{key}");
        }
    }

    #[test]
    fn it_edits_by_clusters_and_words() {
        let mut line = LineInput::new("one two 👨‍👩‍👧");
        press(&mut line, &["backspace", "alt+left", "x", "home", "delete", "end", "!"]);
        assert_eq!(line.text(), "ne xtwo !");
        press(&mut line, &["ctrl+w", "ctrl+w"]);
        assert_eq!(line.text(), "ne ");
        press(&mut line, &["ctrl+u"]);
        assert_eq!(line.text(), "");
        assert!(!line.key(&Chord::parse("enter").unwrap().event()));
        line.insert("a\nb\u{1b}[2J");
        assert_eq!(line.text(), "a b");
    }

    #[test]
    fn a_long_text_scrolls_with_its_caret() {
        let mut line = LineInput::new("0123456789");
        assert_eq!(line.window(20), ("0123456789", 10));
        assert_eq!(line.window(5), ("6789", 4));
        press(&mut line, &["home"]);
        assert_eq!(line.window(5), ("01234", 0));
        let wide = LineInput::new("東京タワー");
        assert_eq!(wide.window(5), ("ワー", 4));
    }
}
