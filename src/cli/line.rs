//! One event as one line for people: `[14:30:25] icon text`, the result or error behind it.

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::domain::event::{ApprovalStatus, ChatStatus, Event, EventBody, McpEventType, SessionEvent, Status, TurnEvent, words};
use crate::domain::message::Role;
use crate::domain::text::{clean_line, ellipsis};

/// The longest text of one line, in characters.
const TEXT_CHARS_MAX: usize = 160;

/// The line of `event`, times in `zone`. Text from outside is made harmless.
pub(super) fn line(event: &Event, zone: &TimeZone) -> String {
    let time = event.at.timestamp().to_zoned(zone.clone()).strftime("%H:%M:%S").to_string();
    let (icon, text) = describe(&event.body);
    format!("[{time}] {icon} {}", ellipsis(&clean_line(&text), TEXT_CHARS_MAX))
}

fn describe(body: &EventBody) -> (&'static str, String) {
    match body {
        EventBody::HandoffCall(call) => match call.status {
            Status::Started => ("🚀", format!("started: {}", call.service_name)),
            Status::Success => ("✅", format!("{}: {}", call.service_name, value(call.result.as_ref()))),
            Status::Error => ("❌", format!("{}: {}", call.service_name, call.error.as_deref().unwrap_or("failed"))),
        },
        EventBody::ToolExecution(run) => {
            let name = format!("{}: {}", run.service_name, run.tool_name);
            match run.status {
                Status::Started => ("🔧", name),
                Status::Success => ("✅", format!("{name} ({} ms) {}", run.duration_ms.unwrap_or(0), value(run.result.as_ref()))),
                Status::Error => ("❌", format!("{name}: {}", run.error.as_deref().map_or("failed".into(), words::failure))),
            }
        }
        EventBody::McpEvent(event) => {
            ("📡", format!("{}: {}{}", event_type(event.event_type), event.service_name, details(event.event_type, &event.details)))
        }
        EventBody::Error(error) => ("❌", format!("{}: {}", error.source, error.message)),
        EventBody::Chat(chat) => {
            let who = match chat.role {
                Role::User => "you",
                Role::Assistant => chat.agent.as_ref().map_or("agent", |agent| agent.as_str()),
                Role::System => "system",
                Role::Tool => "tool",
            };
            let how = match chat.status {
                ChatStatus::Queued => " (queued)",
                ChatStatus::Withdrawn => " (taken back)",
                ChatStatus::Interrupted => " (interrupted)",
                ChatStatus::Failed => " (broke off)",
                ChatStatus::Done | ChatStatus::Delta | ChatStatus::ReasoningDelta => "",
            };
            let text = chat.text.as_deref().filter(|text| !text.is_empty()).or(chat.error.as_deref()).unwrap_or_default();
            ("💬", format!("{who}{how}: {text}"))
        }
        EventBody::TurnEvent(turn) => match turn {
            TurnEvent::Started { model, .. } => ("▶", format!("turn started: {model}")),
            TurnEvent::Retrying { reason, attempt, attempts_max, delay_ms, .. } => {
                ("↻", format!("try {attempt} of {attempts_max} in {delay_ms} ms: {reason}"))
            }
            TurnEvent::Finished { end, steps, duration_ms, message, .. } => {
                let why = message.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
                ("■", format!("turn {}: {steps} steps, {duration_ms} ms{why}", name(end)))
            }
        },
        EventBody::Approval(approval) => {
            let what = match approval.status {
                ApprovalStatus::Requested => "asks for consent",
                ApprovalStatus::Granted => "granted",
                ApprovalStatus::Refused => "refused",
            };
            ("🔐", format!("{}: {} {what} ({})", approval.service_name, approval.tool_name, approval.reason))
        }
        EventBody::Question(event) => ("❓", event.line()),
        EventBody::SessionEvent(event) => ("📁", session(event)),
        EventBody::TaskEvent(event) => ("⏰", words::task(event)),
        EventBody::Notification(event) => ("🔔", words::notification_and_why(event)),
        EventBody::InboxEvent(event) => ("📥", words::inbox(event)),
        EventBody::Memory(event) => ("💭", words::memory(event)),
        EventBody::Custom(custom) => ("•", format!("{}: {}", custom.type_name, custom.data)),
    }
}

fn session(event: &SessionEvent) -> String {
    match event {
        SessionEvent::Created { model, cwd, .. } => format!("session created: {model} in {cwd}"),
        SessionEvent::Renamed { title } => format!("session renamed: {title}"),
        SessionEvent::Rewound { to } => format!("session rewound to {to}"),
        SessionEvent::Compacted { .. } => "session compacted".to_owned(),
        SessionEvent::ModelSet { model } => format!("model: {model}"),
        SessionEvent::ModeSet { mode } => format!("approvals: {}", mode.as_str()),
    }
}

/// An enum's name on the wire.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn event_type(event: McpEventType) -> String {
    name(&event)
}

fn details(kind: McpEventType, details: &Value) -> String {
    let text = |key: &str| details.get(key).map(|value| self::value(Some(value))).unwrap_or_default();
    match kind {
        McpEventType::ServiceConnected => format!(" ({} tools)", text("tools")),
        McpEventType::ServiceDisconnected => format!(" ({})", text("reason")),
        McpEventType::ServiceReconnecting => format!(" (try {} in {} ms: {})", text("attempt"), text("delay_ms"), text("reason")),
        McpEventType::ToolRegistered | McpEventType::ToolUnregistered => {
            let names = details.get("tools").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            format!(" ({})", names.collect::<Vec<_>>().join(", "))
        }
        McpEventType::Log => format!(" {}: {}", text("level"), text("message")),
        McpEventType::Progress => format!(" {} {}", text("progress"), text("message")),
        McpEventType::Trace => format!(" {} {}", text("direction"), text("message")),
        McpEventType::ServiceRegistered | McpEventType::ListChanged | McpEventType::ResourceUpdated => String::new(),
    }
}

fn value(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(map)) if map.get("text").is_some_and(Value::is_string) => {
            map.get("text").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::clock::Instant;
    use crate::domain::event::{ErrorEvent, McpEvent};
    use crate::domain::ids::{EventId, ServerName};

    #[test]
    fn lines_read_as_the_pane_shows_them() {
        let check = |body: EventBody, wanted: &str| {
            let event = Event { seq: None, id: EventId::new("x"), at: Instant::from_millis(52_233_000), session: None, body };
            assert_eq!(line(&event, &TimeZone::UTC), wanted);
        };
        let connected = McpEvent {
            event_type: McpEventType::ServiceConnected,
            service_name: ServerName::new("everything"),
            details: json!({"tools": 12}),
        };
        check(connected.into(), "[14:30:33] 📡 service_connected: everything (12 tools)");
        let error = ErrorEvent { message: "connection\u{1b}[31m refused".into(), source: "everything".into(), details: Value::Null };
        check(error.into(), "[14:30:33] ❌ everything: connection refused");
    }
}
