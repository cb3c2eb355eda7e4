//! Keys of what lies over the screen, and what choosing there does.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::domain::command::McpCommand;
use crate::domain::query::ServerState;
use crate::tui::keymap::Action;
use crate::tui::msg::Effect;
use crate::tui::panels::picker::{Pick, PickKind, Picked};
use crate::tui::panels::{Overlay, info};
use crate::tui::slash;
use crate::tui::state::{Focus, State, Tone};
use crate::tui::update::{
    commands, compose, inbox, jump, kept, keys, memories, prompts, replay, resources, session, sessions, settings, tasks, texts, trial,
};

/// Takes a key; `action` is what the table says it means.
pub(super) fn key(state: &mut State, key: &KeyEvent, action: Option<Action>) -> Vec<Effect> {
    if let Some(action @ (Action::Suspend | Action::Redraw | Action::Mouse)) = action {
        return keys::act(state, action, key);
    }
    match state.overlay {
        Some(Overlay::Tasks) => return tasks::key(state, key, action),
        Some(Overlay::Inbox) => return inbox::key(state, key, action),
        Some(Overlay::Notices) => return inbox::notices_key(state, action),
        Some(Overlay::Resources) => return resources::key(state, key, action),
        Some(Overlay::Form(_)) => return resources::form_key(state, key, action),
        Some(Overlay::Settings) => return settings::key(state, key, action),
        Some(Overlay::Keys) => {
            trial::key(state, key, action);
            return Vec::new();
        }
        _ => {}
    }
    if texts::find_key(state, key) {
        return Vec::new();
    }
    if let Some(Action::Escape | Action::Interrupt) = action {
        close(state);
        return Vec::new();
    }
    if memories::text_key(state, key) {
        return Vec::new();
    }
    if let Some(effects) = memories::list_key(state, key) {
        return effects;
    }
    match &mut state.overlay {
        Some(Overlay::Text(panel)) => {
            if let (KeyCode::Char('a'), KeyModifiers::NONE, Some(mention)) = (key.code, key.modifiers, panel.mention.clone()) {
                resources::attach(state, &mention);
                return Vec::new();
            }
            let copied = texts::key(panel, key);
            texts::end(state);
            match copied {
                Some(text) => commands::copy(state, Some(text), ""),
                None => Vec::new(),
            }
        }
        Some(Overlay::Pick(picker)) if picker.kind == PickKind::Sessions && sessions::is_mine(key) => sessions::key(state, key),
        Some(Overlay::Pick(picker)) => match picker.key(key) {
            Picked::Done(pick) => picked(state, pick),
            Picked::Moved | Picked::NotMine => preview(state),
        },
        Some(Overlay::Servers) => servers(state, action),
        // Each has its own keys, see above.
        Some(_) | None => Vec::new(),
    }
}

/// Closes what is open; a theme that was only looked at goes.
pub(super) fn close(state: &mut State) {
    let was = state.overlay.take();
    state.uncover();
    if let Some(Overlay::Pick(picker)) = was
        && picker.kind == PickKind::Themes
    {
        let name = state.options.theme.clone();
        commands::wear(state, &name);
    }
}

/// The chosen theme is shown at once.
pub(super) fn preview(state: &mut State) -> Vec<Effect> {
    if let Some(Overlay::Pick(picker)) = &state.overlay
        && let Some(Pick::Theme(name)) = picker.chosen().map(|row| row.pick.clone())
    {
        commands::wear(state, &name);
    }
    Vec::new()
}

