//! A scheduler of one task in a world of suspends, restarts, clock changes, slow runs and failures, that checks every
//! decision against the model.

use std::time::Duration;

use super::super::{Away, Jump, Limits, Next, Plan, RunResult, Sight, Step, Ticket, after_run, look, part, resume, start};
use super::reference::{Model, Want};
use crate::domain::clock::Instant;
use crate::domain::task::{Outcome, OutcomeCounts, TaskSpec, TaskWork};

/// A stretch in which the program runs. One that begins before the end of the last is a clock that was set back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Awake {
    pub(super) on: Instant,
    pub(super) off: Instant,
    /// Whether a run that goes on at its end is lost (the program ended) or goes on later (it slept).
    pub(super) ends: bool,
}

/// How runs go, drawn from a seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Luck {
    pub(super) seed: u64,
    /// Of 1,000 runs, so many fail …
    pub(super) fail: u64,
    /// … and so many take up to 100 minutes instead of seconds.
    pub(super) slow: u64,
    /// Of 1,000 looks, so many come up to two hours late.
    pub(super) late: u64,
}

impl Luck {
    /// A number below `below` for this moment and purpose.
    fn draw(self, at: Instant, purpose: u64, below: u64) -> u64 {
        let mut hash =
            self.seed ^ at.as_millis().unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose.wrapping_mul(0xd1b5_4a32_d192_ed03);
        for _ in 0..2 {
            hash = (hash ^ (hash >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        }
        (hash ^ (hash >> 29)) % below.max(1)
    }

    fn takes(self, at: Instant) -> Duration {
        let slow = self.draw(at, 1, 1_000) < self.slow;
        Duration::from_secs(1 + if slow { self.draw(at, 2, 6_000) } else { self.draw(at, 2, 5) })
    }

    fn ends(self, at: Instant) -> RunResult {
        if self.draw(at, 3, 1_000) < self.fail { RunResult::Failed { retry_at: None } } else { RunResult::Ok }
    }

    fn delay(self, at: Instant) -> Duration {
        Duration::from_secs(if self.draw(at, 4, 1_000) < self.late { self.draw(at, 5, 7_200) } else { 0 })
    }
}

/// The scheduler of one task.
struct World<'a> {
    plan: &'a Plan,
    limits: Limits,
    model: Model,
    work: TaskWork,
    /// The outcomes as the plan told them.
    told: Vec<Option<Outcome>>,
    away: Option<Away>,
    completed: bool,
    paused: bool,
}

/// Lets a task live through `awake` and gives the outcomes; panics at the first one that is not the model's.
pub(super) fn live(plan: &Plan, spec: &TaskSpec, model: Model, awake: &[Awake], luck: Luck) -> OutcomeCounts {
    let mut work = start(plan, spec, spec.created_at);
    work.extra_at = None;
    work.index(true);
    let told = vec![None; model.list.len()];
    let mut world = World { plan, limits: Limits::default(), model, work, told, away: None, completed: false, paused: false };
    let mut flying: Option<(Ticket, RunResult)> = None;
    let mut before: Option<Instant> = None;
    for stretch in awake {
        let mut now = stretch.on;
        world.notice(before, now);
        before = Some(stretch.off);
        if let Some((ticket, result)) = flying.take() {
            now = now.plus(Duration::from_secs(1));
            world.ran(ticket, result, now);
        }
        if world.paused && !world.completed {
            world.goes_on(now);
        }
        while let Some(wake) = world.work.wake {
            now = wake.max(now);
            now = now.plus(luck.delay(now));
            if now >= stretch.off {
                break;
            }
            let Some(ticket) = world.looks(now) else { continue };
            let (end, result) = (now.plus(luck.takes(now)), luck.ends(now));
            if end >= stretch.off {
                flying = (!stretch.ends).then_some((ticket, result));
                break;
            }
            now = end;
            world.ran(ticket, result, now);
        }
        if world.completed {
            break;
        }
    }
    world.reckon()
}

impl World<'_> {
    /// The beat after a stretch of silence.
    fn notice(&mut self, before: Option<Instant>, now: Instant) {
        let Some(before) = before else { return };
        match super::super::jump(before, Duration::ZERO, now, Duration::from_secs(1)) {
            Some(Jump::Forward(away)) => self.away = Some(away),
            Some(Jump::Back { .. }) | None => {}
        }
    }

    fn sight(&self, now: Instant) -> Sight {
        Sight { now, away: self.away, running: false }
    }

