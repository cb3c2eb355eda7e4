//! The command line: parse, load, run, exit code.

pub mod args;
