//! What can lie over the screen or beside the chat. Rows are text with theme keys, so that a panel is plain data.

pub mod cache;
pub mod cost;
pub mod find;
pub mod help;
pub mod inbox;
pub mod info;
pub mod memory;
pub mod picker;
pub mod previews;
pub mod reports;
pub mod resources;
pub mod servers;
pub mod tasks;
pub mod undo;
pub mod welcome;

use jiff::tz::TimeZone;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::domain::clock::Instant;
use crate::domain::ids::MemoryId;
use crate::tui::panels::find::Find;
use crate::tui::panels::picker::Picker;
use crate::tui::question::Inquiry;
use crate::tui::theme::Key;

/// One row: stretches of text, each with its meaning.
pub type Row = Vec<(Key, String)>;

/// What lies over the screen.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// A text to read.
    Text(TextPanel),
    /// Something to choose from.
    Pick(Picker),
    /// The background tasks, or the page of one.
    Tasks,
    /// The inbox, or one entry of it.
    Inbox,
    /// What was told to whom.
    Notices,
    /// The servers.
    Servers,
    /// The resources of the servers.
    Resources,
    /// A form of the program's own.
    Form(Box<Inquiry>),
    /// The settings.
    Settings,
    /// All keys, to look up and to try.
    Keys,
}

impl Overlay {
    /// The panels that one key leads through, in this order.
    pub const TABS: [Self; 4] = [Self::Tasks, Self::Inbox, Self::Notices, Self::Servers];

    /// The position among the [`Self::TABS`].
    pub fn tab(&self) -> Option<usize> {
        match self {
            Self::Tasks => Some(0),
            Self::Inbox => Some(1),
            Self::Notices => Some(2),
            Self::Servers => Some(3),
            Self::Text(_) | Self::Pick(_) | Self::Resources | Self::Form(_) | Self::Settings | Self::Keys => None,
        }
    }
}

/// What a text panel shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Rows, broken at the width.
    Rows(Vec<Row>),
    /// JSON, highlighted.
    Json(String),
    /// Parts of several kinds, one below the other.
    Document(Vec<Block>),
    /// An answer that has not come yet.
    Waiting,
}

/// A part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Rows, broken at the width.
    Rows(Vec<Row>),
    /// Text, broken at the width.
    Words(Key, String),
    /// Code in a language, highlighted.
    Code(String, String),
    /// Markdown.
    Markdown(String),
}

/// A text to read.
#[derive(Debug, Clone, PartialEq)]
pub struct TextPanel {
    /// What it is.
    pub title: String,
    /// The text.
    pub body: Body,
    /// Rows above the window.
    pub scroll: usize,
    /// What `y` copies.
    pub copy: Option<String>,
    /// What `a` puts into the message behind an `@`.
    pub mention: Option<String>,
    /// The memory that it is, which can be changed and forgotten from there.
    pub memory: Option<MemoryId>,
    /// What is looked for in it.
    pub find: Option<Find>,
}

impl TextPanel {
    /// Rows under a title.
    pub fn rows(title: impl Into<String>, rows: Vec<Row>) -> Self {
        let copy = rows.iter().map(|row| row.iter().map(|(_, text)| text.as_str()).collect::<String>() + "\n").collect();
        Self { title: title.into(), body: Body::Rows(rows), scroll: 0, copy: Some(copy), mention: None, memory: None, find: None }
    }

    /// JSON under a title.
    pub fn json(title: impl Into<String>, json: String) -> Self {
        Self { title: title.into(), copy: Some(json.clone()), body: Body::Json(json), scroll: 0, mention: None, memory: None, find: None }
    }

    /// A title whose text is on its way.
    pub fn waiting(title: impl Into<String>) -> Self {
        Self { title: title.into(), body: Body::Waiting, scroll: 0, copy: None, mention: None, memory: None, find: None }
    }

    /// Rows of the text; for JSON its lines.
    pub fn len(&self) -> usize {
        match &self.body {
            Body::Rows(rows) => rows.len(),
            Body::Json(text) => text.lines().count(),
            Body::Document(blocks) => blocks.iter().map(Block::len).sum(),
            Body::Waiting => 1,
        }
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves the window. How many rows a broken text has is known where it is drawn: there the window ends.
    pub fn scroll_by(&mut self, rows: isize) {
        self.scroll = self.scroll.saturating_add_signed(rows).min(self.len().saturating_sub(1));
    }
}

impl Block {
    /// About how many rows it takes.
    fn len(&self) -> usize {
        /// A row holds at least so many bytes, or the line ends.
        const ROW_BYTES_MIN: usize = 30;
        let broken = |text: &str| text.lines().map(|line| 1 + line.len() / ROW_BYTES_MIN).sum();
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Words(_, text) | Self::Code(_, text) | Self::Markdown(text) => broken(text),
        }
    }
}

/// A heading.
pub fn heading(text: &str) -> Row {
    vec![(Key::UiAccent, text.to_owned())]
}

/// A name in a column of `width`, and what belongs to it.
pub fn pair(name: &str, width: usize, value: impl Into<String>) -> Row {
    let pad = width.saturating_sub(name.width());
    vec![(Key::UiDim, format!("  {name}{} ", " ".repeat(pad))), (Key::UiPopup, value.into())]
}

