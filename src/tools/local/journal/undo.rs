//! Taking changes back: which one, whether that is still possible, and doing it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;

use super::{By, Entry, Hash, Journal, content_of};
use crate::domain::ids::SessionId;
use crate::domain::text::clean_line;
use crate::domain::undo::{UNDO, UndoRow, UndoState};
use crate::tools::local::files::put;

/// Why a change is not taken back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error("there is nothing to undo{hint}")]
    Nothing {
        /// What to try.
        hint: &'static str,
    },
    /// No entry is meant by that.
    #[error("there is no change `{wanted}`, or more than one begins so; `/undo list` (at the shell `wakeful undo list`) shows them")]
    NoSuch {
        /// What was asked for.
        wanted: String,
    },
    /// The file is not as the change left it.
    #[error(
        "`{path}` has changed since; `/undo force` with the same number (at the shell `wakeful undo … --force`) puts the earlier content there all the same; that can be undone too"
    )]
    Changed {
        /// The file.
        path: String,
    },
    /// The old content is not kept any more.
    #[error("the earlier content of `{path}` is not kept any more; nothing was changed")]
    Gone {
        /// The file.
        path: String,
    },
    /// The file cannot be read or written, or the journal.
    #[error("could not {operation} `{path}`")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// With what.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// What taking a change back would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The change.
    pub entry: Entry,
    /// What the file holds now.
    pub now: Option<Vec<u8>>,
    /// What it would hold.
    pub then: Option<Vec<u8>>,
    /// It holds that already: the change never took effect, or somebody took it back by hand.
    pub is_done: bool,
}

impl Journal {
    /// What taking a change back would do. `wanted` is a number of the list, the start of an id, or empty: the last change
    /// of the session that was not taken back.
    ///
    /// # Errors
    /// When there is no such change, or it cannot be taken back.
    pub fn plan(&self, session: Option<&SessionId>, wanted: &str, force: bool) -> Result<Plan, Error> {
        let entry = self.find(session, wanted)?;
        let shown = || clean_line(&entry.path.to_string_lossy());
        let now = content_of(&entry.path).map_err(|source| Error::Io { operation: "read", path: shown(), source })?;
        let hash = now.as_deref().map(Hash::of);
        let is_done = hash == entry.old;
        if !is_done && hash != entry.new && !force {
            return Err(Error::Changed { path: shown() });
        }
        let then = match &entry.old {
            None => None,
            Some(old) => Some(self.content(old).ok_or_else(|| Error::Gone { path: shown() })?),
        };
        Ok(Plan { entry, now, then, is_done })
    }

    /// Takes a change back, as `plan` would.
    ///
    /// # Errors
    /// When it cannot be taken back; then nothing was changed.
    pub fn undo(&self, session: Option<&SessionId>, wanted: &str, force: bool, call: &str) -> Result<Plan, Error> {
        let folder = || clean_line(&self.folder.to_string_lossy());
        let held = self.hold().map_err(|source| Error::Io { operation: "use the journal", path: folder(), source })?;
        let plan = self.plan(session, wanted, force)?;
        if plan.is_done {
            return Ok(plan);
        }
        let path = &plan.entry.path;
        let mode = put::mode_of(path);
        let by = By { session, call, tool: UNDO, undoes: Some(&plan.entry.id) };
        self.record(&held, &by, path, plan.now.as_deref().map(|bytes| (bytes, mode)), plan.then.as_deref())
            .map_err(|source| Error::Io { operation: "use the journal", path: folder(), source })?;
        let io = |operation| {
            let path = clean_line(&path.to_string_lossy());
            move |source| Error::Io { operation, path, source }
        };
        match &plan.then {
            Some(bytes) => put::replace(path, bytes, plan.entry.mode).map_err(io("write"))?,
            None => remove(path).map_err(io("remove"))?,
        }
        Ok(plan)
    }

