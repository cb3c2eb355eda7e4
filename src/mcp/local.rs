//! Our own tools as an MCP server: the in-process ones of the pool, and what others are offered.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorCode, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::domain::event::ErrorKind;
use crate::domain::ids::{CallId, SessionId};
use crate::domain::text::cut_middle;
use crate::domain::tool::ToolInfo;
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
#[derive(Clone)]
pub(super) struct ToolServer {
    name: String,
    tools: Arc<Vec<(String, Arc<dyn Tool>)>>,
    /// Stops all calls at once: rmcp waits for them when a connection ends.
    stop: CancellationToken,
}

impl ToolServer {
    pub(super) fn new(name: impl Into<String>, tools: Vec<(String, Arc<dyn Tool>)>) -> Self {
        Self { name: name.into(), tools: Arc::new(tools), stop: CancellationToken::new() }
    }

    /// The same for one connection, whose calls are stopped by `stop`.
    pub(super) fn stopped_by(&self, stop: CancellationToken) -> Self {
        Self { stop, ..self.clone() }
    }

    fn find(&self, name: &str) -> Option<&(String, Arc<dyn Tool>)> {
        self.tools.iter().find(|(other, _)| other == name)
    }
}

impl ServerHandler for ToolServer {
    fn get_info(&self) -> ServerConfig {
        let server = Implementation::new(self.name.clone(), env!("CARGO_PKG_VERSION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build()).with_server_info(server)
    }

    fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> impl Future<Output = Result<ListToolsResult, ErrorData>> + Send + '_ {
        let tools = self.tools.iter().map(|(name, tool)| described(name, tool.info())).collect();
        let result = ListToolsResult { tools, ..ListToolsResult::default() };
        std::future::ready(Ok(result))
    }

    fn get_tool(&self, name: &str) -> Option<rmcp::model::Tool> {
        self.find(name).map(|(name, tool)| described(name, tool.info()))
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        let Some((_, tool)) = self.find(&request.name) else {
            return Err(failure(&ToolError::new(ErrorKind::NotFound, format!("there is no tool `{}`", request.name))));
        };
        let cancel = self.stop.child_token();
        let text = |key: &str| context.meta.0.get(key).and_then(Value::as_str).map(str::to_owned);
        let call = CallContext {
            call_id: text(CALL_KEY).map_or_else(CallId::generate, CallId::from),
            session: text(SESSION_KEY).map(SessionId::from),
            cancel: cancel.clone(),
        };
        // A panic would leave the call without an answer.
        let mut running = AssertUnwindSafe(tool.call(request.arguments.unwrap_or_default(), call)).catch_unwind();
        let ended = tokio::select! {
            biased;
            ended = &mut running => ended,
            () = context.ct.cancelled() => {
                cancel.cancel();
                running.await
            }
        };
        match ended {
            Ok(Ok(outcome)) => Ok(CallToolResponse::Complete(result(outcome))),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(failure(&ToolError::new(ErrorKind::Tool, format!("the tool `{}` broke down (a bug)", request.name)))),
        }
    }
}

fn described(name: &str, info: &ToolInfo) -> rmcp::model::Tool {
    let hints = ToolAnnotations::new()
        .read_only(info.hints.read_only)
        .destructive(info.hints.destructive)
        .idempotent(info.hints.idempotent)
        .open_world(info.hints.open_world);
    let tool = rmcp::model::Tool::new(name.to_owned(), info.description.clone(), info.parameters.clone()).with_annotations(hints);
    match &info.title {
        Some(title) => tool.with_title(title.clone()),
        None => tool,
    }
}

fn result(outcome: ToolOutcome) -> CallToolResult {
    let text = cut_middle(&outcome.text, RESULT_BYTES_MAX).into_owned();
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = outcome.structured;
    result.is_error = Some(outcome.is_error);
    result
}

fn failure(error: &ToolError) -> ErrorData {
    let code = match error.kind {
        ErrorKind::BadArguments | ErrorKind::NotFound => ErrorCode::INVALID_PARAMS,
        _ => ErrorCode::INTERNAL_ERROR,
    };
    ErrorData::new(code, error.message.clone(), Some(json!({ KIND_KEY: error.kind })))
}
