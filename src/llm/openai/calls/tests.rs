//! Calls in all the parts they come in.

use serde_json::json;

use super::*;
use crate::llm::openai::chunk::Chunk;

fn assemble(parts: &[Value], cut: bool) -> Vec<ToolCall> {
    let mut calls = Calls::default();
    for part in parts {
        let chunk = Chunk::read(json!({"choices": [{"delta": {"tool_calls": [part]}}]}));
        for part in chunk.choices.into_iter().flat_map(|choice| choice.calls) {
            calls.push(part).unwrap();
        }
    }
    calls.finish(cut)
}

/// Asserts `id name arguments` of each call; `?` for an id of our own.
fn check(parts: &[Value], expected: &[&str]) {
    let show = |call: ToolCall| {
        let id = call.id.as_str();
        let ours = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let arguments = call.invalid.map_or_else(|| Value::Object(call.arguments).to_string(), |_| "invalid".to_owned());
        format!("{} {} {arguments}", if ours { "?" } else { id }, call.name)
    };
    let calls: Vec<_> = assemble(parts, false).into_iter().map(show).collect();
    assert_eq!(calls, expected, "{parts:?}");
}

fn part(index: impl Into<Value>, id: impl Into<Value>, name: impl Into<Value>, arguments: impl Into<Value>) -> Value {
    json!({"index": index.into(), "id": id.into(), "type": "function", "function": {"name": name.into(), "arguments": arguments.into()}})
}

const NO: Value = Value::Null;

#[test]
fn parts_find_their_call() {
    // The textbook.
    check(&[part(0, "c1", "f", ""), part(0, NO, NO, "{\"a\""), part(0, NO, NO, ":1}")], &["c1 f {\"a\":1}"]);
    // Two calls in turn, and interleaved.
    check(
        &[part(0, "c1", "f", "{\"a\""), part(1, "c2", "g", "{\"b\""), part(0, NO, NO, ":1}"), part(1, NO, NO, ":2}")],
        &["c1 f {\"a\":1}", "c2 g {\"b\":2}"],
    );
    // All with index 0, told apart by their ids.
    check(&[part(0, "c1", "f", "{\"a\":1}"), part(0, "c2", "f", "{\"a\":2}")], &["c1 f {\"a\":1}", "c2 f {\"a\":2}"]);
    // All with index 0 and no ids at all.
    check(
        &[part(0, NO, "f", "{\"a\":1}"), part(0, NO, "f", "{\"a\":2}"), part(0, NO, "g", "{}")],
        &["? f {\"a\":1}", "? f {\"a\":2}", "? g {}"],
    );
    // No index.
    check(&[part(NO, "c1", "f", "{\"a\":1}"), part(NO, "c2", "g", "{}")], &["c1 f {\"a\":1}", "c2 g {}"]);
    check(
        &[part(NO, "c1", "f", "{\"a\""), part(NO, NO, NO, ":1}"), part(NO, "c2", "g", ""), part(NO, "c2", NO, "{}")],
        &["c1 f {\"a\":1}", "c2 g {}"],
    );
    // Neither index nor id.
    check(&[part(NO, NO, "f", "{\"a\""), part(NO, NO, NO, ":1}"), part(NO, NO, "g", "{}")], &["? f {\"a\":1}", "? g {}"]);
    // The id comes late, or in each part, or anew with each part.
    check(&[part(0, NO, "f", ""), part(0, "c1", NO, "{\"a\":1}")], &["c1 f {\"a\":1}"]);
    check(&[part(NO, NO, "f", ""), part(NO, "c1", NO, "{\"a\":1}")], &["c1 f {\"a\":1}"]);
    check(&[part(0, "c1", "f", "{\"a\""), part(0, "c1", "f", ":1}")], &["c1 f {\"a\":1}"]);
    check(&[part(0, "c1", "f", "{\"a\""), part(0, "c9", NO, ":1}")], &["c1 f {\"a\":1}"]);
    // An index with gaps, a huge one, a text.
    check(&[part(3, "c1", "f", "{}"), part(u64::MAX, "c2", "g", "{}"), part("7", "c3", "h", "{}")], &["c1 f {}", "c2 g {}", "c3 h {}"]);
    // Empty ids count as none, repeated ones are replaced.
    check(&[part(0, "", "f", "{}"), part(1, "", "g", "{}")], &["? f {}", "? g {}"]);
    check(&[part(0, "c1", "f", "{}"), part(1, "c1", "g", "{}")], &["c1 f {}", "? g {}"]);
}

