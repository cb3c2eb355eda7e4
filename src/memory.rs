//! Memories across sessions: kept, found, recalled.
//!
//! [`MemoryService`] is what tools, commands and screens use. It checks what comes in, asks for vectors where an endpoint is configured
//! (full text goes on where that is away) and says what came of each request. Nothing is opened and no file made before something is
//! remembered.

mod embedding;
mod guess;
mod options;
mod recall;
#[cfg(test)]
mod tests;
pub mod tools;
pub mod transfer;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

pub use options::{Options, space_problem};
pub use recall::Recalled;

use crate::domain::clock::Clock;
use crate::domain::ids::MemoryId;
use crate::domain::memory::{
    CONTENT_BYTES_MAX, Memory, MemoryCommand, MemoryEvent, MemoryFilter, MemoryKind, MemoryPage, MemorySource, MemoryStatus, TAG_CHARS_MAX,
    TAGS_MAX, VectorStatus,
};
use crate::domain::secrets;
use crate::domain::text::{clean, clean_line, ellipsis, with_causes};
use crate::llm::embeddings::Embedder;
use crate::store::memory::{self as store, Changed, Draft, MemoryStore, Put, Ranking, Wanted};

/// Memories of a search where nobody says how many, and at most.
pub const SEARCH: (usize, usize) = (10, 100);

/// From which relevance on a memory is what a request to forget means.
const MEANT: f64 = 0.5;

/// The same where it is by its vector alone.
const MEANT_SIMILARITY: f32 = 0.75;

/// Memories that an unclear request to forget names.
const NAMED_MAX: usize = 5;

/// How long the vector of a question or of a new memory is waited for.
const VECTOR_WAIT: Duration = Duration::from_secs(3);

/// Characters of a memory that an error names it by.
const NAME_CHARS: usize = 80;

