//! The table in MySQL (8.0 and later) or MariaDB (10.6 and later: earlier ones know no `SKIP LOCKED`).

use std::collections::HashMap;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts, Value};
use tokio::sync::OnceCell;

use crate::store::interaction_logs::place::Secret;
use crate::store::interaction_logs::{Error, Row, Waiting, away, failed, in_order};

/// How long one question may take, a new connection included.
const ASK_LIMIT: Duration = Duration::from_secs(30);

/// Connections that are open at the same time.
const LINKS_MAX: usize = 4;

/// Rows of one statement: 65,535 values are the protocol's limit, and 16 MiB MariaDB's default for a packet.
const ROWS_MAX: usize = 200;

/// Numbers of the server that say "later": too many connections, shutdown, lock wait, deadlock, full table or disk.
const FOR_NOW: &[u16] = &[1021, 1040, 1053, 1114, 1203, 1205, 1213, 1317, 3572];

/// `record_id` is binary, for every collation takes some different texts for equal ones. 800 bytes: 200 characters.
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS interaction_logs (
        id BIGINT AUTO_INCREMENT PRIMARY KEY,
        mcp_id VARCHAR(200) CHARACTER SET utf8mb4 NOT NULL,
        interaction_id VARCHAR(200) CHARACTER SET utf8mb4 NOT NULL,
        timestamp DOUBLE NOT NULL,
        data JSON NOT NULL,
        processed BOOLEAN NOT NULL DEFAULT FALSE,
        record_id VARBINARY(800) NULL,
        problem TEXT CHARACTER SET utf8mb4 NULL,
        UNIQUE INDEX interaction_logs_by_record (record_id),
        INDEX interaction_logs_by_mcp (mcp_id, timestamp),
        INDEX interaction_logs_by_processed (processed)
    ) ENGINE = InnoDB";

/// Columns that a table of others lacks.
const COLUMNS: &[(&str, &str)] = &[
    ("record_id", "ADD COLUMN record_id VARBINARY(800) NULL, ADD UNIQUE INDEX interaction_logs_by_record (record_id)"),
    ("problem", "ADD COLUMN problem TEXT CHARACTER SET utf8mb4 NULL"),
];

/// A row as it was found: number, `record_id`, record, interaction.
type Found = (i64, Option<Vec<u8>>, Option<String>, Option<String>);

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    pool: Pool,
    place: String,
    made: OnceCell<()>,
}

/// Rows that are locked by an open transaction. Dropped, the pool rolls it back.
#[derive(Debug)]
pub(super) struct Claim {
    link: Conn,
    place: String,
}

fn explain(doing: &'static str, place: &str, error: mysql_async::Error) -> Error {
    match &error {
        mysql_async::Error::Server(server) if FOR_NOW.contains(&server.code) => away(place, error),
        mysql_async::Error::Io(mysql_async::IoError::Tls(_)) | mysql_async::Error::Server(_) | mysql_async::Error::Url(_) => {
            failed(doing, place, error)
        }
        _ => away(place, error),
    }
}

/// The answer of `work`, which must not take for ever.
async fn within<T>(doing: &'static str, place: &str, work: impl Future<Output = mysql_async::Result<T>> + Send) -> Result<T, Error> {
    if let Ok(answer) = tokio::time::timeout(ASK_LIMIT, work).await {
        return answer.map_err(|error| explain(doing, place, error));
    }
    let text = format!("no answer within {} s", ASK_LIMIT.as_secs());
    Err(away(place, std::io::Error::new(std::io::ErrorKind::TimedOut, text)))
}

