//! What the file tools changed, kept so that a person can take it back: also after a crash.
//!
//! Before a file gets its new content, its old content lies in the state folder under its own hash and an entry says
//! what is about to happen; both are on disk (synced) before the file is renamed into place. So after a crash the file
//! holds either the old content (the entry then says nothing happened) or the new one, and the old one can be put back.
//! Taking back is itself a change with an entry, so that it can be taken back as well.
//!
//! One lock of the system guards the journal and every change of a file: it holds across processes and is let go when
//! its holder dies. The journal is bounded in bytes, in entries and in age; the oldest go first.

mod store;
pub mod undo;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::clock::{Clock, Instant};
use crate::domain::ids::SessionId;

/// The largest content that is compared and put back, in bytes.
const CONTENT_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// The most entries that are kept.
const ENTRIES_MAX: usize = 2_000;

/// What the user may set: `[tools.undo]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Bytes of old contents that are kept, in MiB; 0 keeps none, and nothing can be undone. Default: 256.
    pub keep_mib_max: u64,
    /// Days that a change can be undone. Default: 30.
    pub keep_days: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { keep_mib_max: 256, keep_days: 30 }
    }
}

impl Options {
    /// What is wrong with these options, by key and range.
    pub fn problem(&self) -> Option<String> {
        (!(1..=3_650).contains(&self.keep_days)).then(|| format!("`keep_days` is {}; it must be 1 to 3650", self.keep_days))
    }
}

/// A content, by its hash (SHA-256, hex).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(String);

impl Hash {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let hex = |byte: &u8| [byte >> 4, byte & 0xf].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        Self(Sha256::digest(bytes).iter().flat_map(hex).collect())
    }

    /// The file of the object, where it is a hash at all: an entry may have been tampered with.
    fn file_name(&self) -> Option<&str> {
        (self.0.len() == 64 && self.0.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(&self.0)
    }
}

/// One change of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id; later ones are greater.
    pub id: String,
    /// When.
    pub at: Instant,
    /// The session that changed it; absent where another MCP client called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The call that changed it.
    pub call: String,
    /// The tool that changed it; `undo` where a person took a change back.
    pub tool: String,
    /// The file, absolute.
    pub path: PathBuf,
    /// Its content before; absent where there was no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Hash>,
    /// Its permissions before (the bits of `chmod`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Its content after; absent where the file was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Hash>,
    /// The entry that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
}

/// Who changes a file, and how.
#[derive(Debug, Clone)]
pub struct By<'a> {
    /// The session.
    pub session: Option<&'a SessionId>,
    /// The call.
    pub call: &'a str,
    /// The tool.
    pub tool: &'a str,
    /// The entry that is taken back.
    pub undoes: Option<&'a str>,
}

/// The journal of one state folder. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    folder: PathBuf,
    options: Options,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Held while a file is changed.
#[derive(Debug)]
pub struct Held {
    _lock: File,
}

impl Journal {
    /// A journal in `folder`, which is made when it is needed.
    pub fn new(folder: PathBuf, options: Options, clock: Arc<dyn Clock>) -> Self {
        Self { folder, options, clock }
    }

    /// Whether anything is kept at all.
    pub fn is_on(&self) -> bool {
        self.options.keep_mib_max > 0
    }

    /// Waits until no other call or process changes a file.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn hold(&self) -> io::Result<Held> {
        store::make_folder(&self.folder)?;
        let lock = File::options().create(true).truncate(false).write(true).open(self.folder.join("lock"))?;
        lock.lock()?;
        Ok(Held { _lock: lock })
    }

    /// Keeps what is needed to take a change back. On disk when it returns. The change must follow while `held` is held.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(
        &self,
        _held: &Held,
        by: &By<'_>,
        path: &Path,
        old: Option<(&[u8], Option<u32>)>,
        new: Option<&[u8]>,
    ) -> io::Result<Entry> {
        let entry = Entry {
            id: uuid::Uuid::now_v7().simple().to_string(),
            at: self.clock.now(),
            session: by.session.cloned(),
            call: by.call.to_owned(),
            tool: by.tool.to_owned(),
            path: path.to_path_buf(),
            old: old.map(|(bytes, _)| Hash::of(bytes)),
            mode: old.and_then(|(_, mode)| mode),
            new: new.map(Hash::of),
            undoes: by.undoes.map(str::to_owned),
        };
        store::prune(&self.folder, &self.options, entry.at, old.map_or(0, |(bytes, _)| bytes.len()))?;
        if let (Some((bytes, _)), Some(hash)) = (old, &entry.old) {
            store::put_object(&self.folder, hash, bytes)?;
        }
        store::put_entry(&self.folder, &entry)?;
        Ok(entry)
    }

    /// All entries, the oldest first. What cannot be read is passed over.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        store::entries(&self.folder)
    }

    /// The content of that hash, if it is kept and whole.
    pub fn content(&self, hash: &Hash) -> Option<Vec<u8>> {
        store::object(&self.folder, hash)
    }
}

/// A file's content; `None` where there is none.
///
/// # Errors
/// When it is there and cannot be read, or is larger than what is ever put back.
fn content_of(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > CONTENT_BYTES_MAX => Err(io::Error::other("it is larger than 64 MiB")),
        Ok(_) => std::fs::read(path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
