//! The command line: parse, load, run, exit code.
