//! `write_file` and `edit_file`: whole or not at all.
//!
//! A file is written beside its place and renamed into it: whoever reads it sees the old or the new one, never half.
//! Permissions and, where allowed, the owner stay.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use similar::TextDiff;

use super::{Allowed, Error, Workspace};
use crate::domain::text::cut_middle;
use crate::domain::tool::ToolHints;
use crate::tools::ToolOutcome;
use crate::tools::local::define::blocking;
use crate::tools::local::{Definition, FILES, LocalTool};

/// The longest diff that is shown, in bytes.
const DIFF_BYTES_MAX: usize = 64 * 1_024;

/// Lines around a change.
const DIFF_CONTEXT: usize = 3;

/// How long making a diff may take before it is made coarser.
const DIFF_TIME: std::time::Duration = std::time::Duration::from_secs(1);

/// A whole file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WriteArguments {
    /// Path of the file, relative to the working folder; missing folders are made.
    path: String,
    /// The whole new content.
    content: String,
}

/// A change in a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EditArguments {
    /// Path of the file, relative to the working folder.
    path: String,
    /// The exact text to replace; it must be in the file once, unless `replace_all` is set.
    old_text: String,
    /// The text to put in its place.
    new_text: String,
    /// Replaces every occurrence. Default: false.
    #[serde(default)]
    replace_all: Option<bool>,
}

/// What a call will do.
struct Change {
    file: Allowed,
    old: Option<String>,
    new: String,
    replaced: usize,
}

pub(super) fn write_tool(workspace: Arc<Workspace>) -> LocalTool {
    let definition = Definition {
        server: FILES,
        name: "write_file",
        title: "Write a file",
        description: "Writes a text file of the working folder: makes it new or replaces its whole content.",
        hints: ToolHints { read_only: false, destructive: true, idempotent: true, open_world: false },
    };
    let for_preview = Arc::clone(&workspace);
    LocalTool::new(&definition, move |arguments: WriteArguments, _context| {
        let workspace = Arc::clone(&workspace);
        blocking(move || {
            let _writing = workspace.lock_writing();
            let change = plan_write(&workspace, arguments)?;
            if change.old.as_ref() == Some(&change.new) {
                return Ok(ToolOutcome::text(format!("`{}` holds this already; nothing was written", change.file.shown)));
            }
            put(&change)?;
            let (lines, bytes) = (change.new.lines().count(), change.new.len());
            let made = if change.old.is_some() { "replaced" } else { "made" };
            let text = format!("{made} `{}`: {}, {}", change.file.shown, counted(lines, "line"), counted(bytes, "byte"));
            let structured = json!({"path": change.file.shown, "created": change.old.is_none(), "lines": lines, "bytes": bytes});
            Ok(ToolOutcome { text, structured: Some(structured), is_error: false })
        })
    })
    .preview(move |arguments: WriteArguments| preview(Arc::clone(&for_preview), move |workspace| plan_write(workspace, arguments)))
}

pub(super) fn edit_tool(workspace: Arc<Workspace>) -> LocalTool {
    let definition = Definition {
        server: FILES,
        name: "edit_file",
        title: "Edit a file",
        description: "Replaces an exact piece of text in a file of the working folder by another and shows the difference.",
        hints: ToolHints { read_only: false, destructive: true, idempotent: false, open_world: false },
    };
    let for_preview = Arc::clone(&workspace);
    LocalTool::new(&definition, move |arguments: EditArguments, _context| {
        let workspace = Arc::clone(&workspace);
        blocking(move || {
            let _writing = workspace.lock_writing();
            let change = plan_edit(&workspace, &arguments)?;
            put(&change)?;
            let text = format!("changed `{}` in {}\n{}", change.file.shown, counted(change.replaced, "place"), diff(&change));
            let structured = json!({"path": change.file.shown, "replaced": change.replaced});
            Ok(ToolOutcome { text, structured: Some(structured), is_error: false })
        })
    })
    .preview(move |arguments: EditArguments| preview(Arc::clone(&for_preview), move |workspace| plan_edit(workspace, &arguments)))
}

/// The diff of a change that is not made, or why it could not be made.
async fn preview(workspace: Arc<Workspace>, plan: impl FnOnce(&Workspace) -> Result<Change, Error> + Send + 'static) -> Option<String> {
    blocking(move || Ok(plan(&workspace).map_or_else(|error| error.to_string(), |change| diff(&change)))).await.ok()
}

