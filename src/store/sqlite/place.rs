//! Where the log lives, and what a failure there means to a person.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::domain::ids::Seq;
use crate::store::Error;

/// Where the log lives.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) busy_timeout: Duration,
}

/// What can go wrong with a connection.
#[derive(Debug)]
pub(super) enum Failure {
    /// In the database.
    Sql(rusqlite::Error),
    /// In what was stored.
    Unreadable { seq: Seq, source: serde_json::Error },
    /// Around it.
    Other(Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Place {
    /// What `failure` means, met while `doing` something to the log.
    pub(super) fn explain(&self, doing: &'static str, failure: Failure) -> Error {
        let path = self.path.clone();
        let error = match failure {
            Failure::Other(error) => return error,
            Failure::Unreadable { seq, source } => return Error::Unreadable { path, seq, source: Arc::new(source) },
            Failure::Sql(error) => error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Error::Foreign { path },
            Some(ErrorCode::DatabaseCorrupt) => Error::Corrupt { path, source: Arc::new(error) },
            Some(ErrorCode::DiskFull) => Error::Full { path, source: Arc::new(error) },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Error::ReadOnly { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy { path, waited: self.busy_timeout },
            Some(ErrorCode::CannotOpen) => Error::Open { path, source: Arc::new(error) },
            _ => Error::Failed { doing, path, source: Arc::new(error) },
        }
    }
}
