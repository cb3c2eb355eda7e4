//! `robots.txt`: obeyed, remembered, and what its absence means.

use std::sync::atomic::{AtomicU16, Ordering};

use super::*;

const HOUR: Duration = Duration::from_hours(1);

/// A site with this file, and a page at every other path.
async fn site(file: &'static str) -> Site {
    Site::plain(move |hit| if hit.path == "/robots.txt" { reply(200, &[], file) } else { reply(200, &[], "page") }).await
}

fn with_clock() -> (Fetcher, ManualClock) {
    let clock = ManualClock::starting_at(NOON);
    (Fetcher::through(Some("off".into()), Options::default(), Arc::new(clock.clone())), clock)
}

/// A site whose file answers with a status that the test sets; 0 gives a file that forbids `/private`.
async fn moody() -> (Site, Arc<AtomicU16>) {
    let code = Arc::new(AtomicU16::new(0));
    let told = code.clone();
    let site = Site::plain(move |hit| match (hit.path.as_str(), told.load(Ordering::SeqCst)) {
        ("/robots.txt", 0) => reply(200, &[], "User-agent: *\nDisallow: /private"),
        ("/robots.txt", code) => reply(code, &[], ""),
        _ => reply(200, &[], "page"),
    })
    .await;
    (site, code)
}

#[tokio::test]
async fn what_robots_txt_forbids_is_not_asked_for() {
    let site =
        site("User-agent: other\nDisallow: /\n\nUser-agent: Wakeful\nDisallow: /private\nAllow: /private/open\nDisallow: /*.zip$").await;
    let fetcher = fetcher(Options::default());
    for allowed in ["/", "/news?page=2", "/private/open/1", "/a.zip.html"] {
        fetcher.get(Request::new(site.at(allowed))).await.unwrap();
    }
    for forbidden in ["/private", "/private/x?y=1", "/a/b.zip"] {
        let error = fetcher.get(Request::new(site.at(forbidden))).await.unwrap_err();
        assert!(matches!(&error, Error::Robots { host, .. } if *host == site.url), "{error:?}");
        assert!(!error.is_transient());
    }
    assert_eq!(site.paths(), ["/robots.txt", "/", "/news", "/private/open/1", "/a.zip.html"]);
}

#[tokio::test]
async fn who_does_not_honour_it_does_not_read_it() {
    let site = site("User-agent: *\nDisallow: /").await;
    fetcher(Options::default()).get(page(site.at("/"))).await.unwrap();
    assert_eq!(site.paths(), ["/"]);
}

#[tokio::test]
async fn it_is_read_once_a_day() {
    let site = site("User-agent: *\nDisallow:").await;
    let (fetcher, clock) = with_clock();
    fetcher.get(Request::new(site.at("/a"))).await.unwrap();
    clock.advance(23 * HOUR);
    fetcher.get(Request::new(site.at("/b"))).await.unwrap();
    clock.advance(HOUR);
    fetcher.get(Request::new(site.at("/c"))).await.unwrap();
    assert_eq!(site.paths(), ["/robots.txt", "/a", "/b", "/robots.txt", "/c"]);
}

#[tokio::test]
async fn many_at_once_read_it_once() {
    let site = site("User-agent: *\nDisallow: /no").await;
    let fetcher = fetcher(Options::default());
    let gets = (0..10).map(|n| fetcher.get(Request::new(site.at(&format!("/{n}")))));
    for outcome in futures::future::join_all(gets).await {
        outcome.unwrap();
    }
    assert_eq!(site.paths().iter().filter(|path| *path == "/robots.txt").count(), 1);
}

#[tokio::test]
async fn a_missing_file_allows_everything() {
    for code in [400, 401, 403, 404, 410] {
        let (site, answers) = moody().await;
        answers.store(code, Ordering::SeqCst);
        let fetcher = fetcher(Options::default());
        fetcher.get(Request::new(site.at("/private"))).await.unwrap();
        fetcher.get(Request::new(site.at("/private/2"))).await.unwrap();
        assert_eq!(site.paths(), ["/robots.txt", "/private", "/private/2"], "{code}");
    }
}

