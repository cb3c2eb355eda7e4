//! Records through a stream of Redis or Valkey.
//!
//! `MAXLEN ~` trims what nobody has read yet, so nothing is added while the group has [`HELD_BACK_AT`] of the cap before it.
//! What was added is asked after: the coordinator tells what its store has ([`StreamOptions::stored_stream`]); of a
//! coordinator that tells nothing, an entry counts as stored once the group has had it and it is no longer pending.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use futures::FutureExt;
use futures::future::BoxFuture;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamPendingCountReply, StreamRangeReply};
use tokio::sync::Mutex;

use crate::interactions::outgoing::Outgoing;
use crate::interactions::streams::{EntryId, FIELD, Link, StreamOptions, first_id, group_state};
use crate::interactions::transport::{STREAM_BATCH_MAX, Settled, Transport, Trouble, Verdict};

/// From which part of the cap on nothing is added, in percent.
const HELD_BACK_AT: usize = 80;

/// The part of the cap that is added at most before the stream is looked at again, in percent: others add as well.
const TRUSTED: usize = 5;

/// Entries of the coordinator's own stream that are read at once.
const TOLD_STEP: usize = 1_000;

/// Entries that are looked for one by one at a time, where nothing was told of them.
const LOOKED_FOR_MAX: usize = 64;

/// Confirmed ids that are remembered; then they are forgotten, and read again where they are asked for.
const TOLD_MAX: usize = 500_000;

/// The transport.
pub struct Redis {
    options: StreamOptions,
    link: Link,
    /// How many may be added before the stream is looked at again.
    room: Mutex<usize>,
    told: Mutex<Told>,
}

/// What the coordinator told.
#[derive(Debug, Default)]
struct Told {
    /// How far its stream was read; none before the first time.
    read: Option<EntryId>,
    /// From where on.
    from: EntryId,
    /// Whether there is such a stream.
    exists: bool,
    ids: HashSet<EntryId>,
}

impl Redis {
    /// Connects with the first use.
    pub fn new(options: StreamOptions) -> Self {
        Self { link: Link::new(options.url.clone()), options, room: Mutex::default(), told: Mutex::default() }
    }

    /// How many entries may be added now.
    async fn look(&self, connection: &mut MultiplexedConnection) -> RedisResult<usize> {
        let limit = self.options.cap * HELD_BACK_AT / 100;
        let length: usize = redis::cmd("XLEN").arg(&self.options.stream).query_async(connection).await?;
        let unread = if length < limit {
            length
        } else {
            // A coordinator that never trims leaves what it has read.
            let state = group_state(connection, &self.options).await?;
            state.and_then(|state| Some(state.lag? + state.pending)).unwrap_or(length)
        };
        Ok(limit.saturating_sub(unread))
    }

    fn full(&self) -> Trouble {
        let message = format!("the stream `{}` is full of what nobody has read yet", self.options.stream);
        Trouble::Busy { after: None, message }
    }

    async fn add(&self, records: &[Outgoing]) -> Result<Vec<Verdict>, Trouble> {
        let mut room = self.room.lock().await;
        if *room < records.len() {
            let found = self.link.run(async |connection| self.look(connection).await).await?;
            if found < records.len() {
                return Err(self.full());
            }
            *room = found.min(self.options.cap * TRUSTED / 100).max(records.len());
        }
        *room -= records.len();
        drop(room);
        let mut pipe = redis::pipe();
        for record in records {
            pipe.cmd("XADD").arg(&self.options.stream).arg("MAXLEN").arg("~").arg(self.options.cap).arg("*").arg(FIELD).arg(&record.text);
        }
        let ids: Vec<String> = self.link.run(async |connection| pipe.query_async(connection).await).await?;
        Ok(ids.into_iter().map(Verdict::Handed).collect())
    }

    async fn look_after(&self, handles: &[String]) -> Result<Vec<Settled>, Trouble> {
        // What is no id of a stream was not handed over here.
        let ids: Vec<Option<EntryId>> = handles.iter().map(|handle| EntryId::parse(handle)).collect();
        let mut open: Vec<EntryId> = ids.iter().flatten().copied().collect();
        open.sort_unstable();
        let Some(least) = open.first().copied() else { return Ok(vec![Settled::Lost; handles.len()]) };
        let asked = self.link.run(async |connection| {
            let mut told = self.told.lock().await;
            self.listen(connection, &mut told, least).await?;
            // What was told is stored, whatever else can be seen. Of the others the oldest are looked for: what lies behind
            // them has its turn when they are settled.
            open.retain(|id| !told.ids.contains(id));
            open.truncate(LOOKED_FOR_MAX);
            let fates = self.look_for(connection, &mut told, &open).await?;
            let settle = |id: &EntryId| match fates.get(id) {
                _ if told.ids.contains(id) => Settled::Stored,
                Some(fate) => *fate,
                None => Settled::Waiting,
            };
            Ok(ids.iter().map(|id| id.as_ref().map_or(Settled::Lost, settle)).collect())
        });
        asked.await
    }

