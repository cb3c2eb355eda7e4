//! What somebody new to the screen runs into: where keys go, what is told, what can be read to its end.

use super::*;
use crate::domain::event::{Approval, ApprovalStatus, ErrorKind, ToolExecution};

#[test]
fn letters_of_a_word_are_neither_keys_of_a_pane_nor_text_while_it_has_the_focus() {
    let mut script = ready();
    script.command("/events");
    assert_eq!(script.state.focus, Focus::Events);
    script.type_text("um");
    assert_eq!((script.state.composer.raw().as_str(), script.state.focus), ("", Focus::Events));
    assert!(script.text().contains("the keys go to the events; esc goes back to the message"), "{}", script.text());
    script.key("esc");
    script.type_text("um");
    assert_eq!(script.state.composer.raw(), "um");
}

#[test]
fn the_hints_are_those_of_what_has_the_focus_and_always_lead_back() {
    for columns in [120, 80, 40] {
        let mut script = Script::new(columns, 30);
        script.said("hello");
        script.answered("hi");
        script.finished(TurnEnd::Done, None);
        script.key("f6");
        assert_eq!(script.state.focus, Focus::Chat);
        let screen = script.text();
        // Where there is room for no more, the way back is what is left.
        assert!(columns < 80 || screen.contains("↑↓ select"), "{screen}");
        assert!(screen.contains("esc back to the message"), "{screen}");
        assert!(!screen.contains("enter send"), "{screen}");
    }
}

#[test]
fn help_by_its_key_begins_with_the_keys_at_hand() {
    let first = |script: &Script| {
        let Some(Overlay::Text(panel)) = &script.state.overlay else { panic!("no help") };
        panel.copy.clone().unwrap().lines().next().unwrap().to_owned()
    };
    let mut script = ready();
    script.key("?");
    assert_eq!(first(&script), "Keys: message");
    let mut script = ready();
    script.command("/events");
    script.key("?");
    assert_eq!(first(&script), "Keys: events");
    let mut script = ready();
    script.command("/help");
    assert_eq!(first(&script), "Commands");
}

#[test]
fn words_are_found_in_a_text() {
    let mut script = Script::new(80, 24);
    script.command("/help");
    script.keys(&["/"]);
    assert!(script.text().contains("find in this text"), "{}", script.text());
    script.type_text("Screen_Red");
    assert!(script.text().contains("not found"), "{}", script.text());
    script.keys(&["ctrl+u"]);
    script.send(Msg::Paste("UNDO".into()));
    assert!(script.text().contains("/UNDO") && script.text().contains("/undo"), "{}", script.text());
    script.key("enter");
    let first = script.text();
    script.keys(&["n"]);
    assert_ne!(script.text(), first, "the next place is another one");
    script.keys(&["N"]);
    assert_eq!(script.text(), first);
    script.key("esc");
    assert!(script.text().contains("/ find"), "esc ends the search first: {}", script.text());
    script.key("esc");
    assert!(script.state.overlay.is_none());
}

#[test]
fn a_chat_whose_end_comes_into_sight_is_followed_again() {
    let mut script = Script::new(80, 24);
    script.said("hello");
    script.answered(&"a line\n\n".repeat(20));
    script.finished(TurnEnd::Done, None);
    script.key("pgup");
    assert!(!script.state.chat.follows() && script.text().contains(" below"));
    script.send(Msg::Resize(160, 100));
    assert!(script.state.chat.follows() && !script.text().contains(" below"), "{}", script.text());
}

#[test]
fn a_server_that_is_not_there_is_told_with_those_that_are() {
    for command in
        ["/mcp tools nope", "/mcp logs nope", "/mcp resources nope", "/mcp prompts nope", "/mcp restart nope", "/mcp trace on nope"]
    {
        let mut script = ready();
        script.servers();
        script.effects.clear();
        script.command(command);
        assert!(script.text().contains("no server `nope`; there are: "), "{command}: {}", script.text());
        assert!(script.state.overlay.is_none(), "{command}");
        assert!(script.commands().is_empty(), "{command}");
    }
}

