//! Files that results were saved in: which of them are read or opened at all.
//!
//! Their paths stand in texts that strangers write. So only plain files count that lie in the folder of results, and
//! only kinds that no program runs.

use std::path::{Path, PathBuf};

/// Endings of what may be opened: nothing here is run by whatever opens it.
const ENDINGS: [&str; 13] = ["png", "jpg", "jpeg", "gif", "webp", "wav", "mp3", "ogg", "pdf", "txt", "csv", "json", "md"];

/// The file itself, without links in its path, where it is one of ours.
///
/// # Errors
/// When it is not, in words.
pub(super) fn within(path: &Path, folder: Option<&Path>) -> Result<PathBuf, String> {
    let folder = folder.and_then(|folder| folder.canonicalize().ok()).ok_or("there is no folder of saved results")?;
    let real = path.canonicalize().map_err(|error| format!("not there any more ({error})"))?;
    let is_ours = real.parent() == Some(folder.as_path()) && real.is_file();
    if is_ours { Ok(real) } else { Err("not a file of saved results, so it is left alone".to_owned()) }
}

/// The same, where it is of a kind that may be opened.
///
/// # Errors
/// When it is not, in words.
pub(super) fn openable(path: &Path, folder: Option<&Path>) -> Result<PathBuf, String> {
    let real = within(path, folder)?;
    let ending = real.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    if ENDINGS.contains(&ending.as_str()) { Ok(real) } else { Err("files of this kind are not opened from here".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_of_our_own_folder_are_opened() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("results");
        std::fs::create_dir(&folder).unwrap();
        let make = |path: &Path| std::fs::write(path, "x").unwrap();
        let (good, script, outside) = (folder.join("a.png"), folder.join("a.desktop"), root.path().join("b.png"));
        [&good, &script, &outside].into_iter().for_each(|path| make(path));
        std::os::unix::fs::symlink(&outside, folder.join("link.png")).unwrap();
        let check = |path: &Path, said: &str| assert!(openable(path, Some(&folder)).unwrap_err().contains(said), "{}", path.display());
        assert_eq!(openable(&good, Some(&folder)).unwrap(), good.canonicalize().unwrap());
        check(&script, "this kind");
        check(&outside, "left alone");
        check(&folder.join("link.png"), "left alone");
        check(&folder.join("../b.png"), "left alone");
        check(&folder, "left alone");
        check(Path::new("/dev/null"), "left alone");
        check(&folder.join("gone.png"), "not there");
        assert!(openable(&good, None).is_err());
    }
}
