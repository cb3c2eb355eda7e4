//! The feed as others read it: Python's `websockets`, Node's `ws`, `wscat`, `eventsource`, `httpx-sse`, `curl`, our own two
//! reference clients, and the MCP Inspector at `/mcp`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peers::{inspector, installed, node_new, python};
use crate::serving::{Serve, TOKEN};
use crate::support::Home;

/// The longest that anything may take.
const LIMIT: Duration = Duration::from_mins(2);

/// A client that prints what it reads; ended when it is dropped.
struct Printing {
    name: &'static str,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<Value>,
}

impl Printing {
    fn start(name: &'static str, program: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let mut command = Command::new(program.as_ref());
        command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
        // `wscat` ends with its input.
        command.env("HOME", "/nonexistent").env("PYTHONDONTWRITEBYTECODE", "1").env("WAKEFUL_TOKEN", TOKEN).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Self { name, child, lines, seen: Vec::new() }
    }

    /// Reads until an event is as wanted; what is no JSON is passed over.
    fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> &Value {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|error| panic!("{}: {error} after {:?}", self.name, self.seen));
            // `curl` prints the stream itself, `wscat` signs and colours around each message.
            let text = line.find('{').zip(line.rfind('}')).and_then(|(from, to)| line.get(from..=to)).unwrap_or_default();
            let Ok(event) = serde_json::from_str::<Value>(text) else { continue };
            self.seen.push(event);
            if self.seen.last().is_some_and(&wanted) {
                return self.seen.last().unwrap();
            }
        }
    }

    /// Positions in the log of what it printed.
    fn positions(&self) -> Vec<u64> {
        self.seen.iter().filter_map(|event| event["seq"].as_u64()).collect()
    }

    /// Neither gap nor repeat, from `first` on.
    fn check_gapless(&self, first: u64) {
        let positions = self.positions();
        assert_eq!(positions.first(), Some(&first), "{}", self.name);
        assert!(positions.windows(2).all(|pair| pair[1] == pair[0] + 1), "{}: {positions:?}", self.name);
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A home with a conversation in its log.
fn home() -> Home {
    let home = Home::with("");
    let said = home.run(&["exec", "what is 6*7?"]);
    assert_eq!(said.code, 0, "{said:?}");
    home
}

fn script(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn modules() -> String {
    installed().join("node_modules").to_str().unwrap().to_owned()
}

fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl").args(["-sS", "--max-time", "60"]).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes a task over the API, as a program would.
fn make_task(serve: &Serve, description: &str) {
    let task = json!({"task_type": "schedule", "description": description, "config": {"type": "daily", "hour": 9}}).to_string();
    let made = curl(&["-H", "content-type: application/json", "-d", &task, &format!("{}/api/v2/tasks", serve.url)]);
    assert_eq!(serde_json::from_str::<Value>(&made).unwrap()["status"], "success", "{made}");
}

fn is_made(description: &str) -> impl Fn(&Value) -> bool {
    move |event| event["data"]["event_type"] == "task_created" && event["data"]["data"]["spec"]["description"] == description
}

#[test]
fn clients_that_others_wrote_read_what_was_and_what_comes() {
    let home = home();
    let serve = Serve::start(&home, &[]);
    let all = format!("{}/ws/mcplog?since=0", serve.ws());
    let (events, modules) = (format!("{}/events", serve.url), modules());
    let (feed, sse) = (script("tests/peers/feed.mjs"), script("tests/peers/feed_sse.py"));
    let wscat = installed().join("node_modules/wscat/bin/wscat");
    let wscat = wscat.to_str().unwrap();
    let stream = ["-sSN", "-H", "Accept: text/event-stream"];
    let mut clients = [
        (1, Printing::start("websockets", python("python"), &[&script("assets/clients/feed.py"), &serve.ws(), "0"])),
        (1, Printing::start("node", node_new(), &[&script("assets/clients/feed.js"), &serve.ws(), "0"])),
        (1, Printing::start("ws", node_new(), &[&feed, &modules, "ws", &all])),
        (1, Printing::start("wscat", node_new(), &[wscat, "--connect", &all])),
        (3, Printing::start("eventsource", node_new(), &[&feed, &modules, "eventsource", &events, "2"])),
        (4, Printing::start("httpx-sse", python("python"), &[&sse, &events, "3"])),
        (5, Printing::start("curl", "curl", &[&stream[..], &["-H", "Last-Event-ID: 4", &events]].concat())),
        (6, Printing::start("curl", "curl", &[&stream[..], &[&format!("{events}?since=5")]].concat())),
    ];
    // What was.
    for (_, client) in &mut clients {
        let heard = client.until(|event| event["type"] == "turn_event" && event["data"]["event_type"] == "finished");
        assert!(heard["timestamp"].as_str().unwrap().ends_with('Z') && heard["id"].is_string(), "{heard}");
    }
    // What comes.
    make_task(&serve, "while they read");
    for (first, client) in &mut clients {
        client.until(is_made("while they read"));
        client.check_gapless(*first);
    }
    // The same text everywhere: the event is made once.
    let last = |client: &Printing| client.seen.last().unwrap().clone();
    let told = last(&clients[0].1);
    for (_, client) in &clients[1..] {
        let mut event = last(client);
        if let Some(beside) = event.as_object_mut().unwrap().remove("sse") {
            assert_eq!(beside, json!(["task_event", told["seq"].to_string()]));
        }
        assert_eq!(event, told, "{}", client.name);
    }
    // Over WebSocket the first frame is the acknowledgement.
    for (_, client) in &clients[..4] {
        let ack = &client.seen[0];
        assert_eq!(
            (&ack["type"], &ack["data"]["client_type"], &ack["data"]["dropped"]),
            (&json!("connection_ack"), &json!("MCPLog"), &json!(0))
        );
        assert!(ack["message"].is_string() && ack["client_id"].is_string() && ack["data"]["epoch"].is_string(), "{ack}");
    }
    serve.stop();
}

#[test]
fn the_reference_clients_and_an_event_source_go_on_where_they_stopped() {
    let home = home();
    let serve = Serve::start(&home, &["--token-env", "TOKEN"]);
    let (address, ws, modules) = (serve.address().to_owned(), serve.ws(), modules());
    let events = format!("{}/events?token={TOKEN}&since=0", serve.url);
    let feed = script("tests/peers/feed.mjs");
    let mut clients = [
        Printing::start("feed.py", python("python"), &[&script("assets/clients/feed.py"), &ws, "0"]),
        Printing::start("feed.js", node_new(), &[&script("assets/clients/feed.js"), &ws, "0"]),
        Printing::start("eventsource", node_new(), &[&feed, &modules, "eventsource", &events]),
    ];
    for client in &mut clients {
        client.until(|event| event["data"]["event_type"] == "service_connected" && event["data"]["service_name"] == "tasks");
    }
    serve.stop();
    let said = home.run(&["exec", "what is 7*8?"]);
    assert_eq!(said.code, 0, "{said:?}");
    let serve = Serve::at(&home, &address, &["--token-env", "TOKEN"]);
    for client in &mut clients {
        client.until(|event| event["type"] == "chat" && event["data"]["text"] == "what is 7*8?");
        client.check_gapless(1);
    }
    serve.stop();
}

#[test]
fn without_the_token_a_client_is_told_why_it_may_not_read() {
    let home = Home::with("");
    let serve = Serve::start(&home, &["--token-env", "TOKEN"]);
    let refused = curl(&["-H", "Accept: text/event-stream", "-w", " %{http_code} %{content_type}", &format!("{}/events", serve.url)]);
    assert!(refused.contains("token") && refused.ends_with(" 401 application/problem+json"), "{refused}");
    let program = "import asyncio, sys, websockets\n\
                   async def main():\n    async with websockets.connect(sys.argv[1]) as socket:\n        await socket.recv()\n\
                   try:\n    asyncio.run(main())\n\
                   except websockets.ConnectionClosed as closed:\n    print(closed.rcvd.code, closed.rcvd.reason)\n";
    let output = Command::new(python("python")).args(["-c", program, &format!("{}/ws/mcplog", serve.ws())]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("1008 ") && text.contains("token"), "{text} {output:?}");
    serve.stop();
}

#[test]
fn the_inspector_drives_the_tools_over_the_same_port() {
    let home = Home::with("");
    let serve = Serve::start(&home, &["--token-env", "TOKEN"]);
    let (inspector, url, bearer) = (inspector(), format!("{}/mcp", serve.url), format!("Authorization: Bearer {TOKEN}"));
    let ask = |arguments: &[&str]| -> Value {
        let target = [inspector.as_str(), "--cli", &url, "--transport", "http", "--header", &bearer];
        let mut command = Command::new(node_new());
        command.args(target).args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home.root());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}\n{text}"))
    };
    let tools = ask(&["--method", "tools/list"]);
    assert!(tools["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "create_background_task"), "{tools}");
    let sum = ask(&["--method", "tools/call", "--tool-name", "calculate", "--tool-arg", "expression=6 * 7"]);
    assert!(sum["content"][0]["text"].as_str().unwrap().contains("42"), "{sum}");
    serve.stop();
}
