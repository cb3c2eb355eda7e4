//! Messages in, state and effects out: every key, every command, the mouse, the feed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::bus::Delivery;
use crate::domain::clock::Instant;
use crate::domain::command::{ApprovalMode, Command, Decision, Delivery as When, McpCommand, SessionOptions};
use crate::domain::event::{Chat, ChatStatus, Event, EventBody, McpEventType, Scope, SessionEvent, Status, TurnEnd, TurnEvent};
use crate::domain::ids::{CallId, EventId, MessageId, Seq, SessionId, TurnId};
use crate::domain::message::Role;
use crate::tui::keymap::{Context, KEYS};
use crate::tui::msg::{Answer, Effect, Link, Msg, Query};
use crate::tui::panels::Overlay;
use crate::tui::panels::picker::PickKind;
use crate::tui::state::{Column, Focus, LinkState, Sync};
use crate::tui::tests::Script;
use crate::tui::{Start, slash};

fn ready() -> Script {
    Script::new(120, 40)
}

fn running() -> Script {
    let mut script = ready();
    script.said("hello");
    script.effects.clear();
    script
}

fn submitted(script: &mut Script) -> Vec<(String, When)> {
    let texts = script.commands().into_iter().filter_map(|command| match command {
        Command::Submit { text, delivery, .. } => Some((text, delivery)),
        _ => None,
    });
    texts.collect()
}

#[test]
fn the_first_prompt_makes_the_session() {
    let mut script = ready();
    script.type_text("hello");
    script.key("enter");
    let commands = script.commands();
    assert!(matches!(commands.as_slice(), [Command::NewSession { .. }, Command::Submit { text, .. }] if text == "hello"));
    assert!(script.state.composer.is_empty());
    script.type_text("again");
    script.key("enter");
    assert!(matches!(script.commands().as_slice(), [Command::Submit { .. }]));
}

#[test]
fn a_prompt_before_the_program_stands_is_shown_as_waiting_and_its_session_stays() {
    let mut script = Script::unlinked(80, 24);
    script.type_text("early");
    script.key("enter");
    assert!(script.text().contains("↳ early"));
    let session = script.state.session.id.clone();
    script.link();
    assert_eq!(script.state.session.id, session);
    assert!(script.state.session.made);
}

#[test]
fn model_and_mode_chosen_before_the_first_prompt_go_into_the_session() {
    let mut script = ready();
    script.type_text("/model openai/gpt");
    script.key("enter");
    script.key("shift+tab");
    assert!(script.commands().is_empty());
    script.type_text("hello");
    script.key("enter");
    let options = SessionOptions { model: Some("openai/gpt".into()), mode: Some(ApprovalMode::Auto), ..SessionOptions::default() };
    assert!(matches!(script.commands().first(), Some(Command::NewSession { options: made, .. }) if *made == options));
}

#[test]
fn a_suggestion_is_picked_with_one_key_on_an_empty_screen_only() {
    let mut script = ready();
    script.key("2");
    assert_eq!(submitted(&mut script), [("What time is it in Tokyo?".to_owned(), When::Steer)]);
    let mut typing = ready();
    typing.type_text("a2");
    assert!(typing.effects.is_empty());
    assert!(script.text().contains("with its number"));
    let mut later = running();
    assert!(!later.text().contains("with its number"));
    later.key("1");
    assert_eq!(later.state.composer.raw(), "1");
}

#[test]
fn while_a_turn_runs_enter_steers_tab_queues_and_alt_up_takes_back() {
    let mut script = running();
    script.type_text("left");
    script.key("enter");
    script.type_text("later");
    script.key("tab");
    assert_eq!(submitted(&mut script), [("left".to_owned(), When::Steer), ("later".to_owned(), When::Queue)]);
    script.key("alt+up");
    assert_eq!(script.state.composer.raw(), "later");
    assert!(matches!(script.commands().as_slice(), [Command::EditQueued { text: None, .. }]));
    assert_eq!(script.state.queued.len(), 1);
}

#[test]
fn queued_messages_follow_the_events() {
    let mut script = running();
    let queued = |status| Chat { message_id: Some(MessageId::new("m")), ..Chat::new(Role::User, status).with_text("wait") };
    script.feed(queued(ChatStatus::Queued));
    assert!(script.text().contains("↳ wait"));
    script.feed(queued(ChatStatus::Withdrawn));
    assert!(script.state.queued.is_empty());
}

