//! Keeps memories in one `SQLite` file: rows, their terms in FTS5, their vectors.
//!
//! Nothing is opened before the first use, and nothing is made on disk by asking: where there is no file there are no memories.
//! One thread has the connection and does all work in the order of its queue; any number of processes may share the file (WAL). What is
//! forgotten is overwritten in the file, in the rows and in the full text (`secure_delete`).

mod open;
mod rows;
mod search;
mod status;
#[cfg(test)]
mod tests;
mod vectors;
mod words;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

pub use rows::{Changed, Draft, Found, Put};
pub use search::{Hit, Ranking, Wanted};
pub use status::Counts;
pub use vectors::{Pending, Vector};

use crate::domain::clock::Instant;
use crate::domain::ids::MemoryId;
use crate::domain::memory::{Memory, MemoryFilter, MemoryPage};
use crate::store::memory::vectors::Index;

/// Memories that one space may hold.
pub const SPACE_MAX: u64 = 1_000_000;

/// Questions that may wait for the thread.
const QUEUE_MAX: usize = 64;

/// The stack of the thread, in bytes.
const STACK_BYTES: usize = 2 << 20;

/// Why the memories could not be had or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened or made.
    #[error("could not open the memories `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another program's file is there.
    #[error("`{}` is no file of wakeful's memories; move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer version wrote the file.
    #[error("the memories `{}` are of format {found}, this version knows up to {newest}; use the newer wakeful", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that is known here.
        newest: u32,
    },
    /// `SQLite` failed.
    #[error("could not {doing} the memories `{}`{}", path.display(), hint)]
    Failed {
        /// What was done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What to do, where something can be done.
        hint: &'static str,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The space is full.
    #[error("the space `{space}` holds {SPACE_MAX} memories already; forget some first")]
    Full {
        /// Which.
        space: String,
    },
    /// No such memory.
    #[error("no memory `{0}`; `list_memories` (or `wakeful memory list`) shows all")]
    Missing(String),
    /// More than one memory's id begins so.
    #[error("more than one memory's id begins with `{0}`; give more of it")]
    Ambiguous(String),
    /// The new text is that of another memory.
    #[error("memory `{0}` says the same already; forget one of them instead")]
    Same(MemoryId),
    /// A vector does not have as many numbers as the others of its model.
    #[error("the vectors of `{model}` have {expected} numbers, this one has {found}")]
    Dimension {
        /// The model.
        model: String,
        /// Numbers of the others.
        expected: usize,
        /// Numbers of this one.
        found: usize,
    },
    /// A vector holds what is no number.
    #[error("a vector of `{model}` holds what is no number, or only zeros")]
    NoVector {
        /// The model.
        model: String,
    },
    /// The program ends.
    #[error("the memories are closed: the program is shutting down")]
    Closed,
}

impl Error {
    fn explain(doing: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let hint = match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => return Self::Foreign { path },
            Some(ErrorCode::DatabaseCorrupt) => "; the file is damaged: move it away, or restore a copy",
            Some(ErrorCode::DiskFull) => "; the disk is full",
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                "; check who may read and write the file and its folder"
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "; another process holds it, try again",
            _ => "",
        };
        Self::Failed { doing, path, hint, source }
    }

    /// Whether what was asked for is not there or not clear, rather than the file out of order.
    pub fn is_callers(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Ambiguous(_) | Self::Same(_) | Self::Full { .. })
    }
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// The memories in one file. Cheap to clone.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    path: PathBuf,
    thread: Mutex<Thread>,
}

enum Thread {
    /// Nobody has asked yet.
    Idle,
    Running(mpsc::Sender<Job>),
    Closed,
}

type Job = Box<dyn FnOnce(&mut Work) + Send>;

/// What the thread works with.
struct Work {
    path: PathBuf,
    opened: Option<Opened>,
}

/// The file, once it is open.
pub(super) struct Opened {
    connection: Connection,
    index: Index,
}

impl Work {
    fn opened(&mut self) -> Result<&mut Opened> {
        if self.opened.is_none() {
            self.opened = Some(Opened { connection: open::file(&self.path)?, index: Index::default() });
        }
        self.opened.as_mut().ok_or(Error::Closed)
    }
}

