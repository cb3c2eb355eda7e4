//! The section `[interaction_logging]` of the config: names and defaults are those that other programs know.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};

/// Where the key is looked for when the config names no variable.
pub const KEY_VARIABLE: &str = "COORDINATOR_API_KEY";

/// The queue's file in the data folder.
pub const QUEUE_FILE: &str = "interaction_queue.db";

/// What the queue of today's users is called.
pub const OLD_QUEUE_FILE: &str = "interaction_cache.db";

/// The table of the transport `database` where no URL names another place.
pub const DATABASE_FILE: &str = "interaction_logs.db";

/// How reports travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportKind {
    /// `POST` to the coordinator.
    Http,
    /// A stream of Redis or Valkey.
    Redis,
    /// A table that the coordinator polls.
    Database,
    /// A bidirectional gRPC stream.
    Grpc,
    /// The first healthy one of those that are set up, else the database.
    Auto,
}

impl TransportKind {
    /// Its name in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Redis => "redis",
            Self::Database => "database",
            Self::Grpc => "grpc",
            Self::Auto => "auto",
        }
    }
}

/// How much of what was said and returned is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Nothing: sizes, times, names and kinds of errors only.
    Off,
    /// A hash with a salt of this machine's own: equal texts can be told, texts cannot.
    Hash,
    /// The text, without secrets, addresses of mail and numbers of phones.
    Full,
}

/// What varies of the reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether anything is reported. Default false.
    pub enable_interaction_logging: bool,
    /// Where the coordinator is (`http`, `auto`). Default `http://127.0.0.1:8080`.
    pub coordinator_url: String,
    /// Shown to the coordinator as `Authorization: Bearer`.
    #[serde(skip_serializing, deserialize_with = "secret")]
    pub coordinator_api_key: Option<SecretString>,
    /// The variable of the environment that holds the key instead. Default `COORDINATOR_API_KEY`.
    pub coordinator_api_key_env: String,
    /// Who reports. Default `my_agent_001`.
    pub mcp_id: String,
    /// `http` (default), `redis`, `database`, `grpc` or `auto`.
    pub transport: TransportKind,
    /// Refusals of one record (400, 413, 422) after which it becomes a dead letter; outages do not count. Default 3.
    pub max_retries: u32,
    /// The wait after the first failure, in seconds; it doubles with each further one. Default 1.
    pub retry_delay: f64,
    /// The most requests a second (each carries up to 100 records); 0: any number. Default 10.
    pub rate_limit_per_second: f64,
    /// The folder or file of the queue on disk; empty: the data folder.
    pub local_cache_path: String,
    /// How much of prompts, arguments and results is reported: `off` (default), `hash` or `full`.
    pub content: Content,
    /// The longest that one request may take, in seconds. Default 5.
    pub timeout_seconds: u64,
    /// The most that the queue on disk holds, in MiB; reading of the log rests while it is full. Default 256.
    pub queue_mib: u64,
    /// After so many days a record that could not be delivered becomes a dead letter. Default 30.
    pub max_age_days: u64,
    /// The Redis or Valkey of the transport `redis`: `redis://:PASSWORD@HOST:6379/0`.
    #[serde(skip_serializing, deserialize_with = "secret")]
    pub redis_url: Option<SecretString>,
    /// The stream's name there. Default `mcp_interactions`.
    pub redis_stream: String,
    /// The group by which coordinators read it. Default `coordinators`.
    pub redis_group: String,
    /// The table of the transport `database`: `sqlite:///PATH`, `postgres://…` or `mysql://…`; empty: a file in the data
    /// folder.
    #[serde(skip_serializing, deserialize_with = "secret")]
    pub database_url: Option<SecretString>,
    /// The gRPC endpoint: `http://HOST:PORT`, with TLS `https://…`.
    pub grpc_url: String,
    /// Authorities in PEM that prove the gRPC endpoint, where the system's do not.
    pub grpc_ca: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enable_interaction_logging: false,
            coordinator_url: "http://127.0.0.1:8080".to_owned(),
            coordinator_api_key: None,
            coordinator_api_key_env: KEY_VARIABLE.to_owned(),
            mcp_id: "my_agent_001".to_owned(),
            transport: TransportKind::Http,
            max_retries: 3,
            retry_delay: 1.0,
            rate_limit_per_second: 10.0,
            local_cache_path: String::new(),
            content: Content::Off,
            timeout_seconds: 5,
            queue_mib: 256,
            max_age_days: 30,
            redis_url: None,
            redis_stream: "mcp_interactions".to_owned(),
            redis_group: "coordinators".to_owned(),
            database_url: None,
            grpc_url: String::new(),
            grpc_ca: String::new(),
        }
    }
}

