//! The events pane: its filter while it is typed, the way to the chat and back, the past.

use super::*;
use crate::domain::event::{McpEvent, TaskEvent};
use crate::domain::ids::{ServerName, TaskId};
use crate::domain::task::TaskFact;
use crate::tui::moment::Moment;

fn talked() -> Script {
    let mut script = ready();
    script.said("What time is it?");
    script.tool("time", "now", Status::Started, None, None);
    script.tool("time", "now", Status::Success, Some(json!("12:00")), None);
    script.answered("It is **noon**.");
    script.finished(TurnEnd::Done, None);
    script.effects.clear();
    script
}

fn to_events(script: &mut Script) {
    script.keys(&["f6", "f6"]);
    assert_eq!(script.state.focus, Focus::Events);
}

#[test]
fn the_filter_narrows_while_it_is_typed_completes_and_says_what_is_wrong() {
    let mut script = talked();
    to_events(&mut script);
    script.key("/");
    script.type_text("type:too");
    assert_eq!(script.state.events.shown().len(), 2);
    assert!(script.text().contains("tool_execution"), "{}", script.text());
    script.key("tab");
    script.type_text("stat");
    script.key("tab");
    script.type_text("succ");
    script.keys(&["tab", "enter"]);
    assert!(script.state.events_filter.is_none());
    assert_eq!(script.state.events.filter().text(), "type:tool_execution status:success");
    assert!(script.text().contains("1 of "), "{}", script.text());
    script.key("/");
    script.type_text("typo:x");
    script.key("enter");
    assert!(script.text().contains("no key `typo`; did you mean `type:`?"), "{}", script.text());
    assert!(script.state.events_filter.is_some(), "nonsense is not taken");
    assert_eq!(script.state.events.shown().len(), 1, "and hides nothing");
    script.key("esc");
    assert!(script.state.events.filter().is_empty());
}

#[test]
fn the_choice_among_completions_moves_with_the_arrows() {
    let mut script = talked();
    to_events(&mut script);
    script.keys(&["/", "down", "down", "tab"]);
    assert_eq!(script.state.events_filter.as_ref().unwrap().input.text, "task:");
    script.keys(&["ctrl+u", "up", "tab"]);
    assert_eq!(script.state.events_filter.as_ref().unwrap().input.text, "text:");
}

#[test]
fn a_filter_that_is_none_is_refused_as_a_command_too() {
    let mut script = talked();
    script.command("/events type:nonsense");
    assert!(script.text().contains("no type `nonsense`"), "{}", script.text());
    script.command("/events type:chat -noon");
    assert_eq!(script.state.events.shown().len(), 1);
}

#[test]
fn a_paste_goes_into_the_filter() {
    let mut script = talked();
    to_events(&mut script);
    script.key("/");
    script.send(Msg::Paste("type:chat\n".into()));
    assert_eq!(script.state.events.shown().len(), 2);
    assert!(script.state.composer.is_empty());
}

#[test]
fn a_pause_counts_what_comes_meanwhile() {
    let mut script = talked();
    to_events(&mut script);
    script.key("space");
    for _ in 0..3 {
        script.answered("more");
    }
    assert!(script.text().contains("paused · 3 new"), "{}", script.text());
    script.key("space");
    assert!(!script.text().contains("paused"));
}

#[test]
fn the_rate_is_shown_while_events_come_and_wakes_nobody_after() {
    let mut script = talked();
    script.state.servers.stale = false;
    for _ in 0..2 {
        for _ in 0..100 {
            script.answered("more");
        }
        assert!(!script.text().contains("/s "), "a burst is no flow: {}", script.text());
        script.wait(1_000);
    }
    script.answered("more");
    assert!(script.text().contains("/s "), "{}", script.text());
    assert!(script.state.next_wake().is_some());
    script.wait(8_000);
    assert!(!script.text().contains("/s "), "{}", script.text());
    assert_eq!(script.state.next_wake(), None);
}

