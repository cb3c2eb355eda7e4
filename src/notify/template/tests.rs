//! Tests of filling in and of shortening.

use super::*;

fn facts() -> Facts {
    Facts {
        title: "AI news".into(),
        body: "A model was released today".into(),
        url: "https://x.test/a".into(),
        task: String::new(),
        time: "2026-01-01 12:00".into(),
    }
}

#[test]
fn placeholders_are_filled_and_empty_lines_left_out() {
    let check =
        |template: &str, expected: &str| assert_eq!(Template::parse("k", template).unwrap().render(&facts()), expected, "{template}");
    check("{title}\n{body}\n{url}", "AI news\nA model was released today\nhttps://x.test/a");
    check("{title}\n\n{task}\n\n{url}", "AI news\n\nhttps://x.test/a");
    check("Task: {task}\n{ title }", "AI news");
    check("{{title}} {title} }}", "{title} AI news }");
    check("fixed", "fixed");
}

#[test]
fn what_is_filled_in_is_no_template() {
    let facts = Facts { body: "{url} {nonsense}".into(), ..facts() };
    assert_eq!(Template::parse("k", "{body}").unwrap().render(&facts), "{url} {nonsense}");
}

#[test]
fn wrong_templates_are_told_by_key_and_name() {
    let check = |template: &str, why: &str| {
        let told = Template::parse("sms.template", template).unwrap_err().to_string();
        assert!(told.starts_with("`notify.sms.template` ") && told.contains(why), "{told}");
    };
    check("{titel}", "names `{titel}`, which does not exist; there are `{title}`");
    check("a } b", "lone `}`");
    check("a { b", "lone `{`");
    check(&"x".repeat(5_000), "longer than 4000");
}

#[test]
fn the_body_gives_way_first_and_the_link_last() {
    let template = Template::parse("k", "{title}\n{body}\n{url}").unwrap();
    assert_eq!(template.render_within(&facts(), 45), "AI news\nA model was…\nhttps://x.test/a");
    for units_max in 0..60 {
        assert!(units(&template.render_within(&facts(), units_max)) <= units_max, "{units_max}");
    }
    let long = Facts { title: "word ".repeat(60), ..facts() };
    assert!(template.render_within(&long, 100).ends_with("\nhttps://x.test/a"));
}

#[test]
fn texts_are_cut_on_a_word() {
    let check = |text: &str, max, expected: &str| assert_eq!(shorten(text, max), expected);
    check("one two three", 13, "one two three");
    check("one two three", 12, "one two…");
    check("one two three", 8, "one two…");
    check("one, two three", 6, "one…");
    check("unbreakable", 5, "unbr…");
    check("中文新闻摘要", 4, "中文新…");
    check("a👩‍👩‍👧b", 5, "a…");
    check("abc", 0, "");
}

#[test]
fn facts_are_clean() {
    let notice: Notice = serde_json::from_value(serde_json::json!({
        "notice_id": "n", "channel": "sms", "to": "+15551234567", "title": "a\r\nb\u{1b}[31m", "body": "x\u{202e}y", "priority": 3,
        "url": "javascript:alert(1)", "payload": {"data": {"description": "watch\nit"}},
    }))
    .unwrap();
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let facts = Facts::of(&notice, Instant::from_millis(1_767_268_800_000), &zone);
    let expected =
        Facts { title: "a b".into(), body: "xy".into(), url: String::new(), task: "watch it".into(), time: "2026-01-01 20:00".into() };
    assert_eq!(facts, expected);
}