/// An empty text is no secret: today's users write `coordinator_api_key = ""`.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.trim().is_empty()).map(SecretString::from))
}

impl Options {
    /// Whether anything is reported.
    pub fn is_on(&self) -> bool {
        self.enable_interaction_logging
    }

    /// What is wrong with them: key and range.
    pub fn problem(&self) -> Option<String> {
        if let Err(why) = self.check_url() {
            return Some(format!("`coordinator_url` {why}"));
        }
        if self.mcp_id.trim().is_empty() || self.mcp_id.chars().count() > crate::domain::interaction::ID_CHARS_MAX {
            return Some("`mcp_id` must have 1 to 200 characters".to_owned());
        }
        if !(1..=100).contains(&self.max_retries) {
            return Some("`max_retries` must lie between 1 and 100".to_owned());
        }
        if !(0.01..=3_600.0).contains(&self.retry_delay) {
            return Some("`retry_delay` must lie between 0.01 and 3600 seconds".to_owned());
        }
        let rate = self.rate_limit_per_second;
        if rate != 0.0 && !(0.01..=100_000.0).contains(&rate) {
            return Some("`rate_limit_per_second` must be 0 (no limit) or lie between 0.01 and 100000".to_owned());
        }
        if !(1..=600).contains(&self.timeout_seconds) {
            return Some("`timeout_seconds` must lie between 1 and 600".to_owned());
        }
        if !(1..=1_048_576).contains(&self.queue_mib) {
            return Some("`queue_mib` must lie between 1 and 1048576".to_owned());
        }
        if !(1..=36_500).contains(&self.max_age_days) {
            return Some("`max_age_days` must lie between 1 and 36500".to_owned());
        }
        None
    }

