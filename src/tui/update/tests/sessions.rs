//! The session on the screen, its events, the servers.

use super::*;

#[test]
fn servers_are_folded_from_events_and_asked_for_once() {
    let mut script = ready();
    script.servers();
    script.effects.clear();
    script.mcp(McpEventType::ServiceDisconnected, "everything", json!({"reason": "gone"}));
    script.mcp(McpEventType::ServiceConnected, "github", json!({"tools": 3}));
    assert_eq!(script.state.servers.counts(), (2, 3));
    let asked = script.effects.iter().filter(|effect| **effect == Effect::Ask(Query::Servers)).count();
    assert_eq!(asked, 1);
    script.servers();
    assert!(script.effects.iter().filter(|effect| **effect == Effect::Ask(Query::Servers)).count() == 2);
}

#[test]
fn the_servers_panel_sends_commands() {
    let mut script = ready();
    script.servers();
    script.keys(&["f7", "down", "r", "d"]);
    let name = || "everything".into();
    assert_eq!(script.commands(), [Command::Mcp(McpCommand::Restart(name())), Command::Mcp(McpCommand::Disable(name()))]);
    script.keys(&["down", "down", "d"]);
    assert_eq!(script.commands(), [Command::Mcp(McpCommand::Enable("memory".into()))]);
    script.key("a");
    assert_eq!(script.state.composer.raw(), "/mcp add ");
    assert!(script.state.overlay.is_none());
}

pub(super) fn stored(session: &str, seq: u64, body: impl Into<EventBody>) -> Arc<Event> {
    Arc::new(Event {
        seq: Some(Seq(seq)),
        id: EventId::new(format!("e{seq}")),
        at: Instant::from_millis(0),
        session: Some(SessionId::new(session)),
        body: body.into(),
    })
}

#[test]
fn a_resumed_session_is_read_and_what_happens_meanwhile_is_neither_lost_nor_doubled() {
    let mut script = Script::unlinked(120, 40);
    let id = SessionId::new("old");
    script.send(Msg::Backend(Link {
        timezone: jiff::tz::TimeZone::UTC,
        start: Start::Resume(id.clone()),
        default_model: "offline/rules".into(),
        providers: Vec::new(),
        context_window_tokens: None,
        feed: None,
    }));
    assert!(script.effects.contains(&Effect::Send(Command::OpenSession { session: id.clone() })));
    assert!(script.effects.contains(&Effect::Ask(Query::Session(id.clone()))));
    let said = |seq, text: &str| stored("old", seq, Chat::new(Role::User, ChatStatus::Done).with_text(text));
    script.send(Msg::Events(vec![Delivery::Event(said(5, "second")), Delivery::Event(said(6, "third"))]));
    assert_eq!(script.state.events.total(), 0);
    script.send(Msg::Answer(Answer::Session(id, Ok(vec![said(3, "first"), said(5, "second")].into()))));
    assert!(matches!(script.state.sync, Sync::Live));
    assert_eq!(script.state.events.total(), 3);
    assert_eq!(script.state.session.last_seq, Some(Seq(6)));
    assert_eq!(script.state.session.title, "first");
}

#[test]
fn lost_events_are_read_from_the_log() {
    let mut script = running();
    let last = script.state.session.last_seq.unwrap();
    script.send(Msg::Events(vec![Delivery::Lost(7)]));
    assert!(script.effects.contains(&Effect::Ask(Query::After(last))));
    let finished = TurnEvent::Finished {
        turn: TurnId::new("turn-1"),
        parent: None,
        end: TurnEnd::Done,
        steps: 1,
        duration_ms: 1,
        usage: crate::domain::message::Usage::default(),
        context_tokens: 0,
        message: None,
    };
    let missed = stored("session-1", last.0 + 1, finished);
    script.send(Msg::Answer(Answer::After(Ok(vec![missed]))));
    assert!(script.state.turn.is_none());
}

