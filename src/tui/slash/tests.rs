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
    check("/export notes.md", Want::Export(Some("notes.md".into())));
    check("/events type:mcp_event connected", Want::Events("type:mcp_event connected".into()));
    check("/copy code", Want::Copy { code: true });
    check("/mcp", Want::Servers);
    check("/mcp tools everything", Want::Tools(name()));
    check("/mcp logs everything", Want::Logs(name()));
    check("/mcp restart everything", Want::Mcp(McpCommand::Restart(name())));
    check("/mcp enable everything", Want::Mcp(McpCommand::Enable(name())));
    check("/mcp disable everything", Want::Mcp(McpCommand::Disable(name())));
    check("/mcp remove everything", Want::Mcp(McpCommand::Remove(name())));
    check("/mcp add everything npx -y server", Want::Mcp(McpCommand::Add { name: name(), target: "npx -y server".into() }));
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
    refused("/approvals sometimes", "one of ask, auto-read, auto");
}

#[test]
fn text_is_text() {
    for text in ["hello", "/usr/bin/env python", "/", "/ help", "quit smoking", "/help\nmore", "//help"] {
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
