//! One HTTP client for everything that leaves this machine, and the rules of trying again.
//!
//! The only module that names reqwest. A [`Client`] costs nothing until its first use: reading the system's root
//! certificates takes milliseconds, so it happens then, off the event loop. Certificates are checked against the
//! platform's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` count); servers on the loopback interface are reached without
//! any proxy. Redirects are followed within one host only; pages that
//! are watched have rules of their own ([`fetch`]). There is no limit on a whole request here: whoever reads a body knows how long it may take.

pub mod accept;
pub mod door;
mod failure;
pub mod fetch;
pub mod guard;
mod retry;
pub mod stream;

use crate::domain::text::with_causes;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use guard::Guard;

pub use failure::{Failure, Reason};
pub use retry::{Class, GaveUp, RetryPolicy, Verdict, retry_after};

/// A request, ready to be sent. Crates that are handed one of our clients speak in these.
pub type Request = reqwest::Request;

/// A response with its body still coming.
pub type Response = reqwest::Response;

/// The client underneath, for crates that want one: build it here, hand it on, and do not name its crate.
pub type Inner = reqwest::Client;

/// How many redirects are followed.
const REDIRECTS_MAX: usize = 5;

/// How long an unused connection is kept for the next request.
const POOL_IDLE: Duration = Duration::from_secs(90);

/// How this machine reaches others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Proxy for all requests but those to this machine: a URL, `off` for none; default: what the system says
    /// (`HTTPS_PROXY` and its kin).
    pub proxy: Option<String>,
    /// Longest wait for a connection, in seconds; default 10.
    pub connect_timeout_seconds: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { proxy: None, connect_timeout_seconds: 10 }
    }
}

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The proxy's address makes no sense.
    #[error("`{0}` is no usable proxy address")]
    Proxy(String),
    /// The address guard said no.
    #[error("it is not reached: {0}")]
    Refused(guard::Refusal),
    /// The client could not be built; without root certificates on the machine, for example.
    #[error("could not set up HTTP: {0}")]
    Build(String),
}

