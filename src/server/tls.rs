//! TLS from configured files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of the two files is not named.
    #[error("[server] tls_cert and tls_key go together: only one is set")]
    Half,
    /// A file cannot be read as PEM.
    #[error("{what} `{path}` cannot be read: {reason}")]
    File {
        /// Which of the two.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// They do not fit.
    #[error("the certificate and its key cannot be used")]
    Unfit(#[source] rustls::Error),
}

/// The acceptor for a certificate chain and its key, both in PEM; none where neither is named.
///
/// # Errors
/// When a file cannot be read, or they do not fit.
pub(super) fn acceptor(cert: Option<&Path>, key: Option<&Path>) -> Result<Option<TlsAcceptor>, TlsError> {
    let (cert, key) = match (cert, key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (cert, key),
        _ => return Err(TlsError::Half),
    };
    let failed = |what, path: &Path, reason: String| TlsError::File { what, path: path.to_owned(), reason };
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| failed("tls_cert", cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(failed("tls_cert", cert, "there is no certificate in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| failed("tls_key", key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(TlsError::Unfit)?;
    let mut config = config.with_no_client_auth().with_single_cert(chain, key).map_err(TlsError::Unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}