/// Why something could not be done with the memories.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to remember.
    #[error("`content` is empty; say what is to be remembered")]
    Empty,
    /// It is too long.
    #[error("`content` has {0} bytes; a memory has {CONTENT_BYTES_MAX} at most: shorten it, or make several")]
    TooLong(usize),
    /// Too many or too long tags.
    #[error("`tags`: {0}")]
    Tags(String),
    /// It looks like a secret.
    #[error(
        "this looks like it holds {0}, and memories are shown to models again and again: leave it out, or pass `force` (typed: `--force`) if it must be"
    )]
    Secret(&'static str),
    /// Nothing was said.
    #[error("`{0}` is missing; {1}")]
    MissingArgument(&'static str, &'static str),
    /// Nothing fits.
    #[error("no memory fits `{0}`; `list_memories` (or `wakeful memory list`) shows all")]
    NothingFits(String),
    /// More than one fits.
    #[error("{} memories fit `{query}`, none was forgotten; name one by its id: {}", found.len(), named(found))]
    Several {
        /// What was asked for.
        query: String,
        /// What fits.
        found: Vec<Memory>,
    },
    /// The file.
    #[error(transparent)]
    Store(#[from] store::Error),
}

fn named(found: &[Memory]) -> String {
    let name = |memory: &Memory| format!("{} ({})", short(&memory.memory_id), ellipsis(&clean_line(&memory.content), NAME_CHARS));
    found.iter().take(NAMED_MAX).map(name).collect::<Vec<_>>().join("; ")
}

/// The start of an id, by which people name it.
pub fn short(id: &MemoryId) -> &str {
    crate::domain::event::words::short_id(id.as_str())
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// What is to be remembered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewMemory {
    /// Its id, where the asker chose one.
    pub memory_id: Option<MemoryId>,
    /// The text.
    pub content: String,
    /// What it is about; guessed from the text where absent.
    pub kind: Option<MemoryKind>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Who asks.
    pub source: MemorySource,
    /// Even if it looks like a secret.
    pub force: bool,
}

/// The memories. Cheap to clone.
#[derive(Clone)]
pub struct MemoryService(Arc<Inner>);

struct Inner {
    store: MemoryStore,
    options: Options,
    clock: Arc<dyn Clock>,
    embedder: Option<Arc<dyn Embedder>>,
    /// There may be memories without a vector.
    news: Arc<Notify>,
    /// Why vectors are not made right now.
    problem: Mutex<Option<String>>,
    worker: OnceLock<()>,
}

impl MemoryService {
    /// Memories in `store`, with vectors from `embedder` where there is one. Nothing is opened yet.
    pub fn new(store: MemoryStore, embedder: Option<Arc<dyn Embedder>>, clock: Arc<dyn Clock>, options: Options) -> Self {
        let (news, problem, worker) = (Arc::new(Notify::new()), Mutex::default(), OnceLock::new());
        Self(Arc::new(Inner { store, options, clock, embedder, news, problem, worker }))
    }

    /// The file.
    pub fn store(&self) -> &MemoryStore {
        &self.0.store
    }

    /// What was set.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    fn space(&self) -> String {
        self.0.options.space.clone()
    }

    /// Remembers something, or joins it to what says the same or nearly the same.
    ///
    /// # Errors
    /// When the text is empty, too long or looks like a secret, or the file cannot be written.
    pub async fn remember(&self, new: NewMemory) -> Result<Put> {
        let content = checked(&new.content, new.force)?;
        let tags = checked_tags(&new.tags)?;
        let now = self.0.clock.now();
        let memory = Memory {
            memory_id: new.memory_id.unwrap_or_else(MemoryId::generate),
            kind: new.kind.unwrap_or_else(|| guess::kind(&content)),
            content,
            tags,
            source: new.source,
            created: now,
            updated: now,
            last_used: None,
            times_used: 0,
            score: None,
        };
        let vector = self.vector(&memory.content, VECTOR_WAIT).await;
        let put = self.0.store.put(Draft { space: self.space(), memory, vector }).await?;
        self.vectors_wanted();
        Ok(put)
    }

    /// Changes a memory.
    ///
    /// # Errors
    /// When there is no such memory, nothing changes, the text does not fit, or the file cannot be written.
    pub async fn update(&self, id: &str, changed: Changed, force: bool) -> Result<Memory> {
        if changed == Changed::default() {
            return Err(Error::MissingArgument("content", "give the new `content`, `kind` or `tags`"));
        }
        let content = changed.content.map(|content| checked(&content, force)).transpose()?;
        let tags = changed.tags.map(|tags| checked_tags(&tags)).transpose()?;
        let changed = Changed { content, tags, kind: changed.kind };
        let memory = self.0.store.update(self.space(), id.to_owned(), changed, self.0.clock.now()).await?;
        self.vectors_wanted();
        Ok(memory)
    }

    /// Forgets the memory of that id, of the id that alone begins so, or the only one that fits the words.
    ///
    /// # Errors
    /// [`Error::Several`] and [`Error::NothingFits`], with nothing forgotten; or when the file cannot be written.
    pub async fn forget(&self, which: &str) -> Result<Memory> {
        let which = which.trim();
        if which.is_empty() {
            return Err(Error::MissingArgument("memory_id", "give the id of a memory, or a `query` that fits one alone"));
        }
        match self.0.store.forget(self.space(), which.to_owned()).await {
            Err(store::Error::Missing(_)) => {}
            result => return Ok(result?),
        }
        let meant = self.meant(which).await?;
        Ok(self.0.store.forget(self.space(), meant.memory_id.as_str().to_owned()).await?)
    }

    /// The only memory that fits the words.
    async fn meant(&self, query: &str) -> Result<Memory> {
        let hits = self.hits(query, None, Vec::new(), SEARCH.0, VECTOR_WAIT).await?;
        let exact = hits.iter().find(|hit| clean_line(&hit.memory.content).eq_ignore_ascii_case(&clean_line(query)));
        if let Some(exact) = exact {
            return Ok(exact.memory.clone());
        }
        let mut fit: Vec<Memory> = hits.iter().filter(|hit| hit.cover >= MEANT).map(|hit| hit.memory.clone()).collect();
        if fit.is_empty() {
            let close = |hit: &&store::Hit| hit.similarity.is_some_and(|cosine| cosine >= MEANT_SIMILARITY);
            fit = hits.iter().filter(close).map(|hit| hit.memory.clone()).collect();
        }
        match (fit.len(), fit.pop()) {
            (_, None) => Err(Error::NothingFits(clean_line(query))),
            (1, Some(one)) => Ok(one),
            (_, Some(last)) => {
                fit.push(last);
                Err(Error::Several { query: clean_line(query), found: fit })
            }
        }
    }

    /// One memory, by its id or the start of it.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub async fn find(&self, id: &str) -> Result<Memory> {
        Ok(self.0.store.find(self.space(), id.to_owned()).await?.memory)
    }

    /// Memories that were asked for: those that fit the filter's query, or all, the latest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn page(&self, filter: MemoryFilter) -> Result<MemoryPage> {
        if filter.query.trim().is_empty() {
            return Ok(self.0.store.list(self.space(), filter).await?);
        }
        let limit = filter.limit.unwrap_or(SEARCH.0).clamp(1, SEARCH.1);
        let hits = self.hits(&filter.query, filter.kind, filter.tags, limit, VECTOR_WAIT).await?;
        let memories: Vec<Memory> = hits.into_iter().map(|hit| hit.memory).collect();
        Ok(MemoryPage { total: u64::try_from(memories.len()).unwrap_or(u64::MAX), memories })
    }

    /// The same, noted as use of what was found: for a model that asks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn search(&self, filter: MemoryFilter) -> Result<MemoryPage> {
        let page = self.page(filter).await?;
        self.used(page.memories.iter().map(|memory| memory.memory_id.clone()).collect());
        Ok(page)
    }

    /// Notes use behind: nobody waits for it.
    fn used(&self, ids: Vec<MemoryId>) {
        if ids.is_empty() {
            return;
        }
        let (store, now) = (self.0.store.clone(), self.0.clock.now());
        tokio::spawn(async move {
            if let Err(error) = store.used(ids, now).await {
                tracing::debug!("could not note that memories were used: {}", with_causes(&error));
            }
        });
    }

    async fn hits(
        &self,
        query: &str,
        kind: Option<MemoryKind>,
        tags: Vec<String>,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<store::Hit>> {
        if !self.0.store.exists() {
            return Ok(Vec::new());
        }
        self.vectors_wanted();
        let vector = self.vector(query, wait).await;
        let half_life_days = Some(self.0.options.half_life_days).filter(|days| *days > 0.0);
        let ranking = Ranking { now: self.0.clock.now(), half_life_days };
        let wanted = Wanted { space: self.space(), query: query.to_owned(), vector, kind, tags, limit, ranking };
        Ok(self.0.store.search(wanted).await?)
    }

    /// How everything stands.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn status(&self) -> Result<MemoryStatus> {
        self.vectors_wanted();
        let counts = self.0.store.counts(self.space()).await?;
        let vectors = self.0.embedder.as_ref().map(|embedder| {
            let current = counts.model.as_deref() == Some(embedder.id());
            VectorStatus {
                model: embedder.id().to_owned(),
                dimensions: if current { counts.dimensions } else { 0 },
                done: if current { counts.vectors } else { 0 },
                total: counts.everywhere,
                problem: self.0.problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            }
        });
        Ok(MemoryStatus {
            space: self.space(),
            total: counts.total,
            kinds: counts.kinds,
            file_bytes: counts.file_bytes,
            file: self.0.store.path().display().to_string(),
            recall: self.0.options.recall,
            vectors,
        })
    }

    /// Does what a person wants; says what came of it.
    ///
    /// # Errors
    /// Those of [`remember`](Self::remember), [`update`](Self::update) and [`forget`](Self::forget).
    pub async fn command(&self, command: MemoryCommand) -> Result<MemoryEvent> {
        match command {
            MemoryCommand::Remember { memory_id, content, kind, tags, force } => {
                let new = NewMemory { memory_id: Some(memory_id), content, kind, tags, source: MemorySource::User, force };
                let put = self.remember(new).await?;
                Ok(MemoryEvent::Remembered { memory_id: of(&put).memory_id.clone(), message: told(&put) })
            }
            MemoryCommand::Update { memory_id, content, kind, tags } => {
                let memory = self.update(memory_id.as_str(), Changed { content, kind, tags }, false).await?;
                let message = format!("changed memory {} ({})", short(&memory.memory_id), memory.kind.as_str());
                Ok(MemoryEvent::Updated { memory_id: memory.memory_id, message })
            }
            MemoryCommand::Forget { which } => {
                let memory = self.forget(&which).await?;
                let message = format!("forgot memory {} ({})", short(&memory.memory_id), memory.kind.as_str());
                Ok(MemoryEvent::Forgotten { memory_id: memory.memory_id, message })
            }
        }
    }

    /// Ends what goes on behind and closes the file.
    pub async fn shutdown(&self) {
        self.0.store.shutdown().await;
    }
}