    /// What can be seen of entries of which nothing was told.
    async fn look_for(
        &self,
        connection: &mut MultiplexedConnection,
        told: &mut Told,
        ids: &[EntryId],
    ) -> RedisResult<HashMap<EntryId, Settled>> {
        let (Some(least), Some(greatest)) = (ids.first().copied(), ids.last().copied()) else { return Ok(HashMap::new()) };
        // The order matters: what the group has had and is not pending afterwards was acknowledged, and what was trimmed
        // before the coordinator's stream was read has been told there.
        let state = group_state(connection, &self.options).await?;
        let pending = match state {
            Some(state) => self.pending(connection, least, greatest, state.pending).await?,
            None => HashSet::new(),
        };
        let first = first_id(connection, &self.options.stream).await?;
        let mut pipe = redis::pipe();
        for id in ids.iter().filter(|id| first.is_some_and(|first| **id >= first)) {
            pipe.cmd("XRANGE").arg(&self.options.stream).arg(id.to_string()).arg(id.to_string());
        }
        let found: Vec<StreamRangeReply> = if pipe.is_empty() { Vec::new() } else { pipe.query_async(connection).await? };
        let there: HashSet<EntryId> = found.iter().flat_map(|reply| &reply.ids).filter_map(|entry| EntryId::parse(&entry.id)).collect();
        self.listen(connection, told, least).await?;
        let fate = |id: &EntryId| {
            let delivered = state.is_some_and(|state| *id <= state.last_delivered);
            match (delivered, there.contains(id)) {
                (true, _) if pending.contains(id) => Settled::Waiting,
                (true, false) if told.exists => Settled::Lost,
                (true, _) => Settled::Stored,
                (false, true) => Settled::Waiting,
                (false, false) => Settled::Lost,
            }
        };
        Ok(ids.iter().map(|id| (*id, fate(id))).collect())
    }

    /// What the group has had and not acknowledged, between two ids.
    async fn pending(
        &self,
        connection: &mut MultiplexedConnection,
        least: EntryId,
        greatest: EntryId,
        count: usize,
    ) -> RedisResult<HashSet<EntryId>> {
        let mut command = redis::cmd("XPENDING");
        // More may be pending by now than a moment ago; those beyond the last one that the answer holds are not told, so
        // there must be room for all.
        let room = count + self.options.cap;
        command.arg(&self.options.stream).arg(&self.options.group).arg(least.to_string()).arg(greatest.to_string()).arg(room);
        let reply: StreamPendingCountReply = command.query_async(connection).await?;
        Ok(reply.ids.iter().filter_map(|entry| EntryId::parse(&entry.id)).collect())
    }

    /// Reads on in the coordinator's stream. Entries are told after they were added, so from `least` on is enough.
    async fn listen(&self, connection: &mut MultiplexedConnection, told: &mut Told, least: EntryId) -> RedisResult<()> {
        let stream = self.options.stored_stream();
        if !told.exists || least < told.from || told.ids.len() > TOLD_MAX {
            let exists = redis::cmd("EXISTS").arg(&stream).query_async(connection).await?;
            *told = Told { read: None, from: EntryId(least.0, 0), exists, ids: HashSet::new() };
        }
        while told.exists {
            let from = told.read.map_or_else(|| told.from.to_string(), |read| format!("({read}"));
            let reply: StreamRangeReply =
                redis::cmd("XRANGE").arg(&stream).arg(from).arg("+").arg("COUNT").arg(TOLD_STEP).query_async(connection).await?;
            for entry in &reply.ids {
                told.read = EntryId::parse(&entry.id).or(told.read);
                let ids: Option<String> = entry.get(FIELD);
                told.ids.extend(ids.unwrap_or_default().split(' ').filter_map(EntryId::parse));
            }
            if reply.ids.len() < TOLD_STEP {
                break;
            }
        }
        Ok(())
    }
}

impl Transport for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn batch_max(&self) -> usize {
        STREAM_BATCH_MAX
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Trouble>> {
        // Where the stream is full nothing could be handed over.
        async move {
            let room = self.link.run(async |connection| self.look(connection).await).await?;
            if room == 0 { Err(self.full()) } else { Ok(()) }
        }
        .boxed()
    }

    fn send<'a>(&'a self, records: &'a [Outgoing]) -> BoxFuture<'a, Result<Vec<Verdict>, Trouble>> {
        self.add(records).boxed()
    }

    fn settled<'a>(&'a self, handles: &'a [String]) -> BoxFuture<'a, Result<Vec<Settled>, Trouble>> {
        self.look_after(handles).boxed()
    }
}
