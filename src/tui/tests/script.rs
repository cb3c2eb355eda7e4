//! A screen that is driven by hand: keys and events in, effects and pictures out.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier};
use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use crate::bus::Delivery;
use crate::domain::clock::Instant;
use crate::domain::command::{Command, SessionOptions};
use crate::domain::event::{
    Approval, ApprovalStatus, Chat, ChatStatus, Event, EventBody, HandoffCall, McpEvent, McpEventType, Status, ToolExecution, TurnEnd,
    TurnEvent,
};
use crate::domain::ids::{CallId, EventId, MessageId, Seq, SessionId, TurnId};
use crate::domain::message::{Role, Usage};
use crate::domain::query::{ServerState, ServerStatus};
use crate::tui::highlight::Highlighter;
use crate::tui::keymap::Chord;
use crate::tui::msg::{Answer, Effect, Link, Msg};
use crate::tui::state::State;
use crate::tui::theme::ColourDepth;
use crate::tui::update::update;
use crate::tui::{Options, Start, Surroundings, view};

/// 2026-01-01T14:30:00Z.
const START_MS: i64 = 1_767_277_800_000;

/// Wide, usual and as small as it gets.
pub(crate) const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (40, 12)];

/// The screen that `prepare` makes, at each size: the name of its snapshot, text and styles.
pub(crate) fn pictures(name: &str, sizes: &[(u16, u16)], prepare: impl Fn(&mut Script)) -> impl Iterator<Item = (String, String)> {
    sizes.iter().map(move |(columns, rows)| {
        let mut script = Script::new(*columns, *rows);
        prepare(&mut script);
        (format!("{name}_{columns}x{rows}"), script.picture())
    })
}

/// A screen that is driven by hand.
pub(crate) struct Script {
    pub(crate) state: State,
    /// All that was wanted since the last look.
    pub(crate) effects: Vec<Effect>,
    /// All stored events.
    pub(crate) log: Vec<Arc<Event>>,
    seq: u64,
}

impl Script {
    /// A screen whose program does not stand yet.
    pub(crate) fn unlinked(columns: u16, rows: u16) -> Self {
        let surroundings = Surroundings {
            version: "0.1.0".into(),
            cwd: "/home/me/project".into(),
            config_path: Some("/home/me/.config/wakeful/config.toml".into()),
            log_path: Some("/home/me/.local/state/wakeful/agent.log".into()),
            colours: ColourDepth::TrueColour,
            model: Some("offline/rules".into()),
            suggestions: vec!["What can you do?".into(), "What time is it in Tokyo?".into(), "List the files in this folder".into()],
            tour: vec!["one".into(), "two".into()],
            touring: false,
            ..Surroundings::default()
        };
        let now = Instant::from_millis(START_MS);
        let mut state = State::new(Options::default(), surroundings, Highlighter::off(), now).unwrap();
        state.session.id = SessionId::new("session-1");
        let mut script = Self { state, effects: Vec::new(), log: Vec::new(), seq: 0 };
        script.send(Msg::Resize(columns, rows));
        script.effects.clear();
        script
    }

    /// A screen with a program behind it.
    pub(crate) fn new(columns: u16, rows: u16) -> Self {
        let mut script = Self::unlinked(columns, rows);
        script.link();
        script.send(Msg::Answer(Answer::Questions(Ok(Vec::new()))));
        script.send(Msg::Answer(Answer::Prompts(Ok(Vec::new()))));
        script.send(Msg::Answer(Answer::Resources(Ok(Vec::new()))));
        script.state.catalog.prompts.stale = false;
        script.state.catalog.resources.stale = false;
        script.effects.clear();
        script
    }

    pub(crate) fn link(&mut self) {
        let link = Link {
            timezone: jiff::tz::TimeZone::UTC,
            start: Start::New(SessionOptions::default()),
            default_model: "offline/rules".into(),
            providers: vec!["offline".into(), "openai".into()],
            context_window_tokens: Some(8_000),
            feed: None,
        };
        self.send(Msg::Backend(link));
    }

    pub(crate) fn send(&mut self, msg: Msg) {
        let effects = update(&mut self.state, msg);
        self.effects.extend(effects);
    }

    pub(crate) fn key(&mut self, chord: &str) {
        self.send(Msg::Key(Chord::parse(chord).unwrap().event()));
    }

    pub(crate) fn keys(&mut self, chords: &[&str]) {
        for chord in chords {
            self.key(chord);
        }
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        for ch in text.chars() {
            let code = crossterm::event::KeyCode::Char(ch);
            self.send(Msg::Key(crossterm::event::KeyEvent::new(code, crossterm::event::KeyModifiers::NONE)));
        }
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.state.now = self.state.now.plus(Duration::from_millis(ms));
        self.send(Msg::Tick);
    }

