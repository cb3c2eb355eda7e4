//! Gathers the options of all modules from files, environment and flags.
