//! Random zones, schedules and lives against the reference.

use croner::Cron;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;

use super::super::{Plan, hash};
use super::reference::{Model, Sets, walk};
use super::world::{Luck, live, nights};
use super::{at, spec_of, zone};
use crate::domain::clock::Instant;
use crate::domain::task::{CatchUp, Overlap};

/// Zones with whole, half and quarter hours, both hemispheres, a day left out, no changes, changes at midnight.
const ZONES: [&str; 16] = [
    "UTC",
    "America/New_York",
    "Europe/London",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Asia/Shanghai",
    "Asia/Kathmandu",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Nuuk",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Tehran",
    "America/Havana",
];

const DAY: i64 = 86_400_000;

fn moved(at: Instant, ms: i64) -> Instant {
    Instant::from_millis(at.as_millis() + ms)
}

/// Moments between 2001 and 2038, half of them within two days of a change of the zone's clock.
fn moments(zone: &TimeZone) -> impl Strategy<Value = Instant> + use<> {
    let range = at("2001-01-01T00:00:00Z").as_millis()..at("2038-01-01T00:00:00Z").as_millis();
    let zone = zone.clone();
    (range, any::<bool>(), -2 * DAY..2 * DAY).prop_map(move |(ms, near, offset)| {
        let at = Instant::from_millis(ms);
        let change = zone.following(at.timestamp()).next().filter(|_| near).map(|change| change.timestamp().as_millisecond());
        Instant::from_millis(change.map_or(ms, |change| change + offset))
    })
}

