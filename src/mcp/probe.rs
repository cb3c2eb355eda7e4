//! One server, once: for `mcp test` and `mcp call`, without a pool.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::event::ErrorKind;
use crate::domain::ids::{CallId, ServerName};
use crate::domain::text::with_causes;
use crate::domain::tool::ToolInfo;
use crate::mcp::call::{Called, Failure, Limits};
use crate::mcp::catalog::{self, Choice};
use crate::mcp::desk::Desk;
use crate::mcp::dial::{Dialer, Known, Place, Reports};
use crate::mcp::era::Era;
use crate::mcp::error::Error;
use crate::mcp::events::Lane;
use crate::mcp::handler::Shared;
use crate::mcp::host::{Host, Sampler};
use crate::mcp::http::Http;
use crate::mcp::link::{Link, Pulse};
use crate::mcp::lint::{self, Check, Level};
use crate::mcp::options::{PoolOptions, ServerOptions};
use crate::mcp::pages::{self, List};
use crate::mcp::process::Children;
use crate::mcp::stderr::LogRing;
use crate::tools::{CallContext, ToolError, ToolOutcome};

/// Questions whose time is measured.
const PINGS: usize = 5;

/// How long such a question may take.
const PING_LIMIT: Duration = Duration::from_secs(5);

/// What a test of a server found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TestReport {
    /// The command line or URL, secrets masked.
    pub target: String,
    /// Whether it answers as MCP asks for: no check failed.
    pub ok: bool,
    /// What went wrong, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The next thing to try, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// `stdio`, `streamable_http`, `sse`.
    pub transport: String,
    /// The protocol version that was agreed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// `modern` (2026-07-28) or `legacy` (with `initialize`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub era: Option<Era>,
    /// The server's own name and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The names of its capabilities.
    pub capabilities: Vec<String>,
    /// Its tools.
    pub tools: Vec<ToolInfo>,
    /// How many resources, templates and prompts it has, where it has the capability.
    pub lists: BTreeMap<String, usize>,
    /// What was checked, and how that came out.
    pub checks: Vec<Check>,
    /// What was left out or mended in the list of tools.
    pub notes: Vec<String>,
    /// From the start to the end of the handshake, in milliseconds.
    pub connect_ms: f64,
    /// The time to list the tools, in milliseconds.
    pub list_ms: f64,
    /// The median time of a question and its answer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_ms: Option<f64>,
    /// The last lines of its error output.
    pub stderr: Vec<String>,
}

/// A dialer for one connection.
pub(super) struct Once {
    pub(super) dialer: Dialer,
    place: Place,
    pub(super) name: ServerName,
    log: Arc<LogRing>,
    limit: Duration,
    host: Host,
}

impl Once {
    pub(super) fn new(options: &ServerOptions, http: Http, environment: BTreeMap<String, String>) -> Result<Self, Error> {
        let endpoint = options.endpoints()?.into_iter().next();
        let endpoint = endpoint.ok_or_else(|| Error::Handshake("it has no address".to_owned()))?;
        let dialer = Dialer {
            http,
            environment: Arc::new(environment),
            children: Arc::default(),
            tasks: TaskTracker::new(),
            desk: None,
            starts: Arc::new(Semaphore::new(1)),
        };
        let log = Arc::new(LogRing::new(PoolOptions::default().log_lines));
        Ok(Self {
            dialer,
            place: Place::Remote(endpoint),
            name: ServerName::new(&options.name),
            log,
            limit: options.startup_limit(),
            host: Host::silent(),
        })
    }

    /// The same, with somebody to ask.
    pub(super) fn asking(mut self, desk: Desk, sampler: Option<Arc<dyn Sampler>>) -> Self {
        self.dialer.desk = Some(desk.clone());
        self.host = Host { desk, sampler, ..self.host };
        self
    }

    pub(super) async fn connect(&self) -> Result<Link, Error> {
        let shared = Shared::new(Lane::silent(self.name.clone()), self.name.clone(), Some(self.host.clone()));
        self.dialer.dial(&self.place, self.limit, Reports { server: &self.name, shared, log: &self.log }, Known::default()).await
    }

    /// Closes the connection; nothing is left behind.
    pub(super) async fn close(self, link: Option<Link>) {
        if let Some(link) = link {
            link.close().await;
        }
        self.dialer.tasks.close();
        let _ = tokio::time::timeout(self.limit, self.dialer.tasks.wait()).await;
        Children::kill_all(&self.dialer.children);
    }
}

/// Connects a server, asks what it has, and closes it again. What goes wrong is in the report.
pub async fn test_server(options: &ServerOptions, http: Http, environment: BTreeMap<String, String>) -> TestReport {
    let mut report = TestReport { target: options.target(), ..TestReport::default() };
    let once = match Once::new(options, http, environment) {
        Ok(once) => once,
        Err(error) => return failed(report, &error),
    };
    report.transport = once.place.transport().to_owned();
    let started = Instant::now();
    let connected = once.connect().await;
    report.connect_ms = milliseconds(started.elapsed());
    match connected {
        Ok(link) => {
            if let Err(error) = examine(&link, options, &mut report).await {
                report = failed(report, &error);
            }
            report.stderr = once.log.tail(20);
            once.close(Some(link)).await;
        }
        Err(error) => {
            report = failed(report, &error);
            report.stderr = once.log.tail(20);
            once.close(None).await;
        }
    }
    report
}

