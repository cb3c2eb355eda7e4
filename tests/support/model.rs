//! An OpenAI-compatible model server on loopback that says what a script tells it, over a real socket.
//!
//! Shared by the end-to-end tests and the whole-process benchmarks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// One answer of the model.
#[derive(Debug, Clone)]
pub enum Say {
    /// A text in one piece.
    Text(String),
    /// `first-token`, so many words with some Markdown, `last-token`; as fast as the socket takes them.
    Tokens(usize),
    /// The same, so many words a second.
    Paced(usize, u32),
    /// Calls of tools: names and arguments.
    Calls(Vec<(String, Value)>),
    /// A text, then nothing more until the client goes away.
    Hang(String),
}

impl Say {
    /// One call.
    pub fn call(name: &str, arguments: Value) -> Self {
        Self::Calls(vec![(name.to_owned(), arguments)])
    }
}

type Script = dyn Fn(&Value) -> Say + Send + Sync;

#[derive(Default)]
struct Seen {
    requests: Vec<Value>,
    gaps: Vec<Duration>,
    answered: Option<Instant>,
    hung_up: usize,
}

/// The server. It lives as long as the process.
pub struct ModelServer {
    port: u16,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl ModelServer {
    /// Listens; `script` turns each request into an answer.
    pub fn start(script: impl Fn(&Value) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
        let script: Arc<Script> = Arc::new(script);
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, script) = (Arc::clone(&shared), Arc::clone(&script));
                std::thread::spawn(move || serve(stream, &*script, &seen));
            }
        });
        Self { port, seen }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The provider's table of the config; its models are chosen as `bench/model`.
    pub fn provider(&self) -> String {
        format!("[providers.bench]\nbase_url = \"http://127.0.0.1:{}/v1\"\nmodel = \"model\"\n", self.port)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Value> {
        self.seen.0.lock().expect("server lives").requests.clone()
    }

    /// From the last byte of an answer to the arrival of the next request: what a step costs outside the model.
    pub fn gaps(&self) -> Vec<Duration> {
        self.seen.0.lock().expect("server lives").gaps.clone()
    }

    /// Waits until `count` hanging answers were hung up on by their client; whether they were.
    pub fn wait_hung_up(&self, count: usize, limit: Duration) -> bool {
        let (lock, changed) = &*self.seen;
        let seen = lock.lock().expect("server lives");
        let (seen, _) = changed.wait_timeout_while(seen, limit, |seen| seen.hung_up < count).expect("server lives");
        seen.hung_up >= count
    }
}

/// How many results of tools a request carries: where the conversation stands.
pub fn results(request: &Value) -> usize {
    request["messages"].as_array().map_or(0, |all| all.iter().filter(|message| message["role"] == "tool").count())
}

/// The last text of the user in a request.
pub fn last_user(request: &Value) -> String {
    let messages = request["messages"].as_array().cloned().unwrap_or_default();
    let last = messages.iter().rev().find(|message| message["role"] == "user");
    last.and_then(|message| message["content"].as_str()).unwrap_or_default().to_owned()
}

fn serve(stream: TcpStream, script: &Script, seen: &(Mutex<Seen>, Condvar)) {
    stream.set_nodelay(true).expect("a socket");
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, stream);
    while let Some(body) = read_request(&mut reader) {
        let arrived = Instant::now();
        let request: Value = serde_json::from_slice(&body).unwrap_or_default();
        {
            let mut seen = seen.0.lock().expect("server lives");
            if let Some(last) = seen.answered.take() {
                let gap = arrived.saturating_duration_since(last);
                seen.gaps.push(gap);
            }
            seen.requests.push(request.clone());
        }
        let say = script(&request);
        let hangs = matches!(say, Say::Hang(_));
        let done = head(&mut out).and_then(|()| answer(&mut out, &say)).and_then(|()| out.flush());
        if done.is_err() {
            return;
        }
        if hangs {
            // The client sends nothing more on this connection: the read ends when it closes.
            let _ = reader.read(&mut [0]);
            seen.0.lock().expect("server lives").hung_up += 1;
            seen.1.notify_all();
            return;
        }
        seen.0.lock().expect("server lives").answered = Some(Instant::now());
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn head(out: &mut impl Write) -> std::io::Result<()> {
    out.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
}

fn answer(out: &mut impl Write, say: &Say) -> std::io::Result<()> {
    match say {
        Say::Hang(text) => return event(out, &json!({"content": text}), None).and_then(|()| out.flush()),
        Say::Text(text) => {
            event(out, &json!({"role": "assistant", "content": text}), None)?;
            event(out, &json!({}), Some("stop"))?;
        }
        Say::Tokens(count) => {
            event(out, &json!({"role": "assistant", "content": "first-token "}), None)?;
            for n in 0..*count {
                event(out, &json!({"content": word(n)}), None)?;
            }
            event(out, &json!({"content": "last-token"}), None)?;
            event(out, &json!({}), Some("stop"))?;
        }
        Say::Paced(count, per_second) => {
            event(out, &json!({"role": "assistant", "content": "first-token "}), None)?;
            let began = Instant::now();
            for n in 0..*count {
                let due = began + Duration::from_secs(1) * u32::try_from(n).unwrap_or(u32::MAX) / *per_second;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                event(out, &json!({"content": word(n)}), None)?;
                out.flush()?;
            }
            event(out, &json!({"content": "last-token"}), None)?;
            event(out, &json!({}), Some("stop"))?;
        }
        Say::Calls(calls) => {
            for (index, (name, arguments)) in calls.iter().enumerate() {
                let id = format!("c{:08x}", fastrand::u32(..));
                let call =
                    json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments.to_string()}});
                event(out, &json!({"role": "assistant", "tool_calls": [call]}), None)?;
            }
            event(out, &json!({}), Some("tool_calls"))?;
        }
    }
    chunk(out, "data: [DONE]\n\n")?;
    out.write_all(b"0\r\n\r\n")
}

/// Words, a new paragraph now and then, some Markdown: an answer as models write them.
fn word(n: usize) -> String {
    match n % 97 {
        0 => "\n\n".to_owned(),
        1 => "**bold** ".to_owned(),
        2 => "`code` ".to_owned(),
        _ => format!("word{} ", n % 1_000),
    }
}

fn event(out: &mut impl Write, delta: &Value, finish: Option<&str>) -> std::io::Result<()> {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    chunk(
        out,
        &format!(
            "data: {}\n\n",
            json!({"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "model", "choices": [choice]})
        ),
    )
}

fn chunk(out: &mut impl Write, data: &str) -> std::io::Result<()> {
    write!(out, "{:x}\r\n{data}\r\n", data.len())
}
