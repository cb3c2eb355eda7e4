//! A connection without the log's tables and settings, for tables that stand beside it.

use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::postgres::address::Address;
use crate::store::postgres::tls;
use crate::store::{Error, StoreUrl};

/// How to reach a database.
pub(in crate::store) struct Plain {
    address: Address,
    tls: MakeRustlsConnect,
}

impl Plain {
    /// Reads the URL; connects to nothing.
    ///
    /// # Errors
    /// When it is no URL of a database, or certificates cannot be read.
    pub(in crate::store) fn new(url: &str) -> Result<Self, Error> {
        let address = Address::new(&StoreUrl::new(url))?;
        let tls = tls::connector(&address.tls)?;
        Ok(Self { address, tls })
    }

    /// Where it is, without secrets.
    pub(in crate::store) fn place(&self) -> &str {
        &self.address.place
    }

    /// Opens a connection. What drives it ends with the client.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(in crate::store) async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.address.config.connect(self.tls.clone()).await?;
        tokio::spawn(async move {
            // Its failure reaches whoever asks the client.
            let _lost = connection.await;
        });
        Ok(client)
    }
}
