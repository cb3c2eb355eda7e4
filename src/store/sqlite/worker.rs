//! The thread that writes and the thread that reads.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::domain::event::Event;
use crate::store::sqlite::open;
use crate::store::sqlite::place::{Failure, Place};
use crate::store::sqlite::write::{self, GroupFailure, Outcome, Prepared};
use crate::store::{CommitListener, Error};

/// Events and changes after which a group is closed: what comes later waits for the next commit.
const GROUP_MAX: usize = 1_000;

/// The most appends that may be set to wait.
const QUEUE_MAX: usize = 1 << 20;

/// Questions that may wait for the reader.
const READS_MAX: usize = 64;

/// The stack of each thread, in bytes; `SQLite` and the JSON of events stay far below it.
const STACK_BYTES: usize = 1 << 20;

type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// Where an append's answer comes out.
type Appended = oneshot::Receiver<Result<Vec<Arc<Event>>, Error>>;

/// An append that waits.
pub(super) struct AppendJob {
    prepared: Prepared,
    answer: Answer<Vec<Arc<Event>>>,
}

/// What the writer is asked.
pub(super) enum WriterJob {
    Append(AppendJob),
    Work(Box<dyn FnOnce(&mut Connection) + Send>),
}

impl WriterJob {
    pub(super) fn append(prepared: Prepared) -> (AppendJob, Appended) {
        let (answer, answered) = oneshot::channel();
        (AppendJob { prepared, answer }, answered)
    }
}

/// A question to the reader; it is told when there is no connection.
type ReaderJob = Box<dyn FnOnce(Result<&Connection, Error>) + Send>;

/// A thread behind a bounded queue. Ends when the queue is closed and empty.
struct Worker<J> {
    queue: Mutex<Option<mpsc::Sender<J>>>,
    thread: Mutex<Option<(JoinHandle<()>, oneshot::Receiver<()>)>>,
}

impl<J: Send + 'static> Worker<J> {
    fn start(name: &str, capacity: usize, place: &Place, work: impl FnOnce(mpsc::Receiver<J>) + Send + 'static) -> Result<Self, Error> {
        let (sender, receiver) = mpsc::channel(capacity.clamp(1, QUEUE_MAX));
        let (done, ended) = oneshot::channel();
        let run = move || {
            work(receiver);
            let _nobody_waits = done.send(());
        };
        let spawned = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(run);
        let thread =
            spawned.map_err(|error| Error::Failed { doing: "start a thread for", path: place.path.clone(), source: Arc::new(error) })?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some((thread, ended))) })
    }

    async fn send(&self, job: J) -> Result<(), Error> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.ok_or(Error::Closed)?.send(job).await.map_err(|_| Error::Closed)
    }

    /// Closes the queue, waits until it is empty and the thread has ended.
    async fn shutdown(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((thread, ended)) = thread {
            let _panicked = ended.await;
            let _panicked = thread.join();
        }
    }
}

/// The thread that writes.
pub(super) struct Writer(Worker<WriterJob>);

impl Writer {
    pub(super) fn start(
        mut connection: Connection,
        place: &Arc<Place>,
        listener: Arc<OnceLock<CommitListener>>,
        capacity: usize,
    ) -> Result<Self, Error> {
        let for_thread = Arc::clone(place);
        let worker = Worker::start("log-writer", capacity, place, move |mut queue: mpsc::Receiver<WriterJob>| {
            while let Some(job) = queue.blocking_recv() {
                serve(&mut connection, job, &mut queue, &for_thread, &listener);
            }
        })?;
        Ok(Self(worker))
    }

    pub(super) async fn append(&self, prepared: Prepared) -> Result<Vec<Arc<Event>>, Error> {
        let (job, answered) = WriterJob::append(prepared);
        self.0.send(WriterJob::Append(job)).await?;
        answered.await.map_err(|_| Error::Closed)?
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let job = move |connection: &mut Connection| {
            let _nobody_waits = answer.send(work(connection));
        };
        self.0.send(WriterJob::Work(Box::new(job))).await?;
        answered.await.map_err(|_| Error::Closed)?
    }

