//! The memories in a list, and one of them to read.

use jiff::tz::TimeZone;

use crate::domain::clock::Instant;
use crate::domain::event::words::short_id;
use crate::domain::memory::{Memory, MemoryPage};
use crate::domain::text::{clean, clean_line, ellipsis};
use crate::tui::panels::picker::{Pick, PickRow};
use crate::tui::panels::{Block, Body, TextPanel, age, pair};
use crate::tui::theme::Key;

/// Memories that a list asks for, the latest or those that fit best.
pub const ROWS_MAX: usize = 1_000;

/// Characters of one memory in a list.
const ROW_CHARS_MAX: usize = 300;

/// The width of the names beside what is told of a memory.
const NAMES: usize = 10;

/// The rows of a list.
pub fn rows(page: &MemoryPage, now: Instant, timezone: &TimeZone) -> Vec<PickRow> {
    let row = |memory: &Memory| {
        let mut words = ellipsis(&memory.content, ROW_CHARS_MAX).into_owned();
        for tag in &memory.tags {
            words.push_str(" #");
            words.push_str(tag);
        }
        let label = format!("{:<11} {}", memory.kind.as_str(), age(memory.updated, now, timezone));
        let mut row = PickRow::new(Pick::Memory(memory.memory_id.clone()), "", &words);
        row.label = label;
        row
    };
    page.memories.iter().map(row).collect()
}

/// One memory, whole.
pub fn whole(memory: &Memory, now: Instant, timezone: &TimeZone) -> TextPanel {
    let mut rows = vec![pair("kind", NAMES, memory.kind.as_str())];
    if !memory.tags.is_empty() {
        rows.push(pair("tags", NAMES, clean_line(&memory.tags.join(", "))));
    }
    rows.push(pair("from", NAMES, format!("{}, {}", memory.source.as_str(), age(memory.created, now, timezone))));
    if memory.updated != memory.created {
        rows.push(pair("changed", NAMES, age(memory.updated, now, timezone)));
    }
    let used =
        memory.last_used.map_or_else(|| "never".to_owned(), |at| format!("{} times, last {}", memory.times_used, age(at, now, timezone)));
    rows.push(pair("used", NAMES, used));
    rows.push(pair("id", NAMES, clean_line(memory.memory_id.as_str())));
    rows.push(Vec::new());
    rows.push(vec![(Key::UiDim, "  e change · d forget · y copy".to_owned())]);
    let text = clean(&memory.content).into_owned();
    let blocks = vec![Block::Words(Key::UiPopup, text.clone()), Block::Rows(vec![Vec::new()]), Block::Rows(rows)];
    TextPanel {
        title: format!("memory {}", short_id(memory.memory_id.as_str())),
        body: Body::Document(blocks),
        scroll: 0,
        copy: Some(text),
        mention: None,
        memory: Some(memory.memory_id.clone()),
        find: None,
    }
}
