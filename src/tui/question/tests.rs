//! Addresses, titles, which answer is preselected.

use serde_json::json;

use super::*;

fn inquiry(ask: serde_json::Value) -> Inquiry {
    let mut question = json!({"id": "q1", "server": "everything"});
    question.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
    Inquiry::new(serde_json::from_value(question).unwrap(), 1)
}

fn text(inquiry: &Inquiry) -> String {
    inquiry.body().iter().map(|row| row.iter().map(|(_, text)| text.as_str()).collect::<String>() + "\n").collect()
}

#[test]
fn the_host_of_an_address_is_the_one_that_is_reached() {
    for (url, name) in [
        ("https://example.org/path?q=1", "example.org"),
        ("https://bank.com@evil.example:8443/", "evil.example:8443"),
        ("https://evil.example\\@bank.com/", "evil.example"),
        ("http://[::1]:80#x", "[::1]:80"),
        ("mailto:a@b", ""),
    ] {
        assert_eq!(host(url), name, "{url}");
    }
}

#[test]
fn only_web_addresses_may_be_opened() {
    for url in ["https://a.b/", "HTTP://a.b"] {
        assert!(may_open(url), "{url}");
    }
    for url in ["file:///etc/passwd", "javascript:alert(1)", "https://", "https:// x", "ssh://a.b/", "https://a.b/\u{7}", "-h"] {
        assert!(!may_open(url), "{url}");
    }
    let choices = |url: &str| inquiry(json!({"ask": "url", "message": "m", "url": url})).choices.len();
    assert_eq!((choices("https://a.b/"), choices("file:///etc/passwd")), (3, 2));
}

#[test]
fn a_command_is_shown_to_its_last_character() {
    let command = format!("npx \u{1b}[2J -y {} --end", "x".repeat(300));
    let first = inquiry(json!({"ask": "first_run", "command": command, "cwd": "/home", "variables": ["TOKEN"]}));
    let shown: String = text(&first).lines().map(str::trim_start).collect();
    assert!(shown.contains("npx \\u{1b}[2J -y xxx") && shown.contains("--end") && shown.contains("TOKEN"), "{shown}");
    assert_eq!(first.choices[first.chosen].act, Act::No);
}

#[test]
fn a_changed_tool_is_allowed_by_no_habit() {
    let changed = inquiry(json!({"ask": "tools_changed", "tools": [{"tool": "t", "diff": "-old\n+new"}]}));
    assert_eq!(changed.choices[changed.chosen].act, Act::No);
    assert!(text(&changed).contains("+new"));
}

#[test]
fn a_form_without_fields_is_a_plain_question() {
    let plain = inquiry(json!({"ask": "form", "message": "Go on?", "fields": []}));
    assert!(plain.form.is_none());
    assert_eq!(plain.choices.iter().map(|choice| choice.act).collect::<Vec<_>>(), [Act::Yes, Act::No, Act::Close]);
}
