//! The message: typing, sending, queueing, taking back; history and suggestions.

use crate::domain::command::{Command, Decision, Delivery};
use crate::domain::ids::{CallId, MessageId};
use crate::domain::text::clean_line;
use crate::domain::undo::{UNDO, UndoRow, UndoState};
use crate::tui::composer::{Edit, PASTE_BYTES_MAX};
use crate::tui::msg::{Effect, Query};
use crate::tui::panels::Overlay;
use crate::tui::panels::picker::{Pick, PickKind, PickRow, Picker};
use crate::tui::slash;
use crate::tui::state::{Focus, LinkState, Queued, State, Tone};
use crate::tui::update::{asking, commands, filter, kept, own, prompts, resources, texts};

/// Takes a paste.
pub(super) fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    state.quit_until = None;
    match &mut state.overlay {
        Some(Overlay::Pick(picker)) => {
            picker.paste(text);
            return Vec::new();
        }
        Some(Overlay::Tasks) => {
            if let Some(input) = &mut state.tasks.typing {
                input.paste(text);
            }
            return Vec::new();
        }
        Some(Overlay::Settings) => {
            if let Some(input) = &mut state.settings.typing {
                input.paste(text);
            }
            return Vec::new();
        }
        Some(Overlay::Form(inquiry)) => {
            inquiry.paste(text, state.now);
            return Vec::new();
        }
        Some(Overlay::Resources) => {
            if let Some(input) = &mut state.resources.typing {
                input.paste(text);
                state.resources.filter.clone_from(&input.text);
            }
            return Vec::new();
        }
        Some(Overlay::Text(_)) => {
            texts::paste(state, text);
            return Vec::new();
        }
        Some(_) => return Vec::new(),
        None => {}
    }
    if state.replay.is_some() && state.events_filter.is_none() {
        let key = state.keymap.hint(crate::tui::keymap::Action::Escape);
        state.note(Tone::Plain, format!("a replay runs and nothing is sent; {key} ends it"));
        return Vec::new();
    }
    if asking::paste(state, text) {
        return Vec::new();
    }
    if filter::paste(state, text) {
        return Vec::new();
    }
    state.focus = Focus::Composer;
    state.history.rest();
    if !state.composer.paste(text) {
        state.note(Tone::Bad, format!("the paste is too large: at most {} MiB", PASTE_BYTES_MAX >> 20));
    }
    Vec::new()
}

/// Enter: newline behind a backslash, else send.
pub(super) fn enter(state: &mut State) -> Vec<Effect> {
    if state.composer.take_backslash() {
        state.composer.edit(Edit::Newline);
        return Vec::new();
    }
    send(state, Delivery::Steer)
}

/// Sends what is written.
pub(super) fn send(state: &mut State, delivery: Delivery) -> Vec<Effect> {
    let text = state.composer.text().trim().to_owned();
    if let Some(call) = state.refusing.take() {
        state.composer.take();
        return decide(state, &call, Decision::Refuse { instead: (!text.is_empty()).then_some(text) });
    }
    if text.is_empty() {
        return send_waiting(state);
    }
    if let Some(line) = text.strip_prefix('!') {
        return shell(state, line.trim(), &text);
    }
    if let Some(own) = own::resolve(state, &text) {
        return match own {
            Ok(expanded) => {
                state.composer.take();
                state.vi.rest();
                let mut effects = remember(state, &text);
                effects.extend(own::run(state, expanded, delivery));
                effects
            }
            Err(reason) => {
                state.note(Tone::Bad, reason);
                Vec::new()
            }
        };
    }
    let wanted = slash::parse(&text);
    if let Some(Err(reason)) = wanted {
        state.note(Tone::Bad, reason);
        return Vec::new();
    }
    // A prompt that is not known, or is given too much, stays to be put right.
    let prompt = match &wanted {
        Some(Ok(slash::Want::Prompt { name, args })) => match prompts::resolve(state, name, args) {
            Ok(resolved) => Some(resolved),
            Err(reason) => {
                state.note(Tone::Bad, reason);
                return Vec::new();
            }
        },
        _ => None,
    };
    state.composer.take();
    state.vi.rest();
    if wanted.is_some() {
        kept::used_command(state, text.split_whitespace().next().unwrap_or_default());
    }
    let mut effects = remember(state, &text);
    if let Some(resolved) = prompt {
        effects.extend(prompts::run(state, resolved));
        return effects;
    }
    effects.extend(match wanted {
        Some(Ok(want)) => commands::run(state, want),
        _ => submit(state, &text, delivery),
    });
    effects
}

