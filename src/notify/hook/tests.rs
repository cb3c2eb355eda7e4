//! Tests of documents, keys and signatures, and of what answers mean.

use super::*;
use crate::notify::testing::{NOW, http, notice, nowhere, send, serve};

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.split_once(": ").filter(|(known, _)| *known == name).map(|(_, value)| value))
}

/// HMAC by its definition (RFC 2104), not by the crate under test.
fn hmac(key: &[u8], message: &[u8]) -> String {
    use sha2::Digest;
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let hash = |pad: u8, data: &[u8]| Sha256::digest([block.map(|byte| byte ^ pad).to_vec(), data.to_vec()].concat()).to_vec();
    hash(0x5c, &hash(0x36, message)).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_webhook_is_signed_and_carries_its_key() {
    let (base, server) = serve(http("200 OK", "", r#"{"id":"r-1"}"#)).await;
    let mut told = notice(ChannelKind::Webhook, &format!("{base}/hook/private"));
    told.payload = serde_json::json!({"z": 1, "a": "ü"});
    let receipt = send("", &[("WAKEFUL_WEBHOOK_SECRET", "hunter22")], told.clone()).await.unwrap();
    assert_eq!(receipt.id.as_deref(), Some("r-1"));
    assert!(!receipt.detail.contains("private"), "{receipt:?}");
    let request = server.await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook/private HTTP/1.1"), "{head}");
    assert_eq!(body, r#"{"z":1,"a":"ü"}"#);
    assert_eq!(header(head, "idempotency-key"), Some(told.notice_id.as_str()));
    let seconds = (NOW.as_millis() / 1_000).to_string();
    assert_eq!(header(head, "x-wakeful-timestamp"), Some(seconds.as_str()));
    let expected = format!("sha256={}", hmac(b"hunter22", format!("{seconds}.{body}").as_bytes()));
    assert_eq!(header(head, "x-wakeful-signature"), Some(expected.as_str()));
}

#[test]
fn the_signature_agrees_with_a_published_value() {
    // The second test case of RFC 4231, whose message has no dot: both sides are compared on one of ours, the hash on theirs.
    assert_eq!(hmac(b"Jefe", b"what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    let signed = signature(&SecretString::from("Jefe"), 7, b"{}").unwrap();
    assert_eq!(signed, format!("sha256={}", hmac(b"Jefe", b"7.{}")));
}

#[tokio::test]
async fn a_callback_posts_the_feedback_unsigned_without_a_secret() {
    let (base, server) = serve(http("200 OK", "", r#"{"status":"queued","event_id":"e-7"}"#)).await;
    let mut told = notice(ChannelKind::Callback, &base);
    told.payload = serde_json::json!({"task_id": "t", "event_type": "scheduled_trigger"});
    assert_eq!(send("", &[], told).await.unwrap().id.as_deref(), Some("e-7"));
    let request = server.await.unwrap();
    assert!(
        request.ends_with(r#"{"task_id":"t","event_type":"scheduled_trigger"}"#) && !request.contains("x-wakeful-signature"),
        "{request}"
    );
    let empty = send("", &[], notice(ChannelKind::Callback, &base)).await;
    assert!(matches!(empty, Err(SendError::Rejected { .. })), "{empty:?}");
}

#[tokio::test]
async fn errors_hide_the_address_and_say_what_happened() {
    let outcome = async |answer| {
        let (base, server) = serve(answer).await;
        let outcome = send("", &[], notice(ChannelKind::Webhook, &format!("{base}/hook/private?key=1"))).await.unwrap_err();
        server.await.unwrap();
        assert!(!outcome.to_string().contains("private"), "{outcome}");
        outcome
    };
    let gone = outcome(http("410 Gone", "", r#"{"error":"no such hook"}"#)).await;
    assert_eq!(gone, SendError::Rejected { reason: "HTTP 410: no such hook".into() });
    assert!(outcome(None).await.may_have_arrived());
    assert!(outcome(http("500 Oops", "", "")).await.is_transient());
    let moved = outcome(http("302 Found", "location: https://elsewhere.test/\r\n", "")).await;
    assert!(matches!(&moved, SendError::Rejected { reason } if reason.contains("final address")), "{moved}");
    let refused = send("", &[], notice(ChannelKind::Webhook, &format!("http://{}/private", nowhere().await))).await.unwrap_err();
    assert!(matches!(&refused, SendError::Down { reason } if !reason.contains("private")), "{refused}");
    let wrong = send("", &[], notice(ChannelKind::Webhook, "file:///etc/passwd")).await.unwrap_err();
    assert!(matches!(wrong, SendError::Rejected { .. }), "{wrong}");
}

#[tokio::test]
async fn nothing_is_posted_to_a_metadata_service_or_where_a_receiver_sends_us_on() {
    for url in ["http://169.254.169.254/latest/", "http://[fd00:ec2::254]/", "http://2852039166/", "http://metadata.google.internal/"] {
        let refused = send("", &[], notice(ChannelKind::Webhook, url)).await.unwrap_err();
        assert!(matches!(&refused, SendError::Rejected { reason } if reason.contains("nothing is posted there")), "{url}: {refused}");
    }
    // The same host: another client would follow it.
    let (base, server) = serve(http("307 Temporary Redirect", "location: /elsewhere\r\n", "")).await;
    let moved = send("", &[], notice(ChannelKind::Webhook, &format!("{base}/hook"))).await.unwrap_err();
    assert!(matches!(&moved, SendError::Rejected { reason } if reason.contains("final address")), "{moved}");
    server.await.unwrap();
}
