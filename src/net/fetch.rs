//! Polite fetching of pages that are watched: one request at a time a host, nothing fetched twice without need.
//!
//! A [`Fetcher`] asks with the validators of the last time, unpacks, follows redirects, obeys `robots.txt` and
//! `Retry-After`, and shares one fetch among all who want the same page at the same moment. Every hop passes the address
//! guard ([`crate::net::guard`]). Dropping a [`Fetcher::get`] gives back what it held. What a page means is the business of
//! others; so is trying again: an [`Error`] says whether and when that makes sense.

mod error;
mod exchange;
mod flights;
mod hosts;
mod line;
mod page;
mod robots;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::domain::clock::Clock;
use crate::net::fetch::error::{shown, shown_text};
use crate::net::fetch::exchange::{Answer, Budget, Plan, exchange};
use crate::net::fetch::flights::{Flights, Key};
use crate::net::fetch::hosts::{Hosts, REST_MAX, Slot};
use crate::net::fetch::robots::ROBOTS_BYTES_MAX;
use crate::net::guard::{Guard, Refusal};
use crate::net::{Client, retry_after};

pub use error::{Cause, Error, Stage};
pub use line::Line;
pub use page::{Accept, Fetched, Head, Keeper, Request, Validators};

use line::Place;

/// The longest address that is fetched, in bytes.
const URL_BYTES_MAX: usize = 8_192;

/// How long an unused connection is kept: long enough for checks every ten seconds, short for hundreds of hosts.
const IDLE: Duration = Duration::from_secs(30);

/// How watched pages are fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Largest body, in bytes after unpacking; default 5,242,880 (5 MiB).
    pub body_bytes_max: u64,
    /// Longest wait for a connection, in seconds; default 10.
    pub connect_timeout_seconds: u64,
    /// Longest time for one page with all its redirects, in seconds, waiting in line not counted; default 30.
    pub timeout_seconds: u64,
    /// Requests in flight to all hosts together; default 64.
    pub concurrency_max: usize,
    /// Pause between two requests to one host, in milliseconds; default 0.
    pub host_gap_ms: u64,
    /// Requests that may wait for one host; default 1,000.
    pub host_queue_max: usize,
    /// Redirects followed for one page; default 10.
    pub redirects_max: usize,
    /// How long `robots.txt` is remembered, in hours; default 24.
    pub robots_cache_hours: u64,
    /// Whether addresses of this machine and of private networks may be fetched, posted to and rendered, where a person
    /// gave them; default true. What a public page leads to is never private (see [`crate::net::guard`]).
    pub allow_private: bool,
    /// Whether link-local addresses and the metadata services of clouds may be reached; default false.
    pub allow_metadata: bool,
    /// What to call ourselves; default: `wakeful/` and the version, with the address of the project where it has one.
    pub user_agent: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            body_bytes_max: 5 * 1024 * 1024,
            connect_timeout_seconds: 10,
            timeout_seconds: 30,
            concurrency_max: 64,
            host_gap_ms: 0,
            host_queue_max: 1_000,
            redirects_max: 10,
            robots_cache_hours: 24,
            allow_private: true,
            allow_metadata: false,
            user_agent: None,
        }
    }
}

impl Options {
    /// What is wrong with these options, in words for whoever wrote them.
    pub fn problem(&self) -> Option<String> {
        let whole = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let ranges = [
            ("body_bytes_max", self.body_bytes_max, 1, 1 << 30),
            ("connect_timeout_seconds", self.connect_timeout_seconds, 1, 300),
            ("timeout_seconds", self.timeout_seconds, 1, 3_600),
            ("concurrency_max", whole(self.concurrency_max), 1, 10_000),
            ("host_gap_ms", self.host_gap_ms, 0, 3_600_000),
            ("host_queue_max", whole(self.host_queue_max), 1, 1_000_000),
            ("redirects_max", whole(self.redirects_max), 0, 50),
            ("robots_cache_hours", self.robots_cache_hours, 0, 720),
        ];
        if let Some((key, value, low, high)) = ranges.into_iter().find(|(_, value, low, high)| !(low..=high).contains(&value)) {
            return Some(format!("`{key}` is {value}, and must lie between {low} and {high}"));
        }
        match &self.user_agent {
            Some(name) if name.trim().is_empty() || HeaderValue::from_str(name).is_err() => {
                Some("`user_agent` must be one line of printable text".to_owned())
            }
            _ => None,
        }
    }

