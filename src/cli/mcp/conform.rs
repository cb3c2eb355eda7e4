//! `wakeful mcp conform`: the client for the MCP conformance suite.
//!
//! The suite tells by variables what a client cannot find out by itself: credentials that it was given beforehand, and
//! calls that a scenario wants. The revision of MCP is found out by asking the server, as always.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::app::queries::mcp_http_with;
use crate::app::sampler::ModelSampler;
use crate::cli::Base;
use crate::cli::mcp::net_of;
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::domain::text::{clean, clean_line};
use crate::llm::offline::{self, Offline};
use crate::llm::{Catalog, Llm};
use crate::mcp::{self, ConformOptions, ConformReport, Grant, OauthOptions, Sampler, ServerOptions};

/// Names the scenario.
const SCENARIO: &str = "MCP_CONFORMANCE_SCENARIO";

/// Holds what the scenario gives its client.
const CONTEXT: &str = "MCP_CONFORMANCE_CONTEXT";

/// Holds the client's secret, for this run alone.
const SECRET: &str = "WAKEFUL_CONFORM_CLIENT_SECRET";

/// The document that stands for a client in the scenario about such documents; the suite gives it by its text only.
const DOCUMENT: (&str, &str) = ("auth/basic-cimd", "https://conformance-test.local/client-metadata.json");

#[derive(Default, Deserialize)]
#[serde(default)]
struct Context {
    client_id: Option<String>,
    client_secret: Option<String>,
    #[serde(rename = "toolCalls")]
    tool_calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Call {
    name: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}

pub(super) async fn run(base: &Base, url: &str, json: bool) -> Outcome {
    let start = base.start(true)?;
    let mut environment = start.environment.own();
    let scenario = environment.get(SCENARIO).cloned().unwrap_or_default();
    let context: Context = match environment.get(CONTEXT) {
        Some(text) => serde_json::from_str(text).map_err(|error| Stop::Usage(format!("{CONTEXT} is not what the suite sends: {error}")))?,
        None => Context::default(),
    };
    let secret = context.client_secret.filter(|_| context.client_id.is_some());
    let oauth = OauthOptions {
        client_id: context.client_id,
        client_secret_env: secret.as_ref().map(|_| SECRET.to_owned()),
        client_metadata_url: (scenario == DOCUMENT.0).then(|| DOCUMENT.1.to_owned()),
        grant: if scenario.starts_with("auth/client-credentials") { Grant::ClientCredentials } else { Grant::AuthorizationCode },
        ..OauthOptions::default()
    };
    environment.extend(secret.map(|secret| (SECRET.to_owned(), secret)));
    let server =
        ServerOptions { name: "conformance".to_owned(), url: Some(url.to_owned()), oauth: Some(oauth), ..ServerOptions::default() };
    server.validate()?;
    let calls = context.tool_calls.into_iter().map(|call| (call.name, call.arguments)).collect();

    let net = net_of(&start);
    let folder = tempfile::tempdir()?;
    let http = mcp_http_with(&start, &net, folder.path().to_path_buf(), environment.clone(), mcp::headless(net.clone()));
    let report = mcp::conform(ConformOptions { server, calls, sampler: Some(sampler()) }, http, environment).await;
    if json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(if report.ok { Exit::Done } else { Exit::Failed })
}

/// The offline assistant: no word of a server that is tried out goes to a model elsewhere.
fn sampler() -> Arc<dyn Sampler> {
    let providers: Vec<(String, Arc<dyn Llm>)> = vec![(offline::PROVIDER.to_owned(), Arc::new(Offline::new()))];
    Arc::new(ModelSampler::new(Catalog::new(providers, format!("{}/{}", offline::PROVIDER, offline::MODEL))))
}

fn print(report: &ConformReport) -> Result<(), Stop> {
    output::line(format_args!("{}  {}", if report.ok { "pass" } else { "FAIL" }, clean_line(&report.target)))?;
    if let Some(error) = &report.error {
        output::line(format_args!("  error: {}", clean_line(error)))?;
    }
    if let (Some(protocol), Some(era)) = (&report.protocol, report.era) {
        let server = report.server.as_deref().unwrap_or("unknown");
        output::line(format_args!("  server: {}, MCP {} ({era})", clean_line(server), clean_line(protocol)))?;
    }
    for (what, count) in &report.listed {
        output::line(format_args!("  {what}: {count}"))?;
    }
    for call in &report.calls {
        output::line(format_args!("  {}  {}: {}", call.outcome, clean_line(&call.tool), clean(&call.text).replace('\n', " ")))?;
    }
    for note in &report.notes {
        output::line(format_args!("  note: {}", clean_line(note)))?;
    }
    Ok(())
}
