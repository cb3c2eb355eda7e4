//! Themes: complete, honest about errors, right at every depth.
