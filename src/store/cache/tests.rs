//! What the cache promises, on a clock that is moved by hand.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::domain::clock::{Instant, ManualClock};

fn clock() -> ManualClock {
    ManualClock::starting_at(Instant::from_millis(1_700_000_000_000))
}

fn cache(clock: &ManualClock) -> Cache {
    Cache::in_memory(Arc::new(clock.clone()))
}

fn fetched(text: &str) -> Fetched {
    Fetched { value: Bytes::copy_from_slice(text.as_bytes()), lifetime: None }
}

const TIMES: Lifetime = Lifetime { fresh: Duration::from_secs(10), stale: Duration::from_secs(20) };

#[tokio::test]
async fn an_entry_is_fresh_then_stale_then_over() {
    let clock = clock();
    let cache = cache(&clock);
    cache.put(Kind::Page, "a", Bytes::from_static(b"1"), Some(TIMES)).await;
    let check = async |freshness: Option<Freshness>| {
        assert_eq!(cache.get(Kind::Page, "a").await.map(|hit| hit.freshness), freshness);
    };
    check(Some(Freshness::Fresh)).await;
    clock.advance(Duration::from_millis(9_999));
    check(Some(Freshness::Fresh)).await;
    clock.advance(Duration::from_millis(1));
    check(Some(Freshness::Stale)).await;
    clock.advance(Duration::from_millis(19_999));
    check(Some(Freshness::Stale)).await;
    clock.advance(Duration::from_millis(1));
    check(None).await;
}

#[tokio::test]
async fn sixty_four_askers_cause_one_fetch() {
    let cache = cache(&clock());
    let fetches = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let ask = |_| {
        let (cache, fetches, gate) = (cache.clone(), Arc::clone(&fetches), Arc::clone(&gate));
        async move {
            let fetch = move || async move {
                fetches.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                Ok::<_, Infallible>(fetched("value"))
            };
            cache.get_or_fetch(Kind::Page, "a", fetch).await.unwrap().value
        }
    };
    let open = async { gate.add_permits(1) };
    let (values, ()) = futures::join!(futures::future::join_all((0..64).map(ask)), open);
    assert!(values.iter().all(|value| value == "value"));
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
    let stats = cache.stats().await;
    let page = stats.kinds.iter().find(|row| row.kind == Kind::Page).unwrap();
    assert_eq!((page.counts.fetches, page.counts.joined, page.counts.misses, page.entries), (1, 63, 1, 1));
}

fn page(stats: &Stats) -> Counts {
    stats.kinds.iter().find(|row| row.kind == Kind::Page).unwrap().counts
}

/// Asks for `a`; the fetch counts itself and gives `value`, good for 10 s and stale for 20 s more.
async fn ask(cache: &Cache, fetches: &Arc<AtomicUsize>, value: Result<&'static str, &'static str>) -> Result<Hit, &'static str> {
    let fetches = Arc::clone(fetches);
    let fetch = move || async move {
        fetches.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        value.map(|value| Fetched { lifetime: Some(TIMES), ..fetched(value) })
    };
    cache.get_or_fetch(Kind::Page, "a", fetch).await
}

/// Lets what runs in the background come to its end.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_stale_is_served_and_fetched_anew_once() {
    let (clock, fetches) = (clock(), Arc::default());
    let cache = cache(&clock);
    assert_eq!(ask(&cache, &fetches, Ok("old")).await.unwrap().layer, Layer::Origin);
    clock.advance(Duration::from_secs(12));
    for _ in 0..5 {
        let hit = ask(&cache, &fetches, Ok("new")).await.unwrap();
        assert_eq!((&hit.value[..], hit.freshness, hit.age), (&b"old"[..], Freshness::Stale, Duration::from_secs(12)));
    }
    settle().await;
    let hit = ask(&cache, &fetches, Ok("newer")).await.unwrap();
    assert_eq!((&hit.value[..], hit.freshness, hit.age), (&b"new"[..], Freshness::Fresh, Duration::ZERO));
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
    let counts = page(&cache.stats().await);
    assert_eq!((counts.stale_hits, counts.refreshes, counts.fetches), (5, 1, 2));
}

#[tokio::test]
async fn a_refresh_that_fails_leaves_the_stale_entry_and_is_not_tried_again_at_once() {
    let (clock, fetches) = (clock(), Arc::default());
    let cache = cache(&clock);
    ask(&cache, &fetches, Ok("old")).await.unwrap();
    clock.advance(Duration::from_secs(12));
    for _ in 0..3 {
        assert_eq!(ask(&cache, &fetches, Err("down")).await.unwrap().value, "old");
        settle().await;
    }
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
    clock.advance(REFRESH_PAUSE);
    assert_eq!(ask(&cache, &fetches, Ok("new")).await.unwrap().value, "old");
    settle().await;
    assert_eq!(ask(&cache, &fetches, Err("down")).await.unwrap().value, "new");
    assert_eq!((fetches.load(Ordering::SeqCst), page(&cache.stats().await).failures), (3, 1));
}

