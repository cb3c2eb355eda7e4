//! What wakeful offers to other clients: its tools, what it knows as resources, and prompts about it.
//!
//! Resources are read anew each time and bounded; what they hold passes the same cleaning as anything that may reach a
//! terminal. Tools that run long tell that they do.

mod library;
mod news;
mod prompts;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::{Instant, interval_at};

pub use library::{Library, TaskEntry};
pub use news::tell;

use crate::mcp::local;
use crate::mcp::server::own::library::Address;
use crate::mcp::server::parts::{
    Completed, Completion, CompletionOf, Contents, Prompt, PromptReply, Resource, Template, ToolListing, ToolReply,
};
use crate::mcp::server::{About, Changes, Context, Error, Offers, Service};
use crate::tools::Tool;

/// How often a client that wants progress hears that a tool still runs.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// wakeful as a service.
pub struct Own {
    tools: Vec<(String, Arc<dyn Tool>)>,
    library: Option<Arc<dyn Library>>,
    changes: Changes,
}

impl Own {
    /// Offers `tools`. One goes by its own name where that is unique, else by `server__tool`.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        Self { tools: named(tools), library: None, changes: Changes::default() }
    }

    /// Offers what is in `library` too, as resources and prompts. What changes in it is told by `changes`.
    pub fn with_library(self, library: Arc<dyn Library>, changes: Changes) -> Self {
        Self { library: Some(library), changes, ..self }
    }
}

impl Service for Own {
    fn about(&self) -> About {
        let knows = self.library.is_some();
        let instructions = "wakeful runs background tasks on this machine and keeps a log of all that happens. Read `wakeful://tasks` and \
             `wakeful://inbox` for how things stand, `wakeful://events` for what happened; the tools make and change tasks.";
        About {
            name: "wakeful".to_owned(),
            title: Some("wakeful".to_owned()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instructions: knows.then(|| instructions.to_owned()),
            offers: Offers { tools: true, resources: knows, prompts: knows, completions: knows, logging: false },
            ..About::default()
        }
    }

    fn changes(&self) -> Option<&Changes> {
        self.library.as_ref().map(|_| &self.changes)
    }

    fn tools(&self) -> Vec<ToolListing> {
        self.tools.iter().map(|(name, tool)| local::listing(name, tool.info())).collect()
    }

    async fn call(&self, name: &str, arguments: Map<String, Value>, context: Context) -> Result<ToolReply, Error> {
        let mut call = std::pin::pin!(local::call(&self.tools, name, arguments, &context));
        if !context.wants_progress() {
            return call.await;
        }
        let mut beats = 0.0;
        let mut beat = interval_at(Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
        loop {
            tokio::select! {
                biased;
                ended = &mut call => return ended,
                _ = beat.tick() => {
                    beats += 1.0;
                    context.progress(beats, None, Some("still running")).await;
                }
            }
        }
    }

    async fn resources(&self) -> Result<Vec<Resource>, Error> {
        match &self.library {
            Some(library) => library::listed(library.as_ref()).await,
            None => Ok(Vec::new()),
        }
    }

    fn templates(&self) -> Vec<Template> {
        library::templates()
    }

    async fn read(&self, uri: String, _: Context) -> Result<Vec<Contents>, Error> {
        match (&self.library, Address::parse(&uri)?) {
            (Some(library), Some(address)) => Ok(vec![library::read(library.as_ref(), &uri, address).await?]),
            _ => Err(Error::NoResource(uri)),
        }
    }

    fn prompts(&self) -> Vec<Prompt> {
        prompts::all()
    }

    async fn prompt(&self, name: String, arguments: Map<String, Value>, _: Context) -> Result<PromptReply, Error> {
        match &self.library {
            Some(library) => prompts::filled(library.as_ref(), name, &arguments).await,
            None => Err(Error::NoPrompt(name)),
        }
    }

    async fn complete(&self, request: Completion) -> Result<Completed, Error> {
        let Some(library) = &self.library else { return Ok(Completed::default()) };
        let values = match (&request.of, request.argument.as_str()) {
            (CompletionOf::Prompt(_), "task") => library::task_ids(library.as_ref(), &request.typed).await?,
            (CompletionOf::Prompt(_), "session") => library::session_ids(library.as_ref(), &request.typed).await?,
            (CompletionOf::Template(uri), "id") if uri == library::TASK_TEMPLATE => {
                library::task_ids(library.as_ref(), &request.typed).await?
            }
            (CompletionOf::Template(uri), "id") if uri == library::SESSION_TEMPLATE => {
                library::session_ids(library.as_ref(), &request.typed).await?
            }
            (CompletionOf::Prompt(_) | CompletionOf::Template(_), "type") => library::event_types(&request.typed),
            _ => Vec::new(),
        };
        Ok(Completed { values })
    }
}

/// Tools under the names that other clients see.
fn named(tools: Vec<Arc<dyn Tool>>) -> Vec<(String, Arc<dyn Tool>)> {
    let mut count: HashMap<String, usize> = HashMap::new();
    for tool in &tools {
        *count.entry(tool.info().tool.clone()).or_default() += 1;
    }
    let name = |tool: &Arc<dyn Tool>| {
        let info = tool.info();
        if count.get(&info.tool) == Some(&1) { info.tool.clone() } else { info.name.to_string() }
    };
    tools.into_iter().map(|tool| (name(&tool), tool)).collect()
}
