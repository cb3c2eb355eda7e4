//! README's tables of commands and keys are the rows that the program itself uses.
//!
//! `WAKEFUL_PICTURES=1` writes them.

use std::fmt::Write;
use std::path::Path;

use wakeful::tui::keymap::{Context, KEYS};
use wakeful::tui::slash::{COMMANDS, usage};

const BEGIN: &str = "<!-- keys:begin -->\n";
const END: &str = "<!-- keys:end -->";

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn tables() -> String {
    let mut out = String::from("## Commands and keys\n\n| in the chat | |\n| --- | --- |\n");
    for row in COMMANDS.iter().filter(|row| !matches!(row.name, "exit" | "q")) {
        writeln!(out, "| `{}` | {} |", cell(&usage(row)), cell(row.help)).unwrap();
    }
    for context in Context::ALL {
        writeln!(out, "\n| keys: {} | |\n| --- | --- |", context.title()).unwrap();
        for row in KEYS.iter().filter(|row| row.context == context) {
            let keys: Vec<String> = row.keys.iter().map(|key| format!("`{}`", cell(key))).collect();
            writeln!(out, "| {} | {} |", keys.join(" "), cell(row.help)).unwrap();
        }
    }
    out
}

#[test]
fn readme_lists_the_commands_and_keys_that_there_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = readme.split_once(BEGIN).expect("the tables' place");
    let (found, tail) = rest.split_once(END).expect("the tables' end");
    let wanted = tables();
    if std::env::var_os("WAKEFUL_PICTURES").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{wanted}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(found, wanted, "README lags behind: WAKEFUL_PICTURES=1 writes it");
}
