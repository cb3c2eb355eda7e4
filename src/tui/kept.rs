//! What the screen remembers from one run to the next: how it is laid out, and what is used often. A small file of JSON in
//! the state folder; without it everything is as by default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::tui::state::Column;

/// Names that are counted.
const USES_MAX: usize = 200;

/// What one use weighs; each later use of anything takes a sixteenth of it.
const USE: u32 = 1_000;

/// The most that a name can weigh.
const WEIGHT_MAX: u32 = 16_000;

/// What is used, and how much: often and lately weighs more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uses(BTreeMap<String, u32>);

impl Uses {
    /// `name` is used once more.
    pub fn add(&mut self, name: &str) {
        for weight in self.0.values_mut() {
            *weight -= weight.div_ceil(16).min(*weight);
        }
        let weight = self.0.entry(name.to_owned()).or_default();
        *weight = (*weight + USE).min(WEIGHT_MAX);
        self.trim();
    }

    fn trim(&mut self) {
        self.0.retain(|_, weight| *weight > 0);
        while self.0.len() > USES_MAX {
            let lightest = self.0.iter().min_by_key(|(_, weight)| **weight).map(|(name, _)| name.clone());
            let Some(lightest) = lightest else { return };
            self.0.remove(&lightest);
        }
    }

    /// What `name` weighs; 0 where it was never used.
    pub fn weight(&self, name: &str) -> u32 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// All names and their weights.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(name, weight)| (name.as_str(), *weight))
    }
}

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// Where the events are.
    pub column: Option<Column>,
    /// Columns of the events beside the chat; by the window's width where absent.
    pub side_columns: Option<u16>,
    /// Files behind `@`, by their whole path.
    pub files: Uses,
    /// Commands and what keys do, by name.
    pub commands: Uses,
}

impl Kept {
    /// Reads a file's text; nothing where it is no such file.
    pub fn parse(text: &str) -> Option<Self> {
        let mut kept: Self = serde_json::from_str(text).ok()?;
        kept.files.trim();
        kept.commands.trim();
        Some(kept)
    }

    /// The file's text.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What is remembered now.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Once earlier runs were read.
    pub kept: Option<Kept>,
    /// Whether it must be written.
    pub stale: bool,
}

impl Memory {
    /// Changes it, where earlier runs were read.
    pub fn change(&mut self, change: impl FnOnce(&mut Kept)) {
        if let Some(kept) = &mut self.kept {
            change(kept);
            self.stale = true;
        }
    }

    /// What is remembered of commands.
    pub fn command_weight(&self, name: &str) -> u32 {
        self.kept.as_ref().map_or(0, |kept| kept.commands.weight(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_often_and_lately_weighs_more() {
        let mut uses = Uses::default();
        for name in ["old", "old", "new"] {
            uses.add(name);
        }
        assert!(uses.weight("old") > uses.weight("new") && uses.weight("other") == 0);
        for _ in 0..3 {
            uses.add("new");
        }
        assert!(uses.weight("new") > uses.weight("old"));
        for at in 0..1_000 {
            uses.add(&format!("name {at}"));
        }
        assert!(uses.iter().count() <= USES_MAX && uses.weight("old") == 0);
        assert!(uses.weight("name 999") > uses.weight("name 990"));
    }

    #[test]
    fn the_file_comes_back_as_it_was_and_a_broken_one_is_none() {
        let mut kept = Kept { column: Some(Column::Hidden), side_columns: Some(50), ..Kept::default() };
        kept.files.add("/a/b");
        assert_eq!(Kept::parse(&kept.text()), Some(kept));
        assert_eq!(Kept::parse("{\"column\": 7}"), None);
        // What a later or an earlier version wrote besides is passed over.
        assert_eq!(Kept::parse("{\"later\": 1, \"events_filter\": \"type:mcp\", \"side_columns\": 40}").unwrap().side_columns, Some(40));
    }
}
