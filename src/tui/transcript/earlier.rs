//! A long session is shown from its end; what came before is put in front of it when somebody looks for it.

use std::collections::HashMap;
use std::sync::Arc;

use super::item::{Body, Item};
use super::{ItemId, Transcript, ViewState};
use crate::domain::event::Event;

/// The line above the first item that was read.
const EARLIER: ItemId = ItemId(0);

/// Items before this one (that line is one of them) are near the top.
const NEAR: usize = 3;

impl Transcript {
    /// Puts the items of `events`, stored ones that come right before all that is here, in front of it.
    pub fn prepend(&mut self, events: &[Arc<Event>]) {
        let mut before = Self::new(self.kit.highlighter.clone());
        before.load(events);
        // They get the ids below all others, in their order.
        self.lowest_id -= u64::try_from(before.items.len()).unwrap_or(0);
        let mut new_ids = HashMap::new();
        for (id, item) in (self.lowest_id..).zip(&mut before.items) {
            new_ids.insert(item.id, ItemId(id));
            item.id = ItemId(id);
        }
        let calls = before.memory.calls.into_iter().filter_map(|(call, id)| Some((call, *new_ids.get(&id)?)));
        for (call, id) in calls {
            self.memory.calls.entry(call).or_insert(id);
        }
        let at = usize::from(self.tells_of_earlier());
        self.items.splice(at..at, before.items);
    }

    /// Says above the first item that there is more before it, or no longer.
    pub fn tell_of_earlier(&mut self, more: bool) {
        match (self.tells_of_earlier(), more) {
            (false, true) => {
                let body = Body::Marker { text: "earlier messages come as you scroll up".to_owned(), detail: String::new() };
                self.items.insert(0, Item { id: EARLIER, depth: 0, seq: None, open: false, revision: 0, body });
            }
            (true, false) => {
                self.items.remove(0);
                self.cache.get_mut().forget(EARLIER);
            }
            _ => {}
        }
    }

    fn tells_of_earlier(&self) -> bool {
        self.items.first().is_some_and(|item| item.id == EARLIER)
    }

    /// Whether the view, of so many rows, shows the first items.
    pub fn is_near_top(&self, view: &ViewState, rows: u16) -> bool {
        match view.top {
            Some(anchor) => self.index_of(anchor.item).is_none_or(|index| index < NEAR),
            None => self.items.len() < usize::from(rows),
        }
    }

    /// Keeps what is seen where it is although more comes in front of it.
    pub fn hold(&self, view: &mut ViewState) {
        if let Some(anchor) = &mut view.top
            && anchor.item == EARLIER
            && let Some(first) = self.items.get(1)
        {
            anchor.item = first.id;
            anchor.row = 0;
        }
    }
}
