//! Texts made from answers: the state of things, the set-up, a server's tools and messages, sessions, models, agents.

use jiff::tz::TimeZone;

use crate::domain::clock::Instant;
use crate::domain::ids::{ServerName, SessionId};
use crate::domain::query::{AgentInfo, CheckLevel, CheckRow, ModelInfo, ServerState, SessionSummary};
use crate::domain::text::{clean, clean_line};
use crate::domain::tool::ToolInfo;
use crate::tui::panels::picker::{Pick, PickRow};
use crate::tui::panels::servers::fit;
use crate::tui::panels::{Block, Body, Row, TextPanel, age, heading, pair};
use crate::tui::state::{LinkState, State};
use crate::tui::status::{count, elapsed, thousands};
use crate::tui::theme::{Icon, Key, Theme};

const NAME_WIDTH: usize = 12;

/// `/status`.
pub fn status(state: &State) -> TextPanel {
    let session = &state.session;
    let mut rows = vec![heading("Session")];
    rows.push(pair("title", NAME_WIDTH, if session.title.is_empty() { "–".to_owned() } else { clean_line(&session.title) }));
    rows.push(pair("id", NAME_WIDTH, if session.made { session.id.to_string() } else { "made with the first message".to_owned() }));
    rows.push(pair("model", NAME_WIDTH, if session.model.is_empty() { "–".to_owned() } else { clean_line(&session.model) }));
    rows.push(pair("approvals", NAME_WIDTH, session.mode.as_str()));
    let usage = session.usage;
    let tokens =
        format!("{} read ({} cached), {} written", count(usage.input_tokens), count(usage.cached_tokens), count(usage.output_tokens));
    rows.push(pair("tokens", NAME_WIDTH, tokens));
    let window = state.context_window_tokens.map(|window| format!(" of {}", count(window))).unwrap_or_default();
    rows.push(pair("context", NAME_WIDTH, format!("{}{window}", count(session.context_tokens))));
    let turn =
        state.turn.as_ref().map_or_else(|| "idle".to_owned(), |turn| format!("working for {}", elapsed(state.now.since(turn.started))));
    rows.push(pair("agent", NAME_WIDTH, turn));
    rows.push(Vec::new());
    rows.push(heading("Program"));
    rows.push(pair("version", NAME_WIDTH, state.surroundings.version.clone()));
    rows.push(pair(
        "state",
        NAME_WIDTH,
        match &state.link {
            LinkState::Waiting => "starting".to_owned(),
            LinkState::Ready => "running".to_owned(),
            LinkState::Down(reason) => clean_line(reason),
        },
    ));
    rows.push(pair("folder", NAME_WIDTH, clean_line(&state.surroundings.cwd.display().to_string())));
    rows.push(pair("events", NAME_WIDTH, thousands(state.events.total())));
    rows.push(pair("theme", NAME_WIDTH, state.theme.name()));
    rows.extend(paths(state));
    let (ready, all) = state.servers.counts();
    rows.push(Vec::new());
    rows.push(heading(&format!("Servers {ready}/{all}")));
    for server in state.servers.rows() {
        let (icon, key, words) = super::servers::state_of(&server.status, state.now);
        let tail = match &server.status {
            ServerState::Ready => format!("{} tools, {} calls", server.tools, server.calls),
            ServerState::Failing { reason, .. } | ServerState::Failed { reason } => clean_line(reason),
            ServerState::Connecting | ServerState::Disabled => String::new(),
        };
        let name = fit(&clean_line(server.name.as_str()), 18);
        rows.push(vec![(key, format!("  {} {name}{words} ", state.theme.icon(icon))), (Key::UiDim, tail)]);
    }
    TextPanel::rows("status", rows)
}

fn paths(state: &State) -> Vec<Row> {
    let path =
        |path: &Option<std::path::PathBuf>| path.as_ref().map_or_else(|| "–".to_owned(), |path| clean_line(&path.display().to_string()));
    vec![pair("config", NAME_WIDTH, path(&state.surroundings.config_path)), pair("log", NAME_WIDTH, path(&state.surroundings.log_path))]
}

/// `/config`.
pub fn config(state: &State) -> TextPanel {
    let mut rows = paths(state);
    rows.push(Vec::new());
    rows.push(vec![(Key::UiDim, "  `wakeful config show` tells each value and where it comes from".to_owned())]);
    TextPanel::rows("config", rows)
}

/// `/doctor`.
pub fn doctor(checks: &[CheckRow], theme: &Theme) -> TextPanel {
    let mut rows = Vec::new();
    for check in checks {
        let (icon, key) = match check.level {
            CheckLevel::Ok => (Icon::Ok, Key::StatusOk),
            CheckLevel::Warn => (Icon::Warning, Key::StatusWarn),
            CheckLevel::Fail => (Icon::Error, Key::StatusError),
        };
        let name = fit(&clean_line(&check.name), 18);
        rows.push(vec![(key, format!("  {} {name}", theme.icon(icon))), (Key::UiPopup, clean_line(&check.message))]);
        if let Some(remedy) = &check.remedy {
            rows.push(vec![(Key::ChatHint, format!("      {} {}", theme.icon(Icon::Arrow), clean_line(remedy)))]);
        }
    }
    TextPanel::rows("doctor", rows)
}