#[tokio::test]
async fn a_failing_server_counts_as_a_no_until_it_works() {
    let (site, code) = moody().await;
    let (fetcher, clock) = with_clock();
    code.store(503, Ordering::SeqCst);
    let error = fetcher.get(Request::new(site.at("/"))).await.unwrap_err();
    let retry_at = NOON.plus(Duration::from_mins(10));
    assert_eq!(error, Error::RobotsDown { host: site.url.clone(), code: 503, retry_at });
    assert_eq!((error.is_transient(), error.retry_at()), (true, Some(retry_at)));
    fetcher.get(Request::new(site.at("/"))).await.unwrap_err();
    assert_eq!(site.paths(), ["/robots.txt"], "it is not asked again at once");

    code.store(0, Ordering::SeqCst);
    clock.advance(Duration::from_mins(10));
    fetcher.get(Request::new(site.at("/"))).await.unwrap();
    fetcher.get(Request::new(site.at("/private"))).await.unwrap_err();
}

#[tokio::test]
async fn an_old_copy_is_used_while_the_server_fails_and_forgotten_after_thirty_days() {
    let (site, code) = moody().await;
    let (fetcher, clock) = with_clock();
    fetcher.get(Request::new(site.at("/"))).await.unwrap();
    code.store(500, Ordering::SeqCst);
    clock.advance(25 * HOUR);
    fetcher.get(Request::new(site.at("/"))).await.unwrap();
    let error = fetcher.get(Request::new(site.at("/private"))).await.unwrap_err();
    assert!(matches!(error, Error::Robots { .. }), "{error:?}");
    clock.advance(30 * 24 * HOUR);
    fetcher.get(Request::new(site.at("/private"))).await.unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_reached_allows_everything_for_now() {
    let reached = Arc::new(tokio::sync::Notify::new());
    let told = reached.clone();
    let site = Site::start(move |hit| {
        let told = told.clone();
        async move {
            if hit.path == "/robots.txt" {
                told.notify_one();
                std::future::pending::<()>().await;
            }
            reply(200, &[], "page")
        }
    })
    .await;
    let fetcher = fetcher(Options::default());
    let first = tokio::spawn({
        let (fetcher, request) = (fetcher.clone(), Request::new(site.at("/a")));
        async move { fetcher.get(request).await }
    });
    reached.notified().await;
    tokio::time::pause();
    // Time flies only until the file's limit has passed; the page itself needs time that stands.
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    assert_eq!(first.await.unwrap().unwrap().body, "page");
    fetcher.get(Request::new(site.at("/b"))).await.unwrap();
    assert_eq!(site.paths(), ["/robots.txt", "/a", "/b"]);
}

#[tokio::test]
async fn a_redirect_passes_the_target_host_s_file() {
    let target = site("User-agent: *\nDisallow: /").await;
    let location = target.at("/new");
    let old = Site::plain(move |hit| match hit.path.as_str() {
        "/robots.txt" => reply(404, &[], ""),
        _ => reply(302, &[("location", &location)], ""),
    })
    .await;
    let error = fetcher(Options::default()).get(Request::new(old.at("/old"))).await.unwrap_err();
    assert_eq!(error, Error::Robots { url: target.at("/new"), host: target.url.clone() });
    assert_eq!(target.paths(), ["/robots.txt"]);
}

#[tokio::test]
async fn the_beginning_of_a_huge_file_counts() {
    let site = Site::plain(|hit| match hit.path.as_str() {
        "/robots.txt" => {
            let mut file = "User-agent: *\nDisallow: /first\n".to_owned();
            file.push_str(&"# nothing to see\n".repeat(40_000));
            file.push_str("Disallow: /last\n");
            reply(200, &[], file)
        }
        _ => reply(200, &[], "page"),
    })
    .await;
    let fetcher = fetcher(Options { body_bytes_max: 10, ..Options::default() });
    fetcher.get(Request::new(site.at("/first"))).await.unwrap_err();
    fetcher.get(Request::new(site.at("/last"))).await.unwrap();
}
