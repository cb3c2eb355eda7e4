//! The table in PostgreSQL.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Mutex;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::domain::text::with_causes;
use crate::store::exchange::{CLEAN_MAX, Entry, Error, Exchange, Progress, TIMEOUT};
use crate::store::postgres::plain::Plain;

/// Each statement may fail where another reporter makes the same at the same moment, and is then simply tried again.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS interaction_logs (
        id BIGSERIAL PRIMARY KEY,
        mcp_id TEXT NOT NULL,
        interaction_id TEXT NOT NULL,
        timestamp DOUBLE PRECISION NOT NULL,
        data JSON NOT NULL,
        processed BOOLEAN NOT NULL DEFAULT FALSE,
        record_id TEXT
    );
    ALTER TABLE interaction_logs ADD COLUMN IF NOT EXISTS record_id TEXT;
    CREATE INDEX IF NOT EXISTS interaction_logs_by_mcp ON interaction_logs (mcp_id, timestamp);
    CREATE INDEX IF NOT EXISTS interaction_logs_by_processed ON interaction_logs (processed);
    CREATE UNIQUE INDEX IF NOT EXISTS interaction_logs_by_record ON interaction_logs (record_id);
";

/// Whether all is there: who may insert need not be allowed to make tables.
const READY: &str = "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('interaction_logs') AND attname = 'record_id'";

/// In the order of the records, so that the coordinator meets them in that order.
const INSERT: &str = "
    INSERT INTO interaction_logs (mcp_id, interaction_id, timestamp, data, processed, record_id)
    SELECT m, i, t, d::json, FALSE, r
    FROM unnest($1::text[], $2::text[], $3::float8[], $4::text[], $5::text[]) WITH ORDINALITY AS e (m, i, t, d, r, place)
    ORDER BY place ON CONFLICT (record_id) DO NOTHING";

/// A database.
pub(super) struct PgExchange {
    plain: Plain,
    client: Mutex<Option<Arc<Client>>>,
}

impl PgExchange {
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let plain = Plain::new(url).map_err(|error| {
            // The log's own error speaks of another key.
            Error::Config(with_causes(&error).replace("`[store] url`", "`database_url`"))
        })?;
        Ok(Self { plain, client: Mutex::default() })
    }

    /// The connection, opened now if need be.
    async fn client(&self) -> Result<Arc<Client>, Error> {
        let mut slot = self.client.lock().await;
        if let Some(client) = slot.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let client = self.plain.connect().await.map_err(|error| self.failed(&error))?;
        let ready: i64 = client.query_one(READY, &[]).await.map_err(|error| self.failed(&error))?.get(0);
        if ready == 0 {
            client.batch_execute(TABLES).await.map_err(|error| self.failed(&error))?;
        }
        // An answer means that it is on disk, whatever the server's default.
        client.batch_execute("SET synchronous_commit = on").await.map_err(|error| self.failed(&error))?;
        let client = Arc::new(client);
        *slot = Some(Arc::clone(&client));
        Ok(client)
    }

    fn failed(&self, error: &tokio_postgres::Error) -> Error {
        let told = format!("{}: {}", self.plain.place(), with_causes(error));
        match error.code() {
            Some(&(SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION | SqlState::INSUFFICIENT_PRIVILEGE)) => {
                Error::Login(told)
            }
            _ => Error::Failed(told),
        }
    }

    /// Asks within the time; a connection that was too slow, or failed, is not used again.
    async fn ask<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let done = tokio::time::timeout(TIMEOUT, asked).await;
        let done = done.unwrap_or_else(|_| Err(Error::Failed(format!("{}: no answer within {} s", self.plain.place(), TIMEOUT.as_secs()))));
        if done.is_err() {
            self.client.lock().await.take();
        }
        done
    }
}

impl Exchange for PgExchange {
    fn check(&self) -> BoxFuture<'_, Result<(), Error>> {
        let asked = async move {
            let client = self.client().await?;
            let row = client.query("SELECT 1 FROM interaction_logs LIMIT 1", &[]).await;
            row.map(drop).map_err(|error| self.failed(&error))
        };
        self.ask(asked).boxed()
    }

    fn insert<'a>(&'a self, entries: &'a [Entry]) -> BoxFuture<'a, Result<(), Error>> {
        let asked = async move {
            let client = self.client().await?;
            let column = |pick: fn(&Entry) -> &str| entries.iter().map(pick).collect::<Vec<_>>();
            let times: Vec<f64> = entries.iter().map(|entry| entry.timestamp).collect();
            let (mcp, interactions) = (column(|entry| &entry.mcp_id), column(|entry| &entry.interaction_id));
            let (data, ids) = (column(|entry| &entry.data), column(|entry| &entry.record_id));
            let statement = client.prepare_typed(INSERT, &[]).await.map_err(|error| self.failed(&error))?;
            let done = client.execute(&statement, &[&mcp, &interactions, &times, &data, &ids]).await;
            done.map(drop).map_err(|error| self.failed(&error))
        };
        self.ask(asked).boxed()
    }

    fn progress<'a>(&'a self, record_ids: &'a [String]) -> BoxFuture<'a, Result<Vec<Progress>, Error>> {
        let asked = async move {
            let client = self.client().await?;
            let sql = "SELECT record_id, processed FROM interaction_logs WHERE record_id = ANY ($1)";
            let rows = client.query(sql, &[&record_ids]).await.map_err(|error| self.failed(&error))?;
            let found: HashMap<String, bool> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
            Ok(record_ids.iter().map(|id| Progress::of(found.get(id).copied())).collect())
        };
        self.ask(asked).boxed()
    }

    fn clean<'a>(&'a self, mcp_id: &'a str, before: f64) -> BoxFuture<'a, Result<u64, Error>> {
        let asked = async move {
            let client = self.client().await?;
            let sql = "DELETE FROM interaction_logs WHERE id IN (SELECT id FROM interaction_logs \
                       WHERE mcp_id = $1 AND timestamp < $2 AND processed LIMIT $3)";
            let limit = i64::try_from(CLEAN_MAX).unwrap_or(i64::MAX);
            client.execute(sql, &[&mcp_id, &before, &limit]).await.map_err(|error| self.failed(&error))
        };
        self.ask(asked).boxed()
    }
}
