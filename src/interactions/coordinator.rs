//! The coordinator: every way in that is configured beside HTTP, and what grows too old.
//!
//! All ways go through one [`Intake`]. Each looks after itself: when what it reads from is away it says so once and tries
//! again, and the others go on.

#[cfg(feature = "grpc")]
mod grpc;
mod options;
mod poller;
#[cfg(feature = "redis")]
mod redis;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::clock::{Clock, Instant};
use crate::interactions::coordinator::poller::Poller;
use crate::interactions::intake::{Intake, Place};
use crate::store::interaction_logs::Exchange;

pub use options::Options;

/// How often it is looked for records that are too old.
const PURGE_EVERY: Duration = Duration::from_mins(10);

/// Records that one step of cleaning deletes: what comes in meanwhile waits no longer than that takes.
const PURGE_STEP: usize = 5_000;

/// What came in by all ways but HTTP, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    taken: AtomicU64,
    new: AtomicU64,
    refused: AtomicU64,
    troubles: AtomicU64,
}

impl Counts {
    fn taken(&self, all: usize, new: usize) {
        self.taken.fetch_add(all as u64, Ordering::Relaxed);
        self.new.fetch_add(new as u64, Ordering::Relaxed);
    }

    fn refused(&self, count: usize) {
        self.refused.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn trouble(&self) {
        self.troubles.fetch_add(1, Ordering::Relaxed);
    }

    /// Records that were stored or had been stored before; of those the new ones; what was no record; how often something
    /// was away.
    pub fn now(&self) -> (u64, u64, u64, u64) {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (get(&self.taken), get(&self.new), get(&self.refused), get(&self.troubles))
    }
}

/// Makes the intake that all ways in share. Opens nothing yet.
pub fn intake(options: &Options, state: &Path, clock: Arc<dyn Clock>) -> Arc<Intake> {
    let place = match (&options.url, &options.path) {
        (Some(url), _) => Place::Database(url.clone()),
        (None, Some(path)) => Place::File(path.clone()),
        (None, None) => Place::File(state.join(Options::FILE_NAME)),
    };
    Arc::new(Intake::new(place, options.queue_mib.saturating_mul(1_024), clock))
}

/// The ways in that run.
#[derive(Debug)]
pub struct Ways {
    tasks: TaskTracker,
    /// Where gRPC listens.
    pub grpc: Option<SocketAddr>,
    /// What came in.
    pub counts: Arc<Counts>,
}

impl Ways {
    /// Opens the ways that are configured; they go on until `stop`. `tls` are a certificate chain and its key in PEM.
    ///
    /// # Errors
    /// When an option cannot work, or the address of gRPC cannot be had.
    pub async fn open(
        options: &Options,
        tls: Option<(Vec<u8>, Vec<u8>)>,
        intake: &Arc<Intake>,
        stop: &CancellationToken,
    ) -> Result<Self, String> {
        let mut ways = Self { tasks: TaskTracker::new(), grpc: None, counts: Arc::default() };
        if let Some(url) = &options.database_url {
            let poller = Poller {
                table: Exchange::new(url).map_err(|error| format!("[coordinator] database_url: {error}"))?,
                place: url.to_string(),
                every: Duration::from_millis(options.database_poll_ms),
                kept: days(options.database_kept_days),
                intake: Arc::clone(intake),
                counts: Arc::clone(&ways.counts),
            };
            ways.tasks.spawn(poller.run(stop.clone()));
        }
        ways.read_stream(options, intake, stop)?;
        ways.listen(options, tls, intake, stop).await?;
        if let Some(kept) = days(options.retention_days) {
            ways.tasks.spawn(forget(Arc::clone(intake), kept, stop.clone()));
        }
        ways.tasks.close();
        Ok(ways)
    }

    /// Waits until all have ended, after `stop`.
    pub async fn ended(self) {
        self.tasks.wait().await;
    }

    #[cfg(feature = "redis")]
    #[expect(clippy::unnecessary_wraps, reason = "without the feature it may fail")]
    fn read_stream(&self, options: &Options, intake: &Arc<Intake>, stop: &CancellationToken) -> Result<(), String> {
        let Some(stream) = options.stream() else { return Ok(()) };
        let consumer = redis::Consumer::new(stream, options.redis_consumer.clone(), Arc::clone(intake), Arc::clone(&self.counts));
        self.tasks.spawn(consumer.run(stop.clone()));
        Ok(())
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn read_stream(&self, options: &Options, _: &Arc<Intake>, _: &CancellationToken) -> Result<(), String> {
        missing(options.redis_url.is_some(), "redis_url", "redis")
    }

    #[cfg(feature = "grpc")]
    async fn listen(
        &mut self,
        options: &Options,
        tls: Option<(Vec<u8>, Vec<u8>)>,
        intake: &Arc<Intake>,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let Some(address) = options.grpc_listen else { return Ok(()) };
        let is_open = grpc::is_open(address);
        if !is_open && !intake.has_keys().await.map_err(|refusal| refusal.to_string())? {
            return Err(format!(
                "[coordinator] grpc_listen: {address} can be reached from other machines, and there are no keys: make one with `wakeful coordinator keys add`"
            ));
        }
        let failed = |error: std::io::Error| format!("[coordinator] grpc_listen: could not listen on {address}: {error}");
        let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
        self.grpc = Some(listener.local_addr().map_err(failed)?);
        let service = grpc::Service { intake: Arc::clone(intake), counts: Arc::clone(&self.counts), is_open, stop: stop.clone() };
        self.tasks.spawn(async move {
            if let Err(error) = grpc::serve(listener, tls, service).await {
                tracing::error!("gRPC is served no more: {error}");
            }
        });
        Ok(())
    }

    #[cfg(not(feature = "grpc"))]
    #[expect(clippy::unused_async, clippy::unused_self, reason = "as with the feature")]
    async fn listen(
        &mut self,
        options: &Options,
        _: Option<(Vec<u8>, Vec<u8>)>,
        _: &Arc<Intake>,
        _: &CancellationToken,
    ) -> Result<(), String> {
        missing(options.grpc_listen.is_some(), "grpc_listen", "grpc")
    }
}

#[cfg(not(all(feature = "grpc", feature = "redis")))]
fn missing(is_set: bool, key: &str, feature: &str) -> Result<(), String> {
    let text = || format!("[coordinator] {key}: this build was made without the feature `{feature}`; leave the key out, or build with it");
    if is_set { Err(text()) } else { Ok(()) }
}

/// 0 stands for no limit.
fn days(days: u64) -> Option<Duration> {
    (days > 0).then(|| Duration::from_secs(days.saturating_mul(86_400)))
}

/// Waits; whether `stop` came first.
async fn rest(time: Duration, stop: &CancellationToken) -> bool {
    tokio::time::timeout(time, stop.cancelled()).await.is_ok()
}

/// Deletes records that are older than `kept`, in small steps.
async fn forget(intake: Arc<Intake>, kept: Duration, stop: CancellationToken) {
    while !rest(PURGE_EVERY, &stop).await {
        let millis = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
        let before = Instant::from_millis(intake.clock().now().as_millis().saturating_sub(millis));
        loop {
            let gone = match intake.store().await {
                Ok(store) => store.purge(before, PURGE_STEP).await.map_err(|error| error.report()),
                Err(refusal) => Err(refusal.to_string()),
            };
            match gone {
                Ok(PURGE_STEP) if !stop.is_cancelled() => tokio::task::yield_now().await,
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!("old records stay for now: {error}");
                    break;
                }
            }
        }
    }
}
