//! The thread that writes and the thread that reads.
//!
//! What waits is written together. Between two groups the writer keeps the file within its bounds, so that neither a
//! reader nor who puts something waits for that.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Moment};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::domain::cache::Kind;
use crate::domain::clock::Instant;
use crate::store::cache::counters;
use crate::store::cache::disk::file::{self, Failure, Identity, Open};
use crate::store::cache::disk::table::{self, Found, Write};
use crate::store::cache::disk::{Job, Shared, Usage};
use crate::store::cache::entry::{Digested, Entry};

/// How long a file that could not be opened or written is left alone.
const PAUSE: Duration = Duration::from_secs(30);

/// How often what is over is swept while something is written.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// Deletions in one go before what waits has its turn.
const BATCHES_MAX: usize = 32;

/// A file that is over its bound is brought this far below it: 1/20, so that not every group has to.
const LOW_WATER: u64 = 20;

/// Writes of one transaction: other processes have their turn in between, and what is written stays in the cache.
const GROUP_MAX: usize = 512;

/// An entry's use is written down when the last that is known is so long ago.
const TOUCH_INTERVAL: Duration = Duration::from_mins(5);

/// A question to the reader.
pub(super) struct Question {
    pub(super) id: Digested,
    pub(super) now: Instant,
    pub(super) answer: oneshot::Sender<Option<Entry>>,
}

