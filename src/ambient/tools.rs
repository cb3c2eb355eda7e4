//! The tools of the in-process MCP server `tasks`: background tasks for models and for other MCP clients.

use std::sync::Arc;

use crate::ambient::ports::Previewer;
use crate::ambient::service::TaskService;
use crate::domain::ids::ServerName;
use crate::tools::Tool;

/// The server of the task tools.
pub const TASKS: &str = "tasks";

/// The tools, as `tools::local::catalog` gives those of a server. Without a previewer, `preview_background_task` tells
/// only when the task would be due.
pub fn catalog(service: &TaskService, previewer: Option<Arc<dyn Previewer>>) -> (ServerName, Vec<Arc<dyn Tool>>) {
    todo!()
}
