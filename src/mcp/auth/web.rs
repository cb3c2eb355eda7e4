//! Requests to authorization servers: only to addresses that the server may lead to, bounded in time and size.
//!
//! What a server names is a stranger's word: a public server may not lead into a private network, another machine not to
//! this one, a server behind TLS not to one without, and nobody to link-local or metadata addresses.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::StatusCode;
use http::header::{ACCEPT, LOCATION};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;
use url::{Host, Url};

use crate::domain::text::clean_line;
use crate::mcp::auth::error::AuthError;
use crate::net::guard::Guard;
use crate::net::{self, Response};

/// The longest exchange with an authorization server.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(20);

/// The largest document or answer, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1_024;

/// Redirects followed for a document, within its origin.
const REDIRECTS_MAX: usize = 3;

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// What a server may lead to.
#[derive(Clone)]
pub(super) struct Reach {
    client: net::Client,
    guard: Guard,
    /// Whether addresses without TLS may be asked: only where the server itself has none.
    plain: bool,
}

impl Reach {
    /// What `server` may lead to, asked with `client` through `proxy` (as in [`net::Options::proxy`]).
    pub(super) async fn of(server: &Url, client: &net::Client, proxy: Option<&str>) -> Self {
        let mut guard = Guard::new(true, false, proxy);
        if !is_this_machine(server) {
            guard = guard.elsewhere();
            if guard.is_public(server.host_str().unwrap_or_default(), None).await {
                guard = guard.outside();
            }
        }
        Self { client: client.clone().guarded(guard.clone()), guard, plain: server.scheme() == "http" }
    }

    /// The address `text`, if it may be asked or opened.
    pub(super) fn check(&self, text: &str, what: &str) -> Result<Url, AuthError> {
        let place = crate::domain::text::ellipsis(&clean_line(text), 200).into_owned();
        let wrong = |problem: String| AuthError::Metadata { place: place.clone(), problem };
        let url = Url::parse(text).map_err(|_| wrong(format!("this is named as {what}, and is no address")))?;
        match url.scheme() {
            "https" => {}
            "http" if self.plain => {}
            _ => return Err(wrong(format!("this is named as {what}, and is not safe: not `https`"))),
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(wrong(format!("this is named as {what}, and holds a user name or a fragment")));
        }
        let host = url.host_str().unwrap_or_default();
        self.guard.check_host(host).map_err(|refusal| wrong(format!("this is named as {what}, and is not asked: {refusal}")))?;
        Ok(url)
    }

    /// Gets the document at `url`; redirects are followed within its origin.
    pub(super) async fn get(&self, url: &Url) -> Result<Answer, AuthError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let request = self.inner(&url).await?.get(url.as_str()).header(ACCEPT, "application/json");
            let response = bounded(&url, request.send()).await?;
            let next = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| url.join(to).ok());
            match next {
                Some(next) if response.status().is_redirection() => {
                    if next.origin() != url.origin() {
                        return Err(AuthError::metadata(&url, "it leads to another origin, which is not trusted"));
                    }
                    url = next;
                }
                _ => return answer(&url, response).await,
            }
        }
        Err(AuthError::metadata(&url, "it leads on and on"))
    }

    /// Posts a form; `basic` is sent in the header that is made for it.
    pub(super) async fn post_form(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        basic: Option<(&str, &SecretString)>,
    ) -> Result<Answer, AuthError> {
        let mut request = self.inner(url).await?.post(url.as_str()).header(ACCEPT, "application/json").form(form);
        if let Some((user, password)) = basic {
            // RFC 6749, 2.3.1: encoded as in a form first.
            let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encode(user), Some(encode(password.expose_secret())));
        }
        let response = bounded(url, request.send()).await?;
        answer(url, response).await
    }

    /// Posts JSON.
    pub(super) async fn post_json(&self, url: &Url, body: &serde_json::Value) -> Result<Answer, AuthError> {
        let request = self.inner(url).await?.post(url.as_str()).header(ACCEPT, "application/json").json(body);
        let response = bounded(url, request.send()).await?;
        answer(url, response).await
    }

    async fn inner(&self, url: &Url) -> Result<net::Inner, AuthError> {
        self.client.inner(url.as_str()).await.map_err(|error| unreachable(url, &error.to_string()))
    }
}

async fn bounded<E: std::error::Error + 'static>(
    url: &Url,
    sending: impl Future<Output = Result<Response, E>>,
) -> Result<Response, AuthError> {
    match timeout(EXCHANGE_LIMIT, sending).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(unreachable(url, &last_cause(&error))),
        Err(_) => Err(unreachable(url, "no answer in time")),
    }
}

async fn answer(url: &Url, response: Response) -> Result<Answer, AuthError> {
    let status = response.status();
    let read = async {
        let mut parts = net::body(response);
        let mut body = Vec::new();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|_| unreachable(url, "the answer broke off"))?;
            if body.len() + part.len() > BODY_BYTES_MAX {
                return Err(unreachable(url, "the answer is too long"));
            }
            body.extend_from_slice(&part);
        }
        Ok(Bytes::from(body))
    };
    let body = timeout(EXCHANGE_LIMIT, read).await.unwrap_or_else(|_| Err(unreachable(url, "the answer did not end in time")))?;
    Ok(Answer { status, body })
}

fn unreachable(url: &Url, problem: &str) -> AuthError {
    let place = url.host_str().map_or_else(String::new, |host| format!("{}://{host}", url.scheme()));
    AuthError::Unreachable { place, problem: clean_line(problem) }
}

/// The deepest cause: those above it name the whole address.
fn last_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let last = std::iter::successors(error.source(), |cause| cause.source()).last();
    last.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

/// Whether an address is this very machine by its letters.
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_leads_only_to_its_like() {
        let check = async |server: &str, target: &str, allowed: bool| {
            let reach = Reach::of(&Url::parse(server).unwrap(), &net::Client::default(), None).await;
            assert_eq!(reach.check(target, "token endpoint").is_ok(), allowed, "{server} -> {target}");
        };
        check("http://127.0.0.1:1/mcp", "http://127.0.0.1:2/token", true).await;
        check("http://127.0.0.1:1/mcp", "https://login.example.com/token", true).await;
        check("http://127.0.0.1:1/mcp", "http://169.254.169.254/token", false).await;
        check("https://93.184.216.34/mcp", "https://93.184.216.35/token", true).await;
        check("https://93.184.216.34/mcp", "http://93.184.216.35/token", false).await;
        check("https://93.184.216.34/mcp", "https://10.0.0.1/token", false).await;
        check("https://93.184.216.34/mcp", "https://127.0.0.1/token", false).await;
        check("https://93.184.216.34/mcp", "https://[::1]/token", false).await;
        check("https://93.184.216.34/mcp", "https://metadata.google.internal/token", false).await;
        check("http://10.0.0.1/mcp", "http://10.0.0.2/token", true).await;
        check("http://10.0.0.1/mcp", "http://127.0.0.1/token", false).await;
        check("http://10.0.0.1/mcp", "file:///etc/passwd", false).await;
        check("http://10.0.0.1/mcp", "https://user@h/token", false).await;
        check("http://10.0.0.1/mcp", "nonsense", false).await;
    }
}
