//! `web_search`: one interface, three services behind it, the answers kept.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::domain::text::{clean_line, ellipsis};
use crate::net;
use crate::store::cache::{Cache, Fetched, Hit, Kind, Lifetime};
use crate::web::api::{Api, Error, Question};
use crate::web::options::{Provider, RESULTS_MAX, SearchOptions};

/// How long the word that nothing was found is kept: an engine may have been out of breath.
const NOTHING_KEPT: Duration = Duration::from_mins(1);

/// The longest query, in characters: what the services take.
pub(super) const QUERY_CHARS_MAX: usize = 400;

/// The longest title and the longest excerpt, in characters.
const TITLE_CHARS_MAX: usize = 200;
const SNIPPET_CHARS_MAX: usize = 500;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) title: String,
    pub(super) url: String,
    /// What the page says about it, or the service.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) snippet: String,
    /// When it was published, as the service says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) published: Option<String>,
}

/// A service that is set up.
#[derive(Clone)]
struct Engine {
    provider: Provider,
    api: Api,
    base: String,
    key: Option<SecretString>,
}

/// Searches, or says how to set a search up.
#[derive(Clone)]
pub(super) struct Search {
    engine: Result<Arc<Engine>, String>,
    cache: Cache,
}

impl Provider {
    /// Its name, for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Searxng => "SearXNG",
            Self::Brave => "Brave Search",
            Self::Tavily => "Tavily",
        }
    }

    /// Where it is, and the variable of its key; nothing where it is one's own.
    fn known(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Searxng => None,
            Self::Brave => Some(("https://api.search.brave.com", "BRAVE_API_KEY")),
            Self::Tavily => Some(("https://api.tavily.com", "TAVILY_API_KEY")),
        }
    }
}

/// What is said where nothing is set up.
const SET_UP: &str = "no search engine is set up. In the config: `[web.search]` with `provider = \"searxng\"` and `url = \"http://127.0.0.1:8888\"` \
                      (an instance of your own, which must allow `format=json`), or `provider = \"brave\"` with the key in `BRAVE_API_KEY`, or \
                      `provider = \"tavily\"` with the key in `TAVILY_API_KEY`. A page whose address is known can be read without one";

impl Search {
    /// The service of the options; `variable` knows the environment.
    pub(super) fn new(options: &SearchOptions, net: net::Client, cache: Cache, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        Self { engine: engine(options, net, variable).map(Arc::new), cache }
    }

    /// What the service found, its name, and how long ago that was.
    pub(super) async fn search(&self, query: &str, limit: usize) -> Result<(Vec<Found>, &'static str, Duration), String> {
        let engine = Arc::clone(self.engine.as_ref().map_err(Clone::clone)?);
        let name = engine.provider.name();
        let query = clean_line(query);
        // One more or less is no other question: all are asked alike, and cut here.
        let key = format!("{} {} {query}", engine.provider.name(), engine.base);
        let asked = self.cache.get_or_fetch(Kind::Search, &key, move || async move { engine.fetch(&query).await });
        let Hit { value, age, .. } = asked.await.map_err(|error: Error| error.to_string())?;
        let mut found: Vec<Found> =
            serde_json::from_slice(&value).map_err(|error| format!("what was kept of the search is damaged: {error}"))?;
        found.truncate(limit);
        Ok((found, name, age))
    }
}

fn engine(options: &SearchOptions, net: net::Client, variable: &dyn Fn(&str) -> Option<String>) -> Result<Engine, String> {
    let provider = options.provider.ok_or_else(|| SET_UP.to_owned())?;
    let known = provider.known();
    let named = Some(options.url.trim()).filter(|url| !url.is_empty());
    let base = named.or(known.map(|(base, _)| base)).ok_or_else(|| SET_UP.to_owned())?;
    let name = Some(options.api_key_env.trim()).filter(|name| !name.is_empty()).or(known.map(|(_, name)| name));
    let key = options.api_key.clone().filter(|key| !key.expose_secret().trim().is_empty());
    let key = key.or_else(|| variable(name?).filter(|key| !key.trim().is_empty()).map(SecretString::from));
    if let (Some(name), None, Some(_)) = (name, &key, known) {
        return Err(format!("{} needs a key: set the variable `{name}`, or `api_key` in `[web.search]`", provider.name()));
    }
    let timeout = Duration::from_secs(options.timeout_seconds.clamp(1, 120));
    let api = Api { net, service: provider.name(), url_key: "web.search.url", key_key: "web.search.api_key", timeout };
    Ok(Engine { provider, api, base: base.trim_end_matches('/').to_owned(), key })
}