impl MemoryStore {
    /// The memories in the file `path`. Nothing is opened or made yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner { path: path.into(), thread: Mutex::new(Thread::Idle) }))
    }

    /// Where the file is, or would be.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether there is a file. Where there is none, every list is empty.
    pub fn exists(&self) -> bool {
        self.0.path.exists()
    }

    /// Keeps a memory, or joins it to one that says the same (see [`Put`]).
    ///
    /// # Errors
    /// [`Error::Full`], or when the file cannot be written.
    pub async fn put(&self, draft: Draft) -> Result<Put> {
        self.run("write to", move |opened| rows::put(opened, draft)).await
    }

    /// Keeps many, all or none: what says exactly the same as another is joined to it.
    ///
    /// # Errors
    /// [`Error::Full`], or when the file cannot be written.
    pub async fn put_all(&self, space: String, memories: Vec<Memory>) -> Result<Vec<Put>> {
        self.run("write to", move |opened| rows::put_all(opened, &space, memories)).await
    }

    /// Changes a memory.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Ambiguous`] by its id, [`Error::Same`] by its text, or when the file cannot be written.
    pub async fn update(&self, space: String, id: String, changed: Changed, now: Instant) -> Result<Memory> {
        self.existing(&id)?;
        self.run("write to", move |opened| rows::update(opened, &space, &id, changed, now)).await
    }

    /// Forgets a memory for good; gives it back a last time.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Ambiguous`] by its id, or when the file cannot be written.
    pub async fn forget(&self, space: String, id: String) -> Result<Memory> {
        self.existing(&id)?;
        self.run("write to", move |opened| rows::forget(opened, &space, &id)).await
    }

    /// The memory of that id, or of the id that alone begins so.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Ambiguous`], or when the file cannot be read.
    pub async fn find(&self, space: String, id: String) -> Result<Found> {
        self.existing(&id)?;
        self.run("read", move |opened| rows::find(&opened.connection, &space, &id)).await
    }

    /// A page of a space, the latest first; the filter's query is not looked at.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn list(&self, space: String, filter: MemoryFilter) -> Result<MemoryPage> {
        if !self.exists() {
            return Ok(MemoryPage::default());
        }
        self.run("read", move |opened| rows::list(&opened.connection, &space, &filter)).await
    }

    /// What fits a question, the best first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn search(&self, wanted: Wanted) -> Result<Vec<Hit>> {
        if !self.exists() {
            return Ok(Vec::new());
        }
        self.run("search", move |opened| search::search(opened, &wanted)).await
    }

    /// Notes that these memories were of use.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn used(&self, ids: Vec<MemoryId>, now: Instant) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        self.run("write to", move |opened| rows::used(&mut opened.connection, &ids, now)).await
    }

    /// How many there are.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn counts(&self, space: String) -> Result<Counts> {
        if !self.exists() {
            return Ok(Counts::default());
        }
        self.run("read", move |opened| status::counts(opened, &space)).await
    }

    /// Memories without a vector of `model`, at most `limit`, the latest first. Vectors of another model are dropped.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub async fn pending(&self, model: String, limit: usize) -> Result<Vec<Pending>> {
        if !self.exists() {
            return Ok(Vec::new());
        }
        self.run("write to", move |opened| vectors::pending(opened, &model, limit)).await
    }

    /// Keeps vectors that `model` made. Those of memories that changed meanwhile are passed over.
    ///
    /// # Errors
    /// [`Error::Dimension`] and [`Error::NoVector`] where a vector cannot be right (none is kept then), or when the file cannot
    /// be written.
    pub async fn keep_vectors(&self, model: String, vectors: Vec<Vector>) -> Result<()> {
        self.run("write to", move |opened| vectors::keep(opened, &model, vectors)).await
    }

    /// Finishes what waits and closes the file.
    pub async fn shutdown(&self) {
        let before = std::mem::replace(&mut *self.0.thread.lock().unwrap_or_else(PoisonError::into_inner), Thread::Closed);
        if let Thread::Running(queue) = before {
            let (done, ended) = oneshot::channel::<()>();
            let last: Job = Box::new(move |work| {
                work.opened = None;
                drop(done);
            });
            if queue.send(last).await.is_ok() {
                let _closed = ended.await;
            }
        }
    }

    fn existing(&self, id: &str) -> Result<()> {
        if self.exists() { Ok(()) } else { Err(Error::Missing(id.to_owned())) }
    }

    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Opened) -> std::result::Result<T, Broken> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let path = self.0.path.clone();
        let job: Job = Box::new(move |thread| {
            // Who asked may have left meanwhile.
            if answer.is_closed() {
                return;
            }
            let result = thread.opened().and_then(|opened| {
                work(opened).map_err(|broken| match broken {
                    Broken::Sql(error) => Error::explain(doing, &path, error),
                    Broken::Other(error) => error,
                })
            });
            let _nobody_waits = answer.send(result);
        });
        self.queue()?.send(job).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }

    fn queue(&self) -> Result<mpsc::Sender<Job>> {
        let mut thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match &*thread {
            Thread::Running(queue) if !queue.is_closed() => Ok(queue.clone()),
            Thread::Closed => Err(Error::Closed),
            Thread::Running(_) | Thread::Idle => {
                let (queue, mut jobs) = mpsc::channel::<Job>(QUEUE_MAX);
                let mut work = Work { path: self.0.path.clone(), opened: None };
                let run = move || {
                    while let Some(job) = jobs.blocking_recv() {
                        job(&mut work);
                    }
                };
                let spawned = std::thread::Builder::new().name("memories".to_owned()).stack_size(STACK_BYTES).spawn(run);
                spawned.map_err(|source| Error::Open { path: self.0.path.clone(), source: Box::new(source) })?;
                *thread = Thread::Running(queue.clone());
                Ok(queue)
            }
        }
    }
}

/// What can go wrong within a piece of work.
#[derive(Debug)]
enum Broken {
    Sql(rusqlite::Error),
    Other(Error),
}

impl From<rusqlite::Error> for Broken {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}
