//! What servers lend beside tools: resources and prompts, as people and models see them. Text is cleaned.

use serde::{Deserialize, Serialize};

use crate::domain::ids::ServerName;

/// A resource, or a template for many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceInfo {
    /// Whose.
    pub server: ServerName,
    /// Its address, or a URI template (RFC 6570).
    pub uri: String,
    /// Whether `uri` is a template.
    #[serde(default)]
    pub is_template: bool,
    /// Its name.
    pub name: String,
    /// What people read instead of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its type, where the server says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Its size in bytes, where the server says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// One part of what a resource holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcePart {
    /// Its address.
    pub uri: String,
    /// Its type, where the server says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The text; for what is none, a line that describes it and names the file it was saved to.
    pub text: String,
    /// The file that holds what is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<std::path::PathBuf>,
}

/// A prompt that a server offers: `/server:name` in the composer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptInfo {
    /// Whose.
    pub server: ServerName,
    /// Its name on that server.
    pub name: String,
    /// What people read instead of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it takes, in the server's order.
    #[serde(default)]
    pub arguments: Vec<PromptArgument>,
}

/// One argument of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptArgument {
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the prompt needs it.
    #[serde(default)]
    pub required: bool,
}

/// What an argument that is being typed belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum CompletionOf {
    /// A prompt, by name.
    Prompt {
        /// The prompt.
        name: String,
    },
    /// A resource template.
    Resource {
        /// The template.
        uri: String,
    },
}
