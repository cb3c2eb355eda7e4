//! The feed as other programs speak it: the WebSocket of a real `wakeful serve`, replay, filters, peers, refusals, kills and
//! hostile input.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::serving::{Serve, TOKEN};
use crate::support::Home;
use crate::support::model::{ModelServer, Say, results};

const LIMIT: Duration = Duration::from_secs(30);

/// Headers of a request.
type Headers = [(&'static str, &'static str)];

/// A client of the feed.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(url: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        Self(connect_async(request).await.unwrap().0)
    }

    async fn next(&mut self) -> Value {
        match self.message().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?} instead of a frame"),
        }
    }

    async fn message(&mut self) -> Message {
        loop {
            match timeout(LIMIT, self.0.next()).await.expect("nothing comes").expect("it ended").unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                other => return other,
            }
        }
    }

    /// The next frame of that type.
    async fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The code and the reason of the close that comes.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.message().await {
                Message::Close(Some(frame)) => return (frame.code.into(), frame.reason.to_string()),
                Message::Close(None) => panic!("closed without a code"),
                _ => {}
            }
        }
    }
}

/// Sends a request with a JSON body; the status and what came back.
async fn post(serve: &Serve, path: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let mut stream = TcpStream::connect(serve.address()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        serve.address(),
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.unwrap();
    let mut reply = String::new();
    timeout(LIMIT, stream.read_to_string(&mut reply)).await.unwrap().unwrap();
    let status = reply.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_replay_goes_live_with_neither_gap_nor_repeat() {
    let home = Home::with("[server]\nrequests_per_second = 0\n");
    let serve = Serve::start(&home, &["--token-env", "TOKEN"]);
    for n in 0..300 {
        assert_eq!(post(&serve, "/api/v2/broadcast", &json!({"type": "test.load", "data": {"n": n}})).await.0, 200);
    }
    let url = format!("{}/ws/mcplog?token={TOKEN}", serve.ws());
    let mut client = Client::connect(&format!("{url}&since=0"), &[]).await;
    let ack = client.next().await;
    assert_eq!(ack["type"], "connection_ack");
    assert!(ack["client_id"].is_string() && ack["message"].is_string(), "{ack}");
    let epoch = ack["data"]["epoch"].as_str().unwrap().to_owned();
    assert_eq!((&ack["data"]["client_type"], &ack["data"]["resume_from"]), (&json!("MCPLog"), &json!(0)));
    let more = async {
        for n in 300..400 {
            post(&serve, "/api/v2/broadcast", &json!({"type": "test.load", "data": {"n": n}})).await;
        }
    };
    let reading = async {
        let mut seqs = Vec::new();
        loop {
            let frame = client.next().await;
            seqs.extend(frame["seq"].as_u64());
            if frame["data"]["n"] == 399 {
                return seqs;
            }
        }
    };
    let ((), seqs) = tokio::join!(more, reading);
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());

    let middle = seqs.len() as u64 / 2;
    let mut filtered = Client::connect(&format!("{url}&since={middle}&epoch={epoch}&types=test.load,none"), &[]).await;
    assert_eq!(filtered.next().await["data"]["resume_from"], json!(middle));
    let first = filtered.next().await;
    assert!(first["seq"].as_u64() > Some(middle) && first["type"] == "test.load", "{first}");

    let mut other = Client::connect(&format!("{url}&since=7&epoch=another"), &[]).await;
    let ack = other.next().await;
    assert!(ack["data"]["resume_from"] == 0 && ack["message"].as_str().unwrap().contains("another log"), "{ack}");
    assert_eq!(other.next().await["seq"], 1);

    let mut ahead = Client::connect(&format!("{url}&since=999999"), &[]).await;
    assert_eq!(ahead.next().await["data"]["resume_from"], json!(seqs.len()));
    serve.stop();
    assert_eq!(other.closed().await.0, 1001);
}

#[tokio::test]
async fn targets_are_told_and_others_are_not() {
    let home = Home::with("");
    let serve = Serve::start(&home, &["--token-env", "TOKEN"]);
    let url = format!("{}/ws/mcplog?token={TOKEN}&types=test.one,test.class,test.all", serve.ws());
    let mut log = Client::connect(&url, &[]).await;
    let mut agent = Client::connect(&format!("{url}&client_type=MCPClient"), &[]).await;
    let id = log.next().await["client_id"].clone();
    assert_eq!(agent.next().await["data"]["client_type"], "MCPClient");
    let one = json!({"type": "test.one", "data": {}, "client_id": id});
    let class = json!({"type": "test.class", "data": {}, "target_type": "MCPClient"});
    for body in [&one, &class, &json!({"type": "test.all", "data": {}})] {
        assert_eq!(post(&serve, "/api/v2/broadcast", body).await.0, 200, "{body}");
    }
    assert_eq!(log.next().await["type"], "test.one");
    assert_eq!(log.next().await["type"], "test.all");
    assert_eq!(agent.next().await["type"], "test.class");
    assert_eq!(agent.next().await["type"], "test.all");
    assert_eq!(post(&serve, "/api/v2/broadcast", &json!({"type": "tool_execution", "data": {}})).await.0, 422, "ours cannot be faked");
}

#[tokio::test]
async fn who_may_not_come_in_is_told_why() {
    let home = Home::with("[server]\nclients_max = 2\n");
    let serve = Serve::start(&home, &["--token-env", "TOKEN"]);
    let (plain, named) = (format!("{}/ws/mcplog", serve.ws()), format!("{}/ws/mcplog?token={TOKEN}", serve.ws()));
    let refused: [(&str, &Headers, u16, &str); 5] = [
        (&plain, &[], 1008, "token"),
        (&plain, &[("authorization", "Bearer wrong-wrong-wrong")], 1008, "token"),
        (&named, &[("origin", "https://evil.example")], 1008, "Origin"),
        (&named, &[("host", "evil.example")], 1008, "Host"),
        (&format!("{named}&client_type=Nobody"), &[], 1008, "client_type"),
    ];
    for (url, headers, code, word) in refused {
        let (closed, reason) = Client::connect(url, headers).await.closed().await;
        assert!(closed == code && reason.contains(word), "{url} {headers:?}: {closed} {reason}");
    }
    let mut welcome = Client::connect(&plain, &[("authorization", &format!("Bearer {TOKEN}"))]).await;
    assert_eq!(welcome.next().await["type"], "connection_ack");
    let mut second = Client::connect(&named, &[("origin", &serve.url)]).await;
    assert_eq!(second.next().await["type"], "connection_ack");
    assert_eq!(Client::connect(&named, &[]).await.closed().await.0, 1013);
}

#[tokio::test]
async fn what_is_no_message_is_passed_over_and_what_is_too_big_ends_it() {
    let home = Home::with("");
    let serve = Serve::start(&home, &[]);
    let url = format!("{}/ws/mcplog?types=none", serve.ws());
    let mut client = Client::connect(&url, &[]).await;
    client.next().await;
    for nonsense in ["{", "[]", "null", "\"type\"", "{\"type\":7}", "{\"type\":\"register_tools\"}", ""] {
        client.0.send(Message::text(nonsense)).await.unwrap();
    }
    client.0.send(Message::binary(vec![0_u8; 100])).await.unwrap();
    client.say(&json!({"type": "heartbeat"})).await;
    assert_eq!(client.next().await["type"], "heartbeat_ack");
    // A goodbye is answered.
    let mut leaving = Client::connect(&url, &[]).await;
    leaving.next().await;
    leaving.0.close(None).await.unwrap();
    assert!(matches!(leaving.message().await, Message::Close(_)));
    assert!(leaving.0.next().await.is_none(), "it ends in order");
    // The head of a frame of 100 MB alone.
    let MaybeTlsStream::Plain(stream) = client.0.get_mut() else { panic!("no TLS here") };
    stream.write_all(&[0x81, 0xff, 0, 0, 0, 0, 5, 0xf5, 0xe1, 0, 1, 2, 3, 4]).await.unwrap();
    assert_eq!(client.closed().await.0, 1009);

    let mut client = Client::connect(&url, &[]).await;
    client.next().await;
    let MaybeTlsStream::Plain(stream) = client.0.get_mut() else { panic!("no TLS here") };
    // Fragments without end: a text that goes on, 64 KiB at a time.
    let mut fragment = vec![0x01, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    fragment.extend(vec![b'x'; 65_536]);
    for _ in 0..64 {
        if stream.write_all(&fragment).await.is_err() {
            break;
        }
        fragment[0] = 0x00;
    }
    let ended = timeout(LIMIT, async {
        loop {
            match client.0.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return u16::from(frame.code),
                Some(Ok(_)) => {}
                // Its word may be lost behind what was still on its way.
                Some(Err(Error::Io(_) | Error::Protocol(_))) | None => return 1009,
                Some(Err(error)) => panic!("{error}"),
            }
        }
    });
    assert_eq!(ended.await.unwrap(), 1009);
    assert_eq!(Client::connect(&url, &[]).await.next().await["type"], "connection_ack", "others are served");
}

#[tokio::test]
async fn a_peer_lends_its_tools_and_takes_them_back() {
    let model = ModelServer::start(|request| match results(request) {
        0 => Say::call("lab__measure", json!({"what": "voltage"})),
        _ => Say::Text(format!("it said {}", request["messages"].as_array().unwrap().last().unwrap()["content"])),
    });
    let config =
        format!("model = \"bench/model\"\n[agent]\nmode = \"auto\"\n{}[server]\npeer_tool_timeout_seconds = 5\n", model.provider());
    let home = Home::with(&config);
    let serve = Serve::start(&home, &["--token-env", "TOKEN"]);
    let mut peer = Client::connect(&format!("{}/ws/distributed-server/lab?token={TOKEN}", serve.ws()), &[]).await;
    assert_eq!(peer.next().await["data"]["client_type"], "DistributedServer");
    let schema = json!({"type": "object", "properties": {"what": {"type": "string"}}});
    let tools = json!([{"name": "measure", "description": "Measures\u{1b}[31m", "parameters": schema}, {"description": "no name"}]);
    peer.say(&json!({"type": "register_tools", "data": {"serverName": "lab", "tools": tools}})).await;
    let ack = peer.until("register_tools_ack").await;
    assert_eq!((&ack["data"]["status"], &ack["data"]["tools"]), (&json!("success"), &json!(["measure"])), "{ack}");
    assert!(ack["data"]["notes"][0].as_str().unwrap().contains("tools[1]"), "{ack}");

    let ask = json!({"messages": [{"role": "user", "content": "measure"}]});
    let answering = async {
        let order = peer.until("execute_tool").await;
        assert_eq!((&order["data"]["toolName"], &order["data"]["toolArgs"]), (&json!("measure"), &json!({"what": "voltage"})));
        let request = &order["data"]["requestId"];
        peer.say(&json!({"type": "tool_result", "data": {"requestId": "another", "status": "success", "result": 1}})).await;
        peer.say(&json!({"type": "tool_result", "data": {"requestId": request, "status": "success", "result": "5 V"}})).await;
    };
    let ((status, answer), ()) = tokio::join!(post(&serve, "/chat", &ask), answering);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["message"]["content"], "it said \"5 V\"", "{answer}");

    // It leaves in the middle of a call.
    let leaving = async {
        peer.until("execute_tool").await;
        drop(peer);
    };
    let ((_, answer), ()) = tokio::join!(post(&serve, "/chat", &ask), leaving);
    let error = answer["tool_calls"][0]["error"].as_str().unwrap_or_default();
    assert!(error.contains("left the feed"), "{answer}");
    let (_, tools) = post(&serve, "/api/v2/query", &json!({"query": "tools"})).await;
    assert!(tools.to_string().contains("system__calculate") && !tools.to_string().contains("lab__measure"), "{tools}");
}