/// Something was chosen.
pub(super) fn picked(state: &mut State, pick: Pick) -> Vec<Effect> {
    if let Pick::Memory(id) = &pick {
        memories::open(state, id);
        return Vec::new();
    }
    if let Pick::Tool(name) = &pick {
        if let Some(panel) = state.tools.iter().find(|tool| tool.tool == *name).map(info::tool) {
            state.over(Overlay::Text(panel));
        }
        return Vec::new();
    }
    let kind = if let Some(Overlay::Pick(picker)) = &state.overlay { Some(picker.kind) } else { None };
    // The list of themes may lie over the settings, which come back.
    state.uncover();
    match pick {
        Pick::Tool(_) | Pick::Memory(_) => Vec::new(),
        Pick::Jump { event, tab } => jump::open(state, event, tab),
        Pick::Session(id) if kind == Some(PickKind::Replays) => {
            let pace = state.replay_pace;
            replay::ask(state, id, pace)
        }
        Pick::Draft(at) => {
            compose::unstash(state, at);
            Vec::new()
        }
        Pick::Copy(text) => commands::copy(state, Some(text), ""),
        Pick::Open(target) => vec![keys::opened(state, target)],
        Pick::ServerPrompt(name) => {
            state.focus = Focus::Composer;
            if !state.composer.is_empty() {
                let draft = state.composer.take();
                state.history.push(&draft);
            }
            state.composer.set(&format!("{name} "));
            Vec::new()
        }
        Pick::Session(id) if id == state.session.id => Vec::new(),
        Pick::Session(id) => session::open(state, id),
        Pick::Model(model) => commands::set_model(state, model),
        Pick::Theme(name) => commands::set_theme(state, &name),
        Pick::Agent(name) => {
            state.composer.insert_str(&format!("Hand over to {name}: "));
            state.focus = Focus::Composer;
            Vec::new()
        }
        Pick::Prompt(text) => {
            state.composer.set(&text);
            Vec::new()
        }
        Pick::Rewind(seq, text) => keys::rewind(state, seq, &text),
        Pick::Slash(text) => {
            kept::used_command(state, &text);
            if slash::COMMANDS.iter().all(|row| text.strip_prefix('/') != Some(row.name)) {
                state.composer.set(&format!("{text} "));
                return Vec::new();
            }
            if let Some(Ok(want)) = slash::parse(&text) {
                return commands::run(state, want);
            }
            // It needs arguments: they are typed next.
            state.composer.set(&format!("{text} "));
            Vec::new()
        }
        Pick::Action(action) => {
            kept::used_command(state, action.row().map_or("", |row| row.name));
            let event = state.keymap.chords(action).first().map(|chord| chord.event());
            event.map_or_else(Vec::new, |event| keys::act(state, action, &event))
        }
    }
}

fn servers(state: &mut State, action: Option<Action>) -> Vec<Effect> {
    let Some(action) = action else { return Vec::new() };
    match action {
        Action::PanelUp => state.servers.step(-1),
        Action::PanelDown => state.servers.step(1),
        Action::PanelNext => tasks::turn_tab(state, true),
        Action::PanelPrev => tasks::turn_tab(state, false),
        Action::Tasks => tasks::open(state, ""),
        Action::PageUp => state.servers.step(-8),
        Action::PageDown => state.servers.step(8),
        Action::ServerAdd => {
            state.overlay = None;
            state.focus = Focus::Composer;
            state.composer.set("/mcp add ");
        }
        _ => return server(state, action),
    }
    Vec::new()
}

/// What needs a chosen server.
fn server(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(row) = state.servers.current() else {
        state.note(Tone::Plain, "there are no servers");
        return Vec::new();
    };
    let name = row.name.clone();
    let off = row.status == ServerState::Disabled;
    match action {
        Action::ServerTools => commands::run(state, slash::Want::Tools(name)),
        Action::ServerResources => resources::open(state, Some(name)),
        Action::ServerPrompts => prompts::list(state, Some(&name)),
        Action::ServerLogs => commands::run(state, slash::Want::Logs(name)),
        Action::ServerRestart => commands::mcp(state, McpCommand::Restart(name)),
        Action::ServerToggle if off => commands::mcp(state, McpCommand::Enable(name)),
        Action::ServerToggle => commands::mcp(state, McpCommand::Disable(name)),
        Action::ServerRemove => {
            // Removing asks by being written out: Enter does it.
            state.overlay = None;
            state.focus = Focus::Composer;
            if state.composer.is_empty() {
                state.composer.set(&format!("/mcp remove {name}"));
                state.note(Tone::Plain, "enter removes it for this run");
            } else {
                state.note(Tone::Plain, "send, stash or clear the draft first");
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}
