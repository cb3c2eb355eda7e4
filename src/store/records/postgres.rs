//! The records in PostgreSQL. One task writes, over one connection; questions have another one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::domain::clock::Instant;
use crate::domain::reports::{Figures, Group, KeyInfo, RecordPage, RecordQuery, Statistics, Window};
use crate::store::postgres::side::{self, Side, Trouble};
use crate::store::records::figures::{sorted, with_shares};
use crate::store::records::sqlite::{paged, stored};
use crate::store::records::{GROUP_RECORDS_MAX, QUEUE_MAX, Record, StoredKey};
use crate::store::{Error, StoreUrl};

/// The schema where the URL names none: that of the event log is its own.
const SCHEMA: &str = "wakeful_interactions";

/// How long one statement may take.
const ASK_LIMIT: Duration = Duration::from_mins(1);

/// Held while tables are made, so that two programs that start at once do not collide.
const MAKING_LOCK: i64 = 0x77_6b_69_72_65_63;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS interaction_records (
        seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        record_id TEXT NOT NULL UNIQUE,
        mcp_id TEXT NOT NULL,
        interaction_id TEXT NOT NULL,
        action TEXT NOT NULL,
        timestamp DOUBLE PRECISION NOT NULL,
        received_ms BIGINT NOT NULL,
        adapter TEXT,
        processing_time DOUBLE PRECISION,
        is_failure BOOLEAN NOT NULL,
        data TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS interaction_records_of_mcp ON interaction_records (mcp_id, timestamp);
    CREATE INDEX IF NOT EXISTS interaction_records_of_interaction ON interaction_records (interaction_id, seq);
    CREATE INDEX IF NOT EXISTS interaction_records_by_time ON interaction_records (timestamp);
    CREATE TABLE IF NOT EXISTS reporter_keys (
        hash TEXT PRIMARY KEY,
        prefix TEXT NOT NULL,
        mcp_id TEXT NOT NULL,
        created_ms BIGINT NOT NULL,
        revoked_ms BIGINT
    )";

struct Put {
    records: Vec<Record>,
    at: Instant,
    answer: oneshot::Sender<Result<usize, Error>>,
}

/// The database.
#[derive(Debug, Clone)]
pub(super) struct Records {
    puts: mpsc::Sender<Put>,
    asking: Arc<Link>,
}

/// One connection, made when it is needed and after it was lost.
#[derive(Debug)]
struct Link {
    url: StoreUrl,
    place: String,
    held: Mutex<Option<Side>>,
}

impl Link {
    fn new(url: &StoreUrl) -> Self {
        Self { url: url.clone(), place: url.masked(), held: Mutex::default() }
    }

    fn explain(&self, doing: &'static str, trouble: Trouble) -> Error {
        let place = self.place.clone();
        match trouble {
            Trouble::Config(reason) => Error::Unsupported { what: "interaction records in PostgreSQL", instead: reason },
            Trouble::Away(source) => Error::Records { doing, place, is_transient: true, source },
            Trouble::Refused(source) => Error::Records { doing, place, is_transient: false, source },
        }
    }

    /// Asks; a connection that failed is not used again.
    async fn query(&self, doing: &'static str, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let mut held = self.held.lock().await;
        let asked = async {
            let link = match held.take().filter(|link| !link.client.is_closed()) {
                Some(link) => link,
                None => side::open(&self.url, Some(SCHEMA)).await?,
            };
            let rows = tokio::time::timeout(ASK_LIMIT, link.client.query(sql, values)).await.map_err(|_| {
                let error = std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {} s", ASK_LIMIT.as_secs()));
                Trouble::Away(Arc::new(error))
            })??;
            *held = Some(link);
            Ok(rows)
        };
        asked.await.map_err(|trouble| self.explain(doing, trouble))
    }
}

impl Records {
    pub(super) async fn connect(url: &StoreUrl) -> Result<Self, Error> {
        let asking = Arc::new(Link::new(url));
        let opening = async {
            let link = side::open(url, Some(SCHEMA)).await?;
            let sql = format!("BEGIN; SELECT pg_advisory_xact_lock({MAKING_LOCK}); {TABLES}; COMMIT");
            link.client.batch_execute(&sql).await?;
            Ok(link)
        };
        let link = opening.await.map_err(|trouble| asking.explain("open", trouble))?;
        *asking.held.lock().await = Some(link);
        let (puts, waiting) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(write_all(Link::new(url), waiting));
        Ok(Self { puts, asking })
    }

    pub(super) async fn put(&self, records: Vec<Record>, at: Instant) -> Result<usize, Error> {
        let (answer, answered) = oneshot::channel();
        self.puts.send(Put { records, at, answer }).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }

    pub(super) async fn count(&self) -> Result<u64, Error> {
        let rows = self.asking.query("read", "SELECT count(*) FROM interaction_records", &[]).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0)).map_err(|error| self.asking.explain("read", error.into()))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    pub(super) async fn page(&self, query: RecordQuery) -> Result<RecordPage, Error> {
        let order = if query.oldest_first { ("seq > $6", "ASC") } else { ("seq < $6", "DESC") };
        let wanted = query.wanted();
        let sql = format!(
            "SELECT seq, received_ms, data FROM interaction_records
             WHERE ($1::text IS NULL OR interaction_id = $1) AND ($2::text IS NULL OR mcp_id = $2) AND ($3::text IS NULL OR action = $3)
             AND ($4::float8 IS NULL OR timestamp >= $4) AND ($5::float8 IS NULL OR timestamp < $5) AND ($6::int8 IS NULL OR {})
             ORDER BY seq {} LIMIT {}",
            order.0,
            order.1,
            wanted + 1
        );
        let action = query.action.map(crate::domain::interaction::Action::as_str);
        let (since, until) = (query.since.map(seconds), query.until.map(seconds));
        let cursor = query.cursor.map(|cursor| i64::try_from(cursor).unwrap_or(i64::MAX));
        let rows = self.asking.query("read", &sql, &[&query.interaction_id, &query.mcp_id, &action, &since, &until, &cursor]).await?;
        let read = |row: &Row| {
            let seq = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
            Ok::<_, tokio_postgres::Error>(stored(seq, row.try_get(1)?, row.try_get(2)?))
        };
        let records: Result<Vec<_>, _> = rows.iter().map(read).collect();
        Ok(paged(records.map_err(|error| self.asking.explain("read", error.into()))?, wanted))
    }

    pub(super) async fn statistics(&self, window: Window) -> Result<Statistics, Error> {
        let sql = "SELECT grouping(mcp_id, adapter), coalesce(mcp_id, adapter), count(*),
                count(*) FILTER (WHERE action = 'interaction_start'),
                count(*) FILTER (WHERE action IN ('interaction_complete', 'interaction_error') AND NOT is_failure),
                count(*) FILTER (WHERE is_failure),
                percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY processing_time)
            FROM interaction_records WHERE timestamp >= $1 AND timestamp < $2 AND ($3::text IS NULL OR mcp_id = $3)
            GROUP BY GROUPING SETS ((), (mcp_id), (adapter))";
        let rows = self.asking.query("read", sql, &[&seconds(window.since), &seconds(window.until), &window.mcp_id]).await?;
        let span = window.until.since(window.since).as_secs_f64();
        let mut statistics = Statistics { since: window.since, until: window.until, ..Statistics::default() };
        for row in &rows {
            let (kind, group) = group(row, span).map_err(|error| self.asking.explain("read", error.into()))?;
            // Bits of `grouping`: set where the column plays no part.
            match (kind, group.name.is_empty()) {
                (0b11, _) => statistics.total = group.figures,
                (0b01, _) => statistics.by_mcp.push(group),
                (0b10, false) => statistics.by_adapter.push(group),
                _ => {}
            }
        }
        statistics.by_mcp = sorted(statistics.by_mcp);
        statistics.by_adapter = sorted(statistics.by_adapter);
        Ok(statistics)
    }

    pub(super) async fn purge(&self, before: Instant, limit: usize) -> Result<usize, Error> {
        let sql = "DELETE FROM interaction_records WHERE seq IN
                   (SELECT seq FROM (SELECT seq, received_ms FROM interaction_records ORDER BY seq LIMIT $2) first WHERE received_ms < $1)
                   RETURNING 1";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.asking.query("clean", sql, &[&before.as_millis(), &limit]).await.map(|rows| rows.len())
    }

    pub(super) async fn keys(&self) -> Result<Vec<StoredKey>, Error> {
        let sql = "SELECT hash, prefix, mcp_id, created_ms, revoked_ms FROM reporter_keys ORDER BY created_ms, prefix";
        let rows = self.asking.query("read", sql, &[]).await?;
        let key = |row: &Row| {
            let revoked: Option<i64> = row.try_get(4)?;
            let info = KeyInfo {
                prefix: row.try_get(1)?,
                mcp_id: row.try_get(2)?,
                created_at: Instant::from_millis(row.try_get(3)?),
                revoked_at: revoked.map(Instant::from_millis),
            };
            Ok::<_, tokio_postgres::Error>(StoredKey { info, hash: row.try_get(0)? })
        };
        rows.iter().map(key).collect::<Result<_, _>>().map_err(|error| self.asking.explain("read", error.into()))
    }

    pub(super) async fn add_key(&self, key: StoredKey) -> Result<(), Error> {
        let sql = "INSERT INTO reporter_keys (hash, prefix, mcp_id, created_ms) VALUES ($1, $2, $3, $4)";
        let values: [&(dyn ToSql + Sync); 4] = [&key.hash, &key.info.prefix, &key.info.mcp_id, &key.info.created_at.as_millis()];
        self.asking.query("write to", sql, &values).await.map(drop)
    }

    pub(super) async fn revoke_keys(&self, named: String, at: Instant) -> Result<usize, Error> {
        let sql = "UPDATE reporter_keys SET revoked_ms = $2 WHERE revoked_ms IS NULL AND (prefix = $1 OR mcp_id = $1) RETURNING 1";
        self.asking.query("write to", sql, &[&named, &at.as_millis()]).await.map(|rows| rows.len())
    }
}

