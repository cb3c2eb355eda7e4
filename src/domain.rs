//! The nouns of wakeful: pure data that every module shares.
//!
//! Nothing here does I/O, reads a clock or knows a vendor crate's types. Everything that happened is an
//! [`event::Event`]; everything that is wanted is a [`command::Command`]; everything that is asked goes
//! through [`query::Queries`].

pub mod cache;
pub mod catalog;
pub mod clock;
pub mod command;
pub mod event;
pub mod firing;
pub mod ids;
pub mod interaction;
pub mod memory;
pub mod message;
pub mod notice;
pub mod price;
pub mod query;
pub mod question;
pub mod remote;
pub mod report;
pub mod reports;
pub mod secrets;
pub mod task;
pub mod text;
pub mod tool;
pub mod undo;
pub mod wmo;
