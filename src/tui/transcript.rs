//! The conversation on the screen: a fold of events into items, and the items as rows.
//!
//! Heights are found out lazily, so that a transcript of 100,000 items costs as much as the items on the screen. A
//! place in the transcript is therefore an item and a row in it ([`Anchor`]), never a row of the whole.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::event::Event;
use crate::domain::ids::Seq;
use crate::tui::highlight::Highlighter;
use crate::tui::theme::Theme;

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

/// The conversation.
pub struct Transcript {
    highlighter: Highlighter,
}

impl Transcript {
    /// An empty conversation.
    pub fn new(highlighter: Highlighter) -> Self {
        Self { highlighter }
    }

    /// Puts the greeting at the top, or takes it away.
    pub fn set_welcome(&mut self, _welcome: Option<Welcome>) {}

    /// Forgets everything but the greeting and folds `events`, stored ones of one session in ascending order.
    pub fn load(&mut self, events: &[Arc<Event>]) {
        events.iter().for_each(|event| {
            self.apply(event);
        });
    }

    /// Folds one event; whether anything on the screen may have changed.
    pub fn apply(&mut self, _event: &Event) -> bool {
        let _ = &self.highlighter;
        false
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether something is at work whose spinner turns.
    pub fn is_animated(&self) -> bool {
        false
    }

    /// All items, in order.
    pub fn items(&self) -> impl Iterator<Item = ItemInfo> + '_ {
        std::iter::empty()
    }

    /// One item.
    pub fn item(&self, _item: ItemId) -> Option<ItemInfo> {
        None
    }

    /// The item before or after `item` (by `step`), skipping what cannot be selected; the last where `item` is absent.
    pub fn neighbour(&self, _item: Option<ItemId>, _step: isize) -> Option<ItemId> {
        None
    }

    /// Opens or closes an item; whether it does.
    pub fn toggle(&mut self, _item: ItemId) -> bool {
        false
    }

    /// Opens or closes all tool calls, handoffs and reasoning.
    pub fn set_all_open(&mut self, _open: bool) {}

    /// How many rows there are at `width`: exact for what was drawn at this width, an estimate for the rest.
    pub fn height(&self, _width: u16) -> usize {
        0
    }

    /// Draws what `view` shows into `area`.
    pub fn render(&self, _area: Rect, _buf: &mut Buffer, _theme: &Theme, _view: &ViewState) {}

    /// Moves the view by `rows` (negative: up) in an area of this size. At the end it follows again.
    pub fn scroll_by(&self, _view: &mut ViewState, _rows: isize, _width: u16, _height: u16, _theme: &Theme) {}

    /// Moves the view to the very first row.
    pub fn scroll_to_top(&self, _view: &mut ViewState) {}

    /// Moves the view so that `item` is seen, with as little movement as possible.
    pub fn scroll_to_item(&self, _view: &mut ViewState, _item: ItemId, _width: u16, _height: u16, _theme: &Theme) {}

    /// The item on row `row` of an area of this size, from 0, with the row in it.
    pub fn item_at(&self, _view: &ViewState, _row: u16, _width: u16, _height: u16, _theme: &Theme) -> Option<Anchor> {
        None
    }

    /// Where the view stands: rows above it, and rows in all; for a scroll bar.
    pub fn position(&self, _view: &ViewState, _width: u16, _height: u16) -> (usize, usize) {
        (0, 0)
    }

    /// Sets what is looked for (no distinction of case) and marks it where it is drawn; the items that hold it.
    pub fn search(&mut self, _query: &str) -> Vec<ItemId> {
        Vec::new()
    }

    /// The user's messages, in order.
    pub fn user_turns(&self) -> Vec<UserTurn> {
        Vec::new()
    }

    /// The text of an item, for copying.
    pub fn text_of(&self, _item: ItemId) -> Option<String> {
        None
    }

    /// The agent's last answer, for copying.
    pub fn last_answer(&self) -> Option<String> {
        None
    }

    /// The last code block of the agent, for copying.
    pub fn last_code_block(&self) -> Option<String> {
        None
    }

    /// The whole conversation as plain text at `width`, for the terminal's own scrollback or an editor.
    pub fn dump(&self, _width: u16) -> Vec<String> {
        Vec::new()
    }
}
