//! Rounds of input: what a server wants before it goes on (2026-07-28, `input_required`), asked for and handed in.

use std::time::Duration;

use futures::future::join_all;
use rmcp::model::InputResponses;
use serde_json::Value;
use tokio::time::sleep;

use crate::domain::event::ErrorKind;
use crate::domain::text::clean_line;
use crate::mcp::content::InputRequired;
use crate::mcp::desk::About;
use crate::mcp::link::Link;
use crate::tools::ToolError;

/// The most rounds of one request.
const ROUNDS_MAX: u32 = 10;

/// The most requests of one round.
const REQUESTS_MAX: usize = 16;

/// The wait before a round in which the server wants nothing but time; doubles each time.
const WAIT_FIRST: Duration = Duration::from_millis(100);

/// The longest such wait.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Counts the rounds of one request.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    count: u32,
    idle: u32,
}

impl Rounds {
    /// Rounds so far.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Asks for all that is wanted.
    ///
    /// # Errors
    /// When there were too many rounds, or one of the requests is refused.
    pub(super) async fn inputs(&mut self, link: &Link, wanted: &InputRequired, about: About) -> Result<InputResponses, ToolError> {
        self.count += 1;
        if self.count > ROUNDS_MAX {
            return Err(ToolError::new(ErrorKind::Protocol, format!("it asked for input more than {ROUNDS_MAX} times")));
        }
        if wanted.requests.is_empty() {
            if wanted.state.is_none() {
                return Err(ToolError::new(ErrorKind::Protocol, "it asks for input without saying what"));
            }
            let wait = WAIT_FIRST.saturating_mul(1 << self.idle.min(10)).min(WAIT_MAX);
            self.idle += 1;
            sleep(wait).await;
            return Ok(InputResponses::new());
        }
        self.idle = 0;
        answers(link, wanted, about).await
    }
}

/// The answers to all that is wanted at once.
///
/// # Errors
/// When one of the requests is refused.
pub(super) async fn answers(link: &Link, wanted: &InputRequired, about: About) -> Result<InputResponses, ToolError> {
    if wanted.requests.len() > REQUESTS_MAX {
        return Err(ToolError::new(ErrorKind::Protocol, format!("it asks for more than {REQUESTS_MAX} things at once")));
    }
    let ask = |(key, request): (&String, &Value)| {
        let (key, about) = (key.clone(), about.clone());
        let method = request.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
        let params = request.get("params").cloned().unwrap_or_default();
        async move { (key, link.shared.answer(about, &method, &params).await) }
    };
    let mut responses = InputResponses::new();
    for (key, answer) in join_all(wanted.requests.iter().map(ask)).await {
        let refused = |error: rmcp::model::ErrorData| {
            ToolError::new(ErrorKind::Refused, format!("what the server asked for was refused: {}", clean_line(&error.message)))
        };
        responses.insert(key, answer.map_err(refused)?);
    }
    Ok(responses)
}
