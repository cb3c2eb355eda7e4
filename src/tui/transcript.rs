//! The conversation on the screen: a fold of events into items, and the items as rows.
//!
//! Heights are found out lazily, so that a transcript of 100,000 items costs as much as the items on the screen. A
//! place in the transcript is therefore an item and a row in it ([`Anchor`]), never a row of the whole.

mod earlier;
mod fold;
mod item;
mod jump;
mod layout;
mod marking;
mod parts;
#[cfg(test)]
mod tests;
mod viewport;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use self::item::{Body, Item};
pub use self::marking::{COUNTED_MAX, Mark, Marked, ROWS_MAX as MARKED_ROWS_MAX};
pub(crate) use self::parts::address_len;
pub use self::parts::{Part, Target};
pub(in crate::tui) use self::viewport::mark_matches;
use crate::domain::event::Event;
use crate::domain::ids::Seq;
use crate::domain::text::clean;
use crate::tui::highlight::Highlighter;
use crate::tui::markdown::code_blocks;
use crate::tui::pictures::Pictures;

/// One item, for as long as the transcript lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId(pub u64);

/// A place: a row of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Anchor {
    /// The item.
    pub item: ItemId,
    /// The row in it, from 0.
    pub row: u32,
}

/// What of a transcript is shown. Plain data of the screen's state; changed by [`Transcript`]'s scrolling methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ViewState {
    /// The place of the top row; `None` follows the end.
    pub top: Option<Anchor>,
    /// The selected item, if the transcript has the keys.
    pub selected: Option<ItemId>,
    /// The place of the match that is shown, if a search is on.
    pub current_match: Option<ItemId>,
    /// Rows marked by keys.
    pub mark: Option<Mark>,
    /// How many items there were when the end was left.
    pub left_at: Option<usize>,
    /// Which frame the spinners show.
    pub tick: u64,
}

impl ViewState {
    /// Whether the end is shown and stays shown while more comes.
    pub fn follows(&self) -> bool {
        self.top.is_none()
    }
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// The greeting of a new session.
    Welcome,
    /// What the user said.
    User,
    /// What the agent said.
    Assistant,
    /// What the model thought.
    Reasoning,
    /// A tool call.
    Tool,
    /// A task that was handed over; the items of the agent below follow it, deeper.
    Handoff,
    /// Something failed.
    Error,
    /// The model is tried again.
    Retry,
    /// A turn ended.
    TurnEnd,
    /// Compaction, rewind, fork, another model or mode.
    Marker,
}

/// An item as the outside sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemInfo {
    /// Which.
    pub id: ItemId,
    /// What it is.
    pub kind: ItemKind,
    /// How deep it stands below handoffs.
    pub depth: u16,
    /// Whether it is open.
    pub open: bool,
    /// Whether it opens at all.
    pub opens: bool,
    /// Whether it is still at work.
    pub running: bool,
}

/// A message of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserTurn {
    /// The item.
    pub item: ItemId,
    /// Its event; rewinding to before it is rewinding to `Seq(seq.0 - 1)`.
    pub seq: Option<Seq>,
    /// The text.
    pub text: String,
}

/// The greeting of a new session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Welcome {
    /// What stands above, Markdown.
    pub text: String,
    /// What can be picked by one key, 1 to 9.
    pub suggestions: Vec<String>,
    /// One dim line below.
    pub footer: String,
}

/// How much work was done, for tests: time is not a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Items that were laid out.
    pub laid_out: u64,
    /// Times that an item was asked for its height.
    pub touched: u64,
}

/// The first id that is given; lower ones are for what is put in front later.
const FIRST_ID: u64 = 1_000_000_000_000;

/// The conversation.
#[derive(Debug)]
pub struct Transcript {
    kit: layout::Kit,
    items: Vec<Item>,
    memory: fold::Memory,
    next_id: u64,
    /// The lowest id that was given.
    lowest_id: u64,
    /// How many items have a spinner.
    running: usize,
    /// What is looked for, in lower case.
    query: String,
    cache: RefCell<viewport::Cache>,
    /// Where an item was last found.
    hint: Cell<usize>,
}

impl Transcript {
    /// An empty conversation.
    pub fn new(highlighter: Highlighter) -> Self {
        Self {
            kit: layout::Kit { highlighter, pictures: Pictures::off() },
            items: Vec::new(),
            memory: fold::Memory::default(),
            next_id: FIRST_ID,
            lowest_id: FIRST_ID,
            running: 0,
            query: String::new(),
            cache: RefCell::default(),
            hint: Cell::new(0),
        }
    }

    /// Shows pictures from here on.
    pub fn set_pictures(&mut self, pictures: Pictures) {
        self.kit.pictures = pictures;
        self.cache.get_mut().clear();
    }

    /// The pictures among its items.
    pub fn pictures(&self) -> &Pictures {
        &self.kit.pictures
    }

