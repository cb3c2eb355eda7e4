//! The web as tasks and tools see it: pages read as text, and rendered where scripts draw them.
//!
//! `page` turns bytes into what a page says and tells whether that changed; `render` lets an installed browser make the
//! page first. What is fetched, and whether it may be, is the business of `net`.

pub mod page;
pub mod render;
