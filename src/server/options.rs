//! The section `[server]` of the config.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// What varies of the surface for other programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether the terminal surface offers it as well; `wakeful serve` always does. Default false.
    pub enabled: bool,
    /// Where it listens; default 127.0.0.1:8000. Port 0: the system chooses.
    pub listen: SocketAddr,
    /// What a client must show as `Authorization: Bearer`. Required where `listen` is not loopback, and by peers that lend
    /// tools.
    #[serde(skip_serializing)]
    pub token: Option<SecretString>,
    /// A variable of the environment that holds the token.
    pub token_env: Option<String>,
    /// Names under which clients may call it (`Host`) beside those of `listen`.
    pub hosts: Vec<String>,
    /// Web pages that may call it (`Origin`, like `https://app.example`) beside its own.
    pub origins: Vec<String>,
    /// The certificate chain in PEM; with `tls_key` it speaks TLS only.
    pub tls_cert: Option<PathBuf>,
    /// The private key in PEM.
    pub tls_key: Option<PathBuf>,
    /// The most clients of the feed (WebSocket and SSE) at once; default 1,024.
    pub clients_max: usize,
    /// The most connections at once, feed clients included; default 4,096. A further one waits.
    pub connections_max: usize,
    /// The longest message in over WebSocket, in bytes; default 1 MiB.
    pub message_bytes_max: usize,
    /// The longest body of a request, in bytes; default 1 MiB.
    pub body_bytes_max: usize,
    /// How often a WebSocket client is pinged, in seconds; default 20.
    pub ping_seconds: u64,
    /// After that long without a sign of life a WebSocket client is closed, in seconds; default 60.
    pub silence_seconds: u64,
    /// Frames that are kept for clients that lag; default 1,024.
    pub queue_frames: usize,
    /// How long a header may take, and a body, in seconds; default 10.
    pub read_seconds: u64,
    /// Requests a second that one client address may make; 0: any number; default 50.
    pub requests_per_second: u32,
    /// How long a tool of a peer may take, in seconds; default 60.
    pub peer_tool_timeout_seconds: u64,
    /// Chats over HTTP that are answered at once; default 16. A further one is refused for now.
    pub chats_max: usize,
    /// How long the answer of a chat over HTTP may take, in seconds; default 600. The turn is stopped then.
    pub chat_seconds: u64,
    /// How long a call in a chat over HTTP waits for a person's consent before it is refused, in seconds; default 60.
    pub approval_wait_seconds: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: SocketAddr::from(([127, 0, 0, 1], 8_000)),
            token: None,
            token_env: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            tls_cert: None,
            tls_key: None,
            clients_max: 1_024,
            connections_max: 4_096,
            message_bytes_max: 1_024 * 1_024,
            body_bytes_max: 1_024 * 1_024,
            ping_seconds: 20,
            silence_seconds: 60,
            queue_frames: 1_024,
            read_seconds: 10,
            requests_per_second: 50,
            peer_tool_timeout_seconds: 60,
            chats_max: 16,
            chat_seconds: 600,
            approval_wait_seconds: 60,
        }
    }
}
