//! The queue of another program, read into ours.

use std::path::Path;

use serde_json::Value;

use crate::bus::Recorder;
use crate::domain::clock::Clock;
use crate::domain::interaction::InteractionRecord;
use crate::domain::text::with_causes;
use crate::interactions::redact::Redactor;
use crate::interactions::reporter::intake::row;
use crate::interactions::reporter::{Shared, board};
use crate::store::spool::{self, Imported, OldRow, Spool, read_old};

/// Rows that are read in one go.
const PAGE: usize = 500;

/// Reads all rows of `path`. A record without an id is named by what it says, so that copies of it become one.
pub(super) async fn read(
    spool: &Spool,
    path: &Path,
    mcp_id: &str,
    redactor: &Redactor,
    clock: &dyn Clock,
) -> Result<Imported, spool::Error> {
    let mut imported = Imported::default();
    let (mut after, mut good) = (i64::MIN, 0_u64);
    loop {
        let file = path.to_owned();
        let page = tokio::task::spawn_blocking(move || read_old(&file, after, PAGE)).await.unwrap_or(Err(spool::Error::Closed))?;
        let Some(last) = page.last().map(|row| row.number) else { return Ok(imported) };
        imported.read += u64::try_from(page.len()).unwrap_or(0);
        let records: Vec<InteractionRecord> = page.into_iter().filter_map(|old| record(old, mcp_id, redactor)).collect();
        good += u64::try_from(records.len()).unwrap_or(0);
        imported.wrong = imported.read - good;
        imported.new += spool.put(records.iter().map(row).collect(), None, clock.now()).await?;
        after = last;
    }
}

/// The record of a row; none where it is none even with what can be assumed.
fn record(old: OldRow, mcp_id: &str, redactor: &Redactor) -> Option<InteractionRecord> {
    let mut value = old.record;
    if value.get("mcp_id").and_then(Value::as_str).is_none_or(|id| id.trim().is_empty()) {
        value.insert("mcp_id".to_owned(), mcp_id.into());
    }
    let record = InteractionRecord::from_json(&Value::Object(value)).ok()?;
    let payload = redactor.payload(record.payload.clone());
    Some(InteractionRecord { payload, ..record })
}

/// Reads the queue of today's users where there is one, once; it is left as it is.
pub(super) async fn old_queue(shared: &Shared, spool: &Spool, redactor: &Redactor, recorder: &dyn Recorder) {
    let path = shared.old.clone();
    if path == shared.path || !tokio::fs::try_exists(&path).await.unwrap_or(false) {
        return;
    }
    let name = path.display().to_string();
    match spool.imported(name.clone()).await {
        Ok(false) => {}
        Ok(true) | Err(_) => return,
    }
    match read(spool, &path, &shared.options.mcp_id, redactor, &*shared.clock).await {
        Ok(imported) => {
            if let Err(error) = spool.set_imported(name.clone(), shared.clock.now()).await {
                tracing::warn!("could not remember an import: {}", with_causes(&error));
            }
            if imported.read > 0 {
                let Imported { read, new, wrong } = imported;
                let told =
                    format!("`{name}`: {read} rows read, {new} records are sent, {wrong} rows are no records; the file is as it was");
                tracing::info!("{told}");
            }
        }
        Err(error) => board::tell(recorder, with_causes(&error)),
    }
}
