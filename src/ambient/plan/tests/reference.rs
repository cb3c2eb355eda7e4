//! The slow, obvious reference: occurrences by walking the wall clock step by step, outcomes by looking at every single
//! occurrence. It shares no arithmetic with the plan.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::super::{Away, RunResult};
use crate::domain::clock::Instant;
use crate::domain::task::{CatchUp, Outcome, Overlap};

/// One step of a walk.
pub(super) struct Tick {
    pub(super) at: Instant,
    pub(super) local: DateTime,
    /// Whether the wall showed this before.
    pub(super) again: bool,
    /// What the wall left out just before, on dates of which it showed something.
    pub(super) skipped: Vec<DateTime>,
}

/// Walks from `from` to `to`, both included, in steps of so many minutes. What came before is not known: begin a day
/// early.
pub(super) fn walk(zone: &TimeZone, from: Instant, to: Instant, minutes: i64) -> Vec<Tick> {
    let mut ticks: Vec<Tick> = Vec::new();
    let mut newest = None;
    let step = minutes * 60_000;
    let mut at = from.as_millis().div_euclid(step) * step;
    while at <= to.as_millis() {
        let local = zone.to_datetime(Instant::from_millis(at).timestamp());
        let mut skipped = Vec::new();
        if let Some(before) = ticks.last().map(|tick| tick.local) {
            let mut missing = before + jiff::Span::new().minutes(minutes);
            while missing < local {
                if missing.date() == before.date() || missing.date() == local.date() {
                    skipped.push(missing);
                }
                missing += jiff::Span::new().minutes(minutes);
            }
        }
        let again = newest.is_some_and(|newest| local <= newest);
        newest = newest.max(Some(local));
        ticks.push(Tick { at: Instant::from_millis(at), local, again, skipped });
        at += step;
    }
    ticks
}

/// A schedule as plain lists; an empty list takes all.
#[derive(Debug, Clone, Default)]
pub(super) struct Sets {
    pub(super) minutes: Vec<i8>,
    pub(super) hours: Vec<i8>,
    pub(super) dates: Vec<i8>,
    pub(super) months: Vec<i8>,
    /// 0 is Sunday.
    pub(super) weekdays: Vec<i8>,
    /// Whether its times are to happen once each.
    pub(super) stated: bool,
}

impl Sets {
    fn has(&self, local: DateTime) -> bool {
        let within = |list: &Vec<i8>, value: i8| list.is_empty() || list.contains(&value);
        let (date, weekday) = (local.day(), local.weekday().to_sunday_zero_offset());
        // As cron has it: where both are named, one is enough.
        let day = match (self.dates.is_empty(), self.weekdays.is_empty()) {
            (false, false) => self.dates.contains(&date) || self.weekdays.contains(&weekday),
            _ => within(&self.dates, date) && within(&self.weekdays, weekday),
        };
        day && within(&self.months, local.month()) && within(&self.hours, local.hour()) && within(&self.minutes, local.minute())
    }

    /// The occurrences among the steps of a walk.
    pub(super) fn due(&self, ticks: &[Tick]) -> Vec<Instant> {
        let is_due = |tick: &&Tick| {
            if self.stated {
                (self.has(tick.local) && !tick.again) || tick.skipped.iter().any(|local| self.has(*local))
            } else {
                self.has(tick.local)
            }
        };
        ticks.iter().filter(is_due).map(|tick| tick.at).collect()
    }
}

/// What becomes of each occurrence, told one by one.
pub(super) struct Model {
    pub(super) list: Vec<Instant>,
    pub(super) outcomes: Vec<Option<Outcome>>,
    /// All before this one have their outcome.
    pub(super) first: usize,
    pub(super) catch_up: CatchUp,
    pub(super) overlap: Overlap,
    pub(super) period: Duration,
    pub(super) once: bool,
    pub(super) digest_zone: Option<TimeZone>,
    pub(super) failures: u32,
    back: Option<Instant>,
    /// Which are to be caught up.
    kept: Vec<usize>,
}

/// What the model wants after being asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Want {
    Nothing,
    /// Runs are held back for up to a minute.
    Hold,
    /// For an occurrence, or out of turn.
    Run(Option<usize>),
}

const ON_TIME: Duration = Duration::from_secs(15);

impl Model {
    pub(super) fn new(list: Vec<Instant>, catch_up: CatchUp, overlap: Overlap, period: Duration) -> Self {
        let outcomes = vec![None; list.len()];
        Self {
            list,
            outcomes,
            first: 0,
            catch_up,
            overlap,
            period,
            once: false,
            digest_zone: None,
            failures: 0,
            back: None,
            kept: Vec::new(),
        }
    }

    /// Those without an outcome up to `now`.
    fn pending(&self, now: Instant) -> Vec<usize> {
        (self.first..self.list.len()).take_while(|index| self.list[*index] <= now).filter(|index| self.outcomes[*index].is_none()).collect()
    }