    /// Which addresses may be reached with these options, through `proxy` (as in [`crate::net::Options::proxy`]).
    pub fn guard(&self, proxy: Option<&str>) -> Guard {
        Guard::new(self.allow_private, self.allow_metadata, crate::net::proxy_of(proxy).as_deref())
    }

    fn agent(&self) -> HeaderValue {
        let chosen = self.user_agent.as_deref().and_then(|name| HeaderValue::from_str(name).ok());
        chosen.unwrap_or_else(|| HeaderValue::from_static(user_agent()))
    }
}

/// `wakeful/VERSION (+repository)`; without the bracket where the package names no repository.
const fn user_agent() -> &'static str {
    if env!("CARGO_PKG_REPOSITORY").is_empty() {
        concat!("wakeful/", env!("CARGO_PKG_VERSION"))
    } else {
        concat!("wakeful/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")")
    }
}

/// Fetches pages politely. Clones share lines, rests and what is known of `robots.txt`.
#[derive(Clone)]
pub struct Fetcher {
    shared: Arc<Shared>,
    ways: Arc<Ways>,
    /// Told whether what is fetched here stands in line.
    line: Option<Line>,
    /// Told of what was fetched here.
    keeper: Option<Arc<dyn Keeper>>,
}

struct Shared {
    proxy: Option<String>,
    options: Options,
    hosts: Hosts,
    robots: robots::Cache,
    flights: Arc<Flights>,
    clock: Arc<dyn Clock>,
}

/// What may be reached by somebody who asks.
struct Ways {
    /// For the addresses that they give.
    inside: Way,
    /// For what a public host leads to.
    outside: Way,
}

impl Ways {
    fn new(guard: Guard, options: &Options, proxy: Option<&str>) -> Self {
        let connect_timeout_seconds = options.connect_timeout_seconds.max(1);
        let reach = crate::net::Options { proxy: proxy.map(str::to_owned), connect_timeout_seconds };
        Self { outside: Way::new(guard.outside(), options, reach.clone()), inside: Way::new(guard, options, reach) }
    }
}

/// A client, and what it may reach.
struct Way {
    client: Client,
    guard: Guard,
}

impl Way {
    fn new(guard: Guard, options: &Options, reach: crate::net::Options) -> Self {
        let agent = options.agent();
        let shape = move |builder: reqwest::ClientBuilder| {
            builder.user_agent(agent.clone()).referer(false).pool_idle_timeout(IDLE).pool_max_idle_per_host(1)
        };
        Self { client: Client::shaped(reach, Arc::new(shape)).guarded(guard.clone()), guard }
    }

    fn check(&self, url: &Url) -> Result<(), Error> {
        self.guard.check_host(url.host_str().unwrap_or_default()).map_err(|refusal| refused(url, &refusal))
    }
}

