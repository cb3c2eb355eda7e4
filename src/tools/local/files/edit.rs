//! `write_file` and `edit_file`: whole or not at all.
//!
//! A file is written beside its place and renamed into it: whoever reads it sees the old or the new one, never half.
//! What it held is kept first, so that a person can take the change back. Encoding, byte-order mark, line ends and
//! permissions stay as they were.

use std::fs;
use std::io;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use similar::TextDiff;

use super::encoding::{self, Encoding};
use super::{Allowed, Error, Workspace, near, put};
use crate::domain::text::{cut_middle, with_causes};
use crate::domain::tool::ToolHints;
use crate::tools::local::define::blocking;
use crate::tools::local::journal::By;
use crate::tools::local::{Definition, FILES, LocalTool};
use crate::tools::{CallContext, ToolOutcome};

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
    /// What the file holds, as text for the diff and as it is.
    old: Option<String>,
    old_bytes: Option<Vec<u8>>,
    new: String,
    new_bytes: Vec<u8>,
    replaced: usize,
}

pub(super) fn write_tool(workspace: Arc<Workspace>) -> LocalTool {
    let definition = Definition {
        server: FILES,
        name: "write_file",
        title: "Write a file",
        description: "Writes a text file of the working folder: makes it new or replaces its whole content. A file with CRLF line ends keeps them.",
        hints: ToolHints { read_only: false, destructive: true, idempotent: true, open_world: false },
    };
    let for_preview = Arc::clone(&workspace);
    LocalTool::new(&definition, move |arguments: WriteArguments, context| {
        let workspace = Arc::clone(&workspace);
        blocking(move || {
            let change = carry_out(&workspace, "write_file", &context, || plan_write(&workspace, &arguments))?;
            if change.old_bytes.as_ref() == Some(&change.new_bytes) {
                let structured = json!({"path": change.file.shown, "created": false, "changed": false});
                let text = format!("`{}` holds this already; nothing was written", change.file.shown);
                return Ok(ToolOutcome { text, structured: Some(structured), is_error: false });
            }
            let (lines, bytes) = (change.new.lines().count(), change.new_bytes.len());
            let made = if change.old.is_some() { "replaced" } else { "made" };
            let text = format!("{made} `{}`: {}, {}", change.file.shown, counted(lines, "line"), counted(bytes, "byte"));
            let structured =
                json!({"path": change.file.shown, "created": change.old.is_none(), "changed": true, "lines": lines, "bytes": bytes});
            Ok(ToolOutcome { text, structured: Some(structured), is_error: false })
        })
    })
    .preview(move |arguments: WriteArguments| preview(Arc::clone(&for_preview), move |workspace| plan_write(workspace, &arguments)))
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
    LocalTool::new(&definition, move |arguments: EditArguments, context| {
        let workspace = Arc::clone(&workspace);
        blocking(move || {
            let change = carry_out(&workspace, "edit_file", &context, || plan_edit(&workspace, &arguments))?;
            let text = format!("changed `{}` in {}\n{}", change.file.shown, counted(change.replaced, "place"), diff_of(&change));
            let structured = json!({"path": change.file.shown, "replaced": change.replaced});
            Ok(ToolOutcome { text, structured: Some(structured), is_error: false })
        })
    })
    .preview(move |arguments: EditArguments| preview(Arc::clone(&for_preview), move |workspace| plan_edit(workspace, &arguments)))
}

/// The diff of a change that is not made, or why it could not be made.
async fn preview(workspace: Arc<Workspace>, plan: impl FnOnce(&Workspace) -> Result<Change, Error> + Send + 'static) -> Option<String> {
    blocking(move || Ok(plan(&workspace).map_or_else(|error| with_causes(&error), |change| diff_of(&change)))).await.ok()
}

/// Plans a change and makes it while nobody else changes files; what the file held is kept before.
fn carry_out(
    workspace: &Workspace,
    tool: &str,
    context: &CallContext,
    plan: impl FnOnce() -> Result<Change, Error>,
) -> Result<Change, Error> {
    let _writing = workspace.lock_writing();
    let journal = workspace.journal();
    let held = journal.map(|journal| journal.hold().map_err(|source| Error::Journal { source })).transpose()?;
    let change = plan()?;
    if change.old_bytes.as_ref() == Some(&change.new_bytes) {
        return Ok(change);
    }
    let path = &change.file.path;
    if let (Some(journal), Some(held)) = (journal, &held) {
        let by = By { session: context.session.as_ref(), call: context.call_id.as_str(), tool, undoes: None };
        let old = change.old_bytes.as_deref().map(|bytes| (bytes, put::mode_of(path)));
        journal.record(held, &by, path, old, Some(&change.new_bytes)).map_err(|source| Error::Journal { source })?;
    }
    put::replace(path, &change.new_bytes, None).map_err(|source| Error::Io {
        operation: "write",
        path: change.file.shown.clone(),
        source,
    })?;
    Ok(change)
}

