//! Looks at what tasks watch: pages, feeds, numbers; gathers digests; says that a schedule came due.
//!
//! Gates come before everything that costs: an answer of 304, equal bytes, equal text, rules, keywords. A fetch error, a
//! missing part or an empty page is a fault, never a change. Nothing here asks a model.

mod digest;
mod numbers;
mod preview;
mod schedule;
mod source;
mod store;
#[cfg(test)]
mod tests;
mod threshold;
mod web;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value};

use crate::ambient::finding::{Fault, Finding, Look, News, Probe};
use crate::ambient::spec::Selector;
use crate::domain::query::Sample;
use crate::domain::task::{Common, KindConfig, Minutes, Source, TaskSpec, WebMonitor};
use crate::domain::text::with_causes;
use crate::net::fetch::Fetcher;
use crate::store::EventLog;
use crate::store::tasks::Blob;
use crate::tools::ToolBox;
use crate::web::page::{Reading, Rules};

pub use numbers::read_number;

/// The kinds of blobs that a look is compared with.
pub const COMPARED: [&str; 2] = [store::BASELINE, store::SAMPLE];

/// Looks at all kinds. Cheap to clone.
#[derive(Clone)]
pub struct Probes {
    fetcher: Fetcher,
    log: EventLog,
    tools: ToolBox,
    metrics: Arc<BTreeMap<String, Source>>,
}

impl Probes {
    /// Looks through `fetcher`, at what `log` keeps, with `tools`; `metrics` are the named sources of the config.
    pub fn new(fetcher: Fetcher, log: EventLog, tools: ToolBox, metrics: BTreeMap<String, Source>) -> Self {
        Self { fetcher, log, tools, metrics: Arc::new(metrics) }
    }

    async fn probe(mut self, look: Look) -> Result<Finding, Fault> {
        self.fetcher = self.fetcher.telling(look.line.clone());
        match look.spec.kind.clone() {
            KindConfig::WebMonitor(config) => web::look(&self, &look, &config).await,
            KindConfig::Schedule(config) if config.action.as_deref() == Some("news_digest") => {
                let wanted = digest::Wanted { urls: &config.news_urls, categories: &[], top: 10 };
                digest::look(&self, &look, &wanted).await
            }
            KindConfig::Schedule(config) => schedule::look(&look, &config),
            KindConfig::NewsDigest(config) => {
                let wanted = digest::Wanted { urls: &config.news_urls, categories: &config.categories, top: usize::from(config.top) };
                digest::look(&self, &look, &wanted).await
            }
            KindConfig::ThresholdWatch(config) => threshold::look(&self, &look, &config).await,
        }
    }
}

impl Probe for Probes {
    fn look(&self, look: Look) -> BoxFuture<'static, Result<Finding, Fault>> {
        self.clone().probe(look).boxed()
    }
}

impl Finding {
    fn quiet(state: Value, gate: &'static str, note: impl Into<String>) -> Self {
        Self { state, keep: Vec::new(), news: News::Quiet { gate }, note: note.into(), trouble: None }
    }
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry_at: None }
    }
}

impl From<crate::net::fetch::Error> for Fault {
    fn from(error: crate::net::fetch::Error) -> Self {
        let retry_at = error.retry_at();
        Self { message: with_causes(&error), retry_at }
    }
}

/// The fields that the data of every event has.
fn data_of(spec: &TaskSpec) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("description".to_owned(), spec.description.clone().into());
    data.insert("user_id".to_owned(), spec.user_id.clone().into());
    data
}

/// A monitor of `url` without any rules.
fn plain(url: &str) -> WebMonitor {
    WebMonitor {
        urls: vec![url.to_owned()],
        keywords: Vec::new(),
        check_interval_minutes: Minutes::whole(30),
        selector: None,
        xpath: None,
        json_pointer: None,
        ignore: Vec::new(),
        ignore_selectors: Vec::new(),
        case_sensitive: false,
        partial_words: false,
        fire_first: false,
        render: false,
        ignore_robots: false,
        common: Common::default(),
    }
}

/// Checks a page selector.
///
/// # Errors
/// What is wrong with it.
pub fn check_selector(kind: Selector, text: &str) -> Result<(), String> {
    let mut config = plain("https://example.com");
    match kind {
        Selector::Css => config.selector = Some(text.to_owned()),
        Selector::XPath => config.xpath = Some(text.to_owned()),
    }
    Rules::new(&config).map(drop).map_err(|error| error.message)
}

/// How what the probes keep is read.
#[derive(Debug, Clone, Copy)]
pub struct Keeping;

impl Keeping {
    /// The text of a kept unified diff.
    pub fn diff(blob: &Blob) -> Option<String> {
        store::unpack(&blob.bytes)
    }

    /// A kept reading of a number.
    pub fn sample(blob: &Blob) -> Option<Sample> {
        threshold::read_sample(blob)
    }

    /// How long the text of a kept snapshot is, in bytes.
    pub fn snapshot_bytes(blob: &Blob) -> u64 {
        let text = store::unpack::<Reading>(&blob.bytes).map_or(0, |reading| reading.text().len());
        u64::try_from(text).unwrap_or(u64::MAX)
    }
}
