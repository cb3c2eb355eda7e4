//! Tests against a server that speaks as Twilio does.

use super::*;
use crate::domain::clock::Instant;
use crate::notify::testing::{NOW, http, notice, nowhere, send, serve};

const TO: &str = "+1 (234) 567-890";

async fn text(base: &str) -> Result<Receipt, SendError> {
    let variables = [("TWILIO_ACCOUNT_SID", "AC123"), ("TWILIO_AUTH_TOKEN", "secret-token"), ("TWILIO_PHONE_NUMBER", "+15550001111")];
    send(&format!("[sms]\nbase_url = '{base}'"), &variables, notice(ChannelKind::Sms, TO)).await
}

/// What a text comes to when Twilio answers this.
async fn outcome(answer: Option<String>) -> Result<Receipt, SendError> {
    let (base, server) = serve(answer).await;
    let outcome = text(&base).await;
    server.await.unwrap();
    let told = format!("{outcome:?}");
    assert!(!told.contains("secret-token") && !told.contains("+1234567890"), "{told}");
    outcome
}

#[tokio::test]
async fn a_text_is_a_form_with_basic_auth_and_its_sid_the_receipt() {
    let (base, server) = serve(http("201 Created", "", r#"{"sid":"SM42","status":"queued"}"#)).await;
    let receipt = text(&base).await.unwrap();
    assert_eq!((receipt.id.as_deref(), receipt.simulated), (Some("SM42"), false));
    assert_eq!(receipt.detail, "text to +1•••7890 taken by Twilio");
    let request = server.await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /2010-04-01/Accounts/AC123/Messages.json HTTP/1.1"), "{head}");
    // base64 of `AC123:secret-token`.
    assert!(head.contains("authorization: Basic QUMxMjM6c2VjcmV0LXRva2Vu"), "{head}");
    assert_eq!(
        body,
        "To=%2B1234567890&From=%2B15550001111&Body=AI+news%0AA+model+was+released%0Ahttps%3A%2F%2Fx.test%2Fa%3Fb%3D1%26c%3D2&SmartEncoded=true"
    );
}

#[tokio::test]
async fn refusals_are_told_in_words() {
    let bad = outcome(http("400 Bad Request", "", r#"{"code":21211,"message":"The 'To' number +1234567890 is invalid"}"#)).await;
    assert!(
        matches!(&bad, Err(SendError::Rejected { reason }) if reason.contains("no valid number") && reason.contains("21211")),
        "{bad:?}"
    );
    let other = outcome(http("400 Bad Request", "", r#"{"code":29999,"message":"no +1234567890 for secret-token"}"#)).await;
    assert_eq!(other, Err(SendError::Rejected { reason: "HTTP 400: no +1•••7890 for ••••".into() }));
    let login = outcome(http("401 Unauthorized", "", r#"{"code":20003,"message":"Authenticate"}"#)).await;
    assert!(matches!(&login, Err(SendError::Auth { reason }) if reason.contains("`TWILIO_AUTH_TOKEN`")), "{login:?}");
    let failed = outcome(http("201 Created", "", r#"{"sid":"SM1","status":"failed","error_message":"blocked"}"#)).await;
    assert_eq!(failed, Err(SendError::Rejected { reason: "blocked".into() }));
}

#[tokio::test]
async fn a_busy_service_names_its_time() {
    let busy = outcome(http("429 Too Many Requests", "retry-after: 90\r\n", r#"{"code":20429,"message":"Too Many Requests"}"#)).await;
    assert_eq!(busy, Err(SendError::RateLimited { retry_at: Some(Instant::from_millis(NOW.as_millis() + 90_000)) }));
}

#[tokio::test]
async fn what_may_have_arrived_is_told_from_what_has_not() {
    let own = outcome(http("500 Internal Server Error", "", r#"{"code":20500,"message":"Internal error"}"#)).await;
    assert!(matches!(own, Err(SendError::Down { .. })), "{own:?}");
    let gateway = outcome(http("500 Internal Server Error", "", "<html>")).await;
    assert!(matches!(gateway, Err(SendError::Unknown { .. })), "{gateway:?}");
    let stranger = outcome(http("200 OK", "", "<html>Log in to the hotel's network</html>")).await;
    assert!(matches!(stranger, Err(SendError::Unknown { .. })), "{stranger:?}");
    let cut = outcome(None).await;
    assert!(matches!(cut, Err(SendError::Unknown { .. })), "{cut:?}");
    let refused = text(&format!("http://{}", nowhere().await)).await;
    assert!(matches!(refused, Err(SendError::Down { .. })), "{refused:?}");
}

#[test]
fn numbers_need_their_country_code() {
    for (text, expected) in [
        ("+1234567890", Some("+1234567890")),
        ("+49 (151) 234-567", Some("+49151234567")),
        ("1234567890", None),
        ("+0123456789", None),
        ("+12345678901234567", None),
        ("+12345x7890", None),
        ("", None),
    ] {
        assert_eq!(number(text).ok().as_deref(), expected, "{text}");
    }
}