#[test]
fn keys_are_not_lost_in_a_flood() {
    let mut script = ready();
    let mut expected = String::new();
    for round in 0..50_u64 {
        let event = |at: u64| {
            let body = Chat::new(Role::Assistant, ChatStatus::Done).with_text("x");
            let (seq, id) = (Some(Seq(round * 1_024 + at + 1)), EventId::new("e"));
            Delivery::Event(Arc::new(Event { seq, id, at: script.state.now, session: Some("other".into()), body: body.into() }))
        };
        let batch: Vec<_> = (0..1_024).map(event).collect();
        script.send(Msg::Events(batch));
        script.key("x");
        expected.push('x');
    }
    assert_eq!(script.state.composer.raw(), expected);
    assert_eq!(script.state.events.total(), 50 * 1_024);
    assert_eq!(script.state.events.shown().len(), script.state.options.events_max);
    let cost = script.state.transcript.cost();
    assert!(cost.laid_out < 10, "the chat is not laid out for events of others: {cost:?}");
}

#[test]
fn an_event_leads_to_its_place_in_the_chat_and_back() {
    let mut script = talked();
    to_events(&mut script);
    script.key("/");
    script.type_text("type:tool");
    script.keys(&["enter", "up", "c"]);
    assert_eq!(script.state.focus, Focus::Chat);
    let item = script.state.chat.selected.unwrap();
    assert!(script.state.transcript.text_of(item).unwrap().contains("now"));
    // The first event of the call made the item.
    script.key("e");
    assert_eq!(script.state.focus, Focus::Events);
    let EventBody::ToolExecution(call) = &script.state.events.current().unwrap().event.body else { panic!("no call") };
    assert_eq!(call.status, Status::Started);
}

#[test]
fn the_way_back_takes_a_filter_away_that_hides_the_event() {
    let mut script = talked();
    script.command("/events type:tool");
    script.keys(&["f6", "e"]);
    assert!(script.state.events.filter().is_empty(), "{} {:?}", script.text(), script.state.chat);
    assert!(matches!(&script.state.events.current().unwrap().event.body, EventBody::Chat(_)));
    assert!(script.text().contains("the filter hid it"), "{}", script.text());
}

#[test]
fn an_event_of_another_session_offers_to_open_that() {
    let mut script = talked();
    script.feed_of("elsewhere", Chat::new(Role::User, ChatStatus::Done).with_text("over there"));
    to_events(&mut script);
    script.keys(&["up", "c"]);
    assert!(script.text().contains("open it in a new tab"), "{}", script.text());
    script.key("enter");
    let id = SessionId::new("elsewhere");
    assert!(script.effects.contains(&Effect::Ask(Query::Session(id.clone()))));
    let events: Vec<_> = script.log.iter().filter(|event| event.session.as_ref() == Some(&id)).cloned().collect();
    script.send(Msg::Answer(Answer::Session(id.clone(), Ok(events.into()))));
    assert_eq!((script.state.tabs.count(), &script.state.session.id), (2, &id));
    let item = script.state.chat.selected.unwrap();
    assert_eq!(script.state.transcript.text_of(item).unwrap(), "over there");
    // What was in the pane already is not there twice.
    assert_eq!(script.state.events.total(), script.log.len() as u64);
}

#[test]
fn an_event_that_belongs_to_no_chat_says_so() {
    let mut script = talked();
    script.mcp(McpEventType::ServiceConnected, "time", json!({}));
    to_events(&mut script);
    script.keys(&["up", "c"]);
    assert!(script.text().contains("belongs to no chat"), "{}", script.text());
}

fn stored(seq: u64, at_ms: i64, body: impl Into<EventBody>) -> Arc<Event> {
    Arc::new(Event { seq: Some(Seq(seq)), id: EventId::new("e"), at: Instant::from_millis(at_ms), session: None, body: body.into() })
}

fn server(seq: u64, at_ms: i64, event_type: McpEventType, name: &str) -> Arc<Event> {
    stored(seq, at_ms, McpEvent { event_type, service_name: ServerName::new(name), details: json!({"tools": 3, "reason": "gone"}) })
}

