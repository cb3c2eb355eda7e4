//! The command line: parse, load, run, exit code.

pub mod args;
pub mod output;

use std::process::ExitCode;

/// Runs the program.
pub fn main() -> ExitCode {
    ExitCode::from(output::Exit::Done.code())
}
