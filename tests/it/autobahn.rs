//! The Autobahn test suite's fuzzing client against our sockets, by an echo route that only this test has.
//!
//! The suite runs on Python 2.7 only, which few machines have: the test is ignored by default. `WAKEFUL_WSTEST` holds the
//! command line of `wstest` (`autobahntestsuite` 0.8.2 from `PyPI`).

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use futures::StreamExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use wakeful::net::accept::{self, Limits};
use wakeful::server::ws::tuned;

/// The largest message of the suite is 16 MiB.
const BYTES_MAX: usize = 17 * 1_024 * 1_024;

/// How a case may end.
const GOOD: [&str; 3] = ["OK", "NON-STRICT", "INFORMATIONAL"];

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.next().await {
        let sent = match message {
            Message::Text(_) | Message::Binary(_) => socket.send(message).await,
            // The socket answers a goodbye itself, when it is read on.
            Message::Close(_) | Message::Ping(_) | Message::Pong(_) => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn listen(stop: CancellationToken) -> SocketAddr {
    let route = any(async |upgrade: WebSocketUpgrade| tuned(upgrade, BYTES_MAX).on_upgrade(echo));
    let router = Router::new().route("/", route);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { connections_max: 64, read_time_max: Duration::from_secs(10) };
    tokio::spawn(accept::serve(listener, None, limits, TaskTracker::new(), stop, move |request: http::Request<Incoming>, _| {
        let router = router.clone();
        async move { router.oneshot(request.map(Body::new)).await.unwrap() }
    }));
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Python 2.7 with autobahntestsuite: its command line in WAKEFUL_WSTEST"]
async fn every_case_of_the_suite_passes() {
    let command = std::env::var("WAKEFUL_WSTEST").expect("WAKEFUL_WSTEST is the command line of wstest");
    let stop = CancellationToken::new();
    let address = listen(stop.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let spec = json!({
        "outdir": folder.path().join("reports"),
        "servers": [{"agent": "wakeful", "url": format!("ws://{address}/"), "options": {"version": 18}}],
        // Compression is not offered: its cases are not for us.
        "cases": ["*"], "exclude-cases": ["12.*", "13.*"], "exclude-agent-cases": {},
    });
    std::fs::write(folder.path().join("spec.json"), spec.to_string()).unwrap();
    let mut words = shlex::split(&command).unwrap().into_iter();
    let mut suite = tokio::process::Command::new(words.next().unwrap());
    suite.args(words).args(["-m", "fuzzingclient", "-s"]).arg(folder.path().join("spec.json")).current_dir(folder.path());
    let output = suite.stdin(Stdio::null()).output().await.unwrap();
    stop.cancel();
    let index = std::fs::read_to_string(folder.path().join("reports/index.json"))
        .unwrap_or_else(|error| panic!("no report ({error}): {}", String::from_utf8_lossy(&output.stderr)));
    let index: Value = serde_json::from_str(&index).unwrap();
    let told = || format!("{index}: {} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let cases = index["wakeful"].as_object().unwrap_or_else(|| panic!("nothing was tested: {}", told()));
    let is_good = |case: &Value| ["behavior", "behaviorClose"].iter().all(|key| GOOD.contains(&case[*key].as_str().unwrap()));
    let bad: Vec<_> = cases.iter().filter(|(_, case)| !is_good(case)).collect();
    let count = |word: &str| cases.values().filter(|case| case["behavior"] == word).count();
    println!("{} cases: {} OK, {} NON-STRICT, {} INFORMATIONAL", cases.len(), count("OK"), count("NON-STRICT"), count("INFORMATIONAL"));
    assert!(bad.is_empty() && cases.len() > 200, "{bad:#?}");
}
