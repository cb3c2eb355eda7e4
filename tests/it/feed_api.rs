//! The HTTP API of `wakeful serve`, as other programs see it.

use std::collections::BTreeSet;
use std::io::Read;

use serde_json::{Value, json};

use crate::feed_support::{Served, TOKEN_CONFIG, parsed};
use crate::support::Home;

const METHODS: [&str; 5] = ["get", "post", "patch", "delete", "put"];

/// A path of the document with something in place of each parameter.
fn filled(path: &str) -> String {
    path.replace("{event_type}", "chat").replace("{id}", "nothing-like-it")
}

#[test]
fn the_document_and_the_routes_are_the_same() {
    let home = Home::with(TOKEN_CONFIG);
    let served = Served::start(&home);
    let (status, document) = served.get("/openapi.json");
    assert_eq!((status, document["openapi"].as_str()), (200, Some("3.1.0")));
    let mut operations = BTreeSet::new();
    let mut listed = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let known: BTreeSet<&str> = item.as_object().unwrap().keys().map(String::as_str).collect();
        for method in METHODS {
            if known.contains(method) {
                assert!(
                    operations.insert(item[method]["operationId"].as_str().unwrap().to_owned()),
                    "{path}: an operation has its name twice"
                );
                listed.insert(format!("{} {path}", method.to_uppercase()));
                continue;
            }
            // What the document does not know is refused, and the refusal names what it does know.
            let answer = served.begin(&method.to_uppercase(), &filled(path), &[], b"");
            assert_eq!(answer.status, 405, "{method} {path}");
            let allowed: BTreeSet<String> = answer.header("allow").unwrap().split(',').map(|name| name.trim().to_lowercase()).collect();
            let told: BTreeSet<String> = allowed.into_iter().filter(|name| name != "head").collect();
            assert_eq!(told, known.iter().map(|name| (*name).to_owned()).collect(), "{path}");
        }
    }
    let (_, info) = served.get("/");
    let endpoints: BTreeSet<String> = info["endpoints"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    let missing: Vec<_> = listed.iter().filter(|row| !endpoints.contains(*row) && *row != "GET /openapi.json").collect();
    assert!(missing.is_empty(), "{missing:?}");
    let (status, problem) = served.get("/no/such/place");
    assert_eq!((status, problem["status"].as_u64(), problem["type"].as_str()), (404, Some(404), Some("about:blank")));
}

#[test]
fn bad_input_is_refused_by_name() {
    let home = Home::with(TOKEN_CONFIG);
    let served = Served::start(&home);
    let feedback = json!({"task_id": "t", "event_type": "x", "timestamp": "2026-01-01T12:00:00.000Z"});
    let with = |name: &str, value: Value| {
        let mut body = feedback.clone();
        body[name] = value;
        body
    };
    let record = json!({"action": "interaction_start", "interaction_id": "int_1_0", "mcp_id": "a", "timestamp": 1.5, "request_data": {}});
    let without = |name: &str| {
        let mut body = record.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let many: Vec<_> = std::iter::repeat_n(record.clone(), 101).collect();
    let user = |text: &str| json!({"messages": [{"role": "user", "content": text}]});
    let cases = [
        ("POST", "/event_callback", with("priority", json!(9)), "/priority"),
        ("POST", "/event_callback", with("timestamp", json!("yesterday")), "/timestamp"),
        ("POST", "/process_background_feedback", json!({"event_type": "x"}), "/task_id"),
        ("POST", "/process_background_feedback", with("data", json!([])), "/data"),
        ("POST", "/chat", json!({}), "/messages"),
        ("POST", "/chat", json!({"messages": []}), "/messages"),
        ("POST", "/chat", user("  "), "/messages/0/content"),
        ("POST", "/chat/stream", json!({"messages": [{"role": "assistant", "content": "x"}]}), "/messages/0/role"),
        ("POST", "/chat/stream", json!({"messages": [{"role": "king", "content": "x"}]}), "/messages/0/role"),
        ("POST", "/api/v2/interactions", without("mcp_id"), "/mcp_id"),
        ("POST", "/api/v2/interactions", without("timestamp"), "/timestamp"),
        ("POST", "/api/v2/interactions", json!(many), ""),
        ("POST", "/api/v2/interactions", json!(7), ""),
        ("POST", "/api/v2/broadcast", json!({"type": "Bad Name", "data": 1}), "/type"),
        ("POST", "/api/v2/broadcast", json!({"type": "chat", "data": 1}), "/type"),
        ("POST", "/api/v2/broadcast", json!({"type": "x", "target_type": "Nobody"}), "/target_type"),
        ("POST", "/api/v2/tasks", json!({"task_type": "dance", "description": "x"}), "/task_type"),
        ("POST", "/api/v2/tasks", json!({"task_type": "web_monitor", "description": "x", "config": {}}), "/config/urls"),
        ("POST", "/api/v2/tasks", json!({"description": "x"}), "/task_type"),
    ];
    for (method, path, body, pointer) in cases {
        let (status, problem) = served.json(method, path, &body);
        assert_eq!((status, problem["errors"][0]["pointer"].as_str()), (422, Some(pointer)), "{path} {body}: {problem}");
        assert!(problem["instance"].as_str().unwrap().starts_with(path), "{problem}");
    }
    for query in ["limit=0", "limit=1001", "limit=x", "since=-1", "before=1e3"] {
        let (status, problem) = served.get(&format!("/events?{query}"));
        assert_eq!(status, 400, "{query}: {problem}");
    }
    let json_type = ("content-type", "application/json");
    let mut broken = served.begin("POST", "/chat", &[json_type, ("x-request-id", "mine-1")], b"{\"messages\":\n [}");
    assert_eq!((broken.status, broken.header("x-request-id").map(str::to_owned)), (400, Some("mine-1".to_owned())));
    let problem: Value = serde_json::from_slice(&broken.rest()).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("line 2, column 3"), "{problem}");
    assert_eq!(problem["instance"], "/chat#mine-1");
    assert_eq!(served.begin("POST", "/chat", &[("content-type", "text/plain")], b"{}").status, 415);
    assert_eq!(served.begin("POST", "/chat", &[json_type], &vec![b' '; 1_100_000]).status, 413);
    assert_eq!(served.get("/api/v2/tasks/nothing-like-it").0, 404);
    assert_eq!(served.json("POST", "/chat", &json!({"messages": [{"role": "user", "content": "x"}], "session_id": "none"})).0, 404);
    assert_eq!(served.get("/health").1["status"], "healthy");
}

