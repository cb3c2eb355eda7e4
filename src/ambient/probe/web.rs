//! `web_monitor`: looks at each URL, gate by gate, and fires for what changed in meaning.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::ambient::finding::{Fault, Finding, Fire, Keep, Look, News};
use crate::ambient::probe::{Probes, data_of, store};
use crate::domain::task::WebMonitor;
use crate::net::fetch::{Accept, Fetched, Request, Validators};
use crate::web::page::{self, Change, Found, Gate, Reading, Rules};
use crate::web::render;

/// Snapshots and diffs of each URL that are kept.
const HISTORY: usize = 20;

/// The longest diff that an event carries, in characters; the whole one is kept with the task.
const DIFF_CHARS_MAX: usize = 8_000;

/// Lines that a first look tells.
const FIRST_LINES_MAX: usize = 200;

/// What is remembered of each page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct State {
    #[serde(default)]
    pages: BTreeMap<String, Page>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Page {
    /// What to ask the server with.
    #[serde(flatten)]
    validators: Validators,
    /// A hash of the bytes that came last.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    raw: String,
    /// How often in a row it could not be read, so that a dead page among living ones shows.
    #[serde(default, skip_serializing_if = "is_zero")]
    faults: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What became of one page.
struct Seen {
    url: String,
    page: Page,
    keep: Vec<Keep>,
    result: Result<Result<Found, &'static str>, Fault>,
}

pub(super) async fn look(probes: &Probes, look: &Look, config: &WebMonitor) -> Result<Finding, Fault> {
    let rules = Arc::new(Rules::new(config).map_err(|error| Fault::new(error.to_string()))?);
    let mut state: State = serde_json::from_value(look.state.clone()).unwrap_or_default();
    let pages = config.urls.iter().map(|url| {
        let known = state.pages.get(url).cloned().unwrap_or_default();
        one(probes, look, config, &rules, url, known)
    });
    let seen = join_all(pages).await;
    state.pages.clear();
    let (mut keep, mut fires, mut gates, mut faults) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for page in seen {
        state.pages.insert(page.url.clone(), page.page);
        keep.extend(page.keep);
        match page.result {
            Ok(Ok(found)) => fires.push((page.url, found)),
            Ok(Err(gate)) => gates.push(gate),
            Err(fault) => faults.push((page.url, fault)),
        }
    }
    if fires.is_empty() && gates.is_empty() {
        return Err(worst(faults));
    }
    let trouble = (!faults.is_empty()).then(|| {
        let told: Vec<_> = faults.iter().map(|(url, fault)| format!("{url}: {}", fault.message)).collect();
        told.join("; ")
    });
    let state = serde_json::to_value(&state).unwrap_or(Value::Null);
    if fires.is_empty() {
        let gate = weakest(&gates);
        return Ok(Finding { keep, trouble, ..Finding::quiet(state, gate, note(gate)) });
    }
    let note = match fires.as_slice() {
        [(_, found)] if !found.keywords_found.is_empty() => format!("changed: {}", found.keywords_found.join(", ")),
        [_] => "changed".to_owned(),
        more => format!("{} of {} pages changed", more.len(), config.urls.len()),
    };
    let fires = fires.into_iter().map(|(url, found)| fire(look, &url, found)).collect();
    Ok(Finding { state, keep, news: News::Fired(fires), note, trouble })
}

/// All pages failed: the first fault, and the latest time that a server asked for.
fn worst(faults: Vec<(String, Fault)>) -> Fault {
    let retry_at = faults.iter().filter_map(|(_, fault)| fault.retry_at).max();
    let count = faults.len();
    let (url, fault) = faults.into_iter().next().unwrap_or_else(|| (String::new(), Fault::new("the task watches no page")));
    let message =
        if count > 1 { format!("{url}: {} (and {} more)", fault.message, count - 1) } else { format!("{url}: {}", fault.message) };
    Fault { message, retry_at }
}

/// The gate that says most about a look at several pages: the one that let the most through.
fn weakest(gates: &[&'static str]) -> &'static str {
    const ORDER: [&str; 6] = ["304", "bytes", "hash", "ignore", "keywords", "baseline"];
    gates.iter().copied().max_by_key(|gate| ORDER.iter().position(|known| known == gate)).unwrap_or("304")
}

fn note(gate: &str) -> &'static str {
    match gate {
        "304" => "unchanged (304)",
        "bytes" => "unchanged (same bytes)",
        "hash" => "unchanged",
        "ignore" => "only noise changed",
        "keywords" => "changed, but without the keywords",
        "baseline" => "first look: this is the baseline",
        _ => "nothing new",
    }
}

async fn one(probes: &Probes, look: &Look, config: &WebMonitor, rules: &Arc<Rules>, url: &str, known: Page) -> Seen {
    let mut seen = Seen { url: url.to_owned(), page: known.clone(), keep: Vec::new(), result: Ok(Err("304")) };
    seen.result = match inspect(probes, look, config, rules, &mut seen, known).await {
        Ok(found) => {
            seen.page.faults = 0;
            Ok(found)
        }
        Err(fault) => {
            seen.page.faults = seen.page.faults.saturating_add(1);
            // The next look needs the page whole: what was kept of it may not be what the validators stand for.
            (seen.page.validators, seen.page.raw) = (Validators::default(), String::new());
            Err(fault)
        }
    };
    seen
}

/// Fetches and compares; the inner `Err` names the gate.
async fn inspect(
    probes: &Probes,
    look: &Look,
    config: &WebMonitor,
    rules: &Arc<Rules>,
    seen: &mut Seen,
    known: Page,
) -> Result<Result<Found, &'static str>, Fault> {
    let url = seen.url.clone();
    let fetched = fetch(probes, config, &url, known.validators.clone(), false).await?;
    if fetched.not_modified {
        seen.page.validators = fetched.validators.clone();
        return Ok(Err("304"));
    }
    let raw = hex(&page::raw_hash(&fetched.body));
    seen.page.validators = fetched.validators.clone();
    if raw == known.raw {
        return Ok(Err("bytes"));
    }
    seen.page.raw = raw;
    let reading = read(&fetched, rules).await?;
    let task = &look.spec.task_id;
    let old = probes.kept(task, store::BASELINE, Some(&url), 1).await?.first().and_then(|blob| store::unpack::<Reading>(&blob.bytes));
    let Some(old) = old else {
        seen.keep.push(store::keep(task, store::BASELINE, &url, look.now, &reading, 1)?);
        seen.keep.push(store::keep(task, store::SNAPSHOT, &url, look.now, &reading, HISTORY)?);
        let first = config.fire_first.then(|| first(&reading, rules)).flatten();
        return Ok(first.ok_or("baseline"));
    };
    let (reading, change) = match page::compare(&old, &reading, rules) {
        Change::Suspicious { reason } => {
            tracing::debug!(url, reason, "a second fetch is to confirm what was seen");
            let again = fetch(probes, config, &url, Validators::default(), true).await?;
            let second = read(&again, rules).await?;
            let change = page::settle(&old, &reading, &second, rules);
            seen.page.raw = hex(&page::raw_hash(&again.body));
            seen.page.validators = again.validators.clone();
            (second, change)
        }
        change => (reading, change),
    };
    match change {
        // The baseline stays: noise is measured against what last had a meaning.
        Change::None { gate: gate @ (Gate::Hash | Gate::Ignore) } => Ok(Err(gate.as_str())),
        Change::None { gate: gate @ Gate::Keywords } => {
            seen.keep.push(store::keep(task, store::BASELINE, &url, look.now, &reading, 1)?);
            Ok(Err(gate.as_str()))
        }
        Change::Suspicious { reason } => Err(Fault::new(format!("two fetches in a row disagree ({reason}); it is looked at again later"))),
        Change::Changed(found) => {
            seen.keep.push(store::keep(task, store::BASELINE, &url, look.now, &reading, 1)?);
            seen.keep.push(store::keep(task, store::SNAPSHOT, &url, look.now, &reading, HISTORY)?);
            seen.keep.push(store::keep(task, store::DIFF, &url, look.now, &found.diff, HISTORY)?);
            Ok(Ok(*found))
        }
    }
}

/// A page as its server sends it, or as a browser makes it.
async fn fetch(probes: &Probes, config: &WebMonitor, url: &str, validators: Validators, fresh: bool) -> Result<Arc<Fetched>, Fault> {
    let accept = if config.json_pointer.is_some() { Accept::Json } else { Accept::Page };
    let mut request = Request { honour_robots: !config.ignore_robots, fresh, accept, ..Request::new(url) };
    if config.render {
        // The server is asked as ever, for its robots.txt and its rest; what the browser makes of it is read.
        let fetched = probes.fetcher.get(request).await?;
        return render::render(&probes.fetcher, &fetched).await.map_err(|failed| Fault::new(failed.to_string()));
    }
    request.validators = validators;
    Ok(probes.fetcher.get(request).await?)
}

/// Reads a page off the async threads.
pub(super) async fn read(fetched: &Fetched, rules: &Arc<Rules>) -> Result<Reading, Fault> {
    let (body, content_type, url, rules) = (fetched.body.clone(), fetched.content_type.clone(), fetched.url.clone(), Arc::clone(rules));
    let read = tokio::task::spawn_blocking(move || page::read(&body, content_type.as_deref(), &url, &rules)).await;
    match read {
        Ok(read) => read.map_err(|fault| Fault::new(fault.to_string())),
        Err(_) => Err(Fault::new("the page could not be read because of a fault of the reader; the log has the details")),
    }
}

fn fire(look: &Look, url: &str, found: Found) -> Fire {
    let mut data = data_of(&look.spec);
    data.insert("url".to_owned(), url.into());
    data.insert("content".to_owned(), found.content.into());
    data.insert("keywords_found".to_owned(), json!(found.keywords_found));
    data.insert("diff".to_owned(), crate::domain::text::cut_middle(&found.diff, DIFF_CHARS_MAX).into_owned().into());
    if let Some(title) = found.title {
        data.insert("title".to_owned(), title.into());
    }
    Fire { part: part(url), data }
}

/// Tells the pages of one task apart.
fn part(url: &str) -> String {
    hex(&Sha256::digest(url.as_bytes()))[..12].to_owned()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}

/// What a first look finds, where it is to fire; nothing where keywords are wanted and none is there.
fn first(reading: &Reading, rules: &Rules) -> Option<Found> {
    let keywords_found = page::find_keywords(&reading.text(), rules);
    if rules.has_keywords() && keywords_found.is_empty() {
        return None;
    }
    let added: Vec<String> = reading.lines.iter().take(FIRST_LINES_MAX).cloned().collect();
    let content: String = reading.text().chars().take(page::CONTENT_CHARS_MAX).collect();
    let items = reading.items.clone().unwrap_or_default();
    Some(Found { title: reading.title.clone(), added, keywords_found, content, items, ..Found::default() })
}
