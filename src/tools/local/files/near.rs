//! Where a text that is not in a file almost is: what a failed edit shows.

use crate::domain::text::{clean, ellipsis};

/// The longest file, in lines, that is looked through.
const LINES_MAX: usize = 50_000;

/// Lines of the closest part that are shown.
const SHOWN_MAX: usize = 12;

/// The longest line that is shown, in characters.
const LINE_CHARS_MAX: usize = 160;

/// Places that are named.
const PLACES_MAX: usize = 8;

/// How alike two lines must be to be called close (Jaro-Winkler; 1 is equal).
const CLOSE_ENOUGH: f64 = 0.8;

/// The part of `text` that is most like `wanted`, with what differs; empty where nothing is close.
pub(super) fn nearest(text: &str, wanted: &str) -> String {
    let lines: Vec<&str> = text.lines().take(LINES_MAX).collect();
    let wanted: Vec<&str> = wanted.lines().collect();
    let trimmed: Vec<&str> = wanted.iter().map(|line| line.trim()).collect();
    if trimmed.iter().all(|line| line.is_empty()) || lines.is_empty() {
        return String::new();
    }
    let equal = |from: usize| trimmed.iter().zip(&lines[from..]).filter(|(want, have)| !want.is_empty() && **want == have.trim()).count();
    let filled = trimmed.iter().filter(|line| !line.is_empty()).count();
    let best = (0..lines.len()).map(|from| (equal(from), from)).max_by_key(|(count, from)| (*count, std::cmp::Reverse(*from)));
    let (count, mut from) = best.unwrap_or_default();
    if count == filled {
        return format!(
            "; only spaces at the ends of lines differ from lines {} to {}:\n{}",
            from + 1,
            from + wanted.len(),
            shown(&lines, from, wanted.len())
        );
    }
    if count == 0 {
        // No line is equal: the line most like the first of substance decides.
        let first = trimmed.iter().position(|line| !line.is_empty()).unwrap_or(0);
        let likeness = |line: &str| strsim::jaro_winkler(&head(line.trim()), &head(trimmed[first]));
        let closest =
            lines.iter().enumerate().map(|(at, line)| (likeness(line), at)).max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        match closest {
            Some((score, at)) if score >= CLOSE_ENOUGH => from = at.saturating_sub(first),
            _ => return String::new(),
        }
    }
    format!("; the closest part begins at line {}:\n{}", from + 1, shown(&lines, from, wanted.len()))
}

/// What of a line is compared.
fn head(line: &str) -> String {
    line.chars().take(LINE_CHARS_MAX).collect()
}

/// A line without what could control a terminal, its indentation kept.
fn spaced(line: &str) -> String {
    clean(line).trim_end().replace(['\n', '\r'], " ")
}

fn shown(lines: &[&str], from: usize, count: usize) -> String {
    let rows = lines.iter().enumerate().skip(from).take(count.clamp(1, SHOWN_MAX));
    rows.map(|(at, line)| format!("{}: {}", at + 1, ellipsis(&spaced(line), LINE_CHARS_MAX))).collect::<Vec<_>>().join("\n")
}

/// The lines at which `wanted` begins, in words.
pub(super) fn places(text: &str, wanted: &str) -> String {
    let (mut line, mut last, mut found) = (1, 0, Vec::new());
    for (at, _) in text.match_indices(wanted).take(PLACES_MAX + 1) {
        line += text[last..at].matches('\n').count();
        last = at;
        found.push(line.to_string());
    }
    let more = if found.len() > PLACES_MAX { ", …" } else { "" };
    found.truncate(PLACES_MAX);
    format!("lines {}{more}", found.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fn main() {\n    let a = 1;\n    let b = 2;\n}\n\nfn other() {}\n";

    #[test]
    fn other_spaces_are_told() {
        let told = nearest(TEXT, "let a = 1;\nlet b = 2;");
        assert_eq!(told, "; only spaces at the ends of lines differ from lines 2 to 3:\n2:     let a = 1;\n3:     let b = 2;");
    }

    #[test]
    fn the_closest_part_is_shown() {
        assert!(nearest(TEXT, "    let a = 1;\n    let b = 3;").starts_with("; the closest part begins at line 2:\n2: "));
        assert!(nearest(TEXT, "fn othr() {}").starts_with("; the closest part begins at line 6:"));
        assert_eq!(nearest(TEXT, "nothing of this kind"), "");
        assert_eq!(nearest("", "x"), "");
    }

    #[test]
    fn places_are_counted_in_lines() {
        assert_eq!(places("a\nb a\n\na", "a"), "lines 1, 2, 4");
        assert_eq!(places(&"x\n".repeat(12), "x"), "lines 1, 2, 3, 4, 5, 6, 7, 8, …");
    }
}
