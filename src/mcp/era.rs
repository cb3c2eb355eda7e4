//! The two eras of MCP: with a handshake (`initialize`, up to 2025-11-25) and without (`server/discover`, 2026-07-28).
//!
//! A server's era is found out by asking: the first message is `server/discover`. A server that refuses it in clear words
//! gets `initialize` on the same connection. One that says nothing for [`PROBE_LIMIT`], ends, or answers with anything else
//! is connected anew, with `initialize` at once; a program that says nothing may only be slow, so that it is kept until one
//! of the two has come to terms. What was found is remembered, so that it is asked once.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::ProtocolVersion;
use rmcp::service::{ClientInitializeError, ClientLifecycleMode, RoleClient, RunningService, serve_client_with_lifecycle};
use rmcp::transport::Transport;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::mcp::handler::Handler;
use crate::mcp::link::Watched;

/// How long the answer to `server/discover` is waited for where the era is unknown.
pub(super) const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// The revision without a handshake.
pub(super) const MODERN: ProtocolVersion = ProtocolVersion::V_2026_07_28;

/// The newest revision with a handshake.
pub(super) const LEGACY: ProtocolVersion = ProtocolVersion::LATEST_WITH_INITIALIZE;

/// How client and server come to terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Era {
    /// Without a handshake, each request tells all (2026-07-28).
    Modern,
    /// With `initialize` (2025-11-25 and older).
    Legacy,
}

impl Era {
    /// The name on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Modern => "modern",
            Self::Legacy => "legacy",
        }
    }

    /// The era of a revision.
    pub(super) fn of(version: &ProtocolVersion) -> Self {
        if version.has_initialize() { Self::Legacy } else { Self::Modern }
    }
}

/// How a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeting {
    /// `server/discover`, and `initialize` where that is refused.
    Probe,
    /// `server/discover` alone.
    Discover,
    /// `initialize` alone.
    Initialize,
}

/// The greetings to try, in this order, each on a connection of its own.
pub(super) fn greetings(wanted: Option<Era>, last: Option<Era>) -> &'static [Greeting] {
    match (wanted, last) {
        (Some(Era::Modern), _) => &[Greeting::Discover],
        (Some(Era::Legacy), _) => &[Greeting::Initialize],
        // It may have been renewed since.
        (None, Some(Era::Legacy)) => &[Greeting::Initialize, Greeting::Probe],
        (None, Some(Era::Modern) | None) => &[Greeting::Probe, Greeting::Initialize],
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Unshaken {
    /// No answer to the first message in [`PROBE_LIMIT`].
    Late,
    /// It speaks a revision that is not known here.
    Unknown(ProtocolVersion),
    Failed(Box<ClientInitializeError>),
}

/// Greets the server behind `transport`; a probe waits for the first answer at most `patience`.
pub(super) async fn shake<T>(
    greeting: Greeting,
    handler: Handler,
    transport: Watched<T>,
    patience: Option<Duration>,
) -> Result<RunningService<RoleClient, Handler>, Unshaken>
where
    T: Transport<RoleClient> + 'static,
{
    let mode = match greeting {
        Greeting::Probe => ClientLifecycleMode::Auto { preferred_versions: vec![MODERN], legacy_version: Some(LEGACY) },
        Greeting::Discover => ClientLifecycleMode::Discover { preferred_versions: vec![MODERN] },
        Greeting::Initialize => ClientLifecycleMode::Initialize,
    };
    let transport = transport.traced(Arc::clone(&handler.0));
    let heard = transport.heard();
    let late = async {
        let Some(patience) = patience.filter(|_| greeting == Greeting::Probe) else { return std::future::pending().await };
        tokio::select! {
            () = sleep(patience) => {}
            () = heard.cancelled() => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        // Large, and once a connection.
        shaken = Box::pin(serve_client_with_lifecycle(handler, transport, mode)) => shaken.map_err(|error| Unshaken::Failed(Box::new(error))).and_then(understood),
        () = late => Err(Unshaken::Late),
    }
}

/// Whether the server speaks a revision that we can know. Older ones that were never published are taken for the oldest.
fn understood(running: RunningService<RoleClient, Handler>) -> Result<RunningService<RoleClient, Handler>, Unshaken> {
    let version = running.peer().peer_info().map(|info| info.protocol_version.clone());
    match version.filter(|version| version.as_str().is_empty() || version.as_str() > MODERN.as_str()) {
        Some(unknown) => Err(Unshaken::Unknown(unknown)),
        None => Ok(running),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_tried_first_and_what_is_wanted_alone() {
        assert_eq!(greetings(None, None), [Greeting::Probe, Greeting::Initialize]);
        assert_eq!(greetings(None, Some(Era::Modern)), [Greeting::Probe, Greeting::Initialize]);
        assert_eq!(greetings(None, Some(Era::Legacy)), [Greeting::Initialize, Greeting::Probe]);
        assert_eq!(greetings(Some(Era::Legacy), Some(Era::Modern)), [Greeting::Initialize]);
        assert_eq!(greetings(Some(Era::Modern), Some(Era::Legacy)), [Greeting::Discover]);
    }

    #[test]
    fn revisions_belong_to_an_era() {
        assert_eq!(Era::of(&MODERN), Era::Modern);
        assert_eq!(Era::of(&LEGACY), Era::Legacy);
        assert_eq!(Era::of(&ProtocolVersion::V_2024_11_05), Era::Legacy);
    }
}
