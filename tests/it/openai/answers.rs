//! What arrives well, in whatever shape: the assembled answer.

use super::*;

#[tokio::test]
async fn plain_text_is_streamed_and_assembled() {
    let first = delta(&json!({"role": "assistant", "content": null}));
    let usage = event(
        &json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}}),
    );
    check(&[first, say("Hello"), say(", you"), finish("stop"), usage, done()], "stop | Hello, you | 7/2/5 tokens").await;
}

#[tokio::test]
async fn calls_come_in_any_shreds() {
    // Arguments in shreds, whole, missing, null, doubly encoded, as an object.
    let shreds =
        [part(0, Some("c1"), Some("f"), ""), part(0, None, None, "{\"a\""), part(0, None, None, ": \"x"), part(0, None, None, "y\"}")];
    check(&[shreds.concat(), finish("tool_calls"), done()], "toolcalls | c1 f {\"a\":\"xy\"}").await;
    check(&[part(0, Some("c1"), Some("f"), "{\"a\":1}"), finish("tool_calls"), done()], "toolcalls | c1 f {\"a\":1}").await;
    check(&[call(&json!({"index": 0, "id": "c1", "function": {"name": "f"}})), finish("tool_calls")], "toolcalls | c1 f {}").await;
    check(&[call(&json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": null}})), finish("stop")], "toolcalls | c1 f {}")
        .await;
    check(&[part(0, Some("c1"), Some("f"), "\"{\\\"a\\\":1}\""), finish("stop")], "toolcalls | c1 f {\"a\":1}").await;
    check(
        &[call(&json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": {"a": 1}}})), finish("stop")],
        "toolcalls | c1 f {\"a\":1}",
    )
    .await;
    // Two at once, interleaved; all with index 0; without index; without id; without either.
    let mixed =
        [part(0, Some("c1"), Some("f"), "{"), part(1, Some("c2"), Some("g"), "{"), part(1, None, None, "}"), part(0, None, None, "}")];
    check(&[mixed.concat(), finish("tool_calls")], "toolcalls | c1 f {} | c2 g {}").await;
    check(&[part(0, Some("c1"), Some("f"), "{}"), part(0, Some("c2"), Some("f"), "{}"), finish("stop")], "toolcalls | c1 f {} | c2 f {}")
        .await;
    let bare = |id: Option<&str>, name: &str| call(&json!({"id": id, "function": {"name": name, "arguments": "{}"}}));
    check(&[bare(Some("c1"), "f"), bare(Some("c2"), "g"), finish("stop")], "toolcalls | c1 f {} | c2 g {}").await;
    check(&[bare(None, "f"), bare(None, "g"), finish("stop")], "toolcalls | ? f {} | ? g {}").await;
    // Id and name in each part; an empty name later; an id that comes late; an empty one; the same id twice.
    check(&[part(0, Some("c1"), Some("f"), "{"), part(0, Some("c1"), Some("f"), "}"), finish("stop")], "toolcalls | c1 f {}").await;
    check(&[part(0, Some("c1"), Some("f"), "{"), part(0, None, Some(""), "}"), finish("stop")], "toolcalls | c1 f {}").await;
    check(&[part(0, None, Some("f"), "{"), part(0, Some("c1"), None, "}"), finish("stop")], "toolcalls | c1 f {}").await;
    check(&[part(0, Some(""), Some("f"), "{}"), finish("stop")], "toolcalls | ? f {}").await;
    check(&[part(0, Some("c1"), Some("f"), "{}"), part(1, Some("c1"), Some("g"), "{}"), finish("stop")], "toolcalls | c1 f {} | ? g {}")
        .await;
    // Several in one event, with the end and the tokens in it; an old server's single call.
    let all = json!({"choices": [{"delta": {"tool_calls": [{"id": "abcDEF123", "function": {"name": "f", "arguments": "{}"}},
        {"id": "c2", "function": {"name": "g", "arguments": "{}"}}]}, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    check(&[event(&all), done()], "toolcalls | ? f {} | c2 g {} | 1/2/0 tokens").await;
    check(&[delta(&json!({"function_call": {"name": "f", "arguments": "{}"}})), finish("function_call")], "toolcalls | ? f {}").await;
    // Text and a call; arguments that are no JSON.
    check(&[say("Look: "), part(0, Some("c1"), Some("f"), "{}"), finish("tool_calls")], "toolcalls | Look:  | c1 f {}").await;
    check(&[part(0, Some("c1"), Some("f"), "{\"a\": oops}"), finish("tool_calls")], "toolcalls | c1 f invalid").await;
    // Calls written into the text.
    check(&[say("<tool_"), say("call>{\"name\":\"f\",\"arguments\":{\"a\":1}}</tool_call>"), finish("stop")], "toolcalls | ? f {\"a\":1}")
        .await;
}

#[tokio::test]
async fn tools_run_because_calls_are_there_and_never_when_cut() {
    for reason in ["stop", "", "tool_calls", "eos_token"] {
        check(&[part(0, Some("c1"), Some("f"), "{}"), finish(reason), done()], "toolcalls | c1 f {}").await;
    }
    check(&[part(0, Some("c1"), Some("f"), "{\"a\": \"lo"), finish("length"), done()], "length | c1 f invalid").await;
    check(&[part(0, Some("c1"), Some("f"), "{}"), part(1, Some("c2"), Some("g"), ""), finish("length")], "length | c1 f {} | c2 g invalid")
        .await;
}

#[tokio::test]
async fn ends_of_all_kinds_are_understood() {
    check(&[say("a"), finish("stop")], "stop | a").await;
    check(&[say("a"), done()], "stop | a").await;
    check(&[say("a"), finish("length"), done()], "length | a").await;
    check(&[say("a"), finish("content_filter"), done()], "filtered | a").await;
    check(&[say("a"), finish("phase_of_the_moon"), done()], "other:phase_of_the_moon | a").await;
    check(&[say("a"), finish(""), finish(""), done()], "stop | a").await;
    check(&[finish("stop"), done()], "stop").await;
    check(&[say("a"), finish("stop"), "data: [DONE]".to_owned()], "stop | a").await;
}

#[tokio::test]
async fn thoughts_are_shown_apart_however_they_are_sent() {
    let expected = "stop | yes | thoughts hm, well";
    let two = |first: Value, second: Value| [delta(&first), delta(&second), say("yes"), finish("stop"), done()];
    check(&two(json!({"reasoning_content": "hm, "}), json!({"reasoning_content": "well", "content": ""})), expected).await;
    check(&two(json!({"reasoning": "hm, "}), json!({"reasoning": "well", "content": null})), expected).await;
    check(
        &two(json!({"reasoning": "hm, ", "reasoning_content": "hm, "}), json!({"reasoning": "well", "reasoning_content": "well"})),
        expected,
    )
    .await;
    let detail = |text: &str| json!({"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": text}]});
    check(&two(detail("hm, "), detail("well")), expected).await;
    let thinking = |text: &str| json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]});
    check(&two(thinking("hm, "), thinking("well")), expected).await;
    check(&[say("<thi"), say("nk>hm, we"), say("ll</thi"), say("nk>\n"), say("\nyes"), finish("stop"), done()], expected).await;
    check(&[say("Write <think> so"), finish("stop"), done()], "stop | Write <think> so").await;
}

#[tokio::test]
async fn tokens_are_counted_wherever_they_stand() {
    let with = |usage: Value, text: &str| event(&json!({"choices": [{"index": 0, "delta": {"content": text}}], "usage": usage}));
    let tokens = |output: u64| json!({"prompt_tokens": 3, "completion_tokens": output, "total_tokens": 3 + output});
    check(&[with(tokens(1), "a"), with(tokens(2), "b"), finish("stop"), done()], "stop | ab | 3/2/0 tokens").await;
    check(&[with(json!({}), "a"), with(Value::Null, "b"), with(json!("odd"), "c"), finish("stop"), done()], "stop | abc").await;
    let empty_delta = event(&json!({"choices": [{"index": 0, "delta": {}}], "usage": tokens(4)}));
    check(&[say("a"), empty_delta, done()], "stop | a | 3/4/0 tokens").await;
    let groq = event(&json!({"choices": [{"delta": {}, "finish_reason": "stop"}], "x_groq": {"id": "r", "usage": tokens(5)}}));
    check(&[say("a"), groq, done()], "stop | a | 3/5/0 tokens").await;
}

#[tokio::test]
async fn odd_events_lose_nothing() {
    // First without choices, then without a delta, an empty one, content in parts, odd types all over.
    let azure =
        [event(&json!({"choices": [], "prompt_filter_results": [{}]})), event(&json!({"choices": [{"index": 0, "finish_reason": null}]}))];
    check(&[azure.concat(), delta(&json!({})), say(""), say("a"), finish("stop"), done()], "stop | a").await;
    check(
        &[delta(&json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]})), finish("stop"), done()],
        "stop | ab",
    )
    .await;
    let odd = event(
        &json!({"id": 5, "created": "x", "service_tier": "odd", "object": 1, "choices": [{"index": "0", "delta": {"role": "alien", "content": "a"}}]}),
    );
    check(&[odd, finish("stop"), done()], "stop | a").await;
    check(&[delta(&json!({"refusal": "no"})), finish("stop"), done()], "stop | no").await;
}

#[tokio::test]
async fn packets_and_line_ends_do_not_matter() {
    let crlf = [say("Grüße "), say("世界 🦀"), finish("stop"), done()].concat().replace('\n', "\r\n");
    let single: Vec<_> = crlf.bytes().map(|byte| [byte]).collect();
    check(&single, "stop | Grüße 世界 🦀").await;
    check(&[crlf], "stop | Grüße 世界 🦀").await;
    check(&["\u{feff}".to_owned() + &say("a"), finish("stop"), done()], "stop | a").await;
    check(&[b"\xef".to_vec(), b"\xbb\xbf".to_vec(), say("a").into_bytes(), done().into_bytes()], "stop | a").await;
    check(
        &[
            ": OPENROUTER PROCESSING\n\n".to_owned(),
            say("a"),
            ": ping\n\n\n\nevent: ping\ndata: {}\n\n".to_owned(),
            say("b"),
            finish("stop"),
        ],
        "stop | ab",
    )
    .await;
    check(&[say("a").replace("data: ", "event: message\nid: 1\ndata:"), done()], "stop | a").await;
    let bad = [b"data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\xfeb\"}}]}\n\n".to_vec(), done().into_bytes()];
    check(&bad, "stop | a\u{fffd}\u{fffd}b").await;
}

#[tokio::test]
async fn a_body_that_is_no_stream_is_an_answer_or_an_error() {
    let whole = json!({"model": "m", "choices": [{"message": {"role": "assistant", "content": "hello", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    for text in [whole.to_string(), serde_json::to_string_pretty(&whole).unwrap()] {
        let heard = ask(vec![body(200, "content-type: application/json\r\n", &text)]).await;
        assert_eq!(heard.end.as_ref().map(show), Ok("toolcalls | hello | c1 f {} | 1/2/0 tokens".to_owned()));
        assert_eq!(heard.text, "hello");
    }
    let fails = |text: &'static str| async { ask(vec![body(200, "content-type: application/json\r\n", text)]).await.end.unwrap_err() };
    assert_eq!(fails(r#"{"error":{"message":"No such model","code":404}}"#).await, Error::Refused("No such model".into()));
    assert_eq!(fails(r#"{"error":{"message":"bad key","code":401}}"#).await, Error::Authentication("bad key".into()));
    let hint = "(in place of an answer; does the provider's `base_url` lead to its API?)";
    assert_eq!(fails("<html><title>Log in</title></html>").await, Error::Refused(format!("Log in (a web page) {hint}")));
    assert_eq!(fails("It works!").await, Error::Refused(format!("It works! {hint}")));
}

#[tokio::test]
async fn unknown_fields_of_a_call_and_a_message_go_back() {
    let signed = json!({"index": 0, "id": "c1", "extra_content": {"google": {"thought_signature": "s"}}, "function": {"name": "f", "arguments": "{\"a\":1}"}});
    let details = json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "xyz"}]});
    let fake =
        Fake::start(vec![events(&[delta(&details), call(&signed), finish("tool_calls"), done()]), events(&[say("ok"), done()])]).await;
    let provider = provider(options(&fake));
    let first = listen(provider.chat(request())).await.end.unwrap();
    let mut again = request();
    again.messages.push(first.message);
    again.messages.push(Message::tool_result(CallId::new("c1"), "r"));
    assert_eq!(listen(provider.chat(again)).await.text, "ok");
    let sent = fake.seen()[1].body["messages"].clone();
    assert_eq!(
        sent[1],
        json!({"role": "assistant", "content": "", "reasoning_details": [{"type": "reasoning.encrypted", "data": "xyz"}], "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}, "extra_content": {"google": {"thought_signature": "s"}}}]})
    );
    assert_eq!(sent[2], json!({"role": "tool", "content": "r", "tool_call_id": "c1"}));
}
