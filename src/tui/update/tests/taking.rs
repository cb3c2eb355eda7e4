//! Taking things out of the chat: items, parts, marked rows, links, the whole of it.

use super::*;
use crate::tui::clipboard::{Program, TERMINAL_BYTES_MAX};
use crate::tui::emulator::Wrap;
use crate::tui::transcript::Target;

const ANSWER: &str =
    "Both:\n\n```rust\nfn main() {}\n```\n\nand\n\n```sh\nls -l\n```\n\nSee <https://a.example/x> or [b](https://b.example/y).";

/// A chat with a call and an answer; the keys are the chat's, the answer is selected.
fn chat() -> Script {
    let mut script = ready();
    script.said("hello");
    script.tool("time", "now", Status::Started, None, None);
    script.tool("time", "now", Status::Success, Some(json!("12:00\nin Tokyo")), None);
    script.answered(ANSWER);
    script.keys(&["f6"]);
    assert_eq!(script.state.focus, Focus::Chat);
    script.effects.clear();
    script
}

fn copied(script: &mut Script) -> String {
    let effects = std::mem::take(&mut script.effects);
    let found = effects.into_iter().find_map(|effect| match effect {
        Effect::Copy(text) | Effect::CopyByTerminal(text) => Some(text),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("nothing was copied in\n{}", script.text()))
}

fn note(script: &Script) -> String {
    script.state.toast.as_ref().map(|toast| toast.text.clone()).unwrap_or_default()
}

#[test]
fn y_copies_what_was_said_and_of_a_call_its_result() {
    let mut script = chat();
    script.key("y");
    assert_eq!(copied(&mut script), ANSWER);
    assert_eq!(note(&script), "copied 13 lines to the clipboard (OSC 52)");
    script.keys(&["k", "y"]);
    assert_eq!(copied(&mut script), "12:00\nin Tokyo");
    script.keys(&["k", "y"]);
    assert_eq!(copied(&mut script), "hello");
}

#[test]
fn c_copies_one_part_of_several() {
    let mut script = chat();
    script.key("c");
    insta::assert_snapshot!(script.picture());
    script.keys(&["down", "enter"]);
    assert_eq!(copied(&mut script), "ls -l");
    assert!(script.state.overlay.is_none());
    // Of a call its parts by name.
    script.keys(&["k", "c"]);
    script.type_text("argu");
    script.key("enter");
    assert_eq!(copied(&mut script), "{\n  \"timezone\": \"Asia/Tokyo\"\n}");
    // Where there is only one thing nothing is asked.
    script.keys(&["k", "c"]);
    assert_eq!(copied(&mut script), "hello");
}

#[test]
fn a_program_for_the_clipboard_says_itself_how_it_went() {
    let mut script = chat();
    script.state.surroundings.emulator.clipboards = vec![Program::WlCopy];
    script.key("y");
    assert!(script.effects.contains(&Effect::Copy(ANSWER.to_owned())), "{:?}", script.effects);
    assert_eq!(note(&script), "");
    script.send(Msg::Copied(13, Ok("wl-copy")));
    assert_eq!(note(&script), "copied 13 lines to the clipboard (wl-copy)");
    // Where none works the terminal is left.
    script.state.surroundings.emulator.wrap = Wrap::Tmux;
    script.effects.clear();
    script.send(Msg::Copied(13, Err(ANSWER.to_owned())));
    assert_eq!(copied(&mut script), ANSWER);
    assert_eq!(note(&script), "copied 13 lines to the clipboard (OSC 52 through tmux)");
}

#[test]
fn what_is_too_long_for_the_terminal_is_not_copied() {
    let mut script = ready();
    script.said("hello");
    script.answered(&"x".repeat(TERMINAL_BYTES_MAX + 1));
    script.keys(&["f6", "y"]);
    assert!(script.effects.iter().all(|effect| !matches!(effect, Effect::Copy(_) | Effect::CopyByTerminal(_))));
    assert!(note(&script).contains("75 kB") && note(&script).contains("/export"), "{}", note(&script));
}

#[test]
fn rows_are_marked_by_keys_and_copied() {
    let mut script = chat();
    script.keys(&["g", "shift+v"]);
    script.keys(&["j", "j"]);
    insta::assert_snapshot!(script.picture());
    script.key("y");
    let first = copied(&mut script);
    assert!(first.lines().count() <= 3, "{first}");
    assert_eq!(script.state.chat.mark, None);
    // From the end to the very first row, at the other end back a row, and up with Enter.
    script.keys(&["shift+g", "shift+v", "g", "shift+g", "o", "up", "enter"]);
    let all = copied(&mut script);
    assert!(all.contains("fn main() {}") && all.contains("https://b.example/y"), "{all}");
    // What is common on the left is not copied; nothing of the frame is.
    assert!(!all.contains('│') && all.lines().any(|line| line.starts_with("See ")), "{all}");
}

#[test]
fn marking_ends_with_escape_and_with_other_keys() {
    let mut script = chat();
    script.keys(&["shift+v", "up", "esc"]);
    assert_eq!((script.state.chat.mark, script.state.focus), (None, Focus::Chat));
    script.keys(&["shift+v", "ctrl+end"]);
    assert_eq!(script.state.chat.mark, None);
    script.keys(&["shift+v", "pgup"]);
    assert!(script.state.chat.mark.is_some());
    // Ctrl+C copies a selection.
    script.key("ctrl+c");
    assert!(!copied(&mut script).is_empty() && script.state.chat.mark.is_none());
}

#[test]
fn a_mark_scrolls_with_its_caret_and_stays_where_it_is_while_more_comes() {
    let mut script = Script::new(100, 40);
    script.said("hello");
    for at in 0..60 {
        script.answered(&format!("answer {at}"));
    }
    script.keys(&["f6", "shift+v"]);
    for _ in 0..40 {
        script.key("k");
    }
    assert!(script.text().contains("answer 40") && !script.text().contains("answer 59"), "{}", script.text());
    script.answered("answer 60");
    assert!(script.text().contains("answer 40"));
    script.key("y");
    let text = copied(&mut script);
    assert!(text.starts_with("answer 39") && text.ends_with("answer 59"), "{text}");
}

#[test]
fn o_opens_links_and_saved_files() {
    let mut script = chat();
    script.key("o");
    insta::assert_snapshot!(script.picture());
    script.keys(&["down", "enter"]);
    assert!(script.effects.contains(&Effect::Open("https://b.example/y".into())), "{:?}", script.effects);
    script.tool("shots", "take", Status::Started, None, None);
    script.tool("shots", "take", Status::Success, Some(json!("[image image/png 12 kB: /state/results/ab.png]")), None);
    script.keys(&["shift+g", "o"]);
    assert!(script.effects.contains(&Effect::OpenFile("/state/results/ab.png".into())), "{:?}", script.effects);
    script.keys(&["g", "o"]);
    assert_eq!(note(&script), "there is no link and no saved file in it");
    assert_eq!(script.state.transcript.targets(script.state.chat.selected.unwrap()), Vec::<Target>::new());
}

#[test]
fn the_chat_can_be_printed_into_the_scrollback() {
    let mut script = chat();
    script.key("[");
    let rows = script.effects.iter().find_map(|effect| if let Effect::Dump(rows) = effect { Some(rows.clone()) } else { None }).unwrap();
    let text: Vec<String> = rows.iter().map(ToString::to_string).collect();
    assert!(text.iter().any(|row| row == "you   hello"), "{text:?}");
    assert!(text.iter().any(|row| row.contains("time · now")) && text.iter().any(|row| row.contains("fn main() {}")), "{text:?}");
}

#[test]
fn what_comes_while_something_above_is_read_is_counted() {
    let mut script = ready();
    script.said("hello");
    for at in 0..60 {
        script.answered(&format!("answer {at}"));
    }
    assert!(!script.text().contains(" new · "));
    script.key("pgup");
    assert!(!script.text().contains(" new · "));
    for at in 0..12 {
        script.answered(&format!("later {at}"));
    }
    assert!(script.text().contains("↓ 12 new · ctrl+end"), "{}", script.text());
    insta::assert_snapshot!(script.picture());
    script.key("ctrl+end");
    assert!(!script.text().contains(" new · ") && script.text().contains("later 11"));
}
