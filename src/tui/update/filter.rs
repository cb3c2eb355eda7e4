//! The filter of the events while it is typed: what narrows, what is offered, what is wrong.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::tui::events_pane::filter::Known;
use crate::tui::events_pane::{Filter, FilterInput};
use crate::tui::state::State;

/// What a filter may name now.
pub(super) fn known(state: &State) -> Known {
    let (types, seen) = state.events.names();
    let mut servers: Vec<String> = seen.into_iter().map(str::to_owned).collect();
    let more = state.servers.rows().iter().map(|row| row.name.to_string()).filter(|name| !servers.contains(name));
    let more: Vec<_> = more.collect();
    servers.extend(more);
    let task = |row: &crate::domain::task::TaskRow| (row.spec.task_id.to_string(), row.spec.description.clone());
    let mut sessions = vec![(state.session.id.to_string(), state.session.title.clone())];
    sessions.extend(state.tabs.hidden().map(|tab| (tab.session.id.to_string(), tab.session.title.clone())));
    Known {
        types: types.into_iter().map(str::to_owned).collect(),
        servers,
        tasks: state.tasks.rows().iter().map(task).collect(),
        sessions,
        session: state.session.id.to_string(),
    }
}

/// Begins to type.
pub(super) fn open(state: &mut State) {
    let mut text = state.events.filter().text().to_owned();
    if !text.is_empty() {
        text.push(' ');
    }
    state.events_filter = Some(FilterInput::new(&text, &known(state)));
}

/// Takes a key; whether it was one for the filter.
pub(super) fn key(state: &mut State, key: &KeyEvent) -> bool {
    let known = known(state);
    let Some(input) = &mut state.events_filter else { return false };
    let plain = !key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Enter => {
            let filter = input.filter(&known);
            if input.error.is_none() {
                state.events_filter = None;
                state.events.set_filter(filter);
            }
            return true;
        }
        KeyCode::Esc => {
            state.events_filter = None;
            state.events.set_filter(Filter::default());
            return true;
        }
        KeyCode::Tab => input.complete(&known),
        KeyCode::Up if plain => {
            input.step(-1);
            return true;
        }
        KeyCode::Down if plain => {
            input.step(1);
            return true;
        }
        _ if input.key(key, &known) => {}
        _ => return false,
    }
    narrow(state, &known);
    true
}

/// Takes a paste; whether a filter was being typed.
pub(super) fn paste(state: &mut State, text: &str) -> bool {
    let known = known(state);
    let Some(input) = &mut state.events_filter else { return false };
    input.paste(text, &known);
    narrow(state, &known);
    true
}

/// The events follow what is typed, as far as it makes sense.
fn narrow(state: &mut State, known: &Known) {
    if let Some(filter) = state.events_filter.as_mut().map(|input| input.filter(known)) {
        state.events.set_filter(filter);
    }
}