fn joined(list: &[i8]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Schedules as lists, and the same as a cron expression.
fn schedules() -> impl Strategy<Value = (Sets, String)> {
    let minutes = prop_oneof![Just(None), (1_i8..=30).prop_map(Some)];
    let numbers = |below: std::ops::Range<i8>, most: usize| subsequence(below.collect::<Vec<_>>(), 1..=most);
    let stated = (numbers(0..60, 3), numbers(0..24, 3)).prop_map(|(minutes, hours)| {
        let text = format!("{} {}", joined(&minutes), joined(&hours));
        (Sets { minutes, hours, stated: true, ..Sets::default() }, text)
    });
    let wild = (minutes, prop_oneof![Just(None), numbers(0..24, 3).prop_map(Some)]).prop_map(|(step, hours)| {
        let minute = step.map_or("*".to_owned(), |step| format!("*/{step}"));
        let text = format!("{minute} {}", hours.as_deref().map_or("*".to_owned(), joined));
        let minutes = step.map(|step| (0..60).filter(|minute| minute % step == 0).collect()).unwrap_or_default();
        (Sets { minutes, hours: hours.unwrap_or_default(), stated: false, ..Sets::default() }, text)
    });
    let days = prop_oneof![
        3 => Just((Vec::new(), Vec::new(), Vec::new())),
        2 => numbers(0..7, 5).prop_map(|weekdays| (Vec::new(), Vec::new(), weekdays)),
        1 => numbers(1..32, 12).prop_map(|dates| (dates, Vec::new(), Vec::new())),
        1 => (numbers(1..29, 9), numbers(1..13, 9), numbers(0..7, 3)),
    ];
    (prop_oneof![stated, wild], days).prop_map(|((sets, time), (dates, months, weekdays))| {
        let field = |list: &[i8]| if list.is_empty() { "*".to_owned() } else { joined(list) };
        let text = format!("{time} {} {} {}", field(&dates), field(&months), field(&weekdays));
        (Sets { dates, months, weekdays, ..sets }, text)
    })
}

fn cases() -> (impl Strategy<Value = (String, Sets, String, Instant)>,) {
    let case = select(ZONES.to_vec()).prop_flat_map(|name| (Just(name.to_owned()), schedules(), moments(&zone(name))));
    (case.prop_map(|(name, (sets, text), moment)| (name, sets, text, moment)),)
}

fn cron_plan(zone: &str, expression: &str, made: Instant) -> Plan {
    let config = json!({"type": "cron", "cron": expression, "timezone": zone});
    Plan::new(&spec_of("random", "schedule", config, made), &TimeZone::UTC).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Forwards, backwards and counted, the plan sees what a walk of six days minute by minute sees.
    #[test]
    fn occurrences_are_those_of_a_walk((name, sets, text, from) in cases().0) {
        let (begin, to) = (moved(from, -2 * DAY), moved(from, 4 * DAY));
        let due: Vec<Instant> = sets.due(&walk(&zone(&name), begin, to, 1)).into_iter().filter(|due| *due > from && *due <= to).collect();
        let plan = cron_plan(&name, &text, from);
        let forwards: Vec<Instant> = std::iter::successors(plan.next_after(from), |due| plan.next_after(*due)).take_while(|due| *due <= to).collect();
        prop_assert_eq!(&forwards, &due, "{} {} after {}", name, text, from);
        let backwards = std::iter::successors(plan.last_before(moved(to, 1)), |due| plan.last_before(*due)).take_while(|due| *due > from);
        let mut backwards: Vec<Instant> = backwards.collect();
        backwards.reverse();
        prop_assert_eq!(&backwards, &due, "{} {} backwards to {}", name, text, from);
        prop_assert_eq!(plan.count(from, to), due.len() as u64, "{} {} counted", name, text);
        for split in due.iter().step_by(7) {
            prop_assert_eq!(plan.count(from, *split) + plan.count(*split, to), due.len() as u64);
        }
    }

    /// Where croner has an opinion of its own (wild, or one time of day), it is the same, but for gaps that end on
    /// another date.
    #[test]
    fn croner_agrees((name, sets, text, from) in cases().0) {
        prop_assume!(!sets.stated || (sets.hours.len() == 1 && sets.minutes.len() == 1));
        prop_assume!(!["Pacific/Apia", "America/Nuuk"].contains(&name.as_str()));
        let cron: Cron = text.parse().unwrap();
        let plan = cron_plan(&name, &text, from);
        let start = moved(from, -from.as_millis().rem_euclid(1_000)).timestamp().to_zoned(zone(&name));
        let theirs = cron.find_next_occurrence(&start, false).ok().map(|due| Instant::from_millis(due.timestamp().as_millisecond()));
        prop_assert_eq!(plan.next_after(from), theirs, "{} {} after {}", name, text, from);
    }

    /// Intervals are the multiples of the period, shifted by the phase.
    #[test]
    fn intervals_lie_on_a_grid(id in "[a-z]{8}", period_ms in 1_000_i64..400_000_000, ms in 0_i64..4_000_000_000_000) {
        let minutes = json!({"type": "interval", "minutes": f64::from(i32::try_from(period_ms).unwrap()) / 60_000.0});
        let plan = Plan::new(&spec_of(&id, "schedule", minutes, at(super::MADE)), &TimeZone::UTC).unwrap();
        let phase = i64::try_from(hash(&id.as_str().into()) % period_ms.unsigned_abs()).unwrap();
        let next = plan.next_after(Instant::from_millis(ms)).unwrap().as_millis();
        prop_assert_eq!((next - phase) % period_ms, 0);
        prop_assert!(next > ms && next - ms <= period_ms);
        prop_assert_eq!(plan.last_before(Instant::from_millis(next)).unwrap().as_millis(), next - period_ms);
        prop_assert_eq!(plan.count(Instant::from_millis(ms), Instant::from_millis(ms + 1_000 * period_ms)), 1_000);
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Through sleeps, restarts, clocks set back, slow and failing runs, each occurrence ends as the model says.
    #[test]
    fn every_occurrence_has_the_outcome_of_the_model(
        (name, sets, text, from) in cases().0,
        catch_up in select(vec![CatchUp::Latest, CatchUp::All, CatchUp::None]),
        overlap in select(vec![Overlap::Skip, Overlap::Queue]),
        seed in any::<u64>(),
        (fail, slow, late) in (select(vec![0_u64, 20, 300, 950]), select(vec![0_u64, 50, 500]), select(vec![0_u64, 30])),
    ) {
        let to = moved(from, 12 * DAY);
        let list: Vec<Instant> = sets.due(&walk(&zone(&name), moved(from, -2 * DAY), moved(to, 2 * DAY), 1)).into_iter().filter(|due| *due > from).collect();
        let config = json!({"type": "cron", "cron": text, "timezone": name, "catch_up": catch_up, "overlap": overlap});
        let spec = spec_of("random", "schedule", config, from);
        let plan = Plan::new(&spec, &TimeZone::UTC).unwrap();
        let model = Model::new(list, catch_up, overlap, plan.period_hint());
        let mut awake = nights(seed, from, to);
        awake.iter_mut().for_each(|stretch| stretch.off = stretch.off.min(to));
        let counts = live(&plan, &spec, model, &awake, Luck { seed, fail, slow, late });
        prop_assert!(counts.total() <= plan.count(from, moved(to, 2 * DAY)));
    }
}
