//! The program as a coordinator: every way in, keys, and what it gives back; against clients and servers that others wrote.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wakeful::domain::clock::Instant as At;
use wakeful::domain::ids::{InteractionId, RecordId};
use wakeful::domain::interaction::{Action, InteractionRecord};
use wakeful::interactions::outgoing::Outgoing;
use wakeful::interactions::streams::StreamOptions;
use wakeful::interactions::transport::grpc::{Grpc, GrpcOptions};
use wakeful::interactions::transport::redis::Redis;
use wakeful::interactions::transport::{Settled, Transport, Trouble, Verdict};
use wakeful::store::interaction_logs::{Exchange, ExchangeUrl, Fate, Row};

use crate::mail::certificate;
use crate::mcp_support::root;
use crate::peers::python;
use crate::support::Home;

/// The longest that anything may take: a bound for what hangs, not a measure.
const LIMIT: Duration = Duration::from_mins(1);

/// A running `wakeful coordinator`; killed when dropped.
struct Coordinator {
    http: SocketAddr,
    grpc: Option<SocketAddr>,
    child: Child,
}

impl Coordinator {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let all: Vec<&str> = ["coordinator", "--listen", "127.0.0.1:0"].iter().chain(arguments).copied().collect();
        let mut child = home.wakeful(&all).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut next = || lines.next().expect("it ended before it listened").unwrap();
        let url = next();
        let url = url.split("://").nth(1).unwrap_or_else(|| panic!("{url}")).split('/').next().unwrap().to_owned();
        let grpc = arguments.contains(&"--grpc").then(|| next().split_once("gRPC: ").unwrap().1.parse().unwrap());
        std::thread::spawn(move || lines.for_each(drop));
        Self { http: url.parse().unwrap(), grpc, child }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut words =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n", self.http, body.len());
        headers.iter().for_each(|(name, value)| words += &format!("{name}: {value}\r\n"));
        stream.write_all(format!("{words}\r\n").as_bytes()).unwrap();
        // Who is refused for what the head says may be gone before the body is.
        let _ = stream.write_all(body);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(all[..end].to_vec()).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, all[end + 4..].to_vec())
    }

    fn json(&self, method: &str, path: &str, key: Option<&str>, body: &Value) -> (u16, Value) {
        let bearer = key.map(|key| format!("Bearer {key}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let body = if method == "GET" { Vec::new() } else { body.to_string().into_bytes() };
        let (status, _, answer) = self.ask(method, path, &headers, &body);
        (status, serde_json::from_slice(&answer).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&answer))))
    }

    fn report(&self, key: Option<&str>, body: &Value) -> (u16, Value) {
        self.json("POST", "/api/v2/interactions", key, body)
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.json("GET", path, None, &Value::Null)
    }

    fn stored(&self) -> u64 {
        self.get("/api/v2/health").1["records"].as_u64().unwrap()
    }

    fn until_stored(&self, count: u64) {
        let since = Instant::now();
        while self.stored() != count {
            assert!(since.elapsed() < LIMIT, "{} of {count} are stored", self.stored());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it by the signal that a service manager sends; its exit code.
    fn stop(mut self) -> i32 {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn record(number: usize) -> InteractionRecord {
    InteractionRecord {
        record_id: RecordId::new(format!("r-{number}")),
        action: if number.is_multiple_of(2) { Action::Start } else { Action::Complete },
        interaction_id: InteractionId::new(format!("int_{}", number / 2)),
        mcp_id: "me".to_owned(),
        timestamp: At::from_millis(1_700_000_000_000 + i64::try_from(number).unwrap()),
        payload: json!({"success": true, "processing_time": 0.25, "adapter_used": "fast"}).as_object().unwrap().clone(),
    }
}

fn batch(numbers: std::ops::Range<usize>) -> Value {
    numbers.map(|number| record(number).to_json()).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

#[test]
fn accepted_means_on_disk_and_each_record_counts_once() {
    let home = Home::with("");
    let coordinator = Coordinator::start(&home, &[]);
    assert_eq!(coordinator.report(None, &batch(0..100)), (200, json!({"status": "accepted", "stored": 100})));
    assert_eq!(coordinator.report(None, &batch(50..150)), (200, json!({"status": "accepted", "stored": 50})));
    let mixed = json!([record(150).to_json(), {"action": "dance", "record_id": "x"}, record(151).to_json()]);
    let (status, answer) = coordinator.report(None, &mixed);
    assert_eq!((status, &answer["stored"], &answer["rejected"][0]["index"]), (200, &json!(2), &json!(1)), "{answer}");
    let (status, problem) = coordinator.report(None, &json!({"action": "dance"}));
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/action")), "{problem}");

    // Packed bodies, also ones that would fill the memory.
    let gzip = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    assert_eq!(coordinator.ask("POST", "/api/v2/interactions", &headers, &gzip(batch(152..160).to_string().as_bytes())).0, 200);
    assert_eq!(coordinator.ask("POST", "/api/v2/interactions", &headers, &gzip(&vec![b' '; 64 << 20])).0, 413);
    assert_eq!(coordinator.ask("POST", "/api/v2/interactions", &headers, b"no gzip").0, 400);
    let strange = [("content-type", "application/json"), ("content-encoding", "br")];
    assert_eq!(coordinator.ask("POST", "/api/v2/interactions", &strange, b"x").0, 415);

    // Killed the moment after it said so.
    assert_eq!(coordinator.report(None, &batch(160..260)).0, 200);
    drop(coordinator);
    let coordinator = Coordinator::start(&home, &[]);
    assert_eq!(coordinator.stored(), 260);
    assert_eq!(coordinator.stop(), 0);
}

#[test]
fn what_was_reported_can_be_asked_for() {
    let home = Home::with("");
    let coordinator = Coordinator::start(&home, &[]);
    coordinator.report(None, &batch(0..100));
    let (_, one) = coordinator.get("/api/v2/interactions/int_7");
    let ids: Vec<&str> = one["records"].as_array().unwrap().iter().map(|record| record["record_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["r-14", "r-15"]);
    assert_eq!(coordinator.get("/api/v2/interactions/int_x").0, 404);
    let mut seen = 0;
    let mut path = "/api/v2/interactions?status=complete&limit=20&mcp_id=me&since=2023-11-14T22:13:20Z".to_owned();
    loop {
        let (status, page) = coordinator.get(&path);
        assert_eq!(status, 200, "{page}");
        seen += page["records"].as_array().unwrap().len();
        let Some(next) = page["next"].as_u64() else { break };
        path = format!("/api/v2/interactions?status=complete&limit=20&mcp_id=me&since=2023-11-14T22:13:20Z&cursor={next}");
    }
    assert_eq!(seen, 50);
    for query in ["status=x", "since=yesterday", "limit=0", "cursor=x", "order=up"] {
        assert_eq!(coordinator.get(&format!("/api/v2/interactions?{query}")).0, 400, "{query}");
    }
    let window = "since=1700000000&until=1700000010";
    let (_, figures) = coordinator.get(&format!("/api/v2/interactions/statistics?{window}"));
    assert_eq!((&figures["total"]["records"], &figures["total"]["completed"]), (&json!(100), &json!(50)), "{figures}");
    assert_eq!((&figures["by_adapter"][0]["name"], &figures["total"]["error_share"]), (&json!("fast"), &json!(0.0)), "{figures}");
    let (status, head, page) = coordinator.ask("GET", &format!("/api/v2/interactions/report?{window}"), &[], b"");
    let page = String::from_utf8(page).unwrap();
    assert!(
        status == 200 && head.contains("content-security-policy: default-src 'none'") && page.contains("<td>fast</td>"),
        "{head}\n{page}"
    );
    let stats = home.run(&["coordinator", "stats", "--hours", "999999", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&stats.out).unwrap()["total"]["records"], 100, "{}", stats.err);
    assert!(home.run(&["coordinator", "stats", "--hours", "999999"]).out.contains("fast"));
}

#[test]
fn from_the_first_key_on_one_must_be_shown() {
    let home = Home::with("");
    let coordinator = Coordinator::start(&home, &[]);
    assert_eq!(coordinator.report(None, &batch(0..1)).0, 200);
    let made = home.run(&["coordinator", "keys", "add", "me"]);
    let key = made.out.trim().to_owned();
    assert!(made.code == 0 && key.starts_with("wk_") && !made.err.contains(&key), "{made:?}");
    let other = home.run(&["coordinator", "keys", "add", "other", "--json"]);
    let other: Value = serde_json::from_str(&other.out).unwrap();
    let other = other["key"].as_str().unwrap();
    // The running coordinator notices within a second or so.
    let since = Instant::now();
    while coordinator.report(None, &batch(0..1)).0 != 401 {
        assert!(since.elapsed() < LIMIT);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(coordinator.report(Some(&key), &batch(0..2)), (200, json!({"status": "accepted", "stored": 1})));
    assert_eq!(coordinator.report(Some(other), &batch(2..3)).0, 403);
    assert_eq!(coordinator.json("POST", "/api/v2/validate", Some(&key), &json!({})).0, 200);
    assert_eq!(coordinator.json("POST", "/api/v2/validate", Some("wk_wrong"), &json!({})).0, 401);
    assert_eq!(coordinator.get("/api/v2/health").0, 401);
    assert_eq!(coordinator.json("GET", "/api/v2/health", Some(&key), &Value::Null).0, 200);
    // A key reads what its own reporter reported.
    let read = |key: &str, path: &str| coordinator.json("GET", path, Some(key), &Value::Null);
    assert_eq!(read(&key, "/api/v2/interactions").1["records"].as_array().unwrap().len(), 2);
    assert!(read(other, "/api/v2/interactions").1["records"].as_array().unwrap().is_empty());
    assert_eq!(read(other, "/api/v2/interactions?mcp_id=me").0, 403);
    let list = home.run(&["coordinator", "keys", "list"]);
    assert!(list.out.contains(&key[..11]) && !list.out.contains(&key), "{}", list.out);
    assert_eq!(home.run(&["coordinator", "keys", "revoke", &key]).code, 0);
    assert_eq!(home.run(&["coordinator", "keys", "revoke", &key]).code, 2);
    let since = Instant::now();
    while coordinator.report(Some(&key), &batch(0..1)).0 != 401 {
        assert!(since.elapsed() < LIMIT);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_address_that_others_reach_takes_a_key() {
    let home = Home::with("");
    let refused = home.run(&["coordinator", "--listen", "0.0.0.0:0"]);
    assert!(refused.code == 1 && refused.err.contains("wakeful coordinator keys add"), "{refused:?}");
}

#[test]
fn a_grpc_client_of_others_reports() {
    let home = Home::with("");
    let key = home.run(&["coordinator", "keys", "add", "me"]).out.trim().to_owned();
    let coordinator = Coordinator::start(&home, &["--grpc", "127.0.0.1:0"]);
    let script = root().join("tests/peers/interactions_grpc.py");
    let address = coordinator.grpc.unwrap().to_string();
    let client = |key: &str, count: &str, more: &[&str]| -> Value {
        let mut command = Command::new(python("python"));
        let output = command.arg(&script).args(["client", &address, key, count]).args(more).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    };
    let answer = client(&key, "900", &["bad"]);
    assert_eq!((answer["status"].as_str(), answer["stored"].as_array().unwrap().len()), (Some("OK"), 900), "{answer}");
    assert!(answer["refused"][0][0] == "int_bad" && answer["refused"][0][1].as_str().unwrap().starts_with("422: "), "{answer}");
    assert_eq!(client("wk_wrong", "1", &[])["status"], "UNAUTHENTICATED");
    assert_eq!(client(&key, "900", &[])["stored"].as_array().unwrap().len(), 900);
    assert_eq!(coordinator.json("GET", "/api/v2/health", Some(&key), &Value::Null).1["records"], 900);
}

#[test]
fn grpc_goes_over_tls_to_who_can_be_proven() {
    let (chain, key) = (certificate("server.pem"), certificate("server.key"));
    let home = Home::with(&format!("[server]\ntls_cert = '{}'\ntls_key = '{}'\n", chain.display(), key.display()));
    let key = home.run(&["coordinator", "keys", "add", "me"]).out.trim().to_owned();
    let coordinator = Coordinator::start(&home, &["--grpc", "127.0.0.1:0"]);
    let port = coordinator.grpc.unwrap().port();
    let transport = |scheme: &str, ca: Option<&str>| {
        let ca = ca.map(certificate);
        let key = Some(key.clone().into());
        Grpc::new(GrpcOptions { url: format!("{scheme}://localhost:{port}"), ca, key, timeout: Duration::from_secs(5) })
    };
    block_on(async {
        let proven = transport("https", Some("ca.pem"));
        proven.probe().await.unwrap();
        let records: Vec<Outgoing> = (0..100).map(|number| Outgoing::from(&record(number))).collect();
        assert_eq!(proven.send(&records).await.unwrap(), vec![Verdict::Stored; 100]);
        for unproven in [transport("https", None), transport("http", None)] {
            assert!(matches!(unproven.send(&records).await, Err(Trouble::Unreachable(_))));
        }
    });
    assert_eq!(coordinator.stop(), 0);
}

#[test]
fn a_grpc_server_of_others_is_reported_to() {
    let run = |mode: &str, work: &dyn Fn(&Grpc)| -> Value {
        let script = root().join("tests/peers/interactions_grpc.py");
        let mut server = Command::new(python("python"));
        let mut server = server.arg(script).args(["server", mode]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        work(&Grpc::new(GrpcOptions { url, ca: None, key: Some("any".to_owned().into()), timeout: LIMIT }));
        drop(server.stdin.take());
        let told = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        server.wait().unwrap();
        told
    };
    let records: Vec<Outgoing> = (0..300).map(|number| Outgoing::from(&record(number))).collect();
    for mode in ["plain", "old"] {
        let told = run(mode, &|transport| {
            block_on(async {
                transport.probe().await.unwrap();
                for part in records.chunks(100) {
                    assert_eq!(transport.send(part).await.unwrap(), vec![Verdict::Stored; 100]);
                }
            });
        });
        assert_eq!((told["stored"].as_array().unwrap().len(), told["arrivals"].as_u64()), (300, Some(300)), "{mode}");
    }
    // One that breaks off in the middle: nothing is known of the batch, and what is sent again arrives.
    let told = run("broken", &|transport| {
        block_on(async {
            assert!(matches!(transport.send(&records[..50]).await, Err(Trouble::Unreachable(_))));
            for part in records[..50].chunks(10) {
                let mut sent = transport.send(part).await;
                while sent.is_err() {
                    sent = transport.send(part).await;
                }
                assert_eq!(sent.unwrap(), vec![Verdict::Stored; 10]);
            }
        });
    });
    assert_eq!(told["stored"].as_array().unwrap().len(), 50);
}

#[test]
fn a_stream_and_a_table_are_read() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut redis = Command::new("redis-server");
    redis.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--requirepass", "s3cret"]);
    let mut redis = redis.stdout(Stdio::null()).spawn().expect("`redis-server` is missing: .ci/setup installs it");
    let url = format!("redis://:s3cret@127.0.0.1:{port}/0");
    let home = Home::with(&format!("[coordinator]\nredis_url = \"{url}\"\ndatabase_url = \"logs.db\"\ndatabase_poll_ms = 20\n"));
    let coordinator = Coordinator::start(&home, &[]);
    let stream = StreamOptions { url: url.into(), stream: "mcp_interactions".to_owned(), group: "coordinators".to_owned(), cap: 10_000 };
    let transport = Redis::new(stream);
    block_on(async {
        let since = Instant::now();
        while transport.probe().await.is_err() {
            assert!(since.elapsed() < LIMIT);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let records: Vec<Outgoing> = (0..100).map(|number| Outgoing::from(&record(number))).collect();
        let handles: Vec<String> = transport.send(&records).await.unwrap().into_iter().map(handle).collect();
        while transport.settled(&handles).await.unwrap().iter().any(|settled| *settled != Settled::Stored) {
            assert!(since.elapsed() < LIMIT);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let table = Exchange::new(&ExchangeUrl::new(home.work().join("logs.db").to_str().unwrap())).unwrap();
        let row = |record: InteractionRecord| Row {
            record_id: record.record_id.to_string(),
            mcp_id: record.mcp_id.clone(),
            interaction_id: record.interaction_id.to_string(),
            timestamp: 1.5,
            data: record.to_json().to_string(),
        };
        // A part of them came over the stream already.
        let rows: Vec<Row> = (50..150).map(|number| row(record(number))).collect();
        let ids: Vec<String> = rows.iter().map(|row| row.record_id.clone()).collect();
        table.insert(&rows).await.unwrap();
        while table.settled(&ids).await.unwrap().iter().any(|fate| *fate != Fate::Processed) {
            assert!(since.elapsed() < LIMIT);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    coordinator.until_stored(150);
    assert_eq!(coordinator.stop(), 0);
    redis.kill().unwrap();
    redis.wait().unwrap();
}

fn handle(verdict: Verdict) -> String {
    match verdict {
        Verdict::Handed(handle) => handle,
        other => panic!("{other:?}"),
    }
}
