//! The other side of the whole-process figures: a model server on loopback, an MCP server that echoes, and the bare
//! ratatui program that marks the floor.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{Event, KeyCode, read};
use serde_json::{Value, json};

/// A program that does nothing but show what is typed.
pub fn bare_program() {
    let mut terminal = ratatui::init();
    let mut typed = String::new();
    loop {
        terminal.draw(|frame| frame.render_widget(typed.as_str(), frame.area())).unwrap();
        match read().unwrap() {
            Event::Key(key) => match key.code {
                KeyCode::Char(ch) => typed.push(ch),
                KeyCode::Esc => break,
                _ => {}
            },
            _ => continue,
        }
    }
    ratatui::restore();
}

/// A minimal MCP server over standard input and output, with one tool.
pub fn echo_server() {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let Ok(message) = serde_json::from_str::<Value>(&line.unwrap()) else { continue };
        let Some(id) = message.get("id") else { continue };
        let result = match message["method"].as_str().unwrap_or_default() {
            "initialize" => json!({"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "echo", "version": "1"}}),
            "tools/list" => json!({"tools": [{"name": "echo", "description": "Echoes", "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}}}]}),
            "tools/call" => json!({"content": [{"type": "text", "text": message["params"]["arguments"]["text"]}]}),
            _ => json!({}),
        };
        writeln!(out, "{}", json!({"jsonrpc": "2.0", "id": id, "result": result})).unwrap();
        out.flush().unwrap();
    }
}

/// What the model server says.
#[derive(Clone, Copy)]
pub enum Script {
    /// One answer of so many tokens, as fast as the socket takes them.
    Tokens(usize),
    /// So many tool calls, one a step, then an answer.
    ToolCalls(usize),
}

/// An OpenAI-compatible server on loopback.
pub struct ModelServer {
    port: u16,
    gaps: Arc<Mutex<Vec<Duration>>>,
}

impl ModelServer {
    /// Listens and answers on threads of its own.
    pub fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let gaps = Arc::new(Mutex::new(Vec::new()));
        let answered = Arc::new(Mutex::new(None::<Instant>));
        let shared = Arc::clone(&gaps);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (gaps, answered) = (Arc::clone(&shared), Arc::clone(&answered));
                std::thread::spawn(move || serve(stream.unwrap(), script, &gaps, &answered));
            }
        });
        Self { port, gaps }
    }

    /// The config that uses it.
    pub fn config(&self) -> String {
        format!("{}{}", self.config_head(), self.config_tail())
    }

    /// The top-level keys.
    pub fn config_head(&self) -> String {
        "model = \"bench/model\"\n".to_owned()
    }

    /// The tables.
    pub fn config_tail(&self) -> String {
        format!("[providers.bench]\nbase_url = \"http://127.0.0.1:{}/v1\"\nmodel = \"model\"\n", self.port)
    }

    /// From the last byte of an answer to the arrival of the next request: what a step costs outside the model.
    pub fn gaps(&self) -> Vec<Duration> {
        self.gaps.lock().unwrap().clone()
    }

    /// The same for a client that does nothing but ask again at once.
    pub fn floor_gap(&self) -> Duration {
        let bare = Self::start(Script::Tokens(1));
        let body = json!({"model": "model", "stream": true, "messages": []}).to_string();
        let request = format!("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(("127.0.0.1", bare.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for _ in 0..200 {
            stream.write_all(request.as_bytes()).unwrap();
            let mut line = String::new();
            while line != "0\r\n" {
                line.clear();
                reader.read_line(&mut line).unwrap();
            }
            reader.read_line(&mut line).unwrap();
        }
        let mut gaps = bare.gaps();
        gaps.sort();
        gaps[gaps.len() / 2]
    }
}

fn serve(stream: TcpStream, script: Script, gaps: &Mutex<Vec<Duration>>, answered: &Mutex<Option<Instant>>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, stream);
    while let Some(body) = read_request(&mut reader) {
        if let Some(last) = answered.lock().unwrap().take() {
            gaps.lock().unwrap().push(last.elapsed());
        }
        let request: Value = serde_json::from_slice(&body).unwrap_or_default();
        if out.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").is_err() {
            return;
        }
        let done = answer(&mut out, script, &request).and_then(|()| out.write_all(b"0\r\n\r\n")).and_then(|()| out.flush());
        *answered.lock().unwrap() = Some(Instant::now());
        if done.is_err() {
            return;
        }
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

fn answer(out: &mut impl Write, script: Script, request: &Value) -> std::io::Result<()> {
    let results = request["messages"].as_array().map_or(0, |all| all.iter().filter(|message| message["role"] == "tool").count());
    match script {
        Script::ToolCalls(count) if results < count => {
            let call = json!([{"index": 0, "id": format!("call{results:05}"), "type": "function", "function": {"name": "echo__echo", "arguments": "{\"text\":\"hi\"}"}}]);
            event(out, &json!({"delta": {"role": "assistant", "tool_calls": call}, "index": 0, "finish_reason": null}))?;
            event(out, &json!({"delta": {}, "index": 0, "finish_reason": "tool_calls"}))?;
        }
        Script::ToolCalls(_) => text(out, 1)?,
        Script::Tokens(count) => text(out, count)?,
    }
    chunk(out, "data: [DONE]\n\n")
}

fn text(out: &mut impl Write, count: usize) -> std::io::Result<()> {
    event(out, &json!({"delta": {"role": "assistant", "content": "first-token "}, "index": 0, "finish_reason": null}))?;
    for n in 0..count {
        // Words, a new paragraph now and then, some Markdown: an answer as models write them.
        let word = match n % 97 {
            0 => "\n\n".to_owned(),
            1 => "**bold** ".to_owned(),
            2 => "`code` ".to_owned(),
            _ => format!("word{} ", n % 1_000),
        };
        event(out, &json!({"delta": {"content": word}, "index": 0, "finish_reason": null}))?;
    }
    event(out, &json!({"delta": {"content": "last-token"}, "index": 0, "finish_reason": null}))?;
    event(out, &json!({"delta": {}, "index": 0, "finish_reason": "stop"}))
}

fn event(out: &mut impl Write, choice: &Value) -> std::io::Result<()> {
    chunk(out, &format!("data: {}\n\n", json!({"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "model", "choices": [choice]})))
}

fn chunk(out: &mut impl Write, data: &str) -> std::io::Result<()> {
    write!(out, "{:x}\r\n{data}\r\n", data.len())
}
