//! The agent's view of tools: one trait, one box that holds all of them.
//!
//! Tools come from sources (the server pool, later peers on the feed); the box asks them anew for each model call, so
//! that a catalogue may change while the program runs.

pub mod local;
pub mod names;
pub mod schema;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::domain::event::ErrorKind;
use crate::domain::ids::{CallId, ServerName, SessionId, ToolName};
use crate::domain::tool::ToolInfo;

/// What a tool is told beside its arguments.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The call.
    pub call_id: CallId,
    /// The conversation that calls.
    pub session: Option<SessionId>,
    /// Cancelled when the user stops the turn; the tool then gives up and its server is told.
    pub cancel: CancellationToken,
}

/// What a tool gives back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolOutcome {
    /// The result as text for the model, whole.
    pub text: String,
    /// Structured content beside it.
    pub structured: Option<Value>,
    /// The tool says that it failed; `text` says why.
    pub is_error: bool,
}

impl ToolOutcome {
    /// A good result that is only text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A failure in the tool's own words.
    pub fn error(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: true, ..Self::default() }
    }
}

/// Why a call has no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// One sentence with the chain of causes and, where there is one, the next thing to try.
    pub message: String,
}

impl ToolError {
    /// A failure of `kind`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// One tool.
pub trait Tool: Send + Sync {
    /// What it is.
    fn info(&self) -> &ToolInfo;

    /// What a call would change, for the question for consent: a unified diff or a command line.
    fn preview<'a>(&'a self, _arguments: &'a Map<String, Value>) -> BoxFuture<'a, Option<String>> {
        Box::pin(std::future::ready(None))
    }

    /// Runs it once. Bounded in time by the tool itself.
    ///
    /// # Errors
    /// When there is no outcome: the server is away, the time is over, the call was cancelled.
    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>>;
}

/// A source of tools that may change.
pub trait ToolSource: Send + Sync {
    /// The tools it lends now, in a stable order.
    fn tools(&self) -> Vec<Arc<dyn Tool>>;

    /// The tool of that name, if it lends one now.
    fn find(&self, name: &ToolName) -> Option<Arc<dyn Tool>> {
        self.tools().into_iter().find(|tool| tool.info().name == *name)
    }

    /// The servers it knows, those without tools included.
    fn servers(&self) -> Vec<ServerName>;
}

/// Tools that a person calls by a command: they are found by name and in no list, so that no model is shown them.
#[derive(Clone, Default)]
pub struct ForPeople(pub Vec<Arc<dyn Tool>>);

impl ToolSource for ForPeople {
    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        Vec::new()
    }

    fn find(&self, name: &ToolName) -> Option<Arc<dyn Tool>> {
        self.0.iter().find(|tool| tool.info().name == *name).cloned()
    }

    fn servers(&self) -> Vec<ServerName> {
        Vec::new()
    }
}

/// All tools of all sources.
#[derive(Clone, Default)]
pub struct ToolBox {
    sources: Vec<Arc<dyn ToolSource>>,
}

impl ToolBox {
    /// A box over `sources`; where two lend the same name, the earlier wins.
    pub fn new(sources: Vec<Arc<dyn ToolSource>>) -> Self {
        Self { sources }
    }

    /// All tools now.
    pub fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let mut seen = std::collections::HashSet::new();
        let all = self.sources.iter().flat_map(|source| source.tools());
        all.filter(|tool| seen.insert(tool.info().name.clone())).collect()
    }

    /// The tool of that name, if there is one now.
    pub fn find(&self, name: &ToolName) -> Option<Arc<dyn Tool>> {
        self.sources.iter().find_map(|source| source.find(name))
    }

    /// All servers.
    pub fn servers(&self) -> Vec<ServerName> {
        self.sources.iter().flat_map(|source| source.servers()).collect()
    }
}
