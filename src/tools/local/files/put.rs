//! Puts a content into a file whole or not at all: written beside its place, synced, renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Replaces what `path` holds; whoever reads it sees the old or the new content, never half. Permissions and, where
/// allowed, the owner stay; where there is no file `mode` is taken.
pub(in crate::tools::local) fn replace(path: &Path, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let beside = beside(path);
    let written = write_new(&beside, bytes, path, mode).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // Best effort: the error that matters is the one that is returned.
        let _ = fs::remove_file(&beside);
    }
    written?;
    // The new name survives a power cut only when the folder is on disk as well; not every file system can.
    if let Some(parent) = path.parent()
        && let Ok(folder) = File::open(parent)
    {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8], like: &Path, mode: Option<u32>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    match fs::metadata(like) {
        Ok(old) => {
            keep_owner(&file, &old);
            file.set_permissions(old.permissions())?;
        }
        Err(_) => {
            if let Some(mode) = mode {
                set_mode(&file, mode)?;
            }
        }
    }
    file.write_all(bytes)?;
    file.sync_all()
}

/// The permissions of a file (the bits of `chmod`), where it is there.
pub(in crate::tools::local) fn mode_of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o7777)
}

fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode & 0o7777))
}

fn keep_owner(file: &File, old: &fs::Metadata) {
    use std::os::unix::fs::MetadataExt;

    // Only the superuser may give files away; for everybody else the owner is the same already.
    let _ = std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()));
}

fn beside(target: &Path) -> PathBuf {
    let tail: String = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
    target.with_file_name(format!(".wakeful-{tail}.tmp"))
}
