//! Tests of polite fetching: over real sockets of this machine, with servers that the tests control.

mod bodies;
mod chosen;
mod guard;
mod lines;
mod redirects;
mod robots;

use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::domain::clock::{Instant, ManualClock};

/// A request as a server saw it.
#[derive(Debug, Clone)]
struct Hit {
    path: String,
    headers: HeaderMap,
}

impl Hit {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A server on a port of its own. It ends with the test's runtime.
struct Site {
    url: String,
    hits: Arc<Mutex<Vec<Hit>>>,
}

impl Site {
    async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(Hit) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        Self::on(std::net::Ipv4Addr::LOCALHOST.into(), answer).await
    }

    async fn on<F, R>(address: std::net::IpAddr, answer: F) -> Self
    where
        F: Fn(Hit) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hits: Arc<Mutex<Vec<Hit>>> = Arc::default();
        let seen = hits.clone();
        let router = Router::new().fallback(move |request: axum::extract::Request| {
            let hit = Hit { path: request.uri().path().to_owned(), headers: request.headers().clone() };
            seen.lock().unwrap().push(hit.clone());
            answer(hit)
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, hits }
    }

    /// A server that answers from a plain function.
    async fn plain(answer: impl Fn(&Hit) -> Response + Clone + Send + Sync + 'static) -> Self {
        Self::start(move |hit| std::future::ready(answer(&hit))).await
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn hits(&self) -> Vec<Hit> {
        self.hits.lock().unwrap().clone()
    }

    fn paths(&self) -> Vec<String> {
        self.hits().into_iter().map(|hit| hit.path).collect()
    }
}

/// A server that writes exactly these bytes to each connection, then closes it.
async fn raw(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4_096];
            let _ = stream.read(&mut head).await;
            stream.write_all(bytes).await.unwrap();
        }
    });
    url
}

