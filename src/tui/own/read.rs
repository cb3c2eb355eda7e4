//! Reads the folder of the user's own commands, again only where something in it changed. Blocking: call it off the loop.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{OwnCommand, OwnCommands, Problem};
use crate::domain::text::clean_line;

/// Files that are read.
const FILES_MAX: usize = 200;

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A file as it was when it was read last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    path: PathBuf,
    bytes: u64,
    changed: Option<SystemTime>,
}

/// The folder, and what was last seen of it.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    stamps: Option<Vec<Stamp>>,
}

impl Folder {
    /// The commands in `folder`; nothing where it is as it was at the last look. A folder that is not there holds none.
    pub(crate) fn read(&mut self, folder: &Path) -> Option<OwnCommands> {
        let (stamps, problem) = match stamps(folder) {
            Ok(stamps) => (stamps, None),
            Err(error) => (Vec::new(), Some(format!("{}: could not be read: {error}", clean_line(&folder.display().to_string())))),
        };
        if self.stamps.as_ref() == Some(&stamps) && problem.is_none() {
            return None;
        }
        let mut commands = OwnCommands { known: true, ..OwnCommands::default() };
        commands.problems.extend(problem.map(|text| Problem { name: String::new(), text }));
        if stamps.len() > FILES_MAX {
            let text = format!("{} command files are too many: the first {FILES_MAX} by name are read", stamps.len());
            commands.problems.push(Problem { name: String::new(), text });
        }
        for stamp in stamps.iter().take(FILES_MAX) {
            match read(stamp) {
                Ok(command) => commands.list.push(command),
                Err(problem) => commands.problems.push(problem),
            }
        }
        self.stamps = Some(stamps);
        Some(commands)
    }
}

fn stamps(folder: &Path) -> std::io::Result<Vec<Stamp>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let is_markdown = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let stamp = |path: PathBuf| {
        let about = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        Some(Stamp { bytes: about.len(), changed: about.modified().ok(), path })
    };
    // A bound on what a folder by mistake could cost.
    let mut stamps: Vec<Stamp> =
        entries.flatten().take(FILES_MAX * 10).map(|entry| entry.path()).filter(is_markdown).filter_map(stamp).collect();
    stamps.sort();
    Ok(stamps)
}

fn read(stamp: &Stamp) -> Result<OwnCommand, Problem> {
    let name = stamp.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let problem = |line: Option<usize>, reason: &str| {
        let place = clean_line(&stamp.path.display().to_string());
        let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
        Problem { name: name.to_owned(), text: format!("{place}{line}: {reason}") }
    };
    if stamp.bytes > FILE_BYTES_MAX {
        return Err(problem(None, &format!("{} bytes are too many for a prompt: at most {FILE_BYTES_MAX}", stamp.bytes)));
    }
    let bytes = fs::read(&stamp.path).map_err(|error| problem(None, &format!("could not be read: {error}")))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
        problem(Some(1 + before.matches('\n').count()), "this is no UTF-8")
    })?;
    OwnCommand::parse(name, text).map_err(|(line, reason)| problem(line, &reason))
}
