//! Web sites on loopback whose pages stay as they are: each answers 304 to who knows the page already, and counts.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// The state of every page.
const ETAG: &str = "\"unchanged\"";

/// What the sites counted.
#[derive(Debug, Default)]
pub struct Counts {
    /// Pages sent whole.
    pub whole: AtomicUsize,
    /// Answers of 304.
    pub unchanged: AtomicUsize,
    /// The most requests that any one site had in flight at once.
    pub most_at_once: AtomicUsize,
}

impl Counts {
    /// Answers of both kinds.
    pub fn answers(&self) -> usize {
        self.whole.load(Ordering::SeqCst) + self.unchanged.load(Ordering::SeqCst)
    }
}

#[derive(Clone)]
struct Site {
    counts: Arc<Counts>,
    in_flight: Arc<AtomicUsize>,
}

/// So many sites without `robots.txt`, each on a port of its own; they live as long as the process. Their addresses, and
/// what they count.
pub fn start(count: usize) -> (Vec<String>, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let listeners: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    let addresses = listeners.iter().map(|listener| format!("http://{}", listener.local_addr().expect("an address"))).collect();
    let shared = Arc::clone(&counts);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let serving = listeners.into_iter().map(|listener| {
                listener.set_nonblocking(true).expect("a socket");
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let site = Site { counts: Arc::clone(&shared), in_flight: Arc::default() };
                axum::serve(listener, Router::new().fallback(answer).with_state(site)).into_future()
            });
            futures::future::join_all(serving).await;
        });
    });
    (addresses, counts)
}

async fn answer(State(site): State<Site>, request: Request) -> Response {
    let now = site.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
    site.counts.most_at_once.fetch_max(now, Ordering::SeqCst);
    // Others get a turn while this one is in flight.
    tokio::task::yield_now().await;
    let response = page(&site.counts, &request);
    site.in_flight.fetch_sub(1, Ordering::SeqCst);
    response
}

fn page(counts: &Counts, request: &Request) -> Response {
    if request.uri().path() == "/robots.txt" {
        return StatusCode::NOT_FOUND.into_response();
    }
    if request.headers().get(header::IF_NONE_MATCH).is_some_and(|value| value == ETAG) {
        counts.unchanged.fetch_add(1, Ordering::SeqCst);
        return StatusCode::NOT_MODIFIED.into_response();
    }
    counts.whole.fetch_add(1, Ordering::SeqCst);
    let story = "<p>A paragraph of a page that stays as it is, with some words to read in it.</p>".repeat(120);
    let title = request.uri().path().trim_start_matches('/');
    let text = format!("<!doctype html><html><head><title>{title}</title></head><body><main><h1>{title}</h1>{story}</main></body></html>");
    ([(header::ETAG, ETAG)], Html(text)).into_response()
}
