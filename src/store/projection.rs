//! Projections as folds of events. Pure: a store only keeps the rows, and both stores fold the same way.

pub(super) mod inbox;
pub(super) mod session;
pub(super) mod task;

use crate::domain::event::EventBody;
use crate::domain::task::TaskFact;

/// Whether a fold looks into the bodies of this type; a rebuild does not read the JSON of others.
pub(super) fn reads(type_name: &str) -> bool {
    matches!(type_name, "chat" | "session_event" | "task_event" | "inbox_event")
}

/// The body to fold where it is not `body` itself: numbers may differ in their last digit once they were JSON, so what
/// a rebuild will read is what is folded.
pub(super) fn as_read_back(body: &EventBody, json: &str) -> Option<EventBody> {
    match body {
        EventBody::TaskEvent(event) if matches!(event.fact, TaskFact::TaskCreated { .. } | TaskFact::TaskUpdated { .. }) => {
            EventBody::from_json(body.type_name(), json).ok()
        }
        _ => None,
    }
}
