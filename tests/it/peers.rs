//! The server pool against real servers from npm and `PyPI`, installed by `.ci/peers`: over stdio, streamable HTTP and
//! HTTP+SSE, all at once; one of them killed during a call, one restarted between calls.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wakeful::domain::event::ErrorKind;
use wakeful::domain::event::McpEventType::{
    self, ServiceConnected, ServiceDisconnected, ServiceReconnecting, ServiceRegistered, ToolRegistered,
};
use wakeful::mcp::{ServerOptions, TransportKind, test_server};

use crate::mcp_support::{LIMIT, Pool, address, environment, http, kill_9, program, root, scripted};
use crate::support::Home;

/// The folder of the installed servers.
pub(super) fn installed() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let peers = target.join("peers");
    assert!(peers.join(".stamp").exists(), "the servers are not installed: run `.ci/peers`");
    peers
}

/// A Node.js of at least 22: the one from npm on Linux x64, else the system's.
pub(super) fn node_new() -> PathBuf {
    installed().join("node-new")
}

/// A program of the Python environment: `python`, `mcp-server-git`, …
pub(super) fn python(program: &str) -> PathBuf {
    installed().join("py/bin").join(program)
}

/// A file of an installed package of `@modelcontextprotocol`.
fn file_of(package: &str, file: &str) -> String {
    installed().join("node_modules/@modelcontextprotocol").join(package).join(file).to_str().unwrap().to_owned()
}

/// The program of a package of `@modelcontextprotocol`: a server, or the suite `conformance`.
pub(super) fn node_script(package: &str) -> String {
    file_of(package, "dist/index.js")
}

/// The program of the inspector; with `--cli` it asks once and prints JSON.
pub(super) fn inspector() -> String {
    file_of("inspector", "clients/launcher/build/index.js")
}

fn node(name: &str, package: &str, args: &[&str]) -> ServerOptions {
    let script = node_script(package);
    let args: Vec<&str> = std::iter::once(script.as_str()).chain(args.iter().copied()).collect();
    program(name, node_new(), &args)
}

#[test]
fn clients_are_the_versions_that_were_asked_for() {
    let run = |args: &[&str]| {
        let output = Command::new(node_new()).args(args).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap().trim().to_owned())
    };
    let (_, node) = run(&["--version"]);
    let major: u32 = node.trim_start_matches('v').split('.').next().unwrap().parse().unwrap();
    assert!(major >= 22, "{node}");
    assert_eq!(run(&[&node_script("conformance"), "--version"]), (true, "0.2.0-alpha.12".to_owned()));
    assert!(run(&[&inspector(), "--cli", "--help"]).0);
}

/// A server behind HTTP as a process of its own; killed at the end.
struct Behind {
    child: Child,
    port: u16,
}

impl Behind {
    async fn start(transport: &str, port: u16) -> Self {
        let mut command = Command::new(node_new());
        command.arg(node_script("server-everything")).arg(transport).env("PORT", port.to_string());
        Self::listening(command, port).await
    }

