//! The terminal's background: asked for after the first frame and not waited for.
//!
//! The question is OSC 11. Its answer comes among the keys, and the terminal's crate reads it as such: `alt+]`, then
//! letters and digits, then `alt+\\` or `ctrl+g`. They are held from the first of them on, and are given back as what
//! was typed as soon as they cannot be the answer any more; where no answer comes, nothing was spent.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Asks for the colour of the background.
pub(super) const QUESTION: &str = "\x1b]11;?\x07";

/// What an answer begins with, behind its introducer.
const BEGIN: &str = "11;rgb";

/// Characters of an answer at most: `11;rgba:ffff/ffff/ffff/ffff`.
const CHARS_MAX: usize = 32;

/// Waits for the answer among the keys.
#[derive(Debug, Default)]
pub(super) struct Listener {
    held: Vec<KeyEvent>,
}

/// What a key was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It may belong to the answer: it is held.
    Held,
    /// These were typed.
    Typed(Vec<KeyEvent>),
    /// The answer, whole: whether the background is light, where it can be read.
    Answer(Option<bool>),
}

impl Listener {
    /// Takes a key.
    pub(super) fn hear(&mut self, key: KeyEvent) -> Heard {
        let is_press = key.kind == KeyEventKind::Press;
        match key.code {
            KeyCode::Char(']') if is_press && key.modifiers == KeyModifiers::ALT && self.held.is_empty() => {
                self.held.push(key);
                return Heard::Held;
            }
            _ if self.held.is_empty() => return Heard::Typed(vec![key]),
            _ => {}
        }
        let (alt, ctrl) = (key.modifiers == KeyModifiers::ALT, key.modifiers == KeyModifiers::CONTROL);
        let ends = (key.code == KeyCode::Char('\\') && alt) || (key.code == KeyCode::Char('g') && ctrl);
        let text = self.text();
        self.held.push(key);
        if ends && text.starts_with(BEGIN) {
            self.held.clear();
            return Heard::Answer(is_light(&text));
        }
        let plain = matches!(key.modifiers, KeyModifiers::NONE | KeyModifiers::SHIFT) && is_press;
        let goes_on = match key.code {
            KeyCode::Char(ch) if plain => match BEGIN.chars().nth(text.chars().count()) {
                Some(next) => ch == next,
                None => matches!(ch, 'a' | ':' | '/') || ch.is_ascii_hexdigit(),
            },
            _ => false,
        };
        if goes_on && self.held.len() <= CHARS_MAX { Heard::Held } else { Heard::Typed(std::mem::take(&mut self.held)) }
    }

    /// What is held, behind the introducer.
    fn text(&self) -> String {
        self.held.iter().skip(1).filter_map(|key| key.code.as_char()).collect()
    }
}

/// Whether `11;rgb:hhhh/hhhh/hhhh` is light, as the eye weighs the colours.
fn is_light(answer: &str) -> Option<bool> {
    let (_, colours) = answer.split_once(':')?;
    let mut parts = colours.split('/').map(share);
    let (red, green, blue) = (parts.next()??, parts.next()??, parts.next()??);
    Some(red * 299 + green * 587 + blue * 114 > 500 * FULL)
}

/// The most that [`share`] tells.
const FULL: u32 = 1_000;

/// One to four hexadecimal digits as a share of the most that they can say.
fn share(digits: &str) -> Option<u32> {
    let most = match digits.len() {
        1..=4 => 16_u32.pow(u32::try_from(digits.len()).ok()?) - 1,
        _ => return None,
    };
    u32::from_str_radix(digits, 16).ok().map(|value| value * FULL / most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(ch: char, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(KeyCode::Char(ch), modifiers)
    }

    fn plain(text: &str) -> impl Iterator<Item = KeyEvent> {
        text.chars().map(|ch| press(ch, KeyModifiers::NONE)).collect::<Vec<_>>().into_iter()
    }

    /// What is typed and what is answered when these keys come.
    fn heard(keys: impl Iterator<Item = KeyEvent>) -> (String, Vec<Option<bool>>) {
        let (mut listener, mut typed, mut answers) = (Listener::default(), String::new(), Vec::new());
        for key in keys {
            match listener.hear(key) {
                Heard::Held => {}
                Heard::Typed(keys) => typed.extend(keys.iter().filter_map(|key| key.code.as_char())),
                Heard::Answer(answer) => answers.push(answer),
            }
        }
        (typed, answers)
    }

    fn answer(text: &str, end: KeyEvent) -> impl Iterator<Item = KeyEvent> {
        std::iter::once(press(']', KeyModifiers::ALT)).chain(plain(text)).chain(std::iter::once(end))
    }

    #[test]
    fn an_answer_among_keys_is_heard_and_nothing_of_it_is_typed() {
        let ends = [press('g', KeyModifiers::CONTROL), press('\\', KeyModifiers::ALT)];
        for end in ends {
            for (text, light) in [
                ("11;rgb:fdfd/fdfd/f5f5", Some(true)),
                ("11;rgb:1e1e/1e1e/2e2e", Some(false)),
                ("11;rgb:ff/ff/ff", Some(true)),
                ("11;rgba:0000/0000/0000/ffff", Some(false)),
                ("11;rgb:/", None),
            ] {
                let keys = plain("he").chain(answer(text, end)).chain(plain("llo"));
                assert_eq!(heard(keys), ("hello".to_owned(), vec![light]), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_answer_was_typed() {
        let end = press('g', KeyModifiers::CONTROL);
        for text in ["", "1", "x", "11;rgx", "10;rgb:ff/ff/ff", "11;rgb:zz"] {
            let keys = answer(text, end).chain(plain("!"));
            assert_eq!(heard(keys), (format!("]{text}g!"), Vec::new()), "{text}");
        }
        let long = format!("11;rgb:{}", "f".repeat(100));
        assert_eq!(heard(answer(&long, end)).1, []);
    }
}
