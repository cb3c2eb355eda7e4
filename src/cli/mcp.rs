//! `wakeful mcp`: list, add, remove, test, call, serve; logging in and the conformance client in files of their own.

mod conform;
mod login;
mod search;
mod serve;

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::app::queries::mcp_http;
use crate::app::{self, App};
use crate::cli::Base;
use crate::cli::args::McpCommand;
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::config::edit::{self, NewServer};
use crate::config::layers::Layer;
use crate::domain::ids::CallId;
use crate::domain::query::ServerState;
use crate::domain::text::{clean, clean_line};
use crate::mcp::{self, Era, Level, ServerOptions, TestReport};
use crate::tools::{CallContext, ToolSource};

/// The longest that servers are waited for.
const SERVERS_WAIT_MAX: Duration = Duration::from_mins(1);

pub(super) async fn run(base: &Base, command: McpCommand) -> Outcome {
    match command {
        McpCommand::List { json, tools } => Box::pin(list(base, json, tools)).await,
        McpCommand::Add { name, target, env, header, api_key_env, transport } => {
            let server = NewServer { name, env: pairs(&env, '=')?, headers: pairs(&header, ':')?, api_key_env, ..NewServer::default() };
            add(base, NewServer { transport: transport.map(|kind| kind.as_str().to_owned()), ..server }, target).await
        }
        McpCommand::Remove { name } => {
            let path = base.global.config.clone().unwrap_or_else(|| base.paths.config_file());
            edit::remove_server(&path, &name)?;
            output::line(format_args!("removed `{name}` from {}", path.display()))?;
            Ok(Exit::Done)
        }
        McpCommand::Search { words, json } => search::run(base, &words, json).await,
        McpCommand::Allow { name } => allow(base, name.as_deref()).await,
        McpCommand::Test { target, json } => test(base, &target, json).await,
        McpCommand::Call { server, tool, arguments, json } => Box::pin(call(base, &server, &tool, &arguments, json)).await,
        McpCommand::Serve(args) => Box::pin(serve::run(base, args)).await,
        McpCommand::Login { server } => login::log_in(base, &server).await,
        McpCommand::Logout { server } => login::log_out(base, &server).await,
        McpCommand::Conform { url, json } => conform::run(base, &url, json).await,
    }
}

/// What stands behind `--env` or `--header`.
fn pairs(list: &[String], between: char) -> Result<Vec<(String, String)>, Stop> {
    let flag = if between == '=' { "--env" } else { "--header" };
    let pair = |text: &String| text.split_once(between).map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    // The text is not repeated: it may hold a key.
    let wrong = || Stop::Usage(format!("{flag}: there is no `{between}`; write it as NAME{between}VALUE"));
    list.iter().map(|text| pair(text).ok_or_else(wrong)).collect()
}

/// A URL alone, or a command with its arguments.
fn point(server: &mut NewServer, mut target: Vec<String>) {
    let url = target.len() == 1 && (target[0].starts_with("http://") || target[0].starts_with("https://"));
    if url {
        server.url = target.pop();
    } else if let [line] = target.as_slice() {
        // One argument with blanks is a command line.
        server.command = shlex::split(line).unwrap_or(target);
    } else {
        server.command = target;
    }
}

async fn add(base: &Base, mut server: NewServer, target: Vec<String>) -> Outcome {
    point(&mut server, target);
    options(&server).validate()?;
    let path = base.global.config.clone().unwrap_or_else(|| base.paths.config_file());
    edit::add_server(&path, &server)?;
    // Whoever types a command has seen it.
    mcp::agree(&options(&server), base.paths.state.join("mcp")).await?;
    output::line(format_args!("added `{}` to {}", server.name, path.display()))?;
    output::line(format_args!("`wakeful mcp test {}` tries it", server.name))?;
    Ok(Exit::Done)
}

