//! Markdown into lines.
