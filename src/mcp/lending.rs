//! What servers lend beside tools: resources and prompts, asked for when somebody looks.

use std::collections::BTreeMap;

use crate::domain::catalog::{CompletionOf, PromptInfo, ResourceInfo, ResourcePart};
use crate::domain::ids::ServerName;
use crate::mcp::pool::ServerPool;

impl ServerPool {
    /// Resources and templates of `server`, or of all that answer.
    ///
    /// # Errors
    /// When the server is unknown or does not answer, in words.
    pub async fn resources(&self, _server: Option<&ServerName>) -> Result<Vec<ResourceInfo>, String> {
        Ok(Vec::new())
    }

    /// What a resource holds; what is no text is saved to a file.
    ///
    /// # Errors
    /// When the server does not give it, in words.
    pub async fn read_resource(&self, server: &ServerName, uri: &str) -> Result<Vec<ResourcePart>, String> {
        Err(format!("`{server}` has no resource {uri}"))
    }

    /// Prompts of all servers that answer.
    ///
    /// # Errors
    /// None today.
    pub async fn prompts(&self) -> Result<Vec<PromptInfo>, String> {
        Ok(Vec::new())
    }

    /// A prompt with its arguments filled in, as text for the agent.
    ///
    /// # Errors
    /// When the server does not give it, in words.
    pub async fn prompt(&self, server: &ServerName, name: &str, _arguments: BTreeMap<String, String>) -> Result<String, String> {
        Err(format!("`{server}` has no prompt {name}"))
    }

    /// What an argument that begins with `value` may be.
    ///
    /// # Errors
    /// When the server does not answer, in words.
    pub async fn completions(
        &self,
        _server: &ServerName,
        _of: CompletionOf,
        _argument: String,
        _value: String,
        _known: BTreeMap<String, String>,
    ) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}
