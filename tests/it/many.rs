//! Five hundred watched pages that do not change, by the whole program: every second look is a 304, no model is asked,
//! no site is asked twice at once.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use serde_json::json;
use wakeful::ambient::nudge::Nudges;
use wakeful::ambient::service::{Options, TaskService};
use wakeful::ambient::spec::Request;
use wakeful::domain::clock::{Clock, SystemClock};
use wakeful::domain::task::{Outcome, TaskRow};
use wakeful::store::tasks::{Op, TaskFilter};
use wakeful::store::{EventLog, Options as StoreOptions, Terms};

use crate::support::model::{ModelServer, Say};
use crate::support::{Home, sites};

const SITES: usize = 50;
const PAGES: usize = 10;
const LIMIT: Duration = Duration::from_secs(45);

fn runs(row: &TaskRow) -> u64 {
    row.work.as_ref().map_or(0, |work| work.runs)
}

/// Asks for a look at every page, and waits until each was looked at once more than in `rows`.
async fn pass(log: &EventLog, rows: &[TaskRow]) -> (Duration, Vec<TaskRow>) {
    let before: HashMap<_, _> = rows.iter().map(|row| (row.spec.task_id.clone(), runs(row))).collect();
    let at = SystemClock.now();
    let ops = rows.iter().map(|row| Op::Ask { task_id: row.spec.task_id.clone(), at }).collect();
    log.commit(Vec::new(), Terms { ops, ..Terms::default() }).await.unwrap();
    let began = Instant::now();
    loop {
        let rows = log.tasks().tasks(TaskFilter::default()).await.unwrap();
        let done = |row: &TaskRow| row.work.as_ref().is_some_and(|work| work.owner.is_none()) && runs(row) > before[&row.spec.task_id];
        if rows.iter().all(done) {
            return (began.elapsed(), rows);
        }
        let open: Vec<_> = rows.iter().filter(|row| !done(row)).collect();
        assert!(began.elapsed() < LIMIT, "{} of {} were not looked at: {:?}", open.len(), rows.len(), open[0]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_unchanged_pages_cost_a_304_each_and_no_model() {
    let (sites, counts) = sites::start(SITES);
    let model = ModelServer::start(|_| Say::Text("nobody asks me".to_owned()));
    let home = Home::with(&format!("model = \"bench/model\"\n{}[tasks]\npoll_seconds = 1\n", model.provider()));
    let log = EventLog::connect(&StoreOptions::default(), &home.root().join("data/events.db"), Arc::new(SystemClock)).await.unwrap();
    let service = TaskService::new(log.clone(), TimeZone::UTC, Nudges::default(), Options::default());
    for site in &sites {
        for page in 0..PAGES {
            let request = Request {
                task_type: "web_monitor".to_owned(),
                description: format!("watch {site}/{page}"),
                config: json!({"url": format!("{site}/{page}"), "interval_minutes": 10_000}),
                ..Request::default()
            };
            service.create(&request).await.unwrap();
        }
    }
    let mut child = home
        .wakeful(&["serve", "--headless", "--no-listen"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("awake: 500 tasks")), "it wakes up with all of them");

    let rows = log.tasks().tasks(TaskFilter::default()).await.unwrap();
    let (_, rows) = pass(&log, &rows).await;
    let whole = counts.whole.load(Ordering::SeqCst);
    assert_eq!(whole, SITES * PAGES, "each page is read whole once");
    let unchanged = counts.unchanged.load(Ordering::SeqCst);

    let (took, rows) = pass(&log, &rows).await;
    child.kill().unwrap();
    child.wait().unwrap();

    let again = counts.unchanged.load(Ordering::SeqCst) - unchanged;
    println!("{again} looks, all 304, in {took:.2?}: {:.0} a second", f64::from(u32::try_from(again).unwrap()) / took.as_secs_f64());
    assert_eq!(counts.whole.load(Ordering::SeqCst), whole, "nothing is read whole again");
    assert!(again >= SITES * PAGES, "{again} answers of 304");
    assert_eq!(counts.most_at_once.load(Ordering::SeqCst), 1, "one request at a time a host");
    assert_eq!(model.requests().len(), 0, "no model is asked about what did not change");
    for row in &rows {
        let last = row.work.as_ref().and_then(|work| work.last.as_ref()).unwrap();
        assert_eq!((last.outcome, last.fired), (Outcome::Ran, false), "{}", last.note);
        assert!(last.note.contains("304"), "{}", last.note);
    }
    log.shutdown().await;
}
