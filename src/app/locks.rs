//! One process for one session: a lock file for each session that is open, which the system lets go when its holder dies.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::agent::{Claim, SessionLocks};
use crate::domain::ids::SessionId;

/// How often a lock file that its last holder removed at the same moment is made anew.
const TRIES_MAX: usize = 100;

/// The lock of the process that runs the background tasks.
const AWAKE: &str = "awake";

/// Locks in a folder.
#[derive(Debug)]
pub struct FolderLocks(PathBuf);

impl FolderLocks {
    /// Locks in `folder`, which is made when the first is needed.
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Says, for as long as the claim lives, that a process here runs the background tasks. None where another one says
    /// so already: several may be awake, one of them leads.
    pub fn stay_awake(&self) -> Option<Claim> {
        self.claim(&SessionId::from(AWAKE)).ok()
    }

    /// Whether a process on this machine runs the background tasks.
    pub fn is_awake(&self) -> bool {
        self.0.join(AWAKE).exists() && self.stay_awake().is_none()
    }
}

impl SessionLocks for FolderLocks {
    fn claim(&self, session: &SessionId) -> Result<Claim, String> {
        // Identifiers from a command may hold anything; a file's name may not.
        let name: String = session.as_str().chars().filter(|ch| ch.is_ascii_alphanumeric() || *ch == '-').take(64).collect();
        let path = self.0.join(name);
        let failed = |error: std::io::Error| format!("could not lock the session ({}): {error}", path.display());
        fs::create_dir_all(&self.0).map_err(failed)?;
        for _ in 0..TRIES_MAX {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) if is_same(&file, &path) => return Ok(Box::new(Held { _file: file, path })),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err("this session is open in another wakeful".to_owned()),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Err("this session is being opened and closed by another wakeful all the time".to_owned())
    }
}

/// Whether the locked file is still the one that others find: its last holder removes it.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = |meta: std::io::Result<fs::Metadata>| meta.map(|meta| (meta.dev(), meta.ino())).ok();
    inode(file.metadata()).is_some_and(|ours| inode(fs::metadata(path)) == Some(ours))
}

#[cfg(not(unix))]
fn is_same(_file: &File, path: &Path) -> bool {
    path.exists()
}

struct Held {
    _file: File,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        // First the name, then the lock: who opened the file meanwhile sees that it is no longer the one.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_held_once_and_free_again_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let locks = FolderLocks::new(folder.path().join("locks"));
        let (one, two) = (SessionId::generate(), SessionId::generate());
        let held = locks.claim(&one).unwrap();
        assert_eq!(locks.claim(&one).err().unwrap(), "this session is open in another wakeful");
        assert!(locks.claim(&two).is_ok());
        drop(held);
        assert!(locks.claim(&one).is_ok());
        assert_eq!(fs::read_dir(folder.path().join("locks")).unwrap().count(), 0, "nothing is left behind");
    }
}