#[test]
fn a_chat_answers_whole_and_as_it_comes() {
    let home = Home::with(TOKEN_CONFIG);
    let served = Served::start(&home);
    let ask = |text: &str| json!({"messages": [{"role": "user", "content": text}]});
    let (status, answer) = served.json("POST", "/chat", &ask("what is 6*7?"));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["message"]["role"], "assistant");
    assert!(answer["message"]["content"].as_str().unwrap().contains("42"), "{answer}");
    let call = &answer["tool_calls"][0];
    assert_eq!((call["name"].as_str(), call["status"].as_str()), (Some("calculate"), Some("success")), "{answer}");

    // The same conversation goes on, as a stream.
    let session = answer["session_id"].as_str().unwrap();
    let body = json!({"session_id": session, "messages": [{"role": "user", "content": "what is 6*8?"}]}).to_string();
    let mut stream = served.begin("POST", "/chat/stream", &[("content-type", "application/json")], body.as_bytes());
    assert_eq!((stream.status, stream.header("content-type")), (200, Some("text/event-stream")));
    let (mut text, mut kinds, mut done) = (String::new(), BTreeSet::new(), Value::Null);
    while let Some((_, kind, data)) = stream.event() {
        match kind.as_str() {
            "delta" => text += data["content"].as_str().unwrap(),
            "done" => done = data,
            _ => {}
        }
        kinds.insert(kind);
    }
    assert!(text.contains("48"), "{text}");
    assert_eq!(done["session_id"], session);
    assert!(kinds.contains("tool_execution"), "{kinds:?}");
    let (_, sessions) = served.get("/api/v2/sessions");
    assert_eq!((sessions["total"].as_u64(), sessions["sessions"][0]["prompts"].as_u64()), (Some(1), Some(2)), "{sessions}");
}

#[test]
fn a_call_that_nobody_consents_to_is_refused_and_told() {
    let home = Home::with(&format!("{TOKEN_CONFIG}approval_wait_seconds = 0\n"));
    let served = Served::start(&home);
    let body = json!({"messages": [{"role": "user", "content": "write a file x.md with the content \"hi\""}]});
    let (status, answer) = served.json("POST", "/chat", &body);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["errors"][0]["status"], 403, "{answer}");
    assert!(!home.work().join("x.md").exists());
}

