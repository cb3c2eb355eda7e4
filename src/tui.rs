//! The terminal surface.

pub mod highlight;
pub mod markdown;
pub mod svg;
pub mod theme;
pub mod transcript;
