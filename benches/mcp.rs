//! What a call through the pool costs beside a call by bare rmcp and by the Python SDK's client, against the same minimal
//! server: in this process, as a program behind pipes, and behind HTTP; and what memory idle servers cost.
//!
//! `cargo bench --bench mcp` prints medians and 99th percentiles in microseconds, the differences, and whether the budgets
//! hold. Rounds of all kinds take turns, so that a busy machine slows all. The server is made with rmcp and is this program
//! itself. The Python SDK is used where `.ci/peers` has installed it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientConfig, ContentBlock, ErrorData, Implementation,
    ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool as ServerTool,
};
use rmcp::service::{ClientLifecycleMode, RequestContext, RoleClient, RoleServer, RunningService, serve_client_with_lifecycle};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager};
use rmcp::transport::{IntoTransport, StreamableHttpClientTransport};
use rmcp::{ServerHandler, ServiceExt};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use wakeful::bus::{RecordError, Recorder};
use wakeful::domain::clock::SystemClock;
use wakeful::domain::event::{Event, NewEvent};
use wakeful::domain::ids::CallId;
use wakeful::domain::tool::{ToolHints, ToolInfo};
use wakeful::mcp::{Answering, Http, LocalServer, PoolOptions, ServerOptions, ServerPool, Surroundings};
use wakeful::net;
use wakeful::tools::{CallContext, Tool, ToolError, ToolOutcome, ToolSource};

/// Calls in a round.
const ROUND: usize = 200;

/// Rounds of each kind.
const ROUNDS: usize = 25;

/// Calls before the first round.
const WARM_UP: usize = 300;

/// What a call may take longer than by bare rmcp, in microseconds: median and 99th percentile.
const BUDGET: [(usize, f64); 2] = [(50, 50.0), (99, 200.0)];

/// How many times less CPU time than the Python SDK's client a call may take of the client, with many under way. One call
/// after the other, most of the time is the server's and the system's, which both clients wait for.
const FASTER: f64 = 5.0;

/// Idle servers whose memory is measured, and what they may cost together in bytes.
const IDLE: (usize, i64) = (16, 5_000_000);

/// Calls under way at once, and calls in a round of these.
const AT_ONCE: (usize, usize) = (64, 3_200);

/// With this argument the program is the minimal server, over standard input and output.
const SERVE: &str = "serve-echo";

struct Nowhere;

impl Recorder for Nowhere {
    fn record(&self, _events: Vec<NewEvent>) -> BoxFuture<'static, Result<Vec<Arc<Event>>, RecordError>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }

    fn emit(&self, _event: NewEvent) {}
}

/// The minimal server.
#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: RequestContext<RoleServer>) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]});
        Ok(ListToolsResult::with_all_items(vec![ServerTool::new("echo", "Gives its text back", schema.as_object().unwrap().clone())]))
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

/// Bare rmcp, which comes to terms with the server as the pool does.
async fn bare<T, E, A>(transport: T) -> Bare
where
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    let mode = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
    };
    serve_client_with_lifecycle(client(), transport, mode).await.unwrap()
}

async fn bare_duplex() -> Bare {
    let (ours, theirs) = tokio::io::duplex(64 * 1_024);
    tokio::spawn(async move { Echo.serve(theirs).await.unwrap().waiting().await });
    bare(ours).await
}

fn this_program() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

async fn bare_stdio() -> Bare {
    let mut command = tokio::process::Command::new(this_program());
    command.arg(SERVE);
    let (process, _) = rmcp::transport::TokioChildProcess::builder(command).stderr(Stdio::null()).spawn().unwrap();
    bare(process).await
}

/// The minimal server behind HTTP; gives its address.
async fn listen() -> String {
    let service = StreamableHttpService::new(|| Ok(Echo), Arc::<LocalSessionManager>::default(), StreamableHttpServerConfig::default());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| stream.set_nodelay(true).unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await });
    url
}

/// The HTTP client as the program has it.
fn http() -> Http {
    net::install_crypto();
    let client = net::Client::new(net::Options::default());
    Http::new(move |url: &str| {
        let (client, url) = (client.clone(), url.to_owned());
        async move { client.inner(&url).await.map_err(|error| error.to_string()) }.boxed()
    })
}

fn program(name: &str) -> ServerOptions {
    ServerOptions { name: name.to_owned(), command: Some(this_program()), args: vec![SERVE.to_owned()], ..ServerOptions::default() }
}

