//! Awkward model servers over a real socket: each test asserts the assembled answer or the exact error.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use wakeful::domain::clock::{Instant, ManualClock};
use wakeful::domain::ids::CallId;
use wakeful::domain::message::{Message, Role};
use wakeful::llm::openai::{Auth, OpenAi, ProviderOptions};
use wakeful::llm::{ChatRequest, Completion, Delta, DeltaStream, Error, Finish, Llm, ToolSpec};
use wakeful::net;

use crate::openai_fake::{Fake, Reply, Step, body, events, head, packet, stream_head};

/// The longest a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The date of RFC 9110's example is seven seconds ahead of this.
const NOW: Instant = Instant::from_millis(784_111_770_000);

fn provider(options: ProviderOptions) -> OpenAi {
    OpenAi::new("fake", options, net::Client::default(), Arc::new(ManualClock::starting_at(NOW)), &|_| None).unwrap()
}

fn options(fake: &Fake) -> ProviderOptions {
    ProviderOptions { base_url: fake.url.clone(), api_key: Some("sk-secret-key".into()), ..ProviderOptions::default() }
}

fn request() -> ChatRequest {
    let tool = |name: &str| ToolSpec { name: name.into(), description: "does".into(), parameters: Arc::default() };
    let messages = vec![Message::text(Role::User, "hi")];
    ChatRequest { model: "asked".into(), messages, tools: vec![tool("f"), tool("g")], output_tokens_max: None }
}

/// All that a call said.
struct Heard {
    text: String,
    thoughts: String,
    started: Vec<String>,
    retries: Vec<(String, u32, Duration)>,
    end: Result<Completion, Error>,
}

async fn next(stream: &mut DeltaStream) -> Option<Result<Delta, Error>> {
    tokio::time::timeout(PATIENCE, stream.next()).await.expect("the stream says something in time")
}

