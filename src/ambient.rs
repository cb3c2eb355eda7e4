//! Background tasks: when they are due, what they look at, whether that is worth telling, and to whom it is told.
//!
//! Decisions are plain functions: `plan` (when), `spec` (what a config means), `web::page` (is this news?), `why` (what came of
//! it). Short drivers carry them out: `scheduler` claims what is due and probes, `judge` decides about firings, `outbox`
//! delivers. All of them commit under a fence, so that two processes, or one that was frozen, never do the same thing
//! twice. `service` is how people and programs reach the tasks; `tools` lends it to models.

pub mod attend;
pub mod finding;
pub mod judge;
pub mod lead;
pub mod messages;
pub mod nudge;
pub mod options;
pub mod outbox;
pub mod plan;
pub mod ports;
pub mod probe;
pub mod scheduler;
pub mod service;
pub mod spec;
pub mod tell;
#[cfg(test)]
mod testing;
pub mod tools;
pub mod watch;
pub mod why;
pub mod writes;
