//! How tasks and servers were at an event: asked for by a key, shown until Esc.

use crate::domain::ids::Seq;
use crate::tui::moment::Moment;
use crate::tui::msg::{Effect, Query};
use crate::tui::state::{Column, State, Tone};
use crate::tui::update::commands;

/// Asks how things were at the selected event.
pub(super) fn ask(state: &mut State) -> Vec<Effect> {
    let Some((seq, at)) = state.events.current().map(|entry| (entry.event.seq, entry.event.at)) else {
        state.note(Tone::Plain, "there is no event");
        return Vec::new();
    };
    let Some(seq) = seq else {
        state.note(Tone::Plain, "this event is in no log; choose one beside it");
        return Vec::new();
    };
    if !commands::is_ready(state) {
        return Vec::new();
    }
    state.moments.asked = Some(seq);
    vec![Effect::Ask(Query::Moment(seq, at))]
}

/// It came, or did not; one that nobody waits for any more is dropped.
pub(super) fn came(state: &mut State, seq: Seq, result: Result<Box<Moment>, String>) {
    if state.moments.asked.take_if(|asked| *asked == seq).is_none() {
        return;
    }
    match result {
        Ok(moment) => {
            state.moments.shown = Some(moment);
            // Where there is no room for two columns tasks and servers stand below the events.
            if !state.is_wide() && state.column != Column::Full {
                state.column = Column::Full;
            }
        }
        Err(reason) => state.note(Tone::Bad, format!("could not read how it was: {reason}")),
    }
}

/// Back to how things are; whether a moment was shown or on its way.
pub(super) fn leave(state: &mut State) -> bool {
    let asked = state.moments.asked.take().is_some();
    state.moments.shown.take().is_some() || asked
}
