//! The layer that several machines share: a Redis, where one is set up.
//!
//! It is asked last and never waited for longer than [`PATIENCE`]; while it does not answer it counts as empty, which is
//! said once. Keys are `wakeful:cache:<kind>:<hash>`; Redis itself forgets what is over. Results of tools are not shared:
//! what a tool reads on one machine may be something else on another.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};
use tokio::time::Instant as Moment;

use crate::domain::cache::{Cleared, Kind, Layer, LayerStats};
use crate::domain::clock::Instant;
use crate::domain::text::{clean_line, ellipsis};
use crate::store::cache::backend::{BackendStats, CacheBackend};
use crate::store::cache::entry::{CHECKSUM_BYTES, Digested, Entry, Sealed};
use crate::store::cache::{Error, RedisUrl};

/// The longest that anybody waits for an answer, a new connection included.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long it is left alone after it did not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// The longest that clearing or counting may take: that goes key by key.
const WALK_MAX: Duration = Duration::from_secs(10);

/// Keys that one step of a walk asks for.
const WALK_STEP: usize = 1_000;

/// What values begin with: the format.
const MAGIC: &[u8; 4] = b"wkc1";

/// Bytes before the value: the format, a checksum, three times of 8 bytes.
const HEADER_BYTES: usize = MAGIC.len() + CHECKSUM_BYTES + 24;

/// The longest reason that is shown, in characters.
const REASON_CHARS_MAX: usize = 200;

/// The layer.
pub(super) struct Redis {
    url: RedisUrl,
    link: Mutex<Link>,
}

#[derive(Default)]
struct Link {
    connection: Option<MultiplexedConnection>,
    /// Why it is not used, and until when it is left alone.
    down: Option<(String, Moment)>,
}

impl Redis {
    pub(super) fn new(url: RedisUrl) -> Self {
        Self { url, link: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks it; none where it does not answer in time, or did not a moment ago.
    async fn ask<T>(&self, limit: Duration, work: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>) -> Option<T> {
        let known = {
            let link = self.lock();
            if link.down.as_ref().is_some_and(|(_, until)| Moment::now() < *until) {
                return None;
            }
            link.connection.clone()
        };
        let asked = async {
            let mut connection = match known {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            work(&mut connection).await
        };
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(value)) => {
                self.answered();
                Some(value)
            }
            Ok(Err(error)) => {
                self.failed(&error.to_string());
                None
            }
            Err(_) => {
                self.failed(&format!("no answer within {} ms", limit.as_millis()));
                None
            }
        }
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(WALK_MAX));
        let connection = Client::open(self.url.expose())?.get_multiplexed_async_connection_with_config(&config).await?;
        self.lock().connection = Some(connection.clone());
        Ok(connection)
    }

    fn answered(&self) {
        if self.lock().down.take().is_some() {
            tracing::info!("the cache's Redis {} answers again", self.url);
        }
    }

    fn failed(&self, reason: &str) {
        let mut reason = ellipsis(&clean_line(reason), REASON_CHARS_MAX).into_owned();
        if let Some(password) = self.url.password().filter(|password| !password.is_empty()) {
            reason = reason.replace(&password, "••••");
        }
        let mut link = self.lock();
        // The next one begins anew: a connection that failed once cannot be trusted.
        link.connection = None;
        let first = link.down.is_none();
        link.down = Some((reason.clone(), Moment::now() + PAUSE));
        drop(link);
        if first {
            tracing::warn!("the cache's Redis {} does not answer and counts as empty meanwhile: {reason}", self.url);
        }
    }

    fn problem(&self) -> Option<String> {
        self.lock().down.as_ref().map(|(reason, _)| reason.clone())
    }

    /// Walks over the keys of a kind, or of all; with `delete` they are gone afterwards. Says how many there were.
    async fn walk(&self, kind: Option<Kind>, delete: bool) -> Option<u64> {
        let pattern = format!("{PREFIX}{}*", kind.map(|kind| format!("{}:", kind.name())).unwrap_or_default());
        // One that is away is not waited for as long as a walk may take.
        self.ask(PATIENCE, async |connection| redis::cmd("PING").query_async::<String>(connection).await).await?;
        self.ask(WALK_MAX, async |connection| {
            let (mut cursor, mut count) = (0_u64, 0_u64);
            loop {
                let (next, keys): (u64, Vec<String>) =
                    redis::cmd("SCAN").arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(WALK_STEP).query_async(connection).await?;
                count += u64::try_from(keys.len()).unwrap_or(0);
                if delete && !keys.is_empty() {
                    let _gone: u64 = redis::cmd("UNLINK").arg(&keys).query_async(connection).await?;
                }
                cursor = next;
                if cursor == 0 {
                    return Ok(count);
                }
            }
        })
        .await
    }
}

