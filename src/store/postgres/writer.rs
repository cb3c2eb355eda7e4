//! The task that appends: one connection, many batches a transaction, and what happens when the database goes away.
//!
//! A group whose connection is lost before its commit was sent is tried again. One whose commit was sent may have been
//! written: a mark that went with it is looked for first, so nothing is reported lost that is there, and nothing is
//! written twice.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::event::Event;
use crate::store::postgres::group::{self, GroupFailure, Outcome, Prepared};
use crate::store::postgres::link::{Backoff, Dial, Failure, Link};
use crate::store::postgres::write::{self, Mark};
use crate::store::upcast::Upcasters;
use crate::store::{CommitListener, Error};

/// Events and changes after which a group is closed: what comes later waits for the next commit.
const GROUP_MAX: usize = 1_000;

/// Bytes after which a group is closed.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// The most appends that may be set to wait.
const QUEUE_MAX: usize = 1 << 20;

/// How long each round trip of a group may take before its connection counts as lost.
const GROUP_LIMIT: Duration = Duration::from_secs(30);

/// How long it is tried to find out what became of a commit.
const DOUBT_LIMIT: Duration = Duration::from_mins(1);

/// How long a rebuild may take.
const REBUILD_LIMIT: Duration = Duration::from_mins(30);

/// How often a group is tried again on a new connection.
const TRIES_MAX: u32 = 5;

type Answer<T> = oneshot::Sender<Result<T, Error>>;

struct AppendJob {
    prepared: Prepared,
    answer: Answer<Vec<Arc<Event>>>,
    asked: Instant,
}

enum Job {
    Append(Box<AppendJob>),
    Rebuild(Answer<()>),
}

/// What the task works with.
pub(super) struct Plan {
    pub(super) dial: Arc<Dial>,
    pub(super) upcasters: Upcasters,
    pub(super) listener: Arc<OnceLock<CommitListener>>,
    /// Where new heads are announced.
    pub(super) channel: String,
    pub(super) queue: usize,
}

/// The task that appends.
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts it on the present runtime, with a connection that is open.
    pub(super) fn start(plan: Plan, link: Link) -> Self {
        let (sender, receiver) = mpsc::channel(plan.queue.clamp(1, QUEUE_MAX));
        let mark = Mark { writer: Uuid::now_v7().to_string(), group: 0 };
        let work = Work { plan, mark, link: Some(link), away: None };
        let task = tokio::spawn(work.run(receiver));
        Self { queue: Mutex::new(Some(sender)), task: Mutex::new(Some(task)) }
    }

    pub(super) async fn append(&self, prepared: Prepared) -> Result<Vec<Arc<Event>>, Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Job::Append(Box::new(AppendJob { prepared, answer, asked: Instant::now() }))).await?;
        answered.await.map_err(|_| Error::Closed)?
    }

    pub(super) async fn rebuild(&self) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Job::Rebuild(answer)).await?;
        answered.await.map_err(|_| Error::Closed)?
    }

    async fn send(&self, job: Job) -> Result<(), Error> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.ok_or(Error::Closed)?.send(job).await.map_err(|_| Error::Closed)
    }

    /// Closes the queue, waits until it is empty and the task has ended.
    pub(super) async fn shutdown(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _panicked = task.await;
        }
    }
}

/// The database did not answer: until when nobody asks again, and what it said.
struct Away {
    until: Instant,
    backoff: Backoff,
    error: Error,
}

struct Work {
    plan: Plan,
    mark: Mark,
    link: Option<Link>,
    away: Option<Away>,
}

