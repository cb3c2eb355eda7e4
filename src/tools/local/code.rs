//! `analyze_code`: what code there is, how large, how tangled, and what stands in it twice.
//!
//! Files are read by the grammars of tree-sitter; what .gitignore names is passed over. Bounded in files, bytes and time:
//! what does not fit is said.

mod duplicates;
mod languages;
mod measure;
mod report;

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::domain::tool::ToolHints;
use crate::tools::ToolOutcome;
use crate::tools::local::define::blocking;
use crate::tools::local::files::{Error, Workspace, list};
use crate::tools::local::{CODE, Definition, LocalTool};

use measure::{Lines, Measured};

/// The most files that are read, and their bytes together.
const FILES_MAX: usize = 5_000;
const BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// The largest file that is read: what is larger was written by a program.
const FILE_BYTES_MAX: u64 = 1_024 * 1_024;

/// The most tokens that are compared to find duplicates.
const TOKENS_MAX: usize = 4_000_000;

/// Functions that are told where no number is asked for, and the most.
const FUNCTIONS: usize = 10;
const FUNCTIONS_MAX: usize = 100;

/// What to look at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// A file or folder, relative to the working folder. Default: the working folder.
    #[serde(default)]
    path: Option<String>,
    /// Looks only at files whose name (or, with a slash in it, whose path below the folder) matches, for example `*.rs`.
    #[serde(default)]
    glob: Option<String>,
    /// How many of the most complex functions to tell. Default: 10, at most 100.
    #[serde(default)]
    limit: Option<usize>,
}

/// One file.
struct File {
    path: String,
    language: &'static str,
    measured: Measured,
}

/// All that was looked at.
#[derive(Default)]
struct Found {
    files: Vec<File>,
    /// Files of no known language, and those that are too large, binary or unreadable.
    unknown: usize,
    passed_over: usize,
    /// There was more than is looked at.
    cut: bool,
}

pub(super) fn tool(workspace: Arc<Workspace>) -> LocalTool {
    let definition = Definition {
        server: CODE,
        name: "analyze_code",
        title: "Analyze code",
        description: "Looks at a file or folder of code: size by language, symbols, imports, the most complex functions, duplicated code, files that do not parse. \
Knows Rust, Python, JavaScript, TypeScript, Go, C, C++, Java, Ruby and shell; of others it counts lines. Ignored files are passed over.",
        hints: ToolHints::READ_ONLY,
    };
    LocalTool::new(&definition, move |arguments: Arguments, context| {
        let workspace = Arc::clone(&workspace);
        blocking(move || Ok(analyze(&workspace, &arguments, &context.cancel)?))
    })
}

fn analyze(workspace: &Workspace, arguments: &Arguments, stop: &CancellationToken) -> Result<ToolOutcome, Error> {
    let (root, metadata) = workspace.existing(arguments.path.as_deref().unwrap_or("."))?;
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(Error::Special { path: root.shown });
    }
    let glob = arguments.glob.as_deref().map(str::trim).filter(|glob| !glob.is_empty());
    let by_path = glob.is_some_and(|glob| glob.contains('/'));
    let matcher = glob.map(list::matcher).transpose()?;
    let wanted = |path: &Path| {
        let Some(matcher) = &matcher else { return true };
        if by_path {
            matcher.is_match(path.strip_prefix(&root.path).unwrap_or(path))
        } else {
            path.file_name().is_some_and(|name| matcher.is_match(name))
        }
    };
    let stopped = || stop.is_cancelled();
    let (mut found, mut bytes, mut tokens) = (Found::default(), 0, 0);
    for entry in list::walk(&root.path, false).build() {
        if stopped() {
            return Err(Error::Stopped);
        }
        let Ok(entry) = entry else { continue };
        if !entry.file_type().is_some_and(|kind| kind.is_file()) || !wanted(entry.path()) {
            continue;
        }
        if found.files.len() >= FILES_MAX || bytes >= BYTES_MAX {
            found.cut = true;
            break;
        }
        match one(entry.path(), &stopped) {
            One::File(language, mut measured, size) => {
                bytes += size;
                tokens += measured.tokens.len();
                if tokens > TOKENS_MAX {
                    measured.tokens = Vec::new();
                    found.cut = true;
                }
                found.files.push(File { path: workspace.relative(entry.path()), language, measured });
            }
            One::Unknown => found.unknown += 1,
            One::PassedOver => found.passed_over += 1,
        }
    }
    if stopped() {
        return Err(Error::Stopped);
    }
    let mut streams: Vec<Vec<measure::Token>> = Vec::with_capacity(found.files.len());
    streams.extend(found.files.iter_mut().map(|file| std::mem::take(&mut file.measured.tokens)));
    let duplicates = duplicates::find(&streams, &stopped);
    let limit = arguments.limit.unwrap_or(FUNCTIONS).clamp(1, FUNCTIONS_MAX);
    Ok(report::outcome(&root.shown, metadata.is_file(), &found, &duplicates, limit))
}

enum One {
    File(&'static str, Measured, u64),
    Unknown,
    PassedOver,
}

fn one(path: &Path, stopped: &dyn Fn() -> bool) -> One {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
    let language = languages::by_extension(&extension);
    let plain = languages::plain(&extension);
    if language.is_none() && plain.is_none() {
        return One::Unknown;
    }
    let Ok(metadata) = path.metadata() else { return One::PassedOver };
    if metadata.len() > FILE_BYTES_MAX {
        return One::PassedOver;
    }
    let Some(text) = std::fs::read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else { return One::PassedOver };
    let measured = match (language, plain) {
        (Some(language), _) => measure::measure(language, &text, stopped).map(|measured| (language.name, measured)),
        (None, Some(name)) => Some((name, Measured { lines: Lines::plain(&text), ..Measured::default() })),
        (None, None) => None,
    };
    measured.map_or(One::PassedOver, |(name, measured)| One::File(name, measured, metadata.len()))
}

#[cfg(test)]
mod tests;
