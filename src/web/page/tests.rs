//! Tests of reading and comparing pages.

#![expect(clippy::format_collect, reason = "pages of tests are short")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn rules(config: serde_json::Value) -> Rules {
    Rules::new(&config_of(config)).unwrap()
}

fn config_of(mut config: serde_json::Value) -> crate::domain::task::WebMonitor {
    config["urls"] = json!(["https://site.example/a/b"]);
    serde_json::from_value(config).unwrap()
}

fn page(body: &str) -> Reading {
    page_by(body, &rules(json!({})))
}

fn page_by(body: &str, rules: &Rules) -> Reading {
    read(body.as_bytes(), Some("text/html; charset=utf-8"), "https://site.example/a/b", rules).unwrap()
}

fn json_by(body: &str, rules: &Rules) -> Result<Reading, Fault> {
    read(body.as_bytes(), Some("application/json"), "https://site.example/api", rules)
}

fn change(before: &str, after: &str, config: serde_json::Value) -> Change {
    let rules = rules(config);
    compare(&page_by(before, &rules), &page_by(after, &rules), &rules)
}

fn found(change: Change) -> Found {
    match change {
        Change::Changed(found) => *found,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn same(before: &str, after: &str) {
    assert!(matches!(change(before, after, json!({})), Change::None { .. }), "{:?}", change(before, after, json!({})));
}

#[track_caller]
fn differs(before: &str, after: &str) {
    assert!(matches!(change(before, after, json!({})), Change::Changed(_)), "{:?}", change(before, after, json!({})));
}

#[test]
fn rows_and_cards_stay_with_their_values() {
    let reading = page(
        "<html><head><title> A  shop </title></head><body><main><h1>Lamps</h1><table><tr><th>Name</th><th>Stock</th></tr><tr><td>Trail</td><td><img alt='sold out'></td></tr></table>\
         <div class=card><h3>Lamp <b>4</b>00</h3><p class=price>$<span>39</span>.90</p></div><dl><dt>Weight:</dt><dd>86 g</dd></dl>\
         <p>Get it: <a href='../files/x.pdf?utm_source=a#p'>leaflet</a></p></main></body></html>",
    );
    assert_eq!(reading.title.as_deref(), Some("A shop"));
    assert_eq!(
        reading.lines,
        [
            "Lamps",
            "Name | Stock",
            "Trail | sold out",
            "Lamp 400 | $39.90",
            "Weight: 86 g",
            "Get it: leaflet [https://site.example/files/x.pdf]"
        ]
    );
    assert_eq!(reading.links[0].url, "https://site.example/files/x.pdf");
}

#[test]
fn furniture_is_left_out_unless_it_is_the_page() {
    let reading =
        page("<body><nav>Home</nav><div class=sidebar>About me</div><main><p>Words that count.</p></main><footer>Imprint</footer></body>");
    assert_eq!(reading.lines, ["Words that count."]);
    let reading =
        page("<body><div class='popular list'><p>First of the charts</p><p>Second of the charts</p></div><footer>x</footer></body>");
    assert_eq!(reading.lines, ["First of the charts", "Second of the charts"]);
}

#[test]
fn numbers_are_noise_by_context_only() {
    let check = |before: &str, after: &str, noise: bool| {
        let same = noise::key(before) == noise::key(after);
        assert_eq!(same, noise, "{:?} / {:?}", noise::key(before), noise::key(after));
    };
    check("412 views", "1.2k views", true);
    check("Posts: 88", "Posts: 90", true);
    check("3 minutes ago", "vor 2 Stunden", true);
    check("Last updated: 12 May 2026, 10:14 AM", "Last updated: 13 May 2026, 9:02 PM", true);
    check("阅读 2.3万 · 评论 128", "阅读 4万 · 评论 3", true);
    check("現在 35人がこの商品を見ています", "現在 2人がこの商品を見ています", true);
    check("© 2025 Acme", "© 2026 Acme", true);
    check("Request ID: 7f3a-11bc", "Request ID: 99aa-0c1d", true);
    check("Sale ends in 02:13:55", "Sale ends in 01:00:02", true);
    check("$39.90", "$34.90", false);
    check("v2.8.1", "v2.9.0", false);
    check("Only 3 left", "Only 2 left", false);
    check("-6 °C", "6 °C", false);
    check("Starts at 18:30", "Starts at 19:00", false);
    check("14 open incidents", "15 open incidents", false);
    check("Delivery in 3 days", "Delivery in 10 days", false);
    check("Sa 21.11. | 6 °C", "Sa 21.11. | 7 °C", false);
    check("Liverpool 2, Leeds 1", "Liverpool 2, Leeds 2", false);
}

#[test]
fn order_and_wrapping_do_not_matter_but_swapped_values_do() {
    same("<ul><li>one thing</li><li>another thing</li></ul>", "<ul><li>another thing</li><li>one thing</li></ul>");
    same("<p>first half, second half</p>", "<p>first half,</p><p>second half</p>");
    differs(
        "<table><tr><td>A</td><td>5</td></tr><tr><td>B</td><td>7</td></tr></table>",
        "<table><tr><td>A</td><td>7</td></tr><tr><td>B</td><td>5</td></tr></table>",
    );
    differs("<p>ok</p><p>ok</p><p>outage</p>", "<p>ok</p><p>outage</p><p>outage</p>");
}

#[test]
fn the_diff_shows_what_counts_and_nothing_else() {
    let before = "<p>one</p><p>two</p><p>price 5 €</p><p>9 views</p><p>four</p><p>five</p><p>six</p>";
    let after = "<p>one</p><p>two</p><p>price 6 €</p><p>10 views</p><p>five</p><p>four</p><p>six</p>";
    let found = found(change(before, after, json!({})));
    assert_eq!(found.diff, "@@ -1,5 +1,5 @@\n one\n two\n-price 5 €\n+price 6 €\n five\n four\n");
    assert_eq!((found.added, found.removed), (vec!["price 6 €".to_owned()], vec!["price 5 €".to_owned()]));
    assert_eq!(found.content, "price 6 €\n\nNo longer there:\nprice 5 €");
}

#[test]
fn the_text_for_the_wire_is_bounded() {
    let long: String = (0..800).map(|n| format!("<p>entry number {n} of a long list</p>")).collect();
    let found = found(change("<p>start of it</p>", &format!("<p>start of it</p>{long}"), json!({})));
    assert_eq!(found.content.chars().count(), CONTENT_CHARS_MAX);
    assert!(found.diff.len() < 17_000 && found.diff.ends_with("left out …]\n"), "{}", found.diff.len());
    assert_eq!(found.added.len(), 200);
}

#[test]
fn keywords_are_words_unless_asked_otherwise() {
    let check = |text: &str, config: serde_json::Value, hit: bool| {
        assert_eq!(!find_keywords(text, &rules(config.clone())).is_empty(), hit, "{text} {config}");
    };
    check("New AI model", json!({"keywords": ["ai"]}), true);
    check("he said so", json!({"keywords": ["ai"]}), false);
    check("he said so", json!({"keywords": ["ai"], "partial_words": true}), true);
    check("New ai model", json!({"keywords": ["AI"], "case_sensitive": true}), false);
    check("machine\n  learning", json!({"keywords": ["machine learning"]}), true);
    check("国产大模型开放下载", json!({"keywords": ["大模型"]}), true);
    check("用AI写代码", json!({"keywords": ["ai"]}), true);
    check("C++ and C#", json!({"keywords": ["C++"]}), true);
    check("it’s out", json!({"keywords": ["it's out"]}), true);
    check("Übergröße", json!({"keywords": ["übergröße"]}), true);
}

#[test]
fn a_change_without_a_keyword_stops_at_that_gate() {
    let stopped = change("<p>a</p>", "<p>a</p><p>sports news</p>", json!({"keywords": ["AI"]}));
    assert_eq!(stopped, Change::None { gate: Gate::Keywords });
    let told = found(change("<p>a</p>", "<p>a</p><p>sports</p><p>AI news</p>", json!({"keywords": ["AI", "robots"]})));
    assert_eq!(told.keywords_found, ["AI"]);
    assert!(told.content.starts_with("AI news"));
}

#[test]
fn a_part_can_be_chosen_and_its_loss_is_a_fault() {
    let body = "<body><div class=views>12 views</div><div id=p><span>Price</span> <b>5 €</b></div><div class=x>other</div></body>";
    let part = |config: serde_json::Value| page_by(body, &rules(config)).lines;
    assert_eq!(part(json!({"selector": "#p b"})), ["5 €"]);
    assert_eq!(part(json!({"xpath": "//div[@id='p']/b"})), ["5 €"]);
    assert_eq!(part(json!({"xpath": "//div[contains(@class,'x')] | //b"})), ["5 €", "other"]);
    assert_eq!(part(json!({"xpath": "//div[2]/@id"})), ["p"]);
    assert_eq!(part(json!({"xpath": "//span[text()='Price']/following-sibling::b[1]"})), ["5 €"]);
    assert_eq!(part(json!({"xpath": "//div[last()]/text()"})), ["other"]);
    assert_eq!(part(json!({"xpath": "//div[.//b and not(@class)]"})), ["Price 5 €"]);
    assert_eq!(part(json!({"selector": "div", "ignore_selectors": [".x", "#p"]})), ["12 views"]);
    for config in [json!({"selector": ".gone"}), json!({"xpath": "//table"})] {
        let fault = read(body.as_bytes(), None, "https://site.example/", &rules(config)).unwrap_err();
        assert!(matches!(fault, Fault::Missing { .. }), "{fault}");
    }
    // Who chooses a counter wants its number.
    assert!(matches!(change("<i class=n>12 views</i>", "<i class=n>13 views</i>", json!({"selector": ".n"})), Change::Changed(_)));
}

#[test]
fn ignored_text_does_not_count() {
    let config = json!({"ignore": ["Lottery numbers: [0-9 ]+"]});
    assert!(matches!(
        change("<p>Lottery numbers: 1 2 3</p><p>x</p>", "<p>Lottery numbers: 4 5 6</p><p>x</p>", config),
        Change::None { .. }
    ));
}

#[test]
fn bad_rules_name_the_field_and_the_way_out() {
    let check = |config: serde_json::Value, field: &str, part: &str| {
        let error = Rules::new(&config_of(config)).unwrap_err();
        assert_eq!(error.field, field);
        assert!(error.to_string().contains(part), "{error}");
    };
    check(json!({"ignore": ["(unclosed"]}), "ignore", "unclosed group");
    check(json!({"selector": "div[["}), "selector", "no CSS selector");
    check(json!({"ignore_selectors": ["::"]}), "ignore_selectors", "no CSS selector");
    check(json!({"json_pointer": "items.0"}), "json_pointer", "starts with `/`");
    check(json!({"xpath": "//div[foo()]"}), "xpath", "function `foo()`");
    check(json!({"xpath": "//div["}), "xpath", "expected");
    check(json!({"xpath": "//namespace::x"}), "xpath", "axis `namespace`");
    check(json!({"xpath": "//a", "selector": "a"}), "xpath", "`selector` names the watched part already");
}

#[test]
fn json_is_compared_by_value_and_not_by_order() {
    let none = rules(json!({}));
    let old = json_by(r#"{"items":[{"id":1,"price":5.0,"views":3},{"id":2,"price":7}],"request_id":"a1"}"#, &none).unwrap();
    let new = json_by(r#"{"request_id":"b2","items":[{"price":7,"id":2},{"views":9,"id":1,"price":5}]}"#, &none).unwrap();
    assert_eq!(compare(&old, &new, &none), Change::None { gate: Gate::Hash });
    let new = json_by(r#"{"items":[{"id":1,"price":7},{"id":2,"price":5}]}"#, &none).unwrap();
    assert_eq!(found(compare(&old, &new, &none)).added, ["items[1].price: 7", "items[2].price: 5"]);
    let views = rules(json!({"json_pointer": "/items/0/views"}));
    assert_eq!(json_by(r#"{"items":[{"views":3}]}"#, &views).unwrap().lines, ["3"]);
    assert!(matches!(json_by(r#"{"items":[]}"#, &views), Err(Fault::Missing { field: "json_pointer", .. })));
    assert!(matches!(json_by("{nope", &none), Err(Fault::NotJson(_))));
    assert!(matches!(json_by("{}", &rules(json!({"selector": "p"}))), Err(Fault::Unfit { field: "selector", .. })));
}

fn rss(items: &[(&str, &str, &str)]) -> String {
    let items: String = items
        .iter()
        .map(|(guid, title, date)| format!("<item><guid>{guid}</guid><title>{title}</title><pubDate>{date}</pubDate></item>"))
        .collect();
    format!("<?xml version='1.0'?><rss version='2.0'><channel><title>T</title>{items}</channel></rss>")
}

#[test]
fn items_of_feeds_keep_their_identity() {
    let none = rules(json!({}));
    let feed = |items: &[(&str, &str, &str)]| {
        read(rss(items).as_bytes(), Some("application/rss+xml"), "https://site.example/feed", &none).unwrap()
    };
    let (d18, d19, d20) = ("Wed, 18 Nov 2026 07:00:00 GMT", "Thu, 19 Nov 2026 07:00:00 GMT", "Fri, 20 Nov 2026 07:00:00 GMT");
    let old = feed(&[("b", "Second", d20), ("a", "First", d19)]);
    let check = |items: &[(&str, &str, &str)], new: &[&str]| match compare(&old, &feed(items), &none) {
        Change::Changed(found) => assert_eq!(found.items.iter().map(|item| item.title.as_str()).collect::<Vec<_>>(), new),
        other => assert!(new.is_empty(), "{other:?}"),
    };
    check(&[("a", "First", d20), ("b", "Second", d18)], &[]);
    check(&[("b", "Second", d20)], &[]);
    check(&[("b", "Second", d20), ("a", "First", d19), ("z", "Came back", d18)], &[]);
    check(&[("c", "Third", d20), ("b", "Second", d20), ("a", "First", d19)], &["Third"]);
    check(&[("b", "Second, corrected", d20), ("a", "First", d19)], &["Second, corrected"]);
    assert_eq!(old.items.as_ref().unwrap()[1].published.unwrap().to_string(), "2026-11-19T07:00:00.000Z");
}

#[test]
fn large_drops_wait_for_a_second_look() {
    let none = rules(json!({}));
    let body: String = (0..30).map(|n| format!("<p>paragraph {n} with some words in it</p>")).collect();
    let (old, less) = (page(&body), page("<p>paragraph 1 with some words in it</p>"));
    assert!(matches!(compare(&old, &less, &none), Change::Suspicious { .. }));
    assert!(matches!(settle(&old, &less, &old, &none), Change::None { gate: Gate::Hash }));
    assert!(matches!(settle(&old, &less, &less, &none), Change::Changed(_)));
    assert!(matches!(settle(&old, &less, &page("<p>something else again</p>"), &none), Change::Suspicious { .. }));
}

#[test]
fn what_cannot_be_read_is_a_fault() {
    let none = rules(json!({}));
    let fault = |body: &[u8], kind: Option<&str>| read(body, kind, "https://site.example/", &none).unwrap_err();
    assert!(matches!(fault(b"", None), Fault::Empty(_)));
    assert!(matches!(fault(b"  \n", Some("text/html")), Fault::Empty(_)));
    assert!(matches!(fault(b"<html><body><script>draw()</script><div id=app></div></body></html>", Some("text/html")), Fault::Empty(_)));
    assert!(matches!(fault(b"%PDF-1.7 abc", None), Fault::Binary("a PDF file")));
    assert!(matches!(fault(b"\x89PNG\r\n", Some("text/html")), Fault::Binary(_)));
    assert!(matches!(fault(b"ab\0\x01\x02", Some("text/plain")), Fault::Binary(_)));
    assert!(matches!(fault(b"<rss><channel", Some("application/rss+xml")), Fault::NotFeed(_)));
    assert!(matches!(fault(&vec![b'a'; BODY_BYTES_MAX + 1], None), Fault::TooLarge { .. }));
    let stand_in = fault(b"<html><title>Just a moment...</title><p>Checking your browser</p></html>", Some("text/html"));
    assert!(matches!(stand_in, Fault::StandIn(_)), "{stand_in}");
}

#[test]
fn encodings_are_found_out() {
    let none = rules(json!({}));
    let text = |body: &[u8], kind: Option<&str>| read(body, kind, "https://site.example/", &none).unwrap().lines.join("\n");
    assert_eq!(text(b"<p>Gr\xfc\xdfe</p>", Some("text/html; charset=iso-8859-1")), "Grüße");
    assert_eq!(text(b"<meta charset=windows-1252><p>5 \x80</p>", Some("text/html")), "5 €");
    assert_eq!(text(b"<p>Caf\xe9 \x96 d\xe9j\xe0 vu</p>", Some("text/html")), "Café – déjà vu");
    let gb = encoding_rs::GB18030.encode("<p>关于调整供暖时间的通知，各供热企业</p>").0.into_owned();
    assert_eq!(text(&gb, Some("text/html")), "关于调整供暖时间的通知，各供热企业");
    let sjis = encoding_rs::SHIFT_JIS.encode("<p>三日で食べごろになります。重しは白菜の二倍。</p>").0.into_owned();
    assert_eq!(text(&sjis, Some("text/html")), "三日で食べごろになります。重しは白菜の二倍。");
    assert_eq!(text(b"\xff\xfe<\0p\0>\0h\0i\0", None), "<p>hi");
    assert_eq!(text("<p>日本</p>".as_bytes(), Some("text/html; charset=latin1")), "日本");
}

#[test]
fn text_from_outside_is_harmless() {
    let reading = page("<title>a\u{1b}[31mb</title><p>x\u{202e}y &#27;]0;z&#7;</p>");
    assert_eq!((reading.title.as_deref(), reading.lines.as_slice()), (Some("ab"), ["xy".to_owned()].as_slice()));
}

#[test]
fn readings_survive_the_store() {
    let reading = page("<title>t</title><h2>head</h2><p>text</p>");
    let stored = serde_json::to_string(&reading).unwrap();
    let again: Reading = serde_json::from_str(&stored).unwrap();
    assert_eq!(again, reading);
    assert!(stored.len() < 200, "{stored}");
}

#[test]
fn text_beyond_the_limit_is_bounded_and_does_not_fire() {
    let none = rules(json!({}));
    let body: String = (0..20_000).map(|n| format!("line {n} of a long text that goes on and on\n")).collect();
    let long = |head: &str| read(format!("{head}{body}").as_bytes(), Some("text/plain"), "https://site.example/", &none).unwrap();
    let (old, new) = (long(""), long("a new line on top\n"));
    assert!(old.lines.iter().map(String::len).sum::<usize>() <= TEXT_BYTES_MAX);
    assert_eq!(found(compare(&old, &new, &none)).added, ["a new line on top"]);
}

#[test]
fn hostile_pages_end_in_bounded_time() {
    let none = rules(json!({}));
    let check = |body: String, kind: &str| {
        if let Ok(reading) = read(body.as_bytes(), Some(kind), "https://site.example/", &none) {
            assert!(reading.lines.iter().map(String::len).sum::<usize>() <= TEXT_BYTES_MAX);
        }
    };
    check("<div>".repeat(100_000), "text/html");
    check("<b><i>x".repeat(20_000), "text/html");
    check("<table><tr><td>".repeat(20_000), "text/html");
    check(format!("<p {}>x", (0..200_000).map(|n| format!("a{n} ")).collect::<String>()), "text/html");
    check(format!("<p>{}<p>", (0..500).map(|n| format!("<b id={n}>")).collect::<String>()) + &"<p>x".repeat(5_000), "text/html");
    check("<svg><td>".repeat(30_000), "text/html");
    check("[".repeat(500_000), "application/json");
    check(format!("<rss>{}", "<a>".repeat(50_000)), "application/rss+xml");
    check("x".repeat(5_000_000), "text/plain");
    check("<!--".repeat(100_000), "text/html");
    check("a b 12 views ".repeat(20_000), "text/html");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn garbage_never_panics(body in prop::collection::vec(any::<u8>(), 0..400), kind in prop::sample::select(vec!["text/html", "application/json", "application/rss+xml", "text/plain", ""])) {
        let _ = read(&body, Some(kind), "https://site.example/", &rules(json!({})));
    }

    #[test]
    fn markup_like_garbage_never_panics_and_never_changes_by_itself(body in "(<(/?(div|p|a|table|td|li|b|svg|h2|script|dd|dt)( (class|id|href)=\"[a-z é文/:?=#]{0,9}\")?>?)|[a-z0-9 文é&;!\"'<>|.:]{0,12}){0,40}") {
        let none = rules(json!({}));
        if let Ok(reading) = read(body.as_bytes(), Some("text/html"), "https://site.example/", &none) {
            let equal = matches!(compare(&reading, &reading, &none), Change::None { .. });
            prop_assert!(equal);
            let again = Reading { hash: [0; 32], ..reading.clone() };
            let same = matches!(compare(&reading, &again, &none), Change::None { .. });
            prop_assert!(same);
        }
    }

    #[test]
    fn the_order_of_a_list_does_not_matter(mut entries in prop::collection::vec("[a-z]{3,12}( [0-9]{1,4} €)?", 2..12), seed in any::<u64>()) {
        let list = |entries: &[String]| page(&format!("<h1>List</h1><ul>{}</ul>", entries.iter().map(|entry| format!("<li>{entry}</li>")).collect::<String>()));
        let before = list(&entries);
        let by = usize::try_from(seed % entries.len() as u64).unwrap();
        entries.rotate_left(by);
        entries.reverse();
        let same = matches!(compare(&before, &list(&entries), &rules(json!({}))), Change::None { .. });
        prop_assert!(same);
    }

    #[test]
    fn expressions_never_panic(path in "[/@.*a-z\\[\\]()='|: 0-9,é-]{0,30}") {
        let _ = xpath::XPath::parse(&path);
    }
}
