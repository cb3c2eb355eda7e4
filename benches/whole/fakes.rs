//! The other side of the whole-process figures: an MCP server that echoes, the bare ratatui program that marks the
//! floor, and the client that does nothing but ask again.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use ratatui::crossterm::event::{Event, KeyCode, read};
use serde_json::{Value, json};

use super::hostile;
use super::model::{ModelServer, Say};

/// A program that does nothing but show what is typed.
pub fn bare_program() {
    let mut terminal = ratatui::init();
    let mut typed = String::new();
    loop {
        terminal.draw(|frame| frame.render_widget(typed.as_str(), frame.area())).unwrap();
        if let Event::Key(key) = read().unwrap() {
            match key.code {
                KeyCode::Char(ch) => typed.push(ch),
                KeyCode::Esc => break,
                _ => {}
            }
        }
    }
    ratatui::restore();
}

/// A minimal MCP server over standard input and output, with one tool.
pub fn echo_server() {
    serve(|arguments| arguments["text"].clone());
}

/// The same, but it answers with hostile text, and says as much on standard error.
pub fn hostile_server() {
    serve(|arguments| {
        let text = hostile::text(usize::try_from(arguments["n"].as_u64().unwrap_or_default()).unwrap());
        // What a person would see of it: a line of a megabyte is none.
        let _nobody_reads = writeln!(std::io::stderr(), "{}", text.get(..1 << 20).unwrap_or(&text));
        text.into()
    });
}

fn serve(answer: impl Fn(&Value) -> Value) {
    for line in std::io::stdin().lock().lines() {
        reply(&line.unwrap(), &answer);
    }
}

/// The same with rubbish on both streams, as fast as it goes.
pub fn flooding_server() {
    std::thread::spawn(|| {
        loop {
            let line = "rubbish ".repeat(32);
            if writeln!(std::io::stdout().lock(), "{line}").is_err() || writeln!(std::io::stderr().lock(), "{line}").is_err() {
                return;
            }
        }
    });
    echo_server();
}

fn reply(line: &str, answer: impl Fn(&Value) -> Value) {
    let mut out = std::io::stdout().lock();
    {
        let Ok(message) = serde_json::from_str::<Value>(line) else { return };
        let Some(id) = message.get("id") else { return };
        let result = match message["method"].as_str().unwrap_or_default() {
            "initialize" => {
                json!({"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "echo", "version": "1"}})
            }
            "tools/list" => {
                json!({"tools": [{"name": "echo", "description": "Echoes", "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}, "n": {"type": "integer"}}}}]})
            }
            "tools/call" => json!({"content": [{"type": "text", "text": answer(&message["params"]["arguments"])}]}),
            _ => json!({}),
        };
        writeln!(out, "{}", json!({"jsonrpc": "2.0", "id": id, "result": result})).unwrap();
        out.flush().unwrap();
    }
}

/// The median gap between answer and next request of a client that does nothing but ask again at once.
pub fn floor_gap() -> Duration {
    let bare = ModelServer::start(|_| Say::Tokens(1));
    let body = json!({"model": "model", "stream": true, "messages": []}).to_string();
    let request = format!("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(("127.0.0.1", bare.port())).unwrap();
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
