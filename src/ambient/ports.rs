//! What the background half needs of the agent above it. `app` hands the implementations down.

use futures::future::BoxFuture;

use crate::domain::firing::Firing;
use crate::domain::ids::SessionId;
use crate::domain::task::{Decision, TaskSpec};

/// What a model said about a firing.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// The decision; `Ask` where it was unsure.
    pub decision: Decision,
    /// Why, in one sentence.
    pub reason: String,
    /// The title of a notice.
    pub title: Option<String>,
    /// The text of a notice.
    pub text: Option<String>,
    /// The model that was asked.
    pub model: String,
    /// Tokens it took.
    pub tokens: u64,
    /// Money it took, in millionths of a US dollar; 0 where no price is known.
    pub cost_micros: u64,
}

/// Reads a firing and forms an opinion. Has no tools, takes the firing's text as data, works within a token budget.
pub trait Triage: Send + Sync {
    /// Whether there is a model that can read: the built-in assistant cannot.
    fn is_able(&self) -> bool;

    /// What to do about `firing`. `lessons` are what the person said about earlier ones (`fewer like this: …`).
    ///
    /// # Errors
    /// When the model is away or gives no usable answer; one sentence.
    fn judge(&self, spec: Option<TaskSpec>, firing: Firing, lessons: Vec<String>) -> BoxFuture<'static, Result<Opinion, String>>;
}

/// What came of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The conversation it ran in.
    pub session: SessionId,
    /// The answer, Markdown; why there is none where `success` is false.
    pub text: String,
    /// Whether it ended well.
    pub success: bool,
    /// Tokens it took.
    pub tokens: u64,
    /// Money it took, in millionths of a US dollar; 0 where no price is known.
    pub cost_micros: u64,
}

/// Puts a prompt to the agent as a turn of its own, in a conversation of its own, with nobody there to give consent.
pub trait Prompter: Send + Sync {
    /// Runs it to its end.
    fn run(&self, title: String, prompt: String) -> BoxFuture<'static, Answered>;
}
