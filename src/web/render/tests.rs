//! Rendering: with the Chromium of this machine (`.ci/setup` installs one), and with a DevTools peer that misbehaves.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::net::guard::Guard;

const LIMITS: cdp::Limits =
    cdp::Limits { quiet: Duration::from_millis(200), load: Duration::from_secs(20), answer: Duration::from_secs(20), chars_max: 100_000 };

fn browser() -> PathBuf {
    find().unwrap_or_else(|| panic!("no Chromium on this machine: `.ci/setup` installs one"))
}

/// A site on this machine; answers by path.
async fn site(pages: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(move |uri: axum::http::Uri| async move {
        let body = pages.iter().find(|(path, _)| *path == uri.path()).map_or("", |(_, body)| *body);
        ([("content-type", "text/html")], body)
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn fetched(url: &str) -> Fetched {
    Fetched { url: url.to_owned(), status: 200, ..Fetched::default() }
}

/// Reads `url` with a real browser that may reach what `guard` lets it; where its profile was.
async fn rendered(url: &str, guard: Guard) -> (Result<String, Error>, PathBuf) {
    let way = gate::Way::open(None, guard).await.unwrap();
    let mut process = process::Browser::start(&browser(), way.proxy_server()).unwrap();
    let profile = process.profile_path();
    let address = process.address().await.unwrap();
    assert!(profile.exists());
    let page = cdp::read(&address, url, &way, LIMITS).await;
    process.end().await;
    (page, profile)
}

/// Whether any process of this machine still names `folder`.
fn is_used(folder: &std::path::Path) -> bool {
    let name = folder.display().to_string();
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok()).any(|line| String::from_utf8_lossy(&line).contains(&name))
}

#[tokio::test]
async fn a_page_is_read_as_its_scripts_leave_it_and_nothing_is_left_behind() {
    let url = site(&[
        ("/", "<p id=a>loading</p><script>fetch('/part').then(r => r.text()).then(t => { a.textContent = t })</script>"),
        ("/part", "from a script"),
    ])
    .await;
    let (page, profile) = rendered(&url, Guard::new(true, false, None)).await;
    let page = page.unwrap();
    assert!(page.contains(r#"<p id="a">from a script</p>"#), "{page}");
    assert!(!profile.exists(), "its profile is gone");
    assert!(!is_used(&profile), "and so is all that it started");
}

#[tokio::test]
async fn what_a_page_loads_passes_the_guard() {
    let url = site(&[
        (
            "/",
            "<p id=a>?</p><script>fetch('http://127.0.0.1:1/').then(() => {}, () => { a.textContent = 'refused' }); \
             new WebSocket('ws://169.254.169.254/')</script>",
        ),
        ("/away", "<script>location = 'http://169.254.169.254/latest/'</script>"),
    ])
    .await;
    let public = url.replace("127.0.0.1", "localhost");
    // The site itself stands in for a public host.
    let guard = Guard::new(true, false, None).with_public(IpAddr::V4(Ipv4Addr::LOCALHOST)).outside();
    let (page, _) = rendered(&format!("{public}/"), guard.clone()).await;
    assert!(page.unwrap().contains("refused"));
    let (page, _) = rendered(&format!("{public}/away"), guard.clone()).await;
    assert!(matches!(&page, Err(Error::Refused(why)) if why.contains("metadata") || why.contains("link-local")), "{page:?}");
    let (page, _) = rendered("http://169.254.169.254/", guard).await;
    assert!(matches!(&page, Err(Error::Refused(_))), "{page:?}");
}

#[tokio::test]
async fn a_page_that_a_model_chose_loads_nothing_from_this_network() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = trap.local_addr().unwrap().port();
    let caught = std::sync::Arc::new(AtomicUsize::new(0));
    let count = caught.clone();
    tokio::spawn(async move {
        while trap.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let names = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "private.test", "a.internal"];
    let tries: String = names.iter().map(|name| format!("fetch('http://{name}:{port}/').catch(() => {{}});")).collect();
    let page = format!(
        "<p id=a>?</p><iframe src='http://127.0.0.1:{port}/frame'></iframe><img src='http://localhost:{port}/i.png'>\
         <script>{tries} try {{ new WebSocket('ws://127.0.0.1:{port}/') }} catch (e) {{}} a.textContent = 'tried'</script>"
    );
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(move || std::future::ready(([("content-type", "text/html")], page.clone())));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    // The site's own address stands in for a public one; all other names are of this machine.
    let public = address.ip();
    let lookup = move |name: &str| vec![if name == "site.test" { public } else { IpAddr::V4(Ipv4Addr::LOCALHOST) }];
    let names = crate::net::guard::Names(std::sync::Arc::new(lookup));
    let guard = Guard::new(true, false, None).with_public(public).with_names(names).chosen(false, &[]);
    let (page, _) = rendered(&format!("http://site.test:{}/", address.port()), guard.clone()).await;
    assert!(page.as_ref().is_ok_and(|page| page.contains("tried")), "{page:?}");
    let (page, _) = rendered(&format!("http://localhost:{port}/"), guard).await;
    assert!(matches!(&page, Err(Error::Refused(_))), "{page:?}");
    assert_eq!(caught.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_page_that_is_too_large_stays_in_the_browser() {
    let url = site(&[("/", "<p id=a></p><script>a.textContent = 'x'.repeat(200000)</script>")]).await;
    let (page, profile) = rendered(&url, Guard::new(true, false, None)).await;
    assert!(matches!(page, Err(Error::TooLarge(length, 100_000)) if length > 200_000), "{page:?}");
    assert!(!profile.exists());
}

#[tokio::test]
async fn a_fetched_page_is_rendered_as_a_whole() {
    let url = site(&[("/", "<script>document.write('<h1>made here</h1>')</script>")]).await;
    let clock = std::sync::Arc::new(crate::domain::clock::SystemClock);
    let fetcher = Fetcher::through(Some("off".to_owned()), crate::net::fetch::Options::default(), clock);
    let page = render(&fetcher, &fetched(&url)).await.unwrap();
    assert!(String::from_utf8_lossy(&page.body).contains("<h1>made here</h1>"));
    assert_eq!(page.content_type.as_deref(), Some("text/html; charset=utf-8"));
}

/// A DevTools peer that answers each call as `answer` says; with nothing it hangs up.
async fn peer(answer: fn(&Value) -> Option<Value>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/devtools/browser/x", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(Message::Text(text))) = socket.next().await {
            let call: Value = serde_json::from_str(text.as_str()).unwrap();
            match answer(&call) {
                Some(Value::Null) => {}
                Some(result) => {
                    let reply = json!({"id": call["id"], "result": result}).to_string();
                    socket.send(Message::text(reply)).await.unwrap();
                    if call["method"] == "Page.navigate" {
                        socket.send(Message::text(json!({"method": "Page.loadEventFired", "params": {}}).to_string())).await.unwrap();
                    }
                }
                None => break,
            }
        }
    });
    address
}

async fn read(address: &str, limits: cdp::Limits) -> Result<String, Error> {
    let way = gate::Way::open(None, Guard::new(true, false, None)).await.unwrap();
    cdp::read(address, "http://127.0.0.1:1/", &way, limits).await
}

#[tokio::test]
async fn a_browser_that_misbehaves_is_a_fault_in_good_time() {
    let soon =
        cdp::Limits { quiet: Duration::from_millis(10), load: Duration::from_millis(200), answer: Duration::from_millis(200), ..LIMITS };
    let hangs = read(&peer(|_| Some(Value::Null)).await, soon).await;
    assert!(matches!(&hangs, Err(Error::Broken(why)) if why.contains("no answer while Browser.setDownloadBehavior")), "{hangs:?}");
    let closes = read(&peer(|_| None).await, LIMITS).await;
    assert!(matches!(&closes, Err(Error::Broken(_))), "{closes:?}");
    let dies = read(&peer(|call| (call["method"] != "Page.navigate").then(|| json!({}))).await, LIMITS).await;
    assert!(matches!(&dies, Err(Error::Broken(_))), "{dies:?}");
    let fails = read(&peer(|_| Some(json!({"errorText": "net::ERR_CONNECTION_REFUSED"}))).await, LIMITS).await;
    assert!(matches!(&fails, Err(Error::Said(why)) if why.contains("ERR_CONNECTION_REFUSED")), "{fails:?}");
    let huge = |call: &Value| match call["method"].as_str() {
        Some("Runtime.evaluate") => Some(json!({"result": {"value": "x".repeat(500_000)}})),
        _ => Some(json!({})),
    };
    let huge = read(&peer(huge).await, LIMITS).await;
    assert!(matches!(huge, Err(Error::TooLarge(500_000, 100_000))), "{huge:?}");
    let nobody = read("ws://127.0.0.1:1/", LIMITS).await;
    assert!(matches!(nobody, Err(Error::Broken(_))), "{nobody:?}");
}
