//! A server's tool as the agent sees it.

use std::sync::{Arc, Weak};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value};

use crate::domain::event::ErrorKind;
use crate::domain::tool::ToolInfo;
use crate::mcp::service::Service;
use crate::tools::{CallContext, Tool, ToolError, ToolOutcome};

/// One tool of one server.
pub(super) struct RemoteTool {
    pub(super) info: ToolInfo,
    pub(super) service: Weak<Service>,
    /// The tool itself where it is ours: it alone can show what a call would change.
    pub(super) local: Option<Arc<dyn Tool>>,
}

impl Tool for RemoteTool {
    fn info(&self) -> &ToolInfo {
        &self.info
    }

    fn preview<'a>(&'a self, arguments: &'a Map<String, Value>) -> BoxFuture<'a, Option<String>> {
        match &self.local {
            Some(tool) => tool.preview(arguments),
            None => std::future::ready(None).boxed(),
        }
    }

    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>> {
        let (service, tool) = (self.service.clone(), self.info.tool.clone());
        let server = self.info.server.clone();
        async move {
            match service.upgrade() {
                Some(service) => service.call(&tool, arguments, &context).await,
                None => Err(ToolError::new(ErrorKind::NotFound, format!("server `{server}` was removed"))),
            }
        }
        .boxed()
    }
}
