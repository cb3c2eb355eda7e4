//! Tests of building the channels, of stand-ins and of the terminal's notes.

use std::collections::HashMap;

use super::*;
use crate::domain::clock::ManualClock;

fn build(options: &Options, variables: &[(&str, &str)]) -> Result<(Channels, Vec<String>), OptionsError> {
    let variables: HashMap<String, String> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let clock = Arc::new(ManualClock::starting_at(Instant::from_millis(1_767_268_800_000)));
    Channels::new(options, net::Client::default(), clock, &|name| variables.get(name).cloned())
}

fn notice(channel: ChannelKind, to: &str) -> Notice {
    let json = serde_json::json!({"notice_id": "n-1", "channel": channel, "to": to, "title": "Title", "body": "Body", "priority": 3});
    serde_json::from_value(json).unwrap()
}

const TWILIO: &[(&str, &str)] =
    &[("TWILIO_ACCOUNT_SID", "AC123"), ("TWILIO_AUTH_TOKEN", "secret-token"), ("TWILIO_PHONE_NUMBER", "+15550001111")];

#[tokio::test]
async fn without_credentials_channels_are_simulated_and_check_all_the_same() {
    let (channels, warnings) = build(&Options::default(), &[]).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    let sms = channels.get(ChannelKind::Sms);
    assert!(sms.simulated());
    let receipt = sms.send(notice(ChannelKind::Sms, "+1234567890")).await.unwrap();
    assert!(receipt.simulated && receipt.detail.contains("+1•••7890") && receipt.detail.contains("TWILIO_AUTH_TOKEN"), "{receipt:?}");
    let error = sms.send(notice(ChannelKind::Sms, "98765")).await.unwrap_err();
    assert!(matches!(&error, SendError::Rejected { reason } if reason.contains("country code") && !reason.contains("98765")), "{error}");
    let mail = channels.get(ChannelKind::Email);
    assert!(mail.send(notice(ChannelKind::Email, "anna@example.org")).await.unwrap().simulated);
    assert!(mail.send(notice(ChannelKind::Email, "nobody")).await.is_err());
    let configured: Vec<_> = channels.statuses().iter().filter(|status| status.configured).map(|status| status.kind).collect();
    assert_eq!(configured, [ChannelKind::Webhook, ChannelKind::Ntfy, ChannelKind::Terminal, ChannelKind::Callback]);
}

#[test]
fn half_of_the_credentials_are_a_warning_that_names_the_rest() {
    let (channels, warnings) = build(&Options::default(), &TWILIO[..2]).unwrap();
    assert_eq!(warnings, ["texts are simulated: `TWILIO_PHONE_NUMBER` not set"]);
    assert!(channels.get(ChannelKind::Sms).simulated());
    let (channels, warnings) = build(&Options::default(), &[("SMTP_URL", "smtps://user:hunter22@mail.test")]).unwrap();
    assert!(warnings[0].contains("SMTP_FROM") && channels.get(ChannelKind::Email).simulated(), "{warnings:?}");
}

