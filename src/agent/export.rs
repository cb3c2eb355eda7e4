//! A conversation as a document: Markdown and HTML to read, JSON to work with. Pure, and from the log alone.

mod html;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::fmt::Write as _;

pub use html::html;

use serde_json::{Value, json};

use crate::agent::history::{State, answer_of_handoff, answer_of_tool};
use crate::domain::event::{Chat, ChatStatus, Event, EventBody, HandoffCall, SessionEvent, Status, ToolExecution};
use crate::domain::message::Role;
use crate::domain::query::ExportFormat;
use crate::domain::text::{clean, clean_line};

/// Bytes of one result that the Markdown shows.
const RESULT_BYTES_MAX: usize = 4_000;

/// The conversation in `format`.
///
/// # Errors
/// When the events cannot be written as JSON (none of ours can fail).
pub fn document<E: Borrow<Event>>(events: &[E], format: ExportFormat) -> serde_json::Result<String> {
    Ok(match format {
        ExportFormat::Markdown => markdown(events),
        ExportFormat::Json => serde_json::to_string_pretty(&json(events))? + "\n",
        ExportFormat::Html => html(events),
    })
}

/// The conversation as Markdown: what was said, the calls with their results folded away. What was taken back and
/// what happened inside handoffs is left out.
pub fn markdown<E: Borrow<Event>>(events: &[E]) -> String {
    let state = fold(events);
    let title = state.title();
    let mut out = format!("# {}\n\n", if title.is_empty() { "Conversation" } else { &title });
    let _ = writeln!(out, "- model: {}\n- folder: {}", clean_line(&state.model), clean_line(&state.cwd));
    if let Some(first) = events.first() {
        let _ = writeln!(out, "- begun: {}", first.borrow().at);
    }
    for event in counting(events) {
        match &event.body {
            EventBody::Chat(chat) if chat.parent.is_none() => write_chat(&mut out, chat),
            EventBody::ToolExecution(call) if call.parent.is_none() && call.status != Status::Started => write_tool(&mut out, call),
            EventBody::HandoffCall(call) if call.parent.is_none() && call.status != Status::Started => write_handoff(&mut out, call),
            EventBody::SessionEvent(SessionEvent::Compacted { .. }) => {
                out.push_str("\n*(what came before was summarised for the model)*\n");
            }
            _ => {}
        }
    }
    out
}

/// The conversation as JSON: how it stands, and all its events as they are on the wire, those that were taken back
/// included.
pub fn json<E: Borrow<Event>>(events: &[E]) -> Value {
    let state = fold(events);
    let session = events.iter().rev().find_map(|event| event.borrow().session.clone());
    let events: Vec<_> = events.iter().map(|event| serde_json::to_value(event.borrow()).unwrap_or_default()).collect();
    json!({
        "session": session,
        "title": state.title(),
        "model": state.model,
        "cwd": state.cwd,
        "usage": state.usage,
        "messages": state.messages(),
        "events": events,
    })
}

fn fold<E: Borrow<Event>>(events: &[E]) -> State {
    let mut state = State::new(usize::MAX);
    for event in events {
        state.apply(event.borrow());
    }
    state
}

/// The events that were not taken back.
fn counting<E: Borrow<Event>>(events: &[E]) -> Vec<&Event> {
    let mut out: Vec<&Event> = Vec::with_capacity(events.len());
    for event in events.iter().map(Borrow::borrow) {
        match &event.body {
            EventBody::SessionEvent(SessionEvent::Rewound { to }) => out.retain(|earlier| earlier.seq <= Some(*to)),
            _ => out.push(event),
        }
    }
    out
}

fn write_chat(out: &mut String, chat: &Chat) {
    let text = chat.text.as_deref().map(clean).unwrap_or_default();
    let who = match (chat.role, chat.status) {
        (Role::User, ChatStatus::Done) => "You",
        (Role::Assistant, ChatStatus::Done) => "Agent",
        (Role::Assistant, ChatStatus::Interrupted) => "Agent (interrupted)",
        (Role::Assistant, ChatStatus::Failed) => "Agent (failed)",
        _ => return,
    };
    if !text.is_empty() {
        let _ = write!(out, "\n## {who}\n\n{}\n", text.trim_end());
    }
    if let Some(error) = &chat.error {
        let _ = write!(out, "\n**Error:** {}\n", clean_line(error));
    }
}

fn write_tool(out: &mut String, call: &ToolExecution) {
    let arguments = call.arguments.as_ref().and_then(|map| serde_json::to_string_pretty(map).ok()).unwrap_or_default();
    let name = format!("{} · {}", call.service_name, call.tool_name);
    write_call(out, call.status, &name, call.duration_ms, &arguments, &answer_of_tool(call, RESULT_BYTES_MAX));
}

fn write_handoff(out: &mut String, call: &HandoffCall) {
    let task = serde_json::to_string_pretty(&call.task).unwrap_or_default();
    let name = format!("handed to {}", call.service_name);
    write_call(out, call.status, &name, call.duration_ms, &task, &answer_of_handoff(call, RESULT_BYTES_MAX));
}

fn write_call(out: &mut String, status: Status, name: &str, duration_ms: Option<u64>, given: &str, got: &str) {
    let mark = if status == Status::Error { "✖" } else { "✔" };
    let took = duration_ms.map(|ms| format!(" · {ms} ms")).unwrap_or_default();
    let name = clean_line(name).replace('<', "&lt;");
    let _ =
        write!(out, "\n<details><summary>{mark} {name}{took}</summary>\n\n{}\n{}\n</details>\n", fenced("json", given), fenced("", got));
}

/// A code block whose fence is longer than any inside.
fn fenced(language: &str, text: &str) -> String {
    let text = clean(text);
    let longest = text.split(|ch| ch != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end())
}
