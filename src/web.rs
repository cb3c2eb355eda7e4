//! The web as tasks and tools see it: pages fetched through the cache, read as text, rendered where scripts draw them;
//! search and weather.
//!
//! `page` turns bytes into what a page says and tells whether that changed; `render` lets an installed browser make the
//! page first; `pages` fetches through the cache by the rules of HTTP; `tools` lends all of that to models. What may be
//! reached, and how politely, is the business of `net`.

mod api;
pub mod options;
pub mod page;
pub mod pages;
pub mod render;
mod search;
pub mod tools;
mod weather;

use std::sync::Arc;

use crate::domain::clock::Clock;
use crate::net;
use crate::net::fetch::Fetcher;
use crate::store::cache::Cache;

pub use options::Options;

use pages::Pages;
use search::Search;
use weather::Weather;

/// All that the tools of the web work with. Clones share everything.
#[derive(Clone)]
pub struct Web {
    options: Arc<Options>,
    pages: Pages,
    search: Search,
    weather: Weather,
}

/// What [`Web`] is made of.
pub struct Deps<'a> {
    /// Shares its lines and rests with whoever else fetches.
    pub fetcher: &'a Fetcher,
    /// Reaches the services of search and weather, whose addresses are the owner's.
    pub net: &'a net::Client,
    /// Keeps what was fetched.
    pub cache: &'a Cache,
    /// The time.
    pub clock: &'a Arc<dyn Clock>,
    /// Knows the environment, for keys.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Web {
    /// Builds it; nothing is opened or asked before the first use.
    pub fn new(options: &Options, deps: &Deps<'_>) -> Self {
        let fetcher = deps.fetcher.for_chosen(options.allow_private, &options.allow_hosts);
        Self {
            options: Arc::new(options.clone()),
            pages: Pages::new(&fetcher, deps.cache.clone(), Arc::clone(deps.clock)),
            search: Search::new(&options.search, deps.net.clone(), deps.cache.clone(), deps.variable),
            weather: Weather::new(&options.weather, deps.net, deps.cache.clone()),
        }
    }
}

/// `fetcher`, keeping what it brings for the tools.
pub fn keeping(fetcher: Fetcher, cache: &Cache, clock: &Arc<dyn Clock>) -> Fetcher {
    let shelf = pages::Shelf::new(cache.clone(), Arc::clone(clock), fetcher.guard().clone());
    fetcher.keeping(Arc::new(shelf))
}
