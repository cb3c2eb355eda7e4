//! The folders that wakeful keeps its files in.

use std::path::{Path, PathBuf};

use crate::config::environment::Environment;

/// One variable puts all folders under one root: for tests, portable installs and a second identity.
pub const HOME_VARIABLE: &str = "WAKEFUL_HOME";

/// Where files live. Nothing is made on disk before it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `config.toml`, `mcp.json`, `themes/`, `commands/`.
    pub config: PathBuf,
    /// The event log and what else must not be lost.
    pub data: PathBuf,
    /// Logs, input history: kept, but not precious.
    pub state: PathBuf,
    /// What can be made again.
    pub cache: PathBuf,
}

impl Paths {
    /// The folders that the platform's conventions name (XDG, Known Folders, Standard Directories), or those under
    /// [`HOME_VARIABLE`].
    ///
    /// # Errors
    /// When the platform tells no home folder.
    pub fn find(environment: &Environment) -> Result<Self, String> {
        if let Some(home) = environment.process(HOME_VARIABLE) {
            return Ok(Self::under(Path::new(home)));
        }
        let dirs = directories::ProjectDirs::from("", "", "wakeful")
            .ok_or_else(|| format!("no home folder is known: set `HOME`, or `{HOME_VARIABLE}` to a folder for wakeful's files"))?;
        let state = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir());
        Ok(Self {
            config: dirs.config_dir().to_path_buf(),
            data: dirs.data_dir().to_path_buf(),
            state: state.to_path_buf(),
            cache: dirs.cache_dir().to_path_buf(),
        })
    }

    /// All folders under `root`.
    pub fn under(root: &Path) -> Self {
        Self { config: root.join("config"), data: root.join("data"), state: root.join("state"), cache: root.join("cache") }
    }

    /// The user's config file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The event log.
    pub fn events_file(&self) -> PathBuf {
        self.data.join("events.db")
    }

    /// What was fetched and is kept.
    pub fn cache_file(&self) -> PathBuf {
        self.cache.join(crate::store::cache::Options::FILE_NAME)
    }

    /// The memories.
    pub fn memory_file(&self) -> PathBuf {
        self.data.join("memory.db")
    }

    /// The folder of logins to servers; only the user may read it.
    pub fn oauth(&self) -> PathBuf {
        self.data.join("oauth")
    }

    /// What was typed into the composer, across runs.
    pub fn history_file(&self) -> PathBuf {
        self.state.join("history.jsonl")
    }

    /// The log files' folder.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// The user's own commands.
    pub fn commands(&self) -> PathBuf {
        self.config.join("commands")
    }

    /// How the screen was laid out, and what is used often.
    pub fn screen_file(&self) -> PathBuf {
        self.state.join("screen.json")
    }

    /// The user's own themes.
    pub fn themes(&self) -> PathBuf {
        self.config.join("themes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_variable_moves_everything() {
        let environment = Environment::of([(HOME_VARIABLE, "/tmp/w")]);
        let paths = Paths::find(&environment).unwrap();
        assert_eq!(paths.config_file(), Path::new("/tmp/w/config/config.toml"));
        assert_eq!(paths.events_file(), Path::new("/tmp/w/data/events.db"));
    }
}
