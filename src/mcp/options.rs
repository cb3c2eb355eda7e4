//! What can be configured about servers and about the pool, and what it means: options in, checked endpoints out.
//!
//! Pure. Secrets are never in `Debug` output; variables named by `api_key_env` are looked up by whoever connects.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::domain::ids::ServerName;
use crate::mcp::auth::OauthOptions;
use crate::mcp::era::Era;
use crate::mcp::error::OptionsError;
use crate::mcp::mask;

/// The longest name of a server, in characters: with `__` it must leave room for tool names.
const NAME_CHARS_MAX: usize = 48;

/// How a server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportKind {
    /// A child process where there is a `command`; streamable HTTP, then HTTP+SSE, where there is a `url`.
    #[default]
    Auto,
    /// A child process: messages on its standard input and output.
    Stdio,
    /// Streamable HTTP (2025-03-26 and later).
    #[serde(alias = "http", alias = "streamable-http")]
    StreamableHttp,
    /// HTTP+SSE (2024-11-05).
    Sse,
}

/// One server: `[[mcp_servers]]` in the config.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerOptions {
    /// Its name: letters, digits, `_`, `-`, `.`; unique.
    pub name: String,
    /// Where it listens: `http://…` or `https://…`. Either this or `command`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The program that is the server. Either this or `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The program's arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables set for the program, beside the few that every program gets (`PATH`, `HOME`, …).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Names of variables that are handed on to the program as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
    /// The folder the program starts in; the working folder where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// How it is reached: `stdio`, `streamable_http`, `sse`, `auto` (default).
    pub transport: TransportKind,
    /// The era of MCP it speaks: `modern` (2026-07-28) or `legacy` (with `initialize`); found out by asking where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub era: Option<Era>,
    /// Headers of every HTTP request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Sent as a Bearer token; empty: none.
    #[serde(skip_serializing)]
    pub api_key: Option<SecretString>,
    /// The variable that holds the Bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// How to log in, where what the server publishes is not enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OauthOptions>,
    /// More addresses of the same service: the least busy is asked first, the others take over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<String>,
    /// The longest start, from the first attempt to the list of tools, in seconds; default 30.
    pub startup_timeout_seconds: u64,
    /// The longest wait for a call's answer or next sign of progress, in seconds; default 60.
    pub tool_timeout_seconds: u64,
    /// Whether it is connected at the start; default true.
    pub enabled: bool,
    /// The only tools that are lent, by name (`*` stands for any characters); empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enabled_tools: Vec<String>,
    /// Tools that are not lent, by name (`*` stands for any characters); wins over `enabled_tools`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disabled_tools: Vec<String>,
    /// Whether what the server says of its tools (reads only, …) is believed when consent is decided; default false.
    pub trusted: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            name: String::new(),
            url: None,
            command: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            pass_env: Vec::new(),
            cwd: None,
            transport: TransportKind::Auto,
            era: None,
            headers: BTreeMap::new(),
            api_key: None,
            api_key_env: None,
            oauth: None,
            replicas: Vec::new(),
            startup_timeout_seconds: 30,
            tool_timeout_seconds: 60,
            enabled: true,
            enabled_tools: Vec::new(),
            disabled_tools: Vec::new(),
            trusted: false,
        }
    }
}

impl fmt::Debug for ServerOptions {
    /// Shows names only of what may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("name", &self.name)
            .field("target", &self.target())
            .field("transport", &self.transport)
            .field("env", &self.env.keys())
            .field("headers", &self.headers.keys())
            .field("enabled", &self.enabled)
            .field("trusted", &self.trusted)
            .finish_non_exhaustive()
    }
}