/// What all keys begin with.
const PREFIX: &str = "wakeful:cache:";

fn key(id: &Digested) -> String {
    let mut key = format!("{PREFIX}{}:", id.kind.name());
    for byte in id.hash {
        // Writing to a string does not fail.
        let _ = write!(key, "{byte:02x}");
    }
    key
}

/// An entry as it lies in Redis.
fn pack(id: &Digested, entry: &Entry) -> Vec<u8> {
    let sealed = Sealed::of(entry);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + entry.value.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&sealed.checksum(id, &entry.value));
    for number in [sealed.stored_ms, sealed.fresh_ms, sealed.stale_ms] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(&entry.value);
    bytes
}

/// The entry in `bytes`; none where it is not what was put.
fn unpack(id: &Digested, bytes: &[u8]) -> Option<Entry> {
    let rest = bytes.strip_prefix(MAGIC.as_slice())?;
    let (checksum, rest) = rest.split_first_chunk::<CHECKSUM_BYTES>()?;
    let (stored, rest) = rest.split_first_chunk::<8>()?;
    let (fresh, rest) = rest.split_first_chunk::<8>()?;
    let (stale, value) = rest.split_first_chunk::<8>()?;
    let number = |bytes: &[u8; 8]| i64::from_be_bytes(*bytes);
    let sealed = Sealed { stored_ms: number(stored), fresh_ms: number(fresh), stale_ms: number(stale) };
    (sealed.checksum(id, value) == *checksum).then(|| sealed.open(Bytes::copy_from_slice(value)))
}

impl CacheBackend for Redis {
    fn layer(&self) -> Layer {
        Layer::Redis
    }

    fn get(&self, id: Digested, _now: Instant) -> BoxFuture<'_, Option<Entry>> {
        async move {
            if id.kind == Kind::ToolResult {
                return None;
            }
            let command = redis::cmd("GET").arg(key(&id)).to_owned();
            let bytes = self.ask(PATIENCE, async |connection| command.query_async::<Option<Vec<u8>>>(connection).await).await??;
            unpack(&id, &bytes)
        }
        .boxed()
    }

    fn put(&self, id: Digested, entry: Entry, now: Instant) -> BoxFuture<'_, ()> {
        async move {
            // Redis counts from its own now on.
            let left = entry.over().since(now).as_millis();
            if left == 0 || id.kind == Kind::ToolResult {
                return;
            }
            let left = u64::try_from(left).unwrap_or(u64::MAX).min(LONGEST_MS);
            let command = redis::cmd("SET").arg(key(&id)).arg(pack(&id, &entry)).arg("PX").arg(left).to_owned();
            self.ask(PATIENCE, async |connection| command.query_async::<()>(connection).await).await;
        }
        .boxed()
    }

    fn remove(&self, id: Digested) -> BoxFuture<'_, ()> {
        async move {
            if id.kind == Kind::ToolResult {
                return;
            }
            let command = redis::cmd("UNLINK").arg(key(&id)).to_owned();
            self.ask(PATIENCE, async |connection| command.query_async::<u64>(connection).await).await;
        }
        .boxed()
    }

    fn clear(&self, kind: Option<Kind>) -> BoxFuture<'_, Result<Cleared, Error>> {
        async move {
            let failed = || Error::Clear { place: self.url.to_string(), reason: self.problem().unwrap_or_default() };
            let entries = self.walk(kind, true).await.ok_or_else(failed)?;
            Ok(Cleared { entries, bytes: 0 })
        }
        .boxed()
    }

    fn stats(&self) -> BoxFuture<'_, BackendStats> {
        async move {
            let entries = self.walk(None, false).await.unwrap_or(0);
            let layer = LayerStats {
                layer: Layer::Redis,
                place: self.url.to_string(),
                problem: self.problem(),
                entries,
                bytes: 0,
                bytes_max: None,
            };
            BackendStats { layer, kinds: None, counts: None }
        }
        .boxed()
    }
}

/// The longest time that Redis is told, in milliseconds: ten years. It refuses what does not fit its clock.
const LONGEST_MS: u64 = 10 * 365 * 86_400 * 1_000;