async fn examine(link: &Link, options: &ServerOptions, report: &mut TestReport) -> Result<(), Error> {
    link.transport.clone_into(&mut report.transport);
    report.protocol = link.protocol();
    report.era = link.era();
    report.server = link.server_info();
    report.capabilities = link.capabilities();
    let agreed = format!("agreed on MCP {} ({})", report.protocol.as_deref().unwrap_or("?"), report.era.map_or("?", Era::as_str));
    report.checks.push(Check::new("handshake", Level::Pass, agreed));
    let started = Instant::now();
    let server = ServerName::new(&options.name);
    let choice = Choice {
        server: &server,
        enabled: &options.enabled_tools,
        disabled: &options.disabled_tools,
        trusted: options.trusted,
        tools_max: PoolOptions::default().tools_max,
    };
    let limit = options.startup_limit();
    match catalog::list(link, &choice, limit).await {
        Ok(listing) => (report.tools, report.notes) = (listing.tools, listing.notes),
        Err(Error::Answer(_)) if !link.can("tools") => {}
        Err(error) => return Err(error),
    }
    report.list_ms = milliseconds(started.elapsed());
    let mut times = Vec::new();
    for _ in 0..PINGS {
        let started = Instant::now();
        if link.ping(PING_LIMIT).await != Pulse::Answers {
            break;
        }
        times.push(milliseconds(started.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    report.ping_ms = times.get(times.len() / 2).copied();
    if times.is_empty() {
        report.checks.push(Check::new("ping", Level::Warn, format!("no answer within {} s", PING_LIMIT.as_secs())));
    }
    check_lists(link, limit, report).await;
    report.ok = report.checks.iter().all(|check| check.level != Level::Fail);
    Ok(())
}

/// Reads every list that the server says it has, and looks at the tools as they come over the wire.
async fn check_lists(link: &Link, limit: Duration, report: &mut TestReport) {
    let lists = [("tools", List::Tools), ("resources", List::Resources), ("resources", List::Templates), ("prompts", List::Prompts)];
    for (_, list) in lists.into_iter().filter(|(capability, _)| link.can(capability)) {
        let entries = match pages::all(link, list, PoolOptions::default().tools_max, limit).await {
            Ok(entries) => entries,
            // A server without templates may refuse the question.
            Err(Error::Answer(_)) if list == List::Templates => continue,
            Err(error) => {
                report.checks.push(Check::new(list.key(), Level::Fail, with_causes(&error)));
                continue;
            }
        };
        for note in entries.notes {
            report.checks.push(Check::new(list.key(), Level::Fail, note));
        }
        report.lists.insert(list.key().to_owned(), entries.values.len());
        report.checks.push(Check::new(list.key(), Level::Pass, format!("{} listed", entries.values.len())));
        if list == List::Tools {
            report.checks.extend(lint::tools(&entries.values));
        }
    }
}

fn failed(mut report: TestReport, error: &Error) -> TestReport {
    report.error = Some(with_causes(error));
    report.hint = error.hint().map(str::to_owned);
    report.ok = false;
    report
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Connects a server, calls one tool by its own name, and closes the server again.
///
/// # Errors
/// When the server cannot be connected, or the call has no outcome.
pub async fn call_once(
    options: &ServerOptions,
    tool: &str,
    arguments: Map<String, Value>,
    http: Http,
    environment: BTreeMap<String, String>,
    cancel: CancellationToken,
) -> Result<ToolOutcome, ToolError> {
    let refused = |error: &Error| ToolError::new(ErrorKind::Disconnected, format!("server `{}`: {}", options.name, with_causes(error)));
    let once = Once::new(options, http, environment).map_err(|error| refused(&error))?;
    let connected = tokio::select! {
        connected = once.connect() => connected,
        () = cancel.cancelled() => {
            once.close(None).await;
            return Err(ToolError::new(ErrorKind::Interrupted, "the call was stopped"));
        }
    };
    let link = match connected {
        Ok(link) => link,
        Err(error) => {
            once.close(None).await;
            return Err(refused(&error));
        }
    };
    let context = CallContext { call_id: CallId::generate(), session: None, cancel };
    let limits =
        Limits { idle: options.call_limit(), cap: Duration::from_secs(PoolOptions::default().call_cap_seconds).max(options.call_limit()) };
    let result = link.call(tool, arguments, &context, limits).await;
    once.close(Some(link)).await;
    let done = result.and_then(|called| match called {
        Called::Done(outcome) => Ok(outcome),
        Called::Task(_) => Err(Failure::Failed(ToolError::new(
            ErrorKind::Protocol,
            "the server made a task of the call, which lives longer than this command",
        ))),
    });
    done.map_err(|failure| match failure {
        Failure::NotSent(reason) => ToolError::new(ErrorKind::Disconnected, format!("server `{}`: {reason}", options.name)),
        Failure::Failed(error) => error,
    })
}
