//! The server pool against scripted servers over real pipes: good ones, bad ones, dying ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;
use wakeful::domain::command::McpCommand;
use wakeful::domain::event::ErrorKind;
use wakeful::domain::event::McpEventType::{
    self, ServiceConnected, ServiceDisconnected, ServiceReconnecting, ServiceRegistered, ToolRegistered,
};
use wakeful::domain::query::ServerState;
use wakeful::domain::tool::{ToolHints, ToolInfo};
use wakeful::mcp::{CommandError, Level, PoolOptions, ServerOptions, call_once, serve_on, test_server};
use wakeful::tools::{CallContext, Tool, ToolError, ToolOutcome, ToolSource};

use crate::mcp_support::{Pool, address, context, environment, http, is_alive, object, program, quick, scripted, until_gone};

/// A tool of our own.
struct Ours {
    info: ToolInfo,
}

fn ours(server: &str, tool: &str) -> Arc<dyn Tool> {
    let info = ToolInfo {
        name: format!("{server}__{tool}").into(),
        server: server.into(),
        tool: tool.to_owned(),
        title: None,
        description: "ours".to_owned(),
        parameters: object(json!({"type": "object", "properties": {"text": {"type": "string"}}})).into(),
        output: None,
        hints: ToolHints::READ_ONLY,
        trusted: true,
    };
    Arc::new(Ours { info })
}

impl Tool for Ours {
    fn info(&self) -> &ToolInfo {
        &self.info
    }

    fn preview<'a>(&'a self, _arguments: &'a Map<String, Value>) -> BoxFuture<'a, Option<String>> {
        std::future::ready(Some("what it would do".to_owned())).boxed()
    }

    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>> {
        let tool = self.info.tool.clone();
        async move {
            match tool.as_str() {
                "panic" => panic!("a bug"),
                "refuse" => Err(ToolError::new(ErrorKind::Refused, "not allowed here")),
                "wait" => {
                    context.cancel.cancelled().await;
                    Err(ToolError::new(ErrorKind::Interrupted, "stopped"))
                }
                _ => Ok(ToolOutcome {
                    text: format!("{} {} {}", arguments["text"].as_str().unwrap(), context.call_id, context.session.unwrap()),
                    structured: Some(json!({"n": 1})),
                    is_error: false,
                }),
            }
        }
        .boxed()
    }
}

