//! One connection to one server, plain or over TLS, for protocols that are not HTTP requests. No proxy.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::net::{Error, install_crypto};

/// What bytes go over, either way.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// An open connection.
pub type Stream = Box<dyn Wire>;

/// Makes connections; certificates are checked as [`crate::net::Client`] does, the roots read at the first use of TLS.
#[derive(Default)]
pub struct Connector {
    tls: OnceCell<Arc<ClientConfig>>,
}

impl Connector {
    /// Connects to `port` of `host` (a name or an address, IPv6 without brackets) within `limit`.
    ///
    /// # Errors
    /// When nobody answers in time, the certificate is not trusted, or the machine has no root certificates.
    pub async fn connect(&self, host: &str, port: u16, tls: bool, limit: Duration) -> std::io::Result<Stream> {
        let connecting = async {
            let tcp = TcpStream::connect((host, port)).await?;
            tcp.set_nodelay(true)?;
            if !tls {
                return Ok(Box::new(tcp) as Stream);
            }
            let config = self.tls.get_or_try_init(config).await.map_err(std::io::Error::other)?;
            let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
            let tls = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?;
            Ok(Box::new(tls) as Stream)
        };
        timeout(limit, connecting).await.unwrap_or_else(|_| Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection in time")))
    }
}

async fn config() -> Result<Arc<ClientConfig>, Error> {
    install_crypto();
    // Reading the roots takes milliseconds.
    let made = tokio::task::spawn_blocking(ClientConfig::with_platform_verifier).await;
    let config = made.map_err(|error| Error::Build(error.to_string()))?.map_err(|error| Error::Build(error.to_string()))?;
    Ok(Arc::new(config))
}
