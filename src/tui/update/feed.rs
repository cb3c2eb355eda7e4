//! What happens, folded into what is shown: the chat, the events pane, the servers, the running turn, the questions.
//!
//! While stored events are being read new ones wait, so that the order of the log is the order of the folds. An event
//! that was folded already is known by its position and passed over.

use std::sync::Arc;
use std::time::Duration;

use crate::bus::Delivery;
use crate::domain::event::{
    Approval, ApprovalStatus, Chat, ChatStatus, Custom, ErrorEvent, Event, EventBody, SessionEvent, TurnEvent, words,
};
use crate::domain::ids::Seq;
use crate::domain::message::Role;
use crate::domain::notice::{DeliveryStatus, Notification};
use crate::domain::report::REPORT_EVENT;
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::approval::Dialog;
use crate::tui::msg::{Effect, Query};
use crate::tui::panels::welcome;
use crate::tui::state::{HELD_MAX, Queued, State, Sync, Tone, Turn};
use crate::tui::update::{asking, line, memories, resources, tabs};

/// Questions that wait at most; the program asks anew for what is beyond.
const APPROVALS_MAX: usize = 256;

/// Characters of a title that is made from the first message.
const TITLE_CHARS_MAX: usize = 60;

/// Characters of a note about a notice.
const NOTE_CHARS_MAX: usize = 200;

/// Waiting messages that are shown at most.
const QUEUED_MAX: usize = 256;

/// Folds what came from the bus.
pub(super) fn deliveries(state: &mut State, deliveries: Vec<Delivery>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for delivery in deliveries {
        match delivery {
            Delivery::Event(event) => effects.extend(take(state, event)),
            Delivery::Lost(count) => effects.extend(lost(state, count)),
        }
    }
    effects
}

fn take(state: &mut State, event: Arc<Event>) -> Vec<Effect> {
    let Sync::Reading(held) = &mut state.sync else {
        fold(state, &event);
        return forked(state, &event);
    };
    // What comes after a gap is read from the log together with it.
    if state.gap.is_some() {
        return Vec::new();
    }
    if held.len() < HELD_MAX {
        held.push(event);
    } else {
        state.live_events().lost += 1;
        mark_gap(state);
    }
    Vec::new()
}

/// Keeps the position before a gap: what is being read may reach beyond it.
fn mark_gap(state: &mut State) {
    let Sync::Reading(held) = &state.sync else { return };
    let held = held.iter().filter_map(|event| event.seq).max().unwrap_or_default();
    let before = position(state).max(held);
    state.gap.get_or_insert(before);
}

/// A copy begins with the events of the session that it was made from.
fn forked(state: &mut State, event: &Event) -> Vec<Effect> {
    let created = matches!(&event.body, EventBody::SessionEvent(SessionEvent::Created { fork: Some(_), .. }));
    let Some(id) = event.session.as_ref().filter(|id| created && (**id == state.session.id || state.tabs.position_of(id).is_some())) else {
        return Vec::new();
    };
    read(state, Query::Session(id.clone()))
}

/// Asks for stored events; new ones wait until all that were asked for are folded.
pub(super) fn read(state: &mut State, query: Query) -> Vec<Effect> {
    if matches!(state.sync, Sync::Live) {
        state.sync = Sync::Reading(Vec::new());
    }
    state.reads += 1;
    vec![Effect::Ask(query)]
}

/// The last event that was folded, of whatever stream.
fn position(state: &State) -> Seq {
    let hidden = state.tabs.hidden().filter_map(|tab| tab.session.last_seq).max();
    state.session.last_seq.max(state.last_other_seq).max(hidden).unwrap_or_default()
}

/// Events are gone from the bus: the stored ones are read from the log.
fn lost(state: &mut State, count: u64) -> Vec<Effect> {
    state.live_events().lost += count;
    state.servers.stale = true;
    state.tasks.stale = true;
    state.inbox.stale = true;
    if matches!(state.sync, Sync::Reading(_)) {
        mark_gap(state);
        return Vec::new();
    }
    let position = position(state);
    read(state, Query::After(position))
}

/// What was missed is there.
pub(super) fn caught_up(state: &mut State, result: Result<Vec<Arc<Event>>, String>) -> Vec<Effect> {
    match result {
        Ok(events) => events.iter().for_each(|event| fold(state, event)),
        Err(reason) => state.note(Tone::Bad, format!("some events could not be read again: {reason}")),
    }
    release(state)
}

