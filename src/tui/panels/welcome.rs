//! The first words on an empty screen.

use crate::tui::Surroundings;
use crate::tui::transcript::Welcome;

/// Suggestions that are offered.
pub const SUGGESTIONS_MAX: usize = 3;

/// How the greeting leads over to the suggestions.
pub const INVITATION: &str = " Pick one with its number, or type your own:";

/// The greeting for sessions with `model` (`provider/model`; empty while unknown).
pub fn welcome(surroundings: &Surroundings, model: &str) -> Welcome {
    let name = format!("**wakeful {}**", surroundings.version);
    let suggestions: Vec<String> = surroundings.suggestions.iter().take(SUGGESTIONS_MAX).cloned().collect();
    let pick = if suggestions.is_empty() { "" } else { INVITATION };
    let (text, footer) = if model.starts_with("offline") {
        let text = format!(
            "{name} · **offline assistant**\n\nI am built in and follow rules: no language model, no key, no network. \
             I understand requests for every tool that is connected here.{pick}"
        );
        (text, "for a real model: set OPENAI_API_KEY or add a provider to the config, then /model · ? shows all keys")
    } else if model.is_empty() {
        (name, "? shows all keys · / shows all commands")
    } else {
        (
            format!("{name} · {}\n\nAsk for anything.{pick}", crate::domain::text::clean_line(model)),
            "? shows all keys · / shows all commands",
        )
    };
    Welcome { text, suggestions, footer: footer.to_owned() }
}
