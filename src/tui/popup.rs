//! Completions at the caret: commands behind a slash, their arguments, files behind an `@`.
//!
//! What is typed is never replaced by itself. Enter on a part of a name only completes it; a command runs once its
//! whole name stands there, or was picked with the arrow keys.

use crate::tui::composer::Token;
use crate::tui::slash;

/// Rows on the screen at once.
pub const ROWS_MAX: usize = 8;

/// One completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopupRow {
    /// What is put in.
    pub insert: String,
    /// What is shown.
    pub label: String,
    /// One line of help.
    pub help: String,
    /// Whether it can run without arguments.
    pub runs: bool,
}

/// The completions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Popup {
    /// The word that is completed.
    pub token: Token,
    /// The completions, the best first.
    pub rows: Vec<PopupRow>,
    /// The chosen one.
    pub selected: usize,
    /// Whether it was chosen with the arrow keys.
    pub moved: bool,
    /// Whether more may come.
    pub loading: bool,
}

impl Popup {
    /// The completions of `token`; files come later.
    pub fn new(token: Token) -> Self {
        let (rows, loading) = match &token {
            Token::Slash(prefix) => (slash::complete(prefix).into_iter().map(slash_row).collect(), false),
            Token::Argument(name, before, word) => {
                let before: Vec<&str> = before.iter().map(String::as_str).collect();
                (slash::arguments(name, &before, word).into_iter().map(argument_row).collect(), false)
            }
            Token::File(_) => (Vec::new(), true),
        };
        Self { token, rows, selected: 0, moved: false, loading }
    }

    /// Takes the files found for `query`; older answers are dropped.
    pub fn files(&mut self, query: &str, paths: Vec<String>) {
        if self.token == Token::File(query.to_owned()) {
            self.loading = false;
            self.selected = 0;
            self.rows = paths
                .into_iter()
                .map(|path| PopupRow { insert: format!("@{path}"), label: path, help: String::new(), runs: false })
                .collect();
        }
    }

    /// Moves the choice.
    pub fn step(&mut self, step: isize) {
        let rows = self.rows.len();
        if rows > 0 {
            let step = usize::try_from(step.rem_euclid(isize::try_from(rows).unwrap_or(1))).unwrap_or(0);
            self.selected = (self.selected + step) % rows;
            self.moved = true;
        }
    }

    /// The chosen completion.
    pub fn chosen(&self) -> Option<&PopupRow> {
        self.rows.get(self.selected)
    }

    /// Whether Enter runs the chosen command instead of completing its name.
    pub fn enter_runs(&self) -> bool {
        let Token::Slash(typed) = &self.token else { return false };
        self.chosen().is_some_and(|row| row.insert == format!("/{typed}") || (self.moved && row.runs))
    }

    /// Whether Enter takes what is typed as it stands: an argument is only completed where one was chosen.
    pub fn enter_passes(&self) -> bool {
        matches!(self.token, Token::Argument(..)) && !self.moved
    }

    /// The first row on the screen when `height` rows fit.
    pub fn top(&self, height: usize) -> usize {
        (self.selected + 1).saturating_sub(height.max(1))
    }
}

fn argument_row(word: &'static str) -> PopupRow {
    PopupRow { insert: word.to_owned(), label: word.to_owned(), help: String::new(), runs: false }
}

fn slash_row(row: &'static slash::SlashRow) -> PopupRow {
    let runs = row.args.is_empty() || row.args.starts_with('[');
    PopupRow { insert: format!("/{}", row.name), label: slash::usage(row), help: row.help.to_owned(), runs }
}
