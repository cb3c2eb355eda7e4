//! What goes wrong: refusals, tries, breaks, silence, readers and servers that stop.

use super::*;

/// The error with which a response of `status` and `text` ends, without any further try.
async fn refused(status: u16, text: &str) -> Error {
    let heard = ask(vec![body(status, "", text)]).await;
    assert!(heard.retries.is_empty() && heard.text.is_empty());
    heard.end.unwrap_err()
}

#[tokio::test]
async fn refusals_of_all_shapes_are_told_at_once() {
    assert_eq!(
        refused(401, r#"{"error":{"message":"Incorrect API key: sk-secret-key"}}"#).await,
        Error::Authentication("Incorrect API key: •••• (HTTP 401)".into())
    );
    assert_eq!(refused(403, "Forbidden").await, Error::Authentication("Forbidden (HTTP 403)".into()));
    assert_eq!(refused(400, r#"{"error":"bad request"}"#).await, Error::Refused("bad request (HTTP 400)".into()));
    assert_eq!(
        refused(400, r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#).await,
        Error::Refused("bad (HTTP 400)".into())
    );
    assert_eq!(refused(422, r#"{"detail":[{"loc":["body","x"],"msg":"odd"}]}"#).await, Error::Refused("body.x: odd (HTTP 422)".into()));
    assert_eq!(
        refused(404, r#"{"error":{"code":404,"message":"model not found"}}"#).await,
        Error::Refused("model not found (HTTP 404)".into())
    );
    assert_eq!(refused(405, "").await, Error::Refused("Method Not Allowed (HTTP 405)".into()));
    assert_eq!(refused(413, "<title>413 Too Large</title>").await, Error::TooLong("413 Too Large (a web page) (HTTP 413)".into()));
    let quota = r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#;
    assert_eq!(
        refused(429, quota).await,
        Error::RateLimited { message: "You exceeded your current quota (HTTP 429)".into(), retry_after: None }
    );
    let long = r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_ctx":4096}}"#;
    assert_eq!(refused(400, long).await, Error::TooLong("the request exceeds the available context size (HTTP 400)".into()));
    let tools = r#"{"error":{"message":"x does not support tools"}}"#;
    assert!(matches!(refused(400, tools).await, Error::Refused(message) if message.contains("tools = false")));
    let heard = ask(vec![body(302, "location: http://elsewhere.test/v1?key=1\r\n", "")]).await;
    assert_eq!(heard.end.unwrap_err(), Error::Refused("the address has moved to http://elsewhere.test/v1 (HTTP 302)".into()));
}

/// Asserts the wait after a first response of `status` with `headers`, and that the second try gives the answer.
async fn retried(reply: Reply, reason: &str, delay_ms: std::ops::RangeInclusive<u128>) {
    let heard = ask(vec![reply, events(&[say("ok"), finish("stop"), done()])]).await;
    assert_eq!(heard.end.as_ref().map(show), Ok("stop | ok".to_owned()), "{reason}");
    let [(said, 2, delay)] = &heard.retries[..] else { panic!("one retry, not {:?}", heard.retries) };
    assert!(said.starts_with(reason), "{said:?} begins with {reason:?}");
    assert!(delay_ms.contains(&delay.as_millis()), "{delay:?}");
}

#[tokio::test]
async fn what_may_go_away_is_tried_again() {
    retried(body(429, "retry-after: 3\r\n", "slow down"), "slow down (HTTP 429)", 3_000..=3_000).await;
    retried(body(429, "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n", ""), "Too Many Requests (HTTP 429)", 7_000..=7_000).await;
    retried(body(429, "retry-after-ms: 250\r\nretry-after: 9\r\n", "{}"), "{} (HTTP 429)", 250..=250).await;
    retried(body(429, "", r#"{"error":{"message":"Please try again in 2s."}}"#), "Please try again in 2s.", 2_000..=2_000).await;
    retried(
        body(503, "", r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#),
        "Loading model (HTTP 503)",
        750..=1_250,
    )
    .await;
    retried(body(502, "", "<title>502 Bad Gateway</title>"), "502 Bad Gateway (a web page)", 750..=1_250).await;
    retried(body(408, "", ""), "Request Timeout", 750..=1_250).await;
    retried(vec![Step::Reset], "the connection was lost", 750..=1_250).await;
    retried(vec![stream_head(), Step::Reset], "the connection was lost", 750..=1_250).await;
    retried(events(&[""; 0]), "the stream ended before the answer began", 750..=1_250).await;
    retried(events(&[done()]), "the answer is empty", 750..=1_250).await;
    retried(events(&[event(&json!({"error": {"code": 502, "message": "Upstream"}}))]), "Upstream", 750..=1_250).await;
    retried(body(200, "", r#"{"error":{"code":529,"message":"Overloaded"}}"#), "Overloaded", 750..=1_250).await;
}

#[tokio::test]
async fn tries_come_to_an_end() {
    let heard = ask((0..5).map(|_| body(500, "", "boom")).collect()).await;
    assert_eq!(heard.end.unwrap_err(), Error::Unavailable("boom (HTTP 500); tried 5 times".into()));
    assert_eq!(heard.retries.iter().map(|(_, attempt, _)| *attempt).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert!(heard.retries.windows(2).all(|pair| pair[0].2 < pair[1].2), "each wait is longer: {:?}", heard.retries);
    let heard = ask(vec![body(429, "retry-after: 300\r\n", "later")]).await;
    let wait = Duration::from_mins(5);
    assert_eq!(
        heard.end.unwrap_err(),
        Error::RateLimited { message: "later (HTTP 429); it asks to wait 300 s".into(), retry_after: Some(wait) }
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let place = format!(" (provider `fake`, {base_url}); tried 5 times");
    let heard = listen(provider(ProviderOptions { base_url, attempts_max: 5, ..ProviderOptions::default() }).chat(request())).await;
    assert_eq!(heard.retries.len(), 4);
    let Err(Error::Unavailable(message)) = heard.end else { panic!("{:?}", heard.end) };
    assert!(message.starts_with("no connection: ") && !message.contains("client error") && message.ends_with(&place), "{message}");
}

/// Asserts the text that was seen and the error that ended it.
async fn broken(reply: Reply, text: &str, expected: &str) {
    let heard = ask(vec![reply]).await;
    assert_eq!(heard.text, text);
    assert!(heard.retries.is_empty());
    let Err(Error::Broken(message)) = heard.end else { panic!("{:?} is broken", heard.end) };
    assert!(message.starts_with(expected), "{message:?} begins with {expected:?}");
}

#[tokio::test]
async fn what_breaks_after_the_first_text_keeps_it() {
    broken(events(&[say("half"), say(" of")]), "half of", "the stream ended before the answer was complete").await;
    broken(events(&[say("half"), "data: {\"choi".to_owned()]), "half", "the stream ended before the answer was complete").await;
    broken(events(&[say("half"), event(&json!({"error": {"message": "GPU on fire", "code": 500}}))]), "half", "GPU on fire").await;
    broken(events(&[say("half"), event(&json!({"object": "error", "message": "bad", "code": 400}))]), "half", "bad").await;
    broken(events(&[say("half"), "event: error\ndata: {\"message\": \"oh\"}\n\n".to_owned()]), "half", "oh").await;
    broken(events(&[say("half"), "data: gateway gone\n\n".to_owned()]), "half", "gateway gone").await;
    broken(events(&[say("half <tool_c"), finish("error")]), "half <tool_c", "the provider ended the answer with an error").await;
    let cut_call = events(&[part(0, Some("c1"), Some("f"), "{\"a\"")]);
    broken(cut_call, "", "the stream ended before the answer was complete").await;
}

#[tokio::test]
async fn a_reset_after_the_first_text_keeps_it() {
    let (more, receiver) = mpsc::unbounded_channel();
    more.send(packet(say("half").as_bytes())).unwrap();
    let fake = Fake::start(vec![vec![stream_head(), Step::Follow(receiver), Step::Reset]]).await;
    let mut stream = provider(options(&fake)).chat(request());
    assert_eq!(next(&mut stream).await, Some(Ok(Delta::Text("half".into()))));
    drop(more);
    let heard = listen(stream).await;
    assert!(matches!(heard.end, Err(Error::Broken(message)) if message.starts_with("the connection was lost")));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_end_harms_nothing() {
    let heard = ask(vec![vec![stream_head(), Step::Write(packet([say("all"), finish("stop")].concat().as_bytes()))]]).await;
    assert_eq!(heard.end.as_ref().map(show), Ok("stop | all".to_owned()));
}

#[tokio::test]
async fn silence_before_the_first_part_ends() {
    for reply in
        [vec![Step::Hold], vec![stream_head(), Step::Hold], vec![stream_head(), Step::Write(packet(b": still reading\n\n")), Step::Hold]]
    {
        let fake = Fake::start(vec![reply]).await;
        let mut stream = provider(options(&fake)).chat(request());
        until_sent(&mut stream, &fake).await;
        pass(&mut stream, Duration::from_secs(179)).await;
        pass(&mut stream, Duration::from_secs(1)).await;
        assert_eq!(next(&mut stream).await, Some(Err(Error::TimedOut(Duration::from_mins(3)))));
    }
}

#[tokio::test]
async fn silence_between_parts_ends_and_comments_do_not_count() {
    let (comments, receiver) = mpsc::unbounded_channel();
    let fake =
        Fake::start(vec![vec![stream_head(), Step::Write(packet(say("half").as_bytes())), Step::Follow(receiver), Step::Hold]]).await;
    let mut stream = provider(options(&fake)).chat(request());
    assert_eq!(next(&mut stream).await, Some(Ok(Delta::Text("half".into()))));
    for _ in 0..3 {
        pass(&mut stream, Duration::from_secs(30)).await;
        comments.send(packet(b": ping\n\nevent: ping\ndata: {}\n\n")).unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(next(&mut stream).await, Some(Err(Error::TimedOut(Duration::from_secs(90)))));
    drop((stream, comments));
    tokio::time::timeout(PATIENCE, fake.closed.notified()).await.expect("the connection is closed");
}

#[tokio::test]
async fn a_connection_that_stays_open_after_the_end_does_not_hold_up_the_answer() {
    let all = [say("all"), finish("stop")].concat();
    let fake = Fake::start(vec![vec![stream_head(), Step::Write(packet(all.as_bytes())), Step::Hold]]).await;
    let mut stream = provider(options(&fake)).chat(request());
    assert_eq!(next(&mut stream).await, Some(Ok(Delta::Text("all".into()))));
    assert!(tokio::time::timeout(Duration::from_millis(50), stream.next()).await.is_err(), "tokens may still come");
    pass(&mut stream, Duration::from_secs(3)).await;
    assert!(matches!(next(&mut stream).await, Some(Ok(Delta::Done(completion))) if show(&completion) == "stop | all"));
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    for reply in
        [vec![Step::Hold], vec![stream_head(), Step::Hold], vec![stream_head(), Step::Write(packet(say("half").as_bytes())), Step::Hold]]
    {
        let fake = Fake::start(vec![reply]).await;
        let mut stream = provider(options(&fake)).chat(request());
        until_sent(&mut stream, &fake).await;
        drop(stream);
        tokio::time::timeout(PATIENCE, fake.closed.notified()).await.expect("the connection is closed");
    }
}

#[tokio::test]
async fn nothing_happens_before_the_first_poll() {
    let fake = Fake::start(vec![events(&[say("a"), done()])]).await;
    let stream = provider(options(&fake)).chat(request());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fake.connections.load(Ordering::SeqCst), 0);
    assert_eq!(listen(stream).await.text, "a");
}

#[tokio::test]
async fn an_endless_line_ends_at_sixteen_megabytes() {
    let line = vec![b'x'; 1024 * 1024];
    let fake = Fake::start(vec![vec![
        head(200, "content-type: text/event-stream\r\n"),
        Step::Write(b"data: ".to_vec()),
        Step::Flood(line, 64, PATIENCE),
    ]])
    .await;
    let heard = listen(provider(options(&fake)).chat(request())).await;
    assert_eq!(heard.end.unwrap_err(), Error::Refused("one event of the answer is longer than 16 MiB".into()));
    tokio::time::timeout(PATIENCE, fake.closed.notified()).await.expect("the flood ends");
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_the_server() {
    let flood = say(&"x".repeat(1024 * 1024));
    let reply = vec![
        head(200, "content-type: text/event-stream\r\n"),
        Step::Write(say("first").into_bytes()),
        Step::Flood(flood.into_bytes(), 200, Duration::from_secs(1)),
    ];
    let fake = Fake::start(vec![reply]).await;
    let mut stream = provider(options(&fake)).chat(request());
    assert_eq!(next(&mut stream).await, Some(Ok(Delta::Text("first".into()))));
    tokio::time::timeout(PATIENCE, fake.closed.notified()).await.expect("the server is held up");
    let taken = fake.flooded.load(Ordering::SeqCst) / 1024 / 1024;
    assert!(taken < 60, "{taken} MiB are under way");
}
