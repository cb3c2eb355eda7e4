//! The file tools, and the fence around the folders they may touch.
//!
//! A path is resolved with all its links before anything is opened; what then lies outside the working folder and the
//! extra roots is refused. Between that check and the use another program could still exchange a folder for a link:
//! the fence keeps a model in, it is no sandbox against hostile local programs.

pub(super) mod edit;
mod encoding;
pub(super) mod list;
mod near;
pub(super) mod put;
mod read;
mod search;

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::text::clean_line;
use crate::tools::local::journal::Journal;
use crate::tools::local::{LocalTool, Options};

/// Why a file tool could not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "`{path}` is outside the working folder `{folder}`; use a path inside it, or add the folder to `roots` under `[tools]` in the config"
    )]
    Outside { path: String, folder: String },
    #[error("the working folder `{folder}` cannot be used")]
    NoFolder { folder: String, source: io::Error },
    #[error("`{path}` does not exist{near}")]
    NotFound { path: String, near: String },
    #[error("`{path}` is a link to something that does not exist")]
    BrokenLink { path: String },
    #[error("`{path}` is a folder; use `list_files` to see what is in it")]
    IsFolder { path: String },
    #[error("`{path}` is a file; use `read_file` to see what is in it")]
    IsFile { path: String },
    #[error("`{path}` is neither a file nor a folder (a device, pipe or socket) and is left alone")]
    Special { path: String },
    #[error("`{path}` is not a text file ({bytes} bytes)")]
    Binary { path: String, bytes: u64 },
    #[error("`{path}` is too large ({bytes} bytes; at most {bytes_max})")]
    TooLarge { path: String, bytes: u64, bytes_max: u64 },
    #[error("could not {operation} `{path}`")]
    Io { operation: &'static str, path: String, source: io::Error },
    #[error("{what}; {hint}")]
    BadArgument { what: String, hint: &'static str },
    #[error("`old_text` is not in `{path}`{nearest}\nread the file and copy the text exactly, spaces and line breaks included")]
    NotThere { path: String, nearest: String },
    #[error(
        "nothing was changed: what the file holds could not be kept for `/undo`; free disk space or make the state folder writable (`wakeful doctor` names it)"
    )]
    Journal { source: io::Error },
    #[error("stopped")]
    Stopped,
}

/// All file tools over one fence.
pub(super) fn tools(workspace: &Arc<Workspace>) -> Vec<LocalTool> {
    vec![
        read::tool(Arc::clone(workspace)),
        list::tool(Arc::clone(workspace)),
        search::tool(Arc::clone(workspace)),
        edit::write_tool(Arc::clone(workspace)),
        edit::edit_tool(Arc::clone(workspace)),
    ]
}

/// The folders that may be touched.
pub(super) struct Workspace {
    options: Options,
    /// Held from reading to renaming: two edits of one file do not lose each other's work.
    writing: Mutex<()>,
    /// Keeps what is changed, where it can be taken back.
    journal: Option<Journal>,
}

/// A path that was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowed {
    /// Absolute, without links.
    pub(super) path: PathBuf,
    /// How it is told: relative to the working folder where it is inside.
    pub(super) shown: String,
}

impl Workspace {
    /// The fence of `options`.
    pub(super) fn new(options: Options, journal: Option<Journal>) -> Self {
        Self { options, writing: Mutex::new(()), journal: journal.filter(Journal::is_on) }
    }

    fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// A folder that may be used and is there, without links.
    pub(super) fn folder_of(&self, path: &str) -> Result<PathBuf, Error> {
        let (allowed, metadata) = self.existing(path)?;
        if metadata.is_dir() { Ok(allowed.path) } else { Err(Error::IsFile { path: allowed.shown }) }
    }

    /// What varies.
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    fn folder(&self) -> Result<PathBuf, Error> {
        let folder = if self.options.folder.as_os_str().is_empty() { Path::new(".") } else { &self.options.folder };
        folder.canonicalize().map_err(|source| Error::NoFolder { folder: shown(folder), source })
    }

    /// Resolves `path`; what is at its end need not exist.
    fn resolve(&self, path: &str) -> Result<Allowed, Error> {
        let folder = self.folder()?;
        let typed = path.trim();
        if typed.contains('\0') {
            return Err(Error::BadArgument { what: "the path holds a zero byte".to_owned(), hint: "give a plain path" });
        }
        let wanted = folder.join(if typed.is_empty() { "." } else { typed });
        let real = real_path(&wanted).map_err(|error| match error {
            Unresolved::BrokenLink => Error::BrokenLink { path: shown(&wanted) },
            Unresolved::Io(source) => Error::Io { operation: "look up", path: shown(&wanted), source },
        })?;
        let inside = |root: &Path| real.starts_with(root);
        // A root that does not exist allows nothing.
        let allowed =
            inside(&folder) || self.options.roots.iter().filter_map(|root| folder.join(root).canonicalize().ok()).any(|root| inside(&root));
        if !allowed {
            return Err(Error::Outside { path: clean_line(typed), folder: shown(&folder) });
        }
        let relative = real.strip_prefix(&folder).map_or_else(|_| shown(&real), shown);
        Ok(Allowed { shown: if relative.is_empty() { ".".to_owned() } else { relative }, path: real })
    }

