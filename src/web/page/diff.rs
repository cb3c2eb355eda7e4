//! A unified diff of what counts: lines that only moved or differ in noise stand as context.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::domain::text::ellipsis;

/// Lines around a change.
const CONTEXT: usize = 2;

/// The longest diff, in bytes, and its longest line, in characters.
const DIFF_BYTES_MAX: usize = 16 * 1024;
const LINE_CHARS_MAX: usize = 400;

/// A line and what it says: see [`super::noise::key`].
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) key: String,
    /// Whether it is only on its side.
    pub(super) changed: bool,
}

/// Writes the diff. Removed lines stand behind the line that they followed.
pub(super) fn unified(old: &[Line<'_>], new: &[Line<'_>]) -> String {
    let mut at: HashMap<&str, usize> = HashMap::new();
    for (index, line) in new.iter().enumerate().filter(|(_, line)| !line.changed) {
        at.entry(line.key.as_str()).or_insert(index + 1);
    }
    // Removed lines by the place in `new` before which they are shown.
    let mut removed: HashMap<usize, Vec<&str>> = HashMap::new();
    let mut anchor = 0;
    for line in old {
        if line.changed {
            removed.entry(anchor).or_default().push(line.text);
        } else if let Some(place) = at.get(line.key.as_str()) {
            anchor = *place;
        }
    }
    let mut rows: Vec<(char, &str)> = Vec::with_capacity(new.len());
    for (index, line) in new.iter().enumerate() {
        rows.extend(removed.remove(&index).unwrap_or_default().into_iter().map(|text| ('-', text)));
        rows.push((if line.changed { '+' } else { ' ' }, line.text));
    }
    rows.extend(removed.remove(&new.len()).unwrap_or_default().into_iter().map(|text| ('-', text)));
    hunks(&rows)
}

fn hunks(rows: &[(char, &str)]) -> String {
    let mut out = String::new();
    let (mut old_line, mut new_line, mut index) = (1, 1, 0);
    while let Some(first) = rows[index..].iter().position(|(sign, _)| *sign != ' ').map(|ahead| index + ahead) {
        let start = first.saturating_sub(CONTEXT).max(index);
        let mut last = first;
        // Changes whose context would touch make one hunk.
        while let Some(next) = rows[last + 1..].iter().take(2 * CONTEXT + 1).position(|(sign, _)| *sign != ' ') {
            last += next + 1;
        }
        let end = (last + 1 + CONTEXT).min(rows.len());
        let skipped = start - index;
        (old_line, new_line) = (old_line + skipped, new_line + skipped);
        let hunk = &rows[start..end];
        let (olds, news) = (hunk.iter().filter(|(sign, _)| *sign != '+').count(), hunk.iter().filter(|(sign, _)| *sign != '-').count());
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "@@ -{old_line},{olds} +{new_line},{news} @@");
        for (sign, line) in hunk {
            let _ = writeln!(text, "{sign}{}", ellipsis(line, LINE_CHARS_MAX));
        }
        if out.len() + text.len() > DIFF_BYTES_MAX {
            let cut = text.floor_char_boundary((DIFF_BYTES_MAX - out.len()).min(text.len()));
            let cut = text[..cut].rfind('\n').map_or(0, |at| at + 1);
            out.push_str(&text[..cut]);
            out.push_str("[… the rest of the diff is left out …]\n");
            return out;
        }
        out.push_str(&text);
        (old_line, new_line, index) = (old_line + olds, new_line + news, end);
    }
    out
}
