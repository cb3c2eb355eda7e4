//! Cuts and what is left of a history.

use serde_json::json;

use super::*;
use crate::agent::testing::{assert_valid, call};
use crate::domain::ids::CallId;

fn user(text: &str) -> Message {
    Message::text(Role::User, text)
}

fn said(text: &str) -> Message {
    Message::text(Role::Assistant, text)
}

fn called(ids: &[&str], result: &str) -> Vec<Message> {
    let calls = ids.iter().map(|id| call(id, "t", json!({}))).collect();
    let mut out = vec![Message { tool_calls: calls, ..said("") }];
    out.extend(ids.iter().map(|id| Message::tool_result(CallId::new(id), result)));
    out
}

#[test]
fn there_must_be_something_to_gain() {
    assert_eq!(cut(&[], 1_000), None);
    assert_eq!(cut(&[user("a")], 1_000), None);
    assert_eq!(cut(&[user(&"a".repeat(9_000))], 1_000), None);
}

#[test]
fn the_last_exchange_is_kept_where_all_would_fit() {
    let messages = [user("a"), said("b"), user("c"), said("d")];
    assert_eq!(cut(&messages, 100_000), Some(2));
}

#[test]
fn a_waiting_message_is_kept_however_long_it_is() {
    let messages = [user("a"), said("b"), user("c"), user(&"d".repeat(9_000))];
    assert_eq!(cut(&messages, 1_000), Some(2));
}

#[test]
fn a_call_is_never_split_from_its_results() {
    let mut messages = vec![user("start")];
    for step in 0..20 {
        messages.extend(called(&[&format!("a{step}"), &format!("b{step}")], &"r".repeat(200)));
    }
    for window in (100..20_000).step_by(97) {
        let Some(at) = cut(&messages, window) else { continue };
        let rebuilt = rebuild("sum", &messages, at);
        assert_valid(&rebuilt);
        assert!(rebuilt.iter().any(|message| message.content == "start"), "the user's words are kept");
        assert!(rebuilt[0].content.ends_with("sum"));
    }
}

#[test]
fn a_second_summary_does_not_repeat_the_first_as_the_users_words() {
    let messages = [user("old"), said("b"), user("want"), said("c"), said("d")];
    let once = rebuild("one", &messages, 4);
    assert_eq!(once.iter().map(|message| message.content.lines().last().unwrap()).collect::<Vec<_>>(), ["one", "want", "d"]);
    let twice = rebuild("two", &once, 3);
    assert_eq!(twice.iter().map(|message| message.content.lines().last().unwrap()).collect::<Vec<_>>(), ["two", "want"]);
}

#[test]
fn the_request_fits_the_model() {
    let messages = [user(&"x".repeat(100_000)), said("y")];
    let request = request("m", &messages, 10_000);
    assert!(tokens::of_messages(&request.messages) < 10_000);
    assert!(request.tools.is_empty());
}
