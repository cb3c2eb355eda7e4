//! `wakeful serve` with a home of its own, and the smallest HTTP client that can look at every byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::Home;

/// The longest that anything may take: a bound for what hangs, not a measure.
const LIMIT: Duration = Duration::from_secs(90);

/// The token of [`TOKEN_CONFIG`].
pub const TOKEN: &str = "a-token-for-tests-only-0123456789";

/// A config that sets the token and no rate.
pub const TOKEN_CONFIG: &str = "[server]\ntoken = \"a-token-for-tests-only-0123456789\"\nrequests_per_second = 0\n";

/// A running `wakeful serve`; ended when dropped.
pub struct Served {
    pub address: SocketAddr,
    child: Child,
}

impl Served {
    pub fn start(home: &Home) -> Self {
        let mut command = home.wakeful(&["serve", "--headless", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("it ended before it listened").unwrap();
            if let Some((_, url)) = line.split_once("dashboard: ") {
                break url.trim().to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let address = url.strip_prefix("http://").unwrap().parse().unwrap();
        Self { address, child }
    }

    /// Ends it by the signal that a service manager sends; its exit code.
    pub fn stop(&mut self) -> i32 {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Sends a request and reads no more than the head of the answer.
    pub fn begin(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut words =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\n", self.address);
        for (name, value) in headers {
            words += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || method == "POST" {
            words += &format!("content-length: {}\r\n", body.len());
        }
        words += "\r\n";
        stream.write_all(words.as_bytes()).unwrap();
        // Who is refused for what the head says may be gone before the body is.
        let _ = stream.write_all(body);
        Answer::read(BufReader::new(stream))
    }

    /// Sends JSON and reads the whole answer as JSON.
    pub fn json(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut answer = self.begin(method, path, &[("content-type", "application/json")], body.to_string().as_bytes());
        (answer.status, serde_json::from_slice(&answer.rest()).unwrap())
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        let mut answer = self.begin("GET", path, &[("accept", "application/json")], b"");
        (answer.status, serde_json::from_slice(&answer.rest()).unwrap())
    }

    /// An event stream.
    pub fn stream(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let headers: Vec<_> = [("accept", "text/event-stream")].into_iter().chain(headers.iter().copied()).collect();
        self.begin("GET", path, &headers, b"")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer whose body is read piece by piece.
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    stream: BufReader<TcpStream>,
    /// Of the body, what was read and not yet taken.
    ready: Vec<u8>,
}

impl Answer {
    fn read(mut stream: BufReader<TcpStream>) -> Self {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {line:?}"));
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
                None => return Self { status, headers, stream, ready: Vec::new() },
            }
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The next piece of the body as the server sent it; none at its proper end.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        if self.header("transfer-encoding") != Some("chunked") {
            let mut all = Vec::new();
            self.stream.read_to_end(&mut all).unwrap();
            return (!all.is_empty()).then_some(all);
        }
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap_or_else(|_| panic!("the stream broke off: {line:?}"));
        let mut piece = vec![0; length + 2];
        self.stream.read_exact(&mut piece).unwrap();
        piece.truncate(length);
        (length > 0).then_some(piece)
    }

    /// All that is left of the body.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.ready);
        while let Some(piece) = self.chunk() {
            all.extend(piece);
        }
        all
    }

    /// The next server-sent event: its id, its type, its data. Comments are passed over. None at the proper end.
    pub fn event(&mut self) -> Option<(Option<u64>, String, Value)> {
        loop {
            while let Some(end) = self.ready.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.ready.drain(..end + 2).collect();
                if let Some(event) = parsed(std::str::from_utf8(&block).unwrap()) {
                    return Some(event);
                }
            }
            let piece = self.chunk()?;
            self.ready.extend(piece);
        }
    }
}

/// One block of an event stream; none for a comment.
pub fn parsed(block: &str) -> Option<(Option<u64>, String, Value)> {
    let (mut id, mut kind, mut data) = (None, String::new(), None);
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("id", value)) => id = Some(value.parse().unwrap()),
            Some(("event", value)) => value.clone_into(&mut kind),
            Some(("data", value)) => data = Some(serde_json::from_str(value).unwrap()),
            _ => {}
        }
    }
    data.map(|data| (id, kind, data))
}
