//! What every request passes through: who it comes from, how often, and whether it may come in.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use tower::ServiceExt;

use crate::net::door::{self, Door, Refusal};
use crate::server::api::Api;
use crate::server::http::interactions;
use crate::server::rate::Rates;
use crate::server::{http as routes, ws};

/// Whether who opens a WebSocket may come in. It is told over the socket, for a browser does not say why a handshake failed.
#[derive(Debug, Clone, Copy)]
pub enum Entrant {
    /// It may.
    Welcome {
        /// Whether it has shown a token.
        has_token: bool,
    },
    /// It may not; why.
    Refused(&'static str),
}

impl<S: Send + Sync> FromRequestParts<S> for Entrant {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        // Nobody gets here without it; if somebody did, it would not come in.
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self::Refused("not checked at the door")))
    }
}

/// The door and what is behind it.
pub(super) struct Entry {
    door: Door,
    rates: Rates,
    router: Router,
}

impl Entry {
    pub(super) fn new(door: Door, api: Arc<Api>) -> Self {
        let rates = Rates::new(api.options.requests_per_second);
        let sockets = ws::routes().with_state(Arc::clone(&api));
        Self { door, rates, router: routes::router(api).merge(sockets) }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>, from: SocketAddr) -> Response {
        let (mut parts, body) = request.into_parts();
        let origin = parts.headers.get(header::ORIGIN).cloned();
        let refusal = self.check(&parts).err();
        if parts.uri.path().starts_with("/ws/") {
            let has_token = self.door.has_token();
            parts.extensions.insert(refusal.map_or(Entrant::Welcome { has_token }, |refusal| Entrant::Refused(words(refusal))));
        } else if let Some(refusal) = refusal {
            return refused(refusal);
        }
        // Reports are held back by their queue, and only whoever has a key or the token gets so far.
        let is_report = interactions::is_report(parts.uri.path());
        if is_report {
            let shown = interactions::shown(&self.door, &parts);
            parts.extensions.insert(shown);
        } else if let Err(wait) = self.rates.take(from.ip(), Instant::now()) {
            let seconds = HeaderValue::from(wait.as_secs() + 1);
            let mut reply = problem(StatusCode::TOO_MANY_REQUESTS, "too many requests from this address");
            reply.headers_mut().insert(header::RETRY_AFTER, seconds);
            return reply;
        }
        let is_question = parts.method == Method::OPTIONS && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if is_question && origin.is_some() {
            let mut reply = StatusCode::NO_CONTENT.into_response();
            door::preflight(reply.headers_mut(), origin);
            return reply;
        }
        parts.extensions.insert(from);
        let request = Request::from_parts(parts, Body::new(body));
        let Ok(mut reply) = self.router.clone().oneshot(request).await;
        door::share(reply.headers_mut(), origin);
        reply
    }

    /// The page itself holds nothing: it must be there before anybody can type a token into it.
    fn check(&self, parts: &Parts) -> Result<(), Refusal> {
        self.door.check_caller(parts)?;
        let path = parts.uri.path();
        let is_page = parts.method == Method::GET && (path == "/" || path.starts_with("/dashboard/"));
        if is_page || parts.method == Method::OPTIONS {
            return Ok(());
        }
        if interactions::is_report(parts.uri.path()) {
            // Whether the key is good is asked of the store.
            return Ok(());
        }
        let shown = door::bearer(&parts.headers).map(str::to_owned);
        // A browser cannot send headers with a WebSocket or an event stream.
        let named = || is_stream(parts).then(|| token_in(parts.uri.query()?)).flatten();
        self.door.check_token(shown.or_else(named).as_deref())
    }
}

fn is_stream(parts: &Parts) -> bool {
    let accepts = parts.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    parts.uri.path().starts_with("/ws/") || accepts.contains("text/event-stream")
}

pub(super) fn token_in(query: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token").map(|(_, value)| value.into_owned())
}

/// Why somebody may not come in, and what would let them. Short enough for a close frame.
fn words(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Host => "the `Host` is none of this server's: `hosts` under [server] names more",
        Refusal::Origin => "this `Origin` may not call: `origins` under [server] lets it",
        Refusal::Token => "the bearer token is missing or wrong: send it as `Authorization: Bearer TOKEN`",
    }
}

pub(super) fn refused(refusal: Refusal) -> Response {
    let mut reply = problem(refusal.status(), words(refusal));
    if refusal == Refusal::Token {
        reply.headers_mut().insert(header::WWW_AUTHENTICATE, door::CHALLENGE);
    }
    reply
}

/// A problem in the words of RFC 9457.
fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("error");
    let body = serde_json::json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