#[test]
fn credentials_make_channels_real_and_never_show() {
    let mut variables = TWILIO.to_vec();
    variables.push(("SMTP_URL", "smtps://me%40x.org:hunter%2F2@mail.test"));
    variables.push(("NTFY_TOKEN", "tk_secret"));
    let (channels, warnings) = build(&Options::default(), &variables).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert!(!channels.get(ChannelKind::Sms).simulated() && !channels.get(ChannelKind::Email).simulated());
    let shown = format!("{channels:?}");
    for secret in ["secret-token", "hunter", "tk_secret", "0001111"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    for secret in ["secret-token", "hunter/2", "smtps://me%40x.org:hunter%2F2@mail.test", "tk_secret"] {
        assert!(channels.secrets().iter().any(|known| known == secret), "{secret}");
    }
    let all = build(&Options { simulate: true, ..Options::default() }, &variables).unwrap().0;
    assert!(all.statuses().iter().all(|status| !status.configured));
}

#[test]
fn options_are_read_strictly_and_keep_secrets_to_themselves() {
    let toml = "simulate = true\nquiet_hours = ['22:00-07:00']\n[sms]\nauth_token = 'hunter22'\nto = '+15551234567'\n[email]\nurl = 'smtps://a:hunter22@h'\n[webhook]\nsecret = 'hunter22'\n[ntfy]\ntoken = 'hunter22'\n[callback]\nsecret = 'hunter22'";
    let options: Options = toml::from_str(toml).unwrap();
    let shown = format!("{options:?} {}", toml::to_string(&options).unwrap());
    assert!(!shown.contains("hunter22"), "{shown}");
    assert_eq!(options.receivers().get(&ChannelKind::Sms).map(String::as_str), Some("+15551234567"));
    assert!(toml::from_str::<Options>("[sms]\nnumber = 1").is_err(), "unknown keys are errors");
    let empty: Options = toml::from_str("").unwrap();
    assert_eq!((empty.tries_max, empty.per_hour(ChannelKind::Sms), empty.sms.chars_max), (6, 10, 320));
}

#[test]
fn wrong_options_are_told_by_their_key() {
    let check = |toml: &str, key: &str| {
        let error = build(&toml::from_str(toml).unwrap(), TWILIO).unwrap_err();
        assert_eq!(error.key, key, "{error}");
    };
    check("timeout_seconds = 0", "timeout_seconds");
    check("tries_max = 0", "tries_max");
    check("timezone = 'nowhere'", "timezone");
    check("quiet_hours = ['x']", "quiet_hours");
    check("quiet_priority_max = 9", "quiet_priority_max");
    check("[sms]\nchars_max = 5000", "sms.chars_max");
    check("[sms]\nto = '0123'", "sms.to");
    check("[sms]\nbase_url = 'twilio'", "sms.base_url");
    check("[sms]\naccount_sid = '../x'", "sms.account_sid");
    check("[sms]\ntemplate = '{x}'", "sms.template");
    check("[email]\nurl = 'x'", "email.url");
    check("[email]\nto = 'x'", "email.to");
    check("[email]\nsubject = '{x}'", "email.subject");
    check("[webhook]\nurl = 'x'", "webhook.url");
    check("[ntfy]\ntopic = 'a/b'", "ntfy.topic");
    check("[ntfy]\nserver = 'x'", "ntfy.server");
    check("[desktop]\ntemplate = '{'", "desktop.template");
    check("[terminal]\ntemplate = '}'", "terminal.template");
}

#[tokio::test]
async fn notes_reach_the_terminal_that_asked_for_them() {
    let (channels, _) = build(&Options::default(), &[]).unwrap();
    let channel = channels.get(ChannelKind::Terminal);
    assert!(channel.simulated() && channel.send(notice(ChannelKind::Terminal, "terminal")).await.unwrap().simulated);
    let mut notes = channels.take_terminal_notes().unwrap();
    assert!(channels.take_terminal_notes().is_none());
    assert!(!channel.send(notice(ChannelKind::Terminal, "terminal")).await.unwrap().simulated);
    assert_eq!(notes.try_recv().unwrap(), TerminalNote { title: "Title".into(), body: "Body".into() });
    assert!(notes.try_recv().is_err());
    let mut outcomes = Vec::new();
    for _ in 0..100 {
        outcomes.push(channel.send(notice(ChannelKind::Terminal, "terminal")).await.is_ok());
    }
    assert_eq!(outcomes.iter().filter(|ok| **ok).count(), 64, "bounded");
    drop(notes);
    assert!(channel.send(notice(ChannelKind::Terminal, "terminal")).await.unwrap().simulated);
}

#[test]
fn terminal_sequences_cannot_be_broken_out_of() {
    let note = |title: &str, body: &str| TerminalNote { title: title.into(), body: body.into() };
    let plain = note("Title", "Body");
    assert_eq!(TerminalStyle::Osc9.sequence(&plain), "\u{1b}]9;Title: Body\u{7}");
    assert_eq!(TerminalStyle::Osc777.sequence(&plain), "\u{1b}]777;notify;Title;Body\u{7}");
    let hostile = note("a\u{7}b\u{1b}\\c;d", "x\u{9c}y\u{1b}]0;z\u{7}\n\u{202e}w");
    for text in [TerminalStyle::Osc9.sequence(&hostile), TerminalStyle::Osc777.sequence(&hostile)] {
        let inner = text.strip_prefix("\u{1b}]").unwrap().strip_suffix('\u{7}').unwrap();
        assert!(!inner.chars().any(char::is_control), "{text:?}");
    }
    assert_eq!(TerminalStyle::Osc777.sequence(&hostile).matches(';').count(), 3);
    assert_eq!(TerminalStyle::Osc9.sequence(&note("4;1;50", "")), "\u{1b}]9;wakeful: 4;1;50\u{7}");
    assert!(TerminalStyle::Osc9.sequence(&note(&"x".repeat(9_999), &"y".repeat(9_999))).len() < 400);
}

#[test]
fn a_terminal_is_told_in_a_way_it_understands() {
    let auto = |term: &str, program: &str| TerminalStyle::Auto.settled(term, program);
    assert_eq!(auto("xterm-256color", "iTerm.app"), TerminalStyle::Osc9);
    assert_eq!(auto("xterm-kitty", ""), TerminalStyle::Osc9);
    assert_eq!(auto("foot", ""), TerminalStyle::Osc777);
    assert_eq!(auto("tmux-256color", "tmux"), TerminalStyle::Bell);
    assert_eq!(auto("", ""), TerminalStyle::Bell);
    assert_eq!(TerminalStyle::Osc9.settled("linux", ""), TerminalStyle::Osc9);
    let note = TerminalNote { title: "Title".into(), body: "Body".into() };
    assert_eq!(TerminalStyle::Bell.sequence(&note), "\u{7}");
}
