//! About how many bytes an event holds in memory: what a ring of events may come to is bounded by this.

use serde_json::{Map, Value};

use crate::domain::event::{Event, EventBody, SessionEvent};
use crate::domain::memory::MemoryEvent;

/// Bytes of an event beside its texts: the envelope, ids, small fields.
const BASE_BYTES: usize = 400;

/// About the bytes of `event`.
pub(super) fn bytes(event: &Event) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    BASE_BYTES
        + match &event.body {
            EventBody::HandoffCall(data) => map(&data.task) + data.result.as_ref().map_or(0, value) + text(&data.error),
            EventBody::ToolExecution(data) => {
                data.arguments.as_ref().map_or(0, map) + data.result.as_ref().map_or(0, value) + text(&data.error)
            }
            EventBody::McpEvent(data) => value(&data.details),
            EventBody::Error(data) => data.message.len() + value(&data.details),
            EventBody::Chat(data) => {
                let calls: usize = data.tool_calls.iter().map(|call| map(&call.arguments)).sum();
                text(&data.text) + text(&data.reasoning) + text(&data.error) + map(&data.extra) + calls
            }
            EventBody::Approval(data) => map(&data.arguments) + text(&data.preview),
            EventBody::SessionEvent(SessionEvent::Compacted { summary, .. }) => summary.len(),
            EventBody::Memory(MemoryEvent::Recalled { notes, .. }) => notes.notes.iter().map(|note| note.content.len() + 100).sum(),
            EventBody::Notification(data) => text(&data.body) + data.title.len(),
            EventBody::Custom(data) => value(&data.data),
            // A task's facts, an entry of the inbox and a question are bounded where they are made.
            EventBody::TurnEvent(_)
            | EventBody::Question(_)
            | EventBody::SessionEvent(_)
            | EventBody::TaskEvent(_)
            | EventBody::InboxEvent(_)
            | EventBody::Memory(_) => 0,
        }
}

fn map(map: &Map<String, Value>) -> usize {
    map.iter().map(|(key, part)| key.len() + 48 + value(part)).sum()
}

fn value(part: &Value) -> usize {
    match part {
        Value::Null | Value::Bool(_) | Value::Number(_) => 32,
        Value::String(text) => 32 + text.len(),
        Value::Array(parts) => parts.iter().map(value).sum::<usize>() + 32,
        Value::Object(parts) => map(parts),
    }
}
