//! Records through a table that the coordinator polls. An insert hands over; `processed` confirms.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::domain::clock::Clock;
use crate::interactions::outgoing::Outgoing;
use crate::interactions::transport::{STREAM_BATCH_MAX, Settled, Transport, Trouble, Verdict};
use crate::store::interaction_logs::{Error, Exchange, Fate, Row};

/// Confirmed rows are removed after so long: the coordinator has what they hold.
const KEPT: Duration = Duration::from_hours(24 * 7);

/// Rows that one look removes at most.
const CLEAN_MAX: usize = 1_000;

/// How often they are looked for.
const CLEAN_EVERY: Duration = Duration::from_hours(1);

/// `database`.
pub struct Database {
    table: Exchange,
    clock: Arc<dyn Clock>,
    cleaned: Mutex<Option<Instant>>,
}

impl Database {
    /// Into `table`; connects with the first use.
    pub fn new(table: Exchange, clock: Arc<dyn Clock>) -> Self {
        Self { table, clock, cleaned: Mutex::default() }
    }

    async fn insert(&self, records: &[Outgoing]) -> Result<Vec<Verdict>, Trouble> {
        let rows: Vec<Row> = records.iter().map(row).collect();
        self.table.insert(&rows).await.map_err(trouble)?;
        Ok(records.iter().map(|record| Verdict::Handed(record.record_id.as_str().to_owned())).collect())
    }

    async fn progress(&self, handles: &[String]) -> Result<Vec<Settled>, Trouble> {
        let fates = self.table.settled(handles).await.map_err(trouble)?;
        self.clean().await;
        let settled = |fate| match fate {
            Fate::Processed => Settled::Stored,
            Fate::Waiting => Settled::Waiting,
            Fate::Missing => Settled::Lost,
        };
        Ok(fates.into_iter().map(settled).collect())
    }

    /// Now and then removes what was confirmed long ago. Nothing depends on it.
    async fn clean(&self) {
        let mut cleaned = self.cleaned.lock().await;
        if cleaned.is_some_and(|at| at.elapsed() < CLEAN_EVERY) {
            return;
        }
        *cleaned = Some(Instant::now());
        let before = self.clock.now().as_millis() - i64::try_from(KEPT.as_millis()).unwrap_or(0);
        if let Err(error) = self.table.purge(millis(before), CLEAN_MAX).await {
            tracing::debug!(%error, "could not remove confirmed reports from the database");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds until the year 9999 fit into the 53 bits of a double")]
fn millis(ms: i64) -> f64 {
    ms as f64 / 1e3
}

fn row(record: &Outgoing) -> Row {
    Row {
        record_id: record.record_id.as_str().to_owned(),
        mcp_id: record.mcp_id.clone(),
        interaction_id: record.interaction_id.as_str().to_owned(),
        timestamp: record.timestamp,
        data: record.text.clone(),
    }
}

fn trouble(error: Error) -> Trouble {
    match error {
        Error::Config(why) => Trouble::Config(why),
        error => Trouble::Unreachable(error.report()),
    }
}

impl Transport for Database {
    fn name(&self) -> &'static str {
        "database"
    }

    fn batch_max(&self) -> usize {
        STREAM_BATCH_MAX
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Trouble>> {
        self.table.probe().map(|done| done.map_err(trouble)).boxed()
    }

    fn send<'a>(&'a self, records: &'a [Outgoing]) -> BoxFuture<'a, Result<Vec<Verdict>, Trouble>> {
        self.insert(records).boxed()
    }

    fn settled<'a>(&'a self, handles: &'a [String]) -> BoxFuture<'a, Result<Vec<Settled>, Trouble>> {
        self.progress(handles).boxed()
    }
}
