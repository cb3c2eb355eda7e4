//! What servers publish about logging in, and whether it may be believed: protected resource metadata (RFC 9728) and
//! authorization server metadata (RFC 8414, `OpenID` Connect Discovery). Pure.

use serde::{Deserialize, Deserializer};
use url::Url;

use crate::mcp::auth::error::AuthError;

/// Authorization servers of one resource that are looked at.
pub(super) const SERVERS_MAX: usize = 4;

/// What a resource says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ResourceMetadata {
    pub(super) resource: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) authorization_servers: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) scopes_supported: Vec<String>,
}

/// What an authorization server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServerMetadata {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: Option<String>,
    pub(super) registration_endpoint: Option<String>,
    pub(super) revocation_endpoint: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) scopes_supported: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) code_challenge_methods_supported: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) client_id_metadata_document_supported: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// `null` counts as absent: some servers write all fields.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The address that stands for a server where it names none itself (RFC 8707): without query and fragment.
pub(super) fn canonical(server: &Url) -> String {
    let mut url = bare(server);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let text = url.to_string();
    if url.path() == "/" { text.trim_end_matches('/').to_owned() } else { text }
}

fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn at(base: &Url, path: &str) -> Url {
    let mut url = bare(base);
    url.set_path(path);
    url
}

/// Where the metadata of a resource may lie, in this order (RFC 9728, 3.1; MCP: with the path, then at the root).
pub(super) fn resource_places(server: &Url) -> Vec<Url> {
    const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
    let path = server.path().trim_end_matches('/');
    let mut places = Vec::new();
    if !path.is_empty() {
        places.push(at(server, &format!("{WELL_KNOWN}{path}")));
    }
    places.push(at(server, WELL_KNOWN));
    places
}

/// Where the metadata of an authorization server may lie, in this order (MCP 2025-11-25, authorization server metadata
/// discovery).
pub(super) fn server_places(issuer: &Url) -> Vec<Url> {
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    const OPENID: &str = "/.well-known/openid-configuration";
    match issuer.path().trim_end_matches('/') {
        "" => vec![at(issuer, OAUTH), at(issuer, OPENID)],
        path => vec![at(issuer, &format!("{OAUTH}{path}")), at(issuer, &format!("{OPENID}{path}")), at(issuer, &format!("{path}{OPENID}"))],
    }
}

/// The resource that the metadata at `place` is about, which must be `server` or a path above it on the same origin.
pub(super) fn check_resource(server: &Url, metadata: &ResourceMetadata, place: &Url) -> Result<String, AuthError> {
    let wrong = |problem: String| Err(AuthError::metadata(place, problem));
    let Some(resource) = &metadata.resource else { return wrong("it does not say which resource it describes".to_owned()) };
    let Ok(url) = Url::parse(resource) else { return wrong("the resource it describes is no address".to_owned()) };
    if url.fragment().is_some() {
        return wrong("the resource it describes has a fragment".to_owned());
    }
    let above = url.path().trim_end_matches('/');
    let within =
        server.path() == url.path() || server.path().strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if url.origin() != server.origin() || !within {
        return wrong(format!("it describes {}, which is another resource", crate::domain::text::clean_line(resource)));
    }
    Ok(resource.clone())
}

/// Checks what an authorization server says of itself against how it was found.
pub(super) fn check_server(expected: &str, metadata: &ServerMetadata, place: &Url) -> Result<(), AuthError> {
    if !is_same_issuer(expected, &metadata.issuer) {
        let said = crate::domain::text::clean_line(&metadata.issuer);
        return Err(AuthError::metadata(
            place,
            format!("it names the issuer `{said}` where `{expected}` was expected, which is not trusted"),
        ));
    }
    Ok(())
}

