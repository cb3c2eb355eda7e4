//! What a chat, its message and the lists above them may show: text and styles at 120×40 and 80×24, each read back by a
//! terminal; other scripts, other colours, another size.

use serde_json::json;

use crate::domain::clock::Instant;
use crate::domain::event::{Chat, ChatStatus, SessionEvent, Status, ToolExecution, TurnEnd};
use crate::domain::ids::{CallId, MemoryId, Seq};
use crate::domain::memory::{Memory, MemoryEvent, MemoryKind, MemoryPage, MemorySource, Note, Notes};
use crate::domain::message::Role;
use crate::domain::query::{AgentInfo, CheckLevel, CheckRow, ModelInfo};
use crate::domain::undo::{UndoRow, UndoState};
use crate::tui::msg::{Answer, Msg};
use crate::tui::tests::{SIZES, Script, pictures};
use crate::tui::theme::{ColourDepth, IconSet};

fn both(name: &str, prepare: impl Fn(&mut Script)) {
    for (name, picture) in pictures(name, &SIZES[..2], prepare) {
        insta::assert_snapshot!(name, picture);
    }
}

/// Everything that has a colour of its own.
fn talk(script: &mut Script) {
    script.servers();
    script.said("What time is it in Tokyo?");
    script.tool("time", "now", Status::Started, None, None);
    script.tool("time", "now", Status::Success, Some(json!("23:30")), None);
    script.tool("files", "read", Status::Error, None, Some("no such file"));
    script.answered("It is **23:30**, see `time.rs` and [the page](https://example.org/tokyo).\n\n```rust\nfn main() {} // so\n```");
    script.finished(TurnEnd::Done, None);
}

fn to_chat(script: &mut Script) {
    while script.state.focus != crate::tui::state::Focus::Chat {
        script.key("f6");
    }
}

#[test]
fn other_scripts() {
    both("scripts", |script| {
        script.said("东京现在几点？请用中文回答，然后再用日语说一遍：東京は今何時ですか？それから天気も教えてください。");
        script.tool("时间", "现在", Status::Started, None, None);
        script.tool("时间", "现在", Status::Success, Some(json!("二十三点三十分")), None);
        script.answered(
            "现在是 **23:30**。\n\n| 城市 | 时间 |\n| --- | --- |\n| 東京 | 23:30 |\n| Zürich e\u{301} | 15:30 |\n\n\
             - 家族 👨\u{200d}👩\u{200d}👧\n- 旗 🇩🇪 und 👍🏽\n- עברית و العربية\n- ไทย नमस्ते",
        );
        script.finished(TurnEnd::Done, None);
        script.type_text("再来一次 e\u{301}🇩🇪");
    });
}

#[test]
fn every_theme() {
    let names: Vec<String> = Script::new(80, 24).state.themes.names().into_iter().map(str::to_owned).collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        both(&format!("theme_{name}"), |script| {
            talk(script);
            script.asks(true, Some("--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n"));
            script.state.theme = script.state.themes.load(&name, ColourDepth::TrueColour, IconSet::Unicode).unwrap();
        });
    }
}

#[test]
fn fewer_colours_and_none() {
    for (name, depth) in [("none", ColourDepth::None), ("16", ColourDepth::Ansi16), ("256", ColourDepth::Ansi256)] {
        both(&format!("colours_{name}"), |script| {
            talk(script);
            script.asks(false, Some("+ a line\n"));
            script.state.theme = script.state.themes.load("dark", depth, IconSet::Unicode).unwrap();
        });
    }
}

#[test]
fn plain_icons() {
    both("ascii", |script| {
        script.state.options.icons = IconSet::Ascii;
        script.state.theme = script.state.themes.load("dark", ColourDepth::TrueColour, IconSet::Ascii).unwrap();
        talk(script);
    });
}

