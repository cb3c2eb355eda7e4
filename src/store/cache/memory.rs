//! The nearest layer: entries in memory, bounded by bytes; what was not used for longest goes first.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::domain::cache::{Kind, Layer, LayerStats};
use crate::domain::clock::Instant;
use crate::store::cache::Freshness;
use crate::store::cache::entry::{Entry, Id};

/// What an entry takes beside its key and value, in bytes: the slot, two links, the part of a table that has grown, what
/// the allocator adds (measured over a million entries: 249).
const SLOT_BYTES: usize = 250;

/// How often the layers below are told that an entry is in use.
const TOUCH_INTERVAL: Duration = Duration::from_mins(5);

/// Entries in memory.
pub(super) struct Memory {
    slots: Mutex<Slots>,
    bytes_max: usize,
}

struct Slots {
    entries: LruCache<String, Slot>,
    bytes: usize,
}

struct Slot {
    kind: Kind,
    entry: Entry,
    /// When the layers below were last told of its use.
    told: Instant,
}

/// What was found.
pub(super) struct Recalled {
    pub(super) entry: Entry,
    pub(super) freshness: Freshness,
    /// Whether the layers below should hear that it is in use.
    pub(super) tell: bool,
}

fn weight(text: &str, entry: &Entry) -> usize {
    text.len() + entry.value.len() + SLOT_BYTES
}

impl Memory {
    pub(super) fn new(bytes_max: u64) -> Self {
        let slots = Slots { entries: LruCache::unbounded(), bytes: 0 };
        Self { slots: Mutex::new(slots), bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX) }
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry, where it is there and not over.
    pub(super) fn get(&self, id: &Id, now: Instant) -> Option<Recalled> {
        let mut slots = self.lock();
        let slot = slots.entries.get_mut(&id.text)?;
        if let Some(freshness) = slot.entry.freshness(now) {
            let tell = now.since(slot.told) >= TOUCH_INTERVAL;
            if tell {
                slot.told = now;
            }
            return Some(Recalled { entry: slot.entry.clone(), freshness, tell });
        }
        slots.remove(&id.text);
        None
    }

    /// Keeps an entry, if it is not too large to be kept beside others.
    pub(super) fn put(&self, id: &Id, entry: Entry, now: Instant) {
        let weight = weight(&id.text, &entry);
        let mut slots = self.lock();
        slots.remove(&id.text);
        // One value does not drive all others out.
        if weight > self.bytes_max / 4 {
            return;
        }
        slots.bytes += weight;
        slots.entries.put(id.text.clone(), Slot { kind: id.kind, entry, told: now });
        while slots.bytes > self.bytes_max && slots.remove_oldest() {}
    }

    pub(super) fn remove(&self, id: &Id) {
        self.lock().remove(&id.text);
    }

    /// Removes all entries of a kind, or all; says how many entries and bytes that were.
    pub(super) fn clear(&self, kind: Option<Kind>) -> (u64, u64) {
        let mut slots = self.lock();
        let before = (slots.entries.len(), slots.bytes);
        slots.retain(|slot| kind.is_some_and(|kind| slot.kind != kind));
        (to_u64(before.0 - slots.entries.len()), to_u64(before.1 - slots.bytes))
    }

    /// Removes what is over.
    pub(super) fn sweep(&self, now: Instant) -> u64 {
        let mut slots = self.lock();
        let before = slots.entries.len();
        slots.retain(|slot| slot.entry.freshness(now).is_some());
        to_u64(before - slots.entries.len())
    }

    /// How it stands as a whole.
    pub(super) fn stats(&self) -> LayerStats {
        let slots = self.lock();
        LayerStats {
            layer: Layer::Memory,
            place: String::new(),
            problem: None,
            entries: to_u64(slots.entries.len()),
            bytes: to_u64(slots.bytes),
            bytes_max: Some(to_u64(self.bytes_max)),
        }
    }

    /// Entries and bytes of a kind.
    pub(super) fn usage(&self, kind: Kind) -> (u64, u64) {
        let slots = self.lock();
        let own = slots.entries.iter().filter(|(_, slot)| slot.kind == kind);
        own.fold((0, 0), |(entries, bytes), (text, slot)| (entries + 1, bytes + to_u64(weight(text, &slot.entry))))
    }
}

impl Slots {
    fn remove(&mut self, text: &str) {
        if let Some(slot) = self.entries.pop(text) {
            self.bytes -= weight(text, &slot.entry);
        }
    }

    fn remove_oldest(&mut self) -> bool {
        let Some((text, slot)) = self.entries.pop_lru() else { return false };
        self.bytes -= weight(&text, &slot.entry);
        true
    }

    fn retain(&mut self, wanted: impl Fn(&Slot) -> bool) {
        let gone: Vec<String> = self.entries.iter().filter(|(_, slot)| !wanted(slot)).map(|(text, _)| text.clone()).collect();
        gone.iter().for_each(|text| self.remove(text));
    }
}

fn to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