/// Installs ring as the process's cryptography, once; later calls do nothing.
pub fn install_crypto() {
    // It fails only where a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Fills `bytes` with what nobody can guess, from the system.
///
/// # Errors
/// When the system has none to give.
pub fn random(bytes: &mut [u8]) -> Result<(), Error> {
    let filled = rustls::crypto::ring::default_provider().secure_random.fill(bytes);
    filled.map_err(|_| Error::Build("the system gives no random numbers".to_owned()))
}

/// A client that is built at its first use. Clones share it.
#[derive(Clone)]
pub struct Client(Arc<Lazy>);

/// Changes that a part of this module makes to its own clients.
type Shape = Arc<dyn Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync>;

struct Lazy {
    options: Options,
    shape: Option<Shape>,
    guard: Option<Guard>,
    outward: OnceCell<Inner>,
    plain: OnceCell<Inner>,
    loopback: OnceCell<Inner>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("net::Client").field("connect_timeout_seconds", &self.0.options.connect_timeout_seconds).finish_non_exhaustive()
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Client {
    /// A client that is not built yet.
    pub fn new(options: Options) -> Self {
        Self::with_shape(options, None)
    }

    /// A client that follows other rules than those above.
    fn shaped(options: Options, shape: Shape) -> Self {
        Self::with_shape(options, Some(shape))
    }

    fn with_shape(options: Options, shape: Option<Shape>) -> Self {
        Self::made(options, shape, None)
    }

    fn made(options: Options, shape: Option<Shape>, guard: Option<Guard>) -> Self {
        Self(Arc::new(Lazy { options, shape, guard, outward: OnceCell::new(), plain: OnceCell::new(), loopback: OnceCell::new() }))
    }

    /// The same for addresses that others had a say in: it reaches only what `guard` lets it, names by what they resolve
    /// to in the moment of the connection, and follows no redirect.
    pub fn guarded(self, guard: Guard) -> Self {
        Self::made(self.0.options.clone(), self.0.shape.clone(), Some(guard))
    }

    /// The same with another limit on connecting; this very client where the limit is the same.
    pub fn with_connect_timeout(self, seconds: u64) -> Self {
        if seconds == self.0.options.connect_timeout_seconds {
            return self;
        }
        let options = Options { connect_timeout_seconds: seconds, ..self.0.options.clone() };
        Self::made(options, self.0.shape.clone(), self.0.guard.clone())
    }

    /// The client that reaches `url`, built now if need be.
    ///
    /// # Errors
    /// When the proxy's address is unusable, the machine has no root certificates, or the guard refuses the address.
    pub async fn inner(&self, url: &str) -> Result<Inner, Error> {
        if let Some(guard) = &self.0.guard {
            // A literal address is connected to without being resolved.
            guard.check_url(url).map_err(Error::Refused)?;
        }
        if is_loopback(url) && url.starts_with("http://") {
            return self.0.loopback.get_or_try_init(|| self.build(Reach::Loopback)).await.cloned();
        }
        let built = self.0.outward.get_or_try_init(|| self.build(Reach::Outward)).await.cloned();
        match built {
            // Plain HTTP needs no certificates, so a machine without any can still use it.
            Err(Error::Build(_)) if url.starts_with("http://") => self.0.plain.get_or_try_init(|| self.build(Reach::Plain)).await.cloned(),
            other => other,
        }
    }

    async fn build(&self, reach: Reach) -> Result<Inner, Error> {
        let lazy = self.0.clone();
        let built = tokio::task::spawn_blocking(move || build_now(&lazy, reach)).await;
        built.unwrap_or_else(|error| Err(Error::Build(error.to_string())))
    }

    /// Sends `request` and waits for the head of the response, whatever its status.
    ///
    /// # Errors
    /// When no response came.
    pub async fn execute(&self, request: Request) -> Result<Response, Failure> {
        let inner = self.inner(request.url().as_str()).await.map_err(|error| Failure::setup(&error))?;
        inner.execute(request).await.map_err(Failure::from)
    }

    /// Sends a GET request to `url` and waits for the head of the response, whatever its status.
    ///
    /// # Errors
    /// When no response came.
    pub async fn get(&self, url: &str, headers: HeaderMap, query: &[(String, String)]) -> Result<Response, Failure> {
        let inner = self.inner(url).await.map_err(|error| Failure::setup(&error))?;
        inner.get(url).headers(headers).query(query).send().await.map_err(Failure::from)
    }
}

/// Whom a client is for; three, because a client's proxy and certificates cannot change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Any server.
    Outward,
    /// Servers without TLS, on a machine that has no root certificates.
    Plain,
    /// Servers without TLS on this very machine: no proxy, and no certificates to read.
    Loopback,
}

fn build_now(lazy: &Lazy, reach: Reach) -> Result<Inner, Error> {
    let options = &lazy.options;
    install_crypto();
    let mut builder = Inner::builder()
        .user_agent(concat!("wakeful/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(options.connect_timeout_seconds))
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::custom(stay_at_home));
    builder = match (reach, options.proxy.as_deref()) {
        (Reach::Loopback, _) | (_, Some("off" | "")) => builder.no_proxy(),
        (_, None) => builder,
        (_, Some(url)) => {
            let proxy = reqwest::Proxy::all(url).map_err(|_| Error::Proxy(without_userinfo(url)))?;
            builder.proxy(proxy)
        }
    };
    if reach != Reach::Outward {
        builder = builder.tls_certs_only([]);
    }
    if let Some(shape) = &lazy.shape {
        builder = shape(builder);
    }
    if let Some(guard) = &lazy.guard {
        builder = builder.dns_resolver(Arc::new(guard.clone())).redirect(reqwest::redirect::Policy::none());
    }
    builder.build().map_err(|error| Error::Build(with_causes(&error.without_url())))
}

/// The proxy for other machines: as `option` says, or else as the variables that all programs read do.
fn proxy_of(option: Option<&str>) -> Option<String> {
    match option {
        Some("off" | "") => None,
        Some(url) => Some(url.to_owned()),
        None => {
            let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
            names.iter().find_map(|name| std::env::var(name).ok()).filter(|url| !url.trim().is_empty())
        }
    }
}

/// Follows a redirect only to the same host, and never from TLS to plain text: our requests carry keys in headers of
/// any name, and a redirect must not carry them to a stranger. What is not followed comes back as it is.
fn stay_at_home(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    let next = attempt.url();
    let home = attempt.previous().first().is_some_and(|first| {
        let same_host = first.host_str() == next.host_str();
        let same_place = first.scheme() == next.scheme() && first.port_or_known_default() == next.port_or_known_default();
        let to_tls = first.scheme() == "http" && next.scheme() == "https";
        same_host && (same_place || to_tls)
    });
    if home && attempt.previous().len() <= REDIRECTS_MAX { attempt.follow() } else { attempt.stop() }
}

fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn without_userinfo(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        _ => url.to_owned(),
    }
}

/// The body of `response` as it comes.
pub fn body(response: Response) -> BoxStream<'static, Result<Bytes, Failure>> {
    response.bytes_stream().map(|part| part.map_err(Failure::from)).boxed()
}

/// A response made here, for crates that want one from us.
pub fn respond<S>(status: StatusCode, content_type: &'static str, body: S) -> Response
where
    S: Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    let mut response = http::Response::new(reqwest::Body::wrap_stream(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response.into()
}

#[cfg(test)]
mod tests;
