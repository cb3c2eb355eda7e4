//! `search_files`: lines that hold a text or match an expression, ignore files respected, binary files passed over.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Error, HEAD_BYTES, Workspace, is_text};
use crate::domain::text::ellipsis;
use crate::domain::tool::ToolHints;
use crate::tools::ToolOutcome;
use crate::tools::local::define::blocking;
use crate::tools::local::{Definition, FILES, LocalTool};

/// Matching lines where no limit is asked for.
const MATCHES: usize = 200;

/// The most matching lines that one can ask for.
const MATCHES_MAX: usize = 1_000;

/// The most files that are looked at.
const FILES_MAX: usize = 50_000;

/// The longest part of a matching line that is shown, in characters.
const LINE_CHARS_MAX: usize = 300;

/// The largest compiled expression, in bytes.
const REGEX_BYTES_MAX: usize = 1_024 * 1_024;

/// What to look for and where.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The text to look for. In small letters it matches any case.
    pattern: String,
    /// A folder or file to search, relative to the working folder. Default: the whole working folder.
    #[serde(default)]
    path: Option<String>,
    /// Whether `pattern` is a regular expression. Default: false.
    #[serde(default)]
    regex: Option<bool>,
    /// The most matching lines to return. Default: 200, at most 1000.
    #[serde(default)]
    limit: Option<usize>,
}

pub(super) fn tool(workspace: Arc<Workspace>) -> LocalTool {
    let definition = Definition {
        server: FILES,
        name: "search_files",
        title: "Search in files",
        description: "Searches the text files of the working folder for a text or a regular expression and returns the matching lines as `path:line: text`. \
                      Hidden, binary and ignored files are passed over.",
        hints: ToolHints::READ_ONLY,
    };
    LocalTool::new(&definition, move |arguments: Arguments, context| {
        let workspace = Arc::clone(&workspace);
        blocking(move || Ok(search(&workspace, &arguments, &context.cancel)?))
    })
}

struct Match {
    path: String,
    line: usize,
    text: String,
}

fn compile(arguments: &Arguments) -> Result<Regex, Error> {
    if arguments.pattern.is_empty() {
        return Err(Error::BadArgument { what: "`pattern` is empty".to_owned(), hint: "say what to look for" });
    }
    let expression = if arguments.regex.unwrap_or(false) { arguments.pattern.clone() } else { regex::escape(&arguments.pattern) };
    let small = !arguments.pattern.chars().any(char::is_uppercase);
    RegexBuilder::new(&expression).case_insensitive(small).size_limit(REGEX_BYTES_MAX).build().map_err(|error| Error::BadArgument {
        what: format!("`{}` is no regular expression ({error})", arguments.pattern),
        hint: "leave out `regex` to look for the plain text",
    })
}

fn search(workspace: &Workspace, arguments: &Arguments, stop: &CancellationToken) -> Result<ToolOutcome, Error> {
    let expression = compile(arguments)?;
    let (root, _) = workspace.existing(arguments.path.as_deref().unwrap_or("."))?;
    let limit = arguments.limit.unwrap_or(MATCHES).clamp(1, MATCHES_MAX);
    let (mut matches, mut files, mut passed_over, mut cut) = (Vec::new(), 0_usize, 0_usize, false);
    for found in super::list::walk(&root).build() {
        if stop.is_cancelled() {
            return Err(Error::Stopped);
        }
        let Ok(found) = found else { continue };
        if !found.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        if matches.len() >= limit || files >= FILES_MAX {
            cut = true;
            break;
        }
        files += 1;
        match text_of(found.path(), workspace.options.file_bytes_max) {
            Some(text) => cut |= collect(&expression, &text, &workspace.relative(found.path()), limit, &mut matches),
            None => passed_over += 1,
        }
    }
    Ok(outcome(arguments, &matches, files, passed_over, cut))
}

/// The text of a file; `None` for binary, too large and unreadable ones.
fn text_of(path: &Path, bytes_max: u64) -> Option<String> {
    let metadata = path.metadata().ok()?;
    if metadata.len() > bytes_max {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    is_text(&bytes[..bytes.len().min(HEAD_BYTES)]).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Adds the matching lines; says whether there were more than fit.
fn collect(expression: &Regex, text: &str, path: &str, limit: usize, matches: &mut Vec<Match>) -> bool {
    for (at, line) in text.lines().enumerate() {
        let Some(hit) = expression.find(line) else { continue };
        if matches.len() >= limit {
            return true;
        }
        // In a very long line the part around the hit is shown.
        let from = line.floor_char_boundary(hit.start().saturating_sub(LINE_CHARS_MAX / 3));
        let part = if line.len() > LINE_CHARS_MAX && from > 0 { format!("…{}", &line[from..]) } else { line.trim_end().to_owned() };
        matches.push(Match { path: path.to_owned(), line: at + 1, text: ellipsis(&part, LINE_CHARS_MAX).into_owned() });
    }
    false
}

fn outcome(arguments: &Arguments, matches: &[Match], files: usize, passed_over: usize, cut: bool) -> ToolOutcome {
    let in_files = matches.chunk_by(|a, b| a.path == b.path).count();
    let mut text = match matches.len() {
        0 => format!("no line matches `{}` in {files} files", arguments.pattern),
        1 => "1 matching line in 1 file".to_owned(),
        count => format!("{count} matching lines in {in_files} file{}", if in_files == 1 { "" } else { "s" }),
    };
    if passed_over > 0 {
        let _ = write!(text, " ({passed_over} binary or too large files passed over)");
    }
    for hit in matches {
        let _ = write!(text, "\n{}:{}: {}", hit.path, hit.line, hit.text);
    }
    if cut {
        let _ = write!(text, "\n[only the first {} are shown; narrow the search with `path` or a longer `pattern`]", matches.len());
    }
    let rows: Vec<Value> = matches.iter().map(|hit| json!({"path": hit.path, "line": hit.line, "text": hit.text})).collect();
    ToolOutcome { text, structured: Some(json!({"matches": rows, "files_searched": files, "truncated": cut})), is_error: false }
}
