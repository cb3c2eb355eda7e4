//! A conversation on paper.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::agent::testing::{Bench, answer, call, calls};
use crate::domain::command::Command;
use crate::domain::ids::Seq;

async fn conversation() -> Vec<Arc<Event>> {
    let mut bench = Bench::new(crate::agent::Options::default());
    bench.llm.say(calls(vec![call("c1", "box__echo", json!({"a": "```"}))]));
    bench.llm.say(answer("It says\u{1b}[31m so."));
    bench.send("What does it say?");
    bench.finished().await;
    let upto = bench.events().last().unwrap().seq.unwrap();
    bench.send("forget this");
    bench.finished().await;
    bench.handle.handle(Command::Rewind { session: bench.session.clone(), to: upto }).unwrap();
    bench.until("rewind", |event| matches!(event.body, EventBody::SessionEvent(_)).then_some(())).await;
    bench.events()
}

#[tokio::test(start_paused = true)]
async fn markdown_reads_like_the_conversation() {
    let text = markdown(&conversation().await);
    assert!(text.starts_with("# What does it say?\n\n- model: p/m\n- folder: /work\n"), "{text}");
    assert!(text.contains("## You\n\nWhat does it say?\n") && text.contains("## Agent\n\nIt says so.\n"), "{text}");
    assert!(text.contains("<summary>✔ box · echo · 0 ms</summary>\n\n````json\n"), "{text}");
    assert!(!text.contains("forget this"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn json_has_every_event_and_the_history() {
    let events = conversation().await;
    let value = json(&events);
    assert_eq!(value["events"].as_array().unwrap().len(), events.len());
    assert_eq!(value["messages"].as_array().unwrap().len(), 4);
    assert_eq!(value["title"], "What does it say?");
    assert_eq!(value["events"][0]["seq"], json!(Seq(1)));
}

#[tokio::test(start_paused = true)]
async fn html_stands_for_itself_and_runs_nothing() {
    let mut bench = Bench::new(crate::agent::Options::default());
    bench.llm.say(calls(vec![call("c1", "box__echo", json!({"a": "</code><script>alert(1)</script>"}))]));
    bench.llm.say(answer("See:\n\n```html\n<img src=x onerror=alert(1)>\n```\n\n<b>\"bold\"</b> & 'so'"));
    bench.send("<script>alert(document.cookie)</script>");
    bench.finished().await;
    let page = html(&bench.events());
    assert!(page.starts_with("<!doctype html>\n") && page.ends_with("</body>\n</html>\n"), "{page}");
    assert!(page.contains(
        "Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\""
    ));
    for forbidden in ["<script", "<img", "<b>", "src=\"", "href=", "url(", "@import", "\u{1b}"] {
        assert!(!page.contains(forbidden), "{forbidden}: {page}");
    }
    assert!(page.contains("<pre><code>&lt;img src=x onerror=alert(1)&gt;</code></pre>"), "{page}");
    assert!(page.contains("&lt;b&gt;&quot;bold&quot;&lt;/b&gt; &amp; &#39;so&#39;"), "{page}");
    assert!(page.contains("<details><summary><span class=\"\">✔</span> box · echo"), "{page}");
    assert!(page.contains("prefers-color-scheme:dark"));
    assert_eq!(page.matches("<details>").count(), page.matches("</details>").count());
}

#[tokio::test(start_paused = true)]
async fn a_page_leaves_out_what_was_taken_back() {
    let page = html(&conversation().await);
    assert!(page.contains("It says so.") && !page.contains("forget this"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn each_format_has_its_document() {
    let events = conversation().await;
    assert_eq!(document(&events, ExportFormat::Markdown).unwrap(), markdown(&events));
    assert_eq!(document(&events, ExportFormat::Html).unwrap(), html(&events));
    let json: Value = serde_json::from_str(&document(&events, ExportFormat::Json).unwrap()).unwrap();
    assert_eq!(json["title"], "What does it say?");
}
