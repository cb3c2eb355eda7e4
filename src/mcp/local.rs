//! Our own tools as an MCP service: the in-process servers of the pool, and what others are offered.

use std::sync::Arc;

use rmcp::model::ErrorCode;
use serde_json::{Map, Value, json};

use crate::domain::event::ErrorKind;
use crate::domain::ids::{CallId, SessionId};
use crate::domain::text::cut_middle;
use crate::domain::tool::ToolInfo;
use crate::mcp::server::handler::Handler;
use crate::mcp::server::parts::{Block, ToolListing, ToolReply};
use crate::mcp::server::{About, Context, Error, Offers, Service};
use crate::tools::{CallContext, Tool, ToolError, ToolOutcome};

/// In `_meta` of a call to one of our own servers: the call's id.
pub(super) const CALL_KEY: &str = "wakeful/call";

/// In `_meta` of a call to one of our own servers: the conversation's id.
pub(super) const SESSION_KEY: &str = "wakeful/session";

/// In `data` of an error of one of our own servers: its [`ErrorKind`].
pub(super) const KIND_KEY: &str = "wakeful/kind";

/// The longest result of a tool of ours, in bytes; the rest of a longer one is cut from its middle.
const RESULT_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// Tools under the names that a client sees.
pub(super) struct Tools {
    name: String,
    pub(super) tools: Vec<(String, Arc<dyn Tool>)>,
}

/// An in-process server of tools.
pub(super) type ToolServer = Handler<Tools>;

impl ToolServer {
    pub(super) fn new(name: impl Into<String>, tools: Vec<(String, Arc<dyn Tool>)>) -> Self {
        Self::serving(Tools { name: name.into(), tools })
    }
}

impl Service for Tools {
    fn about(&self) -> About {
        let offers = Offers { tools: true, ..Offers::default() };
        About { name: self.name.clone(), version: env!("CARGO_PKG_VERSION").to_owned(), offers, ..About::default() }
    }

    fn tools(&self) -> Vec<ToolListing> {
        self.tools.iter().map(|(name, tool)| listing(name, tool.info())).collect()
    }

    fn tool(&self, name: &str) -> Option<ToolListing> {
        self.tools.iter().find(|(other, _)| other == name).map(|(name, tool)| listing(name, tool.info()))
    }

    async fn call(&self, name: &str, arguments: Map<String, Value>, context: Context) -> Result<ToolReply, Error> {
        call(&self.tools, name, arguments, &context).await
    }
}

/// Calls that one of `tools`.
pub(super) async fn call(
    tools: &[(String, Arc<dyn Tool>)],
    name: &str,
    arguments: Map<String, Value>,
    context: &Context,
) -> Result<ToolReply, Error> {
    let Some((_, tool)) = tools.iter().find(|(other, _)| other == name) else {
        return Err(failure(&ToolError::new(ErrorKind::NotFound, format!("there is no tool `{name}`"))));
    };
    let text = |key: &str| context.meta(key).and_then(Value::as_str).map(str::to_owned);
    let call = CallContext {
        call_id: text(CALL_KEY).map_or_else(CallId::generate, CallId::from),
        session: text(SESSION_KEY).map(SessionId::from),
        cancel: context.cancel().clone(),
    };
    tool.call(arguments, call).await.map(reply).map_err(|error| failure(&error))
}

pub(super) fn listing(name: &str, info: &ToolInfo) -> ToolListing {
    ToolListing {
        name: name.to_owned(),
        title: info.title.clone(),
        description: info.description.clone(),
        input: (*info.parameters).clone(),
        hints: Some(info.hints),
        ..ToolListing::default()
    }
}

fn reply(outcome: ToolOutcome) -> ToolReply {
    let text = if outcome.text.len() <= RESULT_BYTES_MAX { outcome.text } else { cut_middle(&outcome.text, RESULT_BYTES_MAX).into_owned() };
    ToolReply { content: vec![Block::Text(text)], structured: outcome.structured, is_error: outcome.is_error }
}

fn failure(error: &ToolError) -> Error {
    let code = match error.kind {
        ErrorKind::BadArguments | ErrorKind::NotFound => ErrorCode::INVALID_PARAMS,
        _ => ErrorCode::INTERNAL_ERROR,
    };
    Error::Failed { code: code.0, message: error.message.clone(), data: Some(json!({ KIND_KEY: error.kind })) }
}
