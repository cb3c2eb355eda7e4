//! Keys of a text to read: moving, copying, finding words.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::tui::layout;
use crate::tui::panels::find::Find;
use crate::tui::panels::{Overlay, TextPanel};
use crate::tui::state::State;
use crate::tui::view;

/// Takes a key of the search in a text; whether it was one.
pub(super) fn find_key(state: &mut State, key: &KeyEvent) -> bool {
    let Some(Overlay::Text(panel)) = &mut state.overlay else { return false };
    let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    let from = panel.scroll;
    match (&mut panel.find, key.code) {
        (None, KeyCode::Char('/')) if plain => panel.find = Some(Find::begin()),
        (Some(_), KeyCode::Esc) => panel.find = None,
        (Some(find), KeyCode::Enter) if find.typing => {
            find.typing = false;
            // What was not found is not looked for any longer.
            if find.row().is_none() {
                panel.find = None;
            }
        }
        (Some(find), _) if find.typing => {
            if !find.input.key(key) {
                return false;
            }
            look(state, from);
        }
        (Some(find), KeyCode::Char('/')) if plain => *find = Find::begin(),
        (Some(find), KeyCode::Char('n' | 'N')) if plain => {
            find.step(key.code == KeyCode::Char('N'));
            show(state);
        }
        _ => return false,
    }
    true
}

/// Takes a paste, where a search is typed; whether one is.
pub(super) fn paste(state: &mut State, text: &str) -> bool {
    let Some(Overlay::Text(TextPanel { find: Some(find), scroll, .. })) = &mut state.overlay else { return false };
    if !find.typing {
        return false;
    }
    find.input.paste(text);
    let from = *scroll;
    look(state, from);
    true
}

/// Finds what is typed in the rows as they stand there now, from row `from` on.
fn look(state: &mut State, from: usize) {
    let lines = layout::areas(state).overlay.map(|area| view::text_lines(state, area)).unwrap_or_default();
    if let Some(Overlay::Text(TextPanel { find: Some(find), .. })) = &mut state.overlay {
        find.look(&lines, from);
    }
    show(state);
}

/// Moves the window where the place that was found is not in it.
fn show(state: &mut State) {
    let Some(area) = layout::areas(state).overlay else { return };
    let height = usize::from(layout::text_area(area).height);
    let last = view::text_rows(state, area).unwrap_or_default();
    let Some(Overlay::Text(panel)) = &mut state.overlay else { return };
    let Some(row) = panel.find.as_ref().and_then(Find::row) else { return };
    if !(panel.scroll..panel.scroll + height).contains(&row) {
        // A third of the window stands above it.
        panel.scroll = row.saturating_sub(height / 3).min(last);
    }
}

/// Moves in a text; gives back what is to be copied.
pub(super) fn key(panel: &mut TextPanel, key: &KeyEvent) -> Option<String> {
    const PAGE: isize = 15;
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Up | KeyCode::Char('k') => panel.scroll_by(-1),
        KeyCode::Down | KeyCode::Char('j') => panel.scroll_by(1),
        KeyCode::PageUp | KeyCode::Char('b') => panel.scroll_by(-PAGE),
        KeyCode::PageDown | KeyCode::Char(' ' | 'f') => panel.scroll_by(PAGE),
        KeyCode::Home | KeyCode::Char('g') => panel.scroll = 0,
        KeyCode::End | KeyCode::Char('G') => panel.scroll_by(isize::MAX),
        KeyCode::Char('y') if !control => return panel.copy.clone(),
        _ => {}
    }
    None
}

/// The window of a text that is broken at the width ends with the text.
pub(super) fn end(state: &mut State) {
    let last = layout::areas(state).overlay.and_then(|area| view::text_rows(state, area));
    if let (Some(last), Some(Overlay::Text(panel))) = (last, &mut state.overlay) {
        panel.scroll = panel.scroll.min(last);
    }
}
