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

mod attach;
mod autobahn;
mod awake;
mod browser;
mod cache;
mod catalogue;
#[cfg(all(feature = "grpc", feature = "redis", feature = "postgres", feature = "mysql"))]
mod chaos;
#[cfg(feature = "grpc")]
mod chaos_grpc;
#[cfg(feature = "grpc")]
mod chaos_way;
mod commands;
mod conformance_client;
mod conformance_server;
#[cfg(all(feature = "grpc", feature = "redis"))]
mod coordinator;
mod corpus;
mod crash;
mod dashboard;
mod exec;
mod feed;
mod feed_api;
mod feed_clients;
mod feed_support;
mod hands;
mod keys;
mod mail;
mod many;
mod mcp;
mod mcp_both;
mod mcp_http;
mod mcp_serve;
mod mcp_support;
mod memory;
mod misbehaving;
mod oauth;
mod oauth_fake;
mod openai;
mod openai_fake;
mod peers;
mod pictures;
#[cfg(feature = "postgres")]
mod postgres;
mod pty;
mod readme;
mod report;
mod serve_clients;
mod serve_fixture;
mod serving;
mod store;
mod support;
mod tasks;
mod terminal;
mod tidy;
mod undo;
mod watch;
mod web;
