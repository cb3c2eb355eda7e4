//! Reads watched pages and tells whether they changed in meaning: bytes in, findings out.
//!
//! Everything here is a plain function: no network, no clock, no runtime. Parsing takes milliseconds, so callers run it
//! off the event loop. A page that cannot be read is a [`Fault`] and never a change; whatever the bytes are, work and
//! memory are bounded. Fetching, storing and judging are left to others.

mod article;
mod chrome;
mod compare;
mod decode;
mod diff;
mod feed;
mod guard;
mod html;
mod json;
mod links;
mod noise;
mod rules;
mod xpath;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::clock::Instant;
use crate::domain::text::clean_line;

pub use article::{About, Article, article, text_of};
pub use compare::{compare, settle};
pub use rules::{RuleError, Rules, find_keywords};

/// The largest body that is read, in bytes; a larger one is a fault.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The text that a reading keeps, in bytes. Of what lies beyond only hashes of the lines are kept: enough to tell that
/// a line moved across the limit, but a change beyond it is not seen.
pub const TEXT_BYTES_MAX: usize = 512 * 1024;

/// The longest line that a reading keeps, in characters; longer blocks are split at a blank.
const LINE_CHARS_MAX: usize = 2_000;

/// Hashes of lines beyond [`TEXT_BYTES_MAX`] that a reading keeps.
const REST_MAX: usize = 32_768;

/// Items of a feed that a reading keeps, the first ones.
pub const ITEMS_MAX: usize = 500;

/// Links that a reading keeps, the first ones of the content.
pub const LINKS_MAX: usize = 300;

/// The text of a finding for the wire, in characters.
pub const CONTENT_CHARS_MAX: usize = 2_000;

/// What kind of document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// A web page.
    Html,
    /// A JSON document that is no feed.
    Json,
    /// RSS, Atom or JSON Feed.
    Feed,
    /// Any other text.
    Text,
}

/// An item of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Item {
    /// What stays the same while the item is edited: its guid or id, else its link, else a hash of its title.
    pub id: String,
    /// The title, one line.
    pub title: String,
    /// Where it leads, absolute, without tracking parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The summary or content as plain text, at most 1,000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// When it was published, as the feed says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Instant>,
    /// Its categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
}

/// A link of a page's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its text, one line.
    pub text: String,
    /// Where it leads, absolute, without tracking parameters.
    pub url: String,
    /// Whether it is a heading or stands in one.
    pub heading: bool,
}

/// What a page says, without its furniture: the baseline that the next look is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What kind of document it is.
    pub media: Media,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its text as blocks of one line each, in their order; cells of a table row and parts of a card are separated by ` | `.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// The items, where it is a feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Item>>,
    /// Feeds that the page names, absolute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<String>,
    /// Links of the content, absolute: headlines first of all. Not stored.
    #[serde(skip)]
    pub links: Vec<Link>,
    /// Hashes of the lines beyond [`TEXT_BYTES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rest: Vec<u64>,
    /// A hash of what counts: equal where two readings say the same, in whatever order.
    #[serde(with = "hex")]
    pub hash: [u8; 32],
}

impl Reading {
    fn new(media: Media, title: Option<String>, feeds: Vec<String>, links: Vec<Link>) -> Self {
        Self { media, title, lines: Vec::new(), items: None, feeds, links, rest: Vec::new(), hash: [0; 32] }
    }

    /// The text, one block a line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        for item in self.items.iter().flatten() {
            text.push_str(&item.title);
            text.push('\n');
            if !item.summary.is_empty() {
                text.push_str(&item.summary);
                text.push('\n');
            }
        }
        text
    }
}

/// Why a page could not be read. Never a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing was sent, or nothing that can be read.
    #[error("the page is empty: {0}")]
    Empty(&'static str),
    /// The watched part is not there.
    #[error("`{selector}` ({field}) finds nothing on the page: it may have been rebuilt; look at it and correct `{field}`")]
    Missing {
        /// The key of the config: `selector`, `xpath` or `json_pointer`.
        field: &'static str,
        /// Its value.
        selector: String,
    },
    /// The rule does not fit the document: a JSON pointer for HTML, say.
    #[error("`{field}` needs {needs}, but the page is {found}")]
    Unfit {
        /// The key of the config.
        field: &'static str,
        /// What it needs.
        needs: &'static str,
        /// What came.
        found: &'static str,
    },
    /// An image, an archive, a PDF …
    #[error("the page is no text but {0}: watch a page that links to it instead")]
    Binary(&'static str),
    /// It says that it is JSON, but it is not.
    #[error("the answer is not valid JSON: {0}")]
    NotJson(String),
    /// It says that it is a feed, but it is not.
    #[error("the feed cannot be read: {0}")]
    NotFeed(String),
    /// Over [`BODY_BYTES_MAX`].
    #[error("the page has {bytes} bytes, more than the {max} that are read: watch a smaller page or a feed of it", max = BODY_BYTES_MAX)]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// A selector that cannot be used.
    #[error("{0}")]
    Selector(String),
    /// A page that stands in for the real one: a check for robots, a request to switch JavaScript on.
    #[error("a page stands in for the real one ({0}): `render = true` may help where a browser is installed")]
    StandIn(String),
}

/// Which gate stopped a look that did not fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// What counts is the same, to the word.
    Hash,
    /// Only noise differs.
    Ignore,
    /// The change holds none of the keywords.
    Keywords,
}

