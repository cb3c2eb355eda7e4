//! Where the table is: a file or a database, by its URL. Shows itself without the password.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::store::StoreUrl;
use crate::store::interaction_logs::Error;

/// The URL of the database: `sqlite:PATH` or a path, `postgres://…`, `mysql://…` or `mariadb://…`. It may hold a password,
/// so `Debug`, `Display` and JSON show it masked.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ExchangeUrl(Arc<str>);

/// What kind of database it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite(PathBuf),
    /// PostgreSQL.
    Postgres(StoreUrl),
    /// MySQL or MariaDB; the URL as it is, with its password.
    Mysql(Secret),
}

/// An address with its password, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Kind {
    /// Its name, and that of the feature that it needs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
            Self::Mysql(_) => "mysql",
        }
    }
}

/// What stands for a secret wherever a URL is shown.
const MASK: &str = "••••";

impl ExchangeUrl {
    /// Wraps a URL; whether it is a good one shows when it is used.
    pub fn new(url: impl AsRef<str>) -> Self {
        Self(Arc::from(url.as_ref()))
    }

    /// What it names.
    ///
    /// # Errors
    /// Where it is of no known kind.
    pub fn kind(&self) -> Result<Kind, Error> {
        let wrong = || {
            Error::Config(
                "the database URL cannot be read: write `sqlite:PATH`, `postgres://USER:PASSWORD@HOST/DATABASE` or \
                 `mysql://USER:PASSWORD@HOST/DATABASE`, with special characters of user and password as %XX"
                    .to_owned(),
            )
        };
        let Some((scheme, rest)) = self.0.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            let path = self.0.trim();
            return if path.is_empty() || path.contains("://") { Err(wrong()) } else { Ok(Kind::Sqlite(PathBuf::from(path))) };
        };
        match scheme {
            "sqlite" | "file" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() { Err(wrong()) } else { Ok(Kind::Sqlite(PathBuf::from(path))) }
            }
            "postgres" | "postgresql" => Ok(Kind::Postgres(StoreUrl::new(&*self.0))),
            "mysql" | "mariadb" => {
                let address = format!("mysql:{rest}");
                let parsed = url::Url::parse(&address).map_err(|_may_hold_the_password| wrong())?;
                let named = parsed.host_str().is_some() && parsed.path().trim_start_matches('/').len() > 1;
                if named { Ok(Kind::Mysql(Secret(address))) } else { Err(wrong()) }
            }
            _ => Err(wrong()),
        }
    }

    /// The URL for people: without password and parameters.
    pub fn masked(&self) -> String {
        match self.kind() {
            Ok(Kind::Sqlite(path)) => path.display().to_string(),
            Ok(Kind::Postgres(url)) => url.masked(),
            Ok(Kind::Mysql(_)) => self.masked_mysql().unwrap_or_else(|| MASK.to_owned()),
            Err(_) => MASK.to_owned(),
        }
    }

    fn masked_mysql(&self) -> Option<String> {
        let url = url::Url::parse(&self.0).ok()?;
        // More than one `@`, or one after the first `/` or `?`: which part is the password cannot be told.
        if self.0.matches('@').count() > 1 || (self.0.contains('@') && url.username().is_empty() && url.password().is_none()) {
            return None;
        }
        let who = match (url.username(), url.password()) {
            ("", None) => String::new(),
            (user, None) => format!("{user}@"),
            (user, Some(_)) => format!("{user}:{MASK}@"),
        };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("{}://{who}{}{port}{}", url.scheme(), url.host_str()?, url.path()))
    }
}

/// A scheme has two letters at least; one is a drive of Windows.
fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.chars().all(|ch| ch.is_ascii_alphanumeric() || "+.-".contains(ch)) && !text.contains('.')
}

impl fmt::Debug for ExchangeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExchangeUrl({})", self.masked())
    }
}

impl fmt::Display for ExchangeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for ExchangeUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
