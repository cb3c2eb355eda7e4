//! Keys of the events pane.

use crate::domain::event::{Event, EventBody, McpEventType};
use crate::tui::events_pane::whole_message;
use crate::tui::keymap::Action;
use crate::tui::layout;
use crate::tui::msg::Effect;
use crate::tui::panels::{Overlay, TextPanel};
use crate::tui::state::{State, Tone};
use crate::tui::update::{commands, filter, jump, moment};

use super::to_end;

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::EventsUp => state.events.move_selection(-1, page_rows(state)),
        Action::EventsDown => state.events.move_selection(1, page_rows(state)),
        Action::EventsOpen => open(state),
        Action::EventsCopy => {
            let json = state.events.current().map(|entry| event_json(&entry.event));
            return commands::copy(state, json, "there is no event");
        }
        Action::EventsFilter => filter::open(state),
        Action::EventsPause => state.events.toggle_pause(),
        Action::EventsTop => to_end(state, true),
        Action::EventsBottom => to_end(state, false),
        Action::EventsMoment => return moment::ask(state),
        Action::EventsChat => jump::to_chat(state),
        Action::EventsLatestError => {
            let found = state.events.select_error();
            if !found {
                state.note(Tone::Plain, "no errors");
            }
        }
        _ => {}
    }
    Vec::new()
}

/// The event as it stands on the wire, pretty.
fn event_json(event: &Event) -> String {
    serde_json::to_string_pretty(event).unwrap_or_default()
}

/// Opens the selected event.
pub(in crate::tui::update) fn open(state: &mut State) {
    if let Some(entry) = state.events.current() {
        if let EventBody::McpEvent(data) = &entry.event.body
            && data.event_type == McpEventType::Trace
        {
            let (title, message) = whole_message(data);
            state.overlay = Some(Overlay::Text(TextPanel::json(title, message)));
            return;
        }
        let title = format!("{} · {}", entry.event.body.type_name(), entry.event.at);
        state.overlay = Some(Overlay::Text(TextPanel::json(title, event_json(&entry.event))));
    }
}

/// About how many events fit on the screen.
pub(super) fn page_rows(state: &State) -> usize {
    layout::areas(state).events.map_or(1, |area| state.events.window(area.height).len().max(1))
}
