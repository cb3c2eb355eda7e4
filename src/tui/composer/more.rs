//! Changes of a message that are made of smaller ones: the case of a word, a paste unfolded.

use super::{Composer, Edit};

impl Composer {
    /// Changes the case of the word from the caret on; the caret goes behind it.
    pub(super) fn change_case(&mut self, edit: Edit) {
        let (row, col) = self.caret();
        let raw = self.raw();
        let line: Vec<char> = raw.split('\n').nth(row).unwrap_or_default().chars().collect();
        let start = col + line.iter().skip(col).take_while(|ch| !ch.is_alphanumeric()).count();
        let word: String = line.iter().skip(start).take_while(|ch| ch.is_alphanumeric()).collect();
        let end = start + word.chars().count();
        if word.is_empty() {
            return;
        }
        let changed = match edit {
            Edit::Upper => word.to_uppercase(),
            Edit::Lower => word.to_lowercase(),
            _ => {
                let mut chars = word.chars();
                let first = chars.next().map(|ch| ch.to_uppercase().to_string()).unwrap_or_default();
                first + &chars.as_str().to_lowercase()
            }
        };
        self.delete_between((row, start), (row, end));
        self.insert_str(&changed);
    }

    /// Writes out the folded paste at the caret, else the one before it, else the first behind it.
    pub(super) fn unfold(&mut self) {
        let (row, col) = self.caret();
        let raw = self.raw();
        let mut found: Vec<(usize, usize, usize)> = Vec::new();
        for (at, line) in raw.split('\n').enumerate() {
            for (which, chip) in self.chips.iter().enumerate() {
                found.extend(line.match_indices(&chip.label).map(|(byte, _)| (at, line[..byte].chars().count(), which)));
            }
        }
        found.sort_unstable();
        let before = found.iter().rfind(|(at, start, _)| (*at, *start) <= (row, col));
        let Some((at, start, which)) = before.or(found.first()).copied() else { return };
        let Some(chip) = self.chips.get(which).cloned() else { return };
        self.delete_between((at, start), (at, start + chip.label.chars().count()));
        self.insert_str(&chip.text);
        if !self.raw().contains(&chip.label) {
            self.chips.retain(|known| known.label != chip.label);
        }
    }

    /// How many pastes are folded.
    pub fn folded(&self) -> usize {
        self.chips.len()
    }
}
