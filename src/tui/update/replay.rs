//! A session shown again from the log: it has a tab and an events pane of its own while it runs, and takes the keys.

use std::sync::Arc;

use crossterm::event::KeyEvent;

use crate::domain::command::SessionOptions;
use crate::domain::event::{Event, EventBody, TurnEvent};
use crate::domain::ids::SessionId;
use crate::tui::events_pane::EventsPane;
use crate::tui::keymap::{Action, Context};
use crate::tui::msg::{Effect, Query};
use crate::tui::replay::{Pace, Replay};
use crate::tui::state::{Focus, Session, State, Tone};
use crate::tui::transcript::{Transcript, ViewState};
use crate::tui::update::{commands, feed, keys, moment, overlay, session};

/// The id of what is on the screen meanwhile: no session has it, so that nothing that happens is taken for its own.
const REPLAYED: &str = "replay";

/// Asks for the events of a session.
pub(super) fn ask(state: &mut State, id: SessionId, pace: Pace) -> Vec<Effect> {
    if !commands::is_ready(state) {
        return Vec::new();
    }
    if state.replay.is_some() {
        end(state);
    }
    if !state.may_open_tab() {
        state.note(Tone::Bad, "there are too many tabs for a replay; close one first");
        return Vec::new();
    }
    state.replay_asked = Some((id.clone(), pace));
    vec![Effect::Ask(Query::Replay(id))]
}

/// They came, or did not.
pub(super) fn came(state: &mut State, id: &SessionId, result: Result<Vec<Arc<Event>>, String>) {
    let Some((_, pace)) = state.replay_asked.take_if(|(asked, _)| asked == id) else { return };
    let events = match result {
        Ok(events) if events.is_empty() => return state.note(Tone::Bad, "there is nothing of this session in the log"),
        Ok(events) => events,
        Err(reason) => return state.note(Tone::Bad, format!("could not read the session: {reason}")),
    };
    let origin = state.tabs.at();
    let mut session = Session::fresh(SessionOptions::default(), "");
    session.id = SessionId::new(REPLAYED);
    state.open_tab(session);
    session::clear_transients(state);
    state.overlay = None;
    state.moments.shown = None;
    let filter = state.events.filter().clone();
    let mut pane = EventsPane::new(state.options.events_max);
    pane.set_filter(filter);
    let live = std::mem::replace(&mut state.events, pane);
    let mut replay = Replay::new(id.clone(), events, pace, live, origin);
    replay.arm(state.now);
    state.replay = Some(Box::new(replay));
    // Something is to be seen at once.
    advance(state);
    if let Some(replay) = &mut state.replay {
        replay.set_pace(pace, state.now);
    }
}

/// Shows what is due.
pub(super) fn tick(state: &mut State) {
    let now = state.now;
    let due = state.replay.as_mut().map(|replay| replay.take_due(now)).unwrap_or_default();
    for event in &due {
        show(state, event);
    }
}

fn advance(state: &mut State) {
    if let Some(event) = state.replay.as_mut().and_then(|replay| replay.step()) {
        show(state, &event);
    }
}

/// Shows the events up to `position` anew.
fn seek(state: &mut State, position: usize) {
    let Some(events) = state.replay.as_mut().map(|replay| replay.rewind(position)) else { return };
    state.transcript = Transcript::new(state.highlighter.clone());
    state.chat = ViewState { tick: state.chat.tick, ..ViewState::default() };
    state.events.clear_all();
    state.turn = None;
    state.queued.clear();
    let mut session = Session::fresh(SessionOptions::default(), "");
    session.id = SessionId::new(REPLAYED);
    state.session = session;
    for event in &events {
        show(state, event);
    }
}

/// Folds an event as if it happened now; what it asks was answered long ago.
fn show(state: &mut State, event: &Arc<Event>) {
    state.events.push(event);
    state.transcript.apply(event);
    feed::fold_session(state, event);
    state.session.made = false;
    state.approvals.clear();
    state.refusing = None;
    if let (EventBody::TurnEvent(TurnEvent::Started { parent: None, .. }), Some(turn)) = (&event.body, &mut state.turn) {
        turn.started = state.now;
    }
}

/// Takes a key while a replay runs and nothing lies over it.
pub(super) fn key(state: &mut State, key: &KeyEvent) -> Vec<Effect> {
    // What is typed into a filter or a search is text.
    if let Some(effects) = keys::input(state, key) {
        return effects;
    }
    match state.keymap.action(Context::Replay, key) {
        Some(
            action @ (Action::ReplayPause
            | Action::ReplayStep
            | Action::ReplayBack
            | Action::ReplayPace
            | Action::ReplayStart
            | Action::ReplayFinish),
        ) => act(state, action),
        Some(Action::ReplayEnd | Action::Interrupt) => end(state),
        Some(Action::Escape) if moment::leave(state) => {}
        Some(Action::Escape) if state.focus == Focus::Composer || state.search.is_none() => end(state),
        Some(action) if is_looking(action) => return keys::act(state, action, key),
        _ => return looking(state, key),
    }
    Vec::new()
}

fn act(state: &mut State, action: Action) {
    let now = state.now;
    let Some(replay) = &mut state.replay else { return };
    let (at, all) = replay.position();
    match action {
        // From the end it begins anew.
        Action::ReplayPause if replay.is_over() => {
            let pace = if replay.pace() == Pace::Step { Pace::Recorded } else { replay.pace() };
            seek(state, 1);
            if let Some(replay) = &mut state.replay {
                replay.set_pace(pace, now);
            }
        }
        Action::ReplayPause => replay.toggle_pause(now),
        Action::ReplayPace => {
            let pace = replay.pace().next();
            replay.set_pace(pace, now);
        }
        Action::ReplayStep => advance(state),
        Action::ReplayBack => seek(state, at.saturating_sub(1).max(1)),
        Action::ReplayStart => seek(state, 1),
        Action::ReplayFinish => {
            // Only what is not shown yet is folded.
            for _ in at..all {
                advance(state);
            }
        }
        _ => {}
    }
}

/// Keys of the whole screen that only look.
fn is_looking(action: Action) -> bool {
    matches!(
        action,
        Action::PageUp
            | Action::PageDown
            | Action::Top
            | Action::Bottom
            | Action::FocusNext
            | Action::CycleEvents
            | Action::OpenTool
            | Action::Help
            | Action::Mouse
            | Action::Redraw
            | Action::Suspend
            | Action::Escape
    )
}

/// Keys of the chat and of the events; nothing is written meanwhile.
fn looking(state: &mut State, key: &KeyEvent) -> Vec<Effect> {
    let context = match state.focus {
        Focus::Chat => Context::Chat,
        Focus::Events => Context::Events,
        Focus::Composer => {
            let key = state.keymap.hint(Action::Escape);
            state.note(Tone::Plain, format!("a replay runs and nothing is sent; {key} ends it"));
            return Vec::new();
        }
    };
    match state.keymap.action(context, key) {
        Some(action) if action.row().is_some_and(|row| row.context == context) => keys::act(state, action, key),
        _ => Vec::new(),
    }
}

/// Back to how things are.
pub(super) fn end(state: &mut State) {
    let Some(replay) = state.replay.take() else { return };
    state.close_tab(replay.origin);
    state.events = replay.live;
    session::clear_transients(state);
    overlay::close(state);
    state.events_filter = None;
    state.note(Tone::Plain, "the replay is over; this is how it is now");
}
