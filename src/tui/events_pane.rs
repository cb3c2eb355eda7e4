//! The events pane: what happened, line by line, bounded, filtered, paused, followed.
//!
//! Entries have an index that never changes, so that a selection and a scroll position stay where they are while
//! events arrive and the oldest go. Streaming parts of messages are not shown; the finished message is.

pub mod complete;
mod describe;
pub mod facts;
pub mod filter;
pub mod rate;
#[cfg(test)]
mod tests;
mod trace;
mod weight;

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

pub use complete::FilterInput;
pub(in crate::tui) use describe::log_text;
pub use describe::{Described, describe};
pub use filter::Filter;
pub(in crate::tui) use trace::whole as whole_message;

use crate::domain::event::{ChatStatus, Event, EventBody, McpEventType};
use crate::domain::ids::Seq;
use rate::Rate;

/// Later events that stay in sight below one that is shown.
const SHOWN_BELOW: usize = 3;

/// About the bytes of events that are kept.
const BYTES_MAX: usize = 32 << 20;

/// One event in the pane.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The event.
    pub event: Arc<Event>,
    line: OnceCell<Described>,
}

impl Entry {
    fn new(event: &Arc<Event>) -> Self {
        Self { event: Arc::clone(event), line: OnceCell::new() }
    }

    /// How it reads; found out when it is first asked for, so that a flood costs only what is looked at.
    pub fn line(&self) -> &Described {
        self.line.get_or_init(|| describe(&self.event))
    }
}

/// The pane.
#[derive(Debug, Clone)]
pub struct EventsPane {
    entries: VecDeque<Entry>,
    /// Index of the first entry in `entries`.
    first: u64,
    /// Indexes of the entries that pass the filter, ascending.
    shown: VecDeque<u64>,
    filter: Filter,
    max: usize,
    /// Events that were seen since the start.
    total: u64,
    /// Events that were lost to a full queue and are in no log.
    pub lost: u64,
    /// The last entry on the screen; the newest while it follows.
    bottom: Option<u64>,
    /// The entry that Enter and `y` mean.
    selected: Option<u64>,
    /// Events that passed the filter since it was paused by hand.
    paused: Option<u64>,
    /// Events that passed the filter, those that are gone included.
    passed: u64,
    /// About the bytes of the entries.
    bytes: usize,
    rate: Rate,
}

