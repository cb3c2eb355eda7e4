//! What the background half needs of the agent above it. `app` hands the implementations down.

use futures::future::BoxFuture;

use crate::ambient::tell::Bundle;
use crate::domain::firing::Firing;
use crate::domain::ids::SessionId;
use crate::domain::notice::InboxRow;
use crate::domain::task::{Decision, TaskKind, TaskSpec};

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

/// What a task would do, found out before it exists.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Preview {
    /// What was found, a line a step: what the page gives now, which part is watched, what the value is.
    pub lines: Vec<String>,
    /// How often it would have told, of how many past looks; absent where there is no past to look at.
    pub would_have_fired: Option<(u32, u32)>,
    /// What it would tell now, or told last.
    pub sample: Option<String>,
    /// What could not be looked at: where, and why.
    pub troubles: Vec<String>,
}

/// Looks at a task's subject without making the task.
pub trait Previewer: Send + Sync {
    /// Tries `spec` out. Keeps nothing, tells nobody, runs no command and calls no tool: nobody has consented yet.
    ///
    /// # Errors
    /// When the subject cannot be looked at: what happened, where, what to try.
    fn preview(&self, spec: TaskSpec) -> BoxFuture<'_, Result<Preview, String>>;
}

/// Does what the task service hands on: it needs the judge and the outbox.
pub trait Attendant: Send + Sync {
    /// Raises the event of a kind through the whole path, marked as simulated; all four where absent.
    ///
    /// # Errors
    /// When it cannot be queued; one sentence.
    fn simulate(&self, kind: Option<TaskKind>) -> BoxFuture<'_, Result<(), String>>;

    /// Sends a notice to try a channel out; the configured ones where `channel` is absent.
    ///
    /// # Errors
    /// When the channel is not known or there is nobody to send to; one sentence.
    fn test_notice(&self, channel: Option<String>, to: Option<String>) -> BoxFuture<'_, Result<(), String>>;

    /// What follows from a person's answer to an entry of the inbox: `yes` to an entry that asks tells by the task's
    /// channel, anything else goes to the agent. Nothing is done yet: commit it together with the answer.
    ///
    /// # Errors
    /// When nothing can be done about it; one sentence.
    fn answer(&self, item: InboxRow, text: String) -> BoxFuture<'_, Result<Bundle, String>>;
}
