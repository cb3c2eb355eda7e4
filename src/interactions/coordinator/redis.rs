//! Reads records out of a stream of Redis or Valkey, as one consumer of a group.
//!
//! An entry is acknowledged after its record is on disk, and told in the coordinator's own stream in the same step. What a
//! consumer that died has not acknowledged is claimed by another. What is no record goes into `<stream>:refused`. The
//! stream is trimmed up to what every group has done with, and never beyond.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamAutoClaimReply, StreamId, StreamPendingReply, StreamReadReply};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::text::{clean_line, ellipsis};
use crate::interactions::coordinator::{Counts, rest};
use crate::interactions::intake::{self, Intake};
use crate::interactions::streams::{EntryId, FIELD, Link, StreamOptions, groups};
use crate::interactions::transport::Trouble;

/// Entries of one read.
const COUNT: usize = 100;

/// Reads that go together while pages are full.
const READS: usize = 20;

/// How long a read waits for news, in milliseconds.
const BLOCK_MS: usize = 1_000;

/// What a consumer holds for so long without a sign is claimed, in milliseconds.
const IDLE_MS: usize = 60_000;

/// How often what others hold is looked at.
const CLAIM_EVERY: Duration = Duration::from_secs(30);

/// How often the stream is trimmed.
const TRIM_EVERY: Duration = Duration::from_secs(1);

/// Entries of the stream that tells what is stored; each has up to [`COUNT`] times [`READS`] ids.
const TOLD_MAX: usize = 10_000;

/// Entries that are kept of what is no record.
const REFUSED_MAX: usize = 10_000;

/// How long nothing is read after trouble.
const REST: Duration = Duration::from_secs(1);

/// The longest problem that is told, in characters.
const PROBLEM_CHARS_MAX: usize = 300;

/// The consumer.
pub(super) struct Consumer {
    options: StreamOptions,
    /// Its name in the group.
    name: String,
    link: Link,
    intake: Arc<Intake>,
    counts: Arc<Counts>,
}

impl Consumer {
    pub(super) fn new(options: StreamOptions, name: String, intake: Arc<Intake>, counts: Arc<Counts>) -> Self {
        Self { link: Link::new(options.url.clone()), options, name, intake, counts }
    }

