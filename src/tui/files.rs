//! Files for `@`: a bounded walk that obeys `.gitignore`, and the best paths for a query. Blocking: call it off the loop.

use std::collections::HashMap;
use std::path::Path;

use ignore::WalkBuilder;

use crate::domain::text::clean;
use crate::tui::fuzzy;

/// Files looked at.
const FILES_MAX: usize = 50_000;

/// How deep the walk goes.
const DEPTH_MAX: usize = 16;

/// Paths given back.
const RESULTS_MAX: usize = 50;

/// All files below `root`, as paths relative to it, at most [`FILES_MAX`].
pub(crate) fn list(root: &Path) -> Vec<String> {
    let walk = WalkBuilder::new(root).max_depth(Some(DEPTH_MAX)).follow_links(false).build();
    let files = walk.flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    let mut paths: Vec<String> = files
        .filter_map(|entry| entry.path().strip_prefix(root).ok()?.to_str().map(str::to_owned))
        // A name that could control the terminal is not offered.
        .filter(|path| clean(path) == *path && !path.contains(['\n', '\t']))
        .take(FILES_MAX)
        .collect();
    paths.sort_unstable();
    paths
}

/// The best of `files` for `query`; those that were `used` (path and weight) come before others that fit as well.
pub(crate) fn best(files: &[String], query: &str, used: &[(String, u32)]) -> Vec<String> {
    /// Weight that counts as one point of the match: what is used most gains less than two more letters that fit.
    const WEIGHT_A_POINT: u32 = 400;
    let used: HashMap<&str, u32> = used.iter().map(|(path, weight)| (path.as_str(), weight.div_ceil(WEIGHT_A_POINT))).collect();
    let more = |path: &str| used.get(path).copied().unwrap_or(0);
    let found = fuzzy::scored(query, files.iter().map(String::as_str), true, more);
    found.into_iter().take(RESULTS_MAX).filter_map(|at| files.get(at).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_and_ignored_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("src")).unwrap();
        std::fs::create_dir_all(folder.path().join(".git")).unwrap();
        for (name, text) in
            [("src/main.rs", ""), ("src/lib.rs", ""), ("secret.txt", ""), (".gitignore", "secret.txt\n"), ("a\x1b[31mb", "")]
        {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let files = list(folder.path());
        assert_eq!(files, ["src/lib.rs", "src/main.rs"]);
        assert_eq!(best(&files, "main", &[]), ["src/main.rs"]);
        assert_eq!(best(&files, "", &[]).len(), 2);
    }

    #[test]
    fn what_was_used_comes_before_what_fits_as_well() {
        let files: Vec<String> = ["a/mod.rs", "b/mod.rs", "b/model.rs", "z.rs"].map(str::to_owned).to_vec();
        let used = [("b/mod.rs".to_owned(), 2_000), ("z.rs".to_owned(), 900), ("gone.rs".to_owned(), 9_000)];
        assert_eq!(best(&files, "mod", &[])[0], "a/mod.rs");
        assert_eq!(best(&files, "mod", &used)[0], "b/mod.rs");
        assert_eq!(best(&files, "", &used), ["b/mod.rs", "z.rs", "a/mod.rs", "b/model.rs"]);
    }
}