/// The error for `url` that `refusal` makes.
fn refused(url: &Url, refusal: &Refusal) -> Error {
    Error::Refused { host: shown_text(url.host_str().unwrap_or_default()), address: refusal.address.clone(), why: refusal.why.to_owned() }
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A fetcher that reaches others as the system says. It costs nothing until its first use.
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Self {
        Self::through(None, options, clock)
    }

    /// The same through `proxy` (as in [`crate::net::Options::proxy`]).
    pub fn through(proxy: Option<String>, options: Options, clock: Arc<dyn Clock>) -> Self {
        let guard = options.guard(proxy.as_deref());
        Self::guarded(guard, proxy, options, clock)
    }

    fn guarded(guard: Guard, proxy: Option<String>, options: Options, clock: Arc<dyn Clock>) -> Self {
        let ways = Arc::new(Ways::new(guard, &options, proxy.as_deref()));
        let shared = Shared {
            proxy,
            hosts: Hosts::new(clock.clone(), options.concurrency_max, Duration::from_millis(options.host_gap_ms), options.host_queue_max),
            robots: robots::Cache::new(Duration::from_hours(options.robots_cache_hours)),
            flights: Arc::default(),
            options,
            clock,
        };
        Self { shared: Arc::new(shared), ways, line: None, keeper: None }
    }

    /// The same fetcher, with its lines and rests, for addresses that a model chose: private ones only where
    /// `allow_private` says so, or at the `hosts` that are named (see [`Guard::chosen`]).
    #[must_use]
    pub fn for_chosen(&self, allow_private: bool, hosts: &[String]) -> Self {
        let guard = self.ways.inside.guard.chosen(allow_private, hosts);
        let ways = Ways::new(guard, &self.shared.options, self.shared.proxy.as_deref());
        Self { ways: Arc::new(ways), ..self.clone() }
    }

    /// The same fetcher, telling `keeper` of what it fetches.
    #[must_use]
    pub fn keeping(self, keeper: Arc<dyn Keeper>) -> Self {
        Self { keeper: Some(keeper), ..self }
    }

    /// What may be asked.
    pub fn guard(&self) -> &Guard {
        &self.ways.inside.guard
    }

    /// What was set.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Checks whether `url` may be asked, as far as that can be told without resolving its name.
    ///
    /// # Errors
    /// When it may not, or is none that can be fetched.
    pub fn check(&self, url: &str) -> Result<(), Error> {
        self.ways.inside.check(&parse(url)?)
    }

    /// How `url` is written in all that is kept under it.
    ///
    /// # Errors
    /// When it is none that can be fetched.
    pub fn canonical(url: &str) -> Result<String, Error> {
        parse(url).map(String::from)
    }

    /// The same fetcher, telling `line` while what is fetched through it stands in line.
    #[must_use]
    pub fn telling(self, line: Line) -> Self {
        Self { line: Some(line), ..self }
    }

    /// Runs `work`, which only waits for a turn, and tells the line so.
    pub async fn stand<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.line {
            Some(line) => line.stand(work).await,
            None => work.await,
        }
    }

    /// The guard for what a page that was `fetched` leads to: once a public host had a say, all must be public.
    pub async fn guard_after(&self, fetched: &Fetched) -> Guard {
        let guard = &self.ways.inside.guard;
        for url in fetched.redirects.iter().chain([&fetched.url]) {
            let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
            if guard.is_public(&host, None).await {
                return guard.outside();
            }
        }
        guard.clone()
    }

    /// The proxy that is used for other machines, where there is one: as the options say, or else the environment.
    pub fn proxy(&self) -> Option<String> {
        crate::net::proxy_of(self.shared.proxy.as_deref())
    }

    /// Fetches a page, or learns that it has not changed.
    ///
    /// # Errors
    /// When it did not come; see [`Error`].
    pub async fn get(&self, request: Request) -> Result<Arc<Fetched>, Error> {
        let url = parse(&request.url)?;
        let (shared, ways, keeper) = (self.shared.clone(), self.ways.clone(), self.keeper.clone());
        let fresh = request.fresh;
        let key = Key {
            url: url.as_str().to_owned(),
            validators: request.validators.clone(),
            honour_robots: request.honour_robots,
            accept: request.accept,
            cut: request.cut,
            // Who may reach less does not look over the shoulder of who may reach more.
            ways: Arc::as_ptr(&ways).addr(),
        };
        let place = Place::default();
        let mut stands = place.watch();
        let flight = async move {
            let fetched = Arc::new(shared.fetch(url, &request, &ways, &place).await?);
            if let Some(keeper) = keeper {
                keeper.came(request, fetched.clone()).await;
            }
            Ok(fetched)
        };
        if fresh {
            return self.watched(flight, stands).await;
        }
        let flight = self.shared.flights.join(key, flight, &mut stands);
        self.watched(flight, stands).await
    }

    /// Waits for `flight`, and hands on whether it stands in line.
    async fn watched<T>(&self, flight: impl Future<Output = T>, mut stands: watch::Receiver<bool>) -> T {
        let Some(line) = &self.line else { return flight.await };
        let mut fetch = line.fetch();
        tokio::pin!(flight);
        loop {
            fetch.stand(*stands.borrow_and_update());
            tokio::select! {
                biased;
                outcome = &mut flight => return outcome,
                Ok(()) = stands.changed() => {}
            }
        }
    }
}

