//! Whole streams put together; however they are cut into packets.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::llm::ToolSpec;
use crate::llm::openai::sse::{Decoder, Frame};

fn request() -> ChatRequest {
    let tool = |name: &str| ToolSpec { name: name.into(), description: String::new(), parameters: Arc::default() };
    ChatRequest { model: "asked".into(), tools: vec![tool("f"), tool("g")], ..ChatRequest::default() }
}

/// The answer that `packets` make, and the text and thoughts that were shown on the way.
fn answer<'a>(packets: impl IntoIterator<Item = &'a [u8]>) -> (Result<Completion, Failure>, String, String) {
    let mut decoder = Decoder::new("text/event-stream");
    let mut assembler = Assembler::new(&request());
    let mut deltas = Vec::new();
    let mut done = false;
    let mut failed = None;
    let mut drain = |decoder: &mut Decoder, assembler: &mut Assembler, deltas: &mut Vec<Delta>| {
        while let Some(frame) = decoder.pop() {
            match frame {
                Frame::Done => done = true,
                Frame::Data(data) if failed.is_none() => {
                    failed = assembler.push(serde_json::from_str(&data).unwrap(), deltas).err();
                }
                Frame::Data(_) => {}
            }
        }
    };
    for packet in packets {
        decoder.push(packet).unwrap();
        drain(&mut decoder, &mut assembler, &mut deltas);
    }
    decoder.finish();
    drain(&mut decoder, &mut assembler, &mut deltas);
    assembler.flush(&mut deltas).unwrap();
    let (mut text, mut thoughts) = (String::new(), String::new());
    for delta in deltas {
        match delta {
            Delta::Text(more) => text.push_str(&more),
            Delta::Reasoning(more) => thoughts.push_str(&more),
            _ => {}
        }
    }
    let end = failed.map_or_else(|| assembler.finish(done), Err);
    (end, text, thoughts)
}

fn events(values: &[Value], end: &str) -> String {
    values.iter().map(|value| format!("data: {value}\n\n")).collect::<Vec<_>>().concat() + end
}

fn delta(value: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": value}]})
}

/// Streams with all that is awkward in them; every id is given, so that two readings can be compared.
fn streams() -> Vec<String> {
    let call = |index: u64, id: Value, name: Value, arguments: &str| {
        delta(&json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]}))
    };
    let finish = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}});
    vec![
        events(
            &[delta(&json!({"content": "Grüße, 世界 🦀"})), delta(&json!({"content": " & more"})), finish.clone(), usage],
            "data: [DONE]\n\n",
        ),
        events(
            &[
                delta(&json!({"content": "<think>a <b> </th"})),
                delta(&json!({"content": "ink>\n\nb<"})),
                delta(&json!({"content": "/think>"})),
                finish.clone(),
            ],
            "",
        ),
        events(
            &[
                call(0, json!("a"), json!("f"), "{\"x\""),
                call(1, json!("b"), json!("g"), ""),
                call(0, Value::Null, Value::Null, ":\"é\"}"),
                finish.clone(),
            ],
            "",
        )
        .replace('\n', "\r\n"),
        format!(
            "\u{feff}: hi\r\r{}",
            events(&[delta(&json!({"reasoning": "hm"})), delta(&json!({"content": "yes"})), finish], "data: [DONE]")
        ),
        json!({"model": "m", "choices": [{"message": {"role": "assistant", "content": "whole"}, "finish_reason": "length"}]}).to_string(),
        events(&[delta(&json!({"content": "cut"}))], "data: {\"choi"),
        events(&[delta(&json!({"content": "then"})), json!({"error": {"message": "oh", "code": 500}})], ""),
        "<html><title>Sign in</title></html>".to_owned(),
    ]
}

proptest! {
    #[test]
    fn any_split_into_packets_gives_the_same_answer(which in 0..8_usize, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        let stream = &streams()[which];
        let bytes = stream.as_bytes();
        let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let packets = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(answer(packets), answer([bytes]));
    }

    #[test]
    fn text_is_never_lost(texts in prop::collection::vec("[a<>/thinkcol_ \n\\[\\]]{0,12}", 0..12)) {
        let values: Vec<_> = texts.iter().map(|text| delta(&json!({"content": text}))).collect();
        let (end, shown, thoughts) = answer([events(&values, "data: [DONE]\n\n").as_bytes()]);
        let said = texts.concat();
        if thoughts.is_empty() && !said.contains("think") && !said.contains("thought") {
            prop_assert_eq!(&shown, &said);
        }
        if let Ok(completion) = end {
            prop_assert_eq!(completion.message.content, shown);
        }
    }
}

#[test]
fn every_byte_alone_gives_the_same_answer() {
    for stream in streams() {
        assert_eq!(answer(stream.as_bytes().chunks(1)), answer([stream.as_bytes()]), "{stream}");
    }
}

#[test]
fn reasons_for_the_end_are_understood() {
    let check = |reason: Value, expected: Finish| {
        let end = json!({"choices": [{"delta": {"content": "x"}, "finish_reason": reason}]});
        let (completion, ..) = answer([events(&[end], "data: [DONE]\n\n").as_bytes()]);
        assert_eq!(completion.unwrap().finish, expected, "{reason}");
    };
    check(json!("stop"), Finish::Stop);
    check(json!("STOP"), Finish::Stop);
    check(json!("eos_token"), Finish::Stop);
    check(json!(""), Finish::Stop);
    check(json!(null), Finish::Stop);
    check(json!(7), Finish::Stop);
    check(json!("tool_calls"), Finish::Stop);
    check(json!("length"), Finish::Length);
    check(json!("MAX_TOKENS"), Finish::Length);
    check(json!("content_filter"), Finish::Filtered);
    check(json!("moon_phase"), Finish::Other("moon_phase".into()));
}

#[test]
fn calls_written_as_text_are_calls_of_tools_that_are_there() {
    let check = |text: &str, content: &str, calls: usize| {
        let (completion, shown, _) = answer([events(&[delta(&json!({"content": text}))], "data: [DONE]\n\n").as_bytes()]);
        let completion = completion.unwrap();
        assert_eq!((completion.message.content.as_str(), completion.message.tool_calls.len()), (content, calls), "{text}");
        assert!(shown.contains(content));
    };
    check("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>", "", 1);
    check(
        "Let me look.<tool_call>{\"name\":\"f\",\"arguments\":\"{}\"}</tool_call><tool_call>{\"name\":\"f\",\"arguments\":\"{}\"}</tool_call>",
        "Let me look.",
        2,
    );
    check("[TOOL_REQUEST]{\"name\":\"g\"}[END_TOOL_REQUEST]", "", 1);
    check("<tool_call>{\"name\":\"unknown\"}</tool_call>", "<tool_call>{\"name\":\"unknown\"}</tool_call>", 0);
    check("write <tool_call> like this", "write <tool_call> like this", 0);
}

#[test]
fn a_whole_message_after_its_parts_is_not_said_twice() {
    let whole = json!({"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]});
    let (completion, shown, _) = answer([events(&[delta(&json!({"content": "hello"})), whole], "").as_bytes()]);
    assert_eq!((completion.unwrap().message.content.as_str(), shown.as_str()), ("hello", "hello"));
}

#[test]
fn of_several_answers_the_first_is_followed() {
    let both = json!({"choices": [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}]});
    let (completion, ..) = answer([events(&[both], "data: [DONE]\n\n").as_bytes()]);
    assert_eq!(completion.unwrap().message.content, "a");
}
