//! Tabs, the filter of the events, a moment of the past and what models took, at three sizes.

use std::sync::Arc;

use serde_json::json;

use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventBody, McpEvent, McpEventType, Status, TaskEvent, TurnEnd};
use crate::domain::ids::{EventId, Seq, TaskId};
use crate::domain::message::Usage;
use crate::domain::query::{Spend, Spending, TaskSpend};
use crate::domain::task::TaskFact;
use crate::tui::moment::Moment;
use crate::tui::msg::{Answer, Msg};
use crate::tui::tests::{SIZES, Script, pictures};

fn sizes(name: &str, prepare: impl Fn(&mut Script)) {
    for (name, picture) in pictures(name, &SIZES, prepare) {
        insta::assert_snapshot!(name, picture);
    }
}

fn talk(script: &mut Script) {
    script.servers();
    script.said("What time is it in Tokyo?");
    script.tool("time", "now", Status::Started, None, None);
    script.tool("time", "now", Status::Success, Some(json!("23:30")), None);
    script.tool("files", "read", Status::Error, None, Some("no such file"));
    script.answered("It is **23:30** in Tokyo. 東京は夜です。");
    script.wait(10_000);
}

#[test]
fn tabs_with_their_marks() {
    sizes("tabs", |script| {
        talk(script);
        script.key("alt+t");
        script.type_text("a draft of its own");
        script.key("alt+t");
        script.key("alt+2");
        script.state.toast = None;
    });
}

#[test]
fn a_filter_with_completions() {
    sizes("filter", |script| {
        talk(script);
        while script.state.focus != crate::tui::state::Focus::Events {
            script.key(if script.state.is_wide() { "f6" } else { "ctrl+e" });
        }
        script.key("/");
        script.type_text("type:tool_execution -server:time st");
        script.key("tab");
    });
}

#[test]
fn a_filter_that_is_nonsense() {
    sizes("filter_wrong", |script| {
        talk(script);
        while script.state.focus != crate::tui::state::Focus::Events {
            script.key(if script.state.is_wide() { "f6" } else { "ctrl+e" });
        }
        script.key("/");
        script.type_text("status:erorr");
    });
}

fn stored(seq: u64, body: impl Into<EventBody>) -> Arc<Event> {
    Arc::new(Event { seq: Some(Seq(seq)), id: EventId::new("e"), at: Instant::from_millis(0), session: None, body: body.into() })
}

#[test]
fn a_moment_of_the_past() {
    sizes("moment", |script| {
        talk(script);
        script.finished(TurnEnd::Done, None);
        while script.state.focus != crate::tui::state::Focus::Events {
            script.key(if script.state.is_wide() { "f6" } else { "ctrl+e" });
        }
        script.keys(&["up", "r"]);
        let event = Arc::clone(&script.state.events.current().unwrap().event);
        let spec = |id: &str, description: &str| {
            serde_json::from_value(json!({
                "task_id": id, "task_type": "web_monitor", "description": description, "user_id": "u",
                "created_at": "2026-01-01T00:00:00.000Z", "config": {"urls": ["https://example.com"], "keywords": ["a"]}
            }))
            .unwrap()
        };
        let task = |seq: u64, id: &str, fact: TaskFact| stored(seq, TaskEvent::new(TaskId::new(id), fact));
        let tasks = [
            task(1, "a", TaskFact::TaskCreated { spec: Box::new(spec("a", "TechCrunch for AI news")) }),
            task(2, "b", TaskFact::TaskCreated { spec: Box::new(spec("b", "新聞 every morning")) }),
            task(3, "b", TaskFact::TaskPaused { reason: "a rest".into(), by_itself: false }),
        ];
        let server = |seq: u64, event_type: McpEventType, name: &str| {
            stored(seq, McpEvent { event_type, service_name: name.into(), details: json!({"tools": 6, "reason": "gone"}) })
        };
        let servers = [server(1, McpEventType::ServiceConnected, "tasks"), server(2, McpEventType::ServiceDisconnected, "bygone")];
        let seq = event.seq.unwrap();
        script.send(Msg::Answer(Answer::Moment(seq, Ok(Box::new(Moment::fold(seq, event.at, &tasks, &servers))))));
    });
}

#[test]
fn what_models_took() {
    sizes("cost", |script| {
        talk(script);
        script.finished(TurnEnd::Done, None);
        script.command("/cost");
        let spend = |model: &str, turns: u64, tokens: u64, cost: Option<u64>| Spend {
            model: model.into(),
            turns,
            usage: Usage { input_tokens: tokens, output_tokens: tokens / 8, cached_tokens: tokens / 2 },
            cost_micros: cost,
        };
        let all = vec![spend("openai/gpt-large", 1_204, 4_260_000, Some(12_340_000)), spend("offline/rules", 31, 9_000, None)];
        let spending = Spending {
            session: all[1..].to_vec(),
            today: Vec::new(),
            all,
            tasks: vec![TaskSpend { description: "watch the news".into(), tokens: 12_000, cost_micros: Some(40_000) }],
            priced: true,
            cut: false,
        };
        script.send(Msg::Answer(Answer::Spending(Ok(spending))));
    });
}
