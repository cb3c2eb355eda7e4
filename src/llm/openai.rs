//! Any provider that speaks OpenAI's chat completions: hosted ones, gateways, local servers.
//!
//! Real servers deviate from each other in dozens of ways; all of them are absorbed here, so that the agent sees one
//! kind of answer. Text is never lost: what cannot be understood becomes an error that holds the server's words. Keys
//! and bodies are never logged.
//!
//! From the wire inwards: `service` (HTTP) and `sse` (bytes to frames), `chunk` (a frame, read kindly), `assemble` with
//! `calls` and `markers` (frames to an answer); outwards `history` and `wire`; `failure` and `quirks` read refusals;
//! `driver` tries, waits and reports.

mod assemble;
mod calls;
mod chunk;
mod driver;
mod embed;
mod endpoint;
mod failure;
mod history;
mod markers;
mod models;
mod options;
mod quirks;
mod service;
mod sse;
mod wire;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

pub use options::{Auth, ProviderOptions};

use crate::domain::clock::Clock;
use crate::llm::embeddings::Embedder;
use crate::llm::openai::endpoint::Endpoint;
use crate::llm::openai::failure::{Failure, Kind};
use crate::llm::openai::models::Listed;
use crate::llm::openai::quirks::Quirks;
use crate::llm::{ChatRequest, Completion, DeltaStream, Error, Llm};
use crate::net::{self, RetryPolicy};

/// The longest list of models, in bytes; gateways offer hundreds with a page of text each.
const MODELS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest wait for a list of models.
const MODELS_WAIT: Duration = Duration::from_secs(30);

/// One provider. Clones share what is learnt about it.
#[derive(Clone)]
pub struct OpenAi(Arc<Provider>);

struct Provider {
    name: String,
    options: ProviderOptions,
    endpoint: Endpoint,
    /// The environment variable that should have held the key and does not.
    key_missing: Option<String>,
    net: net::Client,
    clock: Arc<dyn Clock>,
    quirks: Mutex<Quirks>,
    context_tokens: Mutex<HashMap<String, u64>>,
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi").field("name", &self.0.name).field("base_url", &self.0.options.base_url).finish_non_exhaustive()
    }
}

impl OpenAi {
    /// The provider `name`. `env` looks up environment variables (the key's, see [`ProviderOptions::api_key_env`]); it
    /// is asked now and not kept. Nothing is connected yet.
    ///
    /// # Errors
    /// [`Error::Config`] when the address or a header makes no sense.
    pub fn new(
        name: impl Into<String>,
        options: ProviderOptions,
        net: net::Client,
        clock: Arc<dyn Clock>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let name = name.into();
        let given = options.api_key.clone().filter(|key| !key.expose_secret().trim().is_empty());
        let wanted = options.api_key_env.as_deref().filter(|_| given.is_none() && options.auth != Auth::None);
        let found = wanted.and_then(env).filter(|key| !key.trim().is_empty()).map(SecretString::from);
        let key_missing = wanted.filter(|_| found.is_none()).map(str::to_owned);
        let endpoint = Endpoint::new(&options, given.or(found))?;
        let net = net.with_connect_timeout(options.connect_timeout_seconds);
        let (quirks, context_tokens) = (Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Provider { name, options, endpoint, key_missing, net, clock, quirks, context_tokens })))
    }

    /// The model to use where none is named, as configured.
    pub fn default_model(&self) -> Option<&str> {
        self.0.options.model.as_deref().or_else(|| self.0.options.models.first().map(String::as_str))
    }
}

impl Llm for OpenAi {
    fn chat(&self, request: ChatRequest) -> DeltaStream {
        driver::stream(Arc::clone(&self.0), request)
    }

    /// The configured models first, then those of the provider's own list; the configured ones alone where it has none.
    fn models(&self) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        async {
            let mut names = self.0.options.models.clone();
            match self.0.list().await {
                Ok(listed) => {
                    self.0.learn(&listed);
                    names.extend(listed.into_iter().map(|model| model.id));
                    let mut seen = std::collections::HashSet::new();
                    names.retain(|name| seen.insert(name.clone()));
                    Ok(names)
                }
                Err(_) if !names.is_empty() => Ok(names),
                Err(failure) => Err(failure.into_error("")),
            }
        }
        .boxed()
    }

    fn context_tokens(&self, model: &str) -> Option<u64> {
        let learnt = || self.0.context_tokens.lock().unwrap_or_else(PoisonError::into_inner).get(model).copied();
        self.0.options.context_tokens.or_else(learnt).or_else(|| models::known_context(model))
    }

    fn embedder(&self, model: &str) -> Option<Arc<dyn Embedder>> {
        Some(Arc::new(embed::Embeddings::new(self, model)))
    }
}

impl Provider {
    /// The client to use, if all is set up.
    async fn ready(&self) -> Result<net::Inner, Failure> {
        if let Some(variable) = &self.key_missing {
            let message = format!("`{variable}` is not set; it should hold the key of the provider `{}`", self.name);
            return Err(Failure::new(Kind::Config, message));
        }
        let address = self.endpoint.address("");
        self.net.inner(&address).await.map_err(|error| Failure::new(Kind::Config, error.to_string()))
    }

    fn policy(&self) -> RetryPolicy {
        RetryPolicy { attempts_max: self.options.attempts_max.max(1), ..RetryPolicy::default() }
    }

    fn censor(&self, failure: Failure) -> Failure {
        Failure { message: self.endpoint.censor(failure.message), ..failure }
    }

    /// Names provider and address where there was no answer that would tell whose it is.
    fn placed(&self, failure: Failure) -> Failure {
        if failure.kind != Kind::Transient || failure.status.is_some() {
            return failure;
        }
        let message = format!("{} (provider `{}`, {})", failure.message, self.name, self.endpoint.address(""));
        Failure { message, ..failure }
    }

    fn completed(&self, mut completion: Completion) -> Completion {
        wire::mark_origin(&mut completion, &self.name);
        completion
    }

    /// Keeps what a failure tells about `model`.
    fn note(&self, model: &str, failure: &Failure) {
        if let Some(tokens) = failure.context_tokens {
            self.context_tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(model.to_owned(), tokens);
        }
    }

    fn learn(&self, listed: &[Listed]) {
        let mut known = self.context_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(listed.iter().filter_map(|model| Some((model.id.clone(), model.context_tokens?))));
    }

    async fn list(&self) -> Result<Vec<Listed>, Failure> {
        self.ready().await?;
        let ask = async {
            let address = self.endpoint.address("/models");
            let response = self.net.get(&address, self.endpoint.headers().clone(), self.endpoint.query()).await?;
            if !response.status().is_success() {
                return Err(service::refusal(response, self.clock.as_ref()).await);
            }
            Ok(service::read(net::body(response), MODELS_BYTES_MAX).await)
        };
        // Of the set-up, not of a slow model: no option makes this wait longer.
        let late =
            |_| Failure::new(Kind::Config, format!("no list of models came within {} s; is the provider up?", MODELS_WAIT.as_secs()));
        let body = tokio::time::timeout(MODELS_WAIT, ask).await.map_err(late)?;
        let body = body.map_err(|failure| self.censor(failure))?;
        let value: Value = serde_json::from_slice(&body)
            .map_err(|error| Failure::new(Kind::Refused, format!("the list of models is no JSON ({error})")))?;
        Ok(models::read(&value))
    }
}
