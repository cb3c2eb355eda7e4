//! Encrypts connections with rustls, as the URL's `sslmode` wants it.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::postgres::address::Tls;
use crate::store::{Cause, Error};

/// What encrypts connections; reads the authorities' certificates from the disk.
///
/// # Errors
/// When they cannot be read, or there are none.
pub(super) fn connector(tls: &Tls) -> Result<MakeRustlsConnect, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Address { reason: format!("asks for encryption, which cannot be had: {error}") })?;
    let config = match tls {
        Tls::Off | Tls::Offered => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth(),
        Tls::Proven(Some(file)) => {
            let roots = authorities(file).map_err(|error| Error::Address {
                reason: format!("names certificates that cannot be read (`sslrootcert`, `{}`): {error}", file.display()),
            })?;
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Tls::Proven(None) => {
            let found = MakeRustlsConnect::with_native_certs().map_err(|_none| Error::Address {
                reason: "asks for a proven server, but this system has no certificates: install `ca-certificates`, or name a file \
                         with `sslrootcert`"
                    .to_owned(),
            })?;
            return Ok(found.0);
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(file: &Path) -> Result<RootCertStore, Cause> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| Arc::new(error) as Cause)? {
        roots.add(certificate.map_err(|error| Arc::new(error) as Cause)?).map_err(|error| Arc::new(error) as Cause)?;
    }
    if roots.is_empty() {
        return Err(Arc::new(std::io::Error::other("no certificate in it")));
    }
    Ok(roots)
}

/// Takes any certificate, as libpq does where `sslmode` does not ask for proof: the line is encrypted, no more.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