/// Moves the time on by `by` for all who wait for it, `stream` among them.
async fn pass(stream: &mut DeltaStream, by: Duration) {
    assert!(stream.next().now_or_never().is_none(), "nothing comes before its time");
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

/// Polls `stream` until its request has arrived.
async fn until_sent(stream: &mut DeltaStream, fake: &Fake) {
    let arrived = async {
        while fake.seen().is_empty() {
            let _ = tokio::time::timeout(Duration::from_millis(5), stream.next()).await;
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.expect("the request arrives");
}

/// Listens to the end; waits between tries take no time.
async fn listen(mut stream: DeltaStream) -> Heard {
    let (mut text, mut thoughts, mut started, mut retries) = (String::new(), String::new(), Vec::new(), Vec::new());
    loop {
        match next(&mut stream).await.expect("a stream ends with an answer or an error") {
            Ok(Delta::Text(more)) => text.push_str(&more),
            Ok(Delta::Reasoning(more)) => thoughts.push_str(&more),
            Ok(Delta::CallStarted(name)) => started.push(name),
            Ok(Delta::Retry { reason, attempt, attempts_max, delay }) => {
                assert_eq!(attempts_max, 5);
                retries.push((reason, attempt, delay));
                pass(&mut stream, delay).await;
            }
            Ok(Delta::Done(completion)) => {
                assert!(next(&mut stream).await.is_none(), "nothing follows the answer");
                assert_eq!(completion.message.content.trim(), text.trim(), "the message is the text that was shown");
                return Heard { text, thoughts, started, retries, end: Ok(completion) };
            }
            Err(error) => {
                assert!(next(&mut stream).await.is_none(), "nothing follows an error");
                return Heard { text, thoughts, started, retries, end: Err(error) };
            }
        }
    }
}

async fn ask(replies: Vec<Reply>) -> Heard {
    let fake = Fake::start(replies).await;
    listen(provider(options(&fake)).chat(request())).await
}

/// One line: how it ended, then text, thoughts, calls, tokens, as far as there are any.
fn show(completion: &Completion) -> String {
    let mut line = match &completion.finish {
        Finish::Other(reason) => format!("other:{reason}"),
        finish => format!("{finish:?}").to_lowercase(),
    };
    let message = &completion.message;
    if !message.content.is_empty() {
        write!(line, " | {}", message.content).unwrap();
    }
    if let Some(thoughts) = &message.reasoning {
        write!(line, " | thoughts {thoughts}").unwrap();
    }
    for call in &message.tool_calls {
        let id = call.id.as_str();
        let ours = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let arguments = if call.invalid.is_some() { "invalid".to_owned() } else { Value::Object(call.arguments.clone()).to_string() };
        write!(line, " | {} {} {arguments}", if ours { "?" } else { id }, call.name).unwrap();
    }
    if let Some(usage) = completion.usage {
        write!(line, " | {}/{}/{} tokens", usage.input_tokens, usage.output_tokens, usage.cached_tokens).unwrap();
    }
    line
}

/// Asserts the answer that a stream in these packets makes.
async fn check<T: AsRef<[u8]>>(packets: &[T], expected: &str) {
    let heard = ask(vec![events(packets)]).await;
    let shown: Vec<_> = packets.iter().map(|bytes| String::from_utf8_lossy(bytes.as_ref()).into_owned()).collect();
    assert_eq!(heard.end.as_ref().map(show), Ok(expected.to_owned()), "{shown:#?}");
    assert!(heard.retries.is_empty());
    let completion = heard.end.unwrap();
    assert_eq!(completion.message.reasoning.unwrap_or_default(), heard.thoughts.trim());
    assert_eq!(completion.message.tool_calls.iter().map(|call| call.name.to_string()).collect::<Vec<_>>(), heard.started);
}

fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// An event that adds `delta` to the answer.
fn delta(delta: &Value) -> String {
    event(&json!({"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}))
}

fn say(text: &str) -> String {
    delta(&json!({"content": text}))
}

fn call(part: &Value) -> String {
    delta(&json!({"tool_calls": [part]}))
}

fn part(index: u64, id: Option<&str>, name: Option<&str>, arguments: &str) -> String {
    call(&json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}))
}

fn finish(reason: &str) -> String {
    event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

fn done() -> String {
    "data: [DONE]\n\n".to_owned()
}

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

/// The error with which a response of `status` and `text` ends, without any further try.
async fn refused(status: u16, text: &str) -> Error {
    let heard = ask(vec![body(status, "", text)]).await;
    assert!(heard.retries.is_empty() && heard.text.is_empty());
    heard.end.unwrap_err()
}

#[tokio::test]
async fn refusals_of_all_shapes_are_told_at_once() {
    assert_eq!(
        refused(401, r#"{"error":{"message":"Incorrect API key: sk-secret-key"}}"#).await,
        Error::Authentication("Incorrect API key: •••• (HTTP 401)".into())
    );
    assert_eq!(refused(403, "Forbidden").await, Error::Authentication("Forbidden (HTTP 403)".into()));
    assert_eq!(refused(400, r#"{"error":"bad request"}"#).await, Error::Refused("bad request (HTTP 400)".into()));
    assert_eq!(
        refused(400, r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#).await,
        Error::Refused("bad (HTTP 400)".into())
    );
    assert_eq!(refused(422, r#"{"detail":[{"loc":["body","x"],"msg":"odd"}]}"#).await, Error::Refused("body.x: odd (HTTP 422)".into()));
    assert_eq!(
        refused(404, r#"{"error":{"code":404,"message":"model not found"}}"#).await,
        Error::Refused("model not found (HTTP 404)".into())
    );
    assert_eq!(refused(405, "").await, Error::Refused("Method Not Allowed (HTTP 405)".into()));
    assert_eq!(refused(413, "<title>413 Too Large</title>").await, Error::TooLong("413 Too Large (a web page) (HTTP 413)".into()));
    let quota = r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#;
    assert_eq!(
        refused(429, quota).await,
        Error::RateLimited { message: "You exceeded your current quota (HTTP 429)".into(), retry_after: None }
    );
    let long = r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_ctx":4096}}"#;
    assert_eq!(refused(400, long).await, Error::TooLong("the request exceeds the available context size (HTTP 400)".into()));
    let tools = r#"{"error":{"message":"x does not support tools"}}"#;
    assert!(matches!(refused(400, tools).await, Error::Refused(message) if message.contains("tools = false")));
    let heard = ask(vec![body(302, "location: http://elsewhere.test/v1?key=1\r\n", "")]).await;
    assert_eq!(heard.end.unwrap_err(), Error::Refused("the address has moved to http://elsewhere.test/v1 (HTTP 302)".into()));
}

/// Asserts the wait after a first response of `status` with `headers`, and that the second try gives the answer.
async fn retried(reply: Reply, reason: &str, delay_ms: std::ops::RangeInclusive<u128>) {
    let heard = ask(vec![reply, events(&[say("ok"), finish("stop"), done()])]).await;
    assert_eq!(heard.end.as_ref().map(show), Ok("stop | ok".to_owned()), "{reason}");
    let [(said, 2, delay)] = &heard.retries[..] else { panic!("one retry, not {:?}", heard.retries) };
    assert!(said.starts_with(reason), "{said:?} begins with {reason:?}");
    assert!(delay_ms.contains(&delay.as_millis()), "{delay:?}");
}

#[tokio::test]
async fn what_may_go_away_is_tried_again() {
    retried(body(429, "retry-after: 3\r\n", "slow down"), "slow down (HTTP 429)", 3_000..=3_000).await;
    retried(body(429, "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n", ""), "Too Many Requests (HTTP 429)", 7_000..=7_000).await;
    retried(body(429, "retry-after-ms: 250\r\nretry-after: 9\r\n", "{}"), "{} (HTTP 429)", 250..=250).await;
    retried(body(429, "", r#"{"error":{"message":"Please try again in 2s."}}"#), "Please try again in 2s.", 2_000..=2_000).await;
    retried(
        body(503, "", r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#),
        "Loading model (HTTP 503)",
        750..=1_250,
    )
    .await;
    retried(body(502, "", "<title>502 Bad Gateway</title>"), "502 Bad Gateway (a web page)", 750..=1_250).await;
    retried(body(408, "", ""), "Request Timeout", 750..=1_250).await;
    retried(vec![Step::Reset], "the connection was lost", 750..=1_250).await;
    retried(vec![stream_head(), Step::Reset], "the connection was lost", 750..=1_250).await;
    retried(events(&[""; 0]), "the stream ended before the answer began", 750..=1_250).await;
    retried(events(&[done()]), "the answer is empty", 750..=1_250).await;
    retried(events(&[event(&json!({"error": {"code": 502, "message": "Upstream"}}))]), "Upstream", 750..=1_250).await;
    retried(body(200, "", r#"{"error":{"code":529,"message":"Overloaded"}}"#), "Overloaded", 750..=1_250).await;
}

#[tokio::test]
async fn tries_come_to_an_end() {
    let heard = ask((0..5).map(|_| body(500, "", "boom")).collect()).await;
    assert_eq!(heard.end.unwrap_err(), Error::Unavailable("boom (HTTP 500); tried 5 times".into()));
    assert_eq!(heard.retries.iter().map(|(_, attempt, _)| *attempt).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert!(heard.retries.windows(2).all(|pair| pair[0].2 < pair[1].2), "each wait is longer: {:?}", heard.retries);
    let heard = ask(vec![body(429, "retry-after: 300\r\n", "later")]).await;
    let wait = Duration::from_mins(5);
    assert_eq!(
        heard.end.unwrap_err(),
        Error::RateLimited { message: "later (HTTP 429); it asks to wait 300 s".into(), retry_after: Some(wait) }
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let place = format!(" (provider `fake`, {base_url}); tried 5 times");
    let heard = listen(provider(ProviderOptions { base_url, attempts_max: 5, ..ProviderOptions::default() }).chat(request())).await;
    assert_eq!(heard.retries.len(), 4);
    let Err(Error::Unavailable(message)) = heard.end else { panic!("{:?}", heard.end) };
    assert!(message.starts_with("no connection: ") && !message.contains("client error") && message.ends_with(&place), "{message}");
}

/// Asserts the text that was seen and the error that ended it.
async fn broken(reply: Reply, text: &str, expected: &str) {
    let heard = ask(vec![reply]).await;
    assert_eq!(heard.text, text);
    assert!(heard.retries.is_empty());
    let Err(Error::Broken(message)) = heard.end else { panic!("{:?} is broken", heard.end) };
    assert!(message.starts_with(expected), "{message:?} begins with {expected:?}");
}

#[tokio::test]
async fn what_breaks_after_the_first_text_keeps_it() {
    broken(events(&[say("half"), say(" of")]), "half of", "the stream ended before the answer was complete").await;
    broken(events(&[say("half"), "data: {\"choi".to_owned()]), "half", "the stream ended before the answer was complete").await;
    broken(events(&[say("half"), event(&json!({"error": {"message": "GPU on fire", "code": 500}}))]), "half", "GPU on fire").await;
    broken(events(&[say("half"), event(&json!({"object": "error", "message": "bad", "code": 400}))]), "half", "bad").await;
    broken(events(&[say("half"), "event: error\ndata: {\"message\": \"oh\"}\n\n".to_owned()]), "half", "oh").await;
    broken(events(&[say("half"), "data: gateway gone\n\n".to_owned()]), "half", "gateway gone").await;
    broken(events(&[say("half <tool_c"), finish("error")]), "half <tool_c", "the provider ended the answer with an error").await;
    let cut_call = events(&[part(0, Some("c1"), Some("f"), "{\"a\"")]);
    broken(cut_call, "", "the stream ended before the answer was complete").await;
}

#[tokio::test]
async fn a_reset_after_the_first_text_keeps_it() {
    let (more, receiver) = mpsc::unbounded_channel();
    more.send(packet(say("half").as_bytes())).unwrap();
    let fake = Fake::start(vec![vec![stream_head(), Step::Follow(receiver), Step::Reset]]).await;
    let mut stream = provider(options(&fake)).chat(request());
    assert_eq!(next(&mut stream).await, Some(Ok(Delta::Text("half".into()))));
    drop(more);
    let heard = listen(stream).await;
    assert!(matches!(heard.end, Err(Error::Broken(message)) if message.starts_with("the connection was lost")));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_end_harms_nothing() {
    let heard = ask(vec![vec![stream_head(), Step::Write(packet([say("all"), finish("stop")].concat().as_bytes()))]]).await;
    assert_eq!(heard.end.as_ref().map(show), Ok("stop | all".to_owned()));
}

#[tokio::test]
async fn silence_before_the_first_part_ends() {
    for reply in
        [vec![Step::Hold], vec![stream_head(), Step::Hold], vec![stream_head(), Step::Write(packet(b": still reading\n\n")), Step::Hold]]
    {
        let fake = Fake::start(vec![reply]).await;
        let mut stream = provider(options(&fake)).chat(request());
        until_sent(&mut stream, &fake).await;
        pass(&mut stream, Duration::from_secs(179)).await;
        pass(&mut stream, Duration::from_secs(1)).await;
        assert_eq!(next(&mut stream).await, Some(Err(Error::TimedOut(Duration::from_mins(3)))));
    }
}

#[tokio::test]
async fn silence_between_parts_ends_and_comments_do_not_count() {
    let (comments, receiver) = mpsc::unbounded_channel();
    let fake =
        Fake::start(vec![vec![stream_head(), Step::Write(packet(say("half").as_bytes())), Step::Follow(receiver), Step::Hold]]).await;
    let mut stream = provider(options(&fake)).chat(request());
    assert_eq!(next(&mut stream).await, Some(Ok(Delta::Text("half".into()))));
    for _ in 0..3 {
        pass(&mut stream, Duration::from_secs(30)).await;
        comments.send(packet(b": ping\n\nevent: ping\ndata: {}\n\n")).unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(next(&mut stream).await, Some(Err(Error::TimedOut(Duration::from_secs(90)))));
    drop((stream, comments));
    tokio::time::timeout(PATIENCE, fake.closed.notified()).await.expect("the connection is closed");
}

#[tokio::test]
async fn a_connection_that_stays_open_after_the_end_does_not_hold_up_the_answer() {
    let all = [say("all"), finish("stop")].concat();
    let fake = Fake::start(vec![vec![stream_head(), Step::Write(packet(all.as_bytes())), Step::Hold]]).await;
    let mut stream = provider(options(&fake)).chat(request());
    assert_eq!(next(&mut stream).await, Some(Ok(Delta::Text("all".into()))));
    assert!(tokio::time::timeout(Duration::from_millis(50), stream.next()).await.is_err(), "tokens may still come");
    pass(&mut stream, Duration::from_secs(3)).await;
    assert!(matches!(next(&mut stream).await, Some(Ok(Delta::Done(completion))) if show(&completion) == "stop | all"));
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    for reply in
        [vec![Step::Hold], vec![stream_head(), Step::Hold], vec![stream_head(), Step::Write(packet(say("half").as_bytes())), Step::Hold]]
    {
        let fake = Fake::start(vec![reply]).await;
        let mut stream = provider(options(&fake)).chat(request());
        until_sent(&mut stream, &fake).await;
        drop(stream);
        tokio::time::timeout(PATIENCE, fake.closed.notified()).await.expect("the connection is closed");
    }
}

#[tokio::test]
async fn nothing_happens_before_the_first_poll() {
    let fake = Fake::start(vec![events(&[say("a"), done()])]).await;
    let stream = provider(options(&fake)).chat(request());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fake.connections.load(Ordering::SeqCst), 0);
    assert_eq!(listen(stream).await.text, "a");
}

#[tokio::test]
async fn an_endless_line_ends_at_sixteen_megabytes() {
    let line = vec![b'x'; 1024 * 1024];
    let fake = Fake::start(vec![vec![
        head(200, "content-type: text/event-stream\r\n"),
        Step::Write(b"data: ".to_vec()),
        Step::Flood(line, 64, PATIENCE),
    ]])
    .await;
    let heard = listen(provider(options(&fake)).chat(request())).await;
    assert_eq!(heard.end.unwrap_err(), Error::Refused("one event of the answer is longer than 16 MiB".into()));
    tokio::time::timeout(PATIENCE, fake.closed.notified()).await.expect("the flood ends");
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_the_server() {
    let flood = say(&"x".repeat(1024 * 1024));
    let reply = vec![
        head(200, "content-type: text/event-stream\r\n"),
        Step::Write(say("first").into_bytes()),
        Step::Flood(flood.into_bytes(), 200, Duration::from_secs(1)),
    ];
    let fake = Fake::start(vec![reply]).await;
    let mut stream = provider(options(&fake)).chat(request());
    assert_eq!(next(&mut stream).await, Some(Ok(Delta::Text("first".into()))));
    tokio::time::timeout(PATIENCE, fake.closed.notified()).await.expect("the server is held up");
    let taken = fake.flooded.load(Ordering::SeqCst) / 1024 / 1024;
    assert!(taken < 60, "{taken} MiB are under way");
}

#[tokio::test]
async fn connections_are_used_again() {
    let mut first = events(&[say("a"), finish("stop"), done()]);
    first.push(Step::Again);
    let fake = Fake::start(vec![first, events(&[say("b"), done()])]).await;
    let provider = provider(options(&fake));
    assert_eq!(listen(provider.chat(request())).await.text, "a");
    assert_eq!(listen(provider.chat(request())).await.text, "b");
    assert_eq!(fake.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn requests_carry_what_is_configured() {
    let fake =
        Fake::start(vec![events(&[say("a"), done()]), body(200, "", r#"{"data":[{"id":"m1","context_length":4242},{"id":"m2"}]}"#)]).await;
    let options = ProviderOptions {
        auth: Auth::Header("api-key".into()),
        headers: [("x-team".to_owned(), "blue-team".into())].into(),
        query: [("api-version".to_owned(), "2024 10".to_owned())].into(),
        models: vec!["m2".to_owned(), "mine".to_owned()],
        ..options(&fake)
    };
    let provider = provider(options);
    listen(provider.chat(request())).await.end.unwrap();
    assert_eq!(provider.context_tokens("m1"), None);
    assert_eq!(provider.models().await, Ok(vec!["m2".to_owned(), "mine".to_owned(), "m1".to_owned()]));
    assert_eq!(provider.context_tokens("m1"), Some(4242));
    let [chat, models] = &fake.seen()[..] else { panic!("two requests") };
    assert!(chat.head.starts_with("post /v1/chat/completions?api-version=2024+10 "), "{}", chat.head);
    assert!(models.head.starts_with("get /v1/models?api-version=2024+10 "), "{}", models.head);
    for seen in [chat, models] {
        assert!(seen.head.contains("api-key: sk-secret-key\r\n") && seen.head.contains("x-team: blue-team\r\n"), "{}", seen.head);
        assert!(seen.head.contains("user-agent: wakeful/") && !seen.head.contains("authorization"), "{}", seen.head);
    }
    assert_eq!(chat.body["stream_options"], json!({"include_usage": true}));
    assert_eq!(chat.body["tools"][1]["function"]["name"], "g");
    let shown = format!("{provider:?} {:?}", ProviderOptions { api_key: Some("sk-secret-key".into()), ..ProviderOptions::default() });
    assert!(!shown.contains("secret-key"), "{shown}");
}

#[tokio::test]
async fn a_key_that_is_missing_is_named() {
    let options = ProviderOptions { api_key_env: Some("NO_SUCH_KEY".into()), ..ProviderOptions::default() };
    let heard = listen(provider(options).chat(request())).await;
    assert_eq!(heard.end.unwrap_err(), Error::Config("`NO_SUCH_KEY` is not set; it should hold the key of the provider `fake`".into()));
}

#[tokio::test]
async fn what_a_provider_refuses_is_left_out_and_remembered() {
    let refusal = || body(400, "", r#"{"error":{"message":"stream_options: Extra inputs are not permitted"}}"#);
    let fake = Fake::start(vec![refusal(), events(&[say("a"), done()]), events(&[say("b"), done()])]).await;
    let provider = provider(options(&fake));
    let heard = listen(provider.chat(request())).await;
    assert_eq!((heard.text.as_str(), heard.retries.len()), ("a", 0));
    assert_eq!(listen(provider.chat(request())).await.text, "b");
    let with: Vec<_> = fake.seen().iter().map(|seen| seen.body.get("stream_options").is_some()).collect();
    assert_eq!(with, [true, false, false]);
}

#[tokio::test]
async fn a_refusal_that_tells_the_context_is_remembered() {
    let long = r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_ctx":4096}}"#;
    let fake = Fake::start(vec![body(400, "", long)]).await;
    let provider = provider(options(&fake));
    listen(provider.chat(request())).await.end.unwrap_err();
    assert_eq!(provider.context_tokens("asked"), Some(4096));
}
