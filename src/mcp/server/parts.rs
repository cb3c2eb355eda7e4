//! What a service consists of, in our own words: tools, resources, prompts, and what they give.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::domain::tool::ToolHints;

/// A picture that stands for something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Icon {
    /// Where it is: `https:` or `data:`.
    pub src: String,
    /// What it is, like `image/png`.
    pub mime_type: Option<String>,
    /// Its sizes, like `48x48`, or `any`.
    pub sizes: Vec<String>,
}

/// A tool in a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolListing {
    /// Its name: 1 to 128 of `A-Z a-z 0-9 _ - .`.
    pub name: String,
    /// Its name for people.
    pub title: Option<String>,
    /// What it does, for a model.
    pub description: String,
    /// JSON Schema of its arguments, an object's.
    pub input: Map<String, Value>,
    /// JSON Schema of its structured result, an object's.
    pub output: Option<Map<String, Value>>,
    /// What a call may do; not said where absent.
    pub hints: Option<ToolHints>,
    /// Pictures of it.
    pub icons: Vec<Icon>,
}

/// A piece of content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Text.
    Text(String),
    /// A picture.
    Image {
        /// base64.
        data: String,
        /// Like `image/png`.
        mime_type: String,
    },
    /// A sound.
    Audio {
        /// base64.
        data: String,
        /// Like `audio/wav`.
        mime_type: String,
    },
    /// What a resource holds.
    Resource(Contents),
    /// Where a resource is.
    Link(Resource),
}

impl Block {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// What a tool gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolReply {
    /// For a model to read.
    pub content: Vec<Block>,
    /// For a program to read.
    pub structured: Option<Value>,
    /// The tool failed; the content says why.
    pub is_error: bool,
}

impl ToolReply {
    /// A good reply that is only text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: vec![Block::text(text)], ..Self::default() }
    }

    /// A failure in the tool's own words.
    pub fn error(text: impl Into<String>) -> Self {
        Self { is_error: true, ..Self::text(text) }
    }
}

/// A resource in a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resource {
    /// Its address.
    pub uri: String,
    /// Its name for programs.
    pub name: String,
    /// Its name for people.
    pub title: Option<String>,
    /// What it holds.
    pub description: Option<String>,
    /// What kind of thing that is.
    pub mime_type: Option<String>,
    /// Its size, in bytes.
    pub bytes: Option<u64>,
}

/// Addresses of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    /// The addresses, as RFC 6570 writes them.
    pub uri: String,
    /// Its name for programs.
    pub name: String,
    /// Its name for people.
    pub title: Option<String>,
    /// What they hold.
    pub description: Option<String>,
    /// What kind of thing that is.
    pub mime_type: Option<String>,
}

/// What is in a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Whose.
    pub uri: String,
    /// What kind of thing.
    pub mime_type: Option<String>,
    /// The thing.
    pub body: Body,
}

/// The body of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Text.
    Text(String),
    /// Bytes, in base64.
    Blob(String),
}

/// A prompt in a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prompt {
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: Option<String>,
    /// What it is for.
    pub description: String,
    /// What it takes.
    pub arguments: Vec<PromptArgument>,
}

/// An argument of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptArgument {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Whether it must be given.
    pub required: bool,
}

/// Who says a message of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// A prompt that was filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptReply {
    /// What it is for.
    pub description: Option<String>,
    /// The conversation it begins.
    pub messages: Vec<(Role, Block)>,
}

/// Whose argument is being completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompletionOf {
    /// That prompt's.
    Prompt(String),
    /// That template's, or that resource's.
    Template(String),
}

/// What is to be completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Whose argument.
    pub of: CompletionOf,
    /// Its name.
    pub argument: String,
    /// What has been typed of it.
    pub typed: String,
    /// Arguments that are given already.
    pub given: BTreeMap<String, String>,
}

/// Values an argument could have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completed {
    /// The likeliest first. The layer gives a client the first 100 of them, which is the most that MCP allows.
    pub values: Vec<String>,
}
