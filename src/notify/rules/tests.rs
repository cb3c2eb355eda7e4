//! Tests of quiet hours across changes of the clock, rates, retries and digests.

use serde_json::{Value, json};

use super::*;
use crate::domain::clock::Instant;
use crate::domain::ids::{NoticeId, TaskId};
use crate::domain::notice::{ChannelKind, Notice};
use crate::notify::{Options, SendError};

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn quiet(windows: &[&str], zone: &str) -> QuietHours {
    let windows = windows.iter().map(ToString::to_string).collect();
    QuietHours::new(&Options { quiet_hours: windows, timezone: zone.to_owned(), ..Options::default() }).unwrap()
}

#[test]
fn notices_wait_for_the_end_of_quiet_hours() {
    let check = |windows: &[&str], zone: &str, now: &str, until: Option<&str>| {
        assert_eq!(quiet(windows, zone).hold_until(at(now), 3), until.map(at), "{windows:?} {zone} {now}");
    };
    check(&[], "UTC", "2026-01-01T23:00:00Z", None);
    check(&["22:00-07:00"], "UTC", "2026-01-01T21:59:59.999Z", None);
    check(&["22:00-07:00"], "UTC", "2026-01-01T22:00:00Z", Some("2026-01-02T07:00:00Z"));
    check(&["22:00-07:00"], "UTC", "2026-01-02T06:59:59.999Z", Some("2026-01-02T07:00:00Z"));
    check(&["22:00-07:00"], "UTC", "2026-01-02T07:00:00Z", None);
    check(&["22:00-07:00"], "Asia/Shanghai", "2026-01-01T14:30:12.345Z", Some("2026-01-01T23:00:00Z"));
    check(&["22:00-24:00", "00:00-07:00"], "UTC", "2026-01-01T23:00:00Z", Some("2026-01-02T07:00:00Z"));
    check(&["12:00-13:00", "12:30-14:00"], "UTC", "2026-01-01T12:10:00Z", Some("2026-01-01T14:00:00Z"));
}

#[test]
fn quiet_hours_follow_the_wall_clock_when_it_changes() {
    let check = |windows: &[&str], zone: &str, now: &str, until: Option<&str>| {
        assert_eq!(quiet(windows, zone).hold_until(at(now), 3), until.map(at), "{windows:?} {zone} {now}");
    };
    // New York, 8 March 2026: 02:00 EST becomes 03:00 EDT at 07:00Z.
    check(&["22:00-07:00"], "America/New_York", "2026-03-08T04:00:00Z", Some("2026-03-08T11:00:00Z"));
    check(&["22:00-02:30"], "America/New_York", "2026-03-08T06:00:00Z", Some("2026-03-08T07:00:00Z"));
    // New York, 1 November 2026: 02:00 EDT becomes 01:00 EST at 06:00Z.
    check(&["22:00-07:00"], "America/New_York", "2026-11-01T03:00:00Z", Some("2026-11-01T12:00:00Z"));
    check(&["01:15-01:45"], "America/New_York", "2026-11-01T05:30:00Z", Some("2026-11-01T05:45:00Z"));
    check(&["01:15-01:45"], "America/New_York", "2026-11-01T05:50:00Z", None);
    check(&["01:15-01:45"], "America/New_York", "2026-11-01T06:30:00Z", Some("2026-11-01T06:45:00Z"));
    check(&["00:30-02:30"], "America/New_York", "2026-11-01T05:30:00Z", Some("2026-11-01T07:30:00Z"));
    // Lord Howe moves by half an hour: 02:00 becomes 01:30 on 5 April 2026 at 15:00Z of the day before.
    check(&["01:00-01:50"], "Australia/Lord_Howe", "2026-04-04T14:20:00Z", Some("2026-04-04T14:50:00Z"));
    check(&["01:00-01:50"], "Australia/Lord_Howe", "2026-04-04T15:10:00Z", Some("2026-04-04T15:20:00Z"));
}

