//! The token endpoint: a code, a refresh token or the client's own secret becomes an access token.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::domain::clock::Instant;
use crate::domain::text::{clean_line, ellipsis};
use crate::mcp::auth::challenge::scopes;
use crate::mcp::auth::error::AuthError;
use crate::mcp::auth::record::{Client, Method, Tokens};
use crate::mcp::auth::web::{Answer, Reach};

/// The longest refusal that is shown, in characters.
const REFUSAL_CHARS_MAX: usize = 300;

/// The longest life of a token that is believed, in seconds: ten years.
const LIFE_SECONDS_MAX: u64 = 315_360_000;

/// What a token is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ask<'a> {
    /// The code that came back from the browser.
    Code { code: &'a SecretString, verifier: &'a SecretString, redirect: &'a str },
    /// The token that was given for this.
    Refresh(&'a SecretString),
    /// The client's own rights.
    Client,
}

impl Ask<'_> {
    fn step(self) -> &'static str {
        match self {
            Self::Code { .. } => "the login",
            Self::Refresh(_) => "to renew the token",
            Self::Client => "the client's id and secret",
        }
    }
}

/// Why there is no token.
#[derive(Debug)]
pub(super) enum NoToken {
    /// The authorization server no longer takes what was shown (`invalid_grant`, `invalid_client`).
    Void(AuthError),
    Failed(AuthError),
}

impl From<AuthError> for NoToken {
    fn from(error: AuthError) -> Self {
        Self::Failed(error)
    }
}

impl From<NoToken> for AuthError {
    fn from(failure: NoToken) -> Self {
        match failure {
            NoToken::Void(error) | NoToken::Failed(error) => error,
        }
    }
}

/// Where tokens come from.
pub(super) struct Source<'a> {
    pub(super) reach: &'a Reach,
    pub(super) endpoint: &'a str,
    pub(super) client: &'a Client,
    pub(super) resource: &'a str,
    pub(super) now: Instant,
}

impl Source<'_> {
    /// Asks for tokens that allow `wanted`.
    pub(super) async fn tokens(&self, ask: Ask<'_>, wanted: &[String]) -> Result<Tokens, NoToken> {
        let url = self.reach.check(self.endpoint, "token endpoint")?;
        let scope = wanted.join(" ");
        let mut form = match ask {
            Ask::Code { code, verifier, redirect } => vec![
                ("grant_type", "authorization_code"),
                ("code", code.expose_secret()),
                ("redirect_uri", redirect),
                ("code_verifier", verifier.expose_secret()),
            ],
            Ask::Refresh(token) => vec![("grant_type", "refresh_token"), ("refresh_token", token.expose_secret())],
            Ask::Client => vec![("grant_type", "client_credentials")],
        };
        // A code stands for its scopes; a refresh without any keeps what was given.
        if matches!(ask, Ask::Client) && !scope.is_empty() {
            form.push(("scope", &scope));
        }
        form.push(("resource", self.resource));
        let mut basic = None;
        match (self.client.method, &self.client.secret) {
            (Method::ClientSecretBasic, Some(secret)) => basic = Some((self.client.id.as_str(), secret)),
            (Method::ClientSecretPost, Some(secret)) => {
                form.push(("client_id", &self.client.id));
                form.push(("client_secret", secret.expose_secret()));
            }
            _ => form.push(("client_id", &self.client.id)),
        }
        let answer = self.reach.post_form(&url, &form, basic).await?;
        read(&answer, ask, wanted, self.now)
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    token_type: String,
    #[serde(default)]
    expires_in: Option<Value>,
    #[serde(default)]
    refresh_token: Option<SecretString>,
    #[serde(default)]
    scope: Option<String>,
}

fn read(answer: &Answer, ask: Ask<'_>, wanted: &[String], now: Instant) -> Result<Tokens, NoToken> {
    if !answer.status.is_success() {
        return Err(refusal(answer, ask.step()));
    }
    let refused = |problem: &str| NoToken::Failed(AuthError::Refused { step: ask.step(), problem: problem.to_owned() });
    let granted: Granted = serde_json::from_slice(&answer.body).map_err(|_| refused("its answer holds no token"))?;
    if !granted.token_type.eq_ignore_ascii_case("bearer") {
        return Err(refused("it gave a token of another kind than `Bearer`"));
    }
    // It goes into a header: nothing else may hide in it (RFC 6750, 2.1).
    let token = granted.access_token.expose_secret();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused("its token is none"));
    }
    let seconds = granted.expires_in.as_ref().and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
    let until = seconds.map(|seconds| now.plus(Duration::from_secs(seconds.min(LIFE_SECONDS_MAX))));
    // What is not said was granted as asked (RFC 6749, 5.1).
    let scopes = granted.scope.as_deref().map_or_else(|| wanted.to_vec(), scopes);
    let kept = match ask {
        Ask::Refresh(token) => granted.refresh_token.or_else(|| Some(token.clone())),
        Ask::Code { .. } => granted.refresh_token,
        Ask::Client => None,
    };
    Ok(Tokens { access: granted.access_token, refresh: kept.filter(|token| !token.expose_secret().is_empty()), until, scopes })
}

