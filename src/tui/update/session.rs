//! Sessions: the program stands, another session comes to the screen, its events are folded.

use std::collections::HashSet;

use crate::domain::command::{Command, SessionOptions};
use crate::domain::event::{ErrorEvent, Event, EventBody};
use crate::domain::ids::{EventId, SessionId};
use crate::tui::msg::{Effect, Link, Query, Stored};
use crate::tui::panels::welcome;
use crate::tui::state::{Earlier, Focus, LinkState, Session, State, Tone};
use crate::tui::update::{feed, jump, keys, tabs};
use crate::tui::{Start, transcript};

/// The program stands.
pub(super) fn linked(state: &mut State, link: Link) -> Vec<Effect> {
    state.link = LinkState::Ready;
    state.surroundings.timezone = link.timezone;
    state.default_model = link.default_model;
    state.providers = link.providers;
    state.context_window_tokens = link.context_window_tokens;
    state.feed = link.feed;
    state.servers.stale = true;
    state.tasks.stale = true;
    state.inbox.stale = true;
    state.catalog.prompts.stale = true;
    state.catalog.resources.stale = true;
    // What was asked before the screen was there.
    let mut effects = vec![Effect::Ask(Query::Questions)];
    let (start, reason) = match link.start {
        Start::Instead(options, reason) => (Start::New(options), Some(reason)),
        start => (start, None),
    };
    effects.extend(match start {
        Start::Resume(id) => open(state, id),
        Start::New(options) | Start::Instead(options, _) => {
            if state.session.made {
                // A prompt was sent before the program stood: its session is the one.
                if state.session.model.is_empty() {
                    state.session.model.clone_from(&state.default_model);
                }
            } else {
                state.session = Session { id: state.session.id.clone(), ..Session::fresh(options, &state.default_model) };
            }
            greet(state);
            if state.surroundings.touring { super::commands::demo(state) } else { Vec::new() }
        }
    });
    // In the chat: that something else was wanted is worth more than a passing note.
    if let Some(reason) = reason {
        let message = format!("{reason}: this is a new one; `/sessions` lists those there are");
        let body = EventBody::Error(ErrorEvent { message, source: "resume".to_owned(), details: serde_json::Value::Null });
        state.transcript.apply(&Event { seq: None, id: EventId::generate(), at: state.now, session: None, body });
    }
    effects
}

/// The greeting of a new session.
pub(super) fn greet(state: &mut State) {
    let welcome = welcome::welcome(&state.surroundings, &state.session.model);
    state.transcript.set_welcome(Some(welcome));
}

/// Empties what belongs to the session on the screen.
fn leave(state: &mut State) {
    let pictures = state.transcript.pictures().clone();
    state.transcript = transcript::Transcript::new(state.highlighter.clone());
    state.transcript.set_pictures(pictures);
    state.chat = transcript::ViewState { tick: state.chat.tick, ..transcript::ViewState::default() };
    state.search = None;
    state.turn = None;
    state.queued.clear();
    state.approvals.clear();
    state.refusing = None;
    state.fetching = None;
    clear_transients(state);
}

/// Puts away what makes no sense in another session.
pub(super) fn clear_transients(state: &mut State) {
    state.popup = None;
    state.selection = None;
    state.rewind_until = None;
    state.focus = Focus::Composer;
}

/// How the next new session starts: with the model and the mode of this one.
pub(super) fn next_options(state: &State) -> SessionOptions {
    // Before a session is made its mode is only known where it was chosen; else the configured one is meant.
    let mode = if state.session.made { Some(state.session.mode) } else { state.session.options.mode };
    let model = Some(state.session.model.clone()).filter(|model| !model.is_empty());
    SessionOptions { model, mode, ..SessionOptions::default() }
}

/// Starts a session that is made with its first prompt.
pub(super) fn fresh(state: &mut State) {
    let options = next_options(state);
    leave(state);
    state.session = Session::fresh(options, &state.default_model);
    greet(state);
}

/// Brings a stored session to the screen; one that has a tab already, by going there.
pub(super) fn open(state: &mut State, id: SessionId) -> Vec<Effect> {
    if let Some(position) = state.tabs.position_of(&id) {
        tabs::go(state, position);
        jump::arrived(state);
        return Vec::new();
    }
    leave(state);
    state.session = Session { id: id.clone(), made: true, ..Session::fresh(SessionOptions::default(), "") };
    let mut effects = vec![Effect::Send(Command::OpenSession { session: id.clone() })];
    effects.extend(feed::read(state, Query::Session(id)));
    effects
}

