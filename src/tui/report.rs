//! The report that `/bug` writes: what is set up and what went wrong, without what was said and without secrets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use crate::domain::query::ServerState;
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::keymap::{KEYS, trial};
use crate::tui::settings::Current;
use crate::tui::state::{LinkState, State};
use crate::tui::theme::Key;

/// Errors that are listed, the latest ones.
const ERRORS_MAX: usize = 20;

/// Events that are looked through for them.
const LOOKED_MAX: u64 = 10_000;

/// Characters of one line.
const LINE_CHARS_MAX: usize = 300;

/// What may be a secret in a text: keys of known makes, bearer tokens, users and passwords in addresses, values behind
/// telling names, and anything long without a blank that looks like chance.
static SECRETS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let patterns = [
        (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}", "$1 ••••"),
        (r"//[^/@\s]+@", "//••••@"),
        (r"(?i)([\w-]*(?:key|token|secret|password|passwd|authorization|cookie)[\w-]*[\x22']?\s*[=:]\s*[\x22']?)[^\s&\x22',;]+", "$1••••"),
        (r"\b(?:sk|pk|ghp|gho|xox[a-z]|glpat|AKIA)[-_A-Za-z0-9]{10,}", "••••"),
        (r"\b[A-Za-z0-9+/_-]{40,}={0,2}", "••••"),
    ];
    patterns.into_iter().filter_map(|(pattern, with)| Some((Regex::new(pattern).ok()?, with))).collect()
});

/// `text` on one line, without what may be a secret.
pub(crate) fn redacted(text: &str) -> String {
    let line = SECRETS.iter().fold(clean_line(text), |text, (pattern, with)| pattern.replace_all(&text, *with).into_owned());
    ellipsis(&line, LINE_CHARS_MAX).into_owned()
}

/// The report, but for the settings.
pub(crate) fn report(state: &State) -> String {
    let mut out = String::from("# wakeful: report of a fault\n\nWhat happened, and what should have:\n\n\n## Program\n\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "- {name}: {}", redacted(value));
    };
    line("version", &state.surroundings.version);
    line("system", &format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    line("model", &state.session.model);
    line("approvals", state.session.mode.as_str());
    let link = match &state.link {
        LinkState::Waiting => "starting".to_owned(),
        LinkState::Ready => "running".to_owned(),
        LinkState::Down(reason) => format!("stopped: {reason}"),
    };
    line("state", &link);
    line("window", &format!("{}×{}", state.size.0, state.size.1));
    line("theme", &format!("{} ({:?}, {:?})", state.theme.name(), state.theme.depth(), state.theme.icons()));
    for (name, value) in &state.surroundings.terminal {
        // Addresses of sockets and the like tell nothing: that they are there does.
        let value = if ["TMUX", "ZELLIJ", "SSH_TTY", "WT_SESSION"].contains(&name.as_str()) { "set" } else { value };
        line(name, value);
    }
    let changed: Vec<&str> = KEYS.iter().filter(|row| trial::is_changed(&state.keymap, row)).map(|row| row.name).collect();
    line("keys of one's own", if changed.is_empty() { "none" } else { "" });
    for name in changed {
        line("key", name);
    }
    for problem in &state.own.problems {
        line("command file", &problem.text);
    }
    out.push_str("\n## Servers\n\n");
    for server in state.servers.rows() {
        let how = match &server.status {
            ServerState::Ready => format!("ready, {} tools, {} calls, {} failed", server.tools, server.calls, server.failures),
            ServerState::Failing { reason, attempt, .. } => format!("failing, try {attempt}: {reason}"),
            ServerState::Failed { reason } => format!("failed: {reason}"),
            ServerState::Connecting => "connecting".to_owned(),
            ServerState::Disabled => "off".to_owned(),
        };
        let protocol = server.protocol.as_deref().unwrap_or("–");
        let _ = writeln!(out, "- {} ({}, {protocol}): {}", redacted(server.name.as_str()), server.transport, redacted(&how));
    }
    out.push_str("\n## Latest errors\n\n");
    let all = state.events.total();
    let errors = (all.saturating_sub(LOOKED_MAX)..all).rev().filter_map(|index| state.events.entry(index));
    for entry in errors.filter(|entry| entry.line().key == Key::EventError).take(ERRORS_MAX) {
        let detail = entry.line().detail.as_deref().unwrap_or_default();
        let _ = writeln!(out, "- {} {} {}", entry.event.at.timestamp(), redacted(&entry.line().text), redacted(detail));
    }
    out
}

/// The part about the settings: those of the table, and where each comes from.
pub(crate) fn settings(settings: Option<Result<BTreeMap<String, Current>, String>>) -> String {
    let mut out = String::from("\n## Settings\n\n");
    match settings {
        None => {}
        Some(Err(reason)) => {
            let _ = writeln!(out, "- could not be read: {}", redacted(&reason));
        }
        Some(Ok(current)) => {
            for (key, current) in current.iter().filter(|(_, current)| current.origin != "default") {
                let value = current.value.as_ref().map(crate::tui::settings::Value::shown).unwrap_or_default();
                let _ = writeln!(out, "- {key} = {} ({})", redacted(&value), redacted(&current.origin));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::domain::event::ErrorEvent;
    use crate::tui::tests::Script;

    #[test]
    fn what_may_be_a_secret_is_masked() {
        for text in [
            "sent Bearer abcdef123456",
            "https://me:hunter2@host/x",
            "OPENAI_API_KEY=hunter2hunter2",
            "{\"token\": \"hunter2\"}",
            "sk-proj-abcdefhunter2",
            "ghp_abcdefghij0123456789hunter2",
            "blob 0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            let out = redacted(text);
            assert!(out.contains("••••") && !out.contains("hunter2") && !out.contains("123456"), "{out}");
        }
        assert_eq!(redacted("connection refused by 127.0.0.1:8080"), "connection refused by 127.0.0.1:8080");
    }

    #[test]
    fn the_report_tells_errors_and_servers_and_nothing_that_was_said() {
        let mut script = Script::new(80, 24);
        script.servers();
        script.said("a private question");
        script.answered("a private answer");
        script.feed(ErrorEvent { message: "refused: Bearer abcdef123456".into(), source: "llm".into(), details: Value::Null });
        let text = report(&script.state);
        for part in ["version: 0.1.0", "window: 80×24", "github", "connection refused", "refused: Bearer ••••"] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
        assert!(!text.contains("private") && !text.contains("abcdef"), "{text}");
    }
}
