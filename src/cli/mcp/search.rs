//! `wakeful mcp search`: servers in a registry that the config names (the API of registry.modelcontextprotocol.io, v0).

use std::time::Duration;

use anyhow::Context;
use futures::StreamExt;
use http::HeaderMap;
use serde_json::{Value, json};

use crate::cli::Base;
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::domain::text::{clean_line, ellipsis};
use crate::net;

/// The most servers that are shown.
const RESULTS_MAX: usize = 30;

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// How long the registry may take.
const LIMIT: Duration = Duration::from_secs(15);

/// A server in the registry.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    name: String,
    description: String,
    version: String,
    /// What `wakeful mcp add NAME` takes: a URL or a command line.
    target: Option<String>,
}

pub(super) async fn run(base: &Base, words: &[String], json: bool) -> Outcome {
    let settings = base.load()?.settings;
    let Some(registry) = settings.mcp.registry.as_deref() else {
        let hint = "set `registry = \"https://registry.modelcontextprotocol.io\"` under `[mcp]` in the config";
        return Err(Stop::Usage(format!("no registry is configured: {hint}")));
    };
    let client = net::Client::new(settings.net.clone());
    let asked = tokio::time::timeout(LIMIT, ask(&client, registry, &words.join(" "))).await;
    let answer = asked
        .map_err(|_| anyhow::anyhow!("the registry {registry} did not answer within {} s", LIMIT.as_secs()))?
        .with_context(|| format!("the registry {registry} gave no answer that can be read; is `registry` under `[mcp]` right?"))?;
    let found = read(&answer).map_err(|problem| anyhow::anyhow!("the registry {registry} gave no list of servers: {problem}"))?;
    if json {
        let rows = found.iter().map(
            |server| json!({"name": server.name, "description": server.description, "version": server.version, "target": server.target}),
        );
        output::json(&rows.collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    for server in &found {
        output::line(format_args!("{} {}  {}", server.name, server.version, ellipsis(&server.description, 100)))?;
        match &server.target {
            Some(target) => output::line(format_args!("    wakeful mcp add {} -- {target}", short(&server.name)))?,
            None => output::line(format_args!("    (no package or address that wakeful can start)"))?,
        }
    }
    if found.is_empty() {
        output::line(format_args!("nothing found"))?;
    }
    Ok(Exit::Done)
}

async fn ask(client: &net::Client, registry: &str, words: &str) -> anyhow::Result<Value> {
    let url = format!("{}/v0/servers", registry.trim_end_matches('/'));
    let mut query = vec![("limit".to_owned(), RESULTS_MAX.to_string())];
    if !words.trim().is_empty() {
        query.push(("search".to_owned(), words.trim().to_owned()));
    }
    let mut body = net::body(client.get(&url, HeaderMap::new(), &query).await?);
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        anyhow::ensure!(bytes.len() <= ANSWER_BYTES_MAX, "the registry's answer is over {} MB", ANSWER_BYTES_MAX / 1_024 / 1_024);
    }
    Ok(serde_json::from_slice(&bytes)?)
}

fn read(answer: &Value) -> Result<Vec<Found>, String> {
    let servers = answer.get("servers").and_then(Value::as_array).ok_or("it has no `servers`")?;
    let found = |entry: &Value| {
        // Since v0.1 the server stands beside what the registry says of it.
        let server = entry.get("server").unwrap_or(entry);
        let text = |key: &str| server.get(key).and_then(Value::as_str).map(clean_line);
        Some(Found {
            name: text("name").filter(|name| !name.is_empty())?,
            description: text("description").unwrap_or_default(),
            version: text("version").unwrap_or_default(),
            target: target(server),
        })
    };
    Ok(servers.iter().filter_map(found).take(RESULTS_MAX).collect())
}

/// An address, or the command of a package.
fn target(server: &Value) -> Option<String> {
    let list = |key: &str| server.get(key).and_then(Value::as_array).into_iter().flatten();
    let remote = list("remotes").find_map(|remote| remote.get("url").and_then(Value::as_str)).map(clean_line);
    let package = list("packages").find_map(|package| {
        let text = |key: &str| package.get(key).and_then(Value::as_str);
        let identifier = shlex::try_quote(text("identifier").or(text("name"))?).ok()?.into_owned();
        match text("registryType").or(text("registry_type")).or(text("registry_name"))? {
            "npm" => Some(format!("npx -y {identifier}")),
            "pypi" => Some(format!("uvx {identifier}")),
            "oci" | "docker" => Some(format!("docker run -i --rm {identifier}")),
            _ => None,
        }
    });
    remote.filter(|url| url.starts_with("https://") || url.starts_with("http://")).or(package.map(|command| clean_line(&command)))
}

/// A name that fits a server of the config.
fn short(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.chars().map(|ch| if ch.is_ascii_alphanumeric() || "_-.".contains(ch) { ch } else { '-' }).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_registry_are_read() {
        let answer = json!({"servers": [
            {"server": {"name": "io.github.a/files", "description": "d\u{1b}[31m", "version": "1.0.0",
                "packages": [{"registryType": "npm", "identifier": "@a/files"}]}, "_meta": {}},
            {"name": "com.b/far", "remotes": [{"type": "streamable-http", "url": "https://b.com/mcp"}]},
            {"name": "c", "packages": [{"registryType": "nuget", "identifier": "x"}]},
            {"name": "d", "packages": [{"registryType": "pypi", "identifier": "x; rm -rf /"}]},
            {"description": "nameless"},
        ]});
        let found = read(&answer).unwrap();
        let targets: Vec<_> = found.iter().map(|server| server.target.as_deref()).collect();
        assert_eq!(targets, [Some("npx -y @a/files"), Some("https://b.com/mcp"), None, Some("uvx 'x; rm -rf /'")]);
        assert_eq!((found[0].description.as_str(), short(&found[0].name).as_str()), ("d", "files"));
        assert!(read(&json!([])).is_err());
    }
}
