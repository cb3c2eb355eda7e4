//! Text into rows: words wrap whole, CJK text anywhere but before closing and after opening punctuation, what is
//! longer than a row is cut between grapheme clusters. Rows never end in blanks and are never too wide.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Text in one style; `\n` in it ends the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The text, cleaned.
    pub(crate) text: String,
    /// Its style.
    pub(crate) style: Style,
}

impl Piece {
    pub(crate) fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

/// What is done with blanks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blanks {
    /// Runs become one, none at the start of a row.
    Fold,
    /// Kept inside and at the start of a line, as a person typed them.
    Keep,
}

/// A row in the making.
#[derive(Debug, Default)]
struct Row {
    spans: Vec<Span<'static>>,
    width: usize,
}

impl Row {
    fn push(&mut self, text: &str, width: usize, style: Style) {
        self.width += width;
        match self.spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(text),
            _ => self.spans.push(Span::styled(text.to_owned(), style)),
        }
    }
}

/// The columns of a grapheme cluster on a terminal.
pub(crate) fn columns(text: &str) -> usize {
    match text.as_bytes() {
        [byte] if (0x20..0x7f).contains(byte) => 1,
        _ => text.width(),
    }
}

/// No row starts with one of these.
fn not_first(cluster: &str) -> bool {
    "、。，．：；！？）］｝」』】》〉〕”’…·ー～ぁぃぅぇぉっゃゅょァィゥェォッャュョ,.!?:;)]}%".contains(cluster)
}

/// No row ends with one of these.
fn not_last(cluster: &str) -> bool {
    "（［｛「『【《〈〔“‘([{".contains(cluster)
}

fn is_blank(cluster: &str) -> bool {
    matches!(cluster, " " | "\t" | "\u{3000}" | "\u{1680}" | "\u{2008}" | "\u{2009}" | "\u{200a}" | "\u{205f}")
}

#[cfg(test)]
thread_local! {
    static VISITED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Clusters that were looked at on this thread so far: a measure of work that is not time.
#[cfg(test)]
pub(crate) fn visited() -> u64 {
    VISITED.get()
}

/// Counts a cluster, in tests.
fn visit() {
    #[cfg(test)]
    VISITED.set(VISITED.get() + 1);
}

struct Wrapper<'t> {
    width: usize,
    blanks: Blanks,
    rows: Vec<Row>,
    row: Row,
    /// The word that is not yet on a row.
    word: Vec<(&'t str, usize, Style)>,
    word_width: usize,
    /// Blanks before it.
    gap: usize,
    gap_style: Style,
    /// Whether nothing of the present line of the text is on a row.
    line_start: bool,
}

impl<'t> Wrapper<'t> {
    fn end_row(&mut self) {
        self.rows.push(std::mem::take(&mut self.row));
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let mut gap = match (self.row.width, self.blanks, self.line_start) {
            (0, Blanks::Keep, true) => self.gap.min(self.width / 2),
            (0, ..) => 0,
            (_, Blanks::Fold, _) => self.gap.min(1),
            (_, Blanks::Keep, _) => self.gap.min(self.width),
        };
        if self.row.width > 0 && self.row.width + gap + self.word_width > self.width {
            self.end_row();
            gap = 0;
        }
        if gap > 0 {
            self.row.push(&" ".repeat(gap), gap, self.gap_style);
        }
        for (cluster, width, style) in std::mem::take(&mut self.word) {
            let (cluster, width) = if width > self.width { ("…", 1) } else { (cluster, width) };
            if self.row.width + width > self.width {
                self.end_row();
            }
            self.row.push(cluster, width, style);
        }
        self.word_width = 0;
        self.gap = 0;
        self.line_start = false;
    }

    fn end_line(&mut self) {
        self.end_word();
        self.end_row();
        self.gap = 0;
        self.line_start = true;
    }

    fn cluster(&mut self, cluster: &'t str, style: Style) {
        visit();
        if is_blank(cluster) {
            self.end_word();
            self.gap += if cluster == "\t" { 4 } else { columns(cluster) };
            self.gap_style = style;
            return;
        }
        let width = columns(cluster);
        if let Some((before, before_width, _)) = self.word.last() {
            let may_break = (*before_width > 1 || width > 1) && !not_first(cluster) && !not_last(before);
            if may_break {
                self.end_word();
            }
        }
        self.word.push((cluster, width, style));
        self.word_width += width;
    }
}

/// The rows of `pieces` at `width` columns (at least 1), without any prefix.
pub(crate) fn wrap(pieces: &[Piece], width: usize, blanks: Blanks) -> Vec<Line<'static>> {
    let mut wrapper = Wrapper {
        width: width.max(1),
        blanks,
        rows: Vec::new(),
        row: Row::default(),
        word: Vec::new(),
        word_width: 0,
        gap: 0,
        gap_style: Style::new(),
        line_start: true,
    };
    let mut open = false;
    for piece in pieces {
        for (index, line) in piece.text.split('\n').enumerate() {
            if index > 0 {
                wrapper.end_line();
            }
            open = true;
            for cluster in line.graphemes(true) {
                wrapper.cluster(cluster, piece.style);
            }
        }
    }
    if open {
        wrapper.end_line();
    }
    while wrapper.rows.last().is_some_and(|row| row.spans.is_empty()) {
        wrapper.rows.pop();
    }
    wrapper.rows.into_iter().map(|row| Line::from(row.spans)).collect()
}

/// Code into rows: every blank counts, tabs reach to the next multiple of four, long lines are cut at the edge.
pub(crate) fn cut(pieces: &[(Style, &str)], width: usize) -> Vec<Line<'static>> {
    const TAB: usize = 4;
    let width = width.max(1);
    let mut rows = Vec::new();
    let mut row = Row::default();
    for (style, text) in pieces {
        for cluster in text.graphemes(true) {
            visit();
            let (cluster, columns) = match cluster {
                "\t" => {
                    let to_stop = TAB - row.width % TAB;
                    ("    ".get(..to_stop).unwrap_or(" "), to_stop)
                }
                _ => (cluster, columns(cluster)),
            };
            let (cluster, columns) = if columns > width { ("…", 1) } else { (cluster, columns) };
            if row.width + columns > width {
                rows.push(std::mem::take(&mut row));
            }
            row.push(cluster, columns, *style);
        }
    }
    rows.push(row);
    rows.into_iter().map(|row| Line::from(trim_end(row.spans))).collect()
}

/// The same without blanks at the end.
pub(crate) fn trim_end(mut spans: Vec<Span<'static>>) -> Vec<Span<'static>> {
    while let Some(last) = spans.last_mut() {
        let kept = last.content.trim_end_matches(' ').len();
        if kept == last.content.len() {
            break;
        }
        if kept > 0 {
            last.content.to_mut().truncate(kept);
            break;
        }
        spans.pop();
    }
    spans
}

/// The start of `text` that fits into `width` columns, with `…` where it was cut.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if text.len() <= width || columns(text) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for cluster in text.graphemes(true) {
        visit();
        let more = columns(cluster);
        if used + more + 1 > width {
            break;
        }
        used += more;
        out.push_str(cluster);
    }
    if width > 0 {
        out.push('…');
    }
    out
}
