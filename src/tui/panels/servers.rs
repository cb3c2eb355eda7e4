//! The servers: what was asked of the program, kept fresh by what happens.
//!
//! An event changes a row at once; what an event does not tell (calls, medians) comes with the next answer.

use serde_json::Value;

use crate::domain::clock::Instant;
use crate::domain::event::{McpEvent, McpEventType};
use crate::domain::ids::ServerName;
use crate::domain::query::{ServerState, ServerStatus};
use crate::domain::text::clean_line;
use crate::tui::events_pane::log_text;
use crate::tui::panels::Row;
use crate::tui::status::elapsed;
use crate::tui::theme::{Icon, Key, Theme};

/// Servers that are shown; more are only counted.
const SERVERS_MAX: usize = 500;

/// Messages of one server that are kept.
const LOG_MAX: usize = 500;

/// The servers.
#[derive(Debug, Clone, Default)]
pub struct ServersPanel {
    rows: Vec<ServerStatus>,
    logs: Vec<(ServerName, Vec<String>)>,
    /// The chosen one.
    pub selected: usize,
    /// Whether an answer would tell something new.
    pub stale: bool,
    /// Whether an answer is on its way.
    pub asking: bool,
}

impl ServersPanel {
    /// All servers.
    pub fn rows(&self) -> &[ServerStatus] {
        &self.rows
    }

    /// The chosen server.
    pub fn current(&self) -> Option<&ServerStatus> {
        self.rows.get(self.selected)
    }

    /// Ready ones, and all that are wanted.
    pub fn counts(&self) -> (usize, usize) {
        let ready = self.rows.iter().filter(|row| row.status == ServerState::Ready).count();
        let wanted = self.rows.iter().filter(|row| row.status != ServerState::Disabled).count();
        (ready, wanted)
    }

    /// Whether a countdown is running.
    pub fn counts_down(&self, now: Instant) -> bool {
        self.rows.iter().any(|row| matches!(row.status, ServerState::Failing { retry_at: Some(at), .. } if at > now))
    }

    /// The answer of the program.
    pub fn fill(&mut self, rows: Vec<ServerStatus>) {
        self.rows = rows;
        self.rows.truncate(SERVERS_MAX);
        self.selected = self.selected.min(self.rows.len().saturating_sub(1));
    }

    /// Moves the choice.
    pub fn step(&mut self, step: isize) {
        self.selected = self.selected.saturating_add_signed(step).min(self.rows.len().saturating_sub(1));
    }

    /// What a server told.
    pub fn messages(&self, server: &ServerName) -> &[String] {
        self.logs.iter().find(|(name, _)| name == server).map_or(&[], |(_, lines)| lines)
    }

    /// Folds what happened to a server at `at`.
    pub fn apply(&mut self, event: &McpEvent, at: Instant) {
        let details = &event.details;
        let reason = || details.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |key: &str| details.get(key).and_then(Value::as_u64);
        match event.event_type {
            McpEventType::Log => return self.keep(&event.service_name, details),
            McpEventType::Progress | McpEventType::ResourceUpdated | McpEventType::Trace => return,
            _ => self.stale = true,
        }
        let Some(row) = self.row(&event.service_name) else { return };
        match event.event_type {
            McpEventType::ServiceRegistered => row.status = ServerState::Connecting,
            McpEventType::ServiceConnected => {
                row.status = ServerState::Ready;
                row.tools = number("tools").and_then(|count| usize::try_from(count).ok()).unwrap_or(row.tools);
            }
            McpEventType::ServiceDisconnected => row.status = ServerState::Failed { reason: reason() },
            McpEventType::ServiceReconnecting => {
                let delay = std::time::Duration::from_millis(number("delay_ms").unwrap_or(0));
                let attempt = number("attempt").and_then(|attempt| u32::try_from(attempt).ok()).unwrap_or(1);
                row.status = ServerState::Failing { reason: reason(), attempt, retry_at: Some(at.plus(delay)) };
            }
            McpEventType::ToolRegistered
            | McpEventType::ToolUnregistered
            | McpEventType::ListChanged
            | McpEventType::Log
            | McpEventType::Progress
            | McpEventType::ResourceUpdated
            | McpEventType::Trace => {}
        }
    }

    fn row(&mut self, name: &ServerName) -> Option<&mut ServerStatus> {
        if !self.rows.iter().any(|row| row.name == *name) && self.rows.len() < SERVERS_MAX {
            self.rows.push(ServerStatus {
                name: name.clone(),
                transport: String::new(),
                target: String::new(),
                status: ServerState::Connecting,
                tools: 0,
                calls: 0,
                failures: 0,
                p50_ms: None,
                p95_ms: None,
                held_tools: Vec::new(),
                protocol: None,
                era: None,
                server_info: None,
            });
        }
        self.rows.iter_mut().find(|row| row.name == *name)
    }

    fn keep(&mut self, server: &ServerName, details: &Value) {
        let level = details.get("level").and_then(Value::as_str).unwrap_or("info");
        let line = clean_line(&format!("{level}: {}", log_text(details)));
        let at = self.logs.iter().position(|(name, _)| name == server).unwrap_or_else(|| {
            self.logs.push((server.clone(), Vec::new()));
            self.logs.len() - 1
        });
        if let Some((_, lines)) = self.logs.get_mut(at) {
            if lines.len() == LOG_MAX {
                lines.remove(0);
            }
            lines.push(line);
        }
    }
}