    fn check_url(&self) -> Result<(), &'static str> {
        let uri: http::Uri = self.coordinator_url.trim().parse().map_err(|_| "is no URL")?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
            return Err("must begin with `http://` or `https://` and name a host");
        }
        if self.coordinator_url.contains(['?', '#', '@']) {
            return Err("must hold no password and no query: the key belongs into `coordinator_api_key`");
        }
        Ok(())
    }

    /// The coordinator's address without a `/` at its end.
    pub fn base_url(&self) -> &str {
        self.coordinator_url.trim().trim_end_matches('/')
    }

    /// The key: of the config, else of the environment.
    pub fn key(&self, variable: &dyn Fn(&str) -> Option<String>) -> Option<SecretString> {
        let by_variable = || variable(self.coordinator_api_key_env.trim()).filter(|key| !key.trim().is_empty());
        self.coordinator_api_key.clone().or_else(|| by_variable().map(|key| SecretString::from(key.trim().to_owned())))
    }

    /// What must never be told: the keys and addresses with passwords that are set here.
    pub fn secrets(&self, variable: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
        let urls = [&self.redis_url, &self.database_url].into_iter().flatten();
        let passwords = urls.filter_map(|url| url::Url::parse(url.expose_secret()).ok()?.password().map(str::to_owned));
        self.key(variable).iter().map(|key| key.expose_secret().to_owned()).chain(passwords).collect()
    }

    /// The file of the queue, given the data folder. A file that `local_cache_path` names may be the queue of another
    /// program: ours lies beside it.
    pub fn queue_file(&self, data: &Path) -> PathBuf {
        match self.named_file() {
            Some(file) => file.with_file_name(QUEUE_FILE),
            None => self.folder(data).join(QUEUE_FILE),
        }
    }

    /// The queue of today's users, whose rows are sent too where it is there.
    pub fn old_queue_file(&self, data: &Path) -> PathBuf {
        self.named_file().unwrap_or_else(|| self.folder(data).join(OLD_QUEUE_FILE))
    }

    fn folder(&self, data: &Path) -> PathBuf {
        match self.local_cache_path.trim() {
            "" => data.to_path_buf(),
            path => PathBuf::from(path),
        }
    }

    fn named_file(&self) -> Option<PathBuf> {
        let path = PathBuf::from(self.local_cache_path.trim());
        let is_file = path.extension().is_some_and(|end| ["db", "sqlite", "sqlite3"].iter().any(|known| end.eq_ignore_ascii_case(known)));
        (is_file && path.file_name().is_some_and(|name| name != QUEUE_FILE)).then_some(path.clone()).or_else(|| {
            // Our own file, named: the old one lies beside it.
            (is_file).then(|| path.with_file_name(OLD_QUEUE_FILE))
        })
    }

    /// The longest that one request may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.max(1))
    }

    /// The most bytes that the queue holds.
    pub fn queue_bytes(&self) -> u64 {
        self.queue_mib.saturating_mul(1 << 20)
    }

    /// Where reports go, for people: without secrets.
    pub fn place(&self) -> String {
        match self.transport {
            TransportKind::Http => self.base_url().to_owned(),
            TransportKind::Redis => format!("{} stream {}", shown(self.redis_url.as_ref()), self.redis_stream),
            TransportKind::Grpc => self.grpc_url.clone(),
            TransportKind::Database => shown(self.database_url.as_ref()),
            TransportKind::Auto => {
                let redis = self.redis_url.as_ref().map(|url| format!("redis {}", shown(Some(url))));
                let grpc = Some(self.grpc_url.trim()).filter(|url| !url.is_empty()).map(|url| format!("grpc {url}"));
                let all = [redis, Some(format!("http {}", self.base_url())), grpc, Some("database".to_owned())];
                all.into_iter().flatten().collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// A URL for people: scheme, host and path, no user, password or query.
pub(super) fn shown(url: Option<&SecretString>) -> String {
    let Some(url) = url else { return "a file in the data folder".to_owned() };
    match url::Url::parse(url.expose_secret()) {
        Ok(url) => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
        }
        Err(_) => "an address that cannot be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_of_today_s_users_is_read() {
        let text = "enable_interaction_logging = true\ncoordinator_url = \"http://127.0.0.1:8080\"\ncoordinator_api_key = \"\"\n\
                    mcp_id = \"my_agent_001\"\ntransport = \"http\"\nmax_retries = 3\nretry_delay = 1\nrate_limit_per_second = 10\n\
                    local_cache_path = \"\"";
        let options: Options = toml::from_str(text).unwrap();
        assert!(options.is_on() && options.coordinator_api_key.is_none());
        assert_eq!((options.problem(), options.retry_delay, options.rate_limit_per_second), (None, 1.0, 10.0));
    }

    #[test]
    fn what_cannot_be_is_named_with_its_range() {
        let check = |text: &str, key: &str| {
            let problem = toml::from_str::<Options>(text).unwrap().problem().unwrap();
            assert!(problem.contains(&format!("`{key}`")), "{text}: {problem}");
        };
        check("coordinator_url = \"ftp://x\"", "coordinator_url");
        check("coordinator_url = \"http://user:pw@x\"", "coordinator_url");
        check("mcp_id = \" \"", "mcp_id");
        check("max_retries = 0", "max_retries");
        check("retry_delay = -1", "retry_delay");
        check("rate_limit_per_second = -1", "rate_limit_per_second");
        check("timeout_seconds = 0", "timeout_seconds");
        check("queue_mib = 0", "queue_mib");
        check("max_age_days = 0", "max_age_days");
        assert_eq!(Options::default().problem(), None);
    }

    #[test]
    fn secrets_are_neither_shown_nor_written() {
        let text =
            "coordinator_api_key = \"k3y-secret\"\nredis_url = \"redis://:pa55word@h:6379/0\"\ndatabase_url = \"mysql://u:pa55word@h/db\"";
        let options: Options = toml::from_str(text).unwrap();
        let told = format!("{options:?}{}{}", toml::to_string(&options).unwrap(), shown(options.redis_url.as_ref()));
        assert!(!told.contains("k3y-secret") && !told.contains("pa55word"), "{told}");
        assert_eq!(options.secrets(&|_| None), ["k3y-secret", "pa55word", "pa55word"]);
    }

    #[test]
    fn the_queue_never_takes_the_place_of_another_program_s() {
        let check = |path: &str, queue: &str, old: &str| {
            let options = Options { local_cache_path: path.to_owned(), ..Options::default() };
            assert_eq!(
                (options.queue_file(Path::new("/d")), options.old_queue_file(Path::new("/d"))),
                (queue.into(), old.into()),
                "{path}"
            );
        };
        check("", "/d/interaction_queue.db", "/d/interaction_cache.db");
        check("/x", "/x/interaction_queue.db", "/x/interaction_cache.db");
        check("/x/cache.db", "/x/interaction_queue.db", "/x/cache.db");
        check("/x/interaction_queue.db", "/x/interaction_queue.db", "/x/interaction_cache.db");
    }

    #[test]
    fn the_key_of_the_config_comes_before_the_environment_s() {
        let variable = |name: &str| (name == KEY_VARIABLE).then(|| " of-the-environment ".to_owned());
        let key = |options: &Options| options.key(&variable).unwrap().expose_secret().to_owned();
        assert_eq!(key(&Options::default()), "of-the-environment");
        assert_eq!(key(&toml::from_str("coordinator_api_key = \"own\"").unwrap()), "own");
    }
}
