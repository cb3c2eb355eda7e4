//! The help: made from the tables of keys and commands, so that it cannot be wrong.

use crate::tui::keymap::{Context, KEYS, Keymap};
use crate::tui::panels::{Row, TextPanel, heading};
use crate::tui::slash::{self, COMMANDS, mcp};
use crate::tui::theme::Key;

/// Width of the column of keys.
const KEYS_WIDTH: usize = 26;

/// Width of the column of commands.
const COMMANDS_WIDTH: usize = 26;

/// The help.
pub fn help(keymap: &Keymap) -> TextPanel {
    let mut rows = vec![heading("Commands")];
    for row in COMMANDS.iter().filter(|row| !matches!(row.name, "exit" | "q")) {
        if row.name == "mcp" {
            rows.extend(mcp::VERBS.iter().map(|row| line(&mcp::usage(row), COMMANDS_WIDTH, row.help)));
            continue;
        }
        let usage = slash::usage(row);
        if usage.chars().count() > COMMANDS_WIDTH {
            rows.push(vec![(Key::UiKey, format!("  {usage}"))]);
            rows.push(line("", COMMANDS_WIDTH, row.help));
        } else {
            rows.push(line(&usage, COMMANDS_WIDTH, row.help));
        }
    }
    rows.push(line("quit, exit, q, demo, simulate, tasks", COMMANDS_WIDTH, "work without the slash"));
    rows.push(line("/server:prompt [ARGUMENTS]", COMMANDS_WIDTH, "a prompt of a server: what is missing is asked for"));
    rows.push(line("@", COMMANDS_WIDTH, "completes files and resources of servers"));
    for context in Context::ALL {
        rows.push(Vec::new());
        rows.push(heading(&format!("Keys: {}", context.title())));
        for row in KEYS.iter().filter(|row| row.context == context) {
            let keys = keymap.chords(row.action).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            rows.push(line(&keys, KEYS_WIDTH, row.help));
        }
    }
    TextPanel::rows("help", rows)
}

fn line(name: &str, width: usize, help: &str) -> Row {
    vec![(Key::UiKey, format!("  {name:<width$} ")), (Key::UiPopup, help.to_owned())]
}