/// The writer's own.
pub(super) struct Writer {
    shared: Arc<Shared>,
    open: Option<Open>,
    /// When the file may be tried again.
    retry: Option<Moment>,
    /// Of a newer version, or somebody else's: never touched again.
    foreign: bool,
    swept: Option<Instant>,
    saved: [counters::Row; Kind::ALL.len()],
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, open: None, retry: None, foreign: false, swept: None, saved: Default::default() }
    }

    /// Until the cache is dropped and nothing waits any more.
    pub(super) fn run(mut self) {
        while let Some(work) = self.shared.next_work() {
            if let Some(identity) = work.damaged {
                self.heal(Some(identity), "what was read does not hold together");
            }
            self.write(&work.writes, &work.touches);
            // From here on the file answers.
            self.shared.written();
            drop(work.writes);
            let now = work.now;
            work.jobs.into_iter().for_each(|job| self.job(job));
            self.tend(now);
        }
        self.save_counts();
    }

    /// The file, opened where it is not; made where it is missing and `make` is set.
    fn file(&mut self, make: bool) -> Option<&mut Connection> {
        // Another process put it aside, or a person deleted it.
        if self.open.as_ref().is_some_and(|open| file::identity(&self.shared.path) != open.identity) {
            self.open = None;
        }
        if self.open.is_none() {
            if self.foreign || self.retry.is_some_and(|at| Moment::now() < at) {
                return None;
            }
            let mut opened = file::writer(&self.shared.path, make);
            if let Err(Failure::Damaged(reason)) = &opened {
                let reason = reason.clone();
                self.heal(file::identity(&self.shared.path), &reason);
                opened = file::writer(&self.shared.path, make);
            }
            match opened {
                Ok(open) => {
                    self.open = Some(open);
                    self.retry = None;
                    self.shared.set_problem(None);
                    // Readers open the file that counts now.
                    self.shared.generation.fetch_add(1, Ordering::SeqCst);
                }
                Err(Failure::Missing) => {}
                Err(failure) => self.give_up(failure),
            }
        }
        self.open.as_mut().map(|open| &mut open.connection)
    }

    fn give_up(&mut self, failure: Failure) {
        self.open = None;
        let reason = match failure {
            Failure::Missing => return,
            Failure::Foreign(reason) => {
                self.foreign = true;
                reason
            }
            Failure::Damaged(reason) | Failure::Passing(reason) => {
                self.retry = Some(Moment::now() + PAUSE);
                reason
            }
        };
        self.shared.set_problem(Some(reason));
    }

    /// Puts the file aside that was found damaged, so that the next use makes a new one.
    fn heal(&mut self, identity: Option<Identity>, reason: &str) {
        self.open = None;
        match file::put_aside(&self.shared.path, identity) {
            Ok(Some(aside)) => {
                let (path, aside) = (self.shared.path.display(), aside.display());
                tracing::warn!("the cache file {path} is damaged ({reason}): it is now {aside}, and a new one is begun");
            }
            Ok(None) => {}
            Err(failure) => self.give_up(failure),
        }
        self.shared.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Runs `work` on the file; heals or gives up where that fails.
    fn with<T>(&mut self, make: bool, work: impl Fn(&mut Connection) -> rusqlite::Result<T>) -> Option<T> {
        match work(self.file(make)?) {
            Ok(value) => Some(value),
            Err(error) => {
                let identity = self.open.as_ref().and_then(|open| open.identity);
                match Failure::from(error) {
                    Failure::Damaged(reason) => self.heal(identity, &reason),
                    failure => self.give_up(failure),
                }
                None
            }
        }
    }

    fn write(&mut self, writes: &HashMap<Digested, Write>, touches: &HashMap<Digested, Instant>) {
        if writes.is_empty() && touches.is_empty() {
            return;
        }
        // There is nothing to remove or to mark where there is no file.
        let make = writes.values().any(|write| matches!(write, Write::Put(..)));
        let generation = self.shared.generation.load(Ordering::SeqCst);
        let written = self.with(make, |connection| write_all(connection, writes, touches));
        // The damaged file is put aside now: the new one takes what it could not.
        if written.is_none() && self.open.is_none() && self.retry.is_none() && generation != self.shared.generation.load(Ordering::SeqCst) {
            self.with(make, |connection| write_all(connection, writes, touches));
        }
    }

    fn job(&mut self, job: Job) {
        match job {
            Job::Flush(answer) => {
                self.save_counts();
                let _nobody_waits = answer.send(());
            }
            Job::Sweep(now, answer) => {
                let mut swept = 0;
                while let Some(gone) = self.with(false, |connection| table::sweep(connection, now)).filter(|gone| *gone > 0) {
                    swept += gone;
                }
                let _nobody_waits = answer.send(u64::try_from(swept).unwrap_or(u64::MAX));
            }
            Job::Usage(answer) => {
                self.save_counts();
                let _nobody_waits = answer.send(self.usage());
            }
            Job::Clear(kind, answer) => {
                let before = self.usage().map(|usage| usage.kinds).unwrap_or_default();
                let done = self.with(false, |connection| match kind {
                    Some(kind) => table::clear(connection, kind),
                    None => table::clear_all(connection),
                });
                // The reader's pages are those of before.
                self.shared.generation.fetch_add(1, Ordering::SeqCst);
                let problem = if done.is_some() { None } else { self.shared.problem() };
                let _nobody_waits = answer.send(problem.map_or(Ok(before), Err));
            }
        }
    }

    fn usage(&mut self) -> Option<Usage> {
        self.with(false, |connection| {
            let mut counts: [counters::Row; Kind::ALL.len()] = Default::default();
            for (kind, row) in Kind::ALL.into_iter().zip(&mut counts) {
                *row = table::counts(connection, kind)?;
            }
            Ok(Usage { bytes: table::bytes_used(connection)?, kinds: table::totals(connection)?, counts })
        })
    }

    /// Adds what was counted since the last time to the file, where there is one.
    fn save_counts(&mut self) {
        let now: [counters::Row; Kind::ALL.len()] = Kind::ALL.map(|kind| self.shared.counters.row(kind));
        let added: Vec<(Kind, counters::Row)> = Kind::ALL
            .into_iter()
            .zip(now.iter().zip(&self.saved))
            .map(|(kind, (now, saved))| {
                let mut row = *now;
                row.iter_mut().zip(saved).for_each(|(now, saved)| *now = now.saturating_sub(*saved));
                (kind, row)
            })
            .filter(|(_, row)| row.iter().any(|n| *n > 0))
            .collect();
        if !added.is_empty() && self.with(false, |connection| table::count(connection, &added)).is_some() {
            self.saved = now;
        }
    }

    /// Keeps the file within its bounds: first what is over goes, then what was not used for longest.
    fn tend(&mut self, now: Instant) {
        if self.open.is_none() {
            return;
        }
        let due = self.swept.is_none_or(|at| now.since(at) >= SWEEP_INTERVAL);
        let bytes_max = self.shared.bytes_max;
        let full = self.with(false, |connection| table::bytes_used(connection)).is_some_and(|bytes| bytes > bytes_max);
        if !due && !full {
            return;
        }
        for _ in 0..BATCHES_MAX {
            if self.with(false, |connection| table::sweep(connection, now)).unwrap_or(0) == 0 {
                // Else the rest is swept after the next group.
                self.swept = Some(now);
                break;
            }
        }
        let enough = bytes_max - bytes_max / LOW_WATER;
        let mut most = bytes_max;
        for _ in 0..BATCHES_MAX {
            let bytes = self.with(false, |connection| table::bytes_used(connection)).unwrap_or(0);
            if bytes <= most || self.with(false, |connection| table::evict(connection, bytes - enough)).unwrap_or(0) == 0 {
                return;
            }
            most = enough;
        }
    }
}

