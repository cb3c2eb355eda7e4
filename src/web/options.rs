//! What can be configured about the web tools: `[web]` in the config.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::text::{clean_line, ellipsis};

/// `[web]`: what tools may fetch, and how much of it one answer holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether tools reach private addresses (this machine, the network behind the router); default false. A model chooses
    /// these addresses, so this is stricter than `fetch.allow_private`, which is for addresses that a person gave.
    pub allow_private: bool,
    /// Hosts that tools reach although their addresses are private: names or literal addresses; default none.
    pub allow_hosts: Vec<String>,
    /// Whether `robots.txt` is obeyed when a tool fetches a page; default true.
    pub honour_robots: bool,
    /// The most characters of a page that one answer holds where the call names no limit; default 20,000.
    pub chars_max: usize,
    /// `web_search`.
    pub search: SearchOptions,
    /// `get_weather`.
    pub weather: WeatherOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_private: false,
            allow_hosts: Vec::new(),
            honour_robots: true,
            chars_max: 20_000,
            search: SearchOptions::default(),
            weather: WeatherOptions::default(),
        }
    }
}

/// Who searches the web.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// A `SearXNG` instance of one's own or of somebody else's, by its address; no key. It must allow `format=json`.
    Searxng,
    /// The Brave Search API, by key.
    Brave,
    /// The Tavily API, by key.
    Tavily,
}

/// `[web.search]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchOptions {
    /// `searxng`, `brave` or `tavily`; default: none, and `web_search` says how to set one up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Where it is; needed for `searxng` (`http://127.0.0.1:8888`), default for the others: their public API.
    pub url: String,
    /// The key.
    #[serde(skip_serializing)]
    pub api_key: Option<SecretString>,
    /// The variable that holds the key; default `BRAVE_API_KEY`, `TAVILY_API_KEY`.
    pub api_key_env: String,
    /// Results where the call names no number, up to 20; default 8.
    pub limit: usize,
    /// The longest that a search may take, in seconds; default 15.
    pub timeout_seconds: u64,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self { provider: None, url: String::new(), api_key: None, api_key_env: String::new(), limit: 8, timeout_seconds: 15 }
    }
}

/// Which units temperatures, winds and rain come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Units {
    /// °C, km/h, mm.
    #[default]
    Metric,
    /// °F, mph, inches.
    Imperial,
}

/// `[web.weather]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeatherOptions {
    /// Where places are looked up; default `https://geocoding-api.open-meteo.com`.
    pub geocoding_url: String,
    /// Where forecasts come from; default `https://api.open-meteo.com`.
    pub forecast_url: String,
    /// `metric` or `imperial`; default `metric`.
    pub units: Units,
    /// The longest that a question may take, in seconds; default 15.
    pub timeout_seconds: u64,
}

impl Default for WeatherOptions {
    fn default() -> Self {
        Self {
            geocoding_url: "https://geocoding-api.open-meteo.com".to_owned(),
            forecast_url: "https://api.open-meteo.com".to_owned(),
            units: Units::Metric,
            timeout_seconds: 15,
        }
    }
}

/// The most results of a search.
pub(super) const RESULTS_MAX: usize = 20;

/// The most characters of a page in one answer.
pub(super) const CHARS_MAX: usize = 200_000;

impl Options {
    /// What is wrong with these options, in words for whoever wrote them.
    pub fn problem(&self) -> Option<String> {
        let ranges = [
            ("chars_max", self.chars_max, 500, CHARS_MAX),
            ("search.limit", self.search.limit, 1, RESULTS_MAX),
            ("search.timeout_seconds", usize::try_from(self.search.timeout_seconds).unwrap_or(usize::MAX), 1, 120),
            ("weather.timeout_seconds", usize::try_from(self.weather.timeout_seconds).unwrap_or(usize::MAX), 1, 120),
        ];
        if let Some((key, value, low, high)) = ranges.into_iter().find(|(_, value, low, high)| !(low..=high).contains(&value)) {
            return Some(format!("`{key}` is {value}, and must lie between {low} and {high}"));
        }
        if let Some(host) = self.allow_hosts.iter().find(|host| !is_host(host)) {
            let host = ellipsis(&clean_line(host), 60).into_owned();
            return Some(format!(
                "`allow_hosts`: `{host}` is no host; write a name or an address such as `wiki.home.arpa` or `192.168.1.5`"
            ));
        }
        let searxng = self.search.provider == Some(Provider::Searxng);
        if searxng && self.search.url.trim().is_empty() {
            return Some("`search.url` is missing: `searxng` needs the address of an instance, such as `http://127.0.0.1:8888`".to_owned());
        }
        let urls = [
            ("search.url", &self.search.url),
            ("weather.geocoding_url", &self.weather.geocoding_url),
            ("weather.forecast_url", &self.weather.forecast_url),
        ];
        let wrong = urls.into_iter().filter(|(key, url)| *key != "search.url" || !url.trim().is_empty()).find(|(_, url)| !is_base(url));
        wrong.map(|(key, _)| format!("`{key}` is no address: write it like `https://example.org`, without a name or a question mark"))
    }
}

/// A name or a literal address, nothing around it.
fn is_host(text: &str) -> bool {
    let text = text.trim();
    let bare = text.trim_matches(['[', ']']);
    bare.parse::<std::net::IpAddr>().is_ok() || (!text.is_empty() && url::Host::parse(text).is_ok() && !text.contains(['/', ':', '@']))
}

/// An address that paths can be added to.
fn is_base(text: &str) -> bool {
    Url::parse(text.trim()).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
    })
}
