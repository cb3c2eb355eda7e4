//! The Redis layer against a real server, which ends with the test.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::domain::clock::ManualClock;
use crate::store::cache::{Cache, Fetched, Freshness, Lifetime, Options};

const ID: Digested = Digested { kind: Kind::Page, hash: [7; 32] };

const TIMES: Lifetime = Lifetime { fresh: Duration::from_mins(1), stale: Duration::from_mins(1) };

/// A Redis of its own, on a port that the system chose, that keeps nothing.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    async fn start(port: Option<u16>) -> Self {
        for _ in 0..20 {
            let port = port.unwrap_or_else(|| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
            let program = Command::new("redis-server")
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", "s3cret"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn();
            let mut server = Self { process: program.expect("`redis-server` is missing: .ci/setup installs it"), port };
            while server.process.try_wait().unwrap().is_none() {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return server;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // Somebody else took the port meanwhile.
        }
        unreachable!("redis-server did not start")
    }

    fn url(&self) -> RedisUrl {
        RedisUrl::new(format!("redis://:s3cret@127.0.0.1:{}/1", self.port))
    }

    /// A machine's cache: memory over this Redis.
    fn machine(&self, clock: &ManualClock) -> Cache {
        let options = Options { redis: Some(self.url()), ..Options::default() };
        Cache::new(options, None, Arc::new(clock.clone()))
    }

    async fn keys(&self) -> Vec<String> {
        let mut connection = Client::open(self.url().expose()).unwrap().get_multiplexed_async_connection().await.unwrap();
        redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _over = self.process.kill();
        let _over = self.process.wait();
    }
}

fn clock() -> ManualClock {
    ManualClock::starting_at(Instant::from_millis(1_700_000_000_000))
}

#[tokio::test]
async fn what_one_machine_put_another_finds() {
    let (server, clock) = (Server::start(None).await, clock());
    let (one, other) = (server.machine(&clock), server.machine(&clock));
    one.put(Kind::Page, "https://example.org/?key=s3cret", Bytes::from_static(b"value"), Some(TIMES)).await;
    clock.advance(Duration::from_secs(30));
    let hit = other.get(Kind::Page, "https://example.org/?key=s3cret").await.unwrap();
    assert_eq!((&hit.value[..], hit.layer, hit.age), (&b"value"[..], Layer::Redis, Duration::from_secs(30)));
    // From now on it is in memory.
    assert_eq!(other.get(Kind::Page, "https://example.org/?key=s3cret").await.unwrap().layer, Layer::Memory);
    let keys = server.keys().await;
    assert_eq!(keys.len(), 1);
    assert!(keys[0].starts_with("wakeful:cache:page:") && keys[0].len() == "wakeful:cache:page:".len() + 64, "{keys:?}");
    one.remove(Kind::Page, "https://example.org/?key=s3cret").await;
    assert!(server.keys().await.is_empty());
}

