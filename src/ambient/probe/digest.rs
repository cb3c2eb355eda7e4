//! `news_digest`: gathers what is new from feeds and pages, merges what several sources tell, and ranks it.
//!
//! A source that fails is named in the digest and does not sink it.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::ambient::finding::{Fault, Finding, Fire, Keep, Look, News};
use crate::ambient::probe::{Probes, data_of, plain, store, web};
use crate::domain::clock::Instant;
use crate::domain::ids::TaskId;
use crate::domain::text::{clean_line, ellipsis};
use crate::net::fetch::{Accept, Request};
use crate::web::page::{Item, Reading, Rules};

/// Items of each source that are remembered as told.
const SEEN_MAX: usize = 2_000;

/// Items of each source that are looked at.
const ITEMS_MAX: usize = 200;

/// The longest headline, in characters.
const HEADLINE_CHARS_MAX: usize = 200;

/// Words that a link must have to be taken for a headline, where a page has no feed.
const HEADLINE_WORDS_MIN: usize = 4;

/// Two headlines tell the same when so much of their words is shared (Jaccard index).
const SAME_STORY: f64 = 0.6;

/// What is gathered.
pub(super) struct Wanted<'a> {
    pub(super) urls: &'a [String],
    pub(super) categories: &'a [String],
    /// Headlines of each source.
    pub(super) top: usize,
}

/// A source and what it has that is new.
struct Gathered {
    name: String,
    items: Vec<Item>,
    fault: Option<Fault>,
}

pub(super) async fn look(probes: &Probes, look: &Look, wanted: &Wanted<'_>) -> Result<Finding, Fault> {
    let task = &look.spec.task_id;
    let read = join_all(wanted.urls.iter().map(|url| news(probes, url))).await;
    if read.iter().all(Result::is_err) {
        let fault = read.into_iter().find_map(Result::err).unwrap_or_else(|| Fault::new("the digest names no source"));
        return Err(Fault { message: format!("no source could be read: {}", fault.message), retry_at: fault.retry_at });
    }
    let (mut gathered, mut keep) = (Vec::new(), Vec::new());
    for (url, result) in wanted.urls.iter().zip(read) {
        gathered.push(match result {
            Ok((name, items)) => {
                let (fresh, kept) = unseen(probes, task, url, items, look.now).await?;
                keep.extend(kept);
                Gathered { name, items: fresh, fault: None }
            }
            Err(fault) => Gathered { name: host(url).to_owned(), items: Vec::new(), fault: Some(fault) },
        });
    }
    let trouble: Vec<_> =
        gathered.iter().filter_map(|source| source.fault.as_ref().map(|fault| format!("{}: {}", source.name, fault.message))).collect();
    let summaries = summarise(gathered, wanted);
    let headlines: usize = summaries.iter().filter_map(|summary| summary["headlines"].as_array().map(Vec::len)).sum();
    let mut data = data_of(&look.spec);
    data.insert("digest_date".to_owned(), date(look).into());
    data.insert("news_summaries".to_owned(), Value::Array(summaries));
    let note = format!("{headlines} headlines from {} sources", wanted.urls.len() - trouble.len());
    let fire = Fire { part: "digest".to_owned(), data };
    let trouble = (!trouble.is_empty()).then(|| trouble.join("; "));
    Ok(Finding { state: Value::Null, keep, news: News::Fired(vec![fire]), note, trouble })
}

/// The day of the digest, in the task's zone.
fn date(look: &Look) -> String {
    let zone = look.spec.kind.common().timezone.as_deref().and_then(|name| jiff::tz::TimeZone::get(name).ok());
    let zone = zone.unwrap_or_else(jiff::tz::TimeZone::system);
    look.due.unwrap_or(look.now).timestamp().to_zoned(zone).date().to_string()
}

