//! What events come to on the screen: texts, order, places, and how little work it takes.

mod places;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::{Map, Value, json};

use super::viewport::AHEAD_ROWS;
use super::*;
use crate::domain::clock::Instant;
use crate::domain::event::{
    Approval, ApprovalStatus, Chat, ChatStatus, ErrorEvent, ErrorKind, EventBody, Fork, HandoffCall, McpEvent, McpEventType, Scope,
    SessionEvent, Status, ToolExecution, TurnEnd, TurnEvent,
};
use crate::domain::ids::{CallId, EventId, ServerName, SessionId, TurnId};
use crate::domain::message::{Role, Usage};
use crate::tui::theme::{ColourDepth, IconSet, Key, Theme, Themes};

fn event(seq: Option<u64>, body: impl Into<EventBody>) -> Event {
    Event { seq: seq.map(Seq), id: EventId::new("e"), at: Instant::from_millis(0), session: Some(SessionId::new("s")), body: body.into() }
}

/// A transcript that is fed stored events in order.
struct Feed {
    transcript: Transcript,
    stored: Vec<Arc<Event>>,
}

impl Feed {
    fn new() -> Self {
        Self { transcript: Transcript::new(Highlighter::off()), stored: Vec::new() }
    }

    fn store(&mut self, body: impl Into<EventBody>) -> &mut Self {
        let event = Arc::new(event(Some(self.stored.len() as u64 + 1), body));
        self.transcript.apply(&event);
        self.stored.push(event);
        self
    }

    fn emit(&mut self, body: impl Into<EventBody>) -> &mut Self {
        self.transcript.apply(&event(None, body));
        self
    }

    fn check(&self, expected: &[&str]) {
        assert_eq!(self.transcript.dump(60), expected);
    }
}

fn user(text: &str) -> Chat {
    Chat::new(Role::User, ChatStatus::Done).with_text(text)
}

fn done(text: &str) -> Chat {
    Chat::new(Role::Assistant, ChatStatus::Done).with_text(text)
}

