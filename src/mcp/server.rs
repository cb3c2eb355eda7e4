//! A server layer for both eras of MCP: what is served says what it has, once; the layer speaks the protocol.
//!
//! A [`Service`] offers tools, resources, prompts and completions in types of its own. The layer answers the legacy
//! revisions (`initialize`, up to 2025-11-25) and 2026-07-28 (`server/discover`), on standard streams ([`serve_on`]) and
//! over streamable HTTP ([`http`]). What a service asks its client ([`Context::ask`]) is a request of its own in the legacy
//! era and a round of `InputRequiredResult` in the new one: the service is written once. A round's state is sealed, so that
//! a client can neither forge nor exchange it.
//!
//! rmcp carries the messages; what it leaves open is closed here: only declared capabilities are answered, methods that a
//! revision removed are not found, lists are paged, missing client capabilities are refused as the revision says.
//!
//! [`serve_on`]: crate::mcp::serve::serve_on

pub mod ask;
mod changes;
mod context;
mod convert;
mod error;
pub(super) mod handler;
pub mod http;
mod listen;
pub mod own;
mod pages;
pub mod parts;
mod rounds;

use std::time::Duration;

use serde_json::{Map, Value};

pub use changes::Changes;
pub use context::{Capability, Context, Level};
pub use error::Error;

use crate::mcp::server::parts::{Completed, Completion, Contents, Icon, Prompt, PromptReply, Resource, Template, ToolListing, ToolReply};

/// Who may keep an answer (`cacheScope`, 2026-07-28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Only the client that asked.
    #[default]
    Private,
    /// Whoever stands between, for everybody.
    Public,
}

/// How long an answer may be kept, and by whom (2026-07-28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// How long; zero: ask again each time.
    pub ttl: Duration,
    /// By whom.
    pub scope: Scope,
}

/// What a service has. Only that is declared, and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "MCP declares each of them by itself")]
pub struct Offers {
    /// Tools.
    pub tools: bool,
    /// Resources and templates.
    pub resources: bool,
    /// Prompts.
    pub prompts: bool,
    /// Completions of arguments.
    pub completions: bool,
    /// Log messages, while a request runs.
    pub logging: bool,
}

/// What a service says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// Its name for programs.
    pub name: String,
    /// Its name for people.
    pub title: Option<String>,
    /// Its version.
    pub version: String,
    /// A page about it.
    pub website: Option<String>,
    /// Pictures of it.
    pub icons: Vec<Icon>,
    /// How a model should use it.
    pub instructions: Option<String>,
    /// What it has.
    pub offers: Offers,
    /// How long its lists may be kept.
    pub lists: Keep,
    /// How long what is read may be kept.
    pub reads: Keep,
    /// The most entries of one page of a list; zero: [`PAGE_ENTRIES`].
    pub page_entries: usize,
}

/// Entries of a page of a list where a service sets none. Many clients read the first page only.
pub const PAGE_ENTRIES: usize = 500;

/// What is served. Each method is asked only where [`Offers`] names its subject.
///
/// A call may run twice in the newer era: a round that asks the client begins anew with the answers. What a service does
/// before it asks must therefore bear repeating.
pub trait Service: Send + Sync + 'static {
    /// What it is and has. The same each time.
    fn about(&self) -> About;

    /// Where it tells that something changed, if anything can.
    fn changes(&self) -> Option<&Changes> {
        None
    }

    /// The tools, in a stable order.
    fn tools(&self) -> Vec<ToolListing> {
        Vec::new()
    }

    /// The tool of that name.
    fn tool(&self, name: &str) -> Option<ToolListing> {
        self.tools().into_iter().find(|tool| tool.name == name)
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// When there is no such tool, or it cannot be called like this. A tool that ran and failed says so in its reply.
    fn call(&self, name: &str, _arguments: Map<String, Value>, _context: Context) -> impl Future<Output = Result<ToolReply, Error>> + Send {
        std::future::ready(Err(Error::NoTool(name.to_owned())))
    }

    /// The resources that are listed, in a stable order.
    ///
    /// # Errors
    /// When they cannot be listed now.
    fn resources(&self) -> impl Future<Output = Result<Vec<Resource>, Error>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// Templates of further resources.
    fn templates(&self) -> Vec<Template> {
        Vec::new()
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// [`Error::NoResource`] where there is none of that address.
    fn read(&self, uri: String, _context: Context) -> impl Future<Output = Result<Vec<Contents>, Error>> + Send {
        std::future::ready(Err(Error::NoResource(uri)))
    }

    /// The prompts, in a stable order.
    fn prompts(&self) -> Vec<Prompt> {
        Vec::new()
    }

    /// Fills in a prompt. Arguments that it requires are there.
    ///
    /// # Errors
    /// When there is no such prompt, or it cannot be filled in like this.
    fn prompt(
        &self,
        name: String,
        _arguments: Map<String, Value>,
        _context: Context,
    ) -> impl Future<Output = Result<PromptReply, Error>> + Send {
        std::future::ready(Err(Error::NoPrompt(name)))
    }

    /// Values that an argument of a prompt or a template could have, the likeliest first.
    ///
    /// # Errors
    /// When the values cannot be had now.
    fn complete(&self, _request: Completion) -> impl Future<Output = Result<Completed, Error>> + Send {
        std::future::ready(Ok(Completed::default()))
    }
}