#[tokio::test]
async fn a_failure_reaches_all_who_wait_and_is_not_kept() {
    let (cache, fetches) = (cache(&clock()), Arc::default());
    let gate = Arc::new(Semaphore::new(0));
    let wait = || {
        let (gate, fetches): (_, Arc<AtomicUsize>) = (Arc::clone(&gate), Arc::clone(&fetches));
        cache.get_or_fetch(Kind::Page, "a", move || async move {
            fetches.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            Err::<Fetched, _>("down")
        })
    };
    let (one, other, ()) = futures::join!(wait(), wait(), async { gate.add_permits(1) });
    assert_eq!((one, other), (Err("down"), Err("down")));
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
    assert_eq!(ask(&cache, &fetches, Ok("up")).await.unwrap().value, "up");
}

#[tokio::test]
async fn a_fetch_that_panics_breaks_off_all_who_wait_and_the_next_one_fetches() {
    let (cache, fetches) = (cache(&clock()), Arc::default());
    let asker = |cache: Cache| {
        tokio::spawn(async move {
            let fetch = || async {
                tokio::task::yield_now().await;
                panic!("broken on purpose")
            };
            cache.get_or_fetch::<&'static str, _, _>(Kind::Page, "a", fetch).await
        })
    };
    let (one, other) = futures::join!(asker(cache.clone()), asker(cache.clone()));
    assert!(one.unwrap_err().is_panic() && other.unwrap_err().is_panic());
    assert_eq!(ask(&cache, &fetches, Ok("up")).await.unwrap().value, "up");
    assert_eq!(page(&cache.stats().await).failures, 1);
}

#[tokio::test]
async fn an_asker_who_leaves_does_not_end_the_fetch_of_the_others() {
    let cache = cache(&clock());
    let fetches: Arc<AtomicUsize> = Arc::default();
    let gate = Arc::new(Semaphore::new(0));
    let wait = || {
        let (cache, gate, fetches) = (cache.clone(), Arc::clone(&gate), Arc::clone(&fetches));
        tokio::spawn(async move {
            let fetch = move || async move {
                fetches.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                Ok::<_, Infallible>(fetched("value"))
            };
            cache.get_or_fetch(Kind::Page, "a", fetch).await.unwrap().value
        })
    };
    let (first, second) = (wait(), wait());
    settle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.add_permits(1);
    assert_eq!(second.await.unwrap(), "value");
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_is_dropped_and_the_next_asker_begins_anew() {
    let (cache, fetches) = (cache(&clock()), Arc::default());
    let held = Arc::new(());
    let alone = {
        let (cache, held) = (cache.clone(), Arc::clone(&held));
        tokio::spawn(async move {
            let fetch = move || async move {
                let fetched = std::future::pending::<Result<Fetched, &'static str>>().await;
                drop(held);
                fetched
            };
            cache.get_or_fetch(Kind::Page, "a", fetch).await
        })
    };
    settle().await;
    assert_eq!(Arc::strong_count(&held), 2);
    alone.abort();
    assert!(alone.await.unwrap_err().is_cancelled());
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(ask(&cache, &fetches, Ok("value")).await.unwrap().value, "value");
}

#[tokio::test]
async fn what_was_removed_while_it_was_fetched_is_not_kept() {
    let check = async |remove: fn(Cache) -> futures::future::BoxFuture<'static, ()>| {
        let (cache, gate) = (cache(&clock()), Arc::new(Semaphore::new(0)));
        let waiting = {
            let (cache, gate) = (cache.clone(), Arc::clone(&gate));
            tokio::spawn(async move {
                let fetch = move || async move {
                    gate.acquire().await.unwrap().forget();
                    Ok::<_, Infallible>(fetched("before"))
                };
                cache.get_or_fetch(Kind::Page, "a", fetch).await.unwrap().value
            })
        };
        settle().await;
        remove(cache.clone()).await;
        gate.add_permits(1);
        assert_eq!(waiting.await.unwrap(), "before");
        assert_eq!(cache.get(Kind::Page, "a").await, None);
    };
    check(|cache| async move { cache.remove(Kind::Page, "a").await }.boxed()).await;
    check(|cache| async move { drop(cache.clear(None).await) }.boxed()).await;
    check(|cache| async move { drop(cache.clear(Some(Kind::Page)).await) }.boxed()).await;
}

