//! The transport of MCP 2024-11-05, which rmcp no longer has: messages come on an event stream, and go by POST to an
//! address that the stream's first event names.
//!
//! The address must be of the stream's own origin, or a server could have our key sent elsewhere. When the stream ends,
//! the connection is lost.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use futures::StreamExt;
use http::{HeaderName, HeaderValue, Uri};
use rmcp::model::ServerJsonRpcMessage;
use rmcp::service::{RoleClient, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::streamable_http_client::{StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::mcp::error::Error;
use crate::mcp::http::{Fault, Guarded, Request, refused};
use crate::mcp::lines::{Parsed, parse};
use crate::mcp::link::Down;

/// Messages that may wait to be handled.
const WAITING_MAX: usize = 64;

/// Messages over an event stream and by POST.
pub(super) struct SseTransport<C> {
    client: Guarded<C>,
    address: Arc<str>,
    api_key: Option<String>,
    headers: HashMap<HeaderName, HeaderValue>,
    sender: mpsc::WeakSender<ServerJsonRpcMessage>,
    messages: mpsc::Receiver<ServerJsonRpcMessage>,
    _pump: AbortOnDropHandle<()>,
}

/// Opens the stream and waits for the address that it names first.
pub(super) async fn open<C: StreamableHttpClient + Sync>(
    client: Guarded<C>,
    request: &Request,
    down: &Arc<Down>,
) -> Result<SseTransport<C>, Error> {
    let opened = client.get_stream(Arc::clone(&request.url), None, None, request.api_key.clone(), request.headers.clone()).await;
    let mut stream = opened.map_err(|error| refused(&error))?;
    let (sender, messages) = mpsc::channel(WAITING_MAX);
    let address = loop {
        match stream.next().await {
            Some(Ok(event)) if event.event.as_deref() == Some("endpoint") => {
                break resolve(&request.url, event.data.as_deref().unwrap_or_default().trim()).map_err(Error::Handshake)?;
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(Error::Handshake(format!("its event stream broke: {error}"))),
            None => return Err(Error::Handshake("its event stream ended before it named an address".to_owned())),
        }
    };
    let down = Arc::clone(down);
    let weak = sender.downgrade();
    let pump = tokio::spawn(async move {
        let reason = loop {
            match stream.next().await {
                Some(Ok(event)) if event.event.as_deref().is_none_or(|kind| kind == "message") => {
                    if let Parsed::Messages(messages) = parse(event.data.as_deref().unwrap_or_default().as_bytes()) {
                        for message in messages {
                            if sender.send(message).await.is_err() {
                                return;
                            }
                        }
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => break format!("the event stream broke: {error}"),
                None => break "the server ended the event stream".to_owned(),
            }
        };
        down.raise(reason);
    });
    Ok(SseTransport {
        client,
        address: address.into(),
        api_key: request.api_key.clone(),
        headers: request.headers.clone(),
        sender: weak,
        messages,
        _pump: AbortOnDropHandle::new(pump),
    })
}

impl<C: StreamableHttpClient + Sync> Transport<RoleClient> for SseTransport<C> {
    type Error = StreamableHttpError<Fault>;

    fn send(&mut self, message: TxJsonRpcMessage<RoleClient>) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let client = self.client.clone();
        let (address, api_key, headers) = (Arc::clone(&self.address), self.api_key.clone(), self.headers.clone());
        let sender = self.sender.clone();
        async move {
            let forward = async |message| {
                if let Some(sender) = sender.upgrade() {
                    // It fails only when the connection is being closed.
                    let _ = sender.send(message).await;
                }
            };
            match client.post_message(address, message, None, api_key, headers).await {
                Ok(StreamableHttpPostResponse::Json(message, _)) => forward(message).await,
                Ok(StreamableHttpPostResponse::Sse(mut stream, _)) => {
                    while let Some(Ok(event)) = stream.next().await {
                        if let Parsed::Messages(messages) = parse(event.data.as_deref().unwrap_or_default().as_bytes()) {
                            for message in messages {
                                forward(message).await;
                            }
                        }
                    }
                }
                // A bare "Accepted" as plain text.
                Ok(_) | Err(StreamableHttpError::UnexpectedContentType(_)) => {}
                Err(error) => return Err(error),
            }
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        self.messages.recv().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.messages.close();
        Ok(())
    }
}

/// The address for POST: `reference` as the stream at `base` names it, of the same origin.
fn resolve(base: &str, reference: &str) -> Result<String, String> {
    let base = Uri::from_str(base).map_err(|error| format!("its own address is wrong: {error}"))?;
    let (Some(scheme), Some(authority)) = (base.scheme_str(), base.authority()) else { return Err("its own address is no URL".to_owned()) };
    let origin = format!("{scheme}://{authority}");
    let absolute = match reference {
        "" => return Err("its event stream names no address".to_owned()),
        _ if reference.contains("://") => reference.to_owned(),
        _ if reference.starts_with("//") => format!("{scheme}:{reference}"),
        _ if reference.starts_with('/') => format!("{origin}{reference}"),
        _ if reference.starts_with('?') => format!("{origin}{}{reference}", base.path()),
        _ => format!("{origin}{}/{reference}", base.path().rsplit_once('/').map_or("", |(folder, _)| folder)),
    };
    let resolved = Uri::from_str(&absolute).map_err(|_| "its event stream names an address that is none".to_owned())?;
    if origin_of(&resolved) != origin_of(&base) {
        return Err("its event stream names an address of another origin, which is not trusted".to_owned());
    }
    Ok(absolute)
}

fn origin_of(uri: &Uri) -> Option<(String, String, u16)> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_resolved_within_the_origin_only() {
        let check = |base: &str, reference: &str, expected: Option<&str>| {
            assert_eq!(resolve(base, reference).ok().as_deref(), expected, "{base} {reference}");
        };
        check("http://h:1/sse", "/messages?id=1", Some("http://h:1/messages?id=1"));
        check("http://h:1/a/sse", "messages", Some("http://h:1/a/messages"));
        check("http://h:1/sse", "?id=1", Some("http://h:1/sse?id=1"));
        check("http://h/sse", "http://h:80/m", Some("http://h:80/m"));
        check("http://h/sse", "HTTP://H/m", Some("HTTP://H/m"));
        check("http://h/sse", "http://evil/m", None);
        check("http://h/sse", "//evil/m", None);
        check("http://h/sse", "http://h@evil/m", None);
        check("http://h/sse", "https://h/m", None);
        check("http://h/sse", "http://h:81/m", None);
        check("http://h/sse", "", None);
    }
}
