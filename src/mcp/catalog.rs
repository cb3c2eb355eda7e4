//! A server's tools: listed page by page within limits, salvaged one by one, made fit for the model.

use std::collections::HashSet;
use std::time::Duration;

use rmcp::model::{ClientRequest, ListToolsRequest, PaginatedRequestParams, ServerResult};
use serde_json::{Map, Value, json};

use crate::domain::ids::ServerName;
use crate::domain::text::{clean, clean_line, ellipsis};
use crate::domain::tool::{ToolHints, ToolInfo};
use crate::mcp::error::Error;
use crate::mcp::link::Link;
use crate::mcp::names::{fits_any, tool_name};

/// The most pages that are asked for.
const PAGES_MAX: usize = 100;

/// The longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 4_000;

/// The longest title, in characters.
const TITLE_CHARS_MAX: usize = 100;

/// The longest name of a tool on its server, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// The largest schema, in bytes of JSON.
const SCHEMA_BYTES_MAX: usize = 128 * 1_024;

/// What a server lends, and what was wrong with the rest.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Tools as the server gives them, names unique.
    pub(super) tools: Vec<ToolInfo>,
    /// What was left out or mended, in words.
    pub(super) notes: Vec<String>,
}

/// How the tools of one server are chosen.
pub(super) struct Choice<'a> {
    pub(super) server: &'a ServerName,
    pub(super) enabled: &'a [String],
    pub(super) disabled: &'a [String],
    pub(super) trusted: bool,
    pub(super) tools_max: usize,
}

/// Asks a server for all its tools, within `limit` for each page.
pub(super) async fn list(link: &Link, choice: &Choice<'_>, limit: Duration) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    let mut seen = HashSet::new();
    let mut cursor = None;
    for page in 0.. {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        let request = ClientRequest::ListToolsRequest(ListToolsRequest::with_param(params));
        let (tools, next) = page_of(link.ask(request, "list of tools", limit).await?)?;
        for tool in tools {
            if listing.tools.len() >= choice.tools_max {
                listing.notes.push(format!("more than {} tools: the rest is left out", choice.tools_max));
                return Ok(listing);
            }
            add(&mut listing, tool, choice);
        }
        match next {
            None => break,
            Some(next) if !seen.insert(next.clone()) => {
                listing.notes.push("the list of tools repeats itself: it was read once".to_owned());
                break;
            }
            Some(_) if page + 1 >= PAGES_MAX => {
                listing.notes.push(format!("more than {PAGES_MAX} pages of tools: the rest is left out"));
                break;
            }
            next => cursor = next,
        }
    }
    Ok(listing)
}

/// The tools and the next cursor of an answer; one bad tool makes the whole answer untyped.
fn page_of(result: ServerResult) -> Result<(Vec<Value>, Option<String>), Error> {
    let value = match result {
        ServerResult::ListToolsResult(result) => serde_json::to_value(result).unwrap_or_default(),
        ServerResult::CustomResult(result) => result.0,
        ServerResult::EmptyResult(_) => json!({"tools": []}),
        other => serde_json::to_value(other).unwrap_or_default(),
    };
    let next = value.get("nextCursor").and_then(Value::as_str).filter(|cursor| !cursor.is_empty()).map(str::to_owned);
    match value {
        Value::Object(mut object) => match object.remove("tools") {
            Some(Value::Array(tools)) => Ok((tools, next)),
            _ => Err(Error::Answer("its list of tools has no `tools`".to_owned())),
        },
        _ => Err(Error::Answer("its list of tools is no JSON object".to_owned())),
    }
}

fn add(listing: &mut Listing, tool: Value, choice: &Choice<'_>) {
    match tool_info(tool, choice, &mut listing.notes) {
        Ok(Some(info)) if listing.tools.iter().any(|other| other.name == info.name) => {
            listing.notes.push(format!("the tool `{}` is there twice: the first counts", info.tool));
        }
        Ok(Some(info)) => listing.tools.push(info),
        Ok(None) => {}
        Err(problem) => listing.notes.push(problem),
    }
}

/// One tool made fit for the model; `None` where the user does not want it.
fn tool_info(tool: Value, choice: &Choice<'_>, notes: &mut Vec<String>) -> Result<Option<ToolInfo>, String> {
    let Value::Object(mut tool) = tool else { return Err("a tool that is no JSON object is left out".to_owned()) };
    let name = match tool.remove("name") {
        Some(Value::String(name)) if !name.trim().is_empty() && name.len() <= NAME_BYTES_MAX => name,
        Some(Value::String(name)) if name.len() > NAME_BYTES_MAX => {
            return Err(format!("a tool with a name of {} bytes is left out", name.len()));
        }
        _ => return Err("a tool without a name is left out".to_owned()),
    };
    let shown = clean_line(&name);
    if fits_any(&name, choice.disabled) || !(choice.enabled.is_empty() || fits_any(&name, choice.enabled)) {
        return Ok(None);
    }
    let parameters = match tool.remove("inputSchema").or_else(|| tool.remove("input_schema")) {
        Some(Value::Object(schema)) => object_schema(schema),
        other => {
            notes.push(format!(
                "the tool `{shown}` has {} input schema: it takes any object",
                if other.is_some() { "a broken" } else { "no" }
            ));
            object_schema(Map::new())
        }
    };
    if serde_json::to_string(&parameters).map_or(0, |text| text.len()) > SCHEMA_BYTES_MAX {
        return Err(format!("the tool `{shown}` is left out: its input schema is over {} kB", SCHEMA_BYTES_MAX / 1_024));
    }
    let annotations = tool.get("annotations").cloned().unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(clean_line).filter(|text| !text.is_empty());
    let title = text(tool.get("title")).or_else(|| text(annotations.get("title")));
    let description = tool.get("description").and_then(Value::as_str).map(clean).unwrap_or_default();
    Ok(Some(ToolInfo {
        name: tool_name(choice.server, &name),
        server: choice.server.clone(),
        tool: name,
        title: title.map(|title| ellipsis(&title, TITLE_CHARS_MAX).into_owned()),
        description: ellipsis(description.trim(), DESCRIPTION_CHARS_MAX).into_owned(),
        parameters,
        hints: hints(&annotations),
        trusted: choice.trusted,
    }))
}