async fn pool(servers: Vec<ServerOptions>, local: Vec<LocalServer>) -> ServerPool {
    let surroundings = Surroundings {
        recorder: Arc::new(Nowhere),
        clock: Arc::new(SystemClock),
        http: http(),
        answering: Answering::default(),
        sampler: None,
        roots: Vec::new(),
        memory: None,
        results: None,
        environment: std::env::vars().collect::<BTreeMap<_, _>>(),
    };
    let pool = ServerPool::start(servers, local, surroundings, PoolOptions::default());
    assert!(pool.settled(Duration::from_secs(20)).await);
    pool
}

fn echo_tool() -> LocalServer {
    let info = ToolInfo {
        name: "local__echo".into(),
        server: "local".into(),
        tool: "echo".to_owned(),
        title: None,
        description: String::new(),
        parameters: json!({"type": "object"}).as_object().unwrap().clone().into(),
        output: None,
        hints: ToolHints::READ_ONLY,
        trusted: true,
    };
    ("local".into(), vec![Arc::new(EchoTool(info))])
}

async fn by_rmcp(bare: &Bare) {
    let result = bare.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments())).await.unwrap();
    assert_eq!(result.content.len(), 1);
}

async fn by_pool(pool: &ServerPool, name: &str) {
    // As the agent does: the tool is looked up for each call.
    let tool = pool.find(&name.into()).unwrap();
    let context = CallContext { call_id: CallId::generate(), session: None, cancel: CancellationToken::new() };
    assert!(!tool.call(arguments(), context).await.unwrap().text.is_empty());
}

/// The Python SDK's client, which makes a round when told.
struct Sdk {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Sdk {
    /// Where it is installed.
    fn start(arguments: &[&str]) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let python = target.join("peers/py/bin/python");
        if !python.exists() {
            println!("the Python SDK is not installed: `.ci/peers` does");
            return None;
        }
        let mut command = Command::new(python);
        command.arg(root.join("tests/peers/bench_client.py")).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Self { child, stdin, stdout })
    }

    /// The times of so many calls, so many of them at once, and the client's CPU time; in microseconds.
    fn round(&mut self, calls: usize, window: usize) -> Round {
        writeln!(self.stdin, "{calls} {window}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

#[derive(serde::Deserialize)]
struct Round {
    times: Vec<f64>,
    cpu: f64,
}

/// The CPU time of this process so far, in microseconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks: f64 = stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    // USER_HZ is 100 on every Linux architecture that Rust has.
    ticks * 1e4
}

impl Drop for Sdk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

fn verdict(holds: bool) -> &'static str {
    if holds { "ok" } else { "OVER BUDGET" }
}

async fn compare(what: &str, bare: Bare, pool: &ServerPool, name: &str, mut sdk: Option<Sdk>) {
    for _ in 0..WARM_UP {
        by_rmcp(&bare).await;
        by_pool(pool, name).await;
    }
    let (mut bare_times, mut pool_times, mut sdk_times) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(sdk) = &mut sdk {
        sdk.round(WARM_UP, 1);
    }
    for _ in 0..ROUNDS {
        measure(&mut bare_times, async || by_rmcp(&bare).await).await;
        measure(&mut pool_times, async || by_pool(pool, name).await).await;
        if let Some(sdk) = &mut sdk {
            // The server behind HTTP runs on other threads of this runtime.
            sdk_times.extend(tokio::task::block_in_place(|| sdk.round(ROUND, 1).times));
        }
    }
    for (percent, budget) in BUDGET {
        let (bare, pool) = (percentile(&mut bare_times, percent), percentile(&mut pool_times, percent));
        let (more, ratio, holds) = (pool - bare, pool / bare, verdict(pool - bare <= budget));
        println!(
            "{what:<22} p{percent} rmcp {bare:>7.1} µs   pool {pool:>7.1} µs   {more:>+6.1} µs ({ratio:.2} ×)   budget +{budget} µs: {holds}"
        );
    }
    if !sdk_times.is_empty() {
        let (sdk, pool) = (percentile(&mut sdk_times, 50), percentile(&mut pool_times, 50));
        println!("{what:<22} p50 Python SDK {sdk:>7.1} µs   pool {pool:>7.1} µs   {:.1} × faster", sdk / pool);
    }
    at_once(what, &bare, pool, name, sdk).await;
    bare.cancel().await.unwrap();
}