#[test]
fn the_name_is_set_once() {
    check(&[part(0, "c1", "f", "{"), part(0, NO, "", "}"), part(0, NO, NO, "")], &["c1 f {}"]);
    check(&[part(0, NO, "f", "{\"a\""), part(0, NO, "f", ":"), part(0, NO, "f", "1}")], &["? f {\"a\":1}"]);
    check(&[part(0, "c1", NO, "{"), part(0, NO, "f", "}")], &["c1 f {}"]);
    check(&[part(0, "c1", NO, "{}")], &["c1 unknown invalid"]);
    check(&[part(0, "c1", NO, "")], &[]);
}

#[test]
fn arguments_of_all_kinds_are_read() {
    let f = |arguments: Value| [part(0, "c", "f", arguments)];
    check(&f(json!("")), &["c f {}"]);
    check(&f(NO), &["c f {}"]);
    check(&f(json!("null")), &["c f {}"]);
    check(&f(json!("  {\"a\":1}\n")), &["c f {\"a\":1}"]);
    check(&f(json!({"a": 1})), &["c f {\"a\":1}"]);
    check(&f(json!("\"{\\\"a\\\":1}\"")), &["c f {\"a\":1}"]);
    check(&f(json!("\"\"")), &["c f {}"]);
    check(&f(json!("{\"a\":")), &["c f invalid"]);
    check(&f(json!("[1]")), &["c f invalid"]);
    check(&f(json!([1])), &["c f invalid"]);
    check(&f(json!("3")), &["c f invalid"]);
    check(&f(json!("{\"a\":1}{\"b\":2}")), &["c f invalid"]);
    // The whole once more at the end.
    check(&[part(0, "c", "f", "{\"a\""), part(0, NO, NO, ":1}"), part(0, "c", "f", "{\"a\":1}")], &["c f {\"a\":1}"]);
    // Objects in two parts.
    check(&[part(0, "c", "f", json!({"a": 1})), part(0, "c", NO, json!({"b": 2}))], &["c f {\"a\":1,\"b\":2}"]);
}

#[test]
fn a_call_cut_by_the_limit_is_invalid() {
    let reasons = |parts: &[Value]| assemble(parts, true).into_iter().map(|call| call.invalid.is_some()).collect::<Vec<_>>();
    assert_eq!(reasons(&[part(0, "a", "f", "{}"), part(1, "b", "g", "{\"x\":")]), [false, true]);
    assert_eq!(reasons(&[part(0, "a", "f", "")]), [true], "no arguments may be arguments that did not come");
    assert_eq!(reasons(&[part(0, "a", "f", "{\"x\":1}")]), [false]);
}

#[test]
fn unknown_fields_are_kept() {
    let first = json!({"index": 0, "id": "c", "type": "function", "extra_content": {"google": {"thought_signature": "s"}},
        "function": {"name": "f", "arguments": "{}", "strange": 1}});
    let calls = assemble(&[first], false);
    assert_eq!(
        Value::Object(calls[0].extra.clone()),
        json!({"extra_content": {"google": {"thought_signature": "s"}}, "function": {"strange": 1}})
    );
}

#[test]
fn details_that_come_in_shreds_grow_together() {
    let mut extra = Map::new();
    for (index, text) in [(0, "a"), (0, "b"), (1, "c")] {
        merge(&mut extra, "d".into(), json!([{"type": "reasoning.text", "index": index, "text": text}]));
    }
    merge(&mut extra, "d".into(), json!([{"type": "reasoning.text", "index": 1, "signature": "s", "text": null}]));
    assert_eq!(
        Value::Object(extra),
        json!({"d": [{"type": "reasoning.text", "index": 0, "text": "ab"}, {"type": "reasoning.text", "index": 1, "text": "c", "signature": "s"}]})
    );
}

#[test]
fn there_is_an_end_to_calls() {
    let mut calls = Calls::default();
    let mut push = |at: u64| calls.push(CallPart { index: Some(at), id: Some(at.to_string()), ..CallPart::default() });
    assert!((0..128).all(|at| push(at).is_ok()));
    assert_eq!(push(128), Err(TooMany));
}
