//! Our words into rmcp's.

use std::sync::Arc;

use rmcp::model::{
    AudioContent, CacheScope, CallToolResult, ContentBlock, EmbeddedResource, GetPromptResult, ImageContent, Implementation, PromptMessage,
    PromptsCapability, ResourceContents, ResourcesCapability, ServerCapabilities, ServerConfig, ToolAnnotations, ToolsCapability,
};
use serde_json::Map;

use crate::domain::tool::ToolHints;
use crate::mcp::server::parts::{Block, Body, Contents, Icon, Prompt, PromptReply, Resource, Role, Template, ToolListing, ToolReply};
use crate::mcp::server::{About, Keep, Scope};

/// What a server says of itself. Lists can change where `changes` are told.
pub(super) fn config(about: &About, changes: bool) -> ServerConfig {
    let mut server = Implementation::new(about.name.clone(), about.version.clone());
    server.title.clone_from(&about.title);
    server.website_url.clone_from(&about.website);
    server.icons = icons(&about.icons);
    let changed = changes.then_some(true);
    let mut can = ServerCapabilities::default();
    if about.offers.tools {
        let mut tools = ToolsCapability::default();
        tools.list_changed = changed;
        can.tools = Some(tools);
    }
    if about.offers.prompts {
        let mut prompts = PromptsCapability::default();
        prompts.list_changed = changed;
        can.prompts = Some(prompts);
    }
    if about.offers.resources {
        let mut resources = ResourcesCapability::default();
        (resources.list_changed, resources.subscribe) = (changed, changed);
        can.resources = Some(resources);
    }
    can.completions = about.offers.completions.then(Map::new);
    can.logging = about.offers.logging.then(Map::new);
    let mut config = ServerConfig::new(can).with_server_info(server);
    config.instructions.clone_from(&about.instructions);
    config
}

/// How long an answer may be kept, and by whom. Only the newer era says.
pub(super) fn keep(keep: Keep, is_modern: bool) -> (Option<u64>, Option<CacheScope>) {
    if !is_modern {
        return (None, None);
    }
    let scope = match keep.scope {
        Scope::Private => CacheScope::Private,
        Scope::Public => CacheScope::Public,
    };
    (Some(u64::try_from(keep.ttl.as_millis()).unwrap_or(u64::MAX)), Some(scope))
}

fn icons(icons: &[Icon]) -> Option<Vec<rmcp::model::Icon>> {
    let one = |icon: &Icon| {
        let mut wire = rmcp::model::Icon::new(icon.src.clone());
        wire.mime_type.clone_from(&icon.mime_type);
        wire.sizes = (!icon.sizes.is_empty()).then(|| icon.sizes.clone());
        wire
    };
    (!icons.is_empty()).then(|| icons.iter().map(one).collect())
}

pub(super) fn tool(listing: ToolListing) -> rmcp::model::Tool {
    let mut tool = rmcp::model::Tool::new(listing.name, listing.description, listing.input);
    tool.title = listing.title;
    tool.output_schema = listing.output.map(Arc::new);
    tool.annotations = listing.hints.map(hints);
    tool.icons = icons(&listing.icons);
    tool
}

fn hints(hints: ToolHints) -> ToolAnnotations {
    ToolAnnotations::new()
        .read_only(hints.read_only)
        .destructive(hints.destructive)
        .idempotent(hints.idempotent)
        .open_world(hints.open_world)
}

pub(super) fn reply(reply: ToolReply) -> CallToolResult {
    let mut result = CallToolResult::success(reply.content.into_iter().map(block).collect());
    result.structured_content = reply.structured;
    result.is_error = Some(reply.is_error);
    result
}

fn block(block: Block) -> ContentBlock {
    match block {
        Block::Text(text) => ContentBlock::text(text),
        Block::Image { data, mime_type } => ContentBlock::Image(ImageContent::new(data, mime_type)),
        Block::Audio { data, mime_type } => ContentBlock::Audio(AudioContent::new(data, mime_type)),
        Block::Resource(resource) => ContentBlock::Resource(EmbeddedResource::new(contents(resource))),
        Block::Link(link) => ContentBlock::ResourceLink(resource(link)),
    }
}

pub(super) fn contents(contents: Contents) -> ResourceContents {
    let Contents { uri, mime_type, body } = contents;
    match body {
        Body::Text(text) => ResourceContents::TextResourceContents { uri, mime_type, text, meta: None },
        Body::Blob(blob) => ResourceContents::BlobResourceContents { uri, mime_type, blob, meta: None },
    }
}

pub(super) fn resource(resource: Resource) -> rmcp::model::Resource {
    let mut wire = rmcp::model::Resource::new(resource.uri, resource.name);
    wire.title = resource.title;
    wire.description = resource.description;
    wire.mime_type = resource.mime_type;
    wire.size = resource.bytes;
    wire
}

pub(super) fn template(template: Template) -> rmcp::model::ResourceTemplate {
    let mut wire = rmcp::model::ResourceTemplate::new(template.uri, template.name);
    wire.title = template.title;
    wire.description = template.description;
    wire.mime_type = template.mime_type;
    wire
}

pub(super) fn prompt(prompt: Prompt) -> rmcp::model::Prompt {
    let argument = |argument: crate::mcp::server::parts::PromptArgument| {
        rmcp::model::PromptArgument::new(argument.name).with_description(argument.description).with_required(argument.required)
    };
    let arguments: Vec<_> = prompt.arguments.into_iter().map(argument).collect();
    let mut wire = rmcp::model::Prompt::new(prompt.name, Some(prompt.description), (!arguments.is_empty()).then_some(arguments));
    wire.title = prompt.title;
    wire
}

pub(super) fn prompt_reply(reply: PromptReply) -> GetPromptResult {
    let role = |role| match role {
        Role::User => rmcp::model::Role::User,
        Role::Assistant => rmcp::model::Role::Assistant,
    };
    let messages = reply.messages.into_iter().map(|(who, content)| PromptMessage::new(role(who), block(content))).collect();
    let mut result = GetPromptResult::new(messages);
    result.description = reply.description;
    result
}
