//! Several sessions in tabs.

use super::*;
use crate::domain::event::{Approval, ApprovalStatus};
use crate::tui::tabs::{Mark, TABS_MAX};

fn asks(call: &str) -> Approval {
    Approval {
        call_id: CallId::new(call),
        status: ApprovalStatus::Requested,
        service_name: "files".into(),
        tool_name: "write_file".into(),
        arguments: serde_json::Map::new(),
        reason: "it changes files".into(),
        dangerous: false,
        preview: None,
        scope: None,
        instead: None,
        parent: None,
        own: false,
    }
}

/// A session that talks, and a new one in a second tab, which is on the screen.
fn two() -> Script {
    let mut script = running();
    script.key("alt+t");
    script.effects.clear();
    script
}

fn started(script: &mut Script, session: &str) {
    script.feed_of(session, TurnEvent::Started { turn: TurnId::new("t"), parent: None, agent: None, model: "m/m".into() });
}

#[test]
fn a_tab_has_its_own_session_chat_turn_and_draft() {
    let mut script = running();
    script.type_text("half a draft");
    let first = script.state.session.id.clone();
    script.key("alt+t");
    assert_eq!(script.state.tabs.count(), 2);
    assert_ne!(script.state.session.id, first);
    assert!(script.state.turn.is_none() && script.state.composer.is_empty() && !script.state.session.made);
    let text = script.text();
    assert!(text.lines().next().unwrap().contains("hello") && text.contains("[2 "), "{text}");
    script.type_text("and another");
    script.key("ctrl+pgup");
    assert_eq!((&script.state.session.id, script.state.composer.raw()), (&first, "half a draft".to_owned()));
    assert!(script.state.turn.is_some());
    script.key("ctrl+pgdn");
    assert_eq!(script.state.composer.raw(), "and another");
    script.key("alt+1");
    assert_eq!(script.state.session.id, first);
    script.key("alt+7");
    assert!(script.text().contains("there is no tab 7; there are 2"), "{}", script.text());
}

#[test]
fn one_tab_takes_no_row_and_says_how_to_open_another() {
    let mut script = running();
    let text = script.text();
    assert!(text.starts_with('╭'), "{text}");
    script.key("ctrl+pgdn");
    assert!(script.text().contains("alt+t opens another"));
    script.key("alt+w");
    assert!(script.text().contains("this is the only tab"));
}

#[test]
fn work_goes_on_in_a_hidden_tab_and_its_answer_is_marked() {
    let mut script = two();
    assert_eq!(script.state.tabs.get(0).unwrap().mark(), Mark::Running);
    script.feed_of("session-1", Chat::new(Role::Assistant, ChatStatus::Done).with_text("the answer"));
    assert!(!script.text().contains("the answer") || script.state.column == Column::Side);
    script.feed_of(
        "session-1",
        TurnEvent::Finished {
            turn: TurnId::new("turn-1"),
            parent: None,
            end: TurnEnd::Done,
            steps: 1,
            duration_ms: 1,
            usage: crate::domain::message::Usage::default(),
            context_tokens: 0,
            message: None,
        },
    );
    assert_eq!(script.state.tabs.get(0).unwrap().mark(), Mark::Unread);
    assert!(script.state.turn.is_none(), "nothing of it reaches the tab on the screen");
    script.key("alt+1");
    assert!(script.state.turn.is_none());
    assert_eq!(script.state.transcript.last_answer().as_deref(), Some("the answer"));
    script.key("alt+2");
    assert_eq!(script.state.tabs.get(0).unwrap().mark(), Mark::Idle);
}

#[test]
fn a_question_of_a_hidden_tab_is_told_and_one_key_away() {
    let mut script = two();
    script.feed_of("session-1", asks("c1"));
    assert!(!script.state.is_asking(), "it does not take the keys of another session");
    assert_eq!(script.state.tabs.get(0).unwrap().mark(), Mark::Asking);
    assert!(script.text().contains("tab 1 asks: files write_file; alt+a goes there"), "{}", script.text());
    script.wait(6_000);
    assert!(script.text().contains("1 tab asks"), "{}", script.text());
    script.key("alt+a");
    assert!(script.state.is_asking());
    script.wait(1_000);
    script.key("y");
    let commands = script.commands();
    assert!(matches!(commands.as_slice(), [Command::Decide { session, .. }] if session.as_str() == "session-1"), "{commands:?}");
    script.key("alt+a");
    assert!(script.text().contains("no other tab waits"), "{}", script.text());
}

#[test]
fn commands_go_to_the_session_of_their_tab() {
    let mut script = two();
    script.type_text("over here");
    script.key("enter");
    let here = script.state.session.id.clone();
    let commands = script.commands();
    assert!(
        matches!(commands.as_slice(), [Command::NewSession { session, .. }, Command::Submit { session: to, .. }] if *session == here && *to == here),
        "{commands:?}"
    );
    // What was not taken comes back to where it was written.
    script.key("alt+1");
    let submit = commands.into_iter().next_back().unwrap();
    script.send(Msg::NotSent(Box::new(submit), "too much at once".into()));
    assert!(script.state.composer.is_empty());
    script.key("alt+2");
    assert_eq!(script.state.composer.raw(), "over here");
}

