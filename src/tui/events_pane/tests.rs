//! The events pane: how events read, filter, pause, bounds.

use serde_json::json;

use super::*;
use crate::domain::clock::Instant;
use crate::domain::event::{Chat, Custom, ErrorEvent, McpEvent, Status, ToolExecution};
use crate::domain::ids::{CallId, EventId};
use crate::domain::message::Role;
use crate::tui::events_pane::filter::Known;
use crate::tui::theme::Key;

fn event(body: impl Into<EventBody>) -> Arc<Event> {
    Arc::new(Event { seq: None, id: EventId::new("e"), at: Instant::from_millis(0), session: None, body: body.into() })
}

fn mcp(event_type: McpEventType, details: serde_json::Value) -> Arc<Event> {
    event(McpEvent { event_type, service_name: "everything".into(), details })
}

fn tool(status: Status, result: Option<serde_json::Value>, error: Option<&str>) -> Arc<Event> {
    event(ToolExecution {
        service_name: "agent_coder".into(),
        tool_name: "generate_code".into(),
        status,
        result,
        error: error.map(str::to_owned),
        error_kind: None,
        call_id: CallId::new("c"),
        arguments: None,
        duration_ms: None,
        parent: None,
    })
}

fn pane(count: usize) -> EventsPane {
    let mut pane = EventsPane::new(100);
    for at in 0..count {
        pane.push(&event(ErrorEvent { message: format!("number {at}"), source: "test".into(), details: json!(null) }));
    }
    pane
}

#[test]
fn lines_read_as_the_wire_format_says() {
    let check = |event: Arc<Event>, key: Key, text: &str, detail: Option<&str>| {
        let line = describe(&event);
        assert_eq!((line.key, line.text.as_str(), line.detail.as_deref()), (key, text, detail));
    };
    let ack = EventBody::Custom(Custom { type_name: "connection_ack".into(), data: json!({}) });
    check(event(ack), Key::EventConnection, "connected", None);
    check(tool(Status::Success, None, None), Key::EventTool, "agent_coder: generate_code", None);
    check(tool(Status::Success, Some(json!({"text": "a\nb"})), None), Key::EventTool, "agent_coder: generate_code", Some("a b"));
    check(tool(Status::Error, None, Some("refused")), Key::EventError, "agent_coder: generate_code", Some("refused"));
    let connected = mcp(McpEventType::ServiceConnected, json!({"tools": 12}));
    check(connected, Key::EventMcp, "service_connected: everything (12 tools)", None);
    let error = ErrorEvent { message: "connection refused".into(), source: "everything".into(), details: json!({"hint": "start it"}) };
    check(event(error), Key::EventError, "everything: connection refused", Some("start it"));
}

#[test]
fn nothing_from_outside_controls_the_line() {
    let log = mcp(McpEventType::Log, json!({"level": "info", "message": "\u{1b}]0;x\u{7}evil\u{202e}\nnext"}));
    assert_eq!(describe(&log).text, "log: everything: info evil next");
}

#[test]
fn streaming_parts_are_not_shown_and_progress_is_shown_once() {
    let mut pane = EventsPane::new(10);
    pane.push(&event(Chat::new(Role::Assistant, ChatStatus::Delta).with_text("x")));
    assert_eq!(pane.total(), 0);
    for step in 0..5 {
        pane.push(&mcp(McpEventType::Progress, json!({"progress": step, "total": 5})));
    }
    assert_eq!(pane.shown().len(), 1);
    assert_eq!(pane.current().unwrap().line().text, "progress: everything 4/5");
}

#[test]
fn the_oldest_go_and_the_selection_stays_on_its_event() {
    let mut pane = pane(100);
    pane.move_selection(-1, 10);
    pane.move_selection(-1, 10);
    let text = pane.current().unwrap().line().text.clone();
    for _ in 0..50 {
        pane.push(&event(ErrorEvent { message: "more".into(), source: "test".into(), details: json!(null) }));
    }
    assert_eq!(pane.current().unwrap().line().text, text);
    assert_eq!((pane.shown().len(), pane.total()), (100, 150));
    for _ in 0..100 {
        pane.push(&event(ErrorEvent { message: "more".into(), source: "test".into(), details: json!(null) }));
    }
    assert_eq!(pane.selected(), None);
}

