//! The inbox as a fold of its events.

use crate::domain::ids::{InboxId, Seq};
use crate::domain::notice::{InboxEvent, InboxRow};

/// One entry's row, and its place in the order in which entries came in.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct InboxEntry {
    /// The position of the event that brought it.
    pub(in crate::store) seq: Seq,
    /// The row.
    pub(in crate::store) row: InboxRow,
}

/// Which entry an event is about.
pub(in crate::store) fn item_of(event: &InboxEvent) -> &InboxId {
    match event {
        InboxEvent::Added { item } => &item.item_id,
        InboxEvent::Read { item_id }
        | InboxEvent::Unread { item_id }
        | InboxEvent::Snoozed { item_id, .. }
        | InboxEvent::Archived { item_id }
        | InboxEvent::Answered { item_id, .. } => item_id,
    }
}

/// Takes in the next event of an entry, which stands at `seq`. Nothing happens to an entry that never came in.
pub(in crate::store) fn fold(entry: &mut Option<InboxEntry>, event: &InboxEvent, seq: Seq) {
    if let (None, InboxEvent::Added { item }) = (&entry, event) {
        let row = InboxRow { item: (**item).clone(), unread: true, snoozed_until: None, archived: false, answer: None };
        *entry = Some(InboxEntry { seq, row });
        return;
    }
    let Some(InboxEntry { row, .. }) = entry else { return };
    match event {
        // It is there already: the same thing comes in once.
        InboxEvent::Added { .. } => {}
        InboxEvent::Read { .. } => row.unread = false,
        InboxEvent::Unread { .. } => {
            row.unread = true;
            row.archived = false;
            row.snoozed_until = None;
        }
        InboxEvent::Snoozed { until, .. } => {
            // It comes back as something new, or nobody would see that it did.
            row.unread = true;
            row.archived = false;
            row.snoozed_until = Some(*until);
        }
        InboxEvent::Archived { .. } => {
            row.unread = false;
            row.archived = true;
        }
        InboxEvent::Answered { text, .. } => {
            row.unread = false;
            row.answer = Some(text.clone());
        }
    }
}
