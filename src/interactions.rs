//! Reports of what the agent and its tools did, shipped to a coordinator without losing one; and the coordinator's side.
//!
//! A record is on disk before anything is sent, and leaves the disk only when the coordinator's store has confirmed it.
//! A transport tries once and answers honestly; when to try again is decided above it.

pub mod breaker;
pub mod coordinator;
#[cfg(feature = "grpc")]
pub mod grpc;
pub mod intake;
pub mod options;
pub mod outgoing;
pub mod pace;
pub mod record;
pub mod redact;
pub mod reporter;
#[cfg(feature = "redis")]
pub mod streams;
#[cfg(test)]
mod testing;
pub mod transport;