#[test]
fn ctrl_c_interrupts_then_clears_then_quits() {
    let mut script = running();
    script.type_text("draft");
    script.key("ctrl+c");
    assert!(matches!(script.commands().as_slice(), [Command::Interrupt { .. }]));
    script.finished(TurnEnd::Interrupted, None);
    script.key("ctrl+c");
    assert!(script.state.composer.is_empty());
    script.key("ctrl+c");
    assert!(script.text().contains("ctrl+c again to quit"));
    assert!(!script.effects.contains(&Effect::Quit));
    script.wait(2_500);
    script.key("ctrl+c");
    assert!(!script.effects.contains(&Effect::Quit));
    script.key("ctrl+c");
    assert!(script.effects.contains(&Effect::Quit));
}

#[test]
fn esc_interrupts_and_twice_goes_back_to_an_earlier_message() {
    let mut script = running();
    script.key("esc");
    assert!(matches!(script.commands().as_slice(), [Command::Interrupt { .. }]));
    script.finished(TurnEnd::Interrupted, None);
    script.keys(&["esc", "esc"]);
    let Some(Overlay::Pick(picker)) = &script.state.overlay else { panic!("no list") };
    assert_eq!(picker.kind, PickKind::Rewind);
    script.key("enter");
    assert_eq!(script.state.composer.raw(), "hello");
    assert!(matches!(script.commands().as_slice(), [Command::Rewind { to: Seq(0), .. }]));
}

#[test]
fn newlines_have_many_keys() {
    let mut script = ready();
    script.type_text("a");
    script.key("ctrl+j");
    script.type_text("b");
    script.key("alt+enter");
    script.type_text("c\\");
    script.key("enter");
    script.type_text("d");
    script.key("shift+enter");
    assert_eq!(script.state.composer.raw(), "a\nb\nc\nd\n");
    assert!(script.effects.is_empty());
}

#[test]
fn ctrl_d_quits_only_when_the_input_is_empty() {
    let mut script = ready();
    script.type_text("ab");
    script.keys(&["ctrl+a", "ctrl+d"]);
    assert_eq!(script.state.composer.raw(), "b");
    script.keys(&["ctrl+d", "ctrl+d"]);
    assert_eq!(script.effects, [Effect::Quit]);
}

#[test]
fn a_typo_is_told_and_stays_in_the_composer() {
    let mut script = ready();
    script.type_text("/quti");
    script.key("enter");
    assert_eq!(script.state.composer.raw(), "/quti");
    assert!(script.text().contains("did you mean `/quit`?"));
    assert!(script.effects.is_empty());
}

#[test]
fn enter_on_a_part_of_a_name_completes_it_and_never_runs_it() {
    let mut script = ready();
    script.type_text("/qui");
    script.key("enter");
    assert_eq!(script.state.composer.raw(), "/quit ");
    assert!(script.effects.is_empty());
    script.key("enter");
    assert!(script.effects.contains(&Effect::Quit));
}

#[test]
fn a_command_picked_with_the_arrows_runs() {
    let mut script = ready();
    script.type_text("/");
    script.keys(&["down", "up", "enter"]);
    assert!(matches!(&script.state.overlay, Some(Overlay::Text(panel)) if panel.title == "help"));
}

#[test]
fn bare_words_are_commands() {
    for word in ["quit", "exit", "q"] {
        let mut script = ready();
        script.type_text(word);
        script.key("enter");
        assert!(script.effects.contains(&Effect::Quit), "{word}");
    }
    let mut script = ready();
    script.type_text("demo");
    script.key("enter");
    assert_eq!(submitted(&mut script), [("one".to_owned(), When::Queue), ("two".to_owned(), When::Queue)]);
}

#[test]
fn files_are_asked_for_and_put_in() {
    let mut script = ready();
    script.type_text("read @ma");
    assert!(script.effects.contains(&Effect::FindFiles("ma".into())));
    script.send(Msg::Files("m".into(), vec!["old.rs".into()]));
    assert!(script.state.popup.as_ref().unwrap().rows.is_empty());
    script.send(Msg::Files("ma".into(), vec!["src/main.rs".into()]));
    assert!(script.text().contains("src/main.rs"));
    script.key("tab");
    assert_eq!(script.state.composer.raw(), "read @src/main.rs ");
    assert!(script.state.popup.is_none());
}

