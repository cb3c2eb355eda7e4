//! A server's tools: listed page by page within limits, salvaged one by one, made fit for the model.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::domain::ids::ServerName;
use crate::domain::text::{clean, clean_line, ellipsis};
use crate::domain::tool::{ToolHints, ToolInfo};
use crate::mcp::error::Error;
use crate::mcp::link::Link;
use crate::mcp::pages::{self, List};
use crate::tools::names::{fits_any, tool_name};

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
    /// How long the list may be taken for granted, by the server's word.
    pub(super) ttl: Option<Duration>,
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
    let entries = pages::all(link, List::Tools, choice.tools_max, limit).await?;
    let mut listing = Listing { notes: entries.notes, ttl: entries.ttl, ..Listing::default() };
    for tool in entries.values {
        add(&mut listing, tool, choice);
    }
    Ok(listing)
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
        parameters: Arc::new(parameters),
        output: output_schema(tool.remove("outputSchema"), &shown, notes).map(Arc::new),
        hints: hints(&annotations),
        trusted: choice.trusted,
    }))
}

/// What the tool promises to return; a promise that cannot be checked is none.
fn output_schema(schema: Option<Value>, shown: &str, notes: &mut Vec<String>) -> Option<Map<String, Value>> {
    match schema? {
        Value::Object(schema) if serde_json::to_string(&schema).is_ok_and(|text| text.len() <= SCHEMA_BYTES_MAX) => Some(schema),
        Value::Object(_) => {
            notes.push(format!("the output schema of the tool `{shown}` is too long to be checked"));
            None
        }
        _ => {
            notes.push(format!("the tool `{shown}` has a broken output schema: its results are not checked"));
            None
        }
    }
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
        let result: rmcp::model::ServerResult = serde_json::from_value(json!({"tools": tools})).unwrap();
        let page = pages::page_of(result, List::Tools).unwrap();
        let mut listing = Listing::default();
        for tool in page.values {
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
        assert_eq!(Value::Object((*listing.tools[1].parameters).clone()), json!({"type": "object", "properties": {}}));
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
        let page_of = |value: Value| pages::page_of(serde_json::from_value(value).unwrap(), List::Tools);
        assert!(page_of(json!({"hello": 1})).is_err());
        let page = page_of(json!({"tools": [], "nextCursor": ""})).unwrap();
        assert_eq!((page.values.len(), page.next), (0, None));
    }
}
