//! Prompts as commands: arguments are read, what is missing is asked for, the text goes to the agent as the user's own.

use std::collections::BTreeMap;

use crate::domain::catalog::PromptInfo;
use crate::domain::command::Delivery;
use crate::domain::ids::ServerName;
use crate::domain::text::clean_line;
use crate::tui::catalog::{command_name, given};
use crate::tui::msg::{Effect, Query};
use crate::tui::panels::Overlay;
use crate::tui::panels::picker::{Pick, PickKind, PickRow, Picker};
use crate::tui::popup::about;
use crate::tui::question::Inquiry;
use crate::tui::state::{State, Tone};
use crate::tui::update::{commands, compose};

/// A prompt's text that is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetching {
    server: ServerName,
    name: String,
}

/// What a typed prompt comes to.
pub(super) struct Resolved {
    prompt: PromptInfo,
    given: Vec<(String, String)>,
}

/// Finds the prompt that was typed and reads its arguments.
///
/// # Errors
/// One sentence for the user.
pub(super) fn resolve(state: &State, name: &str, args: &str) -> Result<Resolved, String> {
    let shown = clean_line(name);
    let Some(prompt) = state.catalog.prompt(name) else {
        return Err(if state.catalog.prompts.known {
            format!("no prompt `/{shown}`; `/mcp prompts` lists all")
        } else {
            format!("`/{shown}`: the servers are still being asked for their prompts; try again in a moment")
        });
    };
    let given = given(prompt, args).map_err(|reason| format!("`/{shown}`: {reason}"))?;
    Ok(Resolved { prompt: prompt.clone(), given })
}

/// Sends a prompt, or asks for what it lacks.
pub(super) fn run(state: &mut State, resolved: Resolved) -> Vec<Effect> {
    let Resolved { prompt, given } = resolved;
    let has = |name: &str| given.iter().any(|(known, value)| known == name && !value.trim().is_empty());
    let missing = prompt.arguments.iter().any(|argument| argument.required && !has(&argument.name));
    if missing {
        state.over(Overlay::Form(Box::new(Inquiry::prompt(prompt, &given))));
        return Vec::new();
    }
    fetch(state, &prompt, given.into_iter().collect())
}

/// Asks for a prompt's text.
pub(super) fn fetch(state: &mut State, prompt: &PromptInfo, arguments: BTreeMap<String, String>) -> Vec<Effect> {
    if !commands::is_ready(state) {
        return Vec::new();
    }
    state.note(Tone::Plain, format!("asking for /{}", command_name(prompt)));
    state.fetching = Some(Fetching { server: prompt.server.clone(), name: prompt.name.clone() });
    vec![Effect::Ask(Query::Prompt { server: prompt.server.clone(), name: prompt.name.clone(), arguments })]
}

/// A prompt's text came, or why it did not; one that nobody waits for any more is dropped.
pub(super) fn fetched(state: &mut State, server: &ServerName, name: &str, result: Result<String, String>) -> Vec<Effect> {
    let wanted = Fetching { server: server.clone(), name: name.to_owned() };
    if state.fetching.as_ref() != Some(&wanted)
        && let Some(position) = state.tabs.find(|tab| tab.fetching.as_ref() == Some(&wanted))
    {
        // It was asked for in a tab that is hidden by now: there it is sent.
        return state.behind(position, |state| fetched(state, server, name, result)).unwrap_or_default();
    }
    if state.fetching.take_if(|fetching| *fetching == wanted).is_none() {
        return Vec::new();
    }
    match result {
        Ok(text) if text.trim().is_empty() => state.note(Tone::Bad, format!("`{}` gave an empty prompt", clean_line(server.as_str()))),
        Ok(text) => {
            state.toast = None;
            return compose::submit(state, text.trim(), Delivery::Steer);
        }
        Err(reason) => state.note(Tone::Bad, reason),
    }
    Vec::new()
}

/// The list of prompts, narrowed to a server.
pub(super) fn list(state: &mut State, server: Option<&ServerName>) -> Vec<Effect> {
    if !commands::is_ready(state) {
        return Vec::new();
    }
    let mut picker = if state.catalog.prompts.known {
        Picker::new(PickKind::ServerPrompts, Vec::new())
    } else {
        Picker::waiting(PickKind::ServerPrompts)
    };
    if let Some(server) = server {
        picker.narrow_by(&format!("{server}:"));
    }
    state.over(Overlay::Pick(picker));
    fill(state);
    Vec::new()
}

/// Puts the prompts into the list, where that is open.
pub(super) fn fill(state: &mut State) {
    let rows = match (&state.catalog.prompts.error, state.catalog.prompts.known) {
        (Some(reason), _) => Err(reason.clone()),
        (None, false) => return,
        (None, true) => Ok(rows(state)),
    };
    if let Some(Overlay::Pick(picker)) = &mut state.overlay
        && picker.kind == PickKind::ServerPrompts
    {
        picker.fill(rows);
    }
}

fn rows(state: &State) -> Vec<PickRow> {
    let row = |prompt: &PromptInfo| {
        let name = format!("/{}", command_name(prompt));
        let label = format!("{name} {}", crate::tui::catalog::arguments_of(prompt));
        PickRow::new(Pick::ServerPrompt(name), &label, &about(prompt))
    };
    state.catalog.prompts.rows().iter().map(row).collect()
}
