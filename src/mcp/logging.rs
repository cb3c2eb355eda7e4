//! Levels of the log messages that a server sends.

#![expect(deprecated, reason = "log messages go away with a later revision of MCP; the servers of today send them")]

use std::time::Duration;

use rmcp::model::{ClientRequest, LoggingLevel, SetLevelRequest, SetLevelRequestParams};

use crate::domain::ids::ServerName;
use crate::mcp::link::Link;

/// How long the answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The level of that name (RFC 5424).
pub(super) fn level(name: &str) -> Option<LoggingLevel> {
    serde_json::from_value(serde_json::Value::String(name.to_ascii_lowercase())).ok()
}

/// Asks for messages of this level and above; a refusal goes to the server's log.
pub(super) async fn set(link: &Link, server: &ServerName, level: LoggingLevel) {
    let request = ClientRequest::SetLevelRequest(SetLevelRequest::new(SetLevelRequestParams::new(level)));
    if let Err(error) = link.ask(request, "log level", ANSWER_LIMIT).await {
        link.shared.lane.fail(format!("the log level of `{server}` could not be set: {error}"), serde_json::Value::Null).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_go_by_their_names() {
        assert!(level("Debug").is_some() && level("emergency").is_some() && level("loud").is_none());
    }
}
