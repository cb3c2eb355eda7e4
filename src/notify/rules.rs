//! When a notice may go, when it is tried again, and how many become one. Pure: the caller brings time and randomness.

mod digest;
mod limit;
mod quiet;
mod retry;

pub use digest::combine;
pub use limit::Limit;
pub use quiet::QuietHours;
pub use retry::{Step, after_failure};

#[cfg(test)]
mod tests;
