//! The world outside, on loopback: a web site whose page can be changed and whose other pages misbehave, Twilio's API,
//! and a mail server. Each keeps what it was sent.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};

/// The size of the page `/huge`, in bytes.
pub const HUGE_BYTES: usize = 200_000;

/// A text as it came to Twilio's API.
#[derive(Debug, Clone)]
pub struct Text {
    /// The account in the path.
    pub account: String,
    /// The `Authorization` header.
    pub login: String,
    /// The form, as it was encoded.
    pub form: String,
}

#[derive(Clone, Default)]
struct Shared {
    page: Arc<Mutex<String>>,
    texts: Arc<Mutex<Vec<Text>>>,
}

/// The site and Twilio's API behind one port. It lives as long as the process.
pub struct Web {
    at: SocketAddr,
    shared: Shared,
}

impl Web {
    /// Listens; the page `/` is empty until [`show`](Self::show).
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let at = listener.local_addr().expect("an address");
        let shared = Shared::default();
        let router = Router::new()
            .route("/", get(async |State(shared): State<Shared>| Html(locked(&shared.page).clone())))
            .route("/robots.txt", get(async || StatusCode::NOT_FOUND))
            .route("/huge", get(async || Html("x".repeat(HUGE_BYTES))))
            .route("/binary", get(async || binary()))
            .route("/round", get(async || Redirect::temporary("/about")))
            .route("/about", get(async || Redirect::temporary("/round")))
            .route("/2010-04-01/Accounts/{account}/Messages.json", post(text))
            .with_state(shared.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                axum::serve(listener, router).await.expect("a server");
            });
        });
        Self { at, shared }
    }

    /// The address of `path`, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    /// What the page `/` holds from now on: a headline a line.
    pub fn show(&self, headlines: &[&str]) {
        let article = |line: &&str| format!("<article><h2>{line}</h2><p>The story behind it.</p></article>");
        let articles = headlines.iter().map(article).collect::<Vec<_>>().concat();
        *locked(&self.shared.page) = format!(
            "<!doctype html><html><head><title>The Daily</title></head><body><main><h1>The Daily</h1>{articles}</main></body></html>"
        );
    }

    /// The texts that came, the first first.
    pub fn texts(&self) -> Vec<Text> {
        locked(&self.shared.texts).clone()
    }
}

fn locked<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A picture.
fn binary() -> Response {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89".repeat(40);
    ([(header::CONTENT_TYPE, "image/png")], png).into_response()
}

async fn text(State(shared): State<Shared>, Path(account): Path<String>, headers: HeaderMap, form: String) -> Response {
    let login = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut texts = locked(&shared.texts);
    texts.push(Text { account, login, form });
    let answer = format!("{{\"sid\":\"SM{:032x}\",\"status\":\"queued\"}}", texts.len());
    (StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], answer).into_response()
}

/// A mail server that takes everything. It lives as long as the process.
pub struct Mail {
    at: SocketAddr,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Mail {
    /// Listens.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let at = listener.local_addr().expect("an address");
        let taken = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = Arc::clone(&shared);
                // A client that goes away has nothing more to say.
                std::thread::spawn(move || drop(converse(stream, &taken)));
            }
        });
        Self { at, taken }
    }

    /// The address, as `SMTP_URL` has it.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.at)
    }

    /// The mails that came, envelope and text, the first first.
    pub fn taken(&self) -> Vec<String> {
        locked(&self.taken).clone()
    }
}

fn converse(stream: TcpStream, taken: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    out.write_all(b"220 sink\r\n")?;
    let (mut mail, mut in_text) = (String::new(), false);
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let answer = match (in_text, line.as_str()) {
            (true, ".") => {
                in_text = false;
                locked(taken).push(std::mem::take(&mut mail));
                "250 2.0.0 queued\r\n"
            }
            (true, _) => {
                mail.push_str(&line);
                mail.push('\n');
                continue;
            }
            (false, "DATA") => {
                in_text = true;
                "354 go on\r\n"
            }
            (false, "QUIT") => return out.write_all(b"221 bye\r\n"),
            (false, command) if command.starts_with("EHLO") => "250-sink\r\n250 8BITMIME\r\n",
            (false, command) => {
                mail.push_str(command);
                mail.push('\n');
                "250 ok\r\n"
            }
        };
        out.write_all(answer.as_bytes())?;
    }
    Ok(())
}
