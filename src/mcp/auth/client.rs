//! Who we are to an authorization server: a client from the config, one described by a document, or one that registers
//! itself (RFC 7591); in this order, as MCP asks for.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use crate::domain::clock::Instant;
use crate::mcp::auth::error::AuthError;
use crate::mcp::auth::metadata::ServerMetadata;
use crate::mcp::auth::options::OauthOptions;
use crate::mcp::auth::record::{Client, Method, Origin, Record};
use crate::mcp::auth::token::problem_of;
use crate::mcp::auth::web::Reach;

/// The client that the config or a document describes, where there is one that `server` takes.
pub(super) fn known(options: &OauthOptions, secret: Option<SecretString>, server: &ServerMetadata) -> Option<Client> {
    let client = |id: &str, secret: Option<SecretString>, origin| {
        let method = method(secret.is_some(), &server.token_endpoint_auth_methods_supported);
        Client { id: id.trim().to_owned(), secret, method, origin, port: options.redirect_port, until: None }
    };
    if let Some(id) = &options.client_id {
        return Some(client(id, secret, Origin::Configured));
    }
    let document = options.client_metadata_url.as_deref().filter(|_| server.client_id_metadata_document_supported);
    document.map(|url| client(url, None, Origin::Document))
}

/// Whether a client that was used before is still the right one.
pub(super) fn is_current(client: &Client, options: &OauthOptions, server: &ServerMetadata, now: Instant) -> bool {
    match client.origin {
        Origin::Configured => options.client_id.as_deref().is_some_and(|id| id.trim() == client.id),
        Origin::Document => options.client_id.is_none() && server.client_id_metadata_document_supported,
        Origin::Registered => {
            let replaced =
                options.client_id.is_some() || (options.client_metadata_url.is_some() && server.client_id_metadata_document_supported);
            !replaced && client.until.is_none_or(|until| until > now)
        }
    }
}

/// The client of an earlier login with the same authorization server, where it may be used again: no credentials of one
/// authorization server are ever shown to another.
pub(super) fn earlier(records: &[Record], options: &OauthOptions, server: &ServerMetadata, now: Instant) -> Option<Client> {
    let same = records.iter().filter(|record| record.issuer == server.issuer);
    same.map(|record| &record.client)
        .find(|client| client.origin == Origin::Registered && is_current(client, options, server, now))
        .cloned()
}

/// How the client shows who it is, by what the authorization server takes (RFC 8414: the header where it does not say).
fn method(has_secret: bool, supported: &[String]) -> Method {
    if !has_secret {
        return Method::None;
    }
    let takes = |method: Method| supported.iter().any(|name| name == method.as_str());
    if !supported.is_empty() && !takes(Method::ClientSecretBasic) && takes(Method::ClientSecretPost) {
        Method::ClientSecretPost
    } else {
        Method::ClientSecretBasic
    }
}

#[derive(Deserialize)]
struct Registered {
    client_id: String,
    #[serde(default)]
    client_secret: Option<SecretString>,
    #[serde(default)]
    client_secret_expires_at: Option<i64>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
}

/// Registers a client that is sent back to `redirect`.
pub(super) async fn register(
    reach: &Reach,
    server: &ServerMetadata,
    redirect: &str,
    port: u16,
    scopes: &[String],
) -> Result<Client, AuthError> {
    let Some(endpoint) = &server.registration_endpoint else { return Err(AuthError::NoClient(server.issuer.clone())) };
    let url = reach.check(endpoint, "registration endpoint")?;
    let supported = &server.token_endpoint_auth_methods_supported;
    let takes = |method: Method| supported.iter().any(|name| name == method.as_str());
    let wanted = [Method::None, Method::ClientSecretBasic, Method::ClientSecretPost].into_iter().find(|method| takes(*method));
    // A program on a person's machine keeps no secrets: a public client, unless it is told otherwise.
    let wanted = wanted.unwrap_or(Method::None);
    let mut body = json!({
        "client_name": "wakeful",
        "application_type": "native",
        "redirect_uris": [redirect],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": wanted.as_str(),
        "software_id": "wakeful",
        "software_version": env!("CARGO_PKG_VERSION"),
    });
    if !scopes.is_empty() {
        body["scope"] = json!(scopes.join(" "));
    }
    let refused = |problem: String| AuthError::Refused { step: "to register a client", problem };
    let answer = reach.post_json(&url, &body).await?;
    if !answer.status.is_success() {
        return Err(refused(problem_of(&answer).1));
    }
    let registered: Registered = serde_json::from_slice(&answer.body).map_err(|_| refused("its answer names no client".to_owned()))?;
    let method = match registered.token_endpoint_auth_method.as_deref().map(|name| (name, Method::named(name))) {
        Some((_, Some(method))) => method,
        Some((name, None)) => {
            let name = crate::domain::text::clean_line(name);
            return Err(refused(format!("it wants the client to show itself by `{name}`, which is not known here")));
        }
        None => wanted,
    };
    let secret = registered.client_secret.filter(|_| method != Method::None);
    if secret.is_none() && method != Method::None {
        return Err(refused("it wants a secret of the client, and gave none".to_owned()));
    }
    // Zero: it does not end.
    let until = registered.client_secret_expires_at.filter(|at| *at > 0).map(|at| Instant::from_millis(at.saturating_mul(1_000)));
    Ok(Client { id: registered.client_id, secret, method, origin: Origin::Registered, port: Some(port), until })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_is_one_that_the_server_takes() {
        let check = |has_secret: bool, supported: &[&str], expected: Method| {
            let supported: Vec<_> = supported.iter().map(ToString::to_string).collect();
            assert_eq!(method(has_secret, &supported), expected, "{has_secret} {supported:?}");
        };
        check(false, &["client_secret_basic"], Method::None);
        check(true, &[], Method::ClientSecretBasic);
        check(true, &["client_secret_post", "client_secret_basic"], Method::ClientSecretBasic);
        check(true, &["client_secret_post"], Method::ClientSecretPost);
    }

    #[test]
    fn no_client_goes_to_another_authorization_server() {
        let now = Instant::from_millis(0);
        let client = Client { id: "c".to_owned(), secret: None, method: Method::None, origin: Origin::Registered, port: None, until: None };
        let (resource, token_endpoint) = (String::new(), String::new());
        let record = Record { issuer: "https://one".to_owned(), resource, token_endpoint, revocation_endpoint: None, client, tokens: None };
        let server = |issuer: &str| ServerMetadata { issuer: issuer.to_owned(), ..ServerMetadata::default() };
        let options = OauthOptions::default();
        let records = [record];
        assert!(earlier(&records, &options, &server("https://one"), now).is_some());
        assert!(earlier(&records, &options, &server("https://two"), now).is_none());
        let mine = OauthOptions { client_id: Some("mine".to_owned()), ..options };
        assert!(earlier(&records, &mine, &server("https://one"), now).is_none());
        assert_eq!(known(&mine, None, &server("https://one")).unwrap().id, "mine");
    }
}
