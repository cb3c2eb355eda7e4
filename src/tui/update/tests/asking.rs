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
    check(&["tab", "enter"], Decision::Allow { scope: Scope::Once });
    check(&["tab", "down", "enter"], Decision::Allow { scope: Scope::Tool });
    check(&["tab", "tab", "a"], Decision::Allow { scope: Scope::Server });
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
