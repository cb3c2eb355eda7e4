//! The queue of reports on disk: what waits for the coordinator's store, what it refused for good, what it has.
//!
//! A file of its own (WAL, NORMAL: it outlives the process, and what a loss of power takes is read from the log again). One
//! thread writes; jobs that wait are done in one transaction. Several processes may open the file; one of them sends
//! ([`Spool::lead`]). Rows leave only when [`Spool::settle`] says that the coordinator has them. Nothing is dropped while it
//! waits: a full queue refuses new rows ([`Error::Full`]), what is too old becomes a dead letter, and a dead letter goes only
//! after somebody has seen it. Rows are read by pages, so that memory stays flat however many wait.

mod dead;
mod file;
mod import;
mod rows;
#[cfg(test)]
pub mod testing;
mod worker;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::clock::Instant;
use crate::domain::report::{DeadLetter, ReportTotals};
use crate::store::Cause;
use crate::store::spool::worker::Worker;

pub use import::{Imported, OldRow, read as read_old};

/// Why the queue could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no room: nothing was taken.
    #[error(
        "the queue of reports is full: {bytes} of {bytes_max} bytes; see `wakeful report status`, or raise `interaction_logging.queue_mib`"
    )]
    Full {
        /// Bytes in it.
        bytes: u64,
        /// The most that it may hold.
        bytes_max: u64,
    },
    /// A newer version made the file.
    #[error("the queue of reports `{}` was made by a newer version of wakeful: use that one, or move the file away", path.display())]
    Newer {
        /// Where.
        path: PathBuf,
    },
    /// It is no queue of another program either.
    #[error("`{}` {reason}", path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something went wrong below.
    #[error("could not {doing} the queue of reports `{}`", path.display())]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// It was closed.
    #[error("the queue of reports is closed")]
    Closed,
}

/// What varies of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The most bytes of waiting records and dead letters.
    pub bytes_max: u64,
    /// After so long a waiting record becomes a dead letter.
    pub age_max: Duration,
    /// How long ids of delivered records are kept.
    pub delivered_for: Duration,
}

impl Default for Options {
    /// 256 MiB, 30 days, 7 days.
    fn default() -> Self {
        Self { bytes_max: 256 << 20, age_max: DAY * 30, delivered_for: DAY * 7 }
    }
}

const DAY: Duration = Duration::from_hours(24);

/// A record on its way in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRow {
    /// The same id again is the same record.
    pub record_id: String,
    /// What it belongs to; order is kept within it.
    pub interaction_id: String,
    /// The whole record as JSON.
    pub data: String,
}

/// How far the log was read, stored with the rows that came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// The log's identity.
    pub epoch: String,
    /// The last event that was read.
    pub seq: u64,
    /// What the reader must know to go on, as it wrote it.
    pub fold: String,
}

/// A record that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Its number: the order in which records came.
    pub number: i64,
    /// The whole record as JSON.
    pub data: String,
    /// How often it was refused.
    pub refusals: u32,
}

/// Records to be sent now, and when to look again where there are none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// In the order in which they came.
    pub rows: Vec<Waiting>,
    /// The first that was passed over: it waits behind an earlier record of its interaction.
    pub blocked: Option<i64>,
    /// The earliest time at which a refused record is tried again.
    pub next_at: Option<Instant>,
}

/// A record that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// Its number.
    pub number: i64,
    /// By what it is known where it lies.
    pub handle: String,
    /// When it was handed over.
    pub since: Instant,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The coordinator's store has it.
    Stored,
    /// It lies between here and there.
    Handed(String),
    /// It was refused, and is tried again at this time.
    Refused {
        /// When.
        next: Instant,
        /// What was said; a clean line.
        reason: String,
    },
    /// It was refused for good.
    Dead {
        /// What was said; a clean line.
        reason: String,
    },
    /// It is not where it was handed to: it is sent again.
    Lost,
}

/// What cleaning did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Records that became dead letters for their age.
    pub expired: u64,
    /// Dead letters that were dropped for want of room.
    pub dropped: u64,
    /// Ids of delivered records that were forgotten.
    pub forgotten: u64,
}

/// The queue. Cheap to clone; its thread ends when the last clone is gone.
#[derive(Clone)]
pub struct Spool {
    worker: Arc<Worker>,
    options: Options,
    path: Arc<Path>,
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The right to send; goes when it is dropped, or with the process.
#[derive(Debug)]
pub struct Lead {
    _file: File,
}

impl Spool {
    /// Opens or makes the file. Blocks for a moment.
    ///
    /// # Errors
    /// When it cannot be opened, or was made by a newer version.
    pub fn open(path: &Path, options: Options) -> Result<Self, Error> {
        let worker = Worker::threaded(file::connect(path)?, path)?;
        Ok(Self { worker: Arc::new(worker), options, path: path.into() })
    }