    async fn listening(mut command: Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(started.elapsed() < LIMIT, "the server does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { child, port }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    fn kill(&mut self) {
        kill_9(&self.child.id().to_string());
        self.child.wait().unwrap();
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_at_once_and_one_of_ten_is_killed_during_a_call() {
    let folder = tempfile::tempdir().unwrap();
    let memory_file = folder.path().join("memory.jsonl");
    let (streamable, sse) = tokio::join!(Behind::start("streamableHttp", free_port()), Behind::start("sse", free_port()));
    let mut memory = node("memory", "server-memory", &[]);
    memory.env.insert("MEMORY_FILE_PATH".to_owned(), memory_file.to_str().unwrap().to_owned());
    let mut servers = vec![
        node("everything", "server-everything", &["stdio"]),
        address("streamable", &streamable.url("mcp")),
        // `auto` finds out by itself that this one speaks the old transport.
        address("sse", &sse.url("sse")),
        node("files", "server-filesystem", &[folder.path().to_str().unwrap()]),
        memory,
        program("time", python("mcp-server-time"), &["--local-timezone", "UTC"]),
    ];
    servers.extend((1..=4).map(|n| ServerOptions { name: format!("extra{n}"), ..scripted("normal") }));
    let pool = Pool::start(servers);
    pool.settled().await;
    let seen: Vec<_> =
        pool.pool.servers().iter().take(6).map(|status| (status.name.to_string(), status.transport.clone(), status.tools)).collect();
    let expected = [
        ("everything", "stdio"),
        ("streamable", "streamable_http"),
        ("sse", "sse"),
        ("files", "stdio"),
        ("memory", "stdio"),
        ("time", "stdio"),
    ];
    for ((name, transport, tools), expected) in seen.iter().zip(expected) {
        assert_eq!((name.as_str(), transport.as_str()), expected, "{:#?}", pool.pool.servers());
        assert!(*tools >= 2, "{name} has {tools} tools");
    }
    // What is made with the Python SDK speaks the newest revision.
    let revision = |name: &str| Some(if name == "time" { "2026-07-28" } else { "2025-11-25" });
    let servers = pool.pool.servers();
    assert!(servers.iter().all(|status| status.protocol.as_deref() == revision(status.name.as_str())), "{servers:#?}");
    assert_eq!((seen[0].2, seen[1].2, seen[2].2), (EVERYTHING_TOOLS, EVERYTHING_TOOLS, EVERYTHING_TOOLS), "{:?}", pool.names());
    assert_eq!((seen[3].2, seen[4].2, seen[5].2), (14, 9, 2));

    for server in ["everything", "streamable", "sse"] {
        assert_eq!(pool.text(&format!("{server}__echo"), json!({"message": "hello"})).await, "Echo: hello");
    }
    let sum = pool.call("sse__get-sum", json!({"a": 2, "b": 3})).await.unwrap();
    assert!(sum.text.contains('5'), "{sum:?}");
    let image = pool.text("streamable__get-tiny-image", json!({})).await;
    assert!(image.contains("[image image/png "), "{image}");
    let structured = pool.call("everything__get-structured-content", json!({"location": "Chicago"})).await.unwrap();
    assert!(structured.structured.as_ref().is_some_and(Value::is_object), "{structured:?}");
    let file = folder.path().join("a.txt");
    pool.call("files__write_file", json!({"path": file, "content": "written by a server"})).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "written by a server");
    assert!(pool.tool("files__read_text_file").info().hints.read_only);
    pool.call(
        "memory__create_entities",
        json!({"entities": [{"name": "Ada", "entityType": "person", "observations": ["writes programs"]}]}),
    )
    .await
    .unwrap();
    assert!(pool.text("memory__search_nodes", json!({"query": "Ada"})).await.contains("writes programs"));
    assert!(pool.text("time__get_current_time", json!({"timezone": "Europe/Paris"})).await.contains("Europe/Paris"));

    // One is killed during a call; the nine others go on.
    let pid = everything_pid();
    let others = async {
        let long = json!({"duration": 1, "steps": 4});
        let (a, b) = tokio::join!(
            pool.call("streamable__trigger-long-running-operation", long.clone()),
            pool.call("sse__trigger-long-running-operation", long)
        );
        (a.unwrap(), b.unwrap())
    };
    let killed = async {
        let killer = async {
            pool.kept.until("everything", |events| events.iter().any(|event| event.event_type == McpEventType::Progress)).await;
            kill_9(&pid);
            Instant::now()
        };
        let (call, at) =
            tokio::join!(pool.call("everything__trigger-long-running-operation", json!({"duration": 20, "steps": 100})), killer);
        (call.unwrap_err(), at.elapsed())
    };
    let ((first, second), (error, after)) = tokio::join!(others, killed);
    assert!(first.text.contains("completed") && second.text.contains("completed"), "{first:?} {second:?}");
    assert_eq!(error.kind, ErrorKind::Disconnected);
    assert!(error.message.starts_with("server `everything` ended (signal: 9 (SIGKILL))"), "{error:?}");
    assert!(after < Duration::from_secs(3), "the call failed {after:?} after the kill");
    pool.kept.until_kind("everything", ServiceConnected, 2).await;
    assert_eq!(pool.text("everything__echo", json!({"message": "back"})).await, "Echo: back");
    let lived: Vec<_> = pool
        .kept
        .kinds("everything")
        .into_iter()
        .filter(|kind| !matches!(kind, McpEventType::Progress | McpEventType::Log | McpEventType::ListChanged))
        .collect();
    assert_eq!(lived, [ServiceRegistered, ServiceConnected, ToolRegistered, ServiceDisconnected, ServiceReconnecting, ServiceConnected]);
    assert_eq!(pool.kept.errors(), Vec::<String>::new());
    pool.pool.shutdown().await;
}

/// Tools of server-everything 2026.8.31 for a client without sampling, elicitation, roots and tasks.
const EVERYTHING_TOOLS: usize = 16;

/// The process of our own server-everything over stdio.
fn everything_pid() -> String {
    let ours = std::process::id().to_string();
    let is_it = |pid: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().unwrap_or_default().split(' ').nth(1).map(str::to_owned);
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        parent.as_ref() == Some(&ours) && line.contains("server-everything") && line.ends_with("stdio\0")
    };
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    pids.filter(|name| name.chars().all(|ch| ch.is_ascii_digit())).find(is_it).expect("the server runs")
}

/// One row of `mcp list --json`: name, transport, era, revision, tools.
type Row = (&'static str, &'static str, &'static str, &'static str, usize);

const LISTED: &[Row] = &[
    ("everything", "stdio", "legacy", "2025-11-25", EVERYTHING_TOOLS_ALL),
    ("streamable", "streamable_http", "legacy", "2025-11-25", EVERYTHING_TOOLS_ALL),
    ("sse", "sse", "legacy", "2025-11-25", EVERYTHING_TOOLS_ALL),
    ("folder", "stdio", "legacy", "2025-11-25", 14),
    ("memory", "stdio", "legacy", "2025-11-25", 9),
    ("thinking", "stdio", "legacy", "2025-11-25", 1),
    ("time", "stdio", "modern", "2026-07-28", 2),
    ("git", "stdio", "modern", "2026-07-28", 12),
    ("fetch", "stdio", "modern", "2026-07-28", 1),
    ("fast", "stdio", "modern", "2026-07-28", 3),
    ("fast-http", "streamable_http", "modern", "2026-07-28", 3),
];

/// Tools of server-everything 2026.8.31 for the program, which answers its questions. The other two of its 19,
/// `trigger-sampling-request-async` and `trigger-elicitation-request-async`, are for clients that keep tasks of their own.
const EVERYTHING_TOOLS_ALL: usize = 17;

/// One `[[mcp_servers]]` of a config. Python servers take seconds to start on a machine under load.
fn configured(options: &ServerOptions) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let target = match (&options.url, &options.command) {
        (Some(url), _) => format!("url = {}", quoted(url)),
        (None, command) => {
            format!("command = {}\nargs = {}", quoted(command.as_deref().unwrap()), serde_json::to_string(&options.args).unwrap())
        }
    };
    format!("[[mcp_servers]]\nname = {}\nstartup_timeout_seconds = 60\n{target}\n", quoted(&options.name))
}

