//! Holds the rules of the house, so that nobody has to remember them: which module may import which, where vendor
//! crates live, `//!` on every file, and how long a file may grow.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules in the order of the layers: each may import from those above it only.
const LAYERS: &[&str] = &[
    "domain",
    "bus",
    "net",
    "store",
    "tools",
    "llm",
    "memory",
    "mcp",
    "notify",
    "interactions",
    "web",
    "ambient",
    "agent",
    "server",
    "remote",
    "tui",
    "config",
    "app",
    "cli",
];

/// Modules that know less than their layer would allow.
const NARROW: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("bus", &["domain"]),
    ("net", &["domain"]),
    ("store", &["domain", "bus"]),
    ("tools", &["domain"]),
    ("llm", &["domain", "net", "tools"]),
    ("memory", &["domain", "store", "tools", "llm"]),
    ("mcp", &["domain", "bus", "net", "tools"]),
    ("notify", &["domain", "net"]),
    ("interactions", &["domain", "bus", "net", "store"]),
    ("web", &["domain", "net", "store", "tools", "notify"]),
    ("ambient", &["domain", "bus", "net", "store", "tools", "notify", "web"]),
    ("agent", &["domain", "bus", "tools", "llm"]),
    ("server", &["domain", "bus", "net", "tools"]),
    ("remote", &["domain", "bus", "net"]),
    ("tui", &["domain", "bus"]),
];

/// Vendor crates and the only modules that may name them.
const VENDORS: &[(&str, &[&str])] = &[
    ("reqwest", &["net"]),
    ("texting_robots", &["net"]),
    ("rusqlite", &["store"]),
    ("lru", &["store"]),
    ("pulp", &["store"]),
    ("redis", &["store", "interactions"]),
    ("tokio_postgres", &["store"]),
    ("tokio_postgres_rustls", &["store"]),
    ("mysql_async", &["store"]),
    ("tonic", &["interactions"]),
    ("prost", &["interactions"]),
    ("async_openai", &["llm"]),
    ("eventsource_stream", &["llm", "mcp"]),
    ("rmcp", &["mcp"]),
    ("axum", &["server"]),
    ("tower_http", &["server"]),
    ("tokio_tungstenite", &["web", "remote"]),
    ("keyring", &["mcp"]),
    ("lettre", &["notify"]),
    ("notify_rust", &["notify"]),
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("tui_textarea", &["tui"]),
    ("syntect", &["tui"]),
    ("image", &["tui"]),
    ("pulldown_cmark", &["tui"]),
    ("directories", &["config"]),
    ("toml_edit", &["config"]),
    ("clap", &["cli"]),
    ("croner", &["ambient"]),
    ("landlock", &["tools"]),
    ("tree_sitter", &["tools"]),
    ("dom_query", &["web"]),
    ("dom_smoothie", &["web"]),
    ("feed_rs", &["web"]),
    ("http_cache_semantics", &["web"]),
];

/// Only this file names the composer's crate, so that it can be exchanged in one place.
const COMPOSER: &str = "src/tui/composer.rs";

/// The most lines a file may have, tests not counted.
const LINES_MAX: usize = 600;

struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let relative = path.strip_prefix(root).unwrap().to_path_buf();
        let module = relative.components().nth(1).unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        Source { path: relative, module, text }
    };
    files.into_iter().map(read).collect()
}

fn collect(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            out.push(path);
        }
    }
}

fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "testing.rs" | "testing")))
}

/// The part of a file that ships: without the test module at its end, without comments.
fn shipped(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The names that follow `prefix` in `text`, at word boundaries.
fn names_after<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let ident = |ch: char| ch.is_ascii_alphanumeric() || ch == '_';
    text.match_indices(prefix)
        .filter(|(at, _)| !text[..*at].chars().next_back().is_some_and(|ch| ident(ch) || ch == ':'))
        .map(|(at, _)| text[at + prefix.len()..].split(|ch| !ident(ch)).next().unwrap_or_default())
        .collect()
}

