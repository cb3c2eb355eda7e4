//! The memories: the list of them, what is done with one, and what their events tell.

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::domain::command::Command;
use crate::domain::event::words;
use crate::domain::ids::MemoryId;
use crate::domain::memory::{MemoryCommand, MemoryEvent, MemoryPage};
use crate::domain::text::clean_line;
use crate::tui::msg::{Effect, Query};
use crate::tui::panels::picker::{Pick, PickKind, Picker};
use crate::tui::panels::{Overlay, TextPanel, memory};
use crate::tui::slash::MemoryWant;
use crate::tui::state::{State, Tone};
use crate::tui::update::{commands, tasks};

/// Folds an event of the memories in; what a turn was told stands in the chat.
pub(super) fn fold(state: &mut State, event: &MemoryEvent) {
    if !matches!(event, MemoryEvent::Recalled { .. }) {
        state.note(Tone::Good, clean_line(&words::memory(event)));
    }
}

/// Does what a slash command wants.
pub(super) fn run(state: &mut State, want: MemoryWant) -> Vec<Effect> {
    if !commands::is_ready(state) {
        return Vec::new();
    }
    let send = |command: MemoryCommand| vec![Effect::Send(Command::Memory(command))];
    match want {
        MemoryWant::Open(query) => {
            let mut picker = Picker::waiting(PickKind::Memories);
            picker.about = (!query.is_empty()).then(|| clean_line(&query));
            state.overlay = Some(Overlay::Pick(picker));
            vec![Effect::Ask(Query::Memories(query))]
        }
        MemoryWant::Remember(content, force) => {
            send(MemoryCommand::Remember { memory_id: MemoryId::generate(), content, kind: None, tags: Vec::new(), force })
        }
        MemoryWant::Forget(which) => send(MemoryCommand::Forget { which }),
        MemoryWant::Edit { id, content } => {
            send(MemoryCommand::Update { memory_id: MemoryId::from(id), content: Some(content), kind: None, tags: None })
        }
        MemoryWant::Export(path) => {
            let path = path.unwrap_or_else(|| {
                let now = state.now.timestamp().to_zoned(state.surroundings.timezone.clone());
                format!("memories-{}.jsonl", now.strftime("%Y-%m-%d-%H%M%S"))
            });
            vec![Effect::ExportMemories(state.surroundings.cwd.join(PathBuf::from(path)))]
        }
    }
}

/// The memories have come, or why they have not.
pub(super) fn fill(state: &mut State, query: &str, result: Result<MemoryPage, String>) {
    let (now, zone) = (state.now, state.surroundings.timezone.clone());
    let Some(Overlay::Pick(picker)) = &mut state.overlay else { return };
    if picker.kind != PickKind::Memories {
        return;
    }
    let none = match &result {
        Ok(page) if page.memories.is_empty() && query.is_empty() => Some("nothing is remembered yet: `/remember TEXT` remembers something"),
        Ok(page) if page.memories.is_empty() => Some("no memory fits"),
        _ => None,
    };
    picker.fill(result.as_ref().map(|page| memory::rows(page, now, &zone)).map_err(Clone::clone));
    if let Some(none) = none {
        picker.notice = Some(none.to_owned());
    }
    if let Ok(page) = result {
        state.memories = page.memories;
    }
}

/// Opens one to read, over the list.
pub(super) fn open(state: &mut State, id: &MemoryId) {
    let found = state.memories.iter().find(|memory| memory.memory_id == *id);
    if let Some(panel) = found.map(|found| memory::whole(found, state.now, &state.surroundings.timezone)) {
        state.over(Overlay::Text(panel));
    }
}

/// What a key means in the list: Ctrl with the letter that does it where a memory is read, for letters narrow the list.
pub(super) fn list_key(state: &mut State, key: &KeyEvent) -> Option<Vec<Effect>> {
    let Some(Overlay::Pick(picker)) = &state.overlay else { return None };
    if picker.kind != PickKind::Memories || !key.modifiers.contains(KeyModifiers::CONTROL) {
        return None;
    }
    let chosen = picker.chosen().map(|row| row.pick.clone());
    match (key.code, chosen) {
        (KeyCode::Char('x'), _) => {
            state.overlay = None;
            Some(run(state, MemoryWant::Export(None)))
        }
        (KeyCode::Char('e'), Some(Pick::Memory(id))) => {
            edit(state, &id);
            Some(Vec::new())
        }
        (KeyCode::Char('d'), Some(Pick::Memory(id))) => {
            forget(state, &id);
            Some(Vec::new())
        }
        _ => None,
    }
}

/// What a key means where a memory is read; whether it is one of these.
pub(super) fn text_key(state: &mut State, key: &KeyEvent) -> bool {
    let Some(Overlay::Text(TextPanel { memory: Some(id), .. })) = &state.overlay else { return false };
    let id = id.clone();
    match (key.code, key.modifiers) {
        (KeyCode::Char('e'), KeyModifiers::NONE) => edit(state, &id),
        (KeyCode::Char('d'), KeyModifiers::NONE) => forget(state, &id),
        _ => return false,
    }
    true
}

/// The text is changed in the composer.
fn edit(state: &mut State, id: &MemoryId) {
    let Some(found) = state.memories.iter().find(|memory| memory.memory_id == *id) else { return };
    let line = format!("/memory edit {} {}", words::short_id(id.as_str()), clean_line(&found.content));
    state.under.clear();
    tasks::write(state, &line, "change the text; enter keeps it");
}

/// Forgetting asks by being written out: Enter does it.
fn forget(state: &mut State, id: &MemoryId) {
    let line = format!("/forget {}", words::short_id(id.as_str()));
    state.under.clear();
    tasks::write(state, &line, "enter forgets it for good");
}
