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
