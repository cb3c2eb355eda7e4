//! Takes records out of the table `interaction_logs`: the oldest first, again at once while pages are full.
//!
//! There is no cursor: what was committed late is found, for every poll asks for all that is not processed. A row is marked
//! after the store has it; what is no record keeps its row, with the problem beside it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::clock::Instant;
use crate::interactions::coordinator::{Counts, rest};
use crate::interactions::intake::{self, Intake};
use crate::store::interaction_logs::{Exchange, PAGE_MAX};

/// How often processed rows are looked at for cleaning.
const PURGE_EVERY: Duration = Duration::from_mins(10);

/// Rows that one cleaning deletes at once.
const PURGE_STEP: usize = 5_000;

/// The poller.
pub(super) struct Poller {
    /// The table.
    pub(super) table: Exchange,
    /// Where it is, for people.
    pub(super) place: String,
    /// How often it looks while nothing comes.
    pub(super) every: Duration,
    /// How long processed rows stay; none: for ever.
    pub(super) kept: Option<Duration>,
    /// Where records go.
    pub(super) intake: Arc<Intake>,
    /// What is counted.
    pub(super) counts: Arc<Counts>,
}

impl Poller {
    /// Polls until `stop`. Trouble is said once and tried again.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut said = None;
        let mut purged = tokio::time::Instant::now();
        while !stop.is_cancelled() {
            let more = match self.poll().await {
                Ok(more) => {
                    if said.take().is_some() {
                        tracing::info!("the table `interaction_logs` in `{}` is read again", self.place);
                    }
                    more
                }
                Err(text) => {
                    if said.as_ref() != Some(&text) {
                        tracing::warn!("records of `{}` wait: {text}", self.place);
                        said = Some(text);
                    }
                    self.counts.trouble();
                    false
                }
            };
            if purged.elapsed() >= PURGE_EVERY {
                purged = tokio::time::Instant::now();
                self.purge().await;
            }
            if !more {
                rest(self.every, &stop).await;
            }
        }
    }

    /// One page; whether it was full.
    pub(super) async fn poll(&self) -> Result<bool, String> {
        let page = self.table.poll(PAGE_MAX).await.map_err(|error| error.report())?;
        if page.rows.is_empty() {
            return Ok(false);
        }
        let is_full = page.rows.len() == PAGE_MAX;
        let (mut records, mut stored, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for row in &page.rows {
            match intake::check_text(row.data.as_bytes()) {
                // The column names the row for who inserted it, whatever the record calls itself.
                Ok(record) if row.record_id.as_ref().is_some_and(|id| *id != record.record_id) => {
                    problems.push((row.id, "`record_id` in `data` is another one than in its column".to_owned()));
                }
                Ok(record) => {
                    records.push(record);
                    stored.push(row.id);
                }
                Err(error) => problems.push((row.id, error.to_string())),
            }
        }
        let (count, refused) = (records.len(), problems.len());
        let new = self.intake.take(records).await.map_err(|refusal| refusal.to_string())?;
        page.done(stored, problems).await.map_err(|error| error.report())?;
        self.counts.taken(count, new);
        if refused > 0 {
            self.counts.refused(refused);
            tracing::warn!("{refused} rows of `interaction_logs` in `{}` are no records: see their column `problem`", self.place);
        }
        Ok(is_full)
    }

    async fn purge(&self) {
        let Some(kept) = self.kept else { return };
        let millis = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
        let before = Instant::from_millis(self.intake.clock().now().as_millis().saturating_sub(millis));
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit into the 53 bits of a double")]
        let seconds = before.as_millis() as f64 / 1e3;
        match self.table.purge(seconds, PURGE_STEP).await {
            Ok(0) => {}
            Ok(count) => tracing::debug!("{count} processed rows of `{}` are gone", self.place),
            Err(error) => tracing::debug!("processed rows of `{}` stay: {}", self.place, error.report()),
        }
    }
}
