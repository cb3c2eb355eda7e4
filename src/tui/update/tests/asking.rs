//! Questions about tool calls: what answers them, and what does not.

use super::mouse::{click, find};
use super::*;

#[test]
fn no_key_answers_a_question_in_the_first_half_second() {
    let mut script = running();
    script.asks(false, None);
    script.wait(300);
    script.keys(&["enter", "1"]);
    assert!(script.commands().is_empty());
    // Whoever types on is not asked yet.
    script.type_text("wh");
    script.wait(300);
    script.type_text("y");
    script.wait(300);
    script.keys(&["1", "enter"]);
    assert!(script.commands().is_empty());
    assert!(script.state.composer.is_empty());
    script.wait(600);
    script.key("y");
    let allow = Decision::Allow { scope: Scope::Once };
    assert!(matches!(script.commands().as_slice(), [Command::Decide { decision, .. }] if *decision == allow));
    assert!(script.state.approvals.is_empty());
}

#[test]
fn answers_have_numbers_letters_and_reach() {
    let check = |keys: &[&str], expected: Decision| {
        let mut script = running();
        script.asks(false, None);
        script.wait(600);
        script.keys(keys);
        let commands = script.commands();
        assert!(matches!(commands.as_slice(), [Command::Decide { decision, .. }] if *decision == expected), "{keys:?}: {commands:?}");
    };
    check(&["1"], Decision::Allow { scope: Scope::Once });
    check(&["enter"], Decision::Allow { scope: Scope::Once });
    check(&["a"], Decision::Allow { scope: Scope::Session });
    check(&["2"], Decision::Allow { scope: Scope::Session });
    check(&["tab", "enter"], Decision::Allow { scope: Scope::Session });
    check(&["tab", "tab", "enter"], Decision::Allow { scope: Scope::Tool });
    check(&["tab", "tab", "tab", "a"], Decision::Allow { scope: Scope::Server });
    check(&["tab", "up", "enter"], Decision::Allow { scope: Scope::Once });
    check(&["3", "enter"], Decision::Refuse { instead: None });
    check(&["esc", "esc"], Decision::Refuse { instead: None });
    check(&["down", "down", "enter", "l", "s", "enter"], Decision::Refuse { instead: Some("ls".into()) });
}

#[test]
fn a_question_that_cannot_be_seen_takes_no_answer_and_waits_anew() {
    let mut script = running();
    script.asks(false, None);
    script.wait(600);
    script.send(Msg::Resize(30, 8));
    script.key("y");
    script.send(Msg::Resize(120, 40));
    script.key("ctrl+u");
    script.key("y");
    assert!(script.commands().is_empty());
    script.wait(600);
    script.key("y");
    assert!(matches!(script.commands().as_slice(), [Command::Decide { .. }]));
}

#[test]
fn all_that_would_run_can_be_read() {
    let mut script = running();
    script.asks(false, Some(&format!("+ls \u{1b}]0;{}the end\u{7}", "x".repeat(400))));
    let body = script.state.approvals.front().unwrap().body();
    let text: String = body.iter().flatten().map(|(_, text)| text.trim_start()).collect();
    assert!(body.len() > 3 && text.starts_with("+ls \\u{1b}]0;xxx") && text.ends_with("the end\\u{7}"), "{text}");
    script.state.approvals.clear();
    script.asks(false, Some(&"line\n".repeat(20_007)));
    let last = script.state.approvals.front().unwrap().body().last().unwrap().clone();
    assert_eq!(last[0].1, "… 7 more lines not shown");
}

#[test]
fn no_is_preselected_for_what_may_destroy() {
    let mut script = running();
    script.asks(true, None);
    script.wait(600);
    script.key("enter");
    assert!(script.commands().is_empty());
    assert_eq!(script.state.refusing, Some(CallId::new("call-ask")));
}

#[test]
fn no_to_a_call_of_ones_own_asks_for_nothing_instead() {
    let mut script = running();
    script.asks(false, None);
    script.state.approvals[0].approval.own = true;
    assert!(script.text().contains("3 No (esc)"), "{}", script.text());
    script.wait(600);
    script.key("esc");
    assert_eq!(script.state.refusing, None);
    assert!(matches!(script.commands().as_slice(), [Command::Decide { decision: Decision::Refuse { instead: None }, .. }]));
}

#[test]
fn a_click_in_the_first_half_second_does_not_answer() {
    let mut script = running();
    script.asks(false, None);
    let yes = find(&script, "1 Yes, once");
    click(&mut script, yes);
    assert!(script.commands().is_empty());
    script.wait(600);
    click(&mut script, yes);
    assert!(matches!(script.commands().as_slice(), [Command::Decide { .. }]));
}

#[test]
fn a_letter_of_the_message_that_is_being_written_is_no_answer() {
    let mut script = running();
    script.type_text("b");
    script.asks(false, None);
    script.wait(2_000);
    script.type_text("and y1");
    assert_eq!(script.commands(), []);
    assert_eq!(script.state.composer.raw(), "band y1");
    assert!(script.text().contains("tab to answer"), "{}", script.text());
    // Enter sends the message and the next letters wait anew.
    script.key("enter");
    assert_eq!(submitted(&mut script), [("band y1".to_owned(), When::Steer)]);
    script.key("y");
    assert_eq!(script.commands(), []);
    script.wait(600);
    script.key("y");
    assert!(matches!(script.commands().as_slice(), [Command::Decide { .. }]));
}

#[test]
fn tab_gives_the_question_the_keys_while_a_message_is_being_written() {
    for take in ["tab", "esc", "f6"] {
        let mut script = running();
        script.type_text("half a mess");
        script.asks(false, None);
        script.wait(600);
        script.keys(&[take, "y"]);
        assert_eq!(script.commands(), [], "{take}: at once no key answers");
        script.wait(600);
        script.key("y");
        let allow = Decision::Allow { scope: Scope::Once };
        assert!(matches!(script.commands().as_slice(), [Command::Decide { decision, .. }] if *decision == allow), "{take}");
        assert_eq!(script.state.composer.raw(), "half a mess");
    }
}

#[test]
fn what_is_pasted_while_a_message_is_being_written_goes_into_it() {
    let mut script = running();
    script.type_text("a");
    script.asks(false, None);
    script.wait(600);
    script.send(Msg::Paste("ay".into()));
    assert_eq!(script.state.composer.raw(), "aay");
    assert_eq!(script.commands(), []);
}

#[test]
fn the_question_says_what_is_asked_and_is_grave_only_where_something_would_be_lost() {
    let asked = |tool: (&str, &str), command: &str, preview: Option<&str>| {
        let mut script = running();
        script.asks(true, preview);
        let approval = &mut script.state.approvals[0].approval;
        (approval.service_name, approval.tool_name) = (tool.0.into(), tool.1.to_owned());
        approval.arguments.insert("command".to_owned(), command.into());
        script.state.approvals[0].title()
    };
    let shell = ("system", "run_command");
    for (command, grave) in [
        ("ls -la", false),
        ("cargo test | head", false),
        ("rm -rf x", true),
        ("a;/bin/rm x", true),
        ("echo x > y", true),
        ("sudo ls", true),
    ] {
        assert_eq!(asked(shell, command, None), ("run this command? it can change files", grave), "{command}");
    }
    assert_eq!(asked(("files", "write_file"), "", Some("--- /dev/null\n+++ b/a")), ("write this new file?", false));
    assert_eq!(asked(("files", "edit_file"), "", Some("--- a/a\n+++ b/a")), ("change this file?", true));
    assert_eq!(asked(("other", "drop"), "", None), ("allow this? it may destroy something", true));
}
