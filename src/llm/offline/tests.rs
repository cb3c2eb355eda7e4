//! What the assistant understands, does, asks and says: tables of utterances, then whole conversations.

mod conversations;
mod memories;
mod tasks;
mod utterances;
mod web;

use std::sync::Arc;

use serde_json::{Value, json};

use super::plan::{Plan, plan};
use super::request::{Context, Open, Request, understand};
use super::toolset::Toolset;
use crate::domain::clock::ManualClock;
use crate::domain::ids::{CallId, ToolName};
use crate::domain::message::{Message, Role, ToolCall};
use crate::llm::ToolSpec;
use crate::tools::local;

fn spec(name: &str, description: &str, parameters: &Value) -> ToolSpec {
    ToolSpec { name: ToolName::new(name), description: description.into(), parameters: parameters.as_object().unwrap().clone().into() }
}

fn built_in() -> Vec<ToolSpec> {
    let all = local::catalog(local::Options::default(), Arc::new(ManualClock::default()));
    all.into_iter()
        .flat_map(|(_, tools)| tools)
        .map(|tool| ToolSpec {
            name: tool.info().name.clone(),
            description: tool.info().description.clone(),
            parameters: tool.info().parameters.clone(),
        })
        .collect()
}

/// The built-in tools, a handoff, and tools as public servers have them.
fn tools() -> Vec<ToolSpec> {
    let text = |name: &str, description: &str| json!({"type": "object", "properties": {name: {"type": "string", "description": description}}, "required": [name]});
    let mut tools = vec![spec(
        "handoff",
        "Hand a whole task to another agent or server and get its answer back",
        &json!({"type": "object", "properties": {"agent": {"type": "string", "enum": ["coder", "time", "everything"]}, "task": {"type": "object"}}, "required": ["agent", "task"]}),
    )];
    tools.extend(built_in());
    tools.extend([
        spec("everything__echo", "Echoes back the input string", &text("message", "Message to echo")),
        spec(
            "everything__get-sum",
            "Returns the sum of two numbers",
            &json!({"type": "object", "properties": {"a": {"type": "number", "description": "First number"}, "b": {"type": "number", "description": "Second number"}}, "required": ["a", "b"]}),
        ),
        spec("everything__get-tiny-image", "Returns a tiny MCP logo image.", &json!({"type": "object", "properties": {}})),
        spec(
            "everything__get-annotated-message",
            "Demonstrates how annotations can be used to provide metadata about content.",
            &json!({"type": "object", "properties": {
                "messageType": {"type": "string", "enum": ["error", "success", "debug"], "description": "Type of message"},
                "includeImage": {"type": "boolean", "default": false}}, "required": ["messageType"]}),
        ),
        spec(
            "everything__trigger-long-running-operation",
            "Demonstrates a long running operation with progress updates.",
            &json!({"type": "object", "properties": {"duration": {"type": "number", "default": 10}, "steps": {"type": "number", "default": 5}}}),
        ),
        spec("memory__search_nodes", "Search for nodes in the knowledge graph based on a query", &text("query", "What to match")),
        spec("memory__read_graph", "Read the entire knowledge graph", &json!({"type": "object", "properties": {}})),
        spec(
            "memory__delete_entities",
            "Delete multiple entities",
            &json!({"type": "object", "properties": {"entityNames": {"type": "array", "items": {"type": "string"}}}, "required": ["entityNames"]}),
        ),
        spec(
            "time__convert_time",
            "Convert time between timezones",
            &json!({"type": "object", "properties": {"source_timezone": {"type": "string"}, "time": {"type": "string", "description": "HH:MM"}, "target_timezone": {"type": "string"}},
                "required": ["source_timezone", "time", "target_timezone"]}),
        ),
        spec("time__get_current_time", "Get current time in a specific timezone", &text("timezone", "IANA timezone name")),
        spec("web__fetch_url", "Fetches a web page", &text("url", "Address of the page")),
        spec("blog__publish_note", "Publishes a note", &text("note", "The note")),
        spec("wiki__publish_note", "Publishes a note", &text("note", "The note")),
        spec(
            "weather__get_weather",
            "Tells the weather of a place",
            &json!({"type": "object", "properties": {"location": {"type": "string"}, "days": {"type": "integer"}}, "required": ["location"]}),
        ),
    ]);
    tools.extend(tasks::tools());
    tools
}

