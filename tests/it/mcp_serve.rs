//! The server layer at its edges: who is let in, what is bounded, how it ends, and both eras word by word.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wakeful::mcp::serve_on;
use wakeful::mcp::server::http::{BindError, Options, Server};

use crate::mcp_support::LIMIT;
use crate::serve_fixture::Fixture;
use crate::support::Home;

/// The fixture over HTTP, until it is dropped.
struct Http {
    port: u16,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Http {
    async fn start(options: Options) -> Self {
        let server = Server::bind(Fixture::default(), options).await.unwrap();
        let (port, stop) = (server.address().port(), CancellationToken::new());
        Self { port, serving: tokio::spawn(server.run(stop.clone())), stop }
    }

    async fn open(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Sends words of HTTP and reads until the server closes.
    async fn raw(&self, words: &str) -> String {
        let mut stream = self.open().await;
        stream.write_all(words.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(LIMIT, stream.read_to_end(&mut answer)).await.expect("the server keeps the connection").unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Posts a message, the connection for itself.
    async fn post(&self, headers: &[(&str, &str)], message: &Value) -> (u16, String) {
        let host = format!("127.0.0.1:{}", self.port);
        let named = headers.iter().any(|(name, _)| *name == "host");
        let mut words =
            format!("POST /mcp HTTP/1.1\r\nconnection: close\r\n{}", if named { String::new() } else { format!("host: {host}\r\n") });
        for (name, value) in headers {
            words += &format!("{name}: {value}\r\n");
        }
        let body = message.to_string();
        words += "accept: application/json, text/event-stream\r\ncontent-type: application/json\r\n";
        words += &format!("content-length: {}\r\n\r\n{body}", body.len());
        let answer = self.raw(&words).await;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer)
    }

    async fn initialize(&self) -> (u16, Option<String>) {
        let (status, answer) = self.post(&[], &initialize("2025-11-25")).await;
        let session = answer.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).map(|id| id.trim().to_owned());
        (status, session)
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.stop.cancel();
        self.serving.abort();
    }
}

fn initialize(version: &str) -> Value {
    let params = json!({"protocolVersion": version, "capabilities": {"sampling": {}}, "clientInfo": {"name": "t", "version": "1"}});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
}

fn ping() -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "ping"})
}