/// Reads until the connection ends; everything with a position goes into `seen`, the latest position and the epoch are kept.
async fn follow(address: &str, seen: &mut Vec<u64>, epoch: &mut Option<String>, last: &str) -> bool {
    let since = seen.last().copied().unwrap_or(0);
    let epoch_query = epoch.as_ref().map(|epoch| format!("&epoch={epoch}")).unwrap_or_default();
    let url = format!("ws://{address}/ws/mcplog?token={TOKEN}&since={since}{epoch_query}");
    let Ok((mut socket, _)) = connect_async(url).await else { return false };
    while let Ok(Some(Ok(message))) = timeout(LIMIT, socket.next()).await {
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["type"] == "connection_ack" {
            *epoch = frame["data"]["epoch"].as_str().map(str::to_owned);
        }
        seen.extend(frame["seq"].as_u64());
        if frame["type"] == last {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_no_client_misses_anything() {
    let rounds: u32 = std::env::var("WAKEFUL_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    let home = Home::with("[server]\nrequests_per_second = 0\n");
    let mut serve = Serve::start(&home, &["--token-env", "TOKEN"]);
    let address = serve.address().to_owned();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let address = address.clone();
            tokio::spawn(async move {
                let (mut seen, mut epoch) = (Vec::new(), None);
                while !follow(&address, &mut seen, &mut epoch, "test.end").await {
                    tokio::task::yield_now().await;
                }
                seen
            })
        })
        .collect();
    for round in 0..rounds {
        let load = async {
            for n in 0..50 {
                post(&serve, "/api/v2/broadcast", &json!({"type": "test.load", "data": {"round": round, "n": n}})).await;
            }
        };
        load.await;
        // Dropped, it is killed: frames are on their way to all clients.
        drop(serve);
        serve = Serve::at(&home, &address, &["--token-env", "TOKEN"]);
    }
    assert_eq!(post(&serve, "/api/v2/broadcast", &json!({"type": "test.end", "data": {}})).await.0, 200);
    let mut lengths = BTreeMap::new();
    for client in clients {
        let seen = client.await.unwrap();
        assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
        *lengths.entry(seen.len()).or_insert(0) += 1;
    }
    assert_eq!(lengths.len(), 1, "all have seen the same: {lengths:?}");
    println!("{rounds} kills, 8 clients, each with all of {lengths:?} events");
    serve.stop();
    let logged = home.events().iter().position(|event| event["type"] == "test.end").unwrap() + 1;
    assert_eq!(lengths.keys().next(), Some(&logged));
}

fn memory_mb(serve: &Serve) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", serve.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_and_slow_headers_keep_nobody_out() {
    let wanted: usize = std::env::var("WAKEFUL_CONNECTIONS").ok().and_then(|wanted| wanted.parse().ok()).unwrap_or(600);
    let home = Home::with("[server]\nread_seconds = 1\nconnections_max = 500\nrequests_per_second = 0\n");
    let serve = Serve::start(&home, &[]);
    let before = memory_mb(&serve);
    let mut slow = Vec::new();
    for _ in 0..wanted {
        let mut stream = TcpStream::connect(serve.address()).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Half: ").await.unwrap();
        slow.push(stream);
    }
    // All places are taken by halves of headers; each has its second, then the next one is let in.
    let (status, health) = post(&serve, "/api/v2/query", &json!({"query": "servers"})).await;
    assert_eq!(status, 200, "{health}");
    for mut stream in slow {
        let mut rest = Vec::new();
        let _ = timeout(LIMIT, stream.read_to_end(&mut rest)).await.expect("it is closed");
    }
    let after = memory_mb(&serve);
    println!("{wanted} connections with half a header: {before} MB before, {after} MB after");
    assert!(after < before + 100, "{before} MB before, {after} MB after");
}
