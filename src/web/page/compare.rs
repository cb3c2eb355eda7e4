//! Whether a page changed in meaning since it was last read.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::diff::{Line, unified};
use super::feed::{self, News};
use super::rules::{Rules, find_keywords};
use super::{CONTENT_CHARS_MAX, Change, Found, Gate, Media, Reading, hashed, key_of};
use crate::domain::text::ellipsis;

/// Text that is there twice says no more than once where it is at least so long, in bytes; shorter text (a state, a
/// number) counts each time.
const REPEATABLE_BYTES: usize = 40;

/// A drop to less than this share of the old text is confirmed by a second look, in percent …
const DROP_PERCENT: usize = 40;

/// … where there was more than this to begin with, in bytes.
const DROP_BYTES_MIN: usize = 400;

/// Lines that a finding lists on each side.
const LINES_MAX: usize = 200;

/// Compares two readings of one page.
pub fn compare(old: &Reading, new: &Reading, rules: &Rules) -> Change {
    if old.hash == new.hash && old.media == new.media {
        return Change::None { gate: Gate::Hash };
    }
    match drop_of(old, new) {
        Some(reason) => Change::Suspicious { reason },
        None => differ(old, new, rules),
    }
}

/// Decides on a drop after a second fetch: `first` is the reading that was suspicious, `second` the one after it. A drop
/// that both show is a change like any other; where the two do not agree it stays suspicious.
pub fn settle(old: &Reading, first: &Reading, second: &Reading, rules: &Rules) -> Change {
    let agree = matches!(compare(first, second, rules), Change::None { gate: Gate::Hash | Gate::Ignore }) && first.media == second.media;
    if agree { differ(old, second, rules) } else { compare(old, second, rules) }
}

/// What looks wrong with `new`.
fn drop_of(old: &Reading, new: &Reading) -> Option<String> {
    if old.media != new.media {
        return Some(format!("it was {} and is {} now", name(old.media), name(new.media)));
    }
    if let (Some(before), Some(after)) = (&old.items, &new.items) {
        return (before.len() >= 3 && after.len() * 4 < before.len())
            .then(|| format!("{} of {} items are gone", before.len() - after.len(), before.len()));
    }
    let size = |reading: &Reading| reading.lines.iter().map(String::len).sum::<usize>();
    let (before, after) = (size(old), size(new));
    (before >= DROP_BYTES_MIN && after * 100 < before * DROP_PERCENT)
        .then(|| format!("{} % of the text is gone", 100 - after * 100 / before))
}

fn name(media: Media) -> &'static str {
    match media {
        Media::Html => "a web page",
        Media::Json => "JSON",
        Media::Feed => "a feed",
        Media::Text => "plain text",
    }
}

fn differ(old: &Reading, new: &Reading, rules: &Rules) -> Change {
    match (&old.items, &new.items) {
        (Some(before), Some(after)) => feeds(&feed::news(before, after, rules), new, rules),
        _ => pages(old, new, rules),
    }
}