    /// Puts the greeting at the top, or takes it away.
    pub fn set_welcome(&mut self, welcome: Option<Welcome>) {
        if matches!(self.items.first(), Some(item) if matches!(item.body, Body::Welcome(_))) {
            let old = self.items.remove(0);
            self.cache.get_mut().forget(old.id);
        }
        if let Some(welcome) = welcome {
            let id = ItemId(self.next_id);
            self.next_id += 1;
            let body = Body::Welcome(welcome);
            self.items.insert(0, Item { id, depth: 0, seq: None, open: false, revision: 0, body });
        }
    }

    /// Takes the suggestions out of the greeting: after the first prompt their numbers do nothing. `invitation` goes too.
    pub fn end_suggestions(&mut self, invitation: &str) {
        if let Some(item) = self.items.first_mut()
            && let Body::Welcome(welcome) = &mut item.body
            && !welcome.suggestions.is_empty()
        {
            welcome.suggestions.clear();
            welcome.text = welcome.text.replace(invitation, "");
            let id = item.id;
            self.cache.get_mut().forget(id);
        }
    }

    /// Forgets everything but the greeting and folds `events`, stored ones of one session in ascending order.
    pub fn load(&mut self, events: &[Arc<Event>]) {
        self.items.retain(|item| matches!(item.body, Body::Welcome(_)));
        self.memory = fold::Memory::default();
        self.running = 0;
        self.cache.get_mut().clear();
        for event in events {
            self.apply(event);
        }
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether something is at work whose spinner turns.
    pub fn is_animated(&self) -> bool {
        self.running > 0
    }

    /// All items, in order.
    pub fn items(&self) -> impl DoubleEndedIterator<Item = ItemInfo> + '_ {
        self.items.iter().map(info)
    }

    /// One item.
    pub fn item(&self, item: ItemId) -> Option<ItemInfo> {
        self.find(item).map(info)
    }

    fn find(&self, item: ItemId) -> Option<&Item> {
        self.items.get(self.index_of(item)?)
    }

    /// The item `step` further (negative: back) than `item`, skipping what cannot be selected, as far as there are
    /// any; the last where `item` is absent.
    pub fn neighbour(&self, item: Option<ItemId>, step: isize) -> Option<ItemId> {
        let (mut index, step) = match item.and_then(|item| self.index_of(item)) {
            Some(index) => (index, step),
            None => (self.items.len(), -1),
        };
        let mut left = step.unsigned_abs();
        let mut found = item;
        while left > 0 {
            let Some(next_index) = (if step < 0 { index.checked_sub(1) } else { index.checked_add(1) }) else { break };
            index = next_index;
            let Some(next) = self.items.get(index) else { break };
            if !matches!(next.body, Body::TurnEnd { .. }) {
                found = Some(next.id);
                left -= 1;
            }
        }
        found
    }

    /// Opens or closes an item; whether it does.
    pub fn toggle(&mut self, item: ItemId) -> bool {
        let Some(item) = self.index_of(item).and_then(|index| self.items.get_mut(index)) else { return false };
        item.open = item.opens() && !item.open;
        item.opens()
    }

    /// Opens or closes all tool calls, handoffs and reasoning.
    pub fn set_all_open(&mut self, open: bool) {
        for item in &mut self.items {
            if matches!(item.body, Body::Tool(_) | Body::Handoff(_) | Body::Reasoning { .. }) {
                item.open = open;
            }
        }
    }

    /// How much work was done so far.
    pub fn cost(&self) -> Cost {
        let cache = self.cache.borrow();
        Cost { laid_out: cache.laid_out, touched: cache.touched }
    }

    /// Sets what is looked for (no distinction of case) and marks it where it is drawn; the items that hold it.
    pub fn search(&mut self, query: &str) -> Vec<ItemId> {
        self.query = query.trim().to_lowercase();
        if self.query.is_empty() {
            return Vec::new();
        }
        self.items.iter().filter(|item| item.holds(&self.query)).map(|item| item.id).collect()
    }

    /// The user's messages, in order.
    pub fn user_turns(&self) -> Vec<UserTurn> {
        let turn = |item: &Item| match &item.body {
            Body::User { text } => Some(UserTurn { item: item.id, seq: item.seq, text: text.to_string() }),
            _ => None,
        };
        self.items.iter().filter_map(turn).collect()
    }

    /// The text of an item, for copying.
    pub fn text_of(&self, item: ItemId) -> Option<String> {
        self.find(item).map(|item| clean(&item.text()).into_owned())
    }

    fn answers(&self) -> impl Iterator<Item = &str> {
        self.items.iter().rev().filter_map(|item| match &item.body {
            Body::Assistant { text, .. } if item.depth == 0 => Some(text.as_str()),
            _ => None,
        })
    }

    /// The agent's last answer, for copying.
    pub fn last_answer(&self) -> Option<String> {
        self.answers().find(|text| !text.trim().is_empty()).map(|text| clean(text).into_owned())
    }

    /// The last code block of the agent, for copying.
    pub fn last_code_block(&self) -> Option<String> {
        self.answers().find_map(|text| code_blocks(text).pop().map(|block| block.text))
    }
}

fn info(item: &Item) -> ItemInfo {
    ItemInfo { id: item.id, kind: item.kind(), depth: item.depth, open: item.open, opens: item.opens(), running: item.running() }
}