/// Goes on in a copy of the session.
pub(super) fn fork(state: &mut State) -> Vec<Effect> {
    if !state.session.made {
        state.note(Tone::Plain, "there is nothing to fork yet");
        return Vec::new();
    }
    let from = state.session.id.clone();
    let id = SessionId::generate();
    leave(state);
    state.session = Session { id: id.clone(), made: true, ..Session::fresh(SessionOptions::default(), "") };
    state.note(Tone::Good, "this is a copy; the session before it stays as it was");
    vec![Effect::Send(Command::ForkSession { session: id.clone(), from, upto: None })]
}

/// Goes on in a copy of another session, in a tab of its own.
pub(super) fn fork_of(state: &mut State, from: SessionId) -> Vec<Effect> {
    if from == state.session.id {
        return fork(state);
    }
    let id = SessionId::generate();
    if !tabs::make_room(state) {
        return Vec::new();
    }
    state.session = Session { id: id.clone(), made: true, ..Session::fresh(SessionOptions::default(), "") };
    state.transcript.set_welcome(None);
    state.note(Tone::Good, "this is a copy; the session that it was made from stays as it was");
    vec![Effect::Send(Command::ForkSession { session: id, from, upto: None })]
}

/// The events of a session came, or did not: they go to the tab that it has.
pub(super) fn loaded(state: &mut State, id: &SessionId, result: Result<Stored, String>) -> Vec<Effect> {
    if state.session.id == *id {
        fill(state, result);
        jump::arrived(state);
    } else if let Some(position) = state.tabs.position_of(id) {
        state.behind(position, |state| fill(state, result));
    }
    feed::release(state)
}

fn fill(state: &mut State, result: Result<Stored, String>) {
    let Stored { facts, events, more } = match result {
        Ok(stored) => stored,
        Err(reason) => return state.note(Tone::Bad, format!("could not read the session: {reason}")),
    };
    // Of a copy the pane has seen everything before; so it has of a session that was open or at work elsewhere.
    let new_to_pane = state.session.last_seq.is_none();
    let seen = if new_to_pane { state.live_events().seqs() } else { HashSet::new() };
    state.transcript.load(&events);
    let first = events.first().and_then(|event| event.seq).filter(|_| more);
    state.session.earlier = first.map(|before| Earlier { before, asking: false });
    state.transcript.tell_of_earlier(first.is_some());
    for event in &facts {
        feed::fold_session(state, event);
    }
    for event in &events {
        feed::fold_session(state, event);
        if new_to_pane && event.seq.is_none_or(|seq| !seen.contains(&seq)) {
            state.live_events().push(event);
        }
    }
    state.session.last_seq = events.last().and_then(|event| event.seq).max(state.session.last_seq);
    if state.session.model.is_empty() {
        state.session.model.clone_from(&state.default_model);
    }
    if events.is_empty() {
        greet(state);
    }
}

/// Asks for what comes before, where somebody looks for it.
pub(super) fn ask_for_earlier(state: &mut State) -> Option<Effect> {
    let Earlier { before, asking } = state.session.earlier?;
    let (_, rows) = keys::chat_size(state);
    let is_sought = state.transcript.is_near_top(&state.chat, rows) || jump::seeks(state, before);
    if asking || !is_sought || !state.is_reachable() || state.replay.is_some() {
        return None;
    }
    state.session.earlier = Some(Earlier { before, asking: true });
    Some(Effect::Ask(Query::Earlier(state.session.id.clone(), before)))
}

/// What comes before is there.
pub(super) fn earlier(state: &mut State, id: &SessionId, result: Result<Stored, String>) {
    if state.session.id == *id {
        put_in_front(state, result);
        jump::arrived(state);
    } else if let Some(position) = state.tabs.position_of(id) {
        state.behind(position, |state| put_in_front(state, result));
    }
}

fn put_in_front(state: &mut State, result: Result<Stored, String>) {
    let Some(Earlier { before, .. }) = state.session.earlier.filter(|earlier| earlier.asking) else { return };
    match result {
        Ok(Stored { events, more, .. }) => {
            state.transcript.hold(&mut state.chat);
            state.transcript.prepend(&events);
            let first = events.first().and_then(|event| event.seq).filter(|_| more);
            state.session.earlier = first.map(|before| Earlier { before, asking: false });
            state.transcript.tell_of_earlier(first.is_some());
        }
        Err(reason) => {
            // Asked for again once somebody scrolls up anew.
            state.chat.top = None;
            state.session.earlier = Some(Earlier { before, asking: false });
            state.note(Tone::Bad, format!("could not read earlier messages: {reason}"));
        }
    }
}