/// The name and the items of a source: of its feed, of the feed that its page names, or the headlines of the page.
pub(super) async fn news(probes: &Probes, url: &str) -> Result<(String, Vec<Item>), Fault> {
    let reading = read(probes, url, Accept::Page).await?;
    let named = |reading: &Reading| {
        reading.title.as_deref().map(clean_line).filter(|title| !title.is_empty()).map(|title| ellipsis(&title, 60).into_owned())
    };
    let name = named(&reading).unwrap_or_else(|| host(url).to_owned());
    if let Some(items) = reading.items {
        return Ok((name, items));
    }
    if let Some(feed) = reading.feeds.first() {
        match read(probes, feed, Accept::Feed).await {
            Ok(Reading { items: Some(items), .. }) if !items.is_empty() => return Ok((name, items)),
            Ok(_) => {}
            Err(fault) => tracing::debug!(url, feed, %fault, "the feed that a page names cannot be read; its headlines are"),
        }
    }
    let links = reading
        .links
        .iter()
        .filter(|link| link.heading || link.text.split_whitespace().count() >= HEADLINE_WORDS_MIN || link.text.chars().count() >= 40);
    let item = |link: &crate::web::page::Link| Item {
        id: link.url.clone(),
        title: link.text.clone(),
        link: Some(link.url.clone()),
        summary: String::new(),
        published: None,
        categories: Vec::new(),
    };
    let items: Vec<Item> = links.map(item).collect();
    if items.is_empty() {
        return Err(Fault::new(format!("{url}: neither a feed nor headlines were found; name its feed instead")));
    }
    Ok((name, items))
}

pub(super) async fn read(probes: &Probes, url: &str, accept: Accept) -> Result<Reading, Fault> {
    let fetched = probes.fetcher.get(Request { accept, ..Request::new(url) }).await?;
    let rules = Arc::new(Rules::new(&plain(url)).map_err(|error| Fault::new(error.to_string()))?);
    web::read(&fetched, &rules).await.map_err(|fault| Fault { message: format!("{url}: {}", fault.message), ..fault })
}

/// The items that were not told before, and the list of those that will have been.
async fn unseen(probes: &Probes, task: &TaskId, url: &str, items: Vec<Item>, now: Instant) -> Result<(Vec<Item>, Option<Keep>), Fault> {
    let kept = probes.kept(task, store::SEEN, Some(url), 1).await?;
    let mut seen: Vec<u64> = kept.first().and_then(|blob| store::unpack(&blob.bytes)).unwrap_or_default();
    let known: HashSet<u64> = seen.iter().copied().collect();
    let (mut fresh, mut now_seen) = (Vec::new(), HashSet::new());
    for item in items.into_iter().take(ITEMS_MAX) {
        let id = identity(&item);
        if !known.contains(&id) && now_seen.insert(id) {
            seen.push(id);
            fresh.push(item);
        }
    }
    if fresh.is_empty() {
        return Ok((fresh, None));
    }
    let over = seen.len().saturating_sub(SEEN_MAX);
    seen.drain(..over);
    Ok((fresh, Some(store::keep(task, store::SEEN, url, now, &seen, 1)?)))
}

fn identity(item: &Item) -> u64 {
    let digest = Sha256::digest(item.id.as_bytes());
    digest.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte))
}

/// The summaries of the wire, near-duplicates merged into the source that came first. Pure.
fn summarise(gathered: Vec<Gathered>, wanted: &Wanted<'_>) -> Vec<Value> {
    let mut told: Vec<(HashSet<String>, usize, usize)> = Vec::new();
    let mut also: Vec<Vec<Vec<String>>> = Vec::new();
    let mut chosen: Vec<Vec<Item>> = Vec::new();
    let names: Vec<String> = gathered.iter().map(|source| source.name.clone()).collect();
    let faults: Vec<Option<String>> = gathered.iter().map(|source| source.fault.as_ref().map(|fault| fault.message.clone())).collect();
    for (at, source) in gathered.into_iter().enumerate() {
        let mut items: Vec<Item> = Vec::new();
        let mut marks: Vec<Vec<String>> = Vec::new();
        for item in rank(source.items, wanted.categories) {
            if items.len() >= wanted.top.clamp(1, 10) {
                break;
            }
            let words = words(&item.title);
            if let Some((_, source, index)) = told.iter().find(|(known, _, _)| alike(known, &words)) {
                let marks = if *source == at { &mut marks } else { &mut also[*source] };
                if let Some(mark) = marks.get_mut(*index)
                    && *source != at
                    && !mark.contains(&names[at])
                {
                    mark.push(names[at].clone());
                }
                continue;
            }
            told.push((words, at, items.len()));
            items.push(item);
            marks.push(Vec::new());
        }
        chosen.push(items);
        also.push(marks);
    }
    let summaries = names.into_iter().zip(faults).zip(chosen.into_iter().zip(also));
    summaries.map(|((name, fault), (items, also))| summary(name, fault, &items, &also)).collect()
}

