//! What servers lend at 120×40, 80×24 and 40×12: prompts, resources, tools.

use serde_json::{Value, json};

use crate::domain::catalog::ResourcePart;
use crate::domain::event::{McpEvent, McpEventType, Status};
use crate::tui::msg::{Answer, Effect, Msg, Query};
use crate::tui::tests::{SIZES, Script, pictures};

fn made<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

impl Script {
    /// Prompts and resources of two servers.
    pub(crate) fn lends(&mut self) {
        let prompts = json!([
            {"server": "everything", "name": "simple", "title": "Simple prompt", "description": "A prompt without arguments"},
            {"server": "everything", "name": "weather", "title": "Weather", "description": "The weather somewhere", "arguments": [
                {"name": "city", "description": "Which city", "required": true}, {"name": "units", "description": "metric or imperial"}]},
            {"server": "git", "name": "review a change", "arguments": [{"name": "commit", "required": true}]},
        ]);
        let resources = json!([
            {"server": "everything", "uri": "demo://text/1", "name": "text-1", "title": "First text", "mime_type": "text/plain", "size": 1234,
                "description": "Plain text that says little"},
            {"server": "everything", "uri": "demo://features.md", "name": "features.md", "mime_type": "text/markdown"},
            {"server": "everything", "uri": "demo://image/1", "name": "an image 図", "mime_type": "image/png"},
            {"server": "everything", "uri": "demo://text/{kind}/{id}", "is_template": true, "name": "text by id", "description": "Any text"},
            {"server": "git", "uri": "git://log a", "name": "a log with a blank"},
        ]);
        self.send(Msg::Answer(Answer::Prompts(Ok(made(prompts)))));
        self.send(Msg::Answer(Answer::Resources(Ok(made(resources)))));
    }

    /// Types a command and runs it.
    pub(crate) fn run(&mut self, command: &str) {
        self.send(Msg::Paste(command.into()));
        self.keys(&["esc", "enter"]);
    }

    /// The resource that was asked for holds this.
    pub(crate) fn holds(&mut self, parts: Value) {
        let asked = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Ask(Query::Resource(server, uri)) => Some((server.clone(), uri.clone())),
            _ => None,
        });
        let (server, uri) = asked.expect("a resource was asked for");
        let parts: Vec<ResourcePart> = made(parts);
        self.send(Msg::Answer(Answer::Resource(server, uri, Ok(parts))));
    }

    /// The tools that were asked for.
    pub(crate) fn has_tools(&mut self) {
        let schema =
            json!({"type": "object", "properties": {"message": {"type": "string", "description": "What to say"}}, "required": ["message"]});
        let tools = json!([
            {"name": "everything__echo", "server": "everything", "tool": "echo", "title": "Echo", "description": "Says it again.\nNothing else.",
                "parameters": schema, "hints": {"read_only": true, "destructive": false, "idempotent": true, "open_world": false}},
            {"name": "everything__wipe", "server": "everything", "tool": "wipe", "description": "Forgets everything", "parameters": {"type": "object"}},
        ]);
        self.send(Msg::Answer(Answer::Tools("everything".into(), Ok(made(tools)))));
    }
}

fn screens(name: &str, prepare: impl Fn(&mut Script)) {
    let prepare = |script: &mut Script| {
        script.servers();
        script.lends();
        prepare(script);
    };
    for (name, picture) in pictures(name, &SIZES, prepare) {
        insta::assert_snapshot!(name, picture);
    }
}

#[test]
fn prompts_among_the_commands() {
    screens("prompt_popup", |script| script.type_text("/ever"));
}

#[test]
fn arguments_of_a_prompt() {
    screens("prompt_arguments", |script| {
        script.type_text("/everything:weather city=T");
        script.wait(200);
        let typed = script.effects.iter().rev().find_map(|effect| match effect {
            Effect::Ask(Query::Values(typed)) => Some(typed.clone()),
            _ => None,
        });
        script.send(Msg::Answer(Answer::Values(typed.unwrap(), Ok(vec!["Tokyo".into(), "Tel Aviv".into()]))));
    });
}

#[test]
fn a_form_for_a_prompt() {
    screens("prompt_form", |script| {
        script.run("/everything:weather units=metric");
        script.type_text("T");
        script.wait(200);
        let typed = script.effects.iter().rev().find_map(|effect| match effect {
            Effect::Ask(Query::Values(typed)) => Some(typed.clone()),
            _ => None,
        });
        script.send(Msg::Answer(Answer::Values(typed.unwrap(), Ok(vec!["Tokyo".into(), "Tel Aviv".into()]))));
        script.key("down");
    });
}

#[test]
fn the_list_of_prompts() {
    screens("prompts", |script| script.run("/mcp prompts"));
}

#[test]
fn the_list_of_resources() {
    screens("resources", |script| {
        script.run("/mcp resources");
        script.keys(&["down", "s"]);
    });
}

#[test]
fn a_resource_is_read() {
    screens("resource_text", |script| {
        script.run("/mcp resources");
        script.keys(&["down", "enter"]);
        script.holds(json!([
            {"uri": "demo://features.md", "mime_type": "text/markdown", "text": "# Features\n\n- **one**\n- `two`\n\n```rust\nfn main() {}\n```"},
            {"uri": "demo://data", "mime_type": "application/json", "text": "{\"a\":[1,2]}"},
            {"uri": "demo://image", "mime_type": "image/png", "text": "[image image/png 12 kB: /tmp/a.png]", "file": "/tmp/a.png"},
        ]));
    });
}

#[test]
fn a_template_is_filled_in() {
    screens("resource_template", |script| {
        script.run("/mcp resources");
        script.keys(&["down", "down", "down", "enter"]);
        script.type_text("letters");
    });
}

#[test]
fn files_and_resources() {
    screens("mention", |script| {
        script.type_text("see @te");
        script.send(Msg::Files("te".into(), vec!["notes/text.md".into(), "tests/a.rs".into()]));
    });
}

#[test]
fn tools_of_a_server() {
    screens("tools", |script| {
        script.keys(&["f7", "down", "enter"]);
        script.has_tools();
    });
}

#[test]
fn a_tool() {
    screens("tool", |script| {
        script.keys(&["f7", "down", "enter"]);
        script.has_tools();
        script.key("enter");
    });
}

#[test]
fn progress_and_trace() {
    screens("progress", |script| {
        script.said("copy it all");
        script.tool("files", "copy", Status::Started, None, None);
        let details = json!({"call_id": "call-copy", "progress": 3, "total": 10, "message": "notes.md"});
        script.feed_ephemeral(McpEvent { event_type: McpEventType::Progress, service_name: "files".into(), details });
        let call = json!({"jsonrpc": "2.0", "id": 12, "method": "tools/call", "params": {"name": "copy"}});
        script.mcp(McpEventType::Trace, "files", json!({"direction": "→", "message": call}));
        script.mcp(McpEventType::Trace, "files", json!({"direction": "←", "message": "{\"jsonrpc\":\"2.0\",\"id\":12,\"result\":{}}"}));
        let error = json!({"jsonrpc": "2.0", "id": 13, "error": {"code": -32601, "message": "Method not found"}});
        script.mcp(McpEventType::Trace, "files", json!({"direction": "←", "message": error}));
    });
}