#[tokio::test]
async fn redis_is_told_how_long_and_stale_is_stale_there_too() {
    let (server, clock) = (Server::start(None).await, clock());
    server.machine(&clock).put(Kind::Weather, "a", Bytes::from_static(b"1"), Some(TIMES)).await;
    let mut connection = Client::open(server.url().expose()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let left: i64 = redis::cmd("PTTL").arg(&server.keys().await[0]).query_async(&mut connection).await.unwrap();
    assert!((100_000..=120_000).contains(&left), "{left} ms");
    clock.advance(Duration::from_secs(61));
    assert_eq!(server.machine(&clock).get(Kind::Weather, "a").await.unwrap().freshness, Freshness::Stale);
    clock.advance(Duration::from_mins(1));
    assert_eq!(server.machine(&clock).get(Kind::Weather, "a").await, None);
}

#[tokio::test]
async fn clearing_takes_away_our_keys_of_that_kind_only() {
    let (server, clock) = (Server::start(None).await, clock());
    let cache = server.machine(&clock);
    for number in 0..2_500 {
        cache.put(Kind::Page, &number.to_string(), Bytes::from_static(b"1"), Some(TIMES)).await;
    }
    cache.put(Kind::Search, "a", Bytes::from_static(b"1"), Some(TIMES)).await;
    let mut connection = Client::open(server.url().expose()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let _: () = redis::cmd("SET").arg("somebody:else").arg("1").query_async(&mut connection).await.unwrap();
    assert_eq!(cache.stats().await.layers[1].entries, 2_501);
    cache.clear(Some(Kind::Page)).await.unwrap();
    let mut keys = server.keys().await;
    keys.sort();
    assert!(keys.len() == 2 && keys[0] == "somebody:else" && keys[1].starts_with("wakeful:cache:search:"), "{keys:?}");
    cache.clear(None).await.unwrap();
    assert_eq!(server.keys().await, ["somebody:else"]);
}

#[tokio::test]
async fn what_lies_there_damaged_is_a_miss() {
    let (server, clock) = (Server::start(None).await, clock());
    server.machine(&clock).put(Kind::Page, "a", Bytes::from_static(b"value"), Some(TIMES)).await;
    let key = server.keys().await.remove(0);
    let mut connection = Client::open(server.url().expose()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let _: i64 = redis::cmd("SETRANGE").arg(&key).arg(HEADER_BYTES).arg("V").query_async(&mut connection).await.unwrap();
    assert_eq!(server.machine(&clock).get(Kind::Page, "a").await, None);
    let _: () = redis::cmd("SET").arg(&key).arg("short").query_async(&mut connection).await.unwrap();
    assert_eq!(server.machine(&clock).get(Kind::Page, "a").await, None);
}

#[tokio::test]
async fn an_outage_is_a_miss_and_ends_by_itself() {
    let (server, clock) = (Server::start(None).await, clock());
    let (port, cache) = (server.port, server.machine(&clock));
    cache.put(Kind::Page, "a", Bytes::from_static(b"1"), Some(TIMES)).await;
    drop(server);
    assert_eq!(cache.get(Kind::Page, "b").await, None);
    cache.put(Kind::Page, "b", Bytes::from_static(b"2"), Some(TIMES)).await;
    let fetched =
        cache.get_or_fetch(Kind::Page, "c", || async { Ok::<_, ()>(Fetched { value: Bytes::from_static(b"3"), lifetime: None }) });
    assert_eq!(fetched.await.unwrap().value, "3");
    assert!(cache.stats().await.layers[1].problem.is_some());
    assert!(cache.clear(None).await.unwrap_err().to_string().contains(&format!("redis://:••••@127.0.0.1:{port}/1")));
    let _server = Server::start(Some(port)).await;
    // The pause after the last try is over.
    tokio::time::pause();
    tokio::time::advance(PAUSE).await;
    tokio::time::resume();
    cache.put(Kind::Page, "d", Bytes::from_static(b"4"), Some(TIMES)).await;
    let stats = cache.stats().await;
    assert_eq!((stats.layers[1].entries, stats.layers[1].problem.clone()), (1, None));
}

#[tokio::test]
async fn a_server_that_takes_the_connection_and_is_silent_is_waited_for_only_briefly() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = RedisUrl::new(format!("redis://127.0.0.1:{}", silent.local_addr().unwrap().port()));
    let redis = Redis::new(url);
    // Without an answer only the limit ends the wait: the clock stands still and moves to it.
    tokio::time::pause();
    let start = Moment::now();
    assert_eq!(redis.get(ID, clock_now()).await, None);
    assert!(start.elapsed() <= PATIENCE + Duration::from_millis(1), "{:?}", start.elapsed());
    let after = Moment::now();
    assert_eq!(redis.get(ID, clock_now()).await, None);
    assert_eq!(after.elapsed(), Duration::ZERO, "left alone for a while");
    assert!(redis.problem().is_some());
}

fn clock_now() -> Instant {
    Instant::from_millis(1_700_000_000_000)
}

#[test]
fn an_entry_is_unpacked_as_it_was_packed_and_nothing_else_is() {
    let entry = Entry { value: Bytes::from_static(b"value"), stored: clock_now(), lifetime: TIMES };
    let packed = pack(&ID, &entry);
    assert_eq!(unpack(&ID, &packed), Some(entry));
    assert_eq!(unpack(&Digested { hash: [8; 32], ..ID }, &packed), None);
    assert_eq!(unpack(&Digested { kind: Kind::Search, ..ID }, &packed), None);
    for length in 0..packed.len() {
        assert_eq!(unpack(&ID, &packed[..length]), None, "cut to {length}");
    }
    for at in 0..packed.len() {
        let mut bent = packed.clone();
        bent[at] ^= 1;
        assert_eq!(unpack(&ID, &bent), None, "bent at {at}");
    }
}
