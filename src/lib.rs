//! wakeful: an agent in your terminal that stays awake.
//!
//! Everything that happens is an event in one log, everything on a screen is a fold of that log, everything a person
//! or a program wants is a command. `docs/ARCHITECTURE.md` tells which module does what and what may import what.

// Tests say what they mean in the fewest words.
#![cfg_attr(
    test,
    allow(
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_self,
        clippy::type_complexity,
        clippy::large_stack_arrays,
        clippy::format_collect,
        clippy::maybe_infinite_iter,
        unused_qualifications
    )
)]

pub mod agent;
pub mod ambient;
pub mod app;
pub mod bus;
pub mod cli;
pub mod config;
pub mod domain;
pub mod interactions;
pub mod llm;
pub mod mcp;
pub mod memory;
pub mod net;
pub mod notify;
pub mod remote;
pub mod server;
pub mod store;
pub mod tools;
pub mod tui;
pub mod web;
