//! Tests of what an answer means and of what is hidden.

use super::*;
use crate::domain::clock::ManualClock;

fn http() -> Http {
    let clock = ManualClock::starting_at(Instant::from_millis(1_000_000));
    Http::new(net::Client::default(), Arc::new(clock), Duration::from_secs(5))
}

fn answer(status: u16, retry_after: Option<&'static str>, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    if let Some(value) = retry_after {
        headers.insert("retry-after", HeaderValue::from_static(value));
    }
    Answer { status, headers, body: body.to_owned() }
}

#[test]
fn each_status_has_one_meaning() {
    let kind = |status, retry_after| match http().refusal(&answer(status, retry_after, ""), &Censor::default()) {
        SendError::Rejected { .. } => "rejected".to_owned(),
        SendError::RateLimited { retry_at } => format!("limited {:?}", retry_at.map(Instant::as_millis)),
        SendError::Down { .. } => "down".to_owned(),
        SendError::Unknown { .. } => "unknown".to_owned(),
        SendError::Auth { .. } => "auth".to_owned(),
    };
    for status in [301, 400, 404, 410, 413, 422, 501, 505] {
        assert_eq!(kind(status, None), "rejected", "{status}");
    }
    for status in [401, 403, 407] {
        assert_eq!(kind(status, None), "auth", "{status}");
    }
    for status in [408, 425, 500, 503, 507] {
        assert_eq!(kind(status, None), "down", "{status}");
    }
    for status in [502, 504, 522] {
        assert_eq!(kind(status, None), "unknown", "{status}");
    }
    assert_eq!(kind(429, None), "limited None");
    assert_eq!(kind(429, Some("60")), "limited Some(1060000)");
    assert_eq!(kind(503, Some("5")), "limited Some(1005000)");
    assert_eq!(kind(429, Some("99999999")), "limited Some(87400000)", "a day at most");
}

#[test]
fn secrets_and_receivers_are_hidden() {
    let censor = Censor::of(["hunter22", "tok", "hunter22-long"]).with_receiver("+15551234567", "+1•••4567");
    assert_eq!(censor.hide("hunter22-long\nfor +15551234567\u{1b}[0m, hunter22, tok"), "•••• for +1•••4567, ••••, tok");
    assert_eq!(censor.hide(&"x".repeat(1_000)).chars().count(), REASON_CHARS_MAX);
}

#[test]
fn addresses_are_checked() {
    let check = |text: &str, expected: Result<&str, &str>| match (check_base("ntfy.server", text), expected) {
        (Ok(base), Ok(expected)) => assert_eq!(base, expected),
        (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
        (got, _) => panic!("{text}: {got:?}"),
    };
    check(" https://ntfy.sh/ ", Ok("https://ntfy.sh"));
    check("ntfy.sh", Err("`notify.ntfy.server`"));
    check("ftp://ntfy.sh", Err("must begin with `http://`"));
    check("https://u:p@ntfy.sh", Err("no password"));
    check("https://ntfy.sh?x=1", Err("no query"));
    assert!(
        is_open("http://example.org") && !is_open("https://example.org") && !is_open("http://127.0.0.1:1") && !is_open("http://[::1]:1")
    );
}
