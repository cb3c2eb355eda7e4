//! What becomes a record, and what is in it.

use serde_json::json;

use super::*;
use crate::domain::event::{Chat, ChatStatus, EventBody, HandoffCall, Status, ToolExecution, TurnEvent};
use crate::domain::ids::{AgentName, SessionId, TurnId};
use crate::domain::message::{Role, ToolCall, Usage};

fn shape(content: Content) -> Shape {
    Shape { mcp_id: "me".into(), content, salt: b"salt".to_vec(), redactor: Redactor::new(vec!["topsecret".into()]) }
}

fn event(ms: i64, body: impl Into<EventBody>) -> Event {
    Event { seq: None, id: EventId::generate(), at: Instant::from_millis(ms), session: Some(SessionId::from("s")), body: body.into() }
}

fn started(ms: i64) -> Event {
    event(ms, TurnEvent::Started { turn: TurnId::from("t"), parent: None, agent: None, model: "p/m".into() })
}

fn finished(ms: i64, end: TurnEnd, message: Option<&str>) -> Event {
    let usage = Usage { input_tokens: 7, output_tokens: 3, cached_tokens: 0 };
    let message = message.map(str::to_owned);
    event(
        ms,
        TurnEvent::Finished { turn: TurnId::from("t"), parent: None, end, steps: 2, duration_ms: 1_500, usage, context_tokens: 0, message },
    )
}

fn said(ms: i64, role: Role, text: &str, calls: usize) -> Event {
    let mut chat = Chat::new(role, ChatStatus::Done).with_text(text);
    chat.turn = Some(TurnId::from("t"));
    chat.tool_calls = vec![ToolCall { id: "c".into(), name: "n".into(), arguments: Map::new(), invalid: None, extra: Map::new() }; calls];
    event(ms, chat)
}

fn call(ms: i64, status: Status) -> Event {
    let arguments = json!({"password": "hunter2", "text": "write to anna@example.org", "n": 1}).as_object().cloned();
    event(
        ms,
        ToolExecution {
            service_name: "files".into(),
            tool_name: "read".into(),
            status,
            result: (status == Status::Success).then(|| json!("topsecret result")),
            error: (status == Status::Error).then(|| "no such file: topsecret".to_owned()),
            error_kind: (status == Status::Error).then_some(ErrorKind::TimedOut),
            call_id: "c1".into(),
            arguments,
            duration_ms: (status != Status::Started).then_some(250),
            parent: None,
        },
    )
}

fn records(content: Content, events: &[Event]) -> Vec<InteractionRecord> {
    let (mut fold, mut out) = (Fold::default(), Vec::new());
    for event in events {
        fold.take(event, &shape(content), &mut out);
    }
    out
}

/// Each record's action and payload.
fn told(content: Content, events: &[Event]) -> Vec<(Action, Value)> {
    records(content, events).into_iter().map(|record| (record.action, Value::Object(record.payload))).collect()
}

#[test]
fn a_turn_is_one_interaction_from_its_start_to_its_end() {
    let events = [
        said(900, Role::User, "hello", 0),
        started(1_000),
        said(2_000, Role::Assistant, "", 1),
        said(2_400, Role::Assistant, "the answer", 0),
        finished(2_500, TurnEnd::Done, None),
    ];
    let out = records(Content::Off, &events);
    let [start, end] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!((start.action, end.action), (Action::Start, Action::Complete));
    assert_eq!(start.interaction_id, end.interaction_id);
    assert!(start.interaction_id.as_str().starts_with("int_1_") && start.interaction_id.as_str().len() == "int_1_".len() + 8);
    assert_eq!((start.mcp_id.as_str(), start.timestamp.as_millis()), ("me", 1_000));
    assert_eq!(start.payload["input_size"], 5);
    assert_eq!(start.payload["parameters"], json!({"model": "p/m", "agent": null, "session_id": "s"}));
    assert_eq!(
        Value::Object(end.payload.clone()),
        json!({"success": true, "output_size": 10, "processing_time": 1.5, "adapter_used": "p/m", "steps": 2, "tool_calls": 1,
               "retries": 0, "input_tokens": 7, "output_tokens": 3})
    );
    assert_eq!(end.record_id.as_str(), events[4].id.as_str(), "a record of an event that is read twice is the same record");
}

#[test]
fn every_end_that_is_not_good_is_an_error_of_its_class() {
    for (end, kind) in [
        (TurnEnd::Interrupted, "interrupted"),
        (TurnEnd::StepLimit, "step_limit"),
        (TurnEnd::Failed, "model_failed"),
        (TurnEnd::Crashed, "crashed"),
    ] {
        let out = told(Content::Off, &[started(0), finished(1, end, Some("the prompt said X"))]);
        assert_eq!(
            (out[1].0, &out[1].1["error_type"], &out[1].1["error_code"]),
            (Action::Error, &json!(kind), &json!(kind.to_uppercase()))
        );
        assert!(!out[1].1.to_string().contains("the prompt said"), "texts are not told");
    }
    let out = told(Content::Full, &[started(0), finished(1, TurnEnd::Failed, Some("no route to host"))]);
    assert_eq!(out[1].1["error_message"], "no route to host");
}