    pub(super) async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

/// Does `job`; if it is an append, all appends that wait behind it come along.
fn serve(
    connection: &mut Connection,
    job: WriterJob,
    queue: &mut mpsc::Receiver<WriterJob>,
    place: &Place,
    listener: &OnceLock<CommitListener>,
) {
    let mut next = Some(job);
    while let Some(job) = next.take() {
        match job {
            WriterJob::Work(work) => work(connection),
            WriterJob::Append(first) => {
                let mut taken = first.prepared.len();
                let mut group = vec![first];
                while taken < GROUP_MAX {
                    match queue.try_recv() {
                        Ok(WriterJob::Append(job)) => {
                            taken += job.prepared.len();
                            group.push(job);
                        }
                        Ok(work @ WriterJob::Work(_)) => {
                            next = Some(work);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                append_jobs(connection, group, place, listener.get());
            }
        }
    }
}

/// Appends a group in one transaction, publishes it, answers. If that fails, each batch is tried by itself, so that
/// one that cannot be written does not take the others with it.
pub(super) fn append_jobs(connection: &mut Connection, mut jobs: Vec<AppendJob>, place: &Place, listener: Option<&CommitListener>) {
    let group: Vec<&Prepared> = jobs.iter().map(|job| &job.prepared).collect();
    match write::append(connection, &group) {
        Ok(outcomes) => answer(jobs, outcomes, listener),
        Err(GroupFailure::Inside(_)) if jobs.len() > 1 => {
            for job in jobs.drain(..) {
                append_jobs(connection, vec![job], place, listener);
            }
        }
        Err(GroupFailure::Begin(error) | GroupFailure::Inside(error)) => {
            let error = place.explain("append to", Failure::Sql(error));
            for job in jobs {
                let _nobody_waits = job.answer.send(Err(error.clone()));
            }
        }
    }
}

/// Tells the listener of all that was committed, in order, then everybody of their own.
fn answer(jobs: Vec<AppendJob>, outcomes: Vec<Outcome>, listener: Option<&CommitListener>) {
    let mut committed = Vec::new();
    let mut answers = Vec::with_capacity(jobs.len());
    for (job, outcome) in jobs.into_iter().zip(outcomes) {
        let result = outcome.map(|first| {
            let start = committed.len();
            committed.extend(job.prepared.into_events(first));
            start..committed.len()
        });
        answers.push((job.answer, result));
    }
    if let Some(listener) = listener
        && !committed.is_empty()
    {
        listener(&committed);
    }
    for (answer, result) in answers {
        let own = result.map(|range| committed.get(range).map(<[_]>::to_vec).unwrap_or_default());
        let _nobody_waits = answer.send(own);
    }
}

/// The thread that reads.
pub(super) struct Reader(Worker<ReaderJob>);

impl Reader {
    pub(super) fn start(place: &Arc<Place>) -> Result<Self, Error> {
        let for_thread = Arc::clone(place);
        let worker = Worker::start("log-reader", READS_MAX, place, move |mut queue: mpsc::Receiver<ReaderJob>| {
            let mut connection = None;
            while let Some(job) = queue.blocking_recv() {
                match connection.take().map_or_else(|| open::reader(&for_thread), Ok) {
                    Ok(open) => job(Ok(connection.insert(open))),
                    Err(error) => job(Err(error)),
                }
            }
        })?;
        Ok(Self(worker))
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let job = move |connection: Result<&Connection, Error>| {
            // Who asked may have left meanwhile.
            if !answer.is_closed() {
                let _nobody_waits = answer.send(connection.and_then(work));
            }
        };
        self.0.send(Box::new(job)).await?;
        answered.await.map_err(|_| Error::Closed)?
    }

    pub(super) async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}
