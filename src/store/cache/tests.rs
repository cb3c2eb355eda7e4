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
