//! The list of all keys, and what a pressed one would do: to look up, to try, to see what the user changed.

use crossterm::event::KeyEvent;

use super::{Action, Chord, Context, KEYS, KeyRow, Keymap};
use crate::tui::panels::{Row, columns, flowed, heading};
use crate::tui::theme::{Icon, Key, Theme};

/// Columns of the keys.
const KEYS_WIDTH: usize = 28;

/// Columns of the names.
const NAME_WIDTH: usize = 20;

/// The list, and the key that was pressed last.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// Rows above the window.
    pub scroll: usize,
    /// The key.
    pub pressed: Option<Chord>,
}

impl Trial {
    /// Tries a key.
    pub fn press(&mut self, key: &KeyEvent) {
        self.pressed = Some(Chord::from_event(key));
    }
}

/// What `chord` means, context by context.
pub fn meanings(keymap: &Keymap, chord: Chord) -> Vec<&'static KeyRow> {
    KEYS.iter().filter(|row| keymap.chords(row.action).contains(&chord)).collect()
}

/// Whether the user gave an action other keys than it has by default.
pub fn is_changed(keymap: &Keymap, row: &KeyRow) -> bool {
    let default: Vec<Chord> = row.keys.iter().filter_map(|key| Chord::parse(key).ok()).collect();
    keymap.chords(row.action) != default
}

/// What is said about the key that was tried.
pub fn verdict(keymap: &Keymap, pressed: Option<Chord>) -> Row {
    let Some(chord) = pressed else {
        return vec![(Key::UiDim, "press any key to see what it does".to_owned())];
    };
    let mut out: Row = vec![(Key::UiKey, format!("{chord}"))];
    let found = meanings(keymap, chord);
    if found.is_empty() {
        out.push((Key::UiDim, " does nothing of its own: as text it goes into the message".to_owned()));
    }
    for (at, row) in found.iter().enumerate() {
        out.push((Key::UiDim, if at == 0 { " → ".to_owned() } else { ", ".to_owned() }));
        out.push((Key::UiPopup, row.name.to_owned()));
        out.push((Key::UiDim, format!(" ({})", row.context.title())));
    }
    out
}

/// The list in rows of `width`: each action with its keys, those of the pressed key marked.
pub fn rows(keymap: &Keymap, pressed: Option<Chord>, theme: &Theme, width: u16) -> Vec<(Row, Option<Action>)> {
    let mut out: Vec<(Row, Option<Action>)> = Vec::new();
    for context in Context::ALL {
        if !out.is_empty() {
            out.push((Row::new(), None));
        }
        out.push((heading(context.title()), None));
        for row in KEYS.iter().filter(|row| row.context == context) {
            let chords = keymap.chords(row.action);
            let hit = pressed.is_some_and(|pressed| chords.contains(&pressed));
            let mark = if hit { theme.icon(Icon::Prompt) } else { " " };
            let keys = chords.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            let keys = if keys.is_empty() { "none".to_owned() } else { keys };
            let yours = if is_changed(keymap, row) { " (yours)" } else { "" };
            let line = vec![
                (Key::UiAccent, format!("{mark} ")),
                (if hit { Key::UiPopupSelected } else { Key::UiKey }, format!("{} ", columns(&keys, KEYS_WIDTH))),
                (Key::UiStatusValue, format!("{} ", columns(row.name, NAME_WIDTH))),
                (Key::StatusOk, yours.trim_start().to_owned()),
                (Key::UiDim, if yours.is_empty() { row.help.to_owned() } else { format!(" {}", row.help) }),
            ];
            let mut parts = flowed(&line, usize::from(width)).into_iter();
            out.extend(parts.next().map(|first| (first, Some(row.action))));
            out.extend(parts.map(|part| (part, None)));
        }
    }
    out
}