    /// Consumes until `stop`. Trouble is said once and tried again.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut said = None;
        while !stop.is_cancelled() {
            match self.consume(&stop, &mut said).await {
                Ok(()) => return,
                Err(trouble) => {
                    let text = trouble.to_string();
                    if said.as_ref() != Some(&text) {
                        tracing::warn!("the stream `{}` cannot be read: {text}", self.options.stream);
                        said = Some(text);
                    }
                    self.counts.trouble();
                    rest(REST, &stop).await;
                }
            }
        }
    }

    async fn consume(&self, stop: &CancellationToken, said: &mut Option<String>) -> Result<(), Trouble> {
        self.link.run(async |connection| self.make_group(connection).await).await?;
        if said.take().is_some() {
            tracing::info!("the stream `{}` is read again", self.options.stream);
        }
        // First what this very consumer had before it ended.
        loop {
            let left = self.link.run(async |connection| self.read(connection, "0", 1, false).await).await?;
            if left.is_empty() || stop.is_cancelled() {
                break;
            }
            self.take(left, stop).await?;
        }
        let (mut claimed, mut trimmed, mut full) = (Instant::now(), Instant::now(), false);
        while !stop.is_cancelled() {
            if claimed.elapsed() >= CLAIM_EVERY {
                claimed = Instant::now();
                self.claim(stop).await?;
            }
            let reads = if full { READS } else { 1 };
            let entries = self.link.run(async |connection| self.read(connection, ">", reads, !full).await).await?;
            full = entries.len() >= COUNT;
            if !entries.is_empty() {
                self.take(entries, stop).await?;
            }
            if trimmed.elapsed() >= TRIM_EVERY {
                trimmed = Instant::now();
                self.link.run(async |connection| self.trim(connection).await).await?;
            }
        }
        Ok(())
    }

    async fn make_group(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let mut command = redis::cmd("XGROUP");
        command.arg("CREATE").arg(&self.options.stream).arg(&self.options.group).arg("0").arg("MKSTREAM");
        match command.query_async::<()>(connection).await {
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            made => made?,
        }
        // There from the start, so that reporters know that here it is told what is stored.
        let stream = self.options.stored_stream();
        let there: bool = redis::cmd("EXISTS").arg(&stream).query_async(connection).await?;
        if there { Ok(()) } else { redis::cmd("XADD").arg(stream).arg("*").arg(FIELD).arg("").query_async(connection).await }
    }

    /// Up to `reads` pages; `>` is what nobody has had, `0` what this consumer has not acknowledged.
    async fn read(&self, connection: &mut MultiplexedConnection, from: &str, reads: usize, waits: bool) -> RedisResult<Vec<StreamId>> {
        let mut pipe = redis::pipe();
        for _ in 0..reads {
            let command = pipe.cmd("XREADGROUP").arg("GROUP").arg(&self.options.group).arg(&self.name).arg("COUNT").arg(COUNT);
            if waits {
                command.arg("BLOCK").arg(BLOCK_MS);
            }
            command.arg("STREAMS").arg(&self.options.stream).arg(from);
        }
        let replies: Vec<Option<StreamReadReply>> = pipe.query_async(connection).await?;
        Ok(replies.into_iter().flatten().flat_map(|reply| reply.keys).flat_map(|key| key.ids).collect())
    }

    /// Stores what was read, then acknowledges it.
    async fn take(&self, entries: Vec<StreamId>, stop: &CancellationToken) -> Result<(), Trouble> {
        let (mut records, mut stored, mut refused, mut all) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for entry in &entries {
            all.push(entry.id.as_str());
            // What was trimmed while it was pending has no fields any more: nothing can be stored, and nothing is told.
            if entry.map.is_empty() {
                continue;
            }
            match entry.get::<Vec<u8>>(FIELD) {
                Some(data) => match intake::check_text(&data) {
                    Ok(record) => {
                        records.push(record);
                        stored.push(entry.id.as_str());
                    }
                    Err(error) => refused.push((entry, data, error.to_string())),
                },
                None => refused.push((entry, Vec::new(), format!("the entry has no field `{FIELD}`"))),
            }
        }
        let count = records.len();
        loop {
            match self.intake.take(records.clone()).await {
                Ok(new) => {
                    self.counts.taken(count, new);
                    break;
                }
                Err(refusal) => {
                    self.counts.trouble();
                    tracing::warn!("records of the stream `{}` wait: {}", self.options.stream, clean_line(&refusal.to_string()));
                    if rest(REST, stop).await {
                        return Ok(());
                    }
                }
            }
        }
        self.link
            .run(async |connection| {
                let mut pipe = redis::pipe();
                pipe.atomic();
                if !stored.is_empty() {
                    let command = pipe.cmd("XADD").arg(self.options.stored_stream()).arg("MAXLEN").arg("~").arg(TOLD_MAX);
                    command.arg("*").arg(FIELD).arg(stored.join(" ")).ignore();
                }
                for (entry, data, problem) in &refused {
                    let problem = ellipsis(&clean_line(problem), PROBLEM_CHARS_MAX).into_owned();
                    let command = pipe.cmd("XADD").arg(self.options.refused_stream()).arg("MAXLEN").arg("~").arg(REFUSED_MAX).arg("*");
                    command.arg("id").arg(&entry.id).arg(FIELD).arg(data).arg("problem").arg(problem).ignore();
                }
                pipe.cmd("XACK").arg(&self.options.stream).arg(&self.options.group).arg(&all).ignore();
                pipe.query_async::<()>(connection).await
            })
            .await?;
        if !refused.is_empty() {
            self.counts.refused(refused.len());
            tracing::warn!(
                "{} entries of the stream `{}` are no records: they lie in `{}`",
                refused.len(),
                self.options.stream,
                self.options.refused_stream()
            );
        }
        Ok(())
    }

    /// Takes over what others have held for too long.
    async fn claim(&self, stop: &CancellationToken) -> Result<(), Trouble> {
        let mut from = "0-0".to_owned();
        loop {
            let mut command = redis::cmd("XAUTOCLAIM");
            command.arg(&self.options.stream).arg(&self.options.group).arg(&self.name).arg(IDLE_MS).arg(&from).arg("COUNT").arg(COUNT);
            let reply: StreamAutoClaimReply = self.link.run(async |connection| command.query_async(connection).await).await?;
            if !reply.claimed.is_empty() {
                self.take(reply.claimed, stop).await?;
            }
            if reply.next_stream_id == "0-0" || stop.is_cancelled() {
                return Ok(());
            }
            from = reply.next_stream_id;
        }
    }

    /// Trims what all groups have done with. The last entry that was read stays.
    async fn trim(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let mut least: Option<EntryId> = None;
        for (name, state) in groups(connection, &self.options.stream).await? {
            let mut done = state.last_delivered;
            if state.pending > 0 {
                let pending: StreamPendingReply =
                    redis::cmd("XPENDING").arg(&self.options.stream).arg(&name).query_async(connection).await?;
                if let StreamPendingReply::Data(data) = pending {
                    done = done.min(EntryId::parse(&data.start_id).unwrap_or_default());
                }
            }
            least = Some(least.map_or(done, |least| least.min(done)));
        }
        let Some(least) = least.filter(|least| *least > EntryId::default()) else { return Ok(()) };
        redis::cmd("XTRIM").arg(&self.options.stream).arg("MINID").arg("~").arg(least.to_string()).query_async(connection).await
    }
}
