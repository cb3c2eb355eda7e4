//! Pages out of the cache where the rules of HTTP allow it (RFC 9111), out of the network where they do not.
//!
//! [`Shelf`] keeps what a fetcher brings, [`Pages`] looks there first. What the server lets go stale meanwhile is served
//! and fetched anew behind; what carries a validator is asked for with it, so that an unchanged page costs a few bytes.
//! Nobody reads here what they could not have fetched: a page of a private network lies apart from those of the
//! internet. Requests carry no credentials and no cookies, so a page is the same for all who ask from here.

mod kept;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use url::Url;

use crate::domain::clock::Clock;
use crate::net::fetch::{Error, Fetched, Fetcher, Keeper, Request, Validators};
use crate::net::guard::Guard;
use crate::store::cache::{Cache, Kind};
use kept::Kept;
use rules::Verdict;

/// Pages that are fetched anew in the background at once.
const REFRESHES_MAX: usize = 4;

/// Where a page came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Its server, just now.
    Network,
    /// The cache; its server said just now that it has not changed.
    Confirmed,
    /// The cache, fetched so long ago.
    Cache(Duration),
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// What came.
    pub fetched: Arc<Fetched>,
    /// Where it came from.
    pub source: Source,
}

/// Keeps what fetchers bring. Clones share the cache.
#[derive(Clone)]
pub struct Shelf {
    cache: Cache,
    clock: Arc<dyn Clock>,
    /// Who fetches may reach these.
    guard: Guard,
}

impl Shelf {
    /// A shelf for what is fetched by somebody who may reach what `guard` allows.
    pub fn new(cache: Cache, clock: Arc<dyn Clock>, guard: Guard) -> Self {
        Self { cache, clock, guard }
    }

    /// What lies there for this request, whatever its age. `url` is canonical.
    async fn find(&self, url: &str, request: &Request) -> Option<Kept> {
        if self.reaches_private(url)
            && let Some(kept) = self.read(&key(Space::Private, url, request)).await
        {
            return Some(kept);
        }
        self.read(&key(Space::Public, url, request)).await
    }

    async fn read(&self, key: &str) -> Option<Kept> {
        let hit = self.cache.get(Kind::Page, key).await?;
        Kept::unpack(&hit.value)
    }

    fn reaches_private(&self, url: &str) -> bool {
        let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.is_some_and(|host| self.guard.lets_private(&host))
    }

    /// Where a page belongs that came; nowhere if a private host was led to by another one.
    fn space(&self, fetched: &Fetched, url: &str) -> Option<Space> {
        let hosts = || fetched.redirects.iter().map(String::as_str).chain([url, fetched.url.as_str()]);
        // Behind a proxy nobody is seen to answer; who may reach no private host has reached none.
        if fetched.public || self.guard.is_for_chosen() && !hosts().any(|url| self.reaches_private(url)) {
            return Some(Space::Public);
        }
        fetched.redirects.is_empty().then_some(Space::Private)
    }

    async fn keep(&self, request: Request, fetched: Arc<Fetched>) {
        let Ok(url) = Fetcher::canonical(&request.url) else { return };
        let now = self.clock.now();
        if fetched.not_modified {
            // Somebody asked with validators: what lies here may be what the server means.
            let Some(mut kept) = self.find(&url, &request).await else { return };
            if kept.is_confirmed_by(&fetched) {
                kept.confirm(&fetched.head, now);
                self.put(&url, &request, kept, &fetched).await;
            }
            return;
        }
        if !fetched.cut {
            self.put(&url, &request, Kept::of(&fetched, now), &fetched).await;
        }
    }

    async fn put(&self, url: &str, request: &Request, kept: Kept, fetched: &Fetched) {
        let Some(space) = self.space(fetched, url) else { return };
        let key = key(space, url, request);
        match rules::lifetime(&kept, request.accept) {
            Some(lifetime) => self.cache.put(Kind::Page, &key, kept.pack(), Some(lifetime)).await,
            None => self.cache.remove(Kind::Page, &key).await,
        }
    }
}

