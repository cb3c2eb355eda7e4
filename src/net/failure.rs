//! Why no (whole) response came.

use std::error::Error as StdError;

use crate::domain::text::with_causes;
use crate::net::guard::Refusal;
use crate::net::retry::Class;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The request or the client could not even be made.
    Setup,
    /// No connection: refused, unknown host, no certificate that is trusted, too slow.
    Connect,
    /// The connection was lost while the request or the response was under way.
    Lost,
    /// The response could not be decoded.
    Garbled,
    /// The address guard said no ([`crate::net::guard`]).
    Refused,
}

/// Why no (whole) response came. The message holds the chain of causes and no address: addresses may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure it was.
    pub reason: Reason,
    /// The chain of causes in one line.
    pub message: String,
}

impl Failure {
    /// A client that could not be built.
    pub(super) fn setup(error: &(dyn StdError + 'static)) -> Self {
        Self { reason: Reason::Setup, message: with_causes(error) }
    }

    /// Whether trying again may help.
    pub fn class(&self) -> Class {
        match self.reason {
            Reason::Connect | Reason::Lost => Class::Transient,
            Reason::Setup | Reason::Garbled | Reason::Refused => Class::Permanent,
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        if let Some(refusal) = find::<Refusal>(&error) {
            return Self { reason: Reason::Refused, message: refusal.to_string() };
        }
        let reason = if error.is_builder() {
            Reason::Setup
        } else if error.is_connect() {
            Reason::Connect
        } else if error.is_decode() && !error.is_timeout() && !is_lost(&error) {
            Reason::Garbled
        } else {
            Reason::Lost
        };
        Self { reason, message: plain(&with_causes(&error.without_url())) }
    }
}

/// A chain of causes without those that only name a layer of the client.
fn plain(chain: &str) -> String {
    const LAYERS: [&str; 6] = [
        "error sending request",
        "client error (Connect)",
        "client error (SendRequest)",
        "connection error",
        "tcp connect error",
        "dns error",
    ];
    let told: Vec<&str> = chain.split(": ").filter(|part| !LAYERS.contains(part)).collect();
    if told.is_empty() { chain.to_owned() } else { told.join(": ") }
}

/// Whether a connection that broke is at the bottom of `error`: a body cut short shows up as a decoding error.
fn is_lost(error: &dyn StdError) -> bool {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.get_ref().is_none()
        {
            return true;
        }
        let text = inner.to_string();
        if text.contains("connection") || text.contains("end of file") {
            return true;
        }
        source = inner.source();
    }
    false
}

/// The first `T` among `error`'s causes, the ones that `io::Error` keeps inside included.
pub(super) fn find<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        next = match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            // Its `source` skips the error that it wraps.
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_of_the_client_are_left_out() {
        let refused = "error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)";
        assert_eq!(plain(refused), "Connection refused (os error 111)");
        assert_eq!(plain("invalid peer certificate: UnknownIssuer"), "invalid peer certificate: UnknownIssuer");
        assert_eq!(plain("error sending request"), "error sending request");
    }
}
