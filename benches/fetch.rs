//! How many watched pages a second are found unchanged: 500 pages on 50 servers of this machine, each answering 304;
//! by the fetcher alone, and as durable tasks through the scheduler, the probe and the file.
//!
//! `cargo bench --bench fetch` prints checks a second, the best and the median of some rounds, and the most requests
//! that any server had in flight at once (it must be 1).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub, reason = "a benchmark")]

#[path = "../tests/support/sites.rs"]
#[allow(dead_code, reason = "shared with the tests, which use other parts")]
mod sites;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use wakeful::ambient::lead::Leadership;
use wakeful::ambient::nudge::Nudges;
use wakeful::ambient::options::Options;
use wakeful::ambient::plan::Limits;
use wakeful::ambient::scheduler::{Deps, Scheduler};
use wakeful::ambient::service::{Options as ServiceOptions, TaskService};
use wakeful::ambient::spec::Request as TaskRequest;
use wakeful::app::ambient::probes;
use wakeful::domain::clock::{Clock, SystemClock};
use wakeful::net::fetch::{Fetcher, Options as FetchOptions, Request, Validators};
use wakeful::store::tasks::{Op, TaskFilter};
use wakeful::store::{EventLog, Options as StoreOptions, Terms};
use wakeful::tools::ToolBox;

/// Servers, each on a port of its own.
const HOSTS: usize = 50;

/// Pages on each.
const PAGES: usize = 10;

/// Measured passes over all pages.
const ROUNDS: usize = 15;

#[tokio::main]
async fn main() {
    let (hosts, counts) = sites::start(HOSTS);
    let pages: Vec<String> = hosts.iter().flat_map(|host| (0..PAGES).map(move |page| format!("{host}/page/{page}"))).collect();
    println!("{} pages on {HOSTS} hosts, {ROUNDS} rounds, all 304", pages.len());
    report("the fetcher alone", pages.len(), bare(&pages).await);
    counts.whole.store(0, Ordering::SeqCst);
    report("durable tasks", pages.len(), durable(&pages, &counts).await);
    println!("  most in flight at one host: {}", counts.most_at_once.load(Ordering::SeqCst));
}

#[expect(clippy::cast_precision_loss, reason = "some hundred pages")]
fn report(what: &str, pages: usize, mut took: Vec<Duration>) {
    took.sort();
    let rate = |took: Duration| pages as f64 / took.as_secs_f64();
    println!("  {what}: median {:.0} checks/s, best {:.0} checks/s; budget 300", rate(took[took.len() / 2]), rate(took[0]));
}

/// Asks for every page at the same time, again and again.
async fn bare(pages: &[String]) -> Vec<Duration> {
    let fetcher = Fetcher::new(FetchOptions::default(), Arc::new(SystemClock));
    let first = get_all(&fetcher, pages, &Validators::default()).await;
    assert_eq!(first.1, 0);
    let validators = Validators { etag: Some("\"unchanged\"".to_owned()), last_modified: None };
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let (round, unchanged) = get_all(&fetcher, pages, &validators).await;
        assert_eq!(unchanged, pages.len());
        took.push(round);
    }
    took
}

/// How long it took, and how many pages were unchanged.
async fn get_all(fetcher: &Fetcher, pages: &[String], validators: &Validators) -> (Duration, usize) {
    let started = Instant::now();
    let gets = pages.iter().map(|url| {
        let request = Request { validators: validators.clone(), ..Request::new(url) };
        let fetcher = fetcher.clone();
        tokio::spawn(async move { fetcher.get(request).await.unwrap().not_modified })
    });
    let mut unchanged = 0;
    for get in gets.collect::<Vec<_>>() {
        unchanged += usize::from(get.await.unwrap());
    }
    (started.elapsed(), unchanged)
}

/// Watches every page as a task of its own, and asks for a run of all of them, again and again.
async fn durable(pages: &[String], counts: &sites::Counts) -> Vec<Duration> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let log = EventLog::open(&folder.path().join("events.db"), &StoreOptions::default(), Arc::new(SystemClock)).unwrap();
    let nudges = Nudges::default();
    let service = TaskService::new(log.clone(), TimeZone::UTC, nudges.clone(), ServiceOptions::default());
    for page in pages {
        let request = TaskRequest {
            task_type: "web_monitor".to_owned(),
            description: format!("watch {page}"),
            config: json!({"url": page, "interval_minutes": 10_000}),
            ..TaskRequest::default()
        };
        service.create(&request).await.unwrap();
    }
    let options = Options::default();
    let fetcher = Fetcher::new(FetchOptions::default(), Arc::new(SystemClock));
    let deps = Deps {
        log: log.clone(),
        clock: Arc::new(SystemClock),
        probe: Arc::new(probes(&log, fetcher, ToolBox::default(), &BTreeMap::new())),
        nudges: nudges.clone(),
        lead: Arc::new(Leadership::new(log.clone(), "bench".to_owned(), nudges.clone(), false, options.lease())),
        zone: TimeZone::UTC,
        owner: "bench".to_owned(),
        options,
        limits: Limits::default(),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(Scheduler::new(deps).run(stop.clone()));
    let ids: Vec<_> = log.tasks().tasks(TaskFilter::default()).await.unwrap().into_iter().map(|row| row.spec.task_id).collect();
    let mut took = Vec::new();
    for round in 0..=ROUNDS {
        let before = counts.answers();
        let at = SystemClock.now();
        let ops = ids.iter().map(|id| Op::Ask { task_id: id.clone(), at }).collect();
        let started = Instant::now();
        log.commit(Vec::new(), Terms { ops, ..Terms::default() }).await.unwrap();
        nudges.tasks();
        while counts.answers() < before + ids.len() || !is_idle(&log).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The first round reads the pages whole.
        if round > 0 {
            took.push(started.elapsed());
        }
    }
    assert_eq!(counts.whole.load(Ordering::SeqCst), ids.len(), "each page was read whole once");
    stop.cancel();
    running.await.unwrap();
    took
}

/// Whether nothing runs and nothing is asked for.
async fn is_idle(log: &EventLog) -> bool {
    let rows = log.tasks().tasks(TaskFilter::default()).await.unwrap();
    rows.iter().all(|row| row.work.as_ref().is_some_and(|work| work.owner.is_none() && work.extra_at.is_none()))
}