/// The pool: `[mcp]` in the config.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolOptions {
    /// The longest call, however much progress it makes, in seconds; default 600.
    pub call_cap_seconds: u64,
    /// The wait before a lost server is tried again, in milliseconds; doubles each time; default 500.
    pub retry_first_ms: u64,
    /// The longest such wait, in seconds; default 30.
    pub retry_max_seconds: u64,
    /// After so many failed tries in a row it is not tried again by itself; 0: tried for ever; default 5.
    pub retry_attempts_max: u32,
    /// How often a server behind HTTP that says nothing is asked whether it lives, in seconds; 0: never; default 30.
    pub ping_seconds: u64,
    /// Lines of error output kept for each server; default 500.
    pub log_lines: usize,
    /// The most tools one server may lend; default 512.
    pub tools_max: usize,
    /// The longest shutdown of all servers together, in milliseconds; default 3000.
    pub shutdown_ms: u64,
    /// Whether a person is shown the command of a server before it is started for the first time; default true.
    pub confirm_commands: bool,
    /// Whether tools whose description or schema changed are held back until a person has looked at them; default true.
    /// Those of `trusted` servers never are.
    pub confirm_changed_tools: bool,
    /// Where `wakeful mcp search` looks, like `https://registry.modelcontextprotocol.io`; default: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            call_cap_seconds: 600,
            retry_first_ms: 500,
            retry_max_seconds: 30,
            retry_attempts_max: 5,
            ping_seconds: 30,
            log_lines: 500,
            tools_max: 512,
            shutdown_ms: 3_000,
            confirm_commands: true,
            confirm_changed_tools: true,
            registry: None,
        }
    }
}

/// A child process as configured.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) command: String,
    pub(super) args: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) pass_env: Vec<String>,
    pub(super) cwd: Option<PathBuf>,
    pub(super) era: Option<Era>,
}

/// An address as configured.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) url: String,
    pub(super) transport: TransportKind,
    pub(super) era: Option<Era>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) api_key: Option<SecretString>,
    pub(super) api_key_env: Option<String>,
    /// None where a key is configured: it stands for a login.
    pub(super) oauth: Option<OauthOptions>,
}

/// One place where a server can be reached.
#[derive(Clone)]
pub(super) enum Endpoint {
    Process(Program),
    Http(Address),
}

impl Endpoint {
    /// The command line or URL for people, secrets masked.
    pub(super) fn target(&self) -> String {
        match self {
            Self::Process(program) => mask::command_line(&program.command, &program.args),
            Self::Http(address) => mask::url(&address.url),
        }
    }

    /// The transport's name before it is known which one answers.
    pub(super) fn transport(&self) -> &'static str {
        match self {
            Self::Process(_) => "stdio",
            Self::Http(Address { transport: TransportKind::Sse, .. }) => "sse",
            Self::Http(_) => "streamable_http",
        }
    }
}

impl ServerOptions {
    /// A server from what a person typed: a URL (`http…`) or a command line.
    ///
    /// # Errors
    /// When the command line's quotes do not match, or nothing was typed.
    pub fn from_target(name: &ServerName, target: &str) -> Result<Self, OptionsError> {
        let mut options = Self { name: name.to_string(), ..Self::default() };
        if target.starts_with("http://") || target.starts_with("https://") {
            options.url = Some(target.trim().to_owned());
            return Ok(options);
        }
        let words = shlex::split(target).unwrap_or_default();
        let mut words = words.into_iter();
        options.command = words.next();
        options.args = words.collect();
        if options.command.is_none() {
            return Err(options.problem("command", "is empty, or a quotation mark in it is not closed"));
        }
        Ok(options)
    }

    /// The command line or URL for people, secrets masked.
    pub fn target(&self) -> String {
        match (&self.url, &self.command) {
            (Some(url), _) => mask::url(url),
            (None, Some(command)) => mask::command_line(command, &self.args),
            (None, None) => String::new(),
        }
    }

    /// Checks the options.
    ///
    /// # Errors
    /// The first key that is wrong, by its name, and why.
    pub fn validate(&self) -> Result<(), OptionsError> {
        self.endpoints().map(|_| ())
    }

    pub(super) fn startup_limit(&self) -> Duration {
        Duration::from_secs(self.startup_timeout_seconds)
    }

    pub(super) fn call_limit(&self) -> Duration {
        Duration::from_secs(self.tool_timeout_seconds)
    }

    fn problem(&self, field: &'static str, problem: impl Into<String>) -> OptionsError {
        OptionsError { server: self.name.clone(), field, problem: problem.into() }
    }

    /// The places where the server can be reached, the configured `url` first.
    pub(super) fn endpoints(&self) -> Result<Vec<Endpoint>, OptionsError> {
        self.check_name()?;
        if self.startup_timeout_seconds == 0 {
            return Err(self.problem("startup_timeout_seconds", "must be at least 1"));
        }
        if self.tool_timeout_seconds == 0 {
            return Err(self.problem("tool_timeout_seconds", "must be at least 1"));
        }
        match (&self.url, &self.command) {
            (Some(_), Some(_)) => Err(self.problem("url", "stands beside `command`: keep one of the two")),
            (None, None) => Err(self.problem("command", "is missing, and so is `url`: give one of the two")),
            (None, Some(command)) => Ok(vec![Endpoint::Process(self.program(command)?)]),
            (Some(url), None) => {
                let urls = std::iter::once(("url", url)).chain(self.replicas.iter().map(|url| ("replicas", url)));
                urls.map(|(field, url)| self.address(field, url).map(Endpoint::Http)).collect()
            }
        }
    }

