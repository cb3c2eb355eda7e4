//! Who may come in: by `Host`, `Origin` and token. Pure.
//!
//! A page in a browser can send requests to this machine, and by a name that it has made to point here it can even read the
//! answers (DNS rebinding). Such a request carries the page's name in `Host`, or the page in `Origin`: both must be ours.
//! Programs send no `Origin`.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, KeyInit, Mac};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, StatusCode, Uri};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The shortest token that is taken, in characters.
pub const TOKEN_CHARS_MIN: usize = 16;

/// What somebody without the token is asked for (`WWW-Authenticate`).
pub const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"wakeful\"");

/// Headers that a web page may send.
const SHARED: &str = "content-type, accept, authorization, idempotency-key, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name, x-request-id";

/// Why somebody may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It was called by a name that is not ours.
    Host,
    /// The web page that calls is not one of ours.
    Origin,
    /// The token is missing or wrong.
    Token,
}

impl Refusal {
    /// The status of the answer. Where it is 401, [`CHALLENGE`] goes with it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Origin => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Host => "the `Host` is none of this server's",
            Self::Origin => "this `Origin` may not call",
            Self::Token => "the bearer token is missing or wrong",
        }
    }
}

/// Why an address cannot be listened on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsafe {
    /// Everybody in reach could call it.
    NoToken,
    /// The token is too easy.
    WeakToken,
}

/// Whether the address can be listened on with that token.
///
/// # Errors
/// When others could call it without a token, or the token is too short.
pub fn safe(address: SocketAddr, token: Option<&SecretString>) -> Result<(), Unsafe> {
    match token {
        None if !address.ip().is_loopback() => Err(Unsafe::NoToken),
        Some(token) if token.expose_secret().chars().count() < TOKEN_CHARS_MIN => Err(Unsafe::WeakToken),
        _ => Ok(()),
    }
}

/// A token that nobody can guess: 32 random bytes in hexadecimal. None where the system gives no random numbers.
pub fn new_token() -> Option<SecretString> {
    use std::fmt::Write;
    let mut bytes = [0_u8; 32];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).ok()?;
    let text = bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    Some(SecretString::from(text))
}

/// The rules for one address.
#[derive(Debug)]
pub struct Door {
    port: u16,
    /// Lower case, without port and brackets; any where empty.
    hosts: Vec<String>,
    /// Lower case, as a browser writes them.
    origins: Vec<String>,
    token: Option<SecretString>,
}

impl Door {
    /// The rules for a server that listens on `address`. `hosts` and `origins` are let in beside its own.
    pub fn new(address: SocketAddr, token: Option<SecretString>, hosts: &[String], origins: &[String]) -> Self {
        let mut known: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        known.push(address.ip().to_string());
        known.extend(hosts.iter().map(|host| bare(host)));
        // It listens on all addresses, whose names it cannot know; the token stands in for them.
        if address.ip().is_unspecified() && hosts.is_empty() {
            known.clear();
        }
        let origins = origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { port: address.port(), hosts: known, origins, token }
    }

    /// Whether who sent that may come in.
    ///
    /// # Errors
    /// Says why not.
    pub fn check(&self, parts: &Parts) -> Result<(), Refusal> {
        self.check_caller(parts)?;
        // A browser asks without credentials whether it may ask with them.
        if parts.method == Method::OPTIONS { Ok(()) } else { self.check_token(bearer(&parts.headers)) }
    }

    /// Whether it was called by our name, by nobody's page or one of ours.
    ///
    /// # Errors
    /// Says why not.
    pub fn check_caller(&self, parts: &Parts) -> Result<(), Refusal> {
        if !self.knows_host(&parts.uri, &parts.headers) {
            return Err(Refusal::Host);
        }
        let all_known = parts.headers.get_all(header::ORIGIN).iter().all(|origin| self.knows_origin(origin));
        if all_known { Ok(()) } else { Err(Refusal::Origin) }
    }

    /// Whether the token that is shown is the right one, in a time that does not tell where it differs.
    ///
    /// # Errors
    /// When there is one and it was not shown.
    pub fn check_token(&self, shown: Option<&str>) -> Result<(), Refusal> {
        let Some(token) = &self.token else { return Ok(()) };
        let is_right = shown.is_some_and(|shown| same(token.expose_secret().as_bytes(), shown.as_bytes()));
        if is_right { Ok(()) } else { Err(Refusal::Token) }
    }

