//! Makes the transports that the config wants, in the order in which `auto` prefers them. Connects to nothing.

use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use crate::domain::clock::Clock;
use crate::interactions::options::{DATABASE_FILE, Options, TransportKind};
use crate::interactions::transport::database::Database;
use crate::interactions::transport::http::Http;
use crate::interactions::transport::{Transport, Trouble};
use crate::net;
use crate::store::interaction_logs::{Exchange, ExchangeUrl};

/// What transports are made from, beside the options.
pub struct Parts<'a> {
    /// The HTTP client.
    pub net: &'a net::Client,
    /// Tells the time.
    pub clock: &'a Arc<dyn Clock>,
    /// Reads a variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The data folder.
    pub data: &'a Path,
}

/// The transports, the preferred one first; one, unless the config says `auto`.
///
/// # Errors
/// When the configuration cannot work, or this build does not know the transport.
pub fn transports(options: &Options, parts: &Parts<'_>) -> Result<Vec<Arc<dyn Transport>>, Trouble> {
    let key = options.key(parts.variable);
    match options.transport {
        TransportKind::Http => Ok(vec![http(options, parts, key)]),
        TransportKind::Database => Ok(vec![database(options, parts)?]),
        TransportKind::Redis => Ok(vec![redis(options)?]),
        TransportKind::Grpc => Ok(vec![grpc(options, key)?]),
        TransportKind::Auto => {
            let mut all = Vec::new();
            if options.redis_url.is_some() {
                all.push(redis(options)?);
            }
            all.push(http(options, parts, key.clone()));
            if !options.grpc_url.trim().is_empty() {
                all.push(grpc(options, key)?);
            }
            all.push(database(options, parts)?);
            Ok(all)
        }
    }
}

fn http(options: &Options, parts: &Parts<'_>, key: Option<SecretString>) -> Arc<dyn Transport> {
    Arc::new(Http::new(parts.net.clone(), options.base_url(), key, options.timeout(), Arc::clone(parts.clock)))
}

fn database(options: &Options, parts: &Parts<'_>) -> Result<Arc<dyn Transport>, Trouble> {
    let own = || parts.data.join(DATABASE_FILE).display().to_string();
    let url = options.database_url.as_ref().map_or_else(own, |url| url.expose_secret().to_owned());
    let table = Exchange::new(&ExchangeUrl::new(url)).map_err(|error| Trouble::Config(error.to_string()))?;
    Ok(Arc::new(Database::new(table, Arc::clone(parts.clock))))
}

#[cfg(feature = "redis")]
fn redis(options: &Options) -> Result<Arc<dyn Transport>, Trouble> {
    use crate::interactions::streams::{CAP, StreamOptions};
    use crate::interactions::transport::redis::Redis;
    let url = options.redis_url.clone().ok_or_else(|| missing("redis", "redis_url"))?;
    let stream = StreamOptions { url, stream: options.redis_stream.clone(), group: options.redis_group.clone(), cap: CAP };
    Ok(Arc::new(Redis::new(stream)))
}

#[cfg(not(feature = "redis"))]
fn redis(options: &Options) -> Result<Arc<dyn Transport>, Trouble> {
    let _url = options.redis_url.as_ref().ok_or_else(|| missing("redis", "redis_url"))?;
    Err(unknown("redis"))
}

#[cfg(feature = "grpc")]
fn grpc(options: &Options, key: Option<SecretString>) -> Result<Arc<dyn Transport>, Trouble> {
    use crate::interactions::transport::grpc::{Grpc, GrpcOptions};
    let url = Some(options.grpc_url.trim()).filter(|url| !url.is_empty()).ok_or_else(|| missing("grpc", "grpc_url"))?;
    let ca = Some(options.grpc_ca.trim()).filter(|path| !path.is_empty()).map(Into::into);
    Ok(Arc::new(Grpc::new(GrpcOptions { url: url.to_owned(), ca, key, timeout: options.timeout() })))
}

#[cfg(not(feature = "grpc"))]
fn grpc(options: &Options, _: Option<SecretString>) -> Result<Arc<dyn Transport>, Trouble> {
    let _url = Some(options.grpc_url.trim()).filter(|url| !url.is_empty()).ok_or_else(|| missing("grpc", "grpc_url"))?;
    Err(unknown("grpc"))
}

fn missing(name: &str, key: &str) -> Trouble {
    Trouble::Config(format!("`{key}` must be set under [interaction_logging] for `transport = \"{name}\"`"))
}

#[cfg(not(all(feature = "grpc", feature = "redis")))]
fn unknown(name: &str) -> Trouble {
    Trouble::Config(format!("`transport = \"{name}\"`: this build does not know it: build it with the feature `{name}`, or choose another"))
}
