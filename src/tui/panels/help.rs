//! The help: made from the tables of keys and commands, so that it cannot be wrong.

use unicode_width::UnicodeWidthStr;

use crate::tui::keymap::{Context, KEYS, Keymap};
use crate::tui::own::OwnCommands;
use crate::tui::panels::{Row, TextPanel, heading};
use crate::tui::slash::{self, COMMANDS, mcp};
use crate::tui::theme::Key;

/// Width of the column of keys.
const KEYS_WIDTH: usize = 26;

/// Width of the column of commands.
const COMMANDS_WIDTH: usize = 26;

/// The help, commands first.
pub fn help(keymap: &Keymap, own: &OwnCommands) -> TextPanel {
    let mut rows = commands(own);
    rows.push(Vec::new());
    rows.extend(keys(keymap, &Context::ALL));
    TextPanel::rows("help", rows)
}

/// The help for whoever asks for keys: those of `context`, then those that count everywhere, then the others and the commands.
pub fn help_with_keys(keymap: &Keymap, own: &OwnCommands, context: Context) -> TextPanel {
    let mut order = vec![context];
    order.extend([Context::Global].into_iter().chain(Context::ALL));
    let mut seen = Vec::new();
    order.retain(|context| {
        !seen.contains(context) && {
            seen.push(*context);
            true
        }
    });
    let mut rows = keys(keymap, &order);
    rows.push(Vec::new());
    rows.extend(commands(own));
    TextPanel::rows("help", rows)
}

fn keys(keymap: &Keymap, contexts: &[Context]) -> Vec<Row> {
    let mut rows = Vec::new();
    for context in contexts {
        if !rows.is_empty() {
            rows.push(Vec::new());
        }
        rows.push(heading(&format!("Keys: {}", context.title())));
        for row in KEYS.iter().filter(|row| row.context == *context) {
            let keys = keymap.chords(row.action).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            rows.push(line(&keys, KEYS_WIDTH, row.help));
        }
    }
    rows
}

fn commands(own: &OwnCommands) -> Vec<Row> {
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
    rows.extend(own_rows(own));
    rows
}

/// The user's own commands, and what is wrong with their files.
fn own_rows(own: &OwnCommands) -> Vec<Row> {
    if own.list.is_empty() && own.problems.is_empty() {
        return vec![line("/your own", COMMANDS_WIDTH, "Markdown files in the folder commands/ of the config: /name ARGUMENTS")];
    }
    let mut rows = vec![Row::new(), heading("Your commands")];
    for command in &own.list {
        let usage = command.usage();
        if usage.width() > COMMANDS_WIDTH {
            rows.push(vec![(Key::UiKey, format!("  {usage}"))]);
            rows.push(line("", COMMANDS_WIDTH, &command.description));
        } else {
            rows.push(line(&usage, COMMANDS_WIDTH, &command.description));
        }
    }
    rows.extend(own.problems.iter().map(|problem| vec![(Key::StatusError, format!("  {}", problem.text))]));
    rows
}

fn line(name: &str, width: usize, help: &str) -> Row {
    vec![(Key::UiKey, format!("  {name:<width$} ")), (Key::UiPopup, help.to_owned())]
}
