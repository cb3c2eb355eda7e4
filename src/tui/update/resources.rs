//! Resources: keys of their panel, reading, attaching, being told of changes; forms that lie over the screen.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::{Position, Rect};
use serde_json::{Map, Value};

use crate::domain::command::{Command, McpCommand};
use crate::domain::event::{McpEvent, McpEventType};
use crate::domain::ids::ServerName;
use crate::domain::text::clean_line;
use crate::tui::catalog::{self, Typed};
use crate::tui::keymap::Action;
use crate::tui::layout;
use crate::tui::msg::{Effect, Query};
use crate::tui::panels::picker::Input;
use crate::tui::panels::{Overlay, TextPanel};
use crate::tui::question::{Inquiry, Outcome, Purpose};
use crate::tui::state::{Focus, State, Tone};
use crate::tui::template;
use crate::tui::update::{asking, commands, prompts};
use crate::tui::view;

/// Rows that a page moves.
const PAGE: isize = 10;

/// Opens the list.
pub(super) fn open(state: &mut State, server: Option<ServerName>) -> Vec<Effect> {
    if !commands::is_ready(state) {
        return Vec::new();
    }
    state.resources.server = server;
    state.resources.filter.clear();
    state.resources.typing = None;
    state.resources.selected = 0;
    state.over(Overlay::Resources);
    Vec::new()
}

/// Takes a key of the list.
pub(super) fn key(state: &mut State, key: &KeyEvent, action: Option<Action>) -> Vec<Effect> {
    if state.resources.typing.is_some() {
        type_filter(state, key);
        return Vec::new();
    }
    let all = state.catalog.resources.rows();
    match action {
        Some(Action::Escape | Action::Interrupt) if !state.resources.filter.is_empty() => state.resources.filter.clear(),
        Some(Action::Escape | Action::Interrupt) => state.uncover(),
        Some(Action::PanelUp) => state.resources.step(-1, all),
        Some(Action::PanelDown) => state.resources.step(1, all),
        Some(Action::PageUp) => state.resources.step(-PAGE, all),
        Some(Action::PageDown) => state.resources.step(PAGE, all),
        Some(Action::ResourceFilter) => state.resources.typing = Some(Input::new(state.resources.filter.clone())),
        Some(Action::ResourceOpen) => return read_chosen(state),
        Some(Action::ResourceAttach) => attach_chosen(state),
        Some(Action::ResourceSubscribe) => return subscribe(state),
        Some(Action::ResourceCopy) => {
            let uri = state.resources.current(all).map(|resource| clean_line(&resource.uri));
            return commands::copy(state, uri, "there is no resource");
        }
        _ => {}
    }
    Vec::new()
}

fn type_filter(state: &mut State, key: &KeyEvent) {
    let Some(input) = &mut state.resources.typing else { return };
    match key.code {
        KeyCode::Enter => state.resources.typing = None,
        KeyCode::Esc => {
            state.resources.typing = None;
            state.resources.filter.clear();
        }
        KeyCode::Up => state.resources.step(-1, state.catalog.resources.rows()),
        KeyCode::Down => state.resources.step(1, state.catalog.resources.rows()),
        _ if input.key(key) => {
            state.resources.filter = input.text.clone();
            state.resources.selected = 0;
        }
        _ => {}
    }
}

fn read_chosen(state: &mut State) -> Vec<Effect> {
    let Some(resource) = state.resources.current(state.catalog.resources.rows()).cloned() else {
        state.note(Tone::Plain, "there is no resource");
        return Vec::new();
    };
    if !resource.is_template {
        return read(state, resource.server, resource.uri);
    }
    let variables = template::variables(&resource.uri);
    if variables.is_empty() {
        return read(state, resource.server, template::expand(&resource.uri, &Map::new()));
    }
    state.over(Overlay::Form(Box::new(Inquiry::template(resource, &variables))));
    Vec::new()
}

fn read(state: &mut State, server: ServerName, uri: String) -> Vec<Effect> {
    let title = format!("{} · {}", clean_line(server.as_str()), clean_line(&uri));
    state.over(Overlay::Text(TextPanel::waiting(title)));
    vec![Effect::Ask(Query::Resource(server, uri))]
}

fn attach_chosen(state: &mut State) {
    let Some(resource) = state.resources.current(state.catalog.resources.rows()) else {
        return state.note(Tone::Plain, "there is no resource");
    };
    match (catalog::mention(resource), resource.is_template) {
        (Some(mention), _) => attach(state, &mention),
        (None, true) => state.note(Tone::Plain, "a template: enter fills it in, then a attaches it"),
        (None, false) => state.note(Tone::Bad, "its address holds blanks or control characters and cannot be mentioned"),
    }
}

/// Puts `@server:uri` into the message.
pub(super) fn attach(state: &mut State, mention: &str) {
    state.overlay = None;
    state.focus = Focus::Composer;
    let blank = state.composer.raw().chars().next_back().is_some_and(|ch| !ch.is_whitespace());
    state.composer.insert_str(&format!("{}@{mention} ", if blank { " " } else { "" }));
}

