//! One request and one answer: the head, the body up to its limit, and what went wrong in our words.

use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT, AGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, DATE, ETAG, EXPIRES, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION, PRAGMA, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::Url;
use tokio::time::{Instant, timeout};

use crate::domain::text::{clean_line, ellipsis};
use crate::net::failure::find;
use crate::net::fetch::error::{Cause, Error, Stage, cause, shown};
use crate::net::fetch::{Accept, Fetched, Head, Validators, refused};
use crate::net::guard::Refusal;
use crate::net::{Client, Failure, Inner, Reason};

/// A validator or content type longer than this is not kept.
const HEADER_BYTES_MAX: usize = 1_024;

/// Values of one header that are kept.
const HEADER_VALUES_MAX: usize = 4;

/// What to ask for, and how much of it to take.
pub(super) struct Plan {
    pub(super) headers: HeaderMap,
    pub(super) conditional: bool,
    pub(super) body_bytes_max: u64,
    /// Take the beginning of a body that is too large, instead of failing.
    pub(super) cut_body: bool,
    pub(super) honour_robots: bool,
    pub(super) connect_timeout: Duration,
}

impl Plan {
    /// The headers for `accept` and `validators`; validators that are no header values are left out.
    pub(super) fn headers(accept: Accept, validators: &Validators) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept.header()));
        let mut put = |name: HeaderName, value: Option<&String>| {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name, value);
            }
        };
        put(IF_NONE_MATCH, validators.etag.as_ref());
        put(IF_MODIFIED_SINCE, validators.last_modified.as_ref());
        headers
    }
}

/// How long all of a fetch may still take; waiting in line does not count.
pub(super) struct Budget {
    limit: Duration,
    used: Duration,
}

impl Budget {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, used: Duration::ZERO }
    }

    pub(super) fn used(&self) -> Duration {
        self.used
    }
}

/// What one exchange brought.
pub(super) enum Answer {
    /// The page, or the word that it is unchanged; where it was and how long that took is left to the caller.
    Page(Box<Fetched>),
    /// It is elsewhere.
    Moved(String, Head),
    /// Neither; the headers may say when to come back.
    Failed { code: u16, headers: HeaderMap },
}

/// Asks `url` once and reads the answer, within `budget`; who gave it, where that is known.
pub(super) async fn exchange(client: &Client, url: &Url, plan: &Plan, budget: &mut Budget) -> Result<(Answer, Option<IpAddr>), Error> {
    let inner = client.inner(url.as_str()).await.map_err(|error| match error {
        crate::net::Error::Refused(refusal) => refused(url, &refusal),
        error => Error::Unreachable { url: shown(url), cause: Cause::Setup, message: cause(&error.to_string()) },
    })?;
    let started = Instant::now();
    let left = budget.limit.saturating_sub(budget.used);
    let (mut stage, mut peer) = (Stage::Answer, None);
    let outcome = timeout(left, talk(&inner, url, plan, &mut stage, &mut peer)).await;
    budget.used += started.elapsed();
    let answer = outcome.unwrap_or_else(|_| Err(Error::TimedOut { url: shown(url), limit: budget.limit, during: stage }))?;
    Ok((answer, peer))
}

async fn talk(inner: &Inner, url: &Url, plan: &Plan, stage: &mut Stage, peer: &mut Option<IpAddr>) -> Result<Answer, Error> {
    let send = || inner.get(url.clone()).headers(plan.headers.clone()).send();
    let response = match send().await {
        // A kept connection that the server closed in the moment it was used again says nothing about the page.
        Err(error) if error.is_request() && !error.is_connect() && !error.is_timeout() => send().await,
        other => other,
    };
    let response = response.map_err(|error| no_answer(url, plan, error))?;
    *stage = Stage::Body;
    *peer = response.remote_addr().map(|address| address.ip());
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED && plan.conditional {
        return Ok(page(status, response.headers(), Bytes::new(), false));
    }
    if is_redirect(status)
        && let Some(location) = response.headers().get(LOCATION)
    {
        return Ok(Answer::Moved(String::from_utf8_lossy(location.as_bytes()).into_owned(), head(status, response.headers())));
    }
    // A part of the page would look like a page that lost the rest.
    if !status.is_success() || status == StatusCode::PARTIAL_CONTENT {
        return Ok(Answer::Failed { code: status.as_u16(), headers: response.headers().clone() });
    }
    let headers = response.headers().clone();
    let (body, cut) = read(response, url, plan).await?;
    Ok(page(status, &headers, body, cut))
}

