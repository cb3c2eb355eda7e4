//! Tabs: opening, going from one to the other, closing; what happens in the hidden ones.

use crate::domain::command::SessionOptions;
use crate::domain::event::{ApprovalStatus, Chat, ChatStatus, Event, EventBody, TurnEvent};
use crate::domain::ids::SessionId;
use crate::domain::message::Role;
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::keymap::Action;
use crate::tui::msg::Effect;
use crate::tui::state::{AGAIN, Focus, Session, State, Tone};
use crate::tui::tabs::{LEFT_MAX, Mark, TABS_MAX, TabWant};
use crate::tui::update::session;

/// Does what is wanted of the tabs.
pub(super) fn run(state: &mut State, want: TabWant) -> Vec<Effect> {
    if state.replay.is_some() {
        let key = state.keymap.hint(Action::Escape);
        state.note(Tone::Plain, format!("a replay runs; {key} ends it"));
        return Vec::new();
    }
    match want {
        TabWant::New => new(state),
        TabWant::Open(id) => return open(state, id),
        TabWant::Close => return close(state),
        TabWant::Next => step(state, 1),
        TabWant::Prev => step(state, -1),
        TabWant::At(position) => nth(state, position),
        TabWant::Asking => asking(state),
    }
    Vec::new()
}

/// Brings the tab at `position`, from 0, to the screen.
pub(super) fn go(state: &mut State, position: usize) {
    state.show_tab(position);
    arrive(state);
}

/// What belongs to no tab and makes no sense in another one is put away.
fn arrive(state: &mut State) {
    state.popup = None;
    state.popup_closed = None;
    state.selection = None;
    state.rewind_until = None;
    state.quit_until = None;
    state.tabs.close_until = None;
    state.history.rest();
    state.overlay = None;
    state.focus = Focus::Composer;
    state.chat.selected = None;
}

fn may_open(state: &mut State) -> bool {
    let may = state.may_open_tab();
    if !may {
        state.note(Tone::Bad, format!("there are {TABS_MAX} tabs, and no more can be opened; close one first"));
    }
    may
}

/// A session that is made with its first prompt, in a tab of its own. Model and mode go along.
fn new(state: &mut State) {
    if !may_open(state) {
        return;
    }
    let options = session::next_options(state);
    let session = Session::fresh(options, &state.default_model);
    state.open_tab(session);
    arrive(state);
    session::greet(state);
    let key = state.keymap.hint(Action::TabPrev);
    state.note(Tone::Good, format!("a new session in a tab of its own; {key} goes back"));
}

/// A stored session in a tab of its own; where it is open already, that tab. An untouched new session makes room.
pub(super) fn open(state: &mut State, id: SessionId) -> Vec<Effect> {
    if let Some(position) = state.tabs.position_of(&id) {
        go(state, position);
        super::jump::arrived(state);
        return Vec::new();
    }
    if state.session.id == id {
        return Vec::new();
    }
    if make_room(state) { session::open(state, id) } else { Vec::new() }
}

/// An empty tab comes to the screen, unless what is there is one; whether there is room.
pub(super) fn make_room(state: &mut State) -> bool {
    if !state.session.made && state.composer.is_empty() {
        return true;
    }
    if !may_open(state) {
        return false;
    }
    state.open_tab(Session::fresh(SessionOptions::default(), ""));
    arrive(state);
    true
}

