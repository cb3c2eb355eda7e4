//! What can be set about the cache.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use crate::domain::cache::Kind;
use crate::store::cache::Lifetime;

/// One MiB.
const MIB: u64 = 1 << 20;

/// The most that memory may be given, in bytes: 4 GiB.
const MEMORY_BYTES_LIMIT: u64 = 4 << 30;

/// The most that the file may be given, in bytes: 1 TiB.
const DISK_BYTES_LIMIT: u64 = 1 << 40;

/// The smallest file that is worth having, in bytes.
const DISK_BYTES_LEAST: u64 = MIB;

/// The largest value that may be kept, in bytes: 64 MiB; `SQLite` would take up to 1 GB.
const VALUE_BYTES_LIMIT: u64 = 64 << 20;

/// The longest that anything may be kept: 10 years, in seconds.
const SECONDS_LIMIT: u64 = 10 * 365 * 86_400;

/// Rules for tools that may be given.
const TOOL_RULES_MAX: usize = 256;

/// `[cache]` in the config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether anything is kept. Default: true.
    pub enabled: bool,
    /// What the entries in memory may take, in bytes; 0: none are kept there. Default: 16 MiB.
    pub memory_bytes_max: u64,
    /// What the file may take, in bytes; 0: there is none. Default: 256 MiB.
    pub disk_bytes_max: u64,
    /// The largest value that is kept, in bytes. Default: 4 MiB.
    pub value_bytes_max: u64,
    /// A Redis that several machines share, as a third layer: `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`. Never
    /// shown with its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisUrl>,
    /// Pages of the web that say nothing themselves. Default: fresh for 10 minutes, then stale for 6 hours.
    pub page: Times,
    /// Answers of search engines. Default: fresh for an hour, then stale for 6 hours.
    pub search: Times,
    /// Weather. Default: fresh for 10 minutes, then stale for 20.
    pub weather: Times,
    /// Vectors of texts: a model gives the same text the same vector. Default: fresh for 90 days.
    pub embedding: Times,
    /// Tools whose results are kept: those that say of themselves that they only read. Default: none.
    pub tools: Vec<ToolRule>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enabled: true,
            memory_bytes_max: 16 * MIB,
            disk_bytes_max: 256 * MIB,
            value_bytes_max: 4 * MIB,
            redis: None,
            page: Times::new(600, 6 * 3_600),
            search: Times::new(3_600, 6 * 3_600),
            weather: Times::new(600, 1_200),
            embedding: Times::new(90 * 86_400, 0),
            tools: Vec::new(),
        }
    }
}

impl Options {
    /// The name of the file in the cache folder.
    pub const FILE_NAME: &str = "cache.db";

    /// How long entries of `kind` live where nobody says otherwise. Tool results have their rules.
    pub fn lifetime(&self, kind: Kind) -> Lifetime {
        match kind {
            Kind::Page => self.page.lifetime(),
            Kind::Search => self.search.lifetime(),
            Kind::Weather => self.weather.lifetime(),
            Kind::Embedding => self.embedding.lifetime(),
            Kind::ToolResult => Lifetime::fresh(Duration::from_mins(1)),
        }
    }

    /// What does not fit: which key and what it may be.
    pub fn problem(&self) -> Option<String> {
        let numbers = [
            ("memory_bytes_max", self.memory_bytes_max, 0, MEMORY_BYTES_LIMIT),
            ("disk_bytes_max", self.disk_bytes_max, 0, DISK_BYTES_LIMIT),
            ("value_bytes_max", self.value_bytes_max, 1, VALUE_BYTES_LIMIT),
        ];
        if let Some((key, value, least, most)) = numbers.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value)) {
            return Some(format!("`{key}` is {value}: it must be from {least} to {most} (bytes)"));
        }
        if (1..DISK_BYTES_LEAST).contains(&self.disk_bytes_max) {
            return Some(format!(
                "`disk_bytes_max` is {}: it must be at least {DISK_BYTES_LEAST} (bytes), or 0 for no file",
                self.disk_bytes_max
            ));
        }
        let kinds = [("page", self.page), ("search", self.search), ("weather", self.weather), ("embedding", self.embedding)];
        for (key, times) in kinds {
            for (name, seconds) in [("fresh_seconds", times.fresh_seconds), ("stale_seconds", times.stale_seconds)] {
                if seconds > SECONDS_LIMIT {
                    return Some(format!("`{key}.{name}` is {seconds}: it must be from 0 to {SECONDS_LIMIT} (10 years)"));
                }
            }
        }
        if let Some(problem) = self.redis.as_ref().and_then(RedisUrl::problem) {
            return Some(problem);
        }
        if self.tools.len() > TOOL_RULES_MAX {
            return Some(format!("`tools` has {} rules: at most {TOOL_RULES_MAX} are taken", self.tools.len()));
        }
        self.tools.iter().find_map(ToolRule::problem)
    }
}

/// How long entries of a kind live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Times {
    /// How long they are served as they are, in seconds.
    pub fresh_seconds: u64,
    /// How long they are served after that while they are fetched anew, in seconds.
    pub stale_seconds: u64,
}

