//! Error bodies of real servers and what they mean.

use serde_json::json;

use super::*;

fn check(status: u16, body: &str, kind: Kind, message: &str) {
    let failure = Failure::of_response(status, None, body.as_bytes());
    assert_eq!((failure.kind, failure.message.as_str()), (kind, message), "{body}");
}

#[test]
fn bodies_of_all_shapes_are_read() {
    check(400, r#"{"error":{"message":"bad thing","type":"invalid_request_error","code":null}}"#, Kind::Refused, "bad thing (HTTP 400)");
    check(500, r#"{"error":"model runner has stopped"}"#, Kind::Transient, "model runner has stopped (HTTP 500)");
    check(
        422,
        r#"{"detail":[{"loc":["body","temperature"],"msg":"not a number"}]}"#,
        Kind::Refused,
        "body.temperature: not a number (HTTP 422)",
    );
    check(404, r#"{"detail":"Model not found"}"#, Kind::Refused, "Model not found (HTTP 404)");
    check(
        422,
        r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs"}]}}"#,
        Kind::Refused,
        "body.x: Extra inputs (HTTP 422)",
    );
    check(
        400,
        r#"[{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT"}}]"#,
        Kind::Refused,
        "API key not valid (HTTP 400)",
    );
    check(
        503,
        r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
        Kind::Transient,
        "Loading model (HTTP 503)",
    );
    check(401, r#"{"message":"Unauthorized","request_id":"x"}"#, Kind::Authentication, "Unauthorized (HTTP 401)");
    check(
        400,
        r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"no such tool\"}}","provider_name":"X"}}}"#,
        Kind::Refused,
        "Provider returned error: no such tool (HTTP 400)",
    );
    check(
        502,
        "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
        Kind::Transient,
        "502 Bad Gateway (a web page) (HTTP 502)",
    );
    check(502, "<h1>Oops</h1><p>later</p>", Kind::Transient, "Oops later (HTTP 502)");
    check(500, "Internal Server Error", Kind::Transient, "Internal Server Error (HTTP 500)");
    check(429, "", Kind::RateLimited, "Too Many Requests (HTTP 429)");
    check(418, "{}", Kind::Refused, "{} (HTTP 418)");
    check(400, r#"{"error":{"weird":true}}"#, Kind::Refused, r#"{"error":{"weird":true}} (HTTP 400)"#);
    check(400, r#"{"success":false,"errors":[{"code":7,"message":"a"},{"message":"b"}]}"#, Kind::Refused, "a; b (HTTP 400)");
    check(400, "\u{1b}[31mred\u{1b}[0m\nline", Kind::Refused, "red line (HTTP 400)");
}

#[test]
fn too_long_conversations_are_known_whoever_says_it() {
    let long = |status, body: &str| assert_eq!(Failure::of_response(status, None, body.as_bytes()).kind, Kind::TooLong, "{body}");
    // OpenAI, vLLM, llama.cpp, llama-cpp-python, Anthropic's gateways, Gemini, Mistral, xAI, LM Studio, Groq, Ollama.
    long(
        400,
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.","code":"context_length_exceeded"}}"#,
    );
    long(400, r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}"#);
    long(
        400,
        r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}"#,
    );
    long(500, r#"{"error":{"message":"Requested tokens (4242) exceed context window of 2048","type":"internal_server_error"}}"#);
    long(400, r#"{"error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#);
    long(
        400,
        r#"[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."}}]"#,
    );
    long(400, r#"{"message":"Prompt contains 40000 tokens, too large for model with 32768 maximum context length"}"#);
    long(400, r#"{"error":"This model's maximum prompt length is 131072 but the request contains 140000 tokens."}"#);
    long(
        400,
        r#"{"error":"Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens"}"#,
    );
    long(
        413,
        r#"{"error":{"message":"Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}"#,
    );
    long(413, "<html><title>413 Request Entity Too Large</title></html>");
    let told = Failure::of_response(400, None, br#"{"error":{"message":"x","type":"exceed_context_size_error","n_ctx":4096}}"#);
    assert_eq!(told.context_tokens, Some(4096));
}

#[test]
fn limits_and_quotas_are_told_apart() {
    let of = |body: &str| {
        let failure = Failure::of_response(429, None, body.as_bytes());
        (failure.kind, failure.retry_after.map(|wait| wait.as_millis()))
    };
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    assert_eq!(
        of(&json!({"error":{"message":quota,"type":"insufficient_quota","code":"insufficient_quota"}}).to_string()),
        (Kind::Quota, None)
    );
    assert_eq!(of(&json!({"error":{"message":quota}}).to_string()), (Kind::Quota, None));
    let gemini = json!([{"error":{"code":429,"message":quota,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"12s"}]}}]);
    assert_eq!(of(&gemini.to_string()), (Kind::RateLimited, Some(12_000)));
    assert_eq!(of(r#"{"error":{"message":"Rate limit reached. Please try again in 1.5s. Visit x"}}"#), (Kind::RateLimited, Some(1_500)));
    assert_eq!(of(r#"{"error":{"message":"Rate limit reached. Please try again in 350ms."}}"#), (Kind::RateLimited, Some(350)));
    assert_eq!(of(r#"{"error":{"message":"try again in 1m30s"}}"#), (Kind::RateLimited, Some(90_000)));
    assert_eq!(of(r#"{"error":{"message":"Please retry after 20 seconds."}}"#), (Kind::RateLimited, Some(20_000)));
    assert_eq!(of("slow down"), (Kind::RateLimited, None));
    assert_eq!(Failure::of_response(402, None, b"no money").kind, Kind::Quota);
    let header = Failure::of_response(429, Some(Duration::from_secs(7)), b"try again in 3s");
    assert_eq!(header.retry_after, Some(Duration::from_secs(7)), "the header counts first");
}

#[test]
fn errors_within_a_stream_are_judged_by_what_they_carry() {
    let check = |value: Value, kind: Kind, message: &str| {
        let failure = Failure::of_event(&value);
        assert_eq!((failure.kind, failure.message.as_str()), (kind, message), "{value}");
    };
    check(json!({"error":{"code":502,"message":"Upstream"}}), Kind::Transient, "Upstream");
    check(json!({"error":{"code":"429","message":"Slow"}}), Kind::RateLimited, "Slow");
    check(json!({"error":{"message":"Bad","type":"BadRequestError","code":400}}), Kind::Refused, "Bad");
    check(json!({"error":{"message":"busy","type":"overloaded_error"}}), Kind::Transient, "busy");
    check(json!({"error":"the model is overloaded, try again"}), Kind::Transient, "the model is overloaded, try again");
    check(json!({"error":"no such model"}), Kind::Refused, "no such model");
    check(json!({"error":{"message":"context length exceeded"}}), Kind::TooLong, "context length exceeded");
    check(json!({"error":{}}), Kind::Refused, r#"{"error":{}}"#);
    check(
        json!({"error":{"message":"<html><title>Sign in</title></html>","type":"no_stream"}}),
        Kind::Refused,
        "Sign in (a web page) (in place of an answer; does the provider's `base_url` lead to its API?)",
    );
}

#[test]
fn hints_follow_where_there_is_something_to_do() {
    let tools = Failure::of_response(400, None, br#"{"error":{"message":"registry/x does not support tools"}}"#);
    assert!(tools.message.contains("tools = false"), "{}", tools.message);
    let path = Failure::of_response(404, None, b"404 page not found");
    assert!(path.message.contains("/v1"), "{}", path.message);
}
