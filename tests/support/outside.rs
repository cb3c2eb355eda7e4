//! What the program meets outside, on loopback: pages that change, an API like Twilio's, a receiver of webhooks that
//! knows repeats by their key. It answers slowly and unevenly, so that a kill falls into every part of a request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The slowest answer.
const SLOW_MS: u64 = 40;
/// How long a page stays as it is.
const PAGE_STAYS: Duration = Duration::from_secs(3);
/// A page says another one of these each time.
const WORDS: [&str; 12] = [
    "encryption",
    "telescopes",
    "harbours",
    "violins",
    "glaciers",
    "railways",
    "lighthouses",
    "orchards",
    "satellites",
    "bakeries",
    "volcanoes",
    "libraries",
];

/// What came in.
#[derive(Debug, Default)]
pub struct Seen {
    /// Texts by number.
    pub texts: HashMap<String, usize>,
    /// Bodies of webhooks by idempotency key; a repeat adds another.
    pub posts: HashMap<String, Vec<Value>>,
    /// Pages that were fetched.
    pub pages: usize,
}

struct Shared {
    seen: Mutex<Seen>,
    began: Instant,
}

/// The server. It ends with its value.
pub struct Outside {
    port: u16,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl Outside {
    /// Listens.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let shared = Arc::new(Shared { seen: Mutex::default(), began: Instant::now() });
        let app = Router::new()
            .route("/page/{name}", get(page))
            .route("/hook", post(hook))
            .route("/2010-04-01/Accounts/{sid}/Messages.json", post(text))
            .with_state(Arc::clone(&shared));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { port, shared, _runtime: runtime }
    }

    /// The address of a path.
    pub fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What came in so far.
    pub fn with<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.shared.seen.lock().unwrap())
    }
}

/// As long as the other side takes to think.
async fn think() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=SLOW_MS))).await;
}

async fn page(State(shared): State<Arc<Shared>>) -> ([(&'static str, &'static str); 1], String) {
    think().await;
    let turn = usize::try_from(shared.began.elapsed().as_secs() / PAGE_STAYS.as_secs()).unwrap();
    shared.seen.lock().unwrap().pages += 1;
    let (word, next) = (WORDS[turn % WORDS.len()], WORDS[(turn * 5 + 3) % WORDS.len()]);
    let html = format!(
        "<html><head><title>Travel notes</title></head><body><main><h1>Travel notes</h1>\
         <p>Visitors write to us from everywhere, and we print what they liked.</p>\
         <p>This time our readers wrote mostly about {word}, and a few about {next}.</p>\
         <p>Letters reach us at the usual address.</p></main></body></html>"
    );
    ([("content-type", "text/html; charset=utf-8")], html)
}

async fn hook(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    think().await;
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or("no key").to_owned();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    shared.seen.lock().unwrap().posts.entry(key).or_default().push(body);
    // The work is done; the answer takes its time.
    think().await;
    StatusCode::OK
}

async fn text(State(shared): State<Arc<Shared>>, body: Bytes) -> (StatusCode, axum::Json<Value>) {
    think().await;
    let form = String::from_utf8_lossy(&body).into_owned();
    let to = form.split('&').find_map(|field| field.strip_prefix("To=")).unwrap_or("nobody").replace("%2B", "+");
    *shared.seen.lock().unwrap().texts.entry(to).or_default() += 1;
    think().await;
    (StatusCode::CREATED, axum::Json(json!({"sid": format!("SM{:032x}", fastrand::u128(..)), "status": "queued"})))
}