    fn end(&mut self, index: usize, outcome: Outcome) {
        assert_eq!(self.outcomes[index], None, "two outcomes for {}", self.list[index]);
        self.outcomes[index] = Some(outcome);
        self.kept.retain(|kept| *kept != index);
        while self.first < self.list.len() && self.outcomes[self.first].is_some() {
            self.first += 1;
        }
    }

    fn slept_through(&self, index: usize, to: Instant) -> bool {
        to.since(self.list[index]) > ON_TIME
    }

    /// The scheduler looks at `now`; `held` is when a retry or a spread run is to begin.
    pub(super) fn look(&mut self, now: Instant, away: Option<Away>, held: Option<Instant>) -> Want {
        let mut held = held;
        if let Some(away) = away.filter(|away| self.back.is_none_or(|back| back < away.to)) {
            let missed: Vec<usize> = self.pending(now).into_iter().filter(|index| self.slept_through(*index, away.to)).collect();
            let retry = held.is_some_and(|held| held < away.to);
            if !missed.is_empty() || retry {
                self.back = Some(away.to);
                self.kept = missed.iter().copied().filter(|index| self.is_kept(*index, &missed, away.to, now)).collect();
                for index in missed {
                    if !self.kept.contains(&index) {
                        self.end(index, Outcome::SkippedStale);
                    }
                }
                if !self.kept.is_empty() || retry {
                    held = Some(now);
                    if !self.spread_is_over(now) {
                        return Want::Hold;
                    }
                }
            }
        }
        if held.is_some_and(|held| held > now) {
            return Want::Nothing;
        }
        self.choose(now, held.is_some())
    }

    /// Where the next occurrence is due at once there is no room to spread into; that does not happen on whole minutes.
    fn spread_is_over(&self, _now: Instant) -> bool {
        false
    }

    fn is_kept(&self, index: usize, missed: &[usize], back: Instant, now: Instant) -> bool {
        let last = missed.last() == Some(&index);
        match self.catch_up {
            CatchUp::None => false,
            CatchUp::All => missed.iter().filter(|other| **other > index).count() < 24,
            CatchUp::Latest if !last => false,
            CatchUp::Latest if self.once => true,
            CatchUp::Latest if self.list.get(index + 1).is_some_and(|newer| *newer <= now) => false,
            CatchUp::Latest => {
                if let Some(zone) = &self.digest_zone {
                    zone.to_datetime(self.list[index].timestamp()).date() == zone.to_datetime(back.timestamp()).date()
                } else {
                    let age = back.since(self.list[index]);
                    age < self.period && age < Duration::from_hours(12)
                }
            }
        }
    }

    /// Which of those that are due runs.
    pub(super) fn choose(&mut self, now: Instant, held: bool) -> Want {
        let pending = self.pending(now);
        let Some(newest) = pending.last().copied() else {
            return if held { Want::Run(None) } else { Want::Nothing };
        };
        if self.catch_up == CatchUp::All && self.kept.contains(&pending[0]) {
            return Want::Run(Some(pending[0]));
        }
        let waiting = self.failures > 0 && held && !self.kept.contains(&newest) && now.since(self.list[newest]) > ON_TIME;
        for index in pending {
            if self.kept.contains(&index) && index != newest {
                self.end(index, Outcome::SkippedStale);
            } else if index != newest || waiting {
                self.end(index, Outcome::Missed);
            }
        }
        Want::Run(if waiting { None } else { Some(newest) })
    }

    /// A run ended.
    pub(super) fn ended(&mut self, run: Option<usize>, result: RunResult, now: Instant, away: Option<Away>) {
        let failed = result != RunResult::Ok;
        self.failures = if failed { self.failures + 1 } else { 0 };
        if let Some(index) = run {
            let caught_up = self.kept.contains(&index);
            let outcome = match (failed, caught_up) {
                (true, _) => Outcome::Failed,
                (false, true) => Outcome::CaughtUp,
                (false, false) => Outcome::Ran,
            };
            self.end(index, outcome);
        }
        let pending = self.pending(now);
        let broken = self.failures >= 10;
        let Some(oldest) = pending.first().copied() else { return };
        let unseen = away.is_some_and(|away| self.back.is_none_or(|back| back < away.to) && self.slept_through(oldest, away.to));
        let waits = self.catch_up == CatchUp::All && self.kept.contains(&oldest);
        if (unseen || waits) && !broken {
            return;
        }
        for index in &pending {
            if self.overlap == Overlap::Skip || broken || pending.last() != Some(index) {
                self.end(*index, Outcome::SkippedOverlap);
            }
        }
    }

    /// The task goes on after the program had paused it.
    pub(super) fn resumed(&mut self, now: Instant) {
        self.pending(now).into_iter().for_each(|index| self.end(index, Outcome::Missed));
        self.failures = 0;
    }
}