/// A request in one line: calls, `&` between those that run at once, `->` before those that wait.
fn shown(request: &Request) -> String {
    let call = |call: &super::request::Planned| {
        let name = call.tool.as_str();
        let name = ["files__", "system__", "tasks__", "code__"].iter().find_map(|server| name.strip_prefix(server)).unwrap_or(name);
        format!("{name} {}", serde_json::to_string(&call.arguments).unwrap())
    };
    let groups: Vec<String> = request.groups.iter().map(|group| group.iter().map(call).collect::<Vec<_>>().join(" & ")).collect();
    let mut pieces: Vec<String> = if groups.is_empty() { Vec::new() } else { vec![groups.join(" -> ")] };
    pieces.extend(request.says.iter().map(|talk| format!("say {talk:?}")));
    match &request.ask {
        Some(Open::Argument { call: asked, name }) => pieces.push(format!("ask {name} for {}", call(asked))),
        Some(Open::Task(question)) => {
            pieces.push(format!("ask: {}", super::tasks::question(question, super::talk::Lang::En).lines().last().unwrap_or_default()));
        }
        Some(Open::Choice { options, .. }) => {
            pieces.push(format!("choose {}", options.iter().map(ToolName::as_str).collect::<Vec<_>>().join(" ")));
        }
        None => {}
    }
    pieces.extend(request.unknown.iter().map(|piece| format!("unknown: {piece}")));
    if pieces.is_empty() { "nothing".to_owned() } else { pieces.join(" | ") }
}

fn understood(text: &str) -> String {
    let specs = tools();
    let tools = Toolset::new(&specs);
    shown(&understand(text, &Context { tools: &tools, last_path: None, last_task: None }))
}

/// Reports all rows that differ at once: a changed rule shows its whole effect.
fn check_all(rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(text, expected)| {
            let found = understood(text);
            (found != *expected).then(|| format!("{text}\n  expected {expected}\n  found    {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} rows differ:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// A conversation that is carried on by hand: the user speaks, tools answer.
struct Talk {
    specs: Vec<ToolSpec>,
    messages: Vec<Message>,
    calls: usize,
}

impl Talk {
    fn new() -> Self {
        Self { specs: tools(), messages: vec![Message::text(Role::System, "You are an agent.")], calls: 0 }
    }

    fn user(&mut self, text: &str) -> &mut Self {
        self.messages.push(Message::text(Role::User, text));
        self
    }

    /// Lets the assistant go on: the calls it makes, in the form of [`shown`], or its words.
    fn next(&mut self) -> String {
        match plan(&self.messages, &Toolset::new(&self.specs)) {
            Plan::Say(text) => {
                self.messages.push(Message::text(Role::Assistant, text.clone()));
                text
            }
            Plan::Call(calls) => {
                let mut message = Message::text(Role::Assistant, "");
                for call in &calls {
                    self.calls += 1;
                    let id = CallId::from(format!("call{}", self.calls));
                    message.tool_calls.push(ToolCall {
                        id,
                        name: call.tool.clone(),
                        arguments: call.arguments.clone(),
                        invalid: None,
                        extra: serde_json::Map::new(),
                    });
                }
                self.messages.push(message);
                shown(&Request { groups: vec![calls], ..Request::default() })
            }
        }
    }

    /// The results of the calls that were made last, in their order.
    fn results(&mut self, results: &[&str]) -> &mut Self {
        let calls = self.messages.iter().rev().find(|message| !message.tool_calls.is_empty()).unwrap().tool_calls.clone();
        assert_eq!(calls.len(), results.len());
        for (call, result) in calls.iter().zip(results) {
            self.messages.push(Message::tool_result(call.id.clone(), *result));
        }
        self
    }
}
