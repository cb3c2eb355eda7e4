//! What servers lend beside tools: resources and prompts, asked for when somebody looks, remembered as long as the server
//! lets us.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use rmcp::model::{
    ArgumentInfo, ClientRequest, CompleteRequest, CompleteRequestParams, CompletionContext, GetPromptRequest, GetPromptRequestParams,
    InputResponses, ReadResourceRequest, ReadResourceRequestParams, Reference,
};
use serde_json::{Map, Value};

use crate::domain::catalog::{CompletionOf, PromptArgument, PromptInfo, ResourceInfo, ResourcePart};
use crate::domain::ids::ServerName;
use crate::domain::text::{clean, clean_line, ellipsis};
use crate::mcp::content::{self, InputRequired, Part};
use crate::mcp::desk::About;
use crate::mcp::link::Link;
use crate::mcp::pages::List;
use crate::mcp::pool::ServerPool;
use crate::mcp::rounds::Rounds;
use crate::mcp::service::Service;

/// The most resources and prompts of one server.
const ENTRIES_MAX: usize = 5_000;

/// How long one page of a list may take.
const LIST_LIMIT: Duration = Duration::from_secs(10);

/// How long a resource or prompt may take.
const READ_LIMIT: Duration = Duration::from_mins(1);

/// How long a completion may take: it is for a person who types.
const COMPLETE_LIMIT: Duration = Duration::from_secs(3);

/// The longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 1_000;

/// The longest address, in bytes.
const URI_BYTES_MAX: usize = 4_096;

/// The most completions (MCP: 100 in an answer).
const COMPLETIONS_MAX: usize = 100;

impl ServerPool {
    /// Resources and templates of `server`, or of all that answer.
    ///
    /// # Errors
    /// When the server is unknown or does not answer, in words.
    pub async fn resources(&self, server: Option<&ServerName>) -> Result<Vec<ResourceInfo>, String> {
        if let Some(server) = server {
            let (service, link) = self.link_of(server)?;
            return resources_of(&service, &link).await;
        }
        let all = self.ready_links();
        let lists = join_all(all.iter().map(|(service, link)| resources_of(service, link))).await;
        Ok(lists.into_iter().flatten().flatten().collect())
    }

    /// What a resource holds; what is no text is saved to a file.
    ///
    /// # Errors
    /// When the server does not give it, in words.
    pub async fn read_resource(&self, server: &ServerName, uri: &str) -> Result<Vec<ResourcePart>, String> {
        let (_, link) = self.link_of(server)?;
        let request = |inputs: Option<InputResponses>, state: Option<String>| {
            let mut params = ReadResourceRequestParams::new(uri.to_owned());
            (params.input_responses, params.request_state) = (inputs, state);
            ClientRequest::ReadResourceRequest(ReadResourceRequest::new(params))
        };
        let value = in_rounds(&link, "resource", request).await?;
        let contents = value.get("contents").and_then(Value::as_array).ok_or("its answer has no `contents`")?;
        let mut parts = Vec::new();
        for entry in contents {
            parts.push(resource_part(entry, uri, &link).await);
        }
        Ok(parts)
    }

    /// Prompts of all servers that answer.
    ///
    /// # Errors
    /// None today.
    pub async fn prompts(&self) -> Result<Vec<PromptInfo>, String> {
        let all = self.ready_links();
        let lists = join_all(all.iter().map(|(service, link)| prompts_of(service, link))).await;
        Ok(lists.into_iter().flatten().flatten().collect())
    }

    /// A prompt with its arguments filled in, as text for the agent.
    ///
    /// # Errors
    /// When the server does not give it, in words.
    pub async fn prompt(&self, server: &ServerName, name: &str, arguments: BTreeMap<String, String>) -> Result<String, String> {
        let (_, link) = self.link_of(server)?;
        let arguments: Map<String, Value> = arguments.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        let request = |inputs: Option<InputResponses>, state: Option<String>| {
            let mut params = GetPromptRequestParams::new(name.to_owned());
            params.arguments = (!arguments.is_empty()).then(|| arguments.clone());
            (params.input_responses, params.request_state) = (inputs, state);
            ClientRequest::GetPromptRequest(GetPromptRequest::new(params))
        };
        let value = in_rounds(&link, "prompt", request).await?;
        let messages = value.get("messages").and_then(Value::as_array).ok_or("its answer has no `messages`")?;
        prompt_text(messages, &link).await
    }

