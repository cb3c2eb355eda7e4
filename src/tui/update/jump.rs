//! From an event to its place in the chat, and back.

use std::sync::Arc;

use crate::domain::event::Event;
use crate::domain::ids::Seq;
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::events_pane::Filter;
use crate::tui::keymap::Action;
use crate::tui::msg::Effect;
use crate::tui::panels::Overlay;
use crate::tui::panels::picker::{Pick, PickKind, PickRow, Picker};
use crate::tui::state::{Column, Focus, State, Tone};
use crate::tui::update::{keys, session, tabs};

/// Characters of an event's line in the offer.
const LINE_CHARS_MAX: usize = 60;

/// Shows the selected event in the chat; of another session, offers to open that.
pub(super) fn to_chat(state: &mut State) {
    let Some(entry) = state.events.current() else { return state.note(Tone::Plain, "there is no event") };
    let (event, line) = (Arc::clone(&entry.event), ellipsis(&entry.line().text, LINE_CHARS_MAX).into_owned());
    let replayed = state.replay.is_some();
    match &event.session {
        None => state.note(Tone::Plain, "this event belongs to no chat"),
        Some(id) if *id == state.session.id || replayed => seek(state, event),
        Some(id) => {
            if let Some(position) = state.tabs.position_of(id) {
                tabs::go(state, position);
                return seek(state, event);
            }
            let rows = vec![
                PickRow::new(Pick::Jump { event: Arc::clone(&event), tab: true }, "open it in a new tab", &line),
                PickRow::new(Pick::Jump { event: Arc::clone(&event), tab: false }, "open it here", &line),
            ];
            let mut picker = Picker::new(PickKind::Jump, rows);
            picker.about = Some(clean_line(id.as_str()));
            state.overlay = Some(Overlay::Pick(picker));
        }
    }
}

/// Opens the session of `event` and goes to its place once it is there.
pub(super) fn open(state: &mut State, event: Arc<Event>, tab: bool) -> Vec<Effect> {
    let Some(id) = event.session.clone() else { return Vec::new() };
    state.tabs.jump = Some((id.clone(), event));
    if tab { tabs::open(state, id) } else { session::open(state, id) }
}

/// A session was read: if it is the one to go to, its place is shown.
pub(super) fn arrived(state: &mut State) {
    let id = state.session.id.clone();
    // What comes before is on its way.
    if state.session.earlier.is_some_and(|earlier| seeks(state, earlier.before)) {
        return;
    }
    if let Some((_, event)) = state.tabs.jump.take_if(|(wanted, _)| *wanted == id) {
        show(state, &event);
    }
}

/// Whether the place to go to comes before `before`, which is the first that was read.
pub(super) fn seeks(state: &State, before: Seq) -> bool {
    state.tabs.jump.as_ref().is_some_and(|(id, event)| *id == state.session.id && event.seq < Some(before))
}

/// Shows an event in the chat, once the part of the session that it is in was read.
fn seek(state: &mut State, event: Arc<Event>) {
    if state.replay.is_none() && state.session.earlier.is_some_and(|earlier| event.seq < Some(earlier.before)) {
        state.note(Tone::Plain, "reading earlier messages");
        state.tabs.jump = Some((state.session.id.clone(), event));
    } else {
        show(state, &event);
    }
}

fn show(state: &mut State, event: &Event) {
    let Some(item) = state.transcript.item_of(event) else {
        return state.note(Tone::Plain, "it has no place in the chat (it was taken back, or said nothing)");
    };
    if state.column == Column::Full {
        state.column = Column::Side;
    }
    state.focus = Focus::Chat;
    state.chat.selected = Some(item);
    let (width, height) = keys::chat_size(state);
    state.transcript.scroll_to_item(&mut state.chat, item, width, height, &state.theme);
}

/// Shows the event of the selected item in the events pane.
pub(super) fn to_event(state: &mut State) {
    let Some(item) = state.chat.selected else { return state.note(Tone::Plain, "select an item first") };
    let Some(seq) = state.transcript.seq_of(item) else {
        return state.note(Tone::Plain, "it is not in the log yet");
    };
    let Some(index) = state.events.find(seq) else {
        let replay = state.keymap.hint(Action::Palette);
        return state.note(Tone::Plain, format!("event {seq} is no longer in the pane; /replay ({replay}) shows the session again"));
    };
    if !state.events.show(index) {
        state.events.set_filter(Filter::default());
        state.events.show(index);
        state.note(Tone::Plain, "the filter hid it and is gone");
    }
    if !state.is_wide() {
        state.column = Column::Full;
    } else if state.column == Column::Hidden {
        state.column = Column::Side;
    }
    state.focus = Focus::Events;
    state.chat.selected = None;
}