impl Gate {
    /// The name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Ignore => "ignore",
            Self::Keywords => "keywords",
        }
    }
}

/// What a look found.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Nothing that counts.
    None {
        /// What stopped it.
        gate: Gate,
    },
    /// Much of the page is gone: fetch it once more and let [`settle`] decide.
    Suspicious {
        /// What looks wrong, in one phrase.
        reason: String,
    },
    /// The page changed in meaning.
    Changed(Box<Found>),
}

/// A change in meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The new title of the page.
    pub title: Option<String>,
    /// A unified diff without the noise, bounded.
    pub diff: String,
    /// Lines that are new.
    pub added: Vec<String>,
    /// Lines that are gone.
    pub removed: Vec<String>,
    /// Keywords that the new text holds, as the task spells them.
    pub keywords_found: Vec<String>,
    /// The new text first, at most [`CONTENT_CHARS_MAX`] characters.
    pub content: String,
    /// New or rewritten items of a feed.
    pub items: Vec<Item>,
}

/// A hash of the bytes as they came: equal bytes need no reading.
pub fn raw_hash(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// Reads a page.
///
/// `content_type` is the header's value; `url` is where the page came from, for relative links.
///
/// # Errors
/// Where there is nothing to compare: see [`Fault`].
pub fn read(body: &[u8], content_type: Option<&str>, url: &str, rules: &Rules) -> Result<Reading, Fault> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Fault::TooLarge { bytes: body.len() });
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::Empty("no bytes were sent"));
    }
    let page = decode::decode(body, content_type)?;
    match page.media {
        Media::Html => html::read(&page.text, url, rules),
        Media::Json => json::read(&page.text, url, rules),
        Media::Feed => feed::read(&page.text, url, rules),
        Media::Text => plain(&page.text, rules),
    }
}

/// Plain text: a block a line.
fn plain(text: &str, rules: &Rules) -> Result<Reading, Fault> {
    match rules.part {
        rules::Part::Whole => {}
        rules::Part::Css(..) => return Err(Fault::Unfit { field: "selector", needs: "HTML", found: "plain text" }),
        rules::Part::XPath(_) => return Err(Fault::Unfit { field: "xpath", needs: "HTML", found: "plain text" }),
        rules::Part::Pointer(_) => return Err(Fault::Unfit { field: "json_pointer", needs: "JSON", found: "plain text" }),
    }
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let reading = finish(Reading::new(Media::Text, None, Vec::new(), Vec::new()), lines, rules);
    if reading.lines.is_empty() { Err(Fault::Empty("it holds blanks only")) } else { Ok(reading) }
}

/// Puts `lines` into `reading`: clean, split where they are long, bounded, with the hash over what counts.
fn finish(mut reading: Reading, lines: Vec<String>, rules: &Rules) -> Reading {
    let mut bytes = 0;
    let mut beyond = Vec::new();
    for line in lines {
        let line = clean_line(&line);
        let mut left = line.as_str();
        while !left.is_empty() {
            let (piece, rest) = split_long(left);
            left = rest;
            if bytes + piece.len() <= TEXT_BYTES_MAX {
                bytes += piece.len();
                reading.lines.push(piece.to_owned());
            } else if beyond.len() < REST_MAX {
                bytes = TEXT_BYTES_MAX;
                beyond.push(noise::key(&rules.without_ignored(piece)));
            }
        }
    }
    reading.rest = beyond.iter().map(|key| hashed(key)).collect();
    let whole = compare::whole_numbers(&reading, rules);
    let mut keys: Vec<String> = reading.lines.iter().map(|line| key_of(line, rules, whole)).filter(|key| !key.is_empty()).collect();
    keys.sort_unstable();
    let mut digest = Sha256::new();
    for key in &keys {
        digest.update(key.as_bytes());
        digest.update(b"\n");
    }
    reading.hash = digest.finalize().into();
    reading
}

/// The first [`LINE_CHARS_MAX`] characters of `line`, cut at a blank where there is one, and what follows.
fn split_long(line: &str) -> (&str, &str) {
    let Some((end, _)) = line.char_indices().nth(LINE_CHARS_MAX) else { return (line, "") };
    let cut = line[..end].rfind([' ', '。', '、', '，']).filter(|cut| *cut > end / 2).map_or(end, |cut| line.ceil_char_boundary(cut + 1));
    (line[..cut].trim(), line[cut..].trim())
}

/// What `line` says under `rules`. With `whole` its counters count.
fn key_of(line: &str, rules: &Rules, whole: bool) -> String {
    let line = rules.without_ignored(line);
    if whole { noise::fold(&line).to_lowercase() } else { noise::key(&line) }
}

/// A short hash of a line beyond the text that is kept.
fn hashed(key: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(key).into();
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(head)
}

/// Hashes as hexadecimal text.
mod hex {
    use std::fmt;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Digits(hash))
    }

    struct Digits<'a>(&'a [u8; 32]);

    impl fmt::Display for Digits<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut hash = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(de::Error::custom("a hash has 64 hexadecimal digits"));
        }
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).map_err(de::Error::custom)?;
        }
        Ok(hash)
    }
}