/// Shows commands and remembers that a person agreed to them.
async fn allow(base: &Base, name: Option<&str>) -> Outcome {
    let settings = base.load()?.settings;
    let wanted: Vec<&ServerOptions> = settings.mcp_servers.iter().filter(|server| name.is_none_or(|name| server.name == name)).collect();
    if let (Some(name), true) = (name, wanted.is_empty()) {
        return Err(Stop::Usage(format!("there is no MCP server `{name}` in the config: `wakeful mcp list` shows them")));
    }
    for server in wanted.into_iter().filter(|server| server.command.is_some()) {
        mcp::agree(server, base.paths.state.join("mcp")).await?;
        output::line(format_args!("{}: {}", server.name, clean_line(&server.target())))?;
    }
    Ok(Exit::Done)
}

fn options(server: &NewServer) -> ServerOptions {
    let mut command = server.command.iter().cloned();
    ServerOptions {
        name: server.name.clone(),
        url: server.url.clone(),
        command: command.next(),
        args: command.collect(),
        env: server.env.iter().cloned().collect(),
        headers: server.headers.iter().cloned().collect(),
        api_key_env: server.api_key_env.clone(),
        ..ServerOptions::default()
    }
}

async fn list(base: &Base, json: bool, with_tools: bool) -> Outcome {
    let app = App::start(base.start(true)?).await?;
    app.pool().settled(SERVERS_WAIT_MAX).await;
    let (servers, tools) = (app.queries().servers().await?, app.queries().tools().await?);
    app.shutdown().await;
    if json {
        let row = |server| -> Result<Value, serde_json::Error> {
            let mut row = serde_json::to_value(server)?;
            if with_tools {
                let own = tools.iter().filter(|tool| row["name"] == tool.server.as_str());
                row["tool_list"] = serde_json::to_value(own.collect::<Vec<_>>())?;
            }
            Ok(row)
        };
        output::json(&servers.iter().map(row).collect::<Result<Vec<_>, _>>()?)?;
        return Ok(Exit::Done);
    }
    let mut rows = vec![["", "server", "transport", "tools", "protocol", "target or reason"].map(str::to_owned).to_vec()];
    for server in &servers {
        let (mark, text) = match &server.status {
            ServerState::Ready => ("●", server.target.clone()),
            ServerState::Connecting => ("◌", "connecting".to_owned()),
            ServerState::Disabled => ("○", "disabled".to_owned()),
            ServerState::Failing { reason, .. } | ServerState::Failed { reason } => ("✖", clean_line(reason)),
        };
        let protocol = server.protocol.clone().unwrap_or_default();
        rows.push(vec![mark.to_owned(), server.name.to_string(), server.transport.clone(), server.tools.to_string(), protocol, text]);
    }
    output::raw(output::table(&rows, 90))?;
    if with_tools {
        for tool in &tools {
            output::line(format_args!("{}  {}", tool.name, crate::domain::text::ellipsis(&clean_line(&tool.description), 100)))?;
        }
    }
    Ok(Exit::Done)
}

/// The server that `target` means: a configured one, a URL, a command.
fn find(start: &app::Start, target: &[String]) -> Result<ServerOptions, Stop> {
    if let [name] = target
        && let Some(known) = start.loaded.settings.mcp_servers.iter().find(|server| server.name == *name)
    {
        let origin = start.loaded.layers.origin(&format!("mcp_servers.{name}"));
        if !known.enabled && matches!(origin, Layer::Project(_)) {
            let hint = "add the folder to `trusted_projects` in your own config to run what it names";
            return Err(Stop::Usage(format!("`{name}` comes from the {origin} and is not trusted: {hint}")));
        }
        return Ok(known.clone());
    }
    // A mistyped name is no program.
    if let [word] = target
        && !word.contains(['/', ':'])
        && !is_program(start, word)
    {
        let known: Vec<_> = start.loaded.settings.mcp_servers.iter().map(|server| server.name.as_str()).collect();
        let known = if known.is_empty() { "it names none".to_owned() } else { format!("there are: {}", known.join(", ")) };
        return Err(Stop::Usage(format!("no server `{}` in the config ({known}), and no such program", clean_line(word))));
    }
    let mut server = NewServer { name: "target".to_owned(), ..NewServer::default() };
    point(&mut server, target.to_vec());
    let options = options(&server);
    options.validate()?;
    Ok(options)
}

