//! The loop that runs tasks, on the paused clock.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::*;
use crate::ambient::plan::Plan;
use crate::ambient::testing::{START, ScriptedProbe, Sees, World, reminder, spec};
use crate::domain::event::EventBody;
use crate::domain::notice::InboxKind;
use crate::domain::task::{HourCount, Outcome, RunFinished, TaskFact, TaskSpec, TaskStatus};
use crate::store::tasks::ClaimedFiring;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn quiet() -> Arc<ScriptedProbe> {
    ScriptedProbe::new(|_, _| Sees::Quiet)
}

fn plan(spec: &TaskSpec) -> Plan {
    Plan::new(spec, &TimeZone::UTC).unwrap()
}

fn once(name: &str, at: Instant) -> TaskSpec {
    spec(name, "schedule", &json!({"type": "once", "at": at}))
}

fn runs(facts: &[TaskFact]) -> Vec<&RunFinished> {
    facts.iter().filter_map(|fact| if let TaskFact::RunFinished(run) = fact { Some(run) } else { None }).collect()
}

fn hours(facts: &[TaskFact]) -> Vec<&HourCount> {
    facts.iter().filter_map(|fact| if let TaskFact::ChecksRolledUp(hour) = fact { Some(hour) } else { None }).collect()
}

impl World {
    async fn firings(&self) -> Vec<ClaimedFiring> {
        let claim = Claim { owner: "judge".into(), now: self.now(), lease: MINUTE, limit: 100 };
        let due = self.log.tasks().due_firings(claim.now, claim.limit, 0).await.unwrap();
        self.log.tasks().claim_firings(claim, due.into_iter().map(|firing| firing.firing_id).collect()).await.unwrap()
    }