    fn check_name(&self) -> Result<(), OptionsError> {
        let allowed = |ch: char| ch.is_ascii_alphanumeric() || matches!(ch, '_' | '-' | '.');
        if self.name.is_empty() {
            return Err(self.problem("name", "is missing"));
        }
        if !self.name.chars().all(allowed) {
            return Err(self.problem("name", "may hold letters, digits, `_`, `-` and `.` only"));
        }
        if self.name.len() > NAME_CHARS_MAX {
            return Err(self.problem("name", format!("may have {NAME_CHARS_MAX} characters at most")));
        }
        Ok(())
    }

    fn program(&self, command: &str) -> Result<Program, OptionsError> {
        if command.trim().is_empty() {
            return Err(self.problem("command", "is empty"));
        }
        if !matches!(self.transport, TransportKind::Auto | TransportKind::Stdio) {
            return Err(self.problem("transport", "must be `stdio` or `auto` where there is a `command`"));
        }
        if self.oauth.is_some() {
            return Err(self.problem("oauth", "needs a `url`: a program on this machine has no login"));
        }
        if !self.replicas.is_empty() {
            return Err(self.problem("replicas", "needs a `url`: a `command` has none"));
        }
        if let Some(name) = self.env.keys().chain(&self.pass_env).find(|name| name.is_empty() || name.contains(['=', '\0'])) {
            return Err(self.problem("env", format!("holds `{name}`, which cannot be the name of a variable")));
        }
        if self.env.values().chain(&self.args).any(|text| text.contains('\0')) {
            return Err(self.problem("args", "or a value in `env` holds a zero byte, which no program can be given"));
        }
        Ok(Program {
            command: command.trim().to_owned(),
            args: self.args.clone(),
            env: self.env.clone(),
            pass_env: self.pass_env.clone(),
            cwd: self.cwd.clone(),
            era: self.era,
        })
    }

