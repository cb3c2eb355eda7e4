//! Files for what is too long for a conversation, or no text at all: images, audio, long results.
//!
//! A file is named by the hash of what it holds, so that the same result is kept once. Old files go away by themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use sha2::{Digest, Sha256};

/// How long a file is kept.
const KEPT_FOR: Duration = Duration::from_hours(24 * 14);

/// Characters of a name: 64 bits of the hash.
const NAME_BYTES: usize = 8;

/// Keeps files in one folder, or nowhere. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Keep(Option<Arc<Folder>>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    swept: AtomicBool,
}

impl Keep {
    /// In `folder`, which is made at the first use.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self(folder.map(|path| Arc::new(Folder { path, swept: AtomicBool::new(false) })))
    }

    /// Keeps `bytes`; tells the file, or `None` where nothing is kept or the disk says no.
    pub(super) async fn save(&self, bytes: Vec<u8>, extension: &'static str) -> Option<PathBuf> {
        let folder = Arc::clone(self.0.as_ref()?);
        let saved = tokio::task::spawn_blocking(move || {
            if !folder.swept.swap(true, Ordering::Relaxed) {
                sweep(&folder.path);
            }
            write(&folder.path, &bytes, extension)
        });
        match saved.await.ok()? {
            Ok(path) => Some(path),
            Err(error) => {
                tracing::warn!(target: "mcp", %error, "a result could not be kept in a file");
                None
            }
        }
    }
}

fn write(folder: &Path, bytes: &[u8], extension: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    private(folder, 0o700)?;
    let name = Sha256::digest(bytes).iter().take(NAME_BYTES).fold(String::new(), |name, byte| format!("{name}{byte:02x}"));
    let path = folder.join(format!("{name}.{extension}"));
    if fs::metadata(&path).is_ok_and(|there| there.len() == bytes.len() as u64) {
        return Ok(path);
    }
    let file = tempfile::Builder::new().prefix(".part-").tempfile_in(folder)?;
    fs::write(file.path(), bytes)?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(path)
}

#[cfg(unix)]
fn private(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn private(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Removes what is older than [`KEPT_FOR`].
fn sweep(folder: &Path) {
    let Some(oldest) = SystemTime::now().checked_sub(KEPT_FOR) else { return };
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_old = file.metadata().and_then(|data| data.modified()).is_ok_and(|at| at < oldest);
        if is_old {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// The usual ending of files of a type.
pub(super) fn extension(mime_type: &str) -> &'static str {
    match mime_type.split(';').next().unwrap_or_default().trim() {
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/svg+xml" => "svg",
        "audio/wav" | "audio/x-wav" => "wav",
        "audio/mpeg" => "mp3",
        "audio/ogg" => "ogg",
        "application/pdf" => "pdf",
        "application/json" => "json",
        "application/zip" => "zip",
        "text/html" => "html",
        "text/csv" => "csv",
        other if other.starts_with("text/") => "txt",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_content_is_kept_once_and_old_files_go() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("old.bin");
        fs::write(&old, "x").unwrap();
        let ago = SystemTime::now() - KEPT_FOR - Duration::from_mins(1);
        fs::File::open(&old).unwrap().set_modified(ago).unwrap();
        let keep = Keep::new(Some(folder.path().to_path_buf()));
        let first = keep.save(b"abc".to_vec(), "txt").await.unwrap();
        assert_eq!(keep.save(b"abc".to_vec(), "txt").await.unwrap(), first);
        assert_eq!(fs::read(&first).unwrap(), b"abc");
        assert!(!old.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(Keep::default().save(Vec::new(), "txt").await, None);
    }
}
