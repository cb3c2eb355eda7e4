//! Gathers the options of all modules: files, environment, flags, each value with its origin.
//!
//! Order, the strongest first: flags, environment, project config, user config, defaults. An unknown key is an error
//! that names the file, the line and the nearest known key. What a project's own files may say is limited until the
//! user trusts the folder.

pub mod edit;
pub mod environment;
pub mod layers;
pub mod load;
pub mod paths;
pub mod settings;
