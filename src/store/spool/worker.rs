//! The thread that owns the file: takes all jobs that wait into one transaction, and answers after the commit.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::{mpsc, oneshot};

use crate::domain::report::ReportTotals;
use crate::store::spool::Error;

/// Jobs that may wait; more wait at the door.
const QUEUE_MAX: usize = 64;

/// Jobs that are done in one transaction.
const GROUP_MAX: usize = 64;

/// What a job works on: the open transaction, and the totals that are written with it.
pub(super) struct Work<'c> {
    pub(super) db: &'c Connection,
    pub(super) totals: ReportTotals,
}

/// Answers once it is known whether the group was committed.
type Finish = Box<dyn FnOnce(Result<(), &Error>) + Send>;

/// Does its work; false where it failed and the group must be taken back.
type Job = Box<dyn FnOnce(&mut Work<'_>) -> (Finish, rusqlite::Result<()>) + Send>;

enum Mode {
    Thread(mpsc::Sender<Job>),
    Inline(Mutex<Connection>),
}

/// Who does the work.
pub(super) struct Worker {
    mode: Mode,
    path: PathBuf,
}

impl Worker {
    /// With a thread of its own, which ends when this is dropped.
    pub(super) fn threaded(mut connection: Connection, path: &Path) -> Result<Self, Error> {
        let (sender, mut jobs) = mpsc::channel::<Job>(QUEUE_MAX);
        let place = path.to_owned();
        let work = move || {
            while let Some(first) = jobs.blocking_recv() {
                let mut group = vec![first];
                while group.len() < GROUP_MAX
                    && let Ok(job) = jobs.try_recv()
                {
                    group.push(job);
                }
                run(&mut connection, &place, group);
            }
        };
        let spawned = std::thread::Builder::new().name("report-queue".to_owned()).spawn(work);
        spawned.map_err(|error| Error::Failed { doing: "start a thread for", path: path.to_owned(), source: Arc::new(error) })?;
        Ok(Self { mode: Mode::Thread(sender), path: path.to_owned() })
    }

    /// On the thread of whoever asks.
    pub(super) fn inline(connection: Connection, path: &Path) -> Self {
        Self { mode: Mode::Inline(Mutex::new(connection)), path: path.to_owned() }
    }

    /// Has `job` done, and waits until what it wrote is in the file.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        doing: &'static str,
        job: impl FnOnce(&mut Work<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let path = self.path.clone();
        let job: Job = Box::new(move |work| {
            let (done, outcome) = match job(work) {
                Ok(done) => (Ok(done), Ok(())),
                Err(error) => {
                    let told = Error::Failed { doing, path, source: Arc::new(std::io::Error::other(error.to_string())) };
                    (Err(told), Err(error))
                }
            };
            let finish: Finish = Box::new(move |committed| {
                let _nobody_waits = answer.send(done.and_then(|done| committed.map(|()| done).map_err(Clone::clone)));
            });
            (finish, outcome)
        });
        match &self.mode {
            Mode::Thread(sender) => sender.send(job).await.map_err(|_| Error::Closed)?,
            Mode::Inline(connection) => {
                let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                run(&mut connection, &self.path, vec![job]);
            }
        }
        answered.await.map_err(|_| Error::Closed)?
    }
}

/// Does a group of jobs in one transaction. One that fails takes the group along: its senders try again.
fn run(connection: &mut Connection, path: &Path, group: Vec<Job>) {
    let mut finishes = Vec::with_capacity(group.len());
    let done = transact(connection, group, &mut finishes);
    let done = done.map_err(|error| Error::Failed { doing: "write to", path: path.to_owned(), source: Arc::new(error) });
    for finish in finishes {
        finish(done.as_ref().map(|()| ()));
    }
}

fn transact(connection: &mut Connection, group: Vec<Job>, finishes: &mut Vec<Finish>) -> rusqlite::Result<()> {
    // Jobs that are not begun drop their answers: `Error::Closed`.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = read_totals(&transaction)?;
    let mut work = Work { db: &transaction, totals: before };
    let mut outcome = Ok(());
    for job in group {
        let (finish, done) = job(&mut work);
        finishes.push(finish);
        outcome = outcome.and(done);
    }
    outcome?;
    if work.totals != before {
        let text = serde_json::to_string(&work.totals).unwrap_or_default();
        let sql = "INSERT INTO facts (name, value) VALUES ('totals', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        transaction.prepare_cached(sql)?.execute(params![text])?;
    }
    transaction.commit()
}

/// The totals as the file has them: another process may have written.
fn read_totals(db: &Connection) -> rusqlite::Result<ReportTotals> {
    let text =
        db.prepare_cached("SELECT value FROM facts WHERE name = 'totals'")?.query_row([], |row| row.get::<_, String>(0)).optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}
