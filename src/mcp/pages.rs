//! Lists that come page by page, within limits, whatever is wrong with single entries.

use std::collections::HashSet;
use std::time::Duration;

use rmcp::model::{
    ClientRequest, ListPromptsRequest, ListResourceTemplatesRequest, ListResourcesRequest, ListToolsRequest, PaginatedRequestParams,
    ServerResult,
};
use serde_json::{Value, json};

use crate::mcp::error::Error;
use crate::mcp::link::Link;

/// The most pages that are asked for.
const PAGES_MAX: usize = 100;

/// Lists of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Tools,
    Resources,
    Templates,
    Prompts,
}

impl List {
    /// The key of the entries in an answer.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Prompts => "prompts",
        }
    }

    fn step(self) -> &'static str {
        match self {
            Self::Tools => "list of tools",
            Self::Resources => "list of resources",
            Self::Templates => "list of resource templates",
            Self::Prompts => "list of prompts",
        }
    }

    fn request(self, cursor: Option<String>) -> ClientRequest {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        match self {
            Self::Tools => ClientRequest::ListToolsRequest(ListToolsRequest::with_param(params)),
            Self::Resources => ClientRequest::ListResourcesRequest(ListResourcesRequest::with_param(params)),
            Self::Templates => ClientRequest::ListResourceTemplatesRequest(ListResourceTemplatesRequest::with_param(params)),
            Self::Prompts => ClientRequest::ListPromptsRequest(ListPromptsRequest::with_param(params)),
        }
    }
}

/// All entries of a list.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) values: Vec<Value>,
    /// What was left out, in words.
    pub(super) notes: Vec<String>,
    /// How long the list may be taken for granted, by the server's word (2026-07-28, `ttlMs`).
    pub(super) ttl: Option<Duration>,
}

/// Asks for a whole list, at most `entries_max` entries, within `limit` for each page.
pub(super) async fn all(link: &Link, list: List, entries_max: usize, limit: Duration) -> Result<Entries, Error> {
    let mut entries = Entries::default();
    let mut seen = HashSet::new();
    let mut cursor = None;
    let what = list.step().trim_start_matches("list of ");
    for page in 0.. {
        let answer = link.ask(list.request(cursor), list.step(), limit).await?;
        let page_entries = page_of(answer, list)?;
        entries.ttl = page_entries.ttl.or(entries.ttl);
        for value in page_entries.values {
            if entries.values.len() >= entries_max {
                entries.notes.push(format!("more than {entries_max} {what}: the rest is left out"));
                return Ok(entries);
            }
            entries.values.push(value);
        }
        match page_entries.next {
            None => break,
            Some(next) if !seen.insert(next.clone()) => {
                entries.notes.push(format!("the list of {what} repeats itself: it was read once"));
                break;
            }
            Some(_) if page + 1 >= PAGES_MAX => {
                entries.notes.push(format!("more than {PAGES_MAX} pages of {what}: the rest is left out"));
                break;
            }
            next => cursor = next,
        }
    }
    Ok(entries)
}

pub(super) struct Page {
    pub(super) values: Vec<Value>,
    pub(super) next: Option<String>,
    ttl: Option<Duration>,
}

/// The entries and the next cursor of an answer; one bad entry makes the whole answer untyped.
pub(super) fn page_of(result: ServerResult, list: List) -> Result<Page, Error> {
    let value = match result {
        ServerResult::CustomResult(result) => result.0,
        ServerResult::EmptyResult(_) => json!({list.key(): []}),
        other => serde_json::to_value(other).unwrap_or_default(),
    };
    let next = value.get("nextCursor").and_then(Value::as_str).filter(|cursor| !cursor.is_empty()).map(str::to_owned);
    let ttl = value.get("ttlMs").and_then(Value::as_u64).map(Duration::from_millis);
    match value {
        Value::Object(mut object) => match object.remove(list.key()) {
            Some(Value::Array(values)) => Ok(Page { values, next, ttl }),
            _ => Err(Error::Answer(format!("its {} has no `{}`", list.step(), list.key()))),
        },
        _ => Err(Error::Answer(format!("its {} is no JSON object", list.step()))),
    }
}