/// The unpacked body, and whether it is only the beginning. It ends at the limit, so a small file that unpacks to a huge one
/// costs no more than the limit.
async fn read(mut response: reqwest::Response, url: &Url, plan: &Plan) -> Result<(Bytes, bool), Error> {
    let limit = usize::try_from(plan.body_bytes_max).unwrap_or(usize::MAX);
    let too_large = || Error::TooLarge { url: shown(url), limit_bytes: plan.body_bytes_max };
    let announced = response.content_length().unwrap_or(0);
    if announced > plan.body_bytes_max && !plan.cut_body {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    loop {
        let part = response.chunk().await.map_err(|error| cut(url, body.len(), error))?;
        let Some(part) = part else { return Ok((body.freeze(), false)) };
        let room = limit - body.len();
        if part.len() > room {
            if !plan.cut_body {
                return Err(too_large());
            }
            body.extend_from_slice(&part[..room]);
            return Ok((body.freeze(), true));
        }
        body.extend_from_slice(&part);
    }
}

fn page(status: StatusCode, headers: &HeaderMap, body: Bytes, cut: bool) -> Answer {
    let text = |name: HeaderName| {
        let value = headers.get(name)?.to_str().ok()?.trim();
        (!value.is_empty() && value.len() <= HEADER_BYTES_MAX).then(|| value.to_owned())
    };
    Answer::Page(Box::new(Fetched {
        status: status.as_u16(),
        not_modified: status == StatusCode::NOT_MODIFIED,
        validators: Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) },
        content_type: text(CONTENT_TYPE).map(|value| ellipsis(&clean_line(&value), HEADER_BYTES_MAX).into_owned()),
        body,
        head: head(status, headers),
        cut,
        ..Fetched::default()
    }))
}

/// What an answer says of keeping it. A cookie's value is nobody's business.
fn head(status: StatusCode, headers: &HeaderMap) -> Head {
    let mut kept = HeaderMap::new();
    for name in [CACHE_CONTROL, PRAGMA, EXPIRES, DATE, AGE, VARY, ETAG, LAST_MODIFIED, CONTENT_LANGUAGE] {
        for value in headers.get_all(&name).iter().filter(|value| value.len() <= HEADER_BYTES_MAX).take(HEADER_VALUES_MAX) {
            kept.append(name.clone(), value.clone());
        }
    }
    if headers.contains_key(SET_COOKIE) {
        kept.insert(SET_COOKIE, HeaderValue::from_static("-"));
    }
    Head { status: status.as_u16(), headers: kept }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Why there is not even a head.
fn no_answer(url: &Url, plan: &Plan, error: reqwest::Error) -> Error {
    if let Some(refusal) = find::<Refusal>(&error) {
        return refused(url, refusal);
    }
    if error.is_timeout() {
        return Error::TimedOut { url: shown(url), limit: plan.connect_timeout, during: Stage::Connecting };
    }
    let step = if error.is_dns() || find::<reqwest::Error>(&error).is_some_and(reqwest::Error::is_dns) {
        Some(Cause::Dns)
    } else if find::<rustls::Error>(&error).is_some() {
        Some(Cause::Tls)
    } else if error.is_builder() {
        Some(Cause::Setup)
    } else if error.is_connect() {
        Some(Cause::Connect)
    } else {
        None
    };
    let failure = Failure::from(error);
    let message = cause(&failure.message);
    match step {
        Some(cause) => Error::Unreachable { url: shown(url), cause, message },
        // What hyper says of bytes that are no HTTP; it has no public type for it.
        None if message.contains("invalid HTTP") => Error::Garbled { url: shown(url), message },
        None => Error::Cut { url: shown(url), received_bytes: 0, message },
    }
}

/// Why the body ended early.
fn cut(url: &Url, received: usize, error: reqwest::Error) -> Error {
    let failure = Failure::from(error);
    let message = cause(&failure.message);
    match failure.reason {
        Reason::Garbled => Error::Garbled { url: shown(url), message },
        Reason::Setup | Reason::Connect | Reason::Lost | Reason::Refused => {
            Error::Cut { url: shown(url), received_bytes: received as u64, message }
        }
    }
}
