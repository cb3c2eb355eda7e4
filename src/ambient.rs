//! What goes on while nobody looks: pages that are watched, and what else runs by itself.

pub mod page;
