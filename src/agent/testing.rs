//! Scripted models and tools for tests.
