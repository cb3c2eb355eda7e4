//! One streaming chat call to a model: the contract, and its implementations.
//!
//! An [`Llm`] turns a [`ChatRequest`] into a stream of [`Delta`]s that ends with exactly one [`Delta::Done`] or one
//! error. Dropping the stream cancels the call and closes its connection. Retries before the first text happen inside
//! and are told as [`Delta::Retry`]; after it there is none.

mod catalog;
pub mod embeddings;
pub mod offline;
pub mod openai;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use catalog::{Catalog, Resolved};

use crate::domain::ids::ToolName;
use crate::domain::message::{Message, Usage};
use crate::domain::tool::Schema;

/// What a model is asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChatRequest {
    /// The provider's name of the model.
    pub model: String,
    /// The conversation, system message first; valid by the rules of every provider.
    pub messages: Vec<Message>,
    /// The tools that may be called.
    pub tools: Vec<ToolSpec>,
    /// The most tokens to write, if limited.
    pub output_tokens_max: Option<u32>,
}

/// A tool as a model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Unique, `[A-Za-z0-9_-]{1,64}`.
    pub name: ToolName,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments, an object schema.
    pub parameters: Schema,
}

/// A part of the answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// More text.
    Text(String),
    /// More reasoning.
    Reasoning(String),
    /// The model starts to write a call of this tool (its arguments are still coming).
    CallStarted(String),
    /// The call failed before any text and will be tried again.
    Retry {
        /// Why.
        reason: String,
        /// Which try comes next, from 2.
        attempt: u32,
        /// How many tries there are.
        attempts_max: u32,
        /// The wait before it.
        delay: Duration,
    },
    /// The whole answer.
    Done(Completion),
}

/// The whole answer of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The message: text, reasoning, calls.
    pub message: Message,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens, where the provider tells.
    pub usage: Option<Usage>,
    /// The model that answered, in the provider's words.
    pub model: String,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// It is complete.
    Stop,
    /// It calls tools.
    ToolCalls,
    /// The provider's token limit cut it; a call that it cut is marked invalid.
    Length,
    /// The provider's filter cut it.
    Filtered,
    /// Something else, in the provider's words.
    Other(String),
}

/// Why there is no (whole) answer. The message says what happened and what to try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The key is missing, wrong or not allowed.
    #[error("the model provider refused the key: {0}")]
    Authentication(String),
    /// The conversation does not fit the model's context.
    #[error("the conversation is too long for the model: {0}")]
    TooLong(String),
    /// Too many requests, or the quota is used up; all tries are spent.
    #[error("the model provider is limiting requests: {message}")]
    RateLimited {
        /// In the provider's words.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The provider could not be reached or failed; all tries are spent.
    #[error("the model provider could not answer: {0}")]
    Unavailable(String),
    /// The provider does not take this request (its words).
    #[error("the model provider refused the request: {0}")]
    Refused(String),
    /// The stream broke off after text was shown.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// Nothing came for too long.
    #[error("the model gave no sign within {}; one that is slow to read gets more time by `first_chunk_timeout_seconds` and `idle_timeout_seconds` of its provider", humantime(*.0))]
    TimedOut(Duration),
    /// The set-up is wrong (no such provider, bad URL).
    #[error("{0}")]
    Config(String),
}

fn humantime(limit: Duration) -> String {
    if limit.as_millis().is_multiple_of(1_000) { format!("{} s", limit.as_secs()) } else { format!("{} ms", limit.as_millis()) }
}

/// A stream of an answer's parts.
pub type DeltaStream = BoxStream<'static, Result<Delta, Error>>;

/// A provider of models.
pub trait Llm: Send + Sync {
    /// Asks a model. The work starts when the stream is first polled and stops when it is dropped.
    fn chat(&self, request: ChatRequest) -> DeltaStream;

    /// The models it offers, in its own words.
    ///
    /// # Errors
    /// When the provider cannot be asked.
    fn models(&self) -> BoxFuture<'_, Result<Vec<String>, Error>>;

    /// All its models, where they are a fixed few; nothing where only the provider knows them.
    fn fixed_models(&self) -> &'static [&'static str] {
        &[]
    }

    /// How many tokens `model` can hold, where known.
    fn context_tokens(&self, model: &str) -> Option<u64>;

    /// What makes vectors with `model`, where the provider can.
    fn embedder(&self, _model: &str) -> Option<Arc<dyn embeddings::Embedder>> {
        None
    }
}