impl Engine {
    async fn fetch(&self, query: &str) -> Result<Fetched, Error> {
        let found = match self.provider {
            Provider::Searxng => self.api.ask::<SearxngAnswer>(self.searxng(query)).await?.found(),
            Provider::Brave => self.api.ask::<BraveAnswer>(self.brave(query)).await?.found(),
            Provider::Tavily => self.api.ask::<TavilyAnswer>(self.tavily(query)).await?.found(),
        };
        let lifetime = found.is_empty().then_some(Lifetime::fresh(NOTHING_KEPT));
        Ok(Fetched { value: serde_json::to_vec(&found).unwrap_or_default().into(), lifetime })
    }

    /// <https://docs.searxng.org/dev/search_api.html>
    fn searxng(&self, query: &str) -> Question {
        let query = vec![("q".to_owned(), query.to_owned()), ("format".to_owned(), "json".to_owned())];
        Question { url: format!("{}/search", self.base), query, headers: self.bearer(), body: None }
    }

    /// <https://api-dashboard.search.brave.com/app/documentation/web-search/get-started>
    fn brave(&self, query: &str) -> Question {
        let mut headers = HeaderMap::new();
        if let Some(key) = self.secret("") {
            headers.insert(HeaderName::from_static("x-subscription-token"), key);
        }
        let query = vec![("q".to_owned(), query.to_owned()), ("count".to_owned(), RESULTS_MAX.to_string())];
        Question { url: format!("{}/res/v1/web/search", self.base), query, headers, body: None }
    }

    /// <https://docs.tavily.com/documentation/api-reference/endpoint/search>
    fn tavily(&self, query: &str) -> Question {
        let body = json!({"query": query, "max_results": RESULTS_MAX, "search_depth": "basic"});
        Question { url: format!("{}/search", self.base), query: Vec::new(), headers: self.bearer(), body: Some(body) }
    }

    fn bearer(&self) -> HeaderMap {
        self.secret("Bearer ").map(|value| (AUTHORIZATION, value)).into_iter().collect()
    }

    /// The key as a header that is never shown.
    fn secret(&self, before: &str) -> Option<HeaderValue> {
        let key = self.key.as_ref()?.expose_secret().trim();
        let mut value = HeaderValue::try_from(format!("{before}{key}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[derive(Deserialize)]
struct SearxngAnswer {
    results: Vec<SearxngResult>,
}

#[derive(Deserialize)]
struct SearxngResult {
    url: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    content: Option<String>,
    #[serde(default, rename = "publishedDate")]
    published: Option<String>,
}

impl SearxngAnswer {
    fn found(self) -> Vec<Found> {
        cleaned(self.results.into_iter().map(|row| (row.title, row.url, row.content, row.published)))
    }
}

#[derive(Deserialize)]
struct BraveAnswer {
    /// Absent where nothing was found.
    #[serde(default)]
    web: Option<BraveWeb>,
}

#[derive(Deserialize)]
struct BraveWeb {
    #[serde(default)]
    results: Vec<BraveResult>,
}

#[derive(Deserialize)]
struct BraveResult {
    url: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    page_age: Option<String>,
    #[serde(default)]
    age: Option<String>,
}

impl BraveAnswer {
    fn found(self) -> Vec<Found> {
        let rows = self.web.map(|web| web.results).unwrap_or_default();
        cleaned(rows.into_iter().map(|row| (row.title, row.url, row.description, row.page_age.or(row.age))))
    }
}

#[derive(Deserialize)]
struct TavilyAnswer {
    results: Vec<TavilyResult>,
}

#[derive(Deserialize)]
struct TavilyResult {
    url: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    published_date: Option<String>,
}

impl TavilyAnswer {
    fn found(self) -> Vec<Found> {
        cleaned(self.results.into_iter().map(|row| (row.title, row.url, row.content, row.published_date)))
    }
}

type Row = (Option<String>, String, Option<String>, Option<String>);

/// Pages of the web only, each once, texts without markup, in the order of the service.
fn cleaned(rows: impl Iterator<Item = Row>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for (title, url, snippet, published) in rows {
        let Ok(url) = Url::parse(url.trim()) else { continue };
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || found.iter().any(|known| known.url == url.as_str()) {
            continue;
        }
        let text = |text: Option<String>, chars: usize| ellipsis(&without_markup(&text.unwrap_or_default()), chars).into_owned();
        let title = text(title, TITLE_CHARS_MAX);
        let title = if title.is_empty() { url.host_str().unwrap_or_default().to_owned() } else { title };
        let published = Some(text(published, 40)).filter(|when| !when.is_empty());
        found.push(Found { title, url: url.into(), snippet: text(snippet, SNIPPET_CHARS_MAX), published });
        if found.len() == RESULTS_MAX {
            break;
        }
    }
    found
}

/// Services mark what was looked for with tags and write signs as entities.
fn without_markup(text: &str) -> String {
    if !text.contains(['<', '&']) {
        return clean_line(text);
    }
    // What a service sends is short; what is not is cut before it is parsed.
    let text = ellipsis(text, SNIPPET_CHARS_MAX * 4);
    clean_line(&dom_query::Document::fragment(text.as_ref()).text())
}
