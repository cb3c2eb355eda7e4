//! Finds out where to log in to a server: from its challenge, from its metadata, from where the standards put them.

use serde::de::DeserializeOwned;
use url::Url;

use crate::domain::text::clean_line;
use crate::mcp::auth::challenge::{Challenge, scopes};
use crate::mcp::auth::error::AuthError;
use crate::mcp::auth::metadata::{
    ResourceMetadata, SERVERS_MAX, ServerMetadata, canonical, check_resource, check_server, resource_places, server_places,
};
use crate::mcp::auth::web::Reach;

/// What is known of logging in to a server.
#[derive(Debug, Clone)]
pub(super) struct Discovery {
    /// What tokens are asked for (RFC 8707).
    pub(super) resource: String,
    /// What the resource says its tokens may allow.
    pub(super) resource_scopes: Vec<String>,
    pub(super) server: ServerMetadata,
}

/// Finds the authorization server of `server`.
pub(super) async fn discover(reach: &Reach, server: &Url, challenge: &Challenge) -> Result<Discovery, AuthError> {
    let found = match &challenge.resource_metadata {
        // What it names itself must be right; a guess may be wrong.
        Some(named) => Some(named_resource(reach, server, named).await?),
        None => guessed_resource(reach, server).await?,
    };
    let Some((place, resource, metadata)) = found else {
        return without_resource(reach, server).await;
    };
    if metadata.authorization_servers.is_empty() {
        return Err(AuthError::metadata(place, "it names no authorization server"));
    }
    let mut failure = None;
    for issuer in metadata.authorization_servers.iter().take(SERVERS_MAX) {
        match server_metadata(reach, issuer).await {
            Ok(Some(server)) => {
                return Ok(Discovery { resource, resource_scopes: scopes(&metadata.scopes_supported.join(" ")), server });
            }
            Ok(None) => {}
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let named = clean_line(&metadata.authorization_servers.join(", "));
    Err(failure.unwrap_or_else(|| AuthError::metadata(place, format!("none of its authorization servers describes itself: {named}"))))
}

async fn named_resource(reach: &Reach, server: &Url, named: &str) -> Result<(Url, String, ResourceMetadata), AuthError> {
    // Some servers write a path only.
    let joined = server.join(named).map_or_else(|_| named.to_owned(), |url| url.to_string());
    let place = reach.check(&joined, "the resource's metadata")?;
    let metadata: Option<ResourceMetadata> = document(reach, &place).await?;
    let metadata = metadata.ok_or_else(|| AuthError::metadata(&place, "there is no metadata of the resource, as its challenge says"))?;
    let resource = check_resource(server, &metadata, &place)?;
    Ok((place, resource, metadata))
}

async fn guessed_resource(reach: &Reach, server: &Url) -> Result<Option<(Url, String, ResourceMetadata)>, AuthError> {
    for place in resource_places(server) {
        let Some(metadata) = document::<ResourceMetadata>(reach, &place).await? else { continue };
        if metadata.resource.is_none() && metadata.authorization_servers.is_empty() {
            continue;
        }
        let resource = check_resource(server, &metadata, &place)?;
        return Ok(Some((place, resource, metadata)));
    }
    Ok(None)
}

/// A server of MCP 2025-03-26 is its own authorization server.
async fn without_resource(reach: &Reach, server: &Url) -> Result<Discovery, AuthError> {
    let issuer = server.origin().ascii_serialization();
    let found = server_metadata(reach, &issuer).await?;
    let server_metadata = found.ok_or_else(|| AuthError::NoServer("set `api_key` or `api_key_env`, or ask whoever runs it".to_owned()))?;
    Ok(Discovery { resource: canonical(server), resource_scopes: Vec::new(), server: server_metadata })
}

async fn server_metadata(reach: &Reach, issuer: &str) -> Result<Option<ServerMetadata>, AuthError> {
    let url = reach.check(issuer, "authorization server")?;
    for place in server_places(&url) {
        if let Some(metadata) = document::<ServerMetadata>(reach, &place).await? {
            check_server(issuer, &metadata, &place)?;
            return Ok(Some(metadata));
        }
    }
    Ok(None)
}

/// The JSON document at `place`; none where there is none.
async fn document<T: DeserializeOwned>(reach: &Reach, place: &Url) -> Result<Option<T>, AuthError> {
    let answer = reach.get(place).await?;
    if answer.status.is_server_error() {
        return Err(AuthError::Unreachable { place: place.to_string(), problem: format!("HTTP {}", answer.status) });
    }
    Ok(answer.status.is_success().then(|| serde_json::from_slice(&answer.body).ok()).flatten())
}
