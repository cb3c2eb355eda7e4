//! `search_files`: lines that hold a text or match an expression, ignore files respected, binary files passed over.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Error, HEAD_BYTES, Workspace, encoding, is_text};
use crate::domain::text::{clean_line, ellipsis};
use crate::domain::tool::ToolHints;
use crate::tools::ToolOutcome;
use crate::tools::local::define::blocking;
use crate::tools::local::{Definition, FILES, LocalTool};

/// Matching lines where no limit is asked for.
const MATCHES: usize = 200;

/// The most matching lines that one can ask for.
const MATCHES_MAX: usize = 1_000;

/// The most lines around a match that one can ask for.
const CONTEXT_MAX: usize = 10;

/// The most lines that are shown, those around matches included.
const LINES_MAX: usize = 3_000;

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
    /// Searches only files whose name (or, with a slash in it, whose path below the folder) matches, for example `*.rs`.
    #[serde(default)]
    glob: Option<String>,
    /// Lines to show before and after each matching line. Default: 0, at most 10.
    #[serde(default)]
    context: Option<usize>,
    /// Searches hidden files too (not the inside of `.git`). Default: false.
    #[serde(default)]
    hidden: Option<bool>,
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
    /// It matches; else it stands around one that does.
    is_hit: bool,
}

/// What was found.
#[derive(Default)]
struct Found {
    lines: Vec<Match>,
    hits: usize,
    files: usize,
    passed_over: usize,
    cut: bool,
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

/// The folder to search and the glob of its files. Models put globs into the path: what has wildcards and is no file is
/// taken for one, below the folders before it.
fn place<'a>(workspace: &Workspace, arguments: &'a Arguments) -> (&'a str, Option<&'a str>) {
    let (path, glob) = (arguments.path.as_deref().unwrap_or("."), arguments.glob.as_deref());
    let Some(wild) = path.find(['*', '?', '[', '{']).filter(|_| workspace.existing(path).is_err()) else { return (path, glob) };
    let (folder, pattern) = path[..wild].rfind('/').map_or((".", path), |slash| (&path[..=slash], &path[slash + 1..]));
    match glob {
        None => (folder, Some(pattern)),
        Some(_) if pattern.chars().all(|ch| matches!(ch, '*' | '/')) => (folder, glob),
        // Two patterns: which of them is meant?
        Some(_) => (path, glob),
    }
}

fn search(workspace: &Workspace, arguments: &Arguments, stop: &CancellationToken) -> Result<ToolOutcome, Error> {
    let expression = compile(arguments)?;
    let (path, pattern) = place(workspace, arguments);
    let (root, _) = workspace.existing(path)?;
    let limit = arguments.limit.unwrap_or(MATCHES).clamp(1, MATCHES_MAX);
    let around = arguments.context.unwrap_or(0).min(CONTEXT_MAX);
    let glob = pattern.map(str::trim).filter(|glob| !glob.is_empty());
    let by_path = glob.is_some_and(|glob| glob.contains('/'));
    let matcher = glob.map(super::list::matcher).transpose()?;
    let wanted = |path: &Path| {
        let Some(matcher) = &matcher else { return true };
        if by_path {
            matcher.is_match(path.strip_prefix(&root.path).unwrap_or(path))
        } else {
            path.file_name().is_some_and(|name| matcher.is_match(name))
        }
    };
    let mut found = Found::default();
    for entry in super::list::walk(&root.path, arguments.hidden.unwrap_or(false)).build() {
        if stop.is_cancelled() {
            return Err(Error::Stopped);
        }
        let Ok(entry) = entry else { continue };
        if !entry.file_type().is_some_and(|kind| kind.is_file()) || !wanted(entry.path()) {
            continue;
        }
        if found.hits >= limit || found.files >= FILES_MAX {
            found.cut = true;
            break;
        }
        found.files += 1;
        match text_of(entry.path(), workspace.options.file_bytes_max) {
            Some(text) => collect(&expression, &text, &workspace.relative(entry.path()), (limit, around), &mut found),
            None => found.passed_over += 1,
        }
    }
    Ok(outcome(arguments, &found))
}

