//! Pages out of the cache: a real server on this machine, the clock by hand.

use std::net::Ipv4Addr;
use std::sync::Mutex;

use axum::response::Response;
use http::HeaderMap;
use tokio::net::TcpListener;

use super::*;
use crate::domain::clock::{Instant, ManualClock};
use crate::net::fetch::Options;

/// 1994-11-06T08:49:37Z, the example date of RFC 9110.
const NOON: Instant = Instant::from_millis(784_111_777_000);

/// A site that answers as it is told, and remembers the headers of what it was asked.
struct Site {
    url: String,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
    /// Headers and body of the next answers; with the page's tag in `if-none-match` it says 304.
    answer: Arc<Mutex<(Vec<(String, String)>, String)>>,
}

impl Site {
    async fn start(headers: &[(&str, &str)], body: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/page", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
        let answer = Arc::new(Mutex::new((owned(headers), body.to_owned())));
        let (seen, told) = (asked.clone(), answer.clone());
        let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
            seen.lock().unwrap().push(request.headers().clone());
            let (headers, body) = told.lock().unwrap().clone();
            let tag = headers.iter().find(|(name, _)| name == "etag").map(|(_, value)| value.clone());
            let same = tag.is_some() && request.headers().get("if-none-match").map(|value| value.to_str().unwrap().to_owned()) == tag;
            let mut response = Response::builder().status(if same { 304 } else { 200 });
            for (name, value) in headers {
                response = response.header(name, value);
            }
            std::future::ready(response.body(axum::body::Body::from(if same { String::new() } else { body })).unwrap())
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, answer }
    }

    fn now_answers(&self, headers: &[(&str, &str)], body: &str) {
        *self.answer.lock().unwrap() = (owned(headers), body.to_owned());
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

struct World {
    clock: ManualClock,
    cache: Cache,
    /// What tasks fetch with.
    open: Fetcher,
    /// What tools fetch with, where private hosts are allowed: all of a test is on this machine.
    pages: Pages,
}

fn world() -> World {
    let clock = ManualClock::starting_at(NOON);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let cache = Cache::in_memory(shared.clone());
    let open = Fetcher::through(Some("off".to_owned()), Options::default(), shared.clone());
    let pages = Pages::new(&open.for_chosen(true, &[]), cache.clone(), shared.clone());
    let open = crate::web::keeping(open, &cache, &shared);
    World { clock, cache, open, pages }
}

fn request(url: &str) -> Request {
    Request { honour_robots: false, ..Request::new(url) }
}

impl World {
    async fn get(&self, url: &str) -> (String, Source) {
        let page = self.pages.get(request(url)).await.unwrap();
        (String::from_utf8(page.fetched.body.to_vec()).unwrap(), page.source)
    }
}

#[tokio::test]
async fn a_page_is_fetched_once_while_its_server_says_that_it_is_good() {
    let world = world();
    let site = Site::start(&[("cache-control", "max-age=600")], "first").await;
    assert_eq!(world.get(&site.url).await, ("first".to_owned(), Source::Network));
    site.now_answers(&[], "second");
    world.clock.advance(Duration::from_secs(599));
    assert_eq!(world.get(&site.url).await, ("first".to_owned(), Source::Cache(Duration::from_secs(599))));
    assert_eq!(site.count(), 1, "nobody was asked");
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(world.get(&site.url).await, ("second".to_owned(), Source::Network));
}

#[tokio::test]
async fn what_may_not_be_kept_is_fetched_each_time() {
    let world = world();
    for headers in [
        &[("cache-control", "no-store")][..],
        &[("cache-control", "no-store, max-age=600")],
        &[("cache-control", "private, max-age=600")],
        &[("cache-control", "max-age=600"), ("vary", "*")],
        &[("cache-control", "no-cache")],
        &[("pragma", "no-cache")],
        &[("expires", "0")],
        &[("cache-control", "max-age=600"), ("set-cookie", "a=1")],
        &[("cache-control", "max-age=10"), ("age", "10")],
    ] {
        let site = Site::start(headers, "page").await;
        for _ in 0..2 {
            assert_eq!(world.get(&site.url).await.1, Source::Network, "{headers:?}");
        }
        assert_eq!(site.count(), 2, "{headers:?}");
    }
}

#[tokio::test]
async fn a_page_whose_server_says_nothing_is_kept_for_a_minute() {
    let world = world();
    let site = Site::start(&[], "page").await;
    world.get(&site.url).await;
    world.clock.advance(Duration::from_secs(59));
    assert!(matches!(world.get(&site.url).await.1, Source::Cache(_)));
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(world.get(&site.url).await.1, Source::Network);
    assert_eq!(site.count(), 2);
}

#[tokio::test]
async fn what_varies_by_what_all_of_us_send_alike_is_kept() {
    let world = world();
    let site = Site::start(&[("cache-control", "max-age=600"), ("vary", "Accept-Encoding, User-Agent, Cookie")], "page").await;
    world.get(&site.url).await;
    assert!(matches!(world.get(&site.url).await.1, Source::Cache(_)));
    let feed = Request { accept: crate::net::fetch::Accept::Feed, ..request(&site.url) };
    assert_eq!(world.pages.get(feed).await.unwrap().source, Source::Network, "another kind of answer is another page");
}

#[tokio::test]
async fn an_unchanged_page_costs_a_304_and_is_good_again() {
    let world = world();
    let site = Site::start(&[("etag", "\"v1\""), ("cache-control", "max-age=60")], "first").await;
    world.get(&site.url).await;
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(world.get(&site.url).await, ("first".to_owned(), Source::Confirmed));
    let asked = site.asked.lock().unwrap()[1].get("if-none-match").cloned().unwrap();
    assert_eq!(asked, "\"v1\"");
    assert!(matches!(world.get(&site.url).await.1, Source::Cache(_)), "the 304 made it good for another minute");
    world.clock.advance(Duration::from_secs(61));
    site.now_answers(&[("etag", "\"v2\"")], "second");
    assert_eq!(world.get(&site.url).await, ("second".to_owned(), Source::Network));
    assert_eq!(site.count(), 3);
}

#[tokio::test]
async fn a_stale_page_is_served_while_it_is_fetched_anew() {
    let world = world();
    let site = Site::start(&[("cache-control", "max-age=60, stale-while-revalidate=600")], "first").await;
    world.get(&site.url).await;
    world.clock.advance(Duration::from_secs(100));
    site.now_answers(&[("cache-control", "max-age=60")], "second");
    assert_eq!(world.get(&site.url).await, ("first".to_owned(), Source::Cache(Duration::from_secs(100))));
    // The refresh goes on by itself: what is asked next joins it or finds its result.
    for _ in 0..1_000 {
        if site.count() == 2 {
            break;
        }
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let again = world.pages.get(Request { fresh: false, ..request(&site.url) }).await.unwrap();
    assert!(matches!(String::from_utf8_lossy(&again.fetched.body).as_ref(), "first" | "second"));
    assert_eq!(site.count(), 2, "one refresh");
}

#[tokio::test]
async fn a_clock_that_was_set_back_serves_nothing() {
    let world = world();
    let site = Site::start(&[("cache-control", "max-age=600")], "page").await;
    world.get(&site.url).await;
    world.clock.set(Instant::from_millis(NOON.as_millis() - 60_000));
    assert_eq!(world.get(&site.url).await.1, Source::Network);
}

#[tokio::test]
async fn what_a_task_fetched_is_there_for_the_tools() {
    let world = world();
    let site = Site::start(&[("cache-control", "max-age=600")], "page").await;
    world.open.get(request(&site.url)).await.unwrap();
    assert!(matches!(world.get(&site.url).await.1, Source::Cache(_)));
    assert_eq!(site.count(), 1);
}

#[tokio::test]
async fn a_private_page_of_a_task_is_not_there_for_a_tool_that_may_not_go_there() {
    let world = world();
    let site = Site::start(&[("cache-control", "max-age=600")], "secret").await;
    world.open.get(request(&site.url)).await.unwrap();
    world.get(&site.url).await;
    let strict = Pages::new(&world.open.for_chosen(false, &[]), world.cache.clone(), Arc::new(world.clock.clone()));
    let error = strict.get(request(&site.url)).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    // Not even where the name passes and only the address would tell.
    let url = Fetcher::canonical(&site.url).unwrap();
    assert!(strict.shelf.find(&url, &request(&site.url)).await.is_none());
    assert_eq!(site.count(), 1);
}

#[tokio::test]
async fn damaged_entries_are_passed_over() {
    let world = world();
    let site = Site::start(&[("cache-control", "max-age=600")], "page").await;
    let url = Fetcher::canonical(&site.url).unwrap();
    let key = key(Space::Private, &url, &request(&site.url));
    for bytes in [&b""[..], b"{", b"{}\nbody", b"no json\nbody", b"\n"] {
        world.cache.put(Kind::Page, &key, bytes::Bytes::from_static(bytes), None).await;
        assert_eq!(world.get(&site.url).await.1, Source::Network, "{bytes:?}");
        world.cache.remove(Kind::Page, &key).await;
    }
}

#[test]
fn a_page_survives_being_packed() {
    let mut headers = HeaderMap::new();
    headers.insert("etag", "\"x\"".parse().unwrap());
    let fetched = Fetched {
        url: "https://a.example/b".to_owned(),
        status: 200,
        content_type: Some("text/html; charset=gbk".to_owned()),
        validators: Validators { etag: Some("\"x\"".to_owned()), last_modified: None },
        body: bytes::Bytes::from_static(b"\xc4\xe3\n\x00\xff"),
        redirects: vec!["https://a.example/".to_owned()],
        head: crate::net::fetch::Head { status: 200, headers },
        passed: vec![crate::net::fetch::Head { status: 301, headers: HeaderMap::new() }],
        public: true,
        ..Fetched::default()
    };
    let kept = Kept::of(&fetched, NOON);
    let back = Kept::unpack(&kept.pack()).unwrap();
    assert_eq!(back, kept);
    assert_eq!(back.into_fetched(), fetched);
}
