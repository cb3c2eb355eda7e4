//! Why there is no access token, in words fit for a screen; no secret is ever in them.

use crate::domain::ids::ServerName;

/// Why a login did not come about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// A person has to log in, and nobody is there.
    #[error("it wants a login: `wakeful mcp login {0}` does that")]
    Wanted(ServerName),
    /// A person was asked and said no.
    #[error("it wants a login, which was declined: `wakeful mcp login {0}` (or `/mcp login {0}`) asks again")]
    Declined(ServerName),
    /// Nobody came back from the browser in time.
    #[error("nobody came back from the browser within {0} minutes; `/mcp login SERVER` (or `wakeful mcp login SERVER`) asks again")]
    Late(u64),
    /// It refuses us and says nowhere how to log in.
    #[error("it wants a key or a login (HTTP 401), and names no authorization server: {0}")]
    NoServer(String),
    /// What it says of itself cannot be used.
    #[error("{place}: {problem}")]
    Metadata {
        /// The address that said so.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// The authorization server lacks what keeps a code from being stolen.
    #[error("the authorization server {0} does not offer PKCE with S256, without which no login is safe")]
    NoPkce(String),
    /// There is no client identity that the authorization server would know.
    #[error(
        "the authorization server {0} registers no clients by itself: register one there and set `client_id` under `[mcp_servers.oauth]`"
    )]
    NoClient(String),
    /// The authorization server refused us.
    #[error("the authorization server refused {step}: {problem}")]
    Refused {
        /// What was asked for.
        step: &'static str,
        /// In its words.
        problem: String,
    },
    /// What came back from the browser is not the answer to our question.
    #[error("the answer that came back from the browser is not trusted: {0}")]
    Callback(String),
    /// The token lacks rights that nobody gives it.
    #[error("it wants rights that the login did not give: {0}; name them as `scopes` under `[mcp_servers.oauth]`, then log in again")]
    Scopes(String),
    /// It does not take the token that was just made for it.
    #[error(
        "it does not accept the token that was made for it; `wakeful mcp logout SERVER` and then `wakeful mcp login SERVER` begin anew"
    )]
    NotAccepted,
    /// A variable that the options name is not there.
    #[error("the variable `{0}` is not set (named by `client_secret_env`)")]
    NoVariable(String),
    /// Tokens could not be kept or read.
    #[error("the tokens could not be kept: {0}")]
    Store(String),
    /// This machine lacks something: a port, random numbers.
    #[error("{0}")]
    Local(String),
    /// An authorization server could not be asked.
    #[error("could not ask {place}: {problem}")]
    Unreachable {
        /// Its address.
        place: String,
        /// Why.
        problem: String,
    },
}

impl AuthError {
    /// Whether trying again by itself may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Store(_) | Self::Local(_))
    }

    /// The error about the document at `place`.
    pub(super) fn metadata(place: impl std::fmt::Display, problem: impl Into<String>) -> Self {
        Self::Metadata { place: place.to_string(), problem: problem.into() }
    }
}
