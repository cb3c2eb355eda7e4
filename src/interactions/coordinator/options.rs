//! The section `[coordinator]` of the config.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::store::StoreUrl;
use crate::store::interaction_logs::ExchangeUrl;

/// What varies of the coordinator's side.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Where `wakeful coordinator` listens for HTTP; default 127.0.0.1:8080. `wakeful serve` has its own address.
    pub listen: SocketAddr,
    /// The file of the records. Default: `interactions.db` in the state folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// A PostgreSQL database that holds the records instead of the file. Never shown with its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<StoreUrl>,
    /// How much may wait for the disk, in MiB; default 64. What is more is told to come again (429).
    pub queue_mib: usize,
    /// How long records are kept after they came, in days; 0: for ever; default 90.
    pub retention_days: u64,
    /// Where gRPC listens; off where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_listen: Option<SocketAddr>,
    /// The Redis or Valkey whose stream is read; off where absent. Never shown.
    #[serde(skip_serializing)]
    pub redis_url: Option<SecretString>,
    /// The stream's name there. Default `mcp_interactions`.
    pub redis_stream: String,
    /// The group by which it is read. Default `coordinators`.
    pub redis_group: String,
    /// This coordinator's name in the group; several coordinators need different ones. Default `wakeful`.
    pub redis_consumer: String,
    /// The database whose table `interaction_logs` is polled: `sqlite:PATH`, `postgres://…`, `mysql://…`; off where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<ExchangeUrl>,
    /// How often the table is looked at while nothing comes, in milliseconds; default 1000.
    pub database_poll_ms: u64,
    /// How long processed rows stay in the table, in days; 0: for ever; default 7.
    pub database_kept_days: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8_080)),
            path: None,
            url: None,
            queue_mib: 64,
            retention_days: 90,
            grpc_listen: None,
            redis_url: None,
            redis_stream: "mcp_interactions".to_owned(),
            redis_group: "coordinators".to_owned(),
            redis_consumer: "wakeful".to_owned(),
            database_url: None,
            database_poll_ms: 1_000,
            database_kept_days: 7,
        }
    }
}

impl Options {
    /// The name of the file in the state folder.
    pub const FILE_NAME: &str = "interactions.db";

    /// What does not fit: which key and what it may be.
    pub fn problem(&self) -> Option<String> {
        if !(1..=4_096).contains(&self.queue_mib) {
            return Some(format!("`queue_mib` is {}: give 1 to 4096", self.queue_mib));
        }
        for (key, value, least, most) in [
            ("retention_days", self.retention_days, 0, 36_500),
            ("database_poll_ms", self.database_poll_ms, 10, 3_600_000),
            ("database_kept_days", self.database_kept_days, 0, 36_500),
        ] {
            if !(least..=most).contains(&value) {
                return Some(format!("`{key}` is {value}: give {least} to {most}"));
            }
        }
        for (key, value) in
            [("redis_stream", &self.redis_stream), ("redis_group", &self.redis_group), ("redis_consumer", &self.redis_consumer)]
        {
            if value.trim().is_empty() || value.len() > 200 || value.contains(|ch: char| ch.is_control() || ch.is_whitespace()) {
                return Some(format!("`{key}` must have 1 to 200 characters without blanks"));
            }
        }
        self.database_url.as_ref().and_then(|url| url.kind().err()).map(|error| format!("`database_url`: {error}"))
    }

    /// Whether any way in is configured beside HTTP.
    pub fn has_ways(&self) -> bool {
        self.grpc_listen.is_some() || self.redis_url.is_some() || self.database_url.is_some()
    }

    /// The stream that is read.
    #[cfg(feature = "redis")]
    pub(super) fn stream(&self) -> Option<crate::interactions::streams::StreamOptions> {
        use crate::interactions::streams::{CAP, StreamOptions};
        let url = self.redis_url.clone()?;
        Some(StreamOptions { url, stream: self.redis_stream.clone(), group: self.redis_group.clone(), cap: CAP })
    }
}