/// `FastMCP` behind HTTP.
async fn fast_behind(port: u16) -> Behind {
    let mut command = Command::new(python("python"));
    command.arg(root().join("tests/peers/fast.py")).arg(port.to_string());
    Behind::listening(command, port).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_all_shows_eras_and_tools_and_why_one_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert!(Command::new("git").args(["init", "--quiet", path]).status().unwrap().success());
    let (streamable, sse, fast) =
        tokio::join!(Behind::start("streamableHttp", free_port()), Behind::start("sse", free_port()), fast_behind(free_port()));
    let database = folder.path().join("a.db");
    let servers = [
        node("everything", "server-everything", &["stdio"]),
        address("streamable", &streamable.url("mcp")),
        address("sse", &sse.url("sse")),
        node("folder", "server-filesystem", &[path]),
        node("memory", "server-memory", &[]),
        node("thinking", "server-sequential-thinking", &[]),
        program("time", python("mcp-server-time"), &["--local-timezone", "UTC"]),
        program("git", python("mcp-server-git"), &["--repository", path]),
        program("fetch", python("mcp-server-fetch"), &[]),
        program("fast", python("python"), &[root().join("tests/peers/fast.py").to_str().unwrap()]),
        address("fast-http", &fast.url("mcp")),
        program("sqlite", python("mcp-server-sqlite"), &["--db-path", database.to_str().unwrap()]),
    ];
    // Nobody is there to agree to commands.
    let home = Home::with(&format!("[mcp]\nconfirm_commands = false\n{}", servers.iter().map(configured).collect::<String>()));
    let ran = tokio::task::spawn_blocking(move || home.run(&["mcp", "list", "--json"])).await.unwrap();
    let rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}: {rows:#?}"));
    for (name, transport, era, protocol, tools) in LISTED {
        let wanted = json!({"state": "ready", "transport": transport, "era": era, "protocol": protocol, "tools": tools});
        let seen: Value = wanted.as_object().unwrap().keys().map(|key| (key.clone(), row(name)[key].clone())).collect();
        assert_eq!(seen, wanted, "{name}");
    }
    let sqlite = row("sqlite");
    assert!(["failing", "failed"].contains(&sqlite["state"].as_str().unwrap()), "{sqlite:#}");
    let reason = sqlite["reason"].as_str().unwrap();
    assert!(reason.contains("exit status: 1") && reason.contains("AttributeError: 'Server' object has no attribute"), "{reason}");
}