    /// What an argument that begins with `value` may be.
    ///
    /// # Errors
    /// When the server does not answer, in words.
    pub async fn completions(
        &self,
        server: &ServerName,
        of: CompletionOf,
        argument: String,
        value: String,
        known: BTreeMap<String, String>,
    ) -> Result<Vec<String>, String> {
        let (_, link) = self.link_of(server)?;
        if !link.can("completions") {
            return Ok(Vec::new());
        }
        let reference = match of {
            CompletionOf::Prompt { name } => Reference::for_prompt(name),
            CompletionOf::Resource { uri } => Reference::for_resource(uri),
        };
        let mut params = CompleteRequestParams::new(reference, ArgumentInfo::new(argument, value));
        params.context = (!known.is_empty()).then(|| CompletionContext::with_arguments(known.into_iter().collect()));
        let request = ClientRequest::CompleteRequest(CompleteRequest::new(params));
        let answer = link.ask(request, "completion", COMPLETE_LIMIT).await.map_err(|error| error.to_string())?;
        let answer = serde_json::to_value(answer).unwrap_or_default();
        let values = answer.pointer("/completion/values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        Ok(values.take(COMPLETIONS_MAX).map(clean_line).filter(|value| !value.is_empty()).collect())
    }
}

/// Asks, hands in what the server wants first, and asks again.
async fn in_rounds(
    link: &Link,
    step: &'static str,
    request: impl Fn(Option<InputResponses>, Option<String>) -> ClientRequest,
) -> Result<Value, String> {
    let mut rounds = Rounds::default();
    let (mut inputs, mut state) = (None, None);
    loop {
        let answer = link.ask(request(inputs, state), step, READ_LIMIT).await.map_err(|error| error.to_string())?;
        let answer = serde_json::to_value(answer).unwrap_or_default();
        if answer.get("resultType").and_then(Value::as_str) != Some("input_required") {
            return Ok(answer);
        }
        let wanted = InputRequired::read(&answer);
        let given = rounds.inputs(link, &wanted, About::default()).await.map_err(|error| error.message)?;
        inputs = (!given.is_empty()).then_some(given);
        state = wanted.state;
    }
}

async fn resources_of(service: &Service, link: &Arc<Link>) -> Result<Vec<ResourceInfo>, String> {
    if !link.can("resources") {
        return Ok(Vec::new());
    }
    let entries = |list: List| service.lent.list(link, list, ENTRIES_MAX, LIST_LIMIT);
    let resources = entries(List::Resources).await.map_err(|error| error.to_string())?;
    // Many servers have no templates and say so with an error.
    let templates = entries(List::Templates).await.unwrap_or_default();
    let named = resources.iter().map(|value| (value, "uri")).chain(templates.iter().map(|value| (value, "uriTemplate")));
    Ok(named.filter_map(|(value, key)| resource_info(&service.name, value, key)).collect())
}

fn resource_info(server: &ServerName, value: &Value, key: &str) -> Option<ResourceInfo> {
    let uri = value.get(key).and_then(Value::as_str).filter(|uri| !uri.is_empty() && uri.len() <= URI_BYTES_MAX)?;
    Some(ResourceInfo {
        server: server.clone(),
        uri: clean_line(uri),
        is_template: key == "uriTemplate",
        name: line(value, "name").unwrap_or_else(|| clean_line(uri)),
        title: line(value, "title"),
        description: text(value, "description"),
        mime_type: line(value, "mimeType"),
        size: value.get("size").and_then(Value::as_u64),
    })
}

async fn prompts_of(service: &Service, link: &Arc<Link>) -> Result<Vec<PromptInfo>, String> {
    if !link.can("prompts") {
        return Ok(Vec::new());
    }
    let prompts = service.lent.list(link, List::Prompts, ENTRIES_MAX, LIST_LIMIT).await.map_err(|error| error.to_string())?;
    Ok(prompts.iter().filter_map(|value| prompt_info(&service.name, value)).collect())
}

fn prompt_info(server: &ServerName, value: &Value) -> Option<PromptInfo> {
    let name = value.get("name").and_then(Value::as_str).filter(|name| !name.is_empty())?;
    let argument = |value: &Value| {
        Some(PromptArgument {
            name: value.get("name").and_then(Value::as_str).filter(|name| !name.is_empty())?.to_owned(),
            description: text(value, "description"),
            required: value.get("required").and_then(Value::as_bool).unwrap_or(false),
        })
    };
    Some(PromptInfo {
        server: server.clone(),
        name: name.to_owned(),
        title: line(value, "title"),
        description: text(value, "description"),
        arguments: value.get("arguments").and_then(Value::as_array).into_iter().flatten().filter_map(argument).collect(),
    })
}

fn line(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(clean_line).filter(|text| !text.is_empty())
}

fn text(value: &Value, key: &str) -> Option<String> {
    let text = value.get(key).and_then(Value::as_str)?;
    Some(ellipsis(clean(text).trim(), DESCRIPTION_CHARS_MAX).into_owned()).filter(|text| !text.is_empty())
}

async fn resource_part(entry: &Value, asked: &str, link: &Link) -> ResourcePart {
    let uri = line(entry, "uri").unwrap_or_else(|| clean_line(asked));
    let mime_type = line(entry, "mimeType");
    let keep = link.shared.keep();
    if let Some(text) = entry.get("text").and_then(Value::as_str) {
        let text = content::bounded(clean(text).into_owned(), &keep).await;
        return ResourcePart { uri, mime_type, text, file: None };
    }
    let base64 = entry.get("blob").and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = mime_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned());
    let (text, file) = Part::Media { what: "resource".to_owned(), mime_type: kind, base64 }.kept(&keep).await;
    ResourcePart { uri, mime_type, text, file }
}

/// The messages of a prompt as one text; those of another role say so.
async fn prompt_text(messages: &[Value], link: &Link) -> Result<String, String> {
    let keep = link.shared.keep();
    let mut texts = Vec::new();
    for message in messages {
        let content = message.get("content").cloned().unwrap_or_default();
        let text = match content.get("resource") {
            Some(resource) => {
                let part = resource_part(resource, "", link).await;
                format!("[resource {}]\n{}", part.uri, part.text)
            }
            None => content::raw_part(&content).text(&keep).await,
        };
        let text = clean(&text).into_owned();
        match message.get("role").and_then(Value::as_str) {
            Some("assistant") => texts.push(format!("(assistant) {text}")),
            _ => texts.push(text),
        }
    }
    if texts.is_empty() {
        return Err("the prompt is empty".to_owned());
    }
    Ok(content::bounded(texts.join("\n\n"), &keep).await)
}
