//! Asks for vectors: of one text while somebody waits, of all memories behind.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::text::with_causes;
use crate::llm::embeddings::{Embedder, TEXTS_MAX};
use crate::memory::{Inner, MemoryService};
use crate::store::memory::{self as store, Vector};

/// The first wait after a failure; it doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(5);

/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_mins(5);

/// The most of a text that a vector is made of, in bytes: small models read 512 tokens.
const TEXT_BYTES_MAX: usize = 2_000;

impl MemoryService {
    /// The vector of `text` with its model, if it comes within `wait`. Without it full text answers.
    pub(super) async fn vector(&self, text: &str, wait: Duration) -> Option<(String, Vec<f32>)> {
        let embedder = self.0.embedder.as_ref()?;
        if self.problem().is_some() {
            // Somebody waits: an endpoint that is away is tried behind.
            return None;
        }
        let asked = tokio::time::timeout(wait, embedder.embed(vec![cut(text)])).await;
        match asked {
            Ok(Ok(mut vectors)) => vectors.pop().map(|numbers| (embedder.id().to_owned(), numbers)),
            Ok(Err(error)) => {
                self.0.note(Some(with_causes(&error)));
                None
            }
            Err(_) => None,
        }
    }

    fn problem(&self) -> Option<String> {
        self.0.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has vectors made behind, where some may be missing. The work ends with the last of these services.
    pub(super) fn vectors_wanted(&self) {
        let Some(embedder) = &self.0.embedder else { return };
        if !self.0.store.exists() {
            return;
        }
        self.0.worker.get_or_init(|| {
            tokio::spawn(work(Arc::downgrade(&self.0), Arc::clone(embedder), Arc::clone(&self.0.news)));
        });
        self.0.news.notify_one();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever makes vectors waits for news, and finds nobody left.
        self.news.notify_one();
    }
}

impl Inner {
    fn note(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

/// What to do after a look at what is missing.
enum Step {
    /// Look again at once: there may be more.
    More,
    /// All is done; wait for news.
    Rest,
    /// It failed; wait, then try again.
    Failed(String),
    /// The memories are closed.
    End,
}

async fn work(service: Weak<Inner>, embedder: Arc<dyn Embedder>, news: Arc<Notify>) {
    let mut delay = RETRY_MIN;
    loop {
        let Some(inner) = service.upgrade() else { return };
        match batch(&inner, &*embedder).await {
            Step::More => {
                inner.note(None);
                delay = RETRY_MIN;
            }
            Step::Rest => {
                inner.note(None);
                delay = RETRY_MIN;
                // Held weakly while it waits, so that the last service ends it.
                drop(inner);
                news.notified().await;
            }
            Step::Failed(problem) => {
                tracing::info!("vectors of memories could not be made: {problem}");
                inner.note(Some(problem));
                drop(inner);
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(RETRY_MAX);
            }
            Step::End => return,
        }
    }
}

async fn batch(inner: &Inner, embedder: &dyn Embedder) -> Step {
    let pending = match inner.store.pending(embedder.id().to_owned(), TEXTS_MAX).await {
        Ok(pending) if pending.is_empty() => return Step::Rest,
        Ok(pending) => pending,
        Err(store::Error::Closed) => return Step::End,
        Err(error) => return Step::Failed(with_causes(&error)),
    };
    let vectors = match embedder.embed(pending.iter().map(|pending| cut(&pending.content)).collect()).await {
        Ok(vectors) => vectors,
        Err(error) => return Step::Failed(with_causes(&error)),
    };
    // Before they are kept: whoever sees them sees no trouble any more.
    inner.note(None);
    let vectors = pending
        .into_iter()
        .zip(vectors)
        .map(|(pending, numbers)| Vector { place: pending.place, revision: pending.revision, numbers })
        .collect();
    match inner.store.keep_vectors(embedder.id().to_owned(), vectors).await {
        Ok(()) => Step::More,
        Err(store::Error::Closed) => Step::End,
        Err(error) => Step::Failed(with_causes(&error)),
    }
}