/// Whether two issuers are the same, letter by letter (RFC 8414, 3.3), but for the slash of an address without a path,
/// which many servers leave out in one place only.
pub(super) fn is_same_issuer(one: &str, other: &str) -> bool {
    let root = |text: &str| Url::parse(text).is_ok_and(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none());
    one == other || (root(one) && root(other) && one.trim_end_matches('/') == other.trim_end_matches('/'))
}

/// Checks that codes are protected (PKCE, RFC 7636): an authorization server that does not say so is refused.
pub(super) fn check_pkce(metadata: &ServerMetadata) -> Result<(), AuthError> {
    if metadata.code_challenge_methods_supported.iter().any(|method| method == "S256") {
        Ok(())
    } else {
        Err(AuthError::NoPkce(metadata.issuer.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn texts(urls: &[Url]) -> Vec<&str> {
        urls.iter().map(Url::as_str).collect()
    }

    #[test]
    fn documents_are_looked_for_where_the_standards_put_them() {
        assert_eq!(
            texts(&resource_places(&url("https://h/a/mcp?x=1"))),
            ["https://h/.well-known/oauth-protected-resource/a/mcp", "https://h/.well-known/oauth-protected-resource"]
        );
        assert_eq!(texts(&resource_places(&url("https://h"))), ["https://h/.well-known/oauth-protected-resource"]);
        assert_eq!(
            texts(&server_places(&url("https://h"))),
            ["https://h/.well-known/oauth-authorization-server", "https://h/.well-known/openid-configuration"]
        );
        assert_eq!(
            texts(&server_places(&url("https://h/t/1"))),
            [
                "https://h/.well-known/oauth-authorization-server/t/1",
                "https://h/.well-known/openid-configuration/t/1",
                "https://h/t/1/.well-known/openid-configuration",
            ]
        );
    }

    #[test]
    fn a_resource_is_the_server_or_stands_above_it() {
        let check = |server: &str, resource: &str, fits: bool| {
            let metadata = ResourceMetadata { resource: Some(resource.to_owned()), ..ResourceMetadata::default() };
            assert_eq!(check_resource(&url(server), &metadata, &url("https://h/x")).is_ok(), fits, "{server} {resource}");
        };
        check("https://h/mcp", "https://h/mcp", true);
        check("https://h/mcp", "https://h", true);
        check("https://h/mcp", "https://h/", true);
        check("https://h/mcp/x", "https://h/mcp", true);
        check("https://h/mcp?key=1", "https://h/mcp", true);
        check("https://h/mcpx", "https://h/mcp", false);
        check("https://h/mcp", "https://h/mcp/x", false);
        check("https://h/mcp", "https://evil.example.com/mcp", false);
        check("https://h/mcp", "http://h/mcp", false);
        check("https://h/mcp", "https://h:8443/mcp", false);
        check("https://h/mcp", "https://h/mcp#a", false);
        check("https://h/mcp", "nonsense", false);
    }

    #[test]
    fn issuers_are_compared_letter_by_letter() {
        let check = |one: &str, other: &str, same: bool| assert_eq!(is_same_issuer(one, other), same, "{one} {other}");
        check("https://h", "https://h", true);
        check("https://h", "https://h/", true);
        check("https://h/a", "https://h/a/", false);
        check("https://h", "https://H", false);
        check("https://h", "https://h:443", false);
        check("https://h", "https://attacker.example.com", false);
        check("https://h", "", false);
    }

    #[test]
    fn a_resource_without_a_name_of_its_own_is_its_address() {
        assert_eq!(canonical(&url("https://u:p@h/mcp?key=1#x")), "https://h/mcp");
        assert_eq!(canonical(&url("https://h/")), "https://h");
    }

    #[test]
    fn null_is_absent() {
        let metadata: ServerMetadata =
            serde_json::from_str(r#"{"issuer":"https://h","scopes_supported":null,"code_challenge_methods_supported":["plain"]}"#).unwrap();
        assert_eq!(check_pkce(&metadata), Err(AuthError::NoPkce("https://h".to_owned())));
    }
}
