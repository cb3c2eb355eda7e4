//! Background tasks: what is understood in English and Chinese, and whole conversations about them.

mod chinese;
mod english;
mod talks;

use serde_json::{Value, json};

use super::{spec, understood};
use crate::llm::ToolSpec;

/// The tools of the server `tasks`.
pub(super) fn tools() -> Vec<ToolSpec> {
    let one = json!({"type": "object", "properties": {"task_id": {"type": "string"}, "user_id": {"type": "string"}}, "required": ["task_id"]});
    let none = json!({"type": "object", "properties": {"user_id": {"type": "string"}}});
    let create = json!({"type": "object", "properties": {
        "task_type": {"type": "string", "enum": ["web_monitor", "schedule", "news_digest", "threshold_watch"]},
        "description": {"type": "string"}, "config": {"type": "object"}, "callback_url": {"type": "string"}, "user_id": {"type": "string"}},
        "required": ["task_type", "description", "config"]});
    let tool = |name: &str, description: &str, parameters: &Value| spec(&format!("tasks__{name}"), description, parameters);
    vec![
        tool("create_background_task", "Makes a task that goes on in the background", &create),
        tool("list_background_tasks", "Lists the background tasks", &none),
        tool("pause_background_task", "Pauses a background task", &one),
        tool("resume_background_task", "Resumes a background task", &one),
        tool("delete_background_task", "Deletes a background task", &one),
        tool("run_background_task", "Runs a background task now", &one),
        tool("preview_background_task", "Shows what a background task would have told", &one),
        tool("get_background_task_history", "Tells what a background task did", &one),
        tool("update_background_task", "Changes a background task", &one),
        tool("get_event_sourcing_status", "Tells how the scheduler is", &json!({"type": "object", "properties": {}})),
    ]
}

/// A request in short: a new task as `kind {config} "description"`, else as for other tools.
fn short(text: &str) -> String {
    let shown = understood(text);
    let mut out = shown.clone();
    for piece in shown.split(" -> ").flat_map(|group| group.split(" & ")) {
        let Some(arguments) = piece.strip_prefix("create_background_task ") else { continue };
        let Ok(arguments) = serde_json::from_str::<Value>(arguments) else { continue };
        let callback = arguments.get("callback_url").map(|url| format!(" callback {url}")).unwrap_or_default();
        let task = format!("{} {} {}{callback}", arguments["task_type"].as_str().unwrap(), arguments["config"], arguments["description"]);
        out = out.replace(piece, &task);
    }
    out
}

/// Reports all rows that differ at once. A row that ends in `*` needs the beginning only.
fn check_all(rows: &[(&str, &str)]) {
    let fits = |found: &str, expected: &str| match expected.strip_suffix('*') {
        Some(start) => found.starts_with(start),
        None => found == expected,
    };
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(text, expected)| {
            let found = short(text);
            (!fits(&found, expected)).then(|| format!("{text}\n  expected {expected}\n  found    {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} rows differ:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
