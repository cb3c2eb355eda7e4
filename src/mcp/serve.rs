//! Serves on standard streams.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::domain::text::with_causes;
use crate::mcp::server::Service;
use crate::mcp::server::handler::Handler;

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client did not shake hands as MCP asks for.
    #[error("the client's handshake failed: {0}")]
    Handshake(String),
    /// The work of serving broke down.
    #[error("serving broke down")]
    Broken(#[source] tokio::task::JoinError),
}

/// Offers `service` on standard input and output until the client closes its end or `stop`.
///
/// # Errors
/// When the client does not shake hands. A client that goes away before is no error.
pub async fn serve_stdio(service: impl Service, stop: CancellationToken) -> Result<(), ServeError> {
    let (read, write) = rmcp::transport::stdio_pipes();
    serve_on(service, read, write, stop).await
}

/// The same as [`serve_stdio`] on other streams.
///
/// # Errors
/// When the client does not shake hands. A client that goes away before is no error.
pub async fn serve_on<R, W>(service: impl Service, read: R, write: W, stop: CancellationToken) -> Result<(), ServeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let server = Handler::serving(service).stopped_by(stop.clone());
    let running = tokio::select! {
        running = rmcp::serve_server(server, (read, write)) => running,
        () = stop.cancelled() => return Ok(()),
    };
    let running = match running {
        Ok(running) => running,
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(ServeError::Handshake(with_causes(&error))),
    };
    let cancel = running.cancellation_token();
    let stopper = tokio::spawn(async move {
        stop.cancelled().await;
        cancel.cancel();
    });
    let ended = running.waiting().await;
    stopper.abort();
    ended.map(|_| ()).map_err(ServeError::Broken)
}