#[tokio::test]
async fn what_says_that_it_is_not_to_be_kept_takes_away_what_was_there() {
    let (clock, fetches) = (clock(), Arc::default());
    let cache = cache(&clock);
    ask(&cache, &fetches, Ok("old")).await.unwrap();
    clock.advance(Duration::from_secs(12));
    let fetch = || async { Ok::<_, &'static str>(Fetched { lifetime: Some(Lifetime::NONE), ..fetched("private") }) };
    assert_eq!(cache.get_or_fetch(Kind::Page, "a", fetch).await.unwrap().value, "old");
    settle().await;
    assert_eq!(cache.get(Kind::Page, "a").await, None);
    assert_eq!(cache.get_or_fetch(Kind::Page, "a", fetch).await.unwrap().value, "private");
    assert_eq!(cache.get(Kind::Page, "a").await, None);
}

#[tokio::test]
async fn memory_is_bounded_by_bytes_and_keeps_what_is_used() {
    let options = Options { memory_bytes_max: 100_000, ..Options::default() };
    let cache = Cache::new(options, None, Arc::new(clock()));
    for number in 0..1_000 {
        cache.put(Kind::Page, &number.to_string(), Bytes::from(vec![0; 1_000]), None).await;
        assert!(cache.get(Kind::Page, "0").await.is_some(), "after {number}");
        assert!(cache.stats().await.layers[0].bytes <= 100_000);
    }
    assert!(cache.get(Kind::Page, "1").await.is_none());
    assert!(cache.stats().await.layers[0].entries > 70);
    // One that would drive out most others is not taken.
    cache.put(Kind::Page, "large", Bytes::from(vec![0; 60_000]), None).await;
    assert!(cache.get(Kind::Page, "large").await.is_none());
    assert!(cache.get(Kind::Page, "0").await.is_some());
}

#[tokio::test]
async fn a_value_that_is_too_large_is_not_kept_and_what_was_there_is_gone() {
    let cache = Cache::new(Options { value_bytes_max: 10, ..Options::default() }, None, Arc::new(clock()));
    cache.put(Kind::Page, "a", Bytes::from_static(b"0123456789"), None).await;
    assert!(cache.get(Kind::Page, "a").await.is_some());
    cache.put(Kind::Page, "a", Bytes::from_static(b"0123456789a"), None).await;
    assert!(cache.get(Kind::Page, "a").await.is_none());
}

#[tokio::test]
async fn what_is_turned_off_keeps_nothing_and_still_fetches_once() {
    let cache = Cache::new(Options { enabled: false, ..Options::default() }, None, Arc::new(clock()));
    let fetches = Arc::default();
    cache.put(Kind::Page, "a", Bytes::from_static(b"1"), None).await;
    assert_eq!(cache.get(Kind::Page, "a").await, None);
    let (one, other) = futures::join!(ask(&cache, &fetches, Ok("1")), ask(&cache, &fetches, Ok("1")));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!((fetches.load(Ordering::SeqCst), cache.stats().await.layers[0].entries), (1, 0));
}

#[tokio::test]
async fn kinds_do_not_mix_and_have_times_of_their_own() {
    let clock = clock();
    let cache = cache(&clock);
    for kind in Kind::ALL {
        cache.put(kind, "a", Bytes::from(kind.name()), None).await;
    }
    for kind in Kind::ALL {
        assert_eq!(cache.get(kind, "a").await.unwrap().value, kind.name());
    }
    clock.advance(Duration::from_mins(20));
    let freshness = async |kind| cache.get(kind, "a").await.map(|hit| hit.freshness);
    assert_eq!(freshness(Kind::Page).await, Some(Freshness::Stale));
    assert_eq!(freshness(Kind::Search).await, Some(Freshness::Fresh));
    assert_eq!(freshness(Kind::Weather).await, Some(Freshness::Stale));
    assert_eq!(freshness(Kind::Embedding).await, Some(Freshness::Fresh));
    assert_eq!(freshness(Kind::ToolResult).await, None);
    assert_eq!(cache.clear(Some(Kind::Search)).await.unwrap().entries, 1);
    assert_eq!((freshness(Kind::Search).await, freshness(Kind::Embedding).await), (None, Some(Freshness::Fresh)));
}

#[tokio::test]
async fn an_entry_from_far_ahead_is_not_believed() {
    let clock = clock();
    let cache = cache(&clock);
    cache.put(Kind::Page, "a", Bytes::from_static(b"1"), None).await;
    clock.set(Instant::from_millis(1_700_000_000_000 - 60_000));
    assert_eq!(cache.get(Kind::Page, "a").await.unwrap().age, Duration::ZERO, "clocks differ by a little");
    clock.set(Instant::from_millis(1_700_000_000_000 - 3_600_000));
    assert_eq!(cache.get(Kind::Page, "a").await, None);
}

#[tokio::test]
async fn what_is_stale_on_disk_is_served_and_fetched_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock, fetches) = (folder.path().join("cache.db"), clock(), Arc::default());
    let open = || Cache::new(Options::default(), Some(path.clone()), Arc::new(clock.clone()));
    let first = open();
    ask(&first, &fetches, Ok("old")).await.unwrap();
    first.flush().await;
    clock.advance(Duration::from_secs(12));
    let second = open();
    let hit = ask(&second, &fetches, Ok("new")).await.unwrap();
    assert_eq!((&hit.value[..], hit.layer, hit.freshness), (&b"old"[..], Layer::Disk, Freshness::Stale));
    // The fetch in the background may wait for the file.
    while fetches.load(Ordering::SeqCst) < 2 || second.get(Kind::Page, "a").await.unwrap().value == "old" {
        tokio::task::yield_now().await;
    }
    second.flush().await;
    let hit = open().get(Kind::Page, "a").await.unwrap();
    assert_eq!((&hit.value[..], hit.layer, hit.freshness), (&b"new"[..], Layer::Disk, Freshness::Fresh));
}