/// The memory that something was kept as.
pub fn of(put: &Put) -> &Memory {
    match put {
        Put::New(memory) | Put::Same(memory, _) | Put::Near { memory, .. } => memory,
    }
}

/// What came of it, in one line without the text.
pub fn told(put: &Put) -> String {
    let memory = of(put);
    let id = short(&memory.memory_id);
    match put {
        Put::New(memory) => format!("remembered as {id} ({})", memory.kind.as_str()),
        Put::Same(_, true) => format!("known already as {id}; its tags were joined"),
        Put::Same(_, false) => format!("known already as {id}"),
        Put::Near { .. } => format!("joined to {id}, which said nearly the same and has the new words now"),
    }
}

/// The text as it is kept.
fn checked(content: &str, force: bool) -> Result<String> {
    let content = clean(content).trim().to_owned();
    if content.is_empty() {
        return Err(Error::Empty);
    }
    if content.len() > CONTENT_BYTES_MAX {
        return Err(Error::TooLong(content.len()));
    }
    match secrets::found(&content) {
        Some(what) if !force => Err(Error::Secret(what)),
        _ => Ok(content),
    }
}

/// Tags as they are kept: small letters, one line, each once.
fn checked_tags(tags: &[String]) -> Result<Vec<String>> {
    let mut out: Vec<String> = Vec::new();
    for tag in tags {
        let tag = clean_line(tag).trim_start_matches('#').to_lowercase();
        if tag.chars().count() > TAG_CHARS_MAX {
            return Err(Error::Tags(format!("`{}` is too long: {TAG_CHARS_MAX} characters at most", ellipsis(&tag, TAG_CHARS_MAX))));
        }
        if !tag.is_empty() && !out.contains(&tag) {
            out.push(tag);
        }
    }
    if out.len() > TAGS_MAX {
        return Err(Error::Tags(format!("{} are too many: {TAGS_MAX} at most", out.len())));
    }
    Ok(out)
}
