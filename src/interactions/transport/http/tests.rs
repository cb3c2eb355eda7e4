//! Answers of coordinators over real sockets.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, json};

use super::*;
use crate::domain::clock::{Instant, SystemClock};
use crate::domain::ids::{InteractionId, RecordId};
use crate::domain::interaction::Action;
use crate::domain::interaction::InteractionRecord;

/// What it was asked, and what it answers next: status, headers, body. Without a script it takes everything.
#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<(String, HeaderMap, Vec<u8>)>>,
    answers: Mutex<VecDeque<(u16, Vec<(&'static str, &'static str)>, String)>>,
}

async fn answer(State(seen): State<Arc<Seen>>, request: axum::extract::Request) -> Response {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    seen.asked.lock().unwrap().push((format!("{} {}", head.method, head.uri), head.headers, body.to_vec()));
    let next = seen.answers.lock().unwrap().pop_front();
    let (status, headers, body) = next.unwrap_or((200, Vec::new(), json!({"status": "accepted"}).to_string()));
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

struct Bench {
    seen: Arc<Seen>,
    http: Http,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Bench {
    async fn new() -> Self {
        let seen = Arc::new(Seen::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&seen));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let key = Some(SecretString::from("k3y-of-ours".to_owned()));
        let http = Http::new(net::Client::default(), &base, key, Duration::from_secs(5), Arc::new(SystemClock));
        Self { seen, http, server }
    }

    fn answers(&self, answers: &[(u16, &[(&'static str, &'static str)], Value)]) {
        let own = answers.iter().map(|(status, headers, body)| (*status, headers.to_vec(), body.to_string()));
        self.seen.answers.lock().unwrap().extend(own);
    }

    fn asked(&self) -> Vec<(String, HeaderMap, Vec<u8>)> {
        self.seen.asked.lock().unwrap().clone()
    }
}

fn records(count: usize) -> Vec<Outgoing> {
    let record = |number| InteractionRecord {
        record_id: RecordId::from(format!("r{number}")),
        action: Action::Start,
        interaction_id: InteractionId::from("int_1_00000000"),
        mcp_id: "me".into(),
        timestamp: Instant::from_millis(1_500),
        payload: Map::new(),
    };
    (0..count).map(|number| Outgoing::from(&record(number))).collect()
}

#[tokio::test]
async fn one_record_is_an_object_several_are_an_array_and_the_key_is_shown() {
    let bench = Bench::new().await;
    assert_eq!(bench.http.send(&records(1)).await.unwrap(), [Verdict::Stored]);
    assert_eq!(bench.http.send(&records(2)).await.unwrap(), [Verdict::Stored, Verdict::Stored]);
    let asked = bench.asked();
    assert_eq!(asked[0].0, "POST /api/v2/interactions");
    assert_eq!(asked[0].1[AUTHORIZATION], "Bearer k3y-of-ours");
    let one: Value = serde_json::from_slice(&asked[0].2).unwrap();
    assert_eq!(
        one,
        json!({"action": "interaction_start", "record_id": "r0", "interaction_id": "int_1_00000000", "mcp_id": "me", "timestamp": 1.5, "request_data": {}})
    );
    assert!(serde_json::from_slice::<Value>(&asked[1].2).unwrap().is_array());
}

#[tokio::test]
async fn long_batches_go_compressed_until_somebody_cannot_read_them() {
    let bench = Bench::new().await;
    bench.http.send(&records(100)).await.unwrap();
    let (_, headers, body) = bench.asked().pop().unwrap();
    assert_eq!(headers[CONTENT_ENCODING], "gzip");
    let mut text = String::new();
    flate2::read::GzDecoder::new(body.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Value>>(&text).unwrap().len(), 100);

    bench.answers(&[(400, &[], json!({"error": "what is this?"}))]);
    assert_eq!(bench.http.send(&records(100)).await.unwrap().len(), 100);
    bench.http.send(&records(100)).await.unwrap();
    let asked = bench.asked();
    let gzipped: Vec<bool> = asked.iter().map(|(_, headers, _)| headers.contains_key(CONTENT_ENCODING)).collect();
    assert_eq!(gzipped, [true, true, false, false]);
}

#[tokio::test]
async fn what_an_answer_means() {
    let bench = Bench::new().await;
    let check = async |count: usize, status: u16, headers: &[(&'static str, &'static str)], body: Value| {
        bench.answers(&[(status, headers, body)]);
        bench.http.send(&records(count)).await
    };
    let refused = |code, message: &str| Verdict::Refused { code, message: message.to_owned() };
    assert_eq!(check(1, 422, &[], json!({"detail": "no `action`\u{1b}[31m"})).await, Ok(vec![refused(422, "HTTP 422: no `action`")]));
    assert_eq!(check(2, 400, &[], json!({"message": "bad"})).await, Err(Trouble::Batch("HTTP 400: bad".into())));
    assert_eq!(check(2, 413, &[], json!({})).await, Err(Trouble::Batch("HTTP 413".into())));
    assert_eq!(
        check(1, 401, &[], json!({"detail": "unknown key k3y-of-ours"})).await,
        Err(Trouble::Key("HTTP 401: unknown key •••".into()))
    );
    let busy = |after| Err(Trouble::Busy { after, message: "HTTP 429".into() });
    assert_eq!(check(1, 429, &[("retry-after", "7")], json!({})).await, busy(Some(Duration::from_secs(7))));
    assert_eq!(check(1, 429, &[], json!({})).await, busy(None));
    assert_eq!(check(1, 500, &[], json!({})).await, Err(Trouble::Unreachable("HTTP 500".into())));
    assert!(matches!(check(1, 503, &[("retry-after", "3")], json!({})).await, Err(Trouble::Busy { .. })));
    assert!(matches!(check(1, 404, &[], json!({})).await, Err(Trouble::Unreachable(why)) if why.contains("coordinator_url")));
    assert!(matches!(check(1, 200, &[], json!({"status": "error", "message": "disk full"})).await, Err(Trouble::Unreachable(_))));
    let rejected = json!({"status": "accepted", "stored": 1, "rejected": [
        {"index": 0, "record_id": "r0", "code": 400, "message": "bad"}, {"index": 2, "code": "413", "message": "long"}, {"index": 99}]});
    assert_eq!(check(3, 200, &[], rejected).await, Ok(vec![refused(400, "bad"), Verdict::Stored, refused(413, "long")]));
    assert_eq!(check(1, 200, &[], json!("fine")).await, Ok(vec![Verdict::Stored]));
}

#[tokio::test]
async fn a_look_finds_out_whether_it_answers_and_takes_the_key() {
    let bench = Bench::new().await;
    assert_eq!(bench.http.probe().await, Ok(()));
    assert_eq!(bench.asked().iter().map(|(line, ..)| line.as_str()).collect::<Vec<_>>(), ["GET /api/v2/health", "POST /api/v2/validate"]);
    bench.answers(&[(200, &[], json!({})), (401, &[], json!({}))]);
    assert_eq!(bench.http.probe().await, Err(Trouble::Key("HTTP 401".into())));
    bench.answers(&[(404, &[], json!({})), (404, &[], json!({}))]);
    assert_eq!(bench.http.probe().await, Ok(()), "a coordinator may know nothing but records");
    bench.answers(&[(503, &[], json!({}))]);
    assert_eq!(bench.http.probe().await, Err(Trouble::Unreachable("HTTP 503".into())));
}

#[tokio::test]
async fn nobody_there_is_trouble_and_tells_no_key() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let key = Some(SecretString::from("k3y-of-ours".to_owned()));
    let http = Http::new(net::Client::default(), &base, key, Duration::from_secs(5), Arc::new(SystemClock));
    let trouble = http.send(&records(1)).await.unwrap_err();
    assert!(matches!(&trouble, Trouble::Unreachable(why) if !why.contains("k3y")), "{trouble:?}");
}

#[tokio::test]
async fn silence_has_an_end() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let http = Http::new(net::Client::default(), &base, None, Duration::from_millis(50), Arc::new(SystemClock));
    assert_eq!(http.send(&records(1)).await, Err(Trouble::Unreachable("no answer within 0.05 s".into())));
}
