//! Text from strangers: whatever a model, a server, a page or an error says, the terminal gets no control sequence of
//! theirs, what is drawn is what is seen, and a frame costs no more than its screen.

use serde_json::{Value, json};

use super::{Screen, Script, sequences};
use crate::domain::event::{Chat, ChatStatus, ErrorEvent, McpEventType, SessionEvent, Status, TurnEnd};
use crate::domain::message::Role;
use crate::tui::markdown::wrap::visited;
use crate::tui::msg::Msg;

/// What strangers write to take over a terminal.
const ATTACKS: &[&str] = &[
    "\x1b]52;c;aGFja2Vk\x07",
    "\x1b]8;;https://evil.example\x1b\\https://good.example\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[H\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1bPq#0;2;100;0;0~-\x1b\\",
    "\x1b_Ga=T,f=100;AAAA\x1b\\",
    "\x1b]1337;File=inline=1:AAAA\x07",
    "\x1b[?1049l\x1b[?2026h\x1b[6n\x1b]11;?\x07",
    "\u{9b}31m\u{9d}0;x\u{9c}\u{90}q\u{9c}\u{85}",
    "a\0b\x08\x08\x7f\x0b\x0c\x0e\x0f",
    "over\rwritten",
    "\u{202e}txt.exe\u{202c} \u{2066}x\u{2069} \u{200e}\u{200f}\u{61c}",
    "\u{feff}\u{2028}\u{2029}\u{e0041}\u{fff9}",
    "\u{10eeee}\u{305}\u{305}\u{10eeee}",
    "\x1b",
    "\x1bc\x1b(0\x1b#8",
    "`\x1b[31m` **\x1b]52;c;eA==\x07** [x\x1b[2J](https://e.example/\x1b[2J\u{7}) | \x1b[1m |\n|-|\n| \x1b[2J |\n```\x1b[3m\n\x1b[4m\n```",
    "![\x1b[5m](data:\x1b]52;c;eA==\x07) <b\x1b[2J> &#27;[2J &#x9b;31m",
];

/// Everything that a stranger can fill, filled.
fn filled(text: &str, columns: u16, rows: u16) -> Script {
    let mut script = Script::new(columns, rows);
    script.state.surroundings.hyperlinks = true;
    script.servers();
    script.said(text);
    script.feed(SessionEvent::Renamed { title: text.to_owned() });
    script.feed_ephemeral(Chat { reasoning: Some(text.to_owned()), ..Chat::new(Role::Assistant, ChatStatus::ReasoningDelta) });
    script.feed_ephemeral(Chat::new(Role::Assistant, ChatStatus::Delta).with_text(text));
    script.feed(Chat { reasoning: Some(text.to_owned()), ..Chat::new(Role::Assistant, ChatStatus::Done).with_text(text) });
    script.tool(text, text, Status::Started, None, None);
    script.tool(text, text, Status::Success, Some(json!(text)), None);
    script.tool("page", "read", Status::Started, None, None);
    script.tool("page", "read", Status::Success, Some(json!({"text": text, "structured": {text: text}})), None);
    script.tool("files", "write", Status::Error, None, Some(text));
    script.handoff(text, Status::Success);
    script.mcp(McpEventType::Log, text, json!({"level": "error", "message": text, "logger": text}));
    script.feed(ErrorEvent { message: text.to_owned(), source: text.to_owned(), details: json!({"hint": text}) });
    script.asks(true, Some(text));
    script.finished(TurnEnd::Failed, Some(text));
    script.send(Msg::Note(false, text.to_owned()));
    script
}

fn open_all(script: &mut Script) {
    script.state.transcript.set_all_open(true);
    script.state.approvals.clear();
    script.state.dirty = true;
}

