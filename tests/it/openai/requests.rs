//! What is sent: connections, keys, what is configured, what a provider refused before.

use super::*;

#[tokio::test]
async fn connections_are_used_again() {
    let mut first = events(&[say("a"), finish("stop"), done()]);
    first.push(Step::Again);
    let fake = Fake::start(vec![first, events(&[say("b"), done()])]).await;
    let provider = provider(options(&fake));
    assert_eq!(listen(provider.chat(request())).await.text, "a");
    assert_eq!(listen(provider.chat(request())).await.text, "b");
    assert_eq!(fake.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn requests_carry_what_is_configured() {
    let fake =
        Fake::start(vec![events(&[say("a"), done()]), body(200, "", r#"{"data":[{"id":"m1","context_length":4242},{"id":"m2"}]}"#)]).await;
    let options = ProviderOptions {
        auth: Auth::Header("api-key".into()),
        headers: [("x-team".to_owned(), "blue-team".into())].into(),
        query: [("api-version".to_owned(), "2024 10".to_owned())].into(),
        models: vec!["m2".to_owned(), "mine".to_owned()],
        ..options(&fake)
    };
    let provider = provider(options);
    listen(provider.chat(request())).await.end.unwrap();
    assert_eq!(provider.context_tokens("m1"), None);
    assert_eq!(provider.models().await, Ok(vec!["m2".to_owned(), "mine".to_owned(), "m1".to_owned()]));
    assert_eq!(provider.context_tokens("m1"), Some(4242));
    let [chat, models] = &fake.seen()[..] else { panic!("two requests") };
    assert!(chat.head.starts_with("post /v1/chat/completions?api-version=2024+10 "), "{}", chat.head);
    assert!(models.head.starts_with("get /v1/models?api-version=2024+10 "), "{}", models.head);
    for seen in [chat, models] {
        assert!(seen.head.contains("api-key: sk-secret-key\r\n") && seen.head.contains("x-team: blue-team\r\n"), "{}", seen.head);
        assert!(seen.head.contains("user-agent: wakeful/") && !seen.head.contains("authorization"), "{}", seen.head);
    }
    assert_eq!(chat.body["stream_options"], json!({"include_usage": true}));
    assert_eq!(chat.body["tools"][1]["function"]["name"], "g");
    let shown = format!("{provider:?} {:?}", ProviderOptions { api_key: Some("sk-secret-key".into()), ..ProviderOptions::default() });
    assert!(!shown.contains("secret-key"), "{shown}");
}

#[tokio::test]
async fn a_key_that_is_missing_is_named() {
    let options = ProviderOptions { api_key_env: Some("NO_SUCH_KEY".into()), ..ProviderOptions::default() };
    let heard = listen(provider(options).chat(request())).await;
    assert_eq!(heard.end.unwrap_err(), Error::Config("`NO_SUCH_KEY` is not set; it should hold the key of the provider `fake`".into()));
}

#[tokio::test]
async fn what_a_provider_refuses_is_left_out_and_remembered() {
    let refusal = || body(400, "", r#"{"error":{"message":"stream_options: Extra inputs are not permitted"}}"#);
    let fake = Fake::start(vec![refusal(), events(&[say("a"), done()]), events(&[say("b"), done()])]).await;
    let provider = provider(options(&fake));
    let heard = listen(provider.chat(request())).await;
    assert_eq!((heard.text.as_str(), heard.retries.len()), ("a", 0));
    assert_eq!(listen(provider.chat(request())).await.text, "b");
    let with: Vec<_> = fake.seen().iter().map(|seen| seen.body.get("stream_options").is_some()).collect();
    assert_eq!(with, [true, false, false]);
}

#[tokio::test]
async fn a_refusal_that_tells_the_context_is_remembered() {
    let long = r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_ctx":4096}}"#;
    let fake = Fake::start(vec![body(400, "", long)]).await;
    let provider = provider(options(&fake));
    listen(provider.chat(request())).await.end.unwrap_err();
    assert_eq!(provider.context_tokens("asked"), Some(4096));
}
