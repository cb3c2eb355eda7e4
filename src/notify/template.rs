//! Texts made from a notice: templates with placeholders, and shortening on a word.
//!
//! Pure. What is filled in is never read as a template again, so a page cannot smuggle a placeholder in.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use unicode_segmentation::UnicodeSegmentation;

use crate::domain::clock::Instant;
use crate::domain::notice::Notice;
use crate::domain::text::{clean, clean_line};
use crate::notify::options::{OptionsError, shown};

/// The longest template, in characters.
const TEMPLATE_CHARS_MAX: usize = 4_000;

/// The longest title that is told, in UTF-16 units.
const TITLE_UNITS_MAX: usize = 200;

/// The longest body that is told over any channel, in UTF-16 units.
const BODY_UNITS_MAX: usize = 40_000;

/// The longest link that is told, in bytes.
const URL_BYTES_MAX: usize = 2_000;

/// What stands between braces, and how it is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Title,
    Body,
    Url,
    Task,
    Time,
}

/// The placeholders, by name.
const FIELDS: &[(&str, Field)] =
    &[("title", Field::Title), ("body", Field::Body), ("url", Field::Url), ("task", Field::Task), ("time", Field::Time)];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

/// A text with the placeholders `{title}`, `{body}`, `{url}`, `{task}` and `{time}`; `{{` and `}}` are braces. A line whose
/// placeholders are all empty is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    lines: Vec<Vec<Piece>>,
}

/// What a template is filled with; all of it clean.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Facts {
    pub(super) title: String,
    pub(super) body: String,
    pub(super) url: String,
    pub(super) task: String,
    pub(super) time: String,
}

impl Facts {
    /// What is known of `notice`, told at `now` in `zone`.
    pub(super) fn of(notice: &Notice, now: Instant, zone: &TimeZone) -> Self {
        let title = shorten(&clean_line(&notice.title), TITLE_UNITS_MAX).into_owned();
        let body = clean(&notice.body);
        let body = shorten(body.trim(), BODY_UNITS_MAX).into_owned();
        let described = notice.payload.pointer("/data/description").or_else(|| notice.payload.get("description"));
        let task = described.and_then(serde_json::Value::as_str).map(clean_line).unwrap_or_default();
        Self {
            // Some callers know one text only and give it twice.
            title: if title == body { String::new() } else { title },
            body,
            url: notice.url.as_deref().and_then(link).unwrap_or_default(),
            task: shorten(&task, TITLE_UNITS_MAX).into_owned(),
            time: now.timestamp().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        }
    }

    fn get(&self, field: Field) -> &str {
        match field {
            Field::Title => &self.title,
            Field::Body => &self.body,
            Field::Url => &self.url,
            Field::Task => &self.task,
            Field::Time => &self.time,
        }
    }
}

/// `url` where it can be opened from a notice: only addresses of the web, so that a page cannot have a script or a file opened.
fn link(url: &str) -> Option<String> {
    let url = url.trim();
    let web = url.starts_with("https://") || url.starts_with("http://");
    let plain = !url.chars().any(|ch| ch.is_whitespace() || ch.is_control() || matches!(ch, '<' | '>' | '"'));
    (web && plain && url.len() <= URL_BYTES_MAX).then(|| clean(url).into_owned())
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// When it names a placeholder that does not exist, a brace stands alone, or it is too long; `key` is named as its place.
    pub fn parse(key: &str, text: &str) -> Result<Self, OptionsError> {
        if text.chars().count() > TEMPLATE_CHARS_MAX {
            return Err(OptionsError::new(key, format!("is longer than {TEMPLATE_CHARS_MAX} characters")));
        }
        let lines = text.split('\n').map(|line| parse_line(key, line)).collect::<Result<_, _>>()?;
        Ok(Self { lines })
    }

    /// The text for these facts.
    pub(super) fn render(&self, facts: &Facts) -> String {
        let mut out = String::new();
        let mut blank = true;
        for line in self.lines.iter().filter_map(|line| render_line(line, facts)) {
            let empty = line.trim().is_empty();
            // What was left out must not leave gaps.
            if empty && blank {
                continue;
            }
            blank = empty;
            out.push_str(&line);
            out.push('\n');
        }
        out.truncate(out.trim_end_matches(['\n', ' ']).len());
        out
    }

    /// The text for these facts in at most `units_max` UTF-16 units: the body gives way first, then the title, so that the
    /// link stays whole as long as it can.
    pub(super) fn render_within(&self, facts: &Facts, units_max: usize) -> String {
        let whole = self.render(facts);
        let over = units(&whole).saturating_sub(units_max);
        if over == 0 {
            return whole;
        }
        let body = shorten(&facts.body, units(&facts.body).saturating_sub(over)).into_owned();
        let short = self.render(&Facts { body: body.clone(), ..facts.clone() });
        let over = units(&short).saturating_sub(units_max);
        if over == 0 {
            return short;
        }
        let title = shorten(&facts.title, units(&facts.title).saturating_sub(over)).into_owned();
        let short = self.render(&Facts { title, body, ..facts.clone() });
        shorten(&short, units_max).into_owned()
    }
}

fn parse_line(key: &str, line: &str) -> Result<Vec<Piece>, OptionsError> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        let lone = || OptionsError::new(key, format!("has a lone `{brace}`; write `{brace}{brace}` for the character itself"));
        if brace == "}" {
            return Err(lone());
        }
        let (name, after) = rest.split_once('}').ok_or_else(lone)?;
        let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name.trim()) else {
            let known = FIELDS.iter().map(|(name, _)| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", ");
            return Err(OptionsError::new(key, format!("names `{{{}}}`, which does not exist; there are {known}", shown(name))));
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Field(*field));
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// The line, if it has anything to say.
fn render_line(pieces: &[Piece], facts: &Facts) -> Option<String> {
    let mut fields = pieces.iter().filter_map(|piece| match piece {
        Piece::Field(field) => Some(facts.get(*field)),
        Piece::Text(_) => None,
    });
    let says_something = pieces.iter().all(|piece| matches!(piece, Piece::Text(_))) || fields.any(|value| !value.is_empty());
    says_something.then(|| {
        pieces.iter().fold(String::new(), |line, piece| match piece {
            Piece::Text(text) => line + text,
            Piece::Field(field) => line + facts.get(*field),
        })
    })
}

/// The length of `text` in UTF-16 units: what text messages and several services count.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// `text` in at most `units_max` UTF-16 units. What is too long is cut after a word where that costs less than half of it
/// (scripts without blanks are cut between characters) and ends in `…`.
pub fn shorten(text: &str, units_max: usize) -> Cow<'_, str> {
    if units(text) <= units_max {
        return Cow::Borrowed(text);
    }
    let Some(budget) = units_max.checked_sub(1) else { return Cow::Borrowed("") };
    let mut used = 0;
    let mut end = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += units(grapheme);
        if used > budget {
            break;
        }
        end = at + grapheme.len();
    }
    let mut head = &text[..end];
    if !text[end..].starts_with(char::is_whitespace)
        && let Some(word_end) = head.rfind(char::is_whitespace)
        && word_end > head.len() / 2
    {
        head = &head[..word_end];
    }
    let head = head.trim_end_matches(|ch: char| ch.is_whitespace() || matches!(ch, ',' | ';' | ':' | '-' | '–' | '…'));
    Cow::Owned(format!("{head}…"))
}

#[cfg(test)]
mod tests;
