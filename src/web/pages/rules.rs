//! May this page be kept, and is it still good? Pure: what the server said and the time in, a verdict out.
//!
//! `http-cache-semantics` knows the rules of a shared cache (RFC 9111), for the cache may be shared by several machines.
//! Two things are added: `stale-while-revalidate` (RFC 5861), and a minute for pages whose server says nothing at all
//! (heuristic freshness, RFC 9111 4.2.2), so that reading a page part by part does not fetch it for each part.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{ACCEPT, CACHE_CONTROL, EXPIRES, PRAGMA, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderValue};
use http_cache_semantics::{CacheOptions, CachePolicy};

use super::kept::Kept;
use crate::domain::clock::Instant;
use crate::net::fetch::{Accept, Head};
use crate::store::cache::Lifetime;

/// How long a page is good whose server says nothing about that.
const SILENT: Duration = Duration::from_mins(1);

/// The longest that a page is served without asking, whatever its server says: nobody wants a page of last year.
const FRESH_MAX: Duration = Duration::from_hours(24 * 7);

/// The longest that a page is served without asking where its server does not say how long it is good.
const GUESSED_MAX: Duration = Duration::from_hours(1);

/// How long a page is kept that can be asked after.
const ASKABLE: Duration = Duration::from_hours(24 * 7);

/// What is to be done with a kept page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is served.
    Fresh,
    /// It is served, and fetched anew behind.
    Stale,
    /// Its server is asked whether it still holds.
    Ask,
    /// It is fetched as if it were not there.
    Gone,
}

/// How good `kept` is at `now`.
pub(super) fn judge(kept: &Kept, accept: Accept, now: Instant) -> Verdict {
    let Some(fresh) = fresh_for(kept, accept) else { return Verdict::Gone };
    // A clock that was set back makes nothing younger.
    let age = if now < kept.at() { Duration::MAX } else { now.since(kept.at()) };
    if age < fresh {
        return Verdict::Fresh;
    }
    if age < fresh.saturating_add(stale_for(&kept.heads())) {
        return Verdict::Stale;
    }
    if kept.validators().is_empty() { Verdict::Gone } else { Verdict::Ask }
}

/// How long `kept` is worth its place; nothing where it may not be kept, or would be of no use.
pub(super) fn lifetime(kept: &Kept, accept: Accept) -> Option<Lifetime> {
    let fresh = fresh_for(kept, accept)?;
    let mut stale = stale_for(&kept.heads());
    if !kept.validators().is_empty() {
        stale = stale.max(ASKABLE);
    }
    (!fresh.is_zero() || !stale.is_zero()).then_some(Lifetime { fresh, stale })
}

/// How long a page is good from the moment it came; nothing where one answer on the way may not be kept at all.
fn fresh_for(kept: &Kept, accept: Accept) -> Option<Duration> {
    let mut fresh = FRESH_MAX;
    for head in kept.heads() {
        fresh = fresh.min(one(&head, kept.asked(), accept, kept.at())?);
    }
    Some(fresh)
}

fn one(head: &Head, url: &str, accept: Accept, at: Instant) -> Option<Duration> {
    let request = http::Request::builder().uri(url).header(ACCEPT, HeaderValue::from_static(accept.header())).body(()).ok()?;
    let mut response = http::Response::builder().status(head.status).body(()).ok()?;
    response.headers_mut().clone_from(&head.headers);
    let came = system_time(at);
    let policy = CachePolicy::new_options(&request, &response, came, CacheOptions::default());
    // `Vary: *` fits no other request (RFC 9111, 4.1). Other fields do: all requests of one kind carry the same ones.
    if !policy.is_storable() || head.headers.get_all(VARY).iter().any(|value| value.as_bytes().contains(&b'*')) {
        return None;
    }
    let fresh = policy.time_to_live(came);
    // A temporary redirect is kept only where it says so itself (RFC 9110, 15.4.3).
    let may_guess = matches!(head.status, 200 | 203 | 301 | 308) && is_silent(&head.headers);
    let fresh = if may_guess { fresh.max(SILENT) } else { fresh };
    Some(if is_explicit(&head.headers) { fresh } else { fresh.min(GUESSED_MAX) })
}

/// Whether a server says how long its answer is good.
fn is_explicit(headers: &HeaderMap) -> bool {
    let says = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("max"));
    headers.contains_key(EXPIRES) || headers.get_all(CACHE_CONTROL).iter().any(says)
}

/// Whether a server says nothing about how long its answer is good.
fn is_silent(headers: &HeaderMap) -> bool {
    [CACHE_CONTROL, EXPIRES, PRAGMA, SET_COOKIE].iter().all(|name| !headers.contains_key(name))
}

/// How long a page may be served after it went stale, while it is fetched anew; the shortest of all answers on the way.
fn stale_for(heads: &[Head]) -> Duration {
    heads.iter().map(|head| while_revalidating(&head.headers)).min().unwrap_or_default().min(FRESH_MAX)
}

fn while_revalidating(headers: &HeaderMap) -> Duration {
    let directives = || headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let named = |directive: &str| directive.trim().split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
    let forbidden = ["must-revalidate", "proxy-revalidate", "no-cache", "no-store", "private"];
    if directives().any(|directive| forbidden.contains(&named(directive).as_str())) {
        return Duration::ZERO;
    }
    let found = directives().find(|directive| named(directive) == "stale-while-revalidate");
    let seconds = found.and_then(|directive| directive.split_once('=')?.1.trim().trim_matches('"').parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

fn system_time(at: Instant) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0))
}