/// Messages that wait though nothing runs (a turn was stopped before it came to them) are sent on as one.
fn send_waiting(state: &mut State) -> Vec<Effect> {
    if state.turn.is_some() || state.link != LinkState::Ready || !state.queued.iter().all(|queued| queued.confirmed) {
        return Vec::new();
    }
    let session = state.session.id.clone();
    let waiting = std::mem::take(&mut state.queued);
    let texts: Vec<String> = waiting.iter().map(|queued| queued.text.clone()).collect();
    let withdraw = |queued: Queued| Effect::Send(Command::EditQueued { session: session.clone(), message_id: queued.id, text: None });
    let mut effects: Vec<Effect> = waiting.into_iter().map(withdraw).collect();
    if !texts.is_empty() {
        effects.extend(submit(state, &texts.join("\n\n"), Delivery::Steer));
    }
    effects
}

fn remember(state: &mut State, text: &str) -> Vec<Effect> {
    if state.history.push(text) { vec![Effect::KeepPrompt(text.to_owned())] } else { Vec::new() }
}

/// Hands a line to the shell: the user's own call of a tool, asked about as any other.
fn shell(state: &mut State, line: &str, text: &str) -> Vec<Effect> {
    let problem = match &state.link {
        LinkState::Down(reason) => Some(reason.clone()),
        _ if line.is_empty() => Some("a shell command is missing behind the `!`".to_owned()),
        _ if state.turn.is_some() => Some("a command cannot run while the agent works: wait, or stop it with esc".to_owned()),
        _ => None,
    };
    if let Some(problem) = problem {
        state.note(Tone::Bad, problem);
        return Vec::new();
    }
    state.composer.take();
    state.vi.rest();
    let mut effects = remember(state, text);
    effects.extend(made(state));
    let message_id = MessageId::generate();
    state.chat.top = None;
    effects.push(Effect::Send(Command::Shell { session: state.session.id.clone(), message_id, command: line.to_owned() }));
    effects
}

/// `/undo`: a change of this session, the last one where none is named; only where there is one is anything asked.
pub(super) fn ask_change(state: &mut State, change: String, force: bool) -> Vec<Effect> {
    if state.session.made {
        return vec![Effect::Ask(Query::LastChange(state.session.id.clone(), change, force))];
    }
    undo_change(state, change, force, Ok(Vec::new()))
}

/// What came of that question.
pub(super) fn undo_change(state: &mut State, change: String, force: bool, rows: Result<Vec<UndoRow>, String>) -> Vec<Effect> {
    let rows = match rows {
        Ok(rows) => rows,
        Err(reason) => {
            state.note(Tone::Bad, reason);
            return Vec::new();
        }
    };
    let is_meant = |row: &UndoRow| match change.as_str() {
        "" => row.state == UndoState::Stands && row.tool != UNDO,
        wanted => wanted.parse() == Ok(row.number) || row.id.starts_with(wanted),
    };
    if rows.iter().any(is_meant) {
        return undo(state, change, force);
    }
    if change.is_empty() {
        state.note(Tone::Plain, "nothing to undo in this session: it is for what `edit_file` and `write_file` change".to_owned());
        return Vec::new();
    }
    let rest = if rows.is_empty() { "nothing was changed yet in this session" } else { "`/undo list` shows those that can be undone" };
    state.note(Tone::Bad, format!("there is no change `{}`; {rest}", clean_line(&change)));
    Vec::new()
}