#[test]
fn a_pause_holds_the_screen_and_counts() {
    let mut pane = pane(20);
    pane.toggle_pause();
    let before = pane.window(10);
    pane.push(&event(ErrorEvent { message: "new".into(), source: "test".into(), details: json!(null) }));
    assert_eq!(pane.window(10), before);
    assert_eq!((pane.is_paused(), pane.unseen()), (true, 1));
    pane.toggle_pause();
    assert_eq!((pane.follows(), pane.unseen()), (true, 0));
}

#[test]
fn scrolling_stops_at_both_ends_and_follows_again_at_the_end() {
    let mut pane = pane(20);
    pane.scroll(-100);
    let top = pane.window(5);
    assert_eq!((top.first().unwrap().index, top.len()), (0, 5));
    pane.scroll(100);
    assert!(pane.follows());
    assert_eq!(pane.window(5).last().unwrap().index, 19);
}

#[test]
fn the_filter_narrows_by_type_server_status_and_text() {
    let mut pane = EventsPane::new(100);
    pane.push(&mcp(McpEventType::ServiceConnected, json!({"tools": 12})));
    pane.push(&tool(Status::Success, Some(json!("fine")), None));
    pane.push(&tool(Status::Error, None, Some("broken")));
    let mut check = |filter: &str, count: usize| {
        pane.set_filter(Filter::parse(filter, &Known::default()).unwrap());
        assert_eq!(pane.shown().len(), count, "{filter}");
    };
    check("", 3);
    check("type:tool_execution", 2);
    check("type:mcp_event,tool_execution", 3);
    check("server:every", 1);
    check("status:error", 1);
    check("type:tool FINE", 1);
    check("connected", 1);
    check("nothing", 0);
}

#[test]
fn the_latest_error_is_found_and_then_the_one_before() {
    let mut pane = EventsPane::new(100);
    pane.push(&tool(Status::Error, None, Some("first")));
    pane.push(&tool(Status::Success, None, None));
    pane.push(&tool(Status::Error, None, Some("second")));
    assert!(pane.select_error());
    assert_eq!(pane.selected(), Some(2));
    assert!(pane.select_error());
    assert_eq!(pane.selected(), Some(0));
    assert!(pane.select_error());
    assert_eq!(pane.selected(), Some(2));
}

#[test]
fn raw_messages_do_not_fill_the_memory() {
    let mut pane = EventsPane::new(1_000);
    let message = "x".repeat(1 << 20);
    for _ in 0..64 {
        pane.push(&mcp(McpEventType::Trace, json!({"direction": "←", "message": message})));
    }
    assert_eq!((pane.shown().len(), pane.total()), (31, 64));
    pane.clear();
    assert_eq!(pane.shown().len(), 0);
}

/// How many of four events pass: a tool that ran, one that failed, a chat of `s1`, a notice about task `aaaa`.
fn passing(filter: &str) -> Result<usize, String> {
    let known = Known {
        servers: vec!["agent_coder".into()],
        tasks: vec![("aaaa-1".into(), "Tech Crunch".into())],
        sessions: vec![("s1".into(), "a title".into()), ("s2".into(), "other".into())],
        session: "s2".into(),
        ..Known::default()
    };
    let mut pane = EventsPane::new(100);
    pane.push(&tool(Status::Success, Some(json!("fine")), None));
    pane.push(&tool(Status::Error, None, Some("two words here")));
    let chat = EventBody::from(Chat::new(Role::User, ChatStatus::Done).with_text("14:30 http://x"));
    pane.push(&Arc::new(Event { session: Some("s1".into()), ..event(chat).as_ref().clone() }));
    let own = Custom { type_name: "weather".into(), data: json!({"task_id": "aaaa-1", "status": "sunny"}) };
    pane.push(&event(EventBody::Custom(own)));
    pane.set_filter(Filter::parse(filter, &known)?);
    Ok(pane.shown().len())
}

#[test]
fn parts_of_a_filter_combine_and_may_be_negated() {
    let check = |filter: &str, count: usize| assert_eq!(passing(filter), Ok(count), "{filter}");
    check("type:tool_execution server:coder status:error -nothing", 1);
    check("-type:tool", 2);
    check("type:tool -status:error", 1);
    check("-fine type:tool", 1);
    check("\"two words\"", 1);
    check("\"words two\"", 0);
    check("words two", 1);
    check("task:aaaa", 1);
    check("task:crunch", 1);
    check("session:s1", 1);
    check("session:title", 1);
    check("session:this", 0);
    check("-session:none", 1);
    check("status:success,done", 2);
    check("type:custom", 1);
    check("14:30 http://x", 1);
    check("type: status:", 4);
    check("-", 4);
}

