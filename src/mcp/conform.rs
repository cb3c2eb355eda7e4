//! The conformance client: connects to a server with the product's own client, lists everything it has, calls its tools,
//! and answers what it asks without a person.
//!
//! What is shown is what the product does: dialling, finding out the era, logging in, calling and answering are the same
//! code. Only the answers come from rules.

mod arguments;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{ClientRequest, ListPromptsRequest, ListResourceTemplatesRequest, ListResourcesRequest, ServerResult};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::domain::ids::{CallId, ServerName};
use crate::domain::text::{cut_middle, with_causes};
use crate::mcp::call::{Called as Answered, Failure, Limits};
use crate::mcp::catalog::{self, Choice};
use crate::mcp::desk::{Desk, Rules};
use crate::mcp::error::Error;
use crate::mcp::host::Sampler;
use crate::mcp::http::Http;
use crate::mcp::link::Link;
use crate::mcp::options::{PoolOptions, ServerOptions};
use crate::mcp::probe::Once;
use crate::tools::CallContext;

/// The longest text of a result that is reported, in bytes.
const TEXT_BYTES_MAX: usize = 2_000;

/// How often a server that was lost in the middle is connected anew.
const RECONNECTS_MAX: usize = 2;

/// What is tried.
#[derive(Default)]
pub struct ConformOptions {
    /// The server.
    pub server: ServerOptions,
    /// Calls to make, by tool; all tools once, with arguments made from their schemas, where there are none.
    pub calls: Vec<(String, Map<String, Value>)>,
    /// Answers servers that want to use the model.
    pub sampler: Option<Arc<dyn Sampler>>,
}

/// How it went.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ConformReport {
    /// The server's address, secrets masked.
    pub target: String,
    /// Whether it could be connected and asked, and each call had an outcome.
    pub ok: bool,
    /// What went wrong, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The revision of MCP in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// `modern` or `legacy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub era: Option<&'static str>,
    /// The server's own name and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The calls, in order.
    pub calls: Vec<Called>,
    /// How many prompts, resources and templates it lists.
    pub listed: BTreeMap<&'static str, usize>,
    /// What was left out or mended.
    pub notes: Vec<String>,
}

/// How a call went.
#[derive(Debug, Clone, Serialize)]
pub struct Called {
    /// The tool.
    pub tool: String,
    /// `ok`, `error` (in the tool's words), `task` (it goes on as a task of the server) or `failed` (no outcome).
    pub outcome: &'static str,
    /// The result, or why there is none.
    pub text: String,
}

/// Tries a server out.
pub async fn conform(options: ConformOptions, http: Http, environment: BTreeMap<String, String>) -> ConformReport {
    let mut report = ConformReport { target: options.server.target(), ..ConformReport::default() };
    if let Err(error) = examine(&options, http, environment, &mut report).await {
        report.error = Some(with_causes(&error));
    }
    report.ok = report.error.is_none() && report.calls.iter().all(|call| call.outcome != "failed");
    report
}

async fn examine(
    options: &ConformOptions,
    http: Http,
    environment: BTreeMap<String, String>,
    report: &mut ConformReport,
) -> Result<(), Error> {
    // Everything that a server may ask for is given.
    let rules = Rules { fill_forms: true, sampling: true, addresses: true, first_runs: true, changed_tools: true, ..Rules::default() };
    let once = Once::new(&options.server, http, environment)?.asking(Desk::unrecorded(rules), options.sampler.clone());
    let mut link = None;
    let examined = rounds(options, &once, &mut link, report).await;
    once.close(link).await;
    examined
}