/// Takes back a change of a file: the user's own call of a tool, asked about with the difference.
fn undo(state: &mut State, change: String, force: bool) -> Vec<Effect> {
    let problem = match &state.link {
        LinkState::Down(reason) => Some(reason.clone()),
        _ if state.turn.is_some() => Some("nothing can be undone while the agent works: wait, or stop it with esc".to_owned()),
        _ => None,
    };
    if let Some(problem) = problem {
        state.note(Tone::Bad, problem);
        return Vec::new();
    }
    let mut effects: Vec<Effect> = made(state).into_iter().collect();
    state.chat.top = None;
    let session = state.session.id.clone();
    effects.push(Effect::Send(Command::Undo { session, message_id: MessageId::generate(), change, force }));
    effects
}

/// Makes the session where it is new.
fn made(state: &mut State) -> Option<Effect> {
    if state.session.made {
        return None;
    }
    state.session.made = true;
    Some(Effect::Send(Command::NewSession { session: state.session.id.clone(), options: state.session.options.clone() }))
}

/// Hands a prompt to the agent; the session is made first where it is new.
pub(super) fn submit(state: &mut State, text: &str, delivery: Delivery) -> Vec<Effect> {
    if let LinkState::Down(reason) = &state.link {
        let reason = reason.clone();
        state.composer.set(text);
        state.note(Tone::Bad, reason);
        return Vec::new();
    }
    let mut effects: Vec<Effect> = made(state).into_iter().collect();
    let session = state.session.id.clone();
    let message_id = MessageId::generate();
    state.queued.push(Queued { id: message_id.clone(), text: text.to_owned(), confirmed: false, delivery: Some(delivery) });
    state.chat.top = None;
    state.rewind_until = None;
    effects.push(Effect::Send(Command::Submit { session, message_id, text: text.to_owned(), delivery }));
    effects
}

/// A command was not taken: what was typed is not lost, and comes back to the tab where it was written.
pub(super) fn not_sent(state: &mut State, command: Command, reason: &str) -> Vec<Effect> {
    state.note(Tone::Bad, reason);
    let hidden = command.session().filter(|id| **id != state.session.id).and_then(|id| state.tabs.position_of(id));
    match hidden {
        Some(position) => state.behind(position, |state| give_back(state, command)).unwrap_or_default(),
        None => give_back(state, command),
    }
}

