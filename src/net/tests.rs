//! Tests of the client's rules and of trying again.

use http::HeaderValue;

use super::*;
use crate::domain::clock::Instant;

#[test]
fn only_loopback_addresses_go_around_the_proxy() {
    let check = |url: &str, expected: bool| assert_eq!(is_loopback(url), expected, "{url}");
    check("http://localhost:11434/v1", true);
    check("http://LOCALHOST/v1", true);
    check("http://127.0.0.1:8000/v1", true);
    check("http://127.8.0.1", true);
    check("http://[::1]:8000/v1", true);
    check("http://localhost.example.com/v1", false);
    check("http://10.0.0.1/v1", false);
    check("https://api.openai.com/v1", false);
    check("nonsense", false);
}

#[test]
fn a_proxy_address_is_told_without_its_password() {
    assert_eq!(without_userinfo("http://user:secret@proxy:3128"), "http://proxy:3128");
    assert_eq!(without_userinfo("http://proxy:3128"), "http://proxy:3128");
}

#[tokio::test]
async fn a_bad_proxy_is_an_error_of_its_own_and_not_used_for_loopback() {
    let client = Client::new(Options { proxy: Some("http://user:secret@[".into()), ..Options::default() });
    let error = client.inner("https://example.com").await.unwrap_err();
    assert!(matches!(&error, Error::Proxy(url) if !url.contains("secret")), "{error}");
    client.inner("http://127.0.0.1:1/").await.unwrap();
}

#[test]
fn another_connect_timeout_makes_another_client() {
    let client = Client::default();
    assert!(Arc::ptr_eq(&client.0, &client.clone().with_connect_timeout(10).0));
    assert_eq!(client.with_connect_timeout(3).0.options.connect_timeout_seconds, 3);
}

#[test]
fn retries_wait_longer_and_longer_then_end() {
    let policy = RetryPolicy::default();
    let wait = |attempt| match policy.decide(attempt, Class::Transient, None, 0.5) {
        Verdict::Wait(wait) => wait.as_millis(),
        Verdict::GiveUp(_) => 0,
    };
    assert_eq!([1, 2, 3, 4, 5].map(wait), [1_000, 2_000, 4_000, 8_000, 0]);
    assert_eq!(policy.decide(5, Class::Transient, None, 0.5), Verdict::GiveUp(GaveUp::Spent));
    assert_eq!(policy.decide(1, Class::Permanent, None, 0.5), Verdict::GiveUp(GaveUp::Permanent));
    assert_eq!(policy.decide(1, Class::Transient, None, 0.0), Verdict::Wait(Duration::from_millis(750)));
    assert_eq!(policy.decide(1, Class::Transient, None, 1.0), Verdict::Wait(Duration::from_millis(1_250)));
    let patient = RetryPolicy { attempts_max: 100, ..policy };
    assert_eq!(patient.decide(99, Class::Transient, None, 0.5), Verdict::Wait(Duration::from_secs(30)));
}

#[test]
fn a_server_that_asks_is_obeyed_up_to_a_minute() {
    let decide = |seconds| RetryPolicy::default().decide(1, Class::Transient, Some(Duration::from_secs(seconds)), 0.5);
    assert_eq!(decide(60), Verdict::Wait(Duration::from_mins(1)));
    assert_eq!(decide(61), Verdict::GiveUp(GaveUp::TooLong(Duration::from_secs(61))));
    assert_eq!(decide(0), Verdict::Wait(Duration::from_secs(1)), "no wait at all is our own first wait");
}

#[test]
fn retry_after_is_read_in_all_its_forms() {
    // 1994-11-06T08:49:37Z, the example date of RFC 9110, is 784111777.
    let now = Instant::from_millis(784_111_770_000);
    let check = |headers: &[(&'static str, &'static str)], expected_ms: Option<u64>| {
        let map: HeaderMap =
            headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        assert_eq!(retry_after(&map, now), expected_ms.map(Duration::from_millis), "{headers:?}");
    };
    check(&[], None);
    check(&[("retry-after", "3")], Some(3_000));
    check(&[("retry-after", " 0.25 ")], Some(250));
    check(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], Some(7_000));
    check(&[("retry-after", "Sun, 06 Nov 1994 08:49:30 GMT")], Some(0));
    check(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")], Some(0));
    check(&[("retry-after-ms", "1500"), ("retry-after", "9")], Some(1_500));
    check(&[("llm_provider-retry-after", "4")], Some(4_000));
    check(&[("retry-after", "soon")], None);
    check(&[("retry-after", "-1")], None);
    check(&[("retry-after", "NaN")], None);
    check(&[("retry-after", "1e300")], None);
    check(&[("retry-after-ms", "soon"), ("retry-after", "2")], Some(2_000));
}

#[test]
fn only_what_may_go_away_by_itself_is_tried_again() {
    for status in [408, 425, 429, 500, 502, 503, 504, 529] {
        assert_eq!(Class::of_status(status), Class::Transient, "{status}");
    }
    for status in [200, 301, 400, 401, 402, 403, 404, 413, 422, 501, 505] {
        assert_eq!(Class::of_status(status), Class::Permanent, "{status}");
    }
}