/// The schema as one of an object, which providers insist on.
fn object_schema(mut schema: Map<String, Value>) -> Map<String, Value> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        schema.insert("type".to_owned(), json!("object"));
    }
    if !schema.get("properties").is_some_and(Value::is_object) {
        schema.insert("properties".to_owned(), json!({}));
    }
    schema
}

fn hints(annotations: &Value) -> ToolHints {
    let default = ToolHints::default();
    let hint = |key: &str, default: bool| annotations.get(key).and_then(Value::as_bool).unwrap_or(default);
    let read_only = hint("readOnlyHint", default.read_only);
    ToolHints {
        read_only,
        // Meaningful only for tools that change something.
        destructive: !read_only && hint("destructiveHint", default.destructive),
        idempotent: hint("idempotentHint", default.idempotent),
        open_world: hint("openWorldHint", default.open_world),
    }
}

/// Names of tools in `new` that are not in `old`.
pub(super) fn added(old: &[ToolInfo], new: &[ToolInfo]) -> Vec<String> {
    new.iter().filter(|tool| !old.iter().any(|other| other.name == tool.name)).map(|tool| clean_line(&tool.tool)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(tools: &Value, enabled: &[&str], disabled: &[&str]) -> Listing {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (server, enabled, disabled) = (ServerName::from("s"), owned(enabled), owned(disabled));
        let choice = Choice { server: &server, enabled: &enabled, disabled: &disabled, trusted: false, tools_max: 3 };
        let result: ServerResult = serde_json::from_value(json!({"tools": tools})).unwrap();
        let (tools, _) = page_of(result).unwrap();
        let mut listing = Listing::default();
        for tool in tools {
            add(&mut listing, tool, &choice);
        }
        listing
    }

    fn names(listing: &Listing) -> Vec<&str> {
        listing.tools.iter().map(|tool| tool.name.as_str()).collect()
    }

    #[test]
    fn bad_tools_cost_no_good_one() {
        let listing = listing(
            &json!([
                {"name": "good", "description": "does\u{1b}[31m it", "inputSchema": {"type": "object", "properties": {"a": {}}}},
                {"name": "bare"},
                {"inputSchema": {}},
                "nonsense",
                {"name": "good", "inputSchema": {}},
                {"name": "odd", "inputSchema": "nonsense", "annotations": "nonsense"},
            ]),
            &[],
            &[],
        );
        assert_eq!(names(&listing), ["s__good", "s__bare", "s__odd"]);
        assert_eq!(listing.tools[0].description, "does it");
        assert_eq!(Value::Object(listing.tools[1].parameters.clone()), json!({"type": "object", "properties": {}}));
        assert_eq!(listing.notes.len(), 5, "{:?}", listing.notes);
    }

    #[test]
    fn the_user_chooses_and_exclusion_wins() {
        let tools = json!([{"name": "a1", "inputSchema": {}}, {"name": "a2", "inputSchema": {}}, {"name": "b", "inputSchema": {}}]);
        assert_eq!(names(&listing(&tools, &["a*"], &["a2"])), ["s__a1"]);
        assert_eq!(names(&listing(&tools, &[], &["a*"])), ["s__b"]);
    }

    #[test]
    fn annotations_become_hints() {
        let tools = json!([{"name": "a", "title": "T", "inputSchema": {}, "annotations": {"readOnlyHint": true, "openWorldHint": false, "title": "U"}}, {"name": "b", "inputSchema": {}}]);
        let listing = listing(&tools, &[], &[]);
        assert_eq!(listing.tools[0].hints, ToolHints { read_only: true, destructive: false, idempotent: false, open_world: false });
        assert_eq!(listing.tools[0].title.as_deref(), Some("T"));
        assert_eq!(listing.tools[1].hints, ToolHints::default());
    }

    #[test]
    fn an_answer_that_is_no_list_is_an_error() {
        assert!(page_of(serde_json::from_value(json!({"hello": 1})).unwrap()).is_err());
        assert_eq!(page_of(serde_json::from_value(json!({"tools": [], "nextCursor": ""})).unwrap()).unwrap(), (vec![], None));
    }
}
