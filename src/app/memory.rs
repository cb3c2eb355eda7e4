//! The memories, with what makes their vectors; the port by which the agent recalls.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::agent::recall::Recall;
use crate::config::paths::Paths;
use crate::config::settings::Settings;
use crate::domain::clock::Clock;
use crate::domain::memory::Note;
use crate::domain::text::with_causes;
use crate::llm::Catalog;
use crate::llm::embeddings::Embedder;
use crate::memory::MemoryService;
use crate::store::memory::MemoryStore;

/// The memories of the settings, and what is odd about these. Opens nothing.
pub fn service(settings: &Settings, paths: &Paths, catalog: &Catalog, clock: &Arc<dyn Clock>) -> (MemoryService, Option<String>) {
    let (embedder, warning) = match embedder(&settings.memory.embeddings, catalog) {
        Ok(embedder) => (embedder, None),
        Err(problem) => (None, Some(problem)),
    };
    let store = MemoryStore::at(paths.memory_file());
    (MemoryService::new(store, embedder, Arc::clone(clock), settings.memory.clone()), warning)
}

fn embedder(id: &str, catalog: &Catalog) -> Result<Option<Arc<dyn Embedder>>, String> {
    let Some((provider, model)) = id.split_once('/') else { return Ok(None) };
    let known = catalog.providers().iter().find(|(name, _)| name == provider);
    let Some((_, llm)) = known else {
        let names: Vec<&str> = catalog.providers().iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!(
            "`memory.embeddings`: no provider `{provider}` is configured (there are: {}); memories are found by their words alone",
            names.join(", ")
        ));
    };
    let made = llm.embedder(model);
    made.map(Some).ok_or_else(|| format!("`memory.embeddings`: `{provider}` makes no vectors; memories are found by their words alone"))
}

/// Recalls for the agent.
pub struct Recaller(pub MemoryService);

impl Recall for Recaller {
    fn recall(&self, message: String, known: Vec<Note>) -> BoxFuture<'static, Vec<Note>> {
        let service = self.0.clone();
        async move {
            service.recall(&message, &known).await.unwrap_or_else(|error| {
                tracing::warn!("could not look for memories: {}", with_causes(&error));
                Vec::new()
            })
        }
        .boxed()
    }
}