fn subscribe(state: &mut State) -> Vec<Effect> {
    let Some(resource) = state.resources.current(state.catalog.resources.rows()) else { return Vec::new() };
    if resource.is_template {
        state.note(Tone::Plain, "a template has no changes of its own");
        return Vec::new();
    }
    let key = (resource.server.clone(), resource.uri.clone());
    let on = !state.resources.subscribed.remove(&key);
    if on {
        state.resources.subscribed.insert(key.clone());
    }
    commands::mcp(state, McpCommand::Subscribe { server: key.0, uri: key.1, on })
}

/// A resource that somebody wanted to be told of has changed.
pub(super) fn apply(state: &mut State, event: &McpEvent) {
    if event.event_type != McpEventType::ResourceUpdated {
        return;
    }
    let Some(uri) = event.details.get("uri").and_then(Value::as_str) else { return };
    if state.resources.subscribed.contains(&(event.service_name.clone(), uri.to_owned())) {
        let text = format!("{} changed: {}", clean_line(event.service_name.as_str()), clean_line(uri));
        state.note(Tone::Plain, text);
    }
}

/// A subscription that was not taken is none.
pub(super) fn not_sent(state: &mut State, command: &Command) {
    if let Command::Mcp(McpCommand::Subscribe { server, uri, on: true }) = command {
        state.resources.subscribed.remove(&(server.clone(), uri.clone()));
    }
}

/// Takes a key for the form over the screen.
pub(super) fn form_key(state: &mut State, key: &KeyEvent, action: Option<Action>) -> Vec<Effect> {
    if action == Some(Action::Interrupt) {
        state.uncover();
        return Vec::new();
    }
    let rows = match key.code {
        KeyCode::PageUp => Some(-PAGE),
        KeyCode::PageDown => Some(PAGE),
        _ => None,
    };
    if let Some(rows) = rows {
        form_scroll(state, rows);
        return Vec::new();
    }
    let now = state.now;
    let Some(Overlay::Form(inquiry)) = &mut state.overlay else { return Vec::new() };
    let outcome = inquiry.key(key, now);
    form_done(state, outcome)
}

/// Moves the window of the form over the screen.
pub(super) fn form_scroll(state: &mut State, rows: isize) {
    let Some(area) = layout::areas(state).overlay else { return };
    if let Some(Overlay::Form(inquiry)) = &mut state.overlay {
        let (top, last) = view::scrolled(inquiry, area, &state.theme);
        inquiry.scroll_by(rows, top, last);
    }
}

/// Takes a click on the form over the screen.
pub(super) fn form_click(state: &mut State, area: Rect, position: Position) -> Vec<Effect> {
    let now = state.now;
    let Some(Overlay::Form(inquiry)) = &mut state.overlay else { return Vec::new() };
    let hit = view::hit(inquiry, area, &state.theme, position);
    let outcome = asking::clicked(inquiry, hit, now);
    form_done(state, outcome)
}

fn form_done(state: &mut State, outcome: Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::Closed => state.uncover(),
        Outcome::Filled(values) => {
            let Some(Overlay::Form(inquiry)) = state.overlay.take() else { return Vec::new() };
            state.uncover();
            return match inquiry.purpose {
                Purpose::Prompt(prompt) => prompts::fetch(state, &prompt, texts(values)),
                Purpose::Template(resource) => {
                    let uri = template::expand(&resource.uri, &values);
                    read(state, resource.server, uri)
                }
                Purpose::Question(_) => Vec::new(),
            };
        }
        Outcome::NotMine | Outcome::Moved | Outcome::Reply(_) | Outcome::Open(_) | Outcome::Copy(..) => {}
    }
    Vec::new()
}

fn texts(values: Map<String, Value>) -> BTreeMap<String, String> {
    values.into_iter().filter_map(|(name, value)| value.as_str().map(|text| (name, text.to_owned()))).collect()
}

/// The value that is being typed in a form of the program's own, or behind a prompt's name.
pub(super) fn typed(state: &State) -> Option<Typed> {
    if let Some(Overlay::Form(inquiry)) = &state.overlay {
        let (server, of) = inquiry.completes()?;
        let form = inquiry.form.as_ref()?;
        let (argument, value) = form.typed()?;
        let known = form.others().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        return Some(Typed { server: server.clone(), of, argument: argument.to_owned(), value: value.to_owned(), known });
    }
    let popup = state.popup.as_ref()?;
    crate::tui::popup::typed(&popup.token, &state.catalog)
}

/// Values came: they are shown where they are still wanted.
pub(super) fn completed(state: &mut State, typed: &Typed, values: &[String]) {
    /// Values that are kept.
    const VALUES_MAX: usize = 100;
    if !state.completing.wants(typed) {
        return;
    }
    let values: Vec<String> = values.iter().map(|value| clean_line(value)).filter(|value| *value != typed.value).take(VALUES_MAX).collect();
    if let Some(Overlay::Form(inquiry)) = &mut state.overlay {
        if let Some(form) = &mut inquiry.form {
            form.suggest(values);
        }
    } else if let Some(mut popup) = state.popup.take() {
        popup.values(values, state.sources());
        state.popup = Some(popup);
    }
}
