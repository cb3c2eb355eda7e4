//! Many MCP servers, their life cycle and their tools; and our own tools as a server.
//!
//! [`ServerPool`] keeps every configured server connected, each on its own task, and lends their tools to the agent as
//! one [`ToolSource`](crate::tools::ToolSource). Our own tools are in-process servers of the same kind, so that the agent
//! sees one sort of thing. What rmcp leaves to its user is done here: time limits, life cycles, child processes, salvage
//! of malformed answers, the HTTP+SSE transport of 2024-11-05. Only this module names rmcp.

mod auth;
mod call;
mod catalog;
mod conform;
mod content;
mod desk;
mod dial;
mod era;
mod error;
mod events;
mod follow;
mod gate;
mod handler;
mod host;
mod http;
mod import;
mod keep;
mod ledger;
mod lending;
mod lent;
mod lines;
mod link;
mod lint;
mod local;
mod logging;
mod login;
mod mask;
mod options;
mod pages;
mod pool;
mod probe;
mod process;
mod remote;
mod replica;
mod retry;
mod rounds;
mod serve;
pub mod server;
mod service;
mod sse;
mod stderr;
mod stdio;
mod subscriptions;
mod supervisor;
mod trust;

pub use auth::{AuthError, AuthSetup, Grant, OauthOptions, Opener, browser, headless};
pub use conform::{Called, ConformOptions, ConformReport, conform};
pub use desk::{Answering, Desk, ReplyError, Rules};
pub use era::Era;
pub use error::{CommandError, Error, OptionsError};
pub use host::{SampleAnswer, SampleCall, SampleMessage, SampleRequest, SampleTool, Sampler};
pub use http::Http;
pub use import::{ImportError, parse_mcp_json};
pub use lint::{Check, Level};
pub use login::{LoggedIn, log_in, log_out};
pub use options::{PoolOptions, ServerOptions, TransportKind};
pub use pool::{LocalServer, ServerPool, Surroundings};
pub use probe::{TestReport, call_once, test_server};
pub use serve::{ServeError, serve_on, serve_stdio};
pub use server::own::Own;
pub use trust::agree;
