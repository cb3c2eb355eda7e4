//! Keys of the chat: selecting, opening, searching, going back.

use crate::domain::command::Command;
use crate::domain::ids::Seq;
use crate::tui::keymap::Action;
use crate::tui::layout;
use crate::tui::msg::Effect;
use crate::tui::panels::Overlay;
use crate::tui::panels::picker::{Pick, PickKind, PickRow, Picker};
use crate::tui::state::{Search, State, Tone};
use crate::tui::transcript::{ItemId, ItemKind, UserTurn};
use crate::tui::update::jump;

use super::{taking, to_end};

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::ChatUp => select_chat(state, -1),
        Action::ChatDown => select_chat(state, 1),
        Action::ChatOpen => {
            if let Some(item) = state.chat.selected {
                state.transcript.toggle(item);
            }
        }
        Action::ChatTurnPrev => select_turn(state, true),
        Action::ChatTurnNext => select_turn(state, false),
        Action::ChatTop => to_end(state, true),
        Action::ChatBottom => to_end(state, false),
        Action::ChatSearch => state.search = Some(Search { typing: true, ..Search::default() }),
        Action::ChatSearchNext => next_match(state, true),
        Action::ChatSearchPrev => next_match(state, false),
        Action::ChatCopy => return taking::copy_item(state),
        Action::ChatCopyPart => return taking::copy_part(state),
        Action::ChatLink => return taking::open(state),
        Action::ChatMark => taking::mark(state),
        Action::ChatDump => {
            let (width, _) = state.size;
            return vec![Effect::Dump(state.transcript.dump_styled(width, &state.theme))];
        }
        Action::ChatEvent => jump::to_event(state),
        Action::ChatEditor => {
            let text = state.transcript.dump(100).join("\n");
            return vec![Effect::Edit { text, keep: false }];
        }
        _ => {}
    }
    Vec::new()
}

/// Columns and rows of the chat's text.
pub(in crate::tui::update) fn size(state: &State) -> (u16, u16) {
    layout::areas(state).chat.map_or((1, 1), |area| {
        let inner = layout::text_area(area);
        (inner.width, inner.height)
    })
}

/// The list of messages to go back to, the latest first.
pub(super) fn open_rewind(state: &mut State) {
    let row = |turn: &UserTurn| turn.seq.map(|seq| PickRow::new(Pick::Rewind(seq, turn.text.clone()), &turn.text, ""));
    let rows: Vec<_> = state.transcript.user_turns().iter().rev().filter_map(row).collect();
    if rows.is_empty() {
        state.note(Tone::Plain, "there is no earlier message");
    } else {
        state.overlay = Some(Overlay::Pick(Picker::new(PickKind::Rewind, rows)));
    }
}

pub(super) fn open_tool(state: &mut State) {
    let latest = state.transcript.items().rfind(|item| item.kind == ItemKind::Tool && item.opens);
    match state.chat.selected.or_else(|| latest.map(|item| item.id)) {
        Some(item) => {
            state.transcript.toggle(item);
        }
        None => state.note(Tone::Plain, "no tool was called yet"),
    }
}

fn show_item(state: &mut State, item: ItemId) {
    let (width, height) = size(state);
    state.transcript.scroll_to_item(&mut state.chat, item, width, height, &state.theme);
}

fn select_chat(state: &mut State, step: isize) {
    if let Some(item) = state.transcript.neighbour(state.chat.selected, step) {
        state.chat.selected = Some(item);
        show_item(state, item);
    }
}

fn select_turn(state: &mut State, back: bool) {
    let turns = state.transcript.user_turns();
    let found = match (state.chat.selected, back) {
        (Some(now), true) => turns.iter().rev().find(|turn| turn.item < now),
        (Some(now), false) => turns.iter().find(|turn| turn.item > now),
        (None, _) => turns.last(),
    };
    if let Some(item) = found.map(|turn| turn.item) {
        state.chat.selected = Some(item);
        show_item(state, item);
    }
}

fn next_match(state: &mut State, forward: bool) {
    let Some(search) = &mut state.search else { return };
    let count = search.matches.len();
    if count > 0 {
        search.at = (search.at + if forward { 1 } else { count - 1 }) % count;
        show_match(state);
    }
}

pub(super) fn show_match(state: &mut State) {
    let item = state.search.as_ref().and_then(|search| search.matches.get(search.at)).copied();
    state.chat.current_match = item;
    if let Some(item) = item {
        show_item(state, item);
    }
}

/// Takes the session back to before a message and puts the message into the composer.
pub(in crate::tui::update) fn rewind(state: &mut State, seq: Seq, text: &str) -> Vec<Effect> {
    let to = Seq(seq.0.saturating_sub(1));
    state.composer.set(text);
    vec![Effect::Send(Command::Rewind { session: state.session.id.clone(), to })]
}
