//! What can be configured about logging in to a server: `[mcp_servers.oauth]`.

use serde::{Deserialize, Serialize};
use url::Url;

/// How an access token is come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// A person logs in with the browser.
    #[default]
    AuthorizationCode,
    /// The client itself is known to the authorization server, by its id and secret.
    ClientCredentials,
}

/// How to log in to a server behind HTTP. All of it may be absent: what a server publishes is usually enough.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OauthOptions {
    /// The id of a client that is registered with the authorization server already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The variable that holds that client's secret, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_env: Option<String>,
    /// The `https` address of a document that describes the client (client id metadata document); it is the client's id
    /// wherever the authorization server takes such documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_metadata_url: Option<String>,
    /// Scopes that are asked for in any case, beside those that the server names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The port of 127.0.0.1 that the browser is sent back to, for a client registered with it; default: any free one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_port: Option<u16>,
    /// `authorization_code` (default) or `client_credentials`.
    pub grant: Grant,
}

impl OauthOptions {
    /// What is wrong with these options, as the rest of a sentence that begins with `oauth`.
    pub(in crate::mcp) fn problem(&self) -> Option<String> {
        let blank = |text: &Option<String>| text.as_deref().is_some_and(|text| text.trim().is_empty());
        if blank(&self.client_id) || blank(&self.client_secret_env) {
            return Some("has an empty `client_id` or `client_secret_env`".to_owned());
        }
        if self.client_secret_env.is_some() && self.client_id.is_none() {
            return Some("names a secret (`client_secret_env`), but no client (`client_id`) that it belongs to".to_owned());
        }
        if self.grant == Grant::ClientCredentials && self.client_secret_env.is_none() {
            return Some("with the grant `client_credentials` needs `client_id` and `client_secret_env`".to_owned());
        }
        if self.redirect_port == Some(0) {
            return Some("has the `redirect_port` 0; leave it out for any free port".to_owned());
        }
        if self.scopes.iter().any(|scope| !is_scope(scope)) {
            return Some("has a scope that is none: no blanks, no quotes, no backslashes".to_owned());
        }
        let described = self.client_metadata_url.as_deref().map(|url| Url::parse(url.trim()));
        let fits = |url: &Url| url.scheme() == "https" && url.path() != "/" && url.fragment().is_none() && url.username().is_empty();
        match described {
            Some(Ok(url)) if fits(&url) => None,
            Some(_) => Some("has a `client_metadata_url` that is no `https` address with a path".to_owned()),
            None => None,
        }
    }
}

/// Whether `text` is one scope (RFC 6749, 3.3).
pub(super) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_options_are_told_by_their_key() {
        let check = |toml: &str, expected: Option<&str>| {
            let problem = toml::from_str::<OauthOptions>(toml).unwrap().problem();
            assert_eq!(problem.is_some(), expected.is_some(), "{toml}: {problem:?}");
            assert!(expected.is_none_or(|expected| problem.unwrap().contains(expected)), "{toml}");
        };
        check("", None);
        check("client_id = 'a'\nscopes = ['read', 'files:write']\nredirect_port = 8123", None);
        check("client_id = 'a'\nclient_secret_env = 'S'\ngrant = 'client_credentials'", None);
        check("client_metadata_url = 'https://h/client.json'", None);
        check("client_secret_env = 'S'", Some("`client_id`"));
        check("grant = 'client_credentials'", Some("`client_secret_env`"));
        check("client_id = ' '", Some("empty"));
        check("scopes = ['a b']", Some("scope"));
        check("redirect_port = 0", Some("`redirect_port`"));
        check("client_metadata_url = 'http://h/client.json'", Some("`client_metadata_url`"));
        check("client_metadata_url = 'https://h/'", Some("`client_metadata_url`"));
        assert!(toml::from_str::<OauthOptions>("client_secret = 'x'").is_err(), "unknown keys are errors");
    }
}