#[test]
fn nonsense_in_a_filter_is_named_with_what_to_try() {
    let check = |filter: &str, error: &str| assert_eq!(passing(filter), Err(error.to_owned()), "{filter}");
    check("typ:tool", "no key `typ`; did you mean `type:`?");
    check("colour:red", "no key `colour`: type, server, task, status, session, text; in quotes it is text");
    check("type:tol_execution", "no type `tol_execution`; did you mean `tool_execution`?");
    check("status:sucess", "no status `sucess`; did you mean `success`?");
    check("status:weird", "no status `weird`: started, success, error, done, failed …");
    check("task:nobody", "no task `nobody`: give the start of its id, or words of its name");
    assert_eq!(passing("\"colour:red\""), Ok(0));
}

#[test]
fn keys_and_values_are_completed() {
    let known = Known { servers: vec!["files".into(), "my server".into()], ..Known::default() };
    let mut input = FilterInput::new("", &known);
    assert_eq!(input.offers.len(), 6);
    let check = |input: &mut FilterInput, typed: &str, expected: &str| {
        input.paste(typed, &known);
        input.complete(&known);
        assert_eq!(input.input.text, expected);
    };
    check(&mut input, "ty", "type:");
    check(&mut input, "tool", "type:tool_execution ");
    check(&mut input, "-ser", "type:tool_execution -server:");
    check(&mut input, "my", "type:tool_execution -server:\"my server\" ");
    check(&mut input, "status:err", "type:tool_execution -server:\"my server\" status:error ");
    assert!(!input.filter(&known).is_empty() && input.error.is_none());
    let mut input = FilterInput::new("status:started,succ", &known);
    input.complete(&known);
    assert_eq!(input.input.text, "status:started,success ");
}

#[test]
fn a_flood_costs_what_is_looked_at_and_no_memory() {
    let mut pane = EventsPane::new(1_000);
    pane.set_filter(Filter::parse("type:tool_execution server:coder", &Known::default()).unwrap());
    for at in 0..50_000 {
        pane.push(&tool(if at % 2 == 0 { Status::Started } else { Status::Success }, None, None));
    }
    assert_eq!((pane.total(), pane.passed(), pane.entries.len(), pane.shown().len()), (50_000, 50_000, 1_000, 1_000));
    // A second's worth was folded many times over and not one line was made.
    assert_eq!(pane.described(), 0);
    let slots = pane.window(20);
    slots.iter().for_each(|slot| drop(pane.entry(slot.index).unwrap().line().text.clone()));
    assert!(pane.described() <= 22, "{}", pane.described());
}

#[test]
fn large_events_do_not_fill_the_memory() {
    let mut pane = EventsPane::new(1_000);
    for _ in 0..100 {
        pane.push(&tool(Status::Success, Some(json!({"text": "x".repeat(1 << 20)})), None));
    }
    assert!(pane.entries.len() < 33 && pane.bytes <= BYTES_MAX, "{} {}", pane.entries.len(), pane.bytes);
    pane.clear_all();
    assert_eq!((pane.total(), pane.bytes), (0, 0));
}

#[test]
fn a_filter_keeps_what_is_selected_and_a_pause_goes_on() {
    let mut pane = EventsPane::new(100);
    for at in 0..20 {
        pane.push(&tool(if at % 2 == 0 { Status::Success } else { Status::Error }, None, None));
    }
    pane.toggle_pause();
    pane.select(5);
    pane.set_filter(Filter::parse("status:error", &Known::default()).unwrap());
    assert_eq!((pane.selected(), pane.is_paused(), pane.unseen()), (Some(5), true, 0));
    pane.push(&tool(Status::Success, None, None));
    pane.push(&tool(Status::Error, None, None));
    assert_eq!((pane.unseen(), pane.passed()), (1, 11));
    pane.set_filter(Filter::parse("status:success", &Known::default()).unwrap());
    assert_eq!(pane.selected(), None);
}