    /// The commands that were sent since the last look.
    pub(crate) fn commands(&mut self) -> Vec<Command> {
        let effects = std::mem::take(&mut self.effects);
        effects.into_iter().filter_map(|effect| if let Effect::Send(command) = effect { Some(command) } else { None }).collect()
    }

    fn event(&mut self, session: bool, body: EventBody, stored: bool) -> Arc<Event> {
        let session = session.then(|| self.state.session.id.clone());
        self.event_of(session, body, stored)
    }

    fn event_of(&mut self, session: Option<SessionId>, body: EventBody, stored: bool) -> Arc<Event> {
        self.seq += u64::from(stored);
        let seq = stored.then_some(Seq(self.seq));
        let event = Arc::new(Event { seq, id: EventId::new(format!("event-{}", self.seq)), at: self.state.now, session, body });
        if stored {
            self.log.push(Arc::clone(&event));
        }
        event
    }

    /// A stored event of another session.
    pub(crate) fn feed_of(&mut self, session: &str, body: impl Into<EventBody>) {
        let event = self.event_of(Some(SessionId::new(session)), body.into(), true);
        self.send(Msg::Events(vec![Delivery::Event(event)]));
    }

    /// Types a command and sends it.
    pub(crate) fn command(&mut self, text: &str) {
        self.type_text(text);
        // Esc without completions would interrupt.
        if self.state.popup.as_ref().is_some_and(|popup| !popup.rows.is_empty()) {
            self.key("esc");
        }
        self.key("enter");
    }

    /// A stored event of the session.
    pub(crate) fn feed(&mut self, body: impl Into<EventBody>) {
        let event = self.event(true, body.into(), true);
        self.send(Msg::Events(vec![Delivery::Event(event)]));
    }

    /// A stored event of no session.
    pub(crate) fn feed_system(&mut self, body: impl Into<EventBody>) {
        let event = self.event(false, body.into(), true);
        self.send(Msg::Events(vec![Delivery::Event(event)]));
    }

    /// An event that is not stored.
    pub(crate) fn feed_ephemeral(&mut self, body: impl Into<EventBody>) {
        let event = self.event(true, body.into(), false);
        self.send(Msg::Events(vec![Delivery::Event(event)]));
    }

    /// The user's message as the program repeats it, and its turn.
    pub(crate) fn said(&mut self, text: &str) {
        let id = self.state.queued.first().map_or_else(|| MessageId::new("message-1"), |queued| queued.id.clone());
        self.state.session.made = true;
        self.feed(Chat { message_id: Some(id), ..Chat::new(Role::User, ChatStatus::Done).with_text(text) });
        self.feed(TurnEvent::Started { turn: TurnId::new("turn-1"), parent: None, agent: None, model: "offline/rules".into() });
    }

    pub(crate) fn answered(&mut self, text: &str) {
        self.feed(Chat { model: Some("offline/rules".into()), ..Chat::new(Role::Assistant, ChatStatus::Done).with_text(text) });
    }

    pub(crate) fn finished(&mut self, end: TurnEnd, message: Option<&str>) {
        self.feed(TurnEvent::Finished {
            turn: TurnId::new("turn-1"),
            parent: None,
            end,
            steps: 2,
            duration_ms: 10_000,
            usage: Usage { input_tokens: 900, output_tokens: 120, cached_tokens: 0 },
            context_tokens: 960,
            message: message.map(str::to_owned),
        });
    }

    pub(crate) fn tool(&mut self, server: &str, tool: &str, status: Status, result: Option<Value>, error: Option<&str>) {
        let done = status != Status::Started;
        self.feed(ToolExecution {
            service_name: server.into(),
            tool_name: tool.into(),
            status,
            result,
            error: error.map(str::to_owned),
            error_kind: None,
            call_id: CallId::new(format!("call-{tool}")),
            arguments: Some(object(json!({"timezone": "Asia/Tokyo"}))),
            duration_ms: done.then_some(41),
            parent: None,
        });
    }

    pub(crate) fn handoff(&mut self, agent: &str, status: Status) {
        self.feed(HandoffCall {
            service_name: agent.into(),
            task: object(json!({"task": "write it"})),
            status,
            result: (status == Status::Success).then(|| json!("written")),
            error: None,
            call_id: Some(CallId::new("call-h")),
            parent: None,
            duration_ms: None,
        });
    }

    pub(crate) fn mcp(&mut self, event_type: McpEventType, server: &str, details: Value) {
        self.feed_system(McpEvent { event_type, service_name: server.into(), details });
    }

    pub(crate) fn asks(&mut self, dangerous: bool, preview: Option<&str>) {
        self.feed(Approval {
            call_id: CallId::new("call-ask"),
            status: ApprovalStatus::Requested,
            service_name: "files".into(),
            tool_name: "write_file".into(),
            arguments: object(json!({"path": "notes.md", "content": "first line\nsecond line"})),
            reason: "it changes files".into(),
            dangerous,
            preview: preview.map(str::to_owned),
            scope: None,
            instead: None,
            parent: None,
            own: false,
        });
    }