fn reply(code: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(code);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

fn fetcher(options: Options) -> Fetcher {
    Fetcher::through(Some("off".into()), options, Arc::new(ManualClock::starting_at(NOON)))
}

/// 1994-11-06T08:49:37Z, the example date of RFC 9110.
const NOON: Instant = Instant::from_millis(784_111_777_000);

/// A request that leaves `robots.txt` alone, for tests of other things.
fn page(url: impl Into<String>) -> Request {
    Request { honour_robots: false, ..Request::new(url) }
}

#[tokio::test]
async fn an_unchanged_page_is_told_by_its_validators() {
    let site = Site::plain(|hit| match hit.header("if-none-match") {
        Some("\"v1\"") => reply(304, &[], ""),
        _ => reply(200, &[("etag", "\"v1\""), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"), ("content-type", "text/plain")], "one"),
    })
    .await;
    let fetcher = fetcher(Options::default());
    let first = fetcher.get(page(site.at("/a"))).await.unwrap();
    assert_eq!((first.status, first.not_modified, &first.body[..]), (200, false, &b"one"[..]));
    assert_eq!(first.content_type.as_deref(), Some("text/plain"));

    let second = fetcher.get(Request { validators: first.validators.clone(), ..page(site.at("/a")) }).await.unwrap();
    assert_eq!((second.status, second.not_modified, second.body.len()), (304, true, 0));
    assert_eq!(second.validators, first.validators, "a 304 without validators keeps the known ones");
    let asked = &site.hits()[1];
    assert_eq!(asked.header("if-none-match"), Some("\"v1\""));
    assert_eq!(asked.header("if-modified-since"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
}

#[tokio::test]
async fn not_modified_without_having_asked_is_an_error() {
    let site = Site::plain(|_| reply(304, &[], "")).await;
    let error = fetcher(Options::default()).get(page(site.at("/"))).await.unwrap_err();
    assert!(matches!(error, Error::Status { code: 304, .. }), "{error}");
}

#[tokio::test]
async fn we_say_who_we_are_and_what_we_want() {
    let site = Site::plain(|_| reply(200, &[], "ok")).await;
    let fetcher = fetcher(Options::default());
    fetcher.get(page(site.at("/"))).await.unwrap();
    fetcher.get(Request { accept: Accept::Json, ..page(site.at("/")) }).await.unwrap();
    let hits = site.hits();
    assert!(hits[0].header("user-agent").unwrap().starts_with(concat!("wakeful/", env!("CARGO_PKG_VERSION"))));
    assert!(hits[0].header("accept").unwrap().starts_with("text/html,"));
    assert!(hits[1].header("accept").unwrap().starts_with("application/json,"));
    for encoding in ["gzip", "br", "deflate"] {
        assert!(hits[0].header("accept-encoding").unwrap().contains(encoding), "{encoding}");
    }
    assert!(hits[0].header("cookie").is_none() && hits[0].header("referer").is_none());
}

#[tokio::test]
async fn a_failed_answer_names_its_status_and_what_to_do() {
    let site = Site::plain(|hit| reply(hit.path[1..].parse().unwrap(), &[], "no")).await;
    let fetcher = fetcher(Options::default());
    for (code, transient) in [(206, false), (301, false), (401, false), (404, false), (410, false), (429, true), (500, true), (503, true)] {
        let error = fetcher.get(page(site.at(&format!("/{code}")))).await.unwrap_err();
        assert_eq!(error, Error::Status { url: site.at(&format!("/{code}")), code, retry_at: None });
        assert_eq!(error.is_transient(), transient, "{error}");
    }
    let error = fetcher.get(page(site.at("/404?key=secret"))).await.unwrap_err();
    assert_eq!(error.to_string(), format!("`{}/404?…` answers 404: there is no such page; check the address", site.url));
}

#[tokio::test]
async fn nobody_listening_is_told_from_a_name_without_address() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let fetcher = fetcher(Options::default());
    let error = fetcher.get(page(format!("http://{closed}/"))).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { cause: Cause::Connect, .. }), "{error:?}");
    assert!(error.is_transient());
    assert!(error.to_string().contains("check the port and whether the server runs"), "{error}");

    // A label over 63 bytes cannot be asked for, so no name server is.
    let error = fetcher.get(page(format!("http://{}.invalid/", "a".repeat(70)))).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { cause: Cause::Dns, .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_without_tls_is_no_https() {
    let site = Site::plain(|_| reply(200, &[], "ok")).await;
    let url = site.at("/").replace("http://", "https://");
    let error = fetcher(Options::default()).get(page(url)).await.unwrap_err();
    // A machine without root certificates cannot even begin.
    assert!(matches!(error, Error::Unreachable { cause: Cause::Tls | Cause::Setup, .. }), "{error:?}");
}

#[tokio::test]
async fn a_stranger_that_speaks_no_http_is_told_as_such() {
    let url = raw(b"220 mail.example.com ESMTP\r\n").await;
    let error = fetcher(Options::default()).get(page(url)).await.unwrap_err();
    assert!(matches!(error, Error::Garbled { .. }), "{error:?}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn bad_addresses_are_refused_in_words() {
    let fetcher = fetcher(Options::default());
    for (url, expected) in [
        ("example.com/news", "`example.com/news` is no address to fetch: write it with `https://` in front"),
        ("ftp://example.com/", "only `http` and `https`"),
        ("file:///etc/passwd", "only `http` and `https`"),
        ("http://", "empty host"),
        ("https://user:hunter2@example.com/?k=hunter2", "`https://example.com/?…` is no address to fetch: it holds a user name"),
        ("https://user:hunter2@exa mple.com/", "invalid"),
        ("", "write it with `https://` in front"),
    ] {
        let error = fetcher.get(page(url)).await.unwrap_err();
        assert!(matches!(error, Error::BadUrl { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let long = format!("https://example.com/{}", "a".repeat(9_000));
    let text = fetcher.get(page(long)).await.unwrap_err().to_string();
    assert!(text.contains("too long") && text.len() < 500, "{text}");
}

#[tokio::test]
async fn no_answer_ends_after_the_limit_and_frees_the_host() {
    let reached = Arc::new(tokio::sync::Notify::new());
    let told = reached.clone();
    let site = Site::start(move |hit| {
        let told = told.clone();
        async move {
            if hit.path == "/slow" {
                told.notify_one();
                std::future::pending::<()>().await;
            }
            reply(200, &[], "ok")
        }
    })
    .await;
    let fetcher = fetcher(Options::default());
    let slow = tokio::spawn({
        let (fetcher, request) = (fetcher.clone(), page(site.at("/slow")));
        async move { fetcher.get(request).await }
    });
    reached.notified().await;
    tokio::time::pause();
    let error = slow.await.unwrap().unwrap_err();
    tokio::time::resume();
    assert_eq!(error, Error::TimedOut { url: site.at("/slow"), limit: Duration::from_secs(30), during: Stage::Answer });
    assert!(error.is_transient());
    fetcher.get(page(site.at("/fast"))).await.unwrap();
}

#[test]
fn options_name_what_is_wrong_with_them() {
    assert_eq!(Options::default().problem(), None);
    assert_eq!(
        Options { timeout_seconds: 0, ..Options::default() }.problem().unwrap(),
        "`timeout_seconds` is 0, and must lie between 1 and 3600"
    );
    assert!(Options { redirects_max: 51, ..Options::default() }.problem().unwrap().starts_with("`redirects_max` is 51"));
    assert!(Options { user_agent: Some("a\nb".into()), ..Options::default() }.problem().is_some());
    let error = toml::from_str::<Options>("host_gap = 3").unwrap_err();
    assert!(error.to_string().contains("unknown field `host_gap`"), "{error}");
    assert_eq!(toml::from_str::<Options>("host_gap_ms = 250").unwrap().host_gap_ms, 250);
}
