//! Tests of the published document and of the token.

use super::*;
use crate::notify::testing::{http, notice, send, serve};

#[tokio::test]
async fn a_push_is_published_as_json() {
    let (base, server) = serve(http("200 OK", "", r#"{"id":"hwQ2YpKdmg","event":"message"}"#)).await;
    let receipt =
        send(&format!("[ntfy]\nserver = '{base}'"), &[("NTFY_TOKEN", "tk_secret")], notice(ChannelKind::Ntfy, "my-topic")).await.unwrap();
    assert_eq!(receipt.id.as_deref(), Some("hwQ2YpKdmg"));
    let request = server.await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST / HTTP/1.1") && head.contains("authorization: Bearer tk_secret"), "{head}");
    let expected = json!({"topic": "my-topic", "title": "AI news", "message": "A model was released", "priority": 4, "click": "https://x.test/a?b=1&c=2"});
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap(), expected);
}

#[tokio::test]
async fn a_refused_token_is_told_without_it() {
    let (base, server) = serve(http("403 Forbidden", "", r#"{"code":40301,"http":403,"error":"forbidden tk_secret my-topic"}"#)).await;
    let error = send(&format!("[ntfy]\nserver = '{base}'"), &[("NTFY_TOKEN", "tk_secret")], notice(ChannelKind::Ntfy, "my-topic"))
        .await
        .unwrap_err();
    server.await.unwrap();
    assert_eq!(error, SendError::Auth { reason: "HTTP 403: forbidden •••• •••".into() });
}

#[test]
fn topics_are_names() {
    assert!(check_topic("my_topic-1").is_ok());
    for wrong in ["", "a/b", "https://other.test/topic", "a b", &"x".repeat(65)] {
        assert!(check_topic(wrong).is_err(), "{wrong}");
    }
}