#[test]
fn what_is_lost_while_reading_is_read_from_before_the_gap() {
    let mut script = running();
    let last = script.state.session.last_seq.unwrap().0;
    let said = |seq: u64| stored("session-1", seq, Chat::new(Role::User, ChatStatus::Done).with_text("text"));
    script.send(Msg::Events(vec![Delivery::Lost(1)]));
    script.send(Msg::Events(vec![Delivery::Event(said(last + 2)), Delivery::Lost(1), Delivery::Event(said(last + 4))]));
    script.effects.clear();
    script.send(Msg::Answer(Answer::After(Ok(vec![said(last + 1)]))));
    assert!(script.effects.contains(&Effect::Ask(Query::After(Seq(last + 2)))));
    script.send(Msg::Answer(Answer::After(Ok(vec![said(last + 3), said(last + 4)]))));
    assert!(matches!(script.state.sync, Sync::Live));
    assert_eq!(script.state.session.last_seq, Some(Seq(last + 4)));
    assert_eq!(script.state.events.total(), last + 4);
}

#[test]
fn a_new_session_before_the_first_prompt_keeps_the_configured_mode() {
    let mut script = ready();
    script.type_text("/new");
    script.key("enter");
    assert_eq!(script.state.session.options.mode, None);
}

#[test]
fn events_of_other_sessions_are_in_the_pane_only() {
    let mut script = ready();
    script.send(Msg::Events(vec![Delivery::Event(stored(
        "other",
        1,
        TurnEvent::Started { turn: TurnId::new("t"), parent: None, agent: None, model: "m".into() },
    ))]));
    assert!(script.state.turn.is_none());
    assert_eq!(script.state.events.total(), 1);
}

#[test]
fn a_fork_is_read_once_it_is_made() {
    let mut script = running();
    script.finished(TurnEnd::Done, None);
    script.type_text("/fork");
    script.key("enter");
    let commands = script.commands();
    let Some(Command::ForkSession { session, from, upto: None }) = commands.first() else { panic!("{commands:?}") };
    assert_eq!(from, &SessionId::new("session-1"));
    let fork = crate::domain::event::Fork { session: from.clone(), upto: Seq(3) };
    let created = SessionEvent::Created { cwd: "/".into(), model: "offline/rules".into(), mode: ApprovalMode::Ask, fork: Some(fork) };
    script.send(Msg::Events(vec![Delivery::Event(stored(session.as_str(), 50, created))]));
    assert!(script.effects.contains(&Effect::Ask(Query::Session(session.clone()))));
}

#[test]
fn what_was_not_taken_comes_back() {
    let mut script = ready();
    script.type_text("hello");
    script.key("enter");
    let submit = script.commands().pop().unwrap();
    script.send(Msg::NotSent(Box::new(submit), "too much at once".into()));
    assert_eq!(script.state.composer.raw(), "hello");
    assert!(script.state.queued.is_empty());
    assert!(script.text().contains("too much at once"));
}

#[test]
fn a_program_that_cannot_start_says_so_and_keeps_the_text() {
    let mut script = Script::unlinked(80, 24);
    script.send(Msg::BackendFailed("the database is locked".into()));
    script.type_text("hello");
    script.key("enter");
    assert!(matches!(script.state.link, LinkState::Down(_)));
    assert_eq!(script.state.composer.raw(), "hello");
    assert!(script.text().contains("the database is locked"));
}

#[test]
fn a_retry_shows_reason_attempt_and_wait_until_the_model_speaks() {
    let mut script = running();
    script.feed(TurnEvent::Retrying {
        turn: TurnId::new("turn-1"),
        parent: None,
        reason: "rate limit".into(),
        attempt: 2,
        attempts_max: 5,
        delay_ms: 4_000,
    });
    script.wait(1_000);
    assert!(script.text().contains("Trying again in 3s, 2 of 5 (rate limit"), "{}", script.text());
    script.feed_ephemeral(Chat::new(Role::Assistant, ChatStatus::Delta).with_text("at last"));
    assert!(script.text().contains("Working (1s"));
    assert!(script.text().contains("at last"));
}

fn listed(script: &mut Script) {
    script.command("/sessions");
    let summary = |id: &str, title: &str| crate::domain::query::SessionSummary {
        id: id.into(),
        title: title.into(),
        created: script.state.now,
        updated: script.state.now,
        prompts: 2,
        model: "offline/rules".into(),
        cwd: "/home/me".into(),
        forked_from: None,
        last_seq: Seq(9),
    };
    let rows = vec![summary("first", "about trains"), summary("second", "about ships")];
    script.send(Msg::Answer(Answer::Sessions(Ok(rows))));
}