#[tokio::test]
async fn what_a_web_page_or_a_stranger_sends_is_refused() {
    let http = Http::start(Options::default()).await;
    let own = format!("http://127.0.0.1:{}", http.port);
    let hello = initialize("2025-11-25");
    for (headers, status) in [
        (vec![], 200),
        (vec![("host", "localhost:1")], 200),
        (vec![("origin", own.as_str())], 200),
        (vec![("host", "evil.example")], 403),
        (vec![("origin", "http://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("origin", "http://localhost:1")], 403),
    ] {
        assert_eq!(http.post(&headers, &hello).await.0, status, "{headers:?}");
    }
    assert!(http.raw("GET /other HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.starts_with("HTTP/1.1 404"));
    let token = secrecy::SecretString::from("long-enough-for-it");
    let guarded = Http::start(Options { token: Some(token), origins: vec!["https://app.example".to_owned()], ..Options::default() }).await;
    for (headers, status) in [
        (vec![], 401),
        (vec![("authorization", "Bearer long-enough-for-no")], 401),
        (vec![("authorization", "Bearer long-enough-for-it"), ("host", "evil.example")], 403),
        (vec![("authorization", "Bearer long-enough-for-it")], 200),
        (vec![("authorization", "Bearer long-enough-for-it"), ("origin", "https://app.example")], 200),
    ] {
        let (found, answer) = guarded.post(&headers, &hello).await;
        assert_eq!(found, status, "{headers:?}");
        assert!(status != 401 || answer.contains("www-authenticate: Bearer"), "{answer}");
    }
    let asked = "OPTIONS /mcp HTTP/1.1\r\nhost: localhost\r\norigin: https://app.example\r\nconnection: close\r\n\r\n";
    let allowed = guarded.raw(asked).await;
    assert!(allowed.starts_with("HTTP/1.1 204") && allowed.contains("access-control-allow-origin: https://app.example"), "{allowed}");
}

#[tokio::test]
async fn other_machines_are_served_only_with_a_token() {
    let everywhere = Options { address: "0.0.0.0:0".parse().unwrap(), ..Options::default() };
    assert!(matches!(Server::bind(Fixture::default(), everywhere.clone()).await, Err(BindError::NoToken { .. })));
    let weak = Options { token: Some(secrecy::SecretString::from("short")), ..everywhere };
    assert!(matches!(Server::bind(Fixture::default(), weak).await, Err(BindError::WeakToken)));
    let home = Home::with("");
    let refused = home.run(&["mcp", "serve", "--http", "0.0.0.0:0"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("--token-env"), "{refused:?}");
    let unset = home.run(&["mcp", "serve", "--http", "127.0.0.1:0", "--token-env", "NOT_THERE"]);
    assert!(unset.code == 2 && unset.err.contains("NOT_THERE"), "{unset:?}");
}

#[tokio::test]
async fn half_a_header_half_a_body_and_too_much_of_it_hold_nothing_up() {
    let options = Options { read_time_max: Duration::from_millis(200), body_bytes_max: 1_000, ..Options::default() };
    let http = Http::start(options).await;
    http.raw("POST /mcp HTTP/1.1\r\nhost: loc").await;
    let head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let late = http.raw(&format!("{head}content-length: 100\r\n\r\n{{")).await;
    assert!(late.starts_with("HTTP/1.1 408"), "{late}");
    let long = http.raw(&format!("{head}content-length: 1001\r\n\r\n{}", "x".repeat(1_001))).await;
    assert!(long.starts_with("HTTP/1.1 413"), "{long}");
    assert_eq!(http.initialize().await.0, 200);
}

#[tokio::test]
async fn sessions_are_counted_and_end_when_nobody_uses_them() {
    let http = Http::start(Options { sessions_max: 2, ..Options::default() }).await;
    let (first, second) = (http.initialize().await, http.initialize().await);
    assert_eq!((first.0, second.0, http.initialize().await.0), (200, 200, 503));
    let first = first.1.unwrap();
    let (status, answer) = http.post(&[("mcp-session-id", &first)], &ping()).await;
    assert!(status == 200 && answer.contains("\"result\":{}"), "{answer}");
    let delete = format!("DELETE /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nmcp-session-id: {first}\r\n\r\n");
    assert!(http.raw(&delete).await.starts_with("HTTP/1.1 2"));
    assert_eq!(http.post(&[("mcp-session-id", &first)], &ping()).await.0, 404);
    assert_eq!(http.initialize().await.0, 200);

    let idle = Http::start(Options { sessions_max: 1, session_idle: Duration::from_millis(50), ..Options::default() }).await;
    assert_eq!(idle.initialize().await.0, 200);
    // The place is free again as soon as the session has ended by itself.
    let again = async {
        while idle.initialize().await.0 != 200 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, again).await.expect("an idle session does not end");
}

#[tokio::test]
async fn open_streams_end_with_the_server() {
    let mut http = Http::start(Options::default()).await;
    let session = http.initialize().await.1.unwrap();
    let mut stream = http.open().await;
    let words = format!("GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\nmcp-session-id: {session}\r\n\r\n");
    stream.write_all(words.as_bytes()).await.unwrap();
    let mut start = [0; 15];
    timeout(LIMIT, stream.read_exact(&mut start)).await.unwrap().unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    http.stop.cancel();
    timeout(LIMIT, &mut http.serving).await.expect("the server does not end").unwrap();
    let mut rest = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut rest)).await.expect("the stream does not end").unwrap();
}

/// The fixture behind pipes.
struct Pipes {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    write: WriteHalf<DuplexStream>,
}

impl Pipes {
    fn start() -> Self {
        let (ours, theirs) = tokio::io::duplex(64 * 1_024);
        let (read, write) = tokio::io::split(theirs);
        tokio::spawn(serve_on(Fixture::default(), read, write, CancellationToken::new()));
        let (read, write) = tokio::io::split(ours);
        Self { lines: BufReader::new(read).lines(), write }
    }

    async fn send(&mut self, message: Value) {
        self.write.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        let line = timeout(LIMIT, self.lines.next_line()).await.expect("the server says nothing").unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }

    async fn ask(&mut self, message: Value) -> Value {
        self.send(message).await;
        self.next().await
    }
}

/// A request of the newer era, with what its client can do.
fn modern(id: u64, method: &str, mut params: Value, can: &Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": can,
    });
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

#[tokio::test]
async fn a_legacy_client_is_asked_in_the_middle_of_a_call() {
    let mut pipes = Pipes::start();
    let shaken = pipes.ask(initialize("2025-06-18")).await;
    assert_eq!(shaken["result"]["protocolVersion"], "2025-06-18");
    pipes.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    let call = |id: u64, name: &str| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": {"prompt": "hi"}}});
    let asked = pipes.ask(call(2, "test_sampling")).await;
    assert_eq!((&asked["method"], &asked["params"]["messages"][0]["content"]["text"]), (&json!("sampling/createMessage"), &json!("hi")));
    let message = json!({"role": "assistant", "content": {"type": "text", "text": "ho"}, "model": "m"});
    let answered = pipes.ask(json!({"jsonrpc": "2.0", "id": asked["id"], "result": message})).await;
    assert_eq!(answered["result"]["content"][0]["text"], "LLM response: ho");
    assert_eq!(answered["result"].get("resultType"), None, "a field of the newer era");
    let refused = pipes.ask(call(3, "test_elicitation")).await;
    assert_eq!(refused["error"]["data"]["requiredCapabilities"], json!({"elicitation": {}}), "{refused}");
    let missing = pipes.ask(json!({"jsonrpc": "2.0", "id": 4, "method": "resources/read", "params": {"uri": "test://none"}})).await;
    assert_eq!((&missing["error"]["code"], &missing["error"]["data"]["uri"]), (&json!(-32_002), &json!("test://none")));
    let incomplete = json!({"jsonrpc": "2.0", "id": 5, "method": "prompts/get", "params": {"name": "test_prompt_with_arguments", "arguments": {"arg1": "a"}}});
    let incomplete = pipes.ask(incomplete).await;
    assert!(incomplete["error"]["code"] == -32_602 && incomplete["error"]["message"].as_str().unwrap().contains("arg2"), "{incomplete}");
}

#[tokio::test]
async fn a_modern_client_answers_in_rounds_whose_state_it_cannot_touch() {
    let mut pipes = Pipes::start();
    let can = json!({"elicitation": {}});
    let found = pipes.ask(modern(1, "server/discover", json!({}), &can)).await;
    assert_eq!(found["result"]["capabilities"]["prompts"], json!({"listChanged": true}), "{found}");
    let tool = "test_input_required_result_multi_round";
    let call = |id: u64, more: Value| {
        let mut params = json!({"name": tool, "arguments": {}});
        params.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        modern(id, "tools/call", params, &can)
    };
    let accept = |key: &str, content: Value| json!({ key: {"action": "accept", "content": content} });
    let first = pipes.ask(call(2, json!({}))).await["result"].clone();
    assert_eq!(
        (&first["resultType"], first["inputRequests"]["step1"]["method"].as_str()),
        (&json!("input_required"), Some("elicitation/create"))
    );
    let answers = accept("step1", json!({"name": "Ada"}));
    let second = pipes.ask(call(3, json!({"inputResponses": answers, "requestState": first["requestState"]}))).await["result"].clone();
    assert!(second["inputRequests"].get("step2").is_some(), "{second}");
    let answers = accept("step2", json!({"color": "blue"}));
    let third = pipes.ask(call(4, json!({"inputResponses": answers, "requestState": second["requestState"]}))).await["result"].clone();
    assert_eq!(third["content"][0]["text"], "Ada likes blue", "what was said in the first round is still known: {third}");

    let wrong = pipes.ask(call(5, json!({"inputResponses": accept("step1", json!({"name": 3}))}))).await;
    assert!(wrong["error"]["code"] == -32_602 && wrong["error"]["message"].as_str().unwrap().contains("step1"), "{wrong}");
    let state = json!(format!("{}x", second["requestState"].as_str().unwrap()));
    let touched = pipes.ask(call(6, json!({"inputResponses": answers_of("blue"), "requestState": state}))).await;
    assert_eq!(touched["error"]["code"], -32_602, "{touched}");
    let mut other = call(7, json!({"inputResponses": answers_of("blue"), "requestState": second["requestState"]}));
    other["params"]["arguments"] = json!({"other": true});
    assert_eq!(pipes.ask(other).await["error"]["code"], -32_602, "a state is good for its own request only");
    let unable = pipes.ask(modern(8, "tools/call", json!({"name": "test_missing_capability"}), &can)).await;
    assert_eq!((&unable["error"]["code"], &unable["error"]["data"]["requiredCapabilities"]), (&json!(-32_021), &json!({"sampling": {}})));
    for (id, gone) in [(9, "ping"), (10, "logging/setLevel"), (11, "resources/subscribe")] {
        let answer = pipes.ask(modern(id, gone, json!({"level": "info", "uri": "test://static-text"}), &can)).await;
        assert_eq!(answer["error"]["code"], -32_601, "{gone}: {answer}");
    }
}

fn answers_of(color: &str) -> Value {
    json!({"step2": {"action": "accept", "content": {"color": color}}})
}

#[tokio::test]
async fn changes_reach_the_session_that_subscribed_and_the_stream_that_listens() {
    let mut legacy = Pipes::start();
    legacy.ask(initialize("2025-11-25")).await;
    legacy.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "test_trigger_tool_change"}});
    let told = [legacy.ask(call).await, legacy.next().await];
    assert!(told.iter().any(|message| message["method"] == "notifications/tools/list_changed"), "{told:?}");

    let mut modern_one = Pipes::start();
    let can = json!({});
    let listen = modern(7, "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}), &can);
    let heard = modern_one.ask(listen).await;
    assert_eq!(heard["method"], "notifications/subscriptions/acknowledged", "{heard}");
    modern_one.send(modern(8, "tools/call", json!({"name": "test_trigger_prompt_change"}), &can)).await;
    modern_one.send(modern(9, "tools/call", json!({"name": "test_trigger_tool_change"}), &can)).await;
    let (mut changes, mut replies) = (Vec::new(), 0);
    while changes.is_empty() || replies < 2 {
        let message = modern_one.next().await;
        match message["method"].as_str() {
            Some(method) => changes.push((method.to_owned(), message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone())),
            None => replies += 1,
        }
    }
    assert_eq!(changes, [("notifications/tools/list_changed".to_owned(), json!(7))]);
}
