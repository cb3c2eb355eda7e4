//! One key with its modifiers: read from `ctrl+e`, compared with what a terminal sends.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// One key with its modifiers, in one spelling for what terminals spell in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

const NAMES: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("space", KeyCode::Char(' ')),
    ("plus", KeyCode::Char('+')),
];

impl Chord {
    /// Reads `ctrl+e`, `shift+tab`, `f8`, `?`.
    ///
    /// # Errors
    /// When a part is no key or modifier.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lower = text.trim();
        let (front, key) = match lower.rfind('+') {
            Some(at) if at + 1 < lower.len() => (&lower[..at], &lower[at + 1..]),
            _ => ("", lower),
        };
        let mut modifiers = KeyModifiers::NONE;
        for part in front.split('+').filter(|part| !part.is_empty()) {
            modifiers |= match part.to_ascii_lowercase().as_str() {
                "ctrl" => KeyModifiers::CONTROL,
                "alt" => KeyModifiers::ALT,
                "shift" => KeyModifiers::SHIFT,
                other => return Err(format!("unknown modifier `{other}` in `{text}`: ctrl, alt or shift")),
            };
        }
        let code = Self::code(key).ok_or_else(|| unknown_key(text))?;
        Ok(Self::normal(code, modifiers))
    }

    fn code(key: &str) -> Option<KeyCode> {
        let lower = key.to_ascii_lowercase();
        if let Some((_, code)) = NAMES.iter().find(|(name, _)| *name == lower) {
            return Some(*code);
        }
        if let Some(number) = lower.strip_prefix('f').and_then(|digits| digits.parse::<u8>().ok()) {
            return (1..=24).contains(&number).then_some(KeyCode::F(number));
        }
        let mut chars = key.chars();
        match (chars.next(), chars.next()) {
            (Some(ch), None) => Some(KeyCode::Char(ch)),
            _ => None,
        }
    }

    /// The key that a terminal sent.
    pub fn from_event(event: &KeyEvent) -> Self {
        Self::normal(event.code, event.modifiers)
    }

    /// Letters are small and carry shift; other characters have shift in them; shift+tab is one key.
    fn normal(code: KeyCode, modifiers: KeyModifiers) -> Self {
        let mut modifiers = modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let code = match code {
            KeyCode::BackTab => {
                modifiers |= KeyModifiers::SHIFT;
                KeyCode::Tab
            }
            KeyCode::Char(ch) if ch.is_ascii_uppercase() => {
                modifiers |= KeyModifiers::SHIFT;
                KeyCode::Char(ch.to_ascii_lowercase())
            }
            KeyCode::Char(ch) if !ch.is_ascii_lowercase() => {
                modifiers -= KeyModifiers::SHIFT;
                KeyCode::Char(ch)
            }
            other => other,
        };
        Self { code, modifiers }
    }

    /// The event that a terminal would send for it.
    pub fn event(self) -> KeyEvent {
        KeyEvent::new(self.code, self.modifiers)
    }
}

fn unknown_key(text: &str) -> String {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    format!("unknown key `{text}`: one character, f1 to f24, or one of {}", names.join(", "))
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, name) in [(KeyModifiers::CONTROL, "ctrl+"), (KeyModifiers::ALT, "alt+"), (KeyModifiers::SHIFT, "shift+")] {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::F(number) => write!(f, "F{number}"),
            KeyCode::Char(ch) if !matches!(ch, ' ' | '+') => write!(f, "{ch}"),
            code => f.write_str(NAMES.iter().find(|(_, known)| *known == code).map_or("?", |(name, _)| name)),
        }
    }
}