fn feeds(news: &[News<'_>], new: &Reading, rules: &Rules) -> Change {
    if news.is_empty() {
        return Change::None { gate: Gate::Ignore };
    }
    let text_of = |news: &News<'_>| format!("{}\n{}\n{}", news.item.title, news.item.summary, news.item.categories.join("\n"));
    let mut kept: Vec<&News<'_>> = news.iter().collect();
    if rules.has_keywords() {
        kept.retain(|news| !find_keywords(&text_of(news), rules).is_empty());
        if kept.is_empty() {
            return Change::None { gate: Gate::Keywords };
        }
    }
    let all: String = kept.iter().map(|news| text_of(news) + "\n").collect();
    let summary = |item: &super::Item| if item.summary.is_empty() { String::new() } else { format!(": {}", item.summary) };
    let row = |item: &super::Item| format!("{}{}", item.title, summary(item));
    let mut found = Found { title: new.title.clone(), keywords_found: find_keywords(&all, rules), ..Found::default() };
    let (mut diff, mut content) = (String::new(), String::new());
    for news in kept.into_iter().take(LINES_MAX) {
        if let Some(before) = news.before {
            found.removed.push(row(before));
            let _ = writeln!(diff, "-{}", ellipsis(&row(before), 400));
        }
        // Writing to a string cannot fail.
        let _ = writeln!(diff, "+{}", ellipsis(&row(news.item), 400));
        let link = news.item.link.as_ref().map(|link| format!("\n{link}")).unwrap_or_default();
        let _ = writeln!(content, "{}{link}", ellipsis(&row(news.item), 600));
        found.added.push(row(news.item));
        found.items.push(news.item.clone());
    }
    found.diff = diff;
    found.content = ellipsis(content.trim_end(), CONTENT_CHARS_MAX).into_owned();
    Change::Changed(Box::new(found))
}

fn pages(old: &Reading, new: &Reading, rules: &Rules) -> Change {
    let mut before = lines(old, rules);
    let mut after = lines(new, rules);
    mark(&mut before, &counts(&after), &new.rest);
    let before_counts = counts(&before);
    mark(&mut after, &before_counts, &old.rest);
    let changed = |lines: &[Line<'_>]| lines.iter().any(|line| line.changed);
    if (!changed(&before) && !changed(&after)) || rewrapped(&before, &after) {
        return Change::None { gate: Gate::Ignore };
    }
    let texts = |lines: &[Line<'_>]| lines.iter().filter(|line| line.changed).map(|line| line.text.to_owned()).collect::<Vec<_>>();
    let (added, removed) = (texts(&after), texts(&before));
    // A phrase may run over a line break, but not from one change into another far away.
    let keywords_found = find_keywords(&added.join("\n"), rules);
    if rules.has_keywords() && keywords_found.is_empty() {
        return Change::None { gate: Gate::Keywords };
    }
    let content = content(&added, &removed, rules);
    let diff = unified(&before, &after);
    let bounded = |mut lines: Vec<String>| {
        lines.truncate(LINES_MAX);
        lines
    };
    let found = Found {
        title: new.title.clone(),
        diff,
        added: bounded(added),
        removed: bounded(removed),
        keywords_found,
        content,
        items: Vec::new(),
    };
    Change::Changed(Box::new(found))
}

/// The lines that count, with what they say.
fn lines<'a>(reading: &'a Reading, rules: &Rules) -> Vec<Line<'a>> {
    let whole = whole_numbers(reading, rules);
    let line = |text: &'a String| Line { text, key: key_of(text, rules, whole), changed: false };
    reading.lines.iter().map(line).filter(|line| !line.key.is_empty()).collect()
}

/// Whether counters count too: somebody chose a part that is little else.
pub(super) fn whole_numbers(reading: &Reading, rules: &Rules) -> bool {
    rules.is_part() && reading.lines.len() <= 2
}

fn counts(lines: &[Line<'_>]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for line in lines {
        *counts.entry(line.key.clone()).or_default() += 1;
    }
    counts
}

/// Marks the lines that the other side has not, or not as often.
fn mark(lines: &mut [Line<'_>], other: &HashMap<String, usize>, rest: &[u64]) {
    let rest: HashSet<u64> = rest.iter().copied().collect();
    let mut left = other.clone();
    for line in lines {
        let here = left.get_mut(&line.key);
        line.changed = match here {
            Some(_) if line.key.len() >= REPEATABLE_BYTES => false,
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => !rest.contains(&hashed(&line.key)),
        };
    }
}

/// Whether the same text was only broken into lines in another way. Signs that part words do not count; those within a
/// number do.
fn rewrapped(before: &[Line<'_>], after: &[Line<'_>]) -> bool {
    let parts = |ch: char| ch.is_whitespace() || matches!(ch, '|' | ',' | '.' | ':' | ';' | '(' | ')' | '"' | '\'' | '!' | '/');
    let joined = |lines: &[Line<'_>]| {
        let mut text = String::new();
        for line in lines.iter().filter(|line| line.changed) {
            let words = line.key.split(|ch: char| ch.is_whitespace() || ch == '|');
            words.for_each(|word| text.push_str(word.trim_matches(parts)));
        }
        text
    };
    joined(before) == joined(after)
}

/// The text for the wire: what is new, lines with keywords first, then what is gone.
fn content(added: &[String], removed: &[String], rules: &Rules) -> String {
    let mut order: Vec<&String> = added.iter().take(LINES_MAX).collect();
    if rules.has_keywords() {
        order.sort_by_key(|line| find_keywords(line, rules).is_empty());
    }
    let mut content = order.into_iter().map(String::as_str).collect::<Vec<_>>().join("\n");
    if content.chars().count() < CONTENT_CHARS_MAX && !removed.is_empty() {
        if !content.is_empty() {
            content.push_str("\n\n");
        }
        content.push_str("No longer there:\n");
        content.push_str(&removed[..removed.len().min(LINES_MAX)].join("\n"));
    }
    ellipsis(&content, CONTENT_CHARS_MAX).into_owned()
}
