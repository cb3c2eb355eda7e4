//! How many watched pages a second are found unchanged: 500 pages on 50 servers of this machine, each answering 304.
//!
//! `cargo bench --bench fetch` prints checks a second, the best and the median of some rounds, and the most requests
//! that any server had in flight at once (it must be 1).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request as Asked;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use wakeful::domain::clock::SystemClock;
use wakeful::net::fetch::{Fetcher, Options, Request, Validators};

/// Servers, each on a port of its own.
const HOSTS: usize = 50;

/// Pages on each.
const PAGES: usize = 10;

/// Measured passes over all pages.
const ROUNDS: usize = 15;

/// The state of every page.
const ETAG: &str = "\"unchanged\"";

#[tokio::main]
async fn main() {
    let most = Arc::new(AtomicUsize::new(0));
    let mut urls = Vec::new();
    for _ in 0..HOSTS {
        let host = serve(most.clone()).await;
        urls.extend((0..PAGES).map(|page| format!("{host}/page/{page}")));
    }
    let fetcher = Fetcher::new(Options::default(), Arc::new(SystemClock));
    let first = pass(&fetcher, &urls, &Validators::default()).await;
    assert_eq!(first.unchanged, 0);
    let validators = Validators { etag: Some(ETAG.to_owned()), last_modified: None };
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let round = pass(&fetcher, &urls, &validators).await;
        assert_eq!(round.unchanged, urls.len());
        #[expect(clippy::cast_precision_loss, reason = "some hundred pages")]
        rates.push(urls.len() as f64 / round.took.as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    println!("{} pages on {HOSTS} hosts, {ROUNDS} rounds, all 304", urls.len());
    println!("  median {:>8.0} checks/s", rates[rates.len() / 2]);
    println!("  best   {:>8.0} checks/s", rates[rates.len() - 1]);
    println!("  most in flight at one host: {}", most.load(Ordering::SeqCst));
}

struct Pass {
    took: Duration,
    unchanged: usize,
}

/// Asks for every page once, all at the same time.
async fn pass(fetcher: &Fetcher, urls: &[String], validators: &Validators) -> Pass {
    let started = Instant::now();
    let gets: Vec<_> = urls
        .iter()
        .map(|url| {
            let request = Request { validators: validators.clone(), ..Request::new(url) };
            let fetcher = fetcher.clone();
            tokio::spawn(async move { fetcher.get(request).await.unwrap().not_modified })
        })
        .collect();
    let mut unchanged = 0;
    for get in gets {
        unchanged += usize::from(get.await.unwrap());
    }
    Pass { took: started.elapsed(), unchanged }
}

/// Starts a server without `robots.txt`; notes in `most` how many requests it had at once.
async fn serve(most: Arc<AtomicUsize>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let now = Arc::new(AtomicUsize::new(0));
    let router = Router::new().fallback(move |request: Asked| {
        let (now, most) = (now.clone(), most.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let response = answer(&request);
            now.fetch_sub(1, Ordering::SeqCst);
            response
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn answer(request: &Asked) -> Response {
    if request.uri().path() == "/robots.txt" {
        return StatusCode::NOT_FOUND.into_response();
    }
    let known = request.headers().get(header::IF_NONE_MATCH).is_some_and(|value| value == ETAG);
    if known { StatusCode::NOT_MODIFIED.into_response() } else { ([(header::ETAG, ETAG)], "a page".repeat(2_000)).into_response() }
}
