//! The ecosystem's `mcp.json`: `{"mcpServers": {"name": {"command", "args", "env"} | {"url", "headers"}}}`.
//!
//! Pure: the caller supplies the text and the variables. `${VAR}` and `${VAR:-default}` are filled in as other clients do.
//! Keys that only other clients know are passed over.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::mcp::error::OptionsError;
use crate::mcp::options::{ServerOptions, TransportKind};

/// Why an `mcp.json` could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is no JSON, or not of the known shape.
    #[error("it is no MCP configuration (`{{\"mcpServers\": {{…}}}}`)")]
    Json(#[from] serde_json::Error),
    /// A server in it is wrong.
    #[error(transparent)]
    Server(#[from] OptionsError),
}

/// One server in the file.
#[derive(Deserialize)]
#[serde(default)]
struct Entry {
    command: Option<String>,
    args: Vec<String>,
    env: Map<String, Value>,
    cwd: Option<String>,
    #[serde(alias = "serverUrl", alias = "httpUrl")]
    url: Option<String>,
    headers: Map<String, Value>,
    #[serde(alias = "transport")]
    r#type: Option<String>,
    disabled: bool,
    enabled: Option<bool>,
    #[serde(alias = "includeTools", alias = "enabledTools", alias = "enabled_tools")]
    tools: Vec<String>,
    #[serde(alias = "excludeTools", alias = "disabled_tools")]
    #[serde(rename = "disabledTools")]
    disabled_tools: Vec<String>,
    trust: bool,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            command: None,
            args: Vec::new(),
            env: Map::new(),
            cwd: None,
            url: None,
            headers: Map::new(),
            r#type: None,
            disabled: false,
            enabled: None,
            tools: Vec::new(),
            disabled_tools: Vec::new(),
            trust: false,
        }
    }
}

/// Reads the servers of an `mcp.json`, in the order of the file; `variable` looks up what `${NAME}` stands for.
///
/// # Errors
/// When the text is not of the known shape, or a server's options are wrong; the message names server and key.
pub fn parse_mcp_json(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Vec<ServerOptions>, ImportError> {
    #[derive(Deserialize)]
    struct File {
        #[serde(alias = "servers", alias = "mcp_servers")]
        #[serde(rename = "mcpServers")]
        servers: Map<String, Value>,
    }
    let file: File = serde_json::from_str(text.trim_start_matches('\u{feff}'))?;
    file.servers.into_iter().map(|(name, entry)| server(&name, entry, &variable).map_err(ImportError::from)).collect()
}

fn server(name: &str, entry: Value, variable: &dyn Fn(&str) -> Option<String>) -> Result<ServerOptions, OptionsError> {
    let problem = |field: &'static str, problem: String| OptionsError { server: name.to_owned(), field, problem };
    let entry: Entry = serde_json::from_value(entry).map_err(|error| problem("mcpServers", format!("is wrong: {error}")))?;
    let fill = |field: &'static str, text: &str| expand(text, variable).map_err(|text| problem(field, text));
    let mut options = ServerOptions { name: name.to_owned(), ..ServerOptions::default() };
    options.transport = match entry.r#type.as_deref() {
        None | Some("auto" | "") => TransportKind::Auto,
        Some("stdio") => TransportKind::Stdio,
        Some("http" | "streamable_http" | "streamable-http" | "streamableHttp") => TransportKind::StreamableHttp,
        Some("sse") => TransportKind::Sse,
        Some(other) => return Err(problem("type", format!("is `{other}`, not `stdio`, `http` or `sse`"))),
    };
    options.command = entry.command.map(|text| fill("command", &text)).transpose()?;
    options.args = entry.args.iter().map(|text| fill("args", text)).collect::<Result<_, _>>()?;
    options.cwd = entry.cwd.map(|text| fill("cwd", &text)).transpose()?.map(Into::into);
    options.url = entry.url.map(|text| fill("url", &text)).transpose()?;
    for (key, value) in entry.env {
        options.env.insert(key, fill("env", &plain(&value))?);
    }
    for (key, value) in entry.headers {
        options.headers.insert(key, fill("headers", &plain(&value))?);
    }
    options.enabled = entry.enabled.unwrap_or(true) && !entry.disabled;
    options.enabled_tools = entry.tools.into_iter().filter(|name| name != "*").collect();
    options.disabled_tools = entry.disabled_tools;
    options.trusted = entry.trust;
    options.validate()?;
    Ok(options)
}

/// Numbers and booleans are written without quotes often enough.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Fills in `${VAR}` and `${VAR:-default}`.
fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let inner = &rest[start + 2..start + length];
        let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
        let name = name.strip_prefix("env:").unwrap_or(name);
        let value = variable(name).or_else(|| default.map(str::to_owned));
        out.push_str(&rest[..start]);
        out.push_str(
            &value.ok_or_else(|| format!("names the variable `{name}`, which is not set: set it, or write `${{{name}:-DEFAULT}}`"))?,
        );
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        (name == "TOKEN").then(|| "abc".to_owned())
    }

    fn check_error(json: &str, expected: &str) {
        let error = parse_mcp_json(json, variable).unwrap_err();
        let text = crate::domain::text::with_causes(&error);
        assert!(text.contains(expected), "{json}: {text}");
    }

    #[test]
    fn both_kinds_of_server_are_read_in_order() {
        let json = r#"{"mcpServers": {
            "z": {"command": "npx", "args": ["-y", "x"], "env": {"KEY": "${TOKEN}", "N": 3}, "alwaysAllow": []},
            "a": {"type": "http", "url": "http://${HOST:-localhost}/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}},
            "s": {"type": "sse", "url": "http://h/sse", "disabled": true, "disabledTools": ["x"]}}}"#;
        let servers = parse_mcp_json(json, variable).unwrap();
        assert_eq!(servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>(), ["z", "a", "s"]);
        assert_eq!(servers[0].env["KEY"], "abc");
        assert_eq!(servers[0].env["N"], "3");
        assert_eq!(servers[1].url.as_deref(), Some("http://localhost/mcp"));
        assert_eq!(servers[1].headers["Authorization"], "Bearer abc");
        assert_eq!((servers[1].transport, servers[2].transport), (TransportKind::StreamableHttp, TransportKind::Sse));
        assert!(!servers[2].enabled && servers[2].disabled_tools == ["x"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        check_error("{", "no MCP configuration");
        check_error(r#"{"mcpServers": {"a": {}}}"#, "`a`: `command`");
        check_error(r#"{"mcpServers": {"a": {"command": "x", "env": {"K": "${NO_SUCH}"}}}}"#, "`env` names the variable `NO_SUCH`");
        check_error(r#"{"mcpServers": {"a": {"url": "http://h/", "type": "pigeon"}}}"#, "`type`");
        check_error(r#"{"mcpServers": {"a": {"command": 3}}}"#, "`a`");
    }
}
