//! Builds the parts, wires them, routes commands, shuts down.

pub mod logging;
