//! Screens: a scripted state drawn into a buffer, text and styles held as snapshots.

mod ambient;
pub(crate) mod asking;
mod emulated;
mod lending;
mod panels;
mod rows;
mod screens;
mod script;
mod several;
mod states;

pub(crate) use script::{SIZES, Script, pictures};
