//! `/keys`: every key is shown what it does; only the way out and scrolling do it as well.

use crossterm::event::{KeyCode, KeyEvent};

use crate::tui::keymap::{Action, trial};
use crate::tui::layout;
use crate::tui::panels::Overlay;
use crate::tui::state::State;
use crate::tui::update::overlay;

/// Opens the list.
pub(super) fn open(state: &mut State) {
    state.trial = trial::Trial::default();
    state.over(Overlay::Keys);
}

/// Takes a key.
pub(super) fn key(state: &mut State, key: &KeyEvent, action: Option<Action>) {
    if key.code == KeyCode::Esc || action == Some(Action::Interrupt) {
        return overlay::close(state);
    }
    let page = isize::try_from(rows_shown(state)).unwrap_or(1).max(1);
    match key.code {
        KeyCode::Up => return scroll(state, -1),
        KeyCode::Down => return scroll(state, 1),
        KeyCode::PageUp => return scroll(state, -page),
        KeyCode::PageDown => return scroll(state, page),
        _ => state.trial.press(key),
    }
    // The first row that the key is on comes into sight.
    let rows = trial::rows(&state.keymap, state.trial.pressed, &state.theme, window(state).width);
    let wanted = trial_action(state).and_then(|action| rows.iter().position(|(_, of)| *of == Some(action)));
    if let Some(at) = wanted {
        let shown = rows_shown(state);
        if at < state.trial.scroll || at >= state.trial.scroll + shown {
            state.trial.scroll = at.saturating_sub(shown / 2);
        }
        scroll(state, 0);
    }
}

fn trial_action(state: &State) -> Option<Action> {
    let chord = state.trial.pressed?;
    trial::meanings(&state.keymap, chord).first().map(|row| row.action)
}

/// Moves the window.
pub(super) fn scroll(state: &mut State, step: isize) {
    let all = trial::rows(&state.keymap, None, &state.theme, window(state).width).len();
    let last = all.saturating_sub(rows_shown(state));
    state.trial.scroll = state.trial.scroll.saturating_add_signed(step).min(last);
}

/// Rows of the list on the screen.
fn rows_shown(state: &State) -> usize {
    usize::from(window(state).height)
}

/// The list on the screen.
fn window(state: &State) -> ratatui::layout::Rect {
    layout::areas(state).overlay.map(crate::tui::view::keys_window).unwrap_or_default()
}
