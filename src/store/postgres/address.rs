//! The URL of the database: where it is, in which schema, how it is encrypted. Shows itself without the password.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::store::{Error, StoreUrl};

/// The schema where the URL names none.
const SCHEMA: &str = "wakeful";

/// The longest name that PostgreSQL keeps whole, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// How long one try to reach one address may take, where the URL says nothing (`connect_timeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How the connection is encrypted. A Unix socket never is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    /// Not at all: `sslmode=disable`.
    Off,
    /// Where the server can, whoever it is: `sslmode=prefer`, and where nothing is said. Keeps listeners out, no more.
    Offered,
    /// Always, and the server proves who it is: `sslmode=require`, `verify-ca`, `verify-full`. By the system's
    /// authorities, or by those in the file that `sslrootcert` names.
    Proven(Option<PathBuf>),
}

/// Where the database is.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// The schema that holds our tables.
    pub(super) schema: String,
    /// The URL for people.
    pub(super) place: String,
}

impl Address {
    /// Reads the URL.
    ///
    /// # Errors
    /// When it is no URL of a database. The message holds nothing of it: parts may be a password.
    pub(super) fn new(url: &StoreUrl) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::Address { reason: reason.to_owned() };
        let unreadable = || {
            wrong(
                "cannot be read: write `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with special characters of user \
                 and password as %XX (`@` is `%40`, `/` is `%2F`, `?` is `%3F`)",
            )
        };
        // What follows the first `?` are the parameters only where no `?` stands in the password.
        if !url.is_clear() {
            return Err(unreadable());
        }
        let (main, parameters) = url.expose().split_once('?').unwrap_or((url.expose(), ""));
        let mut kept = Vec::new();
        let (mut mode, mut authorities) = (None, None);
        for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => authorities = Some(value),
                _ => kept.push(parameter),
            }
        }
        let tls = match (mode, authorities) {
            (None | Some("prefer" | "allow"), None) => Tls::Offered,
            (Some("disable"), _) => Tls::Off,
            (None | Some("prefer" | "allow" | "require" | "verify-ca" | "verify-full"), file) => {
                Tls::Proven(file.filter(|file| *file != "system").map(|file| PathBuf::from(unescaped(file))))
            }
            (Some(_), _) => return Err(wrong("has an unknown `sslmode`: use `disable`, `prefer` or `require`")),
        };
        let plain = if kept.is_empty() { main.to_owned() } else { format!("{main}?{}", kept.join("&")) };
        let mut config = Config::from_str(&plain).map_err(|_may_hold_the_password| unreadable())?;
        let odd = |host: &Host| matches!(host, Host::Tcp(name) if name.contains(['@', '/', '?', ' ']));
        if config.get_hosts().iter().any(odd) {
            return Err(unreadable());
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("names no host: write `postgres://USER:PASSWORD@HOST/DATABASE`"));
        }
        let schema = match config.get_options().and_then(search_path) {
            Some(name) if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0') || name.starts_with("pg_") => {
                return Err(wrong("names a `search_path` that cannot be a schema: use 1 to 63 characters, not beginning with `pg_`"));
            }
            Some(name) => name,
            None => SCHEMA.to_owned(),
        };
        config.ssl_mode(match tls {
            Tls::Off => SslMode::Disable,
            Tls::Offered => SslMode::Prefer,
            Tls::Proven(_) => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("wakeful");
        }
        Ok(Self { config, tls, schema, place: url.masked() })
    }

    /// The schema as SQL names it.
    pub(super) fn quoted_schema(&self) -> String {
        format!("\"{}\"", self.schema.replace('"', "\"\""))
    }
}

/// The first schema of `-c search_path=…` among the server's options.
fn search_path(options: &str) -> Option<String> {
    let (_, after) = options.rsplit_once("search_path")?;
    let after = after.trim_start().strip_prefix('=')?.trim_start();
    let first = after.split([',', ' ']).next().unwrap_or_default();
    Some(match first.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        // As the server does with a bare name.
        None => first.to_lowercase(),
    })
}

/// A URL's parameter without its %XX; as it stands where that gives no text.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = (*first == b'%').then(|| after.get(..2)).flatten().and_then(|pair| std::str::from_utf8(pair).ok());
        if let Some(byte) = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::new(&StoreUrl::new(url)).unwrap()
    }

    fn refused(url: &str) -> String {
        match Address::new(&StoreUrl::new(url)) {
            Err(error @ Error::Address { .. }) => error.report(),
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{url} was taken"),
        }
    }

    #[test]
    fn encryption_follows_sslmode() {
        let check = |parameters: &str, wanted: Tls| assert_eq!(address(&format!("postgres://db/wake{parameters}")).tls, wanted);
        check("", Tls::Offered);
        check("?sslmode=prefer", Tls::Offered);
        check("?sslmode=disable", Tls::Off);
        check("?sslmode=require", Tls::Proven(None));
        check("?connect_timeout=3&sslmode=verify-full", Tls::Proven(None));
        check("?sslmode=verify-full&sslrootcert=system", Tls::Proven(None));
        check("?sslrootcert=%2Fetc%2Fmy%20ca.pem", Tls::Proven(Some("/etc/my ca.pem".into())));
        assert!(refused("postgres://db/wake?sslmode=sometimes").contains("`sslmode`"));
    }

    #[test]
    fn the_schema_follows_the_search_path() {
        let check = |options: &str, wanted: &str| assert_eq!(address(&format!("postgres://db/wake{options}")).schema, wanted);
        check("", "wakeful");
        check("?options=-csearch_path%3Dteam_a", "team_a");
        check("?options=-c%20search_path%3DTeam,public%20-c%20work_mem%3D1MB", "team");
        check("?options=-csearch_path%3D%22Team%22%22A%22", "Team\"A");
        check("?options=-cwork_mem%3D1MB", "wakeful");
        assert_eq!(address("postgres://db/w?options=-csearch_path%3D%22a%22%22b%22").quoted_schema(), "\"a\"\"b\"");
        assert!(refused("postgres://db/w?options=-csearch_path%3Dpg_catalog").contains("search_path"));
    }

    #[test]
    fn a_bad_url_is_refused_without_showing_it() {
        for url in [
            "s3cret",
            "host=db password=s3cret",
            "postgres://u:s3?cret@db/wake",
            "postgres://u:s3?cret@db/wake?sslmode=require",
            "postgres://u:x@s3cret@db/wake",
            "postgres://u:s3cret@db:port/wake",
        ] {
            let report = refused(url);
            assert!(report.contains("postgres://USER:PASSWORD@HOST") && !report.contains("s3") && !report.contains("cret"), "{report}");
        }
    }
}
