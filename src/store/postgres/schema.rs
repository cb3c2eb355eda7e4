//! Makes the tables and brings them up to date.

use uuid::Uuid;

use crate::store::Error;
use crate::store::postgres::address::Address;
use crate::store::postgres::link::{Failure, Link};

/// Brings the tables from one version to the next: entry 0 makes version 1. Entries are never changed, only added.
const MIGRATIONS: &[&str] = &[TABLES];

/// Everybody who appends holds this until the commit: so positions have no gaps, and whoever sees one sees all before.
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('wakeful log ' || current_schema(), 0))";

/// Begins a transaction whose statements each see what was committed before them.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// Begins a transaction that reads, and sees one moment only.
pub(super) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Ends a transaction.
pub(super) const COMMIT: &str = "COMMIT";

/// The newest version that this program knows.
pub(super) fn newest() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Makes what is missing; gives back the log's epoch.
pub(super) async fn prepare(link: &Link, address: &Address) -> Result<String, Failure> {
    let encoding = link.first("SELECT current_setting('server_encoding')", &[]).await?;
    let encoding: String = encoding.map_or_else(|| Ok(String::new()), |row| row.try_get(0))?;
    if encoding != "UTF8" {
        let reason =
            format!("names a database with the encoding {encoding}: make one with `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`");
        return Err(Error::Address { reason }.into());
    }
    link.simple(BEGIN).await?;
    // The schema may not exist yet, so the lock goes by its name. Another process may be at it right now.
    link.execute("SELECT pg_advisory_xact_lock(hashtextextended('wakeful log ' || $1::text, 0))", &[&address.schema]).await?;
    let known = link.first("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", &[&address.schema]).await?;
    if known.is_none() {
        link.simple(&format!("CREATE SCHEMA {}", address.quoted_schema())).await?;
    }
    let version = recognise(link, address).await?;
    for (_, migration) in (0..).zip(MIGRATIONS).filter(|(from, _)| version <= *from) {
        link.simple(migration).await?;
    }
    if version == 0 {
        let epoch = Uuid::now_v7().to_string();
        link.execute("INSERT INTO wakeful_meta (key, value) VALUES ('epoch', $1)", &[&epoch]).await?;
    }
    if version < newest() {
        let set = "INSERT INTO wakeful_meta (key, value) VALUES ('version', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        link.execute(set, &[&newest().to_string()]).await?;
    }
    let epoch = meta(link, "epoch").await?.unwrap_or_default();
    link.simple(COMMIT).await?;
    Ok(epoch)
}

/// The version of the tables; 0 where there are none.
async fn recognise(link: &Link, address: &Address) -> Result<u32, Failure> {
    let tables = link
        .query(
            "SELECT relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
            &[&address.schema],
        )
        .await?;
    let names = tables.iter().map(|row| row.try_get::<_, String>(0)).collect::<Result<Vec<_>, _>>()?;
    if names.is_empty() {
        return Ok(0);
    }
    let (place, schema) = (address.place.clone(), address.schema.clone());
    if !names.iter().any(|name| name == "wakeful_meta") {
        return Err(Error::ForeignSchema { place, schema }.into());
    }
    match meta(link, "version").await?.and_then(|text| text.parse().ok()) {
        None => Err(Error::ForeignSchema { place, schema }.into()),
        Some(found) if found > newest() => Err(Error::NewerSchema { place, found, newest: newest() }.into()),
        Some(found) => Ok(found),
    }
}