/// What a tool does to the world, by its server's word.
fn hints(tool: &ToolInfo) -> (Key, String) {
    let (key, does) = match (tool.hints.read_only, tool.hints.destructive) {
        (true, _) => (Key::StatusOk, "reads only"),
        (false, true) => (Key::StatusWarn, "may destroy"),
        (false, false) => (Key::StatusWarn, "changes things"),
    };
    let again = if tool.hints.idempotent && !tool.hints.read_only { ", again changes nothing more" } else { "" };
    let outside = if tool.hints.open_world { ", reaches out" } else { "" };
    (key, format!("{does}{again}{outside}"))
}

/// Rows of the list of a server's tools.
pub fn tools(tools: &[ToolInfo]) -> Vec<PickRow> {
    let row = |tool: &ToolInfo| {
        let title = tool.title.as_deref().map(|title| format!(" · {title}")).unwrap_or_default();
        let first = tool.description.lines().next().unwrap_or_default();
        PickRow::new(Pick::Tool(tool.tool.clone()), &tool.tool, &format!("{}{title} · {first}", hints(tool).1))
    };
    tools.iter().map(row).collect()
}

/// A tool: title, description, hints, schema.
pub fn tool(tool: &ToolInfo) -> TextPanel {
    let (key, does) = hints(tool);
    let trusted = if tool.trusted { "the server is trusted" } else { "the server's word" };
    let mut rows: Vec<Row> = Vec::new();
    if let Some(title) = &tool.title {
        rows.push(vec![(Key::UiAccent, clean_line(title))]);
    }
    rows.push(vec![(key, does), (Key::UiDim, format!(" ({trusted})"))]);
    rows.push(vec![(Key::UiDim, "the model calls it ".to_owned()), (Key::UiPopup, clean_line(tool.name.as_str()))]);
    rows.push(Row::new());
    let schema = serde_json::to_string_pretty(&tool.parameters).unwrap_or_default();
    let body = vec![
        Block::Rows(rows),
        Block::Words(Key::UiPopup, clean(&tool.description).trim().to_owned()),
        Block::Rows(vec![Row::new(), vec![(Key::ChatLabel, "arguments".to_owned())]]),
        Block::Code("json".to_owned(), schema.clone()),
    ];
    let title = clean_line(&format!("{} · {}", tool.server, tool.tool));
    TextPanel { title, body: Body::Document(body), scroll: 0, copy: Some(schema), mention: None, memory: None, find: None }
}

/// What a server told and wrote.
pub fn logs(server: &ServerName, messages: &[String], errors: &[String]) -> TextPanel {
    let mut rows = vec![heading("Messages")];
    let or_none = |rows: &mut Vec<Row>, lines: &[String]| {
        rows.extend(lines.iter().map(|line| vec![(Key::UiPopup, format!("  {}", clean_line(line)))]));
        if lines.is_empty() {
            rows.push(vec![(Key::UiDim, "  none".to_owned())]);
        }
    };
    or_none(&mut rows, messages);
    rows.push(Vec::new());
    rows.push(heading("Error output"));
    or_none(&mut rows, errors);
    let mut panel = TextPanel::rows(format!("messages of {}", clean_line(server.as_str())), rows);
    panel.scroll_by(isize::MAX);
    panel.scroll_by(-10);
    panel
}

/// Rows of the sessions picker.
pub fn sessions(sessions: &[SessionSummary], current: &SessionId, now: Instant, timezone: &TimeZone) -> Vec<PickRow> {
    let row = |session: &SessionSummary| {
        let prompts = match (session.prompts, session.forked_from.is_some()) {
            (0, true) => "nothing said since the fork".to_owned(),
            (1, true) => "1 prompt since the fork".to_owned(),
            (count, true) => format!("{count} prompts since the fork"),
            (1, false) => "1 prompt".to_owned(),
            (count, false) => format!("{count} prompts"),
        };
        let title = if session.title.is_empty() { "untitled" } else { &session.title };
        let fork = if session.forked_from.is_some() { " (fork)" } else { "" };
        let here = if session.id == *current { " (this one)" } else { "" };
        let note = format!("{} · {prompts} · {} · {}", age(session.updated, now, timezone), session.model, session.cwd);
        PickRow::new(Pick::Session(session.id.clone()), &format!("{title}{fork}{here}"), &note)
    };
    sessions.iter().map(row).collect()
}

/// Rows of the models picker.
pub fn models(models: &[ModelInfo]) -> Vec<PickRow> {
    models.iter().map(|model| PickRow::new(Pick::Model(model.id.clone()), &model.id, &model.note)).collect()
}

/// Rows of the agents picker.
pub fn agents(agents: &[AgentInfo]) -> Vec<PickRow> {
    let row = |agent: &AgentInfo| {
        let model = agent.model.as_deref().unwrap_or("the session's model");
        let servers: Vec<_> = agent.servers.iter().map(ServerName::as_str).collect();
        let servers = if servers.is_empty() { "all servers".to_owned() } else { servers.join(", ") };
        PickRow::new(Pick::Agent(agent.name.to_string()), agent.name.as_str(), &format!("{} · {model} · {servers}", agent.description))
    };
    agents.iter().map(row).collect()
}
