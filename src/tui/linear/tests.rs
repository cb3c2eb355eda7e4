//! What a screen reader is told: once, in order, without decoration.

use super::*;
use crate::domain::event::{Status, TurnEnd};
use crate::tui::tests::Script;

#[test]
fn what_happens_is_said_once_and_in_order() {
    let mut script = Script::new(80, 24);
    let mut linear = Linear::default();
    let first = linear.lines(&script.state);
    assert!(first[0].starts_with("wakeful 0.1.0"), "{first:?}");
    assert_eq!(linear.lines(&script.state), Vec::<String>::new(), "nothing is new");
    script.said("What time is it?");
    let asked = linear.lines(&script.state);
    assert!(asked.iter().any(|line| line == "working; esc interrupts"), "{asked:?}");
    script.tool("time", "now", Status::Success, Some(serde_json::json!("12:00")), None);
    script.answered("It is **noon**.\nSharp.");
    script.finished(TurnEnd::Done, None);
    let said = linear.lines(&script.state).join("\n");
    let order: Vec<_> =
        ["you: What time is it?", "tool: ", "agent: It is **noon**.", "Sharp."].iter().map(|part| said.find(part)).collect();
    assert!(asked.join("\n").contains("you: What") || order[0].is_some(), "{said}");
    assert!(order[1..].iter().all(Option::is_some) && order[1..].is_sorted(), "{said}");
    assert!(!said.contains(['╭', '│', '─']), "{said}");
    assert_eq!(linear.lines(&script.state), Vec::<String>::new());
}

#[test]
fn the_greeting_is_said_once_with_what_can_be_picked() {
    let mut script = Script::unlinked(80, 24);
    let mut linear = Linear::default();
    let mut said = linear.lines(&script.state);
    script.link();
    said.extend(linear.lines(&script.state));
    script.said("hello");
    said.extend(linear.lines(&script.state));
    let said = said.join("\n");
    assert_eq!(said.matches("I am built in and follow rules").count(), 1, "{said}");
    assert!(said.contains("\n1: What can you do?\n2: ") && !said.contains("**"), "{said}");
}

#[test]
fn questions_panels_and_notes_are_said() {
    let mut script = Script::new(80, 24);
    let mut linear = Linear::default();
    linear.lines(&script.state);
    script.said("write");
    script.asks(false, None);
    let asked = linear.lines(&script.state).join("\n");
    assert!(asked.contains("write this file?") && asked.contains("write_file") && asked.contains("1 Yes"), "{asked}");
    let mut lists = Script::new(80, 24);
    let mut linear = Linear::default();
    linear.lines(&lists.state);
    lists.type_text("/theme");
    lists.keys(&["esc", "enter"]);
    assert!(linear.lines(&lists.state).join("\n").contains("themes\n1 of "));
    lists.key("down");
    assert!(linear.lines(&lists.state).join("\n").starts_with("2 of "));
    lists.key("esc");
    assert_eq!(linear.lines(&lists.state), ["closed"]);
    lists.type_text("/nonsense");
    lists.keys(&["esc", "enter"]);
    assert!(linear.lines(&lists.state)[0].starts_with("error: unknown command"));
}

#[test]
fn the_last_line_is_what_is_typed_and_never_breaks() {
    let mut script = Script::new(80, 24);
    assert_eq!(prompt(&script.state, 80), Prompt { text: "message: ".into(), column: 9 });
    script.type_text("中文 and more");
    script.key("ctrl+b");
    assert_eq!(prompt(&script.state, 80), Prompt { text: "message: 中文 and more".into(), column: 21 });
    for width in 10..40 {
        let prompt = prompt(&script.state, width);
        assert!(prompt.text.width() < usize::from(width) && prompt.column < width, "{width}: {prompt:?}");
    }
}

#[test]
fn nothing_moves_by_itself() {
    let mut script = Script::new(80, 24);
    script.said("work");
    script.state.options.screen_reader = true;
    let wake = script.state.next_wake();
    assert!(wake.is_none_or(|at| at.since(script.state.now) >= std::time::Duration::from_secs(10)), "{wake:?}");
}
