//! What wakeful offers to other clients: its tools.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::mcp::local;
use crate::mcp::server::parts::{ToolListing, ToolReply};
use crate::mcp::server::{About, Context, Error, Offers, Service};
use crate::tools::Tool;

/// wakeful as a service.
pub struct Own {
    tools: Vec<(String, Arc<dyn Tool>)>,
}

impl Own {
    /// Offers `tools`. One goes by its own name where that is unique, else by `server__tool`.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        Self { tools: named(tools) }
    }
}

impl Service for Own {
    fn about(&self) -> About {
        let offers = Offers { tools: true, ..Offers::default() };
        About { name: "wakeful".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), offers, ..About::default() }
    }

    fn tools(&self) -> Vec<ToolListing> {
        self.tools.iter().map(|(name, tool)| local::listing(name, tool.info())).collect()
    }

    async fn call(&self, name: &str, arguments: Map<String, Value>, context: Context) -> Result<ToolReply, Error> {
        local::call(&self.tools, name, arguments, &context).await
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