fn refusal(answer: &Answer, step: &'static str) -> NoToken {
    let (code, problem) = problem_of(answer);
    let error = AuthError::Refused { step, problem };
    match code.as_deref() {
        Some("invalid_grant" | "invalid_client" | "unauthorized_client") => NoToken::Void(error),
        _ if answer.status.is_server_error() || answer.status.as_u16() == 429 => NoToken::Failed(AuthError::Unreachable {
            place: "the token endpoint".to_owned(),
            problem: format!("HTTP {}", answer.status.as_u16()),
        }),
        _ => NoToken::Failed(error),
    }
}

/// The error of a refusal and its words (RFC 6749, 5.2).
pub(super) fn problem_of(answer: &Answer) -> (Option<String>, String) {
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(clean_line).filter(|text| !text.is_empty());
    let (code, words) = (text("error"), text("error_description"));
    let told = match (&code, words) {
        (Some(code), Some(words)) => format!("{words} ({code})"),
        (Some(code), None) => code.clone(),
        (None, _) => format!("HTTP {}", answer.status.as_u16()),
    };
    (code, ellipsis(&told, REFUSAL_CHARS_MAX).into_owned())
}

/// Takes a token back (RFC 7009); what is refused is left alone.
pub(super) async fn revoke(reach: &Reach, endpoint: &str, client: &Client, token: &SecretString) -> Result<(), AuthError> {
    let url: Url = reach.check(endpoint, "revocation endpoint")?;
    let mut form = vec![("token", token.expose_secret())];
    let mut basic = None;
    match (client.method, &client.secret) {
        (Method::ClientSecretBasic, Some(secret)) => basic = Some((client.id.as_str(), secret)),
        (Method::ClientSecretPost, Some(secret)) => {
            form.extend([("client_id", client.id.as_str()), ("client_secret", secret.expose_secret())]);
        }
        _ => form.push(("client_id", &client.id)),
    }
    reach.post_form(&url, &form, basic).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status: StatusCode::from_u16(status).unwrap(), body: Bytes::from(body.to_owned()) }
    }

    #[test]
    fn answers_of_token_endpoints() {
        let now = Instant::from_millis(1_000);
        let wanted = ["a".to_owned()];
        let old: SecretString = "old".into();
        let check = |body: &str| read(&answer(200, body), Ask::Refresh(&old), &wanted, now).ok();
        let tokens = check(r#"{"access_token":"t","token_type":"bearer","expires_in":60}"#).unwrap();
        assert_eq!(tokens.until, Some(Instant::from_millis(61_000)));
        assert_eq!((tokens.scopes.as_slice(), tokens.refresh.unwrap().expose_secret()), (&wanted[..], "old"));
        let tokens = check(r#"{"access_token":"t","token_type":"Bearer","expires_in":"60","refresh_token":"new","scope":"b c"}"#).unwrap();
        assert_eq!((tokens.scopes, tokens.refresh.unwrap().expose_secret()), (vec!["b".to_owned(), "c".to_owned()], "new"));
        assert!(check(r#"{"access_token":"t","token_type":"DPoP"}"#).is_none());
        assert!(check(r#"{"access_token":"t\r\nX: y","token_type":"Bearer"}"#).is_none());
        assert!(check(r#"{"access_token":"","token_type":"Bearer"}"#).is_none());
        assert!(check("<html>").is_none());
    }

    #[test]
    fn refusals_are_told_apart() {
        let check = |status: u16, body: &str, void: bool, transient: bool| {
            let failure = refusal(&answer(status, body), "the login");
            assert_eq!(matches!(failure, NoToken::Void(_)), void, "{body}");
            assert_eq!(AuthError::from(failure).is_transient(), transient, "{body}");
        };
        check(400, r#"{"error":"invalid_grant","error_description":"revoked"}"#, true, false);
        check(401, r#"{"error":"invalid_client"}"#, true, false);
        check(400, r#"{"error":"invalid_scope"}"#, false, false);
        check(503, "busy", false, true);
        check(429, "", false, true);
    }
}
