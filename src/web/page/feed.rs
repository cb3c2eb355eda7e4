//! Feeds as items that stay themselves while they are edited, and what is new in them.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::rules::{Part, Rules};
use super::{Fault, ITEMS_MAX, Item, Media, Reading, html, links, noise};
use crate::domain::clock::Instant;
use crate::domain::text::{clean_line, ellipsis};

/// The summary that is kept of an item, in characters.
const SUMMARY_CHARS_MAX: usize = 1_000;

/// The markup of an item that is read for its summary, in bytes.
const MARKUP_BYTES_MAX: usize = 64 * 1024;

/// Reads RSS, Atom or JSON Feed.
pub(super) fn read(text: &str, url: &str, rules: &Rules) -> Result<Reading, Fault> {
    match &rules.part {
        Part::Whole => {}
        Part::Pointer(_) if text.trim_start().starts_with('{') => return super::json::read(text, url, rules),
        Part::Pointer(_) => return Err(Fault::Unfit { field: "json_pointer", needs: "JSON", found: "a feed in XML" }),
        Part::Css(..) => {
            return Err(Fault::Unfit { field: "selector", needs: "HTML", found: "a feed: its items are watched without a selector" });
        }
        Part::XPath(_) => {
            return Err(Fault::Unfit { field: "xpath", needs: "HTML", found: "a feed: its items are watched without an XPath" });
        }
    }
    let parser = feed_rs::parser::Builder::new().base_uri(Some(url)).id_generator(|_, _, _| String::new()).build();
    let feed = parser.parse(text.trim_start().as_bytes()).map_err(|error| Fault::NotFeed(clean_line(&error.to_string())))?;
    let items: Vec<Item> =
        feed.entries.into_iter().take(ITEMS_MAX).map(|entry| item(entry, url, rules)).filter(|item| !item.id.is_empty()).collect();
    let title = feed.title.map(|title| clean_line(&title.content)).filter(|title| !title.is_empty());
    let mut reading = Reading::new(Media::Feed, title, Vec::new(), Vec::new());
    let mut keys: Vec<String> = items.iter().map(|item| format!("{}\n{}", item.id, said(item, rules))).collect();
    keys.sort();
    reading.hash = Sha256::digest(keys.join("\n\n")).into();
    reading.items = Some(items);
    Ok(reading)
}

fn item(entry: feed_rs::model::Entry, url: &str, rules: &Rules) -> Item {
    let plain = |markup: &str| {
        let end = markup.floor_char_boundary(MARKUP_BYTES_MAX.min(markup.len()));
        html::lines_of(&markup[..end], url, rules).join(" ")
    };
    let title = entry.title.map(|title| plain(&title.content)).unwrap_or_default();
    let alternate = entry.links.iter().find(|link| link.rel.as_deref().is_none_or(|rel| rel == "alternate")).or(entry.links.first());
    let link = alternate.and_then(|link| links::absolute(url, &link.href)).map(|link| links::clean(&link));
    let summary =
        entry.summary.map(|summary| summary.content).or_else(|| entry.content.and_then(|content| content.body)).unwrap_or_default();
    let summary = plain(&summary);
    let title = clean_line(&title);
    let title = if title.is_empty() { ellipsis(&clean_line(&summary), 120).into_owned() } else { ellipsis(&title, 500).into_owned() };
    let id = match (entry.id.trim(), &link) {
        ("", Some(link)) => links::stable(link),
        ("", None) if title.is_empty() => String::new(),
        ("", None) => format!("title:{:x}", u64::from_be_bytes(short(&noise::key(&title)))),
        (id, _) if id.starts_with("http") => links::stable(id),
        (id, _) => ellipsis(&clean_line(id), 500).into_owned(),
    };
    let published = entry.published.or(entry.updated).map(|time| Instant::from_millis(time.timestamp_millis()));
    let categories = entry
        .categories
        .into_iter()
        .map(|category| clean_line(&category.label.unwrap_or(category.term)))
        .filter(|name| !name.is_empty())
        .take(20)
        .collect();
    Item { id, title, link, summary: ellipsis(&clean_line(&summary), SUMMARY_CHARS_MAX).into_owned(), published, categories }
}

fn short(text: &str) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::digest(text).into();
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    head
}

/// What an item says, without its noise.
fn said(item: &Item, rules: &Rules) -> String {
    // Runs of punctuation differ with the markup around them.
    let letters = |text: &str| {
        noise::key(&rules.without_ignored(text)).chars().filter(|ch| !matches!(ch, '"' | '\'' | '.' | ',' | '|' | ' ')).collect::<String>()
    };
    format!("{}\n{}", letters(&item.title), letters(&item.summary))
}

/// An item of the new feed that says something new.
pub(super) struct News<'a> {
    pub(super) item: &'a Item,
    /// What it was before, where it is not new itself.
    pub(super) before: Option<&'a Item>,
}

/// New and rewritten items of `new`. Items that are gone rolled off the end, and older ones that appear came back to it.
pub(super) fn news<'a>(old: &'a [Item], new: &'a [Item], rules: &Rules) -> Vec<News<'a>> {
    let by_id: HashMap<&str, &Item> = old.iter().map(|item| (item.id.as_str(), item)).collect();
    let by_link = unique(old, |item| item.link.as_deref().map(links::stable));
    let links_of_new = unique(new, |item| item.link.as_deref().map(links::stable));
    let by_title = unique(old, |item| Some(noise::key(&item.title)).filter(|title| title.len() >= 12));
    let oldest = old.iter().filter_map(|item| item.published).min();
    let mut told = HashSet::new();
    let mut news = Vec::new();
    for item in new {
        let link = item.link.as_deref().map(links::stable).filter(|link| links_of_new.contains_key(link));
        let before = by_id
            .get(item.id.as_str())
            .or_else(|| by_link.get(&link?))
            .or_else(|| by_title.get(&noise::key(&item.title)).filter(|before| before.published == item.published))
            .copied();
        let fresh = match before {
            Some(before) => said(before, rules) != said(item, rules),
            // With nothing before, everything is new; else what is older than all that was there came back.
            None => {
                oldest.zip(item.published).is_none_or(|(oldest, published)| published >= oldest) && !said(item, rules).trim().is_empty()
            }
        };
        if fresh && told.insert(item.id.as_str()) {
            news.push(News { item, before });
        }
    }
    news
}

/// Items by a trait that no two of them share.
fn unique(items: &[Item], by: impl Fn(&Item) -> Option<String>) -> HashMap<String, &Item> {
    let mut found: HashMap<String, Option<&Item>> = HashMap::new();
    for item in items {
        if let Some(name) = by(item) {
            found.entry(name).and_modify(|item| *item = None).or_insert(Some(item));
        }
    }
    found.into_iter().filter_map(|(name, item)| Some((name, item?))).collect()
}