/// Writes what waits, together; ends with the last sender.
async fn write_all(link: Link, mut waiting: mpsc::Receiver<Put>) {
    while let Some(first) = waiting.recv().await {
        let mut count = first.records.len();
        let mut puts = vec![first];
        while count < GROUP_RECORDS_MAX
            && let Ok(put) = waiting.try_recv()
        {
            count += put.records.len();
            puts.push(put);
        }
        match write(&link, &puts).await {
            Ok(mut new) => {
                for Put { records, answer, .. } in puts {
                    // What came twice was new once.
                    let count = records.iter().filter(|record| new.remove(&record.record_id)).count();
                    let _nobody_waits = answer.send(Ok(count));
                }
            }
            Err(error) => puts.into_iter().for_each(|put| drop(put.answer.send(Err(error.clone())))),
        }
    }
}

/// Writes a group in one statement, which is a transaction; the ids of what was new.
async fn write(link: &Link, puts: &[Put]) -> Result<HashSet<String>, Error> {
    let sql = "INSERT INTO interaction_records
                   (record_id, mcp_id, interaction_id, action, timestamp, received_ms, adapter, processing_time, is_failure, data)
               SELECT r, m, i, a, t, c, d, p, f, j FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::int8[],
                   $7::text[], $8::float8[], $9::bool[], $10::text[]) WITH ORDINALITY AS new (r, m, i, a, t, c, d, p, f, j, n)
               ORDER BY n ON CONFLICT (record_id) DO NOTHING RETURNING record_id";
    let all = || puts.iter().flat_map(|put| put.records.iter().map(move |record| (record, put.at)));
    let text = |of: fn(&Record) -> &str| all().map(|(record, _)| of(record)).collect::<Vec<_>>();
    let (ids, who) = (text(|one| &one.record_id), text(|one| &one.mcp_id));
    let (what, action) = (text(|one| &one.interaction_id), text(|one| one.action.as_str()));
    let (data, adapter) = (text(|one| &one.data), all().map(|(one, _)| one.adapter.as_deref()).collect::<Vec<_>>());
    let time: Vec<f64> = all().map(|(one, _)| one.timestamp).collect();
    let came: Vec<i64> = all().map(|(_, at)| at.as_millis()).collect();
    let took: Vec<Option<f64>> = all().map(|(one, _)| one.processing_time).collect();
    let failed: Vec<bool> = all().map(|(one, _)| one.is_failure).collect();
    let values: [&(dyn ToSql + Sync); 10] = [&ids, &who, &what, &action, &time, &came, &adapter, &took, &failed, &data];
    let rows = link.query("write to", sql, &values).await?;
    let ids: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
    ids.map_err(|error: tokio_postgres::Error| link.explain("write to", error.into()))
}

fn group(row: &Row, span: f64) -> Result<(i32, Group), tokio_postgres::Error> {
    let count = |at: usize| row.try_get::<_, i64>(at).map(|count| u64::try_from(count).unwrap_or(0));
    let name: Option<String> = row.try_get(1)?;
    let times: Option<Vec<Option<f64>>> = row.try_get(6)?;
    let time = |at: usize| times.as_ref().and_then(|times| times.get(at).copied().flatten());
    let figures = Figures { records: count(2)?, started: count(3)?, completed: count(4)?, failed: count(5)?, ..Figures::default() };
    let figures = Figures { p50_seconds: time(0), p95_seconds: time(1), p99_seconds: time(2), ..with_shares(figures, span) };
    Ok((row.try_get(0)?, Group { name: name.unwrap_or_default(), figures }))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit into the 53 bits of a double")]
fn seconds(at: Instant) -> f64 {
    at.as_millis() as f64 / 1e3
}
