//! The terminal surface.