/// An answer with stored events was folded. After the last one what waited is folded, and all goes on as it comes; where
/// there was a gap, the log is read from there.
pub(super) fn release(state: &mut State) -> Vec<Effect> {
    state.reads = state.reads.saturating_sub(1);
    if state.reads > 0 {
        return Vec::new();
    }
    if let Sync::Reading(held) = std::mem::replace(&mut state.sync, Sync::Live) {
        for event in &held {
            fold(state, event);
        }
    }
    let Some(before) = state.gap.take() else { return Vec::new() };
    state.servers.stale = true;
    state.tasks.stale = true;
    state.inbox.stale = true;
    read(state, Query::After(before))
}

/// Folds one event; one of a hidden session as if that were on the screen.
fn fold(state: &mut State, event: &Arc<Event>) {
    let hidden = event.session.as_ref().filter(|id| **id != state.session.id).and_then(|id| state.tabs.position_of(id));
    if let Some(position) = hidden {
        state.behind(position, |state| fold_here(state, event));
        tabs::happened(state, position, event);
    } else {
        fold_here(state, event);
        tabs::asks_unseen(state, event);
    }
}

/// Folds one event; one that was folded before is passed over.
fn fold_here(state: &mut State, event: &Arc<Event>) {
    let mine = event.session.as_ref() == Some(&state.session.id);
    let last = if mine { &mut state.session.last_seq } else { &mut state.last_other_seq };
    if event.seq.is_some() && event.seq <= *last {
        return;
    }
    *last = event.seq.or(*last);
    state.live_events().push(event);
    if let (None, EventBody::Error(error)) = (event.seq, &event.body) {
        line::undelivered(state, error);
    }
    match &event.body {
        EventBody::McpEvent(data) => {
            state.servers.apply(data, event.at);
            state.catalog.apply(data);
            resources::apply(state, data);
        }
        EventBody::TaskEvent(data) => state.tasks.apply(data, event.at),
        EventBody::InboxEvent(data) => {
            state.inbox.apply(data);
            // The count of what is unread comes with the tasks.
            state.tasks.stale = true;
        }
        EventBody::Notification(data) => fold_notice(state, data),
        EventBody::Memory(data) => memories::fold(state, data),
        EventBody::Question(data) => asking::fold(state, data),
        EventBody::Custom(custom) if custom.type_name == REPORT_EVENT => fold_reports(state, custom),
        // Money goes by while nobody reads the chat.
        EventBody::Error(error) if error.source == ErrorEvent::BUDGET => state.note(Tone::Bad, clean_line(&error.message)),
        _ => {}
    }
    // An error without a session (a broken config, a full disk) must be seen where the user looks; so must what the tasks
    // have to say.
    let told = matches!(event.body, EventBody::Error(_) | EventBody::InboxEvent(_) | EventBody::Custom(_) | EventBody::Question(_));
    if mine {
        state.transcript.apply(event);
    } else if event.session.is_none() && told {
        tell(state, event);
    }
    if mine {
        fold_session(state, event);
    }
}

/// Something that belongs to no session stands in the chat; while another one is replayed, in the chat that it hides.
fn tell(state: &mut State, event: &Event) {
    match state.replay.as_ref().map(|replay| replay.origin) {
        Some(origin) => drop(state.behind(origin, |state| state.transcript.apply(event))),
        None => drop(state.transcript.apply(event)),
    }
}

/// The status line tells of reports only while they are behind.
fn fold_reports(state: &mut State, custom: &Custom) {
    let waiting = custom.data.get("waiting").and_then(serde_json::Value::as_u64).unwrap_or(0);
    match custom.data.get("event_type").and_then(serde_json::Value::as_str) {
        Some("behind") => state.reports_behind = Some(waiting),
        Some("caught_up") => state.reports_behind = None,
        _ => {}
    }
}

/// A notice moved on: what came of it is told where it is not the chat's own line.
fn fold_notice(state: &mut State, notice: &Notification) {
    state.inbox.stale = true;
    let tone = match notice.status {
        DeliveryStatus::Sent => Tone::Good,
        DeliveryStatus::Failed | DeliveryStatus::Unknown => Tone::Bad,
        DeliveryStatus::Queued | DeliveryStatus::Sending | DeliveryStatus::Suppressed => return,
    };
    let line = ellipsis(&clean_line(&words::notification_and_why(notice)), NOTE_CHARS_MAX).into_owned();
    state.note(tone, line);
}