async fn killed_and_restarted(transport: &'static str, path: &str) {
    let mut behind = Behind::start(transport, free_port()).await;
    let pool = Pool::start(vec![address("behind", &behind.url(path))]);
    pool.settled().await;
    assert_eq!(pool.text("behind__echo", json!({"message": "one"})).await, "Echo: one");
    let call = pool.call("behind__trigger-long-running-operation", json!({"duration": 20, "steps": 100}));
    let killer = async {
        pool.kept.until("behind", |events| events.iter().any(|event| event.event_type == McpEventType::Progress)).await;
        behind.kill();
        Instant::now()
    };
    let (error, at) = tokio::join!(call, killer);
    let error = error.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Disconnected, "{error:?}");
    assert!(at.elapsed() < Duration::from_secs(5), "the call failed {:?} after the kill", at.elapsed());
    pool.kept.until_kind("behind", ServiceReconnecting, 1).await;
    let _again = Behind::start(transport, behind.port).await;
    pool.kept.until_kind("behind", ServiceConnected, 2).await;
    assert_eq!(pool.text("behind__echo", json!({"message": "two"})).await, "Echo: two");
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn a_killed_streamable_http_server_fails_its_call_and_comes_back() {
    killed_and_restarted("streamableHttp", "mcp").await;
}

#[tokio::test]
async fn a_killed_sse_server_fails_its_call_and_comes_back() {
    killed_and_restarted("sse", "sse").await;
}

#[tokio::test]
async fn a_server_restarted_between_calls_costs_no_call() {
    let mut behind = Behind::start("streamableHttp", free_port()).await;
    let pool = Pool::start(vec![address("behind", &behind.url("mcp"))]);
    pool.settled().await;
    behind.kill();
    let again = Behind::start("streamableHttp", behind.port).await;
    assert_eq!(pool.text("behind__echo", json!({"message": "same call"})).await, "Echo: same call");
    drop(again);
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn replicas_take_over() {
    let (mut first, second) = tokio::join!(Behind::start("streamableHttp", free_port()), Behind::start("streamableHttp", free_port()));
    let options = ServerOptions { replicas: vec![second.url("mcp")], ..address("twice", &first.url("mcp")) };
    let pool = Pool::start(vec![options]);
    pool.settled().await;
    pool.kept.until_kind("twice", ServiceConnected, 2).await;
    let long = || pool.call("twice__trigger-long-running-operation", json!({"duration": 1, "steps": 2}));
    let (a, b) = tokio::join!(long(), long());
    assert!(a.is_ok() && b.is_ok());
    first.kill();
    for n in 0..6 {
        assert_eq!(pool.text("twice__echo", json!({"message": n.to_string()})).await, format!("Echo: {n}"));
    }
    assert!(pool.is_ready("twice"));
    assert!(!pool.kept.kinds("twice").contains(&ServiceDisconnected), "one replica still answers");
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn a_real_server_is_tested_over_each_transport() {
    let (streamable, sse) = tokio::join!(Behind::start("streamableHttp", free_port()), Behind::start("sse", free_port()));
    let forced = |name: &str, url: String, transport| ServerOptions { transport, ..address(name, &url) };
    let good = [
        node("stdio", "server-everything", &[]),
        forced("streamable", streamable.url("mcp"), TransportKind::StreamableHttp),
        forced("sse", sse.url("sse"), TransportKind::Sse),
    ];
    for options in good {
        let report = test_server(&options, http(), environment()).await;
        assert!(report.ok && report.tools.len() == EVERYTHING_TOOLS && report.ping_ms.is_some(), "{report:#?}");
        assert!(report.server.as_deref().is_some_and(|server| server.contains("everything")), "{report:#?}");
    }
    let wrong = test_server(&forced("wrong", streamable.url("nothing"), TransportKind::Auto), http(), environment()).await;
    let error = wrong.error.unwrap();
    assert!(error.contains("streamable_http: it answered HTTP 404") && error.contains("sse: "), "{error}");
}