#[test]
fn a_closed_popup_stays_closed_for_its_word() {
    let mut script = ready();
    script.type_text("/m");
    script.key("esc");
    assert!(script.state.popup.is_none());
    script.type_text("o");
    assert!(script.state.popup.is_some());
}

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
fn the_events_pane_cycles_and_swaps() {
    let mut wide = ready();
    let mut columns = Vec::new();
    for _ in 0..3 {
        wide.key("ctrl+e");
        columns.push(wide.state.column);
    }
    assert_eq!(columns, [Column::Full, Column::Hidden, Column::Side]);
    let mut narrow = Script::new(80, 24);
    narrow.key("ctrl+e");
    assert_eq!((narrow.state.column, narrow.state.focus), (Column::Full, Focus::Events));
    narrow.key("ctrl+e");
    assert_eq!((narrow.state.column, narrow.state.focus), (Column::Side, Focus::Composer));
}

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

fn stored(session: &str, seq: u64, body: impl Into<EventBody>) -> Arc<Event> {
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
        context_window_tokens: None,
    }));
    assert!(script.effects.contains(&Effect::Send(Command::OpenSession { session: id.clone() })));
    assert!(script.effects.contains(&Effect::Ask(Query::Session(id.clone()))));
    let said = |seq, text: &str| stored("old", seq, Chat::new(Role::User, ChatStatus::Done).with_text(text));
    script.send(Msg::Events(vec![Delivery::Event(said(5, "second")), Delivery::Event(said(6, "third"))]));
    assert_eq!(script.state.events.total(), 0);
    script.send(Msg::Answer(Answer::Session(id, Ok(vec![said(3, "first"), said(5, "second")]))));
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
fn a_filter_for_the_events_leaves_the_keys_where_they_are() {
    let mut script = ready();
    script.type_text("/events error");
    script.key("enter");
    assert_eq!((script.state.events.filter().text(), script.state.focus), ("error", Focus::Composer));
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
fn a_theme_is_previewed_and_escape_takes_it_back() {
    let mut script = ready();
    script.type_text("/theme");
    script.key("enter");
    let before = script.state.theme.name().to_owned();
    script.key("down");
    assert_ne!(script.state.theme.name(), before);
    script.key("esc");
    assert_eq!(script.state.theme.name(), before);
    script.type_text("/theme light");
    script.key("enter");
    assert_eq!(script.state.theme.name(), "light");
}

#[test]
fn a_paste_goes_where_the_keys_go() {
    let mut script = ready();
    script.send(Msg::Paste("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12".into()));
    assert_eq!(script.state.composer.raw(), "[pasted 12 lines]");
    script.key("enter");
    assert!(submitted(&mut script)[0].0.ends_with("11\n12"));
}

#[test]
fn the_stash_takes_and_gives() {
    let mut script = ready();
    script.type_text("draft");
    script.key("ctrl+s");
    assert!(script.state.composer.is_empty());
    script.key("ctrl+s");
    assert_eq!(script.state.composer.raw(), "draft");
}

#[test]
fn earlier_prompts_come_with_up_and_are_searched() {
    let mut script = ready();
    script.send(Msg::History(vec!["first one".into(), "second".into()]));
    script.type_text("draft");
    script.keys(&["up", "up"]);
    assert_eq!(script.state.composer.raw(), "first one");
    script.keys(&["down", "down"]);
    assert_eq!(script.state.composer.raw(), "draft");
    script.keys(&["ctrl+u", "ctrl+r"]);
    script.type_text("firs");
    script.key("enter");
    assert_eq!(script.state.composer.raw(), "first one");
}

#[test]
fn idle_needs_no_timer() {
    let mut script = ready();
    script.servers();
    script.wait(60_000);
    assert_eq!(script.state.next_wake(), None);
    script.said("hello");
    assert!(script.state.next_wake().is_some());
    script.tool("time", "now", Status::Started, None, None);
    script.tool("time", "now", Status::Success, None, None);
    script.answered("done");
    script.finished(TurnEnd::Done, None);
    assert_eq!(script.state.next_wake(), None);
}

/// A state in which the row's key means something.
fn at(context: Context) -> Script {
    let mut script = ready();
    script.servers();
    script.said("hello");
    script.tool("time", "now", Status::Started, None, None);
    script.tool("time", "now", Status::Success, Some(json!("12:00")), None);
    script.answered("line\n\n```\ncode\n```");
    script.finished(TurnEnd::Done, None);
    script.send(Msg::History(vec!["earlier".into()]));
    match context {
        Context::Global => {}
        Context::Composer => {
            script.type_text("above");
            script.key("ctrl+j");
            script.type_text("some words here");
            script.keys(&["ctrl+j", "x", "ctrl+k", "up", "alt+b"]);
        }
        Context::Chat => {
            script.keys(&["f6", "/"]);
            script.type_text("e");
            script.keys(&["enter", "up", "up"]);
        }
        Context::Events => script.keys(&["f6", "f6", "up", "up"]),
        Context::Panels | Context::Tasks => {
            script.tasks();
            script.keys(&["ctrl+t", "down", "down"]);
        }
        Context::Inbox => {
            script.tasks();
            script.inbox();
            script.keys(&["ctrl+t", "tab", "down"]);
        }
        Context::Notices => {
            script.inbox();
            script.keys(&["ctrl+t", "tab", "tab", "down"]);
        }
        Context::Servers => script.keys(&["f7", "down"]),
    }
    script.effects.clear();
    script
}

/// Each key of the table, pressed where it counts, does what the snapshot says; none breaks the screen.
#[test]
fn every_key_of_the_table_does_something() {
    let mut out = BTreeMap::new();
    for row in KEYS {
        for key in row.keys {
            let mut script = at(row.context);
            let before = facts(&script);
            script.key(key);
            let after = facts(&script);
            script.text();
            let changes: Vec<_> = after.iter().filter(|fact| !before.contains(fact)).cloned().collect();
            let effects: Vec<_> = script.effects.iter().map(|effect| name(&format!("{effect:?}"))).collect();
            out.insert(format!("{:?} {key} ({})", row.context, row.name), format!("{} {}", changes.join(", "), effects.join(", ")));
        }
    }
    let lines: Vec<_> = out.iter().map(|(key, what)| format!("{key}: {}", what.trim())).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

fn name(debug: &str) -> String {
    debug.split(['{', '"']).next().unwrap_or_default().trim_end_matches([' ', '(']).to_owned()
}

fn facts(script: &Script) -> Vec<String> {
    let state = &script.state;
    let overlay = match &state.overlay {
        None => "none".to_owned(),
        Some(Overlay::Text(panel)) => format!("text `{}`", panel.title.split(" · ").next().unwrap_or_default()),
        Some(Overlay::Pick(picker)) => format!("pick {:?}", picker.kind),
        Some(Overlay::Tasks) => match &state.tasks.page {
            Some(page) => format!("page of {} at {:?}", page.task, page.section),
            None => "tasks".to_owned(),
        },
        Some(Overlay::Inbox) => format!("inbox {:?}", state.inbox.reading),
        Some(Overlay::Notices) => "notices".to_owned(),
        Some(Overlay::Servers) => "servers".to_owned(),
    };
    let open = state.transcript.items().filter(|item| item.open).count();
    vec![
        format!("text {:?}", state.composer.raw()),
        format!("caret {:?}", state.composer.caret()),
        format!("match {:?}", state.search.as_ref().map(|search| search.at)),
        format!("top {:?}", state.chat.top.map(|anchor| (anchor.item.0, anchor.row))),
        format!("focus {:?}", state.focus),
        format!("column {:?}", state.column),
        format!("overlay {overlay}"),
        format!("mode {:?}", state.session.mode),
        format!("mouse {}", state.mouse),
        format!("event {:?}", state.events.selected()),
        format!("events paused {}", state.events.is_paused()),
        format!("filter typing {}", state.events_filter.is_some()),
        format!("search typing {}", state.search.is_some()),
        format!("open items {open}"),
        format!("item {:?}", state.chat.selected.map(|item| item.0)),
        format!("server {}", state.servers.selected),
        format!("task {:?}", state.tasks.current().map(|row| row.spec.task_id.to_string())),
        format!("entry {:?} notice {}", state.inbox.current().map(|row| row.item.item_id.to_string()), state.inbox.notice),
        format!("deleting {} snoozing {}", state.tasks.deleting.is_some(), state.inbox.snoozing.is_some()),
        format!("task filter typing {}", state.tasks.typing.is_some()),
        format!("armed {}", state.quit_until.is_some()),
        format!("rewind {}", state.rewind_until.is_some()),
        format!("note {:?}", state.toast.as_ref().map(|toast| toast.text.clone())),
    ]
}

#[test]
fn every_command_can_be_run() {
    for row in slash::COMMANDS {
        let mut script = at(Context::Global);
        let text = match row.name {
            "rename" => "/rename a title".to_owned(),
            "task" => "/task techcrunch run".to_owned(),
            "notify" => "/notify test".to_owned(),
            name => format!("/{name}"),
        };
        script.type_text(&text);
        script.keys(&["esc", "enter"]);
        script.text();
        let did = !script.effects.iter().all(|effect| matches!(effect, Effect::KeepPrompt(_)))
            || script.state.overlay.is_some()
            || script.state.toast.is_some()
            || script.state.focus == Focus::Events
            || row.name == "clear";
        assert!(did, "{text} did nothing");
        assert!(script.state.composer.is_empty(), "{text} was not taken");
    }
}

fn mouse(script: &mut Script, kind: crossterm::event::MouseEventKind, column: u16, row: u16) {
    let modifiers = crossterm::event::KeyModifiers::NONE;
    script.send(Msg::Mouse(crossterm::event::MouseEvent { kind, column, row, modifiers }));
}

/// Column and row of a text on the screen.
fn find(script: &Script, text: &str) -> (u16, u16) {
    let screen = script.text();
    let (row, line) =
        screen.lines().enumerate().find(|(_, line)| line.contains(text)).unwrap_or_else(|| panic!("no {text:?} in\n{screen}"));
    let before = line.split(text).next().unwrap();
    (u16::try_from(unicode_width::UnicodeWidthStr::width(before)).unwrap(), u16::try_from(row).unwrap())
}

fn click(script: &mut Script, (column, row): (u16, u16)) {
    use crossterm::event::{MouseButton, MouseEventKind};
    mouse(script, MouseEventKind::Down(MouseButton::Left), column, row);
    mouse(script, MouseEventKind::Up(MouseButton::Left), column, row);
}

#[test]
fn a_click_focuses_and_opens() {
    let mut script = at(Context::Global);
    let tool = find(&script, "time · now");
    click(&mut script, tool);
    assert_eq!(script.state.focus, Focus::Chat);
    assert_eq!(script.state.transcript.items().filter(|item| item.open).count(), 1);
    let event = find(&script, "time: now (");
    click(&mut script, event);
    assert_eq!(script.state.focus, Focus::Events);
    click(&mut script, event);
    assert!(matches!(&script.state.overlay, Some(Overlay::Text(panel)) if panel.title.starts_with("tool_execution")));
}

#[test]
fn dragging_marks_within_one_pane_and_copies() {
    use crossterm::event::{MouseButton, MouseEventKind};
    let mut script = at(Context::Global);
    let (label, row) = find(&script, "you   hello");
    let column = label + 6;
    mouse(&mut script, MouseEventKind::Down(MouseButton::Left), column, row);
    mouse(&mut script, MouseEventKind::Drag(MouseButton::Left), 119, row);
    mouse(&mut script, MouseEventKind::Up(MouseButton::Left), 119, row);
    assert!(script.effects.contains(&Effect::Copy("hello".into())), "{:?}", script.effects);
}

#[test]
fn the_wheel_scrolls_what_is_below_it() {
    use crossterm::event::MouseEventKind;
    let mut script = ready();
    for at in 0..60 {
        script.answered(&format!("answer {at}"));
    }
    let newest = script.text();
    assert!(newest.contains("answer 59"));
    mouse(&mut script, MouseEventKind::ScrollUp, 5, 5);
    assert!(!script.state.chat.follows() && script.state.events.follows());
    mouse(&mut script, MouseEventKind::ScrollUp, 100, 5);
    assert!(!script.state.events.follows());
    mouse(&mut script, MouseEventKind::ScrollDown, 5, 5);
    mouse(&mut script, MouseEventKind::ScrollDown, 100, 5);
    assert_eq!(script.text(), newest);
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

#[test]
fn a_hostile_world_cannot_paint() {
    let mut script = running();
    let evil = "\u{1b}[2Jevil\u{7}\u{202e}\u{9b}31m";
    script.mcp(McpEventType::ServiceConnected, evil, json!({"tools": 1}));
    script.mcp(McpEventType::ServiceReconnecting, evil, json!({"reason": evil, "attempt": 1, "delay_ms": 9_000}));
    script.mcp(McpEventType::Log, "everything", json!({"level": "info", "message": evil}));
    script.feed(SessionEvent::Renamed { title: evil.into() });
    script.feed(Chat { message_id: Some(MessageId::new("q")), ..Chat::new(Role::User, ChatStatus::Queued).with_text(evil) });
    script.tool(evil, evil, Status::Error, None, Some(evil));
    script.answered(evil);
    script.send(Msg::Paste(evil.into()));
    let mut screens = vec![script.text()];
    script.key("f7");
    screens.push(script.text());
    script.keys(&["esc", "f6", "f6", "up", "enter"]);
    screens.push(script.text());
    script.keys(&["esc", "ctrl+p", "esc"]);
    script.asks(true, Some(evil));
    screens.push(script.text());
    for screen in screens {
        assert!(!screen.chars().any(|ch| ch != '\n' && (ch.is_control() || ch == '\u{202e}')), "{screen:?}");
    }
}