fn preview(script: &mut Script, id: &str) {
    let said = |role: Role, text: &str| stored(id, 1, Chat::new(role, ChatStatus::Done).with_text(text));
    let chats = [said(Role::User, "When does it leave?"), said(Role::Assistant, "At *noon*, from platform 4.")];
    let preview = crate::tui::panels::previews::Preview::fold(&chats, &crate::domain::query::SessionPart::default());
    script.send(Msg::Answer(Answer::Preview(id.into(), Ok(preview))));
}

#[test]
fn the_list_of_sessions_shows_the_last_words_of_the_chosen_one() {
    for (columns, rows) in [(120, 40), (80, 24)] {
        let mut script = Script::new(columns, rows);
        listed(&mut script);
        assert!(script.effects.contains(&Effect::Ask(Query::Preview("first".into()))));
        preview(&mut script, "first");
        insta::assert_snapshot!(format!("sessions_{columns}x{rows}"), script.picture());
        script.key("down");
        assert!(script.effects.contains(&Effect::Ask(Query::Preview("second".into()))));
        script.send(Msg::Answer(Answer::Preview("second".into(), Err("gone".into()))));
        assert!(script.text().contains("gone"));
        script.key("up");
        let asked = script.effects.iter().filter(|effect| matches!(effect, Effect::Ask(Query::Preview(_)))).count();
        assert_eq!(asked, 2, "what is known is not asked for again");
    }
}

#[test]
fn sessions_are_found_by_what_was_said_in_them() {
    let mut script = ready();
    listed(&mut script);
    script.type_text("harbour");
    let asked: Vec<_> = script.effects.iter().filter(|effect| matches!(effect, Effect::Ask(Query::Find(_)))).collect();
    assert_eq!(asked, [&Effect::Ask(Query::Find("har".into()))], "one question at a time");
    assert!(script.text().contains("nothing fits"));
    script.send(Msg::Answer(Answer::Found("har".into(), Ok(Vec::new()))));
    assert!(script.effects.contains(&Effect::Ask(Query::Find("harbour".into()))));
    let old = crate::domain::query::SessionSummary {
        id: "second".into(),
        title: "about ships".into(),
        created: script.state.now,
        updated: script.state.now,
        prompts: 2,
        model: "offline/rules".into(),
        cwd: "/home/me".into(),
        forked_from: None,
        last_seq: Seq(9),
    };
    let older = crate::domain::query::SessionSummary { id: "third".into(), title: "of long ago".into(), ..old.clone() };
    script.send(Msg::Answer(Answer::Found("harbour".into(), Ok(vec![old, older]))));
    let text = script.text();
    assert!(text.contains("about ships") && text.contains("of long ago") && !text.contains("about trains"), "{text}");
    script.key("enter");
    assert!(script.effects.contains(&Effect::Ask(Query::Session("second".into()))));
}

#[test]
fn a_session_of_the_list_opens_in_a_tab_or_as_a_copy() {
    let mut script = running();
    listed(&mut script);
    script.keys(&["down", "alt+enter"]);
    assert_eq!((script.state.tabs.count(), script.state.session.id.as_str()), (2, "second"));
    listed(&mut script);
    script.key("alt+f");
    let commands = script.commands();
    assert!(
        commands.iter().any(|command| matches!(command, Command::ForkSession { from, .. } if from.as_str() == "first")),
        "{commands:?}"
    );
    assert_eq!(script.state.tabs.count(), 3);
}

#[test]
fn the_context_meter_warns_and_says_what_to_do() {
    let mut script = ready();
    let mut check = |tokens: u64, part: &str| {
        script.state.session.context_tokens = tokens;
        assert!(script.text().contains(part), "{tokens}: {}", script.text());
    };
    check(800, "ctx 10% ");
    check(6_400, "ctx 80% · /compact");
    check(7_900, "ctx 98% full: /compact");
}