#[test]
fn whatever_the_clock_does_the_silence_ends_at_its_first_free_moment() {
    let zones = ["America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Europe/Berlin", "UTC"];
    proptest::proptest!(|(zone in 0_usize..zones.len(), start in 0_u16..1440, length in 1_u16..1400, minute in 14_000_000_i64..30_000_000)| {
        let end = (start + length) % 1440;
        let window = format!("{:02}:{:02}-{:02}:{:02}", start / 60, start % 60, end / 60, end % 60);
        let rule = quiet(&[&window], zones[zone]);
        let zone = jiff::tz::TimeZone::get(zones[zone]).unwrap();
        let silent = |minute: i64| {
            let time = zone.to_datetime(Instant::from_millis(minute * 60_000).timestamp()).time();
            let now = u16::try_from(time.hour()).unwrap() * 60 + u16::try_from(time.minute()).unwrap();
            if start < end { (start..end).contains(&now) } else { now >= start || now < end }
        };
        let expected = (minute..).find(|minute| !silent(*minute)).filter(|free| *free != minute);
        let found = rule.hold_until(Instant::from_millis(minute * 60_000), 1).map(crate::domain::clock::Instant::as_millis);
        proptest::prop_assert_eq!(found, expected.map(|free| free * 60_000));
    });
}

#[test]
fn urgent_notices_pass_quiet_hours() {
    let options = Options { quiet_hours: vec!["22:00-07:00".into()], quiet_priority_max: 4, timezone: "UTC".into(), ..Options::default() };
    let rule = QuietHours::new(&options).unwrap();
    let now = at("2026-01-01T23:00:00Z");
    assert!(rule.hold_until(now, 3).is_some());
    assert_eq!((rule.hold_until(now, 4), rule.hold_until(now, 5)), (None, None));
}

#[test]
fn wrong_quiet_hours_are_told() {
    let check = |windows: &[&str], zone: &str, why: &str| {
        let windows = windows.iter().map(ToString::to_string).collect();
        let error = QuietHours::new(&Options { quiet_hours: windows, timezone: zone.into(), ..Options::default() }).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    };
    for wrong in ["22-7", "22:00", "25:00-07:00", "22:60-07:00", "22:00-22:00", "24:00-07:00", "+1:00-02:00", "1:0-2:00", ""] {
        check(&[wrong], "UTC", "`notify.quiet_hours` has");
    }
    check(&["00:00-12:00", "12:00-24:00"], "UTC", "covers the whole day");
    check(&["22:00-07:00"], "Mars/Base", "`notify.timezone` `Mars/Base` is no time zone");
}

#[test]
fn a_rate_is_kept_over_any_hour_and_fills_evenly() {
    let ms = Instant::from_millis;
    let check = |per_hour, sent: &[i64], now: i64, until: Option<i64>| {
        let sent: Vec<_> = sent.iter().copied().map(ms).collect();
        assert_eq!(Limit::per_hour(per_hour).wait_until(&sent, ms(now)), until.map(ms), "{per_hour} {sent:?} {now}");
    };
    let minute = 60_000;
    check(0, &[1; 100], 1, None);
    check(10, &[], 0, None);
    check(10, &[0; 9], 0, None);
    check(10, &[0; 10], 0, Some(6 * minute));
    check(10, &[0; 10], 5 * minute, Some(6 * minute));
    check(10, &[0; 10], 6 * minute, None);
    check(1, &[0], 59 * minute, Some(60 * minute));
    check(1, &[0], 60 * minute, None);
    check(7, &[0; 7], 0, Some(514_286));
    check(2, &[0, 10 * minute], 10 * minute, Some(30 * minute));
    // What lies ahead of a clock that was set back does not count.
    check(1, &[90 * minute], 0, None);
}

