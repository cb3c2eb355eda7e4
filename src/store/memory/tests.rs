//! Memories in a real file.
