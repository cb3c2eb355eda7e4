//! From an event to its item, and back.

use super::item::Body;
use super::{ItemId, Transcript};
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{CallId, Seq};

impl Transcript {
    /// The item that an event of this conversation made or changed; where it made none, the last one before it.
    pub fn item_of(&self, event: &Event) -> Option<ItemId> {
        if let Some(item) = call_of(&event.body).and_then(|call| self.memory.calls.get(call)).filter(|id| self.index_of(**id).is_some()) {
            return Some(*item);
        }
        let seq = event.seq?;
        // An answer stands after the reasoning that comes with the same event.
        let made = self.items.iter().rev().find(|item| item.seq == Some(seq)).map(|item| item.id);
        made.or_else(|| {
            let before = self.items.iter().filter(|item| item.seq.is_some_and(|at| at < seq));
            before.max_by_key(|item| item.seq).map(|item| item.id)
        })
    }

    /// The position of the event that made an item; of one without a stored event that of the next before it.
    pub fn seq_of(&self, item: ItemId) -> Option<Seq> {
        let index = self.index_of(item)?;
        let is_said = |body: &Body| !matches!(body, Body::Welcome(_));
        self.items.get(..=index)?.iter().rev().filter(|item| is_said(&item.body)).find_map(|item| item.seq)
    }
}

fn call_of(body: &EventBody) -> Option<&CallId> {
    match body {
        EventBody::ToolExecution(data) => Some(&data.call_id),
        EventBody::HandoffCall(data) => data.call_id.as_ref(),
        EventBody::Approval(data) => Some(&data.call_id),
        EventBody::McpEvent(_)
        | EventBody::Question(_)
        | EventBody::Error(_)
        | EventBody::Chat(_)
        | EventBody::TurnEvent(_)
        | EventBody::SessionEvent(_)
        | EventBody::TaskEvent(_)
        | EventBody::Notification(_)
        | EventBody::InboxEvent(_)
        | EventBody::Memory(_)
        | EventBody::Custom(_) => None,
    }
}
