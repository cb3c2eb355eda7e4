//! Tests of whole features, in one binary: each one links the whole library.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    reason = "tests"
)]

mod mcp;
mod mcp_support;
mod tidy;
