//! The screens at 120×40 and 80×24.

use serde_json::json;

use crate::domain::event::{ErrorEvent, McpEventType, Status, TurnEnd};
use crate::tui::tests::{SIZES, Script, asking, pictures};

fn both(name: &str, prepare: impl Fn(&mut Script)) {
    for (name, picture) in pictures(name, &SIZES[..2], prepare) {
        insta::assert_snapshot!(name, picture);
    }
}

fn talk(script: &mut Script) {
    script.servers();
    script.mcp(McpEventType::ServiceConnected, "everything", json!({"tools": 12}));
    script.mcp(McpEventType::ServiceReconnecting, "github", json!({"reason": "connection refused", "attempt": 3, "delay_ms": 8000}));
    script.wait(2_000);
    script.said("What time is it in Tokyo?");
    script.tool("time", "get_current_time", Status::Started, None, None);
    script.wait(41);
    script.tool("time", "get_current_time", Status::Success, Some(json!({"text": "23:30"})), None);
    script.tool("everything", "echo", Status::Started, None, None);
    script.tool("everything", "echo", Status::Error, None, Some("connection refused"));
    script.handoff("agent_coder", Status::Started);
    script.handoff("agent_coder", Status::Success);
    script.answered("It is **23:30** in Tokyo.\n\n- that is `UTC+9`\n- 東京は夜です");
}

#[test]
fn empty_first_run() {
    both("empty", Script::servers);
}

#[test]
fn conversation_with_tool_calls() {
    both("conversation", |script| {
        talk(script);
        script.finished(TurnEnd::Done, None);
    });
}

#[test]
fn working_with_queued_prompts() {
    both("working", |script| {
        talk(script);
        script.wait(12_000);
        script.type_text("and in Paris?");
        script.key("enter");
        script.type_text("and in Rome?");
        script.key("tab");
        script.type_text("half a dra");
    });
}

#[test]
fn question_for_consent() {
    both("approval", |script| {
        talk(script);
        script.asks(false, Some("--- a/notes.md\n+++ b/notes.md\n@@ -1 +1,2 @@\n-old line\n+first line\n+second line\n context"));
    });
}

#[test]
fn question_for_consent_to_something_dangerous() {
    both("approval_dangerous", |script| {
        talk(script);
        script.asks(true, None);
    });
}

#[test]
fn events_detail() {
    both("event_detail", |script| {
        talk(script);
        script.key("f6");
        script.key("f6");
        if script.state.focus != crate::tui::state::Focus::Events {
            script.key("ctrl+e");
        }
        script.keys(&["up", "up", "up", "up", "enter"]);
    });
}

#[test]
fn servers_panel() {
    both("servers", |script| {
        script.servers();
        script.keys(&["f7", "down", "down"]);
    });
}

#[test]
fn slash_popup() {
    both("popup", |script| script.type_text("/"));
}

#[test]
fn help() {
    both("help", |script| script.type_text("?"));
}

#[test]
fn events_in_place_of_the_chat() {
    both("events_full", |script| {
        talk(script);
        script.key("ctrl+e");
        script.keys(&["up", "up"]);
    });
}

#[test]
fn error() {
    both("error", |script| {
        script.said("hello");
        script.feed(ErrorEvent {
            message: "the provider `openai` refused the key".into(),
            source: "agent".into(),
            details: json!({"hint": "check OPENAI_API_KEY, or choose another model with /model"}),
        });
        script.finished(TurnEnd::Failed, Some("the provider refused the key"));
        script.type_text("/quti");
        script.key("enter");
    });
}

#[test]
fn too_small() {
    for (columns, rows) in [(39, 12), (40, 11), (8, 2)] {
        let script = Script::new(columns, rows);
        insta::assert_snapshot!(format!("too_small_{columns}x{rows}"), script.picture());
    }
}

#[test]
fn smallest_that_works() {
    let mut script = Script::new(40, 12);
    talk(&mut script);
    script.asks(false, None);
    insta::assert_snapshot!("smallest_40x12", script.picture());
}

#[test]
fn every_size_can_be_drawn() {
    for columns in (1..=130).step_by(7) {
        for rows in (1..=45).step_by(4) {
            let mut script = Script::new(columns, rows);
            talk(&mut script);
            script.tasks();
            script.inbox();
            script.type_text("@a");
            script.text();
            script.key("esc");
            script.asks(true, None);
            script.text();
            script.key("f1");
            script.text();
            script.keys(&["esc", "ctrl+t"]);
            script.text();
            script.key("enter");
            script.details();
            script.text();
            script.keys(&["end", "esc", "x"]);
            script.text();
            script.keys(&["n", "tab"]);
            script.text();
            script.keys(&["enter", "pgdn"]);
            script.text();
            script.keys(&["tab", "tab"]);
            script.text();
            script.keys(&["esc", "ctrl+p"]);
            script.text();
            script.keys(&["esc", "ctrl+e"]);
            script.text();
        }
    }
}

#[test]
fn every_size_of_what_servers_ask_and_lend_can_be_drawn() {
    for columns in [1, 39, 40, 41, 57, 80, 120] {
        for rows in [1, 11, 12, 14, 24, 40] {
            let mut script = Script::new(columns, rows);
            script.lends();
            script.run("/mcp resources");
            script.text();
            script.keys(&["end", "down", "down", "down", "enter"]);
            script.text();
            script.keys(&["esc", "esc"]);
            script.run("/everything:weather");
            script.text();
            script.key("esc");
            for ask in [asking::form(), asking::tools_changed()] {
                script.state.questions.clear();
                script.question("q", ask);
                script.text();
            }
        }
    }
}
