//! Our tools for other clients, as an MCP server.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::domain::text::with_causes;
use crate::mcp::local::ToolServer;
use crate::tools::Tool;

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

/// Offers `tools` on standard input and output until the client closes its end or `stop`. A tool goes by its own name
/// where that is unique, else by `server__tool`.
///
/// # Errors
/// When the client does not shake hands. A client that goes away before is no error.
pub async fn serve_stdio(tools: Vec<Arc<dyn Tool>>, stop: CancellationToken) -> Result<(), ServeError> {
    let (read, write) = rmcp::transport::stdio_pipes();
    serve_on(tools, read, write, stop).await
}

/// The same as [`serve_stdio`] on other streams.
///
/// # Errors
/// When the client does not shake hands. A client that goes away before is no error.
pub async fn serve_on<R, W>(tools: Vec<Arc<dyn Tool>>, read: R, write: W, stop: CancellationToken) -> Result<(), ServeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let server = ToolServer::new("wakeful", exported(tools)).stopped_by(stop.clone());
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

/// Tools under the names that other clients see.
fn exported(tools: Vec<Arc<dyn Tool>>) -> Vec<(String, Arc<dyn Tool>)> {
    let mut count: HashMap<String, usize> = HashMap::new();
    for tool in &tools {
        *count.entry(tool.info().tool.clone()).or_default() += 1;
    }
    let name = |tool: &Arc<dyn Tool>| {
        let info = tool.info();
        if count.get(&info.tool) == Some(&1) { info.tool.clone() } else { info.name.to_string() }
    };
    tools.into_iter().map(|tool| (name(&tool), tool)).collect()
}
