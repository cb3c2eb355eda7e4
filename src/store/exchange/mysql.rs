//! The table in MySQL and MariaDB.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts, Value};

use crate::domain::text::with_causes;
use crate::store::exchange::{CLEAN_MAX, Entry, Error, Exchange, Progress, TIMEOUT};

/// Names are of a length that a unique index takes in every version and row format; ids are compared byte by byte.
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS interaction_logs (
        id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        mcp_id VARCHAR(200) NOT NULL,
        interaction_id VARCHAR(200) NOT NULL,
        `timestamp` DOUBLE NOT NULL,
        data JSON NOT NULL,
        processed BOOLEAN NOT NULL DEFAULT FALSE,
        record_id VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
        INDEX interaction_logs_by_mcp (mcp_id, `timestamp`),
        INDEX interaction_logs_by_processed (processed),
        UNIQUE INDEX interaction_logs_by_record (record_id)
    ) DEFAULT CHARACTER SET utf8mb4";

const HAS_TABLE: &str =
    "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name = 'interaction_logs'";

const HAS_KEY: &str = "SELECT count(*) FROM information_schema.columns WHERE table_schema = database() \
    AND table_name = 'interaction_logs' AND column_name = 'record_id'";

const ADD_KEY: &str = "ALTER TABLE interaction_logs ADD COLUMN record_id VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, \
    ADD UNIQUE INDEX interaction_logs_by_record (record_id)";

/// A database.
pub(super) struct MyExchange {
    pool: Pool,
    place: String,
    ready: AtomicBool,
}

impl MyExchange {
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let wrong = || Error::Config("`database_url` cannot be read: write `mysql://USER:PASSWORD@HOST:3306/DATABASE`".to_owned());
        // MariaDB's own scheme means the same.
        let url = url.split_once("://").map(|(_, rest)| format!("mysql://{rest}")).ok_or_else(wrong)?;
        let parts = url::Url::parse(&url).map_err(|_may_hold_the_password| wrong())?;
        let host = parts.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let name = parts.path().trim_matches('/');
        if name.is_empty() {
            return Err(Error::Config("`database_url` names no database: write `mysql://USER:PASSWORD@HOST:3306/DATABASE`".to_owned()));
        }
        let place = format!("mysql://{host}:{}/{name}", parts.port().unwrap_or(3306));
        let opts = Opts::from_url(&url).map_err(|_may_hold_the_password| wrong())?;
        let constraints = PoolConstraints::new(0, 2).unwrap_or_default();
        let opts = OptsBuilder::from_opts(opts).pool_opts(PoolOpts::default().with_constraints(constraints)).tcp_nodelay(true);
        Ok(Self { pool: Pool::new(opts), place, ready: AtomicBool::new(false) })
    }

    async fn connection(&self) -> Result<Conn, Error> {
        let mut connection = self.pool.get_conn().await.map_err(|error| self.failed(&error))?;
        if !self.ready.load(Ordering::Relaxed) {
            prepare(&mut connection).await.map_err(|error| self.failed(&error))?;
            self.ready.store(true, Ordering::Relaxed);
        }
        Ok(connection)
    }

    fn failed(&self, error: &mysql_async::Error) -> Error {
        let told = format!("{}: {}", self.place, with_causes(error));
        match error {
            // Access denied: for this user, to this database, for this table.
            mysql_async::Error::Server(server) if [1044, 1045, 1142, 1698].contains(&server.code) => Error::Login(told),
            _ => Error::Failed(told),
        }
    }

    async fn ask<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let done = tokio::time::timeout(TIMEOUT, asked).await;
        done.unwrap_or_else(|_| Err(Error::Failed(format!("{}: no answer within {} s", self.place, TIMEOUT.as_secs()))))
    }
}

/// Who may insert need not be allowed to make tables: nothing is made that is there.
async fn prepare(connection: &mut Conn) -> Result<(), mysql_async::Error> {
    if connection.query_first::<u64, _>(HAS_TABLE).await? == Some(0) {
        connection.query_drop(TABLE).await?;
    }
    if connection.query_first::<u64, _>(HAS_KEY).await? == Some(0) {
        connection.query_drop(ADD_KEY).await?;
    }
    Ok(())
}

impl Exchange for MyExchange {
    fn check(&self) -> BoxFuture<'_, Result<(), Error>> {
        let asked = async {
            let mut connection = self.connection().await?;
            let row = connection.query_first::<u64, _>("SELECT 1 FROM interaction_logs LIMIT 1").await;
            row.map(drop).map_err(|error| self.failed(&error))
        };
        self.ask(asked).boxed()
    }

    fn insert<'a>(&'a self, entries: &'a [Entry]) -> BoxFuture<'a, Result<(), Error>> {
        let asked = async {
            if entries.is_empty() {
                return Ok(());
            }
            let mut connection = self.connection().await?;
            let places = vec!["(?, ?, ?, ?, FALSE, ?)"; entries.len()].join(", ");
            let sql = format!(
                "INSERT INTO interaction_logs (mcp_id, interaction_id, `timestamp`, data, processed, record_id) VALUES {places} \
                 ON DUPLICATE KEY UPDATE interaction_logs.record_id = interaction_logs.record_id"
            );
            let value = |entry: &Entry| -> [Value; 5] {
                let text = |text: &str| Value::Bytes(text.as_bytes().to_vec());
                [
                    text(&entry.mcp_id),
                    text(&entry.interaction_id),
                    Value::Double(entry.timestamp),
                    text(&entry.data),
                    text(&entry.record_id),
                ]
            };
            let values = Params::Positional(entries.iter().flat_map(value).collect());
            connection.exec_drop(sql, values).await.map_err(|error| self.failed(&error))
        };
        self.ask(asked).boxed()
    }

    fn progress<'a>(&'a self, record_ids: &'a [String]) -> BoxFuture<'a, Result<Vec<Progress>, Error>> {
        let asked = async {
            if record_ids.is_empty() {
                return Ok(Vec::new());
            }
            let mut connection = self.connection().await?;
            let places = vec!["?"; record_ids.len()].join(", ");
            let sql = format!("SELECT record_id, processed FROM interaction_logs WHERE record_id IN ({places})");
            let values = Params::Positional(record_ids.iter().map(|id| Value::Bytes(id.as_bytes().to_vec())).collect());
            let rows: Vec<(String, bool)> = connection.exec(sql, values).await.map_err(|error| self.failed(&error))?;
            let found: HashMap<String, bool> = rows.into_iter().collect();
            Ok(record_ids.iter().map(|id| Progress::of(found.get(id).copied())).collect())
        };
        self.ask(asked).boxed()
    }

    fn clean<'a>(&'a self, mcp_id: &'a str, before: f64) -> BoxFuture<'a, Result<u64, Error>> {
        let asked = async move {
            let mut connection = self.connection().await?;
            let sql = format!("DELETE FROM interaction_logs WHERE mcp_id = ? AND `timestamp` < ? AND processed LIMIT {CLEAN_MAX}");
            connection.exec_drop(sql, (mcp_id, before)).await.map_err(|error| self.failed(&error))?;
            Ok(connection.affected_rows())
        };
        self.ask(asked).boxed()
    }
}