/// Connects, lists and calls; goes on over a new connection where one is lost.
async fn rounds(options: &ConformOptions, once: &Once, kept: &mut Option<Link>, report: &mut ConformReport) -> Result<(), Error> {
    let link = kept.insert(once.connect().await?);
    (report.protocol, report.server) = (link.protocol(), link.server_info());
    report.era = link.era().map(super::era::Era::as_str);
    let tools = tools(options, link, report).await?;
    lists(link, report).await;
    let mut reconnects = 0;
    for (tool, arguments) in tools {
        loop {
            let Some(link) = kept else { return Ok(()) };
            let called = call(options, link, &tool, arguments.clone()).await;
            let was_lost = link.down.is_raised();
            let go_on = was_lost && called.is_err() && reconnects < RECONNECTS_MAX;
            if was_lost && reconnects < RECONNECTS_MAX {
                reconnects += 1;
                link.close().await;
                *kept = Some(once.connect().await?);
            }
            match called {
                // It was certainly not sent.
                Err(Failure::NotSent(_)) if go_on => {}
                Err(Failure::NotSent(text)) => break report.calls.push(Called { tool, outcome: "failed", text }),
                Err(Failure::Failed(error)) => break report.calls.push(Called { tool, outcome: "failed", text: error.message }),
                Ok((outcome, text)) => break report.calls.push(Called { tool, outcome, text }),
            }
        }
    }
    Ok(())
}

async fn call(options: &ConformOptions, link: &Link, tool: &str, arguments: Map<String, Value>) -> Result<(&'static str, String), Failure> {
    let context = CallContext { call_id: CallId::generate(), session: None, cancel: CancellationToken::new() };
    let idle = options.server.call_limit();
    let limits = Limits { idle, cap: Duration::from_secs(PoolOptions::default().call_cap_seconds).max(idle) };
    let outcome = match link.call(tool, arguments, &context, limits).await? {
        Answered::Done(outcome) => outcome,
        Answered::Task(_) => return Ok(("task", "the server made a task of the call".to_owned())),
    };
    let text = cut_middle(&outcome.text, TEXT_BYTES_MAX).into_owned();
    Ok((if outcome.is_error { "error" } else { "ok" }, text))
}

/// The calls to make.
async fn tools(options: &ConformOptions, link: &Link, report: &mut ConformReport) -> Result<Vec<(String, Map<String, Value>)>, Error> {
    let server = ServerName::new(&options.server.name);
    let tools_max = PoolOptions::default().tools_max;
    let choice = Choice { server: &server, enabled: &[], disabled: &[], trusted: false, tools_max };
    let listing = match catalog::list(link, &choice, options.server.startup_limit()).await {
        Ok(listing) => listing,
        // Servers without tools refuse the question.
        Err(Error::Answer(_)) if !link.capabilities().iter().any(|name| name == "tools") => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    report.notes = listing.notes;
    report.listed.insert("tools", listing.tools.len());
    if !options.calls.is_empty() {
        return Ok(options.calls.clone());
    }
    Ok(listing.tools.into_iter().map(|tool| (tool.tool, arguments::arguments(&tool.parameters))).collect())
}

/// Lists what there is beside tools, as far as the server says that there is any.
async fn lists(link: &Link, report: &mut ConformReport) {
    let capabilities = link.capabilities();
    let has = |name: &str| capabilities.iter().any(|known| known == name);
    let limit = Duration::from_secs(10);
    if has("prompts") {
        let answer = link.ask(ClientRequest::ListPromptsRequest(ListPromptsRequest::default()), "list of prompts", limit).await;
        note(
            report,
            "prompts",
            answer,
            |result| if let ServerResult::ListPromptsResult(list) = result { Some(list.prompts.len()) } else { None },
        );
    }
    if has("resources") {
        let answer = link.ask(ClientRequest::ListResourcesRequest(ListResourcesRequest::default()), "list of resources", limit).await;
        note(report, "resources", answer, |result| {
            if let ServerResult::ListResourcesResult(list) = result { Some(list.resources.len()) } else { None }
        });
        let request = ClientRequest::ListResourceTemplatesRequest(ListResourceTemplatesRequest::default());
        let answer = link.ask(request, "list of resource templates", limit).await;
        note(report, "resource templates", answer, |result| {
            if let ServerResult::ListResourceTemplatesResult(list) = result { Some(list.resource_templates.len()) } else { None }
        });
    }
}

fn note(
    report: &mut ConformReport,
    what: &'static str,
    answer: Result<ServerResult, Error>,
    count: impl FnOnce(ServerResult) -> Option<usize>,
) {
    match answer.map(count) {
        Ok(Some(count)) => {
            report.listed.insert(what, count);
        }
        Ok(None) => report.notes.push(format!("the list of {what} is none")),
        Err(error) => report.notes.push(format!("the list of {what} could not be read: {}", with_causes(&error))),
    }
}