/// The text of a file; `None` for binary, too large and unreadable ones.
fn text_of(path: &Path, bytes_max: u64) -> Option<String> {
    let metadata = path.metadata().ok()?;
    if metadata.len() > bytes_max {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    if let Some((text, _)) = encoding::decode(&bytes) {
        return Some(text);
    }
    is_text(&bytes[..bytes.len().min(HEAD_BYTES)]).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Adds the matching lines, and those around them.
fn collect(expression: &Regex, text: &str, path: &str, (limit, around): (usize, usize), found: &mut Found) {
    let lines: Vec<&str> = text.lines().collect();
    // Lines below this one are shown already.
    let mut next = 0;
    for (at, line) in lines.iter().enumerate() {
        let Some(hit) = expression.find(line) else { continue };
        if found.hits >= limit || found.lines.len() >= LINES_MAX {
            found.cut = true;
            return;
        }
        found.hits += 1;
        // A line around an earlier match matches itself.
        if let Some(shown) = found.lines.iter_mut().rev().take(around).find(|shown| shown.path == path && shown.line == at + 1) {
            shown.is_hit = true;
        }
        for (near, other) in lines.iter().enumerate().take((at + around + 1).min(lines.len())).skip(next.max(at.saturating_sub(around))) {
            let is_hit = near == at;
            let text = if is_hit { part(line, hit.start()) } else { ellipsis(other.trim_end(), LINE_CHARS_MAX).into_owned() };
            found.lines.push(Match { path: path.to_owned(), line: near + 1, text, is_hit });
        }
        next = next.max(at + around + 1);
    }
}

/// What is shown of a line: in a very long one the part around the hit.
fn part(line: &str, hit: usize) -> String {
    let from = line.floor_char_boundary(hit.saturating_sub(LINE_CHARS_MAX / 3));
    let part = if line.len() > LINE_CHARS_MAX && from > 0 { format!("…{}", &line[from..]) } else { line.trim_end().to_owned() };
    ellipsis(&part, LINE_CHARS_MAX).into_owned()
}

fn outcome(arguments: &Arguments, found: &Found) -> ToolOutcome {
    let Found { lines, hits, files, passed_over, cut } = found;
    let in_files = lines.chunk_by(|a, b| a.path == b.path).count();
    let pattern = clean_line(&arguments.pattern);
    let mut text = match hits {
        0 => format!("no line matches `{pattern}` in {files} file{}", if *files == 1 { "" } else { "s" }),
        1 => "1 matching line in 1 file".to_owned(),
        count => format!("{count} matching lines in {in_files} file{}", if in_files == 1 { "" } else { "s" }),
    };
    if *hits == 0
        && let (0, Some(glob)) = (files, &arguments.glob)
    {
        let _ = write!(text, "; no file matches `{}`", clean_line(glob));
    }
    if *passed_over > 0 {
        let _ = write!(text, " ({passed_over} binary or too large files passed over)");
    }
    let around = arguments.context.unwrap_or(0) > 0;
    let mut last: Option<&Match> = None;
    for row in lines {
        // As grep does: a gap between two parts, and another sign for what only stands around.
        if around && last.is_some_and(|last| last.path != row.path || last.line + 1 != row.line) {
            text.push_str("\n--");
        }
        let _ = if row.is_hit {
            write!(text, "\n{}:{}: {}", row.path, row.line, row.text)
        } else {
            write!(text, "\n{}-{}- {}", row.path, row.line, row.text)
        };
        last = Some(row);
    }
    if *cut {
        let _ = write!(text, "\n[only the first {hits} are shown; narrow the search with `path`, `glob` or a longer `pattern`]");
    }
    let row = |hit: &Match| {
        if around {
            json!({"path": hit.path, "line": hit.line, "text": hit.text, "matches": hit.is_hit})
        } else {
            json!({"path": hit.path, "line": hit.line, "text": hit.text})
        }
    };
    let rows: Vec<Value> = lines.iter().map(row).collect();
    ToolOutcome { text, structured: Some(json!({"matches": rows, "files_searched": files, "truncated": cut})), is_error: false }
}