    /// Whether a token is asked for.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    fn knows_host(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        if self.hosts.is_empty() {
            return true;
        }
        let mut named = headers.get_all(header::HOST).iter();
        let authority = match (named.next(), named.next()) {
            (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
            (None, _) => uri.authority().cloned(),
            (Some(_), Some(_)) => None,
        };
        authority.is_some_and(|authority| self.hosts.contains(&bare(authority.host())))
    }

    fn knows_origin(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        let origin = origin.to_ascii_lowercase();
        if self.origins.contains(&origin) {
            return true;
        }
        // Our own pages, of which there are none; but whoever names us exactly means us.
        let Ok(uri) = origin.parse::<Uri>() else { return false };
        let Some(authority) = uri.authority() else { return false };
        let port = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return false,
        };
        let host = bare(authority.host());
        authority.port_u16().unwrap_or(port) == self.port && (self.hosts.contains(&host) || is_loopback(&host))
    }
}

/// The token that a request shows.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let shown = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, shown) = shown.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| shown.trim())
}

/// What a browser is told before it sends a page's request (204).
pub fn preflight(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PATCH, DELETE"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(SHARED));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    share(headers, origin);
}

/// Lets the page read the reply that was let in.
pub fn share(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    let Some(origin) = origin else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("mcp-session-id, www-authenticate, x-request-id"));
    headers.append(header::VARY, HeaderValue::from_name(HeaderName::from_static("origin")));
}

/// A host as it is compared.
fn bare(host: &str) -> String {
    host.trim().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether both are the same, in a time that does not tell where they differ.
fn same(wanted: &[u8], shown: &[u8]) -> bool {
    let tag = |key: &[u8], text: &[u8]| Hmac::<Sha256>::new_from_slice(key).map(|mac| mac.chain_update(text));
    let Ok(expected) = tag(wanted, b"token") else { return false };
    let Ok(found) = tag(shown, b"token") else { return false };
    expected.verify(&found.finalize().into_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(host: &str, more: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::post("/mcp").header("host", host);
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn door(address: &str, token: Option<&str>) -> Door {
        Door::new(
            address.parse().unwrap(),
            token.map(SecretString::from),
            &["Box.Example".to_owned()],
            &["https://App.example/".to_owned()],
        )
    }

    #[test]
    fn only_our_own_names_and_pages_come_in() {
        let door = door("127.0.0.1:8000", None);
        for host in ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "box.example:1"] {
            assert_eq!(door.check(&parts(host, &[])), Ok(()), "{host}");
        }
        for host in ["evil.example.com", "localhost.evil.example", "127.0.0.1.nip.io:8000", "", "a b"] {
            assert_eq!(door.check(&parts(host, &[])), Err(Refusal::Host), "{host}");
        }
        for origin in ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000", "https://app.example"] {
            assert_eq!(door.check(&parts("localhost", &[("origin", origin)])), Ok(()), "{origin}");
        }
        for origin in [
            "http://evil.example",
            "http://localhost:3000",
            "https://localhost",
            "null",
            "",
            "http://app.example",
            "https://app.example.evil",
        ] {
            assert_eq!(door.check(&parts("localhost", &[("origin", origin)])), Err(Refusal::Origin), "{origin}");
        }
        assert_eq!(door.check(&parts("localhost", &[("host", "evil.example")])), Err(Refusal::Host), "two hosts");
    }

    #[test]
    fn a_token_is_needed_where_there_is_one_and_stands_in_for_names() {
        let door = Door::new("0.0.0.0:80".parse().unwrap(), Some(SecretString::from("right-right-right")), &[], &[]);
        let shown = |value: &str| door.check(&parts("anything.example", &[("authorization", value)]));
        assert_eq!(shown("Bearer right-right-right"), Ok(()));
        assert_eq!(shown("bearer  right-right-right"), Ok(()));
        for wrong in ["Bearer wrong", "Bearer right-right-righ", "Basic right-right-right", "right-right-right", ""] {
            assert_eq!(shown(wrong), Err(Refusal::Token), "{wrong}");
        }
        assert_eq!(door.check(&parts("anything.example", &[])), Err(Refusal::Token));
    }
}
