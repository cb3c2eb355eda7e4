//! The chain of a task's last run or firing on one screen: planned, due, run, what was found, which gate stopped it, what
//! was decided and why, what it cost, what became of the notices. Pure: rows, events and the time go in, lines come out.

pub mod schedule;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::domain::clock::Instant;
use crate::domain::event::Event;
use crate::domain::notice::Delivery;
use crate::domain::task::TaskRow;

/// The chain, a line a step. `history` is the task's events, newest first; `zone` is the machine's.
pub fn lines(row: &TaskRow, history: &[Arc<Event>], deliveries: &[Delivery], zone: &TimeZone, now: Instant) -> Vec<String> {
    todo!()
}
