//! What a command may write: the working folder and its repository, temporary folders, caches of the usual build tools.

use std::path::{Path, PathBuf};

/// Folders below the home folder in which build tools keep what they fetch and build.
const CACHES: [&str; 27] = [
    ".cache",
    ".npm",
    ".cargo",
    ".rustup",
    ".yarn",
    ".pnpm-store",
    ".local/share/pnpm",
    ".bun",
    ".deno",
    ".gradle",
    ".m2",
    ".ivy2",
    ".sbt",
    ".nuget",
    ".dotnet",
    ".conda",
    ".gem",
    ".bundle",
    ".stack",
    ".cabal",
    ".mix",
    ".hex",
    ".pub-cache",
    ".ccache",
    "go",
    // Signing a commit takes locks here.
    ".gnupg",
    "Library/Caches",
];

/// Caches that are made where they are missing: a fence knows no folder that is not there.
const MADE: [&str; 2] = [".cache", ".npm"];

/// Variables that name such folders.
const NAMED: [&str; 19] = [
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "RUSTUP_HOME",
    "GOPATH",
    "GOCACHE",
    "GOMODCACHE",
    "npm_config_cache",
    "PNPM_HOME",
    "YARN_CACHE_FOLDER",
    "GRADLE_USER_HOME",
    "PIP_CACHE_DIR",
    "UV_CACHE_DIR",
    "CCACHE_DIR",
    "SCCACHE_DIR",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "TMPDIR",
];

/// Folders above that are looked through for a repository.
const ABOVE_MAX: usize = 64;

/// What a command that runs in `folder` may write, beside `more`; `variable` reads the environment.
pub(super) fn writable<'a>(
    folder: &Path,
    more: impl Iterator<Item = &'a PathBuf>,
    variable: &dyn Fn(&str) -> Option<PathBuf>,
) -> Vec<PathBuf> {
    let mut found = vec![folder.to_path_buf(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
    found.extend(more.cloned());
    let home = variable("HOME").filter(|home| home.is_absolute());
    found.extend(repository(folder, home.as_deref()));
    if let Some(home) = &home {
        if home.is_dir() {
            for name in MADE {
                // Where it cannot be made the command tells of it.
                let _ = std::fs::create_dir(home.join(name));
            }
        }
        found.extend(CACHES.iter().map(|cache| home.join(cache)));
    }
    found.extend(NAMED.iter().filter_map(|name| variable(name)).filter(|path| path.is_absolute() && path.parent().is_some()));
    found.sort();
    found.dedup();
    found
}

/// What a command may read beside what it may write, where reading is fenced in: the folders of the programs on the path.
pub(super) fn readable(variable: &dyn Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let home = variable("HOME");
    let mut found: Vec<PathBuf> = std::env::split_paths(&path)
        .filter(|entry| entry.is_absolute())
        // `…/bin` reads `…/lib` beside it.
        .map(|entry| match entry.parent() {
            Some(above) if above.parent().is_some() && Some(above) != home.as_deref() => above.to_path_buf(),
            _ => entry,
        })
        .collect();
    found.extend(home.iter().flat_map(|home| [home.join(".gitconfig"), home.join(".config/git")]));
    found.sort();
    found.dedup();
    found
}

/// The work tree that holds `folder` and its repository, which may lie elsewhere (a linked work tree, a submodule).
fn repository(folder: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    for above in folder.ancestors().take(ABOVE_MAX) {
        let git = above.join(".git");
        let Ok(metadata) = git.metadata() else { continue };
        let mut found = Vec::new();
        // Whoever keeps the home folder in a repository does not lend all of it.
        if above.parent().is_some() && !home.is_some_and(|home| home.starts_with(above)) {
            found.push(above.to_path_buf());
        }
        if metadata.is_dir() {
            found.push(git);
        } else if let Some(target) = std::fs::read_to_string(&git).ok().and_then(|text| named(&text, "gitdir:")) {
            let own = above.join(target);
            let common = std::fs::read_to_string(own.join("commondir")).ok().and_then(|text| named(&text, ""));
            found.extend(common.map(|common| own.join(common)).and_then(|common| common.canonicalize().ok()));
            found.push(own);
        }
        return found;
    }
    Vec::new()
}

/// The path behind `key` in the first line.
fn named(text: &str, key: &str) -> Option<PathBuf> {
    text.lines().next()?.strip_prefix(key).map(str::trim).filter(|path| !path.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_of_a_linked_work_tree_is_found() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        std::fs::create_dir_all(at("main/.git/worktrees/side")).unwrap();
        std::fs::create_dir_all(at("side/src")).unwrap();
        std::fs::write(at("side/.git"), format!("gitdir: {}\n", at("main/.git/worktrees/side").display())).unwrap();
        std::fs::write(at("main/.git/worktrees/side/commondir"), "../..\n").unwrap();
        let found = repository(&at("side/src"), None);
        let common = at("main/.git").canonicalize().unwrap();
        assert_eq!(found, [at("side"), common, at("main/.git/worktrees/side")]);
    }

    #[test]
    fn a_home_folder_in_a_repository_is_not_lent_whole() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(".git")).unwrap();
        std::fs::create_dir_all(home.path().join("work")).unwrap();
        let environment = |name: &str| (name == "HOME").then(|| home.path().to_path_buf());
        let found = writable(&home.path().join("work"), std::iter::empty(), &environment);
        assert!(!found.contains(&home.path().to_path_buf()) && found.contains(&home.path().join(".git")), "{found:?}");
        assert!(found.contains(&home.path().join(".cargo")) && home.path().join(".npm").is_dir());
    }
}