#[test]
fn feedback_is_on_disk_before_it_is_answered_and_taken_once() {
    let home = Home::with(TOKEN_CONFIG);
    let mut served = Served::start(&home);
    let body = json!({"task_id": "theirs", "event_type": "web_content_change", "data": {"url": "https://example.org"},
                      "timestamp": "2026-01-01T12:00:00.000Z", "priority": 4});
    let (status, first) = served.json("POST", "/process_background_feedback", &body);
    assert_eq!((status, first["status"].as_str()), (200, Some("queued")), "{first}");
    let (_, again) = served.json("POST", "/event_callback", &body);
    assert_eq!(again["event_id"], first["event_id"]);
    let send = |served: &Served, key: &str, body: &Value| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let mut answer = served.begin("POST", "/event_callback", &headers, body.to_string().as_bytes());
        (answer.status, serde_json::from_slice::<Value>(&answer.rest()).unwrap())
    };
    let (status, keyed) = send(&served, "k-1", &body);
    assert_eq!(status, 200);
    assert_ne!(keyed["event_id"], first["event_id"]);
    let mut other = body.clone();
    other["priority"] = json!(5);
    assert_eq!(send(&served, "k-1", &other).0, 422);
    assert_eq!(served.stop(), 0);
    let served = Served::start(&home);
    assert_eq!(send(&served, "k-1", &body).1["event_id"], keyed["event_id"], "another process knows the key");
}

#[test]
fn tasks_are_made_changed_and_forgotten() {
    let home = Home::with(TOKEN_CONFIG);
    let served = Served::start(&home);
    let config = json!({"urls": ["http://127.0.0.1:9/page"], "keywords": ["AI"]});
    let (status, made) =
        served.json("POST", "/api/v2/tasks", &json!({"task_type": "web_monitor", "description": "news", "config": config}));
    assert_eq!((status, made["status"].as_str()), (201, Some("success")), "{made}");
    let task = format!("/api/v2/tasks/{}", made["data"]["task_id"].as_str().unwrap());
    let status_of = |served: &Served| served.get(&task).1["data"]["status"].as_str().unwrap().to_owned();
    assert_eq!(served.json("POST", &format!("{task}/pause"), &Value::Null).0, 200);
    assert_eq!(status_of(&served), "paused");
    assert_eq!(served.json("POST", &format!("{task}/resume"), &Value::Null).0, 200);
    assert_eq!(status_of(&served), "active");
    let (status, changed) = served.json("PATCH", &task, &json!({"description": "other news"}));
    assert_eq!((status, changed["data"]["description"].as_str()), (200, Some("other news")), "{changed}");
    assert_eq!(served.json("POST", &format!("{task}/run"), &Value::Null).0, 202);
    assert!(served.get(&format!("{task}/history?limit=5")).1["data"]["events"].as_array().unwrap().len() <= 5);
    assert_eq!(served.get("/api/v2/tasks?user_id=somebody-else").1["data"]["total"], 0);
    assert_eq!(served.json("DELETE", &task, &Value::Null).0, 200);
    assert_eq!(served.get(&task).0, 404);
}

#[test]
fn reports_are_stored_once() {
    let home = Home::with(TOKEN_CONFIG);
    let served = Served::start(&home);
    let record = json!({"action": "interaction_start", "interaction_id": "int_1_0", "mcp_id": "a", "timestamp": 1.5, "request_data": {"user_id": "u"}});
    let mut named = record.clone();
    named["record_id"] = json!("r-1");
    let report = |body: &Value| served.json("POST", "/api/v2/interactions", body);
    assert_eq!(report(&record), (200, json!({"status": "accepted", "stored": 1})));
    assert_eq!(report(&record), (200, json!({"status": "accepted", "stored": 0})));
    assert_eq!(report(&json!([record, named, named])), (200, json!({"status": "accepted", "stored": 1})));
    assert_eq!(served.get("/api/v2/health").1["records"], 2);
    // Of a list the good ones are stored, and the others told.
    let mut third = named.clone();
    third["record_id"] = json!("r-3");
    let (status, answer) = report(&json!([third, {"action": "dance", "record_id": "r-4"}]));
    assert_eq!((status, answer["stored"].as_u64(), answer["rejected"][0]["index"].as_u64()), (200, Some(1), Some(1)), "{answer}");
    assert_eq!((answer["rejected"][0]["code"].as_u64(), answer["rejected"][0]["record_id"].as_str()), (Some(422), Some("r-4")), "{answer}");
    let (_, page) = served.get("/api/v2/interactions/int_1_0");
    assert_eq!((page["records"].as_array().unwrap().len(), page["records"][2]["record_id"].as_str()), (3, Some("r-3")), "{page}");
    let (_, verdict) = served.json("POST", "/api/v2/validate", &json!([record, {"action": "dance"}]));
    assert_eq!((verdict["valid"].as_bool(), verdict["records"].as_u64()), (Some(false), Some(2)), "{verdict}");
}