#[test]
fn another_size_shows_what_it_would_have_shown_from_the_start() {
    let at = |first: (u16, u16), then: &[(u16, u16)]| {
        let mut script = Script::new(first.0, first.1);
        talk(&mut script);
        script.answered(&"many words that are broken into rows anew ".repeat(60));
        for (columns, rows) in then {
            script.send(Msg::Resize(*columns, *rows));
            script.picture();
        }
        script.picture()
    };
    for (columns, rows) in [(120, 40), (80, 24), (40, 12), (200, 60)] {
        let through = [(40, 12), (39, 11), (400, 120), (81, 25), (columns, rows)];
        assert_eq!(at((100, 30), &through), at((columns, rows), &[]), "{columns}x{rows}");
    }
}

#[test]
fn reasoning_and_text_of_many_kinds() {
    let chat = || Chat {
        reasoning: Some("The user wants the time.\nTokyo is nine hours ahead.".into()),
        model: Some("p/m".into()),
        ..Chat::new(Role::Assistant, ChatStatus::Done).with_text(
            "# Heading\n\nSome *words*, **more**, ~~none~~ and `code`.\n\n> said by others\n\n1. first\n   - within\n2. second\n\n\
             | left | right |\n| :-- | --: |\n| a | 1 |\n| bb | 22 |\n\n```diff\n- old\n+ new\n```\n\n---\n\n- [x] done\n- [ ] open",
        )
    };
    for (name, is_open) in [("reasoning", false), ("reasoning_open", true)] {
        both(name, |script| {
            script.said("go");
            script.feed(chat());
            script.finished(TurnEnd::Done, None);
            if is_open {
                to_chat(script);
                script.keys(&["g", "down", "enter", "g"]);
            }
        });
    }
}

#[test]
fn a_call_that_is_open_and_a_task_that_was_handed_on() {
    both("nested", |script| {
        script.said("go");
        script.handoff("coder", Status::Started);
        let inner = |status, result| ToolExecution {
            service_name: "files".into(),
            tool_name: "edit_file".into(),
            status,
            result,
            error: None,
            error_kind: None,
            call_id: CallId::new("call-inner"),
            arguments: Some(crate::tui::tests::script::object(json!({"path": "src/main.rs", "old": "a", "new": "b"}))),
            duration_ms: Some(7),
            parent: Some(CallId::new("call-h")),
        };
        script.feed(inner(Status::Started, None));
        script.feed(inner(Status::Success, Some(json!("--- a/src/main.rs\n+++ b/src/main.rs\n@@ -1 +1 @@\n-a\n+b\n"))));
        script.handoff("coder", Status::Success);
        script.tool("files", "read", Status::Started, None, None);
        script.tool("files", "read", Status::Success, Some(json!({"text": "one\ntwo\nthree", "lines": 3})), None);
        script.key("ctrl+o");
    });
}

#[test]
fn what_ends_early_and_what_lies_between_turns() {
    both("ends", |script| {
        script.said("go");
        script.feed(MemoryEvent::Recalled {
            turn: "turn-1".into(),
            notes: Notes {
                notes: vec![Note {
                    memory_id: MemoryId::new("m1"),
                    kind: MemoryKind::Preference,
                    content: "tea, not coffee".into(),
                    updated: Instant::from_millis(0),
                }],
                ..Notes::default()
            },
        });
        script.feed(Chat::new(Role::Assistant, ChatStatus::Interrupted).with_text("half an ans"));
        script.finished(TurnEnd::Interrupted, None);
        script.feed(SessionEvent::Compacted { summary: "we spoke of tea".into(), upto: Seq(1), by_user: true });
        script.feed(SessionEvent::ModelSet { model: "openai/gpt".into() });
        script.said("again");
        script.finished(TurnEnd::Failed, Some("the model provider could not answer: connection refused"));
    });
}

#[test]
fn a_search_in_the_chat_and_rows_that_are_marked() {
    both("search", |script| {
        talk(script);
        to_chat(script);
        script.key("/");
        script.type_text("time");
        script.key("enter");
    });
    both("marked", |script| {
        talk(script);
        to_chat(script);
        script.keys(&["shift+v", "up", "up"]);
    });
    both("below", |script| {
        talk(script);
        for _ in 0..12 {
            script.answered("and more\n\nand more");
        }
        to_chat(script);
        script.key("g");
        script.answered("new");
    });
}