    /// The messages that the scheduler said for itself.
    async fn told(&self) -> Vec<Value> {
        let events = self.events().await;
        let custom = events.iter().filter_map(|event| if let EventBody::Custom(custom) = &event.body { Some(custom) } else { None });
        custom.filter(|custom| custom.type_name == "scheduler").map(|custom| custom.data.clone()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn quiet_runs_write_no_event_and_are_rolled_up_by_the_hour() {
    let (world, probe) = (World::new(), quiet());
    let spec = reminder("a", 1);
    world.add(&spec).await;
    world.schedule(&probe);
    world.pass(MINUTE * 50).await;
    assert!((49..=51).contains(&probe.looks("a").len()), "{}", probe.looks("a").len());
    assert_eq!(world.facts("a").await, [], "nothing happened, nothing is written");
    let row = world.row("a").await;
    let work = row.work.as_ref().unwrap();
    assert_eq!((work.hour.ran, work.hour.gates["304"], work.failures), (work.runs, work.runs, 0));
    assert_eq!(work.last.as_ref().unwrap().note, "unchanged (304)");

    world.pass(HOUR * 2).await;
    let facts = world.facts("a").await;
    let rolled = hours(&facts);
    assert_eq!((facts.len(), rolled.len()), (2, 2), "one event an hour: {facts:?}");
    let row = world.row("a").await;
    let work = row.work.unwrap();
    let all = rolled.iter().map(|hour| hour.ran).sum::<u64>() + work.hour.ran;
    assert_eq!(all, plan(&spec).count(spec.created_at, work.cursor), "each occurrence once");
    assert_eq!(row.counts.ran, rolled.iter().map(|hour| hour.ran).sum::<u64>());
    assert_eq!((rolled[0].hour, rolled[1].hour, rolled[1].ran), (START, START.plus(HOUR), 60));
}

#[tokio::test(start_paused = true)]
async fn what_fires_is_written_with_its_firings() {
    let world = World::new();
    let probe = ScriptedProbe::new(|_, count| if count == 2 { Sees::News(2) } else { Sees::Quiet });
    world.add(&reminder("a", 5)).await;
    world.schedule(&probe);
    world.until(HOUR, "a firing", async || !world.facts("a").await.is_empty()).await;
    let facts = world.facts("a").await;
    let due = probe.looks("a")[1].due.unwrap();
    let run = runs(&facts)[0];
    assert_eq!((run.due, run.outcome, run.fired, run.reason.as_str()), (Some(due), Outcome::Ran, true, "something new"));
    let firings = world.firings().await;
    let keys: Vec<_> = firings.iter().map(|claimed| claimed.firing.key.clone()).collect();
    assert_eq!(keys, [format!("a:{}:0", due.as_millis()), format!("a:{}:1", due.as_millis())]);
    let named: Vec<_> =
        facts.iter().filter_map(|fact| if let TaskFact::ScheduledTrigger(data) = fact { Some(data) } else { None }).collect();
    assert_eq!(named.len(), 2);
    for (data, claimed) in named.iter().zip(&firings) {
        assert_eq!(data["firing_id"], json!(claimed.firing.firing_id));
        let feedback = &claimed.firing.feedback;
        assert_eq!((feedback.task_id.as_str(), feedback.event_type.as_str(), feedback.priority), ("a", "scheduled_trigger", 2));
        assert_eq!(feedback.data["description"], data["description"]);
    }
    let row = world.row("a").await;
    assert_eq!((row.fired, row.counts.ran, row.work.unwrap().state), (1, 1, json!({"looks": 2})));
    assert_eq!(probe.looks("a")[1].state, json!({"looks": 1}), "the probe is told what it remembered");
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_and_pause_after_ten_with_one_trouble() {
    let world = World::new();
    let probe = ScriptedProbe::new(|_, _| Sees::Fault("HTTP 503 from https://a.example"));
    world.add(&reminder("a", 60 * 24 * 30)).await;
    world.ask("a").await;
    world.schedule(&probe);
    world.until(HOUR * 24, "a pause", async || world.row("a").await.status == TaskStatus::Failed).await;
    let facts = world.facts("a").await;
    let failed = runs(&facts);
    assert_eq!(failed.iter().map(|run| run.failures).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    assert!(failed.iter().all(|run| run.outcome == Outcome::Failed && run.reason == "HTTP 503 from https://a.example"));
    let waits: Vec<_> = failed.windows(2).map(|pair| pair[1].started.since(pair[0].started).as_secs()).collect();
    assert_eq!(waits, [30, 120, 600, 3_600, 3_600, 3_600, 3_600, 3_600, 3_600]);
    assert_eq!(failed[0].retry_at, Some(failed[1].started));
    assert!(matches!(facts.last(), Some(TaskFact::TaskPaused { reason, by_itself: true }) if reason.contains("10 times in a row")));
    let inbox = world.inbox().await;
    assert_eq!((inbox.len(), inbox[0].item.kind, inbox[0].item.title.as_str()), (1, InboxKind::Trouble, "Paused: about a"));
    assert_eq!(world.deliveries().await.len(), 1, "its owner is told once");
    world.pass(HOUR * 24).await;
    assert_eq!((probe.looks("a").len(), world.inbox().await.len(), world.deliveries().await.len()), (10, 1, 1), "it rests");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_is_forgotten() {
    let world = World::new();
    let probe = ScriptedProbe::new(|_, count| if count <= 2 { Sees::Fault("away") } else { Sees::Quiet });
    world.add(&reminder("a", 10)).await;
    world.schedule(&probe);
    world.pass(HOUR).await;
    let facts = world.facts("a").await;
    let told: Vec<_> = runs(&facts).iter().map(|run| (run.outcome, run.failures, run.due.is_some())).collect();
    assert_eq!(told, [(Outcome::Failed, 1, true), (Outcome::Failed, 2, false), (Outcome::Ran, 0, false)], "its end is told too");
    let row = world.row("a").await;
    let work = row.work.as_ref().unwrap();
    let all = row.counts.total() + work.hour.ran;
    assert_eq!(all, plan(&row.spec).count(row.spec.created_at, work.cursor), "each occurrence has one outcome");
}

#[tokio::test(start_paused = true)]
async fn a_frozen_run_takes_no_effect() {
    let world = World::new();
    let thawed = Arc::new(AtomicBool::new(false));
    let melts = Arc::clone(&thawed);
    let slow = ScriptedProbe::new(move |_, _| {
        assert!(!melts.load(Ordering::SeqCst));
        Sees::After(MINUTE * 2, Box::new(Sees::News(1)))
    });
    world.add(&once("a", START.plus(MINUTE))).await;
    world.pass(MINUTE).await;
    let claim = |owner: &str| Claim { owner: owner.into(), now: world.now(), lease: MINUTE, limit: 1 };
    let held = world.log.tasks().claim_tasks(claim("one")).await.unwrap().remove(0);
    let options = Options { run_timeout_seconds: 600, ..Options::default() };
    let frozen = Runner::new(world.deps("one", &slow, options));
    let now = world.now();
    let frozen = tokio::spawn(async move { frozen.run(held, now, None, CancellationToken::new()).await });
    world.pass(MINUTE + Duration::from_secs(1)).await;
    thawed.store(true, Ordering::SeqCst);

    let taken = world.log.tasks().claim_tasks(claim("two")).await.unwrap().remove(0);
    assert!(taken.interrupted);
    frozen.await.unwrap();
    assert_eq!((world.facts("a").await, world.firings().await.len()), (vec![], 0), "it lost its lease");

    let news = ScriptedProbe::new(|_, _| Sees::News(1));
    let two = Runner::new(world.deps("two", &news, Options::default()));
    two.run(taken, world.now(), None, CancellationToken::new()).await;
    assert_eq!(news.looks("a").len(), 0, "that it came to no end is written down first");
    let again = world.log.tasks().claim_tasks(claim("two")).await.unwrap().remove(0);
    assert_eq!((again.interrupted, again.work.failures), (false, 1));
    two.run(again, world.now(), None, CancellationToken::new()).await;
    let facts = world.facts("a").await;
    let outcomes: Vec<_> = runs(&facts).iter().map(|run| (run.due.is_some(), run.outcome)).collect();
    assert_eq!((outcomes, world.firings().await.len()), (vec![(false, Outcome::Failed), (true, Outcome::Ran)], 1));
    assert_eq!(world.row("a").await.work.unwrap().failures, 0);
    assert!(matches!(facts.last(), Some(TaskFact::TaskCompleted { .. })));
}

/// Two loops over fifty tasks that are due at once; how many looks each owner took.
async fn two_schedulers(shared: bool) -> (usize, usize) {
    let world = World::new();
    let slow = || ScriptedProbe::new(|_, _| Sees::After(Duration::from_millis(50), Box::new(Sees::News(1))));
    let (one, two) = (slow(), slow());
    let names: Vec<_> = (0..50).map(|n| format!("task-{n}")).collect();
    for name in &names {
        world.add(&once(name, START.plus(MINUTE))).await;
    }
    let options = Options { parallel_runs: 8, ..Options::default() };
    for (owner, probe) in [("one", &one), ("two", &two)] {
        let deps = Deps { nudges: Nudges::default(), lead: world.lead(owner, shared), ..world.deps(owner, probe, options.clone()) };
        tokio::spawn(Scheduler::new(deps).run(world.stop.clone()));
    }
    for name in &names {
        world.until(MINUTE * 3, name, async || world.row(name).await.status == TaskStatus::Completed).await;
    }
    world.pass(MINUTE * 3).await;
    for name in &names {
        assert_eq!(one.looks(name).len() + two.looks(name).len(), 1, "{name} ran once");
        assert_eq!(runs(&world.facts(name).await).len(), 1);
    }
    let keys: HashSet<_> = world.firings().await.into_iter().map(|claimed| claimed.firing.key).collect();
    assert_eq!(keys.len(), 50);
    let count = |probe: &ScriptedProbe| names.iter().map(|name| probe.looks(name).len()).sum();
    (count(&one), count(&two))
}

#[tokio::test(start_paused = true)]
async fn two_schedulers_on_one_store_run_each_task_once() {
    let (one, two) = two_schedulers(true).await;
    assert!(one > 0 && two > 0, "both work: {one} and {two}");
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_the_other_shows() {
    let (one, two) = two_schedulers(false).await;
    assert_eq!(one.min(two), 0, "{one} and {two}");
}

#[tokio::test(start_paused = true)]
async fn who_resigns_is_followed_at_once_and_who_dies_after_the_lease() {
    let world = World::new();
    let (one, two, three) = (world.lead("one", false), world.lead("two", false), world.lead("three", false));
    assert_eq!(one.take(world.now()).await.unwrap(), Ok(()));
    assert_eq!(two.take(world.now()).await.unwrap(), Err(START.plus(Duration::from_secs(30))));
    one.resign().await;
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(two.take(world.now()).await.unwrap(), Ok(()), "no need to wait for the end of the lease");
    // Two dies.
    assert!(three.take(world.now()).await.unwrap().is_err());
    world.pass(Duration::from_secs(29)).await;
    assert!(three.take(world.now()).await.unwrap().is_err());
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(three.take(world.now()).await.unwrap(), Ok(()));
    assert!(two.take(world.now()).await.unwrap().is_err(), "thawed, it learns that it leads no more");
}

#[tokio::test(start_paused = true)]
async fn what_runs_at_the_end_is_put_back() {
    let world = World::new();
    let probe = ScriptedProbe::new(|_, _| Sees::Hang);
    world.add(&once("a", START.plus(MINUTE))).await;
    let running = world.schedule(&probe);
    world.until(MINUTE * 2, "a look", async || !probe.looks("a").is_empty()).await;
    let held = world.row("a").await.work.unwrap();
    assert_eq!(held.owner.as_deref(), Some("one"));
    world.stop.cancel();
    running.await.unwrap();
    let work = world.row("a").await.work.unwrap();
    assert_eq!((work.owner, work.lease_until, work.cursor, work.runs), (None, None, held.cursor, 0));
    assert_eq!(world.facts("a").await, []);
    let claim = Claim { owner: "two".into(), now: world.now(), lease: MINUTE, limit: 1 };
    assert_eq!(world.log.tasks().claim_tasks(claim).await.unwrap().len(), 1, "it is due at once");
}

#[tokio::test(start_paused = true)]
async fn a_long_run_keeps_its_lease_and_a_hung_one_is_given_up() {
    let world = World::new();
    let probe =
        ScriptedProbe::new(|_, count| if count == 1 { Sees::After(Duration::from_secs(100), Box::new(Sees::Quiet)) } else { Sees::Hang });
    let options = Options { lease_seconds: 2, poll_seconds: 15, ..Options::default() };
    world.add(&reminder("a", 10)).await;
    tokio::spawn(Scheduler::new(world.deps("one", &probe, options)).run(world.stop.clone()));
    world.until(HOUR, "a fault", async || !world.facts("a").await.is_empty()).await;
    let facts = world.facts("a").await;
    let run = runs(&facts)[0];
    assert_eq!(run.outcome, Outcome::Failed);
    assert!(run.reason.contains("longer than 120 s") && run.reason.contains("run_timeout_seconds"), "{}", run.reason);
    assert_eq!(probe.looks("a").len(), 2, "nobody else took the long run");
}

#[tokio::test(start_paused = true)]
async fn a_return_is_told_in_one_line() {
    let (world, probe) = (World::new(), quiet());
    let (hourly, never) = (reminder("a", 60), spec("b", "schedule", &json!({"type": "interval", "minutes": 60, "catch_up": "none"})));
    world.add(&hourly).await;
    world.add(&never).await;
    world.schedule(&probe);
    world.pass(Duration::from_secs(5)).await;
    let before = probe.looks("a").len() + probe.looks("b").len();
    assert_eq!(before, 0);
    world.clock.jump(HOUR * 7);
    let back = world.now();
    world
        .until(MINUTE * 3, "the missed one runs", async || {
            !world.facts("a").await.iter().all(|fact| !matches!(fact, TaskFact::RunFinished(_)))
        })
        .await;

    let told = world.told().await;
    assert_eq!(told.len(), 1, "{told:?}");
    let missed = |spec: &TaskSpec| plan(spec).count(START, back);
    let stale = missed(&hourly) - 1 + missed(&never);
    assert_eq!(told[0]["message"], json!(format!("slept 7 h: 1 caught up, {stale} skipped as stale")));
    let facts = world.facts("a").await;
    let run = runs(&facts)[0];
    assert_eq!((run.outcome, run.due), (Outcome::CaughtUp, plan(&hourly).last_before(back)));
    assert!(run.started.since(back) <= MINUTE + Duration::from_secs(5), "spread over a minute: {:?}", run.started.since(back));
    assert!(run.reason.ends_with("late"), "{}", run.reason);
    for (name, spec) in [("a", &hourly), ("b", &never)] {
        let row = world.row(name).await;
        let work = row.work.unwrap();
        assert_eq!(row.counts.total() + work.hour.ran, plan(spec).count(START, work.cursor), "{name}: one outcome each");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_due_before_the_start_is_caught_up_too() {
    let (world, probe) = (World::new(), quiet());
    world.add(&once("a", START.plus(HOUR))).await;
    world.add(&reminder("b", 60)).await;
    world.pass(HOUR * 5).await;
    world.schedule(&probe);
    world.until(MINUTE * 2, "the one-shot", async || world.row("a").await.status == TaskStatus::Completed).await;
    let facts = world.facts("a").await;
    assert_eq!(runs(&facts)[0].outcome, Outcome::CaughtUp, "a one-shot always");
    let told = world.told().await;
    assert_eq!(told[0]["caught_up"], json!(2), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_runs_nothing_twice() {
    let (world, probe) = (World::new(), quiet());
    world.add(&reminder("a", 10)).await;
    world.schedule(&probe);
    world.pass(HOUR).await;
    let before = probe.looks("a").len();
    world.clock.back(MINUTE * 30);
    world.pass(HOUR).await;
    let looks = probe.looks("a");
    let dues: HashSet<_> = looks.iter().filter_map(|look| look.due).collect();
    assert_eq!(dues.len(), looks.len(), "each occurrence once");
    assert!((2..=4).contains(&(looks.len() - before)), "it goes on when the clock is where it was: {}", looks.len() - before);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_can_no_longer_be_planned_rests_and_says_so() {
    let (world, probe) = (World::new(), quiet());
    let broken = spec("a", "schedule", &json!({"type": "daily", "timezone": "Mars/Base"}));
    let work = crate::domain::task::TaskWork::new(broken.task_id.clone(), START, Some(START.plus(MINUTE)));
    world.put(&broken, crate::store::tasks::Op::PutWork { work: Box::new(work), extra_seen: None }).await;
    world.schedule(&probe);
    world.until(MINUTE * 2, "a pause", async || world.row("a").await.status == TaskStatus::Failed).await;
    assert!(world.row("a").await.status_reason.unwrap().contains("Mars/Base"));
    assert_eq!((probe.looks("a").len(), world.inbox().await.len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn standing_in_line_costs_neither_time_nor_another_tasks_place() {
    let world = World::new();
    let probe = ScriptedProbe::new(|look, _| {
        if look.spec.task_id.as_str() == "slow" { Sees::InLine(MINUTE * 5, Box::new(Sees::Quiet)) } else { Sees::Quiet }
    });
    let options = Options { parallel_runs: 1, run_timeout_seconds: 10, poll_seconds: 15, ..Options::default() };
    world.add(&reminder("slow", 60)).await;
    world.add(&reminder("other", 61)).await;
    tokio::spawn(Scheduler::new(world.deps("one", &probe, options)).run(world.stop.clone()));
    world.pass(MINUTE * 62).await;
    assert_eq!((probe.looks("slow").len(), probe.looks("other").len()), (1, 1), "the other runs while the first stands in line");
    world.pass(MINUTE * 10).await;
    let row = world.row("slow").await;
    let last = row.work.as_ref().unwrap().last.as_ref().unwrap();
    assert_eq!((last.outcome, last.note.as_str()), (Outcome::Ran, "unchanged (304)"), "waiting is no time-out");
    assert_eq!(world.facts("slow").await, []);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_the_program_each_time_backs_off_and_rests() {
    let (world, probe) = (World::new(), ScriptedProbe::new(|_, _| Sees::Hang));
    world.add(&reminder("a", 60 * 24)).await;
    world.pass(HOUR * 24).await;
    for run in 1..=10 {
        let options = Options { lease_seconds: 1, ..Options::default() };
        let stop = world.stop.clone();
        let killed = tokio::spawn(Scheduler::new(world.deps(&format!("run {run}"), &probe, options)).run(stop));
        world.until(HOUR * 2, "a look", async || probe.looks("a").len() == run).await;
        killed.abort();
    }
    world.schedule(&probe);
    world.until(MINUTE, "a pause", async || world.row("a").await.status == TaskStatus::Failed).await;
    assert!(world.row("a").await.status_reason.unwrap().contains("failed 10 times in a row"));
    let waits: Vec<_> = probe.looks("a").windows(2).map(|pair| pair[1].now.since(pair[0].now).as_secs()).collect();
    assert!(waits[0] < 30, "the first time at once: {waits:?}");
    assert!(waits[1] >= 30 && waits[2] >= 120 && waits[3] >= 600 && waits[4] >= 3_600, "then later and later: {waits:?}");
    assert_eq!(world.inbox().await.len(), 1, "and it is told");
}
