//! The envelope's shapes, the documented JSON first.

use serde_json::json;

use super::*;
use crate::domain::ids::{CallId, ServerName};
use crate::domain::message::Role;

fn check(body: EventBody, data: &Value) {
    let event = Event {
        seq: Some(Seq(1042)),
        id: EventId::new("01J"),
        at: Instant::from_millis(1_767_268_800_000),
        session: Some(SessionId::new("s")),
        body,
    };
    let wire = serde_json::to_value(&event).unwrap();
    let expected = json!({"type": event.body.type_name(), "data": data, "timestamp": "2026-01-01T12:00:00.000Z", "seq": 1042, "id": "01J", "session": "s"});
    assert_eq!(wire, expected);
    assert_eq!(serde_json::from_value::<Event>(wire).unwrap(), event);
    let stored = event.body.data_json().unwrap();
    assert_eq!(EventBody::from_json(event.body.type_name(), &stored).unwrap(), event.body);
}

#[test]
fn tool_execution_has_the_wire_shape() {
    let body = ToolExecution {
        service_name: ServerName::new("everything"),
        tool_name: "echo".into(),
        status: Status::Started,
        result: None,
        error: None,
        error_kind: None,
        call_id: CallId::new("abc123def"),
        arguments: Some(json!({"message": "hi"}).as_object().unwrap().clone()),
        duration_ms: None,
        parent: None,
    };
    check(
        body.into(),
        &json!({"service_name": "everything", "tool_name": "echo", "status": "started", "call_id": "abc123def", "arguments": {"message": "hi"}}),
    );
}

#[test]
fn handoff_call_has_the_wire_shape() {
    let body = HandoffCall {
        service_name: "agent_coder".into(),
        task: json!({"goal": "fix"}).as_object().unwrap().clone(),
        status: Status::Error,
        result: None,
        error: Some("no such agent".into()),
        call_id: None,
        parent: None,
        duration_ms: Some(3),
    };
    check(
        body.into(),
        &json!({"service_name": "agent_coder", "task": {"goal": "fix"}, "status": "error", "error": "no such agent", "duration_ms": 3}),
    );
}

#[test]
fn mcp_event_and_chat_and_error_have_the_wire_shape() {
    let body =
        McpEvent { event_type: McpEventType::ServiceConnected, service_name: ServerName::new("everything"), details: json!({"tools": 12}) };
    check(body.into(), &json!({"event_type": "service_connected", "service_name": "everything", "details": {"tools": 12}}));
    check(Chat::new(Role::User, ChatStatus::Done).with_text("hi").into(), &json!({"role": "user", "status": "done", "text": "hi"}));
    let body = ErrorEvent { message: "no".into(), source: "mcp".into(), details: Value::Null };
    check(body.into(), &json!({"message": "no", "source": "mcp", "details": null}));
}

#[test]
fn unknown_types_survive() {
    let body = EventBody::Custom(Custom { type_name: "deploy".into(), data: json!({"status": "error"}) });
    assert!(body.is_error());
    check(body, &json!({"status": "error"}));
}

#[test]
fn ephemeral_events_carry_no_seq() {
    let event = Event {
        seq: None,
        id: EventId::new("x"),
        at: Instant::from_millis(0),
        session: None,
        body: Chat::new(Role::Assistant, ChatStatus::Delta).with_text("a").into(),
    };
    let text = serde_json::to_string(&event).unwrap();
    assert!(!text.contains("seq") && !text.contains("session"), "{text}");
}

#[test]
fn wrong_data_of_a_known_type_is_an_error() {
    assert!(EventBody::from_json("tool_execution", "{}").is_err());
}
