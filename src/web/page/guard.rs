//! Keeps markup within bounds before a parser sees it.
//!
//! A tree builder takes quadratic time or memory on some input: elements nested a hundred thousand deep, a tag with a
//! million attributes, formatting that is never closed. Browsers cut such documents too. One linear pass finds out
//! whether a document is one of them, and only then a second one writes a tamer copy.

use std::borrow::Cow;

/// Elements that may be open at the same time; what is deeper loses its tags and keeps its text.
const DEPTH_MAX: usize = 256;

/// Formatting elements that may be open at the same time: an unclosed one is opened anew in every block after it.
const FORMATTING_MAX: usize = 8;

/// The longest tag, in bytes, and the most blanks and equal signs in it.
const TAG_BYTES_MAX: usize = 256 * 1024;

/// The most attributes of a tag, roughly.
const ATTRIBUTES_MAX: usize = 400;

/// The most tags of a document; the rest is cut off.
const TAGS_MAX: usize = 200_000;

const VOID: &[&str] = &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

const FORMATTING: &[&str] = &["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];

/// Elements whose content is text up to their end tag.
const RAW: &[&str] = &["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];

/// What an end tag may be left out for, and which open elements a start tag then closes.
fn closes(name: &str, open: &str) -> bool {
    match name {
        "li" => matches!(open, "li" | "p"),
        "p" => open == "p",
        "dt" | "dd" => matches!(open, "dt" | "dd" | "p"),
        "td" | "th" => matches!(open, "td" | "th" | "p"),
        "tr" => matches!(open, "td" | "th" | "tr" | "p"),
        "tbody" | "thead" | "tfoot" => matches!(open, "td" | "th" | "tr" | "tbody" | "thead" | "tfoot" | "p"),
        "option" | "optgroup" => matches!(open, "option"),
        _ => false,
    }
}

struct Tag<'a> {
    name: Cow<'a, str>,
    end: bool,
    /// Where it starts and where what follows it starts.
    from: usize,
    to: usize,
    sane: bool,
}

/// `markup` as it is, or a copy that can be parsed within bounds.
pub(super) fn tamed(markup: &str) -> Cow<'_, str> {
    if walk(markup, None) {
        return Cow::Borrowed(markup);
    }
    let mut out = String::with_capacity(markup.len());
    walk(markup, Some(&mut out));
    Cow::Owned(out)
}

/// Goes through the tags. Without `out` it tells whether all is within bounds; with it, it writes what is.
fn walk(markup: &str, mut out: Option<&mut String>) -> bool {
    let mut open: Vec<(Cow<'_, str>, bool)> = Vec::new();
    let (mut formatting, mut tags, mut at) = (0, 0, 0);
    while let Some(tag) = next_tag(markup, at) {
        tags += 1;
        if tags > TAGS_MAX {
            // What is written so far is the copy.
            return false;
        }
        let keep = if tag.end {
            // An end tag far from its start closes all between, as a parser would.
            match open.iter().rev().take(DEPTH_MAX).position(|(name, _)| *name == tag.name) {
                Some(back) => {
                    let from = open.len() - 1 - back;
                    formatting -= open.drain(from..).filter(|(name, _)| FORMATTING.contains(&name.as_ref())).count();
                    true
                }
                None => out.is_none(),
            }
        } else if VOID.contains(&tag.name.as_ref()) {
            tag.sane
        } else {
            let foreign = open.iter().any(|(_, foreign)| *foreign);
            while !foreign && open.last().is_some_and(|(last, _)| closes(&tag.name, last)) {
                open.pop();
            }
            let formats = FORMATTING.contains(&tag.name.as_ref());
            let fits = tag.sane && open.len() < DEPTH_MAX && (!formats || formatting < FORMATTING_MAX);
            if fits {
                formatting += usize::from(formats);
                let foreign = matches!(tag.name.as_ref(), "svg" | "math");
                open.push((tag.name.clone(), foreign));
            }
            fits
        };
        if !keep && out.is_none() {
            return false;
        }
        if let Some(out) = out.as_deref_mut() {
            out.push_str(&markup[at..tag.from]);
            // A tag that is left out still parts words.
            out.push_str(if keep { &markup[tag.from..tag.to] } else { " " });
        }
        at = tag.to;
        if keep && !tag.end && RAW.contains(&tag.name.as_ref()) {
            let until = end_of_raw(markup, at, &tag.name);
            if let Some(out) = out.as_deref_mut() {
                out.push_str(&markup[at..until]);
            }
            at = until;
        }
    }
    if let Some(out) = out {
        out.push_str(&markup[at..]);
    }
    true
}

/// The next tag from `at` on; comments and declarations are passed over.
fn next_tag(markup: &str, mut at: usize) -> Option<Tag<'_>> {
    let bytes = markup.as_bytes();
    loop {
        let from = at + memchr(b'<', &bytes[at..])?;
        let rest = &bytes[from + 1..];
        if rest.starts_with(b"!--") {
            at = markup[from + 4..].find("-->").map_or(bytes.len(), |end| from + 4 + end + 3);
            continue;
        }
        let end = rest.first() == Some(&b'/');
        let name_at = from + 1 + usize::from(end);
        if !bytes.get(name_at).is_some_and(u8::is_ascii_alphabetic) {
            at = from + 1;
            continue;
        }
        let length = bytes[name_at..]
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'))
            .unwrap_or(bytes.len() - name_at);
        let name = &markup[name_at..name_at + length];
        let name =
            if name.bytes().any(|byte| byte.is_ascii_uppercase()) { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) };
        let (to, attributes) = end_of_tag(bytes, name_at + length);
        let sane = attributes <= ATTRIBUTES_MAX && to - from <= TAG_BYTES_MAX && length <= 64;
        return Some(Tag { name, end, from, to, sane });
    }
}

/// Where the tag ends, and roughly how many attributes it has.
fn end_of_tag(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let mut attributes = 0;
    let mut quote = None;
    let mut before_value = false;
    let mut inside = false;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => continue,
            (None, b'>') => return (at, attributes),
            (None, b'"' | b'\'') if before_value => quote = Some(byte),
            (None, byte) if byte.is_ascii_whitespace() || byte == b'/' => {
                inside = false;
                continue;
            }
            (None, b'=') => {}
            (None, _) => {
                if !inside && !before_value {
                    attributes += 1;
                }
                inside = true;
            }
        }
        before_value = byte == b'=';
    }
    (at, attributes)
}

/// Where the text of a raw element ends: at its end tag, or at the end of the document.
fn end_of_raw(markup: &str, from: usize, name: &str) -> usize {
    let bytes = markup.as_bytes();
    let mut at = from;
    while let Some(found) = memchr(b'<', &bytes[at..]) {
        let start = at + found;
        let after = &bytes[start + 1..];
        if after.first() == Some(&b'/') && after.len() > name.len() && after[1..=name.len()].eq_ignore_ascii_case(name.as_bytes()) {
            return start;
        }
        at = start + 1;
    }
    bytes.len()
}

fn memchr(needle: u8, bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == needle)
}