#[test]
fn modules_import_only_from_layers_above() {
    let mut broken = Vec::new();
    for source in sources() {
        if ["main", "lib"].contains(&source.module.as_str()) || is_test_file(&source.path) {
            continue;
        }
        let layer = LAYERS.iter().position(|name| *name == source.module);
        let Some(layer) = layer else {
            broken.push(format!("{}: module `{}` has no layer", source.path.display(), source.module));
            continue;
        };
        let narrow = NARROW.iter().find(|(name, _)| *name == source.module).map(|(_, allowed)| *allowed);
        for used in names_after(&shipped(&source.text), "crate::") {
            if used == source.module || !LAYERS.contains(&used) {
                continue;
            }
            let above = LAYERS.iter().position(|name| *name == used).is_some_and(|at| at < layer);
            if !above || narrow.is_some_and(|allowed| !allowed.contains(&used)) {
                broken.push(format!("{}: `{}` may not import `{used}`", source.path.display(), source.module));
            }
        }
    }
    broken.dedup();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn vendor_crates_stay_home() {
    let mut broken = Vec::new();
    for source in sources() {
        if is_test_file(&source.path) {
            continue;
        }
        let text = shipped(&source.text);
        for (vendor, homes) in VENDORS {
            let named = text.match_indices(&format!("{vendor}::")).any(|(at, _)| {
                !text[..at].chars().next_back().is_some_and(|ch| ch.is_ascii_alphanumeric() || ch == '_' || ch == ':' || ch == '"')
            });
            let home = homes.contains(&source.module.as_str()) && (*vendor != "tui_textarea" || source.path == Path::new(COMPOSER));
            if named && !home {
                broken.push(format!("{}: `{vendor}` lives only in {homes:?}", source.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = sources().into_iter().filter(|source| !source.text.starts_with("//! ")).map(|source| source.path).collect();
    assert!(silent.is_empty(), "no `//!` at the top: {silent:?}");
}

/// A file that no `mod` names is never compiled: tests in it pass because nobody runs them.
#[test]
fn every_file_is_part_of_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    ["src", "tests", "benches"].iter().for_each(|folder| collect(&root.join(folder), &mut files));
    let named = |file: &Path| fs::read_to_string(file).map(|text| declared(&text)).unwrap_or_default();
    let by_path: Vec<PathBuf> = files
        .iter()
        .flat_map(|file| {
            named(file).into_iter().filter_map(|(_, path)| path.map(|path| file.parent().unwrap().join(path))).collect::<Vec<_>>()
        })
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    let is_root = |file: &Path| {
        let name = file.file_name().unwrap();
        name == "main.rs" || name == "lib.rs" || file.parent() == Some(&root.join("benches"))
    };
    let is_named = |file: &Path| {
        let (folder, name) = (file.parent().unwrap(), file.file_stem().unwrap().to_str().unwrap());
        let owners = [folder.with_extension("rs"), folder.join("lib.rs"), folder.join("main.rs"), folder.join("mod.rs")];
        owners.iter().any(|owner| named(owner).iter().any(|(module, path)| path.is_none() && module == name))
    };
    let lost: Vec<_> = files.iter().filter(|file| !is_root(file) && !by_path.contains(file) && !is_named(file)).collect();
    assert!(files.len() > 400 && lost.is_empty(), "of {} files no `mod` names {lost:?}", files.len());
}

/// The modules that lie in files of their own, and the path where one is told.
fn declared(text: &str) -> Vec<(String, Option<String>)> {
    let (mut all, mut path) = (Vec::new(), None);
    for line in text.lines().map(str::trim) {
        if let Some(told) = line.strip_prefix("#[path = \"") {
            path = told.strip_suffix("\"]").map(str::to_owned);
        } else if let Some((_, name)) =
            line.strip_suffix(';').and_then(|line| format!(" {line}").rsplit_once(" mod ").map(|(a, b)| (a.to_owned(), b.to_owned())))
        {
            all.push((name, path.take()));
        }
    }
    all
}

#[test]
fn files_stay_small() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|source| !is_test_file(&source.path))
        .map(|source| (source.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().count(), source.path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "over {LINES_MAX} lines (a second subject inside?): {long:?}");
}