    /// Resolves the path of a file that must be there.
    fn existing_file(&self, path: &str) -> Result<(Allowed, std::fs::Metadata), Error> {
        let (allowed, metadata) = self.existing(path)?;
        if metadata.is_dir() {
            return Err(Error::IsFolder { path: allowed.shown });
        }
        if !metadata.is_file() {
            return Err(Error::Special { path: allowed.shown });
        }
        Ok((allowed, metadata))
    }

    /// Resolves the path of a file or folder that must be there.
    pub(super) fn existing(&self, path: &str) -> Result<(Allowed, std::fs::Metadata), Error> {
        let allowed = self.resolve(path)?;
        match std::fs::metadata(&allowed.path) {
            Ok(metadata) => Ok((allowed, metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(found) = self.begun_above(path) {
                    return Ok(found);
                }
                let near = near(&allowed.path);
                Err(Error::NotFound { path: allowed.shown, near })
            }
            Err(source) => Err(Error::Io { operation: "look up", path: allowed.shown, source }),
        }
    }

    /// What is meant by a path that begins above the working folder: in `/home/me/project`, `project/src` and
    /// `me/project/src` are `src`. Models take such paths from what they were told of the folder.
    fn begun_above(&self, path: &str) -> Option<(Allowed, std::fs::Metadata)> {
        let folder = self.folder().ok()?;
        let typed = Path::new(path.trim().trim_start_matches("./"));
        let parents: Vec<&Path> = folder.ancestors().skip(1).collect();
        // The longest beginning first: it says most.
        let below = parents.iter().rev().filter_map(|parent| typed.strip_prefix(folder.strip_prefix(parent).ok()?).ok());
        below.filter_map(|below| self.resolve(&below.to_string_lossy()).ok()).find_map(|allowed| {
            let metadata = std::fs::metadata(&allowed.path).ok()?;
            Some((allowed, metadata))
        })
    }

    /// How a path found under an allowed folder is told.
    pub(super) fn relative(&self, path: &Path) -> String {
        self.folder().ok().and_then(|folder| path.strip_prefix(folder).ok().map(shown)).unwrap_or_else(|| shown(path))
    }

    fn lock_writing(&self) -> std::sync::MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Unresolved {
    BrokenLink,
    Io(io::Error),
}

/// The path without links; parts at its end that do not exist are kept as they are (with `..` taken back). What such a
/// `..` leads to may exist and be a link, so that it is looked at again.
fn real_path(wanted: &Path) -> Result<PathBuf, Unresolved> {
    let mut existing = wanted.to_path_buf();
    let mut missing = Vec::new();
    loop {
        match existing.canonicalize() {
            Ok(mut real) => {
                let went_up = missing.iter().any(|part| matches!(part, Part::Up));
                for part in missing.into_iter().rev() {
                    match part {
                        Part::Up => {
                            real.pop();
                        }
                        Part::Down(name) => real.push(name),
                    }
                }
                // There is no `..` left in it: this happens once.
                return if went_up { real_path(&real) } else { Ok(real) };
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if existing.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
                    return Err(Unresolved::BrokenLink);
                }
                match existing.components().next_back() {
                    Some(Component::Normal(name)) => missing.push(Part::Down(name.to_os_string())),
                    Some(Component::ParentDir) => missing.push(Part::Up),
                    _ => return Err(Unresolved::Io(error)),
                }
                existing.pop();
            }
            Err(error) => return Err(Unresolved::Io(error)),
        }
    }
}

enum Part {
    Up,
    Down(std::ffi::OsString),
}

/// The most entries of a folder that are compared for a close name.
const NEAR_ENTRIES_MAX: usize = 2_000;

/// Names in the same folder that are close to one that is missing, as an addition to the message.
fn near(path: &Path) -> String {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else { return String::new() };
    let Ok(entries) = std::fs::read_dir(parent) else { return "; `list_files` shows what is there".to_owned() };
    let name = name.to_lowercase();
    let mut close: Vec<(f64, String)> = entries
        .flatten()
        .take(NEAR_ENTRIES_MAX)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .map(|other| (strsim::jaro_winkler(&other.to_lowercase(), &name), clean_line(&other)))
        .filter(|(score, _)| *score >= 0.8)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let names: Vec<String> = close.into_iter().take(3).map(|(_, other)| format!("`{other}`")).collect();
    if names.is_empty() { "; `list_files` shows what is there".to_owned() } else { format!("; close names: {}", names.join(", ")) }
}

fn shown(path: &Path) -> String {
    clean_line(&path.to_string_lossy())
}

/// Whether these first bytes of a file look like text.
fn is_text(head: &[u8]) -> bool {
    !head.contains(&0)
}

/// How many first bytes are looked at to tell text from binary.
const HEAD_BYTES: usize = 8 * 1_024;

#[cfg(test)]
mod tests;