fn close(state: &mut State) -> Vec<Effect> {
    if state.tabs.count() == 1 {
        let key = state.keymap.hint(Action::QuitEmpty);
        state.note(Tone::Plain, format!("this is the only tab; {key} quits"));
        return Vec::new();
    }
    if !state.approvals.is_empty() {
        state.note(Tone::Bad, "the agent waits for your answer here; answer it, or interrupt, before closing");
        return Vec::new();
    }
    if state.turn.is_some() && state.tabs.close_until.take().is_none_or(|until| until <= state.now) {
        state.tabs.close_until = Some(state.now.plus(AGAIN));
        let key = state.keymap.hint(Action::TabClose);
        state.note(Tone::Plain, format!("the agent works here and goes on; {key} again closes the tab"));
        return Vec::new();
    }
    let draft = state.composer.text();
    let next = if state.tabs.at() == 0 { 1 } else { state.tabs.at() - 1 };
    let Some(tab) = state.close_tab(next) else { return Vec::new() };
    arrive(state);
    if !draft.trim().is_empty() {
        state.history.push(&draft);
    }
    if tab.turn.is_some() {
        if state.tabs.left.len() >= LEFT_MAX {
            state.tabs.left.pop_front();
        }
        state.tabs.left.push_back(tab.session.id.clone());
    }
    if tab.session.made {
        state.note(Tone::Plain, "closed; /resume opens the session again");
    }
    Vec::new()
}

fn step(state: &mut State, step: isize) {
    let count = isize::try_from(state.tabs.count()).unwrap_or(1);
    if count == 1 {
        return only_one(state);
    }
    let at = isize::try_from(state.tabs.at()).unwrap_or(0);
    go(state, usize::try_from((at + step).rem_euclid(count)).unwrap_or(0));
}

fn only_one(state: &mut State) {
    let key = state.keymap.hint(Action::TabNew);
    state.note(Tone::Plain, format!("this is the only tab; {key} opens another"));
}

fn nth(state: &mut State, position: usize) {
    match position.checked_sub(1) {
        Some(at) if at == state.tabs.at() && state.tabs.count() > 1 => {}
        Some(at) if at < state.tabs.count() && state.tabs.count() > 1 => go(state, at),
        _ if state.tabs.count() == 1 => only_one(state),
        _ => state.note(Tone::Plain, format!("there is no tab {position}; there are {}", state.tabs.count())),
    }
}

fn asking(state: &mut State) {
    match state.tabs.find(|tab| tab.mark() == Mark::Asking) {
        Some(position) => go(state, position),
        None => state.note(Tone::Plain, "no other tab waits for an answer"),
    }
}

/// An agent whose tab was closed while it worked asks: nobody else would hear of it.
pub(super) fn asks_unseen(state: &mut State, event: &Event) {
    let Some(id) = event.session.as_ref().filter(|id| state.tabs.left.contains(id)) else { return };
    match &event.body {
        EventBody::Approval(approval) if approval.status == ApprovalStatus::Requested => {
            let id = id.clone();
            state.tabs.left.retain(|left| *left != id);
            state.note(Tone::Bad, format!("a session that you closed asks; /tab {id} opens it"));
        }
        EventBody::TurnEvent(TurnEvent::Finished { parent: None, .. }) => {
            let id = id.clone();
            state.tabs.left.retain(|left| *left != id);
        }
        _ => {}
    }
}

/// The agent of a hidden tab did something: what a person must know of is said.
pub(super) fn happened(state: &mut State, position: usize, event: &Event) {
    let said = match &event.body {
        EventBody::Chat(Chat { role: Role::Assistant, status, parent: None, text, .. }) => {
            matches!(status, ChatStatus::Done | ChatStatus::Failed) && text.as_deref().is_some_and(|text| !text.trim().is_empty())
        }
        EventBody::TurnEvent(TurnEvent::Finished { parent: None, .. }) => true,
        _ => false,
    };
    if said {
        state.behind(position, |state| state.tabs.marks.unread = true);
    }
    if let EventBody::Approval(approval) = &event.body
        && approval.status == ApprovalStatus::Requested
    {
        let key = state.keymap.hint(Action::TabAsking);
        let what = format!("{} {}", approval.service_name, approval.tool_name);
        let what = ellipsis(&clean_line(&what), 40).into_owned();
        state.note(Tone::Plain, format!("tab {} asks: {what}; {key} goes there", position + 1));
    }
}