#[test]
fn no_control_sequence_of_theirs_reaches_the_terminal() {
    let all = ATTACKS.join("\n");
    for (columns, rows) in [(120, 40), (80, 24), (40, 12)] {
        for text in ATTACKS.iter().copied().chain([all.as_str()]) {
            let mut script = filled(text, columns, rows);
            let mut screen = Screen::new(&script);
            let mut bytes = screen.draw(&script);
            open_all(&mut script);
            bytes.push_str(&screen.draw(&script));
            for keys in [["f6", "ctrl+home"], ["pgdn", "pgdn"], ["pgdn", "c"], ["esc", "ctrl+e"], ["ctrl+e", "f1"]] {
                script.keys(&keys);
                bytes.push_str(&screen.draw(&script));
            }
            for sequence in sequences(&bytes) {
                assert!(!sequence.contains("evil.example"), "{text:?}: {sequence:?}");
            }
            for hidden in ["\u{202e}", "\u{2066}", "\u{feff}", "\u{10eeee}", "\u{e0041}", "\u{2028}"] {
                assert!(!bytes.contains(hidden), "{text:?} gets {hidden:?} through");
            }
        }
    }
}

#[test]
fn the_terminal_shows_what_was_meant_in_spite_of_them() {
    for text in ATTACKS {
        let script = filled(text, 100, 30);
        let mut screen = Screen::new(&script);
        screen.draw(&script);
        screen.check(&script);
    }
}

/// One letter with so many marks on it that it is a tower.
fn tower() -> String {
    format!("a{} b", "\u{301}".repeat(5_000)).repeat(20)
}

#[test]
fn a_tower_of_marks_is_cut_before_it_is_sent() {
    let script = filled(&tower(), 100, 30);
    let mut screen = Screen::new(&script);
    let bytes = screen.draw(&script);
    sequences(&bytes);
    assert!(bytes.len() < 200_000, "{} bytes for one frame", bytes.len());
}

/// Clusters that a first frame may look at: some hundred screens of 40 rows, whatever is behind them.
const CLUSTERS_MAX: u64 = 2_000_000;

/// Text by the megabyte, everywhere: the first frame looks at a bounded part of it, the next at nothing.
#[test]
fn huge_texts_cost_a_bounded_frame_and_then_nothing() {
    let base64 = "QUJD".repeat(1_280);
    let json = format!("{{\"data\": \"{}\"}}", "x".repeat(10 << 20));
    let lines = "a line of some words\n".repeat(200_000);
    for text in [base64, json, lines] {
        let mut script = filled(&text, 120, 40);
        let mut screen = Screen::new(&script);
        let before = visited();
        sequences(&screen.draw(&script));
        let first = visited() - before;
        assert!(first < CLUSTERS_MAX, "{first} clusters for the first frame of {} bytes", text.len());
        script.state.dirty = true;
        let before = (visited(), script.state.transcript.cost().laid_out);
        assert_eq!(screen.draw(&script), "");
        assert_eq!((visited(), script.state.transcript.cost().laid_out), before, "an unchanged frame of {} bytes costs work", text.len());
        open_all(&mut script);
        let before = visited();
        sequences(&screen.draw(&script));
        let opened = visited() - before;
        assert!(opened < CLUSTERS_MAX, "{opened} clusters once all is open, of {} bytes", text.len());
    }
}

/// Arguments as a model writes them: deep, and with hostile names.
#[test]
fn names_of_arguments_are_strangers_too() {
    let mut script = Script::new(100, 30);
    script.said("hello");
    let mut deep = json!("\x1b[2J");
    for at in 0..100 {
        deep = json!({ format!("\x1b]52;c;{at}\x07"): deep });
    }
    let Value::Object(arguments) = deep else { panic!("no object") };
    script.feed(crate::domain::event::ToolExecution {
        service_name: "s".into(),
        tool_name: "t".into(),
        status: Status::Started,
        result: None,
        error: None,
        error_kind: None,
        call_id: crate::domain::ids::CallId::new("c"),
        arguments: Some(arguments),
        duration_ms: None,
        parent: None,
    });
    open_all(&mut script);
    let mut screen = Screen::new(&script);
    sequences(&screen.draw(&script));
    screen.check(&script);
}
