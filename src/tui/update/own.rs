//! The user's own commands: sends what one comes to.

use crate::domain::command::Delivery;
use crate::tui::composer::Token;
use crate::tui::msg::Effect;
use crate::tui::own::{OwnCommand, OwnCommands};
use crate::tui::slash;
use crate::tui::state::{State, Tone};
use crate::tui::update::{commands, compose};

/// What a typed command of the user's own comes to.
pub(super) struct Expanded {
    command: OwnCommand,
    text: String,
}

/// The files were read again. What is new among their mistakes is told.
pub(super) fn read(state: &mut State, own: OwnCommands) {
    let new = own.problems.iter().find(|problem| !state.own.problems.contains(problem));
    if let Some(problem) = new {
        let text = problem.text.clone();
        state.note(Tone::Bad, text);
    }
    state.own = own;
    super::refresh_rows(state);
}

/// Finds the command that was typed; `None` where it is none of the user's own. Those of the program come first, and
/// prompts of servers have a colon in their name.
pub(super) fn resolve(state: &State, text: &str) -> Option<Result<Expanded, String>> {
    let rest = text.trim().strip_prefix('/')?;
    let (name, args) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if slash::COMMANDS.iter().any(|row| row.name == name) {
        return None;
    }
    if let Some(command) = state.own.get(name) {
        return Some(command.expand(args).map(|text| Expanded { command: command.clone(), text }));
    }
    if let Some(problem) = state.own.problem(name) {
        return Some(Err(problem.to_owned()));
    }
    let is_name = !name.is_empty() && name.chars().all(|ch| ch.is_ascii_alphanumeric() || ch == '-' || ch == '_');
    let near = if is_name { state.own.nearest(name) } else { None };
    near.filter(|_| matches!(slash::parse(text), Some(Err(_))))
        .map(|near| Err(format!("unknown command `/{name}`; did you mean `/{near}`?")))
}

/// Sends it: as a prompt, whatever it begins with.
pub(super) fn run(state: &mut State, expanded: Expanded, delivery: Delivery) -> Vec<Effect> {
    let Expanded { command, text } = expanded;
    let mut effects = Vec::new();
    if let Some(model) = command.model.filter(|model| *model != state.session.model) {
        if let Some(providers) = commands::other_providers(state, &model) {
            state.note(Tone::Bad, format!("/{} wants `{model}`: no such provider; there are {providers}", command.name));
            return Vec::new();
        }
        state.note(Tone::Plain, format!("/{} answers with {model} from here on", command.name));
        effects.extend(commands::set_model(state, model));
    }
    effects.extend(compose::submit(state, &text, delivery));
    effects
}

/// The files are looked at again once somebody begins to type a command.
pub(super) fn look(before: Option<&Token>, now: Option<&Token>) -> Option<Effect> {
    let is_command = |token: Option<&Token>| matches!(token, Some(Token::Slash(_) | Token::Argument(..)));
    (is_command(now) && !is_command(before)).then_some(Effect::ReadOwn)
}