/// `text` in exactly `width` columns, cut with `…` where it is longer.
pub fn columns(text: &str, width: usize) -> String {
    let whole = text.width();
    if whole <= width {
        return format!("{text}{}", " ".repeat(width - whole));
    }
    let mut out = String::new();
    let mut used = 0;
    for cluster in text.graphemes(true) {
        if used + cluster.width() >= width {
            break;
        }
        used += cluster.width();
        out.push_str(cluster);
    }
    let more = if width > used { "…" } else { "" };
    format!("{out}{more}{}", " ".repeat(width.saturating_sub(used + 1)))
}

/// `text` in lines of at most `width` columns, broken at blanks where there are any; `lines_max` of them at most, the last
/// one cut.
pub fn wrapped(text: &str, width: usize, lines_max: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        if used > 0 && used + word.trim_end().width() > width {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        for cluster in word.graphemes(true) {
            if used + cluster.width() > width && cluster != " " {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(cluster);
            used += cluster.width();
        }
        if lines.len() > lines_max {
            break;
        }
    }
    lines.push(line.trim_end().to_owned());
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.pop() {
            let cut = columns(&format!("{last}……"), (last.width() + 1).min(width));
            lines.push(cut.trim_end().to_owned());
        }
    }
    lines
}

/// A row in rows of at most `width` columns, broken at blanks where there are any. What goes on stands below where the last
/// part of the row began (a name and what is told of it), or a little further in than the row itself.
pub fn flowed(row: &Row, width: usize) -> Vec<Row> {
    let whole: usize = row.iter().map(|(_, text)| text.width()).sum();
    if whole <= width || width < 8 {
        return vec![row.clone()];
    }
    let head: usize = row.iter().rev().skip(1).map(|(_, text)| text.width()).sum();
    let blanks = row.first().map_or(0, |(_, text)| text.len() - text.trim_start().len());
    let indent = if head > 0 && head <= width / 2 { head } else { (blanks + 2).min(width / 4) };
    let mut rows = Vec::new();
    let mut line = Row::new();
    let mut used = 0;
    for (key, text) in row {
        let mut part = String::new();
        for word in text.split_inclusive(' ') {
            let goes_on = !rows.is_empty();
            let is_first = used <= if goes_on { indent } else { blanks };
            if !is_first && used + word.trim_end().width() > width {
                line.push((*key, std::mem::take(&mut part).trim_end().to_owned()));
                rows.push(std::mem::replace(&mut line, vec![(*key, " ".repeat(indent))]));
                used = indent;
            }
            for cluster in word.graphemes(true) {
                if used + cluster.width() > width {
                    if cluster == " " {
                        continue;
                    }
                    line.push((*key, std::mem::take(&mut part)));
                    rows.push(std::mem::replace(&mut line, vec![(*key, " ".repeat(indent))]));
                    used = indent;
                }
                part.push_str(cluster);
                used += cluster.width();
            }
        }
        line.push((*key, part));
    }
    rows.push(line);
    rows
}

/// `12m ago`, or the date.
pub fn age(at: Instant, now: Instant, timezone: &TimeZone) -> String {
    const DAY: u64 = 24 * 3_600;
    let passed = now.since(at).as_secs();
    match passed {
        0..60 => "just now".to_owned(),
        60..3_600 => format!("{}m ago", passed / 60),
        3_600..DAY => format!("{}h ago", passed / 3_600),
        _ => at.timestamp().to_zoned(timezone.clone()).strftime("%Y-%m-%d").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_exact() {
        for (text, width, out) in
            [("abc", 5, "abc  "), ("abcdef", 4, "abc…"), ("东京タワー", 5, "东京…"), ("东京タワー", 6, "东京… "), ("abc", 0, "")]
        {
            assert_eq!(columns(text, width), out);
            assert_eq!(columns(text, width).width(), width);
        }
    }

    #[test]
    fn rows_are_broken_below_where_their_last_part_began() {
        let shown = |row: &Row, width: usize| -> Vec<String> {
            flowed(row, width).iter().map(|row| row.iter().map(|(_, text)| text.as_str()).collect()).collect()
        };
        let pair = vec![(Key::UiKey, "  name  ".to_owned()), (Key::UiPopup, "one two three four".to_owned())];
        assert_eq!(shown(&pair, 40), ["  name  one two three four"]);
        assert_eq!(shown(&pair, 18), ["  name  one two", "        three four"]);
        let words = vec![(Key::UiDim, "  a path/that/is/longer/than/the/row ends".to_owned())];
        assert_eq!(shown(&words, 16), ["  a", "    path/that/is", "    /longer/than", "    /the/row", "    ends"]);
        let wide = vec![(Key::UiDim, "東京タワー ".repeat(20))];
        assert!(flowed(&wide, 21).iter().all(|row| row.iter().map(|(_, text)| text.width()).sum::<usize>() <= 21));
    }

    #[test]
    fn long_text_is_broken_at_blanks_and_bounded() {
        assert_eq!(wrapped("one two three four", 9, 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("abcdefghijkl mn", 8, 9), ["abcdefgh", "ijkl mn"]);
        assert_eq!(wrapped("", 8, 9), [""]);
        let cut = wrapped(&"word ".repeat(100), 10, 2);
        assert_eq!(cut.len(), 2);
        assert!(cut[1].ends_with('…') && cut.iter().all(|line| line.width() <= 10), "{cut:?}");
    }
}