    fn address(&self, field: &'static str, url: &str) -> Result<Address, OptionsError> {
        if self.transport == TransportKind::Stdio {
            return Err(self.problem("transport", "cannot be `stdio` where there is a `url`: use `auto`, `streamable_http` or `sse`"));
        }
        let parsed = Uri::from_str(url.trim()).map_err(|error| self.problem(field, format!("is no URL: {error}")))?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.host().is_none_or(str::is_empty) {
            return Err(self.problem(field, "must begin with `http://` or `https://` and name a host"));
        }
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            let parsed =
                HeaderName::from_str(name).map_err(|_| self.problem("headers", format!("holds `{name}`, which is no header name")))?;
            if matches!(parsed.as_str(), "accept" | "mcp-session-id" | "last-event-id" | "mcp-protocol-version" | "host" | "content-length")
            {
                return Err(self.problem("headers", format!("holds `{name}`, which the protocol sets: leave it out")));
            }
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| self.problem("headers", format!("holds a value for `{name}` that cannot be sent")))?;
            value.set_sensitive(true);
            headers.push((parsed, value));
        }
        let api_key = self.api_key.clone().filter(|key| !key.expose_secret().is_empty());
        let api_key_env = self.api_key_env.clone().filter(|name| !name.is_empty());
        if let Some(problem) = self.oauth.as_ref().and_then(OauthOptions::problem) {
            return Err(self.problem("oauth", problem));
        }
        let has_key = api_key.is_some() || api_key_env.is_some() || headers.iter().any(|(name, _)| name == http::header::AUTHORIZATION);
        if has_key && self.oauth.is_some() {
            return Err(self.problem(
                "oauth",
                "stands beside a key: give either a key (`api_key`, `api_key_env`, the header `Authorization`) or `oauth`",
            ));
        }
        let oauth = (!has_key).then(|| self.oauth.clone().unwrap_or_default());
        Ok(Address { url: url.trim().to_owned(), transport: self.transport, era: self.era, headers, api_key, api_key_env, oauth })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str, expected: Result<&[&str], &str>) {
        let options: ServerOptions = toml::from_str(toml).unwrap();
        let targets = options.endpoints().map(|all| all.iter().map(Endpoint::target).collect::<Vec<_>>());
        match (targets, expected) {
            (Ok(targets), Ok(expected)) => assert_eq!(targets, expected, "{toml}"),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{toml}: {error}"),
            (got, expected) => panic!("{toml}: {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn the_documented_form_is_read() {
        let toml = r#"
            name = "server1"
            url = "http://localhost:8001/mcp"
            transport = "auto"
            api_key = ""
            replicas = ["http://localhost:8002/mcp", "http://localhost:8003/mcp"]
            startup_timeout_seconds = 10
            tool_timeout_seconds = 60
            enabled = true
            enabled_tools = []
            disabled_tools = []
        "#;
        check(toml, Ok(&["http://localhost:8001/mcp", "http://localhost:8002/mcp", "http://localhost:8003/mcp"]));
        let options: ServerOptions = toml::from_str(toml).unwrap();
        let [Endpoint::Http(first), ..] = &options.endpoints().unwrap()[..] else { panic!("no address") };
        assert!(first.api_key.is_none(), "an empty key is no key");
    }

    #[test]
    fn wrong_options_are_refused_by_the_name_of_the_key() {
        check("name = 'a'\ncommand = 'npx'\nargs = ['-y', 'x']", Ok(&["npx -y x"]));
        check("command = 'x'", Err("`name` is missing"));
        check("name = 'a b'\ncommand = 'x'", Err("`name`"));
        check("name = 'a'", Err("`command`"));
        check("name = 'a'\ncommand = ' '", Err("`command` is empty"));
        check("name = 'a'\ncommand = 'x'\nurl = 'http://h/'", Err("`url`"));
        check("name = 'a'\nurl = 'ftp://h/'", Err("`url`"));
        check("name = 'a'\nurl = 'http://h/'\nreplicas = ['nonsense']", Err("`replicas`"));
        check("name = 'a'\ncommand = 'x'\nreplicas = ['http://h/']", Err("`replicas`"));
        check("name = 'a'\ncommand = 'x'\ntransport = 'sse'", Err("`transport`"));
        check("name = 'a'\nurl = 'http://h/'\ntransport = 'stdio'", Err("`transport`"));
        check("name = 'a'\nurl = 'http://h/'\nheaders = { 'b c' = 'd' }", Err("`headers`"));
        check("name = 'a'\nurl = 'http://h/'\nheaders = { Accept = 'd' }", Err("`headers`"));
        check("name = 'a'\nurl = 'http://h/'\napi_key = 'k'\n[oauth]", Err("`oauth`"));
        check("name = 'a'\ncommand = 'x'\n[oauth]", Err("`oauth`"));
        check("name = 'a'\nurl = 'http://h/'\n[oauth]\ngrant = 'client_credentials'", Err("`oauth`"));
        check("name = 'a'\nurl = 'http://h/'\n[oauth]\nclient_id = 'c'", Ok(&["http://h/"]));
        check("name = 'a'\ncommand = 'x'\ntool_timeout_seconds = 0", Err("`tool_timeout_seconds`"));
        assert!(toml::from_str::<ServerOptions>("name = 'a'\ntimeout = 3").is_err(), "unknown keys are errors");
    }

    #[test]
    fn what_is_typed_becomes_a_url_or_a_command_line() {
        let url = ServerOptions::from_target(&"a".into(), "https://h/mcp").unwrap();
        assert_eq!(url.url.as_deref(), Some("https://h/mcp"));
        let command = ServerOptions::from_target(&"a".into(), "npx -y 'a b'").unwrap();
        assert_eq!((command.command.as_deref(), command.args), (Some("npx"), vec!["-y".to_owned(), "a b".to_owned()]));
        assert!(ServerOptions::from_target(&"a".into(), "un'ended").is_err());
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let options: ServerOptions =
            toml::from_str("name = 'a'\nurl = 'http://u:pw1@h/?token=pw2'\napi_key = 'pw3'\nheaders = { X-Key = 'pw4' }").unwrap();
        let shown =
            format!("{options:?} {}", toml::to_string(&ServerOptions { headers: BTreeMap::new(), url: None, ..options.clone() }).unwrap());
        assert!(!shown.contains("pw"), "{shown}");
    }
}
