//! The examination where the log cannot be opened, which is when it is wanted most: what needs no log is started by itself.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Parts, bad_log};
use crate::app::{Start, models, notices, queries};
use crate::bus::{RecordError, Recorder};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::event::{Event, NewEvent};
use crate::domain::query::CheckRow;
use crate::interactions::reporter::Reports;
use crate::mcp::{self, Answering, ServerPool};
use crate::net;
use crate::store::cache::Cache;

/// Looks at everything but the log, which could not be opened because of `problem`. Servers of the config get `wait` to
/// come up; the built-in ones are not there, for some of them need the log.
///
/// # Errors
/// When the settings name what is not there.
pub async fn look(start: &Start, problem: String, wait: Duration) -> anyhow::Result<Vec<CheckRow>> {
    let settings = &start.loaded.settings;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let net = net::Client::new(settings.net.clone());
    let (catalog, _) = models::catalog(settings, &net, &clock, &start.environment)?;
    let (channels, _) = notices(settings, &net, &clock, &start.environment)?;
    let cache = Cache::new(settings.cache.clone(), Some(start.paths.cache_file()), Arc::clone(&clock));
    let reports = Reports::new(settings.interaction_logging.clone(), &start.paths.data, Arc::clone(&clock));
    let surroundings = mcp::Surroundings {
        recorder: Arc::new(Unrecorded),
        clock: Arc::clone(&clock),
        http: queries::mcp_http(start, &net),
        answering: Answering::by(start.rules.clone()),
        sampler: None,
        roots: vec![start.cwd.clone()],
        memory: Some(start.paths.state.join("mcp")),
        results: None,
        environment: start.environment.own(),
    };
    let pool = ServerPool::start(settings.mcp_servers.clone(), Vec::new(), surroundings, settings.mcp.clone());
    pool.settled(wait).await;
    let parts = Parts { catalog: &catalog, pool: &pool, channels: channels.statuses(), cache: &cache, reports: &reports };
    let rows = super::look(start, bad_log(problem), &parts).await;
    pool.shutdown().await;
    Ok(rows)
}

/// There is no log, and nobody watches.
struct Unrecorded;

impl Recorder for Unrecorded {
    fn record(&self, _events: Vec<NewEvent>) -> BoxFuture<'static, Result<Vec<Arc<Event>>, RecordError>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }

    fn emit(&self, _event: NewEvent) {}
}
