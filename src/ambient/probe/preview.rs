//! Tries a task out before it is made: what it would see now, and how often it would have told of what is known.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::ambient::finding::Fault;
use crate::ambient::ports::{Preview, Previewer};
use crate::ambient::probe::{Probes, digest, source, store, threshold, web};
use crate::domain::clock::Instant;
use crate::domain::ids::TaskId;
use crate::domain::task::{KindConfig, NewsDigest, TaskSpec, ThresholdWatch, WebMonitor};
use crate::domain::text::{clean_line, ellipsis};
use crate::net::fetch::{Accept, Request};
use crate::web::page::{self, Change, Item, Reading, Rules, find_keywords};

/// Past looks that are tried.
const PAST_MAX: usize = 20;

/// The longest sample, in characters.
const SAMPLE_CHARS_MAX: usize = 300;

impl Previewer for Probes {
    fn preview(&self, spec: TaskSpec) -> BoxFuture<'_, Result<Preview, String>> {
        async move {
            let found = match &spec.kind {
                KindConfig::WebMonitor(config) => self.try_web(&spec.task_id, config).await,
                KindConfig::NewsDigest(config) => self.try_digest(config).await,
                KindConfig::ThresholdWatch(config) => self.try_threshold(config, spec.created_at).await,
                // When it comes due is told by whoever asks; there is nothing to look at.
                KindConfig::Schedule(_) => Ok(Preview::default()),
            };
            found.map_err(|fault| fault.message)
        }
        .boxed()
    }
}

impl Probes {
    async fn try_web(&self, task: &TaskId, config: &WebMonitor) -> Result<Preview, Fault> {
        let rules = Arc::new(Rules::new(config).map_err(|error| Fault::new(error.to_string()))?);
        let mut preview = Preview::default();
        for url in &config.urls {
            let accept = if config.json_pointer.is_some() { Accept::Json } else { Accept::Page };
            let request = Request { honour_robots: !config.ignore_robots, accept, ..Request::new(url) };
            let fetched = match self.fetcher.get(request).await {
                Ok(fetched) => fetched,
                Err(error) => {
                    preview.troubles.push(format!("{url}: {}", Fault::from(error).message));
                    continue;
                }
            };
            let reading = match web::read(&fetched, &rules).await {
                Ok(reading) => reading,
                Err(fault) => {
                    preview.troubles.push(format!("{url}: {}", fault.message));
                    continue;
                }
            };
            preview.lines.push(describe(url, &reading, &rules));
            let (fired, of) = match self.back_test(task, url, &rules).await? {
                Some(tested) => tested,
                None => self.items_test(&reading, &rules, &mut preview).await,
            };
            if of > 0 {
                let (before, before_of) = preview.would_have_fired.unwrap_or_default();
                preview.would_have_fired = Some((before + fired, before_of + of));
            }
        }
        if preview.lines.is_empty() && preview.troubles.is_empty() {
            return Err(Fault::new("the task watches no page"));
        }
        Ok(preview)
    }

    /// How often the rules would have fired over the snapshots that are kept.
    async fn back_test(&self, task: &TaskId, url: &str, rules: &Rules) -> Result<Option<(u32, u32)>, Fault> {
        let blobs = self.kept(task, store::SNAPSHOT, Some(url), PAST_MAX + 1).await?;
        let readings: Vec<Reading> = blobs.iter().rev().filter_map(|blob| store::unpack(&blob.bytes)).collect();
        if readings.len() < 2 {
            return Ok(None);
        }
        let fired = readings.windows(2).filter(|pair| matches!(page::compare(&pair[0], &pair[1], rules), Change::Changed(_))).count();
        Ok(Some((count(fired), count(readings.len() - 1))))
    }

    /// How many of the latest items of a feed, or headlines of a page, the keywords would have let through.
    async fn items_test(&self, reading: &Reading, rules: &Rules, preview: &mut Preview) -> (u32, u32) {
        let items = match &reading.items {
            Some(items) => items.clone(),
            None => match reading.feeds.first() {
                Some(feed) => digest::read(self, feed, Accept::Feed).await.ok().and_then(|reading| reading.items).unwrap_or_default(),
                None => Vec::new(),
            },
        };
        let texts: Vec<String> = if items.is_empty() {
            reading.links.iter().filter(|link| link.heading).map(|link| link.text.clone()).collect()
        } else {
            items.iter().map(|item: &Item| format!("{} {}", item.title, item.summary)).collect()
        };
        let texts: Vec<String> = texts.into_iter().take(PAST_MAX).collect();
        let hits: Vec<&String> = texts.iter().filter(|text| !rules.has_keywords() || !find_keywords(text, rules).is_empty()).collect();
        if let (None, Some(hit)) = (&preview.sample, hits.first()) {
            preview.sample = Some(ellipsis(&clean_line(hit), SAMPLE_CHARS_MAX).into_owned());
        }
        (count(hits.len()), count(texts.len()))
    }

    async fn try_digest(&self, config: &NewsDigest) -> Result<Preview, Fault> {
        let mut preview = Preview::default();
        for url in &config.news_urls {
            match digest::news(self, url).await {
                Ok((name, items)) => {
                    preview.lines.push(format!("{name}: {} headlines", items.len()));
                    if let (None, Some(item)) = (&preview.sample, items.first()) {
                        preview.sample = Some(ellipsis(&clean_line(&item.title), SAMPLE_CHARS_MAX).into_owned());
                    }
                }
                Err(fault) => preview.troubles.push(format!("{url}: {}", fault.message)),
            }
        }
        Ok(preview)
    }

    async fn try_threshold(&self, config: &ThresholdWatch, now: Instant) -> Result<Preview, Fault> {
        let mut preview = Preview::default();
        let source = config.source.as_ref().or_else(|| self.metrics.get(&config.metric));
        if source.is_some_and(|source| source.runs().is_some()) {
            preview.lines.push("its command or tool is not run before you have agreed to the task".to_owned());
            return Ok(preview);
        }
        let value = source::number(self, config, None).await?;
        let fires = threshold::decide(config, &mut threshold::State::default(), value, now, &[]).is_some();
        preview.lines.push(format!(
            "{} is {} now; {}",
            config.metric,
            threshold::number(value),
            if fires { "it would fire at once" } else { "it would not fire now" }
        ));
        Ok(preview)
    }
}

fn describe(url: &str, reading: &Reading, rules: &Rules) -> String {
    let title = reading.title.as_deref().map(|title| format!(" \"{}\",", ellipsis(&clean_line(title), 80))).unwrap_or_default();
    let size = match &reading.items {
        Some(items) => format!("{} items", items.len()),
        None => format!("{} lines of text", reading.lines.len()),
    };
    let found = find_keywords(&reading.text(), rules);
    let keywords = match (rules.has_keywords(), found.is_empty()) {
        (false, _) => String::new(),
        (true, true) => "; none of the keywords is there now".to_owned(),
        (true, false) => format!("; there now: {}", found.join(", ")),
    };
    format!("{url}:{title} {size}{keywords}")
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