/// What an event says about the session itself.
pub(super) fn fold_session(state: &mut State, event: &Event) {
    match &event.body {
        EventBody::Chat(chat) => fold_chat(state, chat),
        EventBody::TurnEvent(turn) => fold_turn(state, turn, event),
        EventBody::Approval(approval) => fold_approval(state, approval),
        EventBody::SessionEvent(change) => fold_change(state, change),
        EventBody::HandoffCall(_)
        | EventBody::ToolExecution(_)
        | EventBody::McpEvent(_)
        | EventBody::Question(_)
        | EventBody::Error(_)
        | EventBody::TaskEvent(_)
        | EventBody::Notification(_)
        | EventBody::InboxEvent(_)
        | EventBody::Memory(_)
        | EventBody::Custom(_) => {}
    }
}

fn fold_chat(state: &mut State, chat: &Chat) {
    if chat.role == Role::User {
        fold_queue(state, chat);
        state.session.spoken = true;
        state.transcript.end_suggestions(welcome::INVITATION);
        if let (true, Some(text)) = (state.session.title.is_empty(), &chat.text) {
            state.session.title = ellipsis(&clean_line(text), TITLE_CHARS_MAX).into_owned();
        }
    } else if let (Some(turn), true) = (&mut state.turn, chat.parent.is_none()) {
        turn.retry = None;
    }
    if let (Some(usage), None, ChatStatus::Done) = (chat.usage, &chat.parent, chat.status) {
        state.session.context_tokens = usage.input_tokens + usage.output_tokens;
    }
}

fn fold_queue(state: &mut State, chat: &Chat) {
    let Some(id) = &chat.message_id else { return };
    let at = state.queued.iter().position(|queued| queued.id == *id);
    match (chat.status, at) {
        (ChatStatus::Queued, Some(at)) => {
            if let (Some(queued), Some(text)) = (state.queued.get_mut(at), &chat.text) {
                text.clone_into(&mut queued.text);
                queued.confirmed = true;
            }
        }
        (ChatStatus::Queued, None) if state.queued.len() < QUEUED_MAX => {
            let text = chat.text.clone().unwrap_or_default();
            state.queued.push(Queued { id: id.clone(), text, confirmed: true, delivery: None });
        }
        (ChatStatus::Withdrawn | ChatStatus::Done, Some(at)) => drop(state.queued.remove(at)),
        _ => {}
    }
}

fn fold_turn(state: &mut State, turn: &TurnEvent, event: &Event) {
    match turn {
        TurnEvent::Started { turn, parent: None, .. } => {
            state.turn = Some(Turn { id: turn.clone(), started: event.at, retry: None, stopping: false });
        }
        TurnEvent::Retrying { parent: None, reason, attempt, attempts_max, delay_ms, .. } => {
            if let Some(turn) = &mut state.turn {
                turn.retry = Some((reason.clone(), *attempt, *attempts_max, event.at.plus(Duration::from_millis(*delay_ms))));
            }
        }
        TurnEvent::Finished { parent, usage, context_tokens, .. } => {
            // A handoff's tokens are its own turn's.
            state.session.usage = state.session.usage.plus(*usage);
            if parent.is_none() {
                state.turn = None;
                state.approvals.clear();
                state.refusing = None;
                if *context_tokens > 0 {
                    state.session.context_tokens = *context_tokens;
                }
            }
        }
        TurnEvent::Started { .. } | TurnEvent::Retrying { .. } => {}
    }
}

fn fold_approval(state: &mut State, approval: &Approval) {
    let known = |dialog: &Dialog| dialog.approval.call_id == approval.call_id;
    match approval.status {
        ApprovalStatus::Requested => {
            if !state.approvals.iter().any(known) && state.approvals.len() < APPROVALS_MAX {
                let order = state.next_order();
                state.approvals.push_back(Dialog::new(approval.clone(), order));
            }
        }
        ApprovalStatus::Granted | ApprovalStatus::Refused => {
            state.approvals.retain(|dialog| !known(dialog));
            state.refusing.take_if(|call| *call == approval.call_id);
        }
    }
}

fn fold_change(state: &mut State, change: &SessionEvent) {
    let session = &mut state.session;
    match change {
        SessionEvent::Created { model, mode, .. } => {
            session.made = true;
            session.model.clone_from(model);
            session.mode = *mode;
        }
        SessionEvent::Renamed { title } => session.title.clone_from(title),
        SessionEvent::ModelSet { model } => session.model.clone_from(model),
        SessionEvent::ModeSet { mode } => session.mode = *mode,
        SessionEvent::Rewound { .. } | SessionEvent::Compacted { .. } => {}
    }
}
