//! The table of commands: all parse, typos are told.

use super::*;

fn check(text: &str, want: Want) {
    assert_eq!(parse(text), Some(Ok(want)), "{text}");
}

fn refused(text: &str, part: &str) {
    let error = parse(text).expect("a command").unwrap_err();
    assert!(error.contains(part), "{text}: {error}");
}

#[test]
fn every_command_parses() {
    for row in COMMANDS {
        let text = match row.name {
            "rename" => "/rename a title".to_owned(),
            "task" => "/task techcrunch".to_owned(),
            "notify" => "/notify test".to_owned(),
            "remember" | "forget" | "search" => format!("/{} green tea", row.name),
            name => format!("/{name}"),
        };
        assert!(matches!(parse(&text), Some(Ok(_))), "{text}");
        assert!(!row.help.is_empty() && !row.help.ends_with('.'), "{}", row.name);
        assert_eq!(row.bare, parse(row.name).is_some(), "{}", row.name);
    }
}

#[test]
fn arguments_become_what_is_wanted() {
    let name = || ServerName::from("everything");
    check("/model openai/gpt", Want::Model("openai/gpt".into()));
    check(" /rename  two words ", Want::Rename("two words".into()));
    check("/approvals auto-read", Want::Mode(ApprovalMode::AutoRead));
    check("/export notes.md", Want::Export { path: Some("notes.md".into()), format: crate::domain::query::ExportFormat::Markdown });
    check("/events type:mcp_event connected", Want::Events("type:mcp_event connected".into()));
    check("/copy code", Want::Copy { code: true });
    check("/remember --force x y", Want::Memory(MemoryWant::Remember("x y".into(), true)));
    check("/memory edit 1a2b two words", Want::Memory(MemoryWant::Edit { id: "1a2b".into(), content: "two words".into() }));
    check("/memory export m.jsonl", Want::Memory(MemoryWant::Export(Some("m.jsonl".into()))));
    check("/mcp", Want::Servers);
    check("/mcp tools everything", Want::Tools(name()));
    check("/mcp logs everything", Want::Logs(name()));
    check("/mcp restart everything", Want::Mcp(McpCommand::Restart(name())));
    check("/mcp enable everything", Want::Mcp(McpCommand::Enable(name())));
    check("/mcp disable everything", Want::Mcp(McpCommand::Disable(name())));
    check("/mcp remove everything", Want::Mcp(McpCommand::Remove(name())));
    check("/mcp add everything npx -y server", Want::Mcp(McpCommand::Add { name: name(), target: "npx -y server".into() }));
    check("/mcp resources", Want::Resources(None));
    check("/mcp resources everything", Want::Resources(Some(name())));
    check("/mcp prompts everything", Want::Prompts(Some(name())));
    check("/mcp login everything", Want::Mcp(McpCommand::Login { server: name() }));
    check("/mcp logout everything", Want::Mcp(McpCommand::Logout(name())));
    check("/mcp trace on", Want::Mcp(McpCommand::Trace { server: None, on: true }));
    check("/mcp trace off everything", Want::Mcp(McpCommand::Trace { server: Some(name()), on: false }));
    check("/mcp level everything Debug", Want::Mcp(McpCommand::LogLevel { server: name(), level: "debug".into() }));
    let tool = |on| Want::Mcp(McpCommand::Tool { server: name(), tool: "echo".into(), on });
    check("/mcp tool everything echo off", tool(false));
    check("/mcp tool everything echo on", tool(true));
    check("/everything:weather city=Tokyo x", Want::Prompt { name: "everything:weather".into(), args: "city=Tokyo x".into() });
    check("quit", Want::Quit);
    check("Exit", Want::Quit);
    check("q", Want::Quit);
    check("demo", Want::Demo);
}

#[test]
fn a_typo_is_reported_and_never_run() {
    refused("/quti", "did you mean `/quit`?");
    refused("/frobnicate", "`/help` lists all");
    refused("/help me", "takes no arguments; usage: /help");
    refused("/rename", "a title is missing; usage: /rename TITLE");
    refused("/mcp restart", "the server's name is missing");
    refused("/mcp add x", "a URL or a command line is missing");
    refused("/mcp fly x", "`fly`");
    refused("/mcp logins x", "did you mean `login`?");
    refused("/mcp trace x", "neither on nor off");
    refused("/mcp level everything loud", "one of debug, info");
    refused("/mcp level docs", "the level is missing; usage: /mcp level SERVER LEVEL");
    refused("/mcp fly", "there are list, add, remove");
    refused("/approvals sometimes", "one of ask, auto-read, auto");
}

