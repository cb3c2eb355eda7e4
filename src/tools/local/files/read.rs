//! `read_file`: the lines of a text file, bounded.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::encoding::{self, Encoding};
use super::{Allowed, Error, HEAD_BYTES, Workspace, is_text};
use crate::domain::tool::ToolHints;
use crate::tools::ToolOutcome;
use crate::tools::local::define::blocking;
use crate::tools::local::{Definition, FILES, LocalTool};

/// Lines where no limit is asked for.
const LINES: u64 = 2_000;

/// The longest line that is shown whole, in bytes.
const LINE_BYTES_MAX: usize = 8 * 1_024;

/// A file and which of its lines.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Path of the file, relative to the working folder.
    path: String,
    /// First line to read, counted from 1; negative counts from the end (`-20`: the last 20 lines). Default: 1.
    #[serde(default)]
    offset: Option<i64>,
    /// The most lines to read. Default: 2000.
    #[serde(default)]
    limit: Option<u64>,
}

pub(super) fn tool(workspace: Arc<Workspace>) -> LocalTool {
    let definition = Definition {
        server: FILES,
        name: "read_file",
        title: "Read a file",
        description: "Reads a text file of the working folder, whole or some of its lines.",
        hints: ToolHints::READ_ONLY,
    };
    LocalTool::new(&definition, move |arguments: Arguments, context| {
        let workspace = Arc::clone(&workspace);
        blocking(move || Ok(read(&workspace, &arguments, &context.cancel)?))
    })
}

/// Lines read so far.
#[derive(Default)]
struct Lines {
    text: String,
    first: u64,
    count: u64,
    /// Lines seen in the file.
    seen: u64,
    /// The file goes on after the last line seen.
    more: bool,
    /// Some of it is no UTF-8.
    lossy: bool,
}

fn read(workspace: &Workspace, arguments: &Arguments, stop: &CancellationToken) -> Result<ToolOutcome, Error> {
    let (file, metadata) = workspace.existing_file(&arguments.path)?;
    let io = |source| Error::Io { operation: "read", path: file.shown.clone(), source };
    let bytes_in_file_max = workspace.options.file_bytes_max;
    let mut reader = open(&file, metadata.len(), bytes_in_file_max)?;
    let limit = arguments.limit.unwrap_or(LINES).max(1);
    let bytes_max = workspace.options.read_bytes_max;
    let first = match arguments.offset.unwrap_or(1) {
        from_end @ ..=-1 => {
            let lines = count(&mut reader, stop).map_err(io)?.ok_or(Error::Stopped)?;
            reader = open(&file, metadata.len(), bytes_in_file_max)?;
            lines.saturating_sub(from_end.unsigned_abs()) + 1
        }
        offset => offset.unsigned_abs().max(1),
    };
    let lines = collect(&mut reader, first, limit, bytes_max, stop).map_err(io)?.ok_or(Error::Stopped)?;
    if lines.count == 0 && lines.seen > 0 {
        let what = format!("`{}` has {} lines, there is no line {first}", file.shown, lines.seen);
        return Err(Error::BadArgument { what, hint: "ask for an earlier `offset`" });
    }
    let mut text = lines.text;
    let last = lines.first + lines.count.saturating_sub(1);
    if (lines.more || lines.first > 1) && !text.ends_with('\n') {
        text.push('\n');
    }
    if lines.seen == 0 {
        "[the file is empty]".clone_into(&mut text);
    } else if lines.more {
        let _ = write!(text, "[lines {} to {last}; the file goes on, continue with offset {}]", lines.first, last + 1);
    } else if lines.first > 1 {
        let _ = write!(text, "[lines {} to {last}, the end]", lines.first);
    }
    if lines.lossy {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str("[it is not all UTF-8: what could not be read stands as \u{fffd}]");
    }
    let structured =
        json!({"path": file.shown, "first_line": lines.first, "lines": lines.count, "more": lines.more, "bytes": metadata.len()});
    Ok(ToolOutcome { text, structured: Some(structured), is_error: false })
}

/// Opens a text file as UTF-8, without a byte-order mark. Only UTF-16 is read whole.
fn open(file: &Allowed, bytes: u64, bytes_max: u64) -> Result<Box<dyn BufRead>, Error> {
    let io = |source| Error::Io { operation: "read", path: file.shown.clone(), source };
    let binary = || Error::Binary { path: file.shown.clone(), bytes };
    let mut reader = BufReader::with_capacity(64 * 1_024, File::open(&file.path).map_err(io)?);
    let head = reader.fill_buf().map_err(io)?;
    match encoding::by_mark(head) {
        Encoding::Utf8 if !is_text(&head[..head.len().min(HEAD_BYTES)]) => Err(binary()),
        Encoding::Utf8 => Ok(Box::new(reader)),
        Encoding::Utf8WithMark => {
            reader.consume(3);
            Ok(Box::new(reader))
        }
        Encoding::Utf16Le | Encoding::Utf16Be if bytes > bytes_max => Err(Error::TooLarge { path: file.shown.clone(), bytes, bytes_max }),
        Encoding::Utf16Le | Encoding::Utf16Be => {
            let mut all = Vec::new();
            reader.take(bytes_max).read_to_end(&mut all).map_err(io)?;
            let (text, _) = encoding::decode(&all).ok_or_else(binary)?;
            Ok(Box::new(Cursor::new(text)))
        }
    }
}

fn count(reader: &mut impl BufRead, stop: &CancellationToken) -> std::io::Result<Option<u64>> {
    let (mut lines, mut open) = (0, false);
    loop {
        if stop.is_cancelled() {
            return Ok(None);
        }
        let bytes = reader.fill_buf()?;
        let Some(last) = bytes.last() else { return Ok(Some(lines + u64::from(open))) };
        open = *last != b'\n';
        lines += bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        let length = bytes.len();
        reader.consume(length);
    }
}

fn collect(
    reader: &mut impl BufRead,
    first: u64,
    limit: u64,
    bytes_max: usize,
    stop: &CancellationToken,
) -> std::io::Result<Option<Lines>> {
    let mut lines = Lines { first, ..Lines::default() };
    let mut line = Vec::new();
    loop {
        if stop.is_cancelled() {
            return Ok(None);
        }
        line.clear();
        // One endless line must not fill the memory: the rest of it is skipped below.
        let taken = reader.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        if taken == 0 {
            return Ok(Some(lines));
        }
        if lines.count >= limit || lines.text.len() + line.len() > bytes_max.max(LINE_BYTES_MAX) {
            lines.more = true;
            return Ok(Some(lines));
        }
        let cut = line.last() != Some(&b'\n') && skip_line(reader, stop)?;
        lines.seen += 1;
        if lines.seen >= first {
            lines.count += 1;
            let part = String::from_utf8_lossy(&line);
            // A line that was cut may end within a character.
            lines.lossy |= !cut && matches!(part, std::borrow::Cow::Owned(_));
            lines.text.push_str(&part);
            if cut {
                lines.text.push_str(" [… line cut]\n");
            }
        }
    }
}

/// Skips the rest of a line; says whether there was any.
fn skip_line(reader: &mut impl BufRead, stop: &CancellationToken) -> std::io::Result<bool> {
    let mut any = false;
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() || stop.is_cancelled() {
            return Ok(any);
        }
        let (length, ended) = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (bytes.len(), false),
        };
        any |= length > usize::from(ended);
        reader.consume(length);
        if ended {
            return Ok(any);
        }
    }
}