#[test]
fn progress_is_told_every_ten_seconds_at_most() {
    let mut events = vec![started(0)];
    events.extend((1..=30).map(|second| said(second * 1_000, Role::Assistant, "x", 1)));
    let out = told(Content::Off, &events);
    let progress: Vec<_> =
        out.iter().filter(|(action, _)| *action == Action::Progress).map(|(_, payload)| payload["elapsed"].clone()).collect();
    assert_eq!(progress, [json!(10.0), json!(20.0), json!(30.0)]);
}

#[test]
fn a_call_tells_sizes_times_and_class_and_no_content() {
    let out =
        told(Content::Off, &[call(0, Status::Started), call(250, Status::Success), call(300, Status::Started), call(400, Status::Error)]);
    assert_eq!(out.iter().map(|(action, _)| *action).collect::<Vec<_>>(), [Action::Start, Action::Complete, Action::Start, Action::Error]);
    assert_eq!(out[0].1["parameters"], json!({"service": "files", "tool": "read", "session_id": "s"}));
    assert_eq!(
        (&out[1].1["output_size"], &out[1].1["processing_time"], &out[1].1["adapter_used"]),
        (&json!(16), &json!(0.25), &json!("files"))
    );
    assert_eq!(out[3].1["error_type"], "timed_out");
    let all = format!("{out:?}");
    assert!(!all.contains("hunter2") && !all.contains("topsecret") && !all.contains("anna"), "{all}");
}

#[test]
fn content_is_hashed_or_redacted_where_it_is_wanted() {
    let events = [call(0, Status::Started), call(250, Status::Success)];
    let full = told(Content::Full, &events);
    assert_eq!(full[0].1["parameters"]["arguments"], json!({"password": "•••", "text": "write to •••", "n": 1}));
    assert_eq!(full[1].1["result"], "••• result");
    let hashed = told(Content::Hash, &events);
    assert_eq!(hashed[1].1["result_hash"].as_str().map(str::len), Some(32));
    assert_eq!(hashed, told(Content::Hash, &events), "equal texts have equal hashes");
    let mut other = shape(Content::Hash);
    other.salt = b"another".to_vec();
    assert_ne!(other.hash("x"), shape(Content::Hash).hash("x"));
    assert!(!format!("{hashed:?}").contains("topsecret"));
}

#[test]
fn handoffs_are_interactions() {
    let handoff = |ms, status, error: Option<&str>| {
        event(
            ms,
            HandoffCall {
                service_name: AgentName::from("coder").as_str().to_owned(),
                task: Map::new(),
                status,
                result: None,
                error: error.map(str::to_owned),
                call_id: Some("h".into()),
                parent: None,
                duration_ms: Some(5),
            },
        )
    };
    let out = records(Content::Off, &[handoff(0, Status::Started, None), handoff(9, Status::Error, Some("x"))]);
    assert_eq!((out[0].interaction_id == out[1].interaction_id, out[1].payload["error_type"].as_str()), (true, Some("handoff_failed")));
    assert_eq!(out[0].payload["request_type"], "handoff");
}

#[test]
fn what_began_before_a_restart_ends_as_the_same_interaction() {
    let (mut fold, mut out) = (Fold::default(), Vec::new());
    fold.take(&started(5_000), &shape(Content::Off), &mut out);
    let stored = serde_json::to_string(&fold).unwrap();
    let mut fold: Fold = serde_json::from_str(&stored).unwrap();
    fold.take(&finished(6_500, TurnEnd::Done, None), &shape(Content::Off), &mut out);
    assert_eq!(out[0].interaction_id, out[1].interaction_id);
    assert_eq!(fold, Fold::default(), "nothing is left open");
}

#[test]
fn an_end_without_a_start_is_told_all_the_same() {
    let out = records(Content::Off, &[finished(6_500, TurnEnd::Done, None)]);
    assert!(out[0].interaction_id.as_str().starts_with("int_5_"), "it began when its duration says");
}

#[test]
fn what_is_open_is_bounded() {
    let (mut fold, mut out) = (Fold::default(), Vec::new());
    for number in 0..5_000 {
        let turn = TurnId::from(format!("t{number}"));
        fold.take(
            &event(number, TurnEvent::Started { turn, parent: None, agent: None, model: "m".into() }),
            &shape(Content::Off),
            &mut out,
        );
    }
    assert_eq!(out.len(), 5_000);
    assert!(serde_json::to_string(&fold).unwrap().len() < 1 << 20);
}

#[test]
fn records_of_one_event_have_ids_of_their_own_that_stay_uuids() {
    let id = EventId::generate();
    let (first, second) = (record_id(&id, 0), record_id(&id, 1));
    assert_ne!(first, second);
    assert_eq!(uuid::Uuid::parse_str(second.as_str()).unwrap().get_version_num(), 7);
    assert_eq!(record_id(&EventId::from("theirs"), 0), record_id(&EventId::from("theirs"), 0));
}