impl Work {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut next = None;
        loop {
            let job = match next.take() {
                Some(job) => job,
                None => match queue.recv().await {
                    Some(job) => job,
                    None => return,
                },
            };
            match job {
                Job::Rebuild(answer) => {
                    let _nobody_waits = answer.send(self.rebuild().await);
                }
                Job::Append(first) => {
                    let (group, other) = gather(*first, &mut queue);
                    next = other;
                    self.append(group).await;
                }
            }
        }
    }

    /// Appends a group. If that fails for a reason of one of them, each batch is tried by itself, so that one that
    /// cannot be written does not take the others with it.
    async fn append(&mut self, group: Vec<AppendJob>) {
        let failure = match self.append_together(&group).await {
            Ok(outcomes) => return self.answer(group, outcomes),
            Err(failure) => failure,
        };
        if group.len() == 1 || failure.is_transient() || matches!(failure, Error::InDoubt { .. }) {
            for job in group {
                let _nobody_waits = job.answer.send(Err(failure.clone()));
            }
            return;
        }
        for job in group {
            let alone = vec![job];
            match self.append_together(&alone).await {
                Ok(outcomes) => self.answer(alone, outcomes),
                Err(error) => {
                    for job in alone {
                        let _nobody_waits = job.answer.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    async fn append_together(&mut self, group: &[AppendJob]) -> Result<Vec<Outcome>, Error> {
        let batches: Vec<&Prepared> = group.iter().map(|job| &job.prepared).collect();
        let asked = group.iter().map(|job| job.asked).min().unwrap_or_else(Instant::now);
        let mut tries = 0;
        loop {
            tries += 1;
            self.mark.group += 1;
            let link = self.link_by(asked + self.plan.dial.patience).await?;
            let appended = write::append(&link, &batches, &self.mark, &self.plan.channel, GROUP_LIMIT).await;
            let failure = match appended {
                Ok(outcomes) => {
                    self.link = Some(link);
                    return Ok(outcomes);
                }
                Err(failure) => failure,
            };
            // What is left on this connection, if anything, is undone with it.
            drop(link);
            let failure = match failure {
                GroupFailure::Undone(failure) => failure,
                GroupFailure::InDoubt(failure, outcomes) => match self.resolve().await {
                    Ok(true) => return Ok(outcomes),
                    Ok(false) => failure,
                    Err(_) => {
                        let source: crate::store::Cause = match failure {
                            Failure::Sql(error) => Arc::new(error),
                            other => Arc::new(self.plan.dial.explain("append to", other)),
                        };
                        return Err(Error::InDoubt { place: self.plan.dial.address.place.clone(), source });
                    }
                },
            };
            let lost = failure.is_lost();
            let error = self.plan.dial.explain("append to", failure);
            if !lost || tries >= TRIES_MAX {
                return Err(error);
            }
            tracing::warn!(error = error.report(), tries, "the database went away during an append; trying again");
        }
    }

    /// Whether the last group was committed.
    async fn resolve(&mut self) -> Result<bool, Error> {
        let deadline = Instant::now() + DOUBT_LIMIT;
        let mut backoff = Backoff::default();
        loop {
            let link = self.plan.dial.open_by(deadline).await?;
            let asked = tokio::time::timeout(GROUP_LIMIT, write::was_committed(&link, &self.mark)).await;
            match asked.unwrap_or(Err(Failure::Late(GROUP_LIMIT))) {
                Ok(committed) => {
                    tracing::info!(committed, "found out what became of a commit whose answer was lost");
                    self.link = Some(link);
                    return Ok(committed);
                }
                Err(failure) => {
                    let wait = backoff.next();
                    if Instant::now() + wait > deadline {
                        return Err(self.plan.dial.explain("append to", failure));
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// The open connection, or a new one. While the database is away, whoever has waited until `deadline` is told so
    /// at once; the others wait on.
    async fn link_by(&mut self, deadline: Instant) -> Result<Link, Error> {
        if let Some(link) = self.link.take().filter(|link| !link.is_closed()) {
            return Ok(link);
        }
        loop {
            if let Some(away) = &self.away
                && Instant::now() < away.until
            {
                if deadline <= away.until {
                    return Err(away.error.clone());
                }
                tokio::time::sleep_until(away.until).await;
            }
            let failure = match self.plan.dial.open(None).await {
                Ok(link) => {
                    self.away = None;
                    return Ok(link);
                }
                Err(failure) => failure,
            };
            let error = self.plan.dial.explain("open", failure);
            if !error.is_transient() {
                return Err(error);
            }
            let mut backoff = self.away.take().map(|away| away.backoff).unwrap_or_default();
            let until = Instant::now() + backoff.next();
            self.away = Some(Away { until, backoff, error });
        }
    }

    /// Tells the listener of all that was committed, in order, then everybody of their own.
    fn answer(&self, group: Vec<AppendJob>, outcomes: Vec<Outcome>) {
        let mut committed = Vec::new();
        let mut answers = Vec::with_capacity(group.len());
        for (job, outcome) in group.into_iter().zip(outcomes) {
            let result = outcome.map(|first| {
                let start = committed.len();
                committed.extend(job.prepared.into_events(first));
                start..committed.len()
            });
            answers.push((job.answer, result));
        }
        if let Some(listener) = self.plan.listener.get()
            && !committed.is_empty()
        {
            listener(&committed);
        }
        for (answer, result) in answers {
            let own = result.map(|range| committed.get(range).map(<[_]>::to_vec).unwrap_or_default());
            let _nobody_waits = answer.send(own);
        }
    }

    async fn rebuild(&mut self) -> Result<(), Error> {
        let link = self.link_by(Instant::now() + self.plan.dial.patience).await?;
        let rebuilding = write::rebuild(&link, self.plan.upcasters);
        let outcome = tokio::time::timeout(REBUILD_LIMIT, rebuilding).await.unwrap_or(Err(Failure::Late(REBUILD_LIMIT)));
        match outcome {
            Ok(()) => {
                self.link = Some(link);
                Ok(())
            }
            Err(failure) => Err(self.plan.dial.explain("rebuild the projections of", failure)),
        }
    }
}

/// All appends that wait behind `first` and fit into its group; and what came next that is none.
fn gather(first: AppendJob, queue: &mut mpsc::Receiver<Job>) -> (Vec<AppendJob>, Option<Job>) {
    let (mut taken, mut bytes) = (first.prepared.len(), group::bytes(&first.prepared));
    let mut group = vec![first];
    while taken < GROUP_MAX && bytes < GROUP_BYTES_MAX {
        match queue.try_recv() {
            Ok(Job::Append(job)) => {
                taken += job.prepared.len();
                bytes += group::bytes(&job.prepared);
                group.push(*job);
            }
            Ok(other) => return (group, Some(other)),
            Err(_) => break,
        }
    }
    (group, None)
}