#[test]
fn messages_that_are_being_written() {
    both("paste", |script| {
        script.send(Msg::Paste("a line of a long text\n".repeat(40)));
        script.type_text(" what is this?");
    });
    both("shell", |script| script.type_text("!ls -la"));
    both("lines", |script| {
        script.type_text("one");
        script.key("alt+enter");
        script.type_text("二 and 👍🏽");
        script.key("alt+enter");
        script.type_text(&"three ".repeat(40));
    });
    both("files", |script| {
        script.type_text("@ma");
        script.send(Msg::Files("ma".into(), vec!["src/main.rs".into(), "docs/manual.md".into()]));
    });
    both("history", |script| {
        script.send(Msg::History(vec!["first one".into(), "second".into(), "第三".into()]));
        script.key("ctrl+r");
        script.type_text("s");
    });
    both("quit", |script| script.key("ctrl+d"));
}

#[test]
fn lists_to_choose_from() {
    both("palette", |script| script.key("ctrl+p"));
    both("models", |script| {
        script.command("/model");
        let model = |id: &str, note: &str| ModelInfo { id: id.into(), note: note.into() };
        let rows = vec![model("offline/rules", "built in"), model("openai/gpt-4o", ""), model("local/通义", "")];
        script.send(Msg::Answer(Answer::Models(Ok(rows))));
    });
    both("agents", |script| {
        script.command("/agents");
        let agent = AgentInfo {
            name: "coder".into(),
            description: "Writes and checks code".into(),
            model: Some("openai/gpt-4o".into()),
            servers: vec!["files".into(), "system".into()],
        };
        script.send(Msg::Answer(Answer::Agents(Ok(vec![agent]))));
    });
    both("rewind", |script| {
        talk(script);
        script.keys(&["esc", "esc"]);
    });
    both("memories", |script| {
        script.command("/memory");
        let memory = |id: &str, content: &str, kind| Memory {
            memory_id: MemoryId::new(id),
            content: content.into(),
            kind,
            tags: vec!["home".into()],
            source: MemorySource::User,
            created: script.state.now,
            updated: script.state.now,
            last_used: None,
            times_used: 2,
            score: None,
        };
        let memories = vec![
            memory("1a2b3c4d-1", "tea, not coffee", MemoryKind::Preference),
            memory("5e6f7a8b-2", "备用钥匙在花盆下面", MemoryKind::Fact),
        ];
        script.send(Msg::Answer(Answer::Memories(String::new(), Ok(MemoryPage { total: 2, memories }))));
    });
}

#[test]
fn texts_to_read() {
    let doctor = |script: &mut Script| {
        script.command("/doctor");
        let row = |name: &str, level, message: &str, remedy: Option<&str>| CheckRow {
            name: name.into(),
            level,
            message: message.into(),
            remedy: remedy.map(str::to_owned),
        };
        let rows = vec![
            row("config", CheckLevel::Ok, "/home/me/.config/wakeful/config.toml", None),
            row("model", CheckLevel::Warn, "the offline assistant answers", Some("set OPENAI_API_KEY, or add a provider")),
            row("server github", CheckLevel::Fail, "connection refused", Some("wakeful mcp test github shows more")),
        ];
        script.send(Msg::Answer(Answer::Doctor(Ok(rows))));
    };
    both("doctor", doctor);
    both("found", |script| {
        doctor(script);
        script.key("/");
        script.type_text("the");
    });
    both("undo", |script| {
        script.command("/undo list");
        let row = |number, path: &str, state| UndoRow {
            number,
            id: format!("change-{number}"),
            at: script.state.now,
            session: None,
            tool: "edit_file".into(),
            path: path.into(),
            is_new_file: number == 1,
            state,
        };
        let rows = vec![
            row(1, "/home/me/project/notes.md", UndoState::Stands),
            row(2, "/home/me/project/src/main.rs", UndoState::Undone),
            row(3, "/home/me/project/gone.txt", UndoState::Absent),
        ];
        script.send(Msg::Answer(Answer::Undoable(Ok(rows))));
    });
}