#[test]
fn a_long_note_can_be_read_to_its_end() {
    let mut script = Script::new(80, 24);
    script.send(Msg::Note(true, format!("written to /home/me/{}the-end.md", "a-folder/".repeat(12))));
    let screen = script.text();
    assert!(screen.contains("the-end.md") && !screen.contains('…'), "{screen}");
    script.wait(6_000);
    assert!(!script.text().contains("the-end.md"));
}

#[test]
fn the_users_own_call_shows_what_it_brought() {
    // One column: the events tell results too.
    let mut script = Script::new(80, 40);
    script.said("!seq 30");
    let lines: String = (1..=30).map(|number| format!("line {number}\n")).collect();
    script.tool("system", "run_command", Status::Success, Some(lines.clone().into()), None);
    let screen = script.text();
    assert!(screen.contains("line 1\n") || screen.contains("line 1 "), "{screen}");
    assert!(screen.contains("line 20") && !screen.contains("line 21") && screen.contains("10 more lines"), "{screen}");
    // A call of the agent stays one line.
    let mut script = Script::new(80, 40);
    script.said("hello");
    script.tool("system", "run_command", Status::Success, Some(lines.into()), None);
    assert!(!script.text().contains("line 2"), "{}", script.text());
}

#[test]
fn a_refusal_is_no_error_and_not_told_in_the_words_for_the_model() {
    let mut script = running();
    script.asks(false, None);
    let Some(dialog) = script.state.approvals.front() else { panic!("nothing is asked") };
    let refused = Approval { status: ApprovalStatus::Refused, ..dialog.approval.clone() };
    script.feed(refused.clone());
    script.feed(ToolExecution {
        service_name: refused.service_name,
        tool_name: refused.tool_name,
        status: Status::Error,
        result: None,
        error: Some("the user refused this call; it did not run. Do not repeat it, ask what to do instead".into()),
        error_kind: Some(ErrorKind::Refused),
        call_id: refused.call_id,
        arguments: None,
        duration_ms: None,
        parent: None,
    });
    let screen = script.text();
    assert!(screen.contains("refused by you") && !screen.contains("Do not repeat it"), "{screen}");
}

#[test]
fn steered_and_queued_messages_are_told_apart_and_sent_on_by_enter() {
    let mut script = running();
    script.type_text("left");
    script.key("enter");
    script.type_text("later");
    script.key("tab");
    let screen = script.text();
    assert!(screen.contains("↳ next step: left") && screen.contains("↳ after this turn: later"), "{screen}");
    script.effects.clear();
    let ids: Vec<_> = script.state.queued.iter().map(|queued| queued.id.clone()).collect();
    for (id, text) in ids.into_iter().zip(["left", "later"]) {
        script.feed(Chat { message_id: Some(id), ..Chat::new(Role::User, ChatStatus::Queued).with_text(text) });
    }
    script.finished(TurnEnd::Interrupted, None);
    assert!(script.text().contains("enter send what waits"), "{}", script.text());
    script.key("enter");
    let commands = script.commands();
    assert!(
        matches!(commands.as_slice(), [Command::EditQueued { text: None, .. }, Command::EditQueued { text: None, .. }, Command::Submit { text, .. }] if text == "left\n\nlater"),
        "{commands:?}"
    );
}

#[test]
fn a_session_that_is_not_there_is_told_in_the_chat_of_a_new_one() {
    let mut script = Script::unlinked(120, 40);
    script.send(Msg::Backend(Link {
        timezone: jiff::tz::TimeZone::UTC,
        start: Start::Instead(SessionOptions::default(), "no session `nosuch`".into()),
        default_model: "offline/rules".into(),
        providers: Vec::new(),
        context_window_tokens: None,
        feed: None,
    }));
    let screen = script.text();
    assert!(screen.contains("no session `nosuch`: this is a new one") && !screen.contains("could not start"), "{screen}");
    script.wait(60_000);
    assert!(script.text().contains("no session `nosuch`"));
    script.type_text("hello");
    script.key("enter");
    assert_eq!(submitted(&mut script), [("hello".to_owned(), When::Steer)]);
}

#[test]
fn one_press_from_the_default_does_not_end_all_questions() {
    let mut script = ready();
    let mut modes = Vec::new();
    for _ in 0..3 {
        script.key("shift+tab");
        modes.push(script.state.session.mode);
    }
    assert_eq!(modes, [ApprovalMode::Ask, ApprovalMode::Auto, ApprovalMode::AutoRead]);
}
