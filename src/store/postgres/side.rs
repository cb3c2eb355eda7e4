//! A connection for tables that are not the log's: no schema of its own, no settings but those that a commit needs.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::store::postgres::address::Address;
use crate::store::postgres::{link, tls};
use crate::store::{Cause, Error, StoreUrl};

/// How long opening a connection may take over all addresses.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// How long a lock of others is waited for, in milliseconds.
const LOCK_TIMEOUT_MS: u32 = 5_000;

/// A transaction that its client leaves alone ends after so long: a frozen process does not hold up others.
const IDLE_IN_TRANSACTION_MS: u32 = 60_000;

/// What goes wrong with such a connection.
#[derive(Debug)]
pub(in crate::store) enum Trouble {
    /// The address cannot be used; why.
    Config(String),
    /// The database does not answer, or cannot do it now.
    Away(Cause),
    /// It refuses.
    Refused(Cause),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        let class = error.code().map(|code| code.code().get(..2).unwrap_or_default().to_owned()).unwrap_or_default();
        // Rollbacks to be repeated, lack of resources, and an operator's intervention.
        let for_now = ["40", "53", "57"].contains(&class.as_str()) || error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
        let away = link::is_lost(&error) || for_now;
        let source: Cause = Arc::new(error);
        if away { Self::Away(source) } else { Self::Refused(source) }
    }
}

/// An open connection.
pub(in crate::store) struct Side {
    /// The connection.
    pub(in crate::store) client: Client,
    driver: JoinHandle<()>,
}

impl std::fmt::Debug for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Side")
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // The server ends an open transaction.
        self.driver.abort();
    }
}

/// Opens a connection to the database at `url`; in the schema `schema` where one is given and the URL names none. The schema
/// is made where it is missing.
///
/// # Errors
/// When the address cannot be used, or the database does not answer or refuses.
pub(in crate::store) async fn open(url: &StoreUrl, schema: Option<&str>) -> Result<Side, Trouble> {
    let config_error = |error: Error| match error {
        Error::Address { reason } => Trouble::Config(format!("the database URL {reason}")),
        other => Trouble::Config(other.report()),
    };
    let address = Address::new(url).map_err(config_error)?;
    let tls = tls::connector(&address.tls).map_err(config_error)?;
    let mut config = address.config.clone();
    config.keepalives_idle(link::KEEPALIVE_IDLE);
    let names_schema = address.config.get_options().is_some_and(|options| options.contains("search_path"));
    let opening = async {
        let (client, connection) = config.connect(tls).await?;
        let driver = tokio::spawn(link::drive(connection, None));
        let side = Side { client, driver };
        let settings = format!(
            "SET lock_timeout = {LOCK_TIMEOUT_MS}; SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS};
             SET client_min_messages = warning; SET jit = off;
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        );
        side.client.batch_execute(&settings).await?;
        if let Some(schema) = schema.filter(|_| !names_schema) {
            let schema = schema.replace('"', "\"\"");
            side.client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"; SET search_path TO \"{schema}\"")).await?;
        } else if names_schema {
            side.client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", address.quoted_schema())).await?;
        }
        Ok::<_, Trouble>(side)
    };
    tokio::time::timeout(OPEN_LIMIT, opening).await.unwrap_or_else(|_| {
        let error = std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {} s", OPEN_LIMIT.as_secs()));
        Err(Trouble::Away(Arc::new(error)))
    })
}
