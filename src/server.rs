//! The surface for other programs: WebSocket, HTTP, the dashboard.
//!
//! What happens is made into a [`frame::Frame`] once and spread over one ring ([`hub`]); WebSocket and SSE are readers of
//! it, and a replay from the log goes over into it with neither gap nor repeat. What is wanted comes in over HTTP as a
//! command, or as one of the ports of [`api::Deps`]. Who may come in is decided before anything is read.

pub mod api;
pub mod frame;
pub mod http;
pub mod hub;
pub mod options;

pub use api::Deps;
pub use options::Options;
