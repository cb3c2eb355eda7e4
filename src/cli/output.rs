//! Printing: to standard output and error, for people and programs, ending quietly when the reader goes away.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr, stdout};

use crate::config::environment::Environment;

/// Exit codes, the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed; the reason was printed.
    Failed,
    /// Wrong use; the reason was printed.
    Usage,
    /// A call was refused by policy.
    Refused,
    /// Interrupted.
    Interrupted,
}

impl Exit {
    /// The number for the shell.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub enum Stop {
    /// The reader of standard output went away: that is no failure.
    ReaderGone,
    /// The command failed.
    Failed(anyhow::Error),
    /// It was called wrongly.
    Usage(String),
}

impl Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ReaderGone => f.write_str("the reader of standard output went away"),
            Self::Failed(error) => write!(f, "{error:#}"),
            Self::Usage(message) => f.write_str(message),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        let error = error.into();
        match error.downcast_ref::<std::io::Error>() {
            Some(io) if io.kind() == std::io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Failed(error),
        }
    }
}

/// The result of a command.
pub type Outcome = Result<Exit, Stop>;

/// Prints one line to standard output.
///
/// # Errors
/// When standard output cannot be written.
pub fn line(text: impl Display) -> std::io::Result<()> {
    writeln!(stdout().lock(), "{text}")
}

/// Prints text to standard output as it is.
///
/// # Errors
/// When standard output cannot be written.
pub fn raw(text: impl AsRef<[u8]>) -> std::io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_ref())?;
    out.flush()
}

/// Prints one line to standard error. That it cannot be written is nobody's business.
pub fn note(text: impl Display) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Prints `value` as indented JSON.
///
/// # Errors
/// When standard output cannot be written.
pub fn json(value: &impl serde::Serialize) -> Result<(), Stop> {
    Ok(line(serde_json::to_string_pretty(value)?)?)
}

/// Prints an error with its chain of causes and what to try.
pub fn error(error: &anyhow::Error) {
    note(format_args!("wakeful: {error:#}"));
}

/// Whether standard output takes colour: `NO_COLOR`, `CLICOLOR_FORCE`, a terminal.
pub fn colour(environment: &Environment) -> bool {
    if environment.get("NO_COLOR").is_some() {
        return false;
    }
    environment.get("CLICOLOR_FORCE").is_some_and(|value| value != "0") || stdout().is_terminal()
}

/// Rows in columns as wide as their widest cell (at most `width_max` characters), two blanks apart.
pub fn table(rows: &[Vec<String>], width_max: usize) -> String {
    use unicode_width::UnicodeWidthStr;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0).min(width_max);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let cell = crate::domain::text::ellipsis(cell, width_max);
            text.push_str(&cell);
            text.extend(std::iter::repeat_n(' ', (width + 2).saturating_sub(cell.width())));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_wide_characters() {
        let rows = [vec!["a".into(), "b".into()], vec!["中文".into(), "c".into()]];
        assert_eq!(table(&rows, 40), "a     b\n中文  c\n");
    }
}