    fn looks(&mut self, now: Instant) -> Option<Ticket> {
        let held = self.work.extra_at;
        let next = look(self.plan, &self.work, &self.sight(now), &self.limits);
        let want = self.model.look(now, self.away, held);
        let cursor = self.work.cursor;
        let ticket = self.take(next);
        assert!(self.work.cursor >= cursor, "the cursor went back");
        match want {
            // Spread over a minute, but before the next occurrence; no wait at all is in order.
            Want::Hold => {
                let begins = self.work.extra_at.unwrap();
                assert!(begins >= now && begins.since(now) < Duration::from_mins(1), "{begins} for {now}");
                if let Some(ticket) = ticket {
                    assert_eq!((begins, self.model.choose(now, true)), (now, Want::Run(self.index(ticket.due))));
                } else {
                    assert!(self.plan.next_after(now).is_none_or(|next| begins < next));
                }
            }
            Want::Nothing => assert_eq!(ticket, None, "at {now}"),
            Want::Run(run) => assert_eq!(ticket.map(|ticket| self.index(ticket.due)), Some(run), "at {now}"),
        }
        ticket
    }

    fn ran(&mut self, ticket: Ticket, result: RunResult, now: Instant) {
        let index = self.index(ticket.due);
        let outcome = if result == RunResult::Ok { ticket.outcome } else { Outcome::Failed };
        if let Some(index) = index {
            self.tell(index, outcome);
        }
        let next = after_run(self.plan, &self.work, &ticket, result, &self.sight(now), &self.limits);
        self.model.ended(index, result, now, self.away);
        self.take(next);
        assert_eq!(self.work.failures, self.model.failures);
        if self.paused {
            self.goes_on(now.plus(Duration::from_hours(3)));
        }
    }

    fn goes_on(&mut self, now: Instant) {
        let next = resume(self.plan, &self.work, true, now);
        self.model.resumed(now);
        self.paused = false;
        self.take(next);
    }

    fn take(&mut self, next: Next) -> Option<Ticket> {
        self.work = next.work;
        let mut ticket = None;
        for step in next.steps {
            assert_eq!(ticket, None, "something follows a run");
            match step {
                Step::Settle(settled) => {
                    let (from, to) = (self.index(Some(settled.from)).unwrap(), self.index(Some(settled.to)).unwrap());
                    assert_eq!(settled.count, (to - from + 1) as u64, "{settled:?}");
                    (from..=to).for_each(|index| self.tell(index, settled.outcome));
                }
                Step::Run(run) => ticket = Some(run),
                Step::Pause { .. } => self.paused = true,
                Step::Complete { .. } => self.completed = true,
            }
        }
        ticket
    }

    fn index(&self, due: Option<Instant>) -> Option<usize> {
        due.map(|due| self.model.list.binary_search(&due).unwrap_or_else(|_| panic!("{due} is no occurrence")))
    }

    fn tell(&mut self, index: usize, outcome: Outcome) {
        assert_eq!(self.told[index], None, "two outcomes for {}", self.model.list[index]);
        self.told[index] = Some(outcome);
    }

    /// Every occurrence up to the cursor has one outcome, the model's; those behind it have none.
    fn reckon(self) -> OutcomeCounts {
        let mut counts = OutcomeCounts::default();
        for ((at, told), model) in self.model.list.iter().zip(&self.told).zip(&self.model.outcomes) {
            assert_eq!(told, model, "{at}");
            assert_eq!(told.is_some(), *at <= self.work.cursor, "{at} and the cursor {}", self.work.cursor);
            if let Some(outcome) = told {
                counts.add(*outcome, 1);
            }
        }
        counts
    }
}

/// Stretches of being awake from `from` to `to`: hours to days, then off, asleep or set back for a while.
pub(super) fn nights(seed: u64, from: Instant, to: Instant) -> Vec<Awake> {
    let luck = Luck { seed, fail: 0, slow: 0, late: 0 };
    let (mut awake, mut on) = (Vec::new(), from);
    while on < to {
        let hours = 1 + luck.draw(on, 11, 24 * 9);
        let off = on.plus(Duration::from_hours(hours)).plus(part(luck.draw(on, 12, 3_600_000), Duration::from_hours(1)));
        let kind = luck.draw(on, 13, 10);
        awake.push(Awake { on, off, ends: kind < 4 });
        let gap = Duration::from_secs(luck.draw(off, 14, 60 * 60 * 30));
        on = match kind {
            // The clock is set back by up to two hours.
            9 => Instant::from_millis(off.as_millis() - i64::try_from(luck.draw(off, 15, 7_200_000)).unwrap())
                .max(on.plus(Duration::from_secs(1))),
            8 => off.plus(gap * 20),
            7 => off.plus(gap / 200),
            _ => off.plus(gap),
        };
    }
    awake
}
