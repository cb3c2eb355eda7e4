//! `list_files`: what is in a folder, ignore files respected.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};
use ignore::WalkBuilder;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Allowed, Error, Workspace, shown};
use crate::domain::tool::ToolHints;
use crate::tools::ToolOutcome;
use crate::tools::local::define::blocking;
use crate::tools::local::machine::size;
use crate::tools::local::{Definition, FILES, LocalTool};

/// The most entries that are listed.
const ENTRIES_MAX: usize = 1_000;

/// The most entries that are looked at (a glob may pass over many).
const VISITED_MAX: usize = 200_000;

/// The deepest that one can ask for.
const DEPTH_MAX: u64 = 32;

/// A folder and how deep to look.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Path of the folder, relative to the working folder. Default: the working folder itself.
    #[serde(default)]
    path: Option<String>,
    /// How many levels of folders to show; 1 is the folder alone. Default: 1, with `glob` all.
    #[serde(default)]
    depth: Option<u64>,
    /// Shows only files whose name (or, with a slash in it, whose path) matches, for example `*.rs`.
    #[serde(default)]
    glob: Option<String>,
    /// Shows hidden files too (not the inside of `.git`). Default: false.
    #[serde(default)]
    hidden: Option<bool>,
}

pub(super) fn tool(workspace: Arc<Workspace>) -> LocalTool {
    let definition = Definition {
        server: FILES,
        name: "list_files",
        title: "List files",
        description: "Lists files and folders, with sizes. Hidden files and those that .gitignore names are left out.",
        hints: ToolHints::READ_ONLY,
    };
    LocalTool::new(&definition, move |arguments: Arguments, context| {
        let workspace = Arc::clone(&workspace);
        blocking(move || Ok(list(&workspace, &arguments, &context.cancel)?))
    })
}

/// Compiles a glob; one without a slash is matched against names in any folder.
pub(in crate::tools::local) fn matcher(glob: &str) -> Result<GlobMatcher, Error> {
    let built = GlobBuilder::new(glob).literal_separator(true).build();
    built.map(|glob| glob.compile_matcher()).map_err(|error| Error::BadArgument {
        what: format!("`{glob}` is no glob ({})", error.kind()),
        hint: "write one like `*.rs` or `src/**/*.toml`",
    })
}

/// A walk over what is not ignored, in the order of names, links not followed.
pub(in crate::tools::local) fn walk(root: &Path, hidden: bool) -> WalkBuilder {
    let mut walk = WalkBuilder::new(root);
    walk.hidden(!hidden).filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git");
    // The user's global ignore file would make the answer depend on the machine.
    walk.require_git(false).git_global(false).follow_links(false).sort_by_file_name(Ord::cmp);
    walk
}

struct Entry {
    path: String,
    bytes: Option<u64>,
    kind: &'static str,
}

fn list(workspace: &Workspace, arguments: &Arguments, stop: &CancellationToken) -> Result<ToolOutcome, Error> {
    let (root, metadata) = workspace.existing(arguments.path.as_deref().unwrap_or("."))?;
    if !metadata.is_dir() {
        return Err(if metadata.is_file() { Error::IsFile { path: root.shown } } else { Error::Special { path: root.shown } });
    }
    let glob = arguments.glob.as_deref().map(str::trim).filter(|glob| !glob.is_empty());
    let by_path = glob.is_some_and(|glob| glob.contains('/'));
    let matcher = glob.map(matcher).transpose()?;
    let depth = arguments.depth.unwrap_or(if glob.is_some() { DEPTH_MAX } else { 1 }).clamp(1, DEPTH_MAX);
    let (mut entries, mut cut) = (Vec::new(), false);
    let walk = walk(&root.path, arguments.hidden.unwrap_or(false)).max_depth(usize::try_from(depth).ok()).build();
    for (visited, found) in walk.enumerate() {
        if stop.is_cancelled() {
            return Err(Error::Stopped);
        }
        if visited >= VISITED_MAX || entries.len() >= ENTRIES_MAX {
            cut = true;
            break;
        }
        // A folder that may not be opened is passed over.
        let Ok(found) = found else { continue };
        if found.depth() == 0 {
            continue;
        }
        let Ok(below) = found.path().strip_prefix(&root.path) else { continue };
        let kind = found.file_type();
        let is_folder = kind.is_some_and(|kind| kind.is_dir());
        if let Some(matcher) = &matcher
            && (is_folder || !(if by_path { matcher.is_match(below) } else { matcher.is_match(found.file_name()) }))
        {
            continue;
        }
        let kind = if is_folder {
            "folder"
        } else if kind.is_some_and(|kind| kind.is_symlink()) {
            "link"
        } else {
            "file"
        };
        let bytes = if kind == "file" { found.metadata().ok().map(|metadata| metadata.len()) } else { None };
        entries.push(Entry { path: shown(below), bytes, kind });
    }
    Ok(outcome(&root, glob, &entries, cut))
}

fn outcome(root: &Allowed, glob: Option<&str>, entries: &[Entry], cut: bool) -> ToolOutcome {
    let folders = entries.iter().filter(|entry| entry.kind == "folder").count();
    let plural = |count: usize, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    let matching = glob.map(|glob| format!(" matching `{}`", crate::domain::text::clean_line(glob))).unwrap_or_default();
    let mut text = format!("{}: {}, {}{matching}", root.shown, plural(folders, "folder"), plural(entries.len() - folders, "file"));
    for entry in entries {
        let _ = match (entry.kind, entry.bytes) {
            ("folder", _) => write!(text, "\n{}/", entry.path),
            ("link", _) => write!(text, "\n{} (link)", entry.path),
            (_, Some(bytes)) => write!(text, "\n{} ({})", entry.path, size(bytes)),
            _ => write!(text, "\n{}", entry.path),
        };
    }
    if cut {
        let _ = write!(text, "\n[only the first {} are shown; ask for a folder inside, or with `glob`]", entries.len());
    }
    let rows: Vec<Value> = entries.iter().map(|entry| json!({"path": entry.path, "kind": entry.kind, "bytes": entry.bytes})).collect();
    ToolOutcome { text, structured: Some(json!({"path": root.shown, "entries": rows, "truncated": cut})), is_error: false }
}
