//! Looking for words in a text panel. Pure.

use crate::tui::panels::picker::Input;

/// A search in a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Find {
    /// What is looked for.
    pub input: Input,
    /// Whether it is still being typed.
    pub typing: bool,
    /// The rows that hold it, as they were at the last key.
    found: Vec<usize>,
    /// Which of them is shown.
    at: usize,
}

impl Find {
    /// A search that is about to be typed.
    pub fn begin() -> Self {
        Self { typing: true, ..Self::default() }
    }

    /// What is looked for, in lower case: case does not count.
    pub fn query(&self) -> String {
        self.input.text.to_lowercase()
    }

    /// The row that is shown, where one was found.
    pub fn row(&self) -> Option<usize> {
        self.found.get(self.at).copied()
    }

    /// Which place is shown, of how many.
    pub fn place(&self) -> String {
        match self.found.len() {
            0 if self.input.text.is_empty() => "find in this text".to_owned(),
            0 => "not found".to_owned(),
            all => format!("{}/{all}", self.at + 1),
        }
    }

    /// Looks through `lines`; the first place from row `from` on is shown, else the first of all.
    pub fn look(&mut self, lines: &[String], from: usize) {
        let query = self.query();
        self.found.clear();
        if !query.is_empty() {
            self.found.extend(lines.iter().enumerate().filter(|(_, line)| line.to_lowercase().contains(&query)).map(|(at, _)| at));
        }
        self.at = self.found.iter().position(|row| *row >= from).unwrap_or(0);
    }

    /// The next place, or with `back` the one before; round at the ends.
    pub fn step(&mut self, back: bool) {
        let all = self.found.len().max(1);
        self.at = if back { (self.at + all - 1) % all } else { (self.at + 1) % all };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn places_are_found_in_order_and_go_round() {
        let mut find = Find { input: Input::new("Ab"), ..Find::begin() };
        let text = lines("ab\nx\nxAB\ny\n中aB");
        find.look(&text, 1);
        assert_eq!((find.row(), find.place().as_str()), (Some(2), "2/3"));
        find.step(false);
        find.step(false);
        assert_eq!(find.row(), Some(0), "after the last comes the first");
        find.step(true);
        assert_eq!(find.row(), Some(4));
        find.look(&text, 5);
        assert_eq!(find.row(), Some(0), "nothing further down: from the top");
    }

    #[test]
    fn nothing_is_found_where_nothing_is_looked_for() {
        let mut find = Find::begin();
        find.look(&lines("a"), 0);
        assert_eq!((find.row(), find.place().as_str()), (None, "find in this text"));
        find.input = Input::new("q");
        find.look(&lines("a"), 0);
        find.step(true);
        assert_eq!((find.row(), find.place().as_str()), (None, "not found"));
    }
}