/// Whether a word names a program that would be found.
fn is_program(start: &app::Start, word: &str) -> bool {
    let path = start.environment.process("PATH").unwrap_or_default();
    std::env::split_paths(path).any(|folder| folder.join(word).is_file())
}

fn net_of(start: &app::Start) -> crate::net::Client {
    crate::net::Client::new(start.loaded.settings.net.clone())
}

async fn test(base: &Base, target: &[String], json: bool) -> Outcome {
    let start = base.start(true)?;
    let options = find(&start, target)?;
    let report = mcp::test_server(&options, mcp_http(&start, &net_of(&start)), start.environment.own()).await;
    if json {
        output::json(&report)?;
    } else {
        print_report(&report)?;
    }
    Ok(if report.ok { Exit::Done } else { Exit::Failed })
}

/// The findings, line by line.
fn print_report(report: &TestReport) -> Result<(), Stop> {
    let known = |text: &Option<String>| text.as_deref().map_or_else(|| "unknown".to_owned(), clean_line);
    output::line(format_args!("{}  {}", if report.ok { "pass" } else { "FAIL" }, clean_line(&report.target)))?;
    if let Some(error) = &report.error {
        output::line(format_args!("  error: {}", clean_line(error)))?;
    }
    if let Some(hint) = &report.hint {
        output::line(format_args!("  try: {}", clean_line(hint)))?;
    }
    if report.protocol.is_some() {
        output::line(format_args!(
            "  server: {}, MCP {} ({}) over {}",
            known(&report.server),
            known(&report.protocol),
            report.era.map_or("?", Era::as_str),
            report.transport
        ))?;
        output::line(format_args!("  capabilities: {}", clean_line(&report.capabilities.join(", "))))?;
        let ping = report.ping_ms.map(|ms| format!(", answers in {ms} ms")).unwrap_or_default();
        output::line(format_args!("  connected in {} ms, listed in {} ms{ping}", report.connect_ms, report.list_ms))?;
        output::line(format_args!("  tools: {}", report.tools.len()))?;
        for tool in &report.tools {
            let text = clean_line(&tool.description);
            output::line(format_args!("    {}  {}", clean_line(&tool.tool), crate::domain::text::ellipsis(&text, 100)))?;
        }
    }
    for check in &report.checks {
        let mark = match check.level {
            Level::Pass => "✔",
            Level::Warn => "!",
            Level::Fail => "✖",
        };
        output::line(format_args!("  {mark} {}: {}", check.what, clean_line(&check.message)))?;
    }
    for note in &report.notes {
        output::line(format_args!("  note: {}", clean_line(note)))?;
    }
    for line in &report.stderr {
        output::line(format_args!("  stderr: {}", clean_line(line)))?;
    }
    Ok(())
}

async fn call(base: &Base, server: &str, tool: &str, arguments: &str, json: bool) -> Outcome {
    let arguments: Map<String, Value> = match serde_json::from_str(arguments) {
        Ok(Value::Object(map)) => map,
        Ok(_) => return Err(Stop::Usage(format!("the arguments must be a JSON object, like '{{\"key\": 1}}': {arguments}"))),
        Err(error) => {
            return Err(Stop::Usage(format!("the arguments are no JSON ({error}); write them like '{{\"key\": 1}}': {arguments}")));
        }
    };
    let mut start = base.start(true)?;
    start.loaded.settings.mcp_servers.retain(|options| options.name == server);
    let app = App::start(start).await?;
    app.pool().settled(SERVERS_WAIT_MAX).await;
    let outcome = call_tool(&app, server, tool, arguments).await;
    app.shutdown().await;
    let outcome = outcome?;
    if json {
        output::json(&json!({"text": outcome.text, "structured": outcome.structured, "is_error": outcome.is_error}))?;
    } else {
        output::line(clean(&outcome.text))?;
    }
    Ok(if outcome.is_error { Exit::Failed } else { Exit::Done })
}