async fn meta(link: &Link, key: &str) -> Result<Option<String>, Failure> {
    let row = link.first("SELECT value FROM wakeful_meta WHERE key = $1", &[&key]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Projections (`sessions`, `tasks`, `inbox`) and working rows. In the queues `free_ms` is when a row can be claimed
/// next: its time, or the end of the lease that somebody holds; none once it is dealt with. Bodies are text, not
/// `jsonb`: what is read is what was written, to the byte, and `jsonb` knows no U+0000. Keys
/// of strangers (URLs) can be longer than an index takes: their hash stands in for them.
const TABLES: &str = r"
CREATE TABLE wakeful_meta (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE events (
    seq     bigint PRIMARY KEY,
    id      text   NOT NULL,
    stream  text   NOT NULL,
    version bigint NOT NULL,
    type    text   NOT NULL,
    at_ms   bigint NOT NULL,
    session text,
    schema  bigint NOT NULL,
    body    text   NOT NULL,
    UNIQUE (stream, version)
);
CREATE INDEX events_by_type ON events (type, seq);
CREATE FUNCTION events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log only grows: an event cannot be changed or deleted';
END $$;
CREATE TRIGGER events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION events_stay();
CREATE FUNCTION events_follow_each_other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM (SELECT min(seq) AS low, max(seq) AS high, count(*) AS many FROM fresh) AS f
        WHERE f.many > 0 AND (f.high - f.low + 1 <> f.many
            OR f.low <> coalesce((SELECT max(e.seq) FROM events e WHERE e.seq < f.low), 0) + 1
            OR f.high <> (SELECT max(e.seq) FROM events e))
    ) OR EXISTS (
        SELECT 1 FROM (SELECT stream, min(version) AS low, max(version) AS high, count(*) AS many FROM fresh GROUP BY stream) AS f
        WHERE f.high - f.low + 1 <> f.many
            OR f.low <> coalesce((SELECT max(e.version) FROM events e WHERE e.stream = f.stream AND e.version < f.low), 0) + 1
            OR f.high <> (SELECT max(e.version) FROM events e WHERE e.stream = f.stream)
    ) THEN
        RAISE EXCEPTION 'the event log only grows: an event takes the next position and the next version';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER events_follow_each_other AFTER INSERT ON events
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION events_follow_each_other();
CREATE TABLE writers (
    writer  text   PRIMARY KEY,
    group_n bigint NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE sessions (
    id          text   PRIMARY KEY,
    title       text   NOT NULL,
    created_ms  bigint NOT NULL,
    updated_ms  bigint NOT NULL,
    prompts     bigint NOT NULL,
    model       text   NOT NULL,
    cwd         text   NOT NULL,
    forked_from text,
    fork_upto   bigint,
    last_seq    bigint NOT NULL
);
CREATE INDEX sessions_by_time ON sessions (updated_ms DESC, last_seq DESC);
CREATE TABLE tasks (
    id          text   PRIMARY KEY,
    seq         bigint NOT NULL,
    user_id     text   NOT NULL,
    kind        text   NOT NULL,
    description text   NOT NULL,
    status      text   NOT NULL,
    row         text   NOT NULL
);
CREATE INDEX tasks_by_creation ON tasks (seq);
CREATE TABLE inbox (
    id         text    PRIMARY KEY,
    seq        bigint  NOT NULL,
    unread     boolean NOT NULL,
    archived   boolean NOT NULL,
    snoozed_ms bigint,
    row        text    NOT NULL
);
CREATE INDEX inbox_by_arrival ON inbox (seq);
CREATE INDEX inbox_in_sight ON inbox (seq, unread, snoozed_ms) WHERE NOT archived;
CREATE TABLE task_work (
    task_id  text PRIMARY KEY,
    wake_ms  bigint,
    extra_ms bigint,
    epoch    bigint NOT NULL,
    owner    text,
    lease_ms bigint,
    work     text NOT NULL,
    free_ms  bigint GENERATED ALWAYS AS (CASE WHEN wake_ms IS NOT NULL THEN greatest(wake_ms, lease_ms) END) STORED
);
CREATE INDEX task_work_due ON task_work (wake_ms) WHERE wake_ms IS NOT NULL;
CREATE INDEX task_work_next ON task_work (free_ms) WHERE free_ms IS NOT NULL;
CREATE TABLE firings (
    n        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       text   NOT NULL UNIQUE,
    key_hash text   NOT NULL UNIQUE,
    priority bigint NOT NULL,
    free_ms  bigint,
    epoch    bigint NOT NULL DEFAULT 0,
    owner    text,
    attempts bigint NOT NULL DEFAULT 0,
    body     text   NOT NULL
);
CREATE INDEX firings_next ON firings (free_ms) WHERE free_ms IS NOT NULL;
CREATE INDEX firings_urgent ON firings (priority DESC, n) WHERE free_ms IS NOT NULL;
CREATE TABLE outbox (
    n         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        text   NOT NULL UNIQUE,
    task_id   text,
    priority  bigint NOT NULL,
    status    text   NOT NULL,
    free_ms   bigint,
    queued_ms bigint NOT NULL,
    epoch     bigint NOT NULL DEFAULT 0,
    owner     text,
    attempts  bigint NOT NULL DEFAULT 0,
    error     text,
    receipt   text,
    body      text   NOT NULL
);
CREATE INDEX outbox_next ON outbox (free_ms) WHERE free_ms IS NOT NULL;
CREATE INDEX outbox_urgent ON outbox (priority DESC, n) WHERE free_ms IS NOT NULL;
CREATE INDEX outbox_by_task ON outbox (task_id, n) WHERE task_id IS NOT NULL;
CREATE INDEX outbox_dead ON outbox (n) WHERE status = 'failed';
CREATE TABLE blobs (
    task_id  text   NOT NULL,
    kind     text   NOT NULL,
    key_hash text   NOT NULL,
    key      text   NOT NULL,
    at_ms    bigint NOT NULL,
    n        bigint GENERATED ALWAYS AS IDENTITY,
    bytes    bytea  NOT NULL,
    PRIMARY KEY (task_id, kind, key_hash, at_ms)
);
CREATE INDEX blobs_by_time ON blobs (task_id, kind, at_ms);
CREATE TABLE leases (
    name     text   PRIMARY KEY,
    owner    text,
    epoch    bigint NOT NULL,
    until_ms bigint NOT NULL
);
";