/// Sign, style and few words for how a server stands.
pub fn state_of(status: &ServerState, now: Instant) -> (Icon, Key, String) {
    match status {
        ServerState::Connecting => (Icon::Pending, Key::StatusBusy, "connecting".to_owned()),
        ServerState::Ready => (Icon::Dot, Key::StatusOk, "ready".to_owned()),
        ServerState::Failing { retry_at: Some(at), .. } if *at > now => {
            (Icon::Error, Key::StatusError, format!("retry {}", elapsed(at.since(now) + std::time::Duration::from_millis(999))))
        }
        ServerState::Failing { attempt, .. } => (Icon::Error, Key::StatusError, format!("retry {attempt}")),
        ServerState::Failed { .. } => (Icon::Error, Key::StatusError, "failed".to_owned()),
        ServerState::Disabled => (Icon::Circle, Key::StatusOff, "off".to_owned()),
    }
}

/// Where a server stands in the narrow column: what needs a look comes first, what is switched off last.
pub fn rank(status: &ServerState) -> u8 {
    match status {
        ServerState::Failing { .. } | ServerState::Failed { .. } => 0,
        ServerState::Connecting => 1,
        ServerState::Ready => 2,
        ServerState::Disabled => 3,
    }
}

/// A server in the narrow column: `● everything 12`.
pub fn short_row(server: &ServerStatus, now: Instant, theme: &Theme) -> Row {
    let (icon, key, words) = state_of(&server.status, now);
    let tail = if server.status == ServerState::Ready { format!(" {}", server.tools) } else { format!(" {words}") };
    let tail_key = if server.status == ServerState::Ready { Key::UiDim } else { key };
    vec![(key, format!("{} ", theme.icon(icon))), (Key::UiText, clean_line(server.name.as_str())), (tail_key, tail)]
}

/// A server in the panel, in columns, and below it why it does not answer; of the chosen one what it is.
pub fn long_rows(server: &ServerStatus, chosen: bool, now: Instant, theme: &Theme) -> Vec<Row> {
    let (icon, key, words) = state_of(&server.status, now);
    let median = server.p50_ms.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
    let failed = if server.failures == 0 { Key::UiDim } else { Key::StatusWarn };
    let row = vec![
        (key, format!("{} ", theme.icon(icon))),
        (Key::UiPopup, fit(&clean_line(server.name.as_str()), 18)),
        (key, fit(&words, 12)),
        (Key::UiDim, fit(&server.transport, 16)),
        (Key::UiPopup, format!("{:>5}", server.tools)),
        (Key::UiPopup, format!("{:>7}", server.calls)),
        (failed, format!("{:>7}", server.failures)),
        (Key::UiDim, format!("{median:>10}")),
    ];
    let reason = match &server.status {
        ServerState::Failing { reason, .. } | ServerState::Failed { reason } if !reason.is_empty() => Some(clean_line(reason)),
        _ => None,
    };
    let mut rows = vec![row];
    rows.extend(reason.map(|reason| vec![(Key::StatusError, format!("    {reason}"))]));
    if chosen {
        rows.extend(details(server));
    }
    rows
}

/// Its era, its protocol, its own name; what is run or reached.
fn details(server: &ServerStatus) -> Vec<Row> {
    let protocol = server.protocol.as_deref().map(|version| format!("MCP {version}"));
    let own = server.transport == "builtin";
    let kind = if own { Some("built in".to_owned()) } else { server.era.clone() };
    let parts = [server.server_info.clone(), kind, protocol];
    let about = parts.into_iter().flatten().map(|part| clean_line(&part)).collect::<Vec<_>>().join(" · ");
    let times = match (server.p50_ms, server.p95_ms) {
        (Some(p50), Some(p95)) => format!("calls take {p50:.1} ms (median), {p95:.1} ms (p95)"),
        _ => String::new(),
    };
    let held = server.held_tools.iter().map(|tool| clean_line(tool)).collect::<Vec<_>>().join(", ");
    let held =
        if held.is_empty() { held } else { format!("held back in this run: {held}; `/mcp tool {} NAME on` lends them", server.name) };
    let lines = [about, clean_line(&server.target), times, clean_line(&held)];
    lines.into_iter().filter(|line| !line.is_empty()).map(|line| vec![(Key::UiDim, format!("    {line}"))]).collect()
}

/// The heading over [`long_rows`].
pub fn long_heading() -> Row {
    let text = format!(
        "  {}{}{}{:>5}{:>7}{:>7}{:>10}",
        fit("server", 18),
        fit("state", 12),
        fit("transport", 16),
        "tools",
        "calls",
        "failed",
        "median"
    );
    vec![(Key::UiDim, text)]
}

/// `text` in exactly `width` columns and a blank.
pub fn fit(text: &str, width: usize) -> String {
    use unicode_width::UnicodeWidthStr;
    let cut = crate::domain::text::ellipsis(text, width).into_owned();
    let pad = width.saturating_sub(cut.width());
    format!("{cut}{} ", " ".repeat(pad))
}
