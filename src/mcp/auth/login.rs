//! A login by a person: the authorization code grant with PKCE (RFC 7636), from the question to the tokens.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::time::sleep;
use url::Url;

use crate::domain::clock::Clock;
use crate::domain::ids::ServerName;
use crate::domain::question::{Ask as Question, Reply};
use crate::domain::text::clean_line;
use crate::mcp::auth::browser::Opener;
use crate::mcp::auth::client;
use crate::mcp::auth::discover::Discovery;
use crate::mcp::auth::error::AuthError;
use crate::mcp::auth::listener::{Callback, Listener};
use crate::mcp::auth::metadata::{ServerMetadata, check_pkce};
use crate::mcp::auth::options::OauthOptions;
use crate::mcp::auth::record::{Client, Origin, Record};
use crate::mcp::auth::token::{Ask, Source};
use crate::mcp::auth::web::Reach;
use crate::mcp::desk::{About, Desk};
use crate::net;

/// How long a person has for the whole login, in minutes.
const LOGIN_MINUTES_MAX: u64 = 10;

/// What a login needs.
pub(super) struct Login<'a> {
    pub(super) name: &'a ServerName,
    pub(super) options: &'a OauthOptions,
    pub(super) secret: Option<SecretString>,
    pub(super) reach: &'a Reach,
    pub(super) discovery: &'a Discovery,
    /// Earlier logins.
    pub(super) records: &'a [Record],
    pub(super) desk: &'a Desk,
    pub(super) open: &'a Opener,
    pub(super) clock: &'a dyn Clock,
}

impl Login<'_> {
    /// Has a person log in for these scopes.
    pub(super) async fn by_person(&self, scopes: &[String]) -> Result<Record, AuthError> {
        let server = &self.discovery.server;
        check_pkce(server)?;
        let missing = |what: &str| AuthError::metadata(&server.issuer, format!("it has no {what}"));
        let endpoint = server.authorization_endpoint.as_deref().ok_or_else(|| missing("authorization endpoint"))?;
        let endpoint = self.reach.check(endpoint, "authorization endpoint")?;
        let token_endpoint = server.token_endpoint.clone().ok_or_else(|| missing("token endpoint"))?;
        self.reach.check(&token_endpoint, "token endpoint")?;

        let (listener, client) = self.client(scopes).await?;
        let redirect = listener.redirect();
        let (verifier, state) = (random()?, random()?);
        let asked =
            Asked { client: &client, redirect: &redirect, state: &state, verifier: &verifier, resource: &self.discovery.resource, scopes };
        let url = asked.url(endpoint);
        let callback = tokio::select! {
            biased;
            callback = listener.callback(state.expose_secret()) => callback,
            failure = self.ask(url.as_str()) => return Err(failure),
            () = sleep(Duration::from_secs(LOGIN_MINUTES_MAX * 60)) => return Err(AuthError::Late(LOGIN_MINUTES_MAX)),
        };
        drop(listener);
        let code = code_of(callback, server)?;
        let resource = self.discovery.resource.as_str();
        let source = Source { reach: self.reach, endpoint: &token_endpoint, client: &client, resource, now: self.clock.now() };
        let tokens = source.tokens(Ask::Code { code: &code, verifier: &verifier, redirect: &redirect }, scopes).await?;
        let (issuer, resource) = (server.issuer.clone(), resource.to_owned());
        let revocation_endpoint = server.revocation_endpoint.clone();
        Ok(Record { issuer, resource, token_endpoint, revocation_endpoint, client, tokens: Some(tokens) })
    }

    /// Who we are, and where the browser comes back to.
    async fn client(&self, scopes: &[String]) -> Result<(Listener, Client), AuthError> {
        let server = &self.discovery.server;
        if let Some(client) = client::known(self.options, self.secret.clone(), server) {
            return Ok((Listener::bind(self.options.redirect_port, None).await?, client));
        }
        let earlier = client::earlier(self.records, self.options, server, self.clock.now());
        let preferred = earlier.as_ref().and_then(|client| client.port);
        let listener = Listener::bind(self.options.redirect_port, preferred).await?;
        // Some compare the whole address, port included.
        if let Some(client) = earlier.filter(|client| client.origin == Origin::Registered && client.port == Some(listener.port)) {
            return Ok((listener, client));
        }
        let client = client::register(self.reach, server, &listener.redirect(), listener.port, scopes).await?;
        Ok((listener, client))
    }

    /// Has the address opened, by a person or by rule; comes back only when that failed.
    async fn ask(&self, url: &str) -> AuthError {
        let host = Url::parse(&self.discovery.server.issuer).ok().and_then(|url| url.host_str().map(clean_line)).unwrap_or_default();
        let message = format!("Log in to `{}` at {host}: this address opens in the browser, which comes back here", self.name);
        let question = Question::Url { message, url: url.to_owned() };
        match self.desk.ask(self.name, About::default(), question).await {
            // The surface where a person says yes opens the address.
            Reply::Accept { .. } if self.desk.has_person() => std::future::pending().await,
            Reply::Accept { .. } => match (self.open)(url.to_owned()).await {
                Ok(()) => std::future::pending().await,
                Err(problem) => AuthError::Local(format!("no browser could be opened for the login: {}", clean_line(&problem))),
            },
            Reply::Decline | Reply::Cancel => AuthError::Declined(self.name.clone()),
        }
    }
}