    /// Four servers in different states.
    pub(crate) fn servers(&mut self) {
        let at = self.state.now.plus(Duration::from_secs(8));
        let row = |name: &str, transport: &str, status: ServerState, tools: usize, calls: u64| ServerStatus {
            name: name.into(),
            transport: transport.into(),
            target: "npx server".into(),
            status,
            tools,
            calls,
            failures: u64::from(calls > 5),
            p50_ms: (calls > 0).then_some(12.5),
            p95_ms: (calls > 0).then_some(48.0),
            held_tools: if calls > 5 { vec!["delete_background_task".into()] } else { Vec::new() },
            protocol: (name != "github").then(|| "2025-06-18".into()),
            era: (name != "github").then(|| "legacy".into()),
            server_info: (name != "github").then(|| format!("{name}-server 1.2.0")),
        };
        let rows = vec![
            row("tasks", "builtin", ServerState::Ready, 6, 12),
            row("everything", "stdio", ServerState::Ready, 12, 3),
            row(
                "github",
                "streamable_http",
                ServerState::Failing { reason: "connection refused".into(), attempt: 3, retry_at: Some(at) },
                0,
                0,
            ),
            row("memory", "stdio", ServerState::Disabled, 0, 0),
        ];
        self.send(Msg::Answer(Answer::Servers(Ok(rows))));
    }

    /// Draws the screen; the cursor's place comes along.
    pub(crate) fn draw(&self) -> (Buffer, Option<Position>) {
        let area = Rect::new(0, 0, self.state.size.0, self.state.size.1);
        let mut buf = Buffer::empty(area);
        let cursor = view::draw(&self.state, area, &mut buf);
        (buf, cursor)
    }

    /// The text of the screen.
    pub(crate) fn text(&self) -> String {
        text(&self.draw().0)
    }

    /// Text and styles, as snapshots hold them.
    ///
    /// # Panics
    /// When a terminal would show anything else.
    pub(crate) fn picture(&self) -> String {
        let (buf, cursor) = self.draw();
        super::emulated::check(&self.state, &buf, cursor);
        let cursor = cursor.map_or_else(|| "hidden".to_owned(), |at| format!("{},{}", at.x, at.y));
        format!("cursor: {cursor}\n{}\n{}", text(&buf), styles(&buf))
    }
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn cells(buf: &Buffer, y: u16) -> Vec<(u16, &Cell)> {
    let mut out = Vec::new();
    let mut x = 0;
    while x < buf.area.width {
        let cell = &buf[(x, y)];
        out.push((x, cell));
        x += u16::try_from(cell.symbol().width().max(1)).unwrap();
    }
    out
}

fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buf.area.height {
        let line: String = cells(buf, y).iter().map(|(_, cell)| cell.symbol()).collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// `row: [start..end fg bg mods]`, default stretches left out.
fn styles(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buf.area.height {
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for (x, cell) in cells(buf, y) {
            let end = x + u16::try_from(cell.symbol().width().max(1)).unwrap();
            let name = style(cell);
            // A blank without a background belongs to whatever is around it.
            if name.is_empty() && cell.symbol() == " " {
                continue;
            }
            match runs.last_mut() {
                Some((_, last, before)) if *before == name => *last = end,
                _ => runs.push((x, end, name)),
            }
        }
        runs.retain(|(.., name)| !name.is_empty());
        if !runs.is_empty() {
            let runs: Vec<_> = runs.iter().map(|(start, end, name)| format!("[{start}..{end} {name}]")).collect();
            writeln!(out, "{y}: {}", runs.join(" ")).unwrap();
        }
    }
    out
}

fn style(cell: &Cell) -> String {
    let colour = |colour: Color| match colour {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        other => other.to_string(),
    };
    let mut parts = Vec::new();
    // A blank has no foreground to see.
    if cell.fg != Color::Reset && cell.symbol() != " " {
        parts.push(colour(cell.fg));
    }
    if cell.bg != Color::Reset {
        parts.push(format!("on {}", colour(cell.bg)));
    }
    let names = [
        (Modifier::BOLD, "b"),
        (Modifier::DIM, "d"),
        (Modifier::ITALIC, "i"),
        (Modifier::UNDERLINED, "u"),
        (Modifier::REVERSED, "r"),
        (Modifier::CROSSED_OUT, "s"),
    ];
    let modifiers: String = names.iter().filter(|(modifier, _)| cell.modifier.contains(*modifier)).map(|(_, name)| *name).collect();
    if !modifiers.is_empty() && cell.symbol() != " " {
        parts.push(modifiers);
    }
    parts.join(" ")
}