/// Time and CPU time a call, many of them under way at once. Behind HTTP the server is in this process, so that its CPU time
/// is in ours; behind pipes it is a process of its own.
async fn at_once(what: &str, bare: &Bare, pool: &ServerPool, name: &str, mut sdk: Option<Sdk>) {
    let (window, calls) = AT_ONCE;
    let (mut by_bare, mut by_ours, mut by_sdk) = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0));
    let rounds = ROUNDS / 5;
    let each = |(time, used): (f64, f64)| (time / (calls * rounds) as f64, used / (calls * rounds) as f64);
    for _ in 0..rounds {
        let (started, used) = (Instant::now(), cpu());
        stream::iter(0..calls).for_each_concurrent(window, |_| by_rmcp(bare)).await;
        by_bare = (by_bare.0 + started.elapsed().as_secs_f64() * 1e6, by_bare.1 + cpu() - used);
        let (started, used) = (Instant::now(), cpu());
        stream::iter(0..calls).for_each_concurrent(window, |_| by_pool(pool, name)).await;
        by_ours = (by_ours.0 + started.elapsed().as_secs_f64() * 1e6, by_ours.1 + cpu() - used);
        if let Some(sdk) = &mut sdk {
            let started = Instant::now();
            let round = tokio::task::block_in_place(|| sdk.round(calls, window));
            by_sdk = (by_sdk.0 + started.elapsed().as_secs_f64() * 1e6, by_sdk.1 + round.cpu);
        }
    }
    let ((bare, bare_cpu), (ours, ours_cpu)) = (each(by_bare), each(by_ours));
    println!("{what:<22} {window} at once: rmcp {bare:.1} µs a call ({bare_cpu:.1} of CPU), pool {ours:.1} µs ({ours_cpu:.1} of CPU)");
    if sdk.is_some() {
        let (sdk, sdk_cpu) = each(by_sdk);
        let (ratio, cpu_ratio) = (sdk / ours, sdk_cpu / ours_cpu);
        let holds = verdict(ratio.max(cpu_ratio) >= FASTER);
        println!(
            "{what:<22} {window} at once: Python SDK {sdk:.1} µs a call ({sdk_cpu:.1} of CPU): {ratio:.1} × the time, {cpu_ratio:.1} × the CPU   budget {FASTER} ×: {holds}"
        );
    }
}

/// The memory of this process alone, in bytes: what it has written and nobody shares.
fn memory() -> i64 {
    let smaps = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = smaps.lines().find(|line| line.starts_with("Private_Dirty:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<i64>().ok()).unwrap_or_default() * 1_024
}

/// What idle servers cost, beside a pool that had one before.
async fn idle() {
    let (servers, budget) = IDLE;
    pool(vec![program("first")], Vec::new()).await.shutdown().await;
    let before = memory();
    let pool = pool((0..servers).map(|n| program(&format!("idle{n}"))).collect(), Vec::new()).await;
    assert_eq!(pool.tools().len(), servers);
    let cost = memory() - before;
    let holds = verdict(cost <= budget);
    println!("{servers} idle servers over stdio: {:.1} MB   budget {} MB: {holds}", cost as f64 / 1e6, budget / 1_000_000);
    pool.shutdown().await;
}

async fn run() {
    idle().await;
    let url = listen().await;
    let behind = ServerOptions { name: "http".to_owned(), url: Some(url.clone()), ..ServerOptions::default() };
    let pool = pool(vec![program("stdio"), behind], vec![echo_tool()]).await;
    compare("echo in this process", bare_duplex().await, &pool, "local__echo", None).await;
    compare("echo over stdio", bare_stdio().await, &pool, "stdio__echo", Sdk::start(&["stdio", &this_program(), SERVE])).await;
    let transport = StreamableHttpClientTransport::from_uri(url.as_str());
    compare("echo over HTTP", bare(transport).await, &pool, "http__echo", Sdk::start(&["http", &url])).await;
    pool.shutdown().await;
}

fn main() {
    let is = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if is(SERVE) {
        runtime.block_on(async { Echo.serve(rmcp::transport::stdio()).await.unwrap().waiting().await.unwrap() });
        return;
    }
    // `cargo test --all-targets` runs benchmarks too; there is nothing to test here.
    if is("--bench") {
        runtime.block_on(run());
    }
}