    /// The changes of a session (of all where absent), the newest first, with what can be done about each.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn rows(&self, session: Option<&SessionId>) -> io::Result<Vec<UndoRow>> {
        let entries = self.entries()?;
        let standing = Standing::of(&entries);
        let own = entries.iter().rev().filter(|entry| is_of(entry, session));
        let row = |(at, entry): (usize, &Entry)| UndoRow {
            number: at + 1,
            id: entry.id.clone(),
            at: entry.at,
            session: entry.session.clone(),
            tool: entry.tool.clone(),
            path: clean_line(&entry.path.to_string_lossy()),
            is_new_file: entry.old.is_none(),
            state: if standing.is_void(entry) {
                UndoState::Absent
            } else if standing.undone.contains(entry.id.as_str()) {
                UndoState::Undone
            } else {
                UndoState::Stands
            },
        };
        Ok(own.enumerate().map(row).collect())
    }

    fn find(&self, session: Option<&SessionId>, wanted: &str) -> Result<Entry, Error> {
        let path = clean_line(&self.folder.to_string_lossy());
        let entries = self.entries().map_err(|source| Error::Io { operation: "read", path, source })?;
        let mut own = entries.iter().rev().filter(|entry| is_of(entry, session));
        let wanted = wanted.trim();
        let no_such = || Error::NoSuch { wanted: clean_line(wanted) };
        if wanted.is_empty() {
            let standing = Standing::of(&entries);
            let stands =
                |entry: &&Entry| entry.undoes.is_none() && !standing.undone.contains(entry.id.as_str()) && !standing.is_void(entry);
            let hint = if entries.is_empty() { "; what `edit_file` and `write_file` change can be undone" } else { " in this session" };
            return own.find(stands).cloned().ok_or(Error::Nothing { hint });
        }
        if let Ok(number) = wanted.parse::<usize>()
            && wanted.len() < 6
        {
            return number.checked_sub(1).and_then(|at| own.nth(at)).cloned().ok_or_else(no_such);
        }
        let mut named = own.filter(|entry| entry.id.starts_with(wanted));
        match (named.next(), named.next()) {
            (Some(one), None) => Ok(one.clone()),
            _ => Err(no_such()),
        }
    }
}

fn is_of(entry: &Entry, session: Option<&SessionId>) -> bool {
    session.is_none() || entry.session.as_ref() == session
}

/// A new file that is taken back goes away, and its folder's entry of it.
fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    if let Some(folder) = path.parent().and_then(|folder| fs::File::open(folder).ok()) {
        // Best effort: not every file system can.
        let _ = folder.sync_all();
    }
    Ok(())
}

/// What of the journal still holds.
struct Standing<'a> {
    /// Entries that were taken back.
    undone: HashSet<&'a str>,
    /// The last entry of each file that did not take effect: the program ended before.
    void: HashSet<&'a str>,
}

impl<'a> Standing<'a> {
    fn of(entries: &'a [Entry]) -> Self {
        let last: HashMap<&Path, &Entry> = entries.iter().map(|entry| (entry.path.as_path(), entry)).collect();
        let is_void = |entry: &&&Entry| {
            entry.old != entry.new && content_of(&entry.path).is_ok_and(|bytes| bytes.as_deref().map(Hash::of) == entry.old)
        };
        let void: HashSet<&str> = last.values().filter(is_void).map(|entry| entry.id.as_str()).collect();
        let mut undone = HashSet::new();
        for entry in entries.iter().filter(|entry| !void.contains(entry.id.as_str())) {
            let Some(undoes) = entry.undoes.as_deref() else { continue };
            undone.insert(undoes);
            // Taking back what took something back makes that stand again.
            let target = entries.iter().find(|known| known.id == undoes).and_then(|known| known.undoes.as_deref());
            if let Some(target) = target {
                undone.remove(target);
            }
        }
        Self { undone, void }
    }

    fn is_void(&self, entry: &Entry) -> bool {
        self.void.contains(entry.id.as_str())
    }
}
