//! How an event reads in the pane: sign, one line, a second line for a result or an error.
//!
//! The `match`es have no wildcard arm over known types, so that a new event cannot be forgotten.

use serde_json::Value;

use crate::domain::event::{
    Approval, ApprovalStatus, Chat, ChatStatus, Custom, Event, EventBody, HandoffCall, McpEvent, McpEventType, SessionEvent, Status,
    ToolExecution, TurnEnd, TurnEvent, words,
};
use crate::domain::memory::MemoryEvent;
use crate::domain::message::Role;
use crate::domain::report::REPORT_EVENT;
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::events_pane::trace;
use crate::tui::theme::{Icon, Key};

/// Characters of a line that are kept; the pane cuts to its own width.
const LINE_CHARS_MAX: usize = 400;

/// How an event reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The sign.
    pub icon: Icon,
    /// The style.
    pub key: Key,
    /// The type in few letters, so that colour is never the only sign.
    pub tag: &'static str,
    /// The line.
    pub text: String,
    /// The second line.
    pub detail: Option<String>,
}

/// How `event` reads.
pub fn describe(event: &Event) -> Described {
    let (icon, key, tag, text, detail) = match &event.body {
        EventBody::HandoffCall(data) => handoff(data),
        EventBody::ToolExecution(data) => tool(data),
        EventBody::McpEvent(data) if data.event_type == McpEventType::Trace => trace::describe(data),
        EventBody::McpEvent(data) => (Icon::Server, Key::EventMcp, "mcp", mcp(data), None),
        EventBody::Error(data) => {
            let hint = data.details.get("hint").and_then(Value::as_str).map(str::to_owned);
            (Icon::Failure, Key::EventError, "error", format!("{}: {}", data.source, data.message), hint)
        }
        EventBody::Chat(data) => (Icon::Chat, Key::EventChat, "chat", chat(data), data.error.clone()),
        EventBody::TurnEvent(data) => (Icon::Turn, Key::EventTurn, "turn", turn(data), turn_detail(data)),
        EventBody::Approval(data) => (Icon::Approval, Key::EventApproval, "ask", approval(data), data.instead.clone()),
        EventBody::Question(data) => (Icon::Approval, Key::EventApproval, "ask", data.line(), None),
        EventBody::SessionEvent(data) => (Icon::Session, Key::EventSession, "session", session(data), None),
        EventBody::TaskEvent(data) => (Icon::Task, Key::EventTask, "task", words::task(data), None),
        EventBody::Notification(data) => {
            (Icon::Notification, Key::EventNotification, "notice", words::notification(data), data.error.clone())
        }
        EventBody::InboxEvent(data) => (Icon::Notification, Key::EventNotification, "inbox", words::inbox(data), None),
        EventBody::Memory(data) => (Icon::Chat, Key::EventChat, "memory", words::memory(data), recalled(data)),
        EventBody::Custom(data) => custom(data),
    };
    let key = if event.body.is_error() { Key::EventError } else { key };
    let tag = if event.body.is_error() { "error" } else { tag };
    let icon = if event.body.is_error() { Icon::Failure } else { icon };
    Described { icon, key, tag, text: short(&text), detail: detail.map(|text| short(&text)).filter(|text| !text.is_empty()) }
}

fn short(text: &str) -> String {
    // Cleaning costs as much as the text is long, so what cannot be seen is cut first.
    let head = &text[..text.floor_char_boundary(LINE_CHARS_MAX * 4)];
    ellipsis(&clean_line(head), LINE_CHARS_MAX).into_owned()
}

/// What was recalled, in one line.
fn recalled(data: &MemoryEvent) -> Option<String> {
    let MemoryEvent::Recalled { notes, .. } = data else { return None };
    Some(notes.notes.iter().map(|note| note.content.as_str()).collect::<Vec<_>>().join(" · "))
}