fn task(seq: u64, id: &str, fact: TaskFact) -> Arc<Event> {
    stored(seq, 1_000, TaskEvent::new(TaskId::new(id), fact))
}

fn created(seq: u64, id: &str) -> Arc<Event> {
    let spec = serde_json::from_value(json!({
        "task_id": id, "task_type": "web_monitor", "description": format!("watch {id}"), "user_id": "u",
        "created_at": "2026-01-01T00:00:00.000Z", "config": {"urls": ["https://example.com"], "keywords": ["a"]}
    }));
    task(seq, id, TaskFact::TaskCreated { spec: Box::new(spec.unwrap()) })
}

#[test]
fn a_moment_is_the_fold_of_the_log_up_to_it() {
    let tasks = [
        created(1, "one"),
        created(2, "two"),
        task(5, "one", TaskFact::TaskPaused { reason: "a rest".into(), by_itself: false }),
        task(7, "two", TaskFact::TaskDeleted {}),
        created(9, "three"),
    ];
    let servers = [
        server(3, 0, McpEventType::ServiceRegistered, "files"),
        server(4, 10, McpEventType::ServiceConnected, "files"),
        server(6, 20, McpEventType::ServiceRegistered, "old"),
        server(8, 900_000, McpEventType::ServiceRegistered, "new"),
        server(10, 900_010, McpEventType::ServiceRegistered, "files"),
        server(11, 900_020, McpEventType::ServiceDisconnected, "files"),
    ];
    let check = |seq: u64, tasks_then: &[&str], servers_then: &[&str]| {
        let moment = Moment::fold(Seq(seq), Instant::from_millis(0), &tasks, &servers);
        let mut names: Vec<_> = moment.tasks.rows().iter().map(|row| format!("{} {}", row.spec.task_id, row.status.as_str())).collect();
        names.sort();
        assert_eq!(names, tasks_then, "tasks at {seq}");
        let names: Vec<_> = moment.servers.rows().iter().map(|row| row.name.to_string()).collect();
        assert_eq!(names, servers_then, "servers at {seq}");
        moment
    };
    check(1, &["one active"], &[]);
    check(4, &["one active", "two active"], &["files"]);
    assert_eq!(check(6, &["one paused", "two active"], &["files", "old"]).servers.counts(), (1, 2));
    // Another start of the program: what it does not register is gone.
    let last = check(11, &["one paused", "three active"], &["files", "new"]);
    assert_eq!(last.servers.counts(), (0, 2));
}

#[test]
fn the_past_is_shown_until_esc() {
    let mut script = talked();
    script.servers();
    script.mcp(McpEventType::ServiceConnected, "time", json!({"tools": 1}));
    to_events(&mut script);
    script.keys(&["up", "up", "r"]);
    let current = script.state.events.current().unwrap();
    let (seq, at) = (current.event.seq.unwrap(), current.event.at);
    assert!(script.effects.contains(&Effect::Ask(Query::Moment(seq, at))));
    let servers = [server(1, 0, McpEventType::ServiceConnected, "bygone")];
    let moment = Moment::fold(seq, at, &[created(2, "aaaa")], &servers);
    script.send(Msg::Answer(Answer::Moment(seq, Ok(Box::new(moment)))));
    let text = script.text();
    for part in ["tasks and servers as they were at", "servers 1/1 then", "bygone", "tasks 1 then", "watch aaaa"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    script.key("esc");
    let text = script.text();
    assert!(!text.contains("as they were") && !text.contains("bygone") && text.contains("everything"), "{text}");
    // One that nobody waits for is not shown.
    script.send(Msg::Answer(Answer::Moment(seq, Err("late".into()))));
    assert!(!script.text().contains("late"));
}

#[test]
fn what_is_in_no_log_has_no_past() {
    let mut script = talked();
    script.feed_ephemeral(McpEvent { event_type: McpEventType::Trace, service_name: "x".into(), details: json!({"message": "{}"}) });
    to_events(&mut script);
    script.keys(&["up", "r"]);
    assert!(script.text().contains("in no log"), "{}", script.text());
}
