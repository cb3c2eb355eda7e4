//! Any provider that speaks OpenAI's chat completions: hosted ones, gateways, local servers.
//!
//! Real servers deviate from each other in dozens of ways; all of them are absorbed here, so that the agent sees one
//! kind of answer. Text is never lost: what cannot be understood becomes an error that holds the server's words. Keys
//! and bodies are never logged.

mod options;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};

pub use options::{Auth, ProviderOptions};

use crate::domain::clock::Clock;
use crate::llm::{ChatRequest, DeltaStream, Error, Llm};
use crate::net;

/// One provider.
pub struct OpenAi {
    name: String,
}

impl OpenAi {
    /// The provider `name`. `env` looks up environment variables (the key's, see [`ProviderOptions::api_key_env`]); it
    /// is asked now and not kept. Nothing is connected yet.
    ///
    /// # Errors
    /// [`Error::Config`] when the address or a header makes no sense.
    pub fn new(
        name: impl Into<String>,
        _options: ProviderOptions,
        _net: net::Client,
        _clock: Arc<dyn Clock>,
        _env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        Ok(Self { name: name.into() })
    }
}

impl Llm for OpenAi {
    fn chat(&self, _request: ChatRequest) -> DeltaStream {
        let name = self.name.clone();
        stream::once(async move { Err(Error::Config(name)) }).boxed()
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn context_tokens(&self, _model: &str) -> Option<u64> {
        None
    }
}
