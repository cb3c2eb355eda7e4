//! Questions of servers: what answers them, what does not, and who comes first.

use serde_json::Value;

use super::mouse::{click, find};
use super::*;
use crate::domain::question::{Reply, ReplyAction};
use crate::tui::tests::asking::{first_run, form, sampling, tools_changed, url};

fn asked(ask: Value) -> Script {
    let mut script = running();
    script.question("q1", ask);
    script.wait(600);
    script
}

fn replies(script: &mut Script) -> Vec<Reply> {
    let replies = script.commands().into_iter().filter_map(|command| match command {
        Command::Reply { reply, .. } => Some(reply),
        _ => None,
    });
    replies.collect()
}

#[test]
fn no_key_answers_in_the_first_half_second_and_nothing_typed_ahead_gets_into_a_field() {
    for ask in [form(), url(), sampling(), first_run(), tools_changed()] {
        let mut script = running();
        script.question("q1", ask.clone());
        script.type_text("ing y1");
        script.keys(&["enter", "ctrl+enter", "esc"]);
        script.send(Msg::Paste("y\n".into()));
        script.wait(300);
        script.keys(&["y", "enter"]);
        script.wait(300);
        script.key("enter");
        assert_eq!(replies(&mut script), [], "{ask}");
        assert_eq!(script.state.composer.raw(), "");
        if let Some(form) = &script.state.questions[0].form {
            assert!(!form.touched);
        }
    }
}

#[test]
fn a_message_that_is_being_written_keeps_the_keys_until_tab() {
    for ask in [form(), url(), sampling(), first_run(), tools_changed()] {
        let mut script = running();
        script.type_text("I am typ");
        script.question("q1", ask.clone());
        script.wait(2_000);
        script.type_text("ing y1");
        assert_eq!(replies(&mut script), [], "{ask}");
        assert_eq!(script.state.composer.raw(), "I am typing y1", "{ask}");
        script.key("tab");
        script.wait(600);
        script.type_text("n");
        assert_eq!(script.state.composer.raw(), "I am typing y1", "{ask}");
    }
}

#[test]
fn a_form_is_filled_in_and_sent() {
    let mut script = asked(form());
    script.type_text("Ada");
    script.keys(&["tab", "tab"]);
    script.send(Msg::Paste("\n".into()));
    script.key("ctrl+u");
    script.type_text("7");
    script.keys(&["tab", "y", "tab", "tab", "2", "enter"]);
    let values = json!({"name": "Ada", "seats": 7, "lunch": true, "day": "tue", "topics": ["a", "b"]});
    assert_eq!(replies(&mut script), [Reply::Accept { values: values.as_object().unwrap().clone() }]);
    assert!(script.state.questions.is_empty());
    // What was filled in is nowhere on the screen.
    script.replied("q1", ReplyAction::Accept, None);
    let screen = script.text();
    assert!(screen.contains("everything asks: Please register for the meeting. · accepted") && !screen.contains("Ada"), "{screen}");
}

#[test]
fn a_form_that_is_not_right_is_not_sent() {
    let mut script = asked(form());
    script.key("ctrl+enter");
    assert_eq!(replies(&mut script), []);
    assert!(script.text().contains("is needed"));
}

#[test]
fn esc_asks_before_it_closes_a_form() {
    let mut script = asked(form());
    script.key("esc");
    assert_eq!(replies(&mut script), []);
    assert!(script.text().contains("esc again closes"));
    script.keys(&["x", "esc", "esc"]);
    assert_eq!(replies(&mut script), [Reply::Cancel]);
}

#[test]
fn declining_has_a_key_and_a_button() {
    let mut script = asked(form());
    script.key("alt+d");
    assert_eq!(replies(&mut script), [Reply::Decline]);
    let mut script = asked(form());
    let button = find(&script, "[ Decline ]");
    click(&mut script, (button.0 + 3, button.1));
    assert_eq!(replies(&mut script), [Reply::Decline]);
}

#[test]
fn the_mouse_fills_a_form_in() {
    let mut script = asked(form());
    for text in ["Monday", "Cats", "● no", "○ yes"] {
        if let Some(at) = script.text().contains(text).then(|| find(&script, text)) {
            click(&mut script, at);
        }
    }
    let first = find(&script, "Your name");
    click(&mut script, (first.0, first.1 + 2));
    script.type_text("Ada");
    let send = find(&script, "[ Send ]");
    click(&mut script, send);
    let values = json!({"name": "Ada", "seats": 2, "lunch": true, "day": "mon", "topics": ["a", "c"]});
    assert_eq!(replies(&mut script), [Reply::Accept { values: values.as_object().unwrap().clone() }]);
}

#[test]
fn a_click_in_the_first_half_second_does_not_answer() {
    let mut script = running();
    script.question("q1", sampling());
    let yes = find(&script, "1 Yes, once");
    click(&mut script, yes);
    assert_eq!(replies(&mut script), []);
    script.wait(600);
    click(&mut script, yes);
    assert_eq!(replies(&mut script), [Reply::yes()]);
}