impl Shared {
    async fn fetch(&self, url: Url, request: &Request, ways: &Ways, place: &Place) -> Result<Fetched, Error> {
        let validators = &request.validators;
        let plan = Plan {
            headers: Plan::headers(request.accept, validators),
            conditional: !validators.is_empty(),
            body_bytes_max: self.options.body_bytes_max,
            cut_body: request.cut,
            honour_robots: request.honour_robots,
            connect_timeout: Duration::from_secs(self.options.connect_timeout_seconds.max(1)),
        };
        let mut fetched = self.walk(url, &plan, ways, &ways.inside, place).await?;
        if fetched.not_modified {
            fetched.validators.etag = fetched.validators.etag.or_else(|| validators.etag.clone());
            fetched.validators.last_modified = fetched.validators.last_modified.or_else(|| validators.last_modified.clone());
        }
        Ok(fetched)
    }

    /// Asks `url` and follows where it leads. Each hop is a request like any other: guarded, allowed, in line.
    ///
    /// Once a public host has answered, all that follows must be public too.
    async fn walk(&self, start: Url, plan: &Plan, ways: &Ways, way: &Way, place: &Place) -> Result<Fetched, Error> {
        let mut budget = Budget::new(Duration::from_secs(self.options.timeout_seconds.max(1)));
        let (mut url, mut way) = (start, way);
        let mut seen = HashSet::new();
        let (mut redirects, mut passed, mut public) = (Vec::new(), Vec::new(), true);
        loop {
            way.check(&url)?;
            self.check_behind_proxy(&url, way).await?;
            let host = url.origin().ascii_serialization();
            if plan.honour_robots {
                self.permitted(&url, &host, ways, way, place).await?;
            }
            let slot = place.stand(self.hosts.enter(&host)).await?;
            let (answer, peer) = exchange(&way.client, &url, plan, &mut budget).await?;
            public &= peer.is_some_and(|peer| way.guard.is_public_address(peer));
            let (location, head) = match answer {
                Answer::Page(fetched) => {
                    let elapsed = budget.used();
                    return Ok(Fetched { url: url.into(), elapsed, redirects, passed, public, ..*fetched });
                }
                Answer::Failed { code, headers } => return Err(self.failed(&url, code, &headers, &slot)),
                Answer::Moved(location, head) => (location, head),
            };
            passed.push(head);
            // Two hosts' slots at once could wait for each other in a circle.
            drop(slot);
            let next = self.follow(&url, &location, redirects.len())?;
            if way.guard.is_public(url.host_str().unwrap_or_default(), peer).await {
                way = &ways.outside;
            }
            redirects.push(url.as_str().to_owned());
            seen.insert(url);
            if seen.contains(&next) {
                return Err(Error::RedirectLoop { url: shown(&next) });
            }
            url = next;
        }
    }

