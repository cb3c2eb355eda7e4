//! Which resources an event changes. Pure, but for telling it.

use crate::domain::event::{Event, EventBody, SessionEvent};
use crate::domain::task::TaskFact;
use crate::mcp::server::Changes;

/// Tells those who listen what `event`, which is in the log now, changed.
pub fn tell(changes: &Changes, event: &Event) {
    if event.seq.is_none() {
        return;
    }
    changes.updated("wakeful://events");
    match &event.body {
        EventBody::TaskEvent(task) => {
            changes.updated("wakeful://tasks");
            changes.updated(format!("wakeful://tasks/{}", task.task_id));
            if matches!(task.fact, TaskFact::TaskCreated { .. } | TaskFact::TaskDeleted {} | TaskFact::TaskUpdated { .. }) {
                changes.resources();
            }
        }
        EventBody::InboxEvent(_) => changes.updated("wakeful://inbox"),
        body => {
            let Some(session) = &event.session else { return };
            changes.updated("wakeful://sessions");
            changes.updated(format!("wakeful://sessions/{session}"));
            if matches!(body, EventBody::SessionEvent(SessionEvent::Created { .. } | SessionEvent::Renamed { .. })) {
                changes.resources();
            }
        }
    }
}