pub(super) type Parts = (Icon, Key, &'static str, String, Option<String>);

fn handoff(data: &HandoffCall) -> Parts {
    let name = &data.service_name;
    match data.status {
        Status::Started => (Icon::Started, Key::EventHandoff, "handoff", format!("started: {name}"), None),
        Status::Success => (Icon::Success, Key::EventHandoff, "handoff", format!("done: {name}"), data.result.as_ref().map(value)),
        Status::Error => (Icon::Failure, Key::EventError, "error", format!("failed: {name}"), data.error.clone()),
    }
}

fn tool(data: &ToolExecution) -> Parts {
    let what = format!("{}: {}", data.service_name, data.tool_name);
    match data.status {
        Status::Started => (Icon::Started, Key::EventTool, "tool", format!("started: {what}"), None),
        Status::Success => {
            let time = data.duration_ms.map(|ms| format!(" ({ms} ms)")).unwrap_or_default();
            (Icon::Success, Key::EventTool, "tool", what + &time, data.result.as_ref().map(value))
        }
        Status::Error => {
            let error = data.error.as_deref().map(|error| words::failure(error).into_owned());
            (Icon::Failure, Key::EventError, "error", what, error)
        }
    }
}

/// A result on one line: its text where it has one, else its JSON.
fn value(value: &Value) -> String {
    match value {
        Value::String(text) => short(text),
        Value::Object(map) => map.get("text").and_then(Value::as_str).map_or_else(|| short(&value.to_string()), short),
        Value::Null => String::new(),
        other => short(&other.to_string()),
    }
}

/// The name of an event type as it stands on the wire.
fn mcp_name(event_type: McpEventType) -> &'static str {
    match event_type {
        McpEventType::ServiceRegistered => "service_registered",
        McpEventType::ServiceConnected => "service_connected",
        McpEventType::ServiceDisconnected => "service_disconnected",
        McpEventType::ServiceReconnecting => "service_reconnecting",
        McpEventType::ToolRegistered => "tool_registered",
        McpEventType::ToolUnregistered => "tool_unregistered",
        McpEventType::ListChanged => "list_changed",
        McpEventType::Log => "log",
        McpEventType::Progress => "progress",
        McpEventType::ResourceUpdated => "resource_updated",
        McpEventType::Trace => "trace",
    }
}

fn mcp(data: &McpEvent) -> String {
    let details = &data.details;
    let text = |key: &str| details.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| details.get(key).and_then(Value::as_f64);
    let extra = match data.event_type {
        McpEventType::ServiceConnected => tool_count(details),
        McpEventType::ServiceDisconnected => after_colon(text("reason")),
        McpEventType::ServiceReconnecting => {
            let attempt = number("attempt").map(|attempt| format!("attempt {attempt}")).unwrap_or_default();
            let delay = number("delay_ms").map(|ms| format!(" in {:.1} s", ms / 1_000.0)).unwrap_or_default();
            format!(" ({attempt}{delay}){}", after_colon(text("reason")))
        }
        McpEventType::ToolRegistered | McpEventType::ToolUnregistered => tool_names(details),
        McpEventType::ListChanged => after_colon(text("list")),
        McpEventType::Log => after_colon(&format!("{} {}", text("level"), log_text(details))),
        McpEventType::Progress => {
            let of = number("total").map(|total| format!("/{total}")).unwrap_or_default();
            let so_far = number("progress").map(|progress| format!(" {progress}{of}")).unwrap_or_default();
            format!("{so_far}{}", after_colon(text("message")))
        }
        McpEventType::ResourceUpdated => after_colon(text("uri")),
        McpEventType::ServiceRegistered | McpEventType::Trace => String::new(),
    };
    format!("{}: {}{extra}", mcp_name(data.event_type), data.service_name)
}

