//! Ten years of a thousand tasks in many zones, with changes of the clock, suspends, restarts and failures: every
//! occurrence has one outcome, and it is the reference's. `WAKEFUL_YEARS` and `WAKEFUL_TASKS` change the size,
//! `WAKEFUL_DENSE=1` gives every task its full run of days and hours.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::super::Plan;
use super::reference::{Model, Sets, Tick, walk};
use super::world::{Luck, live, nights};
use super::{at, spec_of, zone};
use crate::domain::clock::Instant;
use crate::domain::task::{CatchUp, Outcome, OutcomeCounts, Overlap};

const ZONES: [&str; 7] =
    ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Apia", "Asia/Shanghai", "America/Nuuk"];
const BEGIN: &str = "2009-01-01T00:00:00Z";
const DAY: Duration = Duration::from_hours(24);

/// What a wall in a zone showed, every quarter of an hour.
struct Wall {
    name: &'static str,
    zone: TimeZone,
    ticks: Vec<Tick>,
    /// When each quarter of an hour was shown first, or would have been: at the end of the gap that swallowed it.
    first: BTreeMap<DateTime, Instant>,
}

impl Wall {
    fn new(name: &'static str, from: Instant, to: Instant) -> Self {
        let zone = zone(name);
        let ticks = walk(&zone, Instant::from_millis(from.as_millis() - 86_400_000), to, 15);
        let mut first = BTreeMap::new();
        for tick in &ticks {
            for local in tick.skipped.iter().chain(std::iter::once(&tick.local)) {
                first.entry(*local).or_insert(tick.at);
            }
        }
        Self { name, zone, ticks, first }
    }

    /// The stated times on the days that `wanted` takes.
    fn stated(&self, hour: i8, minute: i8, wanted: impl Fn(DateTime) -> bool) -> Vec<Instant> {
        let (mut day, end) = (self.ticks[0].local.date(), self.ticks[self.ticks.len() - 1].local.date());
        let mut due = Vec::new();
        while day <= end {
            let local = day.at(hour, minute, 0, 0);
            if wanted(local) {
                due.extend(self.first.get(&local));
            }
            day = day.tomorrow().unwrap();
        }
        due
    }
}

/// A task, and when it is due by the reference.
struct Case {
    task_type: &'static str,
    config: Value,
    due: Vec<Instant>,
}

struct Sizes {
    from: Instant,
    to: Instant,
    dense: bool,
}

/// Task number `index`: one of ten ways to be due, in turn; the `draw`s differ by task.
fn case(index: u64, wall: &Wall, sizes: &Sizes) -> Case {
    let draw = |purpose: u64, below: u64| {
        let hash = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) ^ purpose.wrapping_mul(0xd1b5_4a32_d192_ed03);
        ((hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) % below
    };
    let small = |purpose: u64, below: u64| i8::try_from(draw(purpose, below)).unwrap();
    let (hour, minute) = (if draw(1, 2) == 0 { small(2, 4) } else { small(2, 24) }, 15 * small(3, 4));
    // A stretch of the years for those that are due often.
    let days = if sizes.dense { 3_650 } else { 1 + draw(4, 30) };
    let latest = sizes.to.since(sizes.from).as_secs() / 86_400;
    let open = sizes.from.plus(DAY * u32::try_from(draw(5, latest.saturating_sub(days).max(1))).unwrap());
    let close = open.plus(DAY * u32::try_from(days).unwrap()).min(sizes.to);
    let within = |due: Vec<Instant>| due.into_iter().filter(|due| *due >= open && *due <= close).collect::<Vec<_>>();
    let bounds = json!({"start_at": open, "end_at": close});
    let every = |minutes: u64| {
        let phase = i64::try_from(super::phase(&name(index).as_str().into(), Duration::from_mins(minutes)).as_millis()).unwrap();
        let step = i64::try_from(minutes).unwrap() * 60_000;
        let mut due = Vec::new();
        let mut at = (open.as_millis() / step - 1) * step + phase;
        while at <= close.as_millis() {
            due.push(Instant::from_millis(at));
            at += step;
        }
        within(due)
    };
    let weekday = small(6, 7);
    let names = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    match index % 10 {
        // A morning's digest or a reminder, each day; a tenth of them through all the years.
        0 => {
            let whole = sizes.dense || index.is_multiple_of(100);
            let due = wall.stated(hour, minute, |_| true);
            let (due, bounds) = if whole { (due, json!({})) } else { (within(due), bounds) };
            let mut config = json!({"news_urls": ["https://example.com"], "hour": hour, "minute": minute});
            config.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
            Case { task_type: "news_digest", config, due }
        }
        1..=3 => {
            let due = wall.stated(hour, minute, |local| local.weekday().to_sunday_zero_offset() == weekday);
            let day = names[usize::try_from(weekday).unwrap()];
            Case { task_type: "schedule", config: json!({"type": "weekly", "days": [day], "hour": hour, "minute": minute}), due }
        }
        4 | 5 => {
            let date = 1 + small(7, 28);
            let due = wall.stated(hour, minute, |local| local.day() == date);
            Case { task_type: "schedule", config: json!({"type": "cron", "cron": format!("{minute} {hour} {date} * *")}), due }
        }
        6 => {
            let month = 1 + small(8, 12);
            let due = wall.stated(hour, minute, |local| local.month() == month && local.weekday().to_sunday_zero_offset() == weekday);
            Case { task_type: "schedule", config: json!({"type": "cron", "cron": format!("{minute} {hour} * {month} {weekday}")}), due }
        }
        7 => {
            let minutes = if sizes.dense { 60 * (1 + draw(9, 48)) } else { [15, 30, 60, 240, 720][usize::try_from(draw(9, 5)).unwrap()] };
            let mut config = json!({"type": "interval", "minutes": minutes});
            config.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
            Case { task_type: "schedule", config, due: every(minutes) }
        }
        8 => {
            let minutes = [0, 15, 30, 45];
            let sets = Sets { minutes: minutes[..usize::try_from(1 + draw(10, 4)).unwrap()].to_vec(), ..Sets::default() };
            let list = sets.minutes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let edge = |at: Instant| wall.ticks.partition_point(|tick| tick.at < at);
            let due = within(sets.due(&wall.ticks[edge(open)..edge(close.plus(Duration::from_millis(1)))]));
            let mut config = json!({"type": "cron", "cron": format!("{list} * * * *")});
            config.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
            Case { task_type: "schedule", config, due }
        }
        _ if index % 20 == 9 => Case { task_type: "schedule", config: json!({"type": "once", "at": open}), due: vec![open] },
        _ => {
            let date = 1 + small(7, 28);
            let due = wall.stated(hour, minute, |local| local.day() == date || local.weekday().to_sunday_zero_offset() == weekday);
            Case { task_type: "schedule", config: json!({"type": "cron", "cron": format!("{minute} {hour} {date} * {weekday}")}), due }
        }
    }
}