/// Writes in transactions of a bounded size.
fn write_all(connection: &mut Connection, writes: &HashMap<Digested, Write>, touches: &HashMap<Digested, Instant>) -> rusqlite::Result<()> {
    let groups = writes.len() / GROUP_MAX;
    let mut writes = writes.iter();
    for _ in 0..groups {
        table::write(connection, writes.by_ref().take(GROUP_MAX), std::iter::empty())?;
    }
    table::write(connection, writes, touches.iter())
}

/// Answers questions until the cache is dropped.
pub(super) fn answer(reader: &Mutex<Reader>, mut questions: mpsc::Receiver<Question>) {
    while let Some(question) = questions.blocking_recv() {
        // Who asked may have left meanwhile.
        if !question.answer.is_closed() {
            let found = reader.lock().unwrap_or_else(PoisonError::into_inner).find(&question.id, question.now);
            let _nobody_waits = question.answer.send(found);
        }
    }
}

/// The reader's own.
pub(super) struct Reader {
    shared: Arc<Shared>,
    open: Option<Connection>,
    /// The generation that was last looked at.
    generation: u64,
    identity: Option<Identity>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, open: None, generation: u64::MAX, identity: None }
    }

    /// Whether a look costs no more than that: opening the file may take longer than an asker should.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some() && self.shared.generation.load(Ordering::SeqCst) == self.generation
    }

    pub(super) fn find(&mut self, id: &Digested, now: Instant) -> Option<Entry> {
        let connection = self.file()?;
        match table::find(connection, id) {
            Ok(Found::Entry(entry, used)) => {
                if now.since(used) >= TOUCH_INTERVAL {
                    self.shared.touch(*id, now);
                }
                Some(entry)
            }
            Ok(Found::Nothing) => None,
            Ok(Found::Damaged) => {
                tracing::warn!("an entry of the cache file {} is damaged: it counts as missing", self.shared.path.display());
                self.shared.forget(*id);
                None
            }
            Err(error) => {
                self.failed(error.into());
                None
            }
        }
    }

    fn file(&mut self) -> Option<&Connection> {
        let generation = self.shared.generation.load(Ordering::SeqCst);
        if generation != self.generation {
            self.open = None;
            self.identity = None;
        }
        if self.open.is_none() {
            // What did not open is looked at again when it is another file, or when the writer has been there.
            let identity = file::identity(&self.shared.path);
            if identity.is_none() || (generation == self.generation && identity == self.identity) {
                return None;
            }
            self.generation = generation;
            self.identity = identity;
            match file::reader(&self.shared.path) {
                Ok(Open { connection, .. }) => self.open = Some(connection),
                Err(failure) => self.failed(failure),
            }
        }
        self.open.as_ref()
    }

    fn failed(&mut self, failure: Failure) {
        self.open = None;
        match failure {
            // Its tables are being made: looked at again with the next question.
            Failure::Missing => self.identity = None,
            Failure::Damaged(_) => self.shared.report_damage(self.identity),
            Failure::Foreign(reason) | Failure::Passing(reason) => self.shared.set_problem(Some(reason)),
        }
    }
}