impl Table {
    pub(super) fn new(url: &Secret, place: String) -> Result<Self, Error> {
        let opts = Opts::from_url(&url.0).map_err(|error| {
            let what = match error {
                mysql_async::UrlError::UnknownParameter { param } => format!("has a parameter that is not known: `{param}`"),
                mysql_async::UrlError::InvalidParamValue { param, .. } => format!("has a bad value for the parameter `{param}`"),
                _ => "cannot be read".to_owned(),
            };
            Error::Config(format!("the URL of the database `{place}` {what}"))
        })?;
        let constraints = PoolConstraints::new(0, LINKS_MAX).unwrap_or_default();
        let pool = PoolOpts::default().with_constraints(constraints);
        // A time zone plays no part: times are numbers. Reading only what is committed keeps the locks of a poll to its rows.
        let setup = vec!["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned()];
        let opts = OptsBuilder::from_opts(opts).pool_opts(pool).setup(setup).prefer_socket(false).tcp_nodelay(true);
        Ok(Self { pool: Pool::new(opts), place, made: OnceCell::new() })
    }

    async fn link(&self) -> mysql_async::Result<Conn> {
        let mut link = self.pool.get_conn().await?;
        self.made.get_or_try_init(|| make(&mut link)).await?;
        Ok(link)
    }

    pub(super) async fn insert(&self, rows: &[Row]) -> Result<(), Error> {
        let work = async {
            let mut link = self.link().await?;
            let mut transaction = link.start_transaction(mysql_async::TxOpts::default()).await?;
            for rows in rows.chunks(ROWS_MAX) {
                // `IGNORE` would also pass over what does not fit.
                let sql = format!(
                    "INSERT INTO interaction_logs (record_id, mcp_id, interaction_id, timestamp, data) VALUES {} \
                     ON DUPLICATE KEY UPDATE interaction_logs.id = interaction_logs.id",
                    vec!["(?,?,?,?,?)"; rows.len()].join(",")
                );
                let values: Vec<Value> = rows
                    .iter()
                    .flat_map(|row| {
                        let text = |text: &str| Value::Bytes(text.as_bytes().to_vec());
                        [text(&row.record_id), text(&row.mcp_id), text(&row.interaction_id), Value::Double(row.timestamp), text(&row.data)]
                    })
                    .collect();
                transaction.exec_drop(sql, Params::Positional(values)).await?;
            }
            transaction.commit().await
        };
        within("write to", &self.place, work).await
    }

    pub(super) async fn settled(&self, record_ids: &[String]) -> Result<HashMap<String, bool>, Error> {
        let work = async {
            let mut link = self.link().await?;
            let mut found = HashMap::with_capacity(record_ids.len());
            for ids in record_ids.chunks(ROWS_MAX) {
                let sql =
                    format!("SELECT record_id, processed FROM interaction_logs WHERE record_id IN ({})", vec!["?"; ids.len()].join(","));
                let values = ids.iter().map(|id| Value::Bytes(id.as_bytes().to_vec())).collect();
                let rows: Vec<(Vec<u8>, bool)> = link.exec(sql, Params::Positional(values)).await?;
                found.extend(rows.into_iter().map(|(id, processed)| (String::from_utf8_lossy(&id).into_owned(), processed)));
            }
            Ok(found)
        };
        within("read", &self.place, work).await
    }

    pub(super) async fn poll(&self, limit: usize) -> Result<(Vec<Waiting>, Claim), Error> {
        let work = async {
            let mut link = self.link().await?;
            link.query_drop("START TRANSACTION").await?;
            let sql = "SELECT id, record_id, CAST(data AS CHAR), interaction_id FROM interaction_logs \
                       WHERE processed = FALSE AND problem IS NULL ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED";
            let rows: Vec<Found> = link.exec(sql, (limit as u64,)).await?;
            let last = rows.last().map(|(id, ..)| *id);
            let sql = "SELECT id, COALESCE(interaction_id, '') FROM interaction_logs \
                       WHERE processed = FALSE AND problem IS NULL AND id <= ? ORDER BY id";
            let all: Vec<(i64, String)> = match last {
                Some(last) => link.exec(sql, (last,)).await?,
                None => Vec::new(),
            };
            Ok((rows, all, link))
        };
        let (rows, all, link) = within("read", &self.place, work).await?;
        let row = |(id, record_id, data, interaction_id): Found| Waiting {
            id,
            interaction_id: interaction_id.unwrap_or_default(),
            record_id: record_id.map(|id| String::from_utf8_lossy(&id).into_owned()),
            data: data.unwrap_or_default(),
        };
        Ok((in_order(rows.into_iter().map(row).collect(), &all), Claim { link, place: self.place.clone() }))
    }

    pub(super) async fn purge(&self, before: f64, limit: usize) -> Result<usize, Error> {
        let work = async {
            let mut link = self.link().await?;
            let sql = "DELETE FROM interaction_logs WHERE processed = TRUE AND timestamp < ? ORDER BY id LIMIT ?";
            link.exec_drop(sql, (before, limit as u64)).await?;
            Ok(usize::try_from(link.affected_rows()).unwrap_or(usize::MAX))
        };
        within("clean", &self.place, work).await
    }
}

impl Claim {
    pub(super) async fn mark(mut self, processed: Vec<i64>, problems: Vec<(i64, String)>) -> Result<(), Error> {
        let place = self.place.clone();
        let work = async {
            for ids in processed.chunks(ROWS_MAX * 5) {
                let sql = format!("UPDATE interaction_logs SET processed = TRUE WHERE id IN ({})", vec!["?"; ids.len()].join(","));
                self.link.exec_drop(sql, Params::Positional(ids.iter().map(|id| Value::Int(*id)).collect())).await?;
            }
            for (id, problem) in problems {
                self.link.exec_drop("UPDATE interaction_logs SET problem = ? WHERE id = ?", (problem, id)).await?;
            }
            self.link.query_drop("COMMIT").await
        };
        within("write to", &place, work).await
    }
}

/// Makes the table, or the columns that it lacks. Each is looked for first: a reporter may not be allowed to make any.
async fn make(link: &mut Conn) -> mysql_async::Result<()> {
    let known = "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'interaction_logs'";
    let columns: Vec<String> = link.query(known).await?;
    if columns.is_empty() {
        return link.query_drop(TABLE).await;
    }
    for (name, change) in COLUMNS {
        if !columns.iter().any(|column| column.eq_ignore_ascii_case(name)) {
            let made = link.query_drop(format!("ALTER TABLE interaction_logs {change}")).await;
            // 1060: another program made it meanwhile.
            let both = matches!(&made, Err(mysql_async::Error::Server(error)) if error.code == 1060);
            if !both {
                made?;
            }
        }
    }
    Ok(())
}