/// What a server logs may be text or any JSON.
pub(in crate::tui) fn log_text(details: &Value) -> String {
    match details.get("message") {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn after_colon(text: &str) -> String {
    if text.trim().is_empty() { String::new() } else { format!(": {}", text.trim()) }
}

fn tool_count(details: &Value) -> String {
    match details.get("tools").and_then(Value::as_u64) {
        Some(1) => " (1 tool)".to_owned(),
        Some(count) => format!(" ({count} tools)"),
        None => String::new(),
    }
}

fn tool_names(details: &Value) -> String {
    const NAMES_MAX: usize = 6;
    let Some(tools) = details.get("tools").and_then(Value::as_array) else { return String::new() };
    let names: Vec<_> = tools.iter().take(NAMES_MAX).filter_map(Value::as_str).collect();
    let more = if tools.len() > NAMES_MAX { format!(" and {} more", tools.len() - NAMES_MAX) } else { String::new() };
    format!(": {}{more}", names.join(", "))
}

fn chat(data: &Chat) -> String {
    let who = match (data.role, &data.agent) {
        (Role::User, _) => "you",
        (Role::Assistant, Some(agent)) => agent.as_str(),
        (Role::Assistant, None) => "agent",
        (Role::System, _) => "system",
        (Role::Tool, _) => "tool",
    };
    let state = match data.status {
        ChatStatus::Queued => " (queued)",
        ChatStatus::Withdrawn => " (taken back)",
        ChatStatus::Interrupted => " (interrupted)",
        ChatStatus::Failed => " (failed)",
        ChatStatus::Delta | ChatStatus::ReasoningDelta | ChatStatus::Done => "",
    };
    let text = data.text.as_deref().map(short).unwrap_or_default();
    if text.is_empty() && !data.tool_calls.is_empty() {
        let names: Vec<_> = data.tool_calls.iter().map(|call| call.name.as_str()).collect();
        return format!("{who}{state}: calls {}", names.join(", "));
    }
    format!("{who}{state}: {text}")
}

fn turn(data: &TurnEvent) -> String {
    let agent = |agent: &Option<crate::domain::ids::AgentName>| agent.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    match data {
        TurnEvent::Started { model, agent: name, .. } => format!("turn started:{} {model}", agent(name)),
        TurnEvent::Retrying { attempt, attempts_max, delay_ms, .. } => {
            format!("retry {attempt} of {attempts_max} in {}", crate::tui::status::seconds(*delay_ms))
        }
        TurnEvent::Finished { end, steps, duration_ms, usage, .. } => {
            let end = match end {
                TurnEnd::Done => "done",
                TurnEnd::Interrupted => "interrupted",
                TurnEnd::StepLimit => "stopped at the step limit",
                TurnEnd::Failed => "failed",
                TurnEnd::Crashed => "cut off by the end of the program",
            };
            let steps = if *steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") };
            format!("turn {end}: {steps}, {}, {} tokens", crate::tui::status::seconds(*duration_ms), usage.total())
        }
    }
}

fn turn_detail(data: &TurnEvent) -> Option<String> {
    match data {
        TurnEvent::Retrying { reason, .. } => Some(reason.clone()),
        TurnEvent::Finished { message, .. } => message.clone(),
        TurnEvent::Started { .. } => None,
    }
}

fn approval(data: &Approval) -> String {
    let what = match data.status {
        ApprovalStatus::Requested => "asks",
        ApprovalStatus::Granted => "allowed",
        ApprovalStatus::Refused => "refused",
    };
    format!("{what}: {} · {}", data.service_name, data.tool_name)
}

fn session(data: &SessionEvent) -> String {
    match data {
        SessionEvent::Created { model, fork: None, .. } => format!("session created: {model}"),
        SessionEvent::Created { model, fork: Some(_), .. } => format!("session forked: {model}"),
        SessionEvent::Renamed { title } => format!("session renamed: {title}"),
        SessionEvent::Rewound { to } => format!("rewound to {to}"),
        SessionEvent::Compacted { .. } => "history replaced by a summary".to_owned(),
        SessionEvent::ModelSet { model } => format!("model: {model}"),
        SessionEvent::ModeSet { mode } => format!("approvals: {}", mode.as_str()),
    }
}

fn custom(data: &Custom) -> Parts {
    let text = |key: &str| data.data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    match data.type_name.as_str() {
        "connection_ack" => (Icon::Connected, Key::EventConnection, "conn", "connected".to_owned(), None),
        "task_event" => (Icon::Task, Key::EventTask, "task", format!("{}: {}", text("event_type"), text("task_id")), None),
        "notification" => {
            let line = format!("{}: {} {}", text("status"), text("channel"), text("title"));
            (Icon::Notification, Key::EventNotification, "notice", line, None)
        }
        REPORT_EVENT => (Icon::Custom, Key::EventCustom, "report", text("message"), None),
        "scheduler" => (Icon::Task, Key::EventTask, "task", text("message"), None),
        other => (Icon::Custom, Key::EventCustom, "custom", other.to_owned(), Some(value(&data.data))),
    }
}
