//! Conversations made valid.

use std::sync::Arc;

use serde_json::{Map, json};

use super::*;
use crate::domain::message::ToolCall;

fn valid(messages: &[Message], short_ids: bool) -> Vec<Message> {
    super::valid(messages, short_ids).into_iter().map(Cow::into_owned).collect()
}

fn call(id: &str, name: &str) -> ToolCall {
    let Ok(serde_json::Value::Object(arguments)) = serde_json::to_value(json!({"a": 1})) else { unreachable!() };
    ToolCall { id: id.into(), name: name.into(), arguments, invalid: None, extra: Map::new() }
}

fn calls(content: &str, calls: Vec<ToolCall>) -> Message {
    Message { tool_calls: calls, ..Message::text(Role::Assistant, content) }
}

fn user(text: &str) -> Message {
    Message::text(Role::User, text)
}

fn result(id: &str, text: &str) -> Message {
    Message::tool_result(id.into(), text)
}

/// One line a message: `user text`, `assistant text +id/name`, `tool id text`.
fn check(messages: &[Message], expected: &[&str]) {
    let show = |message: &Message| {
        let calls: Vec<_> = message.tool_calls.iter().map(|call| format!(" +{}/{}", call.id, call.name)).collect();
        let calls = calls.concat();
        let id = message.tool_call_id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
        format!("{}{id} {}{calls}", format!("{:?}", message.role).to_lowercase(), message.content)
    };
    let out = valid(messages, false);
    assert_eq!(out.iter().map(show).collect::<Vec<_>>(), expected);
    assert_eq!(valid(&out, false), out, "what is valid stays as it is");
}

#[test]
fn each_call_is_answered_once_right_after_it() {
    check(
        &[
            user("q"),
            calls("", vec![call("a", "f"), call("b", "g")]),
            result("b", "2"),
            user("wait"),
            result("a", "1"),
            result("a", "again"),
        ],
        &["user q", "assistant  +a/f +b/g", "tool a 1", "tool b 2", "user wait"],
    );
    check(&[result("x", "orphan"), user("q"), result("y", "orphan")], &["user q"]);
    check(
        &[user("q"), calls("", vec![call("a", "f")]), user("next")],
        &["user q", "assistant  +a/f", "tool a The call was interrupted. Whether it took effect is unknown.", "user next"],
    );
    check(&[calls("", vec![call("a", "f")]), result("a", "")], &["assistant  +a/f", "tool a (no output)"]);
}

#[test]
fn ids_are_unique_and_plain() {
    let out = valid(
        &[
            calls("", vec![call("a", "f")]),
            result("a", "1"),
            calls("", vec![call("a", "f"), call("a", "g")]),
            result("a", "2"),
            result("a", "3"),
        ],
        false,
    );
    let answers: Vec<_> = out.iter().filter(|message| message.role == Role::Tool).map(|message| message.content.as_str()).collect();
    assert_eq!(answers, ["1", "2", "3"]);
    let ids: HashSet<_> = out.iter().flat_map(|message| &message.tool_calls).map(|call| call.id.as_str()).collect();
    assert!(ids.len() == 3 && ids.contains("a"), "{ids:?}");
    for odd in ["", "with blank", "ünicode", &"x".repeat(41)] {
        let out = valid(&[calls("", vec![call(odd, "f")]), result(odd, "r")], false);
        let id = out[0].tool_calls[0].id.as_str();
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{odd:?} became {id:?}");
        assert_eq!((out[1].tool_call_id.as_ref().map(CallId::as_str), out[1].content.as_str()), (Some(id), "r"));
    }
}

#[test]
fn all_ids_are_of_nine_where_a_provider_wants_it() {
    let out = valid(&[calls("", vec![call("call_123", "f"), call("abcDEF123", "f")]), result("call_123", "r")], true);
    let ids: Vec<_> = out[0].tool_calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!((ids[0].len(), ids[1]), (9, "abcDEF123"));
    assert_eq!(out[1].tool_call_id.as_ref().map(CallId::as_str), Some(ids[0]));
}

#[test]
fn names_are_safe_and_invalid_calls_have_no_arguments() {
    check(
        &[calls("", vec![call("a", "my.tool/x"), call("b", "")]), result("a", "1"), result("b", "2")],
        &["assistant  +a/my_tool_x +b/unknown", "tool a 1", "tool b 2"],
    );
    let broken = ToolCall { invalid: Some("no JSON".into()), ..call("a", "f") };
    assert!(valid(&[calls("", vec![broken])], false)[0].tool_calls[0].arguments.is_empty());
}

#[test]
fn empty_assistant_messages_go_and_neighbours_join() {
    let thought = Message { reasoning: Some("hm".into()), ..Message::text(Role::Assistant, " ") };
    check(
        &[user("a"), thought, user("b"), calls("x", vec![]), calls("y", vec![call("c", "f")])],
        &["user a\n\nb", "assistant x\n\ny +c/f", "tool c The call was interrupted. Whether it took effect is unknown."],
    );
}

#[test]
fn a_hundred_and_twenty_eight_tools_at_most() {
    let tool = |name: String| ToolSpec { name: name.into(), description: String::new(), parameters: Arc::default() };
    let mut tools: Vec<_> = (0..200).map(|at| tool(format!("t{at}"))).collect();
    tools.insert(0, tool("bad name".into()));
    tools.insert(0, tool("t0".into()));
    let offered = offered(&tools);
    assert_eq!(offered.len(), 128);
    assert_eq!((offered[0].name.as_str(), offered[1].name.as_str()), ("t0", "t1"));
}

#[test]
fn any_conversation_becomes_valid() {
    use proptest::prelude::*;
    let id = || prop_oneof![Just(String::new()), "[ab]", "[a-z]{45}"];
    let message = prop_oneof![
        "[a-z]{0,3}".prop_map(|text| user(&text)),
        ("[a-z]{0,3}", prop::collection::vec(id(), 0..3))
            .prop_map(|(text, ids)| calls(&text, ids.iter().map(|id| call(id, "f")).collect())),
        (id(), "[a-z]{0,3}").prop_map(|(id, text)| result(&id, &text)),
    ];
    proptest!(|(messages in prop::collection::vec(message, 0..12))| {
        let out = valid(&messages, false);
        let mut seen = HashSet::new();
        let mut open: VecDeque<CallId> = VecDeque::new();
        for message in &out {
            if message.role == Role::Tool {
                prop_assert_eq!(message.tool_call_id.clone(), open.pop_front());
            } else {
                prop_assert!(open.is_empty());
            }
            prop_assert!(message.role != Role::Assistant || !message.content.is_empty() || !message.tool_calls.is_empty());
            for call in &message.tool_calls {
                prop_assert!(seen.insert(call.id.clone()));
                open.push_back(call.id.clone());
            }
        }
        prop_assert!(open.is_empty());
    });
}