#[test]
fn a_tab_whose_agent_works_is_closed_on_the_second_key_only() {
    let mut script = two();
    script.key("alt+1");
    script.key("alt+w");
    assert_eq!(script.state.tabs.count(), 2);
    assert!(script.text().contains("alt+w again closes the tab"), "{}", script.text());
    script.key("alt+w");
    assert_eq!(script.state.tabs.count(), 1);
    assert!(!script.state.session.made);
    assert!(script.commands().is_empty(), "its turn goes on");
}

#[test]
fn a_closed_session_that_asks_is_not_forgotten() {
    let mut script = two();
    script.keys(&["alt+1", "alt+w", "alt+w"]);
    script.feed_of("session-1", asks("c1"));
    assert!(script.text().contains("a session that you closed asks; /tab session-1 opens it"), "{}", script.text());
}

#[test]
fn a_tab_that_asks_is_not_closed() {
    let mut script = two();
    script.feed_of("session-1", asks("c1"));
    script.command("/tab 1");
    script.keys(&["alt+w", "alt+w"]);
    assert_eq!(script.state.tabs.count(), 2);
}

#[test]
fn a_session_is_opened_once() {
    let mut script = two();
    script.command("/tab 1");
    script.send(Msg::Answer(Answer::Sessions(Ok(Vec::new()))));
    let id = "0190a3c0-0000-7000-8000-000000000001";
    script.command(&format!("/tab {id}"));
    assert_eq!((script.state.tabs.count(), script.state.session.id.as_str()), (3, id));
    script.send(Msg::Answer(Answer::Session(id.into(), Ok(Vec::new().into()))));
    script.command("/tab 1");
    script.command(&format!("/tab {id}"));
    assert_eq!((script.state.tabs.count(), script.state.session.id.as_str()), (3, id));
}

#[test]
fn what_is_read_goes_to_its_tab_also_when_that_is_hidden_by_then() {
    let mut script = running();
    let id = "0190a3c0-0000-7000-8000-000000000001";
    script.command(&format!("/tab {id}"));
    script.key("alt+1");
    // What happens meanwhile waits, so that nothing is folded before what came first.
    started(&mut script, id);
    assert!(script.state.tabs.get(1).unwrap().turn.is_none());
    let said = Chat::new(Role::User, ChatStatus::Done).with_text("from the log");
    let event = Event { seq: Some(Seq(1)), id: EventId::new("e"), at: script.state.now, session: Some(id.into()), body: said.into() };
    script.send(Msg::Answer(Answer::Session(id.into(), Ok(vec![Arc::new(event)].into()))));
    let tab = script.state.tabs.get(1).unwrap();
    assert_eq!((tab.session.title.as_str(), tab.turn.is_some()), ("from the log", true));
    assert!(matches!(script.state.sync, Sync::Live));
}

#[test]
fn two_sessions_that_are_read_at_once_are_both_waited_for() {
    let mut script = running();
    let ids = ["0190a3c0-0000-7000-8000-000000000001", "0190a3c0-0000-7000-8000-000000000002"];
    for id in ids {
        script.command(&format!("/tab {id}"));
    }
    script.send(Msg::Answer(Answer::Session(ids[1].into(), Ok(Vec::new().into()))));
    assert!(matches!(script.state.sync, Sync::Reading(_)));
    script.send(Msg::Answer(Answer::Session(ids[0].into(), Err("gone".into()))));
    assert!(matches!(script.state.sync, Sync::Live));
}

#[test]
fn there_is_a_limit() {
    let mut script = running();
    for _ in 0..TABS_MAX + 3 {
        script.key("alt+t");
    }
    assert_eq!(script.state.tabs.count(), TABS_MAX);
    assert!(script.text().contains("close one first"), "{}", script.text());
    for _ in 0..TABS_MAX {
        script.key("alt+w");
    }
    assert_eq!((script.state.tabs.count(), script.state.turn.is_some()), (1, true));
}

#[test]
fn a_click_on_a_tab_goes_there() {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mut script = two();
    for kind in [MouseEventKind::Down(MouseButton::Left), MouseEventKind::Up(MouseButton::Left)] {
        script.send(Msg::Mouse(MouseEvent { kind, column: 5, row: 0, modifiers: KeyModifiers::NONE }));
    }
    assert_eq!(script.state.tabs.at(), 0);
}

#[test]
fn what_comes_of_no_command_is_said() {
    let mut script = ready();
    for (command, part) in [("/tab nonsense", "is no tab"), ("/replay 3x", "is no pace"), ("/export a.pdf", "says no format")] {
        script.command(command);
        assert!(script.text().contains(part), "{command}: {}", script.text());
        script.key("ctrl+c");
        assert!(script.state.composer.is_empty());
    }
}
