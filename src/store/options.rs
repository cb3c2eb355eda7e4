//! What can be set about the log.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

/// `[store]` in the config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The file that holds the event log. Default: `events.db` in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// A PostgreSQL database that holds log, tasks and outbox instead of the file, for several machines to share:
    /// `postgres://USER:PASSWORD@HOST/DATABASE`. Never shown with its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<StoreUrl>,
    /// How long to wait for another program that writes to the same file, in milliseconds. Default: 5000.
    pub busy_timeout_ms: u64,
    /// Appends that may wait for the disk before the next one has to wait itself. Default: 1024.
    pub queue: usize,
    /// Events that are kept in memory for readers that lag. Default: 4096.
    pub bus_capacity: usize,
    /// How often to look for events of other programs while somebody follows the log, in milliseconds. Default: 200.
    pub follow_poll_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { path: None, url: None, busy_timeout_ms: 5_000, queue: 1_024, bus_capacity: 4_096, follow_poll_ms: 200 }
    }
}

impl Options {
    /// The name of the file in the data folder.
    pub const FILE_NAME: &str = "events.db";

    /// The file that holds the log, given the data folder.
    pub fn path_in(&self, data_folder: &Path) -> PathBuf {
        self.path.clone().unwrap_or_else(|| data_folder.join(Self::FILE_NAME))
    }

    pub(super) fn busy_timeout(&self) -> Duration {
        Duration::from_millis(self.busy_timeout_ms)
    }

    pub(super) fn follow_poll(&self) -> Duration {
        Duration::from_millis(self.follow_poll_ms.max(1))
    }
}

/// What stands for a secret wherever a URL is shown.
const MASK: &str = "••••";

/// The URL of a database. It may hold a password, so `Debug`, `Display` and JSON show it masked.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct StoreUrl(Arc<str>);

impl StoreUrl {
    /// Wraps a URL; whether it is a good one shows when it is used.
    pub fn new(url: impl AsRef<str>) -> Self {
        Self(Arc::from(url.as_ref()))
    }

    /// The URL as it is, with its password. For the connection only.
    #[cfg(feature = "postgres")]
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// The URL for people: without password and without parameters, or a mask where it cannot be told which part is
    /// the password.
    pub fn masked(&self) -> String {
        masked(&self.0).unwrap_or_else(|| MASK.to_owned())
    }

    /// Whether it can be told which part is the password.
    #[cfg(feature = "postgres")]
    pub(super) fn is_clear(&self) -> bool {
        masked(&self.0).is_some()
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({})", self.masked())
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn masked(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| ["postgres", "postgresql"].contains(scheme))?;
    let (main, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (who, place) = main.rsplit_once('@').map_or((None, main), |(who, place)| (Some(who), place));
    // A password with a bare `?`, `/` or `@` in it makes the parts ambiguous: then nothing is shown.
    let plain = |text: &str| text.chars().all(|ch| ch.is_ascii_alphanumeric() || "._-%[]:,".contains(ch));
    let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
    let ports_are_numbers = hosts.split(',').all(|host| {
        let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
        after.split_once(':').is_none_or(|(_, port)| port.chars().all(|ch| ch.is_ascii_digit()))
    });
    if !plain(hosts) || !plain(database) || !ports_are_numbers || (who.is_none() && parameters.contains('@')) {
        return None;
    }
    let who = match who.map(|who| who.split_once(':').map_or((who, false), |(user, _)| (user, true))) {
        None => String::new(),
        Some((user, _)) if !plain(user) => return None,
        Some((user, true)) => format!("{user}:{MASK}@"),
        Some((user, false)) => format!("{user}@"),
    };
    Some(format!("{scheme}://{who}{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        let check = |url: &str, shown: &str| {
            let url = StoreUrl::new(url);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("StoreUrl({shown})"));
            assert_eq!(serde_json::to_string(&url).unwrap(), format!("\"{shown}\""));
        };
        check("postgres://anna:s3cret@db.example.org:5432/wake", "postgres://anna:••••@db.example.org:5432/wake");
        check("postgresql://anna@db/wake?password=s3cret&sslmode=require", "postgresql://anna@db/wake");
        check("postgres://a:s3@cr@et@db/wake", "postgres://a:••••@db/wake");
        check("postgres://a:b@[::1]:5432,other:5433/wake", "postgres://a:••••@[::1]:5432,other:5433/wake");
        check("postgres://%2Fvar%2Frun/wake", "postgres://%2Fvar%2Frun/wake");
        // Each of these would show a part of the password if it were taken apart as it stands.
        check("postgres://anna:s3?cret@db/wake", "••••");
        check("postgres://anna:s3/cr?et@db/wake", "••••");
        check("host=db user=anna password=s3cret", "••••");
        check("s3cret", "••••");
        check("", "••••");
    }

    #[test]
    fn a_url_is_read_from_the_config_and_not_shown_by_it() {
        let options: Options = serde_json::from_str(r#"{"url": "postgres://anna:s3cret@db/wake"}"#).unwrap();
        assert_eq!(options.url.as_ref().map(StoreUrl::expose), Some("postgres://anna:s3cret@db/wake"));
        assert!(!serde_json::to_string(&options).unwrap().contains("s3cret"));
        assert!(!format!("{options:?}").contains("s3cret"));
    }
}
