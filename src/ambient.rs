//! The ambient half: background tasks, when they are due, what they look at and what is done about what they find.

pub mod plan;
pub mod spec;
