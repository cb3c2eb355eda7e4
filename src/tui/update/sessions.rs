//! The list of sessions: what is asked for while somebody looks at it, and its keys.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::domain::ids::SessionId;
use crate::domain::query::SessionSummary;
use crate::tui::msg::{Effect, Query};
use crate::tui::panels::picker::{Pick, PickKind, Picker};
use crate::tui::panels::{Overlay, info};
use crate::tui::state::State;
use crate::tui::update::{session, tabs};

fn list(state: &State) -> Option<&Picker> {
    match &state.overlay {
        Some(Overlay::Pick(picker)) if picker.kind.has_previews() => Some(picker),
        _ => None,
    }
}

fn chosen(state: &State) -> Option<SessionId> {
    match list(state)?.chosen()?.pick.clone() {
        Pick::Session(id) => Some(id),
        _ => None,
    }
}

/// Asks for the preview of the chosen session, and for sessions that hold what is typed.
pub(super) fn ask(state: &mut State) -> Vec<Effect> {
    let Some(picker) = list(state) else { return Vec::new() };
    // Before the rows are there, what is found has no place.
    let typed = picker.notice.is_none().then(|| picker.input.text.clone());
    let chosen = chosen(state);
    let preview = state.previews.ask(chosen.as_ref()).map(|id| Effect::Ask(Query::Preview(id)));
    let search = typed.and_then(|typed| state.previews.search(&typed)).map(|text| Effect::Ask(Query::Find(text)));
    preview.into_iter().chain(search).collect()
}

/// Sessions that hold what was typed.
pub(super) fn found(state: &mut State, search: &str, result: Result<Vec<SessionSummary>, String>) {
    state.previews.found(search);
    let (now, zone, current) = (state.now, state.surroundings.timezone.clone(), state.session.id.clone());
    // That the texts cannot be searched is told where the list itself cannot be had.
    let Ok(sessions) = result else { return };
    if let Some(Overlay::Pick(picker)) = &mut state.overlay
        && picker.kind.has_previews()
    {
        picker.hold(search, info::sessions(&sessions, &current, now, &zone));
    }
}

/// Whether a key is one of the list's own.
pub(super) fn is_mine(key: &KeyEvent) -> bool {
    key.modifiers.contains(KeyModifiers::ALT) && matches!(key.code, KeyCode::Enter | KeyCode::Char('f'))
}

/// Alt+Enter opens the chosen session in a tab, Alt+F a copy of it.
pub(super) fn key(state: &mut State, key: &KeyEvent) -> Vec<Effect> {
    let Some(id) = chosen(state) else { return Vec::new() };
    debug_assert!(matches!(&state.overlay, Some(Overlay::Pick(picker)) if picker.kind == PickKind::Sessions));
    state.overlay = None;
    if key.code == KeyCode::Enter { tabs::open(state, id) } else { session::fork_of(state, id) }
}