fn give_back(state: &mut State, command: Command) -> Vec<Effect> {
    resources::not_sent(state, &command);
    match command {
        Command::Submit { message_id, text, .. } => {
            state.queued.retain(|queued| queued.id != message_id);
            let draft = state.composer.text();
            state.composer.set(&if draft.is_empty() { text } else { format!("{draft}\n{text}") });
        }
        Command::Shell { command, .. } if state.composer.is_empty() => state.composer.set(&format!("!{command}")),
        Command::NewSession { .. } => state.session.made = false,
        // It still waits for its answer.
        Command::Reply { .. } if state.link == LinkState::Ready => return vec![Effect::Ask(Query::Questions)],
        Command::Interrupt { .. } => {
            if let Some(turn) = &mut state.turn {
                turn.stopping = false;
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Answers a question for consent.
pub(super) fn decide(state: &mut State, call: &CallId, decision: Decision) -> Vec<Effect> {
    state.approvals.retain(|dialog| dialog.approval.call_id != *call);
    vec![Effect::Send(Command::Decide { session: state.session.id.clone(), call_id: call.clone(), decision })]
}

/// Stops the running turn.
pub(super) fn interrupt(state: &mut State) -> Vec<Effect> {
    let Some(turn) = &mut state.turn else { return Vec::new() };
    turn.stopping = true;
    vec![Effect::Send(Command::Interrupt { session: state.session.id.clone() })]
}

/// Tab: completes, or queues behind the running turn.
pub(super) fn tab(state: &mut State) -> Vec<Effect> {
    if state.turn.is_some() && !state.composer.is_empty() && state.refusing.is_none() {
        return send(state, Delivery::Queue);
    }
    if state.composer.is_empty() {
        return Vec::new();
    }
    state.composer.insert_str("    ");
    Vec::new()
}

/// Takes the last queued message back into the composer.
pub(super) fn edit_queued(state: &mut State) -> Vec<Effect> {
    if !state.composer.is_empty() {
        state.note(Tone::Plain, "send, stash or clear the draft first");
        return Vec::new();
    }
    let Some(queued) = state.queued.pop() else { return Vec::new() };
    state.composer.set(&queued.text);
    vec![Effect::Send(Command::EditQueued { session: state.session.id.clone(), message_id: queued.id, text: None })]
}

/// Up: a line up, then earlier prompts.
pub(super) fn up(state: &mut State) {
    let (first, _) = state.composer.at_edges();
    if !first && !state.history.is_walking() {
        return state.composer.edit(Edit::Up);
    }
    let draft = state.composer.text();
    if let Some(prompt) = state.history.prev(&draft) {
        state.composer.set(&prompt);
    }
}

/// Down: a line down, then later prompts.
pub(super) fn down(state: &mut State) {
    let (_, last) = state.composer.at_edges();
    if !last && !state.history.is_walking() {
        return state.composer.edit(Edit::Down);
    }
    if let Some(prompt) = state.history.next() {
        state.composer.set(&prompt);
    }
}

/// Ctrl+R.
pub(super) fn search_history(state: &mut State) {
    let rows = state.history.entries().iter().rev().map(|prompt| PickRow::new(Pick::Prompt(prompt.clone()), prompt, ""));
    let mut picker = Picker::new(PickKind::Prompts, rows.collect());
    picker.narrow_by(state.composer.raw().trim());
    state.overlay = Some(Overlay::Pick(picker));
}

/// Ctrl+S: puts the draft aside; with nothing written it takes one back, of several the one that is picked.
pub(super) fn stash(state: &mut State) {
    /// Drafts that are kept; the oldest goes into the history.
    const DRAFTS_MAX: usize = 10;
    if state.composer.is_empty() {
        match state.stash.len() {
            0 => state.note(Tone::Plain, "nothing was put aside"),
            1 => unstash(state, 0),
            _ => {
                let rows = state.stash.iter().enumerate().rev();
                let rows = rows.map(|(at, draft)| PickRow::new(Pick::Draft(at), draft, &lines_of(draft))).collect();
                state.overlay = Some(Overlay::Pick(Picker::new(PickKind::Drafts, rows)));
            }
        }
        return;
    }
    let draft = state.composer.take();
    state.vi.rest();
    state.stash.push(draft);
    if state.stash.len() > DRAFTS_MAX {
        let oldest = state.stash.remove(0);
        state.history.push(&oldest);
    }
    let back = state.keymap.hint(crate::tui::keymap::Action::Stash);
    let many = if state.stash.len() > 1 { format!("; {} drafts wait", state.stash.len()) } else { String::new() };
    state.note(Tone::Good, format!("put aside; {back} takes it back{many}"));
}

fn lines_of(draft: &str) -> String {
    match draft.lines().count() {
        0 | 1 => String::new(),
        lines => format!("{lines} lines"),
    }
}

/// Takes the draft at a place of the stack back.
pub(super) fn unstash(state: &mut State, at: usize) {
    if at < state.stash.len() {
        let draft = state.stash.remove(at);
        state.composer.set(&draft);
    }
}

/// A digit on an empty screen picks a suggestion.
pub(super) fn suggestion(state: &mut State, digit: char) -> Option<Vec<Effect>> {
    if !state.composer.is_empty() || state.session.spoken || !state.queued.is_empty() || state.refusing.is_some() {
        return None;
    }
    let at = usize::try_from(digit.to_digit(10)?.checked_sub(1)?).ok()?;
    let text = state.surroundings.suggestions.iter().take(crate::tui::panels::welcome::SUGGESTIONS_MAX).nth(at)?.clone();
    let mut effects = remember(state, &text);
    effects.extend(submit(state, &text, Delivery::Steer));
    Some(effects)
}