/// What the authorization server is asked.
struct Asked<'a> {
    client: &'a Client,
    redirect: &'a str,
    state: &'a SecretString,
    verifier: &'a SecretString,
    resource: &'a str,
    scopes: &'a [String],
}

impl Asked<'_> {
    fn url(&self, mut endpoint: Url) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose_secret()));
        let mut query = endpoint.query_pairs_mut();
        query.append_pair("response_type", "code");
        query.append_pair("client_id", &self.client.id);
        query.append_pair("redirect_uri", self.redirect);
        query.append_pair("state", self.state.expose_secret());
        query.append_pair("code_challenge", &challenge);
        query.append_pair("code_challenge_method", "S256");
        query.append_pair("resource", self.resource);
        if !self.scopes.is_empty() {
            query.append_pair("scope", &self.scopes.join(" "));
        }
        if self.scopes.iter().any(|scope| scope == "offline_access") {
            // OpenID Connect gives it only to those who are asked (Core, 11).
            query.append_pair("prompt", "consent");
        }
        drop(query);
        endpoint
    }
}

/// The code of an answer, once it is sure who answers (RFC 9207): compared letter by letter.
fn code_of(callback: Callback, server: &ServerMetadata) -> Result<SecretString, AuthError> {
    match &callback.issuer {
        Some(issuer) if *issuer != server.issuer => {
            let problem = format!("it comes from `{}`, not from `{}`", clean_line(issuer), clean_line(&server.issuer));
            return Err(AuthError::Callback(problem));
        }
        None if server.authorization_response_iss_parameter_supported => {
            return Err(AuthError::Callback("it does not say who it comes from, though it should (`iss`)".to_owned()));
        }
        Some(_) | None => {}
    }
    let refused = || AuthError::Refused { step: "the login", problem: callback.error.unwrap_or_default() };
    callback.code.ok_or_else(refused)
}

/// 256 bits that nobody can guess, as text that goes anywhere.
fn random() -> Result<SecretString, AuthError> {
    let mut bytes = [0; 32];
    net::random(&mut bytes).map_err(|error| AuthError::Local(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::auth::record::Method;

    #[test]
    fn the_question_to_the_authorization_server_holds_all_it_must() {
        let client =
            Client { id: "c 1".to_owned(), secret: None, method: Method::None, origin: Origin::Configured, port: None, until: None };
        // The example of RFC 7636, appendix B.
        let (state, verifier) = ("s1".into(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        let scopes = ["a".to_owned(), "offline_access".to_owned()];
        let redirect = "http://127.0.0.1:1/callback";
        let asked = Asked { client: &client, redirect, state: &state, verifier: &verifier, resource: "https://h/mcp", scopes: &scopes };
        let url = asked.url(Url::parse("https://as/authorize?tenant=1").unwrap());
        assert_eq!(
            url.as_str(),
            "https://as/authorize?tenant=1&response_type=code&client_id=c+1&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback&state=s1\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&resource=https%3A%2F%2Fh%2Fmcp\
             &scope=a+offline_access&prompt=consent"
        );
        assert_ne!(random().unwrap().expose_secret(), random().unwrap().expose_secret());
    }

    #[test]
    fn answers_of_others_are_not_trusted() {
        let check = |issuer: Option<&str>, promised: bool, trusted: bool| {
            let server = ServerMetadata {
                issuer: "https://as".to_owned(),
                authorization_response_iss_parameter_supported: promised,
                ..ServerMetadata::default()
            };
            let callback = Callback { code: Some("c".into()), error: None, issuer: issuer.map(str::to_owned) };
            assert_eq!(code_of(callback, &server).is_ok(), trusted, "{issuer:?} {promised}");
        };
        check(Some("https://as"), true, true);
        check(Some("https://as"), false, true);
        check(None, false, true);
        check(None, true, false);
        check(Some("https://evil"), true, false);
        check(Some("https://evil"), false, false);
        check(Some("https://as/"), true, false);
    }
}
