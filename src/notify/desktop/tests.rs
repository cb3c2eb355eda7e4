//! Tests with a program that stands in for `notify-send`.
#![cfg(all(unix, not(feature = "desktop")))]

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::domain::clock::{Instant, ManualClock};
use crate::notify::{Channels, Options};

/// A channel whose `notify-send` is this shell script.
fn channel(folder: &std::path::Path, script: &str) -> Arc<dyn Channel> {
    let program = folder.join("notify-send");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.to_str().unwrap().to_owned();
    let variable = move |name: &str| match name {
        "PATH" => Some(path.clone()),
        "DBUS_SESSION_BUS_ADDRESS" => Some("unix:path=/nowhere".to_owned()),
        "TWILIO_AUTH_TOKEN" => Some("secret-token".to_owned()),
        _ => None,
    };
    let clock = Arc::new(ManualClock::starting_at(Instant::from_millis(0)));
    let options = Options { timezone: "UTC".into(), ..Options::default() };
    Channels::new(&options, crate::net::Client::default(), clock, &variable).unwrap().0.get(ChannelKind::Desktop)
}

fn notice(title: &str, body: &str) -> Notice {
    let json = serde_json::json!({"notice_id": "n", "channel": "desktop", "to": "desktop", "title": title, "body": body, "priority": 5});
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn the_program_gets_plain_arguments_and_no_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let channel = channel(folder.path(), &format!("printf '%s|' \"$@\" >{0}; /usr/bin/env >>{0}", out.display()));
    let receipt = channel.send(notice("--help; $(rm x)", "<a href='x'>1 & 2</a>")).await.unwrap();
    assert!(!receipt.simulated);
    let told = std::fs::read_to_string(out).unwrap();
    assert!(told.starts_with("--app-name=wakeful|--urgency|critical|--|--help; $(rm x)|&lt;a href='x'&gt;1 &amp; 2&lt;/a&gt;|"), "{told}");
    assert!(told.contains("DBUS_SESSION_BUS_ADDRESS=") && !told.contains("TWILIO"), "{told}");
}

#[tokio::test]
async fn a_program_that_fails_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let channel = channel(folder.path(), "echo 'no bus' >&2; exit 1");
    let error = channel.send(notice("t", "b")).await.unwrap_err();
    assert_eq!(error, SendError::Down { reason: "`notify-send` failed: no bus".into() });
}

#[test]
fn without_a_desktop_the_channel_is_simulated_and_says_why() {
    let clock = Arc::new(ManualClock::default());
    let (channels, _) = Channels::new(&Options::default(), crate::net::Client::default(), clock, &|_| None).unwrap();
    assert!(channels.get(ChannelKind::Desktop).simulated());
    let status = channels.statuses().iter().find(|status| status.kind == ChannelKind::Desktop).unwrap();
    assert!(!status.configured && status.note.starts_with("simulated: "), "{status:?}");
    assert_eq!(find_program("notify-send", Some("relative:also/relative")), None);
}