fn plan_write(workspace: &Workspace, arguments: WriteArguments) -> Result<Change, Error> {
    let file = workspace.resolve(&arguments.path)?;
    if arguments.path.trim().is_empty() || arguments.path.trim().ends_with('/') {
        return Err(Error::BadArgument { what: "`path` names no file".to_owned(), hint: "give the path of the file to write" });
    }
    bounded(workspace, &file, arguments.content.len() as u64)?;
    let old = match fs::metadata(&file.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(Error::Io { operation: "look up", path: file.shown, source }),
        Ok(metadata) if metadata.is_dir() => return Err(Error::IsFolder { path: file.shown }),
        Ok(metadata) if !metadata.is_file() => return Err(Error::Special { path: file.shown }),
        // Something else stood there; the diff shows it as text whatever it is.
        Ok(metadata) if metadata.len() > workspace.options.file_bytes_max => Some(format!("[{} bytes]\n", metadata.len())),
        Ok(_) => {
            let bytes = fs::read(&file.path).map_err(|source| Error::Io { operation: "read", path: file.shown.clone(), source })?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
    };
    Ok(Change { file, old, new: arguments.content, replaced: 0 })
}

fn plan_edit(workspace: &Workspace, arguments: &EditArguments) -> Result<Change, Error> {
    let (file, metadata) = workspace.existing_file(&arguments.path)?;
    bounded(workspace, &file, metadata.len())?;
    let bytes = fs::read(&file.path).map_err(|source| Error::Io { operation: "read", path: file.shown.clone(), source })?;
    let old = String::from_utf8(bytes).map_err(|_| Error::Binary { path: file.shown.clone(), bytes: metadata.len() })?;
    if arguments.old_text.is_empty() {
        return Err(Error::BadArgument { what: "`old_text` is empty".to_owned(), hint: "give the text to replace, or use `write_file`" });
    }
    if arguments.old_text == arguments.new_text {
        return Err(Error::BadArgument { what: "`old_text` and `new_text` are the same".to_owned(), hint: "there is nothing to change" });
    }
    let (mut from, mut to) = (arguments.old_text.clone(), arguments.new_text.clone());
    // Models write line feeds; a file with carriage returns keeps its own line ends.
    if !old.contains(&from) && old.contains("\r\n") {
        (from, to) = (with_carriage_returns(&from), with_carriage_returns(&to));
    }
    let replaced = old.matches(&from).count();
    if replaced == 0 {
        let what = format!("`old_text` is not in `{}`", file.shown);
        return Err(Error::BadArgument { what, hint: "read the file and copy the text exactly, spaces and line breaks included" });
    }
    if replaced > 1 && !arguments.replace_all.unwrap_or(false) {
        let what = format!("`old_text` is in `{}` {replaced} times", file.shown);
        return Err(Error::BadArgument { what, hint: "give more of the text around it, or set `replace_all`" });
    }
    // Before it is made: many places and a long text are together more than any memory.
    let kept = (old.len() - replaced * from.len()) as u64;
    let added = (replaced as u64).checked_mul(to.len() as u64);
    bounded(workspace, &file, added.and_then(|added| added.checked_add(kept)).unwrap_or(u64::MAX))?;
    let new = old.replace(&from, &to);
    Ok(Change { file, old: Some(old), new, replaced })
}

fn with_carriage_returns(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

fn bounded(workspace: &Workspace, file: &Allowed, bytes: u64) -> Result<(), Error> {
    let bytes_max = workspace.options.file_bytes_max;
    if bytes > bytes_max { Err(Error::TooLarge { path: file.shown.clone(), bytes, bytes_max }) } else { Ok(()) }
}

fn diff(change: &Change) -> String {
    let old = change.old.as_deref().unwrap_or_default();
    let (before, after) = (format!("a/{}", change.file.shown), format!("b/{}", change.file.shown));
    let before = if change.old.is_some() { before } else { "/dev/null".to_owned() };
    let lines = TextDiff::configure().timeout(DIFF_TIME).diff_lines(old, &change.new);
    let text = lines.unified_diff().context_radius(DIFF_CONTEXT).header(&before, &after).to_string();
    cut_middle(&text, DIFF_BYTES_MAX).into_owned()
}

fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// Writes beside the file and renames.
fn put(change: &Change) -> Result<(), Error> {
    let io = |operation| move |source| Error::Io { operation, path: change.file.shown.clone(), source };
    let target = &change.file.path;
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(io("make the folder of"))?;
    }
    let beside = beside(target);
    let written = write_new(&beside, change.new.as_bytes(), target).and_then(|()| fs::rename(&beside, target));
    if written.is_err() {
        // Best effort: the error that matters is the one that is returned.
        let _ = fs::remove_file(&beside);
    }
    written.map_err(io("write"))?;
    // The new name survives a power cut only when the folder is on disk as well; not every file system can.
    if let Some(parent) = target.parent()
        && let Ok(folder) = File::open(parent)
    {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8], like: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    if let Ok(old) = fs::metadata(like) {
        keep_owner(&file, &old);
        file.set_permissions(old.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn keep_owner(file: &File, old: &fs::Metadata) {
    use std::os::unix::fs::MetadataExt;

    // Only the superuser may give files away; for everybody else the owner is the same already.
    let _ = std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_file: &File, _old: &fs::Metadata) {}

fn beside(target: &Path) -> PathBuf {
    let tail: String = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
    target.with_file_name(format!(".wakeful-{tail}.tmp"))
}