impl EventsPane {
    /// An empty pane of at most `max` events.
    pub fn new(max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            shown: VecDeque::new(),
            filter: Filter::default(),
            max: max.max(1),
            total: 0,
            lost: 0,
            bottom: None,
            selected: None,
            paused: None,
            passed: 0,
            bytes: 0,
            rate: Rate::default(),
        }
    }

    /// Takes an event in; streaming parts are passed over.
    pub fn push(&mut self, event: &Arc<Event>) {
        if let EventBody::Chat(chat) = &event.body
            && matches!(chat.status, ChatStatus::Delta | ChatStatus::ReasoningDelta)
        {
            return;
        }
        if is_progress(event) && self.replaces_last(event) {
            if let Some(last) = self.entries.back_mut() {
                let before = std::mem::replace(last, Entry::new(event));
                self.bytes = self.bytes.saturating_sub(weight::bytes(&before.event)) + weight::bytes(event);
            }
            return;
        }
        self.total += 1;
        self.rate.add(event.at);
        let entry = Entry::new(event);
        if self.filter.accepts(&entry) {
            self.shown.push_back(self.first + self.entries.len() as u64);
            self.passed += 1;
            self.paused = self.paused.map(|count| count + 1);
        }
        self.bytes += weight::bytes(event);
        self.entries.push_back(entry);
        // Events may be large: the oldest go before they fill the memory.
        while self.entries.len() > self.max || (self.bytes > BYTES_MAX && self.entries.len() > 1) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.entries.pop_front() {
            self.bytes = self.bytes.saturating_sub(weight::bytes(&first.event));
        }
        if self.shown.front() == Some(&self.first) {
            self.shown.pop_front();
        }
        self.first += 1;
        let first = self.first;
        self.selected = self.selected.filter(|at| *at >= first);
        if self.bottom.is_some_and(|at| at < first) {
            self.bottom = self.shown.front().copied();
        }
    }

    /// Progress of one call after another would fill the pane: the newest stands for all.
    fn replaces_last(&self, event: &Event) -> bool {
        let Some(last) = self.entries.back() else { return false };
        match (&last.event.body, &event.body) {
            (EventBody::McpEvent(before), EventBody::McpEvent(now)) => is_progress(&last.event) && before.service_name == now.service_name,
            _ => false,
        }
    }

    /// Forgets all events; the filter stays.
    pub fn clear(&mut self) {
        *self = Self { filter: self.filter.clone(), total: self.total, rate: self.rate, ..Self::new(self.max) };
    }

    /// The entry at `index`.
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        let at = index.checked_sub(self.first)?;
        self.entries.get(usize::try_from(at).ok()?)
    }

    /// Indexes that pass the filter, ascending.
    pub fn shown(&self) -> &VecDeque<u64> {
        &self.shown
    }

    /// Events seen since the start.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Shows only what passes `filter`. A selected event that passes stays selected; a pause goes on.
    pub fn set_filter(&mut self, filter: Filter) {
        if filter == self.filter {
            return;
        }
        self.filter = filter;
        let accepted = self.entries.iter().enumerate().filter(|(_, entry)| self.filter.accepts(entry));
        self.shown = accepted.map(|(at, _)| self.first + at as u64).collect();
        self.passed = u64::try_from(self.shown.len()).unwrap_or(u64::MAX);
        self.selected = self.selected.filter(|index| self.shown.binary_search(index).is_ok());
        self.bottom = self.selected;
        if self.is_paused() {
            self.paused = Some(0);
            self.bottom = self.bottom.or(self.shown.back().copied()).or(Some(self.first));
        }
    }

    /// Events that pass the filter: of those that were here when it was set, and of all since.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// How many events a second come.
    pub fn rate(&self) -> &Rate {
        &self.rate
    }

    /// Types of events among the entries that are none of this program's, and servers they are about.
    pub fn names(&self) -> (BTreeSet<&str>, BTreeSet<&str>) {
        let bodies = || self.entries.iter().map(|entry| &entry.event.body);
        let own = |body: &&EventBody| matches!(body, EventBody::Custom(_));
        let types = bodies().filter(own).map(EventBody::type_name).collect();
        (types, bodies().filter_map(facts::server_of).collect())
    }

    /// Forgets all events and counts anew; the filter stays.
    pub fn clear_all(&mut self) {
        *self = Self { filter: self.filter.clone(), ..Self::new(self.max) };
    }

    /// The positions of the stored events that are kept.
    pub fn seqs(&self) -> HashSet<Seq> {
        self.entries.iter().filter_map(|entry| entry.event.seq).collect()
    }

    /// The entry of the stored event at `seq`.
    pub fn find(&self, seq: Seq) -> Option<u64> {
        // The newest first: that is what is looked for.
        let back = self.entries.iter().rev().position(|entry| entry.event.seq == Some(seq))?;
        Some(self.first + (self.entries.len() - 1 - back) as u64)
    }

    /// Selects the entry `index` and brings it into sight; whether it passes the filter.
    pub fn show(&mut self, index: u64) -> bool {
        let Ok(at) = self.shown.binary_search(&index) else { return false };
        self.selected = Some(index);
        // A few later ones stay in sight below it.
        let below = (at + SHOWN_BELOW).min(self.shown.len() - 1);
        self.set_bottom(below);
        true
    }

    /// How many entries were described so far and are still here: a measure of work, for tests.
    #[cfg(test)]
    fn described(&self) -> usize {
        self.entries.iter().filter(|entry| entry.line.get().is_some()).count()
    }

    /// Position in `shown` of the last entry at or before `index`.
    fn position(&self, index: u64) -> Option<usize> {
        self.shown.partition_point(|at| *at <= index).checked_sub(1)
    }

    /// Position in `shown` of the last entry on the screen.
    pub fn bottom_position(&self) -> Option<usize> {
        let last = self.shown.len().checked_sub(1)?;
        Some(self.bottom.map_or(last, |index| self.position(index).unwrap_or(0)))
    }

    /// Entries below the screen; while paused, all that passed the filter meanwhile.
    pub fn unseen(&self) -> u64 {
        if let Some(count) = self.paused {
            return count;
        }
        self.bottom_position().map_or(0, |at| (self.shown.len() - 1 - at) as u64)
    }

    /// Whether it was paused by hand.
    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Whether the newest event is always on the screen.
    pub fn follows(&self) -> bool {
        self.bottom.is_none()
    }

    /// Pauses, or goes on and follows.
    pub fn toggle_pause(&mut self) {
        if self.paused.take().is_some() {
            self.bottom = None;
            self.selected = None;
        } else {
            self.paused = Some(0);
            self.bottom = self.shown.back().copied().or(Some(self.first));
        }
    }

    /// The selected index.
    pub fn selected(&self) -> Option<u64> {
        self.selected
    }

    /// The selected entry; the newest where none is.
    pub fn current(&self) -> Option<&Entry> {
        self.entry(self.selected.or_else(|| self.shown.back().copied())?)
    }

    /// Selects the entry `index`.
    pub fn select(&mut self, index: u64) {
        if self.shown.binary_search(&index).is_ok() {
            self.selected = Some(index);
        }
    }

    /// Moves the selection by `step` entries on a screen that holds about `page` of them.
    pub fn move_selection(&mut self, step: isize, page: usize) {
        let Some(last) = self.shown.len().checked_sub(1) else { return };
        let at = match self.selected.and_then(|index| self.position(index)) {
            Some(at) => at.saturating_add_signed(step).min(last),
            None => self.bottom_position().unwrap_or(last).saturating_add_signed((step + 1).min(0)),
        };
        self.selected = self.shown.get(at).copied();
        let bottom = self.bottom_position().unwrap_or(last);
        if at > bottom {
            self.set_bottom(at);
        } else if at + page.max(1) <= bottom {
            self.set_bottom(at + page.max(1) - 1);
        }
        if at == last && step > 0 && !self.is_paused() {
            self.bottom = None;
        }
    }

    /// Moves the screen by `step` entries.
    pub fn scroll(&mut self, step: isize) {
        let Some(last) = self.shown.len().checked_sub(1) else { return };
        let at = self.bottom_position().unwrap_or(last).saturating_add_signed(step).min(last);
        self.set_bottom(at);
    }

    fn set_bottom(&mut self, at: usize) {
        self.bottom = if at + 1 >= self.shown.len() && !self.is_paused() { None } else { self.shown.get(at).copied() };
    }

    /// Goes to the oldest entry.
    pub fn to_top(&mut self) {
        self.selected = self.shown.front().copied();
        self.bottom = self.selected;
    }

    /// Goes to the newest entry and follows.
    pub fn to_bottom(&mut self) {
        self.selected = None;
        self.bottom = None;
        self.paused = None;
    }

    /// Selects the latest error before the selected entry, or the latest of all.
    pub fn select_error(&mut self) -> bool {
        let before = self.selected.unwrap_or(u64::MAX);
        let is_error = |index: &&u64| self.entry(**index).is_some_and(|entry| entry.event.body.is_error());
        let mut errors = self.shown.iter().rev().filter(is_error);
        let found = errors.clone().find(|index| **index < before).or_else(|| errors.next()).copied();
        if let Some(index) = found {
            self.selected = Some(index);
            self.bottom = Some(index);
        }
        found.is_some()
    }
}

