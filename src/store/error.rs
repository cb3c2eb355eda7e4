//! Why the log could not do what was asked, with what to do about it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::ids::{Seq, StreamId};
use crate::domain::text::with_causes;

/// The cause below an error, shared by all whose appends failed together.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why the log could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else appended to the stream first: read it again, decide again.
    #[error("somebody else wrote to `{stream}` first (it stands at {actual}, not at {expected}): try again")]
    Conflict {
        /// The stream.
        stream: StreamId,
        /// Where it was expected.
        expected: u64,
        /// Where it stands.
        actual: u64,
    },
    /// Somebody else holds what the batch was about, or it is gone: the work is theirs now.
    #[error("{what} is dealt with by somebody else by now (turn {expected} is over)")]
    Fenced {
        /// What: `task …`, `firing …`, `notice …`.
        what: String,
        /// The epoch that no longer holds.
        expected: u64,
    },
    /// It no longer stands as it was seen.
    #[error("{what} has changed in the meantime: look at it and try again")]
    MovedOn {
        /// What: `notice …`.
        what: String,
    },
    /// Too much waits already.
    #[error("{limit} {what} wait already: look why they are not dealt with (`wakeful tasks status`)")]
    QueueFull {
        /// `firings` or `notices`.
        what: &'static str,
        /// How many may wait.
        limit: usize,
    },
    /// This store cannot do that.
    #[error("{what}: {instead}")]
    Unsupported {
        /// What was asked.
        what: &'static str,
        /// What to do instead.
        instead: String,
    },
    /// The body is longer than [`EVENT_BYTES_MAX`](super::EVENT_BYTES_MAX).
    #[error("an event of type `{type_name}` is too long for the log: {bytes} bytes")]
    TooLong {
        /// Its type.
        type_name: String,
        /// Its length.
        bytes: usize,
    },
    /// A blob is longer than [`BLOB_BYTES_MAX`](super::tasks::BLOB_BYTES_MAX).
    #[error("a `{kind}` of a task is too long to be kept: {bytes} bytes, at most {limit} are taken")]
    BlobTooLong {
        /// Its kind.
        kind: String,
        /// Its length.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The body cannot be written as JSON.
    #[error("an event of type `{type_name}` cannot be written as JSON")]
    Encode {
        /// Its type.
        type_name: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A stored body is no JSON.
    #[error("event {seq} in `{}` cannot be read: the file may be damaged, keep a copy and try `sqlite3 FILE .recover`", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Which.
        seq: Seq,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The file or its folder cannot be made or opened.
    #[error("could not open the event log `{}`: check that its folder exists and is yours", path.display())]
    Open {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The file is something else.
    #[error("`{}` is not an event log of wakeful: move it away, or set `WAKEFUL_HOME` to another folder", path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("the event log `{}` is damaged: move it away to start anew, or rescue it with `sqlite3 FILE .recover`", path.display())]
    Corrupt {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A newer version of the program wrote the file.
    #[error("the event log `{}` has format {found}, this version reads up to {newest}: update wakeful, or set `WAKEFUL_HOME` to another folder", path.display())]
    Newer {
        /// Where.
        path: PathBuf,
        /// The file's format.
        found: u32,
        /// The newest format that this version reads.
        newest: u32,
    },
    /// There is no room.
    #[error("no room left to write the event log `{}`: free some space and try again", path.display())]
    Full {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The file may not be written.
    #[error("the event log `{}` cannot be written: check the permissions of the file and its folder", path.display())]
    ReadOnly {
        /// Where.
        path: PathBuf,
    },
    /// Another program holds the file.
    #[error("the event log `{}` was locked by another program for {} ms: close that program or try again", path.display(), waited.as_millis())]
    Busy {
        /// Where.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Something else went wrong below.
    #[error("could not {doing} the event log `{}`", path.display())]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The address of the database is no address.
    #[error("`[store] url` {reason}")]
    Address {
        /// What is wrong with it and how it should look; holds nothing of the URL itself.
        reason: String,
    },
    /// The database does not answer.
    #[error("the database `{place}` does not answer: check that it runs and that `[store] url` is right")]
    Away {
        /// Where, without the password.
        place: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The database does not let us in.
    #[error("the database `{place}` refused: check user, password and rights in `[store] url`")]
    Refused {
        /// Where, without the password.
        place: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The connection cannot be encrypted as the URL wants it, or the server cannot prove who it is.
    #[error("the connection to the database `{place}` is not as safe as wanted: check `sslmode` and `sslrootcert` in `[store] url`")]
    Unsafe {
        /// Where, without the password.
        place: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The schema holds something else.
    #[error(
        "the schema `{schema}` of `{place}` holds no event log of wakeful: name another one in `[store] url` with `?options=-csearch_path%3DNAME`"
    )]
    ForeignSchema {
        /// Where, without the password.
        place: String,
        /// Which schema.
        schema: String,
    },
    /// A newer version of the program made the tables.
    #[error("the event log in `{place}` has schema version {found}, newer than {newest} that this version knows: update wakeful")]
    NewerSchema {
        /// Where, without the password.
        place: String,
        /// The version of the tables.
        found: u32,
        /// The newest version that this program knows.
        newest: u32,
    },
    /// The database went away in the middle of a commit and did not come back in time.
    #[error("the database `{place}` went away while it committed: whether the events were written is not known, look before you try again")]
    InDoubt {
        /// Where, without the password.
        place: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The database could not do it.
    #[error("could not {doing} the event log in `{place}`")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Where, without the password.
        place: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The interaction records could not be read or written.
    #[error("could not {doing} the interaction records in `{place}`")]
    Records {
        /// What was being done.
        doing: &'static str,
        /// Where, without the password.
        place: String,
        /// Whether the same may go well a moment later.
        is_transient: bool,
        /// Why.
        #[source]
        source: Cause,
    },
    /// It was closed.
    #[error("the event log is closed")]
    Closed,
}

impl Error {
    /// Whether somebody else was faster: reading again and deciding again may help.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Whether the work passed to somebody else meanwhile.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Fenced { .. } | Self::MovedOn { .. })
    }

    /// Whether the same may go well a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Full { .. } | Self::QueueFull { .. } | Self::Away { .. } | Self::Records { is_transient: true, .. }
        )
    }

    /// This error with all its causes, in one line.
    pub fn report(&self) -> String {
        with_causes(self)
    }
}
