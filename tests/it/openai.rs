//! Awkward model servers over a real socket: each test asserts the assembled answer or the exact error.

mod answers;
mod failures;
mod requests;

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