#[test]
fn tries_are_spread_over_hours_and_end() {
    let down = SendError::Down { reason: "refused".into() };
    let now = Instant::from_millis(1_000_000);
    let wait = |attempt| match after_failure(ChannelKind::Sms, &down, attempt, 6, now, 0.0) {
        Step::Retry(at) => at.since(now).as_secs(),
        Step::Fail | Step::Unknown => 0,
    };
    assert_eq!([1, 2, 3, 4, 5, 6].map(wait), [30, 120, 600, 3_600, 21_600, 0]);
    assert_eq!(after_failure(ChannelKind::Sms, &down, 6, 6, now, 0.0), Step::Fail);
    assert_eq!(after_failure(ChannelKind::Sms, &down, 1, 6, now, 1.0), Step::Retry(now.plus(std::time::Duration::from_secs(33))));
}

#[test]
fn a_lost_answer_is_tried_again_only_where_repeats_are_told() {
    let now = Instant::from_millis(0);
    let step = |kind, error: &SendError, attempt| after_failure(kind, error, attempt, 6, now, 0.0);
    let lost = SendError::Unknown { reason: "cut".into() };
    assert_eq!(step(ChannelKind::Sms, &lost, 1), Step::Unknown);
    assert_eq!(step(ChannelKind::Email, &lost, 1), Step::Unknown);
    assert_eq!(step(ChannelKind::Webhook, &lost, 1), Step::Retry(Instant::from_millis(30_000)));
    assert_eq!(step(ChannelKind::Callback, &lost, 6), Step::Unknown);
    for error in [SendError::Rejected { reason: String::new() }, SendError::Auth { reason: String::new() }] {
        assert_eq!(step(ChannelKind::Webhook, &error, 1), Step::Fail);
    }
    let asked = |ms| SendError::RateLimited { retry_at: Some(Instant::from_millis(ms)) };
    assert_eq!(step(ChannelKind::Sms, &asked(90_000), 1), Step::Retry(Instant::from_millis(90_000)));
    assert_eq!(step(ChannelKind::Sms, &asked(1_000), 1), Step::Retry(Instant::from_millis(30_000)), "no sooner than our own wait");
}

fn notice(id: &str, title: &str, priority: u8) -> Notice {
    Notice {
        notice_id: NoticeId::new(id),
        channel: ChannelKind::Email,
        to: "anna@example.org".into(),
        title: title.into(),
        body: "text".into(),
        url: Some("https://x.test/1".into()),
        priority,
        task_id: Some(TaskId::new("t")),
        firing_id: None,
        payload: Value::Null,
        simulated: false,
    }
}

#[test]
fn many_notices_become_one() {
    let (a, b) = (notice("a", "First", 2), Notice { payload: json!({"n": 2}), ..notice("b", "Second\r\nline", 4) });
    let one = combine(&[a.clone(), b.clone()]).unwrap();
    assert_eq!((one.title.as_str(), one.priority, one.to.as_str()), ("2 notices", 4, "anna@example.org"));
    assert_eq!(one.body, "- First\n  https://x.test/1\n- Second line\n  https://x.test/1");
    assert_eq!(one.payload, json!({"digest": true, "count": 2, "notice_ids": ["a", "b"], "notices": [{"n": 2}]}));
    assert_eq!(one.task_id, a.task_id);
    let again = combine(&[b.clone(), a.clone()]).unwrap();
    assert_eq!(one.notice_id, again.notice_id, "the same notices make the same one");
    assert_ne!(one.notice_id, combine(&[a.clone(), notice("c", "x", 1)]).unwrap().notice_id);
    assert_eq!(combine(std::slice::from_ref(&a)), Some(a.clone()));
    assert_eq!(combine(&[]), None);
    assert_eq!(combine(&[a.clone(), Notice { to: "other@example.org".into(), ..b }]), None);
    let many: Vec<_> = (0..500).map(|n| notice(&n.to_string(), &"long ".repeat(100), 1)).collect();
    let one = combine(&many).unwrap();
    assert!(one.body.ends_with("- and 480 more") && one.body.len() < 5_000, "{}", one.body);
}
