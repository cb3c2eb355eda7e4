//! Keys of modal editing, where it is switched on.

use crossterm::event::{KeyCode, KeyEvent};

use crate::tui::msg::Effect;
use crate::tui::state::{Focus, State};
use crate::tui::update::compose;
use crate::tui::vi::{Mode, Pressed};

/// Takes a key of the message; `None` where the table of keys decides.
pub(super) fn key(state: &mut State, key: &KeyEvent) -> Option<Vec<Effect>> {
    if !state.options.vi || state.focus != Focus::Composer {
        return None;
    }
    let is_empty = state.composer.is_empty();
    // What Esc stops or closes comes first where there is nothing to edit.
    if key.code == KeyCode::Esc && state.vi.begun().is_empty() && is_empty && (state.turn.is_some() || state.refusing.is_some()) {
        return None;
    }
    // On an empty message the number of a suggestion is no count.
    if let (KeyCode::Char(ch), Mode::Normal, true) = (key.code, state.vi.mode(), is_empty)
        && key.modifiers.is_empty()
        && let Some(effects) = compose::suggestion(state, ch)
    {
        return Some(effects);
    }
    match state.vi.press(key, &mut state.composer) {
        Pressed::Taken => state.history.rest(),
        Pressed::Above => compose::up(state),
        Pressed::Below => compose::down(state),
        Pressed::Write(ch) => return Some(super::typed(state, &KeyEvent::new(KeyCode::Char(ch), key.modifiers))),
        Pressed::Pass => return None,
    }
    Some(Vec::new())
}