impl Times {
    const fn new(fresh_seconds: u64, stale_seconds: u64) -> Self {
        Self { fresh_seconds, stale_seconds }
    }

    fn lifetime(self) -> Lifetime {
        Lifetime { fresh: Duration::from_secs(self.fresh_seconds), stale: Duration::from_secs(self.stale_seconds) }
    }
}

/// One `[[cache.tools]]`: a tool whose results are kept. It is only taken where the tool says that it only reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolRule {
    /// The server's name; `*` stands for any characters.
    pub server: String,
    /// The tool's name on it; `*` stands for any characters.
    pub tool: String,
    /// How long a result is given again, in seconds.
    pub seconds: u64,
}

impl ToolRule {
    fn problem(&self) -> Option<String> {
        if self.server.trim().is_empty() || self.tool.trim().is_empty() {
            return Some("`tools`: each rule needs `server` and `tool`; `*` stands for any".to_owned());
        }
        (!(1..=SECONDS_LIMIT).contains(&self.seconds)).then(|| {
            let (server, tool) = (&self.server, &self.tool);
            format!("`tools`: `seconds` of {server}/{tool} is {}: it must be from 1 to {SECONDS_LIMIT} (10 years)", self.seconds)
        })
    }
}

/// What stands for a secret wherever a URL is shown.
const MASK: &str = "••••";

/// The URL of a Redis. It may hold a password, so `Debug`, `Display` and JSON show it masked.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct RedisUrl(Arc<str>);

impl RedisUrl {
    /// Wraps a URL; whether it is a good one is said by [`Options::problem`].
    pub fn new(url: impl AsRef<str>) -> Self {
        Self(Arc::from(url.as_ref()))
    }

    /// The URL as it is, with its password. For the connection only.
    #[cfg(feature = "redis")]
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// The password in it, so that logs can mask it.
    pub fn password(&self) -> Option<String> {
        self.parsed().and_then(|url| url.password().map(str::to_owned))
    }

    fn parsed(&self) -> Option<url::Url> {
        url::Url::parse(&self.0).ok()
    }

    /// The URL for people: without password, or a mask where it cannot be told which part is the password.
    pub fn masked(&self) -> String {
        let Some(mut url) = self.parsed().filter(|url| url.scheme() == "redis" && url.has_host()) else { return MASK.to_owned() };
        url.set_query(None);
        url.set_fragment(None);
        let secret = url.password().is_some();
        if secret && url.set_password(None).is_err() {
            return MASK.to_owned();
        }
        let text = url.to_string();
        match (secret, text.split_once("://")) {
            (true, Some((scheme, rest))) => {
                let (user, place) = rest.split_once('@').unwrap_or(("", rest));
                format!("{scheme}://{user}:{MASK}@{place}")
            }
            _ => text,
        }
    }

    fn problem(&self) -> Option<String> {
        let form = "`redis` must be `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`";
        let Some(url) = self.parsed() else { return Some(format!("{form}; this is no address")) };
        match url.scheme() {
            "redis" if url.has_host() && cfg!(feature = "redis") => None,
            "redis" if url.has_host() => Some("`redis` is set, but this build has no Redis: build it with the feature `redis`".to_owned()),
            "rediss" => Some(format!("{form}; TLS (`rediss`) is not built in: put it behind a tunnel")),
            scheme => Some(format!("{form}; this begins with `{}:`", crate::domain::text::clean_line(scheme))),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({})", self.masked())
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for RedisUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named_with_its_range() {
        let check = |toml: &str, part: &str| {
            let problem = toml::from_str::<Options>(toml).unwrap().problem();
            assert!(problem.as_ref().is_some_and(|problem| problem.contains(part)), "{toml}: {problem:?}");
        };
        assert_eq!(Options::default().problem(), None);
        check("memory_bytes_max = 5000000000", "`memory_bytes_max` is 5000000000: it must be from 0 to 4294967296");
        check("disk_bytes_max = 1000", "at least 1048576 (bytes), or 0 for no file");
        check("value_bytes_max = 0", "`value_bytes_max` is 0: it must be from 1 to 67108864");
        check("page = { fresh_seconds = 999999999 }", "`page.fresh_seconds` is 999999999");
        check("redis = 'http://localhost'", "this begins with `http:`");
        check("redis = 'rediss://localhost'", "TLS");
        check("redis = 'localhost'", "no address");
        check("tools = [{ server = '', tool = 'a', seconds = 1 }]", "needs `server` and `tool`");
        check("tools = [{ server = 'a', tool = 'b', seconds = 0 }]", "`seconds` of a/b is 0");
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        let check = |url: &str, shown: &str| {
            let url = RedisUrl::new(url);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("RedisUrl({shown})"));
            assert_eq!(serde_json::to_string(&url).unwrap(), format!("\"{shown}\""));
        };
        check("redis://anna:s3cret@cache.example.org:6380/2", "redis://anna:••••@cache.example.org:6380/2");
        check("redis://:s3cret@127.0.0.1", "redis://:••••@127.0.0.1");
        check("redis://localhost:6379/0?protocol=resp3", "redis://localhost:6379/0");
        check("s3cret", "••••");
        check("redis:s3cret", "••••");
    }
}