fn plan_write(workspace: &Workspace, arguments: &WriteArguments) -> Result<Change, Error> {
    let file = workspace.resolve(&arguments.path)?;
    if arguments.path.trim().is_empty() || arguments.path.trim().ends_with('/') {
        return Err(Error::BadArgument { what: "`path` names no file".to_owned(), hint: "give the path of the file to write" });
    }
    bounded(workspace, &file, arguments.content.len() as u64)?;
    let old_bytes = match fs::metadata(&file.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(Error::Io { operation: "look up", path: file.shown, source }),
        Ok(metadata) if metadata.is_dir() => return Err(Error::IsFolder { path: file.shown }),
        Ok(metadata) if !metadata.is_file() => return Err(Error::Special { path: file.shown }),
        Ok(metadata) => {
            // What is replaced is kept for `/undo`: too much of it is not replaced.
            bounded(workspace, &file, metadata.len())?;
            Some(fs::read(&file.path).map_err(|source| Error::Io { operation: "read", path: file.shown.clone(), source })?)
        }
    };
    // Something that is no text may have stood there; the diff shows it as text whatever it is.
    let known = old_bytes.as_deref().and_then(encoding::decode);
    let (old, encoding) = match (known, &old_bytes) {
        (Some((text, encoding)), _) => (Some(text), encoding),
        (None, bytes) => (bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()), Encoding::Utf8),
    };
    let content = &arguments.content;
    let new = if old.as_deref().is_some_and(has_carriage_returns) && !content.contains('\r') {
        with_carriage_returns(content)
    } else {
        content.clone()
    };
    let new_bytes = encoding::encode(&new, encoding);
    Ok(Change { file, old, old_bytes, new, new_bytes, replaced: 0 })
}

fn plan_edit(workspace: &Workspace, arguments: &EditArguments) -> Result<Change, Error> {
    let (file, metadata) = workspace.existing_file(&arguments.path)?;
    bounded(workspace, &file, metadata.len())?;
    let bytes = fs::read(&file.path).map_err(|source| Error::Io { operation: "read", path: file.shown.clone(), source })?;
    let Some((old, encoding)) = encoding::decode(&bytes) else {
        return Err(Error::Binary { path: file.shown, bytes: metadata.len() });
    };
    if arguments.old_text.is_empty() {
        return Err(Error::BadArgument { what: "`old_text` is empty".to_owned(), hint: "give the text to replace, or use `write_file`" });
    }
    if arguments.old_text == arguments.new_text {
        return Err(Error::BadArgument { what: "`old_text` and `new_text` are the same".to_owned(), hint: "there is nothing to change" });
    }
    let (mut from, mut to) = (arguments.old_text.clone(), arguments.new_text.clone());
    // Models write line feeds; a file with carriage returns keeps its own line ends.
    if old.contains("\r\n") && !from.contains('\r') {
        if !old.contains(&from) {
            from = with_carriage_returns(&from);
        }
        if has_carriage_returns(&old) {
            to = with_carriage_returns(&to);
        }
    }
    let replaced = old.matches(&from).count();
    if replaced == 0 {
        return Err(Error::NotThere { nearest: near::nearest(&old, &arguments.old_text), path: file.shown });
    }
    if replaced > 1 && !arguments.replace_all.unwrap_or(false) {
        let what = format!("`old_text` is in `{}` {replaced} times ({})", file.shown, near::places(&old, &from));
        return Err(Error::BadArgument { what, hint: "give more of the text around it, or set `replace_all`" });
    }
    // Before it is made: many places and a long text are together more than any memory.
    let kept = (old.len() - replaced * from.len()) as u64;
    let added = (replaced as u64).checked_mul(to.len() as u64);
    bounded(workspace, &file, added.and_then(|added| added.checked_add(kept)).unwrap_or(u64::MAX))?;
    let new = old.replace(&from, &to);
    let new_bytes = encoding::encode(&new, encoding);
    Ok(Change { file, old: Some(old), old_bytes: Some(bytes), new, new_bytes, replaced })
}

/// Whether every line ends by carriage return and line feed.
fn has_carriage_returns(text: &str) -> bool {
    let lines = text.matches('\n').count();
    lines > 0 && text.matches("\r\n").count() == lines
}

fn with_carriage_returns(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

fn bounded(workspace: &Workspace, file: &Allowed, bytes: u64) -> Result<(), Error> {
    let bytes_max = workspace.options.file_bytes_max;
    if bytes > bytes_max { Err(Error::TooLarge { path: file.shown.clone(), bytes, bytes_max }) } else { Ok(()) }
}

fn diff_of(change: &Change) -> String {
    diff(&change.file.shown, change.old.as_deref(), Some(&change.new))
}

/// A unified diff of a file: `None` stands for no file.
pub(in crate::tools::local) fn diff(shown: &str, old: Option<&str>, new: Option<&str>) -> String {
    let header = |side: &str, text: Option<&str>| if text.is_some() { format!("{side}/{shown}") } else { "/dev/null".to_owned() };
    let lines = TextDiff::configure().timeout(DIFF_TIME).diff_lines(old.unwrap_or_default(), new.unwrap_or_default());
    let text = lines.unified_diff().context_radius(DIFF_CONTEXT).header(&header("a", old), &header("b", new)).to_string();
    cut_middle(&text, DIFF_BYTES_MAX).into_owned()
}

fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