#[test]
fn the_stream_resumes_with_neither_gap_nor_repeat_and_ends_properly() {
    let home = Home::with(TOKEN_CONFIG);
    let mut served = Served::start(&home);
    let send = |number: u64| {
        let (status, sent) = served.json("POST", "/api/v2/broadcast", &json!({"type": "test.count", "data": {"number": number}}));
        assert_eq!(status, 200, "{sent}");
        sent["seq"].as_u64().unwrap()
    };
    let sent: Vec<u64> = (0..600).map(send).collect();
    let mut stream = served.stream("/events?type=test.count", &[("last-event-id", &sent[99].to_string())]);
    let (_, kind, ack) = stream.event().unwrap();
    assert_eq!((kind.as_str(), ack["data"]["resume_from"].as_u64()), ("connection_ack", Some(sent[99])));
    let more: Vec<u64> = (600..650).map(send).collect();
    let wanted: Vec<u64> = sent[100..].iter().chain(&more).copied().collect();
    let got: Vec<u64> = (0..wanted.len()).map(|_| stream.event().unwrap().0.unwrap()).collect();
    assert_eq!(got, wanted);

    let (_, page) = served.get(&format!("/events/test.count?limit=3&before={}", sent[10]));
    let seqs: Vec<u64> = page["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!((seqs, page["total"].as_u64()), (vec![sent[9], sent[8], sent[7]], Some(3)));

    // Only who is meant sees what is sent to one client; it is not stored.
    let client = ack["client_id"].as_str().unwrap();
    let (_, private) = served.json("POST", "/api/v2/broadcast", &json!({"type": "test.count", "data": "psst", "client_id": client}));
    assert_eq!(private["seq"], Value::Null);
    assert_eq!(stream.event().unwrap().2["data"], "psst");
    assert_eq!(served.stop(), 0);
    assert_eq!(stream.event(), None, "the stream ends as HTTP has it");
}

#[test]
fn a_compressed_stream_is_flushed_event_by_event() {
    let home = Home::with(TOKEN_CONFIG);
    let served = Served::start(&home);
    let mut stream = served.stream("/events", &[("accept-encoding", "gzip, br")]);
    assert_eq!(stream.header("content-encoding"), Some("gzip"));
    let mut packed: Vec<u8> = Vec::new();
    let mut seen = 0;
    for number in 0..3 {
        let (_, sent) = served.json("POST", "/api/v2/broadcast", &json!({"type": "test.count", "data": number}));
        let seq = sent["seq"].as_u64().unwrap();
        // Nothing more is sent until this one can be read.
        loop {
            packed.extend(stream.chunk().unwrap());
            let mut plain = Vec::new();
            let mut buffer = [0; 4_096];
            let mut unpacked = flate2::read::GzDecoder::new(packed.as_slice());
            while let Ok(count @ 1..) = unpacked.read(&mut buffer) {
                plain.extend_from_slice(&buffer[..count]);
            }
            let text = String::from_utf8_lossy(&plain).into_owned();
            let ids: Vec<u64> = text.split("\n\n").filter_map(parsed).filter_map(|(id, _, _)| id).collect();
            if ids.contains(&seq) {
                seen += 1;
                break;
            }
        }
    }
    assert_eq!(seen, 3);
    let whole = served.begin("GET", "/openapi.json", &[("accept-encoding", "br")], b"");
    assert_eq!(whole.header("content-encoding"), Some("br"));
}

#[test]
fn metrics_count_requests_by_route() {
    let home = Home::with(TOKEN_CONFIG);
    let served = Served::start(&home);
    served.get("/events/chat");
    served.get("/events/error");
    let mut answer = served.begin("GET", "/metrics", &[], b"");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let text = String::from_utf8(answer.rest()).unwrap();
    let line = "wakeful_http_requests_total{route=\"/events/{event_type}\",method=\"GET\",status=\"200\"} 2";
    assert!(text.lines().any(|one| one == line), "{text}");
    for name in ["wakeful_build_info", "wakeful_feed_clients", "wakeful_servers", "wakeful_tasks", "wakeful_firings_waiting"] {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name}: {text}");
    }
}