impl Keeper for Shelf {
    fn came(&self, request: Request, fetched: Arc<Fetched>) -> BoxFuture<'static, ()> {
        let shelf = self.clone();
        async move { shelf.keep(request, fetched).await }.boxed()
    }
}

/// Who may read what lies there.
#[derive(Debug, Clone, Copy)]
enum Space {
    /// Everybody.
    Public,
    /// Who may reach private hosts.
    Private,
}

/// The version of what is kept is part of the key: a newer program passes over what an older one kept.
fn key(space: Space, url: &str, request: &Request) -> String {
    format!("1 {space:?} {:?} {url}", request.accept)
}

/// Fetches pages through the cache. Clones share everything.
#[derive(Clone)]
pub struct Pages {
    fetcher: Fetcher,
    shelf: Shelf,
    refreshes: Arc<Semaphore>,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("fetcher", &self.fetcher).finish_non_exhaustive()
    }
}

impl Pages {
    /// Pages that `fetcher` may reach.
    pub fn new(fetcher: &Fetcher, cache: Cache, clock: Arc<dyn Clock>) -> Self {
        let shelf = Shelf::new(cache, clock, fetcher.guard().clone());
        let fetcher = fetcher.clone().keeping(Arc::new(shelf.clone()));
        Self { fetcher, shelf, refreshes: Arc::new(Semaphore::new(REFRESHES_MAX)) }
    }

    /// What fetches the pages.
    pub fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// The page, from wherever the rules allow. A `fresh` request asks the server in any case.
    ///
    /// # Errors
    /// When it has to be fetched and did not come, or may not be reached.
    pub async fn get(&self, request: Request) -> Result<Page, Error> {
        let url = Fetcher::canonical(&request.url)?;
        // What may not be reached is not read from here either.
        self.fetcher.check(&url)?;
        let now = self.shelf.clock.now();
        let kept = if request.fresh { None } else { self.shelf.find(&url, &request).await };
        let Some(kept) = kept else { return self.fetch(request).await };
        let verdict = rules::judge(&kept, request.accept, now);
        let age = now.since(kept.at());
        match verdict {
            Verdict::Fresh => Ok(Page { fetched: Arc::new(kept.into_fetched()), source: Source::Cache(age) }),
            Verdict::Stale => {
                self.refresh(request, kept.validators());
                Ok(Page { fetched: Arc::new(kept.into_fetched()), source: Source::Cache(age) })
            }
            Verdict::Ask => self.confirm(request, kept).await,
            Verdict::Gone => self.fetch(request).await,
        }
    }

    async fn fetch(&self, request: Request) -> Result<Page, Error> {
        let fetched = self.fetcher.get(request).await?;
        Ok(Page { fetched, source: Source::Network })
    }

    /// Asks the server whether what is kept still holds.
    async fn confirm(&self, request: Request, kept: Kept) -> Result<Page, Error> {
        let fetched = self.fetcher.get(Request { validators: kept.validators(), ..request.clone() }).await?;
        if !fetched.not_modified {
            return Ok(Page { fetched, source: Source::Network });
        }
        if kept.is_confirmed_by(&fetched) {
            return Ok(Page { fetched: Arc::new(kept.into_fetched()), source: Source::Confirmed });
        }
        // The server speaks of another version than the one it was asked about.
        self.fetch(Request { validators: Validators::default(), fresh: true, ..request }).await
    }

    /// Fetches anew behind, unless others do already; what comes is kept by the shelf.
    fn refresh(&self, request: Request, validators: Validators) {
        let Ok(permit) = Arc::clone(&self.refreshes).try_acquire_owned() else { return };
        let fetcher = self.fetcher.clone();
        tokio::spawn(async move {
            let _until_the_end = permit;
            if let Err(error) = fetcher.get(Request { validators, ..request }).await {
                tracing::debug!(%error, "a page could not be fetched anew");
            }
        });
    }
}
