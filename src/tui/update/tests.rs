//! Messages in, state and effects out: every key, every command, the mouse, the feed.

mod asking;
mod earlier;
mod events;
mod lending;
mod memories;
mod mouse;
mod newcomer;
mod panels;
mod past;
mod questions;
mod sessions;
mod sizes;
mod tables;
mod tabs;
mod taking;

use std::collections::BTreeMap;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};
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
    let options = SessionOptions { model: Some("openai/gpt".into()), mode: Some(ApprovalMode::Ask), ..SessionOptions::default() };
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
    assert_eq!(script.effects, [Effect::ReadOwn]);
}

#[test]
fn enter_on_a_part_of_a_name_completes_it_and_never_runs_it() {
    let mut script = ready();
    script.type_text("/qui");
    script.key("enter");
    assert_eq!(script.state.composer.raw(), "/quit ");
    assert_eq!(script.effects, [Effect::ReadOwn]);
    script.key("enter");
    assert!(script.effects.contains(&Effect::Quit));
}

#[test]
fn enter_on_a_whole_name_runs_it_and_not_a_longer_one() {
    let mut script = ready();
    script.type_text("/task");
    script.key("enter");
    assert_eq!(script.state.composer.raw(), "/task");
    assert!(script.text().contains("usage: /task"), "{}", script.text());
}

#[test]
fn a_model_that_the_offline_assistant_has_not_is_told() {
    for wanted in ["gpt", "offline/gpt"] {
        let mut script = ready();
        script.command(&format!("/model {wanted}"));
        assert!(script.text().contains("of `offline` (it has `rules`)"), "{}", script.text());
        assert_eq!(script.state.session.model, "offline/rules");
    }
}

#[test]
fn a_provider_that_is_not_there_is_told_before_any_models_were_listed() {
    let mut script = ready();
    script.command("/model nope/gpt");
    assert!(script.text().contains("no provider of `nope/gpt`; there are offline, openai"), "{}", script.text());
    assert_eq!(script.state.session.model, "offline/rules");
    script.command("/model openai/gpt");
    assert_eq!(script.state.session.model, "openai/gpt");
    // Of a provider with `meta/llama` among its models, which were not listed yet.
    script.command("/model meta/llama");
    assert_eq!(script.state.session.model, "meta/llama");
}

#[test]
fn the_terminals_answer_changes_the_theme_only_where_it_is_left_to_it() {
    let mut script = ready();
    script.send(Msg::Background(Some(true)));
    assert_eq!(script.state.theme.name(), "light");
    let mut script = ready();
    script.command("/theme nord");
    script.send(Msg::Background(Some(true)));
    assert_eq!(script.state.theme.name(), "nord");
    script.command("/theme auto");
    assert_eq!(script.state.theme.name(), "light");
    let mut script = ready();
    script.state.dirty = false;
    script.send(Msg::Background(None));
    assert!(!script.state.dirty && script.state.theme.name() == "dark");
}

#[test]
fn a_wrong_theme_keeps_nobody_out() {
    use crate::tui::highlight::Highlighter;
    use crate::tui::{Options, Surroundings};

    let options = Options { theme: "blue".into(), ..Options::default() };
    let state = crate::tui::state::State::new(options, Surroundings::default(), Highlighter::off(), Instant::default()).unwrap();
    assert_eq!((state.theme.name(), state.options.theme.as_str()), ("dark", "auto"));
    assert!(state.toast.is_some_and(|toast| toast.text.contains("no theme `blue`") && toast.text.contains("/theme")));
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
    assert!(script.effects.contains(&Effect::FindFiles { query: "ma".into(), used: Vec::new() }));
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
fn a_filter_for_the_events_leaves_the_keys_where_they_are() {
    let mut script = ready();
    script.type_text("/events error");
    script.key("enter");
    assert_eq!((script.state.events.filter().text(), script.state.focus), ("error", Focus::Composer));
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
fn keys_at_once_do_what_they_do_one_by_one() {
    let chars = |text: &str| text.chars().map(|ch| KeyEvent::from(KeyCode::Char(ch))).collect::<Vec<_>>();
    let enter = || KeyEvent::from(KeyCode::Enter);
    let bursts = [
        chars("hello there"),
        [chars("one"), vec![enter()], chars("two?")].concat(),
        chars("?jjq"),
        [chars("/the"), vec![KeyEvent::from(KeyCode::Tab)], chars("light"), vec![enter()], chars("x")].concat(),
        [
            chars("ab"),
            vec![KeyEvent::from(KeyCode::Tab), KeyEvent::from(KeyCode::Left)],
            chars("Äc"),
            vec![KeyEvent::from(KeyCode::Backspace)],
        ]
        .concat(),
        chars("1 2"),
    ];
    for burst in bursts {
        let (mut at_once, mut one_by_one) = (ready(), ready());
        at_once.send(Msg::Keys(burst.clone()));
        for key in burst {
            one_by_one.send(Msg::Key(key));
        }
        assert_eq!(at_once.state.composer.raw(), one_by_one.state.composer.raw());
        assert_eq!(at_once.state.composer.caret(), one_by_one.state.composer.caret());
        assert_eq!(at_once.state.overlay.is_some(), one_by_one.state.overlay.is_some());
        assert_eq!(at_once.state.theme.name(), one_by_one.state.theme.name());
        assert_eq!(submitted(&mut at_once), submitted(&mut one_by_one));
    }
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
