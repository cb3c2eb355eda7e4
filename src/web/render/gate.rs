//! The browser's only way out: a SOCKS 5 server (RFC 1928) of our own, which connects only where the address guard lets it.
//!
//! The browser hands over names, so what a name resolves to is checked in the moment of the connection: scripts, frames,
//! workers and web sockets included. Where the user has a proxy, the browser goes through that one instead, and only names
//! and literal addresses are checked, before each request.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::Error;
use crate::net::guard::Guard;

/// Connections at once: a page has some dozens.
const CONNECTIONS_MAX: usize = 256;

/// Answers of RFC 1928, section 6, before an address that nobody reads.
const GRANTED: u8 = 0;
const FAILED: u8 = 1;
const REFUSED: u8 = 2;

/// How a browser gets out.
pub(super) struct Way {
    guard: Guard,
    proxy_server: String,
    /// Whether names are resolved here.
    resolves: bool,
    serving: Option<JoinHandle<()>>,
}

impl Way {
    /// Opens a way through `proxy`, or else a gate of our own.
    pub(super) async fn open(proxy: Option<String>, guard: Guard) -> Result<Self, Error> {
        if let Some(proxy_server) = proxy {
            return Ok(Self { guard, proxy_server, resolves: false, serving: None });
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::Gate)?;
        let proxy_server = format!("socks5://{}", listener.local_addr().map_err(Error::Gate)?);
        let serving = Some(tokio::spawn(serve(listener, guard.clone())));
        Ok(Self { guard, proxy_server, resolves: true, serving })
    }

    /// What the browser is to be told.
    pub(super) fn proxy_server(&self) -> &str {
        &self.proxy_server
    }

    /// Whether a request for `url` may be made; otherwise why not. What needs no network may.
    pub(super) async fn check(&self, url: &str) -> Result<(), String> {
        let uri: http::Uri = match url.split_once(':') {
            Some(("data" | "blob" | "about", _)) => return Ok(()),
            Some(("http" | "https" | "ws" | "wss", _)) => {
                // What follows `?` may hold signs that this parser does not take, and says nothing about the host.
                let until = url.find(['?', '#']).unwrap_or(url.len());
                url[..until].parse().map_err(|_| "its address makes no sense".to_owned())?
            }
            _ => return Err("only pages of the web are read".to_owned()),
        };
        let host = uri.host().unwrap_or_default();
        if !self.resolves {
            return self.guard.check_host(host).map_err(|refusal| refusal.to_string());
        }
        match self.guard.resolve_host(host, 0).await {
            Err(error) if error.get_ref().is_some() => Err(error.to_string()),
            // A name without an address is the browser's to tell.
            _ => Ok(()),
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn serve(listener: TcpListener, guard: Guard) {
    let mut open = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        while open.try_join_next().is_some() || open.len() >= CONNECTIONS_MAX && open.join_next().await.is_some() {}
        let guard = guard.clone();
        open.spawn(async move {
            // A connection that breaks is the browser's to tell.
            let _ = connection(stream, &guard).await;
        });
    }
}

async fn connection(mut browser: TcpStream, guard: &Guard) -> std::io::Result<()> {
    let [_version, methods] = read(&mut browser).await?;
    browser.read_exact(&mut vec![0; usize::from(methods)]).await?;
    browser.write_all(&[5, 0]).await?;
    let [_version, command, _reserved, kind] = read(&mut browser).await?;
    let host = match kind {
        1 => Ipv4Addr::from(read::<4>(&mut browser).await?).to_string(),
        4 => Ipv6Addr::from(read::<16>(&mut browser).await?).to_string(),
        _ => {
            let [length] = read(&mut browser).await?;
            let mut name = vec![0; usize::from(length)];
            browser.read_exact(&mut name).await?;
            String::from_utf8_lossy(&name).into_owned()
        }
    };
    let port = u16::from_be_bytes(read(&mut browser).await?);
    let found = guard.resolve_host(&host, port).await;
    let connected = match (command, found) {
        (1, Ok(addresses)) => connect(&addresses).await.map_err(|_| FAILED),
        (1, Err(error)) if error.get_ref().is_some() => Err(REFUSED),
        _ => Err(FAILED),
    };
    let answer = connected.as_ref().map_or_else(|code| *code, |_| GRANTED);
    browser.write_all(&[5, answer, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    if let Ok(mut server) = connected {
        tokio::io::copy_bidirectional(&mut browser, &mut server).await?;
    }
    Ok(())
}

async fn connect(addresses: &[SocketAddr]) -> std::io::Result<TcpStream> {
    TcpStream::connect(addresses).await
}

async fn read<const N: usize>(stream: &mut TcpStream) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