    /// Where `location` leads from `url`, if it may be followed.
    fn follow(&self, url: &Url, location: &str, followed: usize) -> Result<Url, Error> {
        let bad =
            |problem: &str| Error::BadUrl { url: shown_text(location), problem: format!("`{}` redirects there, {problem}", shown(url)) };
        if location.len() > URL_BYTES_MAX {
            return Err(bad("but the address is too long"));
        }
        let next = url.join(location).map_err(|_| bad("but it makes no sense"))?;
        let next = fetchable(next)?;
        if url.scheme() == "https" && next.scheme() == "http" {
            return Err(Error::Downgrade { from: shown(url), to: shown(&next) });
        }
        if followed >= self.options.redirects_max {
            return Err(Error::TooManyRedirects { url: shown(&next), limit: self.options.redirects_max });
        }
        Ok(next)
    }

    /// The error of a failed answer. A host that says when to come back is left alone until then.
    fn failed(&self, url: &Url, code: u16, headers: &HeaderMap, slot: &Slot) -> Error {
        let now = self.clock.now();
        let asked = if matches!(code, 413 | 429 | 500..) { retry_after(headers, now) } else { None };
        let retry_at = asked.map(|wait| now.plus(wait.min(REST_MAX)));
        if let Some(until) = retry_at {
            slot.rest_until(until);
        }
        Error::Status { url: shown(url), code, retry_at }
    }

    /// Behind a proxy the proxy resolves names, and what it finds is not seen. What a name stands for from here is looked
    /// up all the same where a model chose the address: a name of this network is not handed to the proxy.
    async fn check_behind_proxy(&self, url: &Url, way: &Way) -> Result<(), Error> {
        if !way.guard.is_for_chosen() || crate::net::proxy_of(self.proxy.as_deref()).is_none() {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        match way.guard.resolve_host(host, url.port_or_known_default().unwrap_or(0)).await {
            Err(error) => match error.get_ref().and_then(|cause| cause.downcast_ref::<Refusal>()) {
                Some(refusal) => Err(refused(url, refusal)),
                // The proxy may know the name.
                None => Ok(()),
            },
            Ok(_) => Ok(()),
        }
    }

    async fn permitted(&self, url: &Url, host: &str, ways: &Ways, way: &Way, place: &Place) -> Result<(), Error> {
        self.robots.check(place, host, url.as_str(), shown(url), self.clock.now(), || self.robots_file(url, ways, way, place)).await
    }

    async fn robots_file(&self, page: &Url, ways: &Ways, way: &Way, place: &Place) -> Result<Bytes, Error> {
        let mut url = page.clone();
        url.set_path("/robots.txt");
        url.set_query(None);
        let plan = Plan {
            headers: Plan::headers(Accept::Any, &Validators::default()),
            conditional: false,
            body_bytes_max: ROBOTS_BYTES_MAX,
            cut_body: true,
            honour_robots: false,
            connect_timeout: Duration::from_secs(self.options.connect_timeout_seconds.max(1)),
        };
        // Boxed: a page's walk asks for robots.txt, which is a walk of its own.
        Box::pin(self.walk(url, &plan, ways, way, place)).await.map(|fetched| fetched.body)
    }
}

/// Reads an address as a user wrote it.
fn parse(text: &str) -> Result<Url, Error> {
    let bad = |problem: &str| Error::BadUrl { url: shown_text(text), problem: problem.to_owned() };
    if text.len() > URL_BYTES_MAX {
        return Err(bad("it is too long"));
    }
    match Url::parse(text.trim()) {
        Ok(url) => fetchable(url),
        Err(_) if !text.contains("://") => Err(bad("write it with `https://` in front")),
        Err(error) => Err(bad(&format!("{error}; write it like `https://example.com/page`"))),
    }
}

/// `url` without its fragment, if it is one that can be fetched.
fn fetchable(mut url: Url) -> Result<Url, Error> {
    let bad = |url: &Url, problem: &str| Error::BadUrl { url: shown(url), problem: problem.to_owned() };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad(&url, "only `http` and `https` are fetched; write it with `https://` in front"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad(&url, "it names no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad(&url, "it holds a user name; write it without what stands before `@`"));
    }
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests;