fn is_progress(event: &Event) -> bool {
    matches!(&event.body, EventBody::McpEvent(data) if data.event_type == McpEventType::Progress)
}

/// An entry on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The entry.
    pub index: u64,
    /// Its first row, from 0.
    pub y: u16,
    /// Its rows.
    pub rows: u16,
}

impl EventsPane {
    /// The entries on a screen of `height` rows, from the top: those up to the bottom one, and where these do not fill
    /// the screen, the ones after it.
    pub fn window(&self, height: u16) -> Vec<Slot> {
        let Some(bottom) = self.bottom_position() else { return Vec::new() };
        let rows_of = |at: usize| -> u16 {
            let detail = self.shown.get(at).and_then(|index| self.entry(*index)).is_some_and(|entry| entry.line().detail.is_some());
            1 + u16::from(detail)
        };
        let mut first = bottom;
        let mut used = rows_of(bottom);
        while first > 0 && used + rows_of(first - 1) <= height {
            first -= 1;
            used += rows_of(first);
        }
        let mut last = bottom;
        while first == 0 && last + 1 < self.shown.len() && used + rows_of(last + 1) <= height {
            last += 1;
            used += rows_of(last);
        }
        let mut y = 0;
        let mut slots = Vec::new();
        for at in first..=last {
            let rows = rows_of(at);
            if let Some(index) = self.shown.get(at) {
                slots.push(Slot { index: *index, y, rows });
            }
            y += rows;
        }
        slots
    }
}
