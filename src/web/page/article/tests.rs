//! Pages for a reader: what is told of them, and what is not.

use super::*;

const URL: &str = "https://a.example/folder/page";

fn read(markup: &str, selector: Option<&str>) -> Result<Article, Fault> {
    article(markup.as_bytes(), Some("text/html; charset=utf-8"), URL, selector)
}

fn page() -> String {
    let story = "<p>The lake lies <b>high</b> in the mountains, and its <a href='../fish#part'>fish</a> are shy, which nobody minds.</p>"
        .repeat(12);
    format!(
        "<!doctype html><html lang=zh-CN><head><title>The lake</title><meta name=description content='About a lake'>\
         <meta property='og:site_name' content='Lakes'><meta property='article:published_time' content='2026-01-02T03:04:05Z'>\
         <meta name=author content='Anna \u{1b}[31mAuthor'><script>alert('no')</script><style>p {{}}</style></head>\
         <body><nav><a href=/home>Home</a></nav><main><article><h1>The lake</h1>{story}<table><tr><th>Fish</th><th>Count</th></tr>\
         <tr><td>Trout</td><td>12</td></tr></table><a href='javascript:alert(1)'>click</a></article></main><footer>imprint</footer></body></html>"
    )
}

#[test]
fn the_main_text_is_told_as_markdown_without_the_frame() {
    let article = read(&page(), None).unwrap();
    assert!(article.text.contains("The lake lies **high** in the mountains"), "{}", article.text);
    assert!(article.text.contains("[fish](https://a.example/fish"), "{}", article.text);
    for unwanted in ["imprint", "Home", "alert", "javascript:"] {
        assert!(!article.text.contains(unwanted), "{unwanted}: {}", article.text);
    }
    assert_eq!(article.links, [("fish".to_owned(), "https://a.example/fish".to_owned())]);
    assert_eq!(article.doubt, None);
}

#[test]
fn what_a_page_says_about_itself_is_told_clean() {
    let about = read(&page(), None).unwrap().about;
    assert_eq!(about.title.as_deref(), Some("The lake"));
    assert_eq!(about.description.as_deref(), Some("About a lake"));
    assert_eq!(about.author.as_deref(), Some("Anna Author"));
    assert_eq!(about.site.as_deref(), Some("Lakes"));
    assert_eq!(about.language.as_deref(), Some("zh-CN"));
    assert_eq!(about.published.as_deref(), Some("2026-01-02T03:04:05Z"));
}

#[test]
fn a_selector_finds_its_parts_or_says_that_there_are_none() {
    let table = read(&page(), Some("table")).unwrap();
    assert!(table.text.contains("Trout") && table.text.contains("12") && !table.text.contains("mountains"), "{}", table.text);
    let nested = read(&page(), Some("main, article h1")).unwrap();
    assert_eq!(nested.text.matches("# The lake").count(), 1, "a part inside of another one is told once: {}", nested.text);
    assert!(matches!(read(&page(), Some("#nowhere")), Err(Fault::Missing { .. })));
    let Err(fault) = read(&page(), Some("p[")) else { panic!("taken") };
    assert!(fault.to_string().contains("no CSS selector"), "{fault}");
    let json = article(b"{}", Some("application/json"), URL, Some("p"));
    assert!(matches!(json, Err(Fault::Unfit { field: "selector", .. })));
}

#[test]
fn a_front_page_is_told_although_it_has_no_main_text() {
    let rows: String = (0..40).map(|at| format!("<tr><td><a href='/item/{at}'>Headline number {at}</a></td></tr>")).collect();
    let front =
        read(&format!("<html><head><title>News</title></head><body><nav>menu</nav><table>{rows}</table></body></html>"), None).unwrap();
    assert!(front.text.contains("Headline number 0") && front.text.contains("Headline number 39"), "{}", front.text);
    assert_eq!(front.links.len(), 40);
    assert_eq!(front.links[3], ("Headline number 3".to_owned(), "https://a.example/item/3".to_owned()));
}

#[test]
fn what_is_no_page_is_told_as_what_it_is() {
    let text = article("plain\r\ntext\u{1b}[2J".as_bytes(), Some("text/plain"), URL, None).unwrap();
    assert_eq!((text.media, text.text.as_str()), (Media::Text, "plain\ntext\n"));
    let json = article(br#"{"a": 1}"#, Some("application/json"), URL, None).unwrap();
    assert_eq!((json.media, json.text.as_str()), (Media::Json, "{\"a\": 1}\n"));
    let feed =
        "<rss version='2.0'><channel><title>News</title><item><title>First</title><link>https://a.example/1</link></item></channel></rss>";
    let feed = article(feed.as_bytes(), Some("application/rss+xml"), URL, None).unwrap();
    assert_eq!((feed.media, feed.text.as_str()), (Media::Feed, "- [First](https://a.example/1)\n"));
    assert!(matches!(article(b"%PDF-1.7", None, URL, None), Err(Fault::Binary("a PDF file"))));
    assert!(matches!(read("<html><body><script>draw()</script></body></html>", None), Err(Fault::Empty(_))));
}

#[test]
fn a_page_that_stands_in_for_the_real_one_is_doubted() {
    let wall = read("<html><head><title>Just a moment...</title></head><body><p>Checking your browser</p></body></html>", None).unwrap();
    assert!(wall.doubt.is_some());
}

#[test]
fn no_markup_breaks_the_reader() {
    proptest::proptest!(|(markup in "(<[a-z]{1,8}( [a-z]{1,6}='?[^'>]{0,8}'?)?>|</[a-z]{1,8}>|[^<]{0,20}|<!--|]]>|&[a-z#0-9]{0,6};){0,40}")| {
        let _ = read(&markup, None);
        let _ = read(&markup, Some("p, a"));
    });
}