#[test]
fn text_is_text() {
    for text in ["hello", "/usr/bin/env python", "/", "/ help", "quit smoking", "/help\nmore", "//help", "/a/b:c", "/http://x"] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn completion_puts_beginnings_first() {
    let names: Vec<_> = complete("e").iter().map(|row| row.name).take(2).collect();
    assert_eq!(names, ["export", "events"]);
    assert_eq!(complete("mod").len(), 1);
    assert!(complete("zzz").is_empty());
}

#[test]
fn tasks_are_named_by_words_and_changed_by_fields() {
    let task = |wanted: &str, verb: TaskVerb| Want::Task { wanted: wanted.into(), verb };
    check("/tasks ai", Want::Tasks("ai".into()));
    check("tasks", Want::Tasks(String::new()));
    check("/task techcrunch ai", task("techcrunch ai", TaskVerb::Show));
    check("/task pause", task("pause", TaskVerb::Show));
    check("/task 1a2b pause", task("1a2b", TaskVerb::Pause));
    check("/task the standup run", task("the standup", TaskVerb::Run));
    check("/task 1a2b why", task("1a2b", TaskVerb::Why));
    check("/task 1a2b delete", task("1a2b", TaskVerb::Delete));
    let changes = serde_json::json!({
        "description": "two words",
        "config": {"check_interval_minutes": 15, "keywords": ["AI", "big models"], "selector": "#main", "notification": {"method": "none"}},
    });
    let verb = TaskVerb::Edit(changes.as_object().unwrap().clone());
    let line = "/task 1a2b edit description='two words' check_interval_minutes=15 keywords='AI,big models' selector='#main' \
                notification='{\"method\":\"none\"}'";
    check(line, task("1a2b", verb));
    refused("/task", "the start of the task's id or words of its description is missing; usage: /task ID|WORDS");
    refused("/task 1a2b edit", "what is to change is missing, like check_interval_minutes=15");
    refused("/task 1a2b edit fast", "`fast` is no KEY=VALUE");
    refused("/task 1a2b edit description='open", "a quotation mark is not closed");
}

#[test]
fn what_can_be_simulated_and_tried_is_named() {
    check("simulate", Want::Simulate(None));
    check("/simulate all", Want::Simulate(None));
    check("/simulate threshold_reached", Want::Simulate(Some(TaskKind::ThresholdWatch)));
    check("/simulate news_digest", Want::Simulate(Some(TaskKind::NewsDigest)));
    refused("/simulate rain", "`rain` cannot be simulated: one of web_content_change, scheduled_trigger");
    check("/notify test", Want::Notify { channel: None, to: None });
    check("/notify test sms +123", Want::Notify { channel: Some("sms".into()), to: Some("+123".into()) });
    refused("/notify", "what to do is missing: test; usage: /notify test [CHANNEL] [TO]");
    refused("/notify test pigeon", "no channel `pigeon`: one of sms, email, webhook, ntfy, desktop, terminal");
    check("/inbox", Want::Inbox);
    check("/inbox answer 1a2b yes, tell me", Want::Answer { item: "1a2b".into(), text: "yes, tell me".into() });
    refused("/inbox answer 1a2b", "the answer is missing");
    refused("/inbox burn", "/inbox knows no `burn`");
}

#[test]
fn arguments_are_completed() {
    assert_eq!(arguments("simulate", &[], "web"), ["web_content_change", "web_monitor"]);
    assert_eq!(arguments("notify", &["test"], "e"), ["email"]);
    assert_eq!(arguments("task", &["1a2b"], "pa"), ["pause"]);
    assert!(arguments("task", &[], "pa").is_empty());
    assert!(arguments("simulate", &["web_monitor"], "").is_empty());
}

#[test]
fn a_whole_name_stands_before_those_that_go_on() {
    for row in COMMANDS.iter().filter(|row| !matches!(row.name, "exit" | "q")) {
        assert_eq!(complete(row.name).first().map(|first| first.name), Some(row.name));
    }
    let names: Vec<&str> = complete("task").iter().map(|row| row.name).collect();
    assert_eq!(names, ["task", "tasks"]);
}