async fn call_tool(app: &App, server: &str, tool: &str, arguments: Map<String, Value>) -> anyhow::Result<crate::tools::ToolOutcome> {
    let statuses = app.pool().servers();
    let status = statuses.iter().find(|status| status.name.as_str() == server);
    let Some(status) = status else {
        bail!("there is no server `{server}`: `wakeful mcp list` shows them");
    };
    if let Some(why) = not_ready(server, &status.status) {
        bail!(why);
    }
    let tools = app.pool().tools();
    let mut own = tools.iter().filter(|known| known.info().server.as_str() == server);
    let Some(found) = own.clone().find(|known| known.info().tool == tool || known.info().name.as_str() == tool) else {
        let names: Vec<_> = own.by_ref().map(|known| known.info().tool.clone()).collect();
        bail!(no_tool(server, tool, &names));
    };
    let cancel = CancellationToken::new();
    let call = found.call(arguments, CallContext { call_id: CallId::generate(), session: None, cancel: cancel.clone() });
    tokio::pin!(call);
    tokio::select! {
        outcome = &mut call => Ok(outcome?),
        _ = tokio::signal::ctrl_c() => {
            cancel.cancel();
            call.await.context("interrupted")
        }
    }
}

/// Why no tool of a server can be called, where that is so.
fn not_ready(server: &str, status: &ServerState) -> Option<String> {
    let why = match status {
        ServerState::Ready => return None,
        ServerState::Failing { reason, .. } | ServerState::Failed { reason } => format!("not connected: {}", clean_line(reason)),
        ServerState::Disabled => {
            "disabled: set `enabled = true` for it in your config, or name the folder in `trusted_projects` if a project brings it"
                .to_owned()
        }
        ServerState::Connecting => format!("still being connected: try again, or look with `wakeful mcp test {server}`"),
    };
    Some(format!("`{server}` is {why}"))
}

/// The server's own names of its tools are a stranger's text.
fn no_tool(server: &str, tool: &str, names: &[String]) -> String {
    let there = if names.is_empty() { "it has none at all".to_owned() } else { format!("there are {}", clean_line(&names.join(", "))) };
    format!("`{server}` has no tool `{tool}`: {there}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_that_is_none_is_not_repeated() {
        let check = |text: &str, between: char, expected: &str| {
            let Err(Stop::Usage(message)) = pairs(&[text.to_owned()], between) else { panic!("{text} is no pair") };
            assert_eq!(message, expected);
        };
        check("Authorization Bearer sk-secret", ':', "--header: there is no `:`; write it as NAME:VALUE");
        check("sk-secret", '=', "--env: there is no `=`; write it as NAME=VALUE");
        assert_eq!(pairs(&["X-Key: a:b".to_owned()], ':').unwrap(), [("X-Key".to_owned(), "a:b".to_owned())]);
    }

    #[test]
    fn names_of_tools_control_no_terminal() {
        let names = ["a\u{1b}]0;mine\u{7}b", "c\u{9b}2J\nd"].map(str::to_owned);
        assert_eq!(no_tool("s", "t", &names), "`s` has no tool `t`: there are ab, c d");
        assert_eq!(no_tool("s", "t", &[]), "`s` has no tool `t`: it has none at all");
    }

    #[test]
    fn a_server_that_is_not_ready_says_so() {
        assert_eq!(not_ready("s", &ServerState::Ready), None);
        let failed = ServerState::Failed { reason: "gone\u{1b}[2J".to_owned() };
        assert_eq!(not_ready("s", &failed).as_deref(), Some("`s` is not connected: gone"));
        assert!(not_ready("s", &ServerState::Disabled).is_some_and(|why| why.starts_with("`s` is disabled: ")));
    }
}
