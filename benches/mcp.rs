//! What a call through the pool costs beside a call by bare rmcp, against the same minimal server: in this process, and
//! as a program behind pipes.
//!
//! `cargo bench --bench mcp` prints medians and 99th percentiles in microseconds, and the difference. Rounds of both
//! kinds take turns, so that a busy machine slows both.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::panic, reason = "a benchmark")]

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientConfig, ContentBlock, ErrorData, Implementation,
    ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleClient, RoleServer, RunningService};
use rmcp::{ServerHandler, ServiceExt};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use wakeful::bus::{RecordError, Recorder};
use wakeful::domain::clock::SystemClock;
use wakeful::domain::event::{Event, NewEvent};
use wakeful::domain::ids::CallId;
use wakeful::domain::tool::{ToolHints, ToolInfo};
use wakeful::mcp::{Answering, Http, PoolOptions, ServerOptions, ServerPool, Surroundings};
use wakeful::tools::{CallContext, Tool, ToolError, ToolOutcome, ToolSource};

/// Calls in a round.
const ROUND: usize = 200;

/// Rounds of each kind.
const ROUNDS: usize = 25;

/// Calls before the first round.
const WARM_UP: usize = 300;

struct Nowhere;

impl Recorder for Nowhere {
    fn record(&self, _events: Vec<NewEvent>) -> BoxFuture<'static, Result<Vec<Arc<Event>>, RecordError>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }

    fn emit(&self, _event: NewEvent) {}
}

/// The minimal server for bare rmcp.
#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: RequestContext<RoleServer>) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::default())
    }

    async fn call_tool(&self, request: CallToolRequestParams, _: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        let text = request.arguments.unwrap()["text"].as_str().unwrap().to_owned();
        Ok(CallToolResponse::Complete(CallToolResult::success(vec![ContentBlock::text(text)])))
    }
}

/// The same tool as one of the pool's own.
struct EchoTool(ToolInfo);

impl Tool for EchoTool {
    fn info(&self) -> &ToolInfo {
        &self.0
    }

    fn call(&self, arguments: Map<String, Value>, _context: CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>> {
        std::future::ready(Ok(ToolOutcome::text(arguments["text"].as_str().unwrap()))).boxed()
    }
}

fn arguments() -> Map<String, Value> {
    json!({"text": "The quick brown fox jumps over the lazy dog."}).as_object().unwrap().clone()
}

fn client() -> ClientConfig {
    ClientConfig::new(ClientCapabilities::default(), Implementation::new("bench", "0"))
        .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
}

type Bare = RunningService<RoleClient, ClientConfig>;

async fn bare_duplex() -> Bare {
    let (ours, theirs) = tokio::io::duplex(64 * 1_024);
    tokio::spawn(async move { Echo.serve(theirs).await.unwrap().waiting().await });
    client().serve(ours).await.unwrap()
}

fn script() -> String {
    format!("{}/tests/peers/scripted.py", env!("CARGO_MANIFEST_DIR"))
}

async fn bare_stdio() -> Bare {
    let mut command = tokio::process::Command::new("python3");
    command.args(["-u", &script()]);
    let (process, _) = rmcp::transport::TokioChildProcess::builder(command).stderr(Stdio::null()).spawn().unwrap();
    client().serve(process).await.unwrap()
}

async fn pool() -> ServerPool {
    let info = ToolInfo {
        name: "local__echo".into(),
        server: "local".into(),
        tool: "echo".to_owned(),
        title: None,
        description: String::new(),
        parameters: json!({"type": "object"}).as_object().unwrap().clone(),
        output: None,
        hints: ToolHints::READ_ONLY,
        trusted: true,
    };
    let local: Vec<Arc<dyn Tool>> = vec![Arc::new(EchoTool(info))];
    let stdio = ServerOptions {
        name: "stdio".to_owned(),
        command: Some("python3".to_owned()),
        args: vec!["-u".to_owned(), script()],
        ..ServerOptions::default()
    };
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let surroundings = Surroundings {
        recorder: Arc::new(Nowhere),
        clock: Arc::new(SystemClock),
        http: Http::none(),
        answering: Answering::default(),
        sampler: None,
        roots: Vec::new(),
        memory: None,
        results: None,
        environment,
    };
    let pool = ServerPool::start(vec![stdio], vec![("local".into(), local)], surroundings, PoolOptions::default());
    assert!(pool.settled(Duration::from_secs(20)).await);
    pool
}

async fn by_rmcp(bare: &Bare) {
    let result = bare.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments())).await.unwrap();
    assert_eq!(result.content.len(), 1);
}

async fn by_pool(pool: &ServerPool, name: &str) {
    // As the agent does: the tool is looked up for each call.
    let tool = pool.tools().into_iter().find(|tool| tool.info().name.as_str() == name).unwrap();
    let context = CallContext { call_id: CallId::generate(), session: None, cancel: CancellationToken::new() };
    assert!(!tool.call(arguments(), context).await.unwrap().text.is_empty());
}

async fn measure(times: &mut Vec<f64>, mut call: impl AsyncFnMut()) {
    for _ in 0..ROUND {
        let started = Instant::now();
        call().await;
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
}

fn percentile(times: &mut [f64], percent: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

async fn compare(what: &str, bare: Bare, pool: &ServerPool, name: &str) {
    for _ in 0..WARM_UP {
        by_rmcp(&bare).await;
        by_pool(pool, name).await;
    }
    let (mut bare_times, mut pool_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        measure(&mut bare_times, async || by_rmcp(&bare).await).await;
        measure(&mut pool_times, async || by_pool(pool, name).await).await;
    }
    let mut row = |percent| {
        let (bare, pool) = (percentile(&mut bare_times, percent), percentile(&mut pool_times, percent));
        println!("{what:<24} p{percent:<3} rmcp {bare:>8.1} µs   pool {pool:>8.1} µs   difference {:>+7.1} µs", pool - bare);
    };
    row(50);
    row(99);
    bare.cancel().await.unwrap();
}

fn main() {
    // `cargo test --all-targets` runs benchmarks too; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = pool().await;
        compare("echo in this process", bare_duplex().await, &pool, "local__echo").await;
        compare("echo over stdio (python)", bare_stdio().await, &pool, "stdio__echo").await;
        pool.shutdown().await;
    });
}
