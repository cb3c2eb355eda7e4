//! Taking something out of the chat: copying an item, a part of it or marked rows, opening what it leads to.

use crate::tui::keymap::Action;
use crate::tui::msg::Effect;
use crate::tui::panels::Overlay;
use crate::tui::panels::picker::{Pick, PickKind, PickRow, Picker};
use crate::tui::state::{State, Tone};
use crate::tui::transcript::{ItemId, MARKED_ROWS_MAX, Target};
use crate::tui::update::commands;

use super::chat::size;

/// Copies the selected item: what was said, or the result of a call.
pub(super) fn copy_item(state: &mut State) -> Vec<Effect> {
    let text = state.chat.selected.and_then(|item| state.transcript.copied(item));
    commands::copy(state, text, "select an item first")
}

/// Copies a part of the selected item; asks which where there are several.
pub(super) fn copy_part(state: &mut State) -> Vec<Effect> {
    let Some(item) = selected(state) else { return Vec::new() };
    let mut parts = state.transcript.parts(item);
    if parts.len() <= 1 {
        return commands::copy(state, parts.pop().map(|part| part.text), "there is nothing to copy in it");
    }
    let rows = parts.into_iter().map(|part| PickRow::new(Pick::Copy(part.text), &part.name, &part.about)).collect();
    state.overlay = Some(Overlay::Pick(Picker::new(PickKind::Parts, rows)));
    Vec::new()
}

/// Opens what the selected item leads to; asks what where there is more than one.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let Some(item) = selected(state) else { return Vec::new() };
    let mut targets = state.transcript.targets(item);
    if targets.len() <= 1 {
        let Some(target) = targets.pop() else {
            state.note(Tone::Plain, "there is no link and no saved file in it");
            return Vec::new();
        };
        return vec![opened(state, target)];
    }
    let row = |target: Target| {
        let text = match &target {
            Target::Address(address) => address.clone(),
            Target::File(path) => path.display().to_string(),
        };
        PickRow::new(Pick::Open(target), &text, "")
    };
    let rows = targets.into_iter().map(row).collect();
    state.overlay = Some(Overlay::Pick(Picker::new(PickKind::Targets, rows)));
    Vec::new()
}

/// Hands what was chosen to the browser or to the system.
pub(in crate::tui::update) fn opened(state: &mut State, target: Target) -> Effect {
    match target {
        Target::Address(address) => {
            state.note(Tone::Plain, format!("opening {}", crate::domain::text::ellipsis(&address, 100)));
            Effect::Open(address)
        }
        Target::File(path) => Effect::OpenFile(path),
    }
}

fn selected(state: &mut State) -> Option<ItemId> {
    if state.chat.selected.is_none() {
        state.note(Tone::Plain, "select an item first");
    }
    state.chat.selected
}

/// Begins to mark rows.
pub(super) fn mark(state: &mut State) {
    let (width, height) = size(state);
    if !state.transcript.mark_here(&mut state.chat, width, height, &state.theme) {
        state.note(Tone::Plain, "there is nothing to mark yet");
    }
}

/// Keys while rows are marked.
pub(super) fn marking(state: &mut State, action: Action) -> Vec<Effect> {
    let (width, height) = size(state);
    let page = isize::try_from(height.saturating_sub(2).max(1)).unwrap_or(1);
    let rows = match action {
        Action::MarkUp => -1,
        Action::MarkDown => 1,
        Action::PageUp => -page,
        Action::PageDown => page,
        Action::MarkTop | Action::MarkBottom => {
            let top = action == Action::MarkTop;
            state.transcript.mark_to_end(&mut state.chat, top, width, height, &state.theme);
            return Vec::new();
        }
        Action::MarkSwap => {
            if let Some(mark) = &mut state.chat.mark {
                std::mem::swap(&mut mark.from, &mut mark.at);
            }
            0
        }
        Action::MarkCopy => return copy_marked(state, width),
        _ => return Vec::new(),
    };
    state.transcript.mark_by(&mut state.chat, rows, width, height, &state.theme);
    Vec::new()
}

fn copy_marked(state: &mut State, width: u16) -> Vec<Effect> {
    let marked = state.transcript.marked(&state.chat, width, &state.theme);
    state.chat.mark = None;
    let is_cut = marked.as_ref().is_some_and(|marked| marked.is_cut);
    let effects = commands::copy(state, marked.map(|marked| marked.text), "there is no text in these rows");
    if is_cut {
        state.note(Tone::Plain, format!("only the first {MARKED_ROWS_MAX} rows are copied"));
    }
    effects
}
