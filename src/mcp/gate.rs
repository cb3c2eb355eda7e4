//! The door of a server behind HTTP: which token a message shows, and what happens when it is refused.
//!
//! A message that is refused for want of a login was not looked at, so it may be sent again with another token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rmcp::transport::streamable_http_client::StreamableHttpError;
use secrecy::{ExposeSecret, SecretString};

use crate::mcp::auth::{AuthError, Authorizer, Challenge, Refusal};

/// How often one message is sent again with another token.
const TRIES_MAX: u32 = 3;

/// The authorization of one connection. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gate {
    authorizer: Authorizer,
    /// Before that, nobody is asked in the middle of the greeting: it has a limit of its own.
    connected: Arc<AtomicBool>,
}

impl Gate {
    pub(super) fn new(authorizer: Authorizer) -> Self {
        Self { authorizer, connected: Arc::default() }
    }

    /// The greeting is over.
    pub(super) fn connected(&self) {
        self.connected.store(true, Ordering::Relaxed);
    }
}

/// The way in for one message.
pub(super) struct Door<'a> {
    gate: Option<&'a Gate>,
    api_key: Option<String>,
    token: Option<SecretString>,
    tries: u32,
}

impl<'a> Door<'a> {
    pub(super) async fn at(gate: Option<&'a Gate>, api_key: Option<String>) -> Self {
        let token = match gate {
            Some(gate) => gate.authorizer.bearer().await,
            None => None,
        };
        Self { gate, api_key, token, tries: 0 }
    }

    /// What the message shows.
    pub(super) fn key(&self) -> Option<String> {
        self.token.as_ref().map(|token| token.expose_secret().to_owned()).or_else(|| self.api_key.clone())
    }

    /// Whether the message is to be sent again, with another token.
    ///
    /// # Errors
    /// When it wants a login that did not come about.
    pub(super) async fn opens<E: std::error::Error + Send + Sync + 'static>(
        &mut self,
        refused: Option<&StreamableHttpError<E>>,
    ) -> Result<bool, AuthError> {
        let Some(gate) = self.gate else { return Ok(false) };
        let Some(refusal) = refused.and_then(refusal) else {
            if refused.is_none() && self.token.is_some() {
                gate.authorizer.accepted();
            }
            return Ok(false);
        };
        if refusal.forbidden {
            // The token is good as far as it goes.
            gate.authorizer.accepted();
        }
        self.tries += 1;
        if self.tries > TRIES_MAX {
            return Ok(false);
        }
        let used = self.token.take();
        self.token = if gate.connected.load(Ordering::Relaxed) {
            Some(gate.authorizer.obtain(refusal, used).await?)
        } else {
            gate.authorizer.renew(refusal, used).await?
        };
        Ok(self.token.is_some())
    }
}

/// What a failure says about the token.
fn refusal<E: std::error::Error + Send + Sync + 'static>(error: &StreamableHttpError<E>) -> Option<Refusal> {
    match error {
        StreamableHttpError::AuthRequired(error) => {
            Some(Refusal { challenge: Challenge::parse(&error.www_authenticate_header), forbidden: false })
        }
        StreamableHttpError::InsufficientScope(error) => {
            let challenge = Challenge::parse(&error.www_authenticate_header);
            challenge.wants_more().then_some(Refusal { challenge, forbidden: true })
        }
        StreamableHttpError::UnexpectedServerResponse(text) if text.starts_with("HTTP 401") => Some(Refusal::default()),
        _ => None,
    }
}