    /// The same without a thread: it works where it is asked, so that tests on a paused clock stay exact.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_inline(path: &Path, options: Options) -> Result<Self, Error> {
        let worker = Worker::inline(file::connect(path)?, path);
        Ok(Self { worker: Arc::new(worker), options, path: path.into() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The most bytes that it holds.
    pub fn bytes_max(&self) -> u64 {
        self.options.bytes_max
    }

    /// The right to send from this file, unless another process has it. Does not wait.
    ///
    /// # Errors
    /// When the lock's file cannot be made.
    pub fn lead(&self) -> Result<Option<Lead>, Error> {
        let path = self.path.with_extension("lock");
        let failed = |error: std::io::Error| Error::Failed { doing: "lock", path: path.clone(), source: Arc::new(error) };
        let file = file::open_private(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lead { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Stores rows that are not there yet, and how far the log was read, together. Answers how many were new, when they are in
    /// the file.
    ///
    /// # Errors
    /// [`Error::Full`] where there is no room for them; others when they cannot be written: nothing was stored then.
    pub async fn put(&self, rows: Vec<NewRow>, mark: Option<Mark>, at: Instant) -> Result<u64, Error> {
        let bytes_max = self.options.bytes_max;
        self.worker.ask("write to", move |work| rows::put(work, &rows, mark.as_ref(), at, bytes_max)).await?
    }

    /// How far the log was read; none where it never was.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn mark(&self) -> Result<Option<Mark>, Error> {
        self.worker.ask("read", rows::mark).await
    }

    /// Forgets how far the log was read: what happens until reporting is on again is not reported.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn forget_mark(&self) -> Result<(), Error> {
        self.worker.ask("write to", rows::forget_mark).await
    }

    /// Random bytes that were made with the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn salt(&self, fresh: [u8; 32]) -> Result<Vec<u8>, Error> {
        self.worker.ask("read", move |work| rows::salt(work, &fresh)).await
    }

    /// Up to `limit` records after the number `after` that may be sent now, of at most `bytes_max` bytes (but at least one).
    /// A record waits while an earlier one of its interaction waits to be tried again, or was handed over and is not
    /// confirmed: should that one be lost on its way, this one would come before it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn next(&self, after: i64, limit: usize, bytes_max: usize, now: Instant) -> Result<Page, Error> {
        self.worker.ask("read", move |work| rows::next(work, after, limit, bytes_max, now)).await
    }

    /// Writes down what became of records that were sent over `via`.
    ///
    /// # Errors
    /// When the file cannot be written: they are sent again then.
    pub async fn settle(&self, outcomes: Vec<(i64, Outcome)>, via: &'static str, now: Instant) -> Result<(), Error> {
        self.worker.ask("write to", move |work| rows::settle(work, &outcomes, via, now)).await
    }

    /// Records after `after` that lie with `via`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn handed(&self, via: &'static str, after: i64, limit: usize) -> Result<Vec<Handed>, Error> {
        self.worker.ask("read", move |work| rows::handed(work, via, after, limit)).await
    }

    /// Takes back all that was handed to anything but `known`, or to `via` before `before`: it is sent again.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn take_back(&self, via: Option<&'static str>, known: Vec<&'static str>, before: Instant) -> Result<u64, Error> {
        self.worker.ask("write to", move |work| rows::take_back(work, via, &known, before)).await
    }

    /// How much lies there.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn totals(&self) -> Result<ReportTotals, Error> {
        self.worker.ask("read", |work| Ok(work.totals)).await
    }

    /// When the oldest waiting record was stored.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn oldest(&self) -> Result<Option<Instant>, Error> {
        self.worker.ask("read", rows::oldest).await
    }

    /// Dead letters after the number `after`, the oldest first; they count as seen where `seen` says so.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn dead(&self, after: i64, limit: usize, seen: bool) -> Result<Vec<DeadLetter>, Error> {
        self.worker.ask("read", move |work| dead::list(work, after, limit, seen)).await
    }

    /// Puts dead letters back to what waits: those of `numbers`, or all. How many.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn resend(&self, numbers: Option<Vec<i64>>, now: Instant) -> Result<u64, Error> {
        self.worker.ask("write to", move |work| dead::resend(work, numbers.as_deref(), now)).await
    }

    /// Lets all refused records be tried at once. How many.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn hurry(&self) -> Result<u64, Error> {
        self.worker.ask("write to", rows::hurry).await
    }

    /// Does what time asks for: see [`Options`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn clean(&self, now: Instant) -> Result<Cleaned, Error> {
        let options = self.options;
        self.worker.ask("clean", move |work| dead::clean(work, &options, now)).await
    }

    /// Whether the file `path` of another program was read to its end already.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn imported(&self, path: String) -> Result<bool, Error> {
        self.worker.ask("read", move |work| rows::is_imported(work, &path)).await
    }

    /// Remembers that `path` was read to its end.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn set_imported(&self, path: String, now: Instant) -> Result<(), Error> {
        self.worker.ask("write to", move |work| rows::set_imported(work, &path, now)).await
    }
}

#[cfg(test)]
mod tests;