fn delta(text: &str) -> Chat {
    Chat::new(Role::Assistant, ChatStatus::Delta).with_text(text)
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn tool(call: &str, status: Status) -> ToolExecution {
    let ended = status != Status::Started;
    ToolExecution {
        service_name: ServerName::new("files"),
        tool_name: "read_file".into(),
        status,
        result: (status == Status::Success).then(|| json!("hello\nworld")),
        error: (status == Status::Error).then(|| "no such file: `x`".to_owned()),
        error_kind: (status == Status::Error).then_some(ErrorKind::Tool),
        call_id: CallId::new(call),
        arguments: Some(map(json!({"path": "notes.txt"}))),
        duration_ms: ended.then_some(41),
        parent: None,
    }
}

fn approval(call: &str, status: ApprovalStatus) -> Approval {
    Approval {
        call_id: CallId::new(call),
        status,
        service_name: ServerName::new("files"),
        tool_name: "read_file".into(),
        arguments: map(json!({"path": "notes.txt"})),
        reason: String::new(),
        dangerous: false,
        preview: None,
        scope: None,
        instead: None,
        parent: None,
        own: false,
    }
}

fn handoff(call: &str, status: Status) -> HandoffCall {
    HandoffCall {
        service_name: "coder".into(),
        task: map(json!({"goal": "fix it"})),
        status,
        result: None,
        error: None,
        call_id: Some(CallId::new(call)),
        parent: None,
        duration_ms: (status != Status::Started).then_some(3_240),
    }
}

fn finished(end: TurnEnd, message: Option<&str>) -> TurnEvent {
    TurnEvent::Finished {
        turn: TurnId::new("t"),
        parent: None,
        end,
        steps: 1,
        duration_ms: 10_000,
        usage: Usage::default(),
        context_tokens: 0,
        message: message.map(str::to_owned),
    }
}

fn theme() -> Theme {
    Themes::builtin().load("dark", ColourDepth::Ansi16, IconSet::Unicode).unwrap()
}

fn screen(transcript: &Transcript, view: &ViewState, width: u16, height: u16) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    transcript.render(area, &mut buf, &theme(), view);
    let row = |y| (0..width).map(|x| buf.cell((x, y)).unwrap().symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(row).collect()
}

#[test]
fn a_conversation_with_a_tool_call() {
    let mut feed = Feed::new();
    feed.store(user("read my notes")).store(done("Let me look.")).store(tool("a", Status::Started)).store(tool("a", Status::Success));
    feed.store(done("It says **hello**.")).store(finished(TurnEnd::Done, None));
    feed.check(&[
        "you   read my notes",
        "",
        "agent Let me look.",
        "",
        "  ✔ files · read_file  notes.txt                       41 ms",
        "",
        "      It says hello.",
        "",
        "  Worked for 10s",
    ]);
}

#[test]
fn a_call_opens_to_arguments_and_result() {
    let mut feed = Feed::new();
    feed.store(tool("a", Status::Success));
    let id = feed.transcript.items().next().unwrap().id;
    assert!(feed.transcript.toggle(id));
    feed.check(&[
        "  ✔ files · read_file  notes.txt                       41 ms",
        "    arguments",
        "      {",
        "        \"path\": \"notes.txt\"",
        "      }",
        "    result",
        "      hello",
        "      world",
    ]);
    assert_eq!(feed.transcript.text_of(id).unwrap(), "files · read_file\n{\n  \"path\": \"notes.txt\"\n}\nhello\nworld");
    feed.transcript.toggle(id);
    assert_eq!(feed.transcript.dump(60).len(), 1);
}

#[test]
fn results_are_pretty_json_or_coloured_diffs() {
    let mut feed = Feed::new();
    let call = |result: Value| ToolExecution { result: Some(result), arguments: None, ..tool("a", Status::Success) };
    let mut opened = |result: Value| {
        feed = Feed::new();
        feed.store(call(result));
        let id = feed.transcript.items().next().unwrap().id;
        feed.transcript.toggle(id);
        feed.transcript.dump(40).split_off(2)
    };
    assert_eq!(opened(json!("{\"a\":1}")), ["      {", "        \"a\": 1", "      }"]);
    assert_eq!(opened(json!({"text": "plain", "structured": {"a": 1}})), ["      plain"]);
    assert_eq!(opened(json!({"text": "", "structured": [1]})), ["      [", "        1", "      ]"]);
    assert_eq!(opened(json!("")), ["      (empty)"]);
    assert_eq!(opened(json!("@@ -1 +1 @@\n-a\n+b")), ["      @@ -1 +1 @@", "      -a", "      +b"]);
    let area = Rect::new(0, 0, 40, 5);
    let mut buf = Buffer::empty(area);
    feed.transcript.render(area, &mut buf, &theme(), &ViewState::default());
    assert_eq!(buf.cell((6, 3)).unwrap().fg, theme().style(Key::DiffRemove).fg.unwrap());
    assert_eq!(buf.cell((6, 4)).unwrap().fg, theme().style(Key::DiffAdd).fg.unwrap());
}

#[test]
fn failures_are_told_where_they_happened() {
    let mut feed = Feed::new();
    feed.store(tool("a", Status::Error));
    let error = ErrorEvent { message: "server `x` is gone".into(), source: "mcp".into(), details: json!({"hint": "`/mcp restart x`"}) };
    feed.store(error);
    let mut failed = done("half an ans");
    failed.status = ChatStatus::Failed;
    failed.error = Some("the answer broke off".into());
    feed.store(failed).store(finished(TurnEnd::Failed, Some("the answer broke off")));
    feed.check(&[
        "  ✖ files · read_file  notes.txt                       41 ms",
        "    no such file: `x`",
        "",
        "  ✖ server `x` is gone (mcp)",
        "    → `/mcp restart x`",
        "",
        "agent half an ans",
        "      ✖ the answer broke off",
        "",
        "  Failed after 10s",
    ]);
    let mut feed = Feed::new();
    feed.store(finished(TurnEnd::StepLimit, Some("20 steps")));
    assert!(feed.transcript.dump(80)[1].contains("as many steps as a turn may take"));
}

#[test]
fn handoffs_nest_and_interleave() {
    let mut feed = Feed::new();
    feed.store(handoff("h", Status::Started)).store(handoff("g", Status::Started));
    let under = |call: &str, parent: &str| ToolExecution { parent: Some(CallId::new(parent)), ..tool(call, Status::Success) };
    let said = |text: &str, parent: &str| Chat { parent: Some(CallId::new(parent)), ..done(text) };
    feed.store(under("1", "h")).store(under("2", "g")).store(said("done h", "h"));
    let inner = HandoffCall { parent: Some(CallId::new("g")), service_name: "helper".into(), ..handoff("i", Status::Started) };
    feed.store(inner).store(under("3", "i")).store(handoff("h", Status::Success));
    feed.check(&[
        "  ✔ → coder  fix it                                    3.2 s",
        "    ✔ files · read_file  notes.txt                     41 ms",
        "",
        "    done h",
        "",
        "  ◌ → coder  fix it",
        "    ✔ files · read_file  notes.txt                     41 ms",
        "    ◌ → helper  fix it",
        "      ✔ files · read_file  notes.txt                   41 ms",
    ]);
    assert!(feed.transcript.is_animated());
}

#[test]
fn consent_stands_on_the_line_of_its_call() {
    let mut feed = Feed::new();
    feed.store(approval("a", ApprovalStatus::Requested));
    feed.check(&["  ? files · read_file  waits for your answer"]);
    feed.store(Approval { scope: Some(Scope::Session), ..approval("a", ApprovalStatus::Granted) }).store(tool("a", Status::Success));
    feed.check(&["  ✔ files · read_file  not…  allowed for this session  41 ms"]);
}

#[test]
fn a_refusal_tells_what_to_do_instead() {
    let mut feed = Feed::new();
    feed.store(Approval { instead: Some("use a copy".into()), ..approval("a", ApprovalStatus::Refused) });
    feed.check(&["  ■ files · read_file  notes.txt              refused by you", "    instead: use a copy"]);
}

#[test]
fn a_stream_and_its_message_are_one_item_and_nothing_is_drawn_again() {
    let mut feed = Feed::new();
    feed.store(user("hi")).emit(delta("Hel")).emit(delta("lo **wor"));
    assert_eq!(screen(&feed.transcript, &ViewState::default(), 40, 4), ["❯ hi", "", "◆ Hello wor", ""]);
    feed.emit(delta("ld**."));
    let before = screen(&feed.transcript, &ViewState::default(), 40, 4);
    let cost = feed.transcript.cost().laid_out;
    feed.store(done("Hello **world**."));
    assert_eq!(screen(&feed.transcript, &ViewState::default(), 40, 4), before);
    assert_eq!(feed.transcript.cost().laid_out, cost, "the stored message is the streamed one");
    feed.store(finished(TurnEnd::Done, None));
    let mut loaded = Transcript::new(Highlighter::off());
    loaded.load(&feed.stored);
    assert_eq!(loaded.dump(60), feed.transcript.dump(60), "watched and loaded look alike");
}

#[test]
fn reasoning_is_one_line_that_opens() {
    let mut feed = Feed::new();
    let think = |text: &str| Chat { reasoning: None, ..Chat::new(Role::Assistant, ChatStatus::ReasoningDelta).with_text(text) };
    feed.emit(think("First I look\nthen I ")).emit(think("act"));
    feed.check(&["  ▸ thinking  then I act"]);
    assert!(feed.transcript.is_animated());
    feed.emit(delta("Answer"));
    assert!(!feed.transcript.is_animated());
    feed.store(Chat { reasoning: Some("First I look\nthen I act".into()), ..done("Answer") });
    feed.check(&["  ▸ thought  First I look", "", "agent Answer"]);
    let id = feed.transcript.items().next().unwrap().id;
    feed.transcript.toggle(id);
    feed.check(&["  ▾ thought", "    First I look", "    then I act", "", "agent Answer"]);
    let mut loaded = Transcript::new(Highlighter::off());
    loaded.load(&feed.stored);
    assert_eq!(loaded.dump(60), ["  ▸ thought  First I look", "", "agent Answer"]);
}

#[test]
fn retries_are_one_line_that_counts() {
    let mut feed = Feed::new();
    let retry = |attempt| TurnEvent::Retrying {
        turn: TurnId::new("t"),
        parent: None,
        reason: "connection refused".into(),
        attempt,
        attempts_max: 5,
        delay_ms: 1_500,
    };
    feed.store(retry(2)).store(retry(3));
    feed.check(&["  ↻ connection refused · try 3 of 5 in 1.5 s"]);
}

#[test]
fn rewinding_takes_items_away_and_marks_the_place() {
    let mut feed = Feed::new();
    feed.store(user("one")).store(done("1")).store(user("two")).store(done("2"));
    assert_eq!(feed.transcript.user_turns().iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    feed.store(SessionEvent::Rewound { to: Seq(2) }).store(user("three"));
    feed.check(&["you   one", "", "agent 1", "", "  ◆ Rewound: what came after no longer counts", "", "you   three"]);
}

#[test]
fn compaction_forks_and_models_are_marked() {
    let mut feed = Feed::new();
    feed.store(SessionEvent::Compacted { summary: "we spoke".into(), upto: Seq(1), by_user: true });
    let created =
        |fork| SessionEvent::Created { cwd: "/".into(), model: "m".into(), mode: crate::domain::command::ApprovalMode::Ask, fork };
    feed.store(created(None)).store(created(Some(Fork { session: SessionId::new("o"), upto: Seq(1) })));
    feed.store(SessionEvent::ModelSet { model: "local/tiny".into() });
    let lines = feed.transcript.dump(80);
    assert_eq!(lines[0], "  ▸ Compacted as you asked: the model goes on with a summary");
    assert!(lines[2].contains("Forked") && lines[4].contains("Model: local/tiny"), "{lines:?}");
    let id = feed.transcript.items().next().unwrap().id;
    feed.transcript.toggle(id);
    assert_eq!(feed.transcript.dump(80)[1], "    we spoke");
}

#[test]
fn progress_stands_on_the_line_of_its_call() {
    let mut feed = Feed::new();
    feed.store(tool("a", Status::Started));
    let details = json!({"progress": 3, "total": 10, "message": "reading", "call_id": "a"});
    feed.emit(McpEvent { event_type: McpEventType::Progress, service_name: ServerName::new("files"), details });
    feed.check(&["  ◌ files · read_file  ▓▓▓░░░░░░░ 3/10 reading"]);
    let spinning = screen(&feed.transcript, &ViewState { tick: 1, ..ViewState::default() }, 60, 1);
    assert_eq!(spinning, ["  ⠙ files · read_file  ▓▓▓░░░░░░░ 3/10 reading"]);
}

#[test]
fn a_closed_call_tells_where_pictures_were_saved() {
    let mut feed = Feed::new();
    let text = "two pictures\n[image image/png 12 kB: /tmp/a.png]\n[audio audio/wav 2 B: /tmp/b.wav]\n[image] none";
    feed.store(ToolExecution { result: Some(json!(text)), ..tool("a", Status::Success) });
    feed.check(&[
        "  ✔ files · read_file  notes.txt                       41 ms",
        "    → image image/png 12 kB: /tmp/a.png",
        "    → audio audio/wav 2 B: /tmp/b.wav",
    ]);
}

#[test]
fn what_belongs_elsewhere_leaves_no_item() {
    let mut feed = Feed::new();
    feed.store(Chat { status: ChatStatus::Queued, ..user("later") });
    feed.store(Chat { parent: Some(CallId::new("h")), ..user("task") });
    feed.store(Chat::new(Role::System, ChatStatus::Done).with_text("rules"));
    feed.store(SessionEvent::Renamed { title: "x".into() });
    assert!(feed.transcript.is_empty());
}

#[test]
fn strangers_cannot_paint_the_screen() {
    let mut feed = Feed::new();
    let evil = "a\x1b[31m\x1b]0;t\x07\u{202e}b\r\nc\u{9b}2J";
    feed.store(user(evil)).store(done(evil)).emit(delta(evil)).store(handoff(evil, Status::Started));
    feed.store(ToolExecution {
        tool_name: evil.into(),
        service_name: ServerName::new(evil),
        result: Some(json!(evil)),
        arguments: Some(map(json!({evil: evil}))),
        ..tool("a", Status::Success)
    });
    feed.store(ToolExecution { error: Some(evil.into()), ..tool("b", Status::Error) });
    feed.store(ErrorEvent { message: evil.into(), source: evil.into(), details: json!({"hint": evil}) });
    feed.store(Approval { preview: Some(evil.into()), instead: Some(evil.into()), ..approval("c", ApprovalStatus::Refused) });
    feed.store(SessionEvent::Compacted { summary: evil.into(), upto: Seq(1), by_user: false });
    feed.transcript.set_all_open(true);
    for width in [10, 40, 120] {
        for line in feed.transcript.dump(width) {
            assert_eq!(clean(&line), line);
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
    let id = feed.transcript.items().next().unwrap().id;
    assert_eq!(feed.transcript.text_of(id).unwrap(), "ab\nc");
}

/// A transcript of `turns` turns of two rows each, with their gaps.
fn long(turns: usize) -> Transcript {
    let mut transcript = Transcript::new(Highlighter::off());
    for turn in 0..turns {
        transcript.apply(&event(Some(turn as u64 * 2 + 1), user(&format!("q{turn}"))));
        transcript.apply(&event(Some(turn as u64 * 2 + 2), done(&format!("a{turn}"))));
    }
    transcript
}

#[test]
fn what_is_found_is_marked() {
    let mut transcript = long(5);
    transcript.apply(&event(None, done("Find 中文 me")));
    let found = transcript.search("中文 ME");
    assert_eq!(found.len(), 1);
    let area = Rect::new(0, 0, 40, 3);
    let mut buf = Buffer::empty(area);
    let view = ViewState { current_match: found.first().copied(), ..ViewState::default() };
    transcript.render(area, &mut buf, &theme(), &view);
    let mark = theme().style(Key::UiMatchCurrent).bg.unwrap();
    let marked: Vec<u16> = (0..40).filter(|x| buf.cell((*x, 2)).unwrap().bg == mark).collect();
    assert_eq!(marked, (7..14).collect::<Vec<_>>());
    assert!(transcript.search("").is_empty());
}

#[test]
fn the_greeting_stays_on_top() {
    let mut feed = Feed::new();
    let welcome = Welcome { text: "**wakeful**".into(), suggestions: vec!["do this".into(), "do that".into()], footer: "set a key".into() };
    feed.transcript.set_welcome(Some(welcome));
    feed.store(user("hi"));
    let lines = ["wakeful", "", "  1  do this", "  2  do that", "", "set a key", "", "you   hi"];
    feed.check(&lines);
    let stored = feed.stored.clone();
    feed.transcript.load(&stored);
    feed.check(&lines);
    feed.transcript.set_welcome(None);
    feed.check(&["you   hi"]);
}

#[test]
fn answers_and_code_can_be_copied() {
    let mut feed = Feed::new();
    feed.store(done("```\none\n```\n```\ntwo\n```")).store(done("no code"));
    assert_eq!(feed.transcript.last_answer().unwrap(), "no code");
    assert_eq!(feed.transcript.last_code_block().unwrap(), "two");
}

#[test]
fn long_messages_of_the_user_fold() {
    let mut feed = Feed::new();
    let text: Vec<String> = (0..30).map(|line| format!("  line {line}")).collect();
    feed.store(user(&text.join("\n")));
    let lines = feed.transcript.dump(60);
    assert_eq!((lines.len(), lines[1].as_str(), lines[20].as_str()), (21, "        line 1", "      ▸ 10 more lines"));
    let id = feed.transcript.items().next().unwrap().id;
    feed.transcript.toggle(id);
    assert_eq!(feed.transcript.dump(60).len(), 30);
}

#[test]
fn reasoning_that_was_watched_tells_how_long_it_took() {
    let mut transcript = Transcript::new(Highlighter::off());
    let later = |ms: i64, chat: Chat| Event { at: Instant::from_millis(ms), ..event(None, chat) };
    let think = |text: &str| Chat::new(Role::Assistant, ChatStatus::ReasoningDelta).with_text(text);
    transcript.apply(&later(1_000, think("First I ")));
    transcript.apply(&later(3_000, think("look")));
    transcript.apply(&later(5_200, delta("Answer")));
    transcript.apply(&later(9_000, delta(" and more")));
    assert_eq!(transcript.dump(60)[0], "  ▸ thought for 4s  First I look");
    transcript.apply(&event(Some(1), Chat { reasoning: Some("First I look".into()), ..done("Answer and more") }));
    assert_eq!(transcript.dump(60)[0], "  ▸ thought for 4s  First I look");
}

#[test]
fn a_search_takes_no_notice_of_case() {
    let mut feed = Feed::new();
    feed.store(user("Straße nach KÖLN")).store(done("plain ASCII Text")).store(done("aab"));
    let mut found = |query: &str| feed.transcript.search(query).len();
    assert_eq!([found("köln"), found("ascii text"), found("TEXT"), found("ab"), found("nothing"), found("abc")], [1, 1, 1, 1, 0, 0]);
}