fn name(index: u64) -> String {
    format!("task-{index}")
}

fn run(index: u64, wall: &Wall, sizes: &Sizes) -> OutcomeCounts {
    let catch_up = [CatchUp::Latest, CatchUp::Latest, CatchUp::All, CatchUp::None][usize::try_from(index / 10 % 4).unwrap()];
    let overlap = [Overlap::Skip, Overlap::Skip, Overlap::Queue][usize::try_from(index / 7 % 3).unwrap()];
    let mut case = case(index, wall, sizes);
    case.config["timezone"] = json!(wall.name);
    case.config["catch_up"] = json!(catch_up);
    case.config["overlap"] = json!(overlap);
    let spec = spec_of(&name(index), case.task_type, case.config.clone(), sizes.from);
    let plan = Plan::new(&spec, &TimeZone::UTC).unwrap();
    // A rest after failures may reach beyond the end.
    let end = sizes.to.plus(DAY);
    case.due.retain(|due| *due > sizes.from && *due <= end);
    // Two stated times may meet at the end of a gap.
    case.due.dedup();
    let planned = plan.count(sizes.from, end);
    assert_eq!(planned, case.due.len() as u64, "task {index} in {}: {}", wall.name, case.config);
    let mut model = Model::new(case.due, catch_up, overlap, plan.period_hint());
    model.once = index % 20 == 9;
    model.digest_zone = (case.task_type == "news_digest").then(|| wall.zone.clone());
    let luck = Luck { seed: index, fail: if index % 50 == 3 { 930 } else { 15 }, slow: 30, late: 10 };
    let mut awake = nights(index % 40, sizes.from, sizes.to);
    awake.iter_mut().for_each(|stretch| stretch.off = stretch.off.min(sizes.to));
    live(&plan, &spec, model, &awake, luck)
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn ten_years_of_a_thousand_tasks() {
    let (years, tasks) = (setting("WAKEFUL_YEARS", 10), setting("WAKEFUL_TASKS", 1_000));
    let from = at(BEGIN);
    let to = from.plus(DAY * 365 * u32::try_from(years).unwrap());
    let sizes = Sizes { from, to, dense: setting("WAKEFUL_DENSE", 0) == 1 };
    let begun = std::time::Instant::now();
    let mut counts = OutcomeCounts::default();
    let each = |name: &'static str, zone_index: u64| {
        let wall = Wall::new(name, sizes.from, sizes.to.plus(DAY * 2));
        let mut counts = OutcomeCounts::default();
        for index in (0..tasks).filter(|index| index / 3 % ZONES.len() as u64 == zone_index) {
            add(&mut counts, run(index, &wall, &sizes));
        }
        counts
    };
    let each = &each;
    std::thread::scope(|scope| {
        let threads: Vec<_> = ZONES.into_iter().zip(0..).map(|(name, index)| scope.spawn(move || each(name, index))).collect();
        threads.into_iter().for_each(|thread| add(&mut counts, thread.join().unwrap()));
    });
    let OutcomeCounts { ran, caught_up, skipped_stale, skipped_overlap, missed, failed } = counts;
    eprintln!(
        "{tasks} tasks, {years} years: {} occurrences; ran {ran}, caught up {caught_up}, stale {skipped_stale}, overlap {skipped_overlap}, missed {missed}, failed {failed}; {:.1?}",
        counts.total(),
        begun.elapsed()
    );
    assert!(
        tasks < 1_000 || [ran, caught_up, skipped_stale, skipped_overlap, missed, failed].iter().all(|count| *count > 0),
        "an outcome never happened: {counts:?}"
    );
}

fn add(into: &mut OutcomeCounts, more: OutcomeCounts) {
    let OutcomeCounts { ran, caught_up, skipped_stale, skipped_overlap, missed, failed } = more;
    for (outcome, count) in [
        (Outcome::Ran, ran),
        (Outcome::CaughtUp, caught_up),
        (Outcome::SkippedStale, skipped_stale),
        (Outcome::SkippedOverlap, skipped_overlap),
        (Outcome::Missed, missed),
        (Outcome::Failed, failed),
    ] {
        into.add(outcome, count);
    }
}
