//! One request a host, rest for those who ask for it, one fetch for all who want the same.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use tokio::sync::{Barrier, Notify};

use super::*;

/// A site that notes how many requests it ever had at once.
async fn counting() -> (Site, Arc<AtomicUsize>) {
    let most = Arc::new(AtomicUsize::new(0));
    let (now, noted) = (Arc::new(AtomicUsize::new(0)), most.clone());
    let site = Site::start(move |_| {
        let (now, noted) = (now.clone(), noted.clone());
        async move {
            noted.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            reply(200, &[], "page")
        }
    })
    .await;
    (site, most)
}

/// A site that tells when a request has come, and answers when it is let.
async fn gated() -> (Site, Arc<Notify>, Arc<Notify>) {
    let (came, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, let_go) = (came.clone(), gate.clone());
    let site = Site::start(move |_| {
        let (told, let_go) = (told.clone(), let_go.clone());
        async move {
            told.notify_one();
            let_go.notified().await;
            reply(200, &[], "page")
        }
    })
    .await;
    (site, came, gate)
}

async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_host_has_one_request_in_flight() {
    let (site, most) = counting().await;
    let fetcher = fetcher(Options::default());
    for outcome in join_all((0..20).map(|n| fetcher.get(page(site.at(&format!("/{n}")))))).await {
        outcome.unwrap();
    }
    assert_eq!(site.hits().len(), 20);
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn hosts_are_fetched_side_by_side() {
    // Each server answers only when all three have been asked.
    let barrier = Arc::new(Barrier::new(3));
    let mut sites = Vec::new();
    for _ in 0..3 {
        let barrier = barrier.clone();
        let answer = move |_| {
            let barrier = barrier.clone();
            async move {
                barrier.wait().await;
                reply(200, &[], "page")
            }
        };
        sites.push(Site::start(answer).await);
    }
    let fetcher = fetcher(Options::default());
    for outcome in join_all(sites.iter().map(|site| fetcher.get(page(site.at("/"))))).await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn all_requests_together_are_bounded() {
    let (first, came, gate) = gated().await;
    let second = Site::plain(|_| reply(200, &[], "page")).await;
    let fetcher = fetcher(Options { concurrency_max: 1, ..Options::default() });
    let holding = tokio::spawn({
        let (fetcher, request) = (fetcher.clone(), page(first.at("/")));
        async move { fetcher.get(request).await }
    });
    came.notified().await;
    let waiting = tokio::spawn({
        let (fetcher, request) = (fetcher.clone(), page(second.at("/")));
        async move { fetcher.get(request).await }
    });
    settle().await;
    assert_eq!(second.hits().len(), 0);
    gate.notify_one();
    holding.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_same_page_is_fetched_once_for_all_who_want_it() {
    let (site, came, gate) = gated().await;
    let fetcher = fetcher(Options::default());
    let spawn = |request: Request| {
        let fetcher = fetcher.clone();
        tokio::spawn(async move { fetcher.get(request).await.unwrap() })
    };
    let waiting: Vec<_> = (0..10).map(|_| spawn(page(site.at("/a#part")))).collect();
    came.notified().await;
    settle().await;
    gate.notify_one();
    let pages = join_all(waiting).await.into_iter().map(Result::unwrap).collect::<Vec<_>>();
    assert!(pages.iter().all(|page| Arc::ptr_eq(page, &pages[0])));
    assert_eq!(site.hits().len(), 1);

    gate.notify_one();
    spawn(page(site.at("/a"))).await.unwrap();
    assert_eq!(site.hits().len(), 2, "nothing is remembered");
}

#[tokio::test]
async fn other_validators_and_confirming_fetches_are_not_shared() {
    let (site, _) = counting().await;
    let fetcher = fetcher(Options::default());
    let validators = Validators { etag: Some("\"x\"".into()), last_modified: None };
    let requests = [
        page(site.at("/")),
        Request { validators, ..page(site.at("/")) },
        Request { accept: Accept::Json, ..page(site.at("/")) },
        Request { fresh: true, ..page(site.at("/")) },
        Request { fresh: true, ..page(site.at("/")) },
    ];
    for outcome in join_all(requests.map(|request| fetcher.get(request))).await {
        outcome.unwrap();
    }
    assert_eq!(site.hits().len(), 5);
}

#[tokio::test]
async fn dropping_a_fetch_frees_its_host() {
    let (site, came, gate) = gated().await;
    let fetcher = fetcher(Options::default());
    let spawn = |request: Request| {
        let fetcher = fetcher.clone();
        tokio::spawn(async move { fetcher.get(request).await })
    };
    let asking = spawn(page(site.at("/asking")));
    came.notified().await;
    let in_line = spawn(page(site.at("/in-line")));
    settle().await;
    in_line.abort();
    asking.abort();
    assert!(in_line.await.unwrap_err().is_cancelled() && asking.await.unwrap_err().is_cancelled());
    gate.notify_one();
    let third = spawn(page(site.at("/third")));
    came.notified().await;
    gate.notify_one();
    assert_eq!(third.await.unwrap().unwrap().body, "page");
    assert!(!site.paths().contains(&"/in-line".to_owned()));
}

#[tokio::test]
async fn one_of_two_who_share_a_fetch_may_leave() {
    let (site, came, gate) = gated().await;
    let fetcher = fetcher(Options::default());
    let spawn = || {
        let (fetcher, request) = (fetcher.clone(), page(site.at("/")));
        tokio::spawn(async move { fetcher.get(request).await })
    };
    let (first, second) = (spawn(), spawn());
    came.notified().await;
    settle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.notify_one();
    assert_eq!(second.await.unwrap().unwrap().body, "page");
    assert_eq!(site.hits().len(), 1);
}

#[tokio::test]
async fn too_long_a_line_is_an_error() {
    let (site, came, gate) = gated().await;
    let fetcher = fetcher(Options { host_queue_max: 1, ..Options::default() });
    let spawn = |path: &str| {
        let (fetcher, request) = (fetcher.clone(), page(site.at(path)));
        tokio::spawn(async move { fetcher.get(request).await })
    };
    let first = spawn("/1");
    came.notified().await;
    let second = spawn("/2");
    settle().await;
    let error = spawn("/3").await.unwrap().unwrap_err();
    assert_eq!(error, Error::Busy { host: site.url.clone(), waiting: 1 });
    gate.notify_one();
    first.await.unwrap().unwrap();
    gate.notify_one();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_host_that_asks_for_rest_gets_it() {
    for (code, asked, rest) in [
        (429, "120", Duration::from_mins(2)),
        (503, "Sun, 06 Nov 1994 08:59:37 GMT", Duration::from_mins(10)),
        (503, "31536000", Duration::from_hours(24)),
    ] {
        let site = Site::plain(move |hit| match hit.path.as_str() {
            "/busy" => reply(code, &[("retry-after", asked)], ""),
            _ => reply(200, &[], "page"),
        })
        .await;
        let other = Site::plain(|_| reply(200, &[], "page")).await;
        let clock = ManualClock::starting_at(NOON);
        let fetcher = Fetcher::through(Some("off".into()), Options::default(), Arc::new(clock.clone()));
        let until = NOON.plus(rest);
        let error = fetcher.get(page(site.at("/busy"))).await.unwrap_err();
        assert_eq!(error, Error::Status { url: site.at("/busy"), code, retry_at: Some(until) });
        let error = fetcher.get(page(site.at("/other"))).await.unwrap_err();
        assert_eq!(error, Error::Resting { host: site.url.clone(), until });
        assert_eq!((error.is_transient(), error.retry_at()), (true, Some(until)));
        assert_eq!(site.hits().len(), 1);
        fetcher.get(page(other.at("/"))).await.unwrap();
        clock.advance(rest);
        fetcher.get(page(site.at("/other"))).await.unwrap();
    }
}

#[tokio::test]
async fn who_stands_in_line_learns_of_the_rest_at_once() {
    let site = Site::start(|_| async {
        settle().await;
        reply(429, &[("retry-after", "60")], "")
    })
    .await;
    let fetcher = fetcher(Options::default());
    let outcomes = join_all((0..5).map(|n| fetcher.get(page(site.at(&format!("/{n}")))))).await;
    let resting = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::Resting { .. }))).count();
    assert_eq!((resting, site.hits().len()), (4, 1));
}

fn hosts(gap: Duration) -> (Hosts, ManualClock) {
    let clock = ManualClock::starting_at(NOON);
    (Hosts::new(Arc::new(clock.clone()), 64, gap, 10), clock)
}

#[tokio::test(start_paused = true)]
async fn a_short_rest_is_waited_out() {
    let (hosts, _clock) = hosts(Duration::ZERO);
    hosts.enter("a").await.unwrap().rest_until(NOON.plus(Duration::from_millis(4_999)));
    let started = tokio::time::Instant::now();
    hosts.enter("b").await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
    hosts.enter("a").await.unwrap();
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(4_999) && waited < Duration::from_millis(5_100), "{waited:?}");
    hosts.enter("a").await.unwrap().rest_until(NOON.plus(Duration::from_secs(5)));
    assert!(matches!(hosts.enter("a").await, Err(Error::Resting { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_does_not_make_a_rest_last_for_ever() {
    let (hosts, clock) = hosts(Duration::ZERO);
    hosts.enter("a").await.unwrap().rest_until(NOON.plus(Duration::from_mins(1)));
    clock.set(Instant::from_millis(0));
    hosts.enter("a").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_gap_lies_between_two_requests_to_one_host() {
    let (hosts, _clock) = hosts(Duration::from_millis(500));
    let started = tokio::time::Instant::now();
    for name in ["a", "b", "a"] {
        drop(hosts.enter(name).await.unwrap());
    }
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(500) && waited < Duration::from_millis(600), "{waited:?}");
}

#[tokio::test]
async fn who_only_stands_in_line_is_told_so() {
    let (site, came, gate) = gated().await;
    let fetcher = fetcher(Options::default());
    let spawn = |path: &str| {
        let line = Line::default();
        let (fetcher, request) = (fetcher.clone().telling(line.clone()), page(site.at(path)));
        (line, tokio::spawn(async move { fetcher.get(request).await }))
    };
    let (asking, first) = spawn("/1");
    came.notified().await;
    let (standing, second) = spawn("/2");
    let (shared, third) = spawn("/2");
    settle().await;
    assert_eq!([&asking, &standing, &shared].map(Line::is_waiting), [false, true, true]);
    gate.notify_one();
    first.await.unwrap().unwrap();
    came.notified().await;
    settle().await;
    assert_eq!([&asking, &standing, &shared].map(Line::is_waiting), [false, false, false]);
    gate.notify_one();
    second.await.unwrap().unwrap();
    third.await.unwrap().unwrap();
}
