//! What stands above a conversation, and which tools are offered with it. Recorded nowhere: made anew for each step.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::agent::options::Options;
use crate::agent::turn::Target;
use crate::domain::clock::Instant;
use crate::domain::ids::ToolName;
use crate::domain::text::{clean_line, ellipsis};
use crate::llm::ToolSpec;

/// The tool by which a model hands a task over.
pub(super) const HANDOFF: &str = "handoff";

/// What every agent is told.
const BASICS: &str = "You are wakeful, an agent in the user's terminal. Use the tools you have when they help; call several \
at once when they do not depend on each other. Never invent the result of a tool. When a call fails, say so or try another way. \
When a call is refused, do not repeat it: follow what the user wants instead. Answer in the user's language, short and plain; \
Markdown is shown well.";

/// The most characters of one target's description.
const DESCRIPTION_CHARS_MAX: usize = 300;

/// The system message.
pub(super) fn system(options: &Options, own: Option<&str>, cwd: &str, now: Instant, targets: &[Target]) -> String {
    let zone = TimeZone::get(&options.time_zone).unwrap_or(TimeZone::UTC);
    let date = now.timestamp().to_zoned(zone);
    let mut out = String::from(BASICS);
    for text in [options.instructions.as_str(), own.unwrap_or_default()] {
        if !text.trim().is_empty() {
            let _ = write!(out, "\n\n{}", text.trim());
        }
    }
    let _ = write!(out, "\n\nToday: {}\nWorking folder: {}", date.strftime("%A, %Y-%m-%d (%Z)"), clean_line(cwd));
    if !targets.is_empty() {
        out.push_str("\nYou can hand whole tasks to others with the tool `handoff`:");
        for target in targets {
            let _ = write!(out, "\n- {}: {}", target.name, described(target));
        }
    }
    out
}

/// The tool by which a task is handed to one of `targets`.
pub(super) fn handoff_tool(targets: &[Target]) -> ToolSpec {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let parameters = json!({
        "type": "object",
        "properties": {
            "agent": { "type": "string", "enum": names, "description": "Who gets the task" },
            "task": {
                "type": "object",
                "description": "The task with all that is needed to do it; nothing else of this conversation is known there",
                "properties": { "description": { "type": "string", "description": "What is to be done" } },
                "additionalProperties": true,
            },
        },
        "required": ["agent", "task"],
    });
    ToolSpec {
        name: ToolName::new(HANDOFF),
        description: "Hand a whole task to another agent or server and get its answer back".to_owned(),
        parameters: Arc::new(object(parameters)),
    }
}

/// The first message of an agent that is handed `task`.
pub(super) fn task_text(task: &Map<String, Value>) -> String {
    let mut values = task.values();
    match (values.next(), values.next()) {
        (Some(Value::String(text)), None) => text.clone(),
        _ => serde_json::to_string_pretty(task).unwrap_or_default(),
    }
}

/// The instructions of a run that has only the tools of `server`.
pub(super) fn server_instructions(server: &str) -> String {
    format!("You are handed one task. Do it with the tools of the server `{server}` and answer with the result.")
}

fn described(target: &Target) -> String {
    ellipsis(&clean_line(&target.description), DESCRIPTION_CHARS_MAX).into_owned()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_message_names_date_folder_and_targets() {
        let options = Options { instructions: "Be kind.".to_owned(), time_zone: "Asia/Tokyo".to_owned(), ..Options::default() };
        let targets = [Target { name: "coder".to_owned(), description: "writes\ncode\u{1b}[31m".to_owned(), agent: true }];
        let text = system(&options, Some("Own words."), "/work dir", Instant::from_millis(1_767_279_600_000), &targets);
        assert!(text.contains("Today: Friday, 2026-01-02 (JST)"), "{text}");
        assert!(text.contains("Working folder: /work dir") && text.contains("Be kind.") && text.contains("Own words."), "{text}");
        assert!(text.contains("- coder: writes code"), "{text}");
    }

    #[test]
    fn a_task_of_one_text_is_that_text() {
        let task = |value| object(value);
        assert_eq!(task_text(&task(json!({"description": "do it"}))), "do it");
        assert!(task_text(&task(json!({"description": "do it", "n": 2}))).contains("\"n\": 2"));
        assert_eq!(task_text(&task(json!({}))), "{}");
    }

    #[test]
    fn the_handoff_tool_lists_whom_it_reaches() {
        let spec = handoff_tool(&[Target { name: "a".to_owned(), description: String::new(), agent: true }]);
        assert_eq!(spec.parameters["properties"]["agent"]["enum"], json!(["a"]));
    }
}