#[tokio::test]
async fn our_own_tools_are_a_server_like_any_other() {
    let local = vec![("house".into(), vec![ours("house", "echo"), ours("house", "panic"), ours("house", "refuse"), ours("house", "wait")])];
    let pool = Pool::with(Vec::new(), local, quick());
    pool.settled().await;
    let status = pool.status("house");
    assert_eq!((status.transport.as_str(), status.tools, &status.status), ("builtin", 4, &ServerState::Ready));
    let info = pool.tool("house__echo").info().clone();
    assert!(info.trusted && info.hints == ToolHints::READ_ONLY);
    let outcome = pool.call("house__echo", json!({"text": "hello"})).await.unwrap();
    assert_eq!((outcome.text.as_str(), outcome.structured), ("hello call-1 session-1", Some(json!({"n": 1}))));
    assert_eq!(pool.tool("house__echo").preview(&Map::new()).await.as_deref(), Some("what it would do"));
    assert_eq!(pool.call("house__refuse", json!({})).await.unwrap_err(), ToolError::new(ErrorKind::Refused, "not allowed here"));
    assert!(pool.call("house__panic", json!({})).await.unwrap_err().message.contains("broke down"));
    let cancel = CancellationToken::new();
    let (stopped, ()) = tokio::join!(pool.call_with("house__wait", json!({}), cancel.clone()), async { cancel.cancel() });
    assert_eq!(stopped.unwrap_err().kind, ErrorKind::Interrupted);
    assert_eq!(pool.kept.kinds("house")[..3], [ServiceRegistered, ServiceConnected, ToolRegistered]);
    let status = pool.status("house");
    assert_eq!((status.calls, status.failures), (4, 3));
    assert!(status.p50_ms.is_some() && status.p95_ms >= status.p50_ms);

    let tool = |name: &str, on: bool| McpCommand::Tool { server: "house".into(), tool: name.to_owned(), on };
    pool.pool.command(tool("echo", false)).unwrap();
    assert!(!pool.names().iter().any(|name| name == "house__echo") && pool.pool.find(&"house__echo".into()).is_none());
    let status = pool.status("house");
    assert_eq!((status.tools, status.held_tools), (3, vec!["echo".to_owned()]));
    pool.pool.command(tool("echo", true)).unwrap();
    assert!(pool.pool.find(&"house__echo".into()).is_some());
    assert_eq!(pool.pool.command(tool("nothing", false)), Err(CommandError::NoTool("house".into(), "nothing".to_owned())));
    assert_eq!(pool.pool.command(McpCommand::Remove("house".into())), Err(CommandError::BuiltIn("house".into())));
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn a_scripted_server_is_used_and_the_handshake_is_of_2025_11_25() {
    let pool = Pool::start(vec![scripted("reveal")]);
    pool.settled().await;
    let connected = pool.kept.until_kind("reveal", ServiceConnected, 1).await;
    let details = &connected.iter().find(|event| event.event_type == ServiceConnected).unwrap().details;
    assert_eq!(details, &json!({"tools": 16, "transport": "stdio", "protocol": "2025-11-25", "era": "legacy", "server": "scripted 1.0"}));
    assert_eq!(pool.text("reveal__echo", json!({"text": "hi\u{1b}[31m"})).await, "hi");
    assert_eq!(pool.pool.server_log(&"reveal".into(), 10), ["asked for 2025-11-25"]);
    let refused = pool.call("reveal__refuse", json!({})).await.unwrap_err();
    assert_eq!(refused, ToolError::new(ErrorKind::BadArguments, "`x` is missing"));
    let rude = pool.call("reveal__rude", json!({})).await.unwrap_err();
    assert!(rude.message.contains("I do not feel like it"), "{rude:?}");
    let blocks = pool.call("reveal__blocks", json!({})).await.unwrap();
    assert_eq!((blocks.text.as_str(), blocks.structured), ("[hologram of unknown type 3 B]\nkept", Some(json!({"a": 1}))));
    let huge = pool.call("reveal__huge", json!({})).await.unwrap_err();
    assert!(huge.message.contains("over 16 MiB"), "{huge:?}");
    assert!(pool.is_ready("reveal"), "bad answers cost no connection");
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn a_server_that_dies_fails_its_calls_at_once_and_comes_back() {
    let mut good = scripted("normal");
    good.name = "good".to_owned();
    let pool = Pool::start(vec![scripted("normal"), good]);
    pool.settled().await;
    let pid = pool.text("normal__pid", json!({})).await;
    let started = Instant::now();
    let (stuck, died, other) = tokio::join!(
        pool.call("normal__stuck", json!({})),
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            pool.call("normal__die", json!({})).await
        },
        pool.call("good__sleep", json!({"seconds": 0.3})),
    );
    for error in [stuck.unwrap_err(), died.unwrap_err()] {
        assert_eq!(error.kind, ErrorKind::Disconnected);
        assert_eq!(error.message, "server `normal` ended (exit status: 7): error: the reactor is gone");
    }
    assert_eq!(other.unwrap().text, "slept");
    assert!(started.elapsed() < Duration::from_secs(5));
    pool.kept.until_kind("normal", ServiceConnected, 2).await;
    assert_ne!(pool.text("normal__pid", json!({})).await, pid);
    let order = [ServiceRegistered, ServiceConnected, ToolRegistered, ServiceDisconnected, ServiceReconnecting, ServiceConnected];
    assert_eq!(pool.kept.kinds("normal"), order);
    let events = pool.kept.of("normal");
    assert_eq!(events[3].details, json!({"reason": "ended (exit status: 7): error: the reactor is gone"}));
    assert_eq!((&events[4].details["attempt"], events[4].details["delay_ms"].is_u64()), (&json!(1), true));
    assert_eq!(pool.kept.kinds("good"), [ServiceRegistered, ServiceConnected, ToolRegistered]);
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn bad_starts_are_told_with_their_reason_and_hold_up_nobody() {
    let mut hang = scripted("hang");
    hang.startup_timeout_seconds = 4;
    let missing = program("missing", "/no/such/program", &[]);
    let wrong = ServerOptions { name: "wrong".to_owned(), ..ServerOptions::default() };
    let pool = Pool::start(vec![hang, scripted("crash"), missing, wrong, scripted("normal"), address("refused", "http://127.0.0.1:1/mcp")]);
    pool.kept.until_kind("normal", ServiceConnected, 1).await;
    pool.settled().await;
    let reason = |name: &str| match pool.status(name).status {
        ServerState::Failing { reason, .. } | ServerState::Failed { reason } => reason,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(reason("hang"), "no answer to the handshake within 4 s; it last said: thinking about it");
    assert_eq!(reason("crash"), "the program ended (exit status: 3): ValueError: bad luck");
    assert!(reason("missing").starts_with("could not start `/no/such/program`: no such program"), "{}", reason("missing"));
    assert!(matches!(pool.status("missing").status, ServerState::Failed { .. }), "a person has to act");
    assert!(
        reason("refused").contains("could not reach http://127.0.0.1:1/mcp: ") && reason("refused").contains("refused"),
        "{}",
        reason("refused")
    );
    assert!(pool.is_ready("normal"));
    let errors = pool.kept.errors().join("\n");
    for part in ["`wrong`: `command` is missing", "install the program", "ValueError: bad luck", "Traceback"] {
        assert!(errors.contains(part), "{part} is not in {errors}");
    }
    assert!(reason("wrong").contains("`command` is missing"), "{}", reason("wrong"));
    let started = Instant::now();
    pool.pool.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn lists_of_tools_are_read_within_limits_and_salvaged() {
    let options = PoolOptions { tools_max: 150, ..quick() };
    let pool = Pool::with(["bad-tools", "same-cursor", "endless", "pages", "noise"].map(scripted).to_vec(), Vec::new(), options);
    pool.settled().await;
    let of = |server: &str| pool.names().into_iter().filter(|name| name.starts_with(&format!("{server}__"))).collect::<Vec<_>>();
    assert_eq!(of("bad-tools"), ["bad-tools__echo", "bad-tools__bare", "bad-tools__odd"]);
    assert_eq!(of("same-cursor"), ["same-cursor__t0", "same-cursor__t1"]);
    assert_eq!(of("endless").len(), 100);
    assert_eq!(of("pages"), ["pages__t0", "pages__t1", "pages__t2"]);
    assert!(pool.pool.server_log(&"bad-tools".into(), 20).iter().any(|line| line.contains("`bare` has no input schema")));
    assert_eq!(pool.pool.server_log(&"noise".into(), 5), ["[stdout] Welcome to the scripted server!"]);
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn a_flood_of_error_output_harms_nothing() {
    let pool = Pool::start(vec![scripted("flood")]);
    pool.settled().await;
    assert_eq!(pool.text("flood__echo", json!({"text": "through"})).await, "through");
    let log = pool.pool.server_log(&"flood".into(), 10_000);
    assert!(log.len() <= 500 && log.iter().all(|line| line.chars().count() <= 1_000));
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let mut servers = ["normal", "deaf"].map(scripted).to_vec();
    servers.push(ServerOptions { name: "third".to_owned(), ..scripted("normal") });
    let pool = Pool::start(servers);
    pool.settled().await;
    let mut pids = Vec::new();
    for server in ["normal", "deaf", "third"] {
        let text = pool.text(&format!("{server}__child"), json!({})).await;
        pids.extend(text.split(' ').map(str::to_owned).collect::<Vec<_>>());
    }
    assert!(pids.iter().all(|pid| is_alive(pid)));
    // A server that dies takes what it started with it.
    let _ = pool.call("third__die", json!({})).await.unwrap_err();
    until_gone(&pids[5]).await;
    let started = Instant::now();
    pool.pool.shutdown().await;
    assert!(started.elapsed() < Duration::from_millis(3_500), "{:?}", started.elapsed());
    for pid in &pids {
        until_gone(pid).await;
    }
}

#[test]
fn nothing_is_left_behind_when_everything_is_dropped() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let pids = runtime.block_on(async {
        let pool = Pool::start(vec![scripted("deaf")]);
        pool.settled().await;
        let pids = pool.text("deaf__child", json!({})).await;
        std::mem::forget(pool.pool.clone());
        pids
    });
    assert!(pids.split(' ').all(is_alive));
    drop(runtime);
    let waiter = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for pid in pids.split(' ') {
        waiter.block_on(until_gone(pid));
    }
}

#[tokio::test]
async fn changed_lists_are_read_again_once() {
    let pool = Pool::start(vec![scripted("normal")]);
    pool.settled().await;
    assert_eq!(pool.text("normal__storm", json!({})).await, "stormed");
    let events = pool.kept.until_kind("normal", ToolRegistered, 2).await;
    assert_eq!(events.last().unwrap().details, json!({"tools": ["stormy"]}));
    let changes = events.iter().filter(|event| event.event_type == McpEventType::ListChanged).count();
    assert!((1..=3).contains(&changes), "200 notices became {changes}");
    pool.tool("normal__stormy");
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn calls_are_limited_stopped_and_kept_alive_by_progress() {
    let mut options = scripted("normal");
    options.tool_timeout_seconds = 1;
    let pool = Pool::with(vec![options], Vec::new(), PoolOptions { call_cap_seconds: 3, ..quick() });
    pool.settled().await;
    let late = pool.call("normal__stuck", json!({})).await.unwrap_err();
    assert_eq!(late.kind, ErrorKind::TimedOut);
    assert!(late.message.contains("within 1 s") && late.message.contains("unknown"), "{late:?}");
    assert_eq!(pool.text("normal__progress", json!({"steps": 4, "every": 0.5})).await, "done");
    let progress: Vec<_> = pool.kept.of("normal").into_iter().filter(|event| event.event_type == McpEventType::Progress).collect();
    assert_eq!(progress[0].details, json!({"progress": 1.0, "call_id": "call-1", "total": 3.0, "message": "step 1"}));
    let stored = pool.kept.all().iter().any(|event| event.seq.is_some() && format!("{:?}", event.body).contains("Progress"));
    assert!(!stored, "progress is not stored");
    let capped = pool.call("normal__progress", json!({"steps": 20, "every": 0.5})).await.unwrap_err();
    assert_eq!(capped.kind, ErrorKind::TimedOut);
    let cancel = CancellationToken::new();
    let started = Instant::now();
    let (stopped, ()) = tokio::join!(pool.call_with("normal__stuck", json!({}), cancel.clone()), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cancel.cancel();
    });
    assert_eq!(stopped.unwrap_err().kind, ErrorKind::Interrupted);
    assert!(started.elapsed() < Duration::from_millis(700));
    // A caller that goes away counts as a stop.
    let tool = pool.tool("normal__stuck");
    drop(tokio::time::timeout(Duration::from_millis(100), tool.call(Map::new(), context(CancellationToken::new()))).await);
    let told = async {
        loop {
            let told: Vec<String> = serde_json::from_str(&pool.text("normal__cancelled", json!({})).await).unwrap();
            if told.len() == 4 {
                return told;
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
    assert_eq!(told.iter().filter(|reason| *reason == "no answer in time").count(), 2);
    assert!(told.contains(&"the caller went away".to_owned()), "{told:?}");
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn a_servers_log_messages_are_events_within_a_limit() {
    let pool = Pool::start(vec![scripted("normal")]);
    pool.settled().await;
    assert_eq!(pool.text("normal__say", json!({"count": 300})).await, "said");
    let logs = pool.kept.until_kind("normal", McpEventType::Log, 20).await;
    let logs: Vec<_> = logs.into_iter().filter(|event| event.event_type == McpEventType::Log).collect();
    assert!(logs.len() < 60, "{} of 300 were stored", logs.len());
    let first = &logs[0].details;
    assert_eq!((&first["level"], &first["logger"]), (&json!("warning"), &json!("scripted")));
    assert!(first["message"].as_str().unwrap().starts_with("said "), "{first}");
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn programs_see_only_what_they_are_meant_to() {
    let mut options = scripted("normal");
    options.env.insert("GIVEN".to_owned(), "yes".to_owned());
    let pool = Pool::start(vec![options]);
    pool.settled().await;
    let seen: Map<String, Value> = serde_json::from_str(&pool.text("normal__env", json!({})).await).unwrap();
    assert_eq!(seen["GIVEN"], "yes");
    assert!(seen.contains_key("PATH"));
    assert!(!seen.keys().any(|name| name.starts_with("CARGO")), "{:?}", seen.keys());
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn servers_are_commanded() {
    let pool = Pool::start(vec![scripted("normal")]);
    pool.settled().await;
    let pid = pool.text("normal__pid", json!({})).await;
    pool.pool.command(McpCommand::Disable("normal".into())).unwrap();
    pool.kept.until_kind("normal", McpEventType::ToolUnregistered, 1).await;
    until_gone(&pid).await;
    assert_eq!((pool.status("normal").status, pool.names().len()), (ServerState::Disabled, 0));
    pool.pool.command(McpCommand::Enable("normal".into())).unwrap();
    pool.kept.until_kind("normal", ToolRegistered, 2).await;
    let tool = pool.tool("normal__echo");
    let pid = pool.text("normal__pid", json!({})).await;
    pool.pool.command(McpCommand::Restart("normal".into())).unwrap();
    until_gone(&pid).await;
    assert_eq!(pool.text("normal__echo", json!({"text": "waits for it"})).await, "waits for it");
    let target = scripted("pages");
    let target = format!("python3 {}", target.args.join(" "));
    pool.pool.command(McpCommand::Add { name: "added".into(), target: target.clone() }).unwrap();
    pool.kept.until_kind("added", ToolRegistered, 1).await;
    assert_eq!(pool.pool.command(McpCommand::Add { name: "added".into(), target }), Err(CommandError::Taken("added".into())));
    pool.pool.command(McpCommand::Remove("normal".into())).unwrap();
    let gone = tool.call(Map::new(), context(CancellationToken::new())).await.unwrap_err();
    assert!(matches!(gone.kind, ErrorKind::NotFound | ErrorKind::Disconnected), "{gone:?}");
    assert_eq!(pool.pool.servers().len(), 1);
    assert_eq!(pool.pool.command(McpCommand::Restart("normal".into())), Err(CommandError::Unknown("normal".into())));
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn one_server_is_tested_and_called_without_a_pool() {
    let report = test_server(&scripted("bad-tools"), http(), environment()).await;
    // It can be used, but it is not as MCP asks for.
    let wrong = report.checks.iter().filter(|check| check.level == Level::Fail).count();
    assert!(!report.ok && report.error.is_none() && wrong == 6, "{report:?}");
    assert_eq!((report.protocol.as_deref(), report.server.as_deref()), (Some("2025-11-25"), Some("scripted 1.0")));
    assert_eq!((report.tools.len(), report.notes.len(), report.capabilities.contains(&"tools".to_owned())), (3, 5, true));
    assert!(report.ping_ms.is_some());
    let report = test_server(&scripted("crash"), http(), environment()).await;
    assert!(!report.ok && report.error.as_deref().unwrap().contains("bad luck") && report.stderr.len() == 2, "{report:?}");
    let cancel = CancellationToken::new();
    let outcome = call_once(&scripted("normal"), "echo", object(json!({"text": "once"})), http(), environment(), cancel).await;
    assert_eq!(outcome.unwrap().text, "once");
}

#[tokio::test]
async fn our_tools_are_offered_to_other_clients() {
    let (ours_end, theirs) = tokio::io::duplex(4_096);
    let (read, write) = tokio::io::split(ours_end);
    let tools = vec![ours("a", "echo"), ours("a", "same"), ours("b", "same")];
    let serving = tokio::spawn(serve_on(wakeful::mcp::Own::new(tools), read, write, CancellationToken::new()));
    let (read, mut write) = tokio::io::split(theirs);
    let mut lines = BufReader::new(read).lines();
    let mut ask = async |message: Value, answered: bool| {
        write.write_all(format!("{message}\n").as_bytes()).await.unwrap();
        if answered { serde_json::from_str::<Value>(&lines.next_line().await.unwrap().unwrap()).unwrap() } else { Value::Null }
    };
    let client = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let shaken = ask(json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client}), true).await;
    assert_eq!((&shaken["result"]["serverInfo"]["name"], &shaken["result"]["protocolVersion"]), (&json!("wakeful"), &json!("2025-06-18")));
    ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}), false).await;
    let listed = ask(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}), true).await;
    let names: Vec<_> = listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["echo", "a__same", "b__same"]);
    assert_eq!(listed["result"]["tools"][0]["annotations"]["readOnlyHint"], json!(true));
    let refused = ask(json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "none"}}), true).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("no tool `none`"));
    drop((write, lines));
    tokio::time::timeout(Duration::from_secs(20), serving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn names_do_not_depend_on_the_order_of_connection() {
    let servers = ["normal", "pages", "bad-tools"].map(scripted);
    let mut reversed = servers.to_vec();
    reversed.reverse();
    let (first, second) = (Pool::start(servers.to_vec()), Pool::start(reversed));
    tokio::join!(first.settled(), second.settled());
    let sorted = |pool: &Pool| {
        let mut names = pool.names();
        names.sort();
        names
    };
    assert_eq!(sorted(&first), sorted(&second));
    assert_eq!(first.pool.servers().len(), ToolSource::servers(&first.pool).len());
    tokio::join!(first.pool.shutdown(), second.pool.shutdown());
}

#[tokio::test]
async fn our_own_tools_are_stopped_with_the_pool() {
    let pool = Pool::with(Vec::new(), vec![("house".into(), vec![ours("house", "wait")])], quick());
    pool.settled().await;
    let started = Instant::now();
    let (stopped, ()) = tokio::join!(pool.call("house__wait", json!({})), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        pool.pool.shutdown().await;
    });
    assert!(matches!(stopped.unwrap_err().kind, ErrorKind::Disconnected | ErrorKind::Interrupted));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}