fn summary(name: String, fault: Option<String>, items: &[Item], also: &[Vec<String>]) -> Value {
    let mut out = Map::new();
    out.insert("source".to_owned(), name.into());
    let headline = |(item, also): (&Item, &Vec<String>)| {
        let title = ellipsis(&clean_line(&item.title), HEADLINE_CHARS_MAX).into_owned();
        if also.is_empty() { title } else { format!("{title} (also: {})", also.join(", ")) }
    };
    out.insert("headlines".to_owned(), items.iter().zip(also).map(headline).collect());
    let links: Vec<Value> = items.iter().map(|item| json!(item.link)).collect();
    out.insert("links".to_owned(), Value::Array(links));
    if let Some(fault) = fault {
        out.insert("error".to_owned(), fault.into());
    }
    Value::Object(out)
}

/// Those of a wanted category first, then the newest; else the order of the source.
fn rank(mut items: Vec<Item>, categories: &[String]) -> Vec<Item> {
    let wanted: Vec<String> = categories.iter().map(|category| category.to_lowercase()).collect();
    let fits = |item: &Item| {
        let text = format!("{} {}", item.title, item.summary).to_lowercase();
        let named =
            |category: &String| item.categories.iter().any(|known| known.to_lowercase() == *category) || text.contains(category.as_str());
        wanted.iter().any(named)
    };
    items.sort_by_key(|item| (!wanted.is_empty() && !fits(item), std::cmp::Reverse(item.published)));
    items
}

fn words(title: &str) -> HashSet<String> {
    let lower = title.to_lowercase();
    let mut words: HashSet<String> =
        lower.split(|ch: char| !ch.is_alphanumeric()).filter(|word| word.chars().count() > 2).map(str::to_owned).collect();
    // Han text has no blanks: its pairs of characters stand for words.
    let han: Vec<char> = lower.chars().filter(|ch| ('\u{4e00}'..='\u{9fff}').contains(ch)).collect();
    words.extend(han.windows(2).map(|pair| pair.iter().collect()));
    words
}

#[expect(clippy::cast_precision_loss, reason = "headlines have few words")]
fn alike(one: &HashSet<String>, other: &HashSet<String>) -> bool {
    let both = one.intersection(other).count();
    let all = one.union(other).count();
    all > 0 && both >= 2 && both as f64 / all as f64 >= SAME_STORY
}

fn host(url: &str) -> &str {
    url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(title: &str, published: i64) -> Item {
        Item {
            id: title.into(),
            title: title.into(),
            link: None,
            summary: String::new(),
            published: Some(Instant::from_millis(published)),
            categories: Vec::new(),
        }
    }

    fn source(name: &str, items: Vec<Item>) -> Gathered {
        Gathered { name: name.into(), items, fault: None }
    }

    fn headlines(summary: &Value) -> Vec<&str> {
        summary["headlines"].as_array().unwrap().iter().map(|headline| headline.as_str().unwrap()).collect()
    }

    #[test]
    fn the_same_story_is_told_once() {
        let sources = vec![
            source("A", vec![item("OpenAI releases new reasoning model", 2), item("Rust 2.0 is out", 3)]),
            source("B", vec![item("OpenAI releases a new reasoning model today", 1), item("Cats are fine", 0)]),
        ];
        let told = summarise(sources, &Wanted { urls: &[], categories: &[], top: 10 });
        assert_eq!(headlines(&told[0]), ["Rust 2.0 is out", "OpenAI releases new reasoning model (also: B)"]);
        assert_eq!(headlines(&told[1]), ["Cats are fine"]);
    }

    #[test]
    fn categories_come_first_and_a_source_that_failed_is_named() {
        let categories = ["space".to_owned()];
        let mut failed = source("B", Vec::new());
        failed.fault = Some(Fault::new("HTTP 503"));
        let sources = vec![source("A", vec![item("Football tonight", 9), item("A space telescope", 1)]), failed];
        let told = summarise(sources, &Wanted { urls: &[], categories: &categories, top: 1 });
        assert_eq!(headlines(&told[0]), ["A space telescope"]);
        assert_eq!(told[1]["error"], "HTTP 503");
    }
}