#[test]
fn an_address_is_opened_only_when_told() {
    let opened = |script: &Script| script.effects.iter().any(|effect| matches!(effect, Effect::Open(_)));
    let mut script = asked(url());
    assert!(!opened(&script));
    script.key("w");
    assert!(
        matches!(script.effects.as_slice(), [Effect::Copy(text)] if text.starts_with("https://bank.example@login")),
        "{:?}",
        script.effects
    );
    assert!(!script.state.questions.is_empty());
    script.key("o");
    assert!(opened(&script));
    assert_eq!(replies(&mut script), [Reply::yes()]);
    let mut script = asked(url());
    script.keys(&["2"]);
    assert!(!opened(&script) && script.effects.iter().any(|effect| matches!(effect, Effect::Copy(_))));
    assert_eq!(replies(&mut script), [Reply::yes()]);
    let mut script = asked(json!({"ask": "url", "message": "m", "url": "file:///etc/passwd"}));
    script.keys(&["o"]);
    assert_eq!(script.effects, []);
    script.key("n");
    assert_eq!(replies(&mut script), [Reply::Decline]);
}

#[test]
fn numbered_answers() {
    let check = |ask: Value, keys: &[&str], reply: Reply| {
        let mut script = asked(ask);
        script.keys(keys);
        assert_eq!(replies(&mut script), [reply], "{keys:?}");
    };
    check(sampling(), &["1"], Reply::yes());
    check(sampling(), &["2"], Reply::Decline);
    check(sampling(), &["enter"], Reply::yes());
    check(first_run(), &["enter"], Reply::Decline);
    check(first_run(), &["y"], Reply::yes());
    check(first_run(), &["esc"], Reply::Cancel);
    check(tools_changed(), &["up", "enter"], Reply::yes());
    check(tools_changed(), &["z", "n"], Reply::Decline);
}

#[test]
fn questions_and_consent_stand_one_after_the_other_as_they_came() {
    let mut script = running();
    script.question("q1", sampling());
    script.asks(false, None);
    script.question("q2", first_run());
    assert!(script.text().contains("wants to use the model") && script.text().contains("1 of 3"));
    script.wait(600);
    script.keys(&["1", "y"]);
    // The next one is on the screen for no time yet.
    assert_eq!(replies(&mut script), [Reply::yes()]);
    assert!(script.text().contains("write this file?"));
    script.wait(600);
    script.key("y");
    assert!(matches!(script.commands().as_slice(), [Command::Decide { .. }]));
    assert!(script.text().contains("for the first time?"));
    script.replied("q2", ReplyAction::Cancel, Some("no answer in time"));
    assert!(script.state.questions.is_empty() && !script.state.is_asking());
}

#[test]
fn what_waits_at_the_start_is_asked_for() {
    let mut script = Script::unlinked(120, 40);
    script.link();
    assert!(script.effects.contains(&Effect::Ask(Query::Questions)));
    let mut question = json!({"id": "q9", "server": "s"});
    question.as_object_mut().unwrap().extend(sampling().as_object().unwrap().clone());
    let question: crate::domain::question::Question = serde_json::from_value(question).unwrap();
    script.send(Msg::Answer(Answer::Questions(Ok(vec![question.clone(), question]))));
    assert_eq!(script.state.questions.len(), 1);
}

#[test]
fn an_answer_that_was_not_taken_is_asked_for_again() {
    let mut script = asked(sampling());
    script.key("1");
    let command = script.commands().pop().unwrap();
    script.send(Msg::NotSent(Box::new(command), "the queue is full".into()));
    assert!(script.effects.contains(&Effect::Ask(Query::Questions)));
}

#[test]
fn old_questions_of_a_stored_session_ask_nobody() {
    let mut script = asked(sampling());
    script.state.questions.clear();
    let question = json!({"status": "asked", "question": {"id": "q1", "server": "s", "ask": "url", "message": "m", "url": "https://x/"}});
    let event = Event {
        seq: Some(Seq(900)),
        id: EventId::new("old"),
        at: script.state.now,
        session: Some(SessionId::new("other")),
        body: EventBody::Question(serde_json::from_value(question).unwrap()),
    };
    script.state.session.id = SessionId::new("other");
    script.send(Msg::Answer(Answer::Session(SessionId::new("other"), Ok(vec![Arc::new(event)].into()))));
    assert!(script.state.questions.is_empty());
}

#[test]
fn a_hostile_question_cannot_paint() {
    let evil = "\u{1b}[2Jevil\u{7}\u{202e}\u{9b}31m";
    let fields = json!([{"name": evil, "title": evil, "description": evil, "type": "choice", "options": [{"value": evil, "title": evil}]}]);
    for ask in [
        json!({"ask": "form", "message": evil, "fields": fields}),
        json!({"ask": "url", "message": evil, "url": format!("https://{evil}")}),
        json!({"ask": "sampling", "model": evil, "messages": [{"role": evil, "text": evil}], "tools": [evil], "max_tokens": 1}),
        json!({"ask": "first_run", "command": evil, "cwd": evil, "variables": [evil]}),
        json!({"ask": "tools_changed", "tools": [{"tool": evil, "diff": evil}]}),
    ] {
        let mut script = asked(ask);
        let screen = script.text();
        assert!(!screen.chars().any(|ch| ch != '\n' && (ch.is_control() || ch == '\u{202e}')), "{screen:?}");
        script.replied("q1", ReplyAction::Decline, Some(evil));
        let screen = script.text();
        assert!(!screen.chars().any(|ch| ch != '\n' && (ch.is_control() || ch == '\u{202e}')), "{screen:?}");
    }
}
